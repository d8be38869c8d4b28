"""What a fitted model of counts would have each study count: mean and variance over the true effects that it allows."""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.errors import OptionError
from metaleptic.pooling.count_data import COUNT_MODELS, count_data
from metaleptic.pooling.glmm import Conditional, gauss_hermite
from metaleptic.pooling.study_likelihoods import Binomial, Poisson, TwoBinomials, TwoPoissons
from metaleptic.types import Effects, FloatArray

NODES = 61  # the mean of a logistic function of a normal variable of SD 3 to 1e-8


def check_has_moments(model: str) -> None:
    """Refuse models that fit the level of every study to its own counts, or make it random: counts then have no one expectation.

    Raises
    ------
    OptionError
        If the model is one of both arms with study levels.
    """
    if model in COUNT_MODELS and model.startswith("unconditional"):
        raise OptionError(
            f'residuals of counts are not defined for model="{model}": the level of each study bends to its own counts. Use '
            'model="conditional-exact", which takes the events of both arms together as given; ml.leave_one_out(fit) serves '
            "every model."
        )


def count_moments(
    effects: Effects, model: str, center: FloatArray, spread: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return each study's count minus its expectation, and the variance of that count; NaN for studies that say nothing.

    True effects are normal about ``center`` with standard deviation ``spread``; both have shape (k,).
    """
    if model == "pooled-counts":
        rates = effects.measure.key == "IRLN"
        x, size = (effects.cells[:, 0], effects.cells[:, 1]) if rates else (effects.events, effects.n)
        loglik: Conditional = Poisson(x, size) if rates else Binomial(x, size, 0 * x)
        says = np.ones(len(effects), dtype=bool)
    else:
        data = count_data(effects, model, None)
        assert not isinstance(data.studies, TwoBinomials | TwoPoissons)
        loglik, says = data.studies, data.kept(len(effects)) > 0
    z, log_w = gauss_hermite(NODES)
    w = np.exp(log_w - z**2 / 2)
    w = w / w.sum()
    eta = center[says] + z[:, None] * spread[says]
    _, gap, curve = loglik(eta)
    mean = w @ gap
    off, variance = np.full(len(effects), np.nan), np.full(len(effects), np.nan)
    off[says], variance[says] = mean, w @ ((gap - mean) ** 2 - curve)
    return off, variance


def beta_binomial_moments(
    effects: Effects, center: FloatArray, correlation: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the same for beta-binomial counts of logit mean ``center`` and that correlation of patients within studies."""
    n, p = effects.n, special.expit(center)
    return np.asarray(effects.events - n * p), np.asarray(n * p * (1 - p) * (1 + (n - 1) * correlation))
