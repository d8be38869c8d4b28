"""Leave-one-out prediction: exact against refits written out, PSIS against ArviZ and the exact values."""

import warnings

import numpy as np
import pytest
from scipy import integrate, special, stats

import metaleptic as ml
from metaleptic.bayes import loo as module

RATIOS = ml.effects([-0.34, -0.05, -0.48, -0.22, 0.9], [0.03, 0.01, 0.05, 0.01, 0.04], measure="HR")
SMALL = ml.proportions({"study": list("abcde"), "events": [0, 0, 1, 3, 2], "n": [5, 12, 7, 30, 14]})


def test_normal_normal_is_the_predictive_density_of_the_others():
    found = ml.loo(ml.pool_bayes(RATIOS, tau=ml.priors.half_normal(0.5)))
    for i in range(5):
        others = ml.pool_bayes(RATIOS.take([j for j in range(5) if j != i]), tau=ml.priors.half_normal(0.5))
        t = np.linspace(-8, 8, 16001)
        like = stats.norm.pdf(RATIOS.y[i], t, np.sqrt(RATIOS.v[i]))
        density = integrate.simpson(others.prediction.pdf(t) * like, x=t)
        assert found.elpd[i] == pytest.approx(np.log(density), abs=1e-7)
    assert found.total == pytest.approx(found.elpd.sum())
    assert "least expected: Study 5" in repr(found)
    assert next(iter(found.to_frame()["study"])) == "Study 5"


@pytest.mark.parametrize("model", ["binomial-normal", "beta-binomial"])
def test_counts_are_predicted_by_the_others(model):
    found = ml.loo(ml.pool_bayes(SMALL, model=model))
    others = ml.pool_bayes(SMALL.take([0, 1, 2, 4]), model=model)
    chance = integrate.quad(
        lambda t: others.prediction.pdf(t) * stats.binom.pmf(3, 30, special.expit(t)), -14, 6, points=[-2], limit=300
    )[0]
    assert found.elpd[3] == pytest.approx(np.log(chance), abs=1e-6)
    assert np.isnan(found.pareto_k).all()


def test_psis_is_that_of_arviz():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz as az
    rng = np.random.default_rng(2)
    log_ratio = rng.standard_t(4, 4000) * 1.5
    log_w, k = module.psis(log_ratio)
    theirs, their_k = az.psislw(log_ratio) if hasattr(az, "psislw") else pytest.skip("ArviZ 1.x has no psislw")
    assert k == pytest.approx(float(their_k), abs=0.02)
    assert log_w == pytest.approx(np.asarray(theirs), abs=0.1)


def test_pareto_fit_finds_the_shape():
    x = np.sort(stats.genpareto(0.4, scale=2.0).rvs(20_000, random_state=np.random.default_rng(3)))
    k, sigma = module.fit_pareto(x)
    assert (k, sigma) == pytest.approx((0.4, 2.0), abs=0.05)


def test_reweighted_draws_of_the_normal_model_agree_with_the_exact_values():
    rng = np.random.default_rng(1)
    fit = ml.pool_bayes(RATIOS, tau=ml.priors.half_normal(0.5), mu=(0, 1))
    tau = fit.tau.draw(40_000, seed=4)
    w = 1 / (RATIOS.v + tau[:, None] ** 2)
    precision = w.sum(axis=1) + 1
    mu = (w @ RATIOS.y) / precision + rng.standard_normal(tau.size) / np.sqrt(precision)
    total = RATIOS.v + tau[:, None] ** 2
    elpd, k = module.psis_elpd(-0.5 * ((RATIOS.y - mu[:, None]) ** 2 / total + np.log(2 * np.pi * total)))
    good = k < 0.7
    assert good.sum() >= 4
    assert elpd[good] == pytest.approx(ml.loo(fit).elpd[good], abs=0.03)


def test_what_cannot_be_left_out():
    with pytest.warns(ml.errors.FewStudiesWarning):
        one = ml.pool_bayes(RATIOS.take([0]))
    with pytest.raises(ml.errors.NotEstimableError, match="no others"):
        ml.loo(one)
    with pytest.raises(ml.errors.OptionError, match="takes a fit"):
        ml.loo(RATIOS)


def test_likelihoods_of_sampled_models_are_integrals_over_the_true_effect():
    """Student t random effects: against a sum over a fine grid. Selection: reported results integrate to 1."""
    theta = np.linspace(-40, 40, 800_001)
    for y, v, mu, tau in ((0.4, 0.05, 0.1, 0.3), (3.0, 0.02, 0.0, 0.1), (-0.2, 0.1, -0.3, 0.005)):
        density = stats.norm.pdf(y, theta, np.sqrt(v)) * stats.t.pdf((theta - mu) / tau, 4) / tau
        found = module.student_log(np.array([y]), np.array([v]), np.array([mu]), np.array([tau]))
        assert found[0, 0] == pytest.approx(np.log(integrate.trapezoid(density, theta)), rel=1e-7)
    grid = np.linspace(-4, 5, 9001)
    log = module.selected_log(ml.effects(grid, np.full(9001, 0.04)), np.array([0.2]), np.array([0.3]), np.array([0.35]))
    jump = 9 / 9000 * np.exp(log.max())  # where results turn significant
    assert integrate.trapezoid(np.exp(log[0]), grid) == pytest.approx(1, abs=jump)
