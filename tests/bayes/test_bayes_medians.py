"""Medians by what they say: the likelihoods, and the posterior they give."""

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.bayes import medians

SERIES = {
    "study": ["A", "B", "C", "D"],
    "median": [8.3, 10.6, "NR", 12.0],
    "low": [5.7, 5.9, None, None],
    "high": [11.0, "NR", None, None],
    "n": [60, 19, 10, 14],
    "events": [None, None, 2, None],
    "follow_up": [None, None, 9.0, None],
}


def likelihood(**columns):
    row = {"y": np.nan, "low": np.nan, "high": np.nan, "n": np.nan, "events": np.nan, "follow_up": np.nan} | columns
    open_end = np.array([np.isnan(row["y"])])
    evidence, _, _ = medians.read(*(np.array([float(v)]) for v in row.values()), open_end, 0.95, 1.0)
    return medians.likelihood_of(evidence, 1.0)


def test_an_interval_gives_back_its_bounds():
    y, low, high = np.log([8.3, 5.7, 15.0])
    one = likelihood(y=y, low=low, high=high)
    at = one.log(np.array([[low, y, high]]))[0]
    drop = stats.chi2(1).ppf(0.95) / 2
    assert at - at[1] == pytest.approx([-drop, 0, -drop], abs=1e-6)


def test_a_lower_bound_gives_back_itself_and_leaves_the_upper_side_more_open():
    y, low = np.log([10.6, 5.9])
    one = likelihood(y=y, low=low)
    drop = stats.chi2(1).ppf(0.95) / 2
    at = one.log(np.array([[low, y, y + (y - low)]]))[0]
    assert at[0] - at[1] == pytest.approx(-drop, abs=1e-9)
    assert -drop < at[2] - at[1] < 0


def test_patients_alone_are_a_sign_test():
    one = likelihood(y=np.log(12.0), n=14)
    theta = np.log([8.0, 12.0, 20.0])
    s = 0.5 ** (12.0 / np.exp(theta))
    assert one.log(theta[None])[0] == pytest.approx(7 * np.log(s) + 7 * np.log(1 - s), abs=1e-9)
    assert one.scale[0] == pytest.approx(1 / (np.log(2) * np.sqrt(14)))


def test_a_median_not_reached_is_deaths_among_patients():
    one = likelihood(n=10, events=2, follow_up=np.log(9.0))
    theta = np.log([6.0, 20.0, 60.0])
    s = 0.5 ** (9.0 / np.exp(theta))
    assert one.log(theta[None])[0] == pytest.approx(stats.binom.logpmf(2, 10, 1 - s) - np.log(45), abs=1e-9)
    none = likelihood(n=10, events=0, follow_up=np.log(9.0))
    assert not none.falls_right[0]
    assert none.log(theta[None])[0] == pytest.approx(10 * np.log(s), abs=1e-9)


def test_every_row_counts_and_says_how():
    fit = ml.pool_bayes_medians(SERIES)
    assert [h.split(",")[0] for h in fit.effects.how] == [
        "implied likelihood of the 95% CI",
        "deaths and survivors at the median",
        "2 of 10 had died by the end of follow-up (median not reached)",
        "deaths and survivors at the median",
    ]
    assert 6 < fit.estimate.low < fit.estimate.value < fit.estimate.high < 25
    assert np.isinf(fit.to_frame()["value"][2])
    assert fit.theta[2].value > fit.theta[0].value
    rest = {key: [v for i, v in enumerate(col) if i != 2] for key, col in SERIES.items()}
    assert ml.pool_bayes_medians(rest).estimate.value < fit.estimate.value


def test_symmetric_intervals_are_the_normal_model():
    half = np.array([0.3, 0.2, 0.4])
    y = np.log([8.0, 11.0, 6.5])
    z = stats.norm.ppf(0.975)
    table = {"study": list("abc"), "median": np.exp(y), "low": np.exp(y - z * half), "high": np.exp(y + z * half)}
    one = ml.pool_bayes_medians(table, tau=ml.priors.half_normal(0.4))
    two = ml.pool_bayes(ml.effects(y, half**2), tau=ml.priors.half_normal(0.4))
    assert one.mu.mean == pytest.approx(two.mu.mean, abs=1e-6)
    assert one.mu.central == pytest.approx(two.mu.central, abs=1e-6)
    assert one.tau.mean == pytest.approx(two.tau.mean, abs=1e-6)


def test_lopsided_intervals_agree_with_plain_quadrature():
    table = {"study": ["a", "b", "c"], "median": [8.0, 11.0, 10.6], "low": [6.0, 5.0, 5.9], "high": [15.0, 16.0, "NR"]}
    fit = ml.pool_bayes_medians(table, tau=ml.priors.half_normal(0.4), mu=(2.3, 0.8))
    z = stats.norm.ppf(0.975)
    theta = np.linspace(-1, 6, 4001)
    like = []
    for m, low, high in ((8.0, 6.0, 15.0), (11.0, 5.0, 16.0)):
        sd = np.where(theta < np.log(m), np.log(m / low), np.log(high / m)) / z
        like.append(np.exp(-0.5 * ((theta - np.log(m)) / sd) ** 2))
    s = lambda x: 0.5 ** (10.6 / np.exp(x))  # noqa: E731
    n = -(z**2) / np.log(4 * s(np.log(5.9)) * (1 - s(np.log(5.9))))
    like.append((4 * s(theta) * (1 - s(theta))) ** (n / 2))
    m = np.linspace(-1, 6, 281)
    u, w = np.polynomial.legendre.leggauss(50)
    tau, w = 1.3 * (u + 1) + 1e-3, 1.3 * w
    log = stats.norm(2.3, 0.8).logpdf(m) + stats.halfnorm(0, 0.4).logpdf(tau)[:, None]
    for one in like:
        log = log + np.log(
            [one @ stats.norm.pdf(theta[:, None], m, np.hypot(t, 0.0)) * (theta[1] - theta[0]) for t in tau]
        )
    joint = np.exp(log - log.max()) * w[:, None]
    joint /= joint.sum()
    assert fit.mu.mean == pytest.approx((joint * m).sum(), abs=2e-3)  # there the width jumps, here it changes quickly
    assert fit.tau.mean == pytest.approx((joint.sum(axis=1) * tau).sum(), abs=4e-3)


def test_rows_that_say_too_little_are_listed():
    table = {"study": ["a", "b", "c"], "median": [8.0, 9.0, "NR"], "low": [6.0, None, None], "high": [11.0, None, None]}
    with pytest.warns(ml.errors.ExcludedRowsWarning, match="2 of 3 rows"):
        fit = ml.pool_bayes_medians(table)
    assert [e.study for e in fit.effects.excluded] == ["b", "c"]
    with pytest.raises(ml.errors.DataError, match="no row can be used"):
        ml.pool_bayes_medians({"study": ["a"], "median": ["NR"]})
    with pytest.raises(ml.errors.DataError, match=r"study 'a' \(row 1\): low 12 > high 11"):
        ml.pool_bayes_medians({"study": ["a"], "median": [8.0], "low": [12.0], "high": [11.0]})
    with pytest.raises(ml.errors.OptionError, match="shape 0"):
        ml.pool_bayes_medians(SERIES, shape=0)
    with pytest.raises(ml.errors.NotEstimableError, match="improper"):
        ml.pool_bayes_medians(
            {"study": ["a"], "median": ["NR"], "n": [8], "events": [0], "follow_up": [6.0]},
            tau=ml.priors.half_normal(0.5),
        )


def test_a_forest_plot_shows_what_was_not_reached():
    fit = ml.pool_bayes_medians(SERIES)
    plot = ml.forest(fit)
    assert "not reached" in plot.alt
    assert fit.effects.high[1] == fit.effects.high[2] == np.inf
    assert np.isfinite(fit.effects.low).all()
    with pytest.raises(ml.errors.OptionError, match="up to a constant"):
        ml.loo(fit)
    with pytest.raises(ml.errors.OptionError, match="not available for pool_bayes_medians"):
        ml.predictive_check(fit)
