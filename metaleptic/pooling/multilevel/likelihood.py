"""Log-likelihood of a multilevel model and its slope, block by block.

Restricted likelihood: Harville DA. J Am Stat Assoc 1977;72:320-338. With W the inverse of the covariance matrix M, r the
residuals of the weighted fit and C the covariance of the coefficients, the slope with respect to M is
(W r r' W - W + W X C X' W) / 2; each parameter of the random terms collects its share of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metaleptic.pooling.multilevel.blocks import Batch, inverse_and_logdet
from metaleptic.pooling.multilevel.structures import Correlation
from metaleptic.types import FloatArray

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, slots=True, eq=False)
class Covariance:
    """Parameters of one random term: standard deviations first, then those of its correlation."""

    levels: int
    own_variances: bool
    correlation: Correlation
    distance: FloatArray
    slopes: bool = False

    @property
    def deviations(self) -> int:
        """Number of standard deviations."""
        return self.levels if self.own_variances else 1

    @property
    def count(self) -> int:
        """Number of parameters."""
        return self.deviations + self.correlation.count(self.levels)

    def matrix(self, theta: FloatArray) -> FloatArray:
        """Return G, the covariance of the true effects of one outer level."""
        if self.levels == 1:
            return theta[:1, None] ** 2
        sd = theta[: self.deviations] * np.ones(self.levels)
        return sd[:, None] * self.correlation.matrix(theta[self.deviations :], self.distance) * sd

    def pull(self, theta: FloatArray, grad: FloatArray) -> FloatArray:
        """Turn the slope with respect to G into that with respect to the parameters."""
        if self.levels == 1:
            return 2 * grad[0] * theta[:1]  # type: ignore[no-any-return]
        sd = theta[: self.deviations] * np.ones(self.levels)
        phi = theta[self.deviations :]
        r = self.correlation.matrix(phi, self.distance)
        by_level = 2 * (grad * r) @ sd
        by_sd = by_level if self.own_variances else np.array([by_level.sum()])
        return np.concatenate([by_sd, np.ravel(self.correlation.pull(phi, self.distance, sd[:, None] * grad * sd))])


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Everything the likelihood needs."""

    batches: tuple[Batch, ...]
    covariances: tuple[Covariance, ...]
    k: int
    p: int
    restricted: bool
    logdet_xx: float

    slices: tuple[slice, ...]

    def split(self, theta: FloatArray) -> list[FloatArray]:
        """Cut the parameters into those of each term."""
        return [theta[s] for s in self.slices]


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """The weighted fit at given variance parameters."""

    beta: FloatArray
    cov: FloatArray
    loglik_ml: float
    loglik_reml: float
    weights: tuple[FloatArray, ...]
    residuals: tuple[FloatArray, ...]
    rss: float


def spread(problem: Problem, batch: Batch, matrices: Sequence[FloatArray]) -> FloatArray:
    """Return the covariance matrices of the blocks: sampling errors plus every random term."""
    m: FloatArray = batch.v.copy()
    for g, code, shared, loading in zip(matrices, batch.codes, batch.shared, batch.loadings, strict=True):
        if shared is not None:
            m += g[0, 0] * shared
        elif loading is not None:
            m += np.where(code == 0, loading @ g @ loading.swapaxes(-1, -2), 0.0)
        else:
            m += np.append(g.ravel(), 0.0)[code]
    return m


def solve(problem: Problem, theta: FloatArray) -> Solved | None:
    """Fit the coefficients at given variance parameters; None where M is not positive definite."""
    matrices = [c.matrix(t) for c, t in zip(problem.covariances, problem.split(theta), strict=True)]
    p = problem.p
    xx, xy, logdet = np.zeros((p, p)), np.zeros(p), 0.0
    weights, wxs = [], []
    for batch in problem.batches:
        inverted = inverse_and_logdet(spread(problem, batch, matrices))
        if inverted is None:
            return None
        w, ld = inverted
        wx = w @ batch.x
        flat = wx.reshape(-1, p)
        xx += flat.T @ batch.x.reshape(-1, p)
        xy += flat.T @ batch.y.ravel()
        logdet += ld
        weights.append(w)
        wxs.append(wx)
    if p == 1:
        if not xx[0, 0] > 0:
            return None
        cov, logdet_xwx = 1 / xx, float(np.log(xx[0, 0]))
    else:
        try:
            root = np.linalg.cholesky((xx + xx.T) / 2)
        except np.linalg.LinAlgError:
            return None
        half = np.linalg.inv(root)
        cov, logdet_xwx = half.T @ half, 2 * float(np.log(root.diagonal()).sum())
    beta = cov @ xy
    rss, residuals = 0.0, []
    for batch, w in zip(problem.batches, weights, strict=True):
        r = batch.y - batch.x @ beta
        wr = (w @ r[..., None])[..., 0]
        rss += float(np.einsum("bi,bi->", r, wr))
        residuals.append(wr)
    ml = -0.5 * (problem.k * LOG_2PI + logdet + rss)
    reml = -0.5 * ((problem.k - p) * LOG_2PI - problem.logdet_xx + logdet + logdet_xwx + rss)
    return Solved(beta, cov, ml, reml, tuple(weights), tuple(residuals), rss)


def loglik_and_slope(problem: Problem, theta: FloatArray) -> tuple[float, FloatArray]:
    """Return the (restricted) log-likelihood and its slope; minus infinity where M is not positive definite."""
    done = solve(problem, theta)
    if done is None:
        return -np.inf, np.zeros_like(theta)
    grads = [np.zeros((c.levels, c.levels)) for c in problem.covariances]
    for batch, w, wr in zip(problem.batches, done.weights, done.residuals, strict=True):
        a = wr[:, :, None] * wr[:, None, :] - w
        if problem.restricted:
            wx = w @ batch.x
            a += wx @ done.cov @ wx.swapaxes(-1, -2)
        gather(grads, batch, a)
    slopes = [c.pull(t, g) for c, t, g in zip(problem.covariances, problem.split(theta), grads, strict=True)]
    value = done.loglik_reml if problem.restricted else done.loglik_ml
    return value, np.concatenate(slopes) if slopes else np.empty(0)


def gather(grads: Sequence[FloatArray], batch: Batch, a: FloatArray) -> None:
    """Add to the slope of each G its share of twice the slope with respect to M."""
    for g, code, shared, loading in zip(grads, batch.codes, batch.shared, batch.loadings, strict=True):
        if shared is not None:
            g += 0.5 * np.einsum("bij,bij->", a, shared)  # np.vdot would start threads
        elif loading is not None:
            g += 0.5 * np.einsum("bia,bij,bjc->ac", loading, np.where(code == 0, a, 0.0), loading, optimize=True)
        else:
            size = g.size
            g += 0.5 * np.bincount(code.ravel(), weights=a.ravel(), minlength=size + 1)[:size].reshape(g.shape)


def row_of_blocks(problem: Problem, stacked: Sequence[FloatArray]) -> NDArray[np.float64]:
    """Bring per-block vectors back to the order of the effects."""
    out = np.zeros(problem.k)
    for batch, values in zip(problem.batches, stacked, strict=True):
        out[batch.rows[batch.real]] = values[batch.real]
    return out
