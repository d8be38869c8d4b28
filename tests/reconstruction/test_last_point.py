"""Deaths below the last point: as few as reach the printed total, and named."""

import dataclasses
import warnings

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import SuspiciousDataWarning
from metaleptic.reconstruction.steps import steps

CURVE = ml.Curve([0, 3, 6, 9, 12], [1, 0.85, 0.70, 0.60, 0.50], label="A")


@pytest.mark.parametrize("events", [8, 9, 10])
def test_a_total_that_fits_the_curve_ends_at_its_last_point(events):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rec = ml.reconstruct(CURVE, ml.Published(n=20, events=events))
    assert ml.km(rec).at(12).value == pytest.approx(0.5)
    assert rec.corrections == ()


@pytest.mark.parametrize(("events", "survival"), [(11, 0.45), (12, 0.40)])
def test_a_total_beyond_the_curve_puts_no_more_at_the_end_than_it_needs_and_says_so(events, survival):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        rec = ml.reconstruct(CURVE, ml.Published(n=20, events=events))
    assert int(rec.ipd.event.sum()) == events
    assert ml.km(rec).at(12).value == pytest.approx(survival)
    assert any("placed at the end (time 12), where the last point reads 0.5" in text for text in rec.corrections)
    assert any("Check the total of events" in str(w.message) for w in seen) == (events == 12)


def test_readings_at_even_times_taken_for_clicks_are_doubted_and_as_readings_not_biased():
    time = np.linspace(0, 24, 13)
    curve = ml.Curve(time, np.exp(-time / 15), kind="readings", error=0.004)
    published = ml.Published(n=60, last_time=24.0)
    with pytest.warns(SuspiciousDataWarning, match='Then say kind="readings"'):
        late = ml.reconstruct(dataclasses.replace(curve, kind="clicks"), published)
    rec = ml.reconstruct(curve, published)
    true = 15 * (1 - np.exp(-24 / 15))

    def mean(found: ml.Reconstruction) -> float:
        one = found.ipd
        return steps(one.time[one.event == 1], one.time[one.event == 0]).rmst(24)

    assert mean(rec) == pytest.approx(true, abs=0.2)
    assert mean(late) > true + 0.25
