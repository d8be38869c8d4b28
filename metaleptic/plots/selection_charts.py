"""Charts of what the selection of significant or precise studies, or a few patients, would change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from metaleptic.plots.chart import Area, Chart, ChartAxis, Dots, Path, effect_axis, plain_axis, spots, upright_axis
from metaleptic.plots.profile_charts import profile_of_copas, profile_of_selection
from metaleptic.plots.styles import Style
from metaleptic.sensitivity.copas import LEFT, Copas
from metaleptic.sensitivity.fragility import Fragility
from metaleptic.sensitivity.p_curve import BINS, PCurve, power_curve
from metaleptic.sensitivity.p_uniform import PUniform, conditional_p
from metaleptic.sensitivity.selection_model import SelectionModel
from metaleptic.types import FloatArray, Measure


def selection_chart(record: SelectionModel, style: Style) -> Chart:
    """Relative probability of publication over the p value with its interval, and where the studies' p values lie.

    Below it the profile of the likelihood, where the fit cannot be relied on or a profile was asked for.
    """
    edges = [s for s in record.steps if s < 1]
    p = np.linspace(0.0005, 0.9995, 400)
    p = np.sort(np.r_[p, edges, [s + 1e-9 for s in edges]])
    w = np.asarray(record.weight(p), dtype=np.float64)
    low, high = _weights_between(record, p)
    known = np.r_[w, high][np.isfinite(np.r_[w, high])]
    top = min(float(np.quantile(known, 0.995)), 1.5 * max(1.0, float(np.median(w))) + 0.5)
    x = plain_axis(
        np.r_[0.0, 1.0], f"p value ({'two-sided' if record.favoured == 'two-sided' else 'one-sided'})", zero=True
    )
    y = upright_axis(np.r_[0.0, top], "Relative probability of publication", zero=True)

    def at(values: FloatArray) -> Any:
        return np.clip(y.at(np.nan_to_num(values, nan=1.0, posinf=1e9)), 0.0, 1.0)

    z = record.fit.effects.y / np.sqrt(record.fit.effects.v) * (-1 if record.favoured == "less" else 1)
    own = 2 * special.ndtr(-np.abs(z)) if record.favoured == "two-sided" else special.ndtr(-z)
    rug = [Path(((float(x.at(v)), 0.0), (float(x.at(v)), 0.035)), "muted", 0.8) for v in own]
    band = (Area((*spots(x.at(p), at(low)), *spots(x.at(p), at(high))[::-1]), "band"),) if len(high) else ()
    even = float(y.at(1.0))
    notes = [] if record.converged else [f"Not to be relied on: {record.trouble}."]
    if len(high) and float(np.max(high)) > y.high:
        notes.append("The interval extends beyond the axis.")
    return Chart(
        "Selection function",
        x,
        y,
        band,
        (Path(((0.0, even), (1.0, even)), "muted", 0.6, dashed=True), Path(spots(x.at(p), at(w)), width=1.4), *rug),
        legend=(
            ("line", "line", "selection function"),
            *((("band", "area", f"{100 * record.fit.level:g}% interval"),) if len(high) else ()),
            ("muted", "dash", "no selection"),
            ("muted", "line", "p values of the studies"),
        ),
        footnotes=tuple(notes),
        alt=record.sentence,
        height=0.6,
        style=style,
        below=profile_of_selection(record, style),
    )


def _weights_between(record: SelectionModel, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the interval of the weight: of steps, and of functions with a single parameter; else nothing."""
    single = len(record.delta) == 1 and bool(np.isfinite(record.delta_se[0]))
    steps = record.function == "step" and bool(np.isfinite(record.delta_se).any())
    if not (single or steps):
        return np.empty(0), np.empty(0)
    ends = [
        np.asarray(replace(record, delta=np.where(np.isfinite(e), e, record.delta)).weight(p), dtype=np.float64)
        for e in (record.delta_low, record.delta_high)
    ]
    return np.minimum(*ends), np.maximum(*ends)


def copas_chart(record: Copas, style: Style) -> Chart:
    """Corrected effect with its interval as fewer and fewer imprecise studies are taken to have been published.

    Below it the profiles of the fits that cannot be relied on.
    """
    m = record.fit.effects.measure
    missing = 100 * (1 - record.probability)
    x = plain_axis(missing, "")
    marks = np.arange(100, -1, -10)[(100 - np.arange(100, -1, -10)) <= missing.max() + 1e-9]
    end = max(float(missing.max()), 10.0)
    x = ChartAxis(
        -0.04 * end,
        1.04 * end,
        tuple((float(100 - v) + 0.04 * end) / (1.08 * end) for v in marks),
        tuple(f"{v}" for v in marks),
        "Least precise studies that were published, %",
    )
    low, mid, high = (np.asarray(m.to_analysis(v)) for v in (record.low, record.value, record.high))
    good = record.converged
    y = _upright(m, np.r_[low[good], high[good], mid, m.to_analysis(m.null) if m.has_null else []])
    place = x.at(missing)
    order = np.argsort(missing)
    along = order[good[order]]
    band = (*spots(place[along], y.at(low[along])), *spots(place[along], y.at(high[along]))[::-1])
    line = (Path(spots(place[along], y.at(mid[along])), width=1.3),) if len(along) > 1 else ()
    paths = [*line, *_null(m, y)]
    dots = [
        Dots(
            (float(place[i]), float(y.at(mid[i]))),
            role="main" if good[i] else "alarm",
            hollow=bool(record.p_left[i] <= LEFT),
        )
        for i in range(len(mid))
    ]
    legend = (
        ("main", "dot", "no sign of more selection"),
        ("main", "ring", "selection is left"),
        ("band", "area", f"{100 * record.fit.level:g}% interval"),
        *((("alarm", "dot", "not to be relied on"),) if not good.all() else ()),
    )
    return Chart(
        "Copas' selection model",
        x,
        y,
        (Area(band, "band"),) if len(along) > 1 else (),
        tuple(paths),
        tuple(dots),
        legend=legend,
        alt=record.sentence,
        style=style,
        below=profile_of_copas(record, style),
    )


def p_curve_chart(record: PCurve, style: Style) -> Chart:
    """Observed shares of the significant p values beside those of no effect and of 33% power."""
    at = BINS[1:]
    x = plain_axis(np.r_[0.005, 0.055], "")
    x = ChartAxis(
        0.005,
        0.055,
        tuple((float(v) - 0.005) / 0.05 for v in at),
        tuple(f"{v:.2f}" for v in at),
        "p value (two-sided), up to",
    )
    expected = 100 * power_curve()
    y = upright_axis(np.r_[0.0, 100 * record.shares, expected], "Significant results, %", zero=True)
    place = x.at(at)
    paths = (
        Path(spots(place, y.at(np.full(len(at), 20.0))), "alarm", 0.9, dashed=True),
        Path(spots(place, y.at(expected)), "muted", 0.9, dashed=True),
        Path(spots(place, y.at(100 * record.shares)), width=1.5),
    )
    dots = tuple(Dots((float(a), float(y.at(100 * b)))) for a, b in zip(place, record.shares, strict=True))
    legend = (
        ("line", "line", f"{int(record.used.sum())} significant of {len(record.p)} studies"),
        ("alarm", "dash", "no effect"),
        ("muted", "dash", "33% power"),
    )
    return Chart("p-curve", x, y, (), paths, dots, legend=legend, alt=record.sentence, height=0.65, style=style)


def p_uniform_chart(record: PUniform, style: Style) -> Chart:
    """Conditional p values at the corrected effect, in order: on the diagonal if the model holds."""
    found = np.sort(conditional_p(record))
    k = len(found)
    expected = (np.arange(k) + 0.5) / k
    x = plain_axis(np.r_[0.0, 1.0], "Expected conditional p value", zero=True)
    y = upright_axis(np.r_[0.0, 1.0], "Conditional p value at the corrected effect", zero=True)
    rank = np.arange(1, k + 1)
    low, high = (special.betaincinv(rank, k + 1 - rank, q) for q in (0.025, 0.975))
    place = x.at(expected)
    band = Area((*spots(place, y.at(low)), *spots(place, y.at(high))[::-1]), "band")
    line = Path(((float(x.at(0.0)), float(y.at(0.0))), (float(x.at(1.0)), float(y.at(1.0)))))
    dots = tuple(Dots((float(a), float(y.at(b)))) for a, b in zip(place, found, strict=True))
    note = (f"Not to be relied on: {record.trouble}.",) if record.trouble else ()
    return Chart(
        "p-uniform*" if record.method == "star" else "p-uniform",
        x,
        y,
        (band,),
        (line,),
        dots,
        legend=(("main", "dot", "study"), ("band", "area", "95% of each rank if the model holds")),
        footnotes=note,
        alt=record.sentence,
        style=style,
    )


def fragility_chart(record: Fragility, style: Style) -> Chart:
    """Pooled effect with its interval as one patient after the other has another outcome."""
    m = record.fit.effects.measure
    steps = np.arange(len(record.value), dtype=np.float64)
    x = plain_axis(np.r_[0.0, max(1.0, steps[-1])], "Patients with another outcome", zero=True)
    low, mid, high = (np.asarray(m.to_analysis(v)) for v in (record.low, record.value, record.high))
    y = _upright(m, np.r_[low, high, m.to_analysis(m.null)])
    place = x.at(steps)
    band = Area((*spots(place, y.at(low)), *spots(place, y.at(high))[::-1]), "band")
    paths = (Path(spots(place, y.at(mid)), width=1.3), *_null(m, y))
    legend = (("line", "line", "pooled effect"), ("band", "area", f"{100 * record.fit.level:g}% interval"))
    return Chart("Fragility", x, y, (band,), paths, legend=legend, alt=record.sentence, height=0.65, style=style)


def _upright(measure: Measure, values: Any) -> ChartAxis:
    """Lay out a vertical axis of effects with printed labels."""
    return effect_axis(measure, values, room=60.0)


def _null(measure: Measure, y: ChartAxis) -> tuple[Path, ...]:
    """Draw the line of no effect where the axis reaches it."""
    if not measure.has_null:
        return ()
    at = float(y.at(measure.to_analysis(measure.null)))
    return (Path(((0.0, at), (1.0, at)), "ink", 0.8),) if 0 <= at <= 1 else ()
