"""The likelihood of a printed survival summary: deaths between its points, as in a life table.

Points of one Kaplan-Meier curve err together, but what happens between one and the next is independent: of those still at risk
at one point a share lives to the next. Each such share is a binomial observation with the life-table number at risk.
Sources: Williamson PR et al. Stat Med 2002;21:3337-3351 (deaths and censorings between numbers at risk); Parmar MKB et al. Stat
Med 1998;17:2815-2834; Efron B. J Am Stat Assoc 1988;83:414-425 (binomial likelihood of intervals).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import optimize, special

from metaleptic.errors import DataError, NotEstimableError
from metaleptic.types import FloatArray


def points_of(median: float | None, rates: Mapping[float, float]) -> tuple[FloatArray, FloatArray]:
    """Return times and survival of everything printed, in order of time.

    Raises
    ------
    DataError
        If the curve would rise.
    """
    points = dict(rates) | ({median: 0.5} if median is not None and median not in rates else {})
    times = np.array(sorted(points), dtype=np.float64)
    survival = np.array([points[t] for t in times.tolist()], dtype=np.float64)
    for i in np.flatnonzero(np.diff(survival) > 0.02).tolist():
        raise DataError(
            f"survival cannot rise: {100 * survival[i]:g}% at time {times[i]:g}, {100 * survival[i + 1]:g}% at "
            f"{times[i + 1]:g}. Check median and rates against the paper."
        )
    return times, np.minimum.accumulate(survival)  # rises within rounding are none


def numbers_at_risk(n: float, times: FloatArray, survival: FloatArray, at_risk: Mapping[float, float]) -> FloatArray:
    """Return patients at risk at each time: the printed ones; between them as if censoring ran evenly; without any, n S(t)."""
    known = [(0.0, 1.0)]
    for t, size in sorted(at_risk.items()):
        s = float(np.interp(t, np.concatenate([[0.0], times]), np.concatenate([[1.0], survival])))
        known.append((float(t), min(1.0, size / (n * max(s, 1e-9)))))
    uncensored = np.minimum.accumulate([g for _, g in known])
    return np.asarray(n * survival * np.interp(times, [t for t, _ in known], uncensored))


def effective_sizes(n: float, survival: FloatArray, risk: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return per interval the share that lives through it and its life-table size, at risk less half the censored."""
    s0, s1 = np.concatenate([[1.0], survival[:-1]]), survival
    r0, r1 = np.concatenate([[n], risk[:-1]]), risk
    with np.errstate(invalid="ignore", divide="ignore"):
        censored = 2 * (r0 * s1 - r1 * s0) / (s0 + s1)
        lives = np.where(s0 > 0, s1 / s0, 0.0)
    return lives, np.maximum(r0 - np.maximum(censored, 0.0) / 2, 0.0)


def fit(
    curve: Callable[[FloatArray, FloatArray], FloatArray],
    start: FloatArray,
    times: FloatArray,
    lives: FloatArray,
    size: FloatArray,
    above_half: tuple[float, float] | None,
    extremes: Callable[[FloatArray], float] | None = None,
) -> tuple[FloatArray, FloatArray, float]:
    """Return parameters, covariance and the deviance of the points.

    ``above_half`` is (time, patients) of a median not reached by then, ``extremes`` the log-density of the extreme times.
    """

    def of_points(parameters: FloatArray) -> float:
        s = np.clip(curve(times, parameters), 1e-300, 1.0) if len(times) else np.empty(0)
        p = np.clip(s / np.concatenate([[1.0], s[:-1]]), 1e-12, 1 - 1e-12)
        return float((size * (special.xlogy(lives, p) + special.xlogy(1 - lives, 1 - p))).sum())

    def minus_log_likelihood(parameters: FloatArray) -> float:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            total = of_points(parameters)
            if extremes is not None:
                total += extremes(parameters)
            if above_half is not None:
                at, n = above_half
                chance = special.betainc(n / 2, n / 2 + 1, float(curve(np.asarray(at), parameters)))
                total += np.log(max(float(chance), 1e-300))
        return float(-total)

    found = optimize.minimize(
        minus_log_likelihood,
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000},
    )
    cov = np.asarray(np.linalg.pinv(_curvature(minus_log_likelihood, np.asarray(found.x))), dtype=np.float64)
    if not np.isfinite(cov).all() or (np.diag(cov) <= 0).any() or np.abs(found.x[0]) > 5:
        raise NotEstimableError(
            "these numbers do not settle the two parameters of a curve: print more of them, or pool the median alone."
        )
    saturated = (size * (special.xlogy(lives, lives) + special.xlogy(1 - lives, 1 - lives))).sum()
    return np.asarray(found.x), cov, float(2 * (saturated - of_points(np.asarray(found.x))))


def _curvature(function: Callable[[FloatArray], float], at: FloatArray) -> FloatArray:
    """Return the Hessian by central differences."""
    h, k = 1e-3, len(at)
    out = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            a, b = np.eye(k)[i] * h, np.eye(k)[j] * h
            out[i, j] = (function(at + a + b) - function(at + a - b) - function(at - a + b) + function(at - a - b)) / (
                4 * h * h
            )
    return out
