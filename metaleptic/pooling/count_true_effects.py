"""True effects of studies given a fitted model of counts: mean and variance of each study's random effect, by quadrature."""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.pooling.beta_binomial import beta_parameters
from metaleptic.pooling.count_data import count_data
from metaleptic.pooling.glmm import (
    NODES,
    Conditional,
    first_level,
    fixed_level,
    gauss_hermite,
    integrand_mode,
    profiled_marginal,
)
from metaleptic.pooling.random_levels import effects_given_counts
from metaleptic.pooling.result import StudyLevels
from metaleptic.pooling.study_likelihoods import TwoBinomials, TwoPoissons
from metaleptic.types import Effects, FloatArray


def true_effects(
    effects: Effects, model: str, fitted: FloatArray, tau: float, levels: StudyLevels | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean and variance of each study's true effect, given its counts, the fitted effects and tau.

    The third array says how far the mean follows the fitted effect. A study that says nothing stays at it, with variance tau2.
    """
    data = count_data(effects, model, None)
    says = data.kept(len(effects)) > 0
    mean, variance = np.array(fitted, dtype=np.float64), np.full(len(effects), tau**2)
    follows = np.ones(len(effects))
    if tau == 0:
        return mean, variance, follows
    center, studies = mean[says], data.studies
    if levels is not None and isinstance(studies, TwoBinomials | TwoPoissons):
        return effects_given_counts(studies, levels, mean, tau)
    if isinstance(studies, TwoBinomials | TwoPoissons):
        level = profiled_marginal(studies, center, tau, data.nodes, first_level(studies))[1]
        loglik = fixed_level(studies, level)
    else:
        loglik = studies
    mean[says], variance[says] = _moments(loglik, center, tau)
    follows[says] = variance[says] / tau**2
    return mean, variance, follows


def true_proportions(x: FloatArray, n: FloatArray, center: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the same for logits of beta-distributed proportions, whose distribution given the counts is a beta again.

    ``center`` is the logit of their mean; how far the means follow it is taken at the fitted parameters.
    """
    size = beta_parameters(x, n)[1]
    if not np.isfinite(size):
        return np.full(len(x), center), 0 * x, np.ones(len(x))
    share, total = special.expit(center), np.exp(size)
    a, b = share * total + x, (1 - share) * total + n - x
    variance = special.polygamma(1, a) + special.polygamma(1, b)
    return special.digamma(a) - special.digamma(b), variance, share * (1 - share) * total * variance


def _moments(loglik: Conditional, center: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    mode, scale = integrand_mode(loglik, center, tau)
    z, log_w = gauss_hermite(NODES)
    u = mode + scale * z[:, None]
    g = loglik(center + tau * u)[0] - u**2 / 2 + log_w[:, None]
    p = np.exp(g - g.max(axis=0))
    p = p / p.sum(axis=0)
    mean = (p * u).sum(axis=0)
    return center + tau * mean, tau**2 * (p * (u - mean) ** 2).sum(axis=0)
