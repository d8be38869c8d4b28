"""Leave-one-out and cumulative analyses as forest plots: each row is the pooled effect of a set of studies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.cumulative import Cumulative
from metaleptic.sensitivity.leave_one_out import LeaveOneOut
from metaleptic.types import Effects, Estimate, FloatArray, Provenance, frozen_array


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


def as_result(record: LeaveOneOut | Cumulative) -> Refits:
    """Turn the rows of an analysis into effects, those that have an estimate."""
    fit: Pooled = record.fit
    if isinstance(record, Cumulative):
        names = [record.added[0], *(f"+ {s}" for s in record.added[1:])]
    else:
        names = [f"Without {s}" for s in record.left_out]
    f = record.fits
    known = np.flatnonzero(np.isfinite(f.beta))
    m = len(known)
    blank = frozen_array(np.full(m, np.nan))
    effects = replace(
        fit.effects,
        y=frozen_array(f.beta[known]),
        v=frozen_array(f.se[known] ** 2),
        study=tuple(names[i] for i in known),
        n=blank,
        events=blank,
        columns={},
        how=("",) * m,
        low=frozen_array(f.low[known]),
        high=frozen_array(f.high[known]),
        row=tuple(range(1, m + 1)),
        excluded=(),
        level=fit.level,
        cells=frozen_array(np.empty((0, 4))),
    )
    return Refits(
        effects,
        fit.estimate,
        None,
        Estimate(np.nan, np.nan, np.nan, fit.level),
        blank,
        "All studies: " + fit.method,
        fit.provenance,
    )
