"""Below a chart: its legend and its notes."""

from __future__ import annotations

from collections.abc import Sequence

from metaleptic.plots.scene import Dot, Line, Mark, Text, rectangle
from metaleptic.plots.styles import Style
from metaleptic.plots.wrap import TextWidth, widest, wrap

ALARM = "#b3261e"
SWATCH = 9.0
LEADING = 1.22
Entry = tuple[str, str, str]


def colour_of(role: str, style: Style) -> str:
    """Return the colour of a role; a colour itself passes through."""
    if role.startswith("#"):
        return role
    roles = {
        "main": style.square,
        "pale": style.bar,
        "stripe": style.stripe or "#f2f4f6",
        "band": _paler(style.bar),
        "alarm": ALARM,
        "muted": style.muted,
        "ink": style.ink,
        "line": style.line,
    }
    return roles[role]


def _paler(colour: str) -> str:
    """Mix a colour with white, for the bands behind lines; colours with names stay."""
    if len(colour) != 7 or not colour.startswith("#"):
        return colour
    mixed = (int(255 - 0.36 * (255 - int(colour[i : i + 2], 16))) for i in (1, 3, 5))
    return "#" + "".join(f"{c:02x}" for c in mixed)


def write_legend(
    legend: Sequence[Entry], style: Style, left: float, right: float, y: float, marks: list[Mark], width: TextWidth
) -> float:
    """Write the legend in lines below ``y``; return its lower end."""
    size = style.small
    if not legend:
        return y
    y += size * 1.9
    x, tall = left, 1
    for role, kind, words in legend:
        lines = wrap(words, right - left - SWATCH - 5.0, size, False, width)
        wide = SWATCH + 5.0 + widest(lines, size, False, width)
        if x > left and x + wide > right:
            x, y, tall = left, y + size * (1.5 + LEADING * (tall - 1)), 1
        _swatch(role, kind, x, y - 0.365 * size, style, marks)
        marks += [Text(x + SWATCH + 5.0, y + n * LEADING * size, line, size, style.ink) for n, line in enumerate(lines)]
        x, tall = x + wide + 14.0, max(tall, len(lines))
    return y + LEADING * size * (tall - 1)


def _swatch(role: str, kind: str, x: float, centre: float, style: Style, marks: list[Mark]) -> None:
    colour = colour_of(role, style)
    if kind in ("dot", "ring"):
        fill, edge = (colour, "#ffffff") if kind == "dot" else ("#ffffff", colour)
        marks.append(Dot((x + SWATCH / 2, centre), 2.7, fill, edge, 0.9))
    elif kind == "area":
        marks.append(rectangle(x, centre - 3.5, x + SWATCH, centre + 3.5, colour, "swatch"))
    else:
        dash = (3.0, 2.4) if kind == "dash" else (0.0, 0.0)
        marks.append(Line((x, centre), (x + SWATCH, centre), colour, 1.0, dash))


def write_notes(
    notes: Sequence[str], style: Style, left: float, right: float, y: float, marks: list[Mark], width: TextWidth
) -> float:
    """Write notes in small grey print below ``y``; return the last baseline."""
    for note in notes:
        y += 3.0
        for line in wrap(note, right - left, style.small, False, width):
            y += style.small * LEADING
            marks.append(Text(left, y, line, style.small, style.muted))
    return y
