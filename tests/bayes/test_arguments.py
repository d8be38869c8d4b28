"""What is not a prior is refused in words; what is one in other words is taken."""

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic import priors
from metaleptic.errors import NotEstimableError, OptionError

E = ml.effects([-0.42, 0.11, -0.77, -0.05, 0.31, -1.2], [0.09, 0.21, 0.05, 0.4, 0.13, 0.3], measure="HR")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: priors.log_normal(np.nan, 1), "mu nan must be a number"),
        (lambda: priors.half_normal("a"), "scale 'a' must be a number above 0"),
        (lambda: priors.half_normal(None), "scale None must be a number above 0"),
        (lambda: priors.log_student_t(5, "x", 1), "location 'x' must be a number"),
        (lambda: priors.normal("a", 1), "mean 'a' must be a number"),
        (lambda: priors.student_t(4, 0, None), "scale None must be a number"),
        (lambda: priors.from_quantiles([0.5, 0.2]), "mapping of probability to value"),
        (lambda: priors.turner("xyz"), "outcome 'xyz' is unknown"),
        (lambda: priors.rhodes(comparison="xyz"), "comparison 'xyz' is unknown"),
        (lambda: ml.pool_bayes(E, tau=0.5), "priors.from_density"),
        (lambda: ml.pool_bayes(E).probability(below=0.8, above=1.2), "leave nothing between them"),
        (lambda: ml.pool_bayes(E).probability(below=1, above=1), "leave nothing between them"),
        (lambda: priors.from_density(lambda tau: "high"), "takes neither a number nor an array"),
    ],
)
def test_refused(make, says):
    with pytest.raises(OptionError, match=says):
        make()


def test_models_cannot_be_weighed_without_a_prior_on_the_effect():
    for verb in (ml.compare_models, ml.robust_average):
        with pytest.raises(NotEstimableError, match=r"Say how large an effect was thought possible, mu=\(0, 0.5\)"):
            verb(E)


@pytest.mark.filterwarnings("ignore:only one study")
def test_improper_posteriors_are_refused_with_the_reason():
    one, two = E.take([0]), E.take([0, 1])
    with pytest.raises(
        NotEstimableError, match="Jeffreys prior falls like 1/tau and the likelihood of 1 study stays flat"
    ):
        ml.pool_bayes(one, tau=priors.jeffreys())
    with pytest.raises(
        NotEstimableError, match="uniform prior stays flat and the likelihood of 2 studies falls like 1/tau"
    ):
        ml.pool_bayes(two, tau=priors.uniform())


def test_functions_are_priors():
    """A function of an array, a function of a number and the prior with its name are the same."""
    expected = ml.pool_bayes(E, tau=priors.half_normal(0.5))
    for tau in (
        lambda tau: np.exp(-2 * tau**2),
        lambda tau: float(np.exp(-2 * tau**2)) if tau >= 0 else 0.0,
        stats.halfnorm(scale=0.5),
    ):
        found = ml.pool_bayes(E, tau=tau)
        assert found.mu.median == pytest.approx(expected.mu.median, abs=1e-9)
        assert found.tau.median == pytest.approx(expected.tau.median, abs=1e-9)
    standard = ml.pool_bayes(E, tau=stats.expon).prior
    assert standard.words == "expon"
    assert standard.quantile(0.5) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("given", "same"),
    [
        (stats.norm(0, 0.5), priors.normal(0, 0.5)),
        (stats.t(4, 0, 0.5), priors.student_t(4, 0, 0.5)),
        (stats.t(df=4, scale=0.5), priors.student_t(4, 0, 0.5)),
        (stats.cauchy(scale=0.5), priors.cauchy(0, 0.5)),
    ],
)
def test_distributions_are_priors_on_the_effect(given, same):
    assert ml.pool_bayes(E, mu=given).mu_prior == same


def test_pymc_distributions_are_priors_and_say_their_parameters():
    pm = pytest.importorskip("pymc")
    assert ml.pool_bayes(E, mu=pm.Normal.dist(0.1, 0.5)).mu_prior == priors.normal(0.1, 0.5)
    assert ml.pool_bayes(E, mu=pm.StudentT.dist(nu=4, mu=0, sigma=0.5)).mu_prior == priors.student_t(4, 0, 0.5)
    post = ml.pool_bayes(E, tau=pm.Gamma.dist(2, 4))
    assert "gamma(2, 0.25)" in post.method
    assert "gamma(2, 0.25)" in post.provenance.call


def test_priors_of_another_scale_are_noted():
    turner = priors.turner("all-cause mortality", "pharmacological vs. placebo / control")
    assert any("learnt from log odds ratio values" in note for note in ml.pool_bayes(E, tau=turner).notes)
    assert not any("learnt" in note for note in ml.pool_bayes(E, tau=priors.bartos("HR")).notes)


def test_draws_have_the_quantiles_of_the_prior():
    for prior in (
        priors.normal(0.2, 1).between(upper=0),
        priors.student_t(3, 0, 1).between(0.5),
        priors.cauchy(0, 0.5),
        ml.map_prior(E, components=2),
    ):
        drawn = prior.draw(20_000, seed=1)
        p = np.array([0.1, 0.5, 0.9])
        x = prior.quantile(p)
        assert [(drawn <= q).mean() for q in x] == pytest.approx(p, abs=0.012)
    cut = priors.normal(0.2, 1).between(upper=0)
    assert cut.quantile(0.3) == pytest.approx(stats.truncnorm(-np.inf, -0.2, 0.2, 1).ppf(0.3))
