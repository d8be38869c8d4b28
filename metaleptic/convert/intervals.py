"""Standard errors from what is printed beside an estimate: pure functions of arrays.

Sources: Altman DG, Bland JM. BMJ 2011;343:d2090 (SE from a confidence interval) and d2304 (from a p value);
Tierney JF et al. Trials 2007;8:16 (hazard ratios).
"""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.types import BoolArray, FloatArray


def normal_quantile(level: FloatArray | float) -> FloatArray:
    """Return z such that an interval of this level is estimate +- z SE (1.96 for 0.95)."""
    return np.asarray(special.ndtri(0.5 + np.asarray(level) / 2))


def se_from_interval(low: FloatArray, high: FloatArray, level: FloatArray | float) -> FloatArray:
    """Return the SE from both bounds, on the scale on which the interval is symmetric."""
    return np.asarray((high - low) / (2 * normal_quantile(level)))


def se_from_bound(y: FloatArray, bound: FloatArray, level: FloatArray | float) -> FloatArray:
    """Return the SE from the estimate and one bound, for intervals whose other bound is not reached."""
    return np.asarray(np.abs(y - bound) / normal_quantile(level))


def se_from_p(y: FloatArray, p: FloatArray) -> FloatArray:
    """Return the SE from the estimate and its two-sided p value (Wald): |y| / z(1 - p/2)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.abs(y) / -special.ndtri(p / 2))


def p_from_interval(y: FloatArray, low: FloatArray, high: FloatArray, level: FloatArray | float) -> FloatArray:
    """Return the two-sided Wald p value that an estimate and its interval imply (no effect is 0)."""
    return np.asarray(2 * special.ndtr(-np.abs(y / se_from_interval(low, high, level))))


def wald_interval(y: FloatArray, v: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Return y -+ z sqrt(v)."""
    half = normal_quantile(level) * np.sqrt(v)
    return y - half, y + half


def lopsided_on_log_scale(
    estimate: FloatArray, low: FloatArray, high: FloatArray, rounding: FloatArray | float, tolerance: float = 0.1
) -> BoolArray:
    """Tell which ratio intervals are not symmetric about their estimate on the log scale.

    Rounding is allowed for: a triple passes if some unrounded numbers behind it would be symmetric,
    and beyond that the two sides may differ by ``tolerance`` of the whole width.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = np.abs(np.log(low) + np.log(high) - 2 * np.log(estimate))
        slack = rounding * (1 / low + 1 / high + 2 / estimate)
        width = np.log(high) - np.log(low)
        return np.asarray(np.isfinite(skew) & (skew > slack + tolerance * width))


def clopper_pearson(events: FloatArray, n: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the exact binomial interval. Source: Clopper CJ, Pearson ES. Biometrika 1934;26:404-413."""
    tail = (1 - level) / 2
    low = np.where(events > 0, special.betaincinv(np.maximum(events, 1e-300), n - events + 1, tail), 0.0)
    rest = np.maximum(n - events, 1e-300)
    high = np.where(events < n, special.betaincinv(events + 1, rest, 1 - tail), 1.0)
    return np.asarray(low), np.asarray(high)


def wilson(events: FloatArray, n: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the score interval of a proportion. Wilson EB. J Am Stat Assoc 1927;22:209-212."""
    z = normal_quantile(level)
    p = events / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.where(events == 0, 0.0, centre - half), np.where(events == n, 1.0, centre + half)
