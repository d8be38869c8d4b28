"""Sampled posteriors: the result and how it is made from chains."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.bayes.diagnostics import Diagnostics, diagnose
from metaleptic.bayes.draws import marginal_of_draws
from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact import refuse_improper
from metaleptic.bayes.exact_models import EXACT
from metaleptic.bayes.latent import refuse_improper as refuse_latent
from metaleptic.bayes.marginal import Marginal
from metaleptic.bayes.normal_normal import weight_given_tau
from metaleptic.bayes.outliers import outlying_note
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.result import Nodes, PooledBayes
from metaleptic.bayes.sampled_models import SAMPLED, SampledModel
from metaleptic.errors import OptionError
from metaleptic.provenance import provenance
from metaleptic.types import Effects, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class SampledBayes(PooledBayes):
    """A posterior known by draws: all that ``PooledBayes`` answers, with the draws and what the chains say of themselves.

    Attributes
    ----------
    model : str
        Key of the model.
    draws : mapping of str to ndarray of shape (chains, draws, ...)
        "mu", "tau", "theta" (last axis: studies) and "new", a new study's true effect; analysis scale. With model
        "selection" also "omega"; with "outliers" also "share", "wide" and "outlying", each study's probability of being one.
    diagnostics : Diagnostics
        R-hat, effective sample sizes, Monte-Carlo errors, divergences, E-BFMI.
    energy, diverging : ndarray of shape (chains, draws)
        Of the sampler's steps.
    """

    model: str
    draws: Mapping[str, FloatArray]
    diagnostics: Diagnostics
    energy: FloatArray
    diverging: FloatArray

    def to_arviz(self) -> Any:
        """Hand the draws to ArviZ: an ``InferenceData`` (ArviZ 0.x) or a ``DataTree`` (1.x), studies by name.

        Beside the posterior it holds ``log_likelihood``, ``observed_data`` and ``posterior_predictive`` of each study, so that
        ``az.loo`` and ``az.plot_ppc`` work.
        """
        from metaleptic.bayes.arviz_groups import arviz_groups
        from metaleptic.bayes.sampler import to_arviz

        dims = {"theta": ["study"], "outlying": ["study"], "y": ["study"]}
        coords = {"study": list(self.effects.study)}
        return to_arviz(self.draws, self.diverging, self.energy, dims, coords, arviz_groups(self))

    def contrast(self, weights: Mapping[str, float]) -> Marginal:
        """Return the posterior of a weighted sum of the studies' true effects and the pooled effect, analysis scale."""
        unknown = [name for name in weights if name not in (*self.effects.study, "mu")]
        if unknown or not weights:
            raise OptionError(
                f"a contrast names studies or 'mu', not {unknown}. There are: {', '.join(self.effects.study)}."
            )
        parts = {"mu": self.draws["mu"]} | {n: self.draws["theta"][..., i] for i, n in enumerate(self.effects.study)}
        total = sum((w * parts[name] for name, w in weights.items()), np.zeros(self.draws["mu"].shape))
        label = " + ".join(f"{w:g} {name}" for name, w in weights.items()).replace("+ -", "- ")
        return marginal_of_draws(label, "credible", total, self.level, None)

    def __repr__(self) -> str:
        return distrust(self.diagnostics, PooledBayes.__repr__(self))


def pool_sampled(
    effects: Effects,
    model: str,
    prior: Prior,
    mu: EffectPrior | None,
    level: float,
    *,
    draws: int,
    chains: int,
    seed: int | None,
) -> SampledBayes:
    """Draw from a model of the table and summarise."""
    from metaleptic.bayes.sampler import sample

    if model not in SAMPLED:
        raise OptionError(f"model {model!r} cannot be sampled. Choose one of: {', '.join(SAMPLED)}.")
    check_chains(draws, chains)
    chosen = SAMPLED[model]
    refuse_improper_draws(effects, model, prior, mu)
    seed = secrets.randbelow(2**31) if seed is None else int(seed)
    found = sample(
        lambda pm, pt: chosen.build(pm, pt, effects, prior, mu),
        chosen.keep,
        draws=draws,
        chains=chains,
        seed=seed,
    )
    rng = np.random.default_rng(seed)
    kept = {**found.draws, **chosen.finish(rng, found.draws, effects)}
    report = diagnose(dict(found.draws), found.diverging, found.energy, found.sampler)
    return describe_draws(
        effects, chosen, prior, mu, level, kept, report, found.energy, found.diverging, found.versions, seed
    )


def check_chains(draws: int, chains: int) -> None:
    """Refuse numbers of draws and chains that no diagnostic can judge."""
    for name, value, least in (("draws", draws, 100), ("chains", chains, 2)):
        if not (isinstance(value, int) and value >= least):
            raise OptionError(f"{name} {value!r} must be a whole number of at least {least}.")


def distrust(report: Diagnostics, text: str) -> str:
    """Put what is wrong with the chains before everything else that is said."""
    return f"NOT TO BE TRUSTED: {'; '.join(report.problems)}\n{text}" if report.problems else text


def refuse_improper_draws(effects: Effects, model: str, prior: Prior, mu: EffectPrior | None) -> None:
    """Refuse what has no posterior: a sampler would wander off and return numbers all the same.

    Where tau is large, effects with standard errors say as much under every model: their density falls like 1/tau each.
    """
    if model in EXACT and model != "normal-normal":
        refuse_latent(EXACT[model].likelihood(effects), prior, None if mu is None else (mu.location, mu.scale))
        return
    flat, k = int(mu is None), np.array([float(len(effects))])
    refuse_improper([prior], k, prior.tail + k - flat, flat)


def describe_draws(
    effects: Effects,
    model: SampledModel,
    prior: Prior,
    mu: EffectPrior | None,
    level: float,
    draws: Mapping[str, FloatArray],
    report: Diagnostics,
    energy: FloatArray,
    diverging: FloatArray,
    versions: tuple[tuple[str, str], ...],
    seed: int,
) -> SampledBayes:
    """Summarise draws in words and numbers."""
    m = effects.measure
    pooled = marginal_of_draws("mu", "credible", draws["mu"], level, m)
    tau, flat_mu = draws["tau"].reshape(-1), draws["mu"].reshape(-1)
    precision = (1 / (effects.v + tau[:, None] ** 2)).sum(axis=1) + (0.0 if mu is None else 1 / mu.scale**2)
    weights = 100 * weight_given_tau(effects.v, tau, 1 / np.sqrt(precision)).mean(axis=1)
    mean = "flat prior on the mean" if mu is None else f"{mu.words} prior on the mean"
    call = (
        f'ml.pool_bayes(effects, model="{model.key}", method="nuts", tau={prior.call}, mu={None if mu is None else mu.call}, '
        f"draws={report.draws}, chains={report.chains}, seed={seed}, level={level:g})"
    )
    origin = provenance(effects, call, seed)
    return SampledBayes(
        effects=effects,
        estimate=pooled.estimate,
        mu=pooled,
        tau=marginal_of_draws("tau", "credible", draws["tau"], level, None, positive=True),
        prediction=marginal_of_draws("prediction", "prediction", draws["new"], level, m),
        theta=tuple(
            marginal_of_draws(name, "credible", draws["theta"][..., i], level, m)
            for i, name in enumerate(effects.study)
        ),
        weights=frozen_array(weights),
        log_marginal=float("nan"),
        no_marginal="draws give no marginal likelihood",
        log_integral=float("nan"),
        prior=prior,
        mu_prior=mu,
        nodes=Nodes(*(frozen_array(a) for a in (tau, np.full(tau.size, 1 / tau.size), flat_mu, np.zeros(tau.size)))),
        error=float(0.5 / np.sqrt(min(report.ess_bulk.min(), report.ess_tail.min()))),
        method=f"Bayesian {model.words} random effects: {prior.words} prior on tau, {mean}; {report.chains} x {report.draws} draws",
        model_words=model.words,
        model_source=model.source,
        level=level,
        notes=_notes(report) + ((outlying_note(draws, effects),) if "outlying" in draws else ()),
        provenance=replace(origin, versions=(*origin.versions, *versions)),
        model=model.key,
        draws=MappingProxyType({name: frozen_array(x) for name, x in draws.items()}),
        diagnostics=report,
        energy=frozen_array(energy),
        diverging=frozen_array(diverging),
    )


def _notes(report: Diagnostics) -> tuple[str, ...]:
    return (*chain_notes(report), "Weights are those of the normal approximation, averaged over the draws of tau.")


def chain_notes(report: Diagnostics) -> tuple[str, ...]:
    """Say what the chains mean for the reader."""
    if not report.problems:
        return ()
    return (
        f"The chains did not explore the posterior properly ({'; '.join(report.problems)}): do not use these numbers. "
        "Draw more, or choose a prior that says more.",
    )
