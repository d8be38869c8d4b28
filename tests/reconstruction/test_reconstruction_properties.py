"""For any right-censored data: its exact curve and numbers at risk give back the same events and the same curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metaleptic as ml
from metaleptic.reconstruction.steps import steps

PATIENTS = st.lists(st.tuples(st.integers(1, 24), st.booleans()), min_size=1, max_size=30)


def _published(time: np.ndarray, event: np.ndarray, at: np.ndarray) -> tuple[ml.Curve, dict[float, int]]:
    found = steps(time[event], time[~event])
    end = float(time.max())
    x = np.concatenate([[0.0], found.time, [end]])
    y = np.concatenate([[1.0], found.survival, found.survival[-1:] if len(found.survival) else [1.0]])
    return ml.Curve(x, y, kind="drops"), {float(t): int((time >= t).sum()) for t in at}


@settings(max_examples=300, deadline=None)
@given(PATIENTS)
def test_counts_at_every_time_give_everything_back(patients: list[tuple[int, bool]]) -> None:
    """With the number at risk at each distinct time, events per interval and S are determined, and come back."""
    time = np.array([t for t, _ in patients], dtype=float)
    event = np.array([e for _, e in patients])
    at = np.unique(np.append(0.0, time))
    curve, at_risk = _published(time, event, at)
    rec = ml.reconstruct(curve, ml.Published(n=len(time), at_risk=at_risk))
    back_time, back_event = rec.ipd.time, rec.ipd.event == 1
    edges = np.append(at, np.inf)
    assert np.histogram(back_time[back_event], edges)[0].tolist() == np.histogram(time[event], edges)[0].tolist()
    assert [int((back_time >= t).sum()) for t in at] == list(at_risk.values())
    true, found = steps(time[event], time[~event]), steps(back_time[back_event], back_time[~back_event])
    grid = np.arange(0, 26) + 0.5
    assert np.allclose(true.at(grid), found.at(grid), atol=1e-9)


@settings(max_examples=200, deadline=None)
@given(PATIENTS, st.integers(2, 9))
def test_counts_at_some_times_keep_curve_and_counts(patients: list[tuple[int, bool]], every: int) -> None:
    """With fewer numbers at risk several data sets fit; the one returned has the same S, counts and total of events."""
    time = np.array([t for t, _ in patients], dtype=float)
    event = np.array([e for _, e in patients])
    at = np.arange(0.0, time.max() + 1e-9, every)
    curve, at_risk = _published(time, event, at)
    rec = ml.reconstruct(curve, ml.Published(n=len(time), events=int(event.sum()), at_risk=at_risk))
    back_time, back_event = rec.ipd.time, rec.ipd.event == 1
    assert [int((back_time >= t - 1e-9).sum()) for t in at] == list(at_risk.values())
    assert int(back_event.sum()) == int(event.sum())
    true, found = steps(time[event], time[~event]), steps(back_time[back_event], back_time[~back_event])
    grid = np.arange(0, 26) + 0.5
    assert np.abs(true.at(grid) - found.at(grid)).max() < 1e-6


EVERY_SHAPE = st.tuples(
    st.lists(st.floats(0, 40), min_size=1, max_size=40),
    st.sampled_from([0.01, 0.5, 1.0]),  # times rounded to this: ties, and deaths at time 0
    st.sampled_from([0.0, 0.2, 0.6, 1.0]),  # share of events: none, few, many, all
    st.sampled_from(["at times of patients", "between them"]),
    st.integers(0, 10**6),
)


@settings(max_examples=200, deadline=None)
@given(EVERY_SHAPE)
def test_exact_curves_come_back_whatever_their_shape(
    shape: tuple[list[float], float, float, str, int],
) -> None:
    """Ties, deaths at time 0, all or none dead, counts at odd times: S, counts and the total of events come back."""
    times, step, share, where, seed = shape
    rng = np.random.default_rng(seed)
    time = np.round(np.array(times) / step) * step
    if time.max() <= 0:
        return
    event = rng.random(len(time)) < share
    at = rng.choice(time, 3) if where == "at times of patients" else rng.uniform(0, time.max(), 3)
    curve, at_risk = _published(time, event, np.unique(np.append(0.0, at)))
    rec = ml.reconstruct(curve, ml.Published(n=len(time), events=int(event.sum()), at_risk=at_risk))
    back_time, back_event = rec.ipd.time, rec.ipd.event == 1
    assert [int((back_time >= t).sum()) for t in at_risk] == list(at_risk.values())
    assert int(back_event.sum()) == int(event.sum())
    assert rec.fidelity.contradictions == ()
    true, found = steps(time[event], time[~event]), steps(back_time[back_event], back_time[~back_event])
    middles = np.unique(time)
    grid = np.append(0.5 * (middles[1:] + middles[:-1]), time.max())
    assert np.abs(true.at(grid) - found.at(grid)).max() < 1e-6


@settings(max_examples=100, deadline=None)
@given(PATIENTS, st.sampled_from(["clicks", "trace"]), st.integers(0, 10**6))
def test_noisy_points_never_break_the_counts(patients: list[tuple[int, bool]], kind: str, seed: int) -> None:
    """Whatever the reading error, patients, events and numbers at risk are those printed."""
    time = np.array([t for t, _ in patients], dtype=float)
    event = np.array([e for _, e in patients])
    at = np.arange(0.0, time.max() + 1e-9, 5)
    curve, at_risk = _published(time, event, at)
    rng = np.random.default_rng(seed)
    heights = np.clip(curve.survival + rng.normal(0, 0.005, len(curve.time)), 0, 1)
    noisy = ml.Curve(curve.time, heights, kind=kind, error=0.005)
    printed = ml.Published(n=len(time), at_risk=at_risk, last_time=float(time.max()))
    rec = ml.reconstruct(noisy, printed)
    assert [int((rec.ipd.time >= t - 1e-9).sum()) for t in at] == list(at_risk.values())
    assert len(rec.ipd) == len(time)


@pytest.mark.filterwarnings("ignore::metaleptic.errors.SuspiciousDataWarning")
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 1)), min_size=1, max_size=20),
    st.integers(1, 60),
    st.integers(0, 60),
)
def test_any_points_end_in_patients_or_a_reason(points: list[tuple[float, float]], n: int, events: int) -> None:
    """Nonsense is answered by patients with the printed counts or by an error of the package, never by a crash."""
    try:
        curve = ml.Curve([t for t, _ in points], [s for _, s in points])
        rec = ml.reconstruct(curve, ml.Published(n=n, events=min(events, n)))
    except ml.errors.MetalepticError:
        return
    assert len(rec.ipd) == n
