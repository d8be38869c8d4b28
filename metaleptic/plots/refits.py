"""Leave-one-out and cumulative analyses as forest plots: each row is the pooled effect of a set of studies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.measures import same
from metaleptic.pooling.result import Pooled
from metaleptic.provenance import provenance
from metaleptic.sensitivity.copas import Copas
from metaleptic.sensitivity.cumulative import Cumulative
from metaleptic.sensitivity.cumulative_coefficients import CumulativeCoefficients
from metaleptic.sensitivity.henmi_copas import HenmiCopas
from metaleptic.sensitivity.leave_one_out import LeaveOneOut
from metaleptic.sensitivity.leave_one_out_bayes import LeaveOneOutBayes
from metaleptic.sensitivity.leave_out_coefficients import LeaveOneOutCoefficients
from metaleptic.sensitivity.limit import LimitMetaAnalysis
from metaleptic.sensitivity.multiverse import Multiverse
from metaleptic.sensitivity.p_uniform import PUniform
from metaleptic.sensitivity.robustness import Robustness
from metaleptic.sensitivity.selection_model import SelectionModel
from metaleptic.sensitivity.trim_and_fill import TrimAndFill
from metaleptic.sensitivity.worst_case import WorstCase
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
Forests = LeaveOneOut | LeaveOneOutBayes | Coefficients | Cumulative | HenmiCopas | Robustness


def as_result(record: Forests) -> Refits:
    """Turn the rows of an analysis into effects, those that have an estimate."""
    if isinstance(record, HenmiCopas):
        return _henmi_copas(record)
    if isinstance(record, Robustness):
        return _side_by_side(record)
    fit = record.fit
    measure = fit.effects.measure
    whole: Estimate = getattr(fit, "estimate", Estimate(np.nan, np.nan, np.nan))
    if isinstance(record, Cumulative | CumulativeCoefficients):
        names = [record.added[0], *(f"+ {s}" for s in record.added[1:])]
    else:
        names = [f"Without {s}" for s in record.left_out]
    if isinstance(record, LeaveOneOutBayes):
        low, high = measure.to_analysis(record.low), measure.to_analysis(record.high)
        beta, se = measure.to_analysis(record.value), np.array([one.mu.sd for one in record.fits])
        low, high = np.minimum(low, high), np.maximum(low, high)
    elif isinstance(record, LeaveOneOutCoefficients | CumulativeCoefficients):
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
    if len(known) == 0:
        raise NotEstimableError("nothing is left to draw: without any of them the model cannot be fitted.")
    note = "All studies: " + fit.method
    if len(known) > MOST_ROWS and not isinstance(record, Cumulative | CumulativeCoefficients):
        order = known[np.argsort(beta[known], kind="stable")]
        note += f" ({MOST_ROWS} of {len(known):,} rows: those with the lowest and the highest result)"
        known = np.r_[order[: MOST_ROWS // 2], order[-MOST_ROWS // 2 :]]
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
        note,
        fit.provenance,
    )


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


def _chosen(record: object) -> Estimate | None:
    """Return the corrected effect of a Copas model, if one selection suffices."""
    if not isinstance(record, Copas) or record.chosen is None:
        return None
    i = record.chosen
    return Estimate(float(record.value[i]), float(record.low[i]), float(record.high[i]), record.fit.level)


def _side_by_side(record: Robustness) -> Refits:
    """Return the pooled effects that the checks give instead of the published one, one row each."""
    fit, m = record.fit, record.fit.effects.measure
    if not isinstance(fit, Pooled | PooledBayes):
        raise OptionError(
            f"the checks of a {type(fit).__name__} concern coefficients, which have no common axis. Draw the records in .checks one by one."
        )
    rows: list[tuple[str, float, float, float]] = []
    for check in record.checks:
        r = check.record
        if isinstance(r, LeaveOneOut | LeaveOneOutBayes) and np.isfinite(r.value).any():
            for words, i in (("lowest", int(np.nanargmin(r.value))), ("highest", int(np.nanargmax(r.value)))):
                rows.append((f"Without {r.left_out[i]} ({words})", r.value[i], r.low[i], r.high[i]))
        elif isinstance(r, Multiverse):
            for words, i in (("lowest", int(np.argmin(r.value))), ("highest", int(np.argmax(r.value)))):
                rows.append((f"Other analysis, {words} of {len(r.value)}", r.value[i], r.low[i], r.high[i]))
        else:
            name, e = {
                TrimAndFill: ("Trim and fill", getattr(getattr(r, "filled", None), "estimate", None)),
                HenmiCopas: ("Henmi-Copas", getattr(r, "estimate", None)),
                LimitMetaAnalysis: ("Limit meta-analysis", getattr(r, "estimate", None)),
                SelectionModel: ("Selection model", getattr(r, "estimate", None)),
                PUniform: ("p-uniform*", getattr(r, "estimate", None)),
                Copas: ("Copas model", _chosen(r)),
                WorstCase: ("Worst case: without affirmative studies", getattr(r, "worst", None)),
            }.get(type(r), ("", None))
            if e is not None:
                rows.append((name, e.value, e.low, e.high))
    rows = [row for row in rows if np.isfinite(row[1:]).all()]
    value, low, high = (np.array([row[j] for row in rows], dtype=np.float64) for j in (1, 2, 3))
    a, b = m.to_analysis(low), m.to_analysis(high)
    k = len(rows)
    blank = frozen_array(np.full(k, np.nan))
    effects = replace(
        fit.effects,
        y=frozen_array(m.to_analysis(value)),
        v=frozen_array(((b - a) / 4) ** 2),
        study=tuple(row[0] for row in rows),
        n=blank,
        events=blank,
        columns={},
        how=("",) * k,
        low=frozen_array(np.minimum(a, b)),
        high=frozen_array(np.maximum(a, b)),
        row=tuple(range(1, k + 1)),
        excluded=(),
        level=fit.level,
        cells=frozen_array(np.empty((0, 4))),
    )
    none = Estimate(np.nan, np.nan, np.nan, fit.level)
    return Refits(effects, fit.estimate, None, none, blank, "As published: " + fit.method, fit.provenance)
