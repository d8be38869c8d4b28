"""The two-group model: its density, its draws, and NUTS against four-dimensional quadrature."""

import numpy as np
import pytest
import sampled_models
from scipy import stats

import metaleptic as ml
from metaleptic.bayes import diagnostics, outliers

FAR = ml.effects([-0.3, -0.2, -0.25, -0.35, 1.2], [0.02, 0.03, 0.02, 0.04, 0.02], measure="HR")
TAU, MU = ml.priors.half_normal(0.5), ml.priors.normal(0.0, 1.0)


def log_density(mu, tau, wide, share, effects=FAR):
    """Prior times likelihood, written down anew from scipy's densities."""
    log = stats.norm(0, 1).logpdf(mu) + stats.halfnorm(0, 0.5).logpdf(tau)
    log = log + stats.halfnorm(0, 1.5).logpdf(wide) + stats.beta(1, 9).logpdf(share)
    for y, v in zip(effects.y, effects.v, strict=True):
        usual = stats.norm.pdf(y, mu, np.sqrt(v + tau**2))
        outlying = stats.norm.pdf(y, mu, np.sqrt(v + tau**2 + wide**2))
        log = log + np.log((1 - share) * usual + share * outlying)
    return log


def test_the_density_that_is_sampled_is_the_models():
    points = [(0.1, 0.3, 1.2, 0.2), (-0.4, 0.05, 0.2, 0.01), (0.7, 1.1, 3.0, 0.6)]
    found = sampled_models.log_densities(
        "outliers", FAR, TAU, MU, [{"mu": m, "tau": t, "wide_unit": w / 3, "share": s} for m, t, w, s in points]
    )
    expected = [log_density(*p) + np.log(3) for p in points]  # the density of wide / 3 is three times as high
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.fixture
def fit(monkeypatch):
    """Fit by 600 draws that are nearly alike: what follows from them is known in closed form."""
    one = {"mu": -0.2, "tau": 0.1, "wide": 1.4, "share": 0.15}
    jitter = 1 + 1e-6 * np.random.default_rng(2).standard_normal((2, 300))
    sampled_models.replace_chains(monkeypatch, {name: value * jitter for name, value in one.items()})
    return ml.pool_bayes(FAR, model="outliers", tau=TAU, mu=MU, method="nuts", draws=300, chains=2, seed=1)


def test_groups_and_true_effects_given_the_draws(fit):
    near, far = (stats.norm.pdf(FAR.y, -0.2, np.sqrt(FAR.v + t2)) for t2 in (0.01, 0.01 + 1.96))
    chance = 0.15 * far / (0.15 * far + 0.85 * near)
    assert fit.draws["outlying"][0, 0] == pytest.approx(chance, rel=1e-3)
    means = [(1 - FAR.v / (FAR.v + t2)) * FAR.y + FAR.v / (FAR.v + t2) * -0.2 for t2 in (0.01, 1.97)]
    expected = (1 - chance) * means[0] + chance * means[1]
    se = fit.draws["theta"].std(axis=(0, 1)) / np.sqrt(600)
    assert (np.abs(fit.draws["theta"].mean(axis=(0, 1)) - expected) < 4 * se).all()
    assert np.var(fit.draws["new"]) == pytest.approx(0.01 + 0.15 * 1.96, rel=0.5)
    assert fit.notes[-1] == "More likely outlying than not: Study 5 (100%)."


def test_checks_serve_the_two_group_model(fit):
    near, far = (stats.norm.pdf(FAR.y, -0.2, np.sqrt(FAR.v + t2)) for t2 in (0.01, 0.01 + 1.96))
    assert ml.loo(fit).elpd == pytest.approx(np.log(0.85 * near + 0.15 * far), rel=1e-4)
    check = ml.predictive_check(fit, draws=20_000)
    assert np.var(check.replicated[:, 0]) == pytest.approx(0.02 + 0.01 + 0.15 * 1.96, rel=0.05)
    before = ml.predictive_check(fit, prior=True, draws=40_000)
    assert np.var(before.replicated[:, 0]) == pytest.approx(1 + 0.25 + 0.1 * 2.25 + 0.02, rel=0.05)


def test_the_spread_of_outliers_needs_a_proper_prior():
    with pytest.raises(ml.errors.NotEstimableError, match="nothing bounds the spread of outliers"):
        ml.pool_bayes(FAR, model="outliers", tau=ml.priors.uniform(), method="nuts")
    with pytest.raises(ml.errors.OptionError, match="sampled, not solved"):
        ml.pool_bayes(FAR, model="outliers")


@pytest.mark.long
def test_the_two_group_model_agrees_with_quadrature_and_resists_an_outlier():
    fit = ml.pool_bayes(FAR, model="outliers", tau=TAU, mu=MU, method="nuts", draws=4000, chains=4, seed=3)
    assert fit.diagnostics.divergences == 0
    nodes, w = np.polynomial.legendre.leggauss(24)
    m = np.linspace(-2, 2, 161)[:, None, None, None]
    tau, wt = (1.2 * (nodes + 1) ** 2 / 2)[:, None, None], 1.2 * (nodes + 1) * w
    wide, ww = (3.5 * (nodes + 1))[:, None], 3.5 * w
    share, ws = (nodes + 1) / 2, w / 2
    log = log_density(m, tau, wide, share)
    joint = np.exp(log - log.max()) * wt[:, None, None] * ww[:, None] * ws
    joint /= joint.sum()
    for name, x in (("mu", m), ("tau", tau), ("wide", wide), ("share", share)):
        assert abs(fit.draws[name].mean() - (joint * x).sum()) < 4 * diagnostics.mcse_mean(fit.draws[name]), name
    assert fit.mu.mean < ml.pool_bayes(FAR, tau=TAU, mu=MU).mu.mean
    assert outliers.outlying_note(fit.draws, FAR).startswith("More likely outlying than not: Study 5 (")
