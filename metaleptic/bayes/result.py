"""PooledBayes: the posterior of a meta-analysis, complete when made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.contrast import contrast_given_tau
from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.marginal import Marginal, mixture_marginals
from metaleptic.bayes.normal_normal import weight_given_tau
from metaleptic.bayes.prior import Prior
from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.measures import MEASURES
from metaleptic.types import Effects, Estimate, FloatArray, Provenance, count_studies


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """Values of tau with their probabilities, and mean and sd of the pooled effect given each: arrays of shape (n,)."""

    tau: FloatArray
    weight: FloatArray
    mean: FloatArray
    sd: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PooledBayes:
    """The posterior of a meta-analysis: what ``ml.pool_bayes`` returns.

    Attributes
    ----------
    effects : Effects
        What was pooled.
    estimate : Estimate
        Posterior median of the pooled effect with its central credible interval, printed scale.
    mu, tau, prediction : Marginal
        Posteriors of the pooled effect, of the heterogeneity and of a new study's true effect: analysis scale. As
        ``Estimate`` each also has ``value``, ``low`` and ``high`` on the scale of the ``Result`` protocol.
    theta : tuple of Marginal
        Posterior of each study's true effect: shrunken towards the others.
    weights : ndarray of shape (k,)
        Weight of each study in the posterior mean, percent; with a prior on the mean they sum to less than 100.
    log_marginal : float
        Log marginal likelihood; NaN if a prior is improper (``no_marginal`` says which).
    no_marginal : str
        Why there is no marginal likelihood; empty if there is one.
    log_integral : float
        Log of the integral of prior times likelihood, also where it is no marginal likelihood.
    prior : Prior
        Prior on tau.
    mu_prior : EffectPrior or None
        Prior on the pooled effect; None if flat.
    nodes : Nodes
        The quadrature behind it: values of tau with their probabilities, and the pooled effect given each.
    error : float
        Bound on the numerical error of every probability above.
    method : str
        The model in words.
    model_words, model_source : str
        Name of the model in sentences ("binomial-normal") and its citation.
    level : float
        Level of the intervals.
    notes : tuple of str
        What a careful reader must know of this result.
    provenance : Provenance
        How to make it again.
    """

    effects: Effects
    estimate: Estimate
    mu: Marginal
    tau: Marginal
    prediction: Marginal
    theta: tuple[Marginal, ...]
    weights: FloatArray
    log_marginal: float
    no_marginal: str
    log_integral: float
    prior: Prior
    mu_prior: EffectPrior | None
    nodes: Nodes
    error: float
    method: str
    model_words: str
    model_source: str
    level: float
    notes: tuple[str, ...]
    provenance: Provenance

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.effects)

    @property
    def patients(self) -> float:
        """Number of patients in the studies that print it."""
        return float(np.nansum(self.effects.n))

    def probability(self, *, below: float | None = None, above: float | None = None, of: str = "mu") -> float:
        """Return the probability that the effect lies below or above a printed value, or between two.

        Parameters
        ----------
        below, above : float, optional
            On the printed scale: ``below=1`` for a hazard ratio that favours the treatment.
        of : {"mu", "prediction"}
            The pooled effect, or the true effect in a new study.
        """
        if of not in ("mu", "prediction"):
            raise OptionError(f"of {of!r} is unknown. Choose one of: mu, prediction.")
        if below is None and above is None:
            raise OptionError("say below=..., above=... or both, on the printed scale.")
        if below is not None and above is not None and above >= below:
            raise OptionError(
                f"above={above:g} and below={below:g} leave nothing between them: the probability of above < effect < below was "
                "asked for. For both sides add probability(below=...) and probability(above=...)."
            )
        dist = self.mu if of == "mu" else self.prediction
        to, back = self.effects.measure.to_analysis, self.effects.measure.to_printed
        with np.errstate(invalid="ignore", over="ignore"):
            low, high = (None if x is None else float(to(x)) for x in (above, below))
            falls = back(dist.central[1]) < back(dist.central[0])
        if any(x is not None and np.isnan(x) for x in (low, high)):
            raise OptionError(f"below={below}, above={above}: not a value of a {self.effects.measure.label.lower()}.")
        if falls:  # the analysis scale runs the other way
            low, high = high, low
        if high is None:
            return float(dist.sf(low))
        return float(dist.cdf(high)) - (0.0 if low is None else float(dist.cdf(low)))

    def contrast(self, weights: Mapping[str, float]) -> Marginal:
        """Return the posterior of a weighted sum of the studies' true effects and the pooled effect, analysis scale.

        Parameters
        ----------
        weights : mapping of str to float
            Study (or ``"mu"`` for the pooled effect) -> weight: ``{"Abel 2012": 1, "mu": -1}`` is how far this study's
            true effect lies from the mean.
        """
        known = {*self.effects.study, "mu"}
        unknown = [name for name in weights if name not in known]
        if unknown or not weights:
            raise OptionError(
                f"a contrast names studies or 'mu', not {unknown}. There are: {', '.join(self.effects.study)}."
            )
        if any(self.effects.study.count(name) > 1 for name in weights):
            raise OptionError("several studies have that name. Give them names of their own first.")
        n = self.nodes
        m, s = contrast_given_tau(self.effects, weights, float(weights.get("mu", 0.0)), n.tau, n.mean, n.sd)
        label = " + ".join(f"{w:g} {name}" for name, w in weights.items()).replace("+ -", "- ")
        unbounded = not np.isfinite(self.mu.sd) and sum(weights.values()) != 0
        sd = {0: float("inf")} if unbounded else {}
        return mixture_marginals((label,), ("credible",), n.weight, m[None], s[None], self.level, MEASURES["GEN"], sd)[
            0
        ]

    def shrinkage_weights(self) -> FloatArray:
        """Return how much each study counts in each study's posterior mean, percent: shape (k, k), row = true effect.

        The diagonal is a study's own say; with a prior on the mean the rows sum to less than 100.
        """
        n, v = self.nodes, self.effects.v
        in_mean = weight_given_tau(v, n.tau, n.sd)  # (k, nodes)
        pull = v[:, None] / (v[:, None] + n.tau**2)
        borrowed = np.einsum("in,jn,n->ij", pull, in_mean, n.weight)
        return np.asarray(100 * (borrowed + np.diag((1 - pull) @ n.weight)))

    def to_frame(self) -> Any:
        """Return the table behind the forest plot: a row per study with its shrunken effect, then pooled and prediction."""
        e = self.effects
        low, high = e.measure.printed_bounds(e.low, e.high)
        rows = [
            (
                "study",
                e.study[i],
                float(e.printed[i]),
                low[i],
                high[i],
                t.value,
                t.low,
                t.high,
                self.weights[i],
                e.n[i],
                e.how[i],
            )
            for i, t in enumerate(self.theta)
        ]
        nan = (np.nan, np.nan, np.nan)
        pooled, new = self.estimate, self.prediction
        total = float(np.sum(self.weights))
        rows.append(
            ("pooled", "Pooled", pooled.value, pooled.low, pooled.high, *nan, total, self.patients, self.method)
        )
        rows.append(("prediction", "Prediction interval", new.value, new.low, new.high, *nan, np.nan, np.nan, ""))
        names = (
            "role",
            "study",
            "value",
            "low",
            "high",
            "shrunken",
            "shrunken_low",
            "shrunken_high",
            "weight",
            "n",
            "how",
        )
        return to_frame(dict(zip(names, zip(*rows, strict=True), strict=True)), e.frame_kind)

    def __repr__(self) -> str:
        return "\n".join((headline(self), models_line(self), heterogeneity_line(self)))


def headline(fit: PooledBayes) -> str:
    """Say the pooled effect in one line, printed scale."""
    m = fit.effects.measure
    unit = f" {m.unit}" if m.unit else ""
    interval = m.format_interval(fit.estimate.low, fit.estimate.high)
    return f"{m.label} {m.format(fit.estimate.value)}{unit} ({100 * fit.level:g}% CrI {interval}), {count_studies(fit.effects)}"


def models_line(fit: PooledBayes) -> str:
    """Say the model and the prediction interval in one line."""
    low_high = fit.effects.measure.format_interval(fit.prediction.low, fit.prediction.high)
    return f"{fit.method}; {100 * fit.level:g}% prediction interval {low_high}"


def heterogeneity_line(fit: PooledBayes) -> str:
    """Say the heterogeneity, and on which side of no effect the evidence lies, in one line."""
    tau = f"tau {fit.tau.median:.2g} ({100 * fit.level:g}% CrI {fit.tau.low:.2g} to {fit.tau.high:.2g})"
    m = fit.effects.measure
    if not m.has_null:
        return f"heterogeneity: {tau}"
    below = fit.probability(below=m.null)
    side, p = ("<", below) if below >= 0.5 else (">", fit.probability(above=m.null))
    return f"heterogeneity: {tau}; P({m.label.lower()} {side} {m.null:g}) {percent(p)}"


def percent(p: float) -> str:
    """Write a probability: "= 97.3%", "> 99.9%"."""
    return "> 99.9%" if p > 0.999 else f"= {100 * p:.1f}%"
