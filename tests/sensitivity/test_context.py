"""Multiverse, share of effects beyond a threshold, E-values and worst-case bias agree with doing it by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats
from sensitivity_golden import effects_of, fit_of

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError


def test_every_analysis_of_a_multiverse_is_the_one_pool_gives() -> None:
    """A row's choices, given to pool, give its numbers."""
    e = effects_of("bcg_RR")
    early = np.array(e.columns["year"], float) < 1965
    found = ml.multiverse(e, include={"period": {"all": [True] * 13, "early": early.tolist()}}, leave_out=True)
    assert len(found.value) == (5 * 3 + 1) * 2 * 14
    frame = found.to_frame()
    rng = np.random.default_rng(3)
    for i in rng.integers(0, len(frame), 25):
        row = frame.iloc[int(i)]
        kept = early.copy() if row["period"] == "early" else np.ones(13, bool)
        if row["left out"] != "none":
            kept[[f"without {s}" for s in e.study].index(row["left out"])] = False
        sub = e.take(np.flatnonzero(kept))
        model = row["model"]
        again = (
            ml.pool(sub, model="common") if model == "common" else ml.pool(sub, tau2=row["tau2"], test=row["interval"])
        )
        assert row["value"] == pytest.approx(again.estimate.value, rel=1e-8)
        assert row["low"] == pytest.approx(again.estimate.low, rel=1e-8)
        assert row["k"] == again.k


def test_the_multiverse_names_the_choice_that_matters() -> None:
    """Two cohorts that share patients and disagree; a version of the effects."""
    e = ml.effects([-0.3, -0.35, -0.25, -1.6, 0.9], [0.02, 0.02, 0.02, 0.02, 0.02], study=list("ABCDE"), measure="HR")
    found = ml.multiverse(
        e, one_of={"cohort": ["D", "E"]}, versions={"wider": ml.effects(e.y, 2 * e.v, study=e.study, measure="HR")}
    )
    assert next(iter(found.influence)) == "cohort"
    assert found.dimensions == ("version", "model", "tau2", "interval", "cohort")
    assert "choice of" in found.sentence
    with pytest.raises(OptionError, match="no study 'X'"):
        ml.multiverse(e, one_of={"cohort": ["D", "X"]})
    with pytest.raises(NotEstimableError, match="two studies"):
        ml.multiverse(e, include={"none": {"nothing": [False] * 5}})


def test_a_thousand_analyses_take_less_than_a_second() -> None:
    """Generous by the factor of a busy machine."""
    e = effects_of("bcg_RR")
    include = {f"rule {j}": {"all": [True] * 13, "part": [i % (j + 2) != 0 for i in range(13)]} for j in range(6)}
    start = time.perf_counter()
    found = ml.multiverse(e, include=include)
    assert len(found.value) >= 1000
    assert time.perf_counter() - start < 3.0


def test_proportion_beyond_by_hand() -> None:
    """The normal formula and its delta method; the calibrated share."""
    fit = fit_of("bcg_RR", "REML")
    mu, tau, q = float(fit.beta[0]), float(np.sqrt(fit.tau2)), np.log(0.8)
    found = ml.proportion_beyond(fit, 0.8, method="normal")
    assert found.value == pytest.approx(stats.norm.cdf((q - mu) / tau), rel=1e-12)
    slope = np.array([-1 / tau, -(q - mu) / (2 * tau**3)]) * stats.norm.pdf((q - mu) / tau)
    se = np.sqrt(slope**2 @ np.array([fit.se[0] ** 2, fit.tau2_se**2]))
    assert found.high - found.value == pytest.approx(min(1 - found.value, 1.959963984540054 * se), rel=1e-9)
    calibrated = ml.proportion_beyond(fit, 0.8)
    shrunken = mu + np.sqrt(fit.tau2 / (fit.tau2 + fit.effects.v)) * (fit.effects.y - mu)
    assert calibrated.value == pytest.approx(np.mean(shrunken < q))
    assert calibrated.low <= calibrated.value <= calibrated.high
    above = ml.proportion_beyond(fit, 0.8, side="above")
    assert above.value == pytest.approx(1 - calibrated.value)
    assert above.new_study == pytest.approx(1 - calibrated.new_study)
    rates = ml.survival_rates({"study": list("abc"), "rate": [0.5, 0.6, 0.4], "n": [20, 30, 25]}, at=12)
    assert ml.proportion_beyond(ml.pool(rates), 0.2, side="above").value == 1.0


def test_e_values_of_the_paper() -> None:
    """VanderWeele and Ding 2017: RR 3.9 (1.8 to 8.7) has E-values 7.26 and 3.0."""
    se = (np.log(8.7) - np.log(1.8)) / (2 * 1.959964)
    with pytest.warns(ml.errors.FewStudiesWarning):
        fit = ml.pool(ml.effects([np.log(3.9)], [se**2], measure="RR"))
    found = ml.e_value(fit)
    assert found.value == pytest.approx(7.26, abs=0.005)
    assert found.bound == pytest.approx(3.0, abs=0.06)  # the printed interval is not symmetric
    with pytest.raises(OptionError, match="not Effect"):
        ml.e_value(ml.pool(ml.effects([0.1, 0.2, 0.3], [0.1] * 3)))


def test_worst_case_is_the_effect_of_the_other_studies() -> None:
    """Infinite ratio: the non-affirmative studies alone; ratio 1: all; and the ratio that explains away does."""
    e = effects_of("lee2004_OR")
    fit = ml.pool(e, model="common")
    found = ml.worst_case(fit)
    others = ml.pool(e.take(np.flatnonzero(~found.affirmative)), model="common")
    assert found.worst.value == pytest.approx(others.estimate.value, rel=1e-9)
    assert found.worst.high == pytest.approx(others.estimate.high, rel=1e-9)
    assert found.value[0] == pytest.approx(fit.estimate.value, rel=1e-9)
    w = np.where(found.affirmative, 1.0, found.interval_to_null) / e.v
    mean, se = (w @ e.y) / w.sum(), np.sqrt((w**2) @ e.v) / w.sum()
    assert mean + 1.959963984540054 * se == pytest.approx(0, abs=1e-6)
    assert "worst case" in found.sentence
