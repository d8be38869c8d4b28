"""From points as they were read to a falling curve that starts at (0, 1); every correction is put in words."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from metaleptic.errors import DataError, SuspiciousDataWarning
from metaleptic.patients import Curve
from metaleptic.reconstruction.strays import PERCENT, refuse_mixed_units, without_strays
from metaleptic.types import FloatArray
from metaleptic.warn import warn

# Standard deviation of the reading error where the points cannot tell: hand clicks, pixels of a 700-pixel figure,
# hundredths of a point in a vector figure.
USUAL_ERROR = {"clicks": 0.004, "readings": 0.004, "trace": 0.0008, "drops": 1e-5}
# Clicks whose steps in time differ by less than this share of their mean, if there are so many: readings at chosen times.
_EVEN, _ENOUGH = 0.1, 6

# Error of a step curve that was computed, not drawn: that of the arithmetic.
_COMPUTED = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A falling line through the points: what the reconstruction follows.

    Attributes
    ----------
    time, survival : ndarray
        Corners, from (0, 1); times never fall, heights never rise; vertical pieces are drops.
    error : float
        Standard deviation of the reading error of survival.
    end : float
        Where the curve ends.
    ticks : ndarray or None
        Sorted censor ticks.
    exact : bool
        Whether the corners are the drops themselves.
    """

    time: FloatArray
    survival: FloatArray
    error: float
    end: float
    ticks: FloatArray | None
    exact: bool


def clean(curve: Curve, last_time: float | None, corrections: list[str], name: str, n: int | None = None) -> Target:
    """Correct what can be corrected, in words; refuse what cannot."""
    t = np.array(curve.time, dtype=np.float64)
    refuse_mixed_units(curve, name)
    s = _as_survival(t, np.array(curve.survival, dtype=np.float64), corrections, name)
    if curve.kind == "clicks" and _evenly_spaced(t):
        warn(
            SuspiciousDataWarning,
            f"{name}the points are evenly spaced in time, as readings at chosen times are, not clicks on corners. Then say "
            'kind="readings": read as corners, deaths come out too late.',
        )
    if (t < 0).any():
        corrections.append(f"{counted(int((t < 0).sum()), 'point', 'left of time 0')} moved to 0")
        t = np.maximum(t, 0.0)
    early = _out_of_order(t)
    if early:
        corrections.append(f"{counted(early, 'point', f'of {len(t)}')} out of order and sorted by time")
    order = np.lexsort((-s, t))
    t, s = t[order], s[order]
    kept = without_strays(curve, t, s, order, corrections, name)
    t, s = t[kept], s[kept]
    error = _reading_error(curve, s, n)
    s = _fall(t, s, corrections)
    s = _inside(s, error, corrections, name)
    if t[0] > 0 or s[0] < 1:
        if t[0] > 0 or s[0] < 1 - 3 * error:
            corrections.append("the point (0, 1) was missing and was added")
        t, s = np.append(0.0, t), np.append(1.0, s)
    t, s, end = _ending(t, s, last_time, error, corrections)
    if end <= 1e-12:
        raise DataError(f"{name}the curve has no length: it ends at time {end:g}. Give more points, or last_time.")
    if curve.kind == "drops":
        t, s = _steps(t, s)
    ticks = None if curve.censor_times is None else _ticks(curve.censor_times, end, corrections)
    return Target(t, s, error, end, ticks, curve.kind == "drops")


def as_read(curve: Curve) -> tuple[FloatArray, FloatArray]:
    """Return the points of a curve as they were read, survival as a proportion: nothing is sorted, moved or set aside."""
    return curve.time, _as_survival(curve.time, curve.survival, [], "")


def counted(k: int, noun: str, which: str) -> str:
    """Write "1 point left of time 0 was" or "3 points left of time 0 were"."""
    return f"{k} {noun} {which} was" if k == 1 else f"{k} {noun}s {which} were"


def _out_of_order(t: FloatArray) -> int:
    """Count the points that must be moved to sort the times: all but the longest sequence that never falls."""
    ends: list[float] = []  # ends[k]: the smallest time at which such a sequence of k + 1 points ends
    for x in t.tolist():
        i = bisect_right(ends, x)
        ends[i : i + 1] = [x]
    return len(t) - len(ends)


def _evenly_spaced(t: FloatArray) -> bool:
    steps = np.diff(np.unique(t))[:-1]  # the last point is the end of the curve
    return len(steps) >= _ENOUGH and float(np.std(steps)) < _EVEN * float(np.mean(steps))


def _as_survival(t: FloatArray, s: FloatArray, corrections: list[str], name: str) -> FloatArray:
    if s.max() > PERCENT:
        if s.max() > 110:
            raise DataError(f"{name}survival reaches {s.max():g}: neither a proportion nor a percentage.")
        corrections.append("heights above 1 were read as percentages")
        s = s / 100
    order = np.argsort(t, kind="stable")
    early, late = s[order[: max(1, len(s) // 4)]].mean(), s[order[-max(1, len(s) // 4) :]].mean()
    changes = np.diff(s[order])
    # A rare event: a few per mille that rise from 0, which a survival curve cannot hold for long.
    rare = s[order[0]] < 0.02 and late > early and changes.clip(0).sum() > 3 * (-changes).clip(0).sum()
    if rare or (late > early + 0.02 and s[order[0]] < 0.5):
        corrections.append("the curve rises from 0: it was read as cumulative incidence and turned into survival")
        s = 1 - s
    elif late > early + 0.1:
        raise DataError(
            f"{name}the curve rises from {early:.3g} to {late:.3g}; survival falls. Are the points of two curves mixed?"
        )
    return s


def _reading_error(curve: Curve, s: FloatArray, n: int | None) -> float:
    """Estimate the error of clicks from the heights that rise although survival falls."""
    if curve.error is not None:
        return max(float(curve.error), 1e-9)
    usual = USUAL_ERROR[curve.kind]
    if curve.kind == "drops" and _computed(s, n):
        return _COMPUTED
    if curve.kind not in ("clicks", "readings"):
        return usual
    rises = np.diff(s)
    # Half of the clicks on one step rise, by a half-normal of sqrt(2) errors. Rises as high as a death are swapped corners
    # of one drop (an error of time); the lower quartile is the least disturbed by them. The usual error weighs as ten.
    rises = rises[(rises > 0) & (rises < max(0.4 / (n or 50), 2 * usual))]
    if not len(rises):
        return usual
    seen = float(np.quantile(rises, 0.25)) / 0.45
    weight = len(rises) / (len(rises) + 10)
    return float(np.clip(seen**weight * usual ** (1 - weight), 0.001, 0.03))


def _computed(s: FloatArray, n: int | None) -> bool:
    """Say whether heights were computed, not drawn: their first drop is a fraction of whole patients to all digits."""
    below = s[s < 1 - 1e-9]
    if n is None or not len(below) or np.abs(np.round(s, 6) - s).max() < 1e-12:
        return False  # heights of six decimals may be rounded
    deaths = (1 - below.max()) * np.arange(1, n + 1)
    return bool(np.any((np.abs(deaths - np.round(deaths)) < 1e-10) & (deaths > 0.5)))


def _fall(t: FloatArray, s: FloatArray, corrections: list[str]) -> FloatArray:
    rises = np.diff(s)
    rising = int((rises > 1e-12).sum())
    if not rising:
        return s
    # True corners fall in both coordinates at once, so sorting the heights never moves away from them (rearrangement).
    fallen = np.sort(s)[::-1].copy()
    moved = np.abs(fallen - s)
    i = int(moved.argmax())
    corrections.append(
        f"{rising} of {len(s)} heights {'rises' if rising == 1 else 'rise'} above the one before, by up to {rises.max():.2g}; "
        f"times and heights were sorted, which moves {int((moved > 1e-12).sum())} of them (most at time {t[i]:.4g}: "
        f"{s[i]:.4g} became {fallen[i]:.4g}) and brings both nearer to any falling curve"
    )
    return fallen


def _inside(s: FloatArray, error: float, corrections: list[str], name: str) -> FloatArray:
    slack = max(0.03, 5 * error)
    if s.min() < -slack:
        raise DataError(f"{name}survival falls to {s.min():.3g}, below 0. Is the axis calibrated wrongly?")
    if s.max() > 1 + slack:
        raise DataError(f"{name}survival reaches {s.max():.3g}, above 1. Is the axis calibrated wrongly?")
    outside = int(((s < 0) | (s > 1)).sum())
    if outside:
        by = f"outside 0 to 1 (by up to {max(-s.min(), s.max() - 1):.2g})"
        corrections.append(f"{counted(outside, 'height', by)} clipped")
    return np.clip(s, 0.0, 1.0)


def _ending(
    t: FloatArray, s: FloatArray, last_time: float | None, error: float, corrections: list[str]
) -> tuple[FloatArray, FloatArray, float]:
    if last_time is None:
        return t, s, float(t[-1])
    if t[-1] > last_time:
        late = t[-1] - last_time
        if late > 5 * error * last_time:
            corrections.append(f"the curve runs to {t[-1]:g}, beyond last_time {last_time:g}: it was cut there")
        return np.minimum(t, last_time), s, last_time
    if t[-1] < last_time:
        if last_time - t[-1] > 5 * max(error, 1e-6) * last_time:
            corrections.append(f"the curve ends at {t[-1]:g}, before time {last_time:g}: it was continued flat")
        return np.append(t, last_time), np.append(s, s[-1]), last_time
    return t, s, last_time


def _steps(t: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Make sloping pieces steps: a step curve holds its height until the next drop."""
    slope = np.flatnonzero((np.diff(t) > 0) & (np.diff(s) < 0)) + 1
    if not len(slope):
        return t, s
    return np.insert(t, slope, t[slope]), np.insert(s, slope, s[slope - 1])


def _ticks(values: FloatArray, end: float, corrections: list[str]) -> FloatArray:
    ticks = np.sort(np.asarray(values, dtype=np.float64))
    moved = int(((ticks < 0) | (ticks > end)).sum())
    if moved:
        corrections.append(f"{counted(moved, 'censor tick', 'outside the curve')} moved to its ends")
    ticks = np.where(np.abs(ticks - end) <= 5e-5 * end, end, ticks)
    return np.clip(ticks, 0.0, end)
