"""Cumulative analysis of fits with coefficients: meta-regressions, Bayesian ones, multilevel models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.errors import NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.sensitivity.leave_out_coefficients import leave_out_coefficients, main_coefficient
from metaleptic.types import BoolArray, FloatArray

EARLY = "not estimable from the studies so far"


@dataclass(frozen=True, slots=True, eq=False)
class CumulativeCoefficients:
    """The coefficients of a fit after each further study; analysis scale.

    Attributes
    ----------
    fit : Regression, RegressionBayes or Multilevel
        The result with all studies.
    by : str
        Column that gave the order; "" for the order of the input.
    names : tuple of str
        Names of the coefficients.
    added : tuple of str
        Study (of a multilevel fit: effect) added in each step.
    beta, se, low, high, p : ndarray of shape (k, p)
        Coefficients so far (posterior medians and standard deviations of a Bayesian fit), intervals, tests; NaN until they
        can be estimated.
    whole : ndarray of shape (3, p)
        Coefficients with all studies, and their bounds.
    reason : tuple of str
        Why a step has no fit; "" where it has one.
    """

    fit: Regression | RegressionBayes | Multilevel
    by: str
    names: tuple[str, ...]
    added: tuple[str, ...]
    beta: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    whole: FloatArray
    reason: tuple[str, ...]

    @property
    def main(self) -> int:
        """The coefficient that is told and drawn: the first that is not the intercept, if there is one."""
        return main_coefficient(self.names)

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        j, m = self.main, self.fit.effects.measure
        steps = np.flatnonzero(np.isfinite(self.beta[:, j]))
        single = len(self.names) == 1
        what = "the pooled effect" if single else f"the coefficient of {self.names[j]}"

        def shown(i: int) -> str:
            value = float(self.beta[i, j])
            return m.format(float(m.to_printed(value))) if single else f"{value:.3g}".replace("-", "−")

        first, half = int(steps[0]), int(steps[len(steps) // 2])
        order = f"in order of {self.by.removeprefix('-')}" if self.by else "in the order of the table"
        return (
            f"Adding one at a time {order}, {what} went from {shown(first)} (after {first + 1}, the first with which it can be "
            f"estimated) over {shown(half)} (after {half + 1} of {len(self.added)}) to {shown(-1)}."
        )

    def to_frame(self) -> Any:
        """Return a row per step and coefficient."""
        k, p = self.beta.shape
        columns: dict[str, Any] = {
            "added": [name for name in self.added for _ in range(p)],
            "k": np.repeat(np.arange(1, k + 1), p),
            "term": list(self.names) * k,
        }
        for name, values in (("estimate", self.beta), ("se", self.se), ("low", self.low), ("high", self.high)):
            columns[name] = values.ravel()
        columns["p"] = self.p.ravel()
        if any(self.reason):
            columns["reason"] = [why for why in self.reason for _ in range(p)]
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def cumulative_coefficients(
    fit: Regression | RegressionBayes | Multilevel, added: tuple[str, ...], keep: BoolArray, by: str
) -> CumulativeCoefficients:
    """Fit again to each row of ``keep`` (True for the studies so far); ``ml.cumulative`` calls it.

    Raises
    ------
    NotEstimableError
        If no step can be fitted.
    """
    steps = leave_out_coefficients(fit, added, keep)
    if not np.isfinite(steps.beta).any():
        raise NotEstimableError("the coefficients cannot be estimated again in any step.")
    reason = tuple(EARLY if why else "" for why in steps.reason)
    numbers = (steps.beta, steps.se, steps.low, steps.high, steps.p, steps.whole)
    return CumulativeCoefficients(fit, by, steps.names, added, *numbers, reason)
