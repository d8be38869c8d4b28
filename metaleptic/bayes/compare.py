"""Whether the studies speak for common or random effects, for an effect or for none.

Sources: Gronau QF et al. Adv Methods Pract Psychol Sci 2021;4:1-19 (the four models and inclusion Bayes factors);
Roever C. J Stat Softw 2020;93(6):1-51, section 2.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.exact import exact
from metaleptic.bayes.marginal import Marginal, mixture_marginals
from metaleptic.bayes.normal_normal import given_tau
from metaleptic.bayes.pool_bayes import checked_mu, checked_prior, why_no_marginal
from metaleptic.bayes.prior import Prior
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.types import Effects, FloatArray, frozen_array

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
    """

    effects: Effects
    models: tuple[str, ...]
    log_marginal: FloatArray
    prior: FloatArray
    posterior: FloatArray
    bf_effect: float
    bf_heterogeneity: float
    mu: Marginal

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
    mu: tuple[float, float],
    tau: Prior | None = None,
    prior: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
    level: float = 0.95,
) -> ModelComparison:
    """Weigh an effect against none, and heterogeneity against none, by how well each predicted the studies.

    Parameters
    ----------
    effects : Effects
        A measure with a value of "no effect" (not proportions or medians).
    mu : (mean, sd)
        Normal prior on the pooled effect where there is one, analysis scale. Bayes factors depend on it: say how
        large an effect was thought possible.
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
            f"there is no Bayes factor: {why_no_marginal(chosen, normal)}, its constant is arbitrary."
        )
    start = np.asarray(prior, dtype=np.float64)
    if start.shape != (4,) or (start < 0).any() or not np.isclose(start.sum(), 1):
        raise OptionError("prior must be the probabilities of the 4 models, adding up to 1.")
    y, v = effects.y[None], effects.v[None]
    none, zero = (float(m.to_analysis(m.null)), 0.0), np.zeros((1, 1))
    common = given_tau(y, v, None, zero, normal)
    spread = exact(y, v, [chosen], normal)
    log_marginal = np.array(
        [
            given_tau(y, v, None, zero, none).loglik[0, 0],
            common.loglik[0, 0],
            exact(y, v, [chosen], none).log_integral[0],
            spread.log_integral[0],
        ]
    )
    after = start * np.exp(log_marginal - log_marginal.max())
    after = after / after.sum()
    share = after[1] / (after[1] + after[3])
    w = np.concatenate([[share], (1 - share) * spread.weight[0]])
    centre, sd = (np.concatenate([a[0], b[0]]) for a, b in ((common.mean, spread.mean), (common.sd, spread.sd)))
    averaged = mixture_marginals(("mu",), ("credible",), w, centre[None], sd[None], level, m, {})[0]
    return ModelComparison(
        effects,
        MODELS,
        frozen_array(log_marginal),
        frozen_array(start),
        frozen_array(after),
        inclusion(start, after, _EFFECT),
        inclusion(start, after, _RANDOM),
        averaged,
    )


def inclusion(before: FloatArray, after: FloatArray, has: Any) -> float:
    """Return posterior odds over prior odds of the models that have a feature."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((after[has].sum() / after[~has].sum()) / (before[has].sum() / before[~has].sum()))
