"""Power scaling: exact and sampled agree, and the diagnosis is right where the answer is known."""

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.bayes import power_scale as module

MANY = ml.effects(np.linspace(-0.5, 0.1, 25), [0.02] * 25, measure="HR")
TWO = ml.effects([-0.3, -0.1], [0.1, 0.1], measure="HR")


def test_many_studies_outweigh_the_prior():
    found = ml.power_scale(ml.pool_bayes(MANY, mu=(0, 1)))
    assert found.mu[0] < 0.05 < found.mu[1]
    assert repr(found).startswith("mu: the prior hardly matters")


def test_with_two_studies_tau_is_the_priors():
    found = ml.power_scale(ml.pool_bayes(TWO, tau=ml.priors.half_normal(0.5)))
    assert found.tau[0] > 0.05
    assert list(found.to_frame()["quantity"]) == ["mu", "tau"]


def test_a_prior_in_conflict_is_told():
    found = ml.power_scale(ml.pool_bayes(MANY, mu=(2.0, 0.1), tau=ml.priors.half_normal(0.1)))
    assert "both matter, and may disagree" in repr(found).splitlines()[0]


def test_scaling_a_normal_prior_is_another_normal_prior():
    """N(0, s)^a is N(0, s / sqrt(a)): the reweighted grid must be the posterior under that prior."""
    fit = ml.pool_bayes(TWO, tau=ml.priors.half_normal(0.4), mu=(0, 0.3))
    mu, tau, weight, log_prior, _ = module._points(fit)
    moved = module._reweighted(weight, (1.25 - 1) * log_prior)
    scale = 1 / np.sqrt(1.25)
    other = ml.pool_bayes(TWO, tau=ml.priors.half_normal(0.4 * scale), mu=(0, 0.3 * scale))
    assert moved @ mu == pytest.approx(other.mu.mean, abs=1e-8)
    assert moved @ tau == pytest.approx(other.tau.mean, abs=1e-8)


def test_distance_of_draws_and_of_grids_agree_and_lie_between_0_and_1():
    x = np.linspace(-8, 8, 4001)
    p, q = (d.pdf(x) / d.pdf(x).sum() for d in (stats.norm(0, 1), stats.norm(0.2, 1)))
    draws = np.random.default_rng(1).standard_normal(200_000)
    ratio = np.exp(stats.norm(0.2, 1).logpdf(draws) - stats.norm.logpdf(draws))
    even = np.full(draws.size, 1 / draws.size)
    assert module.distance(draws, even, ratio / ratio.sum()) == pytest.approx(module.distance(x, p, q), rel=0.05)
    assert module.distance(x, p, p) == 0
    far = stats.norm(6, 0.5).pdf(x)
    assert 0.5 < module.distance(x, p, far / far.sum()) < 1


def test_what_has_no_power_scaling():
    with pytest.raises(ml.errors.OptionError, match="takes a fit"):
        ml.power_scale(TWO)
