"""Kendall's rank correlation with its exact and its asymptotic p value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

EXACT_UP_TO = 50


@dataclass(frozen=True, slots=True)
class Kendall:
    """Score (concordant minus discordant pairs), its standard error without ties, tau-b and its two-sided p."""

    score: float
    score_se: float
    tau: float
    p: float
    exact: bool


def kendall(x: FloatArray, y: FloatArray, *, exact: bool = True) -> Kendall:
    """Correlate two rankings. Exact where there are no ties and fewer than 50 pairs, otherwise by the normal.

    Source: Kendall MG. Rank Correlation Methods. Griffin 1970 (variance with ties: section 5.3).
    """
    k = len(x)
    sx, sy = (np.sign(a[:, None] - a) for a in (x, y))
    score = float(np.triu(sx * sy, 1).sum())
    pairs = k * (k - 1) / 2
    tied_x, tied_y = (pairs - float(np.triu(np.abs(s), 1).sum()) for s in (sx, sy))
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = score / np.sqrt((pairs - tied_x) * (pairs - tied_y))
    plain = np.sqrt(k * (k - 1) * (2 * k + 5) / 18)
    if exact and tied_x == 0 and tied_y == 0 and k < EXACT_UP_TO:
        return Kendall(score, plain, float(tau), _exact_p(score, k), True)
    variance = _variance(x, y, k)
    p = float(2 * special.ndtr(-abs(score) / np.sqrt(variance))) if variance > 0 else 1.0
    return Kendall(score, plain, float(tau), p, False)


def _exact_p(score: float, k: int) -> float:
    """Return twice the smaller tail: permutations of k counted by their number of inversions."""
    counts = np.ones(1)
    for j in range(2, k + 1):
        counts = np.convolve(counts, np.full(j, 1.0 / j))
    concordant = round((score + k * (k - 1) / 2) / 2)
    lower, upper = counts[: concordant + 1].sum(), counts[concordant:].sum()
    return float(min(1.0, 2 * min(lower, upper)))


def _variance(x: FloatArray, y: FloatArray, k: int) -> float:
    t, u = (np.unique(a, return_counts=True)[1].astype(float) for a in (x, y))
    n = float(k)

    def whole(c: FloatArray) -> float:
        return float((c * (c - 1) * (2 * c + 5)).sum())

    v0 = n * (n - 1) * (2 * n + 5) - whole(t) - whole(u)
    v1 = float((t * (t - 1)).sum() * (u * (u - 1)).sum()) / (2 * n * (n - 1))
    v2 = float((t * (t - 1) * (t - 2)).sum() * (u * (u - 1) * (u - 2)).sum())
    return v0 / 18 + v1 + (v2 / (9 * n * (n - 1) * (n - 2)) if k > 2 else 0.0)
