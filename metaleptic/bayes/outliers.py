"""Random effects in two groups: most studies scatter with tau, a few outlying ones more widely around the same mean.

A share of the studies, beta(1, 9) beforehand, has the variance tau^2 + wide^2; ``wide`` has the prior of tau, stretched by
STRETCH. Which studies these are and their true effects are integrated out, so that four numbers remain to be sampled;
given those, everything about the studies is drawn from closed forms.

Source: Beath KJ. Res Synth Methods 2014;5:285-293 (common mean, two variances).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.sampled_priors import mu_variable, tau_variable
from metaleptic.errors import NotEstimableError
from metaleptic.types import Effects, FloatArray

BEATH = "Beath KJ. Res Synth Methods 2014;5:285-293"
SHARE = (1.0, 9.0)  # beta prior of the share of outlying studies: 1 in 10 on average
STRETCH = 3.0  # of the prior of tau, for the additional spread of outlying studies

Draws = Mapping[str, FloatArray]


def outliers(pm: Any, pt: Any, effects: Effects, prior: Prior, mu: EffectPrior | None) -> None:
    """Define y ~ (1 - share) N(mu, v + tau^2) + share N(mu, v + tau^2 + wide^2)."""
    if not prior.proper:
        raise NotEstimableError(
            f"the posterior is improper: where no study is an outlier, nothing bounds the spread of outliers, whose prior is the "
            f"{prior.words} one of tau, stretched. Choose a proper prior, for example priors.half_normal(0.5)."
        )
    y, v = effects.y, effects.v
    mean = mu_variable(pm, mu, float(np.average(y, weights=1 / v)), float(np.sqrt(np.mean(v))))
    tau = tau_variable(pm, pt, prior, v)
    wide = pm.Deterministic("wide", STRETCH * tau_variable(pm, pt, prior, v, "wide_unit"))
    share = pm.Beta("share", *SHARE)
    usual = v + tau**2
    near = pt.log1p(-share) + log_normal(pt, y - mean, usual)
    far = pt.log(share) + log_normal(pt, y - mean, usual + wide**2)
    pm.Potential("y", pt.sum(pt.logaddexp(near, far)))


def log_normal(xp: Any, away: Any, variance: Any) -> Any:
    """Return the log density of a normal distribution."""
    return -0.5 * (away**2 / variance + xp.log(variance) + np.log(2 * np.pi))


def log_groups(draws: Draws, effects: Effects) -> tuple[FloatArray, FloatArray]:
    """Return the log-likelihood of each study as a usual and as an outlying one, times the group's share."""
    mu, tau, wide, share = (draws[name][..., None] for name in ("mu", "tau", "wide", "share"))
    usual = effects.v + tau**2
    near = np.log1p(-share) + log_normal(np, effects.y - mu, usual)
    far = np.log(share) + log_normal(np, effects.y - mu, usual + wide**2)
    return np.asarray(near), np.asarray(far)


def outliers_new(rng: np.random.Generator, draws: Draws, effects: Effects) -> dict[str, FloatArray]:
    """Draw groups and true effects of the studies, and a new study's; "outlying" is the probability of the wide group."""
    near, far = log_groups(draws, effects)
    chance = special.expit(far - near)
    mu, tau, wide, share = (draws[name] for name in ("mu", "tau", "wide", "share"))
    out = rng.random(chance.shape) < chance
    between = tau[..., None] ** 2 + out * wide[..., None] ** 2
    pull = effects.v / (effects.v + between)
    theta = pull * mu[..., None] + (1 - pull) * effects.y
    theta = theta + np.sqrt(pull * between) * rng.standard_normal(chance.shape)
    spread = np.sqrt(tau**2 + (rng.random(mu.shape) < share) * wide**2)
    return {"theta": theta, "new": mu + spread * rng.standard_normal(mu.shape), "outlying": chance}


def spread_of_groups(
    rng: np.random.Generator, tau: FloatArray, wide: FloatArray, share: FloatArray, k: int
) -> FloatArray:
    """Draw the standard deviation of each of k new studies' true effects: shape (draws, k)."""
    out = rng.random((tau.size, k)) < share[:, None]
    return np.asarray(np.sqrt(tau[:, None] ** 2 + out * wide[:, None] ** 2))


def outlying_note(draws: Draws, effects: Effects) -> str:
    """Say which studies are outliers more likely than not."""
    chance = draws["outlying"].reshape(-1, len(effects)).mean(axis=0)
    named = [f"{effects.study[i]} ({100 * chance[i]:.0f}%)" for i in np.argsort(-chance) if chance[i] > 0.5]
    return f"More likely outlying than not: {', '.join(named) or 'no study'}."
