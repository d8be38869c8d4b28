"""Printed rates pull the nearest deaths to their side, and nothing crosses a number at risk."""

from __future__ import annotations

import numpy as np

from metaleptic.reconstruction.pin_rates import pin_rates
from metaleptic.reconstruction.steps import steps

DEATHS = np.array([1.0, 2.0, 4.0, 5.1, 7.0])
CENSORED = np.full(5, 10.0)


def test_the_next_death_comes_forward() -> None:
    """Three of ten dead at 5, four printed: the fourth is moved to 5."""
    moved = pin_rates(DEATHS, CENSORED, {5.0: 0.6}, 0.005, np.array([0.0]), 1.0)
    assert abs(steps(moved, CENSORED).at(5.0) - 0.6) < 1e-9
    assert moved.tolist() == [1, 2, 4, 5, 7]


def test_the_last_death_is_put_off() -> None:
    """Three of ten dead at 4.05, two printed: the third is moved just beyond."""
    moved = pin_rates(DEATHS, CENSORED, {4.05: 0.8}, 0.005, np.array([0.0]), 1.0)
    assert 4.05 < moved[2] < 4.1
    assert abs(steps(moved, CENSORED).at(4.05) - 0.8) < 1e-9


def test_no_death_crosses_a_count_or_goes_far() -> None:
    """A number at risk between death and rate, or a rate too far away, leaves the deaths where they were."""
    for edges, reach in ((np.array([0.0, 5.05]), 1.0), (np.array([0.0]), 0.05)):
        moved = pin_rates(DEATHS, CENSORED, {5.0: 0.6}, 0.005, edges, reach)
        assert moved.tolist() == DEATHS.tolist()
