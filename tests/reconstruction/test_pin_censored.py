"""Censorings move a little, within their blocks, until a printed rate holds; what they cannot reach is left."""

from __future__ import annotations

import numpy as np

from metaleptic.reconstruction.pin_censored import pin_censored
from metaleptic.reconstruction.steps import steps

DEATHS = np.linspace(0.5, 11.5, 40)
CENSORED = np.r_[np.linspace(0.2, 9.8, 25), np.full(35, 12.0)]
EDGES = np.array([0.0, 6.0])


def _rate(censored: np.ndarray, time: float = 9.0) -> float:
    return float(steps(DEATHS, censored).at(time))


def test_a_rate_is_reached_from_either_side() -> None:
    for shift in (-0.002, 0.002):
        want = _rate(CENSORED) + shift
        moved = pin_censored(DEATHS, CENSORED, {9.0: want}, 0.0005, EDGES)
        assert abs(_rate(moved) - want) <= 0.0005 + 1e-9
        assert abs(_rate(CENSORED) - want) > 0.0005


def test_no_censoring_crosses_a_count_or_the_rate_and_none_is_lost() -> None:
    moved = pin_censored(DEATHS, CENSORED, {9.0: _rate(CENSORED) - 0.002}, 0.0005, EDGES)
    assert len(moved) == len(CENSORED)
    assert ((moved < 6) == (CENSORED < 6)).all()
    assert ((moved < 9) == (CENSORED < 9)).all()
    np.testing.assert_array_equal(moved[CENSORED >= 9], CENSORED[CENSORED >= 9])


def test_an_earlier_rate_stays_when_a_later_one_is_reached() -> None:
    first, second = _rate(CENSORED, 4.0), _rate(CENSORED) + 0.001
    moved = pin_censored(DEATHS, CENSORED, {4.0: first, 9.0: second}, 0.0005, EDGES)
    assert _rate(moved, 4.0) == first
    assert abs(_rate(moved) - second) <= 0.0005 + 1e-9


def test_what_cannot_be_reached_is_left() -> None:
    for rates in ({9.0: _rate(CENSORED) + 0.2}, {0.1: 0.99}):
        np.testing.assert_array_equal(pin_censored(DEATHS, CENSORED, rates, 0.0005, EDGES), CENSORED)
