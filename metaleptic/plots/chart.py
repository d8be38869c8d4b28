"""A chart as plain data: dots, lines, areas and words in a frame with two axes, before it is drawn.

Places are fractions of the frame, across from the left and up from the bottom. Colours are named by their role ("main",
"pale", "band", "stripe", "alarm", "muted", "ink", "line"), or given as "#rrggbb".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metaleptic.measures import log, same
from metaleptic.plots.styles import Style, style_named
from metaleptic.plots.ticks import linear_steps, round_ticks, tick_label
from metaleptic.types import Measure

Spot = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Dots:
    """A dot with its size in points, its role and a label beside it ("" for none); ``hollow`` ones have an outline only."""

    at: Spot
    radius: float = 2.7
    role: str = "main"
    label: str = ""
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """A line through points."""

    points: tuple[Spot, ...]
    role: str = "line"
    width: float = 0.9
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon."""

    points: tuple[Spot, ...]
    role: str = "pale"


@dataclass(frozen=True, slots=True)
class Words:
    """Words at a place; ``anchor`` is "start", "middle" or "end"."""

    at: Spot
    text: str
    role: str = "muted"
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class ChartAxis:
    """An axis: its limits on its own scale, ticks as fractions of the frame, and their labels."""

    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    title: str

    def at(self, value: Any) -> Any:
        """Return where values lie, 0 to 1."""
        return (np.asarray(value, dtype=np.float64) - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart before it is drawn.

    Attributes
    ----------
    name : str
        What it is.
    x, y : ChartAxis
        Axes.
    areas, paths, dots, words : tuple
        What is drawn, in this order.
    legend : tuple of (role, kind, words)
        Explanations; kind is "dot", "ring", "line", "dash" or "area".
    footnotes : tuple of str
        Below the chart.
    alt : str
        The chart in words.
    height : float
        Height of the frame over its width.
    points : float
        Height of the frame in points whatever its width, where lines of text stand in it; 0: ``height`` counts.
    style : Style
        Colours and sizes.
    rows : bool
        Whether the vertical axis is a list of names, each row as high as its name needs; ``height`` does not count then.
    below : Chart or None
        Another chart that stands below this one.
    table : mapping of str to a column
        The numbers behind the chart of a fit; charts of records leave it to the record.
    """

    name: str
    x: ChartAxis
    y: ChartAxis
    areas: tuple[Area, ...] = ()
    paths: tuple[Path, ...] = ()
    dots: tuple[Dots, ...] = ()
    words: tuple[Words, ...] = ()
    legend: tuple[tuple[str, str, str], ...] = ()
    footnotes: tuple[str, ...] = ()
    alt: str = ""
    height: float = 0.72
    style: Style = field(default_factory=lambda: style_named("plain"))
    points: float = 0.0
    rows: bool = False
    below: Chart | None = None
    table: Mapping[str, Any] = field(default_factory=dict)


def plain_axis(
    values: Any, title: str, *, room: float = 36.0, zero: bool = False, pad: float = 0.05, percent: bool = False
) -> ChartAxis:
    """Lay out an even axis that holds all values (and zero, if wanted)."""
    v = np.asarray(values, dtype=np.float64)
    v = v[np.isfinite(v)]
    low, high = (float(v.min()), float(v.max())) if len(v) else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    span = high - low
    if span <= 1e-9 * max(abs(low), abs(high)) or span < 1e-12:  # all the same
        span = max(abs(high), 1.0)
        high = high + span if zero else high
    low, high = low - (0.0 if zero and low == 0 else pad * span), high + (0.0 if zero and high == 0 else pad * span)
    ticks, labels = round_ticks("percent" if percent else "linear", low, high, same, room=room)
    axis = ChartAxis(low, high, (), (), title)
    return ChartAxis(low, high, tuple(float(axis.at(t)) for t in ticks), labels, title)


def upright_axis(values: Any, title: str, *, zero: bool = False, pad: float = 0.05) -> ChartAxis:
    """Lay out an even vertical axis, on which labels need no room."""
    base = plain_axis(values, title, zero=zero, pad=pad)
    steps = [s for s in linear_steps(base.low, base.high) if 3 <= len(s) <= 7]
    ticks = steps[0] if steps else np.array([base.low, base.high])
    return ChartAxis(
        base.low, base.high, tuple(float(base.at(t)) for t in ticks), tuple(tick_label(float(t)) for t in ticks), title
    )


def effect_axis(
    measure: Measure, values: Any, *, room: float = 36.0, null: bool = True, pad: float = 0.05
) -> ChartAxis:
    """Lay out an axis of effects: even on the analysis scale, labelled on the printed one."""
    v = np.asarray(values, dtype=np.float64)
    v = v[np.isfinite(v)]
    low, high = float(v.min()), float(v.max())
    zero = float(measure.to_analysis(measure.null)) if measure.has_null else float("nan")
    span = high - low
    if span <= 1e-9 * max(abs(low), abs(high)) or span < 1e-12:  # all the same
        low, high, span = low - 0.1, high + 0.1, 0.2
    if null and np.isfinite(zero) and max(low - zero, zero - high) < 0.7 * span:
        low, high = min(low, zero), max(high, zero)
    low, high = low - pad * span, high + pad * span
    ends = [float(e) for e in measure.printed_bounds(low, high)]
    scale = log if measure.axis == "log" else measure.to_analysis
    keep = measure.null if measure.has_null else float("nan")
    ticks, labels = round_ticks(measure.axis, ends[0], ends[1], scale, room=room, unit=measure.unit, keep=keep)
    axis = ChartAxis(low, high, (), (), "")
    title = f"{measure.label}, %" if measure.axis == "percent" else measure.heading
    places = tuple(float(axis.at(measure.to_analysis(t))) for t in ticks)
    return ChartAxis(low, high, places, labels, title)


def spots(x: Any, y: Any) -> tuple[Spot, ...]:
    """Pair coordinates."""
    return tuple((float(a), float(b)) for a, b in zip(x, y, strict=True))


def strip(left: float, right: float, low: float, high: float) -> tuple[Spot, ...]:
    """Return the corners of a rectangle."""
    return ((left, low), (right, low), (right, high), (left, high))


def few_labels(names: Sequence[str], score: Any, most: int = 8) -> list[str]:
    """Return names of the highest scores and "" for the others, so that labels do not cover each other."""
    order = np.argsort(-np.asarray(score, dtype=np.float64))[:most]
    return [names[i] if i in set(order.tolist()) else "" for i in range(len(names))]
