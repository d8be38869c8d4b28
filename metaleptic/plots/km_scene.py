"""From the layout of a Kaplan-Meier plot to its marks on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from metaleptic.plots.km_key import free_corner
from metaleptic.plots.km_layout import Corner, KMArm, KMLayout
from metaleptic.plots.scene import Dot, Line, Mark, Scene, Shape, Text, middle
from metaleptic.plots.wrap import TextWidth, wrap

MARGIN = 6.0
KEY = 22.0
ROWS = (("At risk", "at_risk"), ("Censored", "censored"), ("Events", "events"))


def km_scene(layout: KMLayout, page: float, width: TextWidth) -> Scene:
    """Put a Kaplan-Meier plot on a page of this width (points), the table below it."""
    style = layout.style
    size, small = style.size, style.small
    names = max((width(a.name, small, True) for a in layout.arms), default=0.0)
    labels = max(width(label, small, False) for label, _ in ROWS)
    scale = width("100%", small, False) + 12.0 + size * 1.25
    left = MARGIN + max(scale, min(max(names, labels), 0.3 * page) + 8.0 if layout.table else 0.0)
    right = page - MARGIN - 0.5 * width(layout.labels[-1], small, False) - 4.0
    top = MARGIN + 4.0
    tall = 0.62 * (right - left)
    named = [a for a in layout.arms if a.name]
    across = max((width(a.name, small, False) for a in named), default=0.0) + KEY + 12.0
    down = (len(named) + 0.5) * small * 1.5
    corner = free_corner(layout.arms, across / (right - left), down / tall)
    if named and corner is None:  # above the curves there is always room
        top += down
    bottom = top + tall
    marks: list[Mark] = []

    def at(corner: Corner) -> Corner:
        return left + corner[0] * (right - left), top + corner[1] * (bottom - top)

    for arm in layout.arms:
        if arm.band:
            marks.append(Shape(tuple(at(c) for c in arm.band), _pale(arm.colour, 0.18), "band"))
    for arm in layout.arms if len(layout.arms) > 1 else ():  # one band may cover another: the edges of both are seen
        outline = [at(c) for c in arm.band]
        marks += [Line(a, b, _pale(arm.colour, 0.5), 0.4) for a, b in pairwise([*outline, *outline[:1]]) if a != b]
    for arm in layout.arms:
        _curve(arm, at, marks)
    for arm in layout.arms:
        marks += [Dot(at(c), 1.7, "#ffffff", arm.colour, 0.6) for c in arm.points]
    _axes(layout, left, right, top, bottom, marks)
    y = bottom + 5.0 + small + size * 1.25 + 2.0
    marks.append(Text((left + right) / 2, y, layout.x_title, size, style.ink, "middle"))
    _key(layout, named, (right - across, top - down) if corner is None else at(corner), marks)
    if layout.table:
        y = _table(layout, left, right, y, marks)
    y += 4.0
    for note in layout.footnotes:
        for line in wrap(note, page - 2 * MARGIN, small, False, width):
            y += small * 1.22
            marks.append(Text(MARGIN, y, line, small, style.muted))
    return Scene(page, y + MARGIN, tuple(marks))


def _pale(colour: str, share: float) -> str:
    """Mix this share of a colour with white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(share * p + (1 - share) * 255):02x}" for p in parts)


def _curve(arm: KMArm, place: Callable[[Corner], Corner], marks: list[Mark]) -> None:
    for a, b in pairwise([place(c) for c in arm.line]):
        if a != b:
            marks.append(Line(a, b, arm.colour, 1.2, arm.dash))
    for x, y in arm.marks:
        cx, cy = place((x, y))
        marks.append(Line((cx, cy - 2.4), (cx, cy + 2.4), arm.colour, 0.7))


def _axes(layout: KMLayout, left: float, right: float, top: float, bottom: float, marks: list[Mark]) -> None:
    style = layout.style
    small = style.small
    marks += [Line((left, top), (left, bottom), style.ink, 0.9), Line((left, bottom), (right, bottom), style.ink, 0.9)]
    for share, label in zip(layout.ticks, layout.labels, strict=True):
        x = left + share * (right - left)
        marks.append(Line((x, bottom), (x, bottom + 3.5), style.ink, 0.9))
        marks.append(Text(x, bottom + 5.0 + small, label, small, style.ink, "middle"))
    for percent in (0, 25, 50, 75, 100):
        y = bottom - percent / 100 * (bottom - top)
        marks.append(Line((left - 3.5, y), (left, y), style.ink, 0.9))
        marks.append(Text(left - 5.5, middle(y, small), f"{percent}%", small, style.ink, "end"))
    x = left - 5.5 - 4.2 * small
    marks.append(Text(x, (top + bottom) / 2, layout.y_title, style.size, style.ink, "middle", turned=True))


def _key(layout: KMLayout, named: Sequence[KMArm], corner: Corner, marks: list[Mark]) -> None:
    """Name the arms below and to the right of this corner."""
    style = layout.style
    x, y = corner
    for arm in named:
        y += style.small * 1.5
        marks.append(Line((x, y - 0.365 * style.small), (x + KEY, y - 0.365 * style.small), arm.colour, 1.2, arm.dash))
        marks.append(Text(x + KEY + 6.0, y, arm.name, style.small, style.ink))


def _table(layout: KMLayout, left: float, right: float, y: float, marks: list[Mark]) -> float:
    """Write at risk, censored and events of each arm below the ticks; return the lower end."""
    style = layout.style
    small = style.small
    y += 6.0
    for arm in layout.arms:
        if arm.name:
            y += small * 1.45
            marks.append(Text(MARGIN, y, arm.name, small, arm.colour, bold=True))
        for label, column in ROWS:
            y += small * 1.3
            marks.append(Text(MARGIN, y, label, small, style.ink))
            for share, number in zip(layout.ticks, getattr(arm, column), strict=True):
                x = left + share * (right - left)
                marks.append(Text(x, y, str(number), small, style.ink, "middle"))
        y += 2.0
    return y
