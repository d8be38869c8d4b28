"""The verb: arms, intervals, tables, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import metaleptic as ml

TIMES, EVENTS = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161], [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0]


def test_one_group() -> None:
    fit = ml.km(TIMES, EVENTS, interval="plain")
    assert (fit.median.value, fit.median.low, fit.median.high) == (31, 18, 48)
    assert_allclose(fit.at(24).value, 0.61363636363636354)
    assert_allclose([fit.at(24).low, fit.at(24).high], [0.31448249194643668, 0.91279023532629044])
    mean = fit.restricted_mean(30)
    assert_allclose([mean.value, mean.low, mean.high], [24.602272727272727, 20.068583256865978, 29.135962197679476])
    assert fit.at_risk([0, 13, 50]).tolist() == [11, 10, 1]
    assert np.isinf(ml.km(TIMES, EVENTS, interval="log").median.high)
    with pytest.raises(ml.errors.NotEstimableError, match="161"):
        fit.restricted_mean(200)


def test_arms_keep_their_names_and_order() -> None:
    fit = ml.km(TIMES, EVENTS, arm=["B"] * 6 + ["A"] * 5)
    assert list(fit.median) == ["B", "A"]
    frame = fit.to_frame()
    assert frame["arm"].tolist() == ["B"] * 5 + ["A"] * 5
    assert (frame["events"].sum(), frame["censored"].sum()) == (7, 4)


def test_patients_come_as_ipd_or_as_something_that_has_them() -> None:
    ipd = ml.IPD(TIMES, EVENTS, ["x"] * 11)
    assert ml.km(ipd).median.value == ml.km(TIMES, EVENTS).median.value == ml.km(ml.km(ipd)).median.value


@pytest.mark.parametrize(
    ("times", "events", "message"),
    [
        ([1, -2], [1, 1], "patient 2: the time is negative"),
        ([1, np.nan], [1, 1], "patient 2: the time is missing"),
        ([1, 2], [1, 2], "patient 2: the event is neither"),
        ([1, 2], [1], "2 times, 1 events"),
        ([], [], "no patients"),
        (["a"], [1], "not all of these are numbers"),
    ],
)
def test_bad_patients_are_named(times: list[float], events: list[int], message: str) -> None:
    with pytest.raises(ml.errors.DataError, match=message):
        ml.km(times, events)


def test_unknown_options_list_the_known() -> None:
    with pytest.raises(ml.errors.OptionError, match="log-log"):
        ml.km(TIMES, EVENTS, interval="wald")
    with pytest.raises(ml.errors.OptionError, match="midpoint"):
        ml.km(TIMES, EVENTS, rule="median")
    with pytest.raises(ml.errors.OptionError, match="events are missing"):
        ml.km(TIMES)
