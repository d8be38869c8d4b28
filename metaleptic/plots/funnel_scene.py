"""From the layout of a funnel plot to its marks on the page."""

from __future__ import annotations

from metaleptic.plots.funnel_layout import FunnelLayout, Point
from metaleptic.plots.scene import Dot, Line, Mark, Scene, Shape, Text, Trace, middle, rectangle
from metaleptic.plots.styles import Style
from metaleptic.plots.wrap import TextWidth, wrap

# Inside the innermost contour the ground is white; then from dark to light outwards, as in Peters et al. 2008.
SHADES = ("#ffffff", "#c3c9d0", "#d9dde2", "#e8ebee")
GROUND = "#f1f3f5"
MARGIN = 6.0
SWATCH = 9.0


def funnel_scene(layout: FunnelLayout, page: float, width: TextWidth) -> Scene:
    """Put a funnel plot on a page of this width (points), the legend to its right, or below on a narrow page."""
    style = layout.style
    small = style.small
    legend = _legend(layout)
    beside = page >= 290.0
    legend_width = max(width(t, small, False) for _, t in legend) + SWATCH + 10.0
    if beside:
        legend_width = min(legend_width, max(0.34 * page, 118.0))
    tall = 0.6 * (page - (legend_width if beside else 0.0))  # about the height of the plot
    side = wrap(layout.se_title, tall, style.size, False, width)
    left = MARGIN + style.size * (1.25 * len(side) - 0.1) + max(width(t, small, False) for t in layout.se_labels) + 12.0
    right = page - MARGIN - (legend_width + 8.0 if beside else 8.0)
    top = MARGIN + 6.0
    bottom = top + 0.78 * (right - left) if beside else top + 0.72 * (right - left)
    marks: list[Mark] = []

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * (right - left), top + y * (bottom - top)

    if layout.contours:
        marks.append(rectangle(left, top, right, bottom, GROUND, "shade"))
        count = len(layout.contours)
        for i in reversed(range(count)):
            marks.append(Shape(tuple(at(x, y) for x, y in layout.contours[i].corners), SHADES[i], "shade"))
        null = layout.axis.position(layout.axis.null)
        marks.append(Line(at(null, 0), at(null, 1), style.ink, 0.8))
    marks.append(Line(at(layout.pooled, 0), at(layout.pooled, 1), style.line, 0.9, (3.0, 2.4)))
    if layout.published == layout.published:
        marks.append(Line(at(layout.published, 0), at(layout.published, 1), style.muted, 0.9))
    for side_line in layout.limits:
        marks.append(Trace(tuple(at(*corner) for corner in side_line), style.line, 0.9, (3.0, 2.4)))
    marks += [_study(p, at(p.x, p.y), style) for p in layout.points]
    _frame(layout, side, left, right, top, bottom, marks)
    y = bottom + 5.0 + small
    for line in wrap(layout.axis.title, right - left, style.size, False, width):
        y += style.size * 1.25 + 2.0
        marks.append(Text((left + right) / 2, y, line, style.size, style.ink, "middle"))
    if beside:
        low = _write_legend(layout, legend, right + 14.0, top, legend_width - 8.0, marks, width)
    else:
        y = low = _write_legend(layout, legend, left, y + 8.0, right - left, marks, width)
    y = max(y, low) + 4.0
    for note in layout.footnotes:
        for line in wrap(note, page - 2 * MARGIN, small, False, width):
            y += small * 1.22
            marks.append(Text(MARGIN, y, line, small, style.muted))
    return Scene(page, y + MARGIN, tuple(marks))


def _study(point: Point, at: tuple[float, float], style: Style) -> Dot:
    """Draw a study as a dot, a filled one as a ring."""
    return Dot(at, 2.7, "#ffffff", style.square, 0.9) if point.filled else Dot(at, 2.7, style.square, "#ffffff")


def _frame(
    layout: FunnelLayout, side: list[str], left: float, right: float, top: float, bottom: float, marks: list[Mark]
) -> None:
    """Draw the axes with their ticks, and the title of the vertical one, which reads upwards."""
    style = layout.style
    small = style.small
    marks += [Line((left, top), (left, bottom), style.ink, 0.9), Line((left, bottom), (right, bottom), style.ink, 0.9)]
    for value, label in zip(layout.axis.ticks, layout.axis.labels, strict=True):
        x = left + layout.axis.position(value) * (right - left)
        marks.append(Line((x, bottom), (x, bottom + 3.5), style.ink, 0.9))
        marks.append(Text(x, bottom + 5.0 + small, label, small, style.ink, "middle"))
    for place, label in zip(layout.se_places, layout.se_labels, strict=True):
        y = top + place * (bottom - top)
        marks.append(Line((left - 3.5, y), (left, y), style.ink, 0.9))
        marks.append(Text(left - 5.5, middle(y, small), label, small, style.ink, "end"))
    for n, line in enumerate(side):
        x = MARGIN + style.size * (0.95 + 1.25 * n)
        marks.append(Text(x, (top + bottom) / 2, line, style.size, style.ink, "middle", turned=True))


def _legend(layout: FunnelLayout) -> list[tuple[str, str]]:
    """List what is to be explained: a colour or "line" or "dot", and the words."""
    entries = [("dot", "study"), ("line", layout.limits_label)]
    if any(p.filled for p in layout.points):
        entries[1:1] = [("ring", "filled by trim and fill"), ("published", "pooled without them")]
    entries += [(SHADES[i], c.label) for i, c in enumerate(layout.contours)]
    if layout.beyond:
        entries.append((GROUND, layout.beyond))
    return entries


def _write_legend(
    layout: FunnelLayout,
    entries: list[tuple[str, str]],
    x: float,
    y: float,
    room: float,
    marks: list[Mark],
    width: TextWidth,
) -> float:
    """Write the legend downwards from ``y``; return its lower end."""
    style = layout.style
    size = style.small
    for what, words in entries:
        y += size * 1.5
        centre = y - 0.365 * size
        if what == "dot":
            marks.append(Dot((x + SWATCH / 2, centre), 2.7, style.square, "#ffffff"))
        elif what == "ring":
            marks.append(Dot((x + SWATCH / 2, centre), 2.7, "#ffffff", style.square, 0.9))
        elif what == "published":
            marks.append(Line((x, centre), (x + SWATCH, centre), style.muted, 0.9))
        elif what == "line":
            marks.append(Line((x, centre), (x + SWATCH, centre), style.line, 0.9, (3.0, 2.4)))
        else:
            h = SWATCH / 2
            marks.append(rectangle(x, centre - h, x + SWATCH, centre + h, style.muted, "swatch"))
            marks.append(rectangle(x + 0.5, centre - h + 0.5, x + SWATCH - 0.5, centre + h - 0.5, what, "swatch"))
        for n, line in enumerate(wrap(words, room - SWATCH - 5.0, size, False, width)):
            y += size * 1.22 if n else 0.0
            marks.append(Text(x + SWATCH + 5.0, y, line, size, style.ink))
    return y
