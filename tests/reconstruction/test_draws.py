"""Intervals from draws hold the truth about as often as they say, for trials simulated and digitised afresh.

Each trial is drawn from two Weibull distributions with uniform censoring, printed as papers print it, and read from a figure
as a trace (1000 by 700 pixels, calibrated to half a pixel, heights rounded to whole pixels) or at 15 even times.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.reconstruction import arm
from metaleptic.reconstruction.steps import Steps, steps
from metaleptic.reconstruction.two_groups import compare, risk_sets
from metaleptic.types import FloatArray

Patients = tuple[FloatArray, FloatArray]

TRIALS, DRAWS = 30, 40


def _patients(rng: np.random.Generator, n: int, scale: float) -> Patients:
    death, leave = scale * rng.weibull(rng.uniform(0.8, 1.4), n), rng.uniform(6, 40, n)
    time = np.maximum(np.round(np.minimum(death, leave), 2), 0.01)
    return time[death <= leave], time[death > leave]


def _trace(rng: np.random.Generator, true: Steps, last: float) -> ml.Curve:
    x = np.arange(0, 1000 * last / 42) * 42 / 1000
    heights = true.at(np.maximum(x + rng.uniform(-0.5, 0.5) * 42 / 1000, 0.0)) + rng.uniform(-0.5, 0.5) / 700
    return ml.Curve(x, np.clip(np.round(heights * 700) / 700, 0, 1), kind="trace")


def _readings(rng: np.random.Generator, true: Steps, last: float) -> ml.Curve:
    x = np.linspace(0, last, 16)
    heights = np.clip(true.at(x) + np.where(x > 0, rng.normal(0, 0.004, 16), 0.0), 0, 1)
    return ml.Curve(x, heights, kind="readings")


def _printed(one: Patients, true: Steps) -> ml.Published:
    everyone = np.concatenate(one)
    median = true.median()
    return ml.Published(
        n=len(everyone),
        events=len(one[0]),
        at_risk={float(t): int((everyone >= t).sum()) for t in (0, 6, 12, 18, 24, 30)},
        median=round(median, 1) if np.isfinite(median) else None,
        rates={12.0: round(float(true.at(12.0)), 3)} if everyone.max() > 12 else {},
        last_time=float(everyone.max()),
    )


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::metaleptic.errors.SuspiciousDataWarning")
@pytest.mark.parametrize("grade", ["trace", "readings"])
def test_intervals_hold_the_truth(grade: str) -> None:
    """Median, restricted mean and log hazard ratio are held about as often as said, by intervals of use."""
    rng = np.random.default_rng(20)
    miss: dict[str, list[tuple[bool, float]]] = {"median": [], "rmst": [], "hr": []}
    for _ in range(TRIALS):
        arms = {name: _patients(rng, int(rng.integers(25, 220)), scale) for name, scale in (("A", 20), ("B", 13))}
        true = {name: steps(*one) for name, one in arms.items()}
        last = {name: float(np.concatenate(one).max()) for name, one in arms.items()}
        read = _trace if grade == "trace" else _readings
        curves = {name: read(rng, s, last[name]) for name, s in true.items()}
        printed = {name: _printed(arms[name], s) for name, s in true.items()}
        rec = ml.reconstruct(curves, printed, draws=DRAWS, seed=1)
        drawn = [{name: _split(ipd.of(name)) for name in arms} for ipd in rec.draws]
        for name, s in true.items():
            found = [steps(*one[name]) for one in drawn]
            _note(miss["rmst"], s.rmst(last[name]), [x.rmst(last[name]) for x in found])
            if np.isfinite(s.median()):
                _note(miss["median"], s.median(), [x.median() for x in found])
        _note(miss["hr"], _hazard_ratio(arms), [_hazard_ratio(one) for one in drawn])
    for what, rows in miss.items():
        held = int(np.sum([row[0] for row in rows]))
        assert stats.binomtest(held, len(rows), 0.95, alternative="less").pvalue > 0.01, (grade, what, held, len(rows))
        # Errors of the usual size are a fair part of the width: intervals that hold everything would be of no use.
        assert np.mean([row[1] for row in rows]) > 0.3, (grade, what)


def _split(ipd: ml.IPD) -> Patients:
    return ipd.time[ipd.event == 1], ipd.time[ipd.event == 0]


def _hazard_ratio(arms: dict[str, Patients]) -> float:
    return float(compare(risk_sets(*arms["B"], *arms["A"])).beta)


def _note(rows: list[tuple[bool, float]], true: float, values: list[float]) -> None:
    low, high = np.quantile(values, [0.025, 0.975], method="inverted_cdf")
    near = 0.001 * max(abs(true), 1.0)
    rows.append(
        (bool(low - near <= true <= high + near), abs(true - np.mean(values)) / max(float(np.std(values)), near))
    )


def test_draws_of_exact_drops_keep_ties() -> None:
    """Deaths and ticks drawn at one time stay together: rounding of coordinates moves the restricted mean by little."""
    rng = np.random.default_rng(5)
    death, leave = rng.weibull(1.0, 300) * 20, rng.uniform(1, 40, 300)
    time, dead = np.maximum(np.round(np.minimum(death, leave)), 1.0), death <= leave
    true = steps(time[dead], time[~dead])
    last = float(time.max())
    curve = ml.Curve(
        np.concatenate([[0], np.repeat(true.time, 2), [last]]),
        np.concatenate([[1, 1], np.repeat(true.survival, 2)]),
        kind="drops",
        censor_times=np.unique(time[~dead]),
    )
    at_risk = {float(t): int((time >= t).sum()) for t in (0, 10, 20, 30)}
    rec = ml.reconstruct(
        curve, ml.Published(n=300, events=int(dead.sum()), at_risk=at_risk, last_time=last), draws=30, seed=2
    )
    means = [steps(ipd.time[ipd.event == 1], ipd.time[ipd.event == 0]).rmst(last) for ipd in rec.draws]
    assert all(ipd.event.sum() == dead.sum() for ipd in rec.draws)
    assert len(set(means)) == 30
    assert np.abs(np.array(means) / true.rmst(last) - 1).max() < 1e-4


def test_a_draw_keeps_the_knots_of_the_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a draw misses the median it is not cut anew: what moves its deaths was made for the cells of the solution."""
    curve = ml.Curve([0, 2, 4, 7, 9, 12, 15, 20], [1, 0.9, 0.81, 0.7, 0.58, 0.5, 0.42, 0.42])
    one = arm.prepare("", curve, ml.Published(n=200, median=11.0))
    arm.solve(one)
    cells = len(one.cells.first)
    rng = np.random.default_rng(1)
    luck = arm.Luck(rng.random(200), rng.random(200), rng.standard_normal(200), rng.standard_normal(1), 0.0)
    monkeypatch.setattr(arm, "_median_missed", lambda a: not a.hint)
    again = arm.recut(replace(one, luck=luck))
    arm.solve(again)
    assert len(again.cells.first) == cells
    assert again.hint == one.hint
