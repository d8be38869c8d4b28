"""Medians that were not reached count as bounds."""

import time

import numpy as np
import pytest
from scipy import optimize, stats

import metaleptic as ml
from metaleptic.errors import DataError
from metaleptic.pooling.not_reached import log_likelihood

ARMS = {"study": list("ABCDEF"), "median": [10.5, 5.6, 13.2, 8.3, 22.0, 6.2], "n": [14, 10, 20, 82, 7, 9]}


def test_without_bounds_it_is_the_maximum_likelihood_fit() -> None:
    """A bound at almost nothing tells nothing: the estimate is that of ml.pool(tau2="ML")."""
    e = ml.survival_medians(ARMS)
    found, plain = ml.pool_not_reached(e, last=[1e-6], n=[10]), ml.pool(e, tau2="ML", test="z")
    assert found.mu == pytest.approx(float(plain.beta[0]), abs=1e-6)
    assert found.tau**2 == pytest.approx(float(plain.tau2), abs=1e-5)
    assert found.dropped == pytest.approx(plain.estimate.value, rel=1e-6)


def test_maximum_and_interval_by_brute_force() -> None:
    """A general optimiser finds the same peak; at the bounds of the interval the profile has dropped by half chi-squared."""
    e = ml.survival_medians(ARMS)
    data = (e.y, e.v, np.log([18.0, 24.0]), (1 / np.log(2)) ** 2 / np.array([12.0, 6.0]))
    best = optimize.minimize(
        lambda p: -float(log_likelihood(p[0], abs(p[1]), *data)),
        [2.0, 0.4],
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-12},
    )
    found = ml.pool_not_reached(e, last=[18, 24], n=[12, 6])
    assert (found.mu, found.tau) == pytest.approx((best.x[0], abs(best.x[1])), abs=1e-5)
    assert found.loglik == pytest.approx(-best.fun, abs=1e-9)
    for bound in (found.estimate.low, found.estimate.high):
        profile = max(float(log_likelihood(np.log(bound), t, *data)) for t in np.linspace(0, 3, 6001))
        assert found.loglik - profile == pytest.approx(stats.chi2.ppf(0.95, 1) / 2, abs=2e-3)
    assert found.estimate.value > found.dropped


def test_dropping_them_shortens_the_median() -> None:
    """150 simulated series of 8 arms, true median 9: without the arms that were not reached it is much too short."""
    rng, kept, dropped = np.random.default_rng(7), [], []
    for _ in range(150):
        n = rng.choice([5, 7, 10, 14, 20, 34], 8)
        v = (1 / np.log(2)) ** 2 / n
        y = np.log(9) + rng.normal(0, np.sqrt(0.16 + v))
        last = rng.uniform(8, 18, 8)
        out = y > np.log(last)
        if 0 < out.sum() < 7:
            e = ml.effects(y[~out], v[~out], measure="MEDIAN")
            fit = ml.pool_not_reached(e, last=last[out], n=n[out])
            kept.append(fit.mu)
            dropped.append(np.log(fit.dropped))
    assert len(kept) > 100
    assert np.exp(np.mean(dropped)) < 0.85 * 9
    assert 0.93 * 9 < np.exp(np.mean(kept)) < 1.07 * 9


def test_more_patients_make_a_firmer_bound_and_it_is_quick() -> None:
    """Events are used before patients; 30 fits take well under ten seconds."""
    e = ml.survival_medians(ARMS)
    weak, firm = ml.pool_not_reached(e, last=[30], n=[4]), ml.pool_not_reached(e, last=[30], n=[400])
    assert weak.mu < firm.mu
    assert ml.pool_not_reached(e, last=[30], n=[400], events=[4]).mu == pytest.approx(weak.mu, abs=1e-9)
    start = time.perf_counter()
    for last in range(10, 40):
        ml.pool_not_reached(e, last=[last], n=[10])
    assert time.perf_counter() - start < 10


def test_slips_are_refused() -> None:
    """Times that are none, sizes missing, effects of another kind."""
    e = ml.survival_medians(ARMS)
    with pytest.raises(DataError, match="a time that is not above 0"):
        ml.pool_not_reached(e, last=[0], n=[5])
    with pytest.raises(DataError, match="give the number of patients"):
        ml.pool_not_reached(e, last=[12])
    with pytest.raises(DataError, match="they must match"):
        ml.pool_not_reached(e, last=[12, 14], n=[5])
    with pytest.raises(DataError, match="no median survival times"):
        ml.pool_not_reached(ml.effects([0.1], [0.1]), last=[12], n=[5])
