"""Leave-one-out of a Bayesian fit: the posterior without each study in turn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.exact_models import LatentBayes, some_studies
from metaleptic.bayes.pool_bayes import pool_bayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import FewStudiesWarning, NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.sensitivity.subset_fits import SubsetFits, subset_record
from metaleptic.sensitivity.words import listed, one_at_a_time, side, with_small_letter
from metaleptic.types import BoolArray, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class LeaveOneOutBayes:
    """The posterior of the pooled effect without each study in turn.

    Attributes
    ----------
    fit : PooledBayes
        The result with all studies.
    value, low, high : ndarray of shape (k,)
        Posterior median and credible interval without the study, printed scale.
    tau : ndarray of shape (k,)
        Posterior median of the heterogeneity without it.
    p_below : ndarray of shape (k,)
        Probability, without it, that the effect lies below no effect; NaN where the measure has no null.
    left_out : tuple of str
        The studies.
    fits : tuple of PooledBayes
        The whole posteriors.
    by : str
        Column whose groups were left out; "" for studies.
    size : int
        How many were left out at a time.
    """

    fit: PooledBayes
    value: FloatArray
    low: FloatArray
    high: FloatArray
    tau: FloatArray
    p_below: FloatArray
    left_out: tuple[str, ...]
    fits: tuple[PooledBayes, ...]
    by: str = ""
    size: int = 1

    @property
    def changed(self) -> tuple[str, ...]:
        """What the conclusion hangs on: without it the interval lies differently to the null."""
        m = self.fit.effects.measure
        if not m.has_null:
            return ()
        whole = side(self.fit.estimate.low, self.fit.estimate.high, m.null)
        return tuple(
            s for s, lo, hi in zip(self.left_out, self.low, self.high, strict=True) if side(lo, hi, m.null) != whole
        )

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        m = self.fit.effects.measure
        first, last = int(np.argmin(self.value)), int(np.argmax(self.value))
        unit = f" {m.unit}" if m.unit else ""
        text = (
            f"Leaving out {one_at_a_time(self.size, self.by)} moves the posterior median of {with_small_letter(m.label)} between "
            f"{m.format(self.value[first])} (without {self.left_out[first]}) and {m.format(self.value[last])}{unit} "
            f"(without {self.left_out[last]}), that of tau between {self.tau.min():.2g} and {self.tau.max():.2g}"
        )
        if not m.has_null:
            return text + "."
        hangs = f"hangs on {listed(self.changed, 8)}" if self.changed else "never changes"
        return f"{text}; the conclusion {hangs}."

    def to_frame(self) -> Any:
        """Return a row per study left out; of a measure without a null there is no probability to lie below it."""
        names = ("left_out", "value", "low", "high", "tau")
        columns: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.fit.effects.measure.has_null:
            columns["p_below"] = self.p_below
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def leave_one_out_bayes(
    fit: PooledBayes, left_out: tuple[str, ...], keep: BoolArray, by: str = "", size: int = 1
) -> LeaveOneOutBayes:
    """Fit the same model to each row of ``keep``; ``ml.leave_one_out`` calls it for Bayesian fits.

    Raises
    ------
    NotEstimableError
        If a posterior is improper.
    """
    fits = tuple(fit_again(fit, np.flatnonzero(row)) for row in keep)
    m = fit.effects.measure
    below = [f.probability(below=m.null) if m.has_null else np.nan for f in fits]
    return LeaveOneOutBayes(
        fit,
        value=frozen_array([f.estimate.value for f in fits]),
        low=frozen_array([f.estimate.low for f in fits]),
        high=frozen_array([f.estimate.high for f in fits]),
        tau=frozen_array([f.tau.median for f in fits]),
        p_below=frozen_array(below),
        left_out=left_out,
        fits=fits,
        by=by,
        size=size,
    )


def fit_again(fit: PooledBayes, at: Any) -> PooledBayes:
    """Fit the same Bayesian model, with its priors, to some of the studies.

    Raises
    ------
    OptionError
        If the fit was sampled: sampling it again so many times takes minutes.
    NotEstimableError
        If the posterior is improper.
    """
    if hasattr(fit, "draws"):
        raise OptionError(
            "a sampled fit is not sampled again without each study: that takes minutes. Fit the same model with "
            'method="exact".'
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewStudiesWarning)
        if isinstance(fit, LatentBayes):
            return some_studies(fit, [int(i) for i in at])
        return pool_bayes(fit.effects.take(at), tau=fit.prior, mu=fit.mu_prior, level=fit.level)


def posterior_subsets(fit: PooledBayes, keep: BoolArray) -> SubsetFits:
    """Return posterior medians, standard deviations and intervals of each row of ``keep``; heterogeneity is tau alone."""
    rows, reasons = [], []
    for row in keep:
        try:
            f = fit_again(fit, np.flatnonzero(row))
        except NotEstimableError as error:
            rows.append((float(row.sum()), *([np.nan] * 11)))
            reasons.append(str(error))
            continue
        below = float(f.mu.cdf(0.0))
        p = 2 * min(below, 1 - below)
        low, high = f.mu.central
        rows.append((float(f.k), f.mu.median, f.mu.sd, np.nan, p, low, high, f.tau.median**2, *([np.nan] * 4)))
        reasons.append("")
    return subset_record(np.array(rows).T, tuple(reasons) if any(reasons) else ())
