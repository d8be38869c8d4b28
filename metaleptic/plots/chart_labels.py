"""Names on a chart: beside dots where they meet nothing else, and in rows as high as the names need."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from metaleptic.plots.chart import Chart, Spot
from metaleptic.plots.scene import Mark, Text, middle
from metaleptic.plots.styles import Style
from metaleptic.plots.wrap import TextWidth, shorten, widest, wrap

ROW = 11.5  # points: height of a row with a name of one line
LEADING = 1.2
LEAST = 64.0  # points: height of all rows together
NAMES = 0.42  # part of the page that names in rows may take before they are wrapped
BESIDE = 0.46  # part of the frame that a name beside a dot may take before it is wrapped
EDGE = 8.0  # points that a name may stand out of the frame on the right

Box = tuple[float, float, float, float]


def row_names(chart: Chart, page: float, width: TextWidth) -> tuple[tuple[str, ...], ...]:
    """Wrap the labels of the vertical axis, or shorten them where lines are fixed; one tuple of lines per tick."""
    limit, size = NAMES * page, chart.style.small
    if chart.points:
        return tuple((shorten(t, limit, size, False, width),) for t in chart.y.labels)
    return tuple(tuple(wrap(t, limit, size, False, width)) if t else ("",) for t in chart.y.labels)


def row_edges(chart: Chart, names: tuple[tuple[str, ...], ...]) -> tuple[float, ...]:
    """Return the edges of the rows in points from the upper one; () where the vertical axis is no list of names."""
    if not chart.rows:
        return ()
    order = np.argsort(-np.asarray(chart.y.ticks))
    return edges_of([len(names[i]) for i in order], chart.style)


def edges_of(lines: list[int], style: Style) -> tuple[float, ...]:
    """Return the edges of rows that hold so many lines each, from 0 downwards."""
    heights = np.array([ROW + (n - 1) * LEADING * style.small for n in lines])
    heights *= max(1.0, LEAST / heights.sum())
    return (0.0, *np.cumsum(heights).tolist())


def write_name(
    lines: tuple[str, ...], x: float, centre: float, anchor: str, size: float, colour: str, bold: bool = False
) -> list[Mark]:
    """Write lines of a name centred on a height."""
    step = LEADING * size
    first = centre - step * (len(lines) - 1) / 2
    return [Text(x, middle(first + n * step, size), t, size, colour, anchor, bold) for n, t in enumerate(lines)]


def dot_names(
    chart: Chart, places: list[Spot], written: list[Box], frame: Box, width: TextWidth
) -> tuple[list[Mark], int]:
    """Write the names of dots inside the frame where they overlap no dots, words or each other; count those left out.

    Lonely dots get theirs first: around them there is room.
    """
    size = chart.style.small
    left, top, right, bottom = frame
    taken: list[Box] = [
        (x - d.radius, y - d.radius, x + d.radius, y + d.radius) for d, (x, y) in zip(chart.dots, places, strict=True)
    ]
    taken += list(written)
    marks: list[Mark] = []
    lost = 0
    for i in _lonely_first(chart, places):
        dot, (x, y) = chart.dots[i], places[i]
        lines = tuple(wrap(dot.label, BESIDE * (right - left), size, False, width))
        wide, tall = widest(list(lines), size, False, width), LEADING * size * len(lines)
        for px, py, anchor in _offers(x, y, dot.radius + 3.0, tall):
            a = px if anchor == "start" else px - wide if anchor == "end" else px - wide / 2
            box = (a, py - tall / 2, a + wide, py + tall / 2)
            inside = box[0] >= left + 1 and box[2] <= right + EDGE and box[1] >= top - size and box[3] <= bottom
            if inside and not any(_meet(box, t) for t in taken):
                marks += write_name(lines, px, py, anchor, size, chart.style.ink)
                taken.append(box)
                break
        else:
            lost += 1
    return marks, lost


def _lonely_first(chart: Chart, places: list[Spot]) -> list[int]:
    """Return the dots with a name, those farthest from any other dot first."""
    named = [i for i, d in enumerate(chart.dots) if d.label]
    spots = np.array(places).reshape(-1, 2)

    def room(i: int) -> float:
        return float(np.delete(np.hypot(*(spots - spots[i]).T), i).min()) if len(spots) > 1 else 0.0

    return sorted(named, key=room, reverse=True)


def _offers(x: float, y: float, reach: float, tall: float) -> Iterator[tuple[float, float, str]]:
    """Offer places for a name: right, left, above, below and between them, then the same farther away."""
    for r in (reach, 2.2 * reach):
        yield x + r, y, "start"
        yield x - r, y, "end"
        yield x, y - r - tall / 2, "middle"
        yield x, y + r + tall / 2, "middle"
        for up in (-1.0, 1.0):
            yield x + 0.7 * r, y + up * (0.7 * r + tall / 2), "start"
            yield x - 0.7 * r, y + up * (0.7 * r + tall / 2), "end"


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
