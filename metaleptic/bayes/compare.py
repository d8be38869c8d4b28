"""Whether the studies speak for common or random effects, for an effect or for none.

Sources: Gronau QF et al. Adv Methods Pract Psychol Sci 2021;4:1-19 (the four models and inclusion Bayes factors);
Roever C. J Stat Softw 2020;93(6):1-51, section 2.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.averaged import Averaged
from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact import exact, exact_effect, log_between, normals_of, tau_density
from metaleptic.bayes.marginal import Marginal, mixture_marginals, restricted_marginal, tau_marginal
from metaleptic.bayes.mixture import NormalMixture
from metaleptic.bayes.normal_normal import Given, given_tau
from metaleptic.bayes.pool_bayes import checked_mu, checked_prior, why_no_marginal
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.restricted import Restricted
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.types import Effects, FloatArray, Measure, frozen_array

MODELS = ("common, no effect", "common, effect", "random, no effect", "random, effect")
_EFFECT = np.array([False, True, False, True])
_RANDOM = np.array([False, False, True, True])


@dataclass(frozen=True, slots=True, eq=False)
class ModelComparison:
    """How well four models predicted the studies, and the effect averaged over those that have one.

    Attributes
    ----------
    effects : Effects
        What was pooled.
    models : tuple of str
        Common or random effects, without or with an effect.
    log_marginal : ndarray of shape (4,)
        Log marginal likelihoods.
    prior, posterior : ndarray of shape (4,)
        Probability of each model before and after the studies.
    bf_effect, bf_heterogeneity : float
        Inclusion Bayes factors: how many times the odds of an effect, and of heterogeneity, have grown.
    mu : Marginal
        The pooled effect, averaged over the common- and the random-effects model with an effect.
    effect, heterogeneity : Averaged
        mu and tau averaged over all four models, with the probability that there is none; ``.given`` is where there is.
    mu_prior : EffectPrior
        Prior on the pooled effect where there is one.
    tau_prior : Prior
        Prior on tau where there is heterogeneity.
    level : float
        Level of the intervals.
    """

    effects: Effects
    models: tuple[str, ...]
    log_marginal: FloatArray
    prior: FloatArray
    posterior: FloatArray
    bf_effect: float
    bf_heterogeneity: float
    mu: Marginal
    effect: Averaged
    heterogeneity: Averaged
    mu_prior: EffectPrior
    tau_prior: Prior
    level: float

    def to_frame(self) -> Any:
        """Return a row per model."""
        columns = {
            "model": self.models,
            "log_marginal": self.log_marginal,
            "prior": self.prior,
            "posterior": self.posterior,
        }
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        e = self.mu.estimate
        m = self.effects.measure
        likeliest = int(np.argmax(self.posterior))
        return "\n".join(
            (
                f"Bayes factor for an effect {self.bf_effect:.3g}, for heterogeneity {self.bf_heterogeneity:.3g}",
                f"likeliest: {self.models[likeliest]}, probability {100 * self.posterior[likeliest]:.1f}%",
                f"{m.label} {m.format(e.value)} ({100 * e.level:g}% CrI {m.format_interval(e.low, e.high)}), averaged over common and random effects",
            )
        )


def compare_models(
    effects: Effects,
    *,
    mu: EffectPrior | tuple[float, float] | None = None,
    tau: Prior | None = None,
    prior: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
    level: float = 0.95,
) -> ModelComparison:
    """Weigh an effect against none, and heterogeneity against none, by how well each predicted the studies.

    Parameters
    ----------
    effects : Effects
        A measure with a value of "no effect" (not proportions or medians).
    mu : (mean, sd) or EffectPrior
        Prior on the pooled effect where there is one, analysis scale: normal, or for example
        ``priors.cauchy(0, 0.5)`` or ``priors.normal(0, 0.5).between(upper=0)``. Bayes factors depend on it: say how large
        an effect was thought possible.
    tau : Prior, optional
        Proper prior on the heterogeneity where there is some; the default of ``pool_bayes`` otherwise.
    prior : sequence of 4 numbers
        Probabilities of common without and with an effect, random without and with an effect; equal by default.
    level : float, default 0.95
        Level of the averaged effect's interval.

    Raises
    ------
    NotEstimableError
        If a prior is improper: its constant is arbitrary, and with it the Bayes factor.

    Examples
    --------
    >>> import metaleptic as ml
    >>> from metaleptic.bayes.compare import compare_models
    >>> compare_models(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"), mu=(0, 0.5))
    Bayes factor for an effect 3.92, for heterogeneity 0.712
    likeliest: common, effect, probability 53.5%
    Hazard ratio 0.83 (95% CrI 0.68 to 0.97), averaged over common and random effects
    """
    m = effects.measure
    if not m.has_null:
        raise OptionError(f"a {m.label.lower()} has no value of 'no effect' to compare with.")
    chosen, normal = checked_prior(tau, effects), checked_mu(mu)
    if normal is None or not chosen.proper:
        raise NotEstimableError(
            f"there is no Bayes factor: {why_no_marginal(chosen, normal)}, its constant is arbitrary. Say how large an effect was "
            "thought possible, mu=(0, 0.5), and how much studies may differ, tau=priors.half_normal(0.5)."
        )
    start = np.asarray(prior, dtype=np.float64)
    if start.shape != (4,) or (start < 0).any() or not np.isclose(start.sum(), 1):
        raise OptionError("prior must be the probabilities of the 4 models, adding up to 1.")
    if start[_EFFECT].sum() == 0:
        raise OptionError("prior rules out every model with an effect: there is nothing to average.")
    y, v = effects.y[None], effects.v[None]
    none, zero = (float(m.to_analysis(m.null)), 0.0), np.zeros((1, 1))
    common, spread = common_effect(y, v, normal), exact_effect(y, v, chosen, normal)
    scatter = exact(y, v, [chosen], none)
    log_marginal = np.array(
        [
            given_tau(y, v, None, zero, none).loglik[0, 0],
            common.log_integral[0],
            scatter.log_integral[0],
            spread.log_integral[0],
        ]
    )
    after = start * np.exp(log_marginal - log_marginal.max())
    after = after / after.sum()
    share = after[1] / (after[1] + after[3])
    w = np.concatenate([share * common.weight[0], (1 - share) * spread.weight[0]])
    centre, sd = (np.concatenate([a[0], b[0]]) for a, b in ((common.mean, spread.mean), (common.sd, spread.sd)))
    averaged = averaged_effect(w, centre, sd, normal, level, m)
    effect = Averaged("mu", none[0], float(after[[0, 2]].sum()), (float(after[[1, 3]].sum()),), (averaged,), level)
    taus = tuple(
        tau_marginal(tau_density(fit, 0, y, v, chosen, prior), float(fit.tau_mean[0]), float(fit.tau_sd[0]), level)
        for fit, prior in ((scatter, none), (spread, normal))
    )
    spread_of = Averaged("tau", 0.0, float(after[[0, 1]].sum()), (float(after[2]), float(after[3])), taus, level)
    return ModelComparison(
        effects,
        MODELS,
        frozen_array(log_marginal),
        frozen_array(start),
        frozen_array(after),
        inclusion(start, after, _EFFECT),
        inclusion(start, after, _RANDOM),
        averaged,
        effect,
        spread_of,
        normal,
        chosen,
        level,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Common:
    """The common-effect model under a prior on the effect: mu as a mixture of normals, and the marginal likelihood."""

    weight: FloatArray
    mean: FloatArray
    sd: FloatArray
    log_integral: FloatArray


def common_effect(y: FloatArray, v: FloatArray, effect: EffectPrior) -> Common:
    """Fit the common-effect model."""
    sd, weight = normals_of(y, effect)
    given = given_tau(y, v, None, np.zeros((1, 1)), (effect.location, sd[:, None]))
    log = given.loglik[:, 0] + np.log(weight)
    if effect.bounded:
        log = log + log_between(given, (effect.lower, effect.upper))[:, 0] - np.log(effect.share)
    top = log.max()
    total = top + np.log(np.exp(log - top).sum())
    return Common(np.exp(log - total)[None], given.mean.T, given.sd.T, np.array([total]))


def averaged_effect(
    w: FloatArray, m: FloatArray, s: FloatArray, effect: EffectPrior, level: float, measure: Measure
) -> Marginal:
    """Summarise the effect averaged over models."""
    w, m, s = w[w > 0], m[w > 0], s[w > 0]
    if not effect.bounded:
        return mixture_marginals(("mu",), ("credible",), w, m[None], s[None], level, measure, {})[0]
    # weights are those of the cut normals; the uncut mixture has more of those of which less is left
    log = np.log(w) - log_between(Given(m[None], s[None], m[None]), (effect.lower, effect.upper))[0]
    uncut = np.exp(log - log.max())
    return restricted_marginal(
        Restricted(NormalMixture(uncut / uncut.sum(), m, s), effect.lower, effect.upper), level, measure
    )


def inclusion(before: FloatArray, after: FloatArray, has: Any) -> float:
    """Return posterior odds over prior odds of the models that have a feature."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((after[has].sum() / after[~has].sum()) / (before[has].sum() / before[~has].sum()))
