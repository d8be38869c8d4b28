"""Effect sizes of means: KERNELS of two groups, of one group measured twice, and of one group.

Arrays of one shape; every kernel returns the effect on the analysis scale and its sampling variance. Sources stand at each.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

Pair = tuple[FloatArray, FloatArray]


def hedges_j(m: FloatArray) -> FloatArray:
    """Return the exact factor that makes a standardised mean difference unbiased. Hedges LV. J Educ Stat 1981;6:107-128."""
    with np.errstate(invalid="ignore", divide="ignore"):
        j = np.exp(special.gammaln(m / 2) - 0.5 * np.log(m / 2) - special.gammaln((m - 1) / 2))
    return np.where(m > 1, j, np.nan)


# --- two groups -------------------------------------------------------------------------------


def mean_difference(
    m1: FloatArray, s1: FloatArray, n1: FloatArray, m2: FloatArray, s2: FloatArray, n2: FloatArray
) -> Pair:
    """Return m1 - m2; the groups may differ in spread."""
    return m1 - m2, s1**2 / n1 + s2**2 / n2


def mean_difference_equal_sds(
    m1: FloatArray, s1: FloatArray, n1: FloatArray, m2: FloatArray, s2: FloatArray, n2: FloatArray
) -> Pair:
    """Return m1 - m2 with the variance of groups of one spread."""
    pooled = ((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n1 + n2 - 2)
    return m1 - m2, pooled * (1 / n1 + 1 / n2)


def standardised(
    m1: FloatArray, s1: FloatArray, n1: FloatArray, m2: FloatArray, s2: FloatArray, n2: FloatArray
) -> Pair:
    """Return Hedges' g: the difference over the pooled SD, unbiased. Hedges LV. J Educ Stat 1981;6:107-128; 1982;7:119-137."""
    df = n1 + n2 - 2
    pooled = np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / df)
    g = hedges_j(df) * (m1 - m2) / pooled
    return g, 1 / n1 + 1 / n2 + g**2 / (2 * (n1 + n2))


def standardised_unbiased(
    m1: FloatArray, s1: FloatArray, n1: FloatArray, m2: FloatArray, s2: FloatArray, n2: FloatArray
) -> Pair:
    """Return Hedges' g with the unbiased estimate of its variance. Hedges LV. Psychol Bull 1983;93:388-395."""
    g, _ = standardised(m1, s1, n1, m2, s2, n2)
    df = n1 + n2 - 2
    return g, 1 / n1 + 1 / n2 + (1 - (df - 2) / (df * hedges_j(df) ** 2)) * g**2


def standardised_heteroscedastic(
    m1: FloatArray, s1: FloatArray, n1: FloatArray, m2: FloatArray, s2: FloatArray, n2: FloatArray
) -> Pair:
    """Return the difference over the root mean square of both SDs. Bonett DG. Psychol Methods 2008;13:99-109."""
    square = (s1**2 + s2**2) / 2
    g = hedges_j(n1 + n2 - 2) * (m1 - m2) / np.sqrt(square)
    spread = g**2 * (s1**4 / (n1 - 1) + s2**4 / (n2 - 1)) / (8 * square**2)
    return g, spread + (s1**2 / (n1 - 1) + s2**2 / (n2 - 1)) / square


def glass(m1: FloatArray, s1: FloatArray, n1: FloatArray, m2: FloatArray, s2: FloatArray, n2: FloatArray) -> Pair:
    """Return Glass' delta: the difference over the SD of the control group, unbiased. Glass GV. Educ Res 1976;5:3-8."""
    d = hedges_j(n2 - 1) * (m1 - m2) / s2
    return d, 1 / n1 + 1 / n2 + d**2 / (2 * n2)


def glass_heteroscedastic(
    m1: FloatArray, s1: FloatArray, n1: FloatArray, m2: FloatArray, s2: FloatArray, n2: FloatArray
) -> Pair:
    """Return Glass' delta with a variance that allows for unequal SDs. Bonett DG. Psychol Methods 2008;13:99-109."""
    d = hedges_j(n2 - 1) * (m1 - m2) / s2
    return d, (s1 / s2) ** 2 / (n1 - 1) + 1 / (n2 - 1) + d**2 / (2 * (n2 - 1))


def ratio_of_means(
    m1: FloatArray, s1: FloatArray, n1: FloatArray, m2: FloatArray, s2: FloatArray, n2: FloatArray
) -> Pair:
    """Return log(m1 / m2), bias-corrected. Hedges LV et al. Ecology 1999;80:1150-1156; Lajeunesse MJ. Ecology 2015;96:2056-2063."""
    a, b = s1**2 / (n1 * m1**2), s2**2 / (n2 * m2**2)
    return _log(m1 / m2) + (a - b) / 2, a + b


def ratio_of_cvs(
    m1: FloatArray, s1: FloatArray, n1: FloatArray, m2: FloatArray, s2: FloatArray, n2: FloatArray
) -> Pair:
    """Return the log ratio of coefficients of variation, bias-corrected. Senior AM et al. Res Synth Methods 2020;11:553-567."""
    (y1, v1), (y2, v2) = log_cv(m1, s1, n1), log_cv(m2, s2, n2)
    return y1 - y2 - (s1**2 / (n1 * m1**2) - s2**2 / (n2 * m2**2)) / 2, v1 + v2


def ratio_of_sds(
    m1: FloatArray, s1: FloatArray, n1: FloatArray, m2: FloatArray, s2: FloatArray, n2: FloatArray
) -> Pair:
    """Return the log ratio of SDs (lnVR). Nakagawa S et al. Methods Ecol Evol 2015;6:143-152."""
    (y1, v1), (y2, v2) = log_sd(m1, s1, n1), log_sd(m2, s2, n2)
    return y1 - y2, v1 + v2


# --- one group measured twice -----------------------------------------------------------------


def mean_change(m1: FloatArray, s1: FloatArray, m2: FloatArray, s2: FloatArray, n: FloatArray, r: FloatArray) -> Pair:
    """Return m1 - m2 of the same patients, correlation r."""
    return m1 - m2, (s1**2 + s2**2 - 2 * r * s1 * s2) / n


def standardised_by_change(
    m1: FloatArray, s1: FloatArray, m2: FloatArray, s2: FloatArray, n: FloatArray, r: FloatArray
) -> Pair:
    """Return the change over the SD of the changes. Gibbons RD et al. J Educ Stat 1993;18:271-279."""
    d = hedges_j(n - 1) * (m1 - m2) / np.sqrt(s1**2 + s2**2 - 2 * r * s1 * s2)
    return d, 1 / n + d**2 / (2 * n)


def standardised_by_raw(
    m1: FloatArray, s1: FloatArray, m2: FloatArray, s2: FloatArray, n: FloatArray, r: FloatArray
) -> Pair:
    """Return the change over the first SD. Becker BJ. Br J Math Stat Psychol 1988;41:257-278."""
    d = hedges_j(n - 1) * (m1 - m2) / s1
    return d, 2 * (1 - r) / n + d**2 / (2 * n)


def standardised_by_raw_heteroscedastic(
    m1: FloatArray, s1: FloatArray, m2: FloatArray, s2: FloatArray, n: FloatArray, r: FloatArray
) -> Pair:
    """Return the change over the first SD, the SDs not taken as equal. Bonett DG. Psychol Methods 2008;13:99-109."""
    d = hedges_j(n - 1) * (m1 - m2) / s1
    change = s1**2 + s2**2 - 2 * r * s1 * s2
    return d, change / (s1**2 * (n - 1)) + d**2 / (2 * (n - 1))


def ratio_of_paired_means(
    m1: FloatArray, s1: FloatArray, m2: FloatArray, s2: FloatArray, n: FloatArray, r: FloatArray
) -> Pair:
    """Return log(m1 / m2) of the same patients, bias-corrected. Lajeunesse MJ. Ecology 2011;92:2049-2055 and 2015;96:2056-2063."""
    a, b = s1**2 / (n * m1**2), s2**2 / (n * m2**2)
    return _log(m1 / m2) + (a - b) / 2, a + b - 2 * r * s1 * s2 / (m1 * m2 * n)


def ratio_of_paired_cvs(
    m1: FloatArray, s1: FloatArray, m2: FloatArray, s2: FloatArray, n: FloatArray, r: FloatArray
) -> Pair:
    """Return the log ratio of coefficients of variation of the same patients. Senior AM et al. Res Synth Methods 2020;11:553-567."""
    a, b = s1**2 / (n * m1**2), s2**2 / (n * m2**2)
    variance = (1 - r**2) / (n - 1) + a + b - 2 * r * s1 * s2 / (m1 * m2 * n)
    return _log(s1 / m1) - _log(s2 / m2) - (a - b) / 2, variance


def ratio_of_paired_sds(
    m1: FloatArray, s1: FloatArray, m2: FloatArray, s2: FloatArray, n: FloatArray, r: FloatArray
) -> Pair:
    """Return the log ratio of SDs of the same patients. Senior AM et al. J Exp Biol 2020;223:jeb218453."""
    return _log(s1 / s2), (1 - r**2) / (n - 1)


# --- one group --------------------------------------------------------------------------------


def mean(m: FloatArray, s: FloatArray, n: FloatArray) -> Pair:
    """Return the mean."""
    return m, s**2 / n


def standardised_mean(m: FloatArray, s: FloatArray, n: FloatArray) -> Pair:
    """Return the mean over its SD, unbiased."""
    d = hedges_j(n - 1) * m / s
    return d, 1 / n + d**2 / (2 * n)


def log_mean(m: FloatArray, s: FloatArray, n: FloatArray) -> Pair:
    """Return the log mean."""
    return _log(m), s**2 / (n * m**2)


def log_cv(m: FloatArray, s: FloatArray, n: FloatArray) -> Pair:
    """Return the log coefficient of variation, bias-corrected. Nakagawa S et al. 2015."""
    return _log(s / m) + 1 / (2 * (n - 1)), 1 / (2 * (n - 1)) + s**2 / (n * m**2)


def log_sd(m: FloatArray, s: FloatArray, n: FloatArray) -> Pair:
    """Return the log SD, bias-corrected. Nakagawa S et al. 2015."""
    return _log(s) + 1 / (2 * (n - 1)), 1 / (2 * (n - 1))


def _log(x: FloatArray) -> FloatArray:
    """Return the logarithm, NaN where there is none: such rows are excluded with the reason."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), np.nan)


Kernel = Callable[..., Pair]
TWO_GROUPS: MappingProxyType[str, Kernel] = MappingProxyType(
    {
        "MD": mean_difference,
        "SMD": standardised,
        "MD-equal-SDs": mean_difference_equal_sds,
        "SMD-unbiased": standardised_unbiased,
        "SMDH": standardised_heteroscedastic,
        "SMD1": glass,
        "SMD1H": glass_heteroscedastic,
        "ROM": ratio_of_means,
        "CVR": ratio_of_cvs,
        "VR": ratio_of_sds,
    }
)
PAIRED: MappingProxyType[str, Kernel] = MappingProxyType(
    {
        "MC": mean_change,
        "SMCC": standardised_by_change,
        "SMCR": standardised_by_raw,
        "SMCRH": standardised_by_raw_heteroscedastic,
        "ROMC": ratio_of_paired_means,
        "CVRC": ratio_of_paired_cvs,
        "VRC": ratio_of_paired_sds,
    }
)
ONE_GROUP: MappingProxyType[str, Kernel] = MappingProxyType(
    {"MN": mean, "SMN": standardised_mean, "MNLN": log_mean, "CVLN": log_cv, "SDLN": log_sd}
)
