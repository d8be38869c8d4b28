"""Predictive checks: they find what a model cannot produce, and nothing where the model is right."""

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml

RATIOS = ml.effects([-0.34, -0.05, -0.48, -0.22, 0.1], [0.03, 0.01, 0.05, 0.01, 0.04], measure="HR")
SMALL = ml.proportions({"study": list("abcde"), "events": [0, 0, 1, 3, 2], "n": [5, 12, 7, 30, 14]})


def test_replicated_studies_have_the_predictive_distribution():
    fit = ml.pool_bayes(RATIOS)
    check = ml.predictive_check(fit, draws=20_000, seed=3)
    for i in (0, 3):
        want = np.hypot(fit.prediction.sd, np.sqrt(RATIOS.v[i]))
        assert check.replicated[:, i].std() == pytest.approx(want, rel=0.05)
        assert check.replicated[:, i].mean() == pytest.approx(fit.mu.mean, abs=0.01)
    assert repr(check).startswith("Posterior predictive check: reproduces")


@pytest.mark.parametrize("model", ["binomial-normal", "beta-binomial"])
def test_replicated_counts_have_the_predictive_distribution(model):
    fit = ml.pool_bayes(SMALL, model=model)
    check = ml.predictive_check(fit, draws=20_000, seed=3)
    t = np.linspace(-14, 6, 4001)
    weight = fit.prediction.pdf(t) * (t[1] - t[0])
    none = weight @ stats.binom.pmf(0, 12, 1 / (1 + np.exp(-t)))
    assert (check.replicated[:, 1] == 0).mean() == pytest.approx(none, abs=0.015)
    assert "studies without an event" in check.statistics
    assert list(check.to_frame()["statistic"])[-1] == "studies without an event"


def test_a_model_that_is_too_narrow_is_found_out():
    far = ml.effects([0.0, 0.05, -0.03, 0.02, 2.5], [0.01] * 5)
    check = ml.predictive_check(ml.pool_bayes(far, tau=ml.priors.half_normal(0.01)))
    assert "spread" in repr(check).splitlines()[0]
    assert "does not reproduce" in repr(check)
    assert "Study 5" in repr(check).splitlines()[-1]


def test_prior_predictive_checks():
    fit = ml.pool_bayes(SMALL, model="binomial-normal", mu=(0, 0.1), tau=ml.priors.half_normal(0.1))
    check = ml.predictive_check(fit, prior=True)
    assert check.replicated.mean() == pytest.approx(0.5, abs=0.02)
    assert repr(check).startswith("Prior predictive check: does not reproduce")
    with pytest.raises(ml.errors.NotEstimableError, match="proper"):
        ml.predictive_check(ml.pool_bayes(RATIOS), prior=True)


def test_same_seed_same_draws_and_bad_options():
    fit = ml.pool_bayes(RATIOS)
    a, b = (ml.predictive_check(fit, seed=5, draws=200).replicated for _ in range(2))
    assert np.array_equal(a, b)
    with pytest.raises(ml.errors.OptionError, match="draws 10"):
        ml.predictive_check(fit, draws=10)
    with pytest.raises(ml.errors.OptionError, match="takes a fit"):
        ml.predictive_check(RATIOS)
