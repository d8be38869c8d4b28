"""Correlation matrices with an LKJ prior, density det(R)^(eta - 1): built from partial correlations that are independent.

Source: Lewandowski D, Kurowicka D, Joe H. J Multivar Anal 2009;100:1989-2001 (C-vine).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.types import FloatArray


def pairs(p: int) -> list[tuple[int, int, int]]:
    """Return (row, column, number) of the partial correlations below the diagonal, column by column."""
    found = [(i, j) for j in range(p - 1) for i in range(j + 1, p)]
    return [(i, j, n) for n, (i, j) in enumerate(found)]


def beta_shapes(p: int, eta: float) -> FloatArray:
    """Return the shape of the symmetric beta distribution of (1 + partial correlation) / 2, one per pair."""
    return np.array([eta + (p - 2 - j) / 2 for _, j, _ in pairs(p)])


def factor(xp: Any, partial: list[Any], p: int) -> list[list[Any]]:
    """Return the rows of the lower triangular factor L of the correlation matrix L L'; ``xp`` is numpy or PyTensor."""
    at = {(i, j): partial[n] for i, j, n in pairs(p)}
    rows: list[list[Any]] = []
    for i in range(p):
        left: Any = 1.0
        row: list[Any] = []
        for j in range(i):
            row.append(at[i, j] * xp.sqrt(left))
            left = left * (1 - at[i, j] ** 2)
        rows.append([*row, xp.sqrt(left) if i else 1.0])
    return rows


def correlation_entries(xp: Any, partial: list[Any], p: int) -> dict[tuple[int, int], Any]:
    """Return the correlations (i, j), i > j."""
    rows = factor(xp, partial, p)
    return {(i, j): sum(rows[i][m] * rows[j][m] for m in range(j + 1)) for i in range(p) for j in range(i)}


def draw_correlations(p: int, eta: float, size: int, rng: np.random.Generator) -> FloatArray:
    """Draw correlation matrices from the LKJ distribution: shape (size, p, p)."""
    partial = [2 * rng.beta(b, b, size) - 1 for b in beta_shapes(p, eta)]
    out = np.broadcast_to(np.eye(p), (size, p, p)).copy()
    for (i, j), r in correlation_entries(np, partial, p).items():
        out[:, i, j] = out[:, j, i] = r
    return out
