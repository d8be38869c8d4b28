"""Leave-one-out and cumulative analyses as forest plots: each row is the pooled effect of a set of studies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metaleptic.measures import same
from metaleptic.sensitivity.cumulative import Cumulative
from metaleptic.sensitivity.leave_one_out import LeaveOneOut
from metaleptic.sensitivity.leave_one_out_bayes import LeaveOneOutBayes
from metaleptic.sensitivity.leave_out_coefficients import LeaveOneOutCoefficients
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


def as_result(record: LeaveOneOut | LeaveOneOutBayes | LeaveOneOutCoefficients | Cumulative) -> Refits:
    """Turn the rows of an analysis into effects, those that have an estimate."""
    fit = record.fit
    measure = fit.effects.measure
    whole: Estimate = getattr(fit, "estimate", Estimate(np.nan, np.nan, np.nan))
    if isinstance(record, Cumulative):
        names = [record.added[0], *(f"+ {s}" for s in record.added[1:])]
    else:
        names = [f"Without {s}" for s in record.left_out]
    if isinstance(record, LeaveOneOutBayes):
        low, high = measure.to_analysis(record.low), measure.to_analysis(record.high)
        beta, se = measure.to_analysis(record.value), np.array([one.mu.sd for one in record.fits])
        low, high = np.minimum(low, high), np.maximum(low, high)
    elif isinstance(record, LeaveOneOutCoefficients):
        j = record.main
        beta, se, low, high = (a[:, j] for a in (record.beta, record.se, record.low, record.high))
        if len(record.names) > 1:
            measure = Measure("B", f"Coefficient of {record.names[j]}", 0.0, same, same, "linear", 3)
        to = measure.to_printed
        value, *bounds = (float(to(x)) for x in record.whole[:, j])
        whole = Estimate(value, min(bounds), max(bounds), fit.level)
    else:
        f = record.fits
        beta, se, low, high = f.beta, f.se, f.low, f.high
    known = np.flatnonzero(np.isfinite(beta))
    m = len(known)
    blank = frozen_array(np.full(m, np.nan))
    effects = replace(
        fit.effects,
        measure=measure,
        y=frozen_array(beta[known]),
        v=frozen_array(se[known] ** 2),
        study=tuple(names[i] for i in known),
        n=blank,
        events=blank,
        columns={},
        how=("",) * m,
        low=frozen_array(low[known]),
        high=frozen_array(high[known]),
        row=tuple(range(1, m + 1)),
        excluded=(),
        level=fit.level,
        cells=frozen_array(np.empty((0, 4))),
    )
    return Refits(
        effects,
        whole,
        None,
        Estimate(np.nan, np.nan, np.nan, fit.level),
        blank,
        "All studies: " + fit.method,
        fit.provenance,
    )
