"""The beta-binomial model: its likelihood, its maximum, and what it becomes without spread."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special, stats

import metaleptic as ml
from metaleptic.errors import DataError, NotEstimableError
from metaleptic.pooling.beta_binomial import log_likelihood

X, N = [0, 5, 12, 7, 2], [8, 40, 60, 7, 30]


def cohorts(x: list[int], n: list[int]) -> ml.Effects:
    return ml.proportions({"study": [str(i) for i in range(len(x))], "events": x, "n": n})


def test_likelihood_is_that_of_scipy() -> None:
    a, b = 1.3, 4.1
    ours = log_likelihood(float(np.log(a / b)), float(np.log(a + b)), np.array(X, float), np.array(N, float))
    assert ours == pytest.approx(stats.betabinom.logpmf(X, N, a, b).sum(), rel=1e-12)


def test_the_maximum_is_found() -> None:
    """Against an independent search over alpha and beta."""
    fit = ml.pool(cohorts(X, N), model="beta-binomial")
    found = optimize.minimize(
        lambda q: -stats.betabinom.logpmf(X, N, np.exp(q[0]), np.exp(q[1])).sum(), [0.0, 0.0], method="BFGS"
    )
    a, b = np.exp(found.x)
    assert fit.estimate.value == pytest.approx(a / (a + b), abs=1e-6)
    assert fit.loglik == pytest.approx(-found.fun, abs=1e-8)
    assert fit.prediction is not None
    assert fit.prediction.low == pytest.approx(stats.beta.ppf(0.025, a, b), abs=1e-5)


def test_the_standard_error_is_that_of_the_observed_information() -> None:
    fit = ml.pool(cohorts(X, N), model="beta-binomial")
    profile = [
        optimize.minimize_scalar(
            lambda s, m=m: -log_likelihood(m, s, np.array(X, float), np.array(N, float)),
            bounds=(-6, 10),
            method="bounded",
        ).fun
        for m in fit.beta[0] + np.array([-0.02, 0, 0.02])
    ]
    curvature = (profile[0] - 2 * profile[1] + profile[2]) / 0.02**2
    assert fit.se[0] == pytest.approx(1 / np.sqrt(curvature), rel=1e-3)


def test_without_spread_it_is_the_sum_of_the_counts() -> None:
    fit = ml.pool(cohorts([2, 4, 6], [10, 20, 30]), model="beta-binomial")
    assert fit.estimate.value == pytest.approx(0.2)
    assert fit.beta[0] == pytest.approx(special.logit(0.2))
    assert any("no spread" in note for note in fit.notes)


def test_none_at_all_is_refused_with_a_way_out() -> None:
    with pytest.raises(NotEstimableError, match="pooled-counts"):
        ml.pool(cohorts([0, 0, 0], [9, 9, 9]), model="beta-binomial")
    with pytest.raises(DataError, match=r"ml\.proportions"):
        ml.pool(ml.effects([0.1, 0.2, 0.3], [0.1] * 3), model="beta-binomial")
