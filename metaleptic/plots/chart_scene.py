"""From a chart to its marks on the page."""

from __future__ import annotations

import math
from itertools import pairwise

from metaleptic.plots.chart import Chart, Spot
from metaleptic.plots.scene import Dot, Line, Mark, Scene, Shape, Text, middle, rectangle
from metaleptic.plots.styles import Style
from metaleptic.plots.wrap import TextWidth, wrap

MARGIN = 6.0
ALARM = "#b3261e"
SWATCH = 9.0


def chart_scene(chart: Chart, page: float, width: TextWidth) -> Scene:
    """Put a chart on a page of this width (points), its legend and footnotes below."""
    style = chart.style
    small = style.small
    labels = max((width(t, small, False) for t in chart.y.labels), default=0.0)
    frame_width = page - 2 * MARGIN - labels - 30.0
    side = wrap(chart.y.title, max(chart.height * frame_width, 60.0), style.size, False, width) if chart.y.title else []
    left = MARGIN + style.size * 1.25 * len(side) + labels + 10.0
    right = page - MARGIN - 8.0
    top = MARGIN + 6.0
    bottom = top + chart.height * (right - left)
    marks: list[Mark] = []

    def at(spot: Spot) -> tuple[float, float]:
        return left + spot[0] * (right - left), bottom - spot[1] * (bottom - top)

    for area in chart.areas:
        marks.append(Shape(tuple(at(p) for p in area.points), _colour(area.role, style), "shade"))
    for path in chart.paths:
        colour = _colour(path.role, style)
        points = [at(p) for p in path.points]
        pieces = dashes(points) if path.dashed else list(pairwise(points))
        marks += [Line(a, b, colour, path.width) for a, b in pieces]
    for dot in chart.dots:
        colour = _colour(dot.role, style)
        fill, edge = ("#ffffff", colour) if dot.hollow else (colour, "#ffffff")
        if dot.radius < 2:  # a white edge would leave nothing of so small a dot
            edge = colour
        marks.append(Dot(at(dot.at), dot.radius, fill, edge, 0.9 if dot.hollow else 0.5))
    _labels(chart, at, marks, width, left, right)
    for words in chart.words:
        x, y = at(words.at)
        marks.append(Text(x, middle(y, small), words.text, small, _colour(words.role, style), words.anchor))
    marks += [Line((left, top), (left, bottom), style.ink, 0.9), Line((left, bottom), (right, bottom), style.ink, 0.9)]
    for tick, label in zip(chart.x.ticks, chart.x.labels, strict=True):
        x = left + tick * (right - left)
        marks.append(Line((x, bottom), (x, bottom + 3.5), style.ink, 0.9))
        marks.append(Text(x, bottom + 5.0 + small, label, small, style.ink, "middle"))
    for tick, label in zip(chart.y.ticks, chart.y.labels, strict=True):
        y = bottom - tick * (bottom - top)
        marks.append(Line((left - 3.5, y), (left, y), style.ink, 0.9))
        marks.append(Text(left - 5.5, middle(y, small), label, small, style.ink, "end"))
    for n, line in enumerate(side):
        marks.append(
            Text(
                MARGIN + style.size * (0.95 + 1.25 * n),
                (top + bottom) / 2,
                line,
                style.size,
                style.ink,
                "middle",
                turned=True,
            )
        )
    y = bottom + (5.0 + small if chart.x.labels else 0.0)
    for line in wrap(chart.x.title, right - left, style.size, False, width) if chart.x.title else []:
        y += style.size * 1.25 + 2.0
        marks.append(Text((left + right) / 2, y, line, style.size, style.ink, "middle"))
    y = _legend(chart, left, right, y, marks, width)
    for note in chart.footnotes:
        y += 3.0
        for line in wrap(note, page - 2 * MARGIN, small, False, width):
            y += small * 1.22
            marks.append(Text(MARGIN, y, line, small, style.muted))
    return Scene(page, y + MARGIN, tuple(marks))


def dashes(points: list[Spot], on: float = 3.0, off: float = 2.4) -> list[tuple[Spot, Spot]]:
    """Cut a line into dashes that run on around its corners."""
    pieces: list[tuple[Spot, Spot]] = []
    left, drawn = on, True
    for (x0, y0), (x1, y1) in pairwise(points):
        length = math.hypot(x1 - x0, y1 - y0)
        gone = 0.0
        while length - gone > 1e-9:
            step = min(left, length - gone)
            if drawn:
                a, b = gone / length, (gone + step) / length
                pieces.append(((x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))))
            gone, left = gone + step, left - step
            if left <= 1e-9:
                drawn = not drawn
                left = on if drawn else off
    return pieces


def _colour(role: str, style: Style) -> str:
    if role.startswith("#"):
        return role
    roles = {
        "main": style.square,
        "pale": style.bar,
        "stripe": style.stripe or "#f2f4f6",
        "alarm": ALARM,
        "muted": style.muted,
        "ink": style.ink,
        "line": style.line,
    }
    return roles[role]


def _labels(chart: Chart, at: object, marks: list[Mark], width: TextWidth, left: float, right: float) -> None:
    """Write the names of dots beside them, on the side and at the height where they meet nothing else."""
    size = chart.style.small
    taken: list[tuple[float, float, float, float]] = []
    for dot in chart.dots:
        x, y = at(dot.at)  # type: ignore[operator]
        taken.append((x - dot.radius, y - dot.radius, x + dot.radius, y + dot.radius))
    for dot in chart.dots:
        if not dot.label:
            continue
        x, y = at(dot.at)  # type: ignore[operator]
        wide = width(dot.label, size, False)
        reach = dot.radius + 3.0
        offers = [
            (x + reach, y, "start"),
            (x - reach, y, "end"),
            (x, y - reach - 0.5 * size, "middle"),
            (x, y + reach + 0.5 * size, "middle"),
            (x + reach, y - size, "start"),
            (x + reach, y + size, "start"),
            (x - reach, y - size, "end"),
            (x - reach, y + size, "end"),
        ]
        best, fewest = offers[0], 1e9
        for px, py, anchor in offers:
            a = px if anchor == "start" else px - wide if anchor == "end" else px - wide / 2
            box = (a, py - 0.5 * size, a + wide, py + 0.5 * size)
            over = sum(1 for t in taken if box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3])
            over += 50 * (box[0] < left or box[2] > right + 6.0)
            if over < fewest:
                best, fewest, chosen = (px, py, anchor), over, box
        marks.append(Text(best[0], middle(best[1], size), dot.label, size, chart.style.ink, best[2]))
        taken.append(chosen)


def _legend(chart: Chart, left: float, right: float, y: float, marks: list[Mark], width: TextWidth) -> float:
    """Write the legend in lines below the axis; return its lower end."""
    style = chart.style
    size = style.small
    if not chart.legend:
        return y
    y += size * 1.9
    x = left
    for role, kind, words in chart.legend:
        wide = SWATCH + 5.0 + width(words, size, False)
        if x > left and x + wide > right:
            x, y = left, y + size * 1.5
        centre, colour = y - 0.365 * size, _colour(role, style)
        if kind in ("dot", "ring"):
            fill, edge = (colour, "#ffffff") if kind == "dot" else ("#ffffff", colour)
            marks.append(Dot((x + SWATCH / 2, centre), 2.7, fill, edge, 0.9))
        elif kind == "area":
            marks.append(rectangle(x, centre - 3.5, x + SWATCH, centre + 3.5, colour, "swatch"))
        else:
            dash = (3.0, 2.4) if kind == "dash" else (0.0, 0.0)
            marks.append(Line((x, centre), (x + SWATCH, centre), colour, 1.0, dash))
        marks.append(Text(x + SWATCH + 5.0, y, words, size, style.ink))
        x += wide + 14.0
    return y
