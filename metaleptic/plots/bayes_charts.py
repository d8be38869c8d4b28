"""Charts of what Bayesian analyses found beside the posterior: other priors, other models, surprises, a MAP prior."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.bayes.compare import ModelComparison
from metaleptic.bayes.loo import TRUSTED, Loo
from metaleptic.bayes.map_prior import MapPrior
from metaleptic.bayes.power_scale import LIMIT, PowerScale
from metaleptic.bayes.prior_sensitivity import PriorSensitivity
from metaleptic.plots.chart import Area, Chart, ChartAxis, Dots, Path, Words, effect_axis, plain_axis, spots, strip
from metaleptic.plots.styles import Style
from metaleptic.types import FloatArray, Measure

EFFECT_FROM, CHANCE_TO = 0.36, 0.26  # of the height: the effect above, its probability below
ROOM_FOR_WORDS = 0.8  # of the width: what a column of words leaves
CURVE_FROM = 4  # priors of one family make a curve


def prior_sensitivity_chart(record: PriorSensitivity, style: Style) -> Chart:
    """Show the effect under each prior: a curve over the scale where the priors are one family, else a row per prior."""
    varying = _varying(record)
    return _rows_of_priors(record, style) if varying is None else _curve(record, *varying, style)


def _varying(record: PriorSensitivity) -> tuple[str, FloatArray] | None:
    """Return the one parameter in which priors of one family differ, and its values; None if there is none."""
    first = record.priors[0]
    if len(record.priors) < CURVE_FROM or any(p.key != first.key for p in record.priors):
        return None
    tables = [dict(p.parameters) for p in record.priors]
    different = [key for key in tables[0] if len({t.get(key) for t in tables}) > 1]
    numbers = len(different) == 1 and all(isinstance(t.get(different[0]), float) for t in tables)
    return (different[0], np.array([t[different[0]] for t in tables])) if numbers else None


def _curve(record: PriorSensitivity, name: str, values: FloatArray, style: Style) -> Chart:
    m, order = record.measure, np.argsort(values, kind="stable")
    middle, low, high = _analysis(m, record.mu[order])
    x = plain_axis(values, f"{name.capitalize()} of the {record.priors[0].name} prior on τ", pad=0.0)
    effect = effect_axis(m, np.concatenate([low, high]))
    chances = bool(np.isfinite(record.p_below).all())
    base = EFFECT_FROM if chances else 0.0
    up = base + (1 - base) * effect.at(np.stack([middle, low, high]))
    at = x.at(values[order])
    areas = [Area((*spots(at, up[1]), *spots(at[::-1], up[2][::-1])), "pale")]
    paths = [Path(spots(at, up[0]), "main", 1.5)]
    if m.has_null and 0 <= effect.at(m.to_analysis(m.null)) <= 1:
        null = base + (1 - base) * float(effect.at(m.to_analysis(m.null)))
        paths.insert(0, Path(((0.0, null), (1.0, null)), "ink", 0.7))
    ticks, labels = [base + (1 - base) * t for t in effect.ticks], list(effect.labels)
    words: list[Words] = []
    if chances:
        paths.append(Path(spots(at, CHANCE_TO * record.p_below[order]), "alarm", 1.5))
        paths.append(Path(((0.0, CHANCE_TO), (1.0, CHANCE_TO)), "line", 0.6))
        ticks, labels = [0.0, CHANCE_TO / 2, CHANCE_TO, *ticks], ["0%", "50%", "100%", *labels]
        words.append(Words((0.01, 0.29), f"{_chance(m)}, below"))
    y = ChartAxis(0.0, 1.0, tuple(ticks), tuple(labels), _heading(m))
    interval = f"{100 * record.level:g}% credible interval"
    legend: tuple[tuple[str, str, str], ...] = (("main", "line", "posterior median"), ("pale", "area", interval))
    legend += (("alarm", "line", _chance(m)),) if chances else ()
    return Chart(
        "Prior sensitivity",
        x,
        y,
        tuple(areas),
        tuple(paths),
        words=tuple(words),
        legend=legend,
        alt=_in_words(
            record, f"{name} {values.min():.3g} to {values.max():.3g} of the {record.priors[0].name} prior on tau"
        ),
        style=style,
    )


def _rows_of_priors(record: PriorSensitivity, style: Style) -> Chart:
    m = record.measure
    middle, low, high = _analysis(m, record.mu)
    chances = bool(np.isfinite(record.p_below).all())
    share = ROOM_FOR_WORDS if chances else 1.0
    x = _squeezed(effect_axis(m, np.concatenate([low, high])), share)
    across = share * effect_axis(m, np.concatenate([low, high])).at(np.stack([middle, low, high]))
    y, places = _rows(record.labels)
    paths = [Path(((a, h), (b, h)), "main", 1.2) for a, b, h in zip(across[1], across[2], places, strict=True)]
    if m.has_null:
        null = share * float(effect_axis(m, np.concatenate([low, high])).at(m.to_analysis(m.null)))
        if 0 <= null <= share:
            paths.insert(0, Path(((null, 0.0), (null, 1.0)), "ink", 0.7))
    words = [Words((1.0, h), f"{100 * p:.1f}%", "ink", "end") for p, h in zip(record.p_below, places, strict=True)]
    return Chart(
        "Prior sensitivity",
        x,
        y,
        paths=tuple(paths),
        dots=tuple(Dots((float(a), h)) for a, h in zip(across[0], places, strict=True)),
        words=tuple(words) if chances else (),
        footnotes=(
            f"Posterior median and {100 * record.level:g}% credible interval under each prior on τ.",
            *((f"Right: {_chance(m)}.",) if chances else ()),
        ),
        alt=_in_words(record, f"{len(record.labels)} priors on tau: {', '.join(record.labels[:8])}"),
        height=_height(len(record.labels)),
        style=style,
    )


def model_comparison_chart(record: ModelComparison, style: Style) -> Chart:
    """Show the probability of each model before and after the studies."""
    x = plain_axis(
        np.array([0.0, max(1e-9, float(max(record.posterior.max(), record.prior.max())))]), "", zero=True, percent=True
    )
    x = replace(x, title="Probability of the model, %")
    y, places = _rows(record.models)
    half = 0.28 / len(record.models)
    areas = [
        Area(strip(0.0, float(x.at(p)), h - half, h + half), "main")
        for p, h in zip(record.posterior, places, strict=True)
    ]
    paths = [
        Path(((float(x.at(p)), h - 1.5 * half), (float(x.at(p)), h + 1.5 * half)), "alarm", 1.4)
        for p, h in zip(record.prior, places, strict=True)
    ]
    told = ", ".join(f"{name} {100 * p:.1f}%" for name, p in zip(record.models, record.posterior, strict=True))
    return Chart(
        "Model probabilities",
        x,
        y,
        tuple(areas),
        tuple(paths),
        legend=(("main", "area", "after the studies"), ("alarm", "line", "before")),
        footnotes=(
            f"Bayes factor for an effect {record.bf_effect:.3g}, for heterogeneity {record.bf_heterogeneity:.3g}.",
        ),
        alt=f"Posterior model probabilities: {told}.",
        height=_height(len(record.models)),
        style=style,
    )


def power_scale_chart(record: PowerScale, style: Style) -> Chart:
    """Show how far the posterior moves when prior or likelihood count a little less or more."""
    values = np.array([pair for _, pair in record.rows]).reshape(-1)
    names = [{"mu": "mean", "tau": "τ"}.get(name, name) for name, _ in record.rows]
    x = plain_axis(np.array([0.0, 1.5 * LIMIT, *values]), "Distance per doubling of the power", zero=True)
    y, places = _rows([f"{name}: {what}" for name in names for what in ("prior", "likelihood")])
    areas = [
        Area(
            strip(0.0, float(x.at(v)), h - 0.28 / len(places), h + 0.28 / len(places)),
            "alarm" if v >= LIMIT and i % 2 == 0 else "main",
        )
        for i, (v, h) in enumerate(zip(values, places, strict=True))
    ]
    limit = float(x.at(LIMIT))
    return Chart(
        "Power scaling",
        x,
        y,
        tuple(areas),
        (Path(((limit, 0.0), (limit, 1.0)), "muted", 0.8, dashed=True),),
        footnotes=(f"Dashed: {LIMIT:g}, beyond which a posterior is called sensitive.",),
        alt="Power scaling. " + "; ".join(repr(record).splitlines()) + ".",
        height=_height(len(places)),
        style=style,
    )


def loo_chart(record: Loo, style: Style) -> Chart:
    """Show how well each study is predicted by the others; Pareto k beside it where draws were reweighted."""
    sampled = bool(np.isfinite(record.pareto_k).any())
    share = ROOM_FOR_WORDS if sampled else 1.0
    plain = plain_axis(record.elpd, "Log predictive density given the others")
    y, places = _rows(record.effects.study)
    dots, words = [], []
    for value, k, h in zip(record.elpd, record.pareto_k, places, strict=True):
        role = "alarm" if k > TRUSTED else "main"
        dots.append(Dots((share * float(plain.at(value)), h), role=role))
        if sampled:
            words.append(Words((1.0, h), f"k {k:.2f}", role if role == "alarm" else "ink", "end"))
    notes = (f"Right: Pareto k; above {TRUSTED:g} the value cannot be trusted.",) if sampled else ()
    return Chart(
        "Leave-one-out prediction",
        _squeezed(plain, share),
        y,
        dots=tuple(dots),
        words=tuple(words),
        footnotes=("Far left: studies that the others did not lead to expect.", *notes),
        alt=f"Leave-one-out prediction: {'; '.join(repr(record).splitlines())}.",
        height=_height(len(places)),
        style=style,
    )


def map_prior_chart(record: MapPrior, style: Style) -> Chart:
    """Show the density of a MAP prior, its central interval shaded."""
    beta, m = record.family == "beta", record.posterior.effects.measure
    ends = record.quantile(np.array([0.002, 0.998]))
    first_at, last_at = float(ends[0]), float(ends[1])
    if beta:
        first_at, last_at = max(first_at - 0.02, 0.0), min(last_at + 0.02, 1.0)
    grid = np.linspace(first_at, last_at, 301)
    if beta:
        grid = grid[(grid > 0) & (grid < 1)]
        x = plain_axis(grid, f"{m.label}, %", pad=0.0, percent=True)
    else:
        x = effect_axis(m, grid, null=False, pad=0.0)
    f = record.pdf(grid)
    top = 1.08 * float(f.max())
    low, high = record.quantile(np.array([(1 - record.level) / 2, (1 + record.level) / 2]))
    inside = (grid >= low) & (grid <= high)
    shaded = Area(
        (
            (float(x.at(grid[inside][0])), 0.0),
            *spots(x.at(grid[inside]), f[inside] / top),
            (float(x.at(grid[inside][-1])), 0.0),
        )
    )
    first, *rest = repr(record).splitlines()
    return Chart(
        "MAP prior",
        x,
        ChartAxis(0.0, 1.0, (), (), "Density"),
        (shaded,),
        (Path(spots(x.at(grid), f / top), "main", 1.5),),
        legend=(("pale", "area", f"central {100 * record.level:g}%"),),
        footnotes=(rest[0],),
        alt=f"{first}. From {len(record.posterior.effects)} studies.",
        height=0.5,
        style=style,
    )


def _analysis(m: Measure, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return median and interval on the analysis scale, in order."""
    with np.errstate(divide="ignore"):
        middle, a, b = (np.asarray(m.to_analysis(values[:, i]), dtype=np.float64) for i in range(3))
    return middle, np.minimum(a, b), np.maximum(a, b)


def _squeezed(axis: ChartAxis, share: float) -> ChartAxis:
    """Leave room at the right for a column of words."""
    return replace(axis, ticks=tuple(share * t for t in axis.ticks))


def _rows(names: Any) -> tuple[ChartAxis, list[float]]:
    k = len(names)
    places = [1 - (i + 0.5) / k for i in range(k)]
    return ChartAxis(0.0, 1.0, tuple(places), tuple(str(n) for n in names), ""), places


def _height(rows: int) -> float:
    return float(np.clip(0.075 * rows + 0.06, 0.3, 3.0))


def _heading(m: Measure) -> str:
    return f"{m.label}, %" if m.axis == "percent" else m.heading


def _chance(m: Measure) -> str:
    return f"P({m.label[0].lower()}{m.label[1:]} < {m.null:g})"


def _in_words(record: PriorSensitivity, what: str) -> str:
    m = record.measure
    unit = f" {m.unit}" if m.unit else ""
    text = (
        f"{m.label} under {what}: posterior median {m.format(float(record.mu[:, 0].min()))} to "
        f"{m.format(float(record.mu[:, 0].max()))}{unit}"
    )
    if np.isfinite(record.p_below).all():
        text += f"; {_chance(m)} {100 * record.p_below.min():.1f}% to {100 * record.p_below.max():.1f}%"
    return text + "."


BAYES_CHARTS: MappingProxyType[type, Callable[[Any, Style], Chart]] = MappingProxyType(
    {
        Loo: loo_chart,
        MapPrior: map_prior_chart,
        ModelComparison: model_comparison_chart,
        PowerScale: power_scale_chart,
        PriorSensitivity: prior_sensitivity_chart,
    }
)
