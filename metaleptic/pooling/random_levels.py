"""Two-arm counts whose study levels are random too: a bivariate normal integral per study by adaptive quadrature.

Arm j of study i has the linear predictor level_i + c_j theta_i with c = 1/2 and -1/2, where level_i and theta_i are normal, independent
or correlated. Sources: Turner RM et al. Stat Med 2000;19:3417-3432; Jackson D et al. Stat Med 2018;37:1059-1085 (models 5 and 6);
Pinheiro JC, Bates DM. J Comput Graph Stat 1995;4:12-35 (quadrature).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from metaleptic.errors import NotEstimableError
from metaleptic.pooling.glmm import BOUND, CountFit, Unconditional, first_level, gauss_hermite, numerical_derivatives
from metaleptic.pooling.result import StudyLevels
from metaleptic.types import FloatArray

NODES = (
    15  # in each of the two dimensions: twice as many change no log-likelihood of the published sets by more than 1e-7
)
SEARCH_NODES = 5  # while the search is still far from the maximum


@dataclass(frozen=True, slots=True, eq=False)
class _Integral:
    """Log of each study's likelihood, with two derivatives in the linear predictor of the first arm."""

    value: FloatArray
    slope: FloatArray
    curve: FloatArray


def integrate(
    studies: Unconditional, level: FloatArray | float, theta: FloatArray, root: FloatArray, nodes: int
) -> _Integral:
    """Integrate level and effect of every study out; ``root`` @ root' is their covariance (level first, then effect).

    With a row of ``root`` that is zero the integral over it is exactly one.
    """
    points, lower, weight = _points(studies, level, theta, root, nodes)
    value, r1, _, w1, _ = _moved(studies, level, theta, root, points)
    g = value - 0.5 * (points**2).sum(-1) + weight[:, None]
    top = g.max(axis=0)
    share = np.exp(g - top)
    total = share.sum(axis=0)
    share = share / total
    slope = (share * r1).sum(axis=0)
    curve = (share * (r1**2 - w1)).sum(axis=0) - slope**2
    log_det = np.log(np.einsum("kii->ki", lower)).sum(-1)
    return _Integral(top + np.log(total) - log_det, slope, curve)


def effects_given_counts(
    studies: Unconditional, levels: StudyLevels, theta: FloatArray, tau: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean and variance of each study's true effect given its counts, and how far the mean follows ``theta``."""
    own = float(np.sqrt(max(0.0, 1 - levels.correlation**2))) * tau
    root = np.array([[levels.sd, 0.0], [levels.correlation * tau, own]])
    points, _, weight = _points(studies, levels.mean, theta, root, NODES)
    value = _moved(studies, levels.mean, theta, root, points)[0]
    g = value - 0.5 * (points**2).sum(-1) + weight[:, None]
    share = np.exp(g - g.max(axis=0))
    share = share / share.sum(axis=0)
    off = points @ root[1]
    mean = (share * off).sum(axis=0)
    variance = (share * (off - mean) ** 2).sum(axis=0)
    follows = (share * (off - mean) * points[..., 1]).sum(axis=0) / own if own > 0 else variance / tau**2
    return theta + mean, variance, follows


def _moved(
    studies: Unconditional, level: FloatArray | float, theta: FloatArray, root: FloatArray, points: FloatArray
) -> tuple[FloatArray, ...]:
    moved = points @ root.T
    return studies.parts(level + moved[..., 0], theta + moved[..., 1])


def _points(
    studies: Unconditional, level: FloatArray | float, theta: FloatArray, root: FloatArray, nodes: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return quadrature points about each study's mode, the root of the precision there, and log weights."""
    k = len(theta)
    z = np.zeros((k, 2))
    for _ in range(100):
        precision, slope = _precision(_moved(studies, level, theta, root, z), z, root)
        step = np.clip(np.linalg.solve(precision, slope[..., None])[..., 0], -2, 2)
        z = z + step
        if np.abs(step).max() < 1e-9:
            break
    precision, _ = _precision(_moved(studies, level, theta, root, z), z, root)
    lower = np.linalg.cholesky(precision)
    node, log_w = gauss_hermite(nodes)
    if root[1].any():
        grid = np.stack(np.meshgrid(node, node, indexing="ij"), axis=-1).reshape(-1, 2)
        weight = (log_w[:, None] + log_w[None, :]).reshape(-1)
    else:  # the effect is no random variable: one dimension is enough
        grid, weight = np.stack([node, 0 * node], axis=-1), log_w
    points = z + np.einsum("kij,gj->gki", np.linalg.inv(np.swapaxes(lower, -1, -2)), grid)
    return np.asarray(points, dtype=np.float64), np.asarray(lower, dtype=np.float64), weight


def _precision(parts: tuple[FloatArray, ...], z: FloatArray, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return minus the Hessian and the gradient of the log integrand in standard normal coordinates."""
    _, r1, r2, w1, w2 = parts
    curve = np.stack([np.stack([w1 + w2, (w1 - w2) / 2], -1), np.stack([(w1 - w2) / 2, (w1 + w2) / 4], -1)], -1)
    slope = np.stack([r1 + r2, (r1 - r2) / 2], -1)
    return np.eye(2) + root.T @ curve @ root, slope @ root - z


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Parameters as one vector: coefficients, mean level, then what is not zero of the root of the covariance."""

    coefficients: int
    random: bool
    correlated: bool

    def split(self, q: FloatArray) -> tuple[FloatArray, float, FloatArray]:
        p = self.coefficients
        root = np.zeros((2, 2))
        root[0, 0] = q[p + 1]
        if self.random:
            root[1, 1] = q[-1]
            root[1, 0] = q[p + 2] if self.correlated else 0.0
        return q[:p], float(q[p]), root


def fit_random_levels(
    studies: Unconditional, x: FloatArray, *, random: bool, correlated: bool, nodes: int = NODES
) -> CountFit:
    """Maximise the likelihood in coefficients, mean level, its spread, tau and (where asked) their correlation."""
    p = x.shape[1]
    level = first_level(studies)
    common, loglik = _search(
        studies, x, _Place(p, False, False), [np.r_[np.zeros(p), level.mean(), max(0.3, level.std())]], nodes
    )
    if np.abs(common[:p]).max() > BOUND and p == 1:
        raise NotEstimableError("the ratio of the arms has no finite estimate. Pool risk differences.")
    place, best = _Place(p, False, False), common
    q = max(0.0, 2 * (_saturated(studies, common, place, nodes) - loglik))
    if random:
        fuller = _Place(p, True, False)
        starts = [np.r_[common, tau] for tau in (0.3, 1.0)]
        found, reached = _search(studies, x, fuller, starts, nodes)
        if reached > loglik + 1e-9:
            place, best, loglik = fuller, found, reached
    if random and correlated:
        fuller = _Place(p, True, True)
        tau = abs(float(best[-1])) if place.random else 0.3
        starts = [np.r_[best[: p + 2], rho * tau, np.sqrt(1 - rho**2) * tau] for rho in (0.0, -0.7, 0.7)]
        found, reached = _search(studies, x, fuller, starts, nodes)
        if reached > loglik + 1e-9:
            place, best, loglik = fuller, found, reached
    return _result(studies, x, place, best, loglik, q, nodes)


def _loglik(studies: Unconditional, x: FloatArray, place: _Place, q: FloatArray, nodes: int) -> float:
    beta, level, root = place.split(q)
    return float(integrate(studies, level, np.clip(x @ beta, -BOUND - 5, BOUND + 5), root, nodes).value.sum())


def _search(
    studies: Unconditional, x: FloatArray, place: _Place, starts: list[FloatArray], nodes: int
) -> tuple[FloatArray, float]:
    """Return the best of the maxima the starts lead to: roughly with few nodes, then with all, then Newton steps."""
    few = min(nodes, SEARCH_NODES)

    def cost(v: FloatArray) -> float:
        return -_loglik(studies, x, place, v, few)

    rough = [optimize.minimize(cost, start, method="BFGS", options={"gtol": 1e-4}) for start in starts]
    q = np.asarray(min(rough, key=lambda found: float(found.fun)).x, dtype=np.float64)

    def f(v: FloatArray) -> float:
        return _loglik(studies, x, place, v, nodes)

    value = f(q)
    for _ in range(20):
        gradient, hessian = numerical_derivatives(f, q, last_positive=False)
        curvature, axes = np.linalg.eigh(-hessian)
        step = axes @ ((axes.T @ gradient) / np.maximum(np.abs(curvature), 1e-6))
        step = step / max(1.0, float(np.abs(step).max()) / 0.5)
        reached = f(q + step)
        while reached < value - 1e-10 and np.abs(step).max() > 1e-9:
            step = step / 2
            reached = f(q + step)
        q, value = q + step, reached
        if np.abs(step).max() < 1e-8:
            break
    return q, value


def _saturated(studies: Unconditional, common: FloatArray, place: _Place, nodes: int) -> float:
    """Return the highest log-likelihood with an effect of its own for every study, the levels of the second arms random."""
    p = place.coefficients
    theta = np.zeros(len(studies.cells))

    def cost(v: FloatArray) -> float:
        nonlocal theta
        root = np.diag([v[1], 0.0])
        for _ in range(60):  # levels are those of the second arm here, so that an effect moves the first arm alone
            now = integrate(studies, v[0] + theta / 2, theta, root, nodes)
            step = np.clip(-now.slope / np.minimum(now.curve, -1e-8), -1, 1)
            moved = np.clip(theta + step, -BOUND, BOUND)
            settled = np.abs(moved - theta).max() < 1e-7
            theta = moved
            if settled:
                break
        return -float(now.value.sum())

    start = common[p : p + 2] - np.array([common[:p].mean() / 2, 0.0])
    found = optimize.minimize(cost, start, method="BFGS", options={"gtol": 1e-6})
    return -float(found.fun)


def _result(
    studies: Unconditional, x: FloatArray, place: _Place, q: FloatArray, loglik: float, statistic: float, nodes: int
) -> CountFit:
    p = place.coefficients
    gradient, hessian = numerical_derivatives(lambda v: _loglik(studies, x, place, v, nodes), q, last_positive=False)
    beta, level, root = place.split(q)
    covariance = root @ root.T
    tau2 = float(covariance[1, 1])
    sigma = float(np.sqrt(covariance[0, 0]))
    inverse = np.asarray(np.linalg.pinv(-hessian), dtype=np.float64)
    tau2_se = float("nan")
    if place.random:
        slope = np.zeros(len(q))
        slope[p + 2 :] = 2 * q[p + 2 :]
        tau2_se = float(np.sqrt(slope @ inverse @ slope))
    rho = float(covariance[0, 1] / (sigma * np.sqrt(tau2))) if place.correlated and sigma * tau2 > 0 else 0.0
    return CountFit(
        beta=beta,
        cov=inverse[:p, :p],
        tau2=tau2,
        tau2_se=tau2_se,
        loglik=loglik,
        q=statistic,
        q_df=len(x) - p,
        converged=bool(np.abs(inverse @ gradient).max() < 1e-4 and np.linalg.eigvalsh(hessian).max() < 1e-8),
        levels=StudyLevels(level, sigma, rho),
    )
