"""EXACT: models with one random effect per study whose posterior is computed, not sampled.

Sources: Hamza TH, van Houwelingen HC, Stijnen T. J Clin Epidemiol 2008;61:41-51 (binomial-normal); Stijnen T, Hamza TH,
Ozdemir P. Stat Med 2010;29:3046-3067 (Poisson-normal); Griffiths DA. Biometrics 1973;29:637-648 (beta-binomial); Schmidli H et al. Biometrics 2014;70:1023-1032 (Bayesian).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from metaleptic.bayes import likelihoods
from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.latent import Latent, latent
from metaleptic.bayes.likelihoods import StudyLikelihood
from metaleptic.bayes.marginal import Marginal, tau_marginal
from metaleptic.bayes.normal_normal import weight_given_tau
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.random_beta import beta_between
from metaleptic.bayes.random_normal import NORMAL, Between
from metaleptic.bayes.real import RealDensity
from metaleptic.bayes.result import Nodes, PooledBayes
from metaleptic.errors import DataError, OptionError
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class ExactModel:
    """How a model reads the studies, its name in sentences, its source, and how true effects scatter."""

    key: str
    words: str
    likelihood: Callable[[Effects], StudyLikelihood]
    source: str
    between: Callable[[Effects], Between] = lambda effects: NORMAL


def counts(effects: Effects, model: str) -> tuple[FloatArray, FloatArray]:
    """Return events and patients of every study.

    Raises
    ------
    DataError
        If the effects do not carry them.
    """
    if effects.measure.key != "PLO" or not np.isfinite(effects.events + effects.n).all():
        raise DataError(
            f'model "{model}" needs the events and patients of every study. Make the effects with ml.proportions.'
        )
    return effects.events, effects.n


def events_in_time(effects: Effects) -> tuple[FloatArray, FloatArray]:
    """Return events and time at risk of every study.

    Raises
    ------
    DataError
        If the effects do not carry them.
    """
    if effects.measure.key != "IRLN" or len(effects.cells) != len(effects):
        raise DataError(
            'model "poisson-normal" needs the events and the time at risk of every study. Make the effects with ml.rates.'
        )
    return effects.cells[:, 0], effects.cells[:, 1]


def _binomial(effects: Effects) -> StudyLikelihood:
    return likelihoods.binomial(*counts(effects, "binomial-normal"))


def _normal(effects: Effects) -> StudyLikelihood:
    return likelihoods.normal(effects.y, effects.v)


EXACT = MappingProxyType(
    {
        m.key: m
        for m in (
            ExactModel("normal-normal", "normal", _normal, "Roever C. J Stat Softw 2020;93(6):1-51"),
            ExactModel(
                "binomial-normal",
                "binomial-normal",
                _binomial,
                "Hamza TH et al. J Clin Epidemiol 2008;61:41-51",
            ),
            ExactModel(
                "beta-binomial",
                "beta-binomial",
                lambda effects: likelihoods.binomial(*counts(effects, "beta-binomial")),
                "Griffiths DA. Biometrics 1973;29:637-648",
                lambda effects: beta_between(*counts(effects, "beta-binomial")),
            ),
            ExactModel(
                "poisson-normal",
                "Poisson-normal",
                lambda effects: likelihoods.poisson(*events_in_time(effects)),
                "Stijnen T, Hamza TH, Ozdemir P. Stat Med 2010;29:3046-3067",
            ),
        )
    }
)


def exact_model(key: str) -> ExactModel:
    """Look a model up by its key."""
    if key in ("t", "selection", "outliers"):
        raise OptionError(f'model "{key}" is sampled, not solved: say method="nuts".')
    if key not in EXACT:
        raise OptionError(f"model {key!r} is unknown. Choose one of: {', '.join(EXACT)}.")
    return EXACT[key]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LatentBayes(PooledBayes):
    """A posterior solved on a grid: all that ``PooledBayes`` answers, with the grid behind it.

    Attributes
    ----------
    model : str
        Key of the model.
    grid : Latent
        Joint posterior of mu and tau, and each study's likelihood on it.
    likelihood : StudyLikelihood
        What each study says.
    """

    model: str
    grid: Latent
    likelihood: StudyLikelihood

    def contrast(self, weights: Mapping[str, float]) -> Marginal:
        """Refuse: the studies' effects are known one by one, not jointly."""
        raise OptionError('contrasts of studies need the normal-normal model, or draws: say method="nuts".')

    def shrinkage_weights(self) -> FloatArray:
        """Refuse: the posterior means are no weighted means of the studies."""
        raise OptionError("weights of studies in each other's effects exist in the normal-normal model alone.")


def pool_latent(effects: Effects, model: ExactModel, prior: Prior, mu: EffectPrior | None, level: float) -> LatentBayes:
    """Pool by a model of the table: the exact posterior in words and numbers."""
    study = model.likelihood(effects)
    fit = latent(study, prior, mu, study.scale**2, model.between(effects))
    return describe_latent(effects, model, study, prior, mu, level, fit)


def model_of(fit: LatentBayes) -> ExactModel:
    """Return the model behind a fit, also one that is not in the table: medians."""
    if fit.model in EXACT:
        return EXACT[fit.model]
    return ExactModel(fit.model, fit.model_words, lambda _: fit.likelihood, fit.model_source)


def some_studies(fit: LatentBayes, at: Sequence[int]) -> LatentBayes:
    """Fit the same model, with its priors, to the studies at these positions, by the likelihoods the fit has stored."""
    model, rest, study = model_of(fit), fit.effects.take(at), fit.likelihood.take(list(at))
    solved = latent(study, fit.prior, fit.mu_prior, study.scale**2, model.between(rest))
    call = fit.provenance.call.partition(", tau=")[0]
    return describe_latent(rest, model, study, fit.prior, fit.mu_prior, fit.level, solved, call)


def describe_latent(
    effects: Effects,
    model: ExactModel,
    study: StudyLikelihood,
    prior: Prior,
    mu: EffectPrior | None,
    level: float,
    fit: Latent,
    call: str = "",
) -> LatentBayes:
    """Summarise a posterior; ``call`` is the verb that makes it with its own arguments, ``ml.pool_bayes`` if empty."""
    improper = [] if prior.proper else [f"the {prior.words} prior on tau is improper"]
    improper += [] if mu is not None else ["the flat prior on the mean is improper"]
    reason = " and ".join(improper)
    pooled = real_marginal("mu", "credible", fit.mu, effects, level)
    call = call or f'ml.pool_bayes(effects, model="{model.key}"'
    mean = "flat prior on the mean" if mu is None else f"{mu.words} prior on the mean"
    return LatentBayes(
        effects=effects,
        estimate=pooled.estimate,
        mu=pooled,
        tau=tau_marginal(fit.tau, fit.tau_mean, fit.tau_sd, level),
        prediction=real_marginal("prediction", "prediction", fit.new, effects, level),
        theta=tuple(
            real_marginal(name, "credible", d, effects, level) for name, d in zip(effects.study, fit.theta, strict=True)
        ),
        weights=frozen_array(_weights(study.scale**2, fit, mu)),
        log_marginal=float("nan") if reason else fit.log_integral,
        no_marginal=reason,
        log_integral=fit.log_integral,
        prior=prior,
        mu_prior=mu,
        nodes=_nodes(fit),
        error=fit.error,
        model_words=model.words,
        model_source=model.source,
        method=f"Bayesian {model.words} random effects: {prior.words} prior on tau, {mean}",
        level=level,
        notes=_notes(effects),
        provenance=provenance(
            effects,
            f"{call}, tau={prior.call}, mu={None if mu is None else mu.call}, level={level:g})",
        ),
        model=model.key,
        grid=fit,
        likelihood=study,
    )


def real_marginal(name: str, kind: str, density: RealDensity, effects: Effects, level: float) -> Marginal:
    """Summarise one quantity that is not positive by nature."""
    low, median, high = density.quantile(np.array([(1 - level) / 2, 0.5, (1 + level) / 2])).tolist()
    with np.errstate(over="ignore"):
        value = float(effects.measure.to_printed(median))
        printed = effects.measure.printed_bounds(low, high)
    shown = Estimate(value, float(printed[0]), float(printed[1]), level, kind)
    return Marginal(
        name,
        density.mean,
        density.sd,
        median,
        density.mode(),
        shown.value,
        shown.low,
        shown.high,
        level,
        kind,
        (low, high),
        density.shortest(level),
        density,
    )


def _weights(v: FloatArray, fit: Latent, mu: EffectPrior | None) -> FloatArray:
    """Return each study's share of what is known of the mean, percent, by its normal approximation."""
    given = 1 / (v + fit.tau_nodes[:, None] ** 2)
    precision = given.sum(axis=1) + (0.0 if mu is None else 1 / mu.scale**2)
    per_tau = weight_given_tau(v, fit.tau_nodes, 1 / np.sqrt(precision))
    return np.asarray(100 * per_tau @ fit.joint.sum(axis=1))


def _nodes(fit: Latent) -> Nodes:
    """Return tau with its probabilities, and mean and sd of mu given each."""
    weight = fit.joint.sum(axis=1)
    given = fit.joint / np.where(weight > 0, weight, 1.0)[:, None]
    mean = given @ fit.mu_nodes
    sd = np.sqrt(np.maximum(given @ fit.mu_nodes**2 - mean**2, 0.0))
    return Nodes(*(frozen_array(a) for a in (fit.tau_nodes, weight, mean, sd)))


def _notes(effects: Effects) -> tuple[str, ...]:
    notes = ["Weights are those of the normal approximation: the model itself has none."]
    if len(effects) <= 4:
        notes.insert(0, f"Only {len(effects)} studies: the prior on tau matters; try others.")
    return tuple(notes)
