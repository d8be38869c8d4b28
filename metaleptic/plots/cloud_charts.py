"""Charts of many analyses: the cloud of all subsets, the specification curve."""

from __future__ import annotations

import numpy as np

from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import OptionError
from metaleptic.plots.chart import Area, Chart, ChartAxis, Dots, Path, Words, effect_axis, strip, upright_axis
from metaleptic.plots.styles import Style
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.sensitivity.all_subsets import AllSubsets
from metaleptic.sensitivity.multiverse import Multiverse
from metaleptic.types import BoolArray, FloatArray

CELLS = 60
RAMP = ("#e3ebf2", "#bfd2e3", "#93b4d1", "#6493bc", "#3b72a1", "#1f4e79", "#12304c")
WITH = ("#fbe8cc", "#f7d298", "#f0b95c", "#e69f00", "#c28500", "#946600", "#634400")  # Okabe and Ito's orange
LINE, CURVE = 10.0, 124.0  # points: height of a line of choices, and of the curve above them
MOST_SHOWN = 600


def all_subsets_chart(record: AllSubsets, style: Style) -> Chart:
    """Density of effects against I2, one cell for all subsets that fall into it.

    Where a study splits the cloud, cells have another colour by whether most of their subsets hold it.
    """
    m, (value, height) = record.measure, _of_all(record)
    usable = (record.k >= 2) & np.isfinite(record.spread)
    if not usable.any():
        raise OptionError(
            "there is nothing to draw: this model has no heterogeneity, so that subsets have no I2. See .to_frame()."
        )
    effect, i2 = record.estimate[usable], record.spread[usable]
    low, high = np.quantile(effect, [0.0005, 0.9995])
    x = effect_axis(m, np.r_[low, high, value])
    percent = record.spread is record.i2
    top = max(float(i2.max()), 1.0 if percent else 1e-6)
    y = upright_axis(np.r_[0.0, top], "I², %" if percent else "Heterogeneity τ", zero=True, pad=0.04)
    split = record.splitting[:1]
    holds = record.contains(split[0])[usable] if split else np.zeros(len(effect), bool)
    whole = Dots((float(x.at(value)), float(y.at(height))), 3.6, "alarm")
    if split:
        paths, words, legend = _parts(x, effect, holds, split[0])
    else:
        middle = float(x.at(np.median(effect)))
        paths, words = (Path(((middle, 0.0), (middle, 1.0)), "muted", 0.8, dashed=True),), ()
        legend = ((RAMP[1], "area", "few subsets"), (RAMP[5], "area", "many"), ("muted", "dash", "median"))
    return Chart(
        "All subsets",
        x,
        y,
        tuple(_cells(x, y, effect, i2, holds)),
        paths,
        (whole,),
        words,
        legend=(*legend, ("alarm", "dot", "all studies")),
        alt=record.sentence,
        style=style,
    )


def _cells(x: ChartAxis, y: ChartAxis, effect: FloatArray, i2: FloatArray, holds: BoolArray) -> list[Area]:
    """Return the cells, the darker the more subsets; of another colour where most hold the study that splits the cloud."""
    edges = [[x.low, x.high], [0.0, y.high]]
    counts, xs, ys = np.histogram2d(effect, i2, bins=CELLS, range=edges)
    held = np.histogram2d(effect[holds], i2[holds], bins=CELLS, range=edges)[0]
    with np.errstate(divide="ignore"):
        depth = np.log1p(counts) / np.log1p(counts.max())
    areas = []
    for i, j in np.argwhere(counts > 0).tolist():
        ramp = WITH if 2 * held[i, j] > counts[i, j] else RAMP
        colour = ramp[min(len(ramp) - 1, int(depth[i, j] * len(ramp)))]
        cell = strip(*(float(v) for v in (x.at(xs[i]), x.at(xs[i + 1]), y.at(ys[j]), y.at(ys[j + 1]))))
        areas.append(Area(cell, colour))
    return areas


def _parts(
    x: ChartAxis, effect: FloatArray, holds: BoolArray, study: str
) -> tuple[tuple[Path, ...], tuple[Words, ...], tuple[tuple[str, str, str], ...]]:
    """Mark the two parts of a cloud: a line at the median of each, the word beside it, and the legend."""
    places = [float(np.clip(x.at(np.median(effect[part])), 0, 1)) for part in (holds, ~holds)]
    paths = tuple(
        Path(((p, 0.0), (p, 1.0)), ramp[5], 1.0, dashed)
        for p, ramp, dashed in zip(places, (WITH, RAMP), (False, True), strict=True)
    )
    left = int(np.argmin(places))
    words = tuple(
        Words((p + (-0.01 if aside else 0.01), 0.56 if i == left else 0.5), text, "ink", "end" if aside else "start")
        for i, (p, text) in enumerate(zip(places, ("with", "without"), strict=True))
        for aside in [i == left and p > 0.12]
    )
    legend = (
        (WITH[3], "area", f"mostly with {study} (darker: more subsets)"),
        (RAMP[3], "area", "mostly without it"),
        (WITH[5], "line", "median with it"),
        (RAMP[5], "dash", "median without it"),
    )
    return paths, words, legend


def _of_all(record: AllSubsets) -> tuple[float, float]:
    """Return the estimate and heterogeneity of all studies together."""
    fit = record.fit
    if isinstance(fit, PooledBayes):
        return fit.mu.median, fit.tau.median
    if isinstance(fit, RegressionBayes):
        return fit.beta[fit.design.names.index(record.term)].median, fit.tau.median
    at = fit.names.index(record.term) if isinstance(fit, Regression) else 0
    if isinstance(fit, Multilevel):
        return float(fit.beta[fit.design.names.index(record.term) if record.term else 0]), fit.tau.value
    return float(fit.beta[at]), fit.i2 if record.spread is record.i2 else float(np.sqrt(fit.tau2))


def multiverse_chart(record: Multiverse, style: Style) -> Chart:
    """Show the specification curve: effects in order of size above, the choices behind each below."""
    m = record.measure
    total = len(record.value)
    order = np.argsort(record.effect, kind="stable")
    shown = order[np.unique(np.linspace(0, total - 1, min(total, MOST_SHOWN)).astype(int))]
    n = len(shown)
    across = (np.arange(n) + 0.5) / n
    lines = sum(len(o) for o in record.options) + len(record.options)
    rows = lines + 0.6
    points = CURVE + LINE * rows
    share = LINE * rows / points  # part of the frame that the choices take
    top = 1 - LINE / points  # the title stands above the highest line
    low, high = (np.asarray(m.to_analysis(v)) for v in (record.low[shown], record.high[shown]))
    bounds = np.sort(np.stack([low, high]), axis=0)
    # A few huge intervals are cut, so that the curve stays readable.
    reach = np.quantile(bounds, [0.02, 0.98])
    base = effect_axis(m, np.r_[record.effect, np.clip(bounds, *reach).ravel()], room=60.0, pad=0.1)

    def up(v: float) -> float:
        return share + (top - share) * float(np.clip(base.at(v), 0.0, 1.0))

    conclusion = record.conclusion[shown]
    paths, dots = [], []
    for t, i in enumerate(shown.tolist()):
        role = "main" if conclusion[t] else "muted"
        paths.append(Path(((float(across[t]), up(bounds[0, t])), (float(across[t]), up(bounds[1, t]))), "pale", 0.8))
        dots.append(Dots((float(across[t]), up(float(record.effect[i]))), float(np.clip(120 / n, 1.2, 2.7)), role))
    if m.has_null and base.low <= float(m.to_analysis(m.null)) <= base.high:
        level = up(float(m.to_analysis(m.null)))
        paths.append(Path(((0.0, level), (1.0, level)), "ink", 0.8))
    paths.append(Path(((0.0, share), (1.0, share)), "muted", 0.5))
    ticks = [share + (top - share) * t for t in base.ticks]
    labels = list(base.labels)
    at, words = share, [Words((0.005, (1 + top) / 2), base.title, "ink")]
    step = share / rows
    for j, name in enumerate(record.dimensions):
        at -= step
        words.append(Words((0.005, at), name[:1].upper() + name[1:], "ink"))
        for i, option in enumerate(record.options[j]):
            at -= step
            ticks.append(at)
            labels.append(option)
            for t in np.flatnonzero(record.chosen[shown, j] == i).tolist():
                role = "main" if conclusion[t] else "muted"
                place = float(across[t])
                ends = ((place, at - 0.33 * step), (place, at + 0.33 * step))
                paths.append(Path(ends, role, max(0.5, 250 / n)))
    y = ChartAxis(0.0, 1.0, tuple(ticks), tuple(labels), "")
    note = f"{total:,} analyses in order of the effect" + (f", {n} of them drawn" if n < total else "")
    x = ChartAxis(0.0, 1.0, (), (), note)
    legend = (
        (("main", "dot", "interval excludes no effect"), ("muted", "dot", "interval includes it")) if m.has_null else ()
    )
    return Chart(
        "Specification curve",
        x,
        y,
        (),
        tuple(paths),
        tuple(dots),
        tuple(words),
        legend=legend,
        alt=record.sentence,
        points=points,
        style=style,
    )
