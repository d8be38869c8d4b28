"""The verb ``compare``: the likelihood-ratio test of two nested fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.information import Criteria, criteria
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled, format_p

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two nested fits side by side.

    Attributes
    ----------
    statistic, df, p : float
        Twice the difference of the log-likelihoods, the difference in the number of parameters, and the p value.
    p_boundary : float
        The p value if the smaller fit holds one variance at 0, where the chi-squared distribution is too wide (half the
        weight is on 0); NaN where that does not apply.
    parameters, loglik : tuple of float
        Of the smaller and the larger fit.
    criteria : tuple of Criteria
        AIC, AICc and BIC of both.
    method : str
        Which likelihood was compared.
    notes : tuple of str
        What a careful reader must know.
    """

    statistic: float
    df: int
    p: float
    p_boundary: float
    parameters: tuple[int, int]
    loglik: tuple[float, float]
    criteria: tuple[Criteria, Criteria]
    method: str
    notes: tuple[str, ...]

    def to_frame(self) -> Any:
        """Return a row per fit."""
        return to_frame(
            {
                "fit": ("smaller", "larger"),
                "parameters": self.parameters,
                "loglik": self.loglik,
                "aic": tuple(c.aic for c in self.criteria),
                "aicc": tuple(c.aicc for c in self.criteria),
                "bic": tuple(c.bic for c in self.criteria),
            }
        )

    def __repr__(self) -> str:
        half = "" if np.isnan(self.p_boundary) else f" ({format_p(self.p_boundary)} with the variance on its boundary)"
        better = "larger" if self.criteria[1].aicc < self.criteria[0].aicc else "smaller"
        return (
            f"Likelihood ratio ({self.method}) {self.statistic:.2f}, df = {self.df}, p {format_p(self.p)}{half}\n"
            f"parameters {self.parameters[0]} and {self.parameters[1]}; AICc {self.criteria[0].aicc:.1f} and "
            f"{self.criteria[1].aicc:.1f}: favours the {better} model"
        )


@dataclass(frozen=True, slots=True)
class _Side:
    method: str
    loglik: float
    parameters: int
    design: Any
    k: int
    y: Any
    spreads: int


def _side(fit: Any) -> _Side:
    if isinstance(fit, Multilevel):
        return _Side(
            fit.method_key,
            fit.loglik,
            fit.parameters,
            np.asarray(fit.design.matrix),
            fit.k,
            fit.effects.y,
            _spreads(fit),
        )
    if isinstance(fit, Regression) or (isinstance(fit, Pooled) and fit.model in ("random", "common") and fit.k > 1):
        design = np.asarray(fit.design.matrix) if isinstance(fit, Regression) else np.ones((fit.k, 1))
        if fit.tau2_method not in ("ML", "REML", ""):
            raise OptionError(
                f"compare needs fits by maximum likelihood; this one estimates tau2 by {fit.tau2_method}. Take tau2='ML' or 'REML'."
            )
        components = int(bool(fit.tau2_method))
        method = fit.tau2_method or "ML"
        return _Side(method, fit.loglik, design.shape[1] + components, design, fit.k, fit.effects.y, components)
    raise OptionError(f"compare takes two fits of ml.pool or ml.pool_multilevel, not {type(fit).__name__}.")


def _spreads(fit: Multilevel) -> int:
    """Count the random terms that are not held at 0."""
    at = count = 0
    for b in fit.state.built:
        own = slice(at, at + b.covariance.deviations)
        at += b.covariance.count
        count += bool(fit.state.scaled.free[own].any() or (fit.state.scaled.theta[own] != 0).any())
    return count


def compare(first: Pooled | Regression | Multilevel, second: Pooled | Regression | Multilevel) -> Comparison:
    """Say whether the larger of two nested models fits better than chance would have it.

    Parameters
    ----------
    first, second : Pooled, Regression or Multilevel
        Two fits of the same effects, one with all parameters of the other and more; in either order. To test a
        variance, hold it: ``ml.pool_multilevel(..., sigma2=[0, None])``.

    Returns
    -------
    Comparison
        Likelihood-ratio test and information criteria.

    Raises
    ------
    OptionError
        If the effects differ, one fit is by ML and the other by REML, or moderators are compared by REML (whose
        likelihoods are of different contrasts of the data: fit both with ``method="ML"``).

    Notes
    -----
    A variance of 0 lies on the boundary, where half the chi-squared distribution is a point mass: ``p_boundary``. Source:
    Self SG, Liang KY. J Am Stat Assoc 1987;82:605-610.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.2, 0.3, 0.1, 0.6, 0.5, 0.1, 0.9], [0.02, 0.03, 0.02, 0.02, 0.03, 0.04, 0.02],
    ...                columns={"lab": ["A", "A", "B", "C", "C", "D", "E"], "i": range(7)})
    >>> both = ml.pool_multilevel(e, random="~ 1 | lab/i")
    >>> ml.compare(ml.pool_multilevel(e, random="~ 1 | lab/i", sigma2=[0, None]), both)
    Likelihood ratio (REML) 2.05, df = 1, p = 0.15 (= 0.076 with the variance on its boundary)
    parameters 2 and 3; AICc 10.6 and 18.6: favours the smaller model
    """
    a, b = _side(first), _side(second)
    if a.k != b.k or not np.array_equal(a.y, b.y):
        raise OptionError("the two fits are of different effects: their likelihoods cannot be compared.")
    if a.method != b.method:
        raise OptionError(f"one fit is by {a.method}, the other by {b.method}: fit both in the same way.")
    small, large = (a, b) if a.parameters <= b.parameters else (b, a)
    same = _same_space(small.design, large.design)
    if a.method == "REML" and not same:
        raise OptionError(
            "restricted likelihoods of different moderators cannot be compared: they are of different contrasts of the "
            "data. Fit both by maximum likelihood (method='ML', or tau2='ML')."
        )
    df = large.parameters - small.parameters
    if df == 0:
        raise OptionError("both fits have as many parameters: neither is nested in the other. Compare their AICc.")
    statistic = 2 * (large.loglik - small.loglik)
    notes = []
    if statistic < -1e-6:
        notes.append("The larger model has the lower likelihood: the two are not nested.")
    p = float(special.chdtrc(df, max(statistic, 0.0)))
    variances = large.spreads - small.spreads
    boundary = NAN
    if variances == 1 and same and df == 1:
        boundary = p / 2 if statistic > 1e-12 else 1.0
    if variances:
        notes.append("The smaller model holds a variance at 0, the boundary of what it can be: p is too large.")
    used = small.k - small.design.shape[1] if a.method == "REML" else small.k
    return Comparison(
        statistic,
        df,
        p,
        boundary,
        (small.parameters, large.parameters),
        (small.loglik, large.loglik),
        (criteria(small.loglik, small.parameters, used), criteria(large.loglik, large.parameters, used)),
        a.method,
        tuple(notes),
    )


def _same_space(a: Any, b: Any) -> bool:
    if a.shape[1] != b.shape[1]:
        return False
    both = np.column_stack([a, b])
    return bool(np.linalg.matrix_rank(both) == a.shape[1])
