"""Round ticks: the values at which a reader expects a tick, as many as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from metaleptic.types import FloatArray

Scale = Callable[[Any], Any]

# Per decade, the customary ones first: of two sets with as many ticks the earlier is taken.
_DECADES: tuple[tuple[float, ...], ...] = ((1, 2, 5), (1, 3), (1,), (1, 1.5, 2, 3, 5, 7), (1, 1.5, 2, 3, 4, 6, 8))
_SYMMETRIC: tuple[tuple[float, ...], ...] = (
    (0.5, 0.7, 1, 1.5, 2),
    (0.35, 0.5, 0.7, 1, 1.4, 2, 2.8),
    (0.25, 0.5, 1, 2, 4),
    (0.125, 0.25, 0.5, 1, 2, 4, 8),
    (0.05, 0.2, 1, 5, 20),
    (0.01, 0.1, 1, 10, 100),
    (0.001, 0.03, 1, 30, 1000),
    (0.001, 0.01, 0.1, 1, 10, 100, 1000),
)
_MONTHS: tuple[tuple[float, ...], ...] = (
    (3, 6, 12, 24, 48, 96),
    (1, 2, 3, 6, 12, 24, 48, 96),
    (1, 3, 12, 36, 120),
    (1, 6, 36),
    (3, 4, 6, 9, 12, 18, 24, 36, 48, 60, 84, 120),
    (1, 3, 6, 12, 24, 48, 96),
)
_PERCENTS: tuple[tuple[float, ...], ...] = (
    (5, 10, 20, 35, 50, 65, 80, 90, 95),
    (1, 5, 20, 50, 80, 95, 99),
    (10, 25, 50, 75, 90),
    (2, 5, 10, 20, 30, 40, 50),
    (50, 60, 70, 80, 90, 95, 98),
)
MOST = 8


def tick_label(value: float, *, percent: bool = False) -> str:
    """Write a tick's value plainly: no exponent, no superfluous zeros, a true minus sign."""
    rounded = float(f"{100 * value if percent else value:.10g}")
    return np.format_float_positional(rounded, trim="-").replace("-", "−")


def linear_steps(low: float, high: float) -> Iterator[FloatArray]:
    """Offer the multiples of 1, 2, 2.5 and 5 times powers of ten that lie within the limits, coarse ones first."""
    span = high - low
    for power in range(int(np.ceil(np.log10(span))), int(np.floor(np.log10(span))) - 3, -1):
        for base in (5.0, 2.5, 2.0, 1.0):
            step = base * 10.0**power
            first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
            if last >= first and last - first <= MOST:
                yield np.arange(first, last + 1) * step + 0.0  # no minus zero


def _offers(kind: str, unit: str, low: float, high: float) -> Iterator[FloatArray]:
    if kind == "log":
        if unit == "months":
            yield from (np.array(s) for s in _MONTHS)
            if high / low < 300 and any(sum(low <= x <= high for x in s) >= 3 for s in _MONTHS):
                return
        elif low < 1 < high:
            yield from (np.array(s) for s in _SYMMETRIC)
        decades = 10.0 ** np.arange(np.floor(np.log10(low)) - 1, np.ceil(np.log10(high)) + 1)
        yield from (np.outer(decades, s).ravel() for s in _DECADES)
        if high / low > 1e4:
            powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
            yield from (10.0 ** powers[powers % step == 0] for step in (1, 2, 3, 4, 6))
        if high / low < 3:
            yield from linear_steps(low, high)
    elif kind == "percent":
        yield from (0.01 * s for s in linear_steps(100 * low, 100 * high))
    else:
        yield from linear_steps(low, high)


def round_ticks(
    kind: str,
    low: float,
    high: float,
    scale: Scale,
    *,
    room: float = 23.5,
    unit: str = "",
    keep: float = float("nan"),
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Choose round values between two limits, as many as fit side by side.

    Parameters
    ----------
    kind : {"log", "linear", "percent"}
        What is round: 0.2, 0.5, 1, 2, 5 on a log axis, equal steps on the others. In months on a log axis 3, 6, 12, 24.
    low, high : float
        Limits on the printed scale.
    scale : callable
        From the printed scale to the position along the axis.
    room : float
        How many characters fit along the axis.
    unit : str
        Unit of the printed scale.
    keep : float
        Value that must have a tick if it lies within the limits (the null).

    Returns
    -------
    ticks, labels : tuple of float, tuple of str

    Examples
    --------
    >>> round_ticks("log", 0.18, 5.5, np.log, keep=1)[1]
    ('0.2', '0.5', '1', '2', '5')
    """
    percent = kind == "percent"
    u0, u1 = float(scale(low)), float(scale(high))
    best: tuple[float, ...] = ()
    sets = list(_offers(kind, unit, low, high))
    if percent and abs(float(scale(0.5 * (low + high))) - 0.5 * (u0 + u1)) > 0.02 * abs(u1 - u0):
        sets = [0.01 * np.array(s) for s in _PERCENTS] + sets  # the axis is a curved one (logit)
    spread = -1.0
    for values in sets:
        inside = _inside(values, low, high, scale)
        if len(inside) > MOST or (low <= keep <= high and not np.isclose(inside, keep, atol=1e-12).any()):
            continue
        where = (np.array([float(scale(x)) for x in inside]) - u0) / (u1 - u0)
        if not fits([tick_label(x, percent=percent) for x in inside], where, room):
            continue
        covered = float(np.ptp(where)) if len(inside) > 1 else 0.0
        # More ticks are better, unless they huddle at one end of the axis.
        value = min(len(inside), 7) * (0.35 + covered)
        if value > spread + 0.02:
            best, spread = inside, value
    if len(best) < 3:
        thin = _thinned(sets, low, high, scale, keep, room, percent)
        best = thin if len(thin) > len(best) else best
    if not best:
        best = (keep,) if low <= keep <= high else (float(f"{0.5 * (low + high):.2g}"),)
    return best, tuple(tick_label(x, percent=percent) for x in best)


def fits(labels: Sequence[str], where: FloatArray, room: float) -> bool:
    """Whether labels centred at these fractions of the axis stand apart by at least a character and a half."""
    order = np.argsort(where)
    lengths = np.array([_length(x) for x in labels])[order]
    gaps = np.diff(np.asarray(where)[order]) * room
    return bool(np.all(gaps >= 0.5 * (lengths[1:] + lengths[:-1]) + 1.5))


def _inside(values: FloatArray, low: float, high: float, scale: Scale) -> tuple[float, ...]:
    """Keep the values within the limits (the ends of a logit axis lie nowhere), without the dust of floating point."""
    round_ones = [float(f"{x:.12g}") for x in values if low - abs(high - low) <= x <= high + abs(high - low)]
    ends = sorted((float(scale(low)), float(scale(high))))
    slack = 1e-9 * (ends[1] - ends[0])
    return tuple(x for x in round_ones if ends[0] - slack <= float(scale(x)) <= ends[1] + slack)


def _length(label: str) -> float:
    """Count the characters of a label; a decimal point is half as wide as a digit."""
    return len(label) - 0.5 * label.count(".")


def _thinned(
    sets: Sequence[FloatArray], low: float, high: float, scale: Scale, keep: float, room: float, percent: bool
) -> tuple[float, ...]:
    """Where little room is left: the largest set that results from leaving ticks out."""
    u0, u1 = float(scale(low)), float(scale(high))
    best: tuple[float, ...] = ()
    for values in sets:
        inside = sorted(_inside(values, low, high, scale))
        if not inside:
            continue
        start = keep if low <= keep <= high else inside[0]
        far = {x: abs(float(scale(x)) - float(scale(start))) for x in inside}
        for order in (sorted(inside, key=far.__getitem__, reverse=True), sorted(inside, key=far.__getitem__)):
            chosen = [start]
            for x in order:
                trial = sorted({*chosen, x})
                where = (np.array([float(scale(t)) for t in trial]) - u0) / (u1 - u0)
                if len(trial) <= MOST and fits([tick_label(t, percent=percent) for t in trial], where, room):
                    chosen = trial
            if len(chosen) > len(best):
                best = tuple(chosen)
    return best
