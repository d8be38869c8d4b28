"""Models for counts x of n: the binomial-normal model (exact likelihood) and the sum of the counts.

Sources: Hamza TH, van Houwelingen HC, Stijnen T. J Clin Epidemiol 2008;61:41-51 (binomial-normal);
Trefethen LN, Weideman JAC. SIAM Rev 2014;56:385-458 (trapezoidal rule for analytic functions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.errors import NotEstimableError
from metaleptic.types import FloatArray

FALL = 34.0  # exp(-34) = 2e-15 of the highest value: what lies beyond does not change the sum


@dataclass(frozen=True, slots=True, eq=False)
class BinomialFit:
    """Mean logit, between-study variance and their precision."""

    mu: float
    se: float
    tau2: float
    loglik: float
    converged: bool
    tau2_se: float = float("nan")


def homogeneity(events: FloatArray, n: FloatArray) -> float:
    """Return the likelihood-ratio statistic (G2, k-1 degrees of freedom) of equal proportions."""
    p = events.sum() / n.sum()
    return float(
        2
        * (
            special.xlogy(events, events / (n * p) if p > 0 else events)
            + special.xlogy(n - events, (n - events) / (n * (1 - p)) if p < 1 else n - events)
        ).sum()
    )


def log_choose(n: FloatArray, x: FloatArray) -> FloatArray:
    """Return the logarithm of the binomial coefficient."""
    return np.asarray(special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1))


def binomial_loglik(mu: float, events: FloatArray, n: FloatArray) -> float:
    """Return the log-likelihood of one common logit."""
    return float((log_choose(n, events) - events * np.logaddexp(0, -mu) - (n - events) * np.logaddexp(0, mu)).sum())


def binomial_normal_loglik(mu: FloatArray, tau: FloatArray, events: FloatArray, n: FloatArray) -> FloatArray:
    """Return the log-likelihood of logit(p_i) ~ N(mu, tau^2), x_i ~ Binomial(n_i, p_i), for every pair mu, tau > 0.

    Each study's integrand is log-concave and has singularities no nearer than pi/2 to the real line, so that the
    trapezoidal rule, from where it has fallen by exp(-FALL) to where it has on the other side, is exact to about 1e-12.
    """
    m, t = np.asarray(mu)[..., None], np.asarray(tau)[..., None]

    def log_f(theta: FloatArray) -> FloatArray:
        ups, downs = events * np.logaddexp(0, -theta), (n - events) * np.logaddexp(0, theta)
        return np.asarray(-ups - downs - (theta - m) ** 2 / (2 * t**2))

    mode = m + 0.0 * events
    for _ in range(200):  # Newton on a concave function; the cap on the step keeps it from overshooting
        p = special.expit(mode)
        step = (events - n * p - (mode - m) / t**2) / (n * p * (1 - p) + 1 / t**2)
        mode = mode + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-12:
            break
    p = special.expit(mode)
    scale = 1 / np.sqrt(n * p * (1 - p) + 1 / t**2)
    top = log_f(mode)
    below, above = (_fallen(log_f, mode, side * 6 * scale, top) for side in (-1, 1))
    points = int(np.ceil(((above - below) / np.minimum(0.3, 0.5 * scale)).max())) + 1
    width = (above - below) / (points - 1)
    total = sum(np.exp(log_f(below + j * width) - top) for j in range(points))
    integral = top + np.log(total * width / t) - 0.5 * np.log(2 * np.pi)
    return np.asarray((log_choose(n, events) + integral).sum(axis=-1))


def _fallen(
    log_f: Callable[[FloatArray], FloatArray], mode: FloatArray, step: FloatArray, top: FloatArray
) -> FloatArray:
    """Go from the mode in this direction until the function has fallen by FALL on the log scale."""
    while (high := log_f(mode + step) > top - FALL).any():
        step = np.where(high, 1.4 * step, step)
    return mode + step


def fit_binomial_normal(events: FloatArray, n: FloatArray) -> BinomialFit:
    """Maximise the exact likelihood over the mean logit and log tau by Newton's method from the best point of a grid.

    tau = 0 is compared with it, because the likelihood may have its maximum there.
    """
    total, size = float(events.sum()), float(n.sum())
    if total in (0, size):
        raise NotEstimableError(
            f"{total:g} of {size:g} patients had the event in all studies together: the binomial-normal model has no finite "
            'estimate. Use model="pooled-counts", whose interval is exact, or a Bayesian model.'
        )
    if ((events == 0) | (events == n)).all() and (n > 1).any():
        raise NotEstimableError(
            "in every study either no one or everyone had the event: the likelihood of the binomial-normal model rises with "
            'tau without end. Use model="pooled-counts", or a Bayesian model.'
        )
    common = float(special.logit(total / size))
    at_zero = binomial_loglik(common, events, n)

    def loglik(points: FloatArray) -> FloatArray:
        return binomial_normal_loglik(points[..., 0], np.exp(points[..., 1]), events, n)

    grid = np.stack(np.meshgrid(common + np.linspace(-2, 2, 9), np.log(np.geomspace(0.02, 5, 12))), axis=-1).reshape(
        -1, 2
    )
    at = grid[int(np.argmax(loglik(grid)))]
    converged = False
    for _ in range(60):
        value, gradient, hessian = _derivatives(loglik, at)
        if at[1] < np.log(1e-3):
            break
        step = _uphill(gradient, hessian)
        halves = at + step * 0.5 ** np.arange(12)[:, None]
        values = loglik(halves)
        best = int(np.argmax(values))
        converged = float(np.abs(step).max()) < 1e-6  # what is left is of the order of its square
        if converged or values[best] <= value:
            at = halves[0] if converged else at
            break
        at = halves[best]
    highest = float(loglik(at[None])[0])
    if highest <= at_zero + 1e-9:
        information = size * special.expit(common) * (1 - special.expit(common))
        return BinomialFit(common, float(1 / np.sqrt(information)), 0.0, at_zero, True)
    covariance = np.linalg.inv(-_derivatives(loglik, at)[2])
    tau2 = float(np.exp(2 * at[1]))
    error = 2 * tau2 * float(np.sqrt(covariance[1, 1]))
    return BinomialFit(float(at[0]), float(np.sqrt(covariance[0, 0])), tau2, highest, converged, error)


def _uphill(gradient: FloatArray, hessian: FloatArray) -> FloatArray:
    """Return Newton's step, made an ascent direction of at most 1 where the surface is not yet concave."""
    values, vectors = np.linalg.eigh(-hessian)
    step = vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(values), 1e-8))
    return np.asarray(step / max(1.0, float(np.abs(step).max())))


_STEP = 2e-3
_OFFSETS = np.array([-2, -1, 0, 1, 2])
_SLOPE = np.array([1, -8, 0, 8, -1]) / (12 * _STEP)
_CURVE = np.array([-1, 16, -30, 16, -1]) / (12 * _STEP**2)


def _derivatives(f: Callable[[FloatArray], FloatArray], at: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return value, gradient and Hessian from a 5 x 5 stencil (central differences of fourth order)."""
    a, b = np.meshgrid(_OFFSETS, _OFFSETS, indexing="ij")
    z = f(at + _STEP * np.stack([a, b], axis=-1).reshape(-1, 2)).reshape(5, 5)
    mixed = float(_SLOPE @ z @ _SLOPE)
    gradient = np.array([_SLOPE @ z[:, 2], _SLOPE @ z[2, :]])
    return float(z[2, 2]), gradient, np.array([[_CURVE @ z[:, 2], mixed], [mixed, _CURVE @ z[2, :]]])
