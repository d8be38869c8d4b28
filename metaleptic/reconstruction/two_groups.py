"""Cox hazard ratio (Efron's ties) and log-rank z of two arms, fast enough to be asked hundreds of times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class Comparison:
    """Log hazard ratio of the first arm against the second, its standard error, and the log-rank z (above 0: worse)."""

    beta: float
    se: float
    z: float


@dataclass(frozen=True, slots=True, eq=False)
class RiskSets:
    """Distinct event times of both arms together, deaths and numbers at risk of each arm."""

    time: FloatArray
    d1: FloatArray
    d0: FloatArray
    n1: FloatArray
    n0: FloatArray


def risk_sets(events1: FloatArray, censored1: FloatArray, events0: FloatArray, censored0: FloatArray) -> RiskSets:
    """Count who is at risk whenever someone dies."""
    u, inverse = np.unique(np.concatenate([events1, events0]), return_inverse=True)
    d1 = np.bincount(inverse[: len(events1)], minlength=len(u)).astype(np.float64)
    d0 = np.bincount(inverse[len(events1) :], minlength=len(u)).astype(np.float64)
    t1 = np.sort(np.concatenate([events1, censored1]))
    t0 = np.sort(np.concatenate([events0, censored0]))
    n1 = len(t1) - np.searchsorted(t1, u, side="left")
    n0 = len(t0) - np.searchsorted(t0, u, side="left")
    return RiskSets(u, d1, d0, n1.astype(np.float64), n0.astype(np.float64))


def compare(sets: RiskSets) -> Comparison:
    """Return Cox and log-rank; NaN where one arm has no events or the ratio is infinite."""
    d, n = sets.d1 + sets.d0, sets.n1 + sets.n0
    share = sets.n1 / n
    excess = float(np.sum(sets.d1 - d * share))
    tie = np.where(n > 1, (n - d) / np.maximum(n - 1, 1), 0.0)
    variance = float(np.sum(d * share * (1 - share) * tie))
    z = excess / np.sqrt(variance) if variance > 0 else np.nan
    if sets.d1.sum() == 0 or sets.d0.sum() == 0:
        return Comparison(np.nan, np.nan, float(z))
    # Efron: the k-th of d tied deaths sees the risk set without k/d of the tied ones.
    reps = d.astype(np.int64)
    index = np.repeat(np.arange(len(d)), reps)
    k = np.arange(len(index)) - np.repeat(np.cumsum(reps) - reps, reps)
    gone = k / d[index]
    a1 = sets.n1[index] - gone * sets.d1[index]
    a0 = sets.n0[index] - gone * sets.d0[index]
    total = float(sets.d1.sum())
    beta = float(np.clip(excess / max(variance, 1e-9), -3, 3))
    for _ in range(50):
        p = a1 / (a1 + a0 * np.exp(-beta))
        information = float(np.sum(p * (1 - p)))
        if information < 1e-10:
            return Comparison(np.nan, np.nan, float(z))
        step = float(np.clip((total - p.sum()) / information, -1.5, 1.5))
        beta += step
        if abs(beta) > 15:
            return Comparison(np.nan, np.nan, float(z))
        if abs(step) < 1e-8:
            break
    return Comparison(beta, float(1 / np.sqrt(information)), float(z))
