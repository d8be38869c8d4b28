"""Multilevel: the result of a multilevel or multivariate model, complete when made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metaleptic.design import Design
from metaleptic.frames import to_frame
from metaleptic.pooling.information import Criteria, criteria
from metaleptic.pooling.multilevel.build import Built
from metaleptic.pooling.multilevel.fit import Scaled
from metaleptic.pooling.multilevel.likelihood import Problem
from metaleptic.pooling.multilevel.low_rank import LowRank
from metaleptic.pooling.multilevel.words import methods_sentence
from metaleptic.pooling.result import format_p
from metaleptic.types import Effects, Estimate, FloatArray, Provenance


@dataclass(frozen=True, slots=True)
class Convergence:
    """How the maximum was found.

    Attributes
    ----------
    converged : bool
        Whether the slope of the likelihood vanished.
    starts, agreeing : int
        Starting points tried, and how many of them led to the maximum that was kept.
    slope : float
        Largest slope left, per typical size of a parameter.
    """

    converged: bool
    starts: int
    agreeing: int
    slope: float


@dataclass(frozen=True, slots=True, eq=False)
class RandomEffects:
    """Predicted deviations of the levels of one random term (BLUPs), analysis scale.

    Attributes
    ----------
    term : str
        The grouping ("study/outcome") or the term ("~ outcome | study").
    level : tuple of str
        Level of each deviation; "inner | outer" for structured terms.
    value, se, low, high : ndarray
        Deviation, its standard error and interval.
    """

    term: str
    level: tuple[str, ...]
    value: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray

    def to_frame(self) -> Any:
        """Return a row per level."""
        return to_frame(
            {"level": self.level, "value": self.value, "se": self.se, "low": self.low, "high": self.high}, "pandas"
        )


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What the follow-up analyses of a fit start from; ``asked`` are the options that make it again."""

    problem: Problem
    built: tuple[Built, ...]
    scaled: Scaled
    v: FloatArray
    columns: Mapping[str, Sequence[Any]]
    parts: LowRank | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Multilevel:
    """A multilevel or multivariate fit: what ``ml.pool_multilevel`` returns.

    Attributes
    ----------
    effects : Effects
        What was pooled, one row per effect.
    design : Design
        Design matrix and the names of the coefficients.
    beta, se, statistic, df, p, low, high : ndarray of shape (p,)
        Coefficients on the analysis scale, standard errors, tests (z, or t with ``df``) and intervals.
    cov : ndarray of shape (p, p)
        Covariance of the coefficients.
    qm, qm_df, qm_df2, qm_p : float
        Joint test of all coefficients but the intercept: chi-squared, or F with finite ``qm_df2``.
    q, q_df, q_p : float
        Test of residual heterogeneity.
    sigma2 : mapping of str to float
        Variance of each random intercept, by its grouping.
    tau2, rho : mapping of str to float
        Variances and correlations (for spatial structures: ranges) of the structured terms, by level and by pair of
        levels. NaN marks what these effects cannot tell.
    i2 : mapping of str to float
        Percent of the variability due to each random term with one variance, against the typical sampling variance.
    estimate : Estimate
        Pooled effect on the printed scale; NaN with moderators (see ``predict``).
    prediction : Estimate or None
        Interval for a new true effect, printed scale, where there is only one kind of it.
    tau : Estimate
        Standard deviation of the true effects, all random terms together.
    weights : ndarray of shape (k,)
        Weight of each effect in percent (row sums of the inverse covariance matrix).
    fitted, residuals, standardized_residuals, leverage : ndarray of shape (k,)
        Fitted effects, raw and internally standardised residuals, hat values.
    random_effects : tuple of RandomEffects
        Predicted deviations of every level, with intervals.
    loglik, loglik_ml, loglik_reml : float
        Log-likelihood of the fit (restricted for REML), and both kinds at its estimates.
    parameters : int
        Number of estimated parameters, coefficients and variances.
    random, method_key, test, dfs : str
        What was asked for.
    method : str
        The model in words.
    level : float
        Level of the intervals.
    convergence : Convergence
        How the maximum was found.
    notes : tuple of str
        What a careful reader must know.
    provenance : Provenance
        How to make it again.
    """

    effects: Effects
    design: Design
    beta: FloatArray
    se: FloatArray
    statistic: FloatArray
    df: FloatArray
    p: FloatArray
    low: FloatArray
    high: FloatArray
    cov: FloatArray
    qm: float
    qm_df: int
    qm_df2: float
    qm_p: float
    q: float
    q_df: int
    q_p: float
    sigma2: Mapping[str, float]
    tau2: Mapping[str, float]
    rho: Mapping[str, float]
    i2: Mapping[str, float]
    estimate: Estimate
    prediction: Estimate | None
    tau: Estimate
    weights: FloatArray
    fitted: FloatArray
    residuals: FloatArray
    standardized_residuals: FloatArray
    leverage: FloatArray
    random_effects: tuple[RandomEffects, ...]
    loglik: float
    loglik_ml: float
    loglik_reml: float
    parameters: int
    random: str
    method_key: str
    test: str
    dfs: str
    method: str
    level: float
    convergence: Convergence
    notes: tuple[str, ...]
    provenance: Provenance
    state: State

    @property
    def k(self) -> int:
        """Number of effects."""
        return len(self.effects)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.design.names

    @property
    def sentence(self) -> str:
        """What was done, as a methods section says it, with sources."""
        sources: list[str] = []

        def collect(source: str) -> str:
            sources.append(source)
            return ""

        return self.methods(collect) + (f" [{'; '.join(dict.fromkeys(sources))}]" if sources else "")

    def methods(self, cite: Callable[[str], str]) -> str:
        """Return what was done in words; ``cite`` makes the mark of a source."""
        return methods_sentence(
            self.k,
            self.state.built,
            self.method_key,
            self.test,
            self.dfs,
            self.df,
            self.state.v.ndim == 2,
            len(self.beta),
            cite,
        )

    @property
    def criteria(self) -> Criteria:
        """AIC, AICc and BIC of the likelihood that was maximised."""
        return criteria(self.loglik, self.parameters, self.k - len(self.beta) * (self.method_key == "REML"))

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
    def variance_components(self) -> Mapping[str, float]:
        """Every variance, correlation and range by the name that ``ml.profile_interval`` takes."""
        return {
            **{f"sigma2[{n}]": x for n, x in self.sigma2.items()},
            **{f"tau2[{n}]": x for n, x in self.tau2.items()},
            **{f"rho[{n}]": x for n, x in self.rho.items()},
        }

    def to_frame(self) -> Any:
        """Return a row per coefficient, analysis scale; for ratios also the exponentiated values."""
        columns: dict[str, Any] = {
            "term": self.names,
            "estimate": self.beta,
            "se": self.se,
            "low": self.low,
            "high": self.high,
            "statistic": self.statistic,
            "df": self.df,
            "p": self.p,
        }
        if self.effects.measure.axis == "log":
            columns |= {"ratio": np.exp(self.beta), "ratio_low": np.exp(self.low), "ratio_high": np.exp(self.high)}
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        m = self.effects.measure
        studies = len(set(self.effects.study))
        count = f"{self.k} effects of {studies} studies" if studies < self.k else f"{self.k} effects"
        if np.isfinite(self.estimate.value):
            unit = f" {m.unit}" if m.unit else ""
            interval = m.format_interval(self.estimate.low, self.estimate.high)
            lines = [f"{m.label} {m.format(self.estimate.value)}{unit} ({100 * self.level:g}% CI {interval}), {count}"]
        else:
            lines = [f"Multilevel model of {m.scale or m.label}, {count}"]
            width = max(len(n) for n in self.names)
            for j, name in enumerate(self.names):
                text = f"{self.beta[j]:.4g} ({100 * self.level:g}% CI {self.low[j]:.4g} to {self.high[j]:.4g})"
                lines.append(f"  {name:<{width}}  {text.replace('-', '−')}, p {format_p(float(self.p[j]))}")
        new = ""
        if self.prediction is not None:
            new = f"; {100 * self.level:g}% prediction interval {m.format_interval(self.prediction.low, self.prediction.high)}"
        lines.append(self.method + new)
        lines.append("; ".join([*_components(self), f"Q = {self.q:.1f}, df = {self.q_df}, p {format_p(self.q_p)}"]))
        return "\n".join(lines)


def _components(fit: Multilevel) -> list[str]:
    found = [f"sd {name} {np.sqrt(x):.2g}" for name, x in fit.sigma2.items()]
    found += [f"tau {name} {np.sqrt(x):.2g}" for name, x in list(fit.tau2.items())[:6]]
    found += [f"rho {name} " + f"{x:.2f}".replace("-", "−") for name, x in list(fit.rho.items())[:6]]
    return found
