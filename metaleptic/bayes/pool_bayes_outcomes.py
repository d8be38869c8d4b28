"""The verb ``pool_bayes_outcomes``: several correlated outcomes per study in one Bayesian model."""

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
from metaleptic.bayes.marginal import Marginal
from metaleptic.bayes.outcomes import WEI_2013, Table, correlations_of, outcomes_model, true_effects
from metaleptic.bayes.pool_bayes import checked_mu, checked_prior
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.sampled import SampledBayes, chain_notes, check_chains, describe_draws, distrust
from metaleptic.bayes.sampled_models import SampledModel
from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, OptionError
from metaleptic.frames import to_frame, where
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, FloatArray, Provenance, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class OutcomesBayes:
    """The joint posterior of several outcomes: what ``ml.pool_bayes_outcomes`` returns.

    Attributes
    ----------
    effects : Effects
        What was pooled, all outcomes.
    outcomes, studies : tuple of str
        Names, in the order of the draws.
    parts : mapping of str to SampledBayes
        Each outcome's posterior: ``fit["OS"]`` goes to ``ml.forest`` and wherever a fit goes.
    correlation : mapping of (str, str) to Marginal
        Posterior of the correlation of two outcomes' true effects between studies.
    theta : mapping of (str, str) to Marginal
        Posterior of the true effect of each study in each outcome, also where the study does not report it.
    method : str
        The model in words.
    level : float
        Level of the intervals.
    notes : tuple of str
        What a careful reader must know of this result.
    provenance : Provenance
        How to make it again.
    draws : mapping of str to ndarray of shape (chains, draws, ...)
        "mu", "tau" and "new" (outcomes), "correlation" (outcomes, outcomes), "theta" (studies, outcomes).
    diagnostics : Diagnostics
        R-hat, effective sample sizes, Monte-Carlo errors, divergences, E-BFMI.
    energy, diverging : ndarray of shape (chains, draws)
        Of the sampler's steps.
    covariance : ndarray of shape (n, n)
        Covariance of the estimates' errors.
    outcome_column : str
        Column of the effects that names the outcome.
    """

    effects: Effects
    outcomes: tuple[str, ...]
    studies: tuple[str, ...]
    parts: Mapping[str, SampledBayes]
    correlation: Mapping[tuple[str, str], Marginal]
    theta: Mapping[tuple[str, str], Marginal]
    method: str
    level: float
    notes: tuple[str, ...]
    provenance: Provenance
    draws: Mapping[str, FloatArray]
    diagnostics: Diagnostics
    energy: FloatArray
    diverging: FloatArray
    covariance: FloatArray
    outcome_column: str

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.studies)

    def __getitem__(self, outcome: str) -> SampledBayes:
        return self.parts[self.outcomes[self._at(outcome)]]

    def _at(self, outcome: str) -> int:
        if outcome not in self.outcomes:
            raise OptionError(f"there is no outcome {outcome!r}. There are: {', '.join(self.outcomes)}.")
        return self.outcomes.index(outcome)

    def probability(
        self, *, below: Mapping[str, float] | None = None, above: Mapping[str, float] | None = None
    ) -> float:
        """Return the probability that all these hold together, printed scale: ``below={"OS": 1, "PFS": 1}``."""
        inside = np.ones(self.draws["mu"].shape[:2], dtype=bool)
        to = self.effects.measure.to_printed
        for bounds, side in ((below, 1), (above, -1)):
            for name, value in (bounds or {}).items():
                x = to(self.draws["mu"][..., self._at(name)])
                inside &= side * x < side * value
        return float(inside.mean())

    def contrast(self, weights: Mapping[str, float]) -> Marginal:
        """Return the posterior of a weighted sum of the pooled effects, analysis scale: ``{"OS": 1, "PFS": -1}``."""
        unknown = [name for name in weights if name not in self.outcomes]
        if unknown or not weights:
            raise OptionError(f"a contrast names outcomes, not {unknown}. There are: {', '.join(self.outcomes)}.")
        row = np.array([float(weights.get(name, 0.0)) for name in self.outcomes])
        label = " + ".join(f"{w:g} {name}" for name, w in weights.items()).replace("+ -", "- ")
        return marginal_of_draws(label, "credible", self.draws["mu"] @ row, self.level, None)

    def row_effect(self, i: int) -> Estimate:
        """Return the true effect behind estimate i, in its study and outcome, printed scale."""
        return self.theta[self.effects.study[i], str(self.effects.columns[self.outcome_column][i])].estimate

    def to_frame(self) -> Any:
        """Return a row per outcome, printed scale (tau: analysis scale)."""
        rows = [
            (
                n,
                f.k,
                f.estimate.value,
                f.estimate.low,
                f.estimate.high,
                f.tau.median,
                f.prediction.low,
                f.prediction.high,
            )
            for n, f in self.parts.items()
        ]
        names = ("outcome", "studies", "value", "low", "high", "tau", "prediction_low", "prediction_high")
        return to_frame(dict(zip(names, zip(*rows, strict=True), strict=True)), self.effects.frame_kind)

    def to_arviz(self) -> Any:
        """Hand the draws to ArviZ: an ``InferenceData`` (ArviZ 0.x) or a ``DataTree`` (1.x), outcomes by name."""
        from metaleptic.bayes.sampler import to_arviz

        dims = {"mu": ["outcome"], "tau": ["outcome"], "new": ["outcome"], "theta": ["study", "outcome"]}
        dims["correlation"] = ["outcome", "other"]
        coords = {"study": list(self.studies), "outcome": list(self.outcomes), "other": list(self.outcomes)}
        seen = {"observed_data": {"y": np.asarray(self.effects.y)}}
        return to_arviz(self.draws, self.diverging, self.energy, {**dims, "y": ["estimate"]}, coords, seen)

    def __repr__(self) -> str:
        m = self.effects.measure
        unit = f" {m.unit}" if m.unit else ""
        lines = [
            f"{m.label} of {len(self.outcomes)} outcomes, {len(self.studies)} studies, {len(self.effects)} estimates"
        ]
        width = max(len(n) for n in self.outcomes)
        for name, f in self.parts.items():
            interval = m.format_interval(f.estimate.low, f.estimate.high)
            lines.append(
                f"  {name:<{width}}  {m.format(f.estimate.value)}{unit} ({100 * self.level:g}% CrI {interval}), "
                f"{f.k} studies, tau {f.tau.median:.2g}"
            )
        between = "; ".join(
            f"{a} and {b} " + f"{r.median:.2f} ({r.low:.2f} to {r.high:.2f})".replace("-", "−")
            for (a, b), r in self.correlation.items()
        )
        return distrust(self.diagnostics, "\n".join([*lines, self.method, f"correlation between studies: {between}"]))


def pool_bayes_outcomes(
    effects: Effects,
    *,
    outcome: str,
    V: Any = None,  # noqa: N803 - the name it has in every paper
    tau: Prior | Mapping[str, Prior] | None = None,
    mu: EffectPrior | tuple[float, float] | Mapping[str, Any] | None = None,
    eta: float = 1.0,
    level: float = 0.95,
    draws: int = 1000,
    chains: int = 4,
    seed: int | None = None,
) -> OutcomesBayes:
    """Pool several outcomes of the same studies together, so that each learns from the others.

    Parameters
    ----------
    effects : Effects
        One row per estimate; ``effects.study`` repeats where a study reports several outcomes.
    outcome : str
        Column of the effects that names the outcome.
    V : ndarray of shape (n, n), optional
        Covariance of the estimates' errors, in the order of the effects: ``ml.vcov_imputed(effects, rho=0.5)`` for a stated
        correlation within studies. By default they are taken as independent.
    tau : Prior, or mapping of outcome to Prior, optional
        Prior on each outcome's heterogeneity; by default the measure's.
    mu : (mean, sd) or EffectPrior, or mapping of outcome to these, optional
        Prior on each pooled effect, analysis scale; flat by default.
    eta : float, default 1
        Shape of the LKJ prior on the correlations between studies: 1 makes all correlation matrices equally likely, larger
        values favour weak correlations.
    level : float, default 0.95
        Level of all intervals.
    draws, chains : int
        Draws per chain after warm-up, and chains.
    seed : int, optional
        Seed of the draws; chosen and recorded in ``provenance`` if left out.

    Returns
    -------
    OutcomesBayes
        ``fit["OS"]`` is one outcome's posterior, for forest plots and tables.

    Raises
    ------
    DataError
        If a study has two estimates of one outcome, there is only one outcome, or V does not fit the effects.

    Notes
    -----
    Sources: van Houwelingen HC, Arends LR, Stijnen T. Stat Med 2002;21:589-624; Wei Y, Higgins JPT. Stat Med
    2013;32:2911-2934; Lewandowski D, Kurowicka D, Joe H. J Multivar Anal 2009;100:1989-2001 (LKJ prior).
    """
    from metaleptic.bayes import sampler

    if not isinstance(effects, Effects):
        raise OptionError(f"pool_bayes_outcomes takes effects, not {type(effects).__name__}.")
    check_level(level)
    check_chains(draws, chains)
    if not (np.isfinite(eta) and eta > 0):
        raise OptionError(f"eta {eta!r} must be a number above 0.")
    table = table_of(effects, outcome, V)
    names = table.outcomes
    priors = [checked_prior(one, effects) for one in _per_outcome(tau, names, "tau")]
    means = [checked_mu(one) for one in _per_outcome(mu, names, "mu")]
    for j, (prior, mean) in enumerate(zip(priors, means, strict=True)):
        if mean is not None and mean.bounded:
            raise OptionError("a prior on the effect with bounds is for compare_models. Take one without bounds here.")
        flat, reporting = int(mean is None), np.array([float(len(table.rows(j)))])
        refuse_improper([prior], reporting, prior.tail + reporting - flat, flat)
    seed = secrets.randbelow(2**31) if seed is None else int(seed)
    found = sampler.sample(
        lambda pm, pt: outcomes_model(pm, pt, table, priors, means, eta),
        ("mu", "tau", "partial"),
        draws=draws,
        chains=chains,
        seed=seed,
    )
    report = diagnose(dict(found.draws), found.diverging, found.energy, found.sampler)
    p, k = len(names), len(table.studies)
    correlation = correlations_of(found.draws["partial"], p)
    flat_mu, flat_tau = (found.draws[name].reshape(-1, p) for name in ("mu", "tau"))
    theta, new = true_effects(np.random.default_rng(seed), table, flat_mu, flat_tau, correlation.reshape(-1, p, p))
    shape = found.draws["mu"].shape[:2]
    kept = {
        "mu": found.draws["mu"],
        "tau": found.draws["tau"],
        "correlation": correlation,
        "theta": theta.reshape(*shape, k, p),
        "new": new.reshape(*shape, p),
    }
    calls = [
        "{" + ", ".join(f"{n!r}: {None if x is None else x.call}" for n, x in zip(names, given, strict=True)) + "}"
        for given in (priors, means)
    ]
    call = (
        f"ml.pool_bayes_outcomes(effects, outcome={outcome!r}, {'' if V is None else 'V=V, '}tau={calls[0]}, mu={calls[1]}, "
        f"eta={eta:g}, draws={draws}, chains={chains}, seed={seed}, level={level:g})"
    )
    origin = provenance(effects, call, seed)
    origin = replace(origin, versions=(*origin.versions, *found.versions))
    parts = {
        name: _part(effects, table, j, kept, report, found, priors[j], means[j], level, origin)
        for j, name in enumerate(names)
    }
    words = dict.fromkeys(
        f"{prior.words} prior on tau, {_mean_words(mean)}" for prior, mean in zip(priors, means, strict=True)
    )
    return OutcomesBayes(
        effects=effects,
        outcomes=names,
        studies=table.studies,
        parts=MappingProxyType(parts),
        correlation=MappingProxyType(
            {
                (names[j], names[i]): marginal_of_draws(
                    f"correlation of {names[j]} and {names[i]}", "credible", correlation[..., i, j], level, None
                )
                for i in range(p)
                for j in range(i)
            }
        ),
        theta=MappingProxyType(
            {
                (study, name): marginal_of_draws(study, "credible", kept["theta"][..., i, j], level, effects.measure)
                for i, study in enumerate(table.studies)
                for j, name in enumerate(names)
            }
        ),
        method=f"Bayesian multivariate random effects: {' / '.join(words)}, LKJ({eta:g}) prior on the correlations; {chains} x {draws} draws",
        level=level,
        notes=chain_notes(report),
        provenance=origin,
        draws=MappingProxyType({name: frozen_array(x) for name, x in kept.items()}),
        diagnostics=report,
        energy=frozen_array(found.energy),
        diverging=frozen_array(found.diverging),
        covariance=table.covariance,
        outcome_column=outcome,
    )


def table_of(effects: Effects, outcome: str, given: Any) -> Table:
    """Sort the estimates by study and outcome, and check V."""
    if outcome not in effects.columns:
        raise OptionError(f"the effects have no column {outcome!r}. They have: {', '.join(effects.columns) or 'none'}.")
    labels = [str(x) for x in effects.columns[outcome]]
    studies, names = tuple(dict.fromkeys(effects.study)), tuple(dict.fromkeys(labels))
    if len(names) < 2:
        raise DataError(f"column {outcome!r} names one outcome only ({names[0]}): pool it with pool_bayes.")
    seen: dict[tuple[str, str], int] = {}
    for i, pair in enumerate(zip(effects.study, labels, strict=True)):
        if pair in seen:
            raise DataError(
                f"{where(pair[0], i + 1)}: a second estimate of {pair[1]!r}; the first is in row {seen[pair] + 1}. Keep one of them."
            )
        seen[pair] = i
    n = len(effects)
    v = np.diag(effects.v) if given is None else np.asarray(given, dtype=np.float64)
    if v.shape != (n, n) or not np.isfinite(v).all():
        raise DataError(f"V has shape {v.shape}; {n} effects need a {n} x {n} matrix of numbers.")
    if not np.allclose(v, v.T, rtol=1e-8) or np.linalg.eigvalsh((v + v.T) / 2)[0] <= 0:
        raise DataError(
            "V is not a covariance matrix (symmetric, positive definite). Are its rows in the order of the effects?"
        )
    at_study = np.array([studies.index(s) for s in effects.study])
    at_outcome = np.array([names.index(x) for x in labels])
    return Table(np.asarray(effects.y), frozen_array((v + v.T) / 2), at_study, at_outcome, studies, names)


def _per_outcome(given: Any, names: tuple[str, ...], what: str) -> list[Any]:
    """Return one prior per outcome."""
    if not isinstance(given, Mapping):
        return [given] * len(names)
    unknown = [str(n) for n in given if n not in names]
    if unknown:
        raise OptionError(
            f"{what} names outcomes that are not there: {', '.join(unknown)}. There are: {', '.join(names)}."
        )
    return [given.get(name) for name in names]


def _mean_words(mean: EffectPrior | None) -> str:
    return "flat prior on the mean" if mean is None else f"{mean.words} prior on the mean"


def _part(
    effects: Effects,
    table: Table,
    j: int,
    kept: Mapping[str, FloatArray],
    report: Diagnostics,
    found: Any,
    prior: Prior,
    mean: EffectPrior | None,
    level: float,
    origin: Provenance,
) -> SampledBayes:
    """Return one outcome's posterior as a fit of its own: the studies that report it."""
    rows = table.rows(j)
    draws = {
        "mu": kept["mu"][..., j],
        "tau": kept["tau"][..., j],
        "new": kept["new"][..., j],
        "theta": kept["theta"][..., table.study[rows], j],
    }
    part = describe_draws(
        effects.take(rows),
        SampledModel("multivariate", "multivariate normal", WEI_2013, _never),
        prior,
        mean,
        level,
        draws,
        report,
        found.energy,
        found.diverging,
        found.versions,
        origin.seed or 0,
    )
    return replace(part, provenance=origin)


def _never(*_: Any) -> None:
    raise AssertionError("an outcome is not sampled alone")
