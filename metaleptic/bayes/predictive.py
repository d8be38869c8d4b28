"""The verb ``predictive_check``: whether the model would have produced studies like these.

Source: Gelman A, Meng XL, Stern H. Stat Sinica 1996;6:733-760 (posterior predictive checks); Box GEP. J R Stat Soc A
1980;143:383-430 (prior predictive checks).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.bayes.exact import exact_effect
from metaleptic.bayes.exact_models import LatentBayes, events_in_time
from metaleptic.bayes.outliers import SHARE, STRETCH, spread_of_groups
from metaleptic.bayes.random_beta import shapes
from metaleptic.bayes.regression_checks import regression_draws
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.bayes.sampled import SampledBayes
from metaleptic.bayes.sampled_models import T_DF, TINY, logit_of_beta
from metaleptic.bayes.sampled_regression import SampledRegression
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.types import Effects, FloatArray, frozen_array


def _spread(x: FloatArray) -> FloatArray:
    return np.asarray(x.std(axis=-1, ddof=1)) if x.shape[-1] > 1 else np.zeros(x.shape[:-1])


STATISTICS: Mapping[str, Callable[[FloatArray], FloatArray]] = MappingProxyType(
    {
        "smallest": lambda x: np.asarray(x.min(axis=-1)),
        "largest": lambda x: np.asarray(x.max(axis=-1)),
        "mean": lambda x: np.asarray(x.mean(axis=-1)),
        "spread": _spread,
    }
)
COUNTED: Mapping[str, Callable[[FloatArray], FloatArray]] = MappingProxyType(
    {**STATISTICS, "studies without an event": lambda x: np.asarray((x <= 0).sum(axis=-1, dtype=np.float64))}
)


@dataclass(frozen=True, slots=True, eq=False)
class PredictiveCheck:
    """Studies as the model would have produced them, beside those that were seen.

    Attributes
    ----------
    effects : Effects
        The studies.
    observed : ndarray of shape (k,)
        What was seen: effects on the analysis scale, or observed proportions or rates.
    replicated : ndarray of shape (draws, k)
        The same, drawn from the model: studies of the same size, each with a new true effect.
    statistics : mapping of str to (observed, low, high, p)
        For each statistic its observed value, the central 95% of the replicated ones and how often they are as large as
        the observed one (ties count half): near 0 or 1 is a misfit.
    study_p : ndarray of shape (k,)
        The same for each study.
    prior : bool
        Whether the draws are from the prior alone.
    counted : bool
        Whether proportions or rates were observed, printed scale, instead of effects on the analysis scale.
    method : str
        The model in words.
    """

    effects: Effects
    observed: FloatArray
    replicated: FloatArray
    statistics: Mapping[str, tuple[float, float, float, float]]
    study_p: FloatArray
    prior: bool
    counted: bool
    method: str

    def to_frame(self) -> Any:
        """Return a row per statistic."""
        rows = [(name, *values) for name, values in self.statistics.items()]
        names = ("statistic", "observed", "low", "high", "p")
        return to_frame(dict(zip(names, zip(*rows, strict=True), strict=True)), self.effects.frame_kind)

    def __repr__(self) -> str:
        misfit = [name for name, (*_, p) in self.statistics.items() if not 0.025 <= p <= 0.975]
        odd = [self.effects.study[i] for i in np.flatnonzero((self.study_p < 0.025) | (self.study_p > 0.975))]
        verdict = f"does not reproduce: {', '.join(misfit)}" if misfit else "reproduces " + ", ".join(self.statistics)
        lines = [f"{'Prior' if self.prior else 'Posterior'} predictive check: {verdict}", self.method]
        return "\n".join([*lines, f"studies outside their central 95%: {', '.join(odd) or 'none'}"])


def predictive_check(
    fit: PooledBayes | RegressionBayes | SampledRegression, *, prior: bool = False, draws: int = 4000, seed: int = 1
) -> PredictiveCheck:
    """Ask whether the model would have produced studies like those that were seen.

    Parameters
    ----------
    fit : PooledBayes, RegressionBayes or SampledRegression
        From ``ml.pool_bayes``, exact or sampled, with or without moderators.
    prior : bool, default False
        Draw from the priors instead of the posterior: what did they say before the studies were seen? They must be proper.
    draws : int, default 4000
        Replicated meta-analyses.
    seed : int, default 1
        Seed of the draws.

    Raises
    ------
    NotEstimableError
        For a check of an improper prior.

    Notes
    -----
    Each replicated study has a new true effect from the model's distribution of true effects and the size (or standard
    error) of the original. Sources: Gelman A, Meng XL, Stern H. Stat Sinica 1996;6:733-760; Box GEP. J R Stat Soc A
    1980;143:383-430.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR")
    >>> print(ml.predictive_check(ml.pool_bayes(e)))
    Posterior predictive check: reproduces smallest, largest, mean, spread
    Bayesian random effects: half-normal(0.5) prior on tau, flat prior on the mean
    studies outside their central 95%: none
    """
    if not isinstance(fit, PooledBayes | RegressionBayes | SampledRegression):
        raise OptionError(f"predictive_check takes a fit of ml.pool_bayes, not {type(fit).__name__}.")
    if draws < 100:
        raise OptionError(f"draws {draws} must be at least 100.")
    rng = np.random.default_rng(seed)
    observed, replicated = replicate(fit, draws, rng, prior=prior)
    counted = isinstance(fit, PooledBayes) and model_of(fit) in ("binomial-normal", "beta-binomial", "poisson-normal")
    table = COUNTED if counted else STATISTICS
    found = {}
    for name, function in table.items():
        value, many = float(function(observed)), function(replicated)
        low, high = np.quantile(many, [0.025, 0.975])
        found[name] = (value, float(low), float(high), float(_share(many, value)))
    return PredictiveCheck(
        fit.effects,
        frozen_array(observed),
        frozen_array(replicated),
        MappingProxyType(found),
        frozen_array(_share(replicated, observed)),
        prior,
        counted,
        fit.method,
    )


def replicate(
    fit: PooledBayes | RegressionBayes | SampledRegression, draws: int, rng: np.random.Generator, *, prior: bool
) -> tuple[FloatArray, FloatArray]:
    """Return what was seen, shape (k,), and studies of the same size drawn from the model, shape (draws, k)."""
    if isinstance(fit, PooledBayes):
        mu, tau = from_prior(fit, draws, rng) if prior else from_posterior(fit, draws, rng)
        return _replicate(fit, mu, tau, rng)
    e = fit.effects
    mean, tau = regression_draws(fit, draws, rng, prior=prior)
    total = np.sqrt(e.v + tau[:, None] ** 2)
    return np.asarray(e.y), mean + total * rng.standard_normal(mean.shape)


def replicate_draws(fit: SampledBayes | SampledRegression, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return what was seen, and for each draw studies of the same size, in the order of the draws."""
    if isinstance(fit, SampledRegression):
        e = fit.effects
        mean = (fit.draws["beta"] @ fit.design.matrix.T).reshape(-1, len(e))
        total = np.sqrt(e.v + fit.draws["tau"].reshape(-1, 1) ** 2)
        return np.asarray(e.y), mean + total * rng.standard_normal(mean.shape)
    mu, tau = _drawn(fit, np.arange(fit.draws["mu"].size), rng)
    return _replicate(fit, mu, tau, rng)


def _drawn(fit: SampledBayes, at: Any, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return mu and tau of these draws; tau for each study where studies differ in it."""
    kept = {name: fit.draws[name].reshape(-1)[at] for name in ("mu", "tau", "wide", "share") if name in fit.draws}
    if "wide" in kept:
        tau = spread_of_groups(rng, kept["tau"], kept["wide"], kept["share"], len(fit.effects))
        return kept["mu"], tau
    return kept["mu"], kept["tau"]


def model_of(fit: PooledBayes) -> str:
    """Return the key of the model behind a fit."""
    return fit.model if isinstance(fit, LatentBayes | SampledBayes) else "normal-normal"


def from_prior(fit: PooledBayes, draws: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw mu and tau from their priors; tau for each study where studies differ in it."""
    if fit.no_marginal and not isinstance(fit, SampledBayes):
        raise NotEstimableError(f"there is no prior predictive check: {fit.no_marginal}. Choose proper priors.")
    effect = fit.mu_prior
    if effect is None or not fit.prior.proper:
        raise NotEstimableError("there is no prior predictive check of an improper prior. Choose proper priors.")
    z = rng.standard_normal(draws) if np.isinf(effect.df) else rng.standard_t(effect.df, draws)
    tau = fit.prior.quantile(rng.random(draws), fit.effects.v)
    if model_of(fit) == "outliers":
        wide = STRETCH * fit.prior.quantile(rng.random(draws), fit.effects.v)
        tau = spread_of_groups(rng, tau, wide, rng.beta(*SHARE, draws), len(fit.effects))
    return effect.location + effect.scale * z, tau


def from_posterior(fit: PooledBayes, draws: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw mu and tau from their joint posterior; tau for each study where studies differ in it."""
    if isinstance(fit, SampledBayes):
        return _drawn(fit, rng.integers(0, fit.draws["mu"].size, draws), rng)
    if isinstance(fit, LatentBayes):
        grid = fit.grid
        flat = np.maximum(grid.joint.reshape(-1), 0.0)
        at = rng.choice(flat.size, draws, p=flat / flat.sum())
        row, column = np.divmod(at, grid.mu_nodes.size)
        step = np.gradient(grid.mu_nodes)[column]
        return grid.mu_nodes[column] + step * (rng.random(draws) - 0.5), grid.tau_nodes[row]
    solved = exact_effect(fit.effects.y, fit.effects.v, fit.prior, fit.mu_prior)
    at = rng.choice(solved.weight.shape[1], draws, p=solved.weight[0] / solved.weight[0].sum())
    mean, sd = (np.broadcast_to(a, solved.weight.shape)[0, at] for a in (solved.mean, solved.sd))
    return mean + sd * rng.standard_normal(draws), np.broadcast_to(solved.tau, solved.weight.shape)[0, at]


def _replicate(
    fit: PooledBayes, mu: FloatArray, tau: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Draw studies of the same size."""
    e, model = fit.effects, model_of(fit)
    if model == "medians":
        raise OptionError(
            "predictive_check is not available for pool_bayes_medians: how long patients were followed is not known."
        )
    if model == "selection":
        raise OptionError(
            'predictive_check is not available for model "selection": unreported studies are not at hand.'
        )
    shape = (mu.size, len(e))
    if model == "beta-binomial":
        a, b = shapes(mu[:, None], np.sqrt(tau[:, None] ** 2 + TINY))
        theta = logit_of_beta(rng, np.broadcast_to(a, shape), np.broadcast_to(b, shape))
    else:
        z = rng.standard_t(T_DF, shape) if model == "t" else rng.standard_normal(shape)
        theta = mu[:, None] + tau.reshape(mu.size, -1) * z
    if model in ("binomial-normal", "beta-binomial"):
        n = e.n.astype(np.int64)
        p = 1 / (1 + np.exp(-np.clip(theta, -700, 700)))
        return e.events / e.n, rng.binomial(n, p) / n
    if model == "poisson-normal":
        x, time = events_in_time(e)
        return x / time, rng.poisson(np.minimum(time * np.exp(np.minimum(theta, 40.0)), 1e15)) / time
    return np.asarray(e.y), theta + np.sqrt(e.v) * rng.standard_normal(shape)


def _share(many: FloatArray, value: Any) -> FloatArray:
    """Return how often a replicated value is as large as the observed one, ties counting half."""
    return np.asarray((many > value).mean(axis=0) + 0.5 * (many == value).mean(axis=0))
