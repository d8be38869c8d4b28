"""Sampling agrees with the exact posterior, and its result serves as the exact one does."""

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.bayes import diagnostics
from metaleptic.bayes.draws import Draws, marginal_of_draws
from metaleptic.bayes.loo import log_likelihood
from metaleptic.bayes.sampled import SampledBayes

RATIOS = ml.effects([-0.34, -0.05, -0.48, -0.22, 0.1], [0.03, 0.01, 0.05, 0.01, 0.04], measure="HR")
SMALL = ml.proportions({"study": list("abcde"), "events": [0, 0, 1, 3, 2], "n": [5, 12, 7, 30, 14]})


def agree(sampled, exact):
    """All moments and quantiles within 4 Monte-Carlo standard errors."""
    pairs = [(sampled.mu, exact.mu, sampled.draws["mu"]), (sampled.tau, exact.tau, sampled.draws["tau"])]
    pairs += [(sampled.prediction, exact.prediction, sampled.draws["new"])]
    pairs += [
        (a, b, sampled.draws["theta"][..., i]) for i, (a, b) in enumerate(zip(sampled.theta, exact.theta, strict=True))
    ]
    for a, b, x in pairs:
        assert abs(a.mean - b.mean) < 4 * diagnostics.mcse_mean(x), a.name
        assert abs(a.sd - b.sd) < 4 * diagnostics.mcse_sd(x), a.name
        for p in (0.05, 0.5, 0.95):
            assert abs(a.quantile(p) - b.quantile(p)) < 4 * diagnostics.mcse_quantile(x, p), (a.name, p)


@pytest.fixture(scope="module")
def sampled():
    return ml.pool_bayes(SMALL, model="binomial-normal", mu=(-2, 1.5), method="nuts", draws=1000, chains=2, seed=7)


def test_nuts_agrees_with_the_exact_binomial_normal_posterior(sampled):
    assert sampled.diagnostics.problems == ()
    agree(sampled, ml.pool_bayes(SMALL, model="binomial-normal", mu=(-2, 1.5)))


def test_a_sampled_fit_serves_as_an_exact_one_does(sampled):
    assert isinstance(sampled, SampledBayes)
    assert isinstance(sampled, ml.Result)
    assert repr(sampled).startswith("Proportion")
    assert list(sampled.to_frame()["role"]) == ["study"] * 5 + ["pooled", "prediction"]
    assert sampled.weights.sum() < 100
    assert sampled.provenance.seed == 7
    assert "pymc" in dict(sampled.provenance.versions)
    assert 0 < sampled.probability(below=0.1) < 1
    assert sampled.draws["theta"].shape == (2, 1000, 5)
    with pytest.raises(ValueError, match="read-only"):
        sampled.draws["mu"][0, 0] = 1.0


def test_contrasts_come_from_the_draws(sampled):
    d = sampled.contrast({"a": 1, "d": -1})
    assert d.mean == pytest.approx(sampled.theta[0].mean - sampled.theta[3].mean)
    assert sampled.contrast({"mu": 2}).median == pytest.approx(2 * sampled.mu.median)
    with pytest.raises(ml.errors.OptionError, match="names studies"):
        sampled.contrast({"x": 1})


def test_draws_go_to_arviz(sampled):
    tree = sampled.to_arviz()
    posterior = tree["posterior"]
    assert np.array_equal(posterior["mu"].values, sampled.draws["mu"])
    assert list(posterior["study"].values) == list("abcde")
    assert tree["sample_stats"]["diverging"].values.dtype == bool
    assert tree["observed_data"]["y"].values == pytest.approx(SMALL.events / SMALL.n)
    assert np.array_equal(tree["log_likelihood"]["y"].values.reshape(-1, 5), log_likelihood(sampled))
    replicated = tree["posterior_predictive"]["y"]
    assert replicated.dims == ("chain", "draw", "study")
    check = ml.predictive_check(sampled)
    assert replicated.values.mean(axis=(0, 1)) == pytest.approx(check.replicated.mean(axis=0), abs=0.03)


@pytest.mark.parametrize(("version", "call"), [("0.23.4", "named"), ("1.2.0", "one mapping")])
def test_both_arviz_get_all_groups(sampled, monkeypatch, version, call):
    """ArviZ 0.x takes a keyword per group, 1.x one mapping of groups."""
    import arviz

    from metaleptic.bayes import sampler

    given = {}

    def from_dict(*groups, dims, coords, **named):
        given.update(groups[0] if groups else named)
        given["how"] = "one mapping" if groups else "named"

    monkeypatch.setattr(arviz, "from_dict", from_dict)
    monkeypatch.setattr(sampler.metadata, "version", lambda name: version)
    sampled.to_arviz()
    assert given.pop("how") == call
    assert set(given) == {"posterior", "sample_stats", "log_likelihood", "observed_data", "posterior_predictive"}


def test_a_fit_that_fails_its_diagnostics_says_so_first(sampled):
    from dataclasses import replace

    bad = replace(sampled, diagnostics=replace(sampled.diagnostics, divergences=3))
    assert repr(bad).splitlines()[0] == "NOT TO BE TRUSTED: 3 divergent transitions"


def test_interrupted_sampling_keeps_nothing(monkeypatch):
    import pymc

    from metaleptic.bayes import sampler

    def interrupted(**options):
        x = np.zeros((2, 3))
        return sampler.to_arviz({"mu": x, "tau": x, "theta": x[..., None]}, x, x, {}, {})

    monkeypatch.setattr(pymc, "sample", interrupted)
    with pytest.raises(KeyboardInterrupt, match="nothing is kept"):
        ml.pool_bayes(SMALL, model="binomial-normal", method="nuts", draws=100, chains=2)


def test_bad_options():
    with pytest.raises(ml.errors.OptionError, match="method 'mcmc' is unknown"):
        ml.pool_bayes(SMALL, method="mcmc")
    with pytest.raises(ml.errors.OptionError, match="draws 10 must be"):
        ml.pool_bayes(SMALL, method="nuts", draws=10)
    with pytest.raises(ml.errors.OptionError, match="chains 1 must be"):
        ml.pool_bayes(SMALL, method="nuts", chains=1)
    with pytest.raises(ml.errors.OptionError, match="cannot be sampled"):
        ml.pool_bayes(SMALL, method="nuts", model="logistic")


@pytest.mark.long
@pytest.mark.parametrize(
    "prior",
    [
        ml.priors.half_normal(0.5),
        ml.priors.half_t(4, 0.3),
        ml.priors.uniform(1.0),
        ml.priors.exponential(3.0),
        ml.priors.log_normal(-1.5, 0.7),
        ml.priors.inverse_gamma(2.4, 0.3),
        ml.priors.shrinkage(),
    ],
    ids=lambda p: p.words,
)
def test_nuts_agrees_with_the_closed_form(prior):
    fit = ml.pool_bayes(RATIOS, tau=prior, mu=(0, 1), method="nuts", draws=2500, chains=4, seed=11)
    if prior.tail > 10:
        agree(fit, ml.pool_bayes(RATIOS, tau=prior, mu=(0, 1)))
    else:  # heavy tails: some moments are infinite, or their Monte-Carlo errors are
        exact = ml.pool_bayes(RATIOS, tau=prior, mu=(0, 1))
        for a, b, x in ((fit.mu, exact.mu, fit.draws["mu"]), (fit.tau, exact.tau, fit.draws["tau"])):
            for p in (0.05, 0.25, 0.5, 0.75, 0.95):
                assert abs(a.quantile(p) - b.quantile(p)) < 4 * diagnostics.mcse_quantile(x, p)


def test_the_distribution_of_draws():
    x = np.random.default_rng(1).standard_normal(40_000)
    d = Draws(np.sort(x))
    assert d.cdf(0.0) == pytest.approx(0.5, abs=0.01)
    assert d.sf(1.96) == pytest.approx(0.025, abs=0.003)
    assert d.pdf(np.array([0.0, 1.0])) == pytest.approx([0.3989, 0.2420], abs=0.01)
    assert d.shortest(0.95) == pytest.approx((-1.96, 1.96), abs=0.1)
    assert d.mode() == pytest.approx(0, abs=0.2)
    half = Draws(np.sort(np.abs(x)), positive=True)
    assert half.pdf(np.array([-0.1, 0.0])) == pytest.approx([0, 0.798], abs=0.03)
    m = marginal_of_draws("mu", "credible", x, 0.9, RATIOS.measure)
    assert m.estimate.value == pytest.approx(np.exp(m.median))


@pytest.mark.long
@pytest.mark.parametrize("model", ["binomial-normal", "beta-binomial", "poisson-normal"])
def test_nuts_agrees_with_the_exact_posterior_of_counts(model):
    events, time = [0, 3, 11, 2, 6], [4.0, 10.5, 60.0, 3.3, 20.0]
    rates = ml.rates({"study": list("abcde"), "events": events, "time": time})
    effects = rates if model == "poisson-normal" else SMALL
    options = {"tau": ml.priors.half_normal(0.7), "mu": (-1.5, 1.0)}
    fit = ml.pool_bayes(effects, model=model, method="nuts", draws=2500, chains=4, seed=5, **options)
    assert fit.diagnostics.problems == ()
    agree(fit, ml.pool_bayes(effects, model=model, **options))


@pytest.mark.long
def test_t_random_effects_agree_with_quadrature_and_resist_an_outlier():
    far = ml.effects([-0.3, -0.2, -0.25, -0.35, 1.2], [0.02, 0.02, 0.02, 0.02, 0.02], measure="HR")
    options = {"tau": ml.priors.half_normal(0.5), "mu": (0.0, 1.0)}
    fit = ml.pool_bayes(far, model="t", method="nuts", draws=2500, chains=4, seed=6, **options)
    u, wu = np.polynomial.legendre.leggauss(60)
    tau, w = 1.6 * (u + 1), 1.6 * wu
    m = np.linspace(-3, 3, 301)
    theta = np.linspace(-4, 4, 1601)
    log = stats.norm(0, 1).logpdf(m) + stats.halfnorm(0, 0.5).logpdf(tau)[:, None]
    for y in far.y:
        near = stats.norm.pdf(y, theta, np.sqrt(0.02))
        log = log + np.log([near @ stats.t.pdf((theta[:, None] - m) / t, 4) / t for t in tau])
    joint = np.exp(log - log.max()) * w[:, None]
    joint /= joint.sum()
    mean, spread = (joint * m).sum(), (joint.sum(axis=1) * tau).sum()
    assert abs(fit.mu.mean - mean) < 4 * diagnostics.mcse_mean(fit.draws["mu"])
    assert abs(fit.tau.mean - spread) < 4 * diagnostics.mcse_mean(fit.draws["tau"])
    assert fit.mu.mean < ml.pool_bayes(far, **options).mu.mean


@pytest.mark.long
def test_the_selection_model_agrees_with_quadrature():
    y, v = np.array([0.9, 0.5, 0.62, 0.3, 0.75, 0.1]), np.array([0.12, 0.05, 0.08, 0.02, 0.1, 0.01])
    e = ml.effects(y, v)
    options = {"tau": ml.priors.half_normal(0.3), "mu": (0.0, 0.5)}
    fit = ml.pool_bayes(e, model="selection", method="nuts", draws=2500, chains=4, seed=8, **options)
    assert fit.diagnostics.problems == ()
    nodes, w = np.polynomial.legendre.leggauss(60)
    tau, wt = 0.9 * (nodes + 1), 0.9 * w
    omega, wo = (nodes + 1) / 2, w / 2
    m = np.linspace(-1.5, 1.8, 331)
    mu, t, o = m[:, None, None], tau[:, None], omega
    log = stats.norm(0, 0.5).logpdf(mu) + stats.halfnorm(0, 0.3).logpdf(t)
    for one, var in zip(y, v, strict=True):
        sd = np.sqrt(var + t**2)
        limit = stats.norm.ppf(0.975) * np.sqrt(var)
        chance = stats.norm.sf((limit - mu) / sd)
        log = (
            log
            + stats.norm.logpdf(one, mu, sd)
            + np.where(one > limit, 0, np.log(o))
            - np.log(chance + o * (1 - chance))
        )
    joint = np.exp(log - log.max()) * wt[:, None] * wo
    joint /= joint.sum()
    for name, x in (("mu", mu), ("tau", t), ("omega", o)):
        assert abs(fit.draws[name].mean() - (joint * x).sum()) < 4 * diagnostics.mcse_mean(fit.draws[name]), name
    assert fit.mu.mean < ml.pool_bayes(e, **options).mu.mean


def test_selection_needs_a_null():
    with pytest.raises(ml.errors.DataError, match="no value of 'no effect'"):
        ml.pool_bayes(SMALL, model="selection", method="nuts")
    with pytest.raises(ml.errors.OptionError, match="sampled, not solved"):
        ml.pool_bayes(RATIOS, model="selection")


@pytest.mark.parametrize("model", ["normal-normal", "t", "selection"])
def test_what_has_no_posterior_is_not_sampled(model):
    """A sampler returns numbers whether or not there is a posterior."""
    two = ml.effects([0.1, 0.5], [0.1, 0.2], measure="HR")
    with pytest.raises(ml.errors.NotEstimableError, match="needs 3 studies with a flat prior on the mean"):
        ml.pool_bayes(two, model=model, tau=ml.priors.uniform(), method="nuts")
    with pytest.raises(ml.errors.NotEstimableError, match="piles up at zero"):
        ml.pool_bayes(two, model=model, tau=ml.priors.from_density(lambda tau: 1 / tau), method="nuts")


def test_no_events_and_a_flat_mean_are_not_sampled():
    none = ml.proportions({"study": list("abc"), "events": [0, 0, 0], "n": [5, 6, 7]})
    for model in ("binomial-normal", "beta-binomial"):
        with pytest.raises(ml.errors.NotEstimableError, match="no patient had the event"):
            ml.pool_bayes(none, model=model, method="nuts")
