"""Empirical-Bayes estimates of the true effects: each study's own number drawn towards the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.count_data import COUNT_MODELS
from metaleptic.pooling.count_true_effects import true_effects, true_proportions
from metaleptic.pooling.given_weights import OWN_WEIGHTS
from metaleptic.pooling.location_scale_result import LocationScale
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.normal import quantile
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.design_of_fit import settings_of
from metaleptic.types import FloatArray, frozen_array

WITH_COUNTS = (*COUNT_MODELS, "beta-binomial")
AnyFit = Pooled | Regression | LocationScale


@dataclass(frozen=True, slots=True, eq=False)
class Shrinkage:
    """True effects of the studies as the random-effects model sees them.

    Attributes
    ----------
    fit : Pooled, Regression or LocationScale
        The fit.
    effect, se, low, high : ndarray of shape (k,)
        Estimated true effect (best linear unbiased prediction), its standard error and interval, analysis scale.
    deviation, deviation_se, deviation_low, deviation_high : ndarray of shape (k,)
        The same for the true effect minus the fitted one.
    factor : ndarray of shape (k,)
        Share of the way from the study's own number to the fitted one, 0 to 1.
    """

    fit: AnyFit
    effect: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    deviation: FloatArray
    deviation_se: FloatArray
    deviation_low: FloatArray
    deviation_high: FloatArray
    factor: FloatArray

    @property
    def sentence(self) -> str:
        """What the estimates show, in plain words."""
        m, study = self.fit.effects.measure, self.fit.effects.study
        value = np.asarray(m.to_printed(self.effect), dtype=np.float64)
        a, b = int(np.argmin(value)), int(np.argmax(value))
        if np.allclose(value, value[0], rtol=1e-12, atol=0):
            return f"No spread between true effects is estimated: each study's is taken to be {m.format(value[0])}."
        return (
            f"Allowing for chance, the true effects of the studies range from {m.format(value[a])} ({study[a]}) to "
            f"{m.format(value[b])} ({study[b]}); as printed they range from "
            f"{m.format(float(np.min(self.fit.effects.printed)))} to {m.format(float(np.max(self.fit.effects.printed)))}."
        )

    def to_frame(self) -> Any:
        """Return a row per study: as printed, and the estimated true effect, printed scale."""
        m = self.fit.effects.measure
        low, high = m.printed_bounds(self.low, self.high)
        return to_frame(
            {
                "study": self.fit.effects.study,
                "printed": self.fit.effects.printed,
                "effect": np.asarray(m.to_printed(self.effect)),
                "low": low,
                "high": high,
                "factor": self.factor,
            },
            self.fit.effects.frame_kind,
        )

    def __repr__(self) -> str:
        return self.sentence


def shrinkage(fit: AnyFit) -> Shrinkage:
    """Estimate the true effect of each study, drawing imprecise studies towards the others.

    Parameters
    ----------
    fit : Pooled, Regression or LocationScale
        From ``ml.pool`` with ``model="random"`` or a model of counts with random effects, or from ``ml.location_scale``.

    Returns
    -------
    Shrinkage

    Raises
    ------
    OptionError
        If the model takes one true effect for all studies, or weights of the caller's own.

    Notes
    -----
    tau2 is taken as known; of counts it is the mean of each study's random effect given its counts, with the spread of the
    fitted effects added to its variance as for normal effects. Random levels of studies are integrated out; beta-distributed
    proportions given their counts are beta-distributed again, and the mean and variance of their logits are taken.
    Source: Raudenbush SW, Bryk AS. J Educ Stat 1985;10:75-98; Robinson GK. Stat Sci 1991;6:15-32.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.shrinkage(ml.pool(ml.effects([0.1, 0.3, 0.9], [0.04] * 3))).effect.round(2)
    array([0.18, 0.33, 0.79])
    """
    x, beta, cov = _mean_part(fit)
    fitted = x @ beta
    spread = np.einsum("ij,jk,ik->i", x, cov, x)
    effect, variance, drawn = _given_fit(fit, fitted)
    deviation = effect - fitted
    se = np.sqrt(variance + drawn**2 * spread)
    deviation_se = np.sqrt(variance + (1 - drawn) ** 2 * spread)
    crit = float(quantile(np.float64(fit.df), fit.level))
    arrays = (
        effect,
        se,
        effect - crit * se,
        effect + crit * se,
        deviation,
        deviation_se,
        deviation - crit * deviation_se,
        deviation + crit * deviation_se,
        drawn,
    )
    return Shrinkage(fit, *(frozen_array(a) for a in arrays))


def _mean_part(fit: AnyFit) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return design, coefficients and their covariance."""
    if isinstance(fit, LocationScale):
        return fit.designs[0].matrix, fit.location.beta, fit.location.cov
    if isinstance(fit, Multilevel):
        raise OptionError("what a multilevel fit predicts for the levels of each grouping is in fit.random_effects.")
    if isinstance(fit, Pooled | Regression) and not fit.tau2_method and fit.model != OWN_WEIGHTS:
        raise OptionError(
            f"the fit takes one true effect for all studies ({fit.method}): there is nothing to shrink. Use a model with random "
            'effects, such as model="random".'
        )
    if not (isinstance(fit, Pooled | Regression) and fit.model in WITH_COUNTS):
        settings_of(fit, "shrinkage")  # refuses what is no model of studies about a mean
    if fit.model == "beta-binomial" and fit.effects.measure.key != "PLO":
        raise OptionError(
            'true proportions of model="beta-binomial" are estimated on the logit scale: make the effects with '
            'ml.proportions(measure="PLO").'
        )
    return (fit.design.matrix if isinstance(fit, Regression) else np.ones((fit.k, 1))), fit.beta, fit.cov


def _given_fit(fit: AnyFit, fitted: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean and variance of each true effect, given the study, the fitted effects and tau2.

    The third array says how far the mean follows the fitted effect: d E(theta) / d fitted.
    """
    if not isinstance(fit, LocationScale) and fit.model in COUNT_MODELS:
        return true_effects(fit.effects, fit.model, fitted, float(np.sqrt(fit.tau2)), fit.levels)
    if not isinstance(fit, LocationScale) and fit.model == "beta-binomial":
        return true_proportions(fit.effects.events, fit.effects.n, float(fit.beta[0]))
    pull = fit.tau2 / (fit.tau2 + fit.effects.v)
    return pull * fit.effects.y + (1 - pull) * fitted, pull * fit.effects.v, 1 - pull
