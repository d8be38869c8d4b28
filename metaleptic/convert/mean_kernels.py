"""Differences and ratios of two groups' means: one function per measure, arrays in, (effect, variance) out.

Each line of ``TWO_GROUPS`` names its paper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

Pair = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One measure: its function of arrays, the variance formulas it knows, and its paper."""

    key: str
    function: Callable[..., Pair]
    variances: tuple[str, ...]
    source: str


def hedges_correction(df: FloatArray) -> FloatArray:
    """Return J, the exact factor that takes the bias from a standardised difference with ``df`` degrees of freedom."""
    with np.errstate(invalid="ignore", divide="ignore"):
        j = np.exp(special.gammaln(df / 2) - 0.5 * np.log(df / 2) - special.gammaln((df - 1) / 2))
    return np.where(df > 1, j, np.nan)


def unbiased_variance(base: FloatArray, g: FloatArray, df: FloatArray, j: FloatArray) -> FloatArray:
    """Return the unbiased variance of a corrected standardised difference; ``base`` is the part that is free of it."""
    return np.asarray(base + (1 - (df - 2) / (df * j**2)) * g**2)


def pooled_sd(sd1: FloatArray, n1: FloatArray, sd2: FloatArray, n2: FloatArray) -> FloatArray:
    """Return the standard deviation within groups, pooled over both."""
    return np.asarray(np.sqrt(((n1 - 1) * sd1**2 + (n2 - 1) * sd2**2) / (n1 + n2 - 2)))


def weighted_mean(values: FloatArray, n: FloatArray) -> FloatArray:
    """Return the mean over studies (last axis) weighted by their sizes; studies without a value count nothing."""
    known = np.isfinite(values) & np.isfinite(n)
    total = np.where(known, n, 0.0).sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, values * n, 0.0).sum(axis=-1, keepdims=True) / total)


def mean_difference(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the difference of means; ``HO`` takes one standard deviation for both groups."""
    del correct
    if variance == "HO":
        return m1 - m2, pooled_sd(sd1, n1, sd2, n2) ** 2 * (1 / n1 + 1 / n2)
    return m1 - m2, sd1**2 / n1 + sd2**2 / n2


def standardised_from_d(d: FloatArray, n1: FloatArray, n2: FloatArray, variance: str, correct: bool) -> Pair:
    """Return the standardised mean difference from Cohen's d, with Hedges' exact correction unless told otherwise."""
    n, df = n1 + n2, n1 + n2 - 2
    j = hedges_correction(df) if correct else np.ones_like(df)
    g = j * d
    spread = 1 / n1 + 1 / n2
    if variance == "LS2":
        return g, j**2 * (spread + d**2 / (2 * n))
    if variance == "UB":
        return g, unbiased_variance(spread, g, df, j)
    if variance == "AV":
        return g, spread + weighted_mean(g, n) ** 2 / (2 * n)
    return g, spread + g**2 / (2 * n)


def standardised(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the mean difference in pooled standard deviations (Hedges' g)."""
    return standardised_from_d((m1 - m2) / pooled_sd(sd1, n1, sd2, n2), n1, n2, variance, correct)


def standardised_unequal(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the mean difference over the root of the mean of both variances, which need not be equal."""
    s2 = (sd1**2 + sd2**2) / 2
    g = (m1 - m2) / np.sqrt(s2) * (hedges_correction(n1 + n2 - 2) if correct else 1.0)
    a, b = (n1, n2) if variance == "LS2" else (n1 - 1, n2 - 1)
    return g, g**2 * (sd1**4 / a + sd2**4 / b) / (8 * s2**2) + (sd1**2 / a + sd2**2 / b) / s2


def glass(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the mean difference in standard deviations of the second group (Glass's delta)."""
    df = n2 - 1
    d = (m1 - m2) / sd2
    j = hedges_correction(df) if correct else np.ones_like(df)
    g, spread = j * d, 1 / n1 + 1 / n2
    if variance == "LS2":
        return g, j**2 * (spread + d**2 / (2 * n2))
    if variance == "UB":
        return g, unbiased_variance(spread, g, df, j)
    if variance == "AV":
        return g, spread + weighted_mean(g, n1 + n2) ** 2 / (2 * n2)
    return g, spread + g**2 / (2 * n2)


def glass_unequal(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return Glass's delta with a variance that lets the groups spread unequally."""
    del variance
    g = (m1 - m2) / sd2 * (hedges_correction(n2 - 1) if correct else 1.0)
    return g, (sd1 / sd2) ** 2 / (n1 - 1) + 1 / (n2 - 1) + g**2 / (2 * (n2 - 1))


def ratio_of_means(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the log ratio of means, to second order free of bias."""
    c1, c2 = (sd1 / m1) ** 2 / n1, (sd2 / m2) ** 2 / n2
    y = np.log(m1 / m2) + (0.5 * (c1 - c2) if correct else 0.0)
    if variance == "LS2":
        return y, c1 + c2 + 0.5 * (c1**2 + c2**2)
    if variance == "HO":
        return y, pooled_sd(sd1, n1, sd2, n2) ** 2 * (1 / (n1 * m1**2) + 1 / (n2 * m2**2))
    if variance == "AV":
        return y, weighted_mean(sd1 / m1, n1) ** 2 / n1 + weighted_mean(sd2 / m2, n2) ** 2 / n2
    return y, c1 + c2


def ratio_of_variation(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the log ratio of coefficients of variation (lnCVR)."""
    c1, c2 = (sd1 / m1) ** 2 / n1, (sd2 / m2) ** 2 / n2
    k1, k2 = 1 / (2 * (n1 - 1)), 1 / (2 * (n2 - 1))
    y = np.log(sd1 / m1) - np.log(sd2 / m2) + (k1 - k2 - 0.5 * (c1 - c2) if correct else 0.0)
    v = k1 + k2 + c1 + c2
    return y, v + 0.5 * (c1**2 + c2**2) + 2 * (k1**2 + k2**2) if variance == "LS2" else v


def ratio_of_sds(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the log ratio of standard deviations (lnVR)."""
    del m1, m2
    k1, k2 = 1 / (2 * (n1 - 1)), 1 / (2 * (n2 - 1))
    y = np.log(sd1 / sd2) + (k1 - k2 if correct else 0.0)
    return y, k1 + k2 + 2 * (k1**2 + k2**2) if variance == "LS2" else k1 + k2


def _odds(factor: float) -> Callable[..., Pair]:
    def log_odds_ratio(
        m1: FloatArray,
        sd1: FloatArray,
        n1: FloatArray,
        m2: FloatArray,
        sd2: FloatArray,
        n2: FloatArray,
        variance: str,
        correct: bool,
    ) -> Pair:
        del variance, correct
        d, v = standardised(m1, sd1, n1, m2, sd2, n2, "LS", correct=False)
        return d * factor, v * factor**2

    return log_odds_ratio


def point_biserial(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the correlation of group and outcome; ``CS`` if the sizes of the groups were left to chance."""
    del correct
    n = n1 + n2
    d, v = standardised(m1, sd1, n1, m2, sd2, n2, "LS", correct=False)
    h = (n - 2) / n1 + (n - 2) / n2
    r = d / np.sqrt(d**2 + h)
    if variance == "CS":
        share = n1 / n
        return r, (1 - r**2) ** 2 * (1 - 1.5 * r**2 + r**2 / (4 * share * (1 - share))) / n
    return r, h**2 / (h + d**2) ** 3 * v


def biserial(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the correlation of an outcome with the normal trait that was cut into two groups (Soper's variance)."""
    del variance
    r, _ = point_biserial(m1, sd1, n1, m2, sd2, n2, "ST", correct)
    n = n1 + n2
    p, q = n1 / n, n2 / n
    z = special.ndtri(q)
    f = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    rb = np.sqrt(p * q) / f * r
    return rb, (p * q / f**2 - (1.5 + (1 - p * z / f) * (1 + q * z / f)) * rb**2 + rb**4) / (n - 1)


def _fisher(correlation: Callable[..., Pair]) -> Callable[..., Pair]:
    def transformed(
        m1: FloatArray,
        sd1: FloatArray,
        n1: FloatArray,
        m2: FloatArray,
        sd2: FloatArray,
        n2: FloatArray,
        variance: str,
        correct: bool,
    ) -> Pair:
        r, v = correlation(m1, sd1, n1, m2, sd2, n2, variance, correct)
        return np.arctanh(r), v / (1 - r**2) ** 2

    return transformed


def superiority(
    m1: FloatArray,
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the chance that a patient of group 1 lies above one of group 2, both groups being normal."""
    del correct
    if variance == "HO":
        z = (m1 - m2) / (np.sqrt(2) * pooled_sd(sd1, n1, sd2, n2))
        v = 0.5 * (1 / n1 + 1 / n2) + z**2 / (2 * (n1 + n2))
    else:
        w = sd1**2 + sd2**2
        z = (m1 - m2) / np.sqrt(w)
        a, b = (n1, n2) if variance == "LS2" else (n1 - 1, n2 - 1)
        v = (sd1**2 / a + sd2**2 / b) / w + z**2 * (sd1**4 / a + sd2**4 / b) / (2 * w**2)
    return special.ndtr(z), v * np.exp(-(z**2)) / (2 * np.pi)


_HEDGES = "Hedges LV. J Educ Stat 1981;6:107-128"
_BONETT = "Bonett DG. Psychol Methods 2008;13:99-109"
_NAKAGAWA = "Nakagawa S et al. Methods Ecol Evol 2015;6:143-152; Senior AM et al. Res Synth Methods 2020;11:553-567"
_LAJEUNESSE = (
    "Hedges LV, Gurevitch J, Curtis PS. Ecology 1999;80:1150-1156; Lajeunesse MJ. Ecology 2015;96:2056-2063; "
    "Nakagawa S et al. Ecol Lett 2023;26:232-244 (AV)"
)
_LOGISTIC = "Chinn S. Stat Med 2000;19:3127-3131; Hasselblad V, Hedges LV. Psychol Bull 1995;117:167-178"
_BISERIAL = "Tate RF. Ann Math Stat 1954;25:603-607; Jacobs P, Viechtbauer W. Res Synth Methods 2017;8:161-180"
_SOPER = "Soper HE. Biometrika 1914;10:384-390; Jacobs P, Viechtbauer W. Res Synth Methods 2017;8:161-180"
_AUC = "Goddard MJ, Hinberg I. Stat Med 1990;9:325-337; McGraw KO, Wong SP. Psychol Bull 1992;111:361-365"

TWO_GROUPS = MappingProxyType(
    {
        k.key: k
        for k in (
            Kernel("MD", mean_difference, ("LS", "HO"), "Deeks JJ, Higgins JPT. Cochrane Handbook, chapter 10"),
            Kernel("SMD", standardised, ("LS", "LS2", "UB", "AV"), _HEDGES),
            Kernel("SMDH", standardised_unequal, ("LS", "LS2"), "Bonett DG. Psychol Methods 2009;14:225-238"),
            Kernel("SMD1", glass, ("LS", "LS2", "UB", "AV"), "Glass GV. Educ Res 1976;5:3-8; " + _HEDGES),
            Kernel("SMD1H", glass_unequal, ("LS",), _BONETT),
            Kernel("ROM", ratio_of_means, ("LS", "LS2", "HO", "AV"), _LAJEUNESSE),
            Kernel("CVR", ratio_of_variation, ("LS", "LS2"), _NAKAGAWA),
            Kernel("VR", ratio_of_sds, ("LS", "LS2"), _NAKAGAWA),
            Kernel("D2OR", _odds(np.pi / np.sqrt(3)), ("LS",), _LOGISTIC),
            Kernel("D2ORL", _odds(np.pi / np.sqrt(3)), ("LS",), _LOGISTIC),
            Kernel("D2ORN", _odds(1.65), ("LS",), "Cox DR, Snell EJ. Analysis of Binary Data, 2nd ed. 1989"),
            Kernel("RPB", point_biserial, ("ST", "CS"), _BISERIAL),
            Kernel("ZPB", _fisher(point_biserial), ("ST", "CS"), _BISERIAL),
            Kernel("RBIS", biserial, ("LS",), _SOPER),
            Kernel("ZBIS", _fisher(biserial), ("LS",), _SOPER),
            Kernel("CLESN", superiority, ("LS", "LS2", "HO"), _AUC),
            Kernel("AUCN", superiority, ("LS", "LS2", "HO"), _AUC),
        )
    }
)
