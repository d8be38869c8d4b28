"""From a chart to its marks on the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.plots.chart import Chart, Spot
from metaleptic.plots.chart_labels import Box, dot_names, row_edges, row_names, write_name
from metaleptic.plots.chart_legend import colour_of, write_legend, write_notes
from metaleptic.plots.scene import Dot, Line, Mark, Scene, Shape, Text, Trace, middle
from metaleptic.plots.wrap import TextWidth, widest, wrap

MARGIN = 6.0
DASH = (3.0, 2.4)
BETWEEN = 12.0  # points between a chart and the one below it


@dataclass(frozen=True, slots=True)
class Frame:
    """The area of a chart on the page; ``rows`` are the edges of its rows below the upper end, () for an even axis."""

    left: float
    top: float
    right: float
    bottom: float
    rows: tuple[float, ...]

    def at(self, spot: Spot) -> tuple[float, float]:
        """Return where on the page a place of the chart lies."""
        x = self.left + spot[0] * (self.right - self.left)
        if not self.rows:
            return x, self.bottom - spot[1] * (self.bottom - self.top)
        k = len(self.rows) - 1
        return x, self.top + float(np.interp((1 - spot[1]) * k, np.arange(k + 1), self.rows))


def chart_scene(chart: Chart, page: float, width: TextWidth) -> Scene:
    """Put a chart on a page of this width (points), its legend and footnotes below, then the charts that go with it."""
    marks: list[Mark] = []
    y, one = 0.0, chart
    left = max(_left(c, page, width) for c in _all(chart))
    while True:
        y = _one(one, page, left, y, marks, width)
        if one.below is None:
            return Scene(page, y + MARGIN, tuple(marks))
        y, one = y + BETWEEN, one.below


def _all(chart: Chart) -> list[Chart]:
    return [chart, *(_all(chart.below) if chart.below else [])]


def _side(chart: Chart, page: float, width: TextWidth) -> list[str]:
    """Return the lines of the vertical axis' title."""
    tall = max(chart.height * (page - 90.0), 60.0)
    return wrap(chart.y.title, tall, chart.style.size, False, width) if chart.y.title else []


def _left(chart: Chart, page: float, width: TextWidth) -> float:
    """Return where the frame begins: after the title of the vertical axis and its labels."""
    style = chart.style
    labels = max((widest(list(n), style.small, False, width) for n in row_names(chart, page, width)), default=0.0)
    return MARGIN + style.size * 1.25 * len(_side(chart, page, width)) + labels + 10.0


def _one(chart: Chart, page: float, left: float, y: float, marks: list[Mark], width: TextWidth) -> float:
    """Draw one chart below ``y``; return its lower end."""
    style = chart.style
    names = row_names(chart, page, width)
    edges = row_edges(chart, names)
    top, right = y + MARGIN + 6.0, page - MARGIN - 8.0
    tall = edges[-1] if edges else chart.points or chart.height * (right - left)
    frame = Frame(left, top, right, top + tall, edges)
    _marks(chart, frame, marks)
    words, boxes = _words(chart, frame, width)
    places = [frame.at(d.at) for d in chart.dots]
    names_of_dots, lost = dot_names(chart, places, boxes, (left, top, right, frame.bottom), width)
    marks += [*names_of_dots, *words]
    y = _axes(chart, frame, names, page, marks, width)
    y = write_legend(chart.legend, style, left, right, y, marks, width)
    notes = [*chart.footnotes, *([_left_out(lost)] if lost else [])]
    return write_notes(notes, style, MARGIN, page - MARGIN, y, marks, width)


def _words(chart: Chart, frame: Frame, width: TextWidth) -> tuple[list[Mark], list[Box]]:
    """Write the words of a chart; return their boxes too."""
    size = chart.style.small
    marks: list[Mark] = []
    boxes = []
    for words in chart.words:
        (x, y), wide = frame.at(words.at), width(words.text, size, False)
        marks.append(Text(x, middle(y, size), words.text, size, colour_of(words.role, chart.style), words.anchor))
        left = {"start": x, "middle": x - wide / 2}.get(words.anchor, x - wide)
        boxes.append((left, y - size / 2, left + wide, y + size / 2))
    return marks, boxes


def _left_out(count: int) -> str:
    return f"{count} {'name is' if count == 1 else 'names are'} left out, which would cover others."


def _marks(chart: Chart, frame: Frame, marks: list[Mark]) -> None:
    """Draw areas, lines and dots."""
    style = chart.style
    for area in chart.areas:
        marks.append(Shape(tuple(frame.at(p) for p in area.points), colour_of(area.role, style), "shade"))
    for path in chart.paths:
        points = tuple(frame.at(p) for p in path.points)
        marks.append(Trace(points, colour_of(path.role, style), path.width, DASH if path.dashed else (0.0, 0.0)))
    for dot in chart.dots:
        colour = colour_of(dot.role, style)
        fill, edge = ("#ffffff", colour) if dot.hollow else (colour, "#ffffff")
        if dot.radius < 2:  # a white edge would leave nothing of so small a dot
            edge = colour
        marks.append(Dot(frame.at(dot.at), dot.radius, fill, edge, 0.9 if dot.hollow else 0.5))


def _axes(
    chart: Chart,
    frame: Frame,
    names: tuple[tuple[str, ...], ...],
    page: float,
    marks: list[Mark],
    width: TextWidth,
) -> float:
    """Draw both axes with ticks, labels and titles; return the lower end."""
    style, small = chart.style, chart.style.small
    left, top, right, bottom = frame.left, frame.top, frame.right, frame.bottom
    marks += [Line((left, top), (left, bottom), style.ink, 0.9), Line((left, bottom), (right, bottom), style.ink, 0.9)]
    for tick, label in zip(chart.x.ticks, chart.x.labels, strict=True):
        x = left + tick * (right - left)
        marks.append(Line((x, bottom), (x, bottom + 3.5), style.ink, 0.9))
        half = width(label, small, False) / 2
        marks.append(Text(min(x, page - 1.0 - half), bottom + 5.0 + small, label, small, style.ink, "middle"))
    for tick, lines in zip(chart.y.ticks, names, strict=True):
        y = frame.at((0.0, tick))[1]
        marks.append(Line((left - 3.5, y), (left, y), style.ink, 0.9))
        marks += write_name(lines, left - 5.5, y, "end", small, style.ink)
    for n, line in enumerate(_side(chart, page, width)):
        x = MARGIN + style.size * (0.95 + 1.25 * n)
        marks.append(Text(x, (top + bottom) / 2, line, style.size, style.ink, "middle", turned=True))
    y = bottom + (5.0 + small if chart.x.labels else 0.0)
    for line in wrap(chart.x.title, right - left, style.size, False, width) if chart.x.title else []:
        y += style.size * 1.25 + 2.0
        marks.append(Text((left + right) / 2, y, line, style.size, style.ink, "middle"))
    return y
