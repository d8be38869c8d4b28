"""Charts of small-study effects and publication bias."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.plots.chart import (
    Area,
    Chart,
    ChartAxis,
    Dots,
    Path,
    effect_axis,
    plain_axis,
    spots,
    strip,
    upright_axis,
)
from metaleptic.plots.styles import Style
from metaleptic.sensitivity.excess import ExcessSignificance
from metaleptic.sensitivity.limit import LimitMetaAnalysis
from metaleptic.sensitivity.trim_and_fill import TrimAndFill
from metaleptic.sensitivity.worst_case import WorstCase
from metaleptic.types import Measure


def _upright(measure: Measure, values: Any) -> ChartAxis:
    """Lay out a vertical axis of effects with printed labels."""
    return effect_axis(measure, values, room=60.0)


def _funnel(measure: Measure, y: Any, se: Any, mu: float, level: float) -> tuple[ChartAxis, ChartAxis, list[Path]]:
    """Lay out a funnel: effects across, standard errors downwards, the limits around a centre."""
    most = 1.06 * float(np.max(se))
    z = float(special.ndtri(0.5 + level / 2))
    x = effect_axis(measure, np.r_[y, mu - z * most, mu + z * most], pad=0.03)
    base = upright_axis(np.r_[0.0, most], "Standard error", zero=True, pad=0.0)
    up = ChartAxis(most, 0.0, tuple(1 - t for t in base.ticks), base.labels, base.title)
    tip = (float(x.at(mu)), 1.0)
    walls = [Path((tip, (float(x.at(mu + s * z * most)), 0.0)), dashed=True) for s in (-1, 1)]
    return x, up, [Path((tip, (tip[0], 0.0)), dashed=True), *walls]


def trim_and_fill_chart(record: TrimAndFill, style: Style) -> Chart:
    """Show the funnel with the filled studies as rings, around the filled centre."""
    e, filled = record.fit.effects, record.filled
    se = np.sqrt(filled.effects.v)
    x, y, paths = _funnel(e.measure, filled.effects.y, se, float(filled.beta[0]), record.fit.level)
    was = float(x.at(record.fit.beta[0]))
    paths.append(Path(((was, 0.0), (was, 1.0)), "muted", 0.7))
    dots = [
        Dots((float(x.at(a)), float(y.at(b))), hollow=i >= len(e))
        for i, (a, b) in enumerate(zip(filled.effects.y, se, strict=True))
    ]
    legend = (
        ("main", "dot", "study"),
        ("main", "ring", "filled"),
        ("muted", "line", "pooled as published"),
        ("line", "dash", "pooled with filled, 95% limits"),
    )
    return Chart(
        "Funnel plot, filled", x, y, (), tuple(paths), tuple(dots), legend=legend, alt=record.sentence, style=style
    )


def limit_chart(record: LimitMetaAnalysis, style: Style) -> Chart:
    """Show the funnel with an arrow from each study to where it would lie without sampling error."""
    e = record.fit.effects
    se = np.sqrt(e.v)
    x, y, _ = _funnel(e.measure, np.r_[e.y, record.effects], se, float(record.fit.beta[0]), record.fit.level)
    along = np.linspace(0, float(se.max()), 50)
    tau2 = record.fit.tau2
    curve = record.slope + record.alpha * np.sqrt(along**2 + tau2)
    paths = [Path(spots(x.at(curve), y.at(along)), width=1.3)]
    paths += [
        Path(((float(x.at(a)), float(y.at(s))), (float(x.at(b)), float(y.at(s)))), "muted", 0.6)
        for a, b, s in zip(e.y, record.effects, se, strict=True)
    ]
    dots = [Dots((float(x.at(a)), float(y.at(s)))) for a, s in zip(e.y, se, strict=True)]
    dots += [Dots((float(x.at(a)), float(y.at(s))), 2.2, hollow=True) for a, s in zip(record.effects, se, strict=True)]
    dots.append(Dots((float(x.at(record.beta)), 1.0), 4.0, "alarm"))
    legend = (
        ("main", "dot", "study"),
        ("main", "ring", "in the limit"),
        ("line", "line", "expected at this standard error"),
        ("alarm", "dot", "adjusted effect"),
    )
    return Chart(
        "Limit meta-analysis", x, y, (), tuple(paths), tuple(dots), legend=legend, alt=record.sentence, style=style
    )


def worst_case_chart(record: WorstCase, style: Style) -> Chart:
    """Show the corrected effect as affirmative studies are published ever more often."""
    m = record.fit.effects.measure
    x = plain_axis(np.log10(record.ratio), "")
    marks = [1, 2, 5, 10, 20, 50, 100, 200]
    x = ChartAxis(
        0.0,
        float(np.log10(record.ratio[-1])),
        tuple(float(np.log10(v) / np.log10(record.ratio[-1])) for v in marks),
        tuple(str(v) for v in marks),
        "Times that affirmative studies are published more often",
    )
    low, mid, high = (np.asarray(m.to_analysis(v)) for v in (record.low, record.value, record.high))
    y = _upright(m, np.r_[low, high, m.to_analysis(record.worst.value)])
    place = x.at(np.log10(record.ratio))
    band = Area((*spots(place, y.at(low)), *spots(place, y.at(high))[::-1]), "band")
    paths = [Path(spots(place, y.at(mid)), width=1.3)]
    null = float(y.at(m.to_analysis(m.null)))
    if 0 <= null <= 1:
        paths.append(Path(((0.0, null), (1.0, null)), "ink", 0.8))
    worst = float(y.at(m.to_analysis(record.worst.value)))
    paths.append(Path(((0.0, worst), (1.0, worst)), "alarm", 0.9, dashed=True))
    legend = (("line", "line", "corrected effect"), ("band", "area", "its interval"), ("alarm", "dash", "worst case"))
    return Chart("Worst-case bias", x, y, (band,), tuple(paths), legend=legend, alt=record.sentence, style=style)


def excess_chart(record: ExcessSignificance, style: Style) -> Chart:
    """Power of each study, filled where it was significant."""
    k = record.fit.k
    order = np.argsort(record.power)
    rows = [(i + 0.5) / k for i in range(k)]
    x = plain_axis(np.r_[0.0, 1.0], "Power, %", zero=True, percent=True)
    y = ChartAxis(0.0, 1.0, tuple(rows), tuple(record.fit.effects.study[i] for i in order), "")
    bars = [
        Area(
            strip(0.0, float(x.at(record.power[i])), (j + 0.2) / k, (j + 0.8) / k),
            "main" if record.significant[i] else "pale",
        )
        for j, i in enumerate(order)
    ]
    legend = (("main", "area", "significant"), ("pale", "area", "not significant"))
    return Chart(
        "Power of the studies",
        x,
        y,
        tuple(bars),
        legend=legend,
        alt=record.sentence,
        rows=True,
        style=style,
    )
