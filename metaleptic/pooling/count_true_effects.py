"""True effects of studies given a fitted model of counts: mean and variance of each study's random effect, by quadrature."""

from __future__ import annotations

import numpy as np

from metaleptic.errors import OptionError
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
from metaleptic.pooling.study_likelihoods import TwoBinomials, TwoPoissons
from metaleptic.types import Effects, FloatArray


def true_effects(effects: Effects, model: str, fitted: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of each study's true effect, given its counts, the fitted effects and tau.

    A study that says nothing stays at its fitted effect, with variance tau2.

    Raises
    ------
    OptionError
        If the levels of the studies are random too.
    """
    data = count_data(effects, model, None)
    if data.levels:
        raise OptionError(
            f'true effects of studies are not computed for model="{model}", whose study levels are random too. '
            'Use model="conditional-exact" or "unconditional-fixed".'
        )
    says = data.kept(len(effects)) > 0
    mean, variance = np.array(fitted, dtype=np.float64), np.full(len(effects), tau**2)
    if tau == 0:
        return mean, variance
    center, studies = mean[says], data.studies
    if isinstance(studies, TwoBinomials | TwoPoissons):
        level = profiled_marginal(studies, center, tau, data.nodes, first_level(studies))[1]
        loglik = fixed_level(studies, level)
    else:
        loglik = studies
    mean[says], variance[says] = _moments(loglik, center, tau)
    return mean, variance


def _moments(loglik: Conditional, center: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    mode, scale = integrand_mode(loglik, center, tau)
    z, log_w = gauss_hermite(NODES)
    u = mode + scale * z[:, None]
    g = loglik(center + tau * u)[0] - u**2 / 2 + log_w[:, None]
    p = np.exp(g - g.max(axis=0))
    p = p / p.sum(axis=0)
    mean = (p * u).sum(axis=0)
    return center + tau * mean, tau**2 * (p * (u - mean) ** 2).sum(axis=0)
