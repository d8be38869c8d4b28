"""From the layout of a forest plot to its marks on the page."""

from __future__ import annotations

import numpy as np

from metaleptic.plots.forest_columns import INSET, MARGIN, Columns, indent, is_bold, place_columns
from metaleptic.plots.forest_layout import ForestLayout, Row
from metaleptic.plots.scene import Line, Mark, Scene, Shape, Text, middle, rectangle
from metaleptic.plots.wrap import TextWidth, wrap

LEADING = 1.22  # line height over text size
TITLE = 10.0  # size of the title
TICK = 2.4  # points: half the height of the tick that marks an estimate whose square is too small to see


def forest_scene(layout: ForestLayout, page: float, width: TextWidth) -> Scene:
    """Put a forest plot on a page at least this wide (points); height follows from the number of rows."""
    style = layout.style
    columns = place_columns(layout, page, width)
    marks: list[Mark] = []
    y = MARGIN
    if layout.title:
        for line in wrap(layout.title, columns.width - 2 * MARGIN, TITLE, True, width):
            marks.append(Text(MARGIN, y + TITLE, line, TITLE, style.ink, bold=True))
            y += TITLE * LEADING
        y += 5.0
    top = _headings(layout, columns, y, marks)
    y = top + 1.0
    heights = [_height(layout, columns, i) for i in range(len(layout.rows))]
    tops = y + np.concatenate([[0.0], np.cumsum(heights)])
    bottom = float(tops[-1]) + 2.0
    for row, t, h in zip(layout.rows, tops, heights, strict=False):
        if row.stripe and style.stripe:
            marks.append(rectangle(0.0, float(t), columns.width, float(t) + h, style.stripe, "stripe"))
    marks.append(Line((MARGIN, top), (columns.width - MARGIN, top), style.ink, 0.9))
    _reference_lines(layout, columns, top, bottom, [float(t) for t in tops], marks)
    for i, row in enumerate(layout.rows):
        centre = float(tops[i]) + heights[i] / 2
        _texts(layout, columns, i, centre, marks, width)
        _drawing(row, layout, columns, centre, marks)
    y = _axis(layout, columns, bottom, marks, width)
    for note in layout.footnotes:
        for line in wrap(note, 0.96 * columns.width - 2 * MARGIN, style.small, False, width):
            y += style.small * LEADING
            marks.append(Text(MARGIN, y, line, style.small, style.muted))
        y += 2.0
    return Scene(columns.width, y + MARGIN, tuple(marks))


def _headings(layout: ForestLayout, columns: Columns, y: float, marks: list[Mark]) -> float:
    """Set the headings with their last lines level; return where the rule below them runs."""
    style = layout.style
    step = style.size * LEADING
    lines = max(len(c.heading) for c in columns.place.values())
    last = y + style.size + step * (lines - 1)
    for column in columns.place.values():
        x, anchor = _edge(column.left, column.right, column.align)
        first = last - step * (len(column.heading) - 1)
        for n, line in enumerate(column.heading):
            marks.append(Text(x, first + n * step, line, style.size, style.ink, anchor, True))
    return last + 5.0


def _edge(left: float, right: float, align: str) -> tuple[float, str]:
    return {"left": (left, "start"), "right": (right, "end")}.get(align, ((left + right) / 2, "middle"))


def _height(layout: ForestLayout, columns: Columns, i: int) -> float:
    style = layout.style
    if layout.rows[i].kind == "blank":
        return 0.4 * style.row
    lines = max([len(columns.labels[i]), *(len(c) for c in columns.cells[i])])
    return style.row + (lines - 1) * style.size * LEADING


def _at(columns: Columns, fraction: float) -> float:
    """Return where on the page a fraction of the axis lies."""
    plot = columns.place["plot"]
    return plot.left + INSET + fraction * (plot.right - plot.left - 2 * INSET)


def _reference_lines(
    layout: ForestLayout, columns: Columns, top: float, bottom: float, tops: list[float], marks: list[Mark]
) -> None:
    style, axis = layout.style, layout.axis
    if np.isfinite(axis.null):
        x = _at(columns, axis.position(axis.null))
        marks.append(Line((x, top), (x, bottom), style.ink, 0.8))
    if np.isfinite(layout.pooled):
        x = _at(columns, layout.pooled)
        end = max((t for t, row in zip(tops[1:], layout.rows, strict=True) if row.kind == "total"), default=bottom)
        marks.append(Line((x, top), (x, end), style.line, 0.8, (3.0, 2.4)))


def _texts(layout: ForestLayout, columns: Columns, i: int, centre: float, marks: list[Mark], width: TextWidth) -> None:
    """Write a row's label, cells, estimate and weight, centred on the row."""
    style, row = layout.style, layout.rows[i]
    bold = is_bold(row.kind)
    colour = style.muted if row.kind == "prediction" else style.ink
    grouped = any(r.kind == "group" for r in layout.rows)
    left = columns.place["study"].left + indent(row, grouped)
    _lines(columns.labels[i], left, "start", centre, style.size, colour, bold, marks)
    if row.note:
        x = left + max(width(line, style.size, bold) for line in columns.labels[i]) + 6.0
        marks.append(Text(x, middle(centre, style.size), row.note, style.small, style.muted))
    for j, cell in enumerate(columns.cells[i]):
        column = columns.place[f"extra {j}"]
        x, anchor = _edge(column.left, column.right, column.align)
        _lines(cell, x, anchor, centre, style.size, colour, bold, marks)
    for key, text in (("effect", row.effect), ("weight", row.weight)):
        if text and key in columns.place:
            _lines((text,), columns.place[key].right, "end", centre, style.size, colour, bold, marks)


def _lines(
    lines: tuple[str, ...],
    x: float,
    anchor: str,
    centre: float,
    size: float,
    colour: str,
    bold: bool,
    marks: list[Mark],
) -> None:
    step = size * LEADING
    first = centre - step * (len(lines) - 1) / 2
    marks += [Text(x, middle(first + n * step, size), t, size, colour, anchor, bold) for n, t in enumerate(lines) if t]


def _drawing(row: Row, layout: ForestLayout, columns: Columns, y: float, marks: list[Mark]) -> None:
    """Draw a row's square, diamond or bar with its interval."""
    style = layout.style
    if np.isnan(row.x_low):
        return
    left, right = _at(columns, row.x_low), _at(columns, row.x_high)
    colour = {"study": style.square, "prediction": style.bar}.get(row.kind, style.diamond)
    if row.fitted:
        a, x, b = (_at(columns, f) for f in row.fitted)
        half = 0.34 * style.row
        marks.append(Shape(((a, y), (x, y - half), (b, y), (x, y + half)), style.bar, "diamond"))
    if row.kind == "study":
        marks.append(Line((left, y), (right, y), colour, 1.0))
        if np.isfinite(row.x):
            x, half = _at(columns, row.x), 0.5 * 0.66 * style.row * float(np.sqrt(row.area))
            marks.append(rectangle(x - half, y - half, x + half, y + half, colour, "square"))
            if half < TICK / 2:  # too small a square to see: a tick marks the estimate
                marks.append(Line((x, y - TICK), (x, y + TICK), colour, 1.0))
            if left > x - half and right < x + half and right > left:  # an interval shorter than its square
                marks.append(Line((left, y), (right, y), "#ffffff", 0.9))
    elif row.kind == "prediction":
        marks.append(rectangle(left, y - 2.0, right, y + 2.0, colour, "bar"))
    elif np.isfinite(row.x):
        marks.append(Shape(_diamond(row, layout, columns, y), colour, "diamond"))
    for clipped, tip, way in ((row.clipped_low, left, -1.0), (row.clipped_high, right, 1.0)):
        if clipped:
            reach = tip + way * 3.5
            marks.append(
                Shape(((reach, y), (reach - way * 5.5, y - 3.0), (reach - way * 5.5, y + 3.0)), colour, "arrow")
            )


def _diamond(row: Row, layout: ForestLayout, columns: Columns, y: float) -> tuple[tuple[float, float], ...]:
    """Return the corners of a diamond, cut straight where it leaves the axis."""
    half = 0.34 * layout.style.row
    x = _at(columns, row.x)
    corners = [(x, y - half)]
    for bound, cut, clipped in ((row.high, row.x_high, row.clipped_high), (row.low, row.x_low, row.clipped_low)):
        edge = _at(columns, cut)
        if not clipped:
            corners.append((edge, y))
        else:
            whole = abs(_at(columns, layout.axis.position(bound)) - x)
            rest = half * (1 - abs(edge - x) / whole) if np.isfinite(whole) and whole > 0 else half
            pair = [(edge, y - rest), (edge, y + rest)]
            corners += pair if cut >= row.x else pair[::-1]
        if len(corners) < 4 and (x, y + half) not in corners:
            corners.append((x, y + half))
    return tuple(corners)


def _axis(layout: ForestLayout, columns: Columns, y: float, marks: list[Mark], width: TextWidth) -> float:
    """Draw the axis with its ticks and what stands below; return the lowest point used."""
    style, axis = layout.style, layout.axis
    marks.append(Line((_at(columns, 0.0), y), (_at(columns, 1.0), y), style.ink, 0.9))
    for value, label in zip(axis.ticks, axis.labels, strict=True):
        x = _at(columns, axis.position(value))
        marks.append(Line((x, y), (x, y + 3.5), style.ink, 0.9))
        half = width(label, style.small, False) / 2 + 1.0  # a long label at the end of the axis stays on the page
        x = min(max(x, half), columns.width - half)
        marks.append(Text(x, y + 5.0 + style.small, label, style.small, style.ink, "middle"))
    y += 5.0 + style.small
    if not layout.favours:
        return _axis_title(layout, columns, y, marks, width) + 5.0
    zero = _at(columns, axis.position(axis.null))
    y += 8.0
    lowest = y
    for text, way, anchor, end in (
        (layout.favours[0], -1.0, "end", _at(columns, 0.0)),
        (layout.favours[1], 1.0, "start", _at(columns, 1.0)),
    ):
        start = zero + way * 5.0
        tip = start + way * max(abs(end - start), 18.0)
        room = start - MARGIN if way < 0 else columns.width - MARGIN - start
        tip = min(max(tip, MARGIN), columns.width - MARGIN)
        marks.append(Line((start, y), (tip, y), style.muted, 0.8))
        marks.append(Shape(((tip, y), (tip - way * 5.0, y - 2.5), (tip - way * 5.0, y + 2.5)), style.muted, "arrow"))
        for n, line in enumerate(wrap(text, min(room, 150.0), style.small, False, width)):
            base = y + 4.0 + style.small * (0.9 + n * LEADING)
            marks.append(Text(start, base, line, style.small, style.muted, anchor))
            lowest = max(lowest, base)
    return lowest + 6.0


def _axis_title(layout: ForestLayout, columns: Columns, y: float, marks: list[Mark], width: TextWidth) -> float:
    """Write what the axis shows, centred below it, within the page."""
    style = layout.style
    title = layout.axis.title
    lines = wrap(title, max(columns.place["plot"].right - columns.place["plot"].left, 110.0), style.small, False, width)
    for line in lines:
        y += style.small * LEADING + 1.0
        half = width(line, style.small, False) / 2
        x = min(max(_at(columns, 0.5), MARGIN + half), columns.width - MARGIN - half)
        marks.append(Text(x, y, line, style.small, style.muted, "middle"))
    return y
