"""Charts of a fit: p value functions (drapery), two arms against each other (L'Abbe), bubbles, orchard."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import DataError, OptionError
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
)
from metaleptic.plots.styles import Style
from metaleptic.pooling.normal import quantile
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.types import FloatArray


def drapery_chart(fit: Pooled, style: Style) -> Chart:
    """Show the p value of every possible effect, for each study and for the pooled effect.

    Source: Rücker G, Schwarzer G. Res Synth Methods 2021;12:308-319.
    """
    e, m = fit.effects, fit.effects.measure
    se = np.sqrt(e.v)
    mu, error = float(fit.beta[0]), float(fit.se[0])
    spread = 3.2 * float(np.median(se))
    x = effect_axis(m, np.r_[np.quantile(e.y, [0.05, 0.95]), mu - spread, mu + spread])
    grid = np.linspace(x.low, x.high, 241)
    y = ChartAxis(
        0.0, 1.0, (0.0, 0.05, 0.25, 0.5, 0.75, 1.0), ("", "0.05", "0.25", "0.5", "0.75", "1"), "p value (two-sided)"
    )

    def p_of(spread: float) -> FloatArray:
        t = np.abs(grid - mu) / spread
        return np.asarray(2 * (special.ndtr(-t) if np.isinf(fit.df) else special.stdtr(fit.df, -t)))

    curves = [
        (s, "pale", 0.8, 2 * special.ndtr(-np.abs(grid - b) / d)) for s, b, d in zip(e.study, e.y, se, strict=True)
    ]
    curves.append(("Pooled", "alarm", 1.7, p_of(error)))
    legend: tuple[tuple[str, str, str], ...] = (("pale", "line", "study"), ("alarm", "line", "pooled"))
    if fit.prediction is not None:
        curves.append(("New study", "main", 1.3, p_of(float(np.hypot(error, np.sqrt(fit.tau2))))))
        legend = (*legend, ("main", "line", "new study"))
    paths = [Path(spots(x.at(grid), p), role, width) for _, role, width, p in curves]
    table = {
        "study": np.repeat([name for name, *_ in curves], len(grid)),
        "effect": np.tile(m.to_printed(grid), len(curves)),
        "p": np.concatenate([p for *_, p in curves]),
    }
    paths.insert(0, Path(((0.0, 0.05), (1.0, 0.05)), "muted", 0.6, dashed=True))
    if m.has_null:
        null = float(x.at(m.to_analysis(m.null)))
        if 0 <= null <= 1:
            paths.insert(0, Path(((null, 0.0), (null, 1.0)), "ink", 0.7))
    alt = f"Drapery plot of {len(e)} studies: the pooled p value function peaks at {m.format(fit.estimate.value)}."
    return Chart("Drapery plot", x, y, (), tuple(paths), legend=legend, alt=alt, style=style, table=table)


def labbe_chart(fit: Pooled, style: Style) -> Chart:
    """Show the risk in the arm of interest against that in the control arm, a circle per study as large as its weight.

    Source: L'Abbé KA, Detsky AS, O'Rourke K. Ann Intern Med 1987;107:224-233.
    """
    e = fit.effects
    if len(e.cells) != len(e):
        raise DataError("a L'Abbe plot needs two-by-two tables. Make the effects with ml.two_by_two.")
    a, b, c, d = np.asarray(e.cells).T
    risk, control = a / (a + b), c / (c + d)
    most = float(min(1.0, 1.08 * max(risk.max(), control.max())))
    ends = np.array([0.0, most])
    x = plain_axis(ends, "Risk in the control arm, %", zero=True, pad=0.0, percent=True)
    base = plain_axis(ends, "Risk in the arm of interest, %", zero=True, pad=0.0, percent=True)
    grid = np.linspace(1e-4, most, 200)
    effect = float(fit.beta[0])
    if e.measure.key == "OR":
        line = special.expit(special.logit(np.minimum(grid, 1 - 1e-9)) + effect)
    else:
        line = np.exp(effect) * grid if e.measure.key == "RR" else grid + effect
    inside = (line >= 0) & (line <= most)
    paths = [Path(((0.0, 0.0), (float(x.at(most)), float(base.at(most)))), "ink", 0.7)]
    paths.append(Path(spots(x.at(grid[inside]), base.at(line[inside])), dashed=True, width=1.2))
    radius = 2.0 + 5.0 * np.sqrt(fit.weights / fit.weights.max())
    dots = [
        Dots((float(x.at(p)), float(base.at(q))), float(r), hollow=True)
        for p, q, r in zip(control, risk, radius, strict=True)
    ]
    legend = (
        ("main", "ring", "study, as large as its weight"),
        ("ink", "line", "same risk"),
        ("line", "dash", f"pooled {e.measure.format(fit.estimate.value)}"),
    )
    alt = f"L'Abbe plot of {len(e)} studies; {int((risk < control).sum())} have the lower risk in the arm of interest."
    table = {"study": e.study, "risk": risk, "control_risk": control, "weight": fit.weights}
    return Chart(
        "L'Abbe plot",
        x,
        base,
        (),
        tuple(paths),
        tuple(dots),
        legend=legend,
        alt=alt,
        height=0.9,
        style=style,
        table=table,
    )


def bubble_chart(fit: Regression, moderator: str | None, style: Style) -> Chart:
    """Show the effects against a moderator, as large as their weight, with the line, its band and the prediction band.

    Other moderators are held at their means. Source: Thompson SG, Higgins JPT. Stat Med 2002;21:1559-1573.
    """
    e, m = fit.effects, fit.effects.measure
    usual = [j for j, n in enumerate(fit.names) if np.ptp(fit.design.matrix[:, j]) > 0]
    # Of several the first that is a number, not the dummy of a category.
    numerical = [j for j in usual if "[" not in fit.names[j] and ":" not in fit.names[j]] or usual
    wanted = numerical if moderator is None else [j for j in usual if fit.names[j] == moderator]
    if not wanted:
        offers = ", ".join(f"'{fit.names[j]}'" for j in usual)
        raise OptionError(f"the regression has no numerical moderator '{moderator}'. It has: {offers}.")
    j = wanted[0]
    crossed = [n for n in fit.names if ":" in n and fit.names[j] in n.split(":")]
    if crossed:
        raise OptionError(
            f"the effect of '{fit.names[j]}' depends on another moderator ('{crossed[0]}'): one line cannot show it. "
            "Compute the lines by ml.predict, one for each value of the other."
        )
    values = np.asarray(fit.design.matrix[:, j])
    x = plain_axis(values, fit.names[j][:1].upper() + fit.names[j][1:])
    grid = np.linspace(float(values.min()), float(values.max()), 80)
    rows = np.tile(fit.design.matrix.mean(axis=0), (len(grid), 1))
    rows[:, j] = grid
    mean = rows @ fit.beta
    se = np.sqrt(np.einsum("ij,jk,ik->i", rows, fit.cov, rows))
    crit = float(quantile(np.float64(fit.df), fit.level))
    wide = crit * np.sqrt(se**2 + fit.tau2)
    y = effect_axis(m, np.r_[e.y, mean - wide, mean + wide], room=60.0)
    place = x.at(grid)

    def band(half: Any, role: str) -> Area:
        return Area((*spots(place, y.at(mean - half)), *spots(place, y.at(mean + half))[::-1]), role)

    radius = 1.8 + 4.5 * np.sqrt(fit.weights / fit.weights.max())
    dots = [
        Dots((float(x.at(a)), float(y.at(b))), float(r), hollow=True)
        for a, b, r in zip(values, e.y, radius, strict=True)
    ]
    level = f"{100 * fit.level:g}%"
    legend = (
        ("main", "ring", "study, as large as its weight"),
        ("line", "line", "fitted"),
        ("pale", "area", f"{level} CI"),
        ("band", "area", f"{level} prediction"),
    )
    slope = f"{fit.beta[j]:.3g} ({fit.low[j]:.3g} to {fit.high[j]:.3g})"
    alt = f"Bubble plot of {len(e)} studies: slope on {fit.names[j]} {slope}."
    areas = (band(wide, "band"), band(crit * se, "pale"))
    table = _bubbles(fit, fit.names[j], values, grid, mean, crit * se, wide)
    return Chart(
        "Bubble plot",
        x,
        y,
        areas,
        (Path(spots(place, y.at(mean)), width=1.3),),
        tuple(dots),
        legend=legend,
        alt=alt,
        style=style,
        table=table,
    )


def _bubbles(
    fit: Regression,
    name: str,
    values: FloatArray,
    grid: FloatArray,
    mean: FloatArray,
    half: FloatArray,
    wide: FloatArray,
) -> dict[str, Any]:
    """Return the table: the studies, then the line with its confidence and prediction interval, printed scale."""
    e, m, k, n = fit.effects, fit.effects.measure, len(fit.effects), len(grid)
    low, high = m.printed_bounds(np.r_[e.low, mean - half], np.r_[e.high, mean + half])
    below, above = m.printed_bounds(mean - wide, mean + wide)
    nothing = np.full(k, np.nan)
    return {
        "role": ["study"] * k + ["fitted"] * n,
        "study": [*e.study, *[""] * n],
        name: np.r_[values, grid],
        "value": np.r_[e.printed, m.to_printed(mean)],
        "low": low,
        "high": high,
        "prediction_low": np.r_[nothing, below],
        "prediction_high": np.r_[nothing, above],
        "weight": np.r_[fit.weights, np.full(n, np.nan)],
    }


def orchard_chart(fits: dict[str, Pooled], style: Style) -> Chart:
    """Show effects as a swarm per group, with the pooled effect, its interval (thick) and prediction interval (thin).

    Source: Nakagawa S et al. Res Synth Methods 2021;12:4-12.
    """
    first = next(iter(fits.values()))
    m, n = first.effects.measure, len(fits)
    every = np.concatenate([f.effects.y for f in fits.values()])
    ends = [m.to_analysis(v) for f in fits.values() for v in (f.estimate.low, f.estimate.high)]
    ends += [m.to_analysis(v) for f in fits.values() if f.prediction for v in (f.prediction.low, f.prediction.high)]
    x = effect_axis(m, np.r_[every, np.array([v for v in ends if np.isfinite(v)])])
    paths, dots, words, rows = [], [], [], []
    if m.has_null and 0 <= float(x.at(m.to_analysis(m.null))) <= 1:
        null = float(x.at(m.to_analysis(m.null)))
        paths.append(Path(((null, 0.0), (null, 1.0)), "ink", 0.7))
    heaviest = max(float((1 / np.sqrt(f.effects.v)).max()) for f in fits.values())
    for i, (name, fit) in enumerate(fits.items()):
        middle = 1 - (i + 0.5) / n
        rows.append((name, middle))
        offsets = _swarm(np.asarray(x.at(fit.effects.y)), 0.33 / n)
        size = 1.6 + 3.4 / np.sqrt(fit.effects.v) / heaviest
        dots += [
            Dots((float(x.at(v)), middle + float(o)), float(r), "pale")
            for v, o, r in zip(fit.effects.y, offsets, size, strict=True)
        ]
        for estimate, width in ((fit.prediction, 1.0), (fit.estimate, 3.0)):
            if estimate is not None and np.isfinite(estimate.low):
                a, b = (float(np.clip(x.at(m.to_analysis(v)), 0, 1)) for v in (estimate.low, estimate.high))
                paths.append(Path(((a, middle), (b, middle)), "main", width))
        dots.append(Dots((float(x.at(fit.beta[0])), middle), 4.2, "alarm"))
        words.append(Words((0.99, middle + 0.36 / n), f"k = {fit.k}", "muted", "end"))
    y = ChartAxis(0.0, 1.0, tuple(r for _, r in rows), tuple(name for name, _ in rows), "")
    legend = (
        ("pale", "dot", "study, as large as precise"),
        ("alarm", "dot", "pooled"),
        ("main", "line", "CI (thick), prediction (thin)"),
    )
    alt = (
        "Orchard plot: "
        + "; ".join(f"{name} {m.format(f.estimate.value)}, k = {f.k}" for name, f in fits.items())
        + "."
    )
    height = min(1.0, 0.16 + 0.22 * n)
    return Chart(
        "Orchard plot",
        x,
        y,
        (),
        tuple(paths),
        tuple(dots),
        tuple(words),
        legend,
        (),
        alt,
        height,
        style,
        table=_groups(fits),
    )


def _groups(fits: dict[str, Pooled]) -> dict[str, Any]:
    """Return the table: of each group the studies, the pooled effect and the prediction interval, printed scale."""
    rows: list[tuple[str, str, str, float, float, float, float]] = []
    for name, fit in fits.items():
        e, pooled, new = fit.effects, fit.estimate, fit.prediction
        low, high = e.measure.printed_bounds(e.low, e.high)
        rows += [
            (name, "study", s, float(v), float(a), float(b), float(w))
            for s, v, a, b, w in zip(e.study, e.printed, low, high, fit.weights, strict=True)
        ]
        rows.append((name, "pooled", "Pooled", pooled.value, pooled.low, pooled.high, 100.0))
        if new is not None:
            rows.append((name, "prediction", "Prediction interval", np.nan, new.low, new.high, np.nan))
    names = ("group", "role", "study", "value", "low", "high", "weight")
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _swarm(x: Any, room: float) -> Any:
    """Return heights off the line of the intervals that keep neighbours apart, the same every time."""
    pattern = np.array([0.5, -0.5, 0.95, -0.95, 0.72, -0.72, 0.3, -0.3])
    out = np.empty(len(x))
    out[np.argsort(x, kind="stable")] = room * np.resize(pattern, len(x))
    return out
