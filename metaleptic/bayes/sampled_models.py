"""SAMPLED: models that NUTS draws from, one function each, given ``pm`` and ``pt``.

Study effects are written as mu + tau z with standard normal z: with few or small studies the posterior of z is close to its
prior, where the sampler moves freely (Papaspiliopoulos O, Roberts GO, Skoeld M. Stat Sci 2007;22:59-73).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact_models import counts, events_in_time
from metaleptic.bayes.outliers import BEATH, outliers, outliers_new
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.random_beta import shapes
from metaleptic.bayes.sampled_priors import mu_variable, tau_variable
from metaleptic.errors import DataError
from metaleptic.types import Effects, FloatArray

T_DF = 4  # of random effects with heavy tails
Z_LIMIT = 1.959963984540054  # beyond it a result is significant
TINY = 1e-8  # added to tau2 where its inverse is needed


Draws = Mapping[str, FloatArray]


def normal_new(rng: np.random.Generator, draws: Draws, effects: Effects) -> dict[str, FloatArray]:
    """Draw a new study's true effect from N(mu, tau^2)."""
    return {"new": draws["mu"] + draws["tau"] * rng.standard_normal(draws["mu"].shape)}


@dataclass(frozen=True, slots=True, eq=False)
class SampledModel:
    """How a model is built, its name in sentences, and its source.

    Attributes
    ----------
    key, words, source : str
        Key of the table, name, citation.
    build : callable
        ``build(pm, pt, effects, prior, mu)`` defines the variables named in ``keep``.
    keep : tuple of str
        Variables to keep.
    finish : callable
        ``finish(rng, draws, effects)`` draws what is independent given those: "new", a new study's true effect, and
        "theta" where the model has integrated it out.
    """

    key: str
    words: str
    source: str
    build: Callable[[Any, Any, Effects, Prior, EffectPrior | None], None]
    keep: tuple[str, ...] = ("mu", "tau", "theta")
    finish: Callable[[np.random.Generator, Draws, Effects], dict[str, FloatArray]] = normal_new


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


def poisson_normal(pm: Any, pt: Any, effects: Effects, prior: Prior, mu: EffectPrior | None) -> None:
    """Define x ~ Poisson(time * exp(theta))."""
    x, time = events_in_time(effects)
    rate = time * pm.math.exp(studies(pm, pt, effects, prior, mu))
    pm.Poisson("x", mu=rate, observed=x.astype(int))


def beta_binomial(pm: Any, pt: Any, effects: Effects, prior: Prior, mu: EffectPrior | None) -> None:
    """Define x ~ Beta-binomial with mean expit(mu) and a + b = 1 / (tau^2 p (1 - p))."""
    x, n = (a.astype(int) for a in counts(effects, "beta-binomial"))
    mean = mu_variable(pm, mu, float(np.average(effects.y, weights=1 / effects.v)), 1.0)
    tau2 = tau_variable(pm, pt, prior, effects.v) ** 2 + TINY
    a, b = 1 / (tau2 * pm.math.sigmoid(-mean)), 1 / (tau2 * pm.math.sigmoid(mean))
    pm.BetaBinomial("x", alpha=a, beta=b, n=n, observed=x)


def beta_new(rng: np.random.Generator, draws: Draws, effects: Effects) -> dict[str, FloatArray]:
    """Draw the studies' proportions and a new one from beta distributions."""
    x, n = counts(effects, "beta-binomial")
    a, b = shapes(draws["mu"], np.sqrt(draws["tau"] ** 2 + TINY))
    theta = logit_of_beta(rng, a[..., None] + x, b[..., None] + n - x)
    return {"theta": theta, "new": logit_of_beta(rng, a, b)}


def logit_of_beta(rng: np.random.Generator, a: FloatArray, b: FloatArray) -> FloatArray:
    """Draw logits of beta variables as differences of log gamma variables, which do not round to 0 or 1."""
    logs = []
    for shape in (a, b):  # gamma(shape) = gamma(shape + 1) * uniform^(1 / shape)
        logs.append(np.log(rng.standard_gamma(shape + 1)) + np.log(rng.random(shape.shape)) / shape)
    return np.asarray(logs[0] - logs[1])


def t_normal(pm: Any, pt: Any, effects: Effects, prior: Prior, mu: EffectPrior | None) -> None:
    """Define y ~ N(theta, v), theta ~ mu + tau t(4): a study far from the others is shrunken less, and pulls less."""
    centre = float(np.average(effects.y, weights=1 / effects.v))
    mean = mu_variable(pm, mu, centre, float(np.sqrt(np.mean(effects.v))))
    tau = tau_variable(pm, pt, prior, effects.v)
    z = pm.StudentT("z", nu=T_DF, mu=0.0, sigma=1.0, shape=len(effects))
    theta = pm.Deterministic("theta", mean + tau * z)
    pm.Normal("y", theta, np.sqrt(effects.v), observed=effects.y)


def t_new(rng: np.random.Generator, draws: Draws, effects: Effects) -> dict[str, FloatArray]:
    """Draw a new study's true effect from mu + tau t(4)."""
    return {"new": draws["mu"] + draws["tau"] * rng.standard_t(T_DF, draws["mu"].shape)}


def selection(pm: Any, pt: Any, effects: Effects, prior: Prior, mu: EffectPrior | None) -> None:
    """Define y ~ N(mu, v + tau^2), reported with probability 1 if significant in the studies' direction, omega if not."""
    y, v = effects.y, effects.v
    way = direction(effects)
    mean = mu_variable(pm, mu, float(np.average(y, weights=1 / v)), float(np.sqrt(np.mean(v))))
    tau = tau_variable(pm, pt, prior, v)
    omega = pm.Uniform("omega", 0.0, 1.0)
    sd = pt.sqrt(v + tau**2)
    significant = way * y > Z_LIMIT * np.sqrt(v)
    chance = 0.5 * pt.erfc(-(way * mean - Z_LIMIT * np.sqrt(v)) / sd / np.sqrt(2.0))
    density = -0.5 * ((y - mean) / sd) ** 2 - pt.log(sd) - 0.5 * np.log(2 * np.pi)
    weight = pt.log(pt.where(significant, 1.0, omega)) - pt.log(chance + omega * (1 - chance))
    pm.Potential("y", pt.sum(density + weight))


def direction(effects: Effects) -> float:
    """Return the direction in which results are thought to have been reported: that of the common effect.

    Raises
    ------
    DataError
        If the measure has no value of "no effect".
    """
    null = effects.measure.to_analysis(effects.measure.null) if effects.measure.has_null else np.nan
    if effects.measure.key == "GEN" or null == 0:
        return 1.0 if np.average(effects.y, weights=1 / effects.v) >= 0 else -1.0
    raise DataError(
        f"a {effects.measure.label.lower()} has no value of 'no effect' to be significant against: model \"selection\" is for "
        "comparisons (HR, OR, RR, differences)."
    )


def selected_new(rng: np.random.Generator, draws: Draws, effects: Effects) -> dict[str, FloatArray]:
    """Draw the studies' true effects: given y the selection says no more of them."""
    mean, tau2 = draws["mu"][..., None], draws["tau"][..., None] ** 2
    pull = effects.v / (effects.v + tau2)
    z = rng.standard_normal((*draws["mu"].shape, len(effects)))
    theta = pull * mean + (1 - pull) * effects.y + np.sqrt(pull * tau2) * z
    return {"theta": theta, **normal_new(rng, draws, effects)}


BETA_BINOMIAL = "Griffiths DA. Biometrics 1973;29:637-648"
SAMPLED = MappingProxyType(
    {
        m.key: m
        for m in (
            SampledModel("normal-normal", "normal", "Roever C. J Stat Softw 2020;93(6):1-51", normal_normal),
            SampledModel(
                "binomial-normal", "binomial-normal", "Hamza TH et al. J Clin Epidemiol 2008;61:41-51", binomial_normal
            ),
            SampledModel("beta-binomial", "beta-binomial", BETA_BINOMIAL, beta_binomial, ("mu", "tau"), beta_new),
            SampledModel(
                "poisson-normal", "Poisson-normal", "Stijnen T et al. Stat Med 2010;29:3046-3067", poisson_normal
            ),
            SampledModel(
                "selection",
                "selected normal",
                "Vevea JL, Hedges LV. Psychometrika 1995;60:419-435",
                selection,
                ("mu", "tau", "omega"),
                selected_new,
            ),
            SampledModel("t", "Student t(4)", "Lee KJ, Thompson SG. Stat Med 2008;27:418-434", t_normal, finish=t_new),
            SampledModel("outliers", "two-group", BEATH, outliers, ("mu", "tau", "wide", "share"), outliers_new),
        )
    }
)
