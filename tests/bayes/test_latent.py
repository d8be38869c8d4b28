"""The two-dimensional quadrature: against the closed form, an independent quadrature, and published posteriors."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, special, stats

import metaleptic as ml
from metaleptic.bayes import likelihoods
from metaleptic.bayes.exact_models import EXACT, pool_latent
from metaleptic.bayes.latent import latent
from metaleptic.bayes.pool_bayes import checked_mu
from metaleptic.pooling.binomial import binomial_normal_loglik

GOLDEN = json.loads((Path(__file__).parent / "golden" / "binomial_normal.json").read_text())
RATIOS = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR")
SMALL = ml.proportions({"study": list("abcde"), "events": [0, 0, 1, 3, 2], "n": [5, 12, 7, 30, 14]})


HEAVY = [ml.priors.half_cauchy(0.5), ml.priors.jeffreys()]  # whose tails with a flat mean reach far out
LIGHT = [
    ml.priors.half_normal(0.5),
    ml.priors.half_normal(0.02),
    ml.priors.uniform(1.0),
    ml.priors.log_normal(-1.0, 0.8),
]
CASES = [(p, mu) for p in LIGHT for mu in (None, (0.0, 1.0))]
CASES += [(p, (0.0, 1.0)) for p in HEAVY] + [(LIGHT[0], ml.priors.student_t(4, 0.2, 0.3))]
CASES += [pytest.param(p, None, marks=pytest.mark.long) for p in HEAVY]


@pytest.mark.parametrize(("prior", "mu"), CASES, ids=str)
def test_agrees_with_the_closed_form_of_the_normal_normal_model(prior, mu):
    one = ml.pool_bayes(RATIOS, tau=prior, mu=mu)
    two = pool_latent(RATIOS, EXACT["normal-normal"], prior, checked_mu(mu), 0.95)
    assert two.log_integral == pytest.approx(one.log_integral, abs=1e-8)
    pairs = [
        (one.mu, two.mu),
        (one.tau, two.tau),
        (one.prediction, two.prediction),
        *zip(one.theta, two.theta, strict=True),
    ]
    x = np.linspace(-1.0, 1.0, 41)
    for a, b in pairs:
        assert b.median == pytest.approx(a.median, abs=2e-8)
        assert b.central == pytest.approx(a.central, abs=2e-8)
        assert b.hpd == pytest.approx(a.hpd, abs=1e-6)
        assert np.abs(b.cdf(x) - a.cdf(x)).max() < two.error
        assert np.abs(b.pdf(x) - a.pdf(x)).max() < 1e-6
    if not isinstance(mu, ml.priors.EffectPrior):  # under a Student t prior weights have more than one definition
        assert two.weights == pytest.approx(one.weights, abs=1e-6)


def independent(x, n, prior, mu):
    """Moments by Gauss-Legendre panels over tau and an even grid of mu, each study's integral by its own quadrature."""
    nodes, w = np.polynomial.legendre.leggauss(30)
    edges = np.array([0, 1e-3, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 8.5])
    tau = np.concatenate([a + (b - a) * (nodes + 1) / 2 for a, b in itertools.pairwise(edges)])
    weight = np.concatenate([w * (b - a) / 2 for a, b in itertools.pairwise(edges)])
    m = np.linspace(-14, 10, 481)
    loglik = np.array([binomial_normal_loglik(m, np.full(m.size, t), x, n) for t in tau])
    log = loglik + prior.log_density(tau, None)[:, None] + (0 if mu is None else stats.norm(*mu).logpdf(m))
    p = np.exp(log - log.max()) * weight[:, None] * (m[1] - m[0])
    total, p = p.sum(), p / p.sum()
    mean, t = (p * m).sum(), (p.sum(axis=1) * tau).sum()
    return {
        "log_integral": log.max() + np.log(total),
        "mu_mean": mean,
        "mu_sd": np.sqrt((p * (m - mean) ** 2).sum()),
        "tau_mean": t,
        "tau_sd": np.sqrt((p.sum(axis=1) * (tau - t) ** 2).sum()),
        "new_sd": np.sqrt((p * ((m - mean) ** 2 + tau[:, None] ** 2)).sum()),
    }


@pytest.mark.parametrize(
    ("x", "n", "mu"),
    [([0, 0, 1, 3, 2], [5, 12, 7, 30, 14], None), ([0, 0, 0], [5, 12, 7], (0.0, 2.0)), ([4, 9], [4, 12], (0.0, 2.0))],
)
def test_agrees_with_an_independent_quadrature_zeros_included(x, n, mu):
    x, n = np.array(x, dtype=float), np.array(n, dtype=float)
    fit = latent(
        likelihoods.binomial(x, n),
        ml.priors.half_normal(1.0),
        None if mu is None else ml.priors.normal(*mu),
        1 / (x + 1),
    )
    mine = {
        "log_integral": fit.log_integral,
        "mu_mean": fit.mu.mean,
        "mu_sd": fit.mu.sd,
        "tau_mean": fit.tau_mean,
        "tau_sd": fit.tau_sd,
        "new_sd": fit.new.sd,
    }
    assert mine == pytest.approx(independent(x, n, ml.priors.half_normal(1.0), mu), abs=3e-8)


@pytest.mark.parametrize("name", GOLDEN["fits"])
def test_agrees_with_reference_posteriors_within_their_grid_error(name):
    data, want = GOLDEN["data"][name.split("_")[0]], GOLDEN["fits"][name]
    scale = 0.5 if "HN0.5" in name else 1.0
    e = ml.proportions({"study": [f"s{i}" for i in range(len(data["x"]))], "events": data["x"], "n": data["n"]})
    fit = ml.pool_bayes(e, model="binomial-normal", tau=ml.priors.half_normal(scale), mu=(0.0, 2.0))
    assert fit.log_marginal == pytest.approx(want["logml"], abs=3e-4)
    assert (fit.mu.mean, fit.mu.sd) == pytest.approx((want["mu_mean"], want["mu_sd"]), abs=1e-4)
    assert (fit.tau.mean, fit.tau.sd) == pytest.approx((want["tau_mean"], want["tau_sd"]), abs=1e-4)
    new = [special.expit(fit.prediction.quantile(q)) for q in (0.025, 0.5, 0.975)]
    assert new == pytest.approx([want[f"map_q{q}"] for q in (0.025, 0.5, 0.975)], abs=2e-4)


def test_agrees_with_published_sampling_results():
    data = GOLDEN["data"]["AS"]
    e = ml.proportions({"study": [f"s{i}" for i in range(8)], "events": data["x"], "n": data["n"]})
    fit = ml.pool_bayes(e, model="binomial-normal", tau=ml.priors.half_normal(1), mu=(0.0, 2.0))
    assert (fit.tau.mean, fit.tau.sd) == pytest.approx((0.377, 0.217), abs=0.01)
    low, median, high = (special.expit(fit.prediction.quantile(q)) for q in (0.025, 0.5, 0.975))
    assert (low, median, high) == pytest.approx((0.112, 0.251, 0.459), abs=0.015)


def test_shrunken_effects_are_the_ratio_of_two_integrals():
    x, n = SMALL.events, SMALL.n
    fit = ml.pool_bayes(SMALL, model="binomial-normal", tau=ml.priors.half_normal(1), mu=(-1.0, 1.5))

    def over(theta, factor):  # 0 of 5, conditional on the others: their posterior of (mu, tau), spread by a normal
        return factor * np.exp(-n[0] * np.logaddexp(0, theta)) * others.prediction.pdf(theta)

    others = ml.pool_bayes(
        SMALL.take([1, 2, 3, 4]), model="binomial-normal", tau=ml.priors.half_normal(1), mu=(-1.0, 1.5)
    )
    total = integrate.quad(lambda t: over(t, 1.0), -20, 8, limit=200)[0]
    mean = integrate.quad(lambda t: over(t, t), -20, 8, limit=200)[0] / total
    assert x[0] == 0
    assert fit.theta[0].mean == pytest.approx(mean, abs=1e-6)


def test_the_result_serves_tables_and_forest_plots():
    fit = ml.pool_bayes(SMALL, model="binomial-normal")
    assert isinstance(fit, ml.Result)
    assert repr(fit).splitlines()[0] == "Proportion 7.6% (95% CrI 1.9 to 18.2%), 5 studies, 68 patients"
    frame = fit.to_frame()
    assert list(frame["role"]) == ["study"] * 5 + ["pooled", "prediction"]
    assert fit.weights.sum() == pytest.approx(100, abs=1e-6)
    assert 0 < fit.probability(below=0.2) < 1
    assert np.isnan(fit.log_marginal)
    assert 'model="binomial-normal"' in fit.provenance.call


def test_one_study_without_a_single_event():
    one = ml.proportions({"study": ["a"], "events": [0], "n": [9]})
    with pytest.warns(ml.errors.FewStudiesWarning, match="only one study"):
        fit = ml.pool_bayes(one, model="binomial-normal", mu=(0, 2))
    assert fit.estimate.low < 0.01 < fit.estimate.value < 0.3


def test_no_event_at_all_needs_a_prior_on_the_mean():
    none = ml.proportions({"study": ["a", "b"], "events": [0, 0], "n": [9, 4]})
    with pytest.raises(ml.errors.NotEstimableError, match=r"no patient had the event.*mu=\(0, 2\)"):
        ml.pool_bayes(none, model="binomial-normal")
    every = ml.proportions({"study": ["a", "b"], "events": [9, 4], "n": [9, 4]})
    with pytest.raises(ml.errors.NotEstimableError, match="every patient had the event"):
        ml.pool_bayes(every, model="binomial-normal")


def test_improper_priors_that_give_no_posterior_are_refused():
    with pytest.raises(ml.errors.NotEstimableError, match="improper"):
        ml.pool_bayes(SMALL.take([0, 2]), model="binomial-normal", tau=ml.priors.uniform())


def test_needs_counts_and_a_known_model():
    with pytest.raises(ml.errors.DataError, match=r"needs the events and patients.*ml\.proportions"):
        ml.pool_bayes(RATIOS, model="binomial-normal")
    with pytest.raises(ml.errors.OptionError, match="model 'logistic' is unknown"):
        ml.pool_bayes(SMALL, model="logistic")


def test_exchanging_events_and_non_events_mirrors_the_posterior():
    other = ml.proportions({"study": SMALL.study, "events": SMALL.n - SMALL.events, "n": SMALL.n})
    a, b = (ml.pool_bayes(e, model="binomial-normal") for e in (SMALL, other))
    assert b.mu.quantile(0.3) == pytest.approx(-a.mu.quantile(0.7), abs=1e-7)
    assert b.prediction.central == pytest.approx([-x for x in reversed(a.prediction.central)], abs=1e-7)
    assert b.tau.mean == pytest.approx(a.tau.mean, abs=1e-8)


def test_beta_binomial_agrees_with_an_independent_quadrature():
    x, n, prior = SMALL.events, SMALL.n, ml.priors.half_normal(1.0)
    fit = ml.pool_bayes(SMALL, model="beta-binomial", tau=prior, mu=(-1.0, 1.5))
    nodes, w = np.polynomial.legendre.leggauss(40)
    edges = np.array([1e-4, 0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 8.5])
    tau = np.concatenate([a + (b - a) * (nodes + 1) / 2 for a, b in itertools.pairwise(edges)])
    weight = np.concatenate([w * (b - a) / 2 for a, b in itertools.pairwise(edges)])
    m = np.linspace(-9, 5, 1401)  # fine: distribution functions of small tau are steps
    p = special.expit(m)
    size = 1 / (tau[:, None] ** 2 * p * (1 - p))
    log = stats.norm(-1, 1.5).logpdf(m) + prior.log_density(tau, None)[:, None]
    for events, patients in zip(x, n, strict=True):
        log = log + stats.betabinom.logpmf(events, patients, size * p, size * (1 - p))
    joint = np.exp(log - log.max()) * weight[:, None]
    joint /= joint.sum()
    assert fit.mu.mean == pytest.approx((joint * m).sum(), abs=1e-4)  # scipy's probabilities lose digits at small tau
    assert fit.tau.mean == pytest.approx((joint.sum(axis=1) * tau).sum(), abs=2e-4)
    new = (joint * stats.beta(size * p, size * (1 - p)).cdf(0.2)).sum()
    assert fit.prediction.cdf(special.logit(0.2)) == pytest.approx(new, abs=1e-4)
    first = (joint * stats.beta(size * p + x[0], size * (1 - p) + n[0] - x[0]).cdf(0.1)).sum()
    assert fit.theta[0].cdf(special.logit(0.1)) == pytest.approx(first, abs=1e-4)


def test_beta_binomial_and_binomial_normal_agree_where_heterogeneity_is_small():
    options = {"tau": ml.priors.half_normal(0.02), "mu": (-1.0, 1.5)}
    a, b = (ml.pool_bayes(SMALL, model=m, **options) for m in ("beta-binomial", "binomial-normal"))
    for one, two in zip((a.mu, a.tau, a.prediction, *a.theta), (b.mu, b.tau, b.prediction, *b.theta), strict=True):
        assert one.mean == pytest.approx(two.mean, abs=5e-4)
        assert one.sd == pytest.approx(two.sd, abs=5e-4)


def test_the_series_for_large_shapes_meets_the_closed_form():
    from metaleptic.bayes import random_beta

    x = np.array([0.0, 1.0, 7.0, 400.0])
    exact = [np.log(random_beta.LARGE * 1.01 + np.arange(int(k))).sum() for k in x]
    assert random_beta.rising(np.full(4, random_beta.LARGE * 1.01), x) == pytest.approx(exact, abs=1e-8)
    assert random_beta.rising(np.full(4, random_beta.LARGE * 0.99), x) == pytest.approx(
        [np.log(random_beta.LARGE * 0.99 + np.arange(int(k))).sum() for k in x], abs=1e-7
    )


def rates(events, time):
    return ml.rates({"study": [f"s{i}" for i in range(len(events))], "events": events, "time": time})


def test_poisson_normal_agrees_with_an_independent_quadrature():
    e, prior = rates([0, 3, 11, 2], [4.0, 10.5, 60.0, 3.3]), ml.priors.half_normal(0.5)
    fit = ml.pool_bayes(e, model="poisson-normal", tau=prior)
    z, wz = np.polynomial.hermite_e.hermegauss(80)
    nodes, w = np.polynomial.legendre.leggauss(40)
    edges = np.array([0, 0.1, 0.4, 1.0, 2.0, 4.3])
    tau = np.concatenate([a + (b - a) * (nodes + 1) / 2 for a, b in itertools.pairwise(edges)])
    weight = np.concatenate([w * (b - a) / 2 for a, b in itertools.pairwise(edges)])
    m = np.linspace(-9, 4, 261)
    log = np.broadcast_to(prior.log_density(tau, None)[:, None], (tau.size, m.size))
    for x, t in e.cells[:, :2]:
        pmf = stats.poisson.pmf(x, t * np.exp(m[None, :, None] + tau[:, None, None] * z))
        log = log + np.log(np.maximum(pmf @ wz / wz.sum(), 1e-300))
    joint = np.exp(log - log.max()) * weight[:, None]
    joint /= joint.sum()
    mean = (joint * m).sum()
    assert fit.mu.mean == pytest.approx(mean, abs=1e-6)
    assert fit.mu.sd == pytest.approx(np.sqrt((joint * (m - mean) ** 2).sum()), abs=1e-6)
    assert fit.tau.mean == pytest.approx((joint.sum(axis=1) * tau).sum(), abs=1e-6)


def test_poisson_normal_needs_events_and_time():
    with pytest.raises(ml.errors.DataError, match=r"needs the events and the time at risk.*ml\.rates"):
        ml.pool_bayes(RATIOS, model="poisson-normal")
    with pytest.raises(ml.errors.NotEstimableError, match="no patient had the event"):
        ml.pool_bayes(rates([0, 0], [2, 3]), model="poisson-normal", tau=ml.priors.half_normal(0.5))


def test_contrasts_need_the_joint_posterior():
    with pytest.raises(ml.errors.OptionError, match=r"method=.nuts."):
        ml.pool_bayes(SMALL, model="binomial-normal").contrast({"a": 1, "b": -1})


def test_studies_of_very_different_size_are_solved_or_refused_not_attempted_for_ever():
    far = ml.effects([0.5, 0.1, 0.5], [0.2, 0.002, 0.4])
    one = ml.pool_bayes(far, tau=ml.priors.half_normal(0.5))
    two = pool_latent(far, EXACT["normal-normal"], ml.priors.half_normal(0.5), None, 0.95)
    assert two.mu.central == pytest.approx(one.mu.central, abs=2e-8)
    huge = ml.proportions({"study": ["a", "b"], "events": [1, 900_000], "n": [3, 3_000_000]})
    with pytest.raises(ml.errors.NotEstimableError, match="differ so much in size"):
        ml.pool_bayes(huge, model="binomial-normal")
