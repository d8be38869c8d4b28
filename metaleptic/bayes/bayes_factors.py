"""The verb ``bayes_factors``: evidence for an effect, for heterogeneity, for the influence of each moderator.

Of a coefficient the Bayes factor is its prior density at none over its posterior density there: Dickey JM. Ann Math Stat
1971;42:204-223 (Savage-Dickey); both are exact here. Of tau it compares the marginal likelihood with that at tau = 0.
"""

from __future__ import annotations

import numpy as np

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact import normals_of
from metaleptic.bayes.exact_models import LatentBayes
from metaleptic.bayes.linear_given_tau import linear_given_tau
from metaleptic.bayes.normal_normal import given_tau
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.bayes.sampled import SampledBayes
from metaleptic.errors import NotEstimableError, OptionError

_LOG_SQRT_2PI = 0.5 * float(np.log(2 * np.pi))


def bayes_factors(post: PooledBayes | RegressionBayes) -> dict[str, float]:
    """Say how many times likelier the studies are if there is an effect (heterogeneity, an influence) than if there is none.

    Parameters
    ----------
    post : PooledBayes or RegressionBayes
        Exact normal-normal posterior from ``ml.pool_bayes`` with a proper prior on tau and on the mean (or on every
        coefficient).

    Returns
    -------
    dict of str to float
        ``"mu"`` and ``"tau"``, or the name of each coefficient and ``"tau"``. Above 1 speaks for an effect, below 1 for
        none; 1 / x is the evidence for none. "None" is 0 on the analysis scale (a ratio of 1).

    Raises
    ------
    NotEstimableError
        If a prior is improper: its constant is arbitrary, and with it the Bayes factor.
    OptionError
        If the model is another one, or the measure has no value of "no effect".

    Notes
    -----
    Source: Dickey JM. Ann Math Stat 1971;42:204-223. For model probabilities and averages see ``ml.compare_models``.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR")
    >>> found = ml.bayes_factors(ml.pool_bayes(e, mu=(0, 0.5)))
    >>> {name: round(value, 2) for name, value in found.items()}
    {'mu': 1.71, 'tau': 0.49}
    """
    if isinstance(post, SampledBayes | LatentBayes) or not isinstance(post, PooledBayes | RegressionBayes):
        raise OptionError(
            "bayes_factors takes an exact normal-normal posterior of ml.pool_bayes, with or without moderators."
        )
    if isinstance(post, PooledBayes) and not post.effects.measure.has_null:
        raise OptionError(f"a {post.effects.measure.label.lower()} has no value of 'no effect' to compare with.")
    if post.no_marginal:
        raise NotEstimableError(f"there is no Bayes factor: {post.no_marginal}, its constant is arbitrary.")
    if isinstance(post, RegressionBayes):
        none = float(linear_given_tau(post.fit.model, np.zeros(1)).loglik[0])
        logs = {
            name: _log_normal(0.0, mean, sd) - float(np.log(b.pdf(0.0)))
            for name, b, (mean, sd) in zip(post.names, post.beta, post.beta_prior, strict=True)
        }
    else:
        m, effect = post.effects.measure, post.mu_prior
        assert effect is not None
        null = float(m.to_analysis(m.null))
        y, v = post.effects.y[None], post.effects.v[None]
        sd, weight = normals_of(y, effect)
        given = given_tau(y, v, None, np.zeros((1, 1)), (effect.location, sd[:, None])).loglik[:, 0]
        none = float(np.logaddexp.reduce(given + np.log(weight)))
        logs = {"mu": _log_effect(null, effect) - float(np.log(post.mu.pdf(null)))}
    return {name: float(np.exp(log)) for name, log in (logs | {"tau": post.log_marginal - none}).items()}


def _log_normal(x: float, mean: float, sd: float) -> float:
    return -0.5 * ((x - mean) / sd) ** 2 - float(np.log(sd)) - _LOG_SQRT_2PI


def _log_effect(x: float, effect: EffectPrior) -> float:
    from metaleptic.bayes.latent import log_effect

    return float(log_effect(effect, np.array([x]))[0])
