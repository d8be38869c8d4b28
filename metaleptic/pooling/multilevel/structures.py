"""STRUCTURES: how the true effects of one outer level spread and correlate over its inner levels.

Each structure is ``G = D R D``: standard deviations ``D`` (one, or one per inner level) around a correlation matrix
``R``. Both are written in unconstrained parameters that are smooth at the edge of what is allowed: a standard deviation
may take either sign, a correlation is a sine, a correlation matrix is a product of unit rows in angles (Pinheiro JC,
Bates DM. Stat Comput 1996;6:289-296), so that variances of exactly 0 and correlations of exactly 1 are ordinary
stationary points, not limits at infinity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class Correlation:
    """One family of correlation matrices.

    Attributes
    ----------
    count : callable
        Number of parameters for J inner levels.
    matrix : callable
        (parameters, distances) -> R.
    pull : callable
        (parameters, distances, gradient with respect to R) -> gradient with respect to the parameters.
    to_rho, from_rho : callable
        Between parameters and the correlations (or ranges) that are printed: (values, J, distances).
    """

    count: Callable[[int], int]
    matrix: Callable[[FloatArray, FloatArray], FloatArray]
    pull: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
    to_rho: Callable[[FloatArray, FloatArray], FloatArray]
    from_rho: Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class Structure:
    """One covariance structure: key, name, whether each inner level has its own variance, its correlation, source."""

    key: str
    name: str
    own_variances: bool
    correlation: Correlation
    source: str


def _nothing(phi: FloatArray, d: FloatArray) -> FloatArray:
    return np.empty(0)


_NONE = Correlation(
    lambda j: 0, lambda phi, d: np.eye(len(d)), lambda phi, d, grad: np.empty(0), _nothing, lambda rho, d: np.empty(0)
)


def _powers(low: Callable[[FloatArray], float], exponent: Callable[[FloatArray], FloatArray]) -> Correlation:
    """Correlation rho ** exponent(d) off the diagonal, rho between low(d) and 1."""

    def rho_of(phi: FloatArray, d: FloatArray) -> FloatArray:
        least = low(d)
        return least + (1 - least) * (1 + np.sin(phi)) / 2

    def phi_of(rho: FloatArray, d: FloatArray) -> FloatArray:
        least = low(d)
        return np.arcsin(np.clip(2 * (np.asarray(rho, dtype=np.float64) - least) / (1 - least) - 1, -1, 1))

    def matrix(phi: FloatArray, d: FloatArray) -> FloatArray:
        return rho_of(phi, d)[0] ** exponent(d)  # type: ignore[no-any-return]

    def pull(phi: FloatArray, d: FloatArray, grad: FloatArray) -> FloatArray:
        power = exponent(d)
        with np.errstate(divide="ignore"):
            slope = np.where(power > 0, power * rho_of(phi, d)[0] ** np.where(power > 0, power - 1, 1.0), 0.0)
        slope = np.where(np.isfinite(slope), slope, 0.0)
        return (1 - low(d)) / 2 * np.cos(phi) * np.sum(grad * slope)

    return Correlation(lambda j: 1, matrix, pull, rho_of, phi_of)


def _apart(d: FloatArray) -> FloatArray:
    return 1.0 - np.eye(len(d))


def _steps(d: FloatArray) -> FloatArray:
    return np.abs(np.subtract.outer(np.arange(len(d)), np.arange(len(d)))).astype(np.float64)


def _unit_rows(phi: FloatArray, j: int) -> FloatArray:
    """Return lower-triangular U with unit rows: row i is the point on the sphere with its i angles."""
    rows = np.zeros((j, j))
    at = 0
    for i in range(j):
        angles = phi[at : at + i]
        at += i
        rows[i, : i + 1] = np.concatenate([[1.0], np.cumprod(np.sin(angles))])
        rows[i, :i] *= np.cos(angles)
    return rows


def _free_matrix(phi: FloatArray, d: FloatArray) -> FloatArray:
    rows = _unit_rows(phi, len(d))
    return rows @ rows.T


def _free_pull(phi: FloatArray, d: FloatArray, grad: FloatArray) -> FloatArray:
    j = len(d)
    down = 2 * grad @ _unit_rows(phi, j)
    found = np.empty(len(phi))
    at = 0
    for i in range(1, j):
        sines, cosines = np.sin(phi[at : at + i]), np.cos(phi[at : at + i])
        turned = np.where(np.eye(i) == 1, cosines, sines)  # row m: the sines with the m-th differentiated
        slope = np.triu(np.concatenate([np.ones((i, 1)), np.cumprod(turned, axis=1)], axis=1), 1)
        slope[:, :i] *= cosines
        slope[np.arange(i), np.arange(i)] = -np.cumprod(np.concatenate([[1.0], sines[:-1]])) * sines
        found[at : at + i] = slope @ down[i, : i + 1]
        at += i
    return found


def lower_pairs(j: int) -> tuple[Any, Any]:
    """Return rows and columns of the pairs of inner levels, in the order in which correlations are listed."""
    columns, rows = np.triu_indices(j, 1)
    return rows, columns


def _free_rho(phi: FloatArray, d: FloatArray) -> FloatArray:
    return _free_matrix(phi, d)[lower_pairs(len(d))]  # type: ignore[no-any-return]


def _free_phi(rho: FloatArray, d: FloatArray) -> FloatArray:
    j = len(d)
    r = np.eye(j)
    at = lower_pairs(j)
    r[at] = rho
    r.T[at] = rho
    # The Cholesky factor of R has unit rows; a shade of the identity keeps it defined where R is singular.
    rows = np.linalg.cholesky((r + 1e-12 * np.eye(j)) / (1 + 1e-12))
    phi: list[float] = []
    for i in range(1, j):
        left = 1.0
        for m in range(i):
            angle = float(np.arccos(np.clip(rows[i, m] / left if left > 1e-12 else 0.0, -1, 1)))
            phi.append(angle)
            left *= float(np.sin(angle))
    return np.array(phi)


_FREE = Correlation(lambda j: j * (j - 1) // 2, _free_matrix, _free_pull, _free_rho, _free_phi)


def _by_distance(f: Callable[[FloatArray], FloatArray], slope: Callable[[FloatArray], FloatArray]) -> Correlation:
    """Correlation f(d / range): the range is printed in the place of a correlation; its logarithm is the parameter."""

    def matrix(phi: FloatArray, d: FloatArray) -> FloatArray:
        return f(d / np.exp(phi[0]))

    def pull(phi: FloatArray, d: FloatArray, grad: FloatArray) -> FloatArray:
        u = d / np.exp(phi[0])
        return np.array([-np.sum(grad * slope(u) * u)])

    return Correlation(
        lambda j: 1, matrix, pull, lambda phi, d: np.exp(phi), lambda rho, d: np.log(np.asarray(rho, dtype=np.float64))
    )


def common_correlation(together: int) -> Correlation:
    """Return one correlation for all pairs, down to -1/(m - 1) for at most m levels in one group."""
    least = -1.0 / (together - 1) if together > 1 else -1.0
    return _powers(lambda d: least, _apart)


_COMMON = common_correlation(2)
_LAGS = _powers(lambda d: -1.0, _steps)
_TIMES = _powers(lambda d: 0.0, lambda d: d)

_SPATIAL = "Cressie NAC. Statistics for spatial data. Wiley 1993"
_TOEPLITZ = "Ishak KJ et al. Clin Trials 2007;4:525-539"

STRUCTURES = MappingProxyType(
    {
        s.key: s
        for s in (
            Structure("CS", "compound symmetry", False, _COMMON, "Konstantopoulos S. Res Synth Methods 2011;2:61-76"),
            Structure(
                "HCS", "heteroscedastic compound symmetry", True, _COMMON, "Lu G, Ades A. Biostatistics 2009;10:792-805"
            ),
            Structure("UN", "unstructured", True, _FREE, "van Houwelingen HC et al. Stat Med 2002;21:589-624"),
            Structure("DIAG", "diagonal", True, _NONE, "Jackson D et al. Stat Med 2011;30:2481-2498"),
            Structure("ID", "scaled identity", False, _NONE, "Jackson D et al. Stat Med 2011;30:2481-2498"),
            Structure("AR", "first-order autoregressive", False, _LAGS, _TOEPLITZ),
            Structure("HAR", "heteroscedastic autoregressive", True, _LAGS, _TOEPLITZ),
            Structure(
                "CAR",
                "continuous-time autoregressive",
                False,
                _TIMES,
                "Trikalinos TA, Olkin I. Clin Trials 2012;9:610-620",
            ),
            Structure(
                "SPEXP",
                "exponential in distance",
                False,
                _by_distance(lambda u: np.exp(-u), lambda u: -np.exp(-u)),
                _SPATIAL,
            ),
            Structure(
                "SPGAU",
                "Gaussian in distance",
                False,
                _by_distance(lambda u: np.exp(-(u**2)), lambda u: -2 * u * np.exp(-(u**2))),
                _SPATIAL,
            ),
            Structure(
                "SPLIN",
                "linear in distance",
                False,
                _by_distance(lambda u: np.maximum(1 - u, 0), lambda u: np.where(u < 1, -1.0, 0.0)),
                _SPATIAL,
            ),
            Structure(
                "SPRAT",
                "rational quadratic in distance",
                False,
                _by_distance(lambda u: 1 / (1 + u**2), lambda u: -2 * u / (1 + u**2) ** 2),
                _SPATIAL,
            ),
            Structure(
                "SPSPH",
                "spherical in distance",
                False,
                _by_distance(
                    lambda u: np.where(u < 1, 1 - 1.5 * u + 0.5 * u**3, 0.0),
                    lambda u: np.where(u < 1, -1.5 + 1.5 * u**2, 0.0),
                ),
                _SPATIAL,
            ),
        )
    }
)
DISTANCES = frozenset({"SPEXP", "SPGAU", "SPLIN", "SPRAT", "SPSPH"})
