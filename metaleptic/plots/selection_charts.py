"""Charts of what the selection of significant or precise studies, or a few patients, would change."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.plots.chart import Area, Chart, ChartAxis, Dots, Path, effect_axis, plain_axis, spots, upright_axis
from metaleptic.plots.styles import Style
from metaleptic.sensitivity.copas import LEFT, Copas
from metaleptic.sensitivity.fragility import Fragility
from metaleptic.sensitivity.p_curve import BINS, PCurve, power_curve
from metaleptic.sensitivity.p_uniform import PUniform, conditional_p
from metaleptic.types import Measure


def copas_chart(record: Copas, style: Style) -> Chart:
    """Corrected effect with its interval as fewer and fewer imprecise studies are taken to have been published."""
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
    band = Area((*spots(place[along], y.at(low[along])), *spots(place[along], y.at(high[along]))[::-1]), "stripe")
    paths = [Path(spots(place[along], y.at(mid[along])), width=1.3), *_null(m, y)]
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
        ("stripe", "area", f"{100 * record.fit.level:g}% interval"),
        *((("alarm", "dot", "not to be relied on"),) if not good.all() else ()),
    )
    return Chart(
        "Copas' selection model",
        x,
        y,
        (band,),
        tuple(paths),
        tuple(dots),
        legend=legend,
        alt=record.sentence,
        style=style,
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
    band = Area((*spots(place, y.at(low)), *spots(place, y.at(high))[::-1]), "stripe")
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
        legend=(("main", "dot", "study"), ("stripe", "area", "95% of each rank if the model holds")),
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
    band = Area((*spots(place, y.at(low)), *spots(place, y.at(high))[::-1]), "stripe")
    paths = (Path(spots(place, y.at(mid)), width=1.3), *_null(m, y))
    legend = (("line", "line", "pooled effect"), ("stripe", "area", f"{100 * record.fit.level:g}% interval"))
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
