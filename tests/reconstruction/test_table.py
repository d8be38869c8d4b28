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
from metaleptic.reconstruction.table_copies import classes, spread_out, ways
from metaleptic.reconstruction.table_facts import EVERYBODY, Patients, gather_facts
from metaleptic.reconstruction.table_search import Budget, pose, solutions
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
            found |= {tuple(r) for r in spread_out(row, classes(t, event, facts), 10**6)}
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


@pytest.mark.parametrize(
    ("time", "published"),
    [
        ([3] * 40, ml.Published(median=3)),
        ([3, 8, 4, 6, 1, 1, 11, 9, 2, 7, 5, 10, 8, 6, 3, 2] + [12] * 24, ml.Published(median=12, rates={6: "0.80"})),
    ],
)
def test_ties_with_more_choices_than_can_be_held(time: list[int], published: Any) -> None:
    """Of 2^39 choices for patients of one time a sample is kept; no patient looks more certain than she is."""
    began = clock.perf_counter()
    rec = ml.reconstruct_table({"time": time}, published, seconds=20)
    assert clock.perf_counter() - began < 60
    assert not rec.complete
    assert "more than 5000 assignments: a sample" in repr(rec)
    assert len(rec.assignments) == len({a.event for a in rec.assignments}) == 5000
    assert all(a.reproduced == a.printed for a in rec.assignments)
    events = np.array([a.event for a in rec.assignments])
    tied = events[:, np.array(time) == max(time)].mean(axis=0)
    assert np.ptp(tied) < 0.12  # alike, so equally often dead, but for chance
    assert len(np.unique(events.sum(axis=1))) > 10


def test_a_second_is_a_second() -> None:
    """The clock is asked while patients alike are told apart."""
    rec = ml.reconstruct_table({"time": [3] * 40}, ml.Published(median=3), seconds=1, most=20_000)
    assert not rec.complete
    assert 0 < len(rec.assignments) <= 20_000


@pytest.mark.parametrize("most", [1, 5, 69, 70, 71, 1000])
def test_choices_for_patients_alike_are_distinct_and_as_many_as_asked(most: int) -> None:
    events = np.array([1, 1, 0, 0, 0, 0, 0, 1.0, 1, 0, 0, 0])  # 2 of 4 and 2 of 7 and 0 of 1, of which 70 is no product
    groups = [[0, 2, 3, 4, 5], [1, 7, 8, 6], [9, 10, 11]]
    assert ways(events, groups) == 5 * 4
    rows = list(spread_out(events, groups, most))
    assert len(rows) == len({r.tobytes() for r in rows}) == min(most, 20)
    assert all(r[g].sum() == events[g].sum() for r in rows for g in groups)
    assert [r.tolist() for r in rows] == [r.tolist() for r in spread_out(events, groups, most)]


def test_a_p_alone_tells_the_arms_apart() -> None:
    """Who of two patients of one time died matters to a p, though no sum steers the search."""
    table = {"time": [5, 5, 7, 8], "arm": ["A", "B", "A", "B"]}
    contrasts = [ml.Contrast("A", "B", p="0.32")]
    rec = ml.reconstruct_table(table, ml.Published(events=1), contrasts=contrasts)
    assert {(1, 0, 0, 0), (0, 1, 0, 0)} <= {a.event for a in rec.assignments}
    alone = ml.reconstruct_table(table, {}, contrasts=contrasts)
    assert {a.event for a in rec.assignments} <= {a.event for a in alone.assignments}


def test_what_no_assignment_reaches_is_not_searched_for() -> None:
    """An interval out by one last digit: dropping it as unreachable finds what trying everything finds."""
    t = np.array([16, 22, 2, 13, 32, 9, 28, 32, 1, 24], dtype=float)
    arm = np.repeat(["A", "B"], 5)
    published = {"all": ml.Published(median=22, rates={12: "0.80"}), "A": ml.Published(median=16)}
    contrasts = [ml.Contrast("A", "B", hr="1.771", low="0.454", high="6.801")]
    rec = ml.reconstruct_table({"time": t, "arm": arm}, published, contrasts=contrasts, repair=False)
    everything = np.array(list(itertools.product((0, 1), repeat=10)), dtype=float)
    groups = {EVERYBODY: arm != "", "A": arm == "A", "B": arm == "B"}
    patients = Patients(tuple("abcdefghij"), t, np.full(10, -1), tuple(arm), groups, t * np.nan, t * np.nan)
    facts = gather_facts(patients, published, contrasts, "either")
    missed = {
        (rule, ties): sum(check(f, t, everything, rule=rule, ties=ties)[1] for f in facts)
        for rule, ties in itertools.product(("first", "midpoint"), ("breslow", "efron"))
    }
    least = min(m.min() for m in missed.values())
    expected = {tuple(e) for m in missed.values() for e in everything[m == least].astype(int).tolist()}
    assert rec.complete
    assert {a.event for a in rec.assignments} == expected
    assert rec.assignments[0].printed - rec.assignments[0].reproduced == least == 3
    assert [u.alone for u in rec.unreachable] == [False]


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


def test_an_interval_out_by_one_digit_is_not_walked_through_at_every_level() -> None:
    """Each cell is changed only where the change brings the hazard ratio within reach: 900,000 branches otherwise."""
    table = {"time": [16, 22, 2, 2, 13, 32, 16, 9, 28, 54, 32, 1, 24, 1], "arm": ["A"] * 7 + ["B"] * 7}
    published = {
        "all": ml.Published(median=22, rates={12: "0.77"}),
        "A": ml.Published(median=22, rates={12: "0.86"}),
        "B": ml.Published(median=28, rates={6: "0.86"}),
    }
    contrasts = [ml.Contrast("A", "B", hr="1.771", low="0.454", high="6.901")]
    rec = ml.reconstruct_table(table, published, contrasts=contrasts)
    assert rec.complete
    assert (len(rec.assignments), rec.assignments[0].reproduced, rec.repairs) == (128, 6, ())
    assert [(u.fact, u.alone) for u in rec.unreachable] == [("A versus B: hazard ratio", False)]
    assert rec.branches < 500_000


def test_of_many_assignments_with_a_cell_changed_a_tenth_is_kept() -> None:
    """Means restored by many a cell: each keeps a sample, and the result says that there are more."""
    table = {"time": [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}
    with pytest.warns(ml.errors.SuspiciousDataWarning):
        rec = ml.reconstruct_table(table, ml.Published(events=6), means={"all": "10.4"}, most=300)
    assert len(rec.repairs) > 5
    assert {len(r.assignments) for r in rec.repairs} == {30}
    assert "with a cell changed, more than 30 assignments" in repr(rec)
    assert not rec.complete


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
        (
            {"time": [1, "x"]},
            {"all": ml.Published(median=1)},
            {},
            "DataError",
            r"patient '2' \(row 2\).*'x'.*remove the row",
        ),
        ({"time": [1, "NR"]}, {"all": ml.Published(median=1)}, {}, "DataError", "patient '2'.*not a finite number"),
        ({"time": [1], "event": ["?"]}, {"all": ml.Published(median=1)}, {}, "DataError", "patient '1'.*Write 1 for"),
        ({"time": []}, {"all": ml.Published(median=1)}, {}, "DataError", "no rows.*Give one row per patient"),
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
