"""Charts of what a result means: effects beyond a threshold, confounding, unpublished studies, shared patients."""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.bayes.result import PooledBayes
from metaleptic.measures import log
from metaleptic.plots.chart import (
    Area,
    Chart,
    ChartAxis,
    Dots,
    Path,
    Words,
    effect_axis,
    plain_axis,
    spots,
    strip,
    upright_axis,
)
from metaleptic.plots.styles import Style
from metaleptic.plots.ticks import round_ticks
from metaleptic.sensitivity.confounding import EValue
from metaleptic.sensitivity.fail_safe import FailSafeN
from metaleptic.sensitivity.new_study import ProportionBeyond, calibrated_of
from metaleptic.sensitivity.overlap import Overlaps
from metaleptic.types import FloatArray


def proportion_beyond_chart(record: ProportionBeyond, style: Style) -> Chart:
    """Show the calibrated effects in order of size, and the region beyond the threshold."""
    fit = record.fit
    m, k = fit.effects.measure, fit.k
    if isinstance(fit, PooledBayes):
        effects, mu, made = np.array([t.median for t in fit.theta]), fit.mu.median, "shrunken"
    else:
        effects = calibrated_of(fit)
        mu, made = float(fit.beta[0]), "calibrated"
    order = np.argsort(effects)
    at = float(m.to_analysis(record.threshold))
    x = effect_axis(m, np.r_[effects, at, mu], pad=0.08)
    rows = [1 - (i + 0.5) / k for i in range(k)]
    y = ChartAxis(0.0, 1.0, tuple(rows), tuple(fit.effects.study[i] for i in order), "")
    rises = float(m.to_analysis(record.threshold * 1.001 + 1e-9)) > at
    below = (record.side == "below") == rises
    edge = float(x.at(at))
    area = Area(strip(*((0.0, edge) if below else (edge, 1.0)), 0.0, 1.0), "band")
    inside = effects[order] < at if below else effects[order] > at
    dots = [
        Dots((float(x.at(v)), r), role="main" if f else "muted")
        for v, r, f in zip(effects[order], rows, inside, strict=True)
    ]
    paths = (
        Path(((edge, 0.0), (edge, 1.0)), "ink", 0.9),
        Path(((float(x.at(mu)), 0.0), (float(x.at(mu)), 1.0)), dashed=True),
    )
    legend = (
        ("main", "dot", f"true effect, {made}, {record.side} {m.format(record.threshold)}"),
        ("muted", "dot", "not so"),
        ("line", "dash", "pooled"),
    )
    return Chart(
        "Effects beyond a threshold",
        x,
        y,
        (area,),
        paths,
        tuple(dots),
        legend=legend,
        alt=record.sentence,
        rows=True,
        style=style,
    )


def _partner(ratio: float, a: FloatArray) -> FloatArray:
    """Return the second risk ratio of a confounder that with ``a`` explains ``ratio``: a b / (a + b - 1) = ratio."""
    return np.asarray(ratio * (a - 1) / (a - ratio))


def e_value_chart(record: EValue, style: Style) -> Chart:
    """Show all pairs of associations that would explain the ratio (its bound) away; the E-value is where both are equal."""
    along = np.geomspace(0.002, 50.0, 400)
    ratios = [record.risk_ratio, _ratio_of(record.bound)]
    ratios = [1 / r if r < 1 else r for r in ratios]
    most = max(2.5, 2.2 * max(record.value, record.bound))
    ticks, labels = round_ticks("log", 1.0, most, log, room=36.0)
    high = float(np.log(most))
    title = "Risk ratio of the confounder with the "
    x, y = (
        ChartAxis(0.0, high, tuple(float(np.log(t)) / high for t in ticks), labels, title + what)
        for what in ("treatment", "outcome")
    )
    paths, dots = [], []
    for i, (ratio, e) in enumerate(zip(ratios, (record.value, record.bound), strict=True)):
        if not ratio > 1:
            continue
        a = ratio * (1 + along)
        b = _partner(ratio, a)
        seen = (a <= most) & (b <= most)
        paths.append(
            Path(spots(x.at(np.log(a[seen])), y.at(np.log(b[seen]))), "main" if i == 0 else "line", 1.3, i == 1)
        )
        place = float(x.at(np.log(e)))
        dots.append(Dots((place, place), 3.4, "alarm", f"E-value {e:.2f}"))
    legend = (
        ("main", "line", "explains the estimate away"),
        ("line", "dash", "moves the interval to 1" if record.bound > 1 else "the interval holds 1 already"),
    )
    return Chart("E-value", x, y, (), tuple(paths), tuple(dots), legend=legend, alt=record.sentence, style=style)


def _ratio_of(e: float) -> float:
    """Return the risk ratio whose E-value is ``e``."""
    return e * e / (2 * e - 1)


def fail_safe_chart(record: FailSafeN, style: Style) -> Chart:
    """Show how p (of Orwin's method: the mean effect) moves as studies without an effect are added."""
    n = np.linspace(0.0, max(10.0, 1.6 * record.n), 120)
    share = record.k / (record.k + n)
    if record.method == "orwin":
        value, limit, title = record.mean * share, record.target, "Mean effect, analysis scale"
    else:
        limit, title = record.alpha, "p value"
        if record.method == "rosenthal":
            value = special.ndtr(special.ndtri(record.p) * np.sqrt(share))
        elif record.method == "rosenberg":
            value = 2 * special.ndtr(special.ndtri(record.p / 2) * np.sqrt(share))
        else:  # between the two fits that were made
            n = np.array([0.0, float(max(record.n, 1))])
            value = np.array([record.p, record.p if record.n == 0 else record.p_then])
    x = plain_axis(np.r_[n, float(record.n)], "Unpublished studies with no effect", zero=True)
    y = upright_axis(np.r_[value, limit, 0.0], title)
    level = float(y.at(limit))
    paths = (
        Path(((0.0, level), (1.0, level)), "ink", 0.8, True),
        Path(spots(x.at(n), y.at(value)), "main", 1.3),
    )
    at, reached = float(x.at(record.n)), float(y.at(np.interp(record.n, n, value)))
    dots = (Dots((at, reached), 3.4, "alarm"),)
    right = at > 0.8
    words = (
        Words((at + (-0.02 if right else 0.03), level - 0.045), f"N = {record.n}", "ink", "end" if right else "start"),
    )
    what = "mean effect" if record.method == "orwin" else "p value"
    legend = (("main", "line", f"{what} with so many more studies"), ("ink", "dash", f"limit {limit:g}"))
    return Chart("Fail-safe N", x, y, (), paths, dots, words, legend, alt=record.sentence, style=style)


def overlaps_chart(record: Overlaps, style: Style) -> Chart:
    """Show which studies share patients: a square per pair, dark where it is certain."""
    names = list(dict.fromkeys(s for p in record.pairs for s in (p.first, p.second)))
    names = [s for s in dict.fromkeys(record.effects.study) if s in names] or list(record.effects.study[:1])
    k = len(names)
    rows = [1 - (i + 0.5) / k for i in range(k)]
    y = ChartAxis(0.0, 1.0, tuple(rows), tuple(f"{i + 1}  {s}" for i, s in enumerate(names)), "")
    x = ChartAxis(0.0, 1.0, tuple((i + 0.5) / k for i in range(k)), tuple(str(i + 1) for i in range(k)), "Study")
    areas = [Area(strip(i / k, (i + 1) / k, rows[i] - 0.5 / k, rows[i] + 0.5 / k), "stripe") for i in range(k)]
    for p in record.pairs:
        i, j = names.index(p.first), names.index(p.second)
        for a, b in ((i, j), (j, i)):
            cell = strip((a + 0.08) / k, (a + 0.92) / k, rows[b] - 0.42 / k, rows[b] + 0.42 / k)
            areas.append(Area(cell, "main" if p.certain else "pale"))
    legend = (("main", "area", "share patients"), ("pale", "area", "may share patients"))
    return Chart(
        "Shared patients",
        x,
        y,
        tuple(areas),
        legend=legend,
        alt=record.sentence,
        rows=True,
        style=style,
    )
