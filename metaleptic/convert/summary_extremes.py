"""What the shortest and the longest time of an arm, and the interval of its median, add to the points of its curve.

Sources: David HA, Nagaraja HN. Order Statistics, 3rd ed. 2003, chapter 2 (density of the least and the greatest of n);
Brookmeyer R, Crowley J. Biometrics 1982;38:29-41 (the interval of a median: where the band of the curve holds one half).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from metaleptic.convert.intervals import normal_quantile
from metaleptic.convert.summary_likelihood import numbers_at_risk
from metaleptic.errors import DataError
from metaleptic.types import FloatArray

Curve = Callable[[FloatArray, FloatArray], FloatArray]
TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Extreme:
    """The shortest or the longest time of an arm, and whether that patient was alive then ("34+")."""

    time: float
    alive: bool


@dataclass(frozen=True, slots=True)
class Extremes:
    """Both extremes with the stretch of the curve in which each lies.

    Attributes
    ----------
    shortest, longest : Extreme or None
    first : float
        Time of the first printed point; infinite without points.
    first_deaths : float
        Deaths up to then.
    last : float
        Time of the last printed point; 0 without points.
    left : float
        Patients still at risk at the last printed point.
    last_deaths : float
        Deaths after it.
    """

    shortest: Extreme | None
    longest: Extreme | None
    first: float
    first_deaths: float
    last: float
    left: float
    last_deaths: float


def extreme_of(value: float | str | None, name: str) -> Extreme | None:
    """Read a time, "34" or 34 for a death and "34+" for a patient alive then."""
    if value is None:
        return None
    text = str(value).strip()
    try:
        time = float(text.removesuffix("+"))
    except ValueError:
        time = float("nan")
    if not 0 < time < np.inf:
        raise DataError(f'{name} {value!r} is not a time above 0. Write 34, or "34+" where that patient was alive.')
    return Extreme(time, text.endswith("+"))


def extremes_of(
    shortest: Extreme | None,
    longest: Extreme | None,
    times: FloatArray,
    lives: FloatArray,
    size: FloatArray,
    risk: FloatArray,
    n: float,
    events: float | None,
) -> Extremes | None:
    """Place the extremes on the curve.

    Raises
    ------
    DataError
        If the curve falls before the shortest or goes on after the longest time.
    """
    if shortest is None and longest is None:
        return None
    if shortest is not None and longest is not None and not shortest.time < longest.time:
        raise DataError(f"shortest {shortest.time:g} is not below longest {longest.time:g}. Are they swapped?")
    if shortest is not None and len(times) and times[0] <= shortest.time:
        raise DataError(
            f"survival falls by time {times[0]:g}, before the shortest time {shortest.time:g}. Check them against the paper."
        )
    if longest is not None and len(times) and times[-1] > longest.time:
        raise DataError(
            f"survival is printed for time {times[-1]:g}, after the longest time {longest.time:g}. "
            "Check them against the paper."
        )
    deaths = size * (1 - lives)
    left = float(risk[-1]) if len(risk) else n
    after = left if events is None else float(np.clip(events - deaths.sum(), 1.0, max(left, 1.0)))
    if len(times):
        return Extremes(shortest, longest, float(times[0]), float(deaths[0]), float(times[-1]), left, after)
    return Extremes(shortest, longest, np.inf, n, 0.0, n, n if events is None else events)


def log_likelihood(curve: Curve, density: Curve, parameters: FloatArray, x: Extremes) -> float:
    """Return the log-density of the extremes, given what happened up to and from the printed points around them."""
    total = 0.0

    def survival(t: float) -> float:
        return float(curve(np.asarray(t), parameters)) if 0 < t < np.inf else float(t == 0)

    start, known_after = x.last, x.last_deaths
    if x.shortest is not None:
        at = x.shortest.time
        fell = max(1 - survival(x.first), TINY)
        others = max(survival(at) - survival(x.first), TINY) / fell
        if x.shortest.alive:
            total += x.first_deaths * np.log(others)
        elif x.first_deaths >= 1:
            total += np.log(max(float(density(np.asarray(at), parameters)), TINY) / fell)
            total += (x.first_deaths - 1) * np.log(others)
        if x.last == 0:  # no points: the longest is the greatest of those that outlive the shortest
            start, known_after = at, x.last_deaths - 1
    if x.longest is not None and x.longest.time > start:
        still = max(survival(start), TINY)
        beyond = survival(x.longest.time) / still
        if x.longest.alive:
            total += np.log(max(-np.expm1(x.left * np.log1p(-min(beyond, 1 - 1e-15))), TINY))
        elif known_after >= 1:
            total += np.log(max(float(density(np.asarray(x.longest.time), parameters)), TINY) / still)
            total += (known_after - 1) * np.log(max(1 - beyond, TINY))
    return float(total)


def points_of_interval(
    n: float,
    low: float | None,
    high: float | None,
    level: float,
    times: FloatArray,
    survival: FloatArray,
    at_risk: Mapping[float, float],
) -> tuple[FloatArray, FloatArray]:
    """Return the points with two more where the interval of the median tells the height of the curve.

    The interval holds the times at which the band holds one half, so that at its ends (S - 1/2)^2 = z^2 S (1 - S)/m with m
    patients: S = 1/2 +- z / (2 sqrt(m + z^2)). A bound that printed points contradict is left out.
    """
    points = dict(zip(times.tolist(), survival.tolist(), strict=True))
    z = float(normal_quantile(level))
    uncensored = numbers_at_risk(n, times, survival, at_risk) / (n * survival)
    for bound, side in ((low, 1.0), (high, -1.0)):
        if bound is None or not 0 < bound < np.inf or bound in points:
            continue
        share = float(np.interp(bound, np.append(0.0, times), np.append(1.0, uncensored)))
        height = 0.5 + side * z / (2 * np.sqrt(n * (1 + share) / 2 + z**2))
        before, after = survival[times < bound], survival[times > bound]
        if after.max(initial=0.0) < height < before.min(initial=1.0):
            points[bound] = float(height)
    order = sorted(points)
    return np.array(order), np.array([points[t] for t in order])
