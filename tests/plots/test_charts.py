"""Charts of sensitivity analyses as data: everything lies within the frame, and every record has its plot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import metaleptic as ml
from metaleptic.plots.chart import Chart, effect_axis, plain_axis
from metaleptic.plots.cloud_charts import RAMP, WITH
from metaleptic.plots.draw import CHARTS
from metaleptic.plots.panels import PanelChart
from metaleptic.plots.scene import Text

RNG = np.random.default_rng(11)
K = 14
V = RNG.uniform(0.01, 0.3, K)
Y = -0.25 - 0.9 * np.sqrt(V) + RNG.normal(0, np.sqrt(V + 0.02))
E = ml.effects(Y, V, measure="HR", columns={"year": list(range(2000, 2000 + K)), "site": list("abcdefghijkkll")})
FIT = ml.pool(E, test="z")
COUNTS = {"study": ["A", "B", "C"], "x": [10, 14, 8], "n": [100, 120, 90], "x0": [22, 25, 17], "n0": [100, 118, 92]}
TABLES = ml.two_by_two(COUNTS, events1="x", n1="n", events2="x0", n2="n0")


def records() -> dict[str, Any]:
    """Return one record of each kind."""
    return {
        "AllSubsets": ml.all_subsets(ml.pool(E.take(range(8)), tau2="DL", test="z")),
        "Baujat": ml.baujat(FIT),
        "Copas": ml.copas(FIT, probability=(1, 0.7, 0.4)),
        "ExcessSignificance": ml.excess_significance(FIT),
        "Fragility": ml.fragility(ml.pool(TABLES, model="common")),
        "EValue": ml.e_value(FIT),
        "FailSafeN": ml.fail_safe_n(FIT),
        "Influence": ml.influence(FIT),
        "RefitInfluence": ml.influence(ml.pool_bayes(E, tau=ml.priors.half_normal(0.5))),
        "LimitMetaAnalysis": ml.limit_meta_analysis(FIT),
        "MultilevelInfluence": ml.multilevel_influence(ml.pool_multilevel(E.take(range(8, 14)), random="~ 1 | site")),
        "Multiverse": ml.multiverse(E, leave_out=True),
        "PCurve": ml.p_curve(FIT),
        "PUniform": ml.p_uniform(FIT),
        "Overlaps": ml.overlaps(E, same="site"),
        "PetPeese": ml.pet_peese(FIT),
        "ProportionBeyond": ml.proportion_beyond(FIT, 0.8),
        "Radial": ml.radial(FIT),
        "Residuals": ml.residuals(FIT),
        "SelectionModel": ml.selection_model(FIT, function="half-normal"),
        "Shrinkage": ml.shrinkage(FIT),
        "SmallStudy": ml.small_study(FIT),
        "TrimAndFill": ml.trim_and_fill(FIT),
        "WorstCase": ml.worst_case(FIT),
    }


RECORDS = records()


def test_every_record_with_a_chart_is_tested() -> None:
    """A new chart needs a record here."""
    assert {t.__name__ for t in CHARTS} == set(RECORDS)


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_everything_lies_within_the_frame_and_is_said(name: str) -> None:
    """Places between 0 and 1 (a line may end at the frame), ticks too, and the sentence as description."""
    plot = ml.plot(RECORDS[name])
    chart = plot.layout
    assert chart.alt == RECORDS[name].sentence
    assert plot.to_frame().equals(RECORDS[name].to_frame())
    assert plot.svg().startswith("<svg")
    assert plot.to_bytes("png")[:4] == b"\x89PNG"
    if isinstance(chart, PanelChart):
        places = [x for p in chart.panels for x in (*p.places, *p.lines, *p.ticks) if np.isfinite(x)]
        assert all(0 <= x <= 1 for x in places)
        return
    assert isinstance(chart, Chart)
    for dot in chart.dots:
        assert -0.001 <= dot.at[0] <= 1.001
        assert -0.001 <= dot.at[1] <= 1.001
    for axis in (chart.x, chart.y):
        assert len(axis.ticks) == len(axis.labels)
        assert all(-0.001 <= t <= 1.001 for t in axis.ticks)
    for path in chart.paths:
        assert np.isfinite(np.array(path.points)).all()


def test_dots_lie_where_their_numbers_are() -> None:
    """Baujat: position is the number on the axis."""
    record = RECORDS["Baujat"]
    chart = ml.plot(record).layout
    for i, dot in enumerate(chart.dots):
        assert chart.x.low + dot.at[0] * (chart.x.high - chart.x.low) == pytest.approx(record.heterogeneity[i])


def test_trim_and_fill_marks_what_was_filled() -> None:
    """Rings for the filled ones, as many as are missing."""
    record = RECORDS["TrimAndFill"]
    chart = ml.plot(record).layout
    assert sum(d.hollow for d in chart.dots) == record.missing
    assert len(chart.dots) == K + record.missing


def test_a_study_that_splits_the_cloud_has_its_own_colour() -> None:
    """Cells of subsets with it and without it are told apart; a cloud that is one has one colour."""
    y = [1.4, -0.2, -0.35, -0.3, -0.25, -0.4, -0.28, -0.33, -0.22, -0.31]
    record = ml.all_subsets(ml.pool(ml.effects(y, [0.02] * 10, study=[f"T{i}" for i in range(10)], measure="OR")))
    assert record.splitting == ("T0",)
    chart = ml.plot(record).layout
    assert "mostly with T0 (darker: more subsets)" in [words for *_, words in chart.legend]
    assert {a.role for a in chart.areas} & set(WITH)
    assert {a.role for a in chart.areas} & set(RAMP)
    holds, usable = record.contains("T0"), (record.k >= 2) & np.isfinite(record.spread)
    for path, part in zip(chart.paths, (holds, ~holds), strict=True):
        middle = chart.x.low + path.points[0][0] * (chart.x.high - chart.x.low)
        assert middle == pytest.approx(np.median(record.estimate[usable & part]))
    whole = ml.plot(RECORDS["AllSubsets"]).layout
    assert not {a.role for a in whole.areas} & set(WITH)


def test_a_selection_model_that_cannot_be_relied_on_shows_its_profile() -> None:
    """Below the selection function stand the likelihood and the effect along its first parameter."""
    found = ml.selection_model(ml.pool(E.take(range(6)), tau2="ML", test="z"), function="negative-exponential-power")
    assert not found.converged
    upper = ml.plot(found).layout.below
    assert upper is not None
    assert upper.below is not None
    held, height, effect = found.profile
    for chart, values in ((upper, height - height.max()), (upper.below, np.log(effect))):
        drawn = np.array([d.at for d in chart.dots])
        assert np.exp(chart.x.low + drawn[:, 0] * (chart.x.high - chart.x.low)) == pytest.approx(held)
        shown = np.maximum(values, -7.7) if chart is upper else values
        assert chart.y.low + drawn[:, 1] * (chart.y.high - chart.y.low) == pytest.approx(shown, abs=0.02)
        assert [d.hollow for d in chart.dots] == (height < height.max() - 1.921).tolist()
    relied = ml.selection_model(FIT)
    assert ml.plot(relied).layout.below is None
    assert ml.plot(ml.selection_model(FIT, profile=True)).layout.below is not None


def test_copas_shows_a_profile_for_each_fit_that_cannot_be_relied_on() -> None:
    """One line per strength of selection; none where all fits can be relied on."""
    record = RECORDS["Copas"]
    assert ml.plot(replace(record, converged=np.ones(3, bool), profiles={})).layout.below is None
    rho = np.linspace(-0.99, 0.99, 5)
    lost = (rho, np.array([-3.0, -2.0, -1.0, -2.0, -6.0]), np.exp(-0.2 - 0.1 * rho))
    poor = replace(record, converged=np.array([True, False, False]), profiles={1: lost, 2: lost})
    upper = ml.plot(poor).layout.below
    assert len(upper.below.paths) == 2
    assert [w for _, kind, w in upper.below.legend if kind == "line"] == ["70% published", "40% published"]
    assert [d.hollow for d in upper.dots[:5]] == [True, False, False, False, True]
    nothing = replace(poor, converged=np.zeros(3, bool))
    assert ml.plot(nothing).to_bytes("png")[:4] == b"\x89PNG"


def test_steps_of_a_selection_function_have_their_interval() -> None:
    """The band runs between the ends of the interval of the weight; functions of two parameters have none."""
    record = ml.selection_model(FIT)
    chart = ml.plot(record).layout
    ends = np.array(chart.areas[0].points)[:, 1] * (chart.y.high - chart.y.low) + chart.y.low
    assert ends.min() == pytest.approx(min(record.delta_low[1], 1.0))
    assert ends.max() == pytest.approx(min(max(record.delta_high[1], 1.0), chart.y.high))
    assert ml.plot(ml.selection_model(FIT, function="beta")).layout.areas == ()


@pytest.mark.parametrize("method", ["rosenthal", "orwin", "rosenberg", "general"])
def test_fail_safe_curves_meet_the_limit_at_n(method: str) -> None:
    """The dot lies on the curve, which passes the limit between n - 1 and n studies."""
    record = ml.fail_safe_n(FIT, method=method)
    chart = ml.plot(record).layout
    assert chart.x.low + chart.dots[0].at[0] * (chart.x.high - chart.x.low) == pytest.approx(record.n, abs=1e-6)
    limit = record.target if method == "orwin" else record.alpha
    reached = chart.y.low + chart.dots[0].at[1] * (chart.y.high - chart.y.low)
    step = abs(limit) if record.n < 20 else 0.05 * abs(limit)
    assert abs(reached - limit) <= step
    assert not record.to_frame().isna().any().any()


def test_confounders_of_equal_strength_are_the_e_value() -> None:
    """The curve of the estimate crosses the diagonal at the E-value."""
    record = ml.e_value(FIT)
    chart = ml.plot(record).layout
    points = np.exp(np.array(chart.paths[0].points) * (chart.x.high - chart.x.low))
    at = int(np.argmin(np.abs(points[:, 0] - points[:, 1])))
    assert points[at, 0] == pytest.approx(record.value, rel=0.03)
    ratio = 1 / record.risk_ratio if record.risk_ratio < 1 else record.risk_ratio
    assert points.prod(axis=1) / (points.sum(axis=1) - 1) == pytest.approx(ratio)


def test_checks_side_by_side() -> None:
    """All pooled effects of a robustness check in one forest."""
    rows = ml.plot(ml.robustness(FIT)).layout.rows
    assert rows[-1].value == pytest.approx(FIT.estimate.value)
    filled = next(r for r in rows if r.label == "Trim and fill")
    assert filled.value == pytest.approx(ml.trim_and_fill(FIT).filled.estimate.value)
    assert ml.plot(ml.henmi_copas(FIT)).layout.rows[-1].value == pytest.approx(ml.henmi_copas(FIT).estimate.value)


def test_checks_of_multilevel_fits_and_regressions_side_by_side() -> None:
    """A multilevel fit has its pooled effect and that without sampling error, a regression its coefficient."""
    fit = ml.pool_multilevel(E, random="~ 1 | site")
    rows = ml.plot(ml.robustness(fit)).layout.rows
    assert rows[-1].value == pytest.approx(fit.estimate.value)
    limit = ml.small_study(fit).limit
    assert limit is not None
    assert next(r for r in rows if r.label.startswith("Without sampling error")).low == pytest.approx(limit.low)
    without = ml.leave_one_out(fit)
    assert rows[0].value == pytest.approx(np.exp(without.beta[:, 0].min()))
    regression = ml.pool(E, moderators="~ year")
    rows = ml.plot(ml.robustness(regression)).layout.rows
    assert rows[-1].value == pytest.approx(regression.beta[1])
    assert [r.label.split(" (")[-1] for r in rows[:2]] == ["lowest)", "highest)"]


def test_leave_one_out_and_cumulative_are_forests() -> None:
    """A row per step, the pooled effect of all below."""
    rows = ml.plot(ml.leave_one_out(FIT)).layout.rows
    assert [r.kind for r in rows] == ["study"] * K + ["total"]
    assert rows[0].label == "Without Study 1"
    assert rows[0].value == pytest.approx(ml.leave_one_out(FIT).value[0])
    steps = ml.plot(ml.cumulative(FIT, by="-year")).layout.rows
    assert steps[0].label == "Study 14"
    assert steps[1].label == "+ Study 13"


def test_effects_of_one_study_keep_the_rows_of_the_input() -> None:
    """In whatever order they are added or left out."""
    with pytest.warns(ml.errors.SuspiciousDataWarning):
        e = ml.effects([0.1, 0.4, 0.2, 0.3], [0.02] * 4, study=["A", "B", "A", "C"], columns={"year": [4, 3, 2, 1]})
    fit = ml.pool(e)
    steps = ml.plot(ml.cumulative(fit, by="year")).layout.rows
    assert [r.label for r in steps[:4]] == ["C", "+ A (row 3)", "+ B", "+ A (row 1)"]
    without = ml.plot(ml.leave_one_out(fit)).layout.rows
    assert [r.label for r in without[:4]] == ["Without A (row 1)", "Without B", "Without A (row 3)", "Without C"]


def test_axes() -> None:
    """Printed labels at analysis places; zero kept."""
    axis = effect_axis(E.measure, np.log([0.5, 1.4]))
    for place, label in zip(axis.ticks, axis.labels, strict=True):
        assert np.exp(axis.low + place * (axis.high - axis.low)) == pytest.approx(float(label))
    assert plain_axis([0.2, 3.0], "x", zero=True).low == 0.0


def test_other_views_of_a_fit() -> None:
    """Drapery peaks at 1 over the estimate; bubbles are as many as studies; orchard groups."""
    chart = ml.drapery(FIT).layout
    pooled = np.array(next(p for p in chart.paths if p.role == "alarm").points)
    assert pooled[:, 1].max() == pytest.approx(1.0, abs=0.1)
    peak = chart.x.low + pooled[pooled[:, 1].argmax(), 0] * (chart.x.high - chart.x.low)
    assert peak == pytest.approx(FIT.beta[0], abs=0.02)
    bubbles = ml.bubble(ml.pool(E, moderators="~ year")).layout
    assert len(bubbles.dots) == K
    assert len(ml.orchard(FIT).layout.dots) == K + 1
    with pytest.raises(ml.errors.OptionError, match="no numerical moderator 'dose'"):
        ml.bubble(ml.pool(E, moderators="~ year"), moderator="dose")
    with pytest.raises(ml.errors.DataError, match="two-by-two"):
        ml.labbe(FIT)


def test_what_has_no_plot_says_what_has() -> None:
    """The message lists the records."""
    with pytest.raises(ml.errors.OptionError, match=r"ml\.forest"):
        ml.plot(FIT)


@pytest.mark.parametrize("name", ["SelectionModel", "Copas", "Radial", "Influence"])
def test_charts_in_axes_that_are_too_low_stay_readable(name: str) -> None:
    """Text is shrunk as far as the height demands, and no further."""
    figure = Figure(figsize=(6, 2.5))
    FigureCanvasAgg(figure)
    plot = ml.plot(RECORDS[name], ax=figure.add_axes((0, 0, 1, 1)))
    assert plot.scene.height <= 180.5
    assert plot.scene.width <= 432.5
    full = ml.plot(RECORDS[name], width=6).scene
    texts = [m for m in plot.scene.marks if isinstance(m, Text)]
    assert min(t.size for t in texts) >= 0.9 * 6.9 * min(1.0, 180 / full.height)
