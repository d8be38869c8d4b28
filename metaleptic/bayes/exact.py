"""The exact posterior of the normal-normal model: tau by adaptive quadrature, all else as a mixture of normals.

Given tau everything is normal (``normal_normal.py``), so that the pooled effect, a study's effect and a new study's
effect are mixtures of normals over the quadrature nodes of tau. No sampling, no grid chosen by hand. The studies are the
last axis; one data set with many priors, or many data sets with one prior, are one call.

Sources: Roever C, Friede T. J Comput Graph Stat 2017;26:217-222 (mixtures over a one-dimensional parameter);
Roever C. J Stat Softw 2020;93(6):1-51.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.normal_normal import Given, given_tau
from metaleptic.bayes.panels import Panels, first_edges, integrate
from metaleptic.bayes.positive import PositiveDensity
from metaleptic.bayes.prior import Prior
from metaleptic.errors import NotEstimableError
from metaleptic.types import FloatArray

NEGLIGIBLE = 1e-18  # nodes that carry less are left out of the mixtures
PILE_UP = 1e-6  # probability in the outermost panel beyond which a posterior is called improper
_PROBES = np.array([0.3, 1.0, 3.0])

MuPrior = tuple[float, Any] | None  # mean and sd (shape (m, 1) for one of each analysis); sd 0 fixes mu
Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """Posteriors of m analyses: nodes of tau, their probabilities, and mu given each of them.

    Attributes
    ----------
    panels : Panels
        The quadrature, with its error bound.
    tau : ndarray of shape (b, n)
        Nodes that matter; b is 1 where all analyses share them.
    weight : ndarray of shape (m, n)
        Their probabilities.
    mean, sd : ndarray of shape (b or m, n)
        Of mu given tau.
    log_integral : ndarray of shape (m,)
        Log of prior times likelihood, integrated: the marginal likelihood where both priors are proper.
    tau_mean, tau_sd, mu_mean, mu_sd, new_sd : ndarray of shape (m,)
        Moments; infinite where they do not exist. ``new_sd`` is that of a new study's effect, whose mean is mu's.
        Where mu's tails are those of a Cauchy distribution its mean is the mean of the conditional means.
    """

    panels: Panels
    tau: FloatArray
    weight: FloatArray
    mean: FloatArray
    sd: FloatArray
    log_integral: FloatArray
    tau_mean: FloatArray
    tau_sd: FloatArray
    mu_mean: FloatArray
    mu_sd: FloatArray
    new_sd: FloatArray

    @property
    def error(self) -> FloatArray:
        """Bound on the error of every probability, by comparing panels with their halves."""
        return self.panels.error


def exact(
    y: Any, v: Any, priors: Sequence[Prior], mu: MuPrior = None, keep: Any = None, bounds: Bounds | None = None
) -> Exact:
    """Fit one data set, y and v of shape (k,) or (1, k), under m priors, or m data sets of shape (m, k) under one.

    ``bounds`` cut mu off: nodes are weighted by how much of mu lies between them, while ``mean`` and ``sd`` stay those
    of the uncut normals.

    Raises
    ------
    NotEstimableError
        If a posterior is improper.
    """
    y, v = np.atleast_2d(y), np.atleast_2d(v)
    keep = None if keep is None else np.broadcast_to(np.atleast_2d(keep).astype(np.float64), y.shape)
    k = np.full(len(y), float(y.shape[1])) if keep is None else np.add.reduce(keep, axis=1)
    tails = np.array([p.tail for p in priors])
    power = tails + k - (mu is None)  # the posterior falls like tau^-power
    refuse_improper(priors, np.broadcast_to(k, power.shape), power, int(mu is None))
    present = np.ones_like(v) if keep is None else keep
    scale = np.sqrt(np.add.reduce(present, axis=1) / np.add.reduce(present / v, axis=1))
    finite = [(power > r + 1)[:, None] for r in (1, 2)]
    centre = given_tau(y, v, keep, np.zeros((1, 1)), mu).mean
    at = centre + scale[:, None] * _PROBES

    def evaluate(u: FloatArray) -> tuple[FloatArray, FloatArray]:
        tau = np.exp(u)
        given = given_tau(y, v, keep, tau, mu)
        log_g = given.loglik + log_prior(priors, v, keep, tau) + u
        if bounds is not None:
            log_g = log_g + log_between(given, bounds)
        tau = np.broadcast_to(tau, (len(given.mean), tau.shape[1]))
        new = np.hypot(given.sd, tau)
        tests = [np.ones_like(tau), *(np.where(ok, tau**r, 0.0) for r, ok in zip((1, 2), finite, strict=True))]
        with np.errstate(divide="ignore"):
            tests += [
                special.ndtr((at[:, [i]] - given.mean) / sd) for sd in (given.sd, new) for i in range(len(_PROBES))
            ]
        shape = np.broadcast_shapes(*(t.shape for t in tests))
        return log_g, np.stack([np.broadcast_to(t, shape) for t in tests])

    breaks = tuple(sorted({b for p in priors for b in p.breaks}))
    uppers = np.array([p.upper for p in priors])
    uppers = uppers[:1] if (uppers == uppers[0]).all() else uppers
    rows = max(len(scale), len(uppers))
    edges = first_edges(np.broadcast_to(np.log(scale), rows), np.broadcast_to(uppers, rows), breaks)
    panels = integrate(evaluate, edges, (False, True, True) + (False,) * (2 * len(_PROBES)))
    refuse_pile_up(priors, panels)
    return _summed(panels, given_tau(y, v, keep, np.exp(panels.u), mu), finite, flat=mu is None)


def log_between(given: Given, bounds: Bounds) -> FloatArray:
    """Return the log of the probability of mu between bounds, given tau."""
    low, high = ((b - given.mean) / given.sd for b in bounds)
    low, high = np.where(low > 0, -high, low), np.where(low > 0, -low, high)  # from the lower tail
    with np.errstate(divide="ignore", invalid="ignore"):
        top, bottom = special.log_ndtr(high), special.log_ndtr(low)
        return np.asarray(top + np.log1p(-np.exp(bottom - top)))


def exact_effect(y: Any, v: Any, prior: Prior, effect: EffectPrior | None) -> Exact:
    """Fit one data set under any prior on the pooled effect; a Student t as the normals it is a mixture of.

    Raises
    ------
    NotEstimableError
        If the posterior is improper.
    """
    if effect is None:
        return exact(y, v, [prior])
    sd, weight = normals_of(y, effect)
    bounds = (effect.lower, effect.upper) if effect.bounded else None
    mu = (effect.location, float(sd[0]) if sd.size == 1 else sd[:, None])
    fit = exact(y, v, [prior], mu, bounds=bounds)
    if sd.size > 1:
        fit = _merged(fit, weight, prior.tail + np.shape(y)[-1] + effect.df)
    return replace(fit, log_integral=fit.log_integral - np.log(effect.share)) if bounds else fit


def normals_of(y: Any, effect: EffectPrior) -> tuple[FloatArray, FloatArray]:
    """Return the normals that make up a prior on the effect, as far as these studies reach."""
    return effect.normals(float(np.max(np.abs(np.asarray(y) - effect.location))))


def _merged(fit: Exact, weight: FloatArray, power: float) -> Exact:
    """Put analyses that differ in the normal of a mixture together as one; the density of mu falls like mu^-power."""
    top = fit.log_integral.max()
    share = weight * np.exp(fit.log_integral - top)
    total = share.sum()
    share = share / total
    panels = replace(
        fit.panels,
        weight=(share @ fit.panels.weight)[None],
        cumulative=(share @ fit.panels.cumulative)[None],
        log_total=np.array([top + np.log(total)]),
        error=np.array([share @ fit.panels.error]),
    )
    w = share[:, None] * fit.weight
    tau = np.broadcast_to(fit.tau, w.shape)
    mean, sd = np.broadcast_to(fit.mean, w.shape), np.broadcast_to(fit.sd, w.shape)
    tau_mean, mu_mean = share @ fit.tau_mean, share @ fit.mu_mean
    mu_var = np.sum(w * (sd**2 + (mean - mu_mean) ** 2))
    tau_var = np.sum(w * (tau - tau_mean) ** 2) if np.isfinite(fit.tau_sd).all() else np.inf
    matters = w > NEGLIGIBLE
    return Exact(
        panels=panels,
        tau=tau[matters][None],
        weight=w[matters][None],
        mean=mean[matters][None],
        sd=sd[matters][None],
        log_integral=panels.log_total,
        tau_mean=np.array([tau_mean]),
        tau_sd=np.array([np.sqrt(tau_var)]),
        mu_mean=np.array([mu_mean]),
        mu_sd=np.array([np.sqrt(mu_var) if power > 3 else np.inf]),
        new_sd=np.array([np.sqrt(mu_var + tau_var + tau_mean**2) if power > 3 else np.inf]),
    )


def _summed(panels: Panels, given: Given, finite: list[Any], *, flat: bool) -> Exact:
    tau, w = np.exp(panels.u), panels.weight
    first, second = finite[0][:, 0], finite[1][:, 0]
    tau_mean = np.add.reduce(w * tau, axis=1)
    tau_var = np.add.reduce(w * (tau - tau_mean[:, None]) ** 2, axis=1)
    mu_mean = np.add.reduce(w * given.mean, axis=1)
    mu_var = np.add.reduce(w * (given.sd**2 + (given.mean - mu_mean[:, None]) ** 2), axis=1)
    new_var = np.add.reduce(w * tau * tau, axis=1) + mu_var
    matters = np.max(w, axis=0) > NEGLIGIBLE
    return Exact(
        panels=panels,
        tau=tau[:, matters],
        weight=w[:, matters],
        mean=given.mean[:, matters],
        sd=given.sd[:, matters],
        log_integral=panels.log_total,
        tau_mean=np.where(first, tau_mean, np.inf),
        tau_sd=np.where(second, np.sqrt(tau_var), np.inf),
        mu_mean=mu_mean,
        mu_sd=np.where(second | (not flat), np.sqrt(mu_var), np.inf),
        new_sd=np.where(second, np.sqrt(new_var), np.inf),
    )


def log_prior(priors: Sequence[Prior], v: FloatArray, keep: Any, tau: FloatArray) -> FloatArray:
    """Return the log prior density of each analysis at its nodes: shape (m, n), or (1, n) if all share it."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        if len(priors) == 1 and not (priors[0].needs_data and keep is not None):
            return np.asarray(priors[0].log_density(tau, v))
        rows = max(len(priors), len(v))
        out = np.empty((rows, tau.shape[1]))
        for i in range(rows):
            prior, row = priors[i % len(priors)], v[i % len(v)]
            if keep is not None:
                row = row[keep[i % len(keep)] > 0]
            out[i] = prior.log_density(tau[i % len(tau)], row)
    return out


def tau_density(
    fit: Exact, i: int, y: Any, v: Any, prior: Prior, effect: EffectPrior | tuple[float, float] | None
) -> PositiveDensity:
    """Return tau's posterior in analysis i as a distribution; y, v and the priors are those of that analysis.

    ``effect`` may be (mean, sd) too, as in ``exact``: sd 0 fixes mu.
    """
    y, v = np.atleast_2d(y), np.atleast_2d(v)
    parts = normals_of(y, effect) if isinstance(effect, EffectPrior) else None

    def over_u(u: FloatArray) -> FloatArray:
        tau = np.exp(u)[None]
        before = log_prior([prior], v, None, tau)[0] + u
        if not isinstance(effect, EffectPrior) or parts is None:
            mu = None if isinstance(effect, EffectPrior) else effect
            return np.asarray(given_tau(y, v, None, tau, mu).loglik[0] + before)
        sd, weight = parts
        given = given_tau(y, v, None, tau, (effect.location, sd[:, None]))
        log = given.loglik
        if effect.bounded:
            log = log + log_between(given, (effect.lower, effect.upper))
        if sd.size == 1:
            return np.asarray(log[0] + before)
        top = np.max(log, axis=0)
        return np.asarray(top + np.log(weight @ np.exp(log - top)) + before)

    p = fit.panels
    row = i % len(p.edges)
    return PositiveDensity(over_u, float(p.log_total[i]), p.edges[row], p.cumulative[i], p.u[row], p.weight[i])


def refuse_improper(priors: Sequence[Prior], k: Any, power: Any, flat: int) -> None:
    """Refuse a posterior whose tail cannot be integrated: the likelihood falls like tau^-(k - flat).

    ``flat`` is the number of coefficients, mu among them, with a flat prior.
    """
    for prior in priors:
        refuse_pole(prior)
    for i, (studies, p) in enumerate(zip(k, power, strict=True)):
        prior = priors[i % len(priors)]
        if p > 1 or prior.proper:
            continue
        needed = int(np.floor(1 - prior.tail + flat)) + 1
        under = {0: "", 1: " with a flat prior on the mean"}.get(flat, f" with {flat} flat priors on coefficients")
        raise NotEstimableError(
            f"the posterior is improper: for large tau the {prior.words} prior {_falls(prior.tail)} and the likelihood of "
            f"{studies:g} {'study' if studies == 1 else 'studies'} {_falls(studies - flat)}, which together leaves tau free to be arbitrarily large. It needs {needed} studies"
            f"{under}; choose a proper prior, for example priors.half_normal(0.5)."
        )


def _falls(power: float) -> str:
    """Say how fast a density falls like tau to the power -power."""
    return "stays flat" if power <= 0 else f"falls like 1/tau{'' if power == 1 else f'^{power:g}'}"


def refuse_pole(prior: Prior) -> None:
    """Refuse a prior under which tau piles up at zero whatever the studies say: they never rule out tau = 0."""
    if prior.head >= 1:
        raise NotEstimableError(
            f"the posterior is improper: the {prior.words} prior on tau is infinite at zero like 1/tau (flat on log tau) or "
            "faster, and no number of studies rules out tau = 0, where its probability piles up at zero. Choose a proper "
            "prior, for example priors.half_normal(0.5)."
        )


def refuse_pile_up(priors: Sequence[Prior], panels: Panels) -> None:
    """Refuse a posterior that piles up at zero or at infinity, which the known tails did not reveal."""
    ends = np.diff(panels.cumulative, axis=1)[:, [0, -1]]
    open_right = np.broadcast_to(panels.edges[:, -1] > 300, ends.shape[:1])
    for i in np.flatnonzero(~((ends[:, 0] < PILE_UP) & ((ends[:, 1] < PILE_UP) | ~open_right))).tolist():
        name = priors[i % len(priors)].words
        if not np.isfinite(ends[i]).all():
            raise NotEstimableError(
                f"the posterior cannot be computed: the {name} prior on tau is zero wherever the studies are likely."
            )
        where = "infinity" if ends[i, 1] >= PILE_UP else "zero"
        raise NotEstimableError(
            f"the posterior is improper: under the {name} prior the probability of tau piles up at {where}. "
            "Choose a proper prior, for example priors.half_normal(0.5)."
        )
