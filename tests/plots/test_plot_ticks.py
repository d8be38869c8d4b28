"""Ticks are round, within the limits, and apart."""

from __future__ import annotations

import numpy as np
import pytest

from metaleptic.measures import MEASURES, log, same
from metaleptic.plots.ticks import fits, linear_steps, round_ticks, tick_label


@pytest.mark.parametrize("low", [0.001, 0.05, 0.18, 0.33, 0.6, 0.9])
@pytest.mark.parametrize("high", [1.05, 1.4, 2.2, 5.5, 40.0, 1000.0])
@pytest.mark.parametrize("room", [15.0, 23.5, 40.0])
def test_log_ticks_hold_the_null_and_do_not_touch(low: float, high: float, room: float) -> None:
    ticks, labels = round_ticks("log", low, high, log, room=room, keep=1.0)
    assert 1.0 in ticks
    assert low <= ticks[0]
    assert ticks[-1] <= high
    where = (np.log(ticks) - np.log(low)) / (np.log(high) - np.log(low))
    assert fits(labels, where, room)
    assert all(len(label.strip("0").replace(".", "")) <= 4 for label in labels), labels


@pytest.mark.parametrize("span", [1e-4, 0.02, 0.7, 3.0, 55.0, 1e4])
@pytest.mark.parametrize("centre", [0.0, -1.3, 170.0])
def test_linear_ticks_are_evenly_spaced(span: float, centre: float) -> None:
    low, high = centre - span / 2, centre + span / 2
    ticks, labels = round_ticks("linear", low, high, same, room=40.0)
    assert len(set(labels)) == len(labels)
    if len(ticks) > 2:
        assert np.allclose(np.diff(ticks), np.diff(ticks)[0])
    assert all(low - 1e-9 <= t <= high + 1e-9 for t in ticks) or len(ticks) == 1


def test_months_are_counted_in_quarters_and_years() -> None:
    assert round_ticks("log", 2.5, 50, log, unit="months")[1] == ("3", "6", "12", "24", "48")


@pytest.mark.parametrize("high", [13.0, 24.0, 41.0, 64.0, 110.0])
def test_months_never_double_to_sixteen(high: float) -> None:
    for low in (0.9, 1.9, 3.5):
        assert not {"8", "16", "32", "64", "10", "20"} & set(round_ticks("log", low, high, log, unit="months")[1])


def test_symmetric_ticks_for_ratios() -> None:
    assert round_ticks("log", 0.18, 5.5, log, keep=1.0)[1] == ("0.2", "0.5", "1", "2", "5")
    assert round_ticks("log", 0.3, 2.0, log, keep=1.0)[1][-2:] in {("1.4", "2"), ("1", "2"), ("1.5", "2")}


def test_percent_on_a_logit_axis() -> None:
    ticks, labels = round_ticks("percent", 0.02, 0.95, MEASURES["PLO"].to_analysis, room=40.0)
    assert len(ticks) >= 4
    assert all(float(label) in {5, 10, 20, 35, 50, 65, 80, 90, 95} for label in labels)


def test_labels_have_no_exponent_no_minus_zero_and_a_true_minus() -> None:
    assert tick_label(-0.5) == "−0.5"
    assert tick_label(1e-5) == "0.00001"
    assert tick_label(0.2, percent=True) == "20"
    assert all(tick_label(x) != "−0" for s in linear_steps(-0.0, 1.0) for x in s)
