"""Who had the event: the search finds exactly what trying every assignment finds, and finds single misprints."""

from __future__ import annotations

import itertools
import sys
import time as clock
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metaleptic as ml
from metaleptic import kaplan_meier as kernel
from metaleptic.reconstruction.table_check import check
from metaleptic.reconstruction.table_facts import EVERYBODY, Patients, gather_facts
from metaleptic.reconstruction.table_search import Budget, pose, solutions, spread_out
from metaleptic.survival_tests import hazard_ratio


def _printed(t: Any, e: Any, arm: Any, groups: dict[str, Any], rule: str, ties: str) -> tuple[Any, Any]:
    """Write what a paper would print about these patients."""
    published = {}
    for name, m in groups.items():
        curve = kernel.steps(t[m], e[m])
        median = float(kernel.quantile(curve, rule=rule))
        rates = {at: s for at, s in zip((3, 6), kernel.at_time(curve, [3, 6])[0], strict=True) if np.isfinite(s)}
        published[name] = ml.Published(
            n=int(m.sum()),
            median=median if np.isinf(median) else f"{median:.1f}",
            rates={at: f"{s:.2f}" for at, s in rates.items()},
        )
    fit = hazard_ratio(t, e, arm == "A", ties=ties)
    contrasts = []
    if np.isfinite(fit.beta):
        hr, low, high = (f"{np.exp(fit.beta + z * fit.se):.3f}" for z in (0, -1.959964, 1.959964))
        contrasts = [ml.Contrast("A", "B", hr=hr, low=low, high=high)]
    return published, contrasts


def _simulate(n: int, seed: int, step: float) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(seed)
    arm = np.repeat(["A", "B"], n // 2)
    t, c = rng.exponential(np.where(arm == "A", 14, 8)), rng.uniform(4, 40, n)
    follow_up = np.maximum(np.round(np.minimum(t, c) / step) * step, step)
    return follow_up, (t <= c).astype(int), arm, rng.choice(["x", "y", "z"], n)


@settings(max_examples=30, deadline=None)
@given(
    times=st.lists(st.integers(1, 8), min_size=6, max_size=8),
    seed=st.integers(0, 10**6),
    rule=st.sampled_from(["first", "midpoint", "strict"]),
    ties=st.sampled_from(["efron", "breslow"]),
    allowed=st.integers(0, 3),
)
def test_search_finds_what_trying_everything_finds(
    times: list[int], seed: int, rule: str, ties: str, allowed: int
) -> None:
    rng = np.random.default_rng(seed)
    n, t = len(times), np.array(times, dtype=float)
    arm = np.array(["A", "B"] * n)[:n]
    truth = (rng.random(n) < 0.7).astype(int)
    groups = {EVERYBODY: arm != "", "A": arm == "A", "B": arm == "B", "low": t < np.median(t)}
    if not groups["low"].any():
        del groups["low"]
    published, contrasts = _printed(t, truth, arm, groups, rule, ties)
    event = np.where(rng.random(n) < 0.15, truth, -1)
    patients = Patients(tuple("abcdefgh"[:n]), t, event, tuple(arm), groups, t * np.nan, t * np.nan)
    facts = gather_facts(patients, published, contrasts, "either")
    everything = np.array([e for e in itertools.product((0, 1), repeat=n) if np.all((event < 0) | (event == e))], float)
    missed = sum(check(f, t, everything, rule=rule, ties=ties)[1] for f in facts)
    expected = {tuple(e) for e in everything[missed <= allowed]}
    problem = pose(t, event, facts, rule=rule, ties=ties)
    assert problem is not None
    found = set()
    for block, _ in solutions(problem, allowed, Budget(60, 10**6)):
        missed = sum(check(f, t, block, rule=rule, ties=ties)[1] for f in facts)
        for row in block[missed <= allowed]:
            found |= {tuple(r) for r in spread_out(row, t, event, facts, 10**6)}
    assert found == expected
    assert tuple(truth.astype(float)) in found


def test_forty_patients() -> None:
    """Two to the power of 40 assignments; the time is printed, that the truth is among the found is asserted."""
    for step, seed in [(1.0, 403), (0.1, 43)]:
        t, e, arm, regimen = _simulate(40, seed, step)
        groups = {EVERYBODY: arm != "", "A": arm == "A", "B": arm == "B", "regimen=x": regimen == "x"}
        published, contrasts = _printed(t, e, arm, groups, "first", "breslow")
        began = clock.perf_counter()
        rec = ml.reconstruct_table({"time": t, "arm": arm, "regimen": regimen}, published, contrasts=contrasts)
        # Shown by pytest -s; a time is no property to assert.
        sys.stdout.write(
            f"40 patients, times to {step:g}: {clock.perf_counter() - began:.2f} s, {rec.branches} branches\n"
        )
        assert rec.complete
        assert tuple(e.tolist()) in {a.event for a in rec.assignments}
        assert rec.assignments[0].reproduced == rec.assignments[0].printed


def test_a_search_that_is_cut_short_says_so() -> None:
    t, _, arm, _ = _simulate(40, 5, 0.1)
    rec = ml.reconstruct_table({"time": t, "arm": arm}, ml.Published(events=20), most=50)
    assert not rec.complete
    assert len(rec.assignments) == 50
    assert "more than 50 assignments" in repr(rec)
    rec = ml.reconstruct_table({"time": t}, ml.Published(rates={4: "0.999"}, events=39), seconds=0.0)
    assert not rec.complete
    assert rec.assignments == ()
    assert "stopped after 0 s" in repr(rec)
    with pytest.raises(ml.errors.NotEstimableError, match="stopped after 0 s"):
        _ = rec.ipd


def test_a_misprinted_cell_is_found_and_the_table_left_alone() -> None:
    t, e, arm, regimen = _simulate(16, 9, 1.0)
    groups = {EVERYBODY: arm != "", "A": arm == "A", "B": arm == "B", "regimen=x": regimen == "x"}
    published, contrasts = _printed(t, e, arm, groups, "first", "efron")
    table = {"time": t.copy(), "arm": arm, "regimen": regimen}
    row = int(np.flatnonzero((arm == "B") & (e == 1))[2])
    table["time"][row] += 30
    means = {"B": f"{t[arm == 'B'].mean():.2f}"}
    with pytest.warns(ml.errors.SuspiciousDataWarning, match=f"patient '{row + 1}'"):
        rec = ml.reconstruct_table(table, published, contrasts=contrasts, means=means)
    assert not rec.consistent
    assert (rec.repairs[0].patient, rec.repairs[0].value) == (str(row + 1), t[row])
    assert rec.repairs[0].restores
    assert tuple(e.tolist()) in {a.event for a in rec.repairs[0].assignments}
    assert rec.assignments[0].ipd.time[row] == t[row] + 30


def test_known_events_are_kept() -> None:
    rec = ml.reconstruct_table(
        {"time": [1, 2, 3, 4], "event": [None, 0, None, 1]}, ml.Published(events=2), repair=False
    )
    assert sorted(a.event for a in rec.assignments) == [(0, 0, 1, 1), (1, 0, 0, 1)]
    assert rec.consistent
    assert rec.to_frame()["patient"].tolist() == ["1", "2", "3", "4"]
    assert rec.to_frame()["agreement"].tolist() == [0.5, 1, 0.5, 1]


def test_patients_alike_are_written_out() -> None:
    rec = ml.reconstruct_table({"time": [5, 5, 5, 9]}, ml.Published(events=2, rates={5: "0.75"}), repair=False)
    assert sorted(a.event for a in rec.assignments) == [(0, 0, 1, 1), (0, 1, 0, 1), (1, 0, 0, 1)]


def test_truncated_numbers_count_less_than_rounded_ones() -> None:
    table = {"time": [1, 2, 3]}  # 2/3 is printed 0.66 only if it is cut off
    rec = ml.reconstruct_table(table, ml.Published(rates={1: "0.66"}), repair=False)
    assert {c.agrees for a in rec.assignments for c in a.checks} == {"truncated"}
    strict = ml.reconstruct_table(table, ml.Published(rates={1: "0.66"}), rounding="rounded", repair=False)
    assert strict.assignments[0].reproduced == 0
    assert strict.unreachable[0].alone is False


def test_limits_of_the_median_and_p_are_checked_under_each_convention() -> None:
    t = np.array([9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161])
    events = 7
    published = ml.Published(events=events, median=31, median_low=13, median_high=float("inf"), rates={12: "0.91"})
    rec = ml.reconstruct_table({"time": t}, published)
    truth = (1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0)
    mine = next(a for a in rec.assignments if a.event == truth)
    assert {c.fact: c.by for c in mine.checks}["all: lower limit of the median"] == "log-log"


@pytest.mark.parametrize(
    ("table", "published", "options", "error", "message"),
    [
        ({"time": [1, -2]}, {"all": ml.Published(median=1)}, {}, "DataError", "patient '2'.*below 0"),
        ({"time": [1, None]}, {"all": ml.Published(median=1)}, {}, "DataError", "patient '2'.*empty"),
        ({"time": [1, 2], "event": [1, 3]}, {"all": ml.Published(median=1)}, {}, "DataError", "patient '2'.*is 3"),
        ({"os": [1, 2]}, {"all": ml.Published(median=1)}, {}, "DataError", "no column 'time'"),
        ({"time": [1, 2]}, {"IT": ml.Published(median=1)}, {}, "OptionError", "group 'IT' is unknown"),
        ({"time": [1, 2]}, {"all": 22}, {}, "OptionError", "group 'all'.*Published"),
        ({"time": [1, 2]}, {"all": ml.Published(n=2)}, {}, "OptionError", "nothing printed depends"),
        ({"time": [1, 2]}, {"all": ml.Published(median=1)}, {"ties": ("exact",)}, "OptionError", "efron, breslow"),
        ({"time": [1, 2]}, {"all": ml.Published(median=1)}, {"rounding": "up"}, "OptionError", "either, rounded"),
    ],
)
def test_bad_input_is_named(table: Any, published: Any, options: Any, error: str, message: str) -> None:
    with pytest.raises(getattr(ml.errors, error), match=message):
        ml.reconstruct_table(table, published, **options)


def test_too_many_patients_at_one_time_are_refused_in_words() -> None:
    n = 18
    table = {"time": [5.0] * n, "id": [str(i) for i in range(n)]}
    published = {f"id={i}": ml.Published(events=1) for i in range(n)}
    with warnings.catch_warnings():
        rec = ml.reconstruct_table(table, published)
    assert not rec.complete
    assert "share one time" in repr(rec)
