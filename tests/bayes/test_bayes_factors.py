"""Bayes factors of an effect, of heterogeneity and of each coefficient: against bayesmeta's and against compare_models."""

import numpy as np
import pytest
from reference import REGRESSION, effects, made

import metaleptic as ml
from metaleptic import priors


def test_those_of_a_regression_agree_with_bayesmeta():
    """Bmr gives the evidence for none, its inverse, for tau and each coefficient."""
    fit = next(f for f in REGRESSION["fits"] if f["bayesfactor"][0][0] is not None)
    e = ml.effects(fit["y"], np.square(fit["sigma"]))
    beta = list(zip(fit["beta_prior_mean"], fit["beta_prior_sd"], strict=True))
    post = ml.pool_bayes(e, moderators=np.array(fit["X"]), tau=made(fit["tau_prior"]), beta=beta)
    found = ml.bayes_factors(post)
    theirs = dict(zip(("tau", *post.names), fit["bayesfactor"][0], strict=True))
    for name, value in theirs.items():
        assert 1 / found[name] == pytest.approx(value, rel=2e-6), name


@pytest.mark.parametrize("mu", [priors.normal(0, 0.5), priors.student_t(5, 0.1, 0.4)])
def test_those_of_a_pooled_effect_agree_with_marginal_likelihoods(mu):
    e, tau = effects("crins2014_AR"), priors.half_normal(0.5)
    found = ml.bayes_factors(ml.pool_bayes(e, tau=tau, mu=mu))
    log = ml.compare_models(e, tau=tau, mu=mu).log_marginal
    assert found["mu"] == pytest.approx(np.exp(log[3] - log[2]), rel=1e-8)
    assert found["tau"] == pytest.approx(np.exp(log[3] - log[1]), rel=1e-8)


def test_no_effect_is_a_ratio_of_one():
    """Where the analysis scale is the log, none is 0."""
    e = ml.effects([0.2, 0.3], [0.1, 0.1], measure="HR")
    assert ml.bayes_factors(ml.pool_bayes(e, mu=(0, 1)))["mu"] < 1


def test_improper_priors_have_none():
    e = effects("crins2014_AR")
    for tau, mu in ((priors.half_normal(0.5), None), (priors.uniform(), (0, 1))):
        with pytest.raises(ml.errors.NotEstimableError, match="there is no Bayes factor"):
            ml.bayes_factors(ml.pool_bayes(e, tau=tau, mu=mu))
    x = np.column_stack([np.ones(6), np.arange(6)])
    with pytest.raises(ml.errors.NotEstimableError, match="there is no Bayes factor"):
        ml.bayes_factors(ml.pool_bayes(e, tau=priors.half_normal(1), moderators=x, beta=[(0, 1), None]))


def test_other_models_are_refused():
    p = ml.proportions({"study": ["a", "b", "c"], "events": [1, 2, 3], "n": [9, 9, 9]})
    with pytest.raises(ml.errors.OptionError, match="exact normal-normal"):
        ml.bayes_factors(ml.pool_bayes(p, model="binomial-normal", mu=(0, 2)))
    with pytest.raises(ml.errors.OptionError, match="no value of 'no effect'"):
        ml.bayes_factors(ml.pool_bayes(p, mu=(0, 2)))
