"""The result of a location-scale model, complete when made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metaleptic.design import Design
from metaleptic.frames import to_frame
from metaleptic.pooling.information import Criteria
from metaleptic.pooling.regression import WaldTest
from metaleptic.pooling.result import format_p
from metaleptic.types import Effects, FloatArray, Provenance


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """Coefficients of one part of the model: estimate, standard error, interval, test."""

    names: tuple[str, ...]
    beta: FloatArray
    cov: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    statistic: FloatArray
    p: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class LocationScale:
    """How the mean effect and the spread between studies change with moderators.

    Attributes
    ----------
    effects : Effects
        What was pooled.
    location, scale : Coefficients
        Coefficients of the effect, and of the logarithm of the between-study variance.
    designs : (Design, Design)
        Moderators of the effect, and of the between-study variance.
    tau2 : ndarray of shape (k,)
        Between-study variance at each study's moderators.
    weights : ndarray of shape (k,)
        Weight of each study in percent, by 1 / (v + tau2).
    fitted, residuals, standardized_residuals, leverage : ndarray of shape (k,)
        Fitted effects, raw and internally standardised residuals, hat values; analysis scale.
    qm, qs : WaldTest
        Tests of the moderators of the effect and of the spread (all but the intercepts).
    loglik : float
        Log-likelihood (restricted for REML).
    criteria : Criteria
        AIC, AICc, BIC.
    df, scale_df : float
        Degrees of freedom of the tests of both parts; infinite for z.
    tau2_method, test, method : str
        Likelihood that was maximised, reference distribution, the model in words.
    level : float
        Level of the intervals.
    provenance : Provenance
        How to make it again.
    notes : tuple of str
        What a careful reader must know of this result.
    """

    effects: Effects
    location: Coefficients
    scale: Coefficients
    designs: tuple[Design, Design]
    tau2: FloatArray
    weights: FloatArray
    fitted: FloatArray
    residuals: FloatArray
    standardized_residuals: FloatArray
    leverage: FloatArray
    qm: WaldTest
    qs: WaldTest
    loglik: float
    criteria: Criteria
    df: float
    scale_df: float
    tau2_method: str
    test: str
    method: str
    level: float
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.effects)

    @property
    def parameters(self) -> int:
        """Number of coefficients of both parts."""
        return len(self.location.beta) + len(self.scale.beta)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients of the effect; those of log tau2 are in ``scale``."""
        return self.location.names

    @property
    def beta(self) -> FloatArray:
        """Coefficients of the effect, as of other fits."""
        return self.location.beta

    @property
    def se(self) -> FloatArray:
        """Their standard errors."""
        return self.location.se

    @property
    def cov(self) -> FloatArray:
        """Their covariance."""
        return self.location.cov

    @property
    def p(self) -> FloatArray:
        """Their p values."""
        return self.location.p

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
        """Return a row per coefficient of both parts."""
        columns: dict[str, list[Any]] = {
            c: [] for c in ("part", "term", "estimate", "se", "low", "high", "statistic", "p")
        }
        for part, c in (("effect", self.location), ("log tau2", self.scale)):
            for i, name in enumerate(c.names):
                row = (part, name, c.beta[i], c.se[i], c.low[i], c.high[i], c.statistic[i], c.p[i])
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(value)
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        lines = [f"Location-scale model, {self.k} studies, {self.tau2_method}"]
        for part, c in (("effect", self.location), ("log tau2", self.scale)):
            lines += [
                f"  {part}: {n} {c.beta[i]:.4g} ({c.low[i]:.4g} to {c.high[i]:.4g}), p {format_p(c.p[i])}"
                for i, n in enumerate(c.names)
            ]
        return "\n".join(lines)
