"""The model of several correlated outcomes per study: what it needs to know of the data, its density, and what follows.

y ~ N(theta at study and outcome, V); theta of a study ~ N(mu, diag(tau) R diag(tau)), R with an LKJ prior. True effects are
integrated out for sampling, and drawn afterwards given the rest by conditioning simulated data (Matheron's rule).

Source: van Houwelingen HC, Arends LR, Stijnen T. Stat Med 2002;21:589-624; Wei Y, Higgins JPT. Stat Med 2013;32:2911-2934
(Bayesian, with separate priors on spreads and correlations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.correlations import beta_shapes, correlation_entries
from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.sampled_priors import mu_variable, tau_variable
from metaleptic.types import FloatArray

WEI_2013 = "Wei Y, Higgins JPT. Stat Med 2013;32:2911-2934"
WRITTEN_OUT = 6  # estimates of a study up to which the factor is written out
_AT_ONCE = 4_000_000  # numbers of the covariance matrices of a few draws


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Estimates, their covariance, and which study and outcome each belongs to.

    Attributes
    ----------
    y : ndarray of shape (n,)
        Estimates.
    covariance : ndarray of shape (n, n)
        Covariance of their errors.
    study, outcome : ndarray of int, shape (n,)
        Positions in ``studies`` and ``outcomes``.
    studies, outcomes : tuple of str
        Names.
    """

    y: FloatArray
    covariance: FloatArray
    study: Any
    outcome: Any
    studies: tuple[str, ...]
    outcomes: tuple[str, ...]

    @property
    def same(self) -> FloatArray:
        """1 where two estimates come from one study."""
        return np.asarray(self.study[:, None] == self.study, dtype=np.float64)

    def rows(self, outcome: int) -> list[int]:
        """Return the positions of an outcome's estimates."""
        return np.flatnonzero(self.outcome == outcome).tolist()


def outcomes_model(
    pm: Any, pt: Any, table: Table, tau: Sequence[Prior], mu: Sequence[EffectPrior | None], eta: float
) -> None:
    """Define y ~ N(mu, V + between) with "mu" and "tau" (one per outcome) and "partial", which makes the correlations."""
    p, v = len(table.outcomes), np.diag(table.covariance)
    means, spreads = [], []
    for j in range(p):
        at = table.rows(j)
        centre, scale = float(np.average(table.y[at], weights=1 / v[at])), float(np.sqrt(np.mean(v[at])))
        means.append(mu_variable(pm, mu[j], centre, scale, f"mu_{j}"))
        spreads.append(tau_variable(pm, pt, tau[j], v[at], f"tau_{j}"))
    b = beta_shapes(p, eta)
    partial = 2 * pm.Beta("half", b, b, shape=len(b)) - 1
    pm.Deterministic("partial", partial)
    mean, spread = pm.Deterministic("mu", pt.stack(means)), pm.Deterministic("tau", pt.stack(spreads))
    correlation = correlation_entries(pt, [partial[n] for n in range(len(b))], p)
    matrix = pt.stack(
        [pt.stack([1.0 if i == j else correlation[max(i, j), min(i, j)] for j in range(p)]) for i in range(p)]
    )
    between = spread[:, None] * spread[None, :] * matrix
    pm.Potential(
        "y", sum((_block_density(pt, block, table, mean, between) for block in blocks(table)), pt.constant(0.0))
    )


def blocks(table: Table) -> list[Any]:
    """Return the positions of estimates that belong together, those of one study and those whose errors go together.

    Arrays of shape (g, s): g sets of s estimates each, so that all sets of one size are one computation.
    """
    n = len(table.y)
    linked = (table.same > 0) | (table.covariance != 0)
    label = np.arange(n)
    for _ in range(n):
        lowest = np.where(linked, label, n).min(axis=1)
        if (lowest == label).all():
            break
        label = lowest
    sets = [np.flatnonzero(label == x) for x in np.unique(label)]
    return [np.array([s for s in sets if s.size == size]) for size in sorted({s.size for s in sets})]


def _block_density(pt: Any, block: Any, table: Table, mean: Any, between: Any) -> Any:
    """Return the log density of sets of estimates: Cholesky's factor written out, element by element over the sets.

    The compiled model has no matrices to decompose then, which is many times faster for a few estimates per study.
    """
    size, p = block.shape[1], len(table.outcomes)
    if size > WRITTEN_OUT:
        return sum((_one_density(pt, rows, table, mean, between) for rows in block), pt.constant(0.0))
    at, flat = table.outcome[block], between.reshape((p * p,))
    factor: list[list[Any]] = []
    scaled: list[Any] = []
    density = pt.constant(-0.5 * block.size * np.log(2 * np.pi))
    for i in range(size):
        row: list[Any] = []
        for j in range(i + 1):
            same = table.same[block[:, i], block[:, j]]
            total = table.covariance[block[:, i], block[:, j]] + same * flat[at[:, i] * p + at[:, j]]
            total = total - sum((row[m] * factor[j][m] for m in range(j)), 0.0) if j < i else total
            row.append(total / factor[j][j] if j < i else pt.sqrt(total - sum((r * r for r in row), 0.0)))
        factor.append(row)
        away = table.y[block[:, i]] - mean[at[:, i]] - sum((row[m] * scaled[m] for m in range(i)), 0.0)
        scaled.append(away / row[i])
        density = density - pt.sum(0.5 * scaled[i] ** 2 + pt.log(row[i]))
    return density


def _one_density(pt: Any, rows: Any, table: Table, mean: Any, between: Any) -> Any:
    """Return the log density of one large set of estimates."""
    at = table.outcome[rows]
    total = between[at][:, at] * table.same[np.ix_(rows, rows)] + table.covariance[np.ix_(rows, rows)]
    root = pt.linalg.cholesky(total)
    away = pt.linalg.solve_triangular(root, table.y[rows] - mean[at], lower=True)
    return -0.5 * pt.sum(away**2) - pt.sum(pt.log(pt.diag(root))) - 0.5 * len(rows) * np.log(2 * np.pi)


def correlations_of(partial: FloatArray, p: int) -> FloatArray:
    """Return correlation matrices, shape (..., p, p), of draws of the partial correlations."""
    out = np.broadcast_to(np.eye(p), (*partial.shape[:-1], p, p)).copy()
    for (i, j), r in correlation_entries(np, [partial[..., n] for n in range(partial.shape[-1])], p).items():
        out[..., i, j] = out[..., j, i] = r
    return out


def true_effects(
    rng: np.random.Generator, table: Table, mu: FloatArray, tau: FloatArray, correlation: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Draw the true effects of every study in every outcome, and of a new study: shapes (draws, k, p) and (draws, p)."""
    size, p = mu.shape
    k, n = len(table.studies), len(table.y)
    between = tau[:, :, None] * tau[:, None, :] * correlation
    root = tau[:, :, None] * np.linalg.cholesky(correlation + 1e-12 * np.eye(p))
    theta = mu[:, None] + np.einsum("dij,dkj->dki", root, rng.standard_normal((size, k, p)))
    new = mu + np.einsum("dij,dj->di", root, rng.standard_normal((size, p)))
    errors = rng.standard_normal((size, n)) @ np.linalg.cholesky(table.covariance).T
    gap = table.y - theta[:, table.study, table.outcome] - errors
    few = max(1, _AT_ONCE // n**2)
    for start in range(0, size, few):
        at = slice(start, start + few)
        total = between[at][:, table.outcome][:, :, table.outcome] * table.same + table.covariance
        pull = np.linalg.solve(total, gap[at][..., None])[..., 0]
        for i in range(n):
            theta[at, table.study[i]] += between[at][:, :, table.outcome[i]] * pull[:, i : i + 1]
    return theta, new
