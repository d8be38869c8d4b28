"""Models for counts x of n: the binomial-normal model (exact likelihood) and the sum of the counts.

Sources: Hamza TH, van Houwelingen HC, Stijnen T. J Clin Epidemiol 2008;61:41-51 (binomial-normal);
Pinheiro JC, Bates DM. J Comput Graph Stat 1995;4:12-35 (adaptive Gauss-Hermite quadrature).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

NODES = 40  # adaptive nodes per study: the likelihood is then exact to about 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class BinomialFit:
    """Mean logit, between-study variance and their precision."""

    mu: float
    se: float
    tau2: float
    loglik: float
    converged: bool


def homogeneity(events: FloatArray, n: FloatArray) -> float:
    """Return the likelihood-ratio statistic (G2, k-1 degrees of freedom) of equal proportions."""
    p = events.sum() / n.sum()
    return float(
        2 * (special.xlogy(events, events / (n * p) if p > 0 else events) + special.xlogy(
            n - events, (n - events) / (n * (1 - p)) if p < 1 else n - events)).sum()
    )


def log_choose(n: FloatArray, x: FloatArray) -> FloatArray:
    """Return the logarithm of the binomial coefficient."""
    return np.asarray(special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1))


def binomial_loglik(mu: float, events: FloatArray, n: FloatArray) -> float:
    """Return the log-likelihood of one common logit."""
    return float((log_choose(n, events) - events * np.logaddexp(0, -mu) - (n - events) * np.logaddexp(0, mu)).sum())


def binomial_normal_loglik(mu: float, tau: float, events: FloatArray, n: FloatArray) -> float:
    """Return the log-likelihood of logit(p_i) ~ N(mu, tau^2), x_i ~ Binomial(n_i, p_i).

    Each study's integral is taken by Gauss-Hermite quadrature centred and scaled at its own mode.
    """
    if tau == 0:
        return binomial_loglik(mu, events, n)
    mode = np.full(events.shape, mu)
    for _ in range(100):  # Newton on a concave function; half steps are never needed from the prior mean inwards
        p = special.expit(mode)
        gradient = events - n * p - (mode - mu) / tau**2
        curvature = n * p * (1 - p) + 1 / tau**2
        step = np.clip(gradient / curvature, -2, 2)
        mode = mode + step
        if np.abs(step).max() < 1e-12:
            break
    p = special.expit(mode)
    scale = 1 / np.sqrt(n * p * (1 - p) + 1 / tau**2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    theta = mode[:, None] + scale[:, None] * nodes
    log_f = (
        -events[:, None] * np.logaddexp(0, -theta)
        - (n - events)[:, None] * np.logaddexp(0, theta)
        - (theta - mu) ** 2 / (2 * tau**2)
        + nodes**2 / 2
    )
    integral = special.logsumexp(log_f, b=weights, axis=1) + np.log(scale / (tau * np.sqrt(2 * np.pi)))
    return float((log_choose(n, events) + integral).sum())


def fit_binomial_normal(events: FloatArray, n: FloatArray) -> BinomialFit:
    """Maximise the exact likelihood over the mean logit and tau, zero included."""
    from scipy import optimize

    total, size = float(events.sum()), float(n.sum())
    common = float(special.logit((total + 0.5) / (size + 1)))
    if 0 < total < size:
        common = float(special.logit(total / size))

    def negative(theta: FloatArray) -> float:
        return -binomial_normal_loglik(float(theta[0]), abs(float(theta[1])), events, n)

    best = None
    for tau in (0.1, 0.5, 1.5):
        found = optimize.minimize(negative, [common, tau], method="Nelder-Mead",
                                  options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})
        if best is None or found.fun < best.fun - 1e-10:
            best = found
    assert best is not None
    at_zero = binomial_loglik(common, events, n)
    if -best.fun <= at_zero + 1e-9:
        information = size * special.expit(common) * (1 - special.expit(common))
        return BinomialFit(common, float(1 / np.sqrt(information)), 0.0, at_zero, True)
    mu, tau = float(best.x[0]), abs(float(best.x[1]))
    covariance = np.linalg.inv(_hessian(negative, np.array([mu, tau])))
    return BinomialFit(mu, float(np.sqrt(covariance[0, 0])), tau**2, float(-best.fun), bool(best.success))


def _hessian(f: object, at: FloatArray) -> FloatArray:
    """Return second derivatives by central differences of fourth order."""
    assert callable(f)
    steps = 1e-3 * np.maximum(1.0, np.abs(at))
    size = at.size
    hessian = np.empty((size, size))
    offsets = np.array([-2, -1, 1, 2])
    slopes = np.array([1, -8, 8, -1]) / 12
    for i in range(size):
        for j in range(size):
            total = 0.0
            for a, wa in zip(offsets, slopes, strict=True):
                for b, wb in zip(offsets, slopes, strict=True):
                    x = at.copy()
                    x[i] += a * steps[i]
                    x[j] += b * steps[j]
                    total += wa * wb * f(x)
            hessian[i, j] = total / (steps[i] * steps[j])
    return hessian
