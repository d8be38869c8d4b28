"""The funnel plot as data: points, limits, contours, words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError
from metaleptic.plots.funnel_layout import funnel_layout
from metaleptic.pooling.result import Pooled

Make = Callable[..., Pooled]


def inside(x: float, y: float, corners: tuple[tuple[float, float], ...]) -> bool:
    """Whether a point lies in a polygon (ray casting)."""
    hit = False
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            hit = not hit
    return hit


@pytest.mark.parametrize("k", [6, 13, 40])
def test_contours_separate_the_significant_studies(k: int, random_fit: Make) -> None:
    fit = random_fit(k)
    layout = funnel_layout(fit)
    z = np.abs(fit.effects.y) / np.sqrt(fit.effects.v)
    for contour, bound in zip(layout.contours, (1.6449, 1.96, 2.5758), strict=True):
        drawn = [inside(p.x, p.y, contour.corners) for p in layout.points]
        assert drawn == list(z < bound)


def test_every_study_lies_within_the_plot_at_its_place(random_fit: Make) -> None:
    fit = random_fit(13)
    layout = funnel_layout(fit)
    assert [p.study for p in layout.points] == list(fit.effects.study)
    assert all(0 <= p.x <= 1 and 0 < p.y < 1 for p in layout.points)
    assert [p.se for p in layout.points] == pytest.approx(np.sqrt(fit.effects.v))
    assert [p.x for p in layout.points] == pytest.approx([layout.axis.position(p.value) for p in layout.points])


def test_pseudo_limits_are_straight_from_the_pooled_estimate(random_fit: Make) -> None:
    fit = random_fit(13)
    layout = funnel_layout(fit)
    (start, left), (_, right) = layout.limits
    assert start == (layout.pooled, 0.0)
    width = np.log(layout.axis.high) - np.log(layout.axis.low)
    assert (right[0] - left[0]) * width == pytest.approx(2 * 1.959964 * layout.se_most * right[1])


def test_measures_without_a_null_have_no_contours(medians: Pooled, responses: Pooled) -> None:
    for fit in (medians, responses):
        layout = funnel_layout(fit)
        assert layout.contours == ()
        assert layout.beyond == ""
        assert np.isnan(layout.axis.null)
        assert "significant" not in layout.alt


def test_fewer_than_ten_studies_are_said_to_be_few(random_fit: Make) -> None:
    assert funnel_layout(random_fit(9)).alt.endswith("Fewer than 10 studies: asymmetry can hardly be judged.")
    assert funnel_layout(random_fit(9)).footnotes
    assert not funnel_layout(random_fit(10)).footnotes


def test_legend_words() -> None:
    fit = ml.pool(ml.effects([0.1, 0.2, 0.4], [0.02, 0.05, 0.1], measure="HR"))
    layout = funnel_layout(fit)
    assert [c.label for c in layout.contours] == ["P > 0.10", "0.05 < P < 0.10", "0.01 < P < 0.05"]
    assert layout.beyond == "P < 0.01"
    assert layout.se_title == "Standard error (log hazard ratio)"
    assert funnel_layout(fit, contours=()).contours == ()
    assert funnel_layout(fit, style="jama").beyond == "P < .01"


def test_a_printed_scale_that_falls_runs_from_left_to_right_all_the_same() -> None:
    fit = ml.pool(ml.effects([-0.5, 0.0, 0.4], [0.05, 0.1, 0.1], measure="SURV"))
    layout = funnel_layout(fit)
    order = np.argsort([p.value for p in layout.points])
    assert list(order) == list(np.argsort([p.x for p in layout.points]))
    assert layout.axis.low < layout.axis.high
    assert [p.x for p in layout.points] == pytest.approx([layout.axis.position(p.value) for p in layout.points])


@pytest.mark.parametrize("contours", [(0.1,), (1.0,), (0.6, 0.7, 0.8, 0.9, 0.95)])
def test_impossible_contours_are_refused(contours: tuple[float, ...], random_fit: Make) -> None:
    with pytest.raises(OptionError, match="contours"):
        funnel_layout(random_fit(3), contours=contours)


@pytest.mark.parametrize("y", ["variance", "precision", "weight"])
def test_contours_separate_the_significant_studies_on_every_scale(y: str, random_fit: Make) -> None:
    """As against the standard error; curves are drawn through 80 points, so that studies on the line do not count."""
    fit = random_fit(40)
    layout = funnel_layout(fit, y=y)
    z = np.abs(fit.effects.y) / np.sqrt(fit.effects.v)
    assert len(layout.contours) == 3
    for contour, bound in zip(layout.contours, (1.6449, 1.96, 2.5758), strict=True):
        clear = np.abs(z - bound) > 0.06
        drawn = np.array([inside(p.x, p.y, contour.corners) for p in layout.points])
        assert (drawn == (z < bound))[clear].all()
    assert all(0 <= p.x <= 1 and 0 <= p.y <= 1 for p in layout.points)
    size = {"variance": fit.effects.v, "precision": -1 / np.sqrt(fit.effects.v), "weight": -1 / fit.effects.v}[y]
    assert np.argsort([p.y for p in layout.points]).tolist() == np.argsort(size).tolist()


def test_limits_with_tau_hold_the_studies_that_they_should() -> None:
    """The dashed curve stands z sqrt(se^2 + tau^2) from the pooled effect."""
    fit = ml.pool(ml.effects([-0.9, 0.2, -0.3, 0.5, -0.1], [0.05, 0.02, 0.1, 0.04, 0.2], measure="HR"))
    layout = funnel_layout(fit, tau=True)
    assert "with tau" in layout.limits_label
    mu, span = float(fit.beta[0]), np.log(layout.axis.high) - np.log(layout.axis.low)
    for place, height in layout.limits[1][:-1]:
        half = (place - layout.pooled) * span
        assert half == pytest.approx(1.959964 * np.hypot(height * layout.se_most, fit.tau.value), rel=1e-5)
    assert layout.axis.position(np.exp(mu)) == pytest.approx(layout.pooled)


def test_words_count_what_lies_outside_the_limits_that_are_drawn() -> None:
    """With tau the wide limits are meant, without it the narrow ones."""
    fit = ml.pool(ml.effects([-0.9, 0.2, -0.3, 0.5, -0.1], [0.05, 0.02, 0.1, 0.04, 0.2], measure="HR"))
    away = np.abs(fit.effects.y - fit.beta[0])
    narrow = int(np.sum(away > 1.959964 * np.sqrt(fit.effects.v)))
    wide = int(np.sum(away > 1.959964 * np.sqrt(fit.effects.v + fit.tau2)))
    assert narrow > wide
    assert f"; {narrow} outside the pseudo 95% limits;" in funnel_layout(fit).alt
    assert f"; {wide} outside the pseudo 95% limits with tau;" in funnel_layout(fit, tau=True).alt


def test_axes_of_patients() -> None:
    """Large studies on top, neither limits nor contours; without their number the study is named."""
    table = {"study": list("abc"), "x1": [4, 6, 30], "n1": [40, 50, 300], "x2": [8, 9, 70], "n2": [40, 50, 310]}
    e = ml.two_by_two(table, events1="x1", n1="n1", events2="x2", n2="n2", measure="RR")
    fit = ml.pool(e)
    for y, value in {
        "n": e.n,
        "sqrt n": np.sqrt(e.n),
        "log n": np.log(e.n),
        "1/n": 1 / e.n,
        "1/sqrt n": 1 / np.sqrt(e.n),
    }.items():
        layout = ml.funnel(fit, y=y).layout
        assert layout.limits == ()
        assert layout.contours == ()
        assert min(layout.points, key=lambda p: p.y).study == "c"
        top = layout.se_ticks[0] - layout.se_places[0] * (
            (layout.se_ticks[1] - layout.se_ticks[0]) / (layout.se_places[1] - layout.se_places[0])
        )
        assert layout.points[1].y == pytest.approx((value[1] - top) / (layout.se_most - top))
        assert "outside" not in layout.alt
    assert "against patients, which runs from 80 to 610. " in funnel_layout(fit, y="n").alt
    unknown = ml.pool(ml.effects([0.1, 0.2, 0.3], [0.1, 0.2, 0.1], study=list("abc"), measure="HR"))
    with pytest.raises(DataError, match=r"'a'.*number of patients is not known"):
        ml.funnel(unknown, y="n")
    with pytest.raises(OptionError, match="y axis 'size' is unknown"):
        ml.funnel(fit, y="size")


def test_filled_studies_are_rings() -> None:
    """As many as trim and fill finds, around their pooled effect; the published one as a line."""
    rng = np.random.default_rng(2)
    v = rng.uniform(0.01, 0.3, 15)
    fit = ml.pool(ml.effects(-0.2 - 1.2 * np.sqrt(v) + rng.normal(0, 0.05, 15), v, measure="HR"))
    record = ml.trim_and_fill(fit)
    assert record.missing > 0
    for plot in (ml.funnel(fit, fill=True), ml.funnel(record)):
        layout = plot.layout
        assert sum(p.filled for p in layout.points) == record.missing
        assert layout.pooled == pytest.approx(layout.axis.position(record.filled.estimate.value))
        assert layout.published == pytest.approx(layout.axis.position(fit.estimate.value))
        assert f"{record.missing} of them filled" in plot.alt
    with pytest.raises(OptionError, match="filled studies have no number"):
        ml.funnel(record, y="n")
