"""SAMPLED: models that NUTS draws from, one function each, given ``pm`` and ``pt``.

Study effects are written as mu + tau z with standard normal z: with few or small studies the posterior of z is close to its
prior, where the sampler moves freely (Papaspiliopoulos O, Roberts GO, Skoeld M. Stat Sci 2007;22:59-73).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact_models import counts
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.sampled_priors import mu_variable, tau_variable
from metaleptic.types import Effects


@dataclass(frozen=True, slots=True, eq=False)
class SampledModel:
    """How a model is built, its name in sentences, and its source.

    Attributes
    ----------
    key, words, source : str
        Key of the table, name, citation.
    build : callable
        ``build(pm, pt, effects, prior, mu)`` defines variables "mu", "tau" and "theta".
    """

    key: str
    words: str
    source: str
    build: Callable[[Any, Any, Effects, Prior, EffectPrior | None], None]


def studies(pm: Any, pt: Any, effects: Effects, prior: Prior, mu: EffectPrior | None) -> Any:
    """Put mu, tau and the studies' true effects into the model, theta ~ N(mu, tau^2)."""
    centre = float(np.average(effects.y, weights=1 / effects.v))
    mean = mu_variable(pm, mu, centre, float(np.sqrt(np.mean(effects.v))))
    tau = tau_variable(pm, pt, prior, effects.v)
    z = pm.Normal("z", 0.0, 1.0, shape=len(effects))
    return pm.Deterministic("theta", mean + tau * z)


def normal_normal(pm: Any, pt: Any, effects: Effects, prior: Prior, mu: EffectPrior | None) -> None:
    """Define y ~ N(theta, v)."""
    pm.Normal("y", studies(pm, pt, effects, prior, mu), np.sqrt(effects.v), observed=effects.y)


def binomial_normal(pm: Any, pt: Any, effects: Effects, prior: Prior, mu: EffectPrior | None) -> None:
    """Define x ~ Binomial(n, expit(theta))."""
    x, n = (a.astype(int) for a in counts(effects, "binomial-normal"))
    pm.Binomial("x", n=n, logit_p=studies(pm, pt, effects, prior, mu), observed=x)


SAMPLED = MappingProxyType(
    {
        m.key: m
        for m in (
            SampledModel("normal-normal", "normal", "Roever C. J Stat Softw 2020;93(6):1-51", normal_normal),
            SampledModel(
                "binomial-normal", "binomial-normal", "Hamza TH et al. J Clin Epidemiol 2008;61:41-51", binomial_normal
            ),
        )
    }
)
