"""Which effects depend on each other: the covariance matrix as independent blocks, equal sizes stacked.

Effects of different blocks share neither sampling error nor random effect, so that a likelihood of k effects costs the
sum over blocks, in a few stacked operations, and not the cube of k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from metaleptic.types import FloatArray

IntArray = NDArray[np.intp]
STACKED_UP_TO = 48  # larger matrices are inverted by halves, so that no library starts threads for them
HALVED_UP_TO = 192  # and the largest one by one through LAPACK's symmetric routines, where threads are worth it


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One random term, ready for arithmetic.

    Attributes
    ----------
    inner : ndarray of shape (k,)
        Position of each effect among the inner levels (0 for a random intercept).
    outer : ndarray of shape (k,)
        Position of each effect among the outer levels: effects of different outer levels are independent.
    loading : ndarray of shape (k, q) or None
        Covariates of random slopes, in place of inner levels.
    """

    inner: IntArray
    outer: IntArray
    loading: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Blocks of one padded size; a padded place has variance 1, no effect and no covariance.

    ``codes`` say per term which entry of its G each entry of the block takes (the last: none); ``shared`` is 1 where a
    random intercept is shared.
    """

    rows: IntArray
    real: NDArray[np.bool_]
    y: FloatArray
    x: FloatArray
    v: FloatArray
    codes: tuple[IntArray, ...]
    shared: tuple[FloatArray | None, ...]
    loadings: tuple[FloatArray | None, ...]


def components(v: FloatArray, terms: Sequence[Term]) -> IntArray:
    """Give a number to each block of effects that hangs together through V or a random term."""
    k = len(v)
    pairs = np.nonzero(np.triu(v, 1)) if v.ndim == 2 else (np.empty(0, dtype=np.intp),) * 2
    label = np.arange(k)
    for _ in range(30):  # every effect takes the lowest label it is tied to; chains are short but for crossed terms
        before = label
        for term in terms:
            lowest = np.full(int(term.outer.max()) + 1, k)
            np.minimum.at(lowest, term.outer, label)
            label = lowest[term.outer]
        if pairs[0].size:
            label = label.copy()
            np.minimum.at(label, pairs[1], label[pairs[0]])
            np.minimum.at(label, pairs[0], label[pairs[1]])
        if np.array_equal(label, before):
            return np.unique(label, return_inverse=True)[1].astype(np.intp)
    first = [np.unique(t.outer, return_index=True)[1][t.outer] for t in terms]
    ends = np.concatenate([pairs[1], *first])
    starts = np.concatenate([pairs[0], *([np.arange(k)] * len(terms))])
    graph = sparse.coo_array((np.ones(len(ends)), (starts, ends)), shape=(k, k))
    return sparse.csgraph.connected_components(graph, directed=False)[1].astype(np.intp)


def batches(
    y: FloatArray, x: FloatArray, v: FloatArray, terms: Sequence[Term], sizes: Sequence[int]
) -> tuple[Batch, ...]:
    """Stack the blocks; ``sizes`` are the numbers of inner levels of the terms."""
    block = components(v, terms)
    order = np.argsort(block, kind="stable")
    starts = np.flatnonzero(np.diff(block[order], prepend=-1))
    members = np.split(order, starts[1:])
    by_size: dict[int, list[IntArray]] = {}
    for rows in members:
        by_size.setdefault(_padded(len(rows)), []).append(rows)
    if sum(n * n * len(m) for n, m in by_size.items()) < 40_000 and len(by_size) > 1 and max(by_size) <= 16:
        most = max(by_size)
        by_size = {most: [rows for group in by_size.values() for rows in group]}
    return tuple(_stack(y, x, v, terms, sizes, group) for _, group in sorted(by_size.items()))


def _padded(n: int) -> int:
    return n if n <= 4 or n > STACKED_UP_TO else 4 * ((n + 3) // 4) if n <= 16 else 8 * ((n + 7) // 8)


def _stack(
    y: FloatArray, x: FloatArray, v: FloatArray, terms: Sequence[Term], sizes: Sequence[int], group: list[IntArray]
) -> Batch:
    n = max(len(rows) for rows in group)
    at = np.zeros((len(group), n), dtype=np.intp)
    real = np.zeros((len(group), n), dtype=np.bool_)
    for i, rows in enumerate(group):
        at[i, : len(rows)] = rows
        real[i, : len(rows)] = True
    both = real[:, :, None] & real[:, None, :]
    square = (v[at[:, :, None], at[:, None, :]]) if v.ndim == 2 else v[at][:, :, None] * np.eye(n)
    codes = []
    for term, j in zip(terms, sizes, strict=True):
        same = both & (term.outer[at][:, :, None] == term.outer[at][:, None, :])
        codes.append(np.where(same, term.inner[at][:, :, None] * j + term.inner[at][:, None, :], j * j))
    return Batch(
        rows=at,
        real=real,
        y=np.where(real, y[at], 0.0),
        x=np.where(real[..., None], x[at], 0.0),
        v=np.where(both, square, np.eye(n)),
        codes=tuple(codes),
        shared=tuple(
            (c == 0).astype(np.float64) if j == 1 and t.loading is None else None
            for c, j, t in zip(codes, sizes, terms, strict=True)
        ),
        loadings=tuple(None if t.loading is None else np.where(real[..., None], t.loading[at], 0.0) for t in terms),
    )


def inverse_and_logdet(m: FloatArray) -> tuple[FloatArray, float] | None:
    """Invert stacked covariance matrices; None if one is not positive definite."""
    if m.shape[-1] == 1:
        flat = m[:, 0, 0]
        return (1 / m, float(np.log(flat).sum())) if bool((flat > 0).all()) else None
    if m.shape[-1] <= STACKED_UP_TO:
        try:
            root = np.linalg.cholesky(m)
        except np.linalg.LinAlgError:
            return None
        half = np.linalg.inv(root)
        return half.swapaxes(-1, -2) @ half, 2 * float(np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum())
    if m.shape[-1] <= HALVED_UP_TO:
        return _inverse_by_halves(m)
    out, logdet = np.empty_like(m), 0.0
    for i, one in enumerate(m):
        root, failed = linalg.lapack.dpotrf(one, lower=1)
        if failed:
            return None
        logdet += 2 * float(np.log(np.diagonal(root)).sum())
        lower = np.tril(linalg.lapack.dpotri(root, lower=1)[0])
        out[i] = lower + np.tril(lower, -1).T
    return out, logdet


def _inverse_by_halves(m: FloatArray) -> tuple[FloatArray, float] | None:
    """Invert by way of the upper left quarter and its Schur complement.

    The library's own routines would start threads for matrices of this size, which costs more than the inversion.
    """
    half = m.shape[-1] // 2
    cross = m[:, half:, :half]
    first = inverse_and_logdet(np.ascontiguousarray(m[:, :half, :half]))
    if first is None:
        return None
    regressed = cross @ first[0]
    second = inverse_and_logdet(m[:, half:, half:] - regressed @ cross.swapaxes(-1, -2))
    if second is None:
        return None
    out = np.empty_like(m)
    out[:, half:, half:] = second[0]
    out[:, half:, :half] = lower = -second[0] @ regressed
    out[:, :half, half:] = lower.swapaxes(-1, -2)
    out[:, :half, :half] = first[0] - regressed.swapaxes(-1, -2) @ lower
    return out, first[1] + second[1]
