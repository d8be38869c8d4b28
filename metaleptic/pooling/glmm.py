"""Random-effects models of two-arm counts by adaptive Gauss-Hermite quadrature.

Each study has an effect theta_i = x_i'b + tau u_i, u_i standard normal, that is integrated out. Sources: Stijnen T et al. Stat Med
2010;29:3046-3067; Jackson D et al. Stat Med 2018;37:1059-1085; Pinheiro JC, Bates DM. J Comput Graph Stat 1995;4:12-35.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize

from metaleptic.errors import NotEstimableError
from metaleptic.pooling.result import StudyLevels
from metaleptic.pooling.study_likelihoods import Derivatives, TwoBinomials, TwoPoissons
from metaleptic.types import FloatArray

NODES = 50  # quadrature nodes: exact to about 1e-10 for the counts of trials
BOUND = 25.0  # log odds beyond which an estimate counts as infinite


@dataclass(frozen=True, slots=True, eq=False)
class CountFit:
    """Coefficients, their covariance, tau2 with its standard error, log-likelihood, and the likelihood-ratio Q; random levels where there are."""

    beta: FloatArray
    cov: FloatArray
    tau2: float
    tau2_se: float
    loglik: float
    q: float
    q_df: int
    converged: bool
    levels: StudyLevels | None = None


Conditional = Callable[[FloatArray], Derivatives]
Unconditional = TwoBinomials | TwoPoissons


@lru_cache(maxsize=8)
def gauss_hermite(count: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and log weights of Gauss-Hermite quadrature; with one node it is Laplace's approximation."""
    z, w = np.polynomial.hermite_e.hermegauss(count)
    return z, np.log(w) + z**2 / 2 - 0.5 * np.log(2 * np.pi)


def marginal(loglik: Conditional, center: FloatArray, tau: float, nodes: int) -> FloatArray:
    """Return the log of each study's likelihood with its random effect integrated out; tau = 0 needs no integral."""
    if tau == 0:
        return loglik(center)[0]
    mode, scale = integrand_mode(loglik, center, tau)
    z, log_w = gauss_hermite(nodes)
    u = mode + scale * z[:, None]
    g = loglik(center + tau * u)[0] - u**2 / 2 + log_w[:, None]
    top = g.max(axis=0)
    return np.asarray(top + np.log(np.exp(g - top).sum(axis=0)) + np.log(scale))


def integrand_mode(loglik: Conditional, center: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    """Return mode and scale of each study's integrand, by Newton's method on a concave function."""
    u = np.zeros_like(center)
    for _ in range(100):
        _, slope, curve = loglik(center + tau * u)
        step = np.clip((tau * slope - u) / (1 - tau**2 * curve), -2, 2)
        u = u + step
        if np.abs(step).max() < 1e-9:  # the sum over nodes does not mind: an error here is of second order
            break
    curve = loglik(center + tau * u)[2]
    return u, 1 / np.sqrt(1 - tau**2 * curve)


def profiled_marginal(
    studies: Unconditional, center: FloatArray, tau: float, nodes: int, level: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return each study's marginal log-likelihood at its best level, and that level (fixed study effects)."""
    for _ in range(100):
        slope, curve = _level_derivatives(studies, fixed_level(studies, level), center, tau, nodes, level)
        step = np.clip(-slope / np.minimum(curve, -1e-8), -2, 2)
        level = level + step
        if np.abs(step).max() < 1e-9:
            break
    return marginal(fixed_level(studies, level), center, tau, nodes), level


def fixed_level(studies: Unconditional, level: FloatArray) -> Conditional:
    """Return each study's log-likelihood as a function of its effect alone, its level held."""

    def loglik(eta: FloatArray) -> Derivatives:
        value, r1, r2, w1, w2 = studies.parts(level, eta)
        return value, (r1 - r2) / 2, -(w1 + w2) / 4

    return loglik


def _level_derivatives(
    studies: Unconditional, loglik: Conditional, center: FloatArray, tau: float, nodes: int, level: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return two derivatives of the marginal log-likelihood in the level: posterior means over the random effect."""
    if tau == 0:
        _, r1, r2, w1, w2 = studies.parts(level, center)
        return r1 + r2, -(w1 + w2)
    mode, scale = integrand_mode(loglik, center, tau)
    z, log_w = gauss_hermite(max(nodes, 15))
    u = mode + scale * z[:, None]
    value, r1, r2, w1, w2 = studies.parts(level, center + tau * u)
    g = value - u**2 / 2 + log_w[:, None]
    p = np.exp(g - g.max(axis=0))
    p = p / p.sum(axis=0)
    slope = (p * (r1 + r2)).sum(axis=0)
    second = (p * (-(w1 + w2) + (r1 + r2) ** 2)).sum(axis=0) - slope**2
    return slope, second


def fit_counts(
    studies: Conditional | Unconditional,
    x: FloatArray,
    *,
    random: bool,
    nodes: int,
    start: FloatArray,
    tau_starts: tuple[float, ...] = (0.3, 1.0, 2.5),
) -> CountFit:
    """Maximise the likelihood of counts in the coefficients and tau.

    The common-effect fit comes first; the random one starts from several tau, and tau = 0 is kept where nothing beats it.
    """
    objective = _Objective(studies, x, nodes)

    def common_cost(b: FloatArray) -> float:
        return -objective(b, 0.0)

    def cost(q: FloatArray) -> float:
        return -objective(q[:-1], abs(float(q[-1])))

    common = optimize.minimize(common_cost, start, method="BFGS", options={"gtol": 1e-9})
    beta, tau, best = common.x, 0.0, -float(common.fun)
    if np.abs(beta).max() > BOUND and x.shape[1] == 1:
        raise NotEstimableError(
            "the events of one arm are all zero, or everyone had the event: the odds ratio has no finite estimate. "
            "Pool risk differences, or use a Bayesian model."
        )
    if random:
        for first in tau_starts:
            found = optimize.minimize(cost, np.append(beta, first), method="BFGS", options={"gtol": 1e-7})
            if -found.fun > best + 1e-9:
                beta, tau, best = found.x[:-1], abs(float(found.x[-1])), -float(found.fun)
    beta, tau, hessian, flat = _polish(objective, beta, tau)
    cov = np.asarray(np.linalg.inv(-hessian), dtype=np.float64)
    p = x.shape[1]
    saturated = objective.saturated()
    q_common = max(0.0, 2 * (saturated - objective(common.x, 0.0)))
    return CountFit(
        beta=beta,
        cov=cov[:p, :p],
        tau2=tau**2,
        tau2_se=2 * tau * float(np.sqrt(cov[p, p])) if tau > 0 else float("nan"),
        loglik=objective(beta, tau),
        q=q_common,
        q_df=len(x) - p,
        converged=bool(flat < 1e-4 and np.linalg.eigvalsh(hessian).max() < 0),
    )


class _Objective:
    """Log-likelihood of coefficients and tau; remembers the study levels as a start for the next call."""

    def __init__(self, studies: Conditional | Unconditional, x: FloatArray, nodes: int) -> None:
        self.studies, self.x, self.nodes = studies, x, nodes
        self.level = first_level(studies) if isinstance(studies, TwoBinomials | TwoPoissons) else None

    def __call__(self, beta: FloatArray, tau: float) -> float:
        center = np.clip(self.x @ beta, -BOUND - 5, BOUND + 5)
        if isinstance(self.studies, TwoBinomials | TwoPoissons):
            assert self.level is not None
            value, level = profiled_marginal(self.studies, center, tau, self.nodes, self.level)
            if np.isfinite(level).all():
                self.level = level
        else:
            value = marginal(self.studies, center, tau, self.nodes)
        return float(value.sum())

    def saturated(self) -> float:
        """Return the log-likelihood with an effect of its own for every study."""
        k = len(self.x)
        if isinstance(self.studies, TwoBinomials | TwoPoissons):
            return _saturated_counts(self.studies)
        eta = np.zeros(k)
        for _ in range(200):
            _, slope, curve = self.studies(eta)
            step = np.clip(-slope / np.minimum(curve, -1e-10), -1, 1)
            eta = np.clip(eta + step, -BOUND, BOUND)
            if np.abs(step).max() < 1e-10:
                break
        return float(self.studies(eta)[0].sum())


def first_level(studies: Unconditional) -> FloatArray:
    """Return a first guess of the log odds or log rate of each study."""
    a, b, c, d = studies.cells.T
    if isinstance(studies, TwoPoissons):
        return np.asarray(np.log((a + c + 0.5) / (b + d)))
    return np.asarray(np.log((a + c + 0.5) / (b + d + 0.5)))


def _saturated_counts(studies: Unconditional) -> float:
    a, b, c, d = studies.cells.T
    eta_level = np.zeros_like(a)
    if isinstance(studies, TwoPoissons):
        with np.errstate(divide="ignore"):
            z1, z2 = (np.clip(np.log(x / t), -40, 40) for x, t in ((a, b), (c, d)))
    else:
        with np.errstate(divide="ignore"):
            z1, z2 = (np.clip(np.log(x / y), -40, 40) for x, y in ((a, b), (c, d)))
    return float(studies.parts(eta_level + (z1 + z2) / 2, z1 - z2)[0].sum())


def _polish(objective: _Objective, beta: FloatArray, tau: float) -> tuple[FloatArray, float, FloatArray, float]:
    """Take Newton steps with numerical derivatives; return the place, the Hessian there and the size of the last step."""
    q = np.append(beta, tau) if tau > 0 else beta.copy()

    def f(v: FloatArray) -> float:
        return objective(v[: len(beta)], abs(float(v[-1])) if tau > 0 else 0.0)

    last = np.inf
    hessian = -np.eye(len(q))
    for _ in range(4):
        gradient, hessian = numerical_derivatives(f, q)
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            break
        if np.abs(step).max() > 0.5 or not np.isfinite(step).all():
            break
        last = float(np.abs(step).max())
        q = q - step
        if last < 1e-7:
            break
    return q[: len(beta)], (abs(float(q[-1])) if tau > 0 else 0.0), hessian, last


def numerical_derivatives(
    f: Callable[[FloatArray], float], q: FloatArray, *, last_positive: bool = True
) -> tuple[FloatArray, FloatArray]:
    """Return gradient and Hessian by central differences; the last parameter keeps its sign unless ``f`` is even in it."""
    m = len(q)
    h = 1e-3 * np.maximum(1.0, np.abs(q)) * np.ones(m)
    if m > 1 and last_positive:
        h[-1] = min(h[-1], abs(q[-1]) / 4) if q[-1] != 0 else h[-1]
    steps = np.diag(h)
    center = f(q)
    plus, minus = np.array([f(q + s) for s in steps]), np.array([f(q - s) for s in steps])
    far_plus, far_minus = np.array([f(q + 2 * s) for s in steps]), np.array([f(q - 2 * s) for s in steps])
    gradient = (8 * (plus - minus) - (far_plus - far_minus)) / (12 * h)
    hessian = np.diag((16 * (plus + minus) - (far_plus + far_minus) - 30 * center) / (12 * h**2))
    for i in range(m):
        for j in range(i):
            cross = (
                f(q + steps[i] + steps[j])
                - f(q + steps[i] - steps[j])
                - f(q - steps[i] + steps[j])
                + f(q - steps[i] - steps[j])
            )
            hessian[i, j] = hessian[j, i] = cross / (4 * h[i] * h[j])
    return gradient, hessian
