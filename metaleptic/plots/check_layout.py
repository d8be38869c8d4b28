"""A predictive check as data: each study beside what the model would have produced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.bayes.predictive import PredictiveCheck
from metaleptic.plots.axis import Axis, make_axis
from metaleptic.plots.styles import Style, style_named
from metaleptic.plots.wording import plural
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One study: what was seen, and where the central 50% and 95% of replicated values lie; fractions of the axis, 0 to 1.

    ``odd`` says whether what was seen lies outside the 95%.
    """

    study: str
    seen: float
    half: tuple[float, float]
    most: tuple[float, float]
    odd: bool


@dataclass(frozen=True, slots=True)
class CheckLayout:
    """A plot of a predictive check before it is drawn: plain data, complete."""

    axis: Axis
    rows: tuple[CheckRow, ...]
    footnotes: tuple[str, ...]
    alt: str
    style: Style


def check_layout(check: PredictiveCheck, *, style: str | Style = "plain", room: float = 40.0) -> CheckLayout:
    """Lay a predictive check out as plain data."""
    m = check.effects.measure
    q = np.quantile(check.replicated, [0.025, 0.25, 0.75, 0.975], axis=0)
    seen: FloatArray = np.asarray(check.observed)
    if not check.counted:  # counts are kept as proportions or rates, effects on the analysis scale
        q, seen = np.asarray(m.to_printed(q)), np.asarray(m.to_printed(seen))
        q = np.sort(q, axis=0)
    axis = make_axis(m, seen, q[0], q[3], room=room)

    def place(value: float) -> float:
        with np.errstate(divide="ignore"):
            return float(np.clip(axis.position(value), 0.0, 1.0))

    odd = (check.study_p < 0.025) | (check.study_p > 0.975)
    rows = tuple(
        CheckRow(
            name,
            place(float(seen[i])),
            (place(float(q[1, i])), place(float(q[2, i]))),
            (place(float(q[0, i])), place(float(q[3, i]))),
            bool(odd[i]),
        )
        for i, name in enumerate(check.effects.study)
    )
    kind = "prior" if check.prior else "posterior"
    names = ", ".join(r.study for r in rows if r.odd) or "none"
    notes = (
        f"Bars: central 50% and 95% of studies of the same size drawn from the {kind} predictive distribution; dots: what was seen.",
        f"Outside the 95%: {names}.",
    )
    alt = f"{kind.capitalize()} predictive check of {plural(len(rows))}. Outside the central 95%: {names}."
    return CheckLayout(axis, rows, notes, alt, style_named(style))
