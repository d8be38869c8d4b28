"""Log hazard ratios from what is left when no hazard ratio is printed: pure functions of arrays.

Each returns the log hazard ratio of arm 1 against arm 2 and its standard error. Sources: Parmar MKB, Torri V, Stewart L. Stat
Med 1998;17:2815-2834; Williamson PR et al. Stat Med 2002;21:3337-3351; Tierney JF et al. Trials 2007;8:16; Watkins C,
Bennett I. Res Synth Methods 2018;9:316-334.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

Pair = tuple[FloatArray, FloatArray]


def from_o_minus_e(o_minus_e: FloatArray, variance: FloatArray) -> Pair:
    """Return (O - E)/V and 1/sqrt(V)."""
    return o_minus_e / variance, 1 / np.sqrt(variance)


def logrank_variance(events1: FloatArray, events2: FloatArray) -> FloatArray:
    """Return d1 d2 / d, the log-rank variance for events by arm."""
    return events1 * events2 / (events1 + events2)


def logrank_variance_total(events: FloatArray, n1: FloatArray, n2: FloatArray) -> FloatArray:
    """Return d R C / (R + C)^2: the log-rank variance for a total of events and the sizes of the arms."""
    return events * n1 * n2 / (n1 + n2) ** 2


def from_chi2(chi2: FloatArray, sign: FloatArray, variance: FloatArray) -> Pair:
    """Return sign sqrt(chi2/V) and 1/sqrt(V)."""
    return sign * np.sqrt(chi2 / variance), 1 / np.sqrt(variance)


def from_p(p: FloatArray, sign: FloatArray, variance: FloatArray) -> Pair:
    """Return sign z(1 - p/2)/sqrt(V) and 1/sqrt(V), p two-sided."""
    return sign * -special.ndtri(p / 2) / np.sqrt(variance), 1 / np.sqrt(variance)


def from_medians(m1: FloatArray, m2: FloatArray, events1: FloatArray, events2: FloatArray) -> Pair:
    """Return log(m2/m1): constant hazards assumed."""
    return np.log(m2 / m1), np.sqrt(1 / events1 + 1 / events2)


def from_rates(s1: FloatArray, s2: FloatArray, n1: FloatArray, n2: FloatArray) -> Pair:
    """Return the difference of log(-log S): proportional hazards and binomial rates assumed."""
    y = np.log(np.log(s1) / np.log(s2))
    variance = sum((1 - s) / (n * s * np.log(s) ** 2) for s, n in ((s1, n1), (s2, n2)))
    return y, np.sqrt(variance)


def actuarial(at_risk: FloatArray, survival: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return deaths and effective numbers at risk between times, from numbers at risk and survival at them (Williamson)."""
    r0, r1, s0, s1 = at_risk[..., :-1], at_risk[..., 1:], survival[..., :-1], survival[..., 1:]
    deaths = (r0 + r1) * (s0 - s1) / (s0 + s1)
    censored = 2 * (r0 * s1 - r1 * s0) / (s0 + s1)
    return deaths, r0 - censored / 2


def pooled_over_intervals(
    deaths1: FloatArray, n1: FloatArray, deaths2: FloatArray, n2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the inverse-variance mean of the interval-wise log hazard ratios; intervals without deaths in an arm say nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log((deaths1 / n1) / (deaths2 / n2))
        v = 1 / deaths1 - 1 / n1 + 1 / deaths2 - 1 / n2
        use = (deaths1 > 1e-9) & (deaths2 > 1e-9) & (v > 0) & np.isfinite(y)
        w = np.where(use, 1 / v, 0.0)
    total = w.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(use, w * np.where(use, y, 0.0), 0.0).sum(axis=-1) / total, 1 / np.sqrt(total)


def uniform_censoring(n: float, time: FloatArray, survival: FloatArray, shortest: float, longest: float) -> FloatArray:
    """Return expected numbers at risk when follow-up is uniform between its shortest and longest (Parmar)."""
    followed = np.clip((longest - time) / (longest - shortest), 0.0, 1.0)
    return n * survival * followed
