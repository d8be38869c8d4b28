"""Pool medians as medians: median of medians, weighted median, confidence distributions.

Sources: McGrath S, Zhao X, Qin ZZ, Steele R, Benedetti A. Stat Med 2019;38:969-984 (median of medians, weighted);
Ozturk O, Balakrishnan N. Stat Med 2020;39:1935-1950 (confidence distributions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, OptionError
from metaleptic.pooling.heterogeneity import dersimonian_laird
from metaleptic.pooling.names import named
from metaleptic.pooling.normal import fit_normal
from metaleptic.types import Effects, Estimate, FloatArray

METHODS = ("median-of-medians", "weighted-median", "confidence-distribution", "quantile-estimation")
ALSO = {
    **dict.fromkeys(("mm", "median"), "median-of-medians"),
    **dict.fromkeys(("wm", "weighted"), "weighted-median"),
    **dict.fromkeys(("cd", "confidence-distributions"), "confidence-distribution"),
    "qe": "quantile-estimation",
}
BY_VARIANCE = ("confidence-distribution", "quantile-estimation")


@dataclass(frozen=True, slots=True)
class PooledMedian:
    """A pooled median.

    Attributes
    ----------
    estimate : Estimate
        The median with its interval.
    method : str
        How it was pooled, in words.
    coverage : float
        True level of the interval: the ranks of exact intervals are whole, so that it is at least the level asked for.
    se, tau2 : float
        Standard error and between-study variance; NaN for methods that have none.
    k : int
        Studies.
    """

    estimate: Estimate
    method: str
    coverage: float
    se: float
    tau2: float
    k: int

    def __repr__(self) -> str:
        return f"Median {self.estimate}, {self.k} studies\n{self.method}"


def weighted_quantile(values: FloatArray, weights: FloatArray, p: FloatArray) -> FloatArray:
    """Return quantiles of values that stand in the data as often as their weights say, linear between neighbours."""
    order = np.argsort(values, kind="stable")
    x, upto = values[order], np.cumsum(weights[order])
    rank = 1 + (upto[-1] - 1) * np.asarray(p)
    below = np.maximum(np.floor(rank), 1)

    def at(r: FloatArray) -> FloatArray:
        return np.asarray(x[np.minimum(np.searchsorted(upto, r - 1e-9), len(x) - 1)])

    share = rank - below
    return np.asarray((1 - share) * at(below) + share * at(np.minimum(below + 1, upto[-1])))


def exact_ranks(k: int, level: float) -> tuple[int, int, float]:
    """Return the ranks of the sign-test interval of a median of k values, and its true level."""
    count = np.arange(k + 1)
    below = special.bdtr(count, k, 0.5)
    low = int(np.searchsorted(below, (1 - level) / 2 - 1e-12))
    low = max(low, 1)
    high = k - low + 1
    coverage = float(special.bdtr(k - low, k, 0.5) - special.bdtr(low - 1, k, 0.5))
    return low, high, coverage


def pool_medians(
    data: Any, n: Any = None, *, method: str | None = None, interval: str = "normal", level: float = 0.95
) -> PooledMedian:
    """Pool medians of uncensored outcomes without a distribution behind them.

    Parameters
    ----------
    data : array_like or Effects
        Medians of the studies (or differences of medians); for confidence distributions the effects of ``ml.medians``.
    n : array_like, optional
        Patients per study: the weights of the weighted median.
    method : {"median-of-medians", "weighted-median", "confidence-distribution", "quantile-estimation"}, optional
        The last pools the effects of ``ml.medians`` (variances by quantile estimation) by random effects, REML and z, as
        ``ml.pool`` does with its defaults by Hartung-Knapp. By default confidence distributions for effects, the weighted median if ``n`` is given, else the median of
        medians.
    interval : {"normal", "exact"}, default "normal"
        Ranks of the interval of the first two methods: by the normal approximation with interpolation, or of the sign
        test.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    PooledMedian

    Raises
    ------
    DataError
        If there are fewer than two medians, a number is missing, or n does not match.
    OptionError
        If the method or interval is unknown.

    Notes
    -----
    The median of medians is the median of a study, not of a patient: it needs no spread and no n, and is honest where
    outcomes are skewed. Confidence distributions pool by inverse variance (DerSimonian-Laird) with a jackknife standard
    error and t with k - 1 degrees of freedom. Sources: McGrath S et al. Stat Med 2019;38:969-984; Ozturk O,
    Balakrishnan N. Stat Med 2020;39:1935-1950.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.pool_medians([77, 64.6, 76, 72, 63.6, 71, 68.7, 76], interval="exact").estimate
    71.5 (99.22% CI 63.6 to 77)
    """
    check_level(level)
    if interval not in {"normal", "exact"}:
        raise OptionError(f'interval {interval!r} is unknown. Choose "normal" or "exact".')
    if isinstance(data, Effects):
        chosen, y, size = method or "confidence-distribution", data.y, data.n if n is None else np.asarray(n, float)
    else:
        y = np.asarray(data, dtype=np.float64)
        size = np.full(y.shape, np.nan) if n is None else np.asarray(n, dtype=np.float64)
        chosen = method or ("median-of-medians" if n is None else "weighted-median")
    chosen = named("method", chosen, METHODS, ALSO)
    if n is not None and size.shape != y.shape:
        raise DataError(
            f"there are {y.size} medians and {size.size} numbers of patients (n=): their lengths must match."
        )
    if y.ndim != 1 or y.size < 2 or not np.isfinite(y).all():
        raise DataError("there must be at least two medians, all of them numbers. Leave out studies without one.")
    if chosen in BY_VARIANCE:
        if not isinstance(data, Effects):
            raise DataError(f'method="{chosen}" needs variances: make effects with ml.medians first.')
        by = _by_confidence_distribution if chosen == "confidence-distribution" else _by_quantile_estimation
        return by(data.y, data.v, level)
    if chosen == "weighted-median" and (size.shape != y.shape or not (size > 0).all()):
        raise DataError("the weighted median needs the number of patients of every study, above 0 (n=).")
    return _by_rank(y, size if chosen == "weighted-median" else np.ones_like(y), chosen, interval, level)


def _by_rank(y: FloatArray, weights: FloatArray, method: str, interval: str, level: float) -> PooledMedian:
    k = len(y)
    if interval == "exact":
        first, last, coverage = exact_ranks(k, level)
        low, high = ((r - 1) / (k - 1) for r in (first, last))
        words = "order statistics of the sign test"
    else:
        half = special.ndtri(0.5 + level / 2) / (2 * np.sqrt(k))
        low, high, coverage = max(0.5 - half, 0.0), min(0.5 + half, 1.0), level
        words = "interpolated order statistics"
    a, middle, b = weighted_quantile(y, weights, np.array([low, 0.5, high])).tolist()
    name = {"median-of-medians": "median of medians", "weighted-median": "median of medians weighted by patients"}
    return PooledMedian(
        Estimate(middle, a, b, coverage), f"{name[method]}, {words}", coverage, float("nan"), float("nan"), k
    )


def _by_quantile_estimation(y: FloatArray, v: FloatArray, level: float) -> PooledMedian:
    fit = fit_normal(y, v, tau2="REML", test="z", level=level)
    mean, low, high = float(fit.mu), float(fit.low), float(fit.high)
    words = "quantile estimation, inverse variance: random effects, REML, z"
    return PooledMedian(Estimate(mean, low, high, level), words, level, float(fit.se), float(fit.tau2), len(y))


def _by_confidence_distribution(y: FloatArray, v: FloatArray, level: float) -> PooledMedian:
    k = len(y)
    tau2 = max(0.0, float(dersimonian_laird(y, v, np.ones(k))))
    w = 1 / (v + tau2)
    mean = float((w * y).sum() / w.sum())
    without = ((w * y).sum() - w * y) / (w.sum() - w)
    se = float(np.sqrt((k - 1) / k * ((without - without.mean()) ** 2).sum()))
    half = float(special.stdtrit(k - 1, 0.5 + level / 2)) * se
    words = f"confidence distributions, DerSimonian-Laird weights, jackknife SE, t({k - 1})"
    return PooledMedian(Estimate(mean, mean - half, mean + half, level), words, level, se, tau2, k)
