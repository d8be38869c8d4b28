"""Charts of sensitivity analyses as data: everything lies within the frame, and every record has its plot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.plots.chart import Chart, effect_axis, plain_axis
from metaleptic.plots.draw import CHARTS
from metaleptic.plots.panels import PanelChart

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
    """All pooled effects of a robustness check in one forest; coefficients have none."""
    rows = ml.plot(ml.robustness(FIT)).layout.rows
    assert rows[-1].value == pytest.approx(FIT.estimate.value)
    filled = next(r for r in rows if r.label == "Trim and fill")
    assert filled.value == pytest.approx(ml.trim_and_fill(FIT).filled.estimate.value)
    assert ml.plot(ml.henmi_copas(FIT)).layout.rows[-1].value == pytest.approx(ml.henmi_copas(FIT).estimate.value)
    with pytest.raises(ml.errors.OptionError, match="one by one"):
        ml.plot(ml.robustness(ml.pool(E, moderators="~ year")))


def test_leave_one_out_and_cumulative_are_forests() -> None:
    """A row per step, the pooled effect of all below."""
    rows = ml.plot(ml.leave_one_out(FIT)).layout.rows
    assert [r.kind for r in rows] == ["study"] * K + ["total"]
    assert rows[0].label == "Without Study 1"
    assert rows[0].value == pytest.approx(ml.leave_one_out(FIT).value[0])
    steps = ml.plot(ml.cumulative(FIT, by="-year")).layout.rows
    assert steps[0].label == "Study 14"
    assert steps[1].label == "+ Study 13"


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
