"""What each choice of prior does to the conclusion: hundreds of priors in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metaleptic.bayes import mixture
from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact import exact, tau_density
from metaleptic.bayes.marginal import Marginal
from metaleptic.bayes.moderators import CoefficientPriors
from metaleptic.bayes.pool_bayes import checked_mu, checked_prior, pool_bayes
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.measures import MEASURES
from metaleptic.types import Effects, FloatArray, Measure, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class PriorSensitivity:
    """One row per prior on tau: pooled effect and prediction (printed scale), and tau (analysis scale).

    Attributes
    ----------
    effects : Effects
        What was pooled.
    labels : tuple of str
        Names of the priors.
    priors : tuple of Prior
        The priors.
    measure : Measure
        What ``mu`` is: the measure of the effects, or a coefficient of a moderator (analysis scale).
    mu, prediction, tau : ndarray of shape (m, 3)
        Median and central interval; with moderators there is no prediction (NaN).
    p_below : ndarray of shape (m,)
        Probability that the effect lies below no effect, or the coefficient below 0; NaN where there is no such value.
    log_integral : ndarray of shape (m,)
        Log of prior times likelihood, integrated: with a proper prior on both, the log marginal likelihood.
    level : float
        Level of the intervals.
    """

    effects: Effects
    labels: tuple[str, ...]
    priors: tuple[Prior, ...]
    measure: Measure
    mu: FloatArray
    prediction: FloatArray
    tau: FloatArray
    p_below: FloatArray
    log_integral: FloatArray
    level: float

    def to_frame(self) -> Any:
        """Return the rows as a dataframe."""
        columns: dict[str, Any] = {"prior": self.labels}
        if np.isfinite(self.p_below).all():
            columns["p_below"] = self.p_below
        for name, values in (("", self.mu), ("prediction_", self.prediction), ("tau_", self.tau)):
            columns |= {f"{name}{part}": values[:, i] for i, part in enumerate(("value", "low", "high"))}
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        m = self.measure
        span = m.format_interval(float(self.mu[:, 0].min()), float(self.mu[:, 0].max()))
        widest = m.format_interval(float(self.mu[:, 1].min()), float(self.mu[:, 2].max()))
        return "\n".join(
            (
                f"{m.label} under {len(self.labels)} priors on tau: medians {span}",
                f"{100 * self.level:g}% credible intervals all within {widest}",
                f"median tau {self.tau[:, 0].min():.2g} to {self.tau[:, 0].max():.2g}{self._side()}",
            )
        )

    def _side(self) -> str:
        if not np.isfinite(self.p_below).all():
            return ""
        ends = f"{100 * self.p_below.min():.1f}% to {100 * self.p_below.max():.1f}%"
        return f"; P({self.measure.label[0].lower()}{self.measure.label[1:]} < {self.measure.null:g}) {ends}"


def prior_sensitivity(
    effects: Effects,
    priors: Mapping[str, Prior] | Sequence[Prior],
    *,
    mu: EffectPrior | tuple[float, float] | None = None,
    model: str = "normal-normal",
    moderators: Any = None,
    beta: CoefficientPriors = None,
    term: str | None = None,
    level: float = 0.95,
) -> PriorSensitivity:
    """Fit the same studies under many priors on the heterogeneity, to see whether the conclusion depends on the choice.

    Parameters
    ----------
    effects : Effects
        What to pool.
    priors : mapping of str to Prior, or sequence of Prior
        The priors, under names of your own or under theirs.
    mu : (mean, sd) or EffectPrior, optional
        Prior on the pooled effect, analysis scale: normal, or such as ``priors.student_t(5, 0, 0.5)``; flat by default.
    model : str, default "normal-normal"
        Any model that ``ml.pool_bayes`` solves without sampling.
    moderators, beta : optional
        A meta-regression, as for ``ml.pool_bayes``; what is shown is one coefficient.
    term : str, optional
        With moderators: the coefficient; the first after the intercept by default.
    level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    PriorSensitivity
        ``ml.plot`` draws it: a curve where the priors differ in one number of one family, else a row per prior.

    Notes
    -----
    Hundreds of priors are one computation with the normal-normal model and a normal or flat prior on the effect; otherwise
    each is a fit of its own. Source: Lambert PC et al. Stat Med 2005;24:2401-2428 (why to look at several).

    Examples
    --------
    >>> import metaleptic as ml
    >>> from metaleptic.bayes import priors
    >>> from metaleptic.bayes.prior_sensitivity import prior_sensitivity
    >>> e = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR")
    >>> prior_sensitivity(e, [priors.half_normal(0.25), priors.half_normal(1), priors.bartos("HR")])
    Hazard ratio under 3 priors on tau: medians 0.80 to 0.81
    95% credible intervals all within 0.55 to 1.09
    median tau 0.12 to 0.17; P(hazard ratio < 1) 95.1% to 98.3%
    """
    named = dict(priors) if isinstance(priors, Mapping) else {str(i): p for i, p in enumerate(priors)}
    if not named:
        raise OptionError("there are no priors to compare.")
    if not 0 < level < 1:
        raise OptionError(f"level {level:g} is not between 0 and 1. Write 0.95 for 95%.")
    chosen = [checked_prior(p, effects) for p in named.values()]
    labels = tuple(named) if isinstance(priors, Mapping) else tuple(p.words for p in chosen)
    normal = checked_mu(mu)
    if normal is not None and normal.bounded:
        raise OptionError("a prior on the effect with bounds is for compare_models. Take one without bounds here.")
    if moderators is not None:
        return _of_coefficient(effects, labels, chosen, moderators, beta, term, level)
    if model != "normal-normal" or (normal is not None and np.isfinite(normal.df)):
        return _one_by_one(effects, labels, chosen, normal, model, level)
    fit = exact(effects.y, effects.v, chosen, None if normal is None else (normal.location, normal.scale))
    p = np.array([[0.5, (1 - level) / 2, (1 + level) / 2]])
    pooled = mixture.quantile(fit.weight, fit.mean, fit.sd, p)
    new = mixture.quantile(fit.weight, fit.mean, np.hypot(fit.sd, fit.tau), p)
    tau = [tau_density(fit, i, effects.y, effects.v, q, normal).quantile(p[0]) for i, q in enumerate(chosen)]
    below = np.full(len(chosen), np.nan)
    m = effects.measure
    if m.has_null:
        # printed and analysis scale run the same way wherever there is a null
        below = np.ravel(mixture.cdf(fit.weight, fit.mean, fit.sd, np.array([[float(m.to_analysis(m.null))]])))
    return PriorSensitivity(
        effects,
        labels,
        tuple(chosen),
        m,
        _printed(effects, pooled),
        _printed(effects, new),
        frozen_array(tau),
        frozen_array(below),
        fit.log_integral,
        level,
    )


def _one_by_one(
    effects: Effects, labels: tuple[str, ...], priors: list[Prior], mu: EffectPrior | None, model: str, level: float
) -> PriorSensitivity:
    fits = [pool_bayes(effects, model=model, tau=prior, mu=mu, level=level) for prior in priors]
    m = effects.measure
    return PriorSensitivity(
        effects,
        labels,
        tuple(priors),
        m,
        _three([f.mu for f in fits]),
        _three([f.prediction for f in fits]),
        _three([f.tau for f in fits]),
        frozen_array([f.probability(below=m.null) if m.has_null else np.nan for f in fits]),
        frozen_array([f.log_integral for f in fits]),
        level,
    )


def _of_coefficient(
    effects: Effects,
    labels: tuple[str, ...],
    priors: list[Prior],
    moderators: Any,
    beta: CoefficientPriors,
    term: str | None,
    level: float,
) -> PriorSensitivity:
    fits: list[RegressionBayes] = [
        pool_bayes(effects, moderators=moderators, tau=prior, beta=beta, level=level) for prior in priors
    ]
    names = fits[0].names
    usual = [n for n in names if n != "intercept"] or list(names)
    chosen = usual[0] if term is None else term
    if chosen not in names:
        raise OptionError(f"there is no coefficient {chosen!r}. There are: {', '.join(names)}.")
    found = [f.beta[names.index(chosen)] for f in fits]
    return PriorSensitivity(
        effects,
        labels,
        tuple(priors),
        replace(MEASURES["GEN"], label=f"Coefficient of {chosen}"),
        _three(found),
        frozen_array(np.full((len(priors), 3), np.nan)),
        _three([f.tau for f in fits]),
        frozen_array([float(b.cdf(0.0)) for b in found]),
        frozen_array([f.log_integral for f in fits]),
        level,
    )


def _three(found: list[Marginal]) -> FloatArray:
    return frozen_array([[x.value, x.low, x.high] for x in found])


def _printed(effects: Effects, values: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        low, high = effects.measure.printed_bounds(values[:, 1], values[:, 2])
        return frozen_array(np.stack([effects.measure.to_printed(values[:, 0]), low, high], axis=1))
