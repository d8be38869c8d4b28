"""Sampled meta-regression: the densities that are sampled, the result, and NUTS against importance sampling and quadrature."""

import numpy as np
import pytest
import sampled_models
from scipy import stats

import metaleptic as ml
from metaleptic import priors
from metaleptic.bayes import diagnostics
from metaleptic.bayes.regularising import draw_coefficients, global_scale, standardise
from metaleptic.bayes.sampled_regression import regression
from metaleptic.design import design_of

DOSE, YEAR = (1.0, 2.5, 2.0, 4.0, 3.0, 5.5, 4.5), (2001.0, 2004.0, 2010.0, 2003.0, 2012.0, 2008.0, 2015.0)
EFFECTS = ml.effects(
    [-0.1, -0.3, -0.2, -0.6, -0.35, -0.9, -0.5],
    [0.04, 0.02, 0.05, 0.03, 0.02, 0.06, 0.03],
    measure="HR",
    columns={"dose": DOSE, "year": YEAR},
)
DESIGN = design_of(EFFECTS, "~ dose + year")
TAU = priors.half_normal(0.3)


def standard(design=DESIGN):
    """Return the standardised moderators."""
    x = design.matrix[:, 1:]
    return (x - x.mean(axis=0)) / x.std(axis=0)


def log_likelihood(mean, tau):
    return stats.norm.logpdf(EFFECTS.y, mean, np.sqrt(EFFECTS.v + tau**2)).sum()


def test_the_ridge_that_is_sampled_is_the_models():
    prior = priors.ridge(0.4, mean=(0.1, 0.7))
    points = [(0.2, 0.3, -0.2, [0.5, -1.0]), (0.05, 1.1, 0.4, [0.1, 0.2])]
    found = sampled_models.model_densities(
        lambda pm, pt: regression(pm, pt, EFFECTS, DESIGN, TAU, prior),
        [{"tau": t, "scale": s, "mu": m, "z": z} for t, s, m, z in points],
    )
    expected = [
        stats.halfnorm(0, 0.3).logpdf(t)
        + stats.halfnorm(0, 0.4).logpdf(s)
        + stats.norm(0.1, 0.7).logpdf(m)
        + stats.norm.logpdf(z).sum()
        + log_likelihood(m + standard() @ (s * np.array(z)), t)
        for t, s, m, z in points
    ]
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_horseshoe_that_is_sampled_is_the_models():
    prior = priors.horseshoe(0.5, slab=0.8, slab_df=3, mean=(0, 1))
    common_scale = 0.5 / 1.5 / np.sqrt(np.sum(1 / EFFECTS.v))
    point = {"tau": 0.2, "scale": 0.03, "local": [4.0, 0.3], "slab2": 1.7, "mu": -0.3, "z": [-1.1, 0.4]}
    spread = 0.03 * np.array([4.0, 0.3])
    b = np.array([-1.1, 0.4]) * spread * np.sqrt(1.7 / (1.7 + spread**2))
    expected = (
        stats.halfnorm(0, 0.3).logpdf(0.2)
        + stats.halfcauchy(0, common_scale).logpdf(0.03)
        + stats.halfcauchy.logpdf([4.0, 0.3]).sum()
        + stats.invgamma(1.5, scale=1.5 * 0.64).logpdf(1.7)
        + stats.norm(0, 1).logpdf(-0.3)
        + stats.norm.logpdf([-1.1, 0.4]).sum()
        + log_likelihood(-0.3 + standard() @ b, 0.2)
    )
    found = sampled_models.model_densities(lambda pm, pt: regression(pm, pt, EFFECTS, DESIGN, TAU, prior), [point])
    assert found == pytest.approx([expected], abs=1e-6)
    assert global_scale(prior, 2, EFFECTS.v) == pytest.approx(common_scale)


def test_normal_and_flat_coefficients_move_as_their_posterior_does():
    """Differences of the log density between two values of u are those of the posterior at the two betas."""
    sd = np.array([np.inf, 0.2, np.inf])
    total = EFFECTS.v + 1 / np.mean(1 / EFFECTS.v)
    precision = (DESIGN.matrix / total[:, None]).T @ DESIGN.matrix + np.diag([0, 25.0, 0])
    centre = np.linalg.solve(precision, DESIGN.matrix.T @ (EFFECTS.y / total) + np.array([0, 25.0 * 0.1, 0]))
    half = np.linalg.inv(np.linalg.cholesky(precision)).T
    us = [np.array([0.3, -1.0, 0.5]), np.array([-0.2, 0.4, 1.5])]
    found = sampled_models.model_densities(
        lambda pm, pt: regression(pm, pt, EFFECTS, DESIGN, TAU, (np.array([0.0, 0.1, 0.0]), sd)),
        [{"tau": 0.2, "u": u} for u in us],
    )
    betas = [centre + half @ u for u in us]
    expected = [log_likelihood(DESIGN.matrix @ b, 0.2) + stats.norm(0.1, 0.2).logpdf(b[1]) for b in betas]
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], abs=1e-6)


@pytest.fixture
def fit(monkeypatch):
    """Fit by draws around known coefficients."""
    rng = np.random.default_rng(4)
    beta = np.array([0.05, -0.16, 0.002]) + rng.standard_normal((2, 400, 3)) * [0.1, 0.02, 0.001]
    draws = {"beta": beta, "tau": np.abs(0.1 * rng.standard_normal((2, 400))), "scale": rng.random((2, 400))}
    sampled_models.replace_chains(monkeypatch, draws)
    return ml.pool_bayes(
        EFFECTS,
        moderators="~ dose + year",
        beta=priors.ridge(),
        tau=TAU,
        method="nuts",
        draws=400,
        chains=2,
        seed=1,
    )


def test_a_sampled_regression_serves_as_an_exact_one_does(fit):
    beta = fit.draws["beta"]
    assert isinstance(fit, ml.SampledRegression)
    assert "Meta-regression of log hazard ratio on dose + year, 7 studies" in repr(fit)
    assert list(fit.to_frame()["term"]) == ["intercept", "dose", "year"]
    assert fit.beta[1].mean == pytest.approx(beta[..., 1].mean())
    row = [1.0, 3.0, 2005.0]
    mean, new = fit.predict({"dose": [3.0], "year": [2005.0]}), fit.predict([row], study=True)
    assert mean[0].mean == pytest.approx((beta @ row).mean())
    assert mean[0].value == pytest.approx(np.exp(np.median(beta @ row)))
    assert new[0].sd == pytest.approx(np.sqrt((beta @ row).var() + np.mean(fit.draws["tau"] ** 2)), rel=0.1)
    assert fit.contrast([0, 1, -1]).mean == pytest.approx((beta[..., 1] - beta[..., 2]).mean())
    t2 = fit.draws["tau"][..., None] ** 2
    pull = EFFECTS.v / (EFFECTS.v + t2)
    centre = (pull * (beta @ DESIGN.matrix.T) + (1 - pull) * EFFECTS.y).mean(axis=(0, 1))
    assert [t.mean for t in fit.theta] == pytest.approx(centre, abs=0.02)
    assert list(fit.to_arviz()["posterior"]["coefficient"].values) == ["intercept", "dose", "year"]
    assert set(fit.to_arviz()["log_likelihood"]["y"].dims) == {"chain", "draw", "study"}
    assert fit.to_arviz()["posterior_predictive"]["y"].shape == (2, 400, 7)
    assert "priors.ridge(scale=0.5)" in fit.provenance.call
    with pytest.raises(ml.errors.OptionError, match="one weight for each"):
        fit.contrast([1])


def test_a_sampled_regression_that_fails_says_so_first(fit):
    from dataclasses import replace

    bad = replace(fit, diagnostics=replace(fit.diagnostics, divergences=7))
    assert repr(bad).splitlines()[0].startswith("NOT TO BE TRUSTED: 7 divergent transitions")


def test_what_regularising_priors_refuse():
    with pytest.raises(ml.errors.OptionError, match='sampled, not solved: say method="nuts"'):
        ml.pool_bayes(EFFECTS, moderators="~ dose", beta=priors.ridge())
    with pytest.raises(ml.errors.OptionError, match="relevant=2 of 2 moderators"):
        ml.pool_bayes(EFFECTS, moderators="~ dose + year", beta=priors.horseshoe(2), method="nuts")
    with pytest.raises(ml.errors.OptionError, match="no moderator beside the intercept"):
        ml.pool_bayes(EFFECTS, moderators="~ 1", beta=priors.ridge(), method="nuts")
    with pytest.raises(ml.errors.DataError, match="'same' is the same in all studies"):
        ml.pool_bayes(EFFECTS, moderators={"same": [2.0] * 7}, beta=priors.ridge(), method="nuts")
    with pytest.raises(ml.errors.OptionError, match="scale -1 must be a number above 0"):
        priors.ridge(-1)
    with pytest.raises(ml.errors.OptionError, match="flat prior on the mean cannot be drawn"):
        draw_coefficients(priors.ridge(), DESIGN, EFFECTS.v, 10, np.random.default_rng(1))


def test_draws_of_coefficients_have_the_spread_that_the_prior_says():
    rng = np.random.default_rng(5)
    beta = draw_coefficients(priors.ridge(0.4, mean=(0.3, 0.2)), DESIGN, EFFECTS.v, 40_000, rng)
    assert beta[:, 1].std() * np.std(DOSE) == pytest.approx(0.4, rel=0.03)
    average = beta @ DESIGN.matrix.mean(axis=0)
    assert (average.mean(), average.std()) == pytest.approx((0.3, 0.2), rel=0.02)
    few = draw_coefficients(priors.horseshoe(0.5, slab=0.1, mean=(0, 1)), DESIGN, EFFECTS.v, 40_000, rng)
    assert np.quantile(np.abs(few[:, 2] * np.std(YEAR)), 0.99) < 0.5  # the slab holds what the horseshoe lets go
    assert standardise(DESIGN).z == pytest.approx(standard())


def given_scales(spread, tau):
    """Return log marginal likelihood, and mean and covariance of (mean, b), for one draw of the spreads: all is normal."""
    x = np.column_stack([np.ones(len(EFFECTS)), standard()])
    prior = np.diag(1 / np.concatenate([[1.0], spread**2]))
    w = 1 / (EFFECTS.v + tau**2)
    inside = prior + (x * w[:, None]).T @ x
    mean = np.linalg.solve(inside, x.T @ (w * EFFECTS.y))
    log = 0.5 * (np.linalg.slogdet(prior)[1] - np.linalg.slogdet(inside)[1] + np.log(w).sum())
    return log - 0.5 * (w @ EFFECTS.y**2 - mean @ inside @ mean), mean


@pytest.mark.long
@pytest.mark.parametrize("key", ["ridge", "horseshoe"])
def test_nuts_agrees_with_importance_sampling_of_the_scales(key):
    prior = {"ridge": priors.ridge(0.4, mean=(0, 1)), "horseshoe": priors.horseshoe(1, slab=0.5, mean=(0, 1))}[key]
    fit = ml.pool_bayes(
        EFFECTS,
        moderators="~ dose + year",
        beta=prior,
        tau=TAU,
        method="nuts",
        draws=3000,
        chains=4,
        seed=2,
    )
    assert fit.diagnostics.divergences == 0
    rng, n = np.random.default_rng(6), 60_000
    tau = np.abs(rng.normal(0, 0.3, n))
    if key == "ridge":
        spread = np.abs(rng.normal(0, 0.4, (n, 1))) * np.ones(2)
    else:
        raw = global_scale(prior, 2, EFFECTS.v) * np.abs(rng.standard_cauchy((n, 1)) * rng.standard_cauchy((n, 2)))
        c2 = stats.invgamma(2, scale=2 * 0.25).rvs((n, 1), random_state=rng)
        spread = raw * np.sqrt(c2 / (c2 + raw**2))
    log, mean = zip(*(given_scales(s + 1e-12, t) for s, t in zip(spread, tau, strict=True)), strict=True)
    w = np.exp(np.array(log) - max(log))
    w /= w.sum()
    for j, sd in enumerate((np.std(DOSE), np.std(YEAR)), start=1):
        x = np.array(mean)[:, j]
        expected, error = w @ x, np.sqrt(w**2 @ (x - w @ x) ** 2)
        found = fit.draws["beta"][..., j] * sd
        assert abs(found.mean() - expected) < 4 * np.hypot(error, diagnostics.mcse_mean(found)), j
    error = np.sqrt(w**2 @ (tau - w @ tau) ** 2)
    assert abs(fit.tau.mean - w @ tau) < 4 * np.hypot(error, diagnostics.mcse_mean(fit.draws["tau"]))


@pytest.mark.long
@pytest.mark.parametrize("beta", [None, [(0.0, 1.0), (-0.1, 0.05), None]], ids=["flat", "normal"])
def test_nuts_agrees_with_the_exact_regression(beta):
    options = {"moderators": "~ dose + year", "beta": beta, "tau": TAU}
    exact = ml.pool_bayes(EFFECTS, **options)
    fit = ml.pool_bayes(EFFECTS, method="nuts", draws=2500, chains=4, seed=3, **options)
    assert fit.diagnostics.problems == ()
    pairs = [(fit.tau, exact.tau, fit.draws["tau"])]
    pairs += [(a, b, fit.draws["beta"][..., j]) for j, (a, b) in enumerate(zip(fit.beta, exact.beta, strict=True))]
    pairs += [(a, b, fit.draws["theta"][..., i]) for i, (a, b) in enumerate(zip(fit.theta, exact.theta, strict=True))]
    for a, b, x in pairs:
        assert abs(a.mean - b.mean) < 4 * diagnostics.mcse_mean(x), a.name
        assert abs(a.sd - b.sd) < 4 * diagnostics.mcse_sd(x), a.name


@pytest.mark.long
def test_more_moderators_than_studies_need_a_regularising_prior():
    x = np.random.default_rng(7).standard_normal((7, 9))
    moderators = {f"m{j}": x[:, j] for j in range(9)}
    with pytest.raises(ml.errors.DataError, match="7 studies for 10 coefficients"):
        ml.pool_bayes(EFFECTS, moderators=moderators, tau=TAU)
    fit = ml.pool_bayes(
        EFFECTS, moderators=moderators, beta=priors.horseshoe(), tau=TAU, method="nuts", draws=500, chains=2, seed=1
    )
    assert len(fit.beta) == 10
