"""Priors on the pooled effect: densities agree with scipy, posteriors with quadrature over the effect itself."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from reference import effects
from scipy import integrate, stats

import metaleptic as ml
from metaleptic.bayes import priors
from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact import exact
from metaleptic.errors import OptionError

PAIRS = [
    (priors.normal(0.2, 0.5), stats.norm(0.2, 0.5)),
    (priors.student_t(4, -0.1, 0.6), stats.t(4, -0.1, 0.6)),
    (priors.cauchy(0, 0.7), stats.cauchy(0, 0.7)),
    (priors.normal(0, 0.3).between(lower=0), stats.halfnorm(0, 0.3)),
    (priors.cauchy(0, 0.3).between(lower=0), stats.halfcauchy(0, 0.3)),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda p: getattr(p, "words", ""))
def test_density_agrees_with_scipy(ours: EffectPrior, theirs: stats.rv_continuous) -> None:
    x = np.array([-1.3, -0.01, 0.0, 0.4, 2.5])
    assert ours.pdf(x) == pytest.approx(theirs.pdf(x), rel=1e-12)


@pytest.mark.parametrize("prior", [p for p, _ in PAIRS[:3]], ids=lambda p: p.words)
def test_normals_add_up_to_the_prior(prior: EffectPrior) -> None:
    """Also far out, where a Student t is its widest normals."""
    sd, weight = prior.normals(reach=50.0)
    x = np.array([0.0, 0.3, 2.0, 40.0])
    assert weight @ stats.norm.pdf(x, prior.location, sd[:, None]) == pytest.approx(prior.pdf(x), rel=1e-11)


@pytest.mark.parametrize("prior", [priors.student_t(5, 0, 0.5), priors.cauchy(-1, 0.4)], ids=lambda p: p.words)
def test_posterior_agrees_with_quadrature_over_the_effect(prior: EffectPrior) -> None:
    """The likelihood of a fixed effect, heterogeneity integrated out, times the prior, integrated over the effect."""
    e, tau = effects("crins2014_AR"), priors.half_cauchy(0.5)
    post = ml.pool_bayes(e, tau=tau, mu=prior)

    def joint(mu: float) -> float:
        return float(np.exp(exact(e.y, e.v, [tau], (mu, 0.0)).log_integral[0]) * prior.pdf(mu))

    pieces = [-40.0, -4.0, -2.5, -1.5, -0.5, 1.0, 40.0]
    total = sum(integrate.quad(joint, a, b, epsabs=0, epsrel=1e-9)[0] for a, b in pairwise(pieces))
    assert post.log_marginal == pytest.approx(np.log(total), abs=1e-9)
    below = sum(integrate.quad(joint, a, b, epsabs=0, epsrel=1e-9)[0] for a, b in pairwise(pieces[:4]))
    assert post.mu.cdf(-1.5) == pytest.approx(below / total, abs=1e-9)
    x = post.tau.quantile(np.array([0.1, 0.5, 0.9]))
    assert post.tau.cdf(x) == pytest.approx([0.1, 0.5, 0.9], abs=1e-10)
    assert post.theta[0].sd > 0


def test_a_wide_prior_is_the_flat_one_and_a_normal_needs_one_normal() -> None:
    e, tau = effects("bcg"), priors.half_normal(0.5)
    flat, wide = ml.pool_bayes(e, tau=tau), ml.pool_bayes(e, tau=tau, mu=priors.student_t(30, 0, 1e6))
    assert wide.mu.central == pytest.approx(flat.mu.central, abs=1e-9)
    assert wide.prediction.sd == pytest.approx(flat.prediction.sd, rel=1e-9)
    pair, named = ml.pool_bayes(e, tau=tau, mu=(0, 1)), ml.pool_bayes(e, tau=tau, mu=priors.normal(0, 1))
    assert pair.mu.central == named.mu.central
    assert "normal(0, 1) prior on the mean" in pair.method


def test_an_effect_between_bounds_stays_there() -> None:
    """Averaged over models, the cut posterior is that of the whole, given the bounds."""
    e, tau = effects("crins2014_AR"), priors.half_normal(0.5)
    cut = ml.compare_models(e, mu=priors.normal(0, 1).between(upper=-1.3), tau=tau).mu
    whole = ml.compare_models(e, mu=priors.normal(0, 1), tau=tau)
    assert cut.high <= -1.3
    assert cut.cdf(-1.3) == pytest.approx(1)
    # same likelihoods, but the models' weights differ by what the cut leaves of each: compare one model alone
    only = (0.0, 0.0, 0.0, 1.0)
    cut = ml.compare_models(e, mu=priors.normal(0, 1).between(upper=-1.3), tau=tau, prior=only).mu
    alone = ml.compare_models(e, mu=priors.normal(0, 1), tau=tau, prior=only).mu
    assert cut.cdf(-1.6) == pytest.approx(alone.cdf(-1.6) / alone.cdf(-1.3), abs=1e-10)
    assert cut.quantile(cut.cdf(-1.6)) == pytest.approx(-1.6, abs=1e-9)
    x = np.linspace(-5, -1.3, 20001)
    f = cut.pdf(x)
    assert integrate.simpson(f, x=x) == pytest.approx(1, abs=1e-6)
    assert cut.mean == pytest.approx(integrate.simpson(x * f, x=x), abs=1e-6)
    assert cut.sd == pytest.approx(np.sqrt(integrate.simpson((x - cut.mean) ** 2 * f, x=x)), abs=1e-5)
    assert cut.mode == pytest.approx(x[np.argmax(f)], abs=2e-4)
    low, high = cut.hpd
    assert cut.cdf(high) - cut.cdf(low) == pytest.approx(0.95, abs=1e-8)
    assert high - low < cut.central[1] - cut.central[0]
    assert whole.posterior.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: priors.normal(0, 0), "standard deviation above 0"),
        (lambda: priors.student_t(0, 0, 1), "df 0.0 must be above 0"),
        (lambda: priors.normal(np.nan, 1), "must be a number"),
        (lambda: priors.normal(0, 1).between(1, 0), "not in order"),
        (
            lambda: ml.pool_bayes(effects("bcg"), tau=priors.jeffreys(), mu=priors.normal(0, 1).between(0)),
            "is for compare_models",
        ),
        (
            lambda: ml.prior_sensitivity(effects("bcg"), [priors.half_normal(1)], mu=priors.cauchy(0, 1).between(0)),
            "with bounds is for compare_models",
        ),
        (lambda: priors.bartos("HR", "breast"), "no prior for measure 'HR' in this field"),
        (lambda: priors.bartos("OR", "childhood"), "only one on the effect"),
        (lambda: priors.from_quantiles({0.5: 0.4, 0.9: 0.2}), "rise with their probabilities"),
        (lambda: priors.from_quantiles({0.5: 0.4}), "fixed by 2 quantiles, not 1"),
        (lambda: priors.from_quantiles({95: 0.4}), "between 0 and 1"),
    ],
)
def test_impossible_wishes_are_named(make: object, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("family", ["log-normal", "inverse-gamma"])
def test_two_quantiles_fix_a_prior(family: str) -> None:
    prior = priors.from_quantiles({0.5: 0.2, 0.95: 0.8}, family=family)
    assert prior.cdf([0.2, 0.8]) == pytest.approx([0.5, 0.95], abs=1e-12)
    one = priors.from_quantiles({0.9: 0.4}, family="half-Cauchy")
    assert one.cdf(0.4) == pytest.approx(0.9)
