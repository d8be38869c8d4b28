"""The search for the best coefficients of a location-scale model, and whether there are any.

Along some directions the likelihood may rise without end, towards a between-study variance of zero for some studies: there
is nothing to estimate there, though a lower maximum with finite coefficients may exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from metaleptic.pooling.residual_heterogeneity import weighted_fit
from metaleptic.types import FloatArray

STARTS = (-6.0, -4.0, -2.0, 0.0, 2.0)  # log tau2 / typical variance from which the search begins
TILTS = (-1.5, 1.5)  # SD of log tau2 between studies along a column, for a second search
FLAT = -25.0  # log tau2 relative to the variances below which the between-study variance is zero
SMALL = -10.0  # and below which a search that has not settled is on its way there
CURVED = 1e-9  # least curvature of a maximum, in coordinates in which that of a study is of order 1

Objective = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Where searches ended.

    ``alpha`` with the observed ``information`` and ``loglik`` are of the highest maximum with finite coefficients (None: there
    is none); ``edge`` is the highest likelihood on the way to coefficients without bounds, and ``vanishing`` the study whose
    between-study variance vanishes there (-1: none does, the likelihood is flat instead).
    """

    alpha: FloatArray | None
    information: FloatArray
    loglik: float
    edge: float
    vanishing: int


def negative_log_likelihood(
    alpha: FloatArray, y: FloatArray, v: FloatArray, x: FloatArray, z: FloatArray, restricted: bool
) -> tuple[float, FloatArray]:
    """Return minus the (restricted) log-likelihood and its gradient in alpha; x is orthonormal."""
    t2 = np.exp(np.clip(z @ alpha, -60, 60))
    w = 1 / (v + t2)
    fit = weighted_fit(y, x, w)
    k, p = x.shape
    value = 0.5 * float(np.sum(np.log(v + t2)) + np.sum(w * fit.residual**2))
    slope = 0.5 * (w - w**2 * fit.residual**2)
    value += 0.5 * (k - p if restricted else k) * np.log(2 * np.pi)
    if restricted:
        value += 0.5 * float(fit.logdet)
        slope = slope - 0.5 * w**2 * np.einsum("ij,jk,ik->i", x, fit.inverse, x)
    return value, z.T @ (slope * t2)


def search(y: FloatArray, v: FloatArray, x: FloatArray, z: FloatArray, *, restricted: bool) -> Found:
    """Climb from several starts; x and z are orthonormal."""

    def f(alpha: FloatArray) -> tuple[float, FloatArray]:
        return negative_log_likelihood(alpha, y, v, x, z, restricted)

    best = Found(None, np.zeros((z.shape[1], z.shape[1])), -np.inf, -np.inf, -1)
    even, tilted = _starts(v, z)
    for first in even:
        best = _climbed(f, first, v, z, best)
    if best.alpha is None:  # a hidden lower maximum is worth a longer search
        for first in tilted:
            best = _climbed(f, first, v, z, best)
    return best


def _climbed(f: Objective, first: FloatArray, v: FloatArray, z: FloatArray, best: Found) -> Found:
    """Climb from ``first`` and keep what is higher than before."""
    ended = optimize.minimize(f, first, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 500})
    if best.alpha is not None and np.allclose(ended.x, best.alpha, rtol=1e-5, atol=1e-5):
        return best
    peak = _polished(f, np.asarray(ended.x), lambda alpha: _lowest(alpha, v, z)[0] < FLAT)
    if peak is not None:
        loglik = -f(peak[0])[0]
        return Found(*peak, loglik, best.edge, best.vanishing) if loglik > best.loglik + 1e-10 else best
    if -ended.fun <= best.edge:
        return best
    low, study = _lowest(np.asarray(ended.x), v, z)
    return replace(best, edge=-float(ended.fun), vanishing=study if low < SMALL else -1)


def _starts(v: FloatArray, z: FloatArray) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return first coefficients: the same log tau2 for all studies, and log tau2 that rises or falls along one column."""
    typical = float(np.log(np.median(v)))
    level = np.asarray(np.linalg.lstsq(z, np.ones(len(v)), rcond=None)[0], dtype=np.float64)
    even = [level * (typical + s) for s in STARTS]
    spread, columns = z.std(axis=0), np.eye(z.shape[1])
    varied = np.flatnonzero(spread > 1e-8)
    return even, [start + columns[j] * tilt / spread[j] for j in varied for tilt in TILTS for start in even[1:4]]


def _lowest(alpha: FloatArray, v: FloatArray, z: FloatArray) -> tuple[float, int]:
    """Return the lowest log tau2 relative to the variance of its study, and which study that is."""
    relative = z @ alpha - np.log(v)
    at = int(np.argmin(relative))
    return float(relative[at]), at


def _polished(
    f: Objective, alpha: FloatArray, vanished: Callable[[FloatArray], bool]
) -> tuple[FloatArray, FloatArray] | None:
    """Return the maximum near alpha by Newton steps, and the observed information there; None if it runs away or is flat."""
    if vanished(alpha):
        return None
    hessian = _hessian(f, alpha)
    for _ in range(20):
        if np.linalg.eigvalsh(hessian)[0] < CURVED:
            return None
        step = np.linalg.solve(hessian, f(alpha)[1])
        alpha = alpha - step
        if vanished(alpha):
            return None
        hessian = _hessian(f, alpha)
        if np.abs(step).max() < 1e-8 * (1 + np.abs(alpha).max()):
            break
    else:
        return None
    return (alpha, hessian) if np.linalg.eigvalsh(hessian)[0] >= CURVED else None


def _hessian(f: Objective, alpha: FloatArray) -> FloatArray:
    """Return the Hessian by central differences of the analytic gradient (relative error about 1e-9)."""
    h = 1e-4
    rows = [
        (8 * (f(alpha + h * e)[1] - f(alpha - h * e)[1]) - (f(alpha + 2 * h * e)[1] - f(alpha - 2 * h * e)[1]))
        / (12 * h)
        for e in np.eye(len(alpha))
    ]
    hessian = np.array(rows)
    return np.asarray((hessian + hessian.T) / 2)
