"""How true effects scatter around the mean: normally. The integrals over them, for large and for small tau.

Arrays: studies k, nodes of tau c, of mu m, of theta j.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline

from metaleptic.bayes.likelihoods import StudyLikelihood
from metaleptic.bayes.real import Grid
from metaleptic.types import FloatArray

SMALL = (3e-3, 3e-2, 0.3)  # of the narrowest study: bounds of the panels of small tau ...
ORDERS = (4, 8, 24)  # ... and the Gauss-Hermite orders that serve them
_LOG_SQRT_2PI = 0.5 * float(np.log(2 * np.pi))


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """A distribution of true effects around mu with spread tau.

    Attributes
    ----------
    kernel : callable
        ``kernel(theta, m, tau)``: density of theta times the weight of its node, shape (c, j, m).
    near : callable
        ``near(theta, tau)``: values of mu near each theta and weights, shape (j, z), whose sum integrates a smooth
        function of mu times the density of theta given mu.
    log_large, log_small : callable
        Log of each study's likelihood with theta integrated out, shape (k, c, m), where tau is large or small against
        the narrowest study.
    """

    kernel: Callable[[Grid, FloatArray, FloatArray], FloatArray]
    near: Callable[[FloatArray, float], tuple[FloatArray, FloatArray]]
    log_large: Callable[[StudyLikelihood, Grid, FloatArray, FloatArray, FloatArray, FloatArray], FloatArray]
    log_small: Callable[[StudyLikelihood, FloatArray, FloatArray, float], FloatArray]


@cache
def hermite(n: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights that average over a standard normal distribution."""
    z, w = np.polynomial.hermite_e.hermegauss(n)
    return np.asarray(z), np.asarray(w / w.sum())


def log_sum(log: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the log of a weighted sum of exponentials over the last axis."""
    top = log.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(log - top) @ weight) + top[..., 0])


def normal_kernel(theta: Grid, m: FloatArray, tau: FloatArray) -> FloatArray:
    """Return N(theta; mu, tau^2) times the weight of theta's node."""
    log = (theta.x[:, None] - m) ** 2
    out = log[None] * (-0.5 / tau**2)[:, None, None]
    out += (np.log(theta.weight) - _LOG_SQRT_2PI)[:, None] - np.log(tau)[:, None, None]
    np.exp(out, out=out)
    return np.asarray(out)


def normal_near(theta: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    """Return Gauss-Hermite nodes around theta."""
    z, w = hermite(16)
    return theta[:, None] + tau * z, np.broadcast_to(w, (theta.size, w.size))


def by_matrix(
    study: StudyLikelihood, theta: Grid, log_theta: FloatArray, kernel: FloatArray, m: FloatArray, tau: FloatArray
) -> FloatArray:
    """Integrate by the trapezoidal rule over one grid of theta."""
    top = log_theta.max(axis=1)
    with np.errstate(divide="ignore"):
        log = np.log(np.matmul(np.exp(log_theta - top[:, None])[None], kernel))
    return np.asarray(np.maximum(log, -700.0).transpose(1, 0, 2) + top[:, None, None])


def by_hermite(study: StudyLikelihood, m: FloatArray, tau: FloatArray, narrow: float) -> FloatArray:
    """Integrate by Gauss-Hermite quadrature around mu."""
    order = ORDERS[int(np.searchsorted(SMALL, tau.max() / narrow))]
    z, w = hermite(order)
    points = m + tau[:, None, None] * z[:, None]  # (c, z, m)
    log = study.log(points.reshape(1, -1)).reshape(len(study), *points.shape)
    top = log.max(axis=2, keepdims=True)
    return np.asarray(np.log(np.einsum("kczm,z->kcm", np.exp(log - top), w)) + top[:, :, 0])


NORMAL = Between(normal_kernel, normal_near, by_matrix, by_hermite)


def spread_large(q: FloatArray, mu_grid: Grid, theta: Grid, kernel: FloatArray) -> FloatArray:
    """Integrate exp(q) times the kernel over mu for each function: shape (functions, c, j)."""
    top = q.max(axis=2, keepdims=True)
    scaled = np.exp(q - top) * mu_grid.weight
    out = np.matmul(kernel, scaled.transpose(1, 2, 0)).transpose(2, 0, 1) / theta.weight
    return np.asarray(out * np.exp(top))


def spread_small(q: FloatArray, mu_grid: Grid, theta: Grid, tau: FloatArray, between: Between) -> FloatArray:
    """Do the same where tau is smaller than the grid of mu is fine.

    The function is interpolated (a spline of its log) at values of mu near each theta.
    """
    out = np.empty((q.shape[0], tau.size, theta.xi.size))
    xi = mu_grid.xi
    spline = make_interp_spline(xi, np.maximum(q, q.max() - 600.0).reshape(-1, xi.size).T, k=7)
    coefficients = spline.c.reshape(len(spline.c), q.shape[0], tau.size)
    for c in range(tau.size):
        points, w = between.near(theta.x, float(tau[c]))
        at = mu_grid.back(points)
        inside = (at >= xi[0]) & (at <= xi[-1])
        log = BSpline(spline.t, coefficients[:, :, c], 7)(np.clip(at, xi[0], xi[-1]))
        out[:, c] = np.einsum("jzf,jz->fj", np.exp(log), np.where(inside, w, 0.0))
    return out
