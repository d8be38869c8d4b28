"""Patients from curves: printed counts are kept, bad points corrected in words, bad numbers refused by name."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError
from metaleptic.reconstruction.result import Reconstruction
from metaleptic.reconstruction.steps import steps


def _at_risk(rec: Reconstruction, t: float) -> int:  # type: ignore[name-defined]
    return int((rec.ipd.time >= t - 1e-9).sum())


def test_exact_drops_come_back() -> None:
    """Ten patients, one drop per death: times, deaths and numbers at risk return as they were."""
    curve = ml.Curve([0, 2, 5, 9, 12], [1, 0.9, 0.8, 0.8 * 5 / 6, 0.8 * 5 / 6], kind="drops")
    rec = ml.reconstruct(curve, ml.Published(n=10, events=3, at_risk={0: 10, 6: 7, 10: 5}))
    assert rec.ipd.time[rec.ipd.event == 1].tolist() == [2, 5, 9]
    assert len(rec.ipd) == 10
    assert [_at_risk(rec, t) for t in (0, 6, 10)] == [10, 7, 5]
    assert rec.ipd.time.max() == 12


def test_percent_and_cumulative_incidence_give_the_same_patients() -> None:
    """The three ways to print a curve are one curve, and what was done is said."""
    t, s = np.array([0, 1, 3, 4, 7.0]), np.array([1, 0.9, 0.7, 0.65, 0.5])
    printed = ml.Published(n=40, events=18)
    plain = ml.reconstruct(ml.Curve(t, s), printed)
    percent = ml.reconstruct(ml.Curve(t, 100 * s), printed)
    incidence = ml.reconstruct(ml.Curve(t, 1 - s), printed)
    assert np.allclose(plain.ipd.time, percent.ipd.time)
    assert np.allclose(plain.ipd.time, incidence.ipd.time)
    assert "percentages" in percent.corrections[0]
    assert "cumulative incidence" in incidence.corrections[0]
    assert plain.corrections == ()


def test_rare_cumulative_incidence_is_not_a_curve_near_zero() -> None:
    """A few per mille that rise from 0 are incidence; read as survival, everyone would have died at once."""
    rec = ml.reconstruct(ml.Curve([0, 2, 4, 6, 8], [0, 0.002, 0.004, 0.006, 0.01]), ml.Published(n=500))
    assert "cumulative incidence" in rec.corrections[0]
    assert rec.ipd.event.sum() <= 8


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: ml.Published(n=10, events=11), "more events than patients"),
        (lambda: ml.Published(n=10, at_risk={0: 10, 6: 4, 12: 5}), "rises from 4 at time 6 to 5 at time 12"),
        (lambda: ml.Published(n=10, rates={12: 83}), "proportions"),
        (lambda: ml.Published(n=10, median=8, median_low=9), "inside its interval"),
        (lambda: ml.Published(n=10, at_risk={0: 12}), "more at risk than patients"),
        (lambda: ml.reconstruct(ml.Curve([0, 5], [1, -0.4]), ml.Published(n=10)), "below 0"),
        (lambda: ml.Contrast("B", "A", hr=3, low=1, high=2), "outside its interval"),
        (lambda: ml.Curve([0, 1], [1]), "2 times but 1 heights"),
        (lambda: ml.Curve([0, float("nan")], [1, 0.8]), "point 2 is missing or not finite"),
        (lambda: ml.Curve([-3, 5], [1, 0.8]), "before time 0"),
        (lambda: ml.Published(events=11, at_risk={0: 10}), "events 11 > at_risk 10 at time 0"),
        (lambda: ml.Published(n=10, at_risk=[10, 5]), r"at_risk \[10, 5\] has no times"),
        (lambda: ml.Published(n=10, rates={"x": 0.8}), "rates: 'x' is not a time"),
        (lambda: ml.Published(n=10, rates={float("nan"): 0.8}), "rates: time nan is not a time"),
        (lambda: ml.Published(n=10, at_risk={6: 4, "6": 5}), "time 6 is given twice"),
        (lambda: ml.Published(n=10, last_time=float("inf")), "last_time is inf"),
        (lambda: ml.Published(n=10, first_time=9, last_time=4), "first_time 9 > last_time 4"),
        (lambda: ml.Contrast("B", "A", hr=0.5, p=">0.05"), "names no value"),
        (lambda: ml.reconstruct(ml.Curve([0, 2, 5], [1.2, 0.5, 0.2]), ml.Published(n=10)), "above 1"),
        (
            lambda: ml.reconstruct(ml.Curve([0, 2, 4, 6, 0, 2, 4, 6], [1, 0.9, 0.8, 0.7, 1, 0.5, 0.3, 0.1])),
            "points of two curves mixed",
        ),
    ],
)
def test_impossible_numbers_are_named(made: object, words: str) -> None:
    """Nothing impossible passes the door."""
    with pytest.raises(DataError, match=words):
        made()  # type: ignore[operator]


CLICKS = ml.Curve([0, 2, 5, 9, 12], [1, 0.9, 0.8, 0.667, 0.667])


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: ml.reconstruct(([0, 1], [1, 0.9]), ml.Published(n=10)), "a tuple is no curve"),
        (lambda: ml.reconstruct({"A": [0, 1]}, {"A": ml.Published(n=10)}), "arm 'A': a list is no curve"),
        (lambda: ml.reconstruct({"A": CLICKS}, {"A": 10}), "arm 'A': a int is no Published"),
        (lambda: ml.reconstruct({}, {}), "there is no arm"),
        (lambda: ml.reconstruct(CLICKS, draws=1.5), "draws 1.5"),
        (lambda: ml.reconstruct(CLICKS, draws=-1), "draws -1"),
        (lambda: ml.reconstruct(CLICKS, seed="a"), "seed 'a'"),
        (lambda: ml.reconstruct(CLICKS, ml.Published(n=10), model="weibull"), "every arm has one"),
        (
            lambda: ml.reconstruct({"A": CLICKS, "B": CLICKS}, contrasts=ml.Contrast("A", "B", hr=1)),
            "list of ml.Contrast",
        ),
        (
            lambda: ml.reconstruct(
                {"A": CLICKS, "B": CLICKS}, contrasts=[ml.Contrast("A", "B", hr=1), ml.Contrast("A", "B", hr=2)]
            ),
            "given twice",
        ),
    ],
)
def test_wrong_calls_are_explained(made: object, words: str) -> None:
    """No bare traceback for what a caller may type."""
    with pytest.raises(OptionError, match=words):
        made()  # type: ignore[operator]


def test_medians_that_are_not_reached_and_times_of_follow_up_are_compared() -> None:
    """Words for infinity are understood; first time and follow-up stand beside their reconstructed values."""
    printed = ml.Published(n=10, median="not reached", median_high="NR", last_time=12, first_time="2", follow_up=12)
    numbers = {n.number: n for n in ml.reconstruct(CLICKS, printed).fidelity.numbers}
    assert numbers["median"].agrees
    assert numbers["median"].printed == "not reached"
    assert numbers["median high"].agrees
    assert set(numbers) == {"n", "median", "median high", "last time", "first time", "follow-up"}


def test_many_patients_on_one_tick() -> None:
    """Censorings that share a few ticks are found, however many: events, numbers at risk and survival stay exact."""
    events = np.arange(0.5, 12, 0.5)
    ticks = np.array([2.25, 4.75, 9.75, 10.25])
    censored = np.repeat(ticks, [3, 250, 180, 60])
    true = steps(events, np.append(censored, np.full(20, 12.0)))
    time = np.concatenate([[0], np.repeat(true.time, 2), [12.0]])
    survival = np.concatenate([[1, 1], np.repeat(true.survival, 2)])
    n = int(true.at_risk[0])
    at_risk = {t: int((events >= t).sum() + (censored >= t).sum() + 20) for t in (0, 4, 8, 12)}
    curve = ml.Curve(time, survival, kind="drops", censor_times=np.append(ticks, 12.0))
    rec = ml.reconstruct(curve, ml.Published(n=n, events=len(events), at_risk=at_risk, last_time=12))
    dead = rec.ipd.event == 1
    found = steps(rec.ipd.time[dead], rec.ipd.time[~dead])
    assert dead.sum() == len(events)
    assert all((rec.ipd.time >= t).sum() == k for t, k in at_risk.items())
    assert np.abs(found.at(true.time) - true.survival).max() < 1e-4


@pytest.mark.parametrize("printed", ["everything", "n"])
def test_crowds_censored_at_the_close_of_a_study(printed: str) -> None:
    """Hundreds censored within a short time, no ticks drawn: exact drops are still met exactly."""
    rng = np.random.default_rng(3)
    death, close = rng.exponential(30, 600), np.where(rng.random(600) < 0.75, rng.uniform(29.5, 30.5, 600), 50.0)
    time, dead = np.minimum(death, close), death <= close
    true = steps(time[dead], time[~dead])
    curve = ml.Curve(
        np.concatenate([[0], np.repeat(true.time, 2), [50.0]]),
        np.concatenate([[1, 1], np.repeat(true.survival, 2)]),
        kind="drops",
    )
    at_risk = {float(t): int((time >= t).sum()) for t in (0, 12, 24, 36, 48)}
    everything = ml.Published(n=600, events=int(dead.sum()), at_risk=at_risk, last_time=50)
    rec = ml.reconstruct(curve, everything if printed == "everything" else ml.Published(n=600))
    found = steps(rec.ipd.time[rec.ipd.event == 1], rec.ipd.time[rec.ipd.event == 0])
    assert np.abs(found.at(true.time) - true.survival).max() < 2e-4
    if printed == "everything":
        assert (rec.ipd.event == 1).sum() == dead.sum()
