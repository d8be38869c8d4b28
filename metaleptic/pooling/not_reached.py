"""Pool log medians of which some were not reached: those are bounds, not gaps.

An arm whose median was not reached by its last follow-up T says that its median lies above T. It enters the likelihood of
the normal random-effects model by the chance of that, as a censored observation does in any survival analysis (Tobin J.
Econometrica 1958;26:24-36). Intervals by profile likelihood (Hardy RJ, Thompson SG. Stat Med 1996;15:619-629).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from metaleptic.errors import DataError, NotEstimableError
from metaleptic.types import Effects, Estimate, FloatArray

SE_FACTOR = 1 / np.log(2)


@dataclass(frozen=True, slots=True)
class PooledNotReached:
    """A pooled median in which medians that were not reached count as bounds.

    Attributes
    ----------
    estimate : Estimate
        Median survival with its profile-likelihood interval.
    mu, tau : float
        Its logarithm; standard deviation of true log medians between studies (maximum likelihood).
    dropped : float
        The median had the arms without one been left out: what they change.
    reached, not_reached : int
        Arms with and without a median.
    loglik : float
        Log-likelihood.
    """

    estimate: Estimate
    mu: float
    tau: float
    dropped: float
    reached: int
    not_reached: int
    loglik: float

    def __repr__(self) -> str:
        return (
            f"Median {self.estimate}, {self.reached} arms and {self.not_reached} whose median was not reached\n"
            f"normal random effects, maximum likelihood, tau {self.tau:.2f}; {self.dropped:.4g} without the latter"
        )


def log_likelihood(mu: Any, tau: Any, y: FloatArray, v: FloatArray, bound: FloatArray, bound_v: FloatArray) -> Any:
    """Return the log-likelihood of log medians ``y`` and of medians above ``bound``; broadcasts over mu and tau."""
    mu, tau2 = np.asarray(mu)[..., None], np.asarray(tau)[..., None] ** 2
    total = v + tau2
    seen = -0.5 * (np.log(2 * np.pi * total) + (y - mu) ** 2 / total)
    above = special.log_ndtr((mu - bound) / np.sqrt(bound_v + tau2))
    return seen.sum(axis=-1) + above.sum(axis=-1)


def pool_not_reached(
    effects: Effects,
    last: Sequence[float],
    *,
    n: Sequence[float] | None = None,
    events: Sequence[float] | None = None,
    level: float = 0.95,
) -> PooledNotReached:
    """Pool median survival times with arms in which the median was not reached.

    Leaving such arms out makes the pooled median too short, because they are the long ones.

    Parameters
    ----------
    effects : Effects
        The arms that have a median, from ``ml.survival_medians``.
    last : sequence of float
        For each arm without a median, the time up to which it was surely not reached: the longest follow-up, or the last time
        at which the curve stands above one half; in the unit of the effects.
    n, events : sequence of float, optional
        Patients, or better events, of these arms: the more there are, the firmer the bound. One of the two is needed.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    PooledNotReached

    Raises
    ------
    DataError
        If the effects are no log medians, a time is not above 0, or numbers of patients are missing.
    NotEstimableError
        If no arm has a median.

    Notes
    -----
    The error of a bound is that of a Kaplan-Meier median under constant hazard, 1.4427 over the root of the events (of n, if
    the events are not printed). Few events make it a weak bound, as it should be. Sources: Tobin J. Econometrica
    1958;26:24-36; Hardy RJ, Thompson SG. Stat Med 1996;15:619-629.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.survival_medians({"study": list("ABC"), "median": [8.3, 10.5, 5.6], "n": [82, 20, 14]})
    >>> ml.pool_not_reached(e, last=[18], n=[13])
    Median 9.066 (95% CI 5.721 to 21.67), 3 arms and 1 whose median was not reached
    normal random effects, maximum likelihood, tau 0.00; 8.242 without the latter
    """
    if effects.measure.key != "MEDIAN":
        raise DataError("these effects are no median survival times. Make them with ml.survival_medians.")
    if not len(effects):
        raise NotEstimableError("no arm has a median: there are bounds alone.")
    times = np.atleast_1d(np.asarray(last, dtype=np.float64))
    if not (times > 0).all() or not np.isfinite(times).all():
        raise DataError(
            "last holds a time that is not above 0. Give the longest follow-up of each arm without a median."
        )
    size = _sizes(len(times), n, events)
    y, v, bound, bound_v = effects.y, effects.v, np.log(times), SE_FACTOR**2 / size
    nothing = np.empty(0)
    mu, tau, peak = _fit(y, v, bound, bound_v)
    alone, _, _ = _fit(y, v, nothing, nothing)
    low, high = _profile(mu, tau, peak, (y, v, bound, bound_v), level)
    return PooledNotReached(
        Estimate(float(np.exp(mu)), float(np.exp(low)), float(np.exp(high)), level),
        mu,
        tau,
        float(np.exp(alone)),
        len(y),
        len(times),
        peak,
    )


def _sizes(k: int, n: Sequence[float] | None, events: Sequence[float] | None) -> FloatArray:
    size = np.full(k, np.nan)
    for given in (events, n):
        if given is not None:
            values = np.atleast_1d(np.asarray(given, dtype=np.float64))
            if values.shape != (k,):
                raise DataError(f"there are {k} times in last, but {values.size} numbers of patients: they must match.")
            size = np.where(np.isfinite(size) & (size > 0), size, values)
    if not (size > 0).all():
        raise DataError("give the number of patients (n=) or events (events=), above 0, of every arm without a median.")
    return size


def _fit(y: FloatArray, v: FloatArray, bound: FloatArray, bound_v: FloatArray) -> tuple[float, float, float]:
    """Maximise over mu and tau; tau is searched on a grid first, so that no local peak is taken for the highest."""
    spread = float(np.sqrt(np.mean(v)) + np.std(y) + 0.1)

    def best_mu(tau: float) -> tuple[float, float]:
        low, high = (
            min(y.min(), bound.min(initial=np.inf)) - 1,
            max(y.max(), bound.max(initial=-np.inf)) + 3 * spread + 3,
        )
        found: Any = optimize.minimize_scalar(
            lambda mu: -float(log_likelihood(mu, tau, y, v, bound, bound_v)),
            bounds=(low, high),
            method="bounded",
            options={"xatol": 1e-10},
        )
        return float(found.x), -float(found.fun)

    grid = np.concatenate([[0.0], np.geomspace(1e-3, 8 * spread, 40)])
    heights = [best_mu(tau)[1] for tau in grid]
    top = int(np.argmax(heights))
    around: Any = optimize.minimize_scalar(
        lambda tau: -best_mu(float(tau))[1],
        bounds=(float(grid[max(top - 1, 0)]), float(grid[min(top + 1, len(grid) - 1)])),
        method="bounded",
        options={"xatol": 1e-9},
    )
    tau = 0.0 if heights[0] >= -around.fun - 1e-12 else float(around.x)
    mu, peak = best_mu(tau)
    return mu, tau, peak


def _profile(mu: float, tau: float, peak: float, data: tuple[FloatArray, ...], level: float) -> tuple[float, float]:
    """Return where twice the drop of the profile log-likelihood equals the chi-squared quantile."""
    y, v, bound, bound_v = data
    drop = float(special.chdtri(1, 1 - level)) / 2
    grid = np.concatenate([[0.0], np.geomspace(1e-3, 20 * (tau + float(np.std(y)) + 0.3), 400)])

    def gap(at: float) -> float:
        return float(np.max(log_likelihood(at, grid, y, v, bound, bound_v))) - peak + drop

    return _crossing(gap, mu, -1.0), _crossing(gap, mu, 1.0)


def _crossing(gap: Callable[[float], float], mu: float, side: float) -> float:
    """Return where the gap closes on one side of the peak; infinity where it never does."""
    reach = 0.05
    while gap(mu + side * reach) > 0:
        reach *= 1.6
        if reach > 60:
            return side * float("inf")

    def at(x: float) -> float:
        return gap(mu + side * x)

    return mu + side * float(optimize.brentq(at, 0.0, reach, xtol=1e-10))
