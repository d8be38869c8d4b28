"""Charts of who drives the result: Baujat, quantiles of residuals, shrinkage."""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.plots.chart import (
    Area,
    Chart,
    ChartAxis,
    Dots,
    Path,
    effect_axis,
    few_labels,
    plain_axis,
    spots,
    strip,
    upright_axis,
)
from metaleptic.plots.styles import Style
from metaleptic.sensitivity.baujat import Baujat
from metaleptic.sensitivity.residuals import Residuals
from metaleptic.sensitivity.shrinkage import Shrinkage


def baujat_chart(record: Baujat, style: Style) -> Chart:
    """Contribution to heterogeneity across, influence on the result up."""
    x = plain_axis(
        record.heterogeneity, "Contribution to heterogeneity (squared Pearson residual)", zero=True, pad=0.09
    )
    y = upright_axis(record.influence, "Influence on the pooled effect", zero=True, pad=0.09)
    score = sum(np.nan_to_num(a / (np.nanmax(a) or 1.0)) for a in (record.heterogeneity, record.influence))
    labels = few_labels(record.fit.effects.study, score)
    dots = [
        Dots((float(x.at(a)), float(y.at(b))), label=name)
        for a, b, name in zip(record.heterogeneity, record.influence, labels, strict=True)
        if np.isfinite(a) and np.isfinite(b)
    ]
    return Chart("Baujat plot", x, y, dots=tuple(dots), alt=record.sentence, style=style)


def residuals_chart(record: Residuals, style: Style) -> Chart:
    """Studentised residuals against the normal quantiles of their ranks."""
    there = ~np.isnan(record.studentized)
    expected, found = record.expected[there], record.studentized[there]
    study = [s for s, t in zip(record.fit.effects.study, there, strict=True) if t]
    k = len(found)
    x = plain_axis(expected, "Expected from a normal distribution", pad=0.08)
    order = np.argsort(expected)
    rank = np.arange(1, k + 1)
    low, high = (special.ndtri(special.betaincinv(rank, k + 1 - rank, q)) for q in (0.025, 0.975))
    y = upright_axis(np.r_[found, low, high], "Studentised deleted residual")
    place = x.at(expected[order])
    band = Area((*spots(place, y.at(low)), *spots(place, y.at(high))[::-1]), "band")
    ends = np.array([float(expected.min()), float(expected.max())])
    away = np.abs(found) > 1.96
    dots = [
        Dots((float(x.at(a)), float(y.at(b))), role="alarm" if f else "main", label=s if f else "")
        for a, b, f, s in zip(expected, found, away, study, strict=True)
    ]
    return Chart(
        "Normal quantile plot",
        x,
        y,
        (band,),
        (Path(spots(x.at(ends), y.at(ends))),),
        tuple(dots),
        legend=(("band", "area", "95% of each rank under normality"), ("alarm", "dot", "|t| > 1.96")),
        alt=record.sentence,
        style=style,
    )


def shrinkage_chart(record: Shrinkage, style: Style) -> Chart:
    """As printed (rings) and as estimated (dots), one row per study."""
    e = record.fit.effects
    x = effect_axis(e.measure, np.r_[e.y, record.low, record.high])
    k = len(e)
    rows = [1 - (i + 0.5) / k for i in range(k)]
    y = ChartAxis(0.0, 1.0, tuple(rows), tuple(e.study), "")
    paths = [
        Path(((float(x.at(a)), r), (float(x.at(b)), r)), "main", 1.0)
        for a, b, r in zip(record.low, record.high, rows, strict=True)
    ]
    fitted, one = record.effect - record.deviation, len(np.unique(np.round(record.effect - record.deviation, 10))) == 1
    if one:
        paths.insert(0, Path(((float(x.at(fitted[0])), 0.0), (float(x.at(fitted[0])), 1.0)), dashed=True))
    else:
        tick = 0.4 / k
        paths += [
            Path(((float(x.at(f)), r - tick), (float(x.at(f)), r + tick)), dashed=True)
            for f, r in zip(fitted, rows, strict=True)
        ]
    dots = [Dots((float(x.at(v)), r), role="muted", hollow=True) for v, r in zip(e.y, rows, strict=True)]
    dots += [Dots((float(x.at(v)), r)) for v, r in zip(record.effect, rows, strict=True)]
    stripes = tuple(Area(strip(0.0, 1.0, 1 - (i + 1) / k, 1 - i / k), "stripe") for i in range(0, k, 2))
    legend = (
        ("muted", "ring", "as printed"),
        ("main", "dot", "true effect, estimated"),
        ("line", "dash", "pooled" if one else "fitted"),
    )
    return Chart(
        "Shrinkage plot",
        x,
        y,
        stripes,
        tuple(paths),
        tuple(dots),
        legend=legend,
        alt=record.sentence,
        rows=True,
        style=style,
    )
