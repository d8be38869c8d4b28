"""Shortest and longest times, and the median's interval as points of the curve: densities, places, what they buy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

import metaleptic as ml
from metaleptic.convert.summary_extremes import Extreme, extremes_of, log_likelihood, points_of_interval
from metaleptic.convert.summary_models import DENSITIES, MODELS
from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning

PARAMETERS = np.array([0.2, 2.3])
NONE = np.empty(0)


@pytest.mark.parametrize("model", list(MODELS))
def test_densities_are_the_slopes_of_the_curves(model: str) -> None:
    """They integrate to what the curve loses."""
    lost, _ = integrate.quad(lambda t: float(DENSITIES[model](np.asarray(t), PARAMETERS)), 2, 9)
    there = MODELS[model](np.array([2.0, 9.0]), PARAMETERS)
    assert lost == pytest.approx(there[0] - there[1], rel=1e-8)


@pytest.mark.parametrize("side", ["shortest", "longest"])
def test_without_points_the_extremes_have_the_densities_of_order_statistics(side: str) -> None:
    """The least and the greatest of 9 deaths: densities of David and Nagaraja, but for the constant n."""
    curve, density = MODELS["weibull"], DENSITIES["weibull"]
    law = stats.weibull_min(np.exp(PARAMETERS[0]), scale=np.exp(PARAMETERS[1]))
    one = Extreme(3.0, alive=False)
    low, high = (one, None) if side == "shortest" else (None, one)
    placed = extremes_of(low, high, NONE, NONE, NONE, NONE, 9, None)
    assert placed is not None
    others = law.logsf(3.0) if side == "shortest" else law.logcdf(3.0)
    assert log_likelihood(curve, density, PARAMETERS, placed) == pytest.approx(law.logpdf(3.0) + 8 * others)


def test_both_extremes_without_points_are_the_joint_density() -> None:
    """f(a) f(b) (S(a) - S(b))^(n - 2), but for the constant n (n - 1)."""
    law = stats.weibull_min(np.exp(PARAMETERS[0]), scale=np.exp(PARAMETERS[1]))
    placed = extremes_of(Extreme(1.0, alive=False), Extreme(20.0, alive=False), NONE, NONE, NONE, NONE, 9, None)
    assert placed is not None
    expected = law.logpdf(1.0) + law.logpdf(20.0) + 7 * np.log(law.sf(1.0) - law.sf(20.0))
    found = log_likelihood(MODELS["weibull"], DENSITIES["weibull"], PARAMETERS, placed)
    assert found == pytest.approx(expected)


def test_a_longest_time_alive_is_a_bound() -> None:
    """Alive at 34 of 10 left at the median: the chance that one of them lives so long."""
    risk, lives, size = np.array([10.0]), np.array([0.5]), np.array([20.0])
    placed = extremes_of(None, Extreme(34.0, alive=True), np.array([8.0]), lives, size, risk, 20, None)
    assert placed is not None
    s8, s34 = MODELS["weibull"](np.array([8.0, 34.0]), PARAMETERS)
    found = log_likelihood(MODELS["weibull"], DENSITIES["weibull"], PARAMETERS, placed)
    assert found == pytest.approx(np.log(1 - (1 - s34 / s8) ** 10))


def test_extremes_settle_a_curve_that_the_median_alone_does_not() -> None:
    """A median with the range, and a longer tail where the longest was alive."""
    died = ml.survival_summary(n=14, median=8, shortest=1, longest=34)
    alive = ml.survival_summary(n=14, median=8, shortest=1, longest="34+")
    some = ml.survival_summary(n=14, median=8, shortest=1, longest=34, events=10)
    assert died.survival(34) < some.survival(34) < alive.survival(34)
    assert died.log_median_se < 0.35
    assert ml.survival_summary(n=14, shortest=1, longest=34).log_median == pytest.approx(np.log(9.953), abs=1e-3)


def test_the_interval_read_backwards() -> None:
    """(S - 1/2)^2 = z^2 S (1 - S)/n at the ends; a bound that a rate contradicts, or that is not reached, is left out."""
    times, s = points_of_interval(50, 5.0, 12.0, 0.95, np.array([8.0]), np.array([0.5]), {})
    assert times.tolist() == [5, 8, 12]
    for height in s[[0, 2]]:  # censored or not, at the median nobody is lost without numbers at risk
        assert (height - 0.5) ** 2 == pytest.approx(1.959964**2 * height * (1 - height) / 50, rel=1e-6)
    times, _ = points_of_interval(50, 5.0, np.inf, 0.95, np.array([4.0, 8.0]), np.array([0.55, 0.5]), {})
    assert times.tolist() == [4, 8]
    plain = ml.survival_summary(n=82, median=8.3, low=5.7, high=11, rates={12: 0.42, 24: 0.21})
    used = ml.survival_summary(n=82, median=8.3, low=5.7, high=11, rates={12: 0.42, 24: 0.21}, interval="points")
    assert used.log_median_se < plain.log_median_se
    assert ml.survival_summary(n=82, median=8.3, low=5.7, high=11, interval="points").survival(8.3) == pytest.approx(
        0.5, abs=0.02
    )


def test_an_interval_that_n_does_not_give_is_doubted() -> None:
    """Too wide for n patients: many were censored, or n is another number."""
    with pytest.warns(SuspiciousDataWarning, match=r"\d\.\d times as wide as 2000 patients .* Give at_risk"):
        ml.survival_summary(n=2000, median=8.3, low=5.7, high=11, rates={12: 0.42, 24: 0.21})


def test_impossible_extremes_are_named() -> None:
    """Out of order with each other or with the curve; no times at all."""
    with pytest.raises(DataError, match="shortest 40 is not below longest 34"):
        ml.survival_summary(n=14, median=8, shortest=40, longest=34)
    with pytest.raises(DataError, match="falls by time 8, before the shortest time 9"):
        ml.survival_summary(n=14, median=8, shortest=9)
    with pytest.raises(DataError, match="printed for time 24, after the longest time 20"):
        ml.survival_summary(n=14, median=8, rates={24: 0.2}, longest=20)
    with pytest.raises(DataError, match=r'longest \'34 months\' is not a time above 0. Write 34, or "34\+"'):
        ml.survival_summary(n=14, median=8, longest="34 months")
    with pytest.raises(DataError, match="events 20 of n 14 patients"):
        ml.survival_summary(n=14, median=8, longest=34, events=20)
    with pytest.raises(OptionError, match="longest belongs to the likelihood"):
        ml.survival_summary(n=14, median=8, rates={24: 0.2}, longest=34, independent=True)
    with pytest.raises(OptionError, match="interval 'use' is unknown"):
        ml.survival_summary(n=14, median=8, rates={24: 0.2}, interval="use")


def test_extremes_make_the_median_surer_and_not_wrong() -> None:
    """120 simulated arms of 25 patients with censoring: smaller errors than without, intervals that hold."""
    rng, errors, held = np.random.default_rng(11), {"without": [], "with": []}, 0
    for _ in range(120):
        death, lost = 9 / np.log(2) * rng.exponential(size=25), rng.uniform(12, 40, 25)
        t, event = np.minimum(death, lost), death <= lost
        order = np.argsort(t)
        t, event = t[order], event[order]
        s = np.cumprod(np.where(event, 1 - 1 / (25 - np.arange(25)), 1.0))
        median = float(t[np.argmax(s <= 0.5)])
        at = {"n": 25, "median": median, "rates": {6: float(s[np.searchsorted(t, 6, side="right") - 1])}}
        ends = {"shortest": t[0] if event[0] else f"{t[0]}+", "longest": t[-1] if event[-1] else f"{t[-1]}+"}
        more = ml.survival_summary(**at, **ends, events=event.sum())
        held += more.median.low < 9 < more.median.high
        errors["with"].append(more.log_median - np.log(9))
        errors["without"].append(ml.survival_summary(**at).log_median - np.log(9))
    assert held / 120 > 0.9
    assert np.std(errors["with"]) < 1.01 * np.std(errors["without"])
    assert abs(np.mean(errors["with"])) < 0.06
