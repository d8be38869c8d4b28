"""Crossed random effects of many effects: the large block taken apart into small ones and a matrix of low rank.

Groupings that tie everything together ("global": few levels, many effects each) are taken out, so that the rest falls into
small blocks D; M = D + Z G Z' is then inverted through the levels of the global groupings (Woodbury). Source: Harville DA.
J Am Stat Assoc 1977;72:320-338, section 5. The slope needs M inverse in two places only, among levels and within blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from metaleptic.pooling.multilevel.blocks import Batch, IntArray, Term, batches, components, inverse_and_logdet
from metaleptic.pooling.multilevel.likelihood import LOG_2PI, Problem, gather, spread
from metaleptic.types import FloatArray

WORTH_IT = 150  # effects in one block from which another way is looked for
CHEAPER = 8.0  # times fewer operations that it must then save


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """Blocks without the global terms, and the levels of those.

    Attributes
    ----------
    taken, local : tuple of int
        Places of the global terms and of the others among all terms.
    blocks : tuple of Batch
        Effects in blocks that the other terms and V tie together.
    columns : tuple of ndarray
        Per batch, for each effect the column of Z of each global term (or the number of columns: padding).
    codes : tuple of ndarray of shape (q, q)
        Per global term which entry of its G each pair of its own columns takes.
    starts : tuple of int
        First column of each global term; the last entry is the number of columns.
    """

    taken: tuple[int, ...]
    local: tuple[int, ...]
    blocks: tuple[Batch, ...]
    columns: tuple[IntArray, ...]
    codes: tuple[IntArray, ...]
    starts: tuple[int, ...]


def find_low_rank(
    y: FloatArray, x: FloatArray, v: FloatArray, terms: Sequence[Term], sizes: Sequence[int]
) -> LowRank | None:
    """Return the cheapest way to take global terms out, or None if the blocks as they are do."""
    whole = _sizes(components(v, terms))
    if whole.max() < WORTH_IT:
        return None
    levels = [np.unique(t.outer * j + t.inner, return_inverse=True) for t, j in zip(terms, sizes, strict=True)]
    candidates = [i for i, t in enumerate(terms) if t.loading is None]
    best, least = None, float((whole.astype(np.float64) ** 3).sum()) / CHEAPER
    for n in range(1, len(candidates) + 1):
        for taken in combinations(candidates, n):
            left = _sizes(components(v, [t for i, t in enumerate(terms) if i not in taken])).astype(np.float64)
            q = sum(len(levels[i][0]) for i in taken)
            cost = float((left**3).sum()) + len(y) * q * (q + float(left.max())) + 3.0 * q**3
            if cost < least:
                best, least = taken, cost
    if best is None:
        return None
    local = tuple(i for i in range(len(terms)) if i not in best)
    blocks = batches(y, x, v, [terms[i] for i in local], [sizes[i] for i in local])
    starts = np.cumsum([0, *(len(levels[i][0]) for i in best)]).tolist()
    row_columns = np.stack([levels[i][1].ravel() + a for i, a in zip(best, starts, strict=False)], axis=1)
    codes = []
    for i in best:
        outer, inner = np.divmod(levels[i][0], sizes[i])
        same = outer[:, None] == outer[None, :]
        codes.append(np.where(same, inner[:, None] * sizes[i] + inner[None, :], sizes[i] ** 2))
    columns = tuple(np.where(b.real[..., None], row_columns[b.rows], starts[-1]) for b in blocks)
    return LowRank(tuple(best), local, blocks, columns, tuple(codes), tuple(starts))


def _sizes(block: IntArray) -> IntArray:
    return np.bincount(block)


def low_rank_slope(problem: Problem, parts: LowRank, theta: FloatArray) -> tuple[float, FloatArray]:
    """Return the log-likelihood and its slope, as ``likelihood.loglik_and_slope`` does."""
    pieces = problem.split(theta)
    matrices = [c.matrix(t) for c, t in zip(problem.covariances, pieces, strict=True)]
    local = [matrices[i] for i in parts.local]
    p, q = problem.p, parts.starts[-1]
    failed = -np.inf, np.zeros_like(theta)
    inverses, through, right = [], [], []
    b, zr, rr, logdet = np.zeros((q, q)), np.zeros((q, p + 1)), np.zeros((p + 1, p + 1)), 0.0
    for batch, column in zip(parts.blocks, parts.columns, strict=True):
        inverted = inverse_and_logdet(spread(problem, batch, local))
        if inverted is None:
            return failed
        d, ld = inverted
        z = _indicator(column, q)
        u = d @ z
        data = np.concatenate([batch.x, batch.y[..., None]], axis=-1)
        ddata = d @ data
        flat = z.reshape(-1, q)
        b += flat.T @ u.reshape(-1, q)
        zr += flat.T @ ddata.reshape(-1, p + 1)
        rr += data.reshape(-1, p + 1).T @ ddata.reshape(-1, p + 1)
        logdet += ld
        inverses.append(d)
        through.append(u)
        right.append(ddata)
    gamma = np.zeros((q, q))
    for i, code, start, end in zip(parts.taken, parts.codes, parts.starts[:-1], parts.starts[1:], strict=True):
        gamma[start:end, start:end] = np.append(matrices[i].ravel(), 0.0)[code]
    inner = np.eye(q) + gamma @ b
    sign, inner_logdet = np.linalg.slogdet(inner)
    if sign <= 0:
        return failed
    s = np.linalg.solve(inner, gamma)
    s = (s + s.T) / 2
    gram = rr - zr.T @ s @ zr
    xx, xy, yy = gram[:p, :p], gram[:p, p], gram[p, p]
    sign, logdet_xwx = np.linalg.slogdet(xx)
    if sign <= 0:
        return failed
    cov = np.linalg.inv(xx)
    beta = cov @ xy
    rss = float(yy - xy @ beta)
    logdet += float(inner_logdet)
    if problem.restricted:
        k = problem.k - p
        value = -0.5 * (k * LOG_2PI - problem.logdet_xx + logdet + float(logdet_xwx) + rss)
    else:
        value = -0.5 * (problem.k * LOG_2PI + logdet + rss)
    combine = np.append(-beta, 1.0)  # residuals from [X, y]
    zw = zr - b @ (s @ zr)  # Z'W [X, y]
    grads = [np.zeros((c.levels, c.levels)) for c in problem.covariances]
    zwr = zw @ combine
    among = np.outer(zwr, zwr) - (b - b @ s @ b)
    if problem.restricted:
        among += zw[:, :p] @ cov @ zw[:, :p].T
    for i, code, start, end in zip(parts.taken, parts.codes, parts.starts[:-1], parts.starts[1:], strict=True):
        size = grads[i].size
        found = np.bincount(code.ravel(), weights=among[start:end, start:end].ravel(), minlength=size + 1)
        grads[i] += 0.5 * found[:size].reshape(grads[i].shape)
    if parts.local:
        szr = s @ zr
        own = [grads[i] for i in parts.local]
        for batch, d, u, ddata in zip(parts.blocks, inverses, through, right, strict=True):
            w_data = ddata - u @ szr
            wr = w_data @ combine
            a = wr[:, :, None] * wr[:, None, :] - d + (u @ s) @ u.swapaxes(-1, -2)
            if problem.restricted:
                wx = w_data[..., :p]
                a += wx @ cov @ wx.swapaxes(-1, -2)
            gather(own, batch, a)
    slopes = [c.pull(t, g) for c, t, g in zip(problem.covariances, pieces, grads, strict=True)]
    return value, np.concatenate(slopes)


def _indicator(column: IntArray, q: int) -> FloatArray:
    """Return Z of a batch: 1 where an effect has a level."""
    z = np.zeros((*column.shape[:2], q + 1))
    first, second = np.indices(column.shape[:2])
    for j in range(column.shape[2]):
        z[first, second, column[..., j]] = 1.0
    return z[..., :q]
