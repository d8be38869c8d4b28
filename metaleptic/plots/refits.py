"""Leave-one-out and cumulative analyses as forest plots: each row is the pooled effect of a set of studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from metaleptic.errors import NotEstimableError
from metaleptic.measures import same
from metaleptic.plots.study_values import told_apart
from metaleptic.provenance import provenance
from metaleptic.sensitivity.columns import order_of
from metaleptic.sensitivity.cumulative import Cumulative
from metaleptic.sensitivity.cumulative_coefficients import CumulativeCoefficients
from metaleptic.sensitivity.henmi_copas import HenmiCopas
from metaleptic.sensitivity.leave_one_out import LeaveOneOut
from metaleptic.sensitivity.leave_one_out_bayes import LeaveOneOutBayes
from metaleptic.sensitivity.leave_out_coefficients import LeaveOneOutCoefficients
from metaleptic.sensitivity.overlap_choices import OverlapChoices
from metaleptic.types import Effects, Estimate, FloatArray, Measure, Provenance, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Refits:
    """A result whose "studies" are pooled effects, so that the forest plot can show them."""

    effects: Effects
    estimate: Estimate
    prediction: Estimate | None
    tau: Estimate
    weights: FloatArray
    method: str
    provenance: Provenance


MOST_ROWS = 80  # of a forest on one page
Coefficients = LeaveOneOutCoefficients | CumulativeCoefficients
Forests = LeaveOneOut | LeaveOneOutBayes | Coefficients | Cumulative | HenmiCopas | OverlapChoices


def as_result(record: Forests) -> Refits:
    """Turn the rows of an analysis into effects, those that have an estimate."""
    if isinstance(record, HenmiCopas):
        return _henmi_copas(record)
    fit = record.fit
    measure = fit.effects.measure
    whole: Estimate = getattr(fit, "estimate", Estimate(np.nan, np.nan, np.nan))
    if isinstance(record, Cumulative | CumulativeCoefficients):
        order = order_of(fit.effects, record.by) if record.by else range(fit.k)
        added = [told_apart(fit.effects)[i] for i in order]
        names = [added[0], *(f"+ {s}" for s in added[1:])]
    elif isinstance(record, OverlapChoices):
        names = [f"With {' and '.join(taken)}" for taken in record.taken]
    else:
        single = record.left_out == fit.effects.study
        names = [f"Without {s}" for s in (told_apart(fit.effects) if single else record.left_out)]
    if isinstance(record, LeaveOneOutBayes):
        low, high = measure.to_analysis(record.low), measure.to_analysis(record.high)
        beta, se = measure.to_analysis(record.value), np.array([one.mu.sd for one in record.fits])
        low, high = np.minimum(low, high), np.maximum(low, high)
    elif isinstance(record, OverlapChoices):
        beta, bounds = measure.to_analysis(record.value), measure.to_analysis(np.array([record.low, record.high]))
        low, high = bounds.min(axis=0), bounds.max(axis=0)
        se = (high - low) / (2 * float(ndtri(0.5 + fit.level / 2)))  # of rows without weights: only their places count
    elif isinstance(record, LeaveOneOutCoefficients | CumulativeCoefficients):
        j = record.main
        beta, se, low, high = (a[:, j] for a in (record.beta, record.se, record.low, record.high))
        measure, whole = main_of(record)
    else:
        f = record.fits
        beta, se, low, high = f.beta, f.se, f.low, f.high
    known = np.flatnonzero(np.isfinite(beta))
    if len(known) == 0:
        raise NotEstimableError("nothing is left to draw: without any of them the model cannot be fitted.")
    note = "All studies: " + fit.method
    if len(known) > MOST_ROWS and not isinstance(record, Cumulative | CumulativeCoefficients):
        order = known[np.argsort(beta[known], kind="stable")]
        note += f" ({MOST_ROWS} of {len(known):,} rows: those with the lowest and the highest result)"
        known = np.r_[order[: MOST_ROWS // 2], order[-MOST_ROWS // 2 :]]
    rows = [names[i] for i in known]
    return refits(fit, measure, rows, beta[known], se[known], low[known], high[known], whole, note)


def refits(
    fit: Any,
    measure: Measure,
    names: Sequence[str],
    beta: FloatArray,
    se: FloatArray,
    low: FloatArray,
    high: FloatArray,
    whole: Estimate,
    note: str,
) -> Refits:
    """Return rows of pooled effects (analysis scale) with the one of the fit itself below."""
    m = len(names)
    blank = frozen_array(np.full(m, np.nan))
    effects = replace(
        fit.effects,
        measure=measure,
        y=frozen_array(beta),
        v=frozen_array(se**2),
        study=tuple(names),
        n=blank,
        events=blank,
        columns={},
        how=("",) * m,
        low=frozen_array(low),
        high=frozen_array(high),
        row=(0,) * m,
        excluded=(),
        level=fit.level,
        cells=frozen_array(np.empty((0, 4))),
    )
    return Refits(effects, whole, None, Estimate(np.nan, np.nan, np.nan, fit.level), blank, note, fit.provenance)


def main_of(record: Coefficients) -> tuple[Measure, Estimate]:
    """Return what the main coefficient measures, and its value with all studies."""
    j, measure = record.main, record.fit.effects.measure
    if len(record.names) > 1:
        measure = Measure("B", f"Coefficient of {record.names[j]}", 0.0, same, same, "linear", 3)
    value, *bounds = (float(measure.to_printed(x)) for x in record.whole[:, j])
    return measure, Estimate(value, min(bounds), max(bounds), record.fit.level)


def _henmi_copas(record: HenmiCopas) -> Refits:
    """Return the studies themselves with the Henmi-Copas interval below."""
    e, w = record.effects, 1 / record.effects.v
    method = "Henmi-Copas: common-effect weights, interval that allows for heterogeneity"
    none = Estimate(np.nan, np.nan, np.nan, record.estimate.level)
    return Refits(
        e,
        record.estimate,
        None,
        none,
        frozen_array(100 * w / w.sum()),
        method,
        provenance(e, "ml.henmi_copas(effects)"),
    )
