"""The likelihood of a printed survival summary: what it is made of, and that its intervals hold what they should."""

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.convert.summary_likelihood import effective_sizes, numbers_at_risk, points_of
from metaleptic.errors import DataError, NotEstimableError, OptionError


def test_points_and_life_table_sizes() -> None:
    """The median is a point at one half; without censoring those at risk are n S, with printed numbers half the lost count."""
    times, survival = points_of(8.0, {12: 0.4, 6: 0.6})
    assert times.tolist() == [6, 8, 12]
    assert survival.tolist() == [0.6, 0.5, 0.4]
    assert numbers_at_risk(50, times, survival, {}) == pytest.approx([30, 25, 20])
    lives, size = effective_sizes(50, survival, numbers_at_risk(50, times, survival, {}))
    assert lives == pytest.approx([0.6, 5 / 6, 0.8])
    assert size == pytest.approx([50, 30, 25])
    risk = numbers_at_risk(50, times, survival, {6: 24, 12: 10})
    assert risk[[0, 2]] == pytest.approx([24, 10])
    assert 10 < risk[1] < 24
    _, fewer = effective_sizes(50, survival, risk)
    assert (fewer < size).all()
    deaths = (50 + 24) * (1 - 0.6) / (1 + 0.6)  # of Williamson: consistent with the share that lives
    assert 1 - deaths / fewer[0] == pytest.approx(0.6)


def test_without_censoring_and_one_interval_it_is_the_binomial() -> None:
    """Two points far apart settle two parameters: the curve goes through both, with the binomial's standard error of S."""
    found = ml.survival_summary(n=60, rates={6: 0.7, 18: 0.3})
    assert (found.survival(6), found.survival(18)) == pytest.approx((0.7, 0.3), abs=1e-6)
    assert found.misfit == pytest.approx(0, abs=1e-8)
    shape, log_scale = np.exp(found.parameters[0]), found.parameters[1]
    h = (6 / np.exp(log_scale)) ** shape
    slope = -0.7 * h * np.array([shape * (np.log(6) - log_scale), -shape])  # of S(6), by log shape and log scale
    assert np.sqrt(slope @ found.cov @ slope) == pytest.approx(np.sqrt(0.7 * 0.3 / 60), rel=1e-3)


def test_intervals_cover_and_the_fit_is_surer_than_the_median_alone() -> None:
    """150 simulated arms of 60 patients with censoring: 95% intervals hold the true median about as often as they say."""
    rng, held, joint, alone, naive = np.random.default_rng(3), 0, [], [], 0
    for _ in range(150):
        death, lost = 9 / np.log(2) * rng.exponential(size=60), rng.uniform(12, 40, 60)
        t, event = np.minimum(death, lost), death <= lost
        order = np.argsort(t)
        t, event = t[order], event[order]
        s = np.cumprod(np.where(event, 1 - 1 / (60 - np.arange(60)), 1.0))
        rates = {at: float(s[np.searchsorted(t, at, side="right") - 1]) for at in (6, 12)}
        risk = {at: float((t >= at).sum()) for at in rates}
        median = float(t[np.argmax(s <= 0.5)])
        found = ml.survival_summary(n=60, median=median, rates=rates, at_risk=risk)
        held += found.median.low < 9 < found.median.high
        plain = ml.survival_summary(n=60, median=median, rates=rates, at_risk=risk, independent=True)
        naive += plain.median.low < 9 < plain.median.high
        joint.append(found.log_median)
        alone.append(np.log(median))
    assert held / 150 > 0.9
    assert naive < held
    assert np.std(joint) < 1.02 * np.std(alone)
    assert abs(np.mean(joint) - np.log(9)) < 0.05


def test_a_median_not_reached_lengthens_the_curve() -> None:
    """The bound pulls the fitted median up; the later it is, the more."""
    rates = {6: 0.8, 12: 0.65}
    plain = ml.survival_summary(n=30, rates=rates).log_median
    near, far = (ml.survival_summary(n=30, rates=rates, not_reached_at=t).log_median for t in (18, 36))
    assert plain < near < far
    with pytest.raises(DataError, match="then there is no median"):
        ml.survival_summary(n=30, median=8, rates=rates, not_reached_at=18)
    with pytest.raises(OptionError, match="leave independent=True out"):
        ml.survival_summary(n=30, rates=rates, not_reached_at=18, independent=True)


def test_contradictions_are_named() -> None:
    """A curve that rises is a slip; one number is no curve."""
    with pytest.raises(DataError, match=r"survival cannot rise: 42% at time 12, 50% at 13"):
        ml.survival_summary(n=30, median=13, rates={12: 0.42})
    with pytest.raises(NotEstimableError, match="at least two numbers"):
        ml.survival_summary(n=30, median=13)
