"""MAP priors: what they approximate, how data update them, and how many patients they are worth."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, special, stats

import metaleptic as ml
from metaleptic.bayes import mixture_prior as mix

GOLDEN = json.loads((Path(__file__).parent / "golden" / "binomial_normal.json").read_text())
MIXTURE = (np.array([0.5, 0.3, 0.2]), np.array([12.0, 4.0, 60.0]), np.array([36.0, 11.0, 180.0]))


def controls(name):
    data = GOLDEN["data"][name]
    return ml.proportions({"study": [f"s{i}" for i in range(len(data["x"]))], "events": data["x"], "n": data["n"]})


@pytest.fixture(scope="module")
def prior():
    return ml.map_prior(controls("AS"), tau=ml.priors.half_normal(1), mu=(0, 2))


def test_the_mixture_is_close_to_the_exact_predictive_distribution(prior):
    x = np.linspace(0.05, 0.7, 27)
    exact = prior.posterior.prediction.cdf(special.logit(x))
    assert np.abs(prior.cdf(x) - exact).max() < 0.004
    want = GOLDEN["fits"]["AS_HN1_beta0_2"]
    assert (prior.mean, prior.sd) == pytest.approx((want["map_mean"], want["map_sd"]), abs=5e-4)
    assert prior.quantile(0.975) == pytest.approx(want["map_q0.975"], abs=0.003)
    assert 0 <= prior.divergence < 1e-3


def test_agrees_with_published_map_priors(prior):
    """Published from sampling: mean 0.258 (sd 0.084), 95% interval 0.112 to 0.459."""
    assert (prior.mean, prior.sd) == pytest.approx((0.258, 0.084), abs=0.005)
    assert (prior.estimate.low, prior.estimate.high) == pytest.approx((0.112, 0.459), abs=0.015)


@pytest.mark.parametrize("method", ["elir", "moment", "morita"])
def test_one_beta_density_is_worth_a_plus_b(method):
    one = (np.ones(1), np.array([12.5]), np.array([30.0]))
    assert mix.ESS[method]("beta", *one, np.nan) == pytest.approx(42.5, rel=1e-6)


@pytest.mark.parametrize("method", ["elir", "moment", "morita"])
def test_one_normal_density_is_worth_a_ratio_of_variances(method):
    one = (np.ones(1), np.array([-50.0]), np.array([11.0]))
    assert mix.ESS[method]("normal", *one, 88.0) == pytest.approx(64.0, rel=1e-6)


def test_elir_grows_on_average_by_the_number_of_patients():
    """Predictive consistency, the property that defines it: Neuenschwander et al. 2020, theorem 1."""
    w, a, b = MIXTURE
    n = 15
    x = np.arange(n + 1)
    predictive = np.exp(special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)) * (
        w * np.exp(special.betaln(a + x[:, None], b + n - x[:, None]) - special.betaln(a, b))
    ).sum(axis=1)
    after = [mix.ess_elir("beta", *mix.update_beta(w, a, b, k, n), np.nan) for k in x]
    assert predictive.sum() == pytest.approx(1)
    assert predictive @ after - n == pytest.approx(mix.ess_elir("beta", w, a, b, np.nan), rel=1e-5)


def test_information_is_minus_the_second_derivative():
    x, h = np.linspace(0.1, 0.6, 6), 1e-4
    f = [mix.log_mixture("beta", *MIXTURE, x + d) for d in (-h, 0, h)]
    assert mix.information("beta", *MIXTURE, x) == pytest.approx(-(f[0] - 2 * f[1] + f[2]) / h**2, rel=1e-3)


def test_updating_is_bayes_theorem(prior):
    after = prior.robust(0.2).update(events=15, n=20)
    robust = prior.robust(0.2)
    total = integrate.quad(lambda p: robust.pdf(p) * stats.binom.pmf(15, 20, p), 0, 1, points=[0.2, 0.5])[0]
    for p in (0.3, 0.5, 0.7):
        assert after.pdf(p) == pytest.approx(robust.pdf(p) * stats.binom.pmf(15, 20, p) / total, rel=1e-6)


def test_a_robust_prior_lets_go_of_history_in_conflict(prior):
    robust = prior.robust(0.2)
    assert robust.ess() < prior.ess()
    agreeing, conflicting = robust.update(events=5, n=20), robust.update(events=15, n=20)
    assert agreeing.vague < 0.2 < conflicting.vague
    assert abs(conflicting.mean - 0.75) < abs(prior.update(events=15, n=20).mean - 0.75)
    assert "Robust MAP prior updated by 15 of 20" in repr(conflicting)


def test_normal_outcomes():
    change = ml.effects([-51, -49, -36, -47, -90, -54], [88**2 / n for n in (74, 166, 328, 20, 25, 58)])
    p = ml.map_prior(change, tau=ml.priors.half_normal(44), mu=(-50, 88), sigma=88)
    exact = p.posterior.prediction
    assert p.mean == pytest.approx(exact.mean, abs=0.1)
    assert p.sd == pytest.approx(exact.sd, rel=0.02)
    assert 20 < p.ess() < 60
    after = p.robust(0.1).update(y=-70.0, se=10.0)
    x = np.linspace(-200, 100, 6001)
    density = p.robust(0.1).pdf(x) * stats.norm.pdf(-70, x, 10)
    assert after.mean == pytest.approx((x * density).sum() / density.sum(), abs=1e-6)
    with pytest.raises(ml.errors.OptionError, match="sigma"):
        ml.map_prior(change, tau=ml.priors.half_normal(44)).ess()


def test_components_can_be_chosen_and_quantiles_invert(prior):
    one = ml.map_prior(controls("colitis"), components=1)
    assert one.weight.tolist() == [1.0]
    assert one.divergence > prior.divergence
    p = np.array([0.01, 0.5, 0.99])
    assert prior.cdf(prior.quantile(p)) == pytest.approx(p, abs=1e-9)


def test_bad_options(prior):
    with pytest.raises(ml.errors.OptionError, match="method 'epic' is unknown"):
        prior.ess("epic")
    with pytest.raises(ml.errors.OptionError, match="weight 20 is not between"):
        prior.robust(20)
    with pytest.raises(ml.errors.DataError, match="how many of how many"):
        prior.update(events=21, n=20)
    with pytest.raises(ml.errors.OptionError, match="components 0"):
        ml.map_prior(controls("AS"), components=0)
    with pytest.raises(ml.errors.NotEstimableError, match="not even concave"):
        prior.robust(0.2).ess("morita")


def test_no_effective_size_is_made_up_where_it_does_not_exist():
    counts = {"study": ["a", "b", "c"], "events": [0, 1, 0], "n": [10, 12, 9]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ml.errors.MetalepticWarning)
        prior = ml.map_prior(ml.proportions(counts, events="events", n="n"))
    assert min(prior.first.min(), prior.second.min()) >= 1
    with pytest.raises(ml.errors.NotEstimableError, match="convex where most of it lies"):
        prior.ess()
    with pytest.raises(ml.errors.NotEstimableError, match="below 1"):
        prior.robust(vague=(0.5, 0.5)).ess()
    assert f"worth {prior.ess('moment'):.0f} patients (by mean and SD)" in repr(prior)
