"""A meta-regression as a forest plot shows it: the studies, and what the moderators predict for each; nothing is pooled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.bayes.diagnostics import Diagnostics
from metaleptic.bayes.moderators import coefficient_words
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.regularising import Regularising
from metaleptic.bayes.sampled_regression import SampledRegression
from metaleptic.plots.extra_columns import ExtraColumn
from metaleptic.plots.styles import Style
from metaleptic.plots.wording import INTERVALS, level, with_interval
from metaleptic.pooling.location_scale_result import LocationScale
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.predict import predict
from metaleptic.pooling.regression_result import Regression
from metaleptic.types import Effects, Estimate, FloatArray, Interval, Provenance, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Moderated:
    """A fit with moderators: ``Result`` without a pooled estimate, with the fitted effect of each study."""

    effects: Effects
    estimate: Estimate
    prediction: None
    tau: Interval
    weights: FloatArray
    method: str
    provenance: Provenance
    fitted: tuple[Estimate, ...]
    priors: str = ""
    diagnostics: Diagnostics | None = None


def moderated(fit: object) -> Moderated | None:
    """Return what a forest plot shows of a fit with moderators; None for any other object."""
    if isinstance(fit, Regression | LocationScale) or (isinstance(fit, Multilevel) and fit.design.matrix.shape[1] > 1):
        found, m = predict(fit), fit.effects.measure
        low, high = m.printed_bounds(found.low, found.high)
        fitted = _estimates(m.to_printed(found.y), low, high, fit.level, "confidence")
        return _of(fit, fit.weights, fitted)
    if isinstance(fit, RegressionBayes | SampledRegression):
        means = fit.predict(np.asarray(fit.design.matrix))
        value, low, high = (np.array([getattr(m, end) for m in means]) for end in ("value", "low", "high"))
        w = 1 / (fit.effects.v + fit.tau.median**2)
        return _of(fit, 100 * w / w.sum(), _estimates(value, low, high, fit.level, "credible"))
    return None


def _of(
    fit: Regression | LocationScale | Multilevel | RegressionBayes | SampledRegression,
    weights: FloatArray,
    fitted: tuple[Estimate, ...],
) -> Moderated:
    nan = float("nan")
    nothing = Estimate(nan, nan, nan, fit.level, fitted[0].kind)
    tau = nothing if isinstance(fit, LocationScale) else fit.tau  # a location-scale model has a tau for each study
    priors, diagnostics = "", None
    if isinstance(fit, RegressionBayes | SampledRegression):
        given = fit.beta_prior
        on = f"{given.words} on" if isinstance(given, Regularising) else coefficient_words(*np.array(given).T)
        priors = f"Prior on τ: {fit.prior.words}; {on}."
    if isinstance(fit, SampledRegression):
        diagnostics = fit.diagnostics
    return Moderated(
        fit.effects,
        nothing,
        None,
        tau,
        frozen_array(weights),
        fit.method,
        fit.provenance,
        fitted,
        priors,
        diagnostics,
    )


def _estimates(value: FloatArray, low: FloatArray, high: FloatArray, level: float, kind: str) -> tuple[Estimate, ...]:
    return tuple(Estimate(float(v), float(a), float(b), level, kind) for v, a, b in zip(value, low, high, strict=True))


def fitted_column(result: Moderated, style: Style) -> ExtraColumn:
    """Return the column of fitted effects with their intervals."""
    m, word = result.effects.measure, INTERVALS.get(result.estimate.kind, "CI")
    cells = tuple(with_interval(f.value, f.low, f.high, m, style) for f in result.fitted)
    return ExtraColumn("fitted", f"Fitted\n({level(result.estimate)}% {word})", cells, "right", ())
