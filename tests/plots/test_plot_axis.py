"""The axis holds what must be seen and is not blown up by one huge interval."""

from __future__ import annotations

import numpy as np
import pytest

from metaleptic.errors import OptionError
from metaleptic.measures import MEASURES
from metaleptic.plots.axis import make_axis, robust_range

HR, DIFF, PLO = MEASURES["HR"], MEASURES["DIFF"], MEASURES["PLO"]


def test_a_huge_interval_does_not_widen_the_axis() -> None:
    values, low, high = np.array([0.7, 0.9, 1.1]), np.array([0.5, 0.7, 0.001]), np.array([1.0, 1.2, 900.0])
    axis = make_axis(HR, values, low, high)
    assert axis.low > 0.1
    assert axis.high < 10
    assert all(0 <= axis.position(x) <= 1 for x in values)


def test_intervals_of_usual_length_are_held_whole() -> None:
    y = np.array([0.1, 0.4, -0.2, 0.3])
    assert robust_range(y, y - 0.5, y + 0.5) == pytest.approx((-0.7, 0.9))


def test_bounds_that_are_not_reached_do_not_count() -> None:
    low, high = robust_range(np.array([1.0, 2.0]), np.array([0.5, -np.inf]), np.array([np.inf, 3.0]))
    assert np.isfinite([low, high]).all()
    assert low <= 0.5
    assert high >= 3.0


def test_the_null_is_shown_unless_it_is_far_off() -> None:
    y = np.array([2.0, 3.0])
    assert make_axis(DIFF, y, y - 1, y + 1).null == 0.0
    far = make_axis(DIFF, y + 500, y + 499, y + 501)
    assert np.isnan(far.null)
    assert far.low > 400


def test_proportions_stay_between_0_and_100() -> None:
    y = np.array([0.0, 0.5, 0.97])
    axis = make_axis(PLO, y, np.array([0.0, 0.2, 0.8]), np.array([0.3, 0.8, 1.0]))
    assert (axis.low, axis.high) == (0.0, 1.0)
    assert axis.labels[0] == "0"
    assert axis.labels[-1] == "100"


def test_one_value_without_length_still_has_an_axis() -> None:
    one = np.array([1.0])
    axis = make_axis(HR, one, one, one)
    assert axis.low < 1 < axis.high


@pytest.mark.parametrize("xlim", [(2, 1), (0, 2), (-1, 2), (1, float("inf"))])
def test_limits_that_cannot_be_are_refused(xlim: tuple[float, float]) -> None:
    one = np.array([1.0])
    with pytest.raises(OptionError, match="limit"):
        make_axis(HR, one, one, one, xlim=xlim)
