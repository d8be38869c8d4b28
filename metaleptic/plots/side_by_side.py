"""All checks of a fit as one forest plot: the effect that each of them gives instead of the published one, a row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.plots.refits import Refits, main_of, refits
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.sensitivity.copas import Copas
from metaleptic.sensitivity.henmi_copas import HenmiCopas
from metaleptic.sensitivity.leave_one_out import LeaveOneOut
from metaleptic.sensitivity.leave_one_out_bayes import LeaveOneOutBayes
from metaleptic.sensitivity.leave_out_coefficients import LeaveOneOutCoefficients
from metaleptic.sensitivity.limit import LimitMetaAnalysis
from metaleptic.sensitivity.multiverse import Multiverse
from metaleptic.sensitivity.p_uniform import PUniform
from metaleptic.sensitivity.robustness import Robustness
from metaleptic.sensitivity.selection_model import SelectionModel
from metaleptic.sensitivity.small_study import SmallStudy
from metaleptic.sensitivity.trim_and_fill import TrimAndFill
from metaleptic.sensitivity.worst_case import WorstCase
from metaleptic.types import Estimate

Shown = tuple[str, float, float, float]  # name, value, low, high on the printed scale
CORRECTED = {
    TrimAndFill: "Trim and fill",
    HenmiCopas: "Henmi-Copas",
    LimitMetaAnalysis: "Limit meta-analysis",
    SelectionModel: "Selection model",
    PUniform: "p-uniform*",
    Copas: "Copas model",
    WorstCase: "Worst case: without affirmative studies",
}


def side_by_side(record: Robustness) -> Refits:
    """Return the effects of the checks; of a fit with moderators its main coefficient.

    Raises
    ------
    OptionError
        If no check gives an effect.
    """
    fit = record.fit
    measure, whole = fit.effects.measure, getattr(fit, "estimate", None)
    rows: list[Shown] = []
    for check in record.checks:
        r = check.record
        if isinstance(r, LeaveOneOutCoefficients):
            measure, whole = main_of(r)
            j, to = r.main, measure.to_printed
            rows += _ends(r.left_out, *(np.asarray(to(a[:, j])) for a in (r.beta, r.low, r.high)))
        elif isinstance(r, LeaveOneOut | LeaveOneOutBayes):
            rows += _ends(r.left_out, r.value, r.low, r.high)
        elif isinstance(r, Multiverse):
            for words, i in (("lowest", int(np.argmin(r.value))), ("highest", int(np.argmax(r.value)))):
                rows.append((f"Other analysis, {words} of {len(r.value)}", r.value[i], r.low[i], r.high[i]))
        elif type(r) in CORRECTED or (isinstance(r, SmallStudy) and isinstance(fit, Multilevel)):
            e = _corrected(r)
            if e is not None:
                rows.append((CORRECTED.get(type(r), "Without sampling error (Egger)"), e.value, e.low, e.high))
    rows = [row for row in rows if np.isfinite(row[1:]).all()]
    if whole is None or not rows:
        raise OptionError(
            f"none of the checks of this {type(fit).__name__} gives an effect that could be drawn. Draw the records in .checks one by one."
        )
    value, a, b = (np.asarray(measure.to_analysis(np.array([row[j] for row in rows]))) for j in (1, 2, 3))
    low, high = np.minimum(a, b), np.maximum(a, b)
    names = [row[0] for row in rows]
    return refits(fit, measure, names, value, (high - low) / 4, low, high, whole, "As published: " + fit.method)


def _ends(left_out: tuple[str, ...], value: Any, a: Any, b: Any) -> Iterator[Shown]:
    """Give the lowest and the highest result without a study."""
    if np.isfinite(value).any():
        for words, i in (("lowest", int(np.nanargmin(value))), ("highest", int(np.nanargmax(value)))):
            yield f"Without {left_out[i]} ({words})", float(value[i]), float(min(a[i], b[i])), float(max(a[i], b[i]))


def _corrected(record: Any) -> Estimate | None:
    """Return the corrected effect of a record, printed scale; None where it gives none."""
    match record:
        case TrimAndFill():
            return record.filled.estimate
        case WorstCase():
            return record.worst
        case SmallStudy():
            return record.limit
    found: Estimate | None = record.estimate
    return found
