"""First and last time, limits of the median and median follow-up come out as printed where the curve leaves room."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.reconstruction.pin_ends import pin_first, pin_last
from metaleptic.reconstruction.steps import steps


def _agrees(rec: ml.Reconstruction, number: str) -> bool:
    return next(bool(x.agrees) for x in rec.fidelity.numbers if x.number == number)


def test_first_time_is_met_by_a_censoring_if_there_is_one() -> None:
    """The earliest censoring moves to the first time; deaths move only where nobody is censored before the first count."""
    events, censored = np.array([3.0, 5.0]), np.array([4.0, 8.0])
    same, moved = pin_first(events, censored, 1.0, 0.05, stop=6.0)
    assert same is events
    assert moved.tolist() == [1.0, 8.0]
    deaths, _ = pin_first(events, np.array([8.0]), 1.0, 0.05, stop=6.0)
    assert deaths.tolist() == [1.0, 5.0]


def test_nobody_leaves_before_the_first_time() -> None:
    """Whoever left earlier leaves at the first time."""
    events, censored = pin_first(np.array([0.5, 5.0]), np.array([0.7, 8.0]), 1.0, 0.05, stop=6.0)
    assert events.tolist() == [1.0, 5.0]
    assert censored.tolist() == [1.0, 8.0]


@pytest.mark.parametrize("dies", [True, False])
def test_last_time(dies: bool) -> None:
    """The last to leave dies where the curve ends at 0, and is censored where it does not."""
    events, censored = pin_last(np.array([3.0, 20.0]), np.array([4.0, 21.0]), 22.0, 0.05, 18.0, dies=dies)
    assert (events.max(), censored.max()) == ((22.0, 21.0) if dies else (20.0, 22.0))


def test_every_draw_has_the_last_time() -> None:
    """Draws are data sets that agree with what is printed, the last time included."""
    curve = ml.Curve([0, 2, 4, 7, 9, 12, 15, 20], [1, 0.9, 0.81, 0.7, 0.58, 0.5, 0.42, 0.42])
    rec = ml.reconstruct(curve, ml.Published(n=60, last_time=22.0), draws=20, seed=1)
    assert all(abs(ipd.time.max() - 22.0) <= 0.5 for ipd in rec.draws)


def test_limits_of_the_median_are_met_within_reading_error() -> None:
    """Limits printed from the true patients are found again though the clicks err."""
    rng = np.random.default_rng(4)
    death, leave = rng.exponential(12, 80), rng.uniform(5, 30, 80)
    true = steps(death[death <= leave], leave[death > leave])
    low, high = true.median_interval(1.959964, "log-log")
    last = float(np.minimum(death, leave).max())
    time = np.append(true.time, last) + rng.normal(0, 0.05, len(true.time) + 1)
    height = np.append(true.survival, true.survival[-1]) + rng.normal(0, 0.003, len(true.time) + 1)
    order = np.argsort(time)
    printed = ml.Published(
        n=80,
        events=int((death <= leave).sum()),
        median=round(true.median(), 1),
        median_low=round(low, 1),
        median_high=round(high, 1),
    )
    rec = ml.reconstruct(ml.Curve(np.maximum(time[order], 0.01), np.clip(height[order], 0, 1)), printed)
    assert _agrees(rec, "median low")
    assert _agrees(rec, "median high")


@pytest.mark.parametrize("follow_up", [10, 16, 18])
def test_follow_up_is_met_where_nothing_else_tells_of_the_censorings(follow_up: int) -> None:
    """Censorings move until the median follow-up is as printed."""
    curve = ml.Curve([0, 3, 6, 9, 10, 13, 15, 20], [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.7])
    assert _agrees(ml.reconstruct(curve, ml.Published(n=40, follow_up=follow_up)), "follow-up")


@pytest.mark.parametrize("median", [13, 16.5])
def test_a_median_by_either_rule_moves_no_death(median: float) -> None:
    """Where survival rests at one half, papers print the start or the middle of the step: both agree with the clicks."""
    curve = ml.Curve([0, 3, 6, 9, 10, 13, 20], [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.5], kind="drops")
    rec = ml.reconstruct(curve, ml.Published(n=10, median=median))
    assert rec.ipd.time[rec.ipd.event == 1].max() == pytest.approx(13)


@pytest.mark.filterwarnings("ignore::metaleptic.errors.SuspiciousDataWarning")
def test_patients_are_guessed_from_the_first_number_at_risk() -> None:
    """Without n and without a count at time 0, as many are assumed as the first count needs, and it is said."""
    rec = ml.reconstruct(ml.Curve([0, 5, 6, 12, 13], [1, 0.7, 0.63, 0.4, 0.4]), ml.Published(at_risk={6: 76, 12: 43}))
    assert len(rec.ipd.time) == 109
    assert "76 at risk at time 6" in rec.corrections[0]
