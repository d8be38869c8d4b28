"""Correlated outcomes: the LKJ prior, the density that is sampled, true effects, the result, and NUTS against quadrature."""

import warnings

import numpy as np
import pytest
import sampled_models
from scipy import stats

import metaleptic as ml
from metaleptic import priors
from metaleptic.bayes import diagnostics
from metaleptic.bayes.correlations import draw_correlations
from metaleptic.bayes.outcomes import correlations_of, outcomes_model, true_effects
from metaleptic.bayes.pool_bayes_outcomes import table_of

STUDY = ["A", "A", "B", "B", "C", "C", "D", "E", "F"]
OUTCOME = ("OS", "PFS", "OS", "PFS", "OS", "PFS", "OS", "OS", "PFS")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ml.errors.SuspiciousDataWarning)  # studies repeat: that is the point
    EFFECTS = ml.effects(
        [-0.3, -0.5, -0.1, -0.2, -0.6, -0.7, -0.25, 0.1, -0.4],
        [0.03, 0.05, 0.02, 0.04, 0.06, 0.05, 0.03, 0.04, 0.05],
        study=STUDY,
        measure="HR",
        columns={"outcome": OUTCOME},
    )
V = ml.vcov_imputed(EFFECTS, rho=0.5)
TAU, MU = priors.half_normal(0.4), (0.0, 1.0)


def covariance(t1, t2, r):
    """Return V + the covariance between true effects, entry by entry."""
    tau = {"OS": t1, "PFS": t2}
    out = V.copy()
    for i in range(9):
        for j in range(9):
            if STUDY[i] == STUDY[j]:
                out[i, j] += tau[OUTCOME[i]] * tau[OUTCOME[j]] * (1 if OUTCOME[i] == OUTCOME[j] else r)
    return out


def test_the_density_that_is_sampled_is_the_models():
    points = [(-0.2, -0.5, 0.2, 0.4, 0.6), (0.1, 0.3, 0.9, 0.05, -0.8)]
    table = table_of(EFFECTS, "outcome", V)
    found = sampled_models.model_densities(
        lambda pm, pt: outcomes_model(pm, pt, table, [TAU, TAU], [priors.normal(*MU)] * 2, 2.0),
        [{"mu_0": m1, "mu_1": m2, "tau_0": t1, "tau_1": t2, "half": [(1 + r) / 2]} for m1, m2, t1, t2, r in points],
    )
    expected = [
        stats.norm.logpdf([m1, m2]).sum()
        + stats.halfnorm(0, 0.4).logpdf([t1, t2]).sum()
        + stats.beta(2, 2).logpdf((1 + r) / 2)
        + stats.multivariate_normal([m1 if o == "OS" else m2 for o in OUTCOME], covariance(t1, t2, r)).logpdf(EFFECTS.y)
        for m1, m2, t1, t2, r in points
    ]
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("eta", [1.0, 3.0])
def test_correlations_are_drawn_from_the_lkj_distribution(eta):
    """Each correlation is beta(eta - 1 + p / 2), and matrices have the density det^(eta - 1): the mean determinant tells."""
    r = draw_correlations(4, eta, 20_000, np.random.default_rng(1))
    for i in range(4):
        for j in range(i):
            u = stats.beta(eta + 1, eta + 1).cdf((1 + r[:, i, j]) / 2)
            assert stats.kstest(u, "uniform").pvalue > 0.001, (i, j)
    assert np.linalg.eigvalsh(r).min() > 0
    shapes = eta + (4 - 2 - np.array([0, 0, 0, 1, 1, 2])) / 2  # det = product of 1 - partial^2, independent
    expected = np.prod(1 - 1 / (2 * shapes + 1))
    det = np.linalg.det(r)
    assert abs(det.mean() - expected) < 4 * det.std() / np.sqrt(det.size)


def test_true_effects_given_the_rest_are_conditional_normals():
    table, n = table_of(EFFECTS, "outcome", V), 40_000
    mu, tau, r = np.array([-0.2, -0.4]), np.array([0.3, 0.2]), 0.7
    matrix = correlations_of(np.full((n, 1), r), 2)
    theta, new = true_effects(np.random.default_rng(2), table, np.tile(mu, (n, 1)), np.tile(tau, (n, 1)), matrix)
    between = np.outer(tau, tau) * [[1, r], [r, 1]]
    total, off = covariance(0.3, 0.2, r), EFFECTS.y - mu[[0 if o == "OS" else 1 for o in OUTCOME]]
    for k, study in enumerate(table.studies):
        link = np.array(
            [between[:, 0 if o == "OS" else 1] * (s == study) for s, o in zip(STUDY, OUTCOME, strict=True)]
        ).T
        mean = mu + link @ np.linalg.solve(total, off)
        spread = between - link @ np.linalg.solve(total, link.T)
        assert theta[:, k].mean(axis=0) == pytest.approx(mean, abs=4 * 0.3 / np.sqrt(n)), study
        assert np.cov(theta[:, k].T) == pytest.approx(spread, abs=0.002), study
    assert np.cov(new.T) == pytest.approx(between, abs=0.004)


@pytest.fixture
def fit(monkeypatch):
    """Fit by draws that were not sampled."""
    rng = np.random.default_rng(3)
    draws = {
        "mu": np.array([-0.2, -0.4]) + 0.1 * rng.standard_normal((2, 500, 2)),
        "tau": np.abs(0.2 * rng.standard_normal((2, 500, 2))),
        "partial": 2 * rng.beta(3, 2, (2, 500, 1)) - 1,
    }
    sampled_models.replace_chains(monkeypatch, draws)
    return ml.pool_bayes_outcomes(EFFECTS, outcome="outcome", V=V, tau=TAU, mu=MU, draws=500, chains=2, seed=1)


def test_each_outcome_serves_as_a_fit(fit):
    os = fit["OS"]
    assert isinstance(os, ml.Result)
    assert os.k == 5
    assert os.effects.study == ("A", "B", "C", "D", "E")
    assert list(os.to_frame()["study"]) == ["A", "B", "C", "D", "E", "Pooled", "Prediction interval"]
    assert os.theta[3].mean == pytest.approx(fit.theta["D", "OS"].mean)
    assert os.mu.mean == pytest.approx(fit.draws["mu"][..., 0].mean())
    assert "multivariate" in os.method
    assert list(fit.to_frame()["studies"]) == [5, 4]


def test_questions_about_both_outcomes(fit):
    mu = fit.draws["mu"]
    both = ((mu[..., 0] < np.log(0.8)) & (mu[..., 1] < np.log(0.7))).mean()
    assert fit.probability(below={"OS": 0.8, "PFS": 0.7}) == pytest.approx(both)
    assert fit.probability(above={"OS": 0.8}) == pytest.approx((mu[..., 0] > np.log(0.8)).mean())
    assert fit.contrast({"PFS": 1, "OS": -1}).mean == pytest.approx((mu[..., 1] - mu[..., 0]).mean())
    assert fit.correlation["OS", "PFS"].mean == pytest.approx(fit.draws["correlation"][..., 0, 1].mean())
    assert ("F", "OS") in fit.theta  # what F does not report is learnt from its PFS
    assert repr(fit).startswith("Hazard ratio of 2 outcomes, 6 studies, 9 estimates")
    assert list(fit.to_arviz()["posterior"]["outcome"].values) == ["OS", "PFS"]
    with pytest.raises(ml.errors.OptionError, match="no outcome 'QoL'"):
        fit["QoL"]
    with pytest.raises(ml.errors.OptionError, match="is not at hand"):
        ml.loo(fit["OS"])


def test_bad_outcomes():
    twice = EFFECTS.take([0, 0, 1])
    with pytest.raises(ml.errors.DataError, match="'A' \\(row 2\\): a second estimate of 'OS'"):
        ml.pool_bayes_outcomes(twice, outcome="outcome")
    with pytest.raises(ml.errors.DataError, match="one outcome only"):
        ml.pool_bayes_outcomes(EFFECTS.take([0, 2]), outcome="outcome")
    with pytest.raises(ml.errors.DataError, match="not a covariance matrix"):
        ml.pool_bayes_outcomes(EFFECTS, outcome="outcome", V=np.ones((9, 9)))
    with pytest.raises(ml.errors.OptionError, match="no column 'endpoint'"):
        ml.pool_bayes_outcomes(EFFECTS, outcome="endpoint")
    with pytest.raises(ml.errors.OptionError, match="outcomes that are not there: QoL"):
        ml.pool_bayes_outcomes(EFFECTS, outcome="outcome", tau={"QoL": TAU})
    with pytest.raises(ml.errors.NotEstimableError, match="needs 3 studies"):
        ml.pool_bayes_outcomes(EFFECTS.take([0, 1, 2, 3]), outcome="outcome", tau=priors.uniform())


@pytest.mark.long
def test_nuts_agrees_with_quadrature_over_spreads_and_correlation():
    fit = ml.pool_bayes_outcomes(EFFECTS, outcome="outcome", V=V, tau=TAU, mu=MU, eta=2, draws=1500, chains=2, seed=4)
    assert fit.diagnostics.problems == ()
    nodes, w = np.polynomial.legendre.leggauss(28)
    tau, wt = 0.9 * (nodes + 1), 0.9 * w * stats.halfnorm(0, 0.4).pdf(0.9 * (nodes + 1))
    wr = w * (1 - nodes**2)
    x = np.array([[o == "OS", o == "PFS"] for o in OUTCOME], dtype=float)
    sums, total = np.zeros(6), 0.0
    for t1, w1 in zip(tau, wt, strict=True):
        for t2, w2 in zip(tau, wt, strict=True):
            for r, w3 in zip(nodes, wr, strict=True):
                a = covariance(t1, t2, r) + x @ x.T  # mu ~ N(0, 1) integrated out
                solved = np.linalg.solve(a, np.column_stack([EFFECTS.y, x]))
                log = -0.5 * (np.linalg.slogdet(a)[1] + EFFECTS.y @ solved[:, 0])
                weight = w1 * w2 * w3 * np.exp(log)
                total += weight
                sums += weight * np.array([*(x.T @ solved[:, 0]), t1, t2, r, r * r])
    mean = sums / total
    draws = fit.draws
    pairs = [draws["mu"][..., 0], draws["mu"][..., 1], draws["tau"][..., 0], draws["tau"][..., 1]]
    r = draws["correlation"][..., 0, 1]
    for found, expected in zip([*pairs, r, r * r], mean, strict=True):
        assert abs(found.mean() - expected) < 4 * diagnostics.mcse_mean(found)


def test_large_sets_of_estimates_have_the_same_density(monkeypatch):
    """Sets too large to be written out, and errors that go across studies, are the same multivariate normal."""
    shared = V.copy()
    shared[0, 8] = shared[8, 0] = 0.01  # studies A and F share patients
    points = [{"mu_0": -0.2, "mu_1": -0.5, "tau_0": 0.2, "tau_1": 0.4, "half": [0.8]}]
    found = []
    for most in (6, 1):
        monkeypatch.setattr("metaleptic.bayes.outcomes.WRITTEN_OUT", most)
        table = table_of(EFFECTS, "outcome", shared)
        found += sampled_models.model_densities(
            lambda pm, pt, table=table: outcomes_model(pm, pt, table, [TAU, TAU], [priors.normal(*MU)] * 2, 2.0), points
        )
    expected = (
        stats.norm.logpdf([-0.2, -0.5]).sum()
        + stats.halfnorm(0, 0.4).logpdf([0.2, 0.4]).sum()
        + stats.beta(2, 2).logpdf(0.8)
        + stats.multivariate_normal(
            [-0.2 if o == "OS" else -0.5 for o in OUTCOME], covariance(0.2, 0.4, 0.6) - V + shared
        ).logpdf(EFFECTS.y)
    )
    assert found == pytest.approx([expected] * 2, abs=1e-6)
