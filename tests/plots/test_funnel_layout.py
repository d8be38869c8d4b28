"""The funnel plot as data: points, limits, contours, words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import OptionError
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
