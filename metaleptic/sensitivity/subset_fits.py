"""One model fitted to many subsets of the studies: what leave-one-out, cumulative and all-subsets analyses share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.pooling.models import fit_model
from metaleptic.pooling.normal import fit_normal, quantile
from metaleptic.pooling.result import Pooled
from metaleptic.types import BoolArray, FloatArray, Measure, frozen_array

BROADCAST = frozenset({"knapp-hartung", "adhoc", "t", "z"})
COLUMNS = ("k", "beta", "se", "statistic", "p", "low", "high", "tau2", "i2", "h2", "q", "q_p")
CHUNK = 400_000  # numbers in one array of a chunk: a few megabytes stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class SubsetFits:
    """Arrays with one number per subset, on the analysis scale.

    Attributes
    ----------
    k : ndarray of shape (m,)
        Number of studies.
    beta, se, statistic, p, low, high : ndarray of shape (m,)
        Pooled effect, standard error, test of no effect, interval.
    tau2, i2, h2, q, q_p : ndarray of shape (m,)
        Heterogeneity.
    reason : tuple of str
        Why a subset has no estimate ("" where it has one); empty if all have.
    """

    k: FloatArray
    beta: FloatArray
    se: FloatArray
    statistic: FloatArray
    p: FloatArray
    low: FloatArray
    high: FloatArray
    tau2: FloatArray
    i2: FloatArray
    h2: FloatArray
    q: FloatArray
    q_p: FloatArray
    reason: tuple[str, ...] = ()

    def printed(self, measure: Measure) -> tuple[Any, Any, Any]:
        """Return effect and bounds on the printed scale."""
        low, high = measure.printed_bounds(self.low, self.high)
        return measure.to_printed(self.beta), low, high


ASKED_OF_ONE = "is asked of one pooled effect"
NAMES = MappingProxyType(
    {
        "Effects": "effects",
        "Regression": "a meta-regression",
        "RegressionBayes": "a Bayesian meta-regression",
        "SampledRegression": "a Bayesian meta-regression",
        "Multilevel": "a multilevel fit",
        "PooledBayes": "a posterior",
        "Subgroups": "subgroups",
        "Robust": "a fit with robust errors",
        "LocationScale": "a location-scale model",
    }
)


def kind_of(fit: object) -> str:
    """Name a kind of result in words; others by their class."""
    return next((NAMES[kind.__name__] for kind in type(fit).__mro__ if kind.__name__ in NAMES), type(fit).__name__)


def what_to_do(fit: object) -> str:
    """Say which analyses there are for a result that an analysis does not take."""
    pooled = "pool the same effects without moderators: ml.pool(fit.effects)"
    said = {
        "Effects": "Make it first with ml.pool(effects).",
        "Regression": "ml.leave_one_out, ml.cumulative, ml.influence, ml.residuals, ml.baujat, ml.all_subsets, ml.small_study and "
        f"ml.pet_peese take fits with moderators; for this one {pooled}.",
        "RegressionBayes": "ml.leave_one_out, ml.cumulative, ml.influence and ml.all_subsets take Bayesian fits with moderators; "
        f"for this one {pooled}.",
        "Multilevel": "ml.leave_one_out, ml.cumulative, ml.all_subsets, ml.influence, ml.multilevel_influence, ml.small_study, ml.pet_peese and "
        "ml.proportion_beyond take multilevel fits; for this one average each cluster first: ml.pool(ml.average_clusters(fit)).",
        "PooledBayes": "ml.leave_one_out, ml.influence, ml.cumulative, ml.multiverse(fit.effects), ml.prior_sensitivity and ml.loo say how robust "
        "a Bayesian fit is; for this one pool the same effects by ml.pool(fit.effects).",
        "Subgroups": "Take the pooled result inside it: .overall, or one of .groups.",
        "Robust": "Give the fit that you gave to ml.robust. What needs independent effects takes the average of each cluster: "
        "ml.pool(ml.average_clusters(multilevel fit)).",
        "LocationScale": f"Its scale depends on moderators; for this one {pooled}.",
    }
    for kind in type(fit).__mro__:
        if kind.__name__ in said:
            return said[kind.__name__]
    return "Make one with ml.pool(effects)."


def why_not(fit: object, verb: str, wanted: str = "a pooled result") -> str:
    """Say why an analysis does not take a result, and what to do."""
    if type(fit).__name__ == "Multilevel":
        return f"{verb} needs independent effects, and those of one cluster hang together. {what_to_do(fit)}"
    if type(fit).__name__ in ("Regression", "RegressionBayes", "SampledRegression"):
        return f"{verb} {ASKED_OF_ONE}, and with moderators there is none. {what_to_do(fit)}"
    return f"{verb} takes {wanted}, not {kind_of(fit)}. {what_to_do(fit)}"


def refuse_others(fit: object, verb: str) -> Pooled:
    """Return the fit if it is one of ``ml.pool``; say what to do if not."""
    if not isinstance(fit, Pooled):
        raise OptionError(why_not(fit, verb))
    return fit


def fit_subsets(fit: Pooled, keep: BoolArray, progress: Callable[[int], None] | None = None) -> SubsetFits:
    """Fit the model of ``fit`` again to each subset (a row of ``keep``, True where a study is in).

    A subset of one study is that study with its z interval.
    """
    if fit.model in ("random", "common") and fit.test in BROADCAST:
        return normal_subsets(fit.effects.y, fit.effects.v, keep, fit.tau2_method, fit.test, fit.level, progress)
    rows, reasons = [], []
    for row in keep:
        try:
            rows.append(_again(fit, np.flatnonzero(row)))
            reasons.append("")
        except NotEstimableError as error:
            rows.append((float(row.sum()), *([np.nan] * (len(COLUMNS) - 1))))
            reasons.append(str(error))
    return subset_record(np.array(rows).T, tuple(reasons) if any(reasons) else ())


def subset_record(columns: FloatArray, reason: tuple[str, ...] = ()) -> SubsetFits:
    """Build the record from rows in the order of COLUMNS."""
    k, beta, se, statistic, p, low, high, tau2, i2, h2, q, q_p = (frozen_array(c) for c in columns)
    return SubsetFits(k, beta, se, statistic, p, low, high, tau2, i2, h2, q, q_p, reason)


def normal_subsets(
    y: FloatArray,
    v: FloatArray,
    keep: BoolArray,
    tau2: str,
    test: str,
    level: float,
    progress: Callable[[int], None] | None = None,
) -> SubsetFits:
    """Fit the random-effects model (the common-effect one where ``tau2`` is "") to each row of ``keep``.

    ``y`` and ``v`` are those of all rows, shape (k,), or of each, shape (m, k).
    """
    y, v = np.broadcast_to(y, keep.shape), np.broadcast_to(v, keep.shape)
    count = np.add.reduce(keep, axis=-1)
    out = np.empty((len(COLUMNS), len(keep)))
    alone = np.flatnonzero(count == 1)
    out[:, alone] = _single(y, v, alone, np.argmax(keep[alone], axis=-1), level)
    several = np.flatnonzero(count > 1)
    step = max(1, CHUNK // (y.shape[-1] * (48 if tau2 in ("ML", "REML") else 1)))
    for start in range(0, len(several), step):
        at = several[start : start + step]
        f = fit_normal(y[at], v[at], tau2=tau2 or None, test=test, level=level, keep=keep[at].astype(np.float64))
        nothing = (f.se == 0) & (f.mu == 0)  # effects that are all exactly 0 say nothing against 0
        statistic, p = np.where(nothing, 0.0, f.statistic), np.where(nothing, 1.0, f.p)
        columns = (count[at], f.mu, f.se, statistic, p, f.low, f.high, f.tau2, f.i2, f.h2, f.q)
        out[:-1, at] = np.stack([np.broadcast_to(c, at.shape) for c in columns])
        out[-1, at] = special.chdtrc(count[at] - 1, f.q)
        if progress is not None:
            progress(len(at))
    return subset_record(out)


def _single(y: FloatArray, v: FloatArray, rows: Any, at: Any, level: float) -> FloatArray:
    """Return the columns of subsets that hold one study."""
    mu, se = y[rows, at], np.sqrt(v[rows, at])
    half = float(quantile(np.float64(np.inf), level)) * se
    one, zero = np.ones_like(mu), np.zeros_like(mu)
    p = 2 * special.ndtr(-np.abs(mu / se))
    return np.stack([one, mu, se, mu / se, p, mu - half, mu + half, zero, zero, one, zero, one])


def _again(fit: Pooled, at: Any) -> tuple[float, ...]:
    """Fit one subset by the model's own function."""
    f = fit_model(fit.effects.take(at), fit.model, fit.tau2_method, fit.test, fit.level)
    to = fit.effects.measure.to_analysis
    bounds = sorted((float(to(f.estimate.low)), float(to(f.estimate.high))))
    alone = len(at) == 1
    heterogeneity = (0.0, 0.0, 1.0, 0.0, 1.0) if alone else (f.tau2, f.i2, f.h2, f.q, f.q_p)
    return (len(at), float(f.beta[0]), float(f.se[0]), f.statistic, f.p, *bounds, *heterogeneity)
