"""Priors: densities integrate to one and agree with scipy; published tables are found by name; improper ones say so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

import metaleptic as ml
from metaleptic.bayes import empirical_tables, priors
from metaleptic.bayes.prior import Prior, density_of
from metaleptic.errors import NotEstimableError, OptionError

V = np.array([0.04, 0.1, 0.5])
CLOSED = [
    (priors.half_normal(0.7), stats.halfnorm(scale=0.7)),
    (priors.half_cauchy(0.7), stats.halfcauchy(scale=0.7)),
    (priors.half_logistic(0.3), stats.halflogistic(scale=0.3)),
    (priors.lomax(2.5, 0.5), stats.lomax(2.5, scale=0.5)),
    (priors.uniform(2), stats.uniform(0, 2)),
    (priors.exponential(2), stats.expon(scale=0.5)),
    (priors.log_normal(-1, 0.8), stats.lognorm(0.8, scale=np.exp(-1))),
    (priors.inverse_gamma(1.7, 0.5), stats.invgamma(1.7, scale=0.5)),
]
PROPER = [
    *(p for p, _ in CLOSED),
    priors.half_t(4, 0.5),
    priors.log_student_t(5, -1.7, 1.3),
    priors.conventional(),
    priors.dumouchel(),
    priors.shrinkage(),
    priors.i2(),
    priors.turner(),
    priors.rhodes(),
    priors.bartos("HR"),
    priors.in_words(probability=0.9, fold=1.5),
]
IMPROPER = [priors.uniform(), priors.jeffreys(), priors.berger_deely(), priors.uniform_sqrt()]


@pytest.mark.parametrize(("ours", "theirs"), CLOSED, ids=lambda p: getattr(p, "words", ""))
def test_density_cdf_and_quantile_agree_with_scipy(ours: Prior, theirs: stats.rv_continuous) -> None:
    x = np.array([0.01, 0.3, 1.0, 1.9])
    assert ours.pdf(x) == pytest.approx(theirs.pdf(x), rel=1e-12)
    assert ours.cdf(x) == pytest.approx(theirs.cdf(x), rel=1e-12)
    assert ours.quantile([0.05, 0.5, 0.9]) == pytest.approx(theirs.ppf([0.05, 0.5, 0.9]), rel=1e-10)


@pytest.mark.parametrize("prior", PROPER, ids=lambda p: p.words)
def test_proper_priors_integrate_to_one_and_quantiles_invert_probabilities(prior: Prior) -> None:
    v = V if prior.needs_data else None
    p = np.array([0.01, 0.3, 0.5, 0.9, 0.99])
    assert prior.cdf(prior.quantile(p, v), v) == pytest.approx(p, abs=1e-10)
    low, high = prior.quantile([0.1, 0.8], v)
    assert integrate.quad(lambda t: float(prior.pdf(np.array([t]), v)[0]), low, high, epsabs=1e-13)[0] == pytest.approx(
        0.7, abs=1e-10
    )
    assert density_of(prior, V).log_total == pytest.approx(0, abs=1e-10)
    assert prior.source


@pytest.mark.parametrize("prior", PROPER, ids=lambda p: p.words)
def test_draws_follow_the_prior_and_repeat(prior: Prior) -> None:
    v = V if prior.needs_data else None
    x = prior.draw(2000, seed=1, v=v)
    assert np.array_equal(x, prior.draw(2000, seed=1, v=v))
    assert stats.kstest(prior.cdf(x, v), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("prior", IMPROPER, ids=lambda p: p.words)
def test_improper_priors_have_no_probabilities(prior: Prior) -> None:
    assert not prior.proper
    assert "(improper)" in repr(prior)
    with pytest.raises(NotEstimableError, match="improper"):
        prior.cdf(0.5, V)


def test_dumouchel_and_shrinkage_have_their_median_at_the_typical_standard_error() -> None:
    """Both are defined by it: the root of the harmonic mean of the variances."""
    typical = np.sqrt(1 / np.mean(1 / V))
    assert float(priors.dumouchel().quantile(0.5, V)) == pytest.approx(typical, rel=1e-10)
    assert float(priors.shrinkage().quantile(0.5, V)) == pytest.approx(typical, rel=1e-10)


def test_published_tables_are_complete_and_found_by_part_of_a_name() -> None:
    """80 settings of Turner 2015, 72 of Rhodes 2015; parameters of tau2 are halved for tau."""
    assert sum(map(len, empirical_tables.TURNER.values())) == 80
    assert sum(len(row) for area in empirical_tables.RHODES.values() for row in area.values()) == 72
    found = priors.turner("all-cause", "pharmacological vs. placebo")
    assert dict(found.parameters) == {"mu": -3.95 / 2, "sigma": 1.34 / 2}
    assert dict(priors.rhodes("mental", "non-pharm", "cancer").parameters) == {
        "df": 5.0,
        "location": -0.145,
        "scale": 1.04,
    }
    with pytest.raises(OptionError, match=r"'nonsense' is unknown. Choose one of: all-cause mortality"):
        priors.turner("nonsense", "pharmacological vs. placebo")
    with pytest.raises(OptionError, match="both outcome and comparison"):
        priors.turner("pain")


def test_a_sentence_becomes_a_prior() -> None:
    """90% sure that 95% of true hazard ratios lie within 1.5-fold of their centre."""
    prior = priors.in_words(probability=0.9, fold=1.5, family="half-Cauchy")
    assert float(prior.cdf(np.log(1.5) / 1.959963984540054)) == pytest.approx(0.9)
    with pytest.raises(OptionError, match="either tau"):
        priors.in_words(probability=0.9)


def test_distributions_of_scipy_are_priors_as_they_are() -> None:
    """Bounds of the support are kept; the name is scipy's."""
    e = ml.effects([0.1, 0.4, -0.2], [0.04, 0.1, 0.05])
    for theirs, ours in (
        (stats.halfnorm(scale=0.5), priors.half_normal(0.5)),
        (stats.uniform(0, 0.8), priors.uniform(0.8)),
        (stats.lognorm(0.8, scale=np.exp(-1)), priors.log_normal(-1, 0.8)),
    ):
        a, b = ml.pool_bayes(e, tau=theirs), ml.pool_bayes(e, tau=ours)
        assert a.mu.central == pytest.approx(b.mu.central, abs=1e-9)
        assert a.tau.central == pytest.approx(b.tau.central, abs=1e-9)
        assert a.log_integral == pytest.approx(b.log_integral, abs=1e-9)
    assert "halfnorm(scale=0.5) prior on tau" in ml.pool_bayes(e, tau=stats.halfnorm(scale=0.5)).method
    shifted = ml.pool_bayes(e, tau=stats.uniform(0.2, 0.3))
    assert 0.2 < shifted.tau.quantile(1e-6) < shifted.tau.quantile(1 - 1e-6) < 0.5
    assert shifted.tau.mode == pytest.approx(0.2, abs=1e-9)
    assert shifted.tau.hpd == pytest.approx((0.2, shifted.tau.quantile(0.95)))


def test_any_density_will_do() -> None:
    """A function, its logarithm, a scipy distribution cut at 0; normalised, its tail recognised."""
    ours = priors.from_density(lambda tau: 3 * np.exp(-0.5 * (tau / 0.7) ** 2), name="mine")
    cut = priors.from_density(stats.norm(0, 0.7))
    logged = priors.from_density(lambda tau: -2 * tau, log=True)
    assert ours.pdf(0.4) == pytest.approx(stats.halfnorm(scale=0.7).pdf(0.4), rel=1e-10)
    assert cut.pdf(0.4) == pytest.approx(stats.halfnorm(scale=0.7).pdf(0.4), rel=1e-10)
    assert logged.pdf(0.4) == pytest.approx(2 * np.exp(-0.8), rel=1e-10)
    assert priors.from_density(lambda tau: 1 / (1 + tau**2)).tail == pytest.approx(2)
    assert not priors.from_density(lambda tau: 1 / (1 + tau)).proper
    assert not priors.from_density(lambda tau: 1 / tau).proper
    with pytest.raises(OptionError, match="not a finite number"):
        priors.from_density(lambda tau: -tau)
    with pytest.raises(OptionError, match="must be a function"):
        priors.from_density(0.5)


@pytest.mark.parametrize(
    "make", [lambda: priors.half_normal(0), lambda: priors.half_t(-1, 1), lambda: priors.uniform(np.inf)]
)
def test_impossible_parameters_are_refused(make: object) -> None:
    with pytest.raises(OptionError, match="above 0"):
        make()  # type: ignore[operator]
