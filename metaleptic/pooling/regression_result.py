"""Regression: the result of pooling with moderators, complete when made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.design import Design
from metaleptic.frames import to_frame
from metaleptic.pooling.information import Criteria, criteria
from metaleptic.pooling.result import StudyLevels, format_p
from metaleptic.types import Effects, Estimate, FloatArray, Provenance, count_studies


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """A meta-regression: how the effect changes with characteristics of the studies.

    Attributes
    ----------
    effects : Effects
        What was pooled.
    design : Design
        Design matrix (``design.matrix``, shape (k, p)) and the names of its columns.
    beta, se, statistic, p, low, high : ndarray of shape (p,)
        Coefficients on the analysis scale with standard errors, tests and confidence intervals.
    cov : ndarray of shape (p, p)
        Covariance of the coefficients.
    df : float
        Degrees of freedom of the tests; infinite for z.
    qm, qm_df, qm_df2, qm_p : float
        Omnibus test of all coefficients but the intercept: chi-squared, or F with finite ``qm_df2``.
    tau2, tau2_se : float
        Residual between-study variance and its standard error.
    tau : Estimate
        Its square root with the Q-profile interval.
    i2, h2 : float
        Residual heterogeneity as percent of the unaccounted variability, and as ratio.
    r2, r2_adjusted : float
        Percent of the between-study variance that the moderators account for, and the same allowing for their
        number; NaN without an intercept or when there was nothing to account for.
    q, q_df, q_p : float
        Test of residual heterogeneity.
    weights, fitted, residuals, leverage : ndarray of shape (k,)
        Weight in percent, fitted effect, residual and hat value of each study.
    loglik : float
        Log-likelihood (restricted for REML).
    model, tau2_method, test, method : str
        Keys of what was asked for, and the same in words.
    level : float
        Level of the intervals.
    notes : tuple of str
        What a careful reader must know of this result.
    provenance : Provenance
        How to make it again.
    levels : StudyLevels or None
        Mean, SD and correlation of the study levels, for models that make them random.
    """

    effects: Effects
    design: Design
    beta: FloatArray
    se: FloatArray
    cov: FloatArray
    df: float
    statistic: FloatArray
    p: FloatArray
    low: FloatArray
    high: FloatArray
    qm: float
    qm_df: int
    qm_df2: float
    qm_p: float
    tau2: float
    tau2_se: float
    tau: Estimate
    i2: float
    h2: float
    r2: float
    r2_adjusted: float
    q: float
    q_df: int
    q_p: float
    weights: FloatArray
    fitted: FloatArray
    residuals: FloatArray
    leverage: FloatArray
    loglik: float
    model: str
    tau2_method: str
    test: str
    method: str
    level: float
    notes: tuple[str, ...]
    provenance: Provenance
    levels: StudyLevels | None = None

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.effects)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.design.names

    @property
    def parameters(self) -> int:
        """Number of estimated parameters, tau2 included."""
        return len(self.beta) + bool(self.tau2_method)

    @property
    def birge_ratio(self) -> float:
        """Square root of residual Q per degree of freedom. Birge RT. Phys Rev 1932;40:207-227."""
        return float(np.sqrt(self.q / self.q_df)) if self.q_df > 0 else float("nan")

    @property
    def criteria(self) -> Criteria:
        """AIC, AICc and BIC."""
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

    def to_frame(self) -> Any:
        """Return a row per coefficient, analysis scale; for ratios also the exponentiated values."""
        columns: dict[str, Any] = {
            "term": self.names,
            "estimate": self.beta,
            "se": self.se,
            "low": self.low,
            "high": self.high,
            "statistic": self.statistic,
            "p": self.p,
        }
        if self.effects.measure.axis == "log":
            columns |= {"ratio": np.exp(self.beta), "ratio_low": np.exp(self.low), "ratio_high": np.exp(self.high)}
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        scale = self.effects.measure.scale or self.effects.measure.label
        lines = [f"Meta-regression of {scale}{_on(self.design)}, {count_studies(self.effects)}"]
        width = max(len(n) for n in self.names)
        for j, name in enumerate(self.names):
            interval = f"{self.low[j]:.4g} to {self.high[j]:.4g}".replace("-", "−")
            value = f"{self.beta[j]:.4g}".replace("-", "−")
            lines.append(f"  {name:<{width}}  {value} ({100 * self.level:g}% CI {interval}), p {format_p(self.p[j])}")
        lines.append(f"{self.method}; {omnibus_line(self)}")
        tau = f"tau {self.tau.value:.2g}, " if self.tau2_method else ""
        r2 = "" if np.isnan(self.r2) else f"R2 {self.r2:.0f}%, "
        lines.append(
            f"residual heterogeneity: {tau}I2 {self.i2:.0f}%, {r2}Q = {self.q:.1f}, df = {self.q_df}, p {format_p(self.q_p)}"
        )
        return "\n".join(lines)


def _on(design: Design) -> str:
    return f" on {design.formula[1:].strip()}" if design.formula else ""


def omnibus_line(fit: Regression) -> str:
    """Say the test of all moderators in one line."""
    if np.isinf(fit.qm_df2):
        return f"moderators: QM = {fit.qm:.1f}, df = {fit.qm_df}, p {format_p(fit.qm_p)}"
    return f"moderators: F({fit.qm_df}, {fit.qm_df2:.4g}) = {fit.qm:.1f}, p {format_p(fit.qm_p)}"
