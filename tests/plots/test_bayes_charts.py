"""Charts of Bayesian analyses, and priors beside posteriors: what they show is what was computed."""

import numpy as np
import pytest

import metaleptic as ml
from metaleptic import priors
from metaleptic.plots.density_layout import predictive_pdf

E = ml.effects(
    [-0.42, 0.11, -0.77, -0.05, 0.31, -1.2],
    [0.09, 0.21, 0.05, 0.4, 0.13, 0.3],
    study=list("abcdef"),
    measure="HR",
    columns={"dose": [1, 2, 4, 1, 2, 6]},
)
SERIES = ml.proportions({"study": list("abc"), "events": [0, 3, 2], "n": [7, 30, 14]}, label="Response rate")


def test_one_family_is_a_curve():
    """The curve of the effect and that of its probability pass through the separate fits."""
    scales = np.linspace(0.1, 1, 10)
    record = ml.prior_sensitivity(E, [priors.half_normal(float(s)) for s in scales])
    chart = ml.plot(record).layout
    assert len(chart.areas) == 1
    assert chart.x.title == "Scale of the half-normal prior on τ"
    post = ml.pool_bayes(E, tau=priors.half_normal(0.5))
    i = int(np.argmin(np.abs(scales - 0.5)))
    assert record.p_below[i] == pytest.approx(post.probability(below=1), abs=1e-10)
    assert record.mu[i] == pytest.approx([post.estimate.value, post.estimate.low, post.estimate.high])
    chance = next(p for p in chart.paths if p.role == "alarm")
    assert chance.points[i][1] == pytest.approx(0.26 * record.p_below[i])
    assert "P(hazard ratio < 1)" in chart.alt


def test_priors_of_several_families_are_rows():
    record = ml.prior_sensitivity(E, {"weak": priors.half_normal(0.5), "flat": priors.uniform()})
    chart = ml.plot(record).layout
    assert chart.y.labels == ("weak", "flat")
    assert [w.text for w in chart.words] == [f"{100 * p:.1f}%" for p in record.p_below]


@pytest.mark.parametrize(
    ("options", "fit"),
    [
        ({"mu": priors.student_t(4, 0, 0.5)}, lambda tau: ml.pool_bayes(E, tau=tau, mu=priors.student_t(4, 0, 0.5)).mu),
        ({"moderators": "~ dose"}, lambda tau: ml.pool_bayes(E, tau=tau, moderators="~ dose").beta[1]),
    ],
)
def test_sensitivity_of_other_models(options, fit):
    record = ml.prior_sensitivity(E, [priors.half_normal(0.5), priors.half_cauchy(0.5)], **options)
    for i, tau in enumerate(record.priors):
        one = fit(tau)
        assert record.mu[i] == pytest.approx([one.value, one.low, one.high])
        assert record.p_below[i] == pytest.approx(float(one.cdf(0.0)))
    assert ml.plot(record).alt


def test_sensitivity_of_counts_and_of_unknown_terms():
    record = ml.prior_sensitivity(SERIES, [priors.half_normal(0.5)], model="binomial-normal")
    post = ml.pool_bayes(SERIES, model="binomial-normal", tau=priors.half_normal(0.5))
    assert record.mu[0, 0] == pytest.approx(post.estimate.value)
    assert np.isnan(record.p_below).all()
    with pytest.raises(ml.errors.OptionError, match="There are: intercept, dose"):
        ml.prior_sensitivity(E, [priors.half_normal(0.5)], moderators="~ dose", term="age")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ml.compare_models(E, mu=(0, 0.5)), "Posterior model probabilities: common, no effect 1.2%"),
        (lambda: ml.power_scale(ml.pool_bayes(E)), "Power scaling. mu: the prior hardly matters"),
        (lambda: ml.power_scale(ml.pool_bayes(E, moderators="~ dose")), "dose:"),
        (lambda: ml.loo(ml.pool_bayes(E)), "least expected: e"),
        (lambda: ml.map_prior(SERIES, components=1), "MAP prior: response rate"),
        (lambda: ml.map_prior(E, components=1, sigma=1), "MAP prior: hazard ratio"),
    ],
)
def test_what_else_is_drawn(make, says):
    shown = ml.plot(make())
    assert says in shown.alt
    chart = shown.layout
    inside = [p for area in chart.areas for p in area.points] + [p for path in chart.paths for p in path.points]
    for x, y in (*inside, *(dot.at for dot in chart.dots), *(word.at for word in chart.words)):
        assert -0.001 <= x <= 1.001
        assert -0.001 <= y <= 1.001
    assert shown.svg().startswith("<svg")


def test_prior_beside_posterior_of_predictions_and_coefficients():
    post = ml.pool_bayes(E, mu=priors.student_t(4, 0, 0.5))
    assert "hazard ratio in a new study" in ml.prior_posterior(post, "prediction").alt
    flat = ml.prior_posterior(ml.pool_bayes(E), "prediction").layout
    assert "The prior is improper: only its shape is shown." in flat.footnotes
    reg = ml.pool_bayes(E, moderators="~ dose", beta=[None, (0, 0.5)])
    assert "Prior normal(0, 0.5)" in ml.prior_posterior(reg, "dose").alt
    assert "Prior flat" in ml.prior_posterior(reg, "intercept").alt
    with pytest.raises(ml.errors.OptionError, match="Choose one of: tau, intercept, dose"):
        ml.prior_posterior(reg, "mu")


@pytest.mark.parametrize("mu", [priors.normal(0.1, 0.5), priors.student_t(5, 0.1, 0.5)])
def test_prior_predictive_density(mu):
    """The density of a new study before any is seen integrates to 1, and is that of simulated ones."""
    tau, x = priors.half_normal(0.5), np.linspace(-30, 30, 6001)
    f = predictive_pdf(mu, tau, np.ones(1), x)
    assert np.trapezoid(f, x) == pytest.approx(1, abs=2e-3)
    rng = np.random.default_rng(1)
    drawn = mu.quantile(rng.random(200_000)) + tau.quantile(rng.random(200_000)) * rng.standard_normal(200_000)
    assert np.trapezoid(f[np.abs(x - 0.1) <= 0.5], x[np.abs(x - 0.1) <= 0.5]) == pytest.approx(
        (np.abs(drawn - 0.1) <= 0.5).mean(), abs=0.006
    )


def test_priors_of_one_kind_in_one_plot():
    prior = ml.map_prior(SERIES, components=1)
    assert ml.plot_priors({"MAP": prior, "robust": prior.robust(0.2)}).alt.startswith("Priors on the proportion. MAP: ")
    assert ml.plot_priors([priors.normal(0, 0.5), priors.cauchy(0, 0.5)]).alt.startswith("Priors on the effect. ")
    stats = pytest.importorskip("scipy.stats")
    assert "gamma(a=2, scale=0.2): median 0.34" in ml.plot_priors(stats.gamma(2, scale=0.2)).alt
    with pytest.raises(ml.errors.OptionError, match="different things"):
        ml.plot_priors([priors.normal(0, 1), priors.half_normal(1)])


def test_curves_are_drawn_finely_near_zero():
    """A log-normal that rises within a hundredth of the axis keeps its peak."""
    layout = ml.plot_priors({"narrow": priors.log_normal(-4, 0.7), "wide": priors.half_normal(1)}, upper=2).layout
    curve = layout.curves[0].points
    assert sum(x < 0.02 for x, _ in curve) > 40


def test_medians_not_reached_have_no_unit():
    data = {"study": ["A", "B"], "median": [8.3, "NR"], "low": [5.7, None], "high": [11.0, None], "n": [60, 10]}
    data |= {"events": [None, 2], "follow_up": [None, 9.0]}
    assert "not reached months" not in ml.forest(ml.pool_bayes_medians(data)).alt
