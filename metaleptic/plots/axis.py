"""The horizontal axis: limits that one huge interval cannot blow up, and round ticks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.measures import log, same
from metaleptic.plots.ticks import Scale, round_ticks
from metaleptic.types import FloatArray, Measure

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis in plain numbers, printed scale.

    Attributes
    ----------
    kind : {"log", "linear", "percent"}
        How values are spaced and written.
    low, high : float
        Limits.
    ticks : tuple of float
        Round values within the limits.
    labels : tuple of str
        The same in print.
    null : float
        Value of "no effect"; NaN if there is none or it is far off.
    title : str
        What is shown, with its unit.
    scale : callable
        From the printed scale to the position along the axis.
    """

    kind: str
    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    null: float
    title: str
    scale: Scale

    def position(self, value: float) -> float:
        """Say where a printed value lies: 0 at the left end of the axis, 1 at the right; beyond, outside 0 to 1."""
        a, b = float(self.scale(self.low)), float(self.scale(self.high))
        return (float(self.scale(value)) - a) / (b - a)


def robust_range(points: FloatArray, low: FloatArray, high: FloatArray) -> tuple[float, float]:
    """Return limits that hold every point and all intervals but those far longer than the rest.

    The core is all points with the shorter half of the intervals; an interval may reach beyond the core by three
    quarters of its span (a little more where that saves every interval from being cut).

    Examples
    --------
    >>> robust_range(np.array([0.0, 1.0, 2.0]), np.array([-1.0, 0.0, -90.0]), np.array([1.0, 2.0, 3.0]))
    (-3.25, 3.0)
    """
    length = np.where(np.isfinite(high - low), high - low, np.inf)
    short = np.argsort(length, kind="stable")[: (len(length) + 1) // 2]
    core = np.concatenate([points, low[short], high[short]])
    core = core[np.isfinite(core)]
    a, b = float(core.min()), float(core.max())
    span = b - a or abs(a) or 1.0
    floor, ceiling = a - 0.75 * span, b + 0.75 * span
    least, most = float(low[np.isfinite(low)].min(initial=a)), float(high[np.isfinite(high)].max(initial=b))
    lowest = least if least >= floor - 0.25 * span else floor
    highest = most if most <= ceiling + 0.25 * span else ceiling
    return min(a, lowest), max(b, highest)


def make_axis(
    measure: Measure,
    values: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    xlim: tuple[float, float] | None = None,
    room: float = 23.5,
    both_sides: bool = False,
) -> Axis:
    """Lay out the axis of a forest plot.

    Parameters
    ----------
    measure : Measure
        What is shown.
    values, low, high : ndarray
        Everything to be shown, printed scale; infinite or NaN where a bound does not exist.
    xlim : tuple of float, optional
        Limits the caller insists on.
    room : float
        How many characters of a tick label fit along the axis.
    both_sides : bool
        Leave room at both sides of the null, for the "favours" arrows.
    """
    kind = measure.axis
    scale: Scale = log if kind == "log" else same
    title = f"{measure.label}, %" if kind == "percent" else measure.heading
    null = measure.null if measure.has_null else NAN
    if xlim is not None:
        a, b = check_limits(xlim, kind)
        ticks, labels = round_ticks(kind, a, b, scale, room=room, unit=measure.unit, keep=null)
        return Axis(kind, a, b, ticks, labels, null if a <= null <= b else NAN, title, scale)
    u, ul, uh = (np.asarray(scale(x), dtype=np.float64) for x in (values, low, high))
    if kind == "percent":
        everything = np.concatenate([x[np.isfinite(x)] for x in (u, ul, uh)])
        lowest, highest = float(everything.min()), float(everything.max())
    else:
        lowest, highest = robust_range(u, ul, uh)
    span = highest - lowest or max(abs(lowest), 0.1)
    if np.isfinite(null):
        at = float(scale(null))
        if max(lowest - at, at - highest) > 1.5 * span:
            null = NAN
        else:
            edge = 0.16 * span if both_sides else 0.03 * span
            lowest, highest = min(lowest, at - edge), max(highest, at + edge)
            span = highest - lowest
    lowest, highest = lowest - 0.03 * span, highest + 0.03 * span
    return _settle(kind, lowest, highest, scale, null, title, room, measure.unit)


def _settle(
    kind: str, lowest: float, highest: float, scale: Scale, null: float, title: str, room: float, unit: str
) -> Axis:
    """Stretch the limits to a round tick that lies just outside, and choose the ticks."""
    span = highest - lowest
    back: Scale = np.exp if kind == "log" else same
    outer = [lowest - 0.10 * span, highest + 0.10 * span]
    if kind == "percent":
        lowest, highest = max(lowest, 0.0), min(highest, 1.0)
        outer = [max(outer[0], 0.0), min(outer[1], 1.0)]
        if outer[0] < 0.15:
            outer[0] = lowest = 0.0
        if outer[1] > 0.85:
            outer[1] = highest = 1.0
    a, b = float(back(outer[0])), float(back(outer[1]))
    ticks, labels = round_ticks(kind, a, b, scale, room=room, unit=unit, keep=null)
    low, high = min(float(back(lowest)), ticks[0]), max(float(back(highest)), ticks[-1])
    return Axis(kind, low, high, ticks, labels, null, title, scale)


def check_limits(xlim: tuple[float, float], kind: str) -> tuple[float, float]:
    """Check limits that the caller gave, on the printed scale."""
    a, b = (float(x) for x in xlim)
    if not (np.isfinite(a) and np.isfinite(b) and a < b):
        raise OptionError(f"xlim {xlim!r} is not a lower and a higher limit on the printed scale.")
    if kind == "log" and a <= 0:
        raise OptionError(f"xlim starts at {a:g}, but this axis is logarithmic: give a lower limit above 0.")
    if kind == "percent" and (a < 0 or b > 1):
        raise OptionError(f"xlim {xlim!r} is outside 0 to 1: limits of proportions are fractions (0.2 for 20%).")
    return a, b
