"""Charts of regressions on the size of studies: the line with its band, and what it predicts for an infinitely large one."""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.plots.chart import Area, Chart, ChartAxis, Dots, Path, effect_axis, plain_axis, spots, upright_axis
from metaleptic.plots.styles import Style
from metaleptic.pooling.normal import quantile
from metaleptic.sensitivity.pet_peese import PetPeese
from metaleptic.sensitivity.small_study import SmallStudy
from metaleptic.types import Estimate, FloatArray, Measure

BESIDE = 0.04  # part of the axis left of 0, where intervals of intercepts stand


def small_study_chart(record: SmallStudy, style: Style) -> Chart:
    """Show what was regressed (or ranked), the line with its band, and the effect without sampling error."""
    m, title = record.effects.measure, record.predictor[:1].upper() + record.predictor[1:]
    if len(record.w) != len(record.x):
        return _ranks(record, title, style)
    limit = _bounds(m, record.limit) if record.limit else np.empty(0)
    x = plain_axis(np.r_[-BESIDE * float(record.x.max()), record.x] if record.limit else record.x, title, pad=0.03)
    along = np.linspace(0.0 if record.limit else x.low, x.high, 80)
    line, half = _line(record, along)
    shown = np.r_[record.y, line, limit]
    own = np.allclose(record.y, record.effects.y)
    y = effect_axis(m, shown, room=60.0) if own else upright_axis(shown, "Score over its variance")
    place = x.at(along)
    areas: tuple[Area, ...] = ()
    if len(half):
        ends = (np.clip(y.at(line + s * half), 0.0, 1.0) for s in (-1, 1))
        areas = (Area((*spots(place, next(ends)), *spots(place, next(ends))[::-1]), "band"),)
    paths, dots = [Path(spots(place, y.at(line)))], _bubbles(x, y, record.x, record.y, record.w)
    legend = [("main", "dot", "study, as large as its weight"), ("line", "line", "regression")]
    if areas:
        legend.append(("band", "area", f"{100 * record.level:g}% CI of the line"))
    if record.limit:
        at = float(x.at(-0.4 * BESIDE * float(record.x.max())))
        paths.append(Path(spots((at, at), y.at(limit[[0, 2]])), "alarm", 1.4))
        dots.append(Dots((at, float(y.at(limit[1]))), 3.2, "alarm"))
        legend.append(("alarm", "dot", f"without sampling error, {100 * record.limit.level:g}% CI"))
    return Chart(
        record.name, x, y, areas, tuple(paths), tuple(dots), legend=tuple(legend), alt=record.sentence, style=style
    )


def _ranks(record: SmallStudy, title: str, style: Style) -> Chart:
    x, y = plain_axis(record.x, title), plain_axis(record.y, "Rank of the standardised effect")
    dots = tuple(Dots(spot) for spot in spots(x.at(record.x), y.at(record.y)))
    legend = (("main", "dot", "study; without bias no pattern is expected"),)
    return Chart(record.name, x, y, dots=dots, legend=legend, alt=record.sentence, style=style)


def _line(record: SmallStudy, along: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the line and the half widths of its band; no band where the fit is no weighted regression (multilevel).

    The covariance of intercept and slope is that of the weights, scaled to the standard error of the slope.
    """
    design = np.column_stack([np.ones_like(record.x), record.x])
    shape = np.linalg.inv(design.T @ (record.w[:, None] * design))
    cov = shape * record.bias_se**2 / shape[1, 1]
    start = float(np.average(record.y, weights=record.w) - record.bias * np.average(record.x, weights=record.w))
    crit = float(quantile(np.float64(record.df), record.level))
    if record.limit is not None:
        low, start, high = (float(v) for v in _bounds(record.effects.measure, record.limit))
        if not np.isclose((high - low) / 2, crit * np.sqrt(cov[0, 0]), rtol=1e-6):
            return start + record.bias * along, np.empty(0)
    rows = np.column_stack([np.ones_like(along), along])
    half = crit * np.sqrt(np.einsum("ij,jk,ik->i", rows, cov, rows))
    return start + record.bias * along, half


def _bounds(measure: Measure, estimate: Estimate) -> FloatArray:
    """Return low, value and high on the analysis scale."""
    low, value, high = (float(measure.to_analysis(v)) for v in (estimate.low, estimate.value, estimate.high))
    return np.array([min(low, high), value, max(low, high)])


def _bubbles(x: ChartAxis, y: ChartAxis, across: Any, up: Any, w: FloatArray) -> list[Dots]:
    """Return dots as large as their weights."""
    radius = 1.8 + 3.2 * np.sqrt(w / w.max())
    return [Dots(spot, float(r)) for spot, r in zip(spots(x.at(across), y.at(up)), radius, strict=True)]


def pet_peese_chart(record: PetPeese, style: Style) -> Chart:
    """Effects against standard errors with both regressions, and the interval of each where the standard error is 0."""
    e = record.effects
    se, w = np.sqrt(e.v), 1 / e.v
    most = float(se.max())
    x = plain_axis(np.r_[-1.5 * BESIDE * most, se], "Standard error", pad=0.03)
    along = np.linspace(0.0, x.high, 60)
    curves = []
    for power, beta, slope in ((1, record.pet_beta, record.pet_slope), (2, record.peese_beta, record.peese_slope)):
        curves.append(beta + slope * along**power)
    ends = [_bounds(e.measure, one) for one in (record.pet, record.peese)]
    y = effect_axis(e.measure, np.r_[e.y, *curves, *ends], room=60.0)
    paths = [Path(spots(x.at(along), y.at(c)), dashed=i == 1, width=1.2) for i, c in enumerate(curves)]
    dots = _bubbles(x, y, se, e.y, w)
    for i, (name, bounds) in enumerate(zip(("PET", "PEESE"), ends, strict=True)):
        at = float(x.at(-(0.4 + 0.7 * i) * BESIDE * most))
        paths.append(Path(spots((at, at), y.at(bounds[[0, 2]])), "alarm", 1.3, dashed=i == 1))
        dots.append(Dots((at, float(y.at(bounds[1]))), 3.0, "alarm", hollow=name != record.chosen))
    legend = (
        ("main", "dot", "study, as large as its weight"),
        ("line", "line", "PET: on the standard error"),
        ("line", "dash", "PEESE: on the variance"),
        ("alarm", "dot", f"{record.chosen}, chosen: effect at 0, {100 * record.estimate.level:g}% CI"),
        ("alarm", "ring", "PET" if record.chosen == "PEESE" else "PEESE"),
    )
    return Chart("PET-PEESE plot", x, y, (), tuple(paths), tuple(dots), legend=legend, alt=record.sentence, style=style)
