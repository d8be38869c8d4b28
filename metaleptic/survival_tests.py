"""Two groups compared, for many patterns of events at once: Cox's hazard ratio, log-rank and its weighted relatives.

Numbers at risk depend on the times alone, so that score and information are sums over distinct times of terms that
hold the events only: they broadcast over leading axes of the event indicators. Cox 1972 (JRSS B 34:187); ties after
Breslow 1974 (Biometrics 30:89) and Efron 1977 (JASA 72:557); Mantel 1966; weights after Gehan 1965, Tarone & Ware 1977,
Peto & Peto 1972, Fleming & Harrington 1981.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import stats

from metaleptic.errors import OptionError
from metaleptic.types import FloatArray

TIES = ("efron", "breslow")
_STEPS = 60
_FAR = 15.0  # a log hazard ratio that Newton takes beyond this is infinite


@dataclass(frozen=True, slots=True, eq=False)
class RiskCounts:
    """Events and numbers at risk of two groups at distinct times: d1, d0 of shape (..., j), n1, n0 of shape (j,)."""

    d1: FloatArray
    d0: FloatArray
    n1: FloatArray
    n0: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class HazardRatios:
    """Log hazard ratios of group 1 against group 0, one per pattern of events; infinite ones are NaN.

    ``wald``, ``score`` and ``likelihood`` are chi-square statistics on one degree of freedom.
    """

    beta: FloatArray
    se: FloatArray
    loglik0: FloatArray
    loglik1: FloatArray
    wald: FloatArray
    score: FloatArray
    likelihood: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class LogRank:
    """Weighted observed minus expected events of group 1, their variance and the two-sided p."""

    observed: FloatArray
    expected: FloatArray
    v: FloatArray
    chi2: FloatArray
    p: FloatArray


def risk_counts(times: Any, events: Any, group: Any) -> RiskCounts:
    """Count events and patients at risk; ``group`` is 1 or 0 per patient, events have shape (..., n)."""
    distinct, place = np.unique(np.asarray(times, dtype=np.float64), return_inverse=True)
    member = (place[:, None] == np.arange(len(distinct))).astype(np.float64)
    one = np.asarray(group, dtype=np.float64)[:, None] * member
    zero = member - one
    e = np.asarray(events, dtype=np.float64)
    return RiskCounts(e @ one, e @ zero, _from_end(one.sum(axis=0)), _from_end(zero.sum(axis=0)))


def _from_end(counts: FloatArray) -> FloatArray:
    return np.asarray(np.cumsum(counts[::-1])[::-1])


def likelihood_terms(c: RiskCounts, beta: Any, ties: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log partial likelihood, score and information per distinct time, shape (..., j), at ``beta`` (...)."""
    b = np.asarray(beta, dtype=np.float64)[..., None]
    d = c.d1 + c.d0
    loglik, score, information = b * c.d1, c.d1 + 0.0 * b, np.zeros(np.broadcast_shapes(d.shape, b.shape))
    most = int(d.max(initial=0))
    for k in range(most if ties == "efron" else min(most, 1)):
        if ties == "efron":
            gone = np.where(d > k, k / np.maximum(d, 1), 0.0)
            times = (d > k).astype(np.float64)
        else:
            gone, times = np.zeros_like(d), d
        a1, a0 = (c.n1 - gone * c.d1) * np.exp(b), c.n0 - gone * c.d0
        total = np.where(times > 0, a1 + a0, 1.0)
        p = a1 / total
        loglik = loglik - times * np.log(total)
        score = score - times * p
        information = information + times * p * (1 - p)
    return loglik, score, information


def hazard_ratio(times: Any, events: Any, group: Any, *, ties: str = "efron") -> HazardRatios:
    """Fit Cox's model with one covariate of two values to each pattern of events."""
    if ties not in TIES:
        raise OptionError(f"ties {ties!r} is unknown. Choose one of: {', '.join(TIES)}.")
    c = risk_counts(times, events, group)
    loglik0, score0, info0 = (x.sum(axis=-1) for x in likelihood_terms(c, 0.0, ties))
    beta = np.zeros_like(score0)
    for _ in range(_STEPS):
        _, u, i = (x.sum(axis=-1) for x in likelihood_terms(c, beta, ties))
        step = np.clip(np.divide(u, i, out=np.full_like(u, np.nan), where=i > 1e-12), -1.0, 1.0)
        beta = np.where(np.abs(beta + step) < _FAR, beta + step, np.nan)
        if not np.any(np.abs(step) > 1e-11):
            break
    loglik1, _, info = (x.sum(axis=-1) for x in likelihood_terms(c, beta, ties))
    with np.errstate(divide="ignore", invalid="ignore"):
        return HazardRatios(
            beta,
            1 / np.sqrt(info),
            loglik0,
            loglik1,
            beta**2 * info,
            score0**2 / info0,
            2 * (loglik1 - loglik0),
        )


Weight = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


def _ones(d: FloatArray, n: FloatArray, before: FloatArray) -> FloatArray:
    return np.ones_like(before)


def _gehan(d: FloatArray, n: FloatArray, before: FloatArray) -> FloatArray:
    return n + 0 * before


def _tarone_ware(d: FloatArray, n: FloatArray, before: FloatArray) -> FloatArray:
    return np.sqrt(n) + 0 * before


def _peto(d: FloatArray, n: FloatArray, before: FloatArray) -> FloatArray:
    return before


def _late(d: FloatArray, n: FloatArray, before: FloatArray) -> FloatArray:
    return 1 - before


# Each weight sees events, numbers at risk and pooled survival just before each time.
WEIGHTS: MappingProxyType[str, Weight] = MappingProxyType(
    {
        "log-rank": _ones,
        "gehan": _gehan,
        "tarone-ware": _tarone_ware,
        "peto": _peto,  # Fleming-Harrington (1, 0), as R's survdiff(rho = 1)
        "late": _late,  # Fleming-Harrington (0, 1)
    }
)


def log_rank(times: Any, events: Any, group: Any, *, weight: str = "log-rank", strata: Any = None) -> LogRank:
    """Compare two groups by the log-rank test or a weighted relative, stratified if asked."""
    if weight not in WEIGHTS:
        raise OptionError(f"weight {weight!r} is unknown. Choose one of: {', '.join(WEIGHTS)}.")
    t, e, g = np.asarray(times, dtype=np.float64), np.asarray(events, dtype=np.float64), np.asarray(group)
    stratum = np.zeros(len(t), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    parts = []
    for s in range(int(stratum.max()) + 1):
        here = stratum == s
        parts.append(_log_rank_parts(risk_counts(t[here], e[..., here], g[here]), WEIGHTS[weight]))
    observed, expected, v = (np.sum([p[i] for p in parts], axis=0) for i in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = (observed - expected) ** 2 / v
    return LogRank(observed, expected, v, chi2, stats.chi2.sf(chi2, 1))


def _log_rank_parts(c: RiskCounts, weight: Weight) -> tuple[FloatArray, FloatArray, FloatArray]:
    d, n = c.d1 + c.d0, c.n1 + c.n0
    pooled = np.cumprod(1 - d / n, axis=-1)
    before = np.concatenate([np.ones_like(pooled[..., :1]), pooled[..., :-1]], axis=-1)
    w = weight(d, n, before)
    share = c.n1 / n
    spread = d * share * (1 - share) * (n - d) / np.maximum(n - 1, 1)
    return (w * c.d1).sum(axis=-1), (w * d * share).sum(axis=-1), (w**2 * spread).sum(axis=-1)
