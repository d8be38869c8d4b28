"""Densities of PyMC serve as priors, and say the same as their counterparts."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic import priors

RATIOS = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR")


@pytest.mark.parametrize(
    ("pymc", "same"),
    [
        (lambda: pm.HalfNormal.dist(0.5), priors.half_normal(0.5)),
        (lambda: pm.Gamma.dist(2, 4), priors.from_density(stats.gamma(2, scale=0.25))),
        (lambda: pm.Uniform.dist(0.1, 0.7), priors.from_density(stats.uniform(0.1, 0.6))),
        (lambda: pm.Normal.dist(0, 0.5), priors.half_normal(0.5)),
    ],
    ids=["half-normal", "gamma", "uniform with two ends", "normal, cut at 0"],
)
def test_a_pymc_distribution_is_a_prior(pymc, same):
    post, expected = ml.pool_bayes(RATIOS, tau=pymc()), ml.pool_bayes(RATIOS, tau=same)
    assert post.mu.sd == pytest.approx(expected.mu.sd, rel=1e-8)
    assert post.tau.quantile(0.9) == pytest.approx(expected.tau.quantile(0.9), rel=1e-8)
    assert post.prior.draw(20, seed=1) == pytest.approx(same.draw(20, seed=1), rel=1e-8)


def test_its_name_and_its_support_are_found():
    prior = priors.from_density(pm.Uniform.dist(0.1, 0.7))
    assert (prior.name, prior.upper, prior.proper) == ("uniform(0.1, 0.7)", pytest.approx(0.7), True)
    assert prior.breaks == pytest.approx((0.1,))
    assert priors.from_density(pm.Gamma.dist(2, 4), name="elicited").name == "elicited"


@pytest.mark.parametrize("name", sorted(set(priors.PRIORS) - {"in_words", "from_quantiles", "from_density"}))
def test_every_proper_prior_can_be_drawn_and_every_other_says_why_not(name):
    given = {
        "half_t": (4, 0.5),
        "lomax": (2, 0.5),
        "log_normal": (-1, 0.8),
        "log_student_t": (5, -1.7, 1.3),
        "inverse_gamma": (1.8, 0.5),
        "bartos": ("HR",),
        "uniform": (2.0,),
    }
    numbered = {"half_normal", "half_cauchy", "half_logistic", "exponential"}
    prior = priors.PRIORS[name].make(*given.get(name, (0.5,) if name in numbered else ()))
    v = RATIOS.v
    if not prior.proper:
        with pytest.raises(ml.errors.NotEstimableError, match="improper"):
            prior.draw(10, seed=1, v=v)
        return
    x = prior.draw(4000, seed=1, v=v)
    assert stats.kstest(prior.cdf(x, v), "uniform").pvalue > 1e-3
    assert np.mean(x <= prior.quantile(0.5, v)) == pytest.approx(0.5, abs=0.04)
