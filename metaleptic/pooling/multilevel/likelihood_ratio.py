"""The likelihood-ratio test where at least one fit is multilevel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import DataError, OptionError
from metaleptic.pooling.anatomy import anatomy
from metaleptic.pooling.information import Criteria
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Ratio:
    """Numbers of the test, the larger model first."""

    statistic: float
    df: int
    p: float
    p_boundary: float
    larger: Criteria
    smaller: Criteria
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    method: str
    loglik: float
    parameters: int
    criteria: Criteria
    x: FloatArray
    y: FloatArray
    spreads: int


def _side(fit: Any) -> _Side:
    if isinstance(fit, Multilevel):
        x = np.asarray(fit.design.matrix)
        return _Side(fit.method_key, fit.loglik, fit.parameters, fit.criteria, x, fit.effects.y, _spreads(fit))
    a = anatomy(fit, "compare")
    if a.spread is not None:
        raise OptionError("a multilevel and a location-scale model have no common likelihood: they cannot be compared.")
    return _Side(
        a.tau2_method or "ML",
        fit.loglik,
        fit.parameters,
        fit.criteria,
        np.asarray(a.x),
        a.effects.y,
        int(bool(a.tau2_method)),
    )


def _spreads(fit: Multilevel) -> int:
    """Count the random terms that are not held at 0."""
    at = count = 0
    for b in fit.state.built:
        own = slice(at, at + b.covariance.deviations)
        at += b.covariance.count
        count += bool(fit.state.scaled.free[own].any() or (fit.state.scaled.theta[own] != 0).any())
    return count


def likelihood_ratio(larger: Any, smaller: Any) -> Ratio:
    """Test whether the larger of two nested models fits better."""
    large, small = _side(larger), _side(smaller)
    if large.y.shape != small.y.shape or not np.array_equal(large.y, small.y):
        raise DataError("the two fits are of different effects: nothing can be compared.")
    if large.method != small.method or large.method not in ("ML", "REML"):
        raise OptionError(
            f"the fits are by {large.method} and {small.method}: a likelihood-ratio test needs both by ML or both by REML."
        )
    joined = int(np.linalg.matrix_rank(np.column_stack([large.x, small.x])))
    same = large.x.shape[1] == small.x.shape[1] == joined
    if large.method == "REML" and not same:
        raise OptionError(
            "restricted likelihoods of different moderators cannot be compared: they are of different contrasts of the "
            "data. Fit both by maximum likelihood (method='ML')."
        )
    if joined > large.x.shape[1]:
        raise OptionError("the models are not nested: the smaller one has moderators that the larger one lacks.")
    df = large.parameters - small.parameters
    if df == 0:
        raise OptionError(
            "both fits have as many parameters: neither is a special case of the other. Compare their AICc."
        )
    statistic = 2 * (large.loglik - small.loglik)
    if statistic < -1e-6:
        raise OptionError("the larger model has the lower likelihood: the other is not a special case of it.")
    p = float(special.chdtrc(df, max(statistic, 0.0)))
    added = large.spreads - small.spreads
    boundary = p / 2 if added == 1 and df == 1 and same else float("nan")
    note = ""
    if added == 1 and df == 1 and same:
        note = f"The smaller model holds a variance at 0, its boundary, where half of chi-squared applies: p_boundary {p / 2:.2g}."
    elif added:
        note = "The smaller model holds variances at 0, their boundary: p is too large."
    return Ratio(max(statistic, 0.0), df, p, boundary, large.criteria, small.criteria, note)
