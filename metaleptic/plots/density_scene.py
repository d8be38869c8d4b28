"""From the layout of densities to the marks on the page."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from metaleptic.plots.density_layout import DensityCurve, DensityLayout
from metaleptic.plots.scene import Line, Mark, Point, Scene, Shape, Text
from metaleptic.plots.wrap import TextWidth, wrap

MARGIN = 8.0
SHADE = "#d6e0ea"
SWATCH = 16.0


def density_scene(layout: DensityLayout, page: float, width: TextWidth) -> Scene:
    """Put densities on a page of this width (points), the legend above them."""
    style = layout.style
    marks: list[Mark] = []
    left, right, y = MARGIN, page - MARGIN, MARGIN
    if layout.title:
        for line in wrap(layout.title, right - left, style.size, True, width):
            y += style.size * 1.3
            marks.append(Text(left, y, line, style.size, style.ink, bold=True))
        y += 4.0
    for curve in layout.curves:
        y += style.small * 1.5
        middle = y - 0.365 * style.small
        marks.append(Line((left, middle), (left + SWATCH, middle), curve.colour, 1.3, _dash(curve)))
        for n, line in enumerate(wrap(curve.label, right - left - SWATCH - 5, style.small, False, width)):
            y += style.small * 1.22 if n else 0.0
            marks.append(Text(left + SWATCH + 5, y, line, style.small, style.ink))
    top = y + 8.0
    bottom = top + 0.42 * (right - left)

    def at(x: float, height: float) -> Point:
        return left + x * (right - left), bottom - height * (bottom - top)

    marks += [_shade(curve, at) for curve in layout.curves if np.isfinite(curve.between).all()]
    if np.isfinite(layout.axis.null):
        null = layout.axis.position(layout.axis.null)
        marks.append(Line(at(null, 0), at(null, 1), style.ink, 0.8))
    for curve in layout.curves:
        marks += _line(curve, at)
    marks.append(Line((left, bottom), (right, bottom), style.ink, 0.9))
    for value, label in zip(layout.axis.ticks, layout.axis.labels, strict=True):
        x = at(layout.axis.position(value), 0)[0]
        marks.append(Line((x, bottom), (x, bottom + 3.5), style.ink, 0.9))
        half = width(label, style.small, False) / 2
        x = min(max(x, half + 1), page - half - 1)
        marks.append(Text(x, bottom + 5.0 + style.small, label, style.small, style.ink, "middle"))
    y = bottom + 5.0 + style.small
    for line in wrap(layout.axis.title, right - left, style.size, False, width):
        y += style.size * 1.25 + 2.0
        marks.append(Text((left + right) / 2, y, line, style.size, style.ink, "middle"))
    y += 4.0
    for note in layout.footnotes:
        for line in wrap(note, right - left, style.small, False, width):
            y += style.small * 1.25
            marks.append(Text(left, y, line, style.small, style.muted))
    return Scene(page, y + MARGIN, tuple(marks))


def _dash(curve: DensityCurve) -> tuple[float, float]:
    return (4.0, 2.6) if curve.dashed else (0.0, 0.0)


def _line(curve: DensityCurve, at: object) -> list[Mark]:
    """Draw a curve; a dashed one as dashes along it, because each of its pieces is shorter than a dash."""
    points = [at(*p) for p in curve.points]  # type: ignore[operator]
    if not curve.dashed:
        return [Line(a, b, curve.colour, 1.3) for a, b in pairwise(points)]
    marks: list[Mark] = []
    walked = 0.0
    for a, b in pairwise(points):
        if walked % 6.6 < 4.0:
            marks.append(Line(a, b, curve.colour, 1.1))
        walked += float(np.hypot(b[0] - a[0], b[1] - a[1]))
    return marks


def _shade(curve: DensityCurve, at: object) -> Shape:
    low, high = curve.between
    inside = [p for p in curve.points if low <= p[0] <= high]
    xs, ys = zip(*curve.points, strict=True)
    edge = [(low, float(np.interp(low, xs, ys))), *inside, (high, float(np.interp(high, xs, ys)))]
    return Shape(tuple(at(*p) for p in [(low, 0.0), *edge, (high, 0.0)]), SHADE, "shade")  # type: ignore[operator]
