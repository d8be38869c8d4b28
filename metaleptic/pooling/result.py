"""Pooled: the result of pooling, complete when made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.frames import to_frame
from metaleptic.pooling.information import Criteria, criteria
from metaleptic.types import Effects, Estimate, FloatArray, Provenance, count_studies


@dataclass(frozen=True, slots=True)
class StudyLevels:
    """Random levels of the studies (average log odds or log rate of both arms): mean, SD, and correlation with the effects."""

    mean: float
    sd: float
    correlation: float


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """A pooled effect with its heterogeneity: what ``ml.pool`` returns.

    Attributes
    ----------
    effects : Effects
        What was pooled.
    estimate : Estimate
        Pooled effect with its confidence interval, printed scale.
    prediction : Estimate or None
        Prediction interval for the true effect of a new study, printed scale; None for models without one.
    beta, se : ndarray of shape (p,)
        Pooled effect and its standard error on the analysis scale (for Hartung-Knapp the adjusted one).
    cov : ndarray of shape (p, p)
        Their covariance.
    df : float
        Degrees of freedom of the interval; infinite for z.
    statistic, p : float
        Test of no effect; NaN for measures without a null.
    tau2 : float
        Between-study variance on the analysis scale; NaN if it cannot be estimated (one study).
    tau : Estimate
        Its square root with the Q-profile interval, analysis scale.
    i2 : float
        Percent of the variability that is between studies, by the typical within-study variance (in the
        common-effect model by Q).
    h2 : float
        Ratio of total to typical within-study variance.
    q, q_df, q_p : float
        Cochran's Q (for counts: the likelihood-ratio statistic) with its degrees of freedom and p value.
    weights : ndarray of shape (k,)
        Weight of each study, percent.
    loglik : float
        Log-likelihood (restricted for REML).
    model, tau2_method, test : str
        Keys of what was asked for; ``tau2_method`` is "" for models that have none.
    method : str
        The same in words.
    level : float
        Level of the intervals.
    notes : tuple of str
        What a careful reader must know of this result.
    provenance : Provenance
        How to make it again.
    tau2_se : float
        Standard error of tau2; NaN where no formula is published.
    levels : StudyLevels or None
        Mean, SD and correlation of the study levels, for models that make them random.
    """

    effects: Effects
    estimate: Estimate
    prediction: Estimate | None
    beta: FloatArray
    se: FloatArray
    cov: FloatArray
    df: float
    statistic: float
    p: float
    tau2: float
    tau: Estimate
    i2: float
    h2: float
    q: float
    q_df: int
    q_p: float
    weights: FloatArray
    loglik: float
    model: str
    tau2_method: str
    test: str
    method: str
    level: float
    notes: tuple[str, ...]
    provenance: Provenance
    tau2_se: float = float("nan")
    levels: StudyLevels | None = None

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.effects)

    @property
    def parameters(self) -> int:
        """Number of estimated parameters, tau2 included."""
        return len(self.beta) + (not self.one_true_value)

    @property
    def criteria(self) -> Criteria:
        """AIC, AICc and BIC, comparable between fits of the same effects."""
        restricted = self.tau2_method == "REML"
        return criteria(self.loglik, self.parameters, self.k - len(self.beta) if restricted else self.k)

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.criteria.aic

    @property
    def aicc(self) -> float:
        """Akaike's criterion for small samples."""
        return self.criteria.aicc

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""
        return self.criteria.bic

    @property
    def fitted(self) -> FloatArray:
        """Fitted effect of each study, the pooled one for all, analysis scale."""
        own_scale = self.model != "beta-binomial"  # its mean is a logit, whatever the measure of the effects
        mean = self.beta[0] if own_scale else self.effects.measure.to_analysis(self.estimate.value)
        return np.full(self.k, float(mean))

    @property
    def residuals(self) -> FloatArray:
        """Effect of each study minus the pooled effect, analysis scale; standardised ones are in ``ml.residuals``."""
        return np.asarray(self.effects.y - self.fitted)

    @property
    def birge_ratio(self) -> float:
        """Square root of Q per degree of freedom: by how much errors would have to be larger for the studies to agree.

        Birge RT. Phys Rev 1932;40:207-227.
        """
        return float(np.sqrt(self.q / self.q_df)) if self.q_df > 0 else float("nan")

    @property
    def patients(self) -> float:
        """Number of patients in the studies that print it."""
        return float(np.nansum(self.effects.n))

    @property
    def one_true_value(self) -> bool:
        """Whether the model takes one true value for all studies, tau being 0 by assumption."""
        return self.tau2_method == ""

    def to_frame(self) -> Any:
        """Return the table behind the forest plot: a row per study, then the pooled and prediction rows."""
        e = self.effects
        low, high = e.measure.printed_bounds(e.low, e.high)
        rows = [
            ("study", e.study[i], float(e.printed[i]), low[i], high[i], self.weights[i], e.n[i], e.how[i])
            for i in range(self.k)
        ]
        pooled = self.estimate
        patients = self.patients if np.isfinite(e.n).any() else np.nan
        rows.append(("pooled", "Pooled", pooled.value, pooled.low, pooled.high, 100.0, patients, self.method))
        if self.prediction is not None:
            new = self.prediction
            rows.append(("prediction", "Prediction interval", np.nan, new.low, new.high, np.nan, np.nan, ""))
        names = ("role", "study", "value", "low", "high", "weight", "n", "how")
        return to_frame(dict(zip(names, zip(*rows, strict=True), strict=True)), e.frame_kind)

    def __repr__(self) -> str:
        return "\n".join((headline(self), models_line(self), heterogeneity_line(self)))


def headline(fit: Pooled) -> str:
    """Say the pooled effect in one line, printed scale."""
    m = fit.effects.measure
    unit = f" {m.unit}" if m.unit else ""
    interval = m.format_interval(fit.estimate.low, fit.estimate.high)
    return f"{m.label} {m.format(fit.estimate.value)}{unit} ({100 * fit.level:g}% CI {interval}), {count_studies(fit.effects)}"


def models_line(fit: Pooled) -> str:
    """Say the model and the prediction interval in one line."""
    if fit.prediction is None:
        return fit.method
    low_high = fit.effects.measure.format_interval(fit.prediction.low, fit.prediction.high)
    return f"{fit.method}; {100 * fit.level:g}% prediction interval {low_high}"


def heterogeneity_line(fit: Pooled) -> str:
    """Say the heterogeneity in one line."""
    if fit.k == 1:
        return "heterogeneity: not estimable from one study"
    tau = "" if fit.one_true_value or np.isnan(fit.tau.value) else f"tau {fit.tau.value:.2g}, "
    i2 = "" if np.isnan(fit.i2) else f"I2 {fit.i2:.0f}%, "
    return f"heterogeneity: {tau}{i2}Q = {fit.q:.1f}, df = {fit.q_df}, p {format_p(fit.q_p)}"


def format_p(p: float) -> str:
    """Write a p value with its sign: "= 0.10", "< 0.001"."""
    if np.isnan(p):
        return "not available"
    if p < 0.001:
        return "< 0.001"
    return f"= {p:.3f}" if p < 0.0995 else f"= {p:.2f}"
