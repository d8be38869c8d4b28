"""Prediction, replication and power scaling of Bayesian meta-regressions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.bayes.regression_checks import regression_draws, regression_log_likelihood, scaled_regression

Y = [-0.42, 0.11, -0.77, -0.05, 0.31, -1.2]
V = [0.09, 0.21, 0.05, 0.4, 0.13, 0.3]
E = ml.effects(Y, V, study=list("abcdef"), measure="HR", columns={"dose": [1, 2, 4, 1, 2, 6]})


def test_intercept_alone_is_the_pooled_effect() -> None:
    """A regression on nothing but the mean gives the same predictions and the same sensitivity as pooling."""
    one = ml.pool_bayes(E, moderators=np.ones((6, 1)), beta=[(0, 0.7)])
    post = ml.pool_bayes(E, mu=(0, 0.7))
    assert ml.loo(one).elpd == pytest.approx(ml.loo(post).elpd, abs=1e-9)
    a, b = ml.power_scale(one), ml.power_scale(post)
    assert a.beta[0][1] == pytest.approx(b.mu, abs=2e-3)
    assert a.tau == pytest.approx(b.tau, abs=2e-3)


def test_elpd_by_hand() -> None:
    """With tau all but known the predictive density of a study is normal, by generalised least squares."""
    fit = ml.pool_bayes(E, moderators="~ dose", tau=ml.priors.uniform(1e-6))
    x, y, v = fit.design.matrix, np.array(Y), np.array(V)
    for i in range(6):
        rest = np.arange(6) != i
        cov = np.linalg.inv((x[rest].T / v[rest]) @ x[rest])
        mean = x[i] @ cov @ ((x[rest].T / v[rest]) @ y[rest])
        sd = np.sqrt(v[i] + x[i] @ cov @ x[i])
        assert ml.loo(fit).elpd[i] == pytest.approx(stats.norm(mean, sd).logpdf(y[i]), abs=1e-6)


def test_draws_follow_the_posterior() -> None:
    """Draws of the studies' means have the moments of the exact fitted values; prior draws those of the prior."""
    fit = ml.pool_bayes(E, moderators="~ dose", beta=[(0, 1), (0.1, 0.2)])
    mean, tau = regression_draws(fit, 40000, np.random.default_rng(1), prior=False)
    exact = fit.predict(np.asarray(fit.design.matrix))
    assert mean.mean(axis=0) == pytest.approx([m.mean for m in exact], abs=0.01)
    assert mean.std(axis=0) == pytest.approx([m.sd for m in exact], rel=0.03)
    assert tau.mean() == pytest.approx(fit.tau.mean, rel=0.02)
    before, _ = regression_draws(fit, 40000, np.random.default_rng(1), prior=True)
    assert before[:, 0].std() == pytest.approx(np.hypot(1, 0.2), rel=0.02)
    assert "reproduces" in repr(ml.predictive_check(fit, draws=500))
    with pytest.raises(ml.errors.NotEstimableError, match="improper"):
        ml.predictive_check(ml.pool_bayes(E, moderators="~ dose"), prior=True)


def test_power_one_moves_nothing() -> None:
    """A power of 1 leaves every distribution as it is; a flat prior on the coefficients does not count."""
    fit = ml.pool_bayes(E, moderators="~ dose", beta=[None, (0, 0.5)])
    for (_, weight), moved in scaled_regression(fit, (1.0, 1.0)).values():
        for _, _, other in moved:
            assert other == pytest.approx(weight, abs=1e-12)


def test_power_of_the_likelihood_is_a_longer_study() -> None:
    """With tau all but zero, a likelihood to the power 2 is one of half the variances."""
    fit = ml.pool_bayes(E, moderators="~ dose", tau=ml.priors.uniform(1e-6))
    (points, _), moved = scaled_regression(fit, (2.0, 2.0))["dose"]
    twice = next(other for what, _, other in moved if what == "likelihood")
    half = ml.pool_bayes(
        ml.effects(Y, np.array(V) / 2, study=list("abcdef"), columns={"dose": [1, 2, 4, 1, 2, 6]}),
        moderators="~ dose",
        tau=ml.priors.uniform(1e-6),
    )
    assert points @ twice == pytest.approx(half.beta[1].mean, abs=1e-4)
    assert np.sqrt(twice @ (points - points @ twice) ** 2) == pytest.approx(half.beta[1].sd, rel=1e-3)


def test_lone_coefficient_is_refused() -> None:
    """A coefficient that rests on one study cannot be predicted without it."""
    e = ml.effects(Y, V, study=list("abcdef"), measure="HR", columns={"kind": [0, 0, 0, 0, 0, 1]})
    with pytest.raises(ml.errors.NotEstimableError, match="without f"):
        ml.loo(ml.pool_bayes(e, moderators="~ kind"))


def test_sampled_regression_agrees() -> None:
    """Reweighted draws predict as the exact posterior does."""
    exact = ml.pool_bayes(E, moderators="~ dose")
    sampled = ml.pool_bayes(E, moderators="~ dose", method="nuts", draws=1000, chains=2, seed=3)
    a, b = ml.loo(sampled), ml.loo(exact)
    good = a.pareto_k < 0.7
    assert good.sum() >= 4
    assert a.elpd[good] == pytest.approx(b.elpd[good], abs=0.3)  # importance weights of flexible models are noisy
    mean, tau = sampled.draws["beta"][0, 0] @ sampled.design.matrix.T, sampled.draws["tau"][0, 0]
    expected = stats.norm(mean, np.sqrt(np.array(V) + tau**2)).logpdf(Y)
    assert regression_log_likelihood(sampled)[0] == pytest.approx(expected)
    assert "reproduces" in repr(ml.predictive_check(sampled, draws=500))
    assert sampled.contrast({"dose": 2}).mean == pytest.approx(2 * sampled.beta[1].mean)


def test_contrast_by_name() -> None:
    """A contrast may name its coefficients."""
    fit = ml.pool_bayes(E, moderators="~ dose")
    assert fit.contrast({"dose": 1}).median == pytest.approx(fit.beta[1].median)
    assert fit.contrast({"intercept": 1, "dose": -2}).mean == pytest.approx(fit.contrast([1, -2]).mean)
    with pytest.raises(ml.errors.OptionError, match="There are: intercept, dose"):
        fit.contrast({"age": 1})
