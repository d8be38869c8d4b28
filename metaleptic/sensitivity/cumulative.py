"""Cumulative meta-analysis: how the pooled effect settled as the studies came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.columns import order_of
from metaleptic.sensitivity.cumulative_coefficients import CumulativeCoefficients, cumulative_coefficients
from metaleptic.sensitivity.leave_one_out_bayes import posterior_subsets
from metaleptic.sensitivity.subset_fits import SubsetFits, fit_subsets, refuse_others
from metaleptic.sensitivity.words import side, value_words, with_small_letter
from metaleptic.types import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Cumulative:
    """The pooled effect after each further study.

    Attributes
    ----------
    fit : Pooled or PooledBayes
        The result with all studies.
    by : str
        Column that gave the order; "" for the order of the input.
    added : tuple of str
        Study added in each step.
    value, low, high : ndarray of shape (k,)
        Pooled effect and interval so far, printed scale.
    tau2, i2 : ndarray of shape (k,)
        Heterogeneity so far; of a Bayesian fit the squared median of tau, and no I2 (NaN).
    fits : SubsetFits
        The same fits on the analysis scale, with tests and Q.
    """

    fit: Pooled | PooledBayes
    by: str
    added: tuple[str, ...]
    value: FloatArray
    low: FloatArray
    high: FloatArray
    tau2: FloatArray
    i2: FloatArray
    fits: SubsetFits

    @property
    def settled(self) -> str:
        """Study since which the conclusion has been what it is now; "" for measures without a null."""
        m = self.fit.effects.measure
        if not m.has_null:
            return ""
        sides = [side(lo, hi, m.null) for lo, hi in zip(self.low, self.high, strict=True)]
        since = len(sides) - 1
        while since > 0 and sides[since - 1] == sides[-1]:
            since -= 1
        return self.added[since]

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        m, k = self.fit.effects.measure, len(self.added)
        half = k // 2
        now = value_words(m, self.value[-1], self.low[-1], self.high[-1], self.fit.level)
        if isinstance(self.fit, PooledBayes):
            now = now.replace("% CI ", "% CrI ")
        order = f"in order of {self.by.removeprefix('-')}" if self.by else "in the order of the table"
        text = (
            f"Adding studies {order}, {with_small_letter(m.label)} went from {m.format(self.value[0])} (first study) over "
            f"{m.format(self.value[half])} (after {half + 1} of {k}) to {now}"
        )
        if not m.has_null:
            return text + "."
        if self.settled == self.added[0]:
            return text + "; the conclusion has been the same since the first study."
        return text + f"; the conclusion has been the same since {self.settled}."

    def to_frame(self) -> Any:
        """Return a row per step."""
        names = ("added", "k", "value", "low", "high", "p", "tau2", "i2")
        f = self.fits
        values = (self.added, f.k.astype(int), self.value, self.low, self.high, f.p, self.tau2, self.i2)
        columns: dict[str, Any] = dict(zip(names, values, strict=True))
        if isinstance(self.fit, PooledBayes):
            del columns["i2"]  # a Bayesian fit has tau alone
        if np.isnan(f.p).all():
            del columns["p"]  # the model tests nothing: the measure has no null
        if self.fits.reason:
            columns["reason"] = self.fits.reason
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


WithCoefficients = Regression | RegressionBayes | Multilevel


@overload
def cumulative(fit: Pooled | PooledBayes, *, by: str | None = None) -> Cumulative: ...
@overload
def cumulative(fit: WithCoefficients, *, by: str | None = None) -> CumulativeCoefficients: ...
def cumulative(
    fit: Pooled | PooledBayes | WithCoefficients, *, by: str | None = None
) -> Cumulative | CumulativeCoefficients:
    """Pool the studies one after the other, to see when the result settled and whether it drifts.

    Parameters
    ----------
    fit : Pooled, PooledBayes, Regression, RegressionBayes or Multilevel
        From ``ml.pool``, ``ml.pool_bayes`` (both with or without moderators) or ``ml.pool_multilevel``; its model and
        settings are used at each step.
    by : str, optional
        Order: a column of the effects (``"year"``), or "se" (the most precise first), "n", "y", "study"; a minus sign
        before it turns the order round. The order of the input by default.

    Returns
    -------
    Cumulative or CumulativeCoefficients
        The first step is the first study by itself, with its z interval (its posterior, of a Bayesian fit). The second for
        fits with moderators and multilevel ones: every coefficient, from the step on in which it can be estimated.

    Raises
    ------
    OptionError
        If the column is unknown.
    DataError
        If a study has no value in it.

    Notes
    -----
    Source: Lau J, Schmid CH, Chalmers TC. J Clin Epidemiol 1995;48:45-57. By precision it shows small-study effects:
    the estimate drifts as less precise studies come in (Borenstein M et al. Introduction to Meta-Analysis, 2009, ch. 30).

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.1, 0.3, 0.9], [0.04] * 3, study=["A", "B", "C"], columns={"year": [2003, 2001, 2002]})
    >>> ml.cumulative(ml.pool(e), by="year").added
    ('B', 'C', 'A')
    """
    if not isinstance(fit, PooledBayes | Regression | RegressionBayes | Multilevel):
        fit = refuse_others(fit, "cumulative")
    if fit.k < 2:
        raise NotEstimableError("a cumulative analysis needs at least 2 studies; there is 1.")
    order = np.arange(fit.k) if by is None else order_of(fit.effects, by)
    rank = np.empty(fit.k, dtype=np.intp)
    rank[order] = np.arange(fit.k)
    keep = rank[None, :] <= np.arange(fit.k)[:, None]
    added = tuple(fit.effects.study[i] for i in order)
    if isinstance(fit, Regression | RegressionBayes | Multilevel):
        return cumulative_coefficients(fit, added, keep, by or "")
    fits = posterior_subsets(fit, keep) if isinstance(fit, PooledBayes) else fit_subsets(fit, keep)
    value, low, high = fits.printed(fit.effects.measure)
    return Cumulative(
        fit=fit,
        by=by or "",
        added=added,
        value=frozen_array(value),
        low=frozen_array(low),
        high=frozen_array(high),
        tau2=fits.tau2,
        i2=fits.i2,
        fits=fits,
    )
