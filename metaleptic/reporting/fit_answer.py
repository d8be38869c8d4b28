"""A fit of another shape than one pooled value, as the report tells it: words, checks, origins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metaleptic.bayes.pool_bayes_outcomes import OutcomesBayes
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.bayes.sampled import SampledBayes
from metaleptic.bayes.sampled_regression import SampledRegression
from metaleptic.pooling.location_scale_result import LocationScale
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.reporting.fit_words import AnyFit, fit_sentence
from metaleptic.reporting.origins import Origin, origin_of_row
from metaleptic.sensitivity.robustness import Robustness, robustness

SHAPES = (Regression, LocationScale, Multilevel, RegressionBayes, SampledRegression, SampledBayes, OutcomesBayes)


@dataclass(frozen=True, slots=True, eq=False)
class FitAnswer:
    """Everything the report says about a fit that is no single pooled value.

    Attributes
    ----------
    fit : Regression, LocationScale, Multilevel, PooledBayes, RegressionBayes, SampledRegression or OutcomesBayes
        The fit.
    robust : Robustness or None
        The checks of its robustness; None where there are none for this kind of fit.
    origins : tuple of Origin
        Where each number comes from, aligned with ``fit.effects``.
    """

    fit: AnyFit
    robust: Robustness | None
    origins: tuple[Origin, ...]

    @property
    def sentence(self) -> str:
        """What the fit shows."""
        return fit_sentence(self.fit)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a careful reader must know."""
        return tuple(getattr(self.fit, "notes", ()))


def fit_answer(fit: AnyFit) -> FitAnswer:
    """Ask a fit what there is to ask."""
    checked: Any = fit if isinstance(fit, Regression | Multilevel | RegressionBayes | PooledBayes) else None
    robust = robustness(checked) if checked is not None and fit.k >= 2 else None
    return FitAnswer(fit, robust, tuple(origin_of_row(fit.effects, i) for i in range(len(fit.effects))))
