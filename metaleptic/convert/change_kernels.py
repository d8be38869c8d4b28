"""Changes within patients (paired means), and single groups' means: one function per measure.

Each line of ``PAIRED`` and ``ONE_GROUP`` names its paper. The order is that of metafor: ``m1 - m2``, standardised by
the standard deviation of the *first* mean where a raw score is the yardstick.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from scipy import special

from metaleptic.convert.mean_kernels import Kernel, Pair, hedges_correction, unbiased_variance
from metaleptic.types import FloatArray


def sd_of_change(sd1: FloatArray, sd2: FloatArray, r: FloatArray) -> FloatArray:
    """Return the standard deviation of the differences of two paired measurements correlated by ``r``."""
    return np.asarray(np.sqrt(sd1**2 + sd2**2 - 2 * r * sd1 * sd2))


def gauss_series(a: float, b: float, c: FloatArray, z: FloatArray) -> FloatArray:
    """Return the hypergeometric function 2F1 for 0 <= z <= 1.

    SciPy's gives NaN for some large whole or half c near z = 1, where the series itself converges in a few terms.
    """
    value = np.asarray(special.hyp2f1(a, b, c, z), dtype=np.float64)
    k = np.arange(300.0)
    terms = np.cumprod((a + k) * (b + k) / ((c[..., None] + k) * (k + 1)) * z[..., None], axis=-1)
    return np.where(np.isnan(value), 1 + terms.sum(axis=-1), value)


def unbiased_correlation(r: FloatArray, n: FloatArray) -> FloatArray:
    """Return the exactly unbiased correlation. Source: Olkin I, Pratt JW. Ann Math Stat 1958;29:201-211."""
    safe = np.where(r == 0, 0.5, r)  # the series at r = 0 is infinite times 0, which is 0
    return np.asarray(np.where(r == 0, 0.0, safe * gauss_series(0.5, 0.5, (n - 2) / 2, 1 - safe**2)))


def mean_change(
    m1: FloatArray,
    sd1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n: FloatArray,
    r: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the mean of the changes."""
    del variance, correct
    return m1 - m2, sd_of_change(sd1, sd2, r) ** 2 / n


def by_change_score(
    m1: FloatArray,
    sd1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n: FloatArray,
    r: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the mean change in standard deviations of the changes."""
    df = n - 1
    d = (m1 - m2) / sd_of_change(sd1, sd2, r)
    j = hedges_correction(df) if correct else np.ones_like(df)
    g = j * d
    if variance == "LS2":
        return g, j**2 * (1 / n + d**2 / (2 * n))
    if variance == "UB":
        return g, unbiased_variance(1 / n, g, df, j)
    return g, 1 / n + g**2 / (2 * n)


def by_raw_score(
    m1: FloatArray,
    sd1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n: FloatArray,
    r: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the mean change in standard deviations of the first measurement."""
    del sd2
    df = n - 1
    d = (m1 - m2) / sd1
    j = hedges_correction(df) if correct else np.ones_like(df)
    g = j * d
    if variance == "LS2":
        return g, j**2 * (2 * (1 - r) / n + d**2 / (2 * n))
    if variance == "UB":
        return g, unbiased_variance(2 * (1 - unbiased_correlation(r, n)) / n, g, df, j)
    return g, 2 * (1 - r) / n + g**2 / (2 * n)


def by_raw_score_unequal(
    m1: FloatArray,
    sd1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n: FloatArray,
    r: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return ``SMCR`` with a variance that lets both measurements spread unequally."""
    g = (m1 - m2) / sd1 * (hedges_correction(n - 1) if correct else 1.0)
    df = n if variance == "LS2" else n - 1
    return g, (sd_of_change(sd1, sd2, r) / sd1) ** 2 / df + g**2 / (2 * df)


def by_mean_variance(
    m1: FloatArray,
    sd1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n: FloatArray,
    r: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the mean change over the root of the mean of both variances."""
    del variance
    df = 2 * (n - 1) / (1 + r**2)
    g = (m1 - m2) / np.sqrt((sd1**2 + sd2**2) / 2) * (hedges_correction(df) if correct else 1.0)
    return g, 2 * (1 - r) / n + g**2 * (1 + r**2) / (4 * n)


def by_mean_variance_unequal(
    m1: FloatArray,
    sd1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n: FloatArray,
    r: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return ``SMCRP`` with a variance that lets both measurements spread unequally."""
    s2 = (sd1**2 + sd2**2) / 2
    g = (m1 - m2) / np.sqrt(s2) * (hedges_correction(2 * (n - 1) / (1 + r**2)) if correct else 1.0)
    df = n if variance == "LS2" else n - 1
    shape = sd1**4 + sd2**4 + 2 * r**2 * sd1**2 * sd2**2
    return g, sd_of_change(sd1, sd2, r) ** 2 / (s2 * df) + g**2 * shape / (8 * s2**2 * df)


def ratio_of_paired_means(
    m1: FloatArray,
    sd1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n: FloatArray,
    r: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the log ratio of two paired means."""
    c1, c2 = (sd1 / m1) ** 2 / n, (sd2 / m2) ** 2 / n
    y = np.log(m1 / m2) + (0.5 * (c1 - c2) if correct else 0.0)
    v = c1 + c2 - 2 * r * sd1 * sd2 / (m1 * m2 * n)
    if variance == "LS2":
        shared = (r * sd1 * sd2) ** 2 * (m1**4 + m2**4) / (2 * n**2 * m1**4 * m2**4)
        return y, v + 0.5 * (c1**2 + c2**2) + shared
    return y, v


def ratio_of_paired_sds(
    m1: FloatArray,
    sd1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n: FloatArray,
    r: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the log ratio of two paired standard deviations."""
    del m1, m2, correct  # with one n the corrections cancel
    v = (1 - r**2) / (n - 1)
    if variance == "LS2":
        return np.log(sd1 / sd2), v + 1 / (n - 1) ** 2 + r**4 * (sd1**8 + sd2**8) / (2 * (n - 1) ** 2 * sd1**4 * sd2**4)
    return np.log(sd1 / sd2), v


def ratio_of_paired_variation(
    m1: FloatArray,
    sd1: FloatArray,
    m2: FloatArray,
    sd2: FloatArray,
    n: FloatArray,
    r: FloatArray,
    variance: str,
    correct: bool,
) -> Pair:
    """Return the log ratio of two paired coefficients of variation."""
    ratio, v1 = ratio_of_paired_means(m1, sd1, m2, sd2, n, r, variance, correct)
    spread, v2 = ratio_of_paired_sds(m1, sd1, m2, sd2, n, r, variance, correct)
    return spread - ratio, v1 + v2


def one_mean(m: FloatArray, sd: FloatArray, n: FloatArray, variance: str, correct: bool) -> Pair:
    """Return a mean."""
    del variance, correct
    return m, sd**2 / n


def one_log_mean(m: FloatArray, sd: FloatArray, n: FloatArray, variance: str, correct: bool) -> Pair:
    """Return the logarithm of a mean."""
    del variance, correct
    return np.log(m), (sd / m) ** 2 / n


def one_standardised(m: FloatArray, sd: FloatArray, n: FloatArray, variance: str, correct: bool) -> Pair:
    """Return a mean in its standard deviations."""
    del variance
    g = m / sd * (hedges_correction(n - 1) if correct else 1.0)
    return g, 1 / n + g**2 / (2 * n)


def one_log_variation(m: FloatArray, sd: FloatArray, n: FloatArray, variance: str, correct: bool) -> Pair:
    """Return the logarithm of a coefficient of variation."""
    del variance
    k = 1 / (2 * (n - 1))
    return np.log(sd / m) + (k if correct else 0.0), k + (sd / m) ** 2 / n


def one_log_sd(m: FloatArray, sd: FloatArray, n: FloatArray, variance: str, correct: bool) -> Pair:
    """Return the logarithm of a standard deviation."""
    del m, variance
    k = 1 / (2 * (n - 1))
    return np.log(sd) + (k if correct else 0.0), k * np.ones_like(sd)


_GIBBONS = "Gibbons RD, Hedeker DR, Davis JM. J Educ Stat 1993;18:271-279"
_BECKER = "Becker BJ. Br J Math Stat Psychol 1988;41:257-278; Viechtbauer W. J Educ Behav Stat 2007;32:39-60 (UB)"
_BONETT = "Bonett DG. Psychol Methods 2008;13:99-109"
_SENIOR = "Senior AM, Viechtbauer W, Nakagawa S. Res Synth Methods 2020;11:553-567"
_NAKAGAWA = "Nakagawa S et al. Methods Ecol Evol 2015;6:143-152"
_HANDBOOK = "Deeks JJ, Higgins JPT. Cochrane Handbook, chapter 10"

PAIRED = MappingProxyType(
    {
        k.key: k
        for k in (
            Kernel("MC", mean_change, ("LS",), _HANDBOOK),
            Kernel("SMCC", by_change_score, ("LS", "LS2", "UB"), _GIBBONS),
            Kernel("SMCR", by_raw_score, ("LS", "LS2", "UB"), _BECKER),
            Kernel("SMCRH", by_raw_score_unequal, ("LS", "LS2"), _BONETT),
            Kernel("SMCRP", by_mean_variance, ("LS",), "Cousineau D. Quant Meth Psych 2020;16:418-421"),
            Kernel("SMCRPH", by_mean_variance_unequal, ("LS", "LS2"), _BONETT),
            Kernel(
                "ROMC",
                ratio_of_paired_means,
                ("LS", "LS2"),
                "Lajeunesse MJ. Ecology 2011;92:2049-2055; " + _SENIOR,
            ),
            Kernel("CVRC", ratio_of_paired_variation, ("LS", "LS2"), _SENIOR),
            Kernel("VRC", ratio_of_paired_sds, ("LS", "LS2"), _SENIOR),
        )
    }
)

ONE_GROUP = MappingProxyType(
    {
        k.key: k
        for k in (
            Kernel("MN", one_mean, ("LS",), _HANDBOOK),
            Kernel("MNLN", one_log_mean, ("LS",), "Lajeunesse MJ. Ecology 2011;92:2049-2055"),
            Kernel("SMN", one_standardised, ("LS",), "Hedges LV. J Educ Stat 1981;6:107-128"),
            Kernel("CVLN", one_log_variation, ("LS",), _NAKAGAWA),
            Kernel("SDLN", one_log_sd, ("LS",), _NAKAGAWA),
        )
    }
)
