"""Panels side by side as plain data: a row per study, a panel with its own axis per diagnostic.

Places are fractions of a panel, from the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from metaleptic.plots.styles import Style, style_named
from metaleptic.plots.ticks import linear_steps, tick_label
from metaleptic.types import FloatArray

ROOM = 8.5  # characters of tick labels along a panel
APART, OUT = 0.5, 0.75  # characters: gap between labels, and how far one may stand out of its panel
EDGE = 0.06  # part of a panel that stays free at either side
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes
    ----------
    title : str
        What its axis shows.
    low, high : float
        Ends of the axis.
    places : tuple of float
        Where the value of each row lies; NaN where it has none.
    lines : tuple of float
        Where dashed lines stand.
    ticks, labels : tuple
        Places of the ticks, and what is written there.
    """

    title: str
    low: float
    high: float
    places: tuple[float, ...]
    lines: tuple[float, ...]
    ticks: tuple[float, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PanelChart:
    """Panels side by side before they are drawn.

    Attributes
    ----------
    name : str
        What it is.
    rows : tuple of str
        Names of the rows, from top to bottom.
    flagged : tuple of bool
        Which rows stand out.
    panels : tuple of Panel
        From left to right; in several rows of panels where the page is narrow.
    legend : tuple of (role, kind, words)
        As in a ``Chart``.
    footnotes : tuple of str
        Below the panels.
    alt : str
        The panels in words.
    style : Style
        Colours and sizes.
    """

    name: str
    rows: tuple[str, ...]
    flagged: tuple[bool, ...]
    panels: tuple[Panel, ...]
    legend: tuple[tuple[str, str, str], ...] = ()
    footnotes: tuple[str, ...] = ()
    alt: str = ""
    style: Style = field(default_factory=lambda: style_named("plain"))


def panel(title: str, values: Any, lines: Sequence[float] = ()) -> Panel:
    """Lay a panel out; lines far from all values are left out, so that the values keep their room.

    Examples
    --------
    >>> panel("Cook's distance", [0.1, 0.4, 0.9]).labels
    ('0.1', '0.5', '0.9')
    """
    v = np.asarray(values, dtype=np.float64)
    known = v[np.isfinite(v)]
    reach = float(np.ptp(known))
    shown = [x for x in lines if known.min() - reach <= x <= known.max() + reach]
    low, high = float(min([*known, *shown])), float(max([*known, *shown]))
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-3):  # all the same
        half = 0.5 * abs(low) or 0.5
        low, high = low - half, high + half
    pad = EDGE / (1 - 2 * EDGE) * (high - low)
    low, high = low - pad, high + pad

    def at(x: Any) -> Any:
        return (np.asarray(x, dtype=np.float64) - low) / (high - low)

    unit, ticks = _few_ticks(low, high)
    return Panel(
        title + (f" × {unit:g}" if unit > 1 else f" / {1 / unit:g}" if unit < 1 else ""),
        low,
        high,
        tuple(float(at(x)) if np.isfinite(x) else NAN for x in v),
        tuple(float(at(x)) for x in shown),
        tuple(float(at(t / unit)) for t in ticks),
        tuple(tick_label(t) for t in ticks),
    )


def _few_ticks(low: float, high: float) -> tuple[float, list[float]]:
    """Return two or three round values, in thousandths or thousands where only these are short enough to stand apart."""
    for unit in (1.0, 1000.0, 0.001):
        found = _spread_ticks(low * unit, high * unit)
        if found:
            return unit, found
    return 1.0, [float(f"{0.5 * (low + high):.3g}")]


def _spread_ticks(low: float, high: float) -> list[float]:
    """Return the two or three round values farthest apart whose labels stand apart and within the panel."""
    best: list[float] = []
    most = 0.0
    for steps in linear_steps(low, high):
        pairs = list(combinations(range(len(steps)), 2))
        for chosen in [*pairs, *((i, (i + j) // 2, j) for i, j in pairs if (i + j) % 2 == 0)]:
            ticks = [float(f"{steps[i]:.12g}") for i in chosen]
            labels = [tick_label(t) for t in ticks]
            where = (np.array(ticks) - low) / (high - low)
            value = float(np.ptp(where)) + 0.25 * len(ticks) - 0.08 * max(len(t) for t in labels)
            if value > most and _apart(labels, ROOM * where):
                best, most = ticks, value
    return best


def _apart(labels: Sequence[str], where: FloatArray) -> bool:
    """Whether labels centred at these characters of a panel stand apart and hardly out of it."""
    half = np.array([(len(t) - 0.5 * t.count(".")) / 2 for t in labels])
    left, right = where - half, where + half
    return bool(np.all(left[1:] - right[:-1] >= APART) and left[0] >= -OUT and right[-1] <= ROOM + OUT)
