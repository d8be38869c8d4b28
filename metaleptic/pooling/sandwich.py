"""Cluster-robust covariance matrices and their degrees of freedom: arrays and blocks, no nouns.

Sources: Bell RM, McCaffrey DF. Surv Methodol 2002;28:169-181 (CR2, Satterthwaite); Tipton E. Psychol Methods
2015;20:375-393 (meta-regression); Pustejovsky JE, Tipton E. J Bus Econ Stat 2018;36:672-683 (CR2 with any design, F tests
of several coefficients).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import special

from metaleptic.pooling.multilevel.blocks import IntArray
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class Correction:
    """One small-sample correction: key, name, source."""

    key: str
    name: str
    source: str


TYPES = MappingProxyType(
    {
        c.key: c
        for c in (
            Correction(
                "CR2",
                "bias-reduced linearisation: unbiased if the model of the fit is right",
                "Pustejovsky JE, Tipton E. J Bus Econ Stat 2018;36:672-683",
            ),
            Correction("CR1", "times m / (m - 1)", "Hedges LV, Tipton E, Johnson MC. Res Synth Methods 2010;1:39-65"),
            Correction("CR1p", "times m / (m - p)", "Hedges LV, Tipton E, Johnson MC. Res Synth Methods 2010;1:39-65"),
            Correction(
                "CR1S",
                "times m (k - 1) / ((m - 1) (k - p))",
                "Cameron AC, Miller DL. J Hum Resour 2015;50:317-372",
            ),
            Correction("CR0", "none", "Liang KY, Zeger SL. Biometrika 1986;73:13-22"),
        )
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """One cluster: its rows, design, residuals, and the model's covariance matrix with its inverse."""

    rows: IntArray
    x: FloatArray
    e: FloatArray
    phi: FloatArray
    w: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Sandwich:
    """A robust covariance matrix, with what its degrees of freedom are computed from.

    Attributes
    ----------
    cov : ndarray of shape (p, p)
        Robust covariance of the coefficients.
    reached : tuple of ndarray of shape (n, p)
        Per cluster A W X C: how its residuals reach the coefficients.
    """

    cov: FloatArray
    reached: tuple[FloatArray, ...]


def correction(kind: str, m: int, k: int, p: int) -> float:
    """Return the factor by which the plain sandwich is multiplied."""
    if kind == "CR1":
        return m / (m - 1)
    if kind == "CR1p":
        return m / (m - p)
    if kind == "CR1S":
        return m * (k - 1) / ((m - 1) * (k - p))
    return 1.0


def sandwich(clusters: Sequence[Cluster], c: FloatArray, kind: str) -> Sandwich:
    """Compute the robust covariance; ``c`` is the model's covariance of the coefficients."""
    m, p = len(clusters), len(c)
    k = sum(len(one.e) for one in clusters)
    reached = []
    meat = np.zeros((p, p))
    for one in clusters:
        wxc = one.w @ one.x @ c
        if kind == "CR2":
            wxc = _adjustment(one, c).T @ wxc
        reached.append(wxc)
        g = wxc.T @ one.e
        meat += np.outer(g, g)
    return Sandwich(correction(kind, m, k, p) * meat, tuple(reached))


def _adjustment(one: Cluster, c: FloatArray) -> FloatArray:
    """Return A = U' B^(-1/2) U with Phi = U'U and B = U (Phi - X C X') U'."""
    if len(one.e) == 1:
        left = float(one.phi[0, 0] - (one.x @ c @ one.x.T)[0, 0]) / float(one.phi[0, 0])
        return np.array([[1 / np.sqrt(left) if left > 1e-10 else 0.0]])
    upper = np.linalg.cholesky(one.phi).T
    b = upper @ (one.phi - one.x @ c @ one.x.T) @ upper.T
    size, direction = np.linalg.eigh((b + b.T) / 2)
    kept = size > 1e-10 * max(float(size[-1]), 1e-300)
    power = np.where(kept, 1 / np.sqrt(np.where(kept, size, 1.0)), 0.0)
    return np.asarray(upper.T @ (direction * power) @ direction.T @ upper)


def _pieces(clusters: Sequence[Cluster], found: Sandwich, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return b' Phi b per cluster and pair of rows (m, q, q), and X' b per cluster and row (m, q, p)."""
    own, through = [], []
    for one, reached in zip(clusters, found.reached, strict=True):
        b = reached @ rows.T
        own.append(b.T @ one.phi @ b)
        through.append(b.T @ one.x)
    return np.array(own), np.array(through)


def satterthwaite(clusters: Sequence[Cluster], found: Sandwich, c: FloatArray, rows: FloatArray) -> FloatArray:
    """Degrees of freedom of each combination of coefficients."""
    own, through = _pieces(clusters, found, rows)
    products = _products(own, through, c)
    mean = own.sum(axis=0).diagonal() - np.einsum("isp,pr,isr->s", through, c, through)
    return np.asarray(mean**2 / np.array([products(s, s, s, s) for s in range(len(rows))]))


def _products(own: FloatArray, through: FloatArray, c: FloatArray) -> Callable[[int, int, int, int], float]:
    """Return the sum over pairs of clusters of P_st P_uv, where P_st = diag(b' Phi b) - X'b C (X'b)'.

    Nothing of the size of clusters times clusters is made.
    """
    tied = np.einsum("isp,pr,itr->ist", through, c, through)  # diagonal of the second part
    cross = np.einsum("isp,itr->stpr", through, through)

    def product(s: int, t: int, u: int, v: int) -> float:
        first, second = own[:, s, t], own[:, u, v]
        diagonal = np.sum(first * second - first * tied[:, u, v] - second * tied[:, s, t])
        return float(diagonal + np.trace(cross[s, u].T @ c @ cross[t, v] @ c.T))

    return product


def hotelling(
    clusters: Sequence[Cluster], found: Sandwich, c: FloatArray, beta: FloatArray, rows: FloatArray
) -> tuple[float, int, float, float]:
    """Test several combinations together by the approximate Hotelling test (HTZ): F, df, denominator df, p."""
    q = len(rows)
    own, through = _pieces(clusters, found, rows)
    omega = own.sum(axis=0) - np.einsum("iap,pr,ibr->ab", through, c, through)
    size, direction = np.linalg.eigh((omega + omega.T) / 2)
    root = (direction / np.sqrt(size)) @ direction.T
    own = root @ own @ root
    through = np.einsum("ab,ibp->iap", root, through)
    products = _products(own, through, c)
    total = sum(products(s, s, t, t) + products(s, t, t, s) for s in range(q) for t in range(q))
    eta = q * (q + 1) / total
    difference = rows @ beta
    wald = float(difference @ np.linalg.solve(rows @ found.cov @ rows.T, difference))
    df2 = eta - q + 1
    if df2 <= 0:
        return float("nan"), q, df2, float("nan")
    f = df2 / (eta * q) * wald
    return f, q, df2, float(special.fdtrc(q, df2, f))
