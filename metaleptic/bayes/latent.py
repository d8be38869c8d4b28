"""The exact posterior of a random-effects model whose studies speak through any likelihood, not only a normal one.

Study i has the likelihood L_i(theta_i), theta_i ~ N(mu, tau^2). Two numbers are unknown, so nothing is sampled: for each
node of tau, mu lies on an even grid (the trapezoidal rule is exact to rounding for smooth functions that fade), and each
study's integral over theta_i is a sum of positive terms:

- large tau: the trapezoidal rule on one grid of theta for all studies and all mu, a matrix product;
- small tau: Gauss-Hermite quadrature around mu;
- below that the likelihood no longer depends on tau.

What depends on tau smoothly is known at a few nodes and interpolated by polynomials in log(tau); the posterior of tau
itself is then integrated adaptively (``panels.py``), so that the prior may have any scale and any kinks.

Sources: Trefethen LN, Weideman JAC. SIAM Rev 2014;56:385-458 (trapezoidal rule); Trefethen LN. Approximation Theory and
Approximation Practice. SIAM 2013, chapters 5 and 19 (barycentric interpolation, Gauss quadrature).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact import MuPrior, refuse_pole
from metaleptic.bayes.likelihoods import StudyLikelihood
from metaleptic.bayes.normal_normal import given_tau
from metaleptic.bayes.panels import Panels, first_edges, integrate
from metaleptic.bayes.positive import PositiveDensity
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.random_normal import NORMAL, SMALL, Between, log_sum, spread_large, spread_small
from metaleptic.bayes.real import Grid, RealDensity, real_density, sinh_grid
from metaleptic.errors import NotEstimableError
from metaleptic.types import FloatArray

SPLINE_ERROR = 5e-9  # of probabilities, measured against the closed form of the normal-normal model
NEGLIGIBLE = 1e-14  # nodes of tau that carry less of the likeliest node's probability are left out
FLAT_BELOW = 1e-4  # of the narrowest study: below it the likelihood changes by less than 1e-8 with tau
NODES, WIDTH = 11, 1.2  # of a panel; the width of those of larger tau
T_REACH = 30.0  # scales of a Student t prior on mu that the grid reserves for it
AT_ONCE, COSTLY = 5_000_000, 1_500_000_000  # elements of a kernel; of all of them together
REACH = 8.6  # standard deviations of a normal density beyond which 1e-17 of it is left
FAR, HEAVY = 1e3, 21.0  # beyond 1000 times the widest study tau is only followed until exp(-21) = 1e-9 is left
NEVER = 32.0  # a log posterior this far below its top is left out
_LOG_SQRT_2PI = 0.5 * float(np.log(2 * np.pi))
_X, _W = np.polynomial.legendre.leggauss(NODES)
_LEGENDRE = np.asarray(_X)
_BARYCENTRIC = np.asarray((-1.0) ** np.arange(NODES) * np.sqrt((1 - _X**2) * _W))


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """The posterior of (mu, tau) on a grid, and what follows from it.

    Attributes
    ----------
    tau : PositiveDensity
        Posterior of tau, with ``tau_mean`` and ``tau_sd``.
    mu, new : RealDensity
        Posterior of the mean and of a new study's true effect.
    theta : tuple of RealDensity
        Posterior of each study's true effect.
    log_integral : float
        Log of prior times likelihood, integrated.
    error : float
        Estimate of the numerical error of a probability.
    mu_nodes, tau_nodes : ndarray of shape (m,), (c,)
        Nodes of the joint posterior.
    joint : ndarray of shape (c, m)
        Its probabilities.
    log_study : ndarray of shape (k, c, m)
        Log of each study's likelihood with theta_i integrated out.
    """

    tau: PositiveDensity
    tau_mean: float
    tau_sd: float
    mu: RealDensity
    new: RealDensity
    theta: tuple[RealDensity, ...]
    log_integral: float
    error: float
    mu_nodes: FloatArray
    tau_nodes: FloatArray
    joint: FloatArray
    log_study: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class TauPanels:
    """Panels of u = log(tau), with Legendre nodes on which functions smooth in tau are known."""

    edges: FloatArray

    @property
    def nodes(self) -> FloatArray:
        """Nodes of all panels, one after the other."""
        low, width = self.edges[:-1, None], np.diff(self.edges)[:, None]
        return np.asarray((low + width * (_LEGENDRE + 1) / 2).reshape(-1))

    def weights(self, u: FloatArray) -> tuple[FloatArray, Any]:
        """Return the barycentric weights of the nodes of u's panel, shape (len(u), nodes), and which panel it is.

        Beyond the ends functions are constant.
        """
        u = np.clip(u, self.edges[0], self.edges[-1])
        panel = np.clip(np.searchsorted(self.edges, u, side="right") - 1, 0, len(self.edges) - 2)
        low, high = self.edges[panel], self.edges[panel + 1]
        gap = (2 * (u - low) / (high - low) - 1)[:, None] - _LEGENDRE
        terms = _BARYCENTRIC / np.where(np.abs(gap) < 1e-15, 1e-15, gap)
        return terms / np.add.reduce(terms, axis=1)[:, None], panel

    def matrix(self, u: FloatArray) -> FloatArray:
        """Return the matrix that interpolates from the nodes to u: shape (len(u), nodes)."""
        weights, panel = self.weights(u)
        out = np.zeros((len(u), len(self.edges) - 1, NODES))
        out[np.arange(len(u)), panel] = weights
        return out.reshape(len(u), -1)

    def value(self, u: FloatArray, f: FloatArray) -> FloatArray:
        """Interpolate one function."""
        weights, panel = self.weights(u)
        return np.asarray(np.add.reduce(weights * f.reshape(-1, NODES)[panel], axis=1))

    def interpolate(self, values: FloatArray, matrix: FloatArray, tau: FloatArray) -> FloatArray:
        """Interpolate log densities, shape (nodes, j), never far above the highest node of the panel.

        Far from the studies a log density plunges within a panel, and the polynomial would overshoot.
        """
        panel = np.clip(np.searchsorted(self.edges, np.log(tau), side="right") - 1, 0, len(self.edges) - 2)
        highest = values.reshape(-1, NODES, values.shape[1]).max(axis=1)
        return np.asarray(np.minimum(matrix @ values, highest[panel] + 1.0))


def latent(
    study: StudyLikelihood, prior: Prior, effect: EffectPrior | None, v: FloatArray, between: Between = NORMAL
) -> Latent:
    """Compute the posterior under a prior on tau and one on mu (None: flat).

    ``v`` are the variances that a prior such as Jeffreys' looks at; ``between`` is the distribution of true effects.

    Raises
    ------
    NotEstimableError
        If the posterior is improper.
    """
    mu = None if effect is None else (effect.location, effect.scale * (1.0 if np.isinf(effect.df) else T_REACH))
    refuse_improper(study, prior, mu)
    narrow = float(study.scale.min())
    far = np.log(FAR * study.scale.max())
    low, high, mu_grid = _ranges(study, prior, mu, v, narrow)
    panels = _panels(narrow, low, high)
    u = panels.nodes
    tau = np.exp(u)
    small = tau < SMALL[-1] * narrow
    theta_grid = _theta_grid(study, mu_grid, narrow, float(tau[-1]), float(tau[~small][0]) if (~small).any() else 1.0)
    m = mu_grid.x
    log_theta = study.log(theta_grid.x[None])
    log_mu = np.zeros_like(m) if effect is None else log_effect(effect, m)
    parts = []
    size = theta_grid.xi.size * m.size
    if size * int((~small).sum()) > COSTLY:
        raise NotEstimableError(
            'the studies differ so much in size that the grid of this model would take minutes: say method="nuts".'
        )
    few = max(1, min(NODES, AT_ONCE // size))  # nodes at once: one kernel takes 40 MB at most, or one node's
    for start, stop in _chunks(small, few):
        some, at = tau[start:stop], slice(start, stop)
        if small[at].all():
            log_some = between.log_small(study, m, some, narrow)
            parts.append(
                (log_some, spread_small(_functions(log_some, log_mu, mu_grid), mu_grid, theta_grid, some, between))
            )
        else:
            kernel = between.kernel(theta_grid, m, some)
            log_some = between.log_large(study, theta_grid, log_theta, kernel, m, some)
            parts.append((log_some, spread_large(_functions(log_some, log_mu, mu_grid), mu_grid, theta_grid, kernel)))
    log_study = np.concatenate([p[0] for p in parts], axis=1)
    per_tau = np.concatenate([p[1] for p in parts], axis=1)
    log_joint = log_study.sum(axis=0) + log_mu
    log_given = log_sum(log_joint, mu_grid.weight)
    halved = log_sum(log_joint[:, ::2], 2 * mu_grid.weight[::2])

    def likelihood(points: FloatArray) -> FloatArray:
        return panels.value(points, log_given)

    def over_u(points: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            return np.asarray(likelihood(points) + prior.log_density(np.exp(points), v) + points)

    def evaluate(points: FloatArray) -> tuple[FloatArray, FloatArray]:
        t = np.exp(points)
        return over_u(points[0])[None], np.stack([np.ones_like(t), t, t * t])

    upper = np.array([min(prior.upper, float(np.exp(panels.edges[-1])))])
    fine = integrate(evaluate, first_edges(np.array([np.log(narrow)]), upper, prior.breaks), (False, True, True))
    t, w = np.exp(fine.u[0]), fine.weight[0]
    tau_mean = float(w @ t)
    nodes, share, matrix = _merged(panels, fine.u[0], w)
    given = np.exp(matrix @ (log_joint - log_given[:, None])) * mu_grid.weight
    joint = share[:, None] * given / given.sum(axis=1, keepdims=True)
    off = np.minimum(np.abs(matrix @ (halved - log_given)), 1.0)
    tail = 10 * float(np.exp(-HEAVY)) if fine.edges[0, -1] < np.log(prior.upper) and panels.edges[-1] > far else 0.0
    error = SPLINE_ERROR + tail + float(fine.error[0] + (share @ off) ** 2)
    ahead = np.concatenate([np.zeros((1, theta_grid.xi.size)), log_theta])
    densities = [
        share @ np.exp(panels.interpolate(log_spread, matrix, nodes) + log)  # of logs: a sum of positive terms
        for log_spread, log in zip(np.log(np.maximum(per_tau, 1e-300)), ahead, strict=True)
    ]
    new, *theta = (real_density(theta_grid, d) for d in densities)
    return Latent(
        tau=_positive(fine, over_u),
        tau_mean=tau_mean,
        tau_sd=float(np.sqrt(w @ (t - tau_mean) ** 2)),
        mu=real_density(mu_grid, joint.sum(axis=0) / mu_grid.weight),
        new=new,
        theta=tuple(theta),
        log_integral=float(fine.log_total[0]),
        error=error,
        mu_nodes=m,
        tau_nodes=nodes,
        joint=joint,
        log_study=matrix @ log_study,
    )


def _chunks(small: Any, few: int) -> list[tuple[int, int]]:
    """Cut the nodes of tau: small ones by panels, large ones a few at once."""
    ends = [(i, i + NODES) for i in range(0, int(small.sum()), NODES)]
    return ends + [(i, min(i + few, small.size)) for i in range(int(small.sum()), small.size, few)]


def log_effect(effect: EffectPrior, m: FloatArray) -> FloatArray:
    """Return the log density of a prior on the effect, exact also far out."""
    z = (m - effect.location) / effect.scale
    if np.isinf(effect.df):
        return np.asarray(-0.5 * z * z - np.log(effect.scale) - _LOG_SQRT_2PI)
    half = (effect.df + 1) / 2
    constant = special.gammaln(half) - special.gammaln(effect.df / 2) - 0.5 * np.log(effect.df * np.pi)
    return np.asarray(constant - np.log(effect.scale) - 2 * half * np.log(np.hypot(1, z / np.sqrt(effect.df))))


def _merged(panels: TauPanels, u: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the nodes of tau that matter, their probabilities, and the matrix that interpolates to them.

    All nodes so small that nothing depends on them any more become one.
    """
    above = u > panels.edges[0]
    kept = above & (weight > NEGLIGIBLE * weight.max())
    rest = float(weight[~above].sum())
    u, weight = np.append(panels.edges[0], u[kept]), np.append(rest, weight[kept])
    return np.exp(u), weight / weight.sum(), panels.matrix(u)


def refuse_improper(study: StudyLikelihood, prior: Prior, mu: MuPrior) -> None:
    """Refuse a posterior that cannot be integrated."""
    refuse_pole(prior)
    two_sided = int((study.falls_left & study.falls_right).sum())
    if mu is None:
        for falls, event, other in (
            (study.falls_left, "no", "ever smaller"),
            (study.falls_right, "every", "ever larger"),
        ):
            if not falls.any():
                raise NotEstimableError(
                    f"in all studies together {event} patient had the event: with a flat prior on the mean, {other} values "
                    "are all equally good and the posterior is improper. Give the mean a prior, for example mu=(0, 2): "
                    "a normal prior on the logit that puts 95% between 2% and 98%."
                )
    power = prior.tail + two_sided - (mu is None)
    if power <= 1 and (not prior.proper or (mu is None and two_sided == 0)):
        raise NotEstimableError(
            f"the posterior is improper: the {prior.words} prior on tau is flat where the likelihood of {len(study)} "
            f"{'study' if len(study) == 1 else 'studies'} hardly falls, so that tau could be arbitrarily large. Choose a proper prior, for example priors.half_normal(1)."
        )


def _ranges(
    study: StudyLikelihood, prior: Prior, mu: MuPrior, v: FloatArray, narrow: float
) -> tuple[float, float, Grid]:
    """Say between which u = log(tau) the posterior lives, and lay the grid of mu, by normal approximation."""
    both = study.falls_left & study.falls_right
    y, s2 = study.centre[None], study.scale[None] ** 2
    u = np.linspace(np.log(FLAT_BELOW * narrow), np.log(1e6 * study.scale.max()), 400)
    pseudo_mu = (
        mu
        if mu is not None
        else (float(y.mean()), 1e3 * float(study.scale.max() + np.ptp(y)))
        if not both.any()
        else None
    )
    given = given_tau(y[:, both], s2[:, both], None, np.exp(u)[None], pseudo_mu)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        prior_u = prior.log_density(np.exp(u), v) + u
    prior_u = np.where(u <= np.log(prior.upper), prior_u, -np.inf)
    whole = given_tau(y, s2, None, np.exp(u)[None], mu)
    log_f = given.loglik[0] + prior_u
    tail = np.logaddexp.accumulate(log_f[::-1])[::-1]
    far = [u[max(np.flatnonzero(tail > tail[0] - cut)[-1], 1)] for cut in (NEVER, HEAVY)]
    far_enough = min(far[0], max(far[1], np.log(FAR * study.scale.max())))
    high = float(min(far_enough + 0.3, np.log(prior.upper)))
    head = np.logaddexp.accumulate(whole.loglik[0] + prior_u)
    low = float(u[max(int(np.argmax(head > head[-1] - NEVER - 8)) - 8, 0)])
    low = min(low, high - 1.0)
    at_low, at_high = (int(np.argmin(np.abs(u - x))) for x in (low, high))
    least = max(SMALL[-1] * narrow, float(np.exp(low)))  # of the tau whose kernels are summed on this grid
    step = min(0.6 * float(whole.sd[0, at_low]), 0.9 * least)
    reach = REACH * float(whole.sd[0, at_high])
    if not both.all():  # an open-ended study lets mu wander off: as far as tau lets it, or its prior
        reach = max(reach, REACH * min(float(np.exp(high)), np.inf if mu is None else mu[1])) + 6 * float(
            study.scale.max()
        )
    middle = float(np.average(study.centre, weights=1 / (study.scale**2 + np.exp(2 * min(low + 3, high)))))
    width = np.ptp(study.centre) / 2 + 4 * float(study.scale.max())
    ends = [float(study.centre.min()), float(study.centre.max())]
    if mu is not None:
        ends = [min(*ends, mu[0]), max(*ends, mu[0])]
    inner = (float(whole.mean[0, at_low:].min()), float(whole.mean[0, at_low:].max()))
    near = REACH * float(whole.sd[0, at_low])
    lowest, highest = min(inner[0] - reach, middle - near), max(inner[1] + reach, middle + near)
    centre = float(whole.mean[0, at_low])  # where mu lies for small tau: only there must the grid be fine
    near_width = max(25 * float(whole.sd[0, at_low]), 25 * step, float(np.ptp(whole.mean[0, at_low:])))
    if near_width < width / 3:
        return low, high, sinh_grid(centre, near_width, step, lowest, highest)
    return low, high, sinh_grid(middle, max(width, 8 * step), step, lowest, highest)


def _panels(narrow: float, low: float, high: float) -> TauPanels:
    inner = [np.log(s * narrow) for s in SMALL]
    edges = [low]
    for edge in inner:
        if low < edge - 1e-9 and edge < high:
            edges.append(edge)
    start = edges[-1]
    more = max(1, int(np.ceil((high - start) / WIDTH)))
    edges += list(start + (high - start) * np.arange(1, more + 1) / more)
    return TauPanels(np.array(edges))


def _theta_grid(study: StudyLikelihood, mu_grid: Grid, narrow: float, largest: float, smallest: float) -> Grid:
    step = 0.85 / np.hypot(1 / narrow, 1 / smallest)
    half = np.ptp(study.centre) / 2 + 6 * float(study.scale.max())
    reach = REACH * largest + 6 * float(study.scale.max())
    low, high = min(mu_grid.x[0], study.centre.min()) - reach, max(mu_grid.x[-1], study.centre.max()) + reach
    middle = float(study.centre.max() + study.centre.min()) / 2
    return sinh_grid(middle, max(half, 20 * float(step)), float(step), float(low), float(high))


def _functions(log_study: FloatArray, log_mu: FloatArray, mu_grid: Grid) -> FloatArray:
    """Return log densities of mu given tau: all studies, then without study 1, 2 ... (up to the same constant)."""
    log_joint = log_study.sum(axis=0) + log_mu
    log_joint = log_joint - log_sum(log_joint, mu_grid.weight)[:, None]
    return np.concatenate([log_joint[None], log_joint - log_study])


def _positive(fine: Panels, over_u: object) -> PositiveDensity:
    return PositiveDensity(
        over_u,  # type: ignore[arg-type]
        float(fine.log_total[0]),
        fine.edges[0],
        fine.cumulative[0],
        fine.u[0],
        fine.weight[0],
    )
