"""Mean and standard deviation from minimum, quartiles, median and maximum: closed formulas for normal data.

Arrays of one shape, NaN where a number is not printed; every formula gives NaN where what it needs is not there.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

Pair = tuple[FloatArray, FloatArray]


def _range_in_sds(n: FloatArray) -> FloatArray:
    """Return how many SDs a sample of n spans (Blom's approximation). Wan X et al. BMC Med Res Methodol 2014;14:135."""
    return np.asarray(2 * special.ndtri((n - 0.375) / (n + 0.25)))


def _iqr_in_sds(n: FloatArray) -> FloatArray:
    """Return how many SDs lie between the quartiles of a sample of n. Wan X et al. 2014."""
    return np.asarray(2 * special.ndtri((0.75 * n - 0.125) / (n + 0.25)))


def expected_range(n: FloatArray) -> FloatArray:
    """Return the exact mean range of n standard normal numbers. Tippett LHC. Biometrika 1925;17:364-387."""
    x, w = np.polynomial.legendre.leggauss(400)
    grid, weight = 9 * (x + 1) / 2, 9 * w / 2  # the integrand is even
    n = np.asarray(n, dtype=np.float64)[..., None]
    above = -np.expm1(n * special.log_ndtr(grid)) - np.exp(n * special.log_ndtr(-grid))
    return np.asarray(2 * (above * weight).sum(axis=-1))


def _first(*choices: FloatArray) -> FloatArray:
    """Return the first of the choices that is a number."""
    found = choices[0]
    for more in choices[1:]:
        found = np.where(np.isnan(found), more, found)
    return found


def luo_mean(
    low: FloatArray, q1: FloatArray, mid: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray
) -> FloatArray:
    """Return the best weighted mean of mid-range, mid-quartile and median. Luo D et al. Stat Methods Med Res 2018;27:1785-1805."""
    mid_range, mid_quartile = (low + high) / 2, (q1 + q3) / 2
    w1, w2 = 2.2 / (2.2 + n**0.75), 0.7 - 0.72 / n**0.55
    all_five = w1 * mid_range + w2 * mid_quartile + (1 - w1 - w2) * mid
    w = 0.7 + 0.39 / n
    quartiles = w * mid_quartile + (1 - w) * mid
    w = 4 / (4 + n**0.75)
    return _first(all_five, quartiles, w * mid_range + (1 - w) * mid)


def wan_sd(low: FloatArray, q1: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray) -> FloatArray:
    """Return the SD from range, quartiles, or the mean of both. Wan X et al. BMC Med Res Methodol 2014;14:135."""
    by_range, by_quartiles = (high - low) / _range_in_sds(n), (q3 - q1) / _iqr_in_sds(n)
    return _first((by_range + by_quartiles) / 2, by_quartiles, by_range)


def luo_wan_shi(
    low: FloatArray, q1: FloatArray, mid: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray
) -> Pair:
    """Return Luo's mean and the SD of Wan, or of Shi where all five are there. Shi J et al. Res Synth Methods 2020;11:641-654."""
    theta1 = (2 + 0.14 * n**0.6) * special.ndtri((n - 0.375) / (n + 0.25))
    theta2 = (2 + 2 / (0.07 * n**0.6)) * special.ndtri((0.75 * n - 0.125) / (n + 0.25))
    five = (high - low) / theta1 + (q3 - q1) / theta2
    return luo_mean(low, q1, mid, q3, high, n), _first(five, wan_sd(low, q1, q3, high, n))


def luo_wan(low: FloatArray, q1: FloatArray, mid: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray) -> Pair:
    """Return Luo's mean and Wan's SD."""
    return luo_mean(low, q1, mid, q3, high, n), wan_sd(low, q1, q3, high, n)


def wan(low: FloatArray, q1: FloatArray, mid: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray) -> Pair:
    """Return the mean of Hozo (range), Wan (quartiles) or Bland (all five), and Wan's SD."""
    mean = _first((low + 2 * q1 + 2 * mid + 2 * q3 + high) / 8, (q1 + mid + q3) / 3, (low + 2 * mid + high) / 4)
    return mean, wan_sd(low, q1, q3, high, n)


def hozo(low: FloatArray, q1: FloatArray, mid: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray) -> Pair:
    """Return mean and SD from median and range. Hozo SP et al. BMC Med Res Methodol 2005;5:13."""
    del q1, q3
    small = np.sqrt(((low - 2 * mid + high) ** 2 / 4 + (high - low) ** 2) / 12)
    sd = np.where(n <= 15, small, np.where(n <= 70, (high - low) / 4, (high - low) / 6))
    mean = np.where(n <= 25, (low + 2 * mid + high) / 4, mid)
    return np.where(np.isnan(sd), np.nan, mean), sd


def bland(low: FloatArray, q1: FloatArray, mid: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray) -> Pair:
    """Return mean and SD from all five, whatever n. Bland M. J Stat Theory Appl 2015;1:64-71."""
    del n
    total = low + 2 * q1 + 2 * mid + 2 * q3 + high
    squares = (low**2 + 2 * q1**2 + 2 * mid**2 + 2 * q3**2 + high**2) / 16
    products = (low * q1 + q1 * mid + mid * q3 + q3 * high) / 8
    return total / 8, np.sqrt(squares + products - total**2 / 64)


def walter(low: FloatArray, q1: FloatArray, mid: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray) -> Pair:
    """Return the median as mean, the SD by the exact mean range of n normals. Walter SD, Yao X. J Clin Epidemiol 2007;60:849-852."""
    del q1, q3
    sd = (high - low) / expected_range(n)
    return np.where(np.isnan(sd), np.nan, mid), sd


def log_normal(
    low: FloatArray, q1: FloatArray, mid: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray
) -> Pair:
    """Return mean and SD of log-normal data, the small-sample bias of both taken out. Shi J et al. Stat Interface 2020;13:519-531."""
    with np.errstate(invalid="ignore", divide="ignore"):
        low, q1, mid, q3, high = (
            np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), np.nan) for x in (low, q1, mid, q3, high)
        )
    mu, sd = luo_wan_shi(low, q1, mid, q3, high, n)
    range_there, quartiles_there = np.isfinite(high - low), np.isfinite(q3 - q1)
    case = [range_there & quartiles_there, quartiles_there]  # else: the extremes alone

    def by_case(five: FloatArray | float, quartiles: FloatArray | float, extremes: FloatArray | float) -> FloatArray:
        return np.select(case, [np.broadcast_to(five, n.shape), np.broadcast_to(quartiles, n.shape)], extremes)

    log2 = np.log(n) ** 2
    square = sd**2 / by_case(1 + 0.28 / log2, 1 + 1.58 / n, 1.01 + 0.25 / log2)
    fourth = sd**4 / by_case(1 + 3.93 / n, 1 + 19.2 / n**1.2, 1 + 2.23 / log2)
    a, b = square / n * by_case(0.405, 0.57, 0.565), fourth / n * by_case(0.315, 0.75, 0.37)
    mean = np.exp(mu + square / 2) / (1 + a + b)
    second = np.exp(2 * mu + 2 * square) / (1 + 4 * a + 16 * b)
    return mean, np.sqrt(second - np.exp(2 * mu + square) / (1 + 4 * a + 4 * b))


def looks_skewed(
    low: FloatArray, q1: FloatArray, mid: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray
) -> FloatArray:
    """Return True (1) where the summary is too lopsided for normal data at the 5% level.

    Source: Shi J et al. Stat Med 2023;42:1338-1352.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        by_range = np.abs(low + high - 2 * mid) / (high - low)
        by_quartiles = np.abs(q1 + q3 - 2 * mid) / (q3 - q1)
        five = np.maximum(2.65 * np.log(0.6 * n) / np.sqrt(n) * by_range, by_quartiles) > 3 / np.sqrt(n) - 40 / n**3
        quartiles = by_quartiles > 2.65 / np.sqrt(n) - 6 / n**2
        extremes = by_range > 1 / np.log(n + 9) + 2.5 / (n + 1)
    has_range, has_quartiles = np.isfinite(by_range), np.isfinite(by_quartiles)
    return np.where(has_range & has_quartiles, five, np.where(has_quartiles, quartiles, has_range & extremes))
