"""The Kaplan-Meier step function of events and censorings kept as two lists of times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from metaleptic.reconstruction.cells import IntArray
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Distinct event times, heights after them, deaths and numbers at risk."""

    time: FloatArray
    survival: FloatArray
    deaths: FloatArray
    at_risk: FloatArray

    def at(self, t: FloatArray | float) -> FloatArray:
        """Return S(t), deaths at t included."""
        i = np.searchsorted(self.time, np.asarray(t, dtype=np.float64), side="right")
        return np.asarray(np.append(1.0, self.survival)[i], dtype=np.float64)

    def median(self) -> float:
        """Return the median: midpoint of the plateau where S is exactly 0.5, infinite where S stays above."""
        below = np.flatnonzero(self.survival <= 0.5 + 1e-9)
        if not len(below):
            return float("inf")
        i = int(below[0])
        if abs(self.survival[i] - 0.5) < 1e-9 and i + 1 < len(self.time):
            return float(0.5 * (self.time[i] + self.time[i + 1]))
        return float(self.time[i])

    def median_near(self, printed: float) -> float:
        """Return the median by the rule that comes nearest to a printed one: the midpoint of a plateau, or its start."""
        below = np.flatnonzero(self.survival <= 0.5 + 1e-9)
        if not len(below):
            return float("inf")
        first, middle = float(self.time[below[0]]), self.median()
        return first if abs(first - printed) < abs(middle - printed) else middle

    def median_interval(self, z: float, kind: str = "log") -> tuple[float, float]:
        """Return where the bounds of S cross 0.5 (Brookmeyer-Crowley with Greenwood's variance).

        ``kind`` is the scale of the bounds: "log", "log-log" or "plain".
        """
        left = np.maximum(self.at_risk - self.deaths, 0.0)
        s = self.survival
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            se = np.sqrt(np.cumsum(self.deaths / (self.at_risk * left)))
            if kind == "log":
                low, high = s * np.exp(-z * se), np.minimum(s * np.exp(z * se), 1.0)
            elif kind == "log-log":
                width = z * se / np.abs(np.log(s))
                low, high = s ** np.exp(width), s ** np.exp(-width)
            else:
                low, high = s - z * se * s, s + z * se * s
        # Where everyone has died there is no upper bound.
        low, high = np.nan_to_num(low, nan=0.0), np.where(s > 0, high, np.nan)
        first, last = np.flatnonzero(low <= 0.5), np.flatnonzero(high <= 0.5)
        return (
            float(self.time[first[0]]) if len(first) else float("inf"),
            float(self.time[last[0]]) if len(last) else float("inf"),
        )

    def rmst(self, tau: float) -> float:
        """Return the area under S up to tau."""
        inside = self.time < tau
        x = np.concatenate([[0.0], self.time[inside], [tau]])
        return float(np.sum(np.diff(x) * np.append(1.0, self.survival[inside])))


def steps(events: FloatArray, censored: FloatArray) -> Steps:
    """Return the product-limit estimate; a censoring at the time of a death leaves after it."""
    u, deaths, at_risk = at_deaths(np.sort(events), np.sort(censored))
    heights: FloatArray = np.cumprod(1 - deaths / at_risk).astype(np.float64)
    return Steps(u, heights, deaths.astype(np.float64), at_risk.astype(np.float64))


def follow_up_near(events: FloatArray, censored: FloatArray, printed: float) -> float:
    """Return the median follow-up by the definition that comes nearest to a printed one.

    Papers mean the median of all times, of those still alive, or by the reversed Kaplan-Meier method.
    """
    ways = [float(np.median(np.concatenate([events, censored]))), steps(censored, events).median()]
    ways += [float(np.median(censored))] * (len(censored) > 0)
    return min(ways, key=lambda x: abs(x - printed))


def height_at(events: FloatArray, censored: FloatArray, time: float) -> float:
    """Return survival at one time, deaths at that time included: ``steps(...).at(time)`` without the steps after it."""
    early, late = np.sort(events[events <= time]), np.sort(censored[censored < time])
    _, deaths, at_risk = at_deaths(early, late)
    at_risk = at_risk + (len(events) - len(early) + len(censored) - len(late))
    return float(np.prod(1 - deaths / at_risk))


def at_deaths(events: FloatArray, censored: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the distinct times of events, how many died then, and how many were at risk; both arrays come sorted."""
    count = len(events)
    if not count:
        return events, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    new = np.empty(count + 1, dtype=np.bool_)
    new[0] = new[-1] = True
    np.not_equal(events[1:], events[:-1], out=new[1:-1])
    first = new.nonzero()[0]
    u = events[first[:-1]]
    at_risk = count + len(censored) - first[:-1] - censored.searchsorted(u)
    return u, first[1:] - first[:-1], at_risk


def pin_median(
    events: FloatArray, censored: FloatArray, median: float, half: float, edges: FloatArray, reach: float = np.inf
) -> FloatArray:
    """Move the deaths next to a printed median so that the curve crosses one half there.

    No death crosses a number at risk (``edges``), so nothing else that is printed changes; a median further off than
    ``reach`` is left, as that would be another curve.
    """
    found = steps(events, censored).median_near(median)
    if abs(found - median) <= half * (1 + 1e-6) or not len(events) or not abs(found - median) <= reach:
        return events
    first = float(edges[edges <= median].max())
    later = edges[edges > median]
    stop = float(later.min()) if len(later) else np.inf
    best, off = events, abs(found - median)
    for moved in _candidates(np.sort(events), censored, median, first, stop):
        now = abs(steps(moved, censored).median_near(median) - median)
        if now < off - 1e-12:
            best, off = moved, now
        if off <= half * (1 + 1e-6) + 1e-9:
            break
    return best


def _candidates(
    events: FloatArray, censored: FloatArray, median: float, first: float, stop: float
) -> Iterator[FloatArray]:
    """Ways to move deaths between ``first`` and ``stop`` so that one half is crossed at the median, mildest first."""
    at = steps(events, censored)
    crossing = np.flatnonzero(at.survival <= 0.5 + 1e-9)
    if not len(crossing):
        return
    i = int(crossing[0])
    t = float(at.time[i])
    following = float(at.time[i + 1]) if i + 1 < len(at.time) else np.inf
    if abs(at.survival[i] - 0.5) < 1e-9 and np.isfinite(following):
        # S rests at exactly one half: the median is the middle of that step.
        end = 2 * median - t
        if median < end < stop and following < stop:
            yield np.where((events >= min(following, end)) & (events <= max(following, end)), end, events)
        yield np.where((events >= max(t, first)) & (events <= following) & (events < stop), median, events)
    if t > median:
        yield np.where((events <= t) & (events > median) & (events < stop), median, events)
    else:
        yield np.where((events >= t) & (events < median) & (events >= first), median, events)
