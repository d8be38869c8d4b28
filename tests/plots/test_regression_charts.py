"""Regressions on study size and the radial plot: lines, bands and scales are where their numbers say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.plots.chart import Chart

RNG = np.random.default_rng(11)
V = RNG.uniform(0.01, 0.3, 14)
Y = -0.25 - 0.9 * np.sqrt(V) + RNG.normal(0, np.sqrt(V + 0.02))
E = ml.effects(Y, V, measure="HR", n=np.round(40 / V), columns={"site": list("abcdefghijkkll")})
FIT = ml.pool(E, test="z")


def back(chart: Chart, spots: object) -> np.ndarray:
    """Return places of a chart as numbers on its axes."""
    places = np.array(spots)
    x, y = chart.x, chart.y
    return np.column_stack([x.low + places[:, 0] * (x.high - x.low), y.low + places[:, 1] * (y.high - y.low)])


def test_the_band_of_eggers_line_is_that_of_the_weighted_regression() -> None:
    """By hand: weights 1/v, dispersion estimated, t with k - 2 degrees of freedom."""
    chart = ml.plot(ml.small_study(FIT, test="egger")).layout
    x, w = np.column_stack([np.ones(14), np.sqrt(V)]), 1 / V
    inverse = np.linalg.inv(x.T @ (w[:, None] * x))
    beta = inverse @ x.T @ (w * Y)
    scale = float((w * (Y - x @ beta) ** 2).sum() / 12)
    line = back(chart, chart.paths[0].points)
    assert line[:, 1] == pytest.approx(beta[0] + beta[1] * line[:, 0])
    edge = back(chart, chart.areas[0].points)
    lower, upper = edge[:80], edge[80:][::-1]
    rows = np.column_stack([np.ones(80), lower[:, 0]])
    half = stats.t.ppf(0.975, 12) * np.sqrt(scale * np.einsum("ij,jk,ik->i", rows, inverse, rows))
    seen = (rows @ beta + half < chart.y.high) & (rows @ beta - half > chart.y.low)
    assert seen.sum() > 40
    assert (upper[:, 1] - lower[:, 1])[seen] == pytest.approx(2 * half[seen])


def test_the_effect_without_sampling_error_has_its_interval() -> None:
    """The bar beside 0 ends where the interval of the limit does; of predictors without a limit there is none."""
    record = ml.regression_test(FIT)
    assert record.limit is not None
    chart = ml.plot(record).layout
    bar = next(p for p in chart.paths if p.role == "alarm")
    assert np.exp(back(chart, bar.points)[:, 1]) == pytest.approx([record.limit.low, record.limit.high])
    patients = ml.plot(ml.regression_test(FIT, predictor="n")).layout
    assert len(patients.areas) == 1
    assert all(p.role != "alarm" for p in patients.paths)


def test_a_multilevel_regression_has_a_line_and_no_band() -> None:
    """Its weights do not give the covariance of its coefficients."""
    record = ml.small_study(ml.pool_multilevel(E, random="~ 1 | site"))
    chart = ml.plot(record).layout
    assert chart.areas == ()
    line = back(chart, chart.paths[0].points)
    assert record.limit is not None
    assert np.exp(line[0, 1]) == pytest.approx(record.limit.value)
    assert (line[-1, 1] - line[0, 1]) / line[-1, 0] == pytest.approx(record.bias)


@pytest.mark.parametrize("make", [ml.rank_test, ml.small_study, ml.pet_peese, ml.regression_test])
def test_every_chart_of_small_studies_has_a_legend(make: Callable[[Any], Any]) -> None:
    """Dots are explained, and lines where there are any."""
    chart = ml.plot(make(FIT)).layout
    assert chart.legend[0][2].startswith("study")
    assert not chart.paths or any(kind in ("line", "dash") for _, kind, _ in chart.legend)


def test_pet_and_peese_have_intervals_where_the_standard_error_is_0() -> None:
    """Two bars; the chosen one has a filled dot."""
    record = ml.pet_peese(FIT)
    chart = ml.plot(record).layout
    bars = [back(chart, p.points) for p in chart.paths if p.role == "alarm"]
    for bar, estimate in zip(bars, (record.pet, record.peese), strict=True):
        assert np.exp(bar[:, 1]) == pytest.approx([estimate.low, estimate.high])
        assert bar[0, 0] == bar[1, 0] < 0
    dots = [d for d in chart.dots if d.role == "alarm"]
    assert [d.hollow for d in dots] == [record.chosen != "PET", record.chosen != "PEESE"]


@pytest.mark.parametrize("model", ["random", "common"])
def test_effects_are_read_off_the_arc_of_a_radial_plot(model: str) -> None:
    """The line from the origin to a label's tick has the slope that the label says; all studies lie within the arc."""
    record = ml.radial(ml.pool(E, model=model))
    chart = ml.plot(record).layout
    ticks = [p for p in chart.paths if p.role == "muted"][1:]
    assert len(ticks) == len(chart.words) >= 3
    for tick, label in zip(ticks, chart.words, strict=True):
        across, up = back(chart, tick.points)[0]
        assert np.exp(up / across) == pytest.approx(float(label.text), rel=1e-6)
    origin = float(chart.y.at(0.0))
    arc = np.hypot(ticks[0].points[0][0], chart.height * (ticks[0].points[0][1] - origin))
    assert all(np.hypot(d.at[0], chart.height * (d.at[1] - origin)) < arc for d in chart.dots)
