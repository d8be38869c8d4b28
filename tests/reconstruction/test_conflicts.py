"""Printed numbers that cannot hold together: the smallest sets are found, named, and never made up."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metaleptic as ml
from metaleptic.errors import SuspiciousDataWarning
from metaleptic.reconstruction.claims import Claims, claims_of
from metaleptic.reconstruction.clean import clean
from metaleptic.reconstruction.conflicts import holds, names, write
from metaleptic.reconstruction.smallest import contradictory_sets
from metaleptic.reconstruction.steps import steps

CURVE = ml.Curve([0, 2, 5, 9, 12], [1, 0.9, 0.8, 0.8 * 5 / 6, 0.8 * 5 / 6], kind="drops")
CLICKS = ml.Curve([0, 2, 5, 9, 12], [1, 0.9, 0.8, 0.667, 0.667])


@pytest.mark.parametrize(
    ("curve", "printed", "sentence"),
    [
        (
            CURVE,
            ml.Published(n=10, events=9),
            "events 9, n 10 and the curve, which is at 0.667 at time 12: these allow at most 3 events",
        ),
        (CURVE, ml.Published(n=10, events=2), "events 2 and the curve: these need at least 3 events"),
        (
            CURVE,
            ml.Published(n=7),
            "n 7 and the curve, which is at 0.8 at time 5: the others need at least 10 patients",
        ),
        (
            CURVE,
            ml.Published(n=10, rates={5: 0.4}),
            "rate 0.4 at time 5 and the curve, which is at 0.8 at time 5",
        ),
        (CLICKS, ml.Published(n=10, median=5), "median 5 and the curve, which is at 0.783 at time 5.5"),
        (
            CLICKS,
            ml.Published(n=10, at_risk={4: 0}),
            "0 at risk at time 4 and the curve, which is at 0.833 at time 4 and 0.667 at time 12: the others need at least 4 "
            "at risk at 4",
        ),
        (
            ml.Curve([0, 1, 2, 3], [1, 0.8, 0.5, 0.5]),
            ml.Published(n=10, events=2, at_risk={0: 10, 2: 9}),
            "9 at risk at time 2, n 10 and the curve, which is at 0.5 at time 2: the others allow at most 8 at risk at 2",
        ),
        (
            ml.Curve([0, 2, 5], [1, 0.9, 0.8], censor_times=[0.5, 0.7, 0.9, 1.1]),
            ml.Published(n=20, at_risk={1.5: 19}),
            "19 at risk at time 1.5, 4 censor ticks and n 20: the others allow at most 17 at risk at 1.5",
        ),
        (CLICKS, ml.Published(n=10, first_time=4), "first time 4 and the curve, which is at 0.85 at time 3.5"),
        (
            CLICKS,
            ml.Published(n=10, follow_up=30, last_time=12),
            "median follow-up 30 and last time 12: nobody is followed so long",
        ),
        (None, ml.Published(n=20, median=14, last_time=10), "median 14 and last time 10: nobody is followed so long"),
        (
            None,
            ml.Published(n=20, median=20, rates={5: 0.4}, last_time=30),
            "median 20 and rate 0.4 at time 5: before the median at least 0.5 survive",
        ),
        (
            None,
            ml.Published(n=20, median=3, rates={5: 0.7}, last_time=30),
            "median 3 and rate 0.7 at time 5: after the median at most 0.5 survive",
        ),
        (
            None,
            ml.Published(n=10, rates={5: "0.50", 9: "0.80"}),
            "rate 0.5 at time 5 and rate 0.8 at time 9: survival cannot rise",
        ),
        (
            None,
            ml.Published(n=20, median=10, at_risk={12: 15}),
            "15 at risk at time 12, n 20 and median 10: the others allow at most 10 at risk at 12",
        ),
        (
            None,
            ml.Published(n=12, median=10, median_low=9.5, median_high=13, rates={9: "0.55"}),
            "n 12, lower limit 9.5 of the median and rate 0.55 at time 9: with so few patients an interval cannot be so narrow",
        ),
        (
            None,
            ml.Published(n=200, median=10, median_low=2, at_risk={4: 150}, rates={2: "0.95"}),
            "150 at risk at time 4, n 200 and lower limit 2 of the median: with so many patients an interval cannot be so wide",
        ),
    ],
)
def test_the_smallest_set_is_named(curve: ml.Curve | None, printed: ml.Published, sentence: str) -> None:
    """One contradiction, one sentence with the numbers that take part and no others; patients are returned all the same."""
    with pytest.warns(SuspiciousDataWarning, match="cannot hold together"):
        rec = ml.reconstruct(curve, printed)
    assert rec.fidelity.contradictions == (sentence,)
    assert len(rec.ipd) == printed.n


def test_several_contradictions_are_all_named() -> None:
    """Two wrong rates contradict the curve and each other."""
    with pytest.warns(SuspiciousDataWarning):
        rec = ml.reconstruct(CURVE, ml.Published(n=10, rates={5: 0.5, 9: 0.8}))
    assert [text.partition(":")[0] for text in rec.fidelity.contradictions] == [
        "rate 0.5 at time 5 and the curve, which is at 0.8 at time 5",
        "rate 0.8 at time 9 and the curve, which is at 0.667 at time 9",
        "rate 0.5 at time 5 and rate 0.8 at time 9",
    ]


PATIENTS = st.lists(st.tuples(st.integers(1, 24), st.booleans()), min_size=2, max_size=30)


def _claims(patients: list[tuple[int, bool]], seed: int) -> tuple[Claims, np.ndarray, np.ndarray]:
    """Claims of what a paper would print about these patients."""
    rng = np.random.default_rng(seed)
    time = np.array([t for t, _ in patients], dtype=float)
    event = np.array([e for _, e in patients])
    found = steps(time[event], time[~event])
    end, median = float(time.max()), found.median()
    low, high = found.median_interval(1.959964, str(rng.choice(["log", "log-log", "plain"])))
    x = np.concatenate([[0.0], np.repeat(found.time, 2), [end]])
    y = np.append(np.repeat(np.append(1.0, found.survival), 2)[:-1], found.survival[-1:] if event.any() else 1.0)
    kind = str(rng.choice(["drops", "trace"]))
    curve = ml.Curve(x, y, kind=kind, censor_times=np.unique(time[~event]) if rng.random() < 0.5 else None)
    printed = ml.Published(
        n=len(time),
        events=int(event.sum()),
        at_risk={float(t): int((time >= t).sum()) for t in rng.choice(np.arange(0, end + 1), 3)},
        median=round(median, 1) if np.isfinite(median) else None,
        median_low=round(low, 1) if np.isfinite(low + median) else None,
        median_high=round(high, 1) if np.isfinite(high + median) else None,
        rates={float(t): f"{float(found.at(t)):.2f}" for t in rng.uniform(0, end, 2)},
        last_time=end,
        first_time=float(time.min()),
        follow_up=float(np.median(time)),
    )
    target = clean(curve, end, [], "", len(time))
    return claims_of(printed, len(time), target, end), time, event


@settings(max_examples=150, deadline=None)
@given(PATIENTS, st.integers(0, 10**6))
def test_what_true_patients_print_never_contradicts_itself(patients: list[tuple[int, bool]], seed: int) -> None:
    """The patients behind the printed numbers satisfy every relation."""
    claims, time, event = _claims(patients, seed)
    assert write(claims, names(claims)).met_by(claims.relations.counts(time[event], time[~event]))


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 9), st.integers(0, 10**6))
def test_the_set_found_is_the_smallest(count: int, seed: int) -> None:
    """Against trying every subset, with contradictions drawn at random."""
    rng = np.random.default_rng(seed)
    every = [f"c{i}" for i in range(count)]
    bad = [frozenset(rng.choice(every, rng.integers(1, min(count, 5)), replace=False).tolist()) for _ in range(3)]

    def consistent(some: frozenset[str]) -> bool:
        return not any(one <= some for one in bad)

    found, give_up = contradictory_sets(dict.fromkeys(every, 1.0), consistent)
    assert len(found[0]) == min(len(one) for one in bad)
    assert all(one in bad for one in found)
    assert consistent(frozenset(every) - give_up)
    fewest = next(
        k
        for k in range(1, count + 1)
        if any(consistent(frozenset(every) - set(c)) for c in itertools.combinations(every, k))
    )
    assert len(give_up) == fewest


def test_patients_that_meet_all_relations_are_found_feasible() -> None:
    """The whole of a real arm holds, and every part of it."""
    claims, _, _ = _claims([(3, True), (5, False), (5, True), (8, True), (9, False), (12, True)], 1)
    every = names(claims)
    for k in range(0, len(every), 3):
        assert holds(claims, every[:k])


# --- contrasts ----------------------------------------------------------------------------------


def _two_arms() -> tuple[dict[str, ml.Curve], dict[str, ml.Published]]:
    rng = np.random.default_rng(4)
    curves, published = {}, {}
    for name, mean in (("A", 20.0), ("B", 10.0)):
        t, c = rng.exponential(mean, 80), rng.uniform(6, 40, 80)
        time, event = np.minimum(t, c).round(2), t <= c
        found, end = steps(time[event], time[~event]), float(np.minimum(t, c).max())
        x = np.concatenate([[0.0], np.repeat(found.time, 2), [end]])
        curves[name] = ml.Curve(
            x, np.append(np.repeat(np.append(1.0, found.survival), 2)[:-1], found.survival[-1]), kind="trace"
        )
        at_risk = {float(q): int((time >= q).sum()) for q in (0, 6, 12, 18, 24)}
        published[name] = ml.Published(n=80, events=int(event.sum()), at_risk=at_risk)
    return curves, published


@pytest.mark.parametrize(
    ("contrast", "words"),
    [
        (ml.Contrast("A", "B", hr="0.49", low="0.34", high="0.71", p="<0.001"), None),
        (
            ml.Contrast("B", "A", hr="0.49", low="0.34", high="0.71", p="<0.001"),
            "HR 0.49 of B versus A, the curve of B and the curve of A: these give HR 2",
        ),
        (
            ml.Contrast("A", "B", hr="0.70", low="0.34", high="0.71"),
            "HR 0.70 and interval 0.34 to 0.71 of A versus B: the middle of the interval is 0.491",
        ),
        (
            ml.Contrast("A", "B", hr="0.49", low="0.47", high="0.51"),
            "n 80 in A, n 80 in B and interval 0.47 to 0.51 of A versus B: so narrow an interval needs at least 5892 events",
        ),
        (
            ml.Contrast("A", "B", hr="0.49", low="0.34", high="0.71", p=0.6),
            "p 0.6 and interval 0.34 to 0.71 of A versus B: the interval gives p 0.00015",
        ),
        (ml.Contrast("A", "B", p=0.6), "p 0.6 of A versus B, the curve of A and the curve of B: these give p"),
    ],
)
def test_contrasts_that_cannot_be_are_named(contrast: ml.Contrast, words: str | None) -> None:
    """Among themselves, with the patients there are, and with the curves."""
    curves, published = _two_arms()
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        found = ml.reconstruct(curves, published, contrasts=[contrast]).fidelity.contradictions
    if words is None:
        assert found == ()
    else:
        assert len(found) == 1
        assert words in found[0]
