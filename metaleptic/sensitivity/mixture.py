"""Two groups in a cloud of points: a mixture of two normal distributions, fitted by EM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.types import FloatArray

ROUNDS = 80


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Probability of each point to belong to the upper group, the centres, and how far apart they are.

    ``separation`` is the distance of the centres in standard deviations within the groups (Mahalanobis), 0 if one of the
    groups holds less than a twentieth of the points.
    """

    upper: FloatArray
    centres: FloatArray
    separation: float


def two_groups(points: FloatArray) -> Mixture:
    """Fit two normal distributions to points (n, d); the group with the larger first coordinate is the upper one.

    Source: Dempster AP, Laird NM, Rubin DB. J R Stat Soc B 1977;39:1-38.
    """
    d = points.shape[1]
    scale = points.std(axis=0)
    x = (points - points.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    ridge = 1e-6 * np.eye(d)
    upper = (x[:, 0] > np.median(x[:, 0])).astype(float)
    previous = -np.inf
    for _ in range(ROUNDS):
        logs = np.stack([_log_density(x, p, ridge) for p in (1 - upper, upper)])
        top = logs.max(axis=0)
        both = np.log(np.exp(logs - top).sum(axis=0)) + top
        upper = np.exp(logs[1] - both)
        height = float(both.sum())
        if height - previous < 1e-8 * abs(height):
            break
        previous = height
    centres = np.stack([np.average(points, axis=0, weights=p + 1e-12) for p in (1 - upper, upper)])
    if centres[0, 0] > centres[1, 0]:
        upper, centres = 1 - upper, centres[::-1]
    return Mixture(upper, centres, _separation(x, upper, ridge))


def _separation(x: FloatArray, upper: FloatArray, ridge: FloatArray) -> float:
    shares = (1 - upper, upper)
    if min(p.mean() for p in shares) < 0.05:
        return 0.0
    means = [p @ x / p.sum() for p in shares]
    within = sum(((x - m) * p[:, None]).T @ (x - m) for m, p in zip(means, shares, strict=True)) / len(x) + ridge
    gap = means[1] - means[0]
    return float(np.sqrt(gap @ np.linalg.solve(within, gap)))


def _log_density(x: FloatArray, share: FloatArray, ridge: FloatArray) -> FloatArray:
    """Return log of weight times density of the normal distribution fitted to points with these shares."""
    total = float(share.sum()) + 1e-12
    centre = (share @ x) / total
    away = x - centre
    spread = (away * share[:, None]).T @ away / total + ridge
    root = np.linalg.cholesky(spread)
    z = np.linalg.inv(root) @ away.T
    out: FloatArray = (
        np.log(total / len(x))
        - 0.5 * (z * z).sum(axis=0)
        - np.log(np.diag(root)).sum()
        - 0.5 * x.shape[1] * np.log(2 * np.pi)
    )
    return out
