"""Empirical-Bayes estimates of the true effects: each study's own number drawn towards the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.location_scale_result import LocationScale
from metaleptic.pooling.normal import quantile
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.design_of_fit import settings_of
from metaleptic.types import FloatArray, frozen_array

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
        From ``ml.pool`` with ``model="random"``, or from ``ml.location_scale``.

    Returns
    -------
    Shrinkage

    Raises
    ------
    OptionError
        If the model takes one true effect for all studies.

    Notes
    -----
    tau2 is taken as known. Source: Raudenbush SW, Bryk AS. J Educ Stat 1985;10:75-98; Robinson GK. Stat Sci 1991;6:15-32.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.shrinkage(ml.pool(ml.effects([0.1, 0.3, 0.9], [0.04] * 3))).effect.round(2)
    array([0.18, 0.33, 0.79])
    """
    x, beta, cov = _mean_part(fit)
    y, v = fit.effects.y, fit.effects.v
    fitted = x @ beta
    spread = np.einsum("ij,jk,ik->i", x, cov, x)
    pull = fit.tau2 / (fit.tau2 + v)
    effect, deviation = pull * y + (1 - pull) * fitted, pull * (y - fitted)
    se = np.sqrt(pull * v + (1 - pull) ** 2 * spread)
    deviation_se = np.sqrt(pull * v + pull**2 * spread)
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
        1 - pull,
    )
    return Shrinkage(fit, *(frozen_array(a) for a in arrays))


def _mean_part(fit: AnyFit) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return design, coefficients and their covariance."""
    if isinstance(fit, LocationScale):
        return fit.designs[0].matrix, fit.location.beta, fit.location.cov
    s = settings_of(fit, "shrinkage")
    if s.tau2 is None:
        raise OptionError(
            'the common-effect model has one true effect: there is nothing to shrink. Use model="random".'
        )
    return s.x, fit.beta, fit.cov
