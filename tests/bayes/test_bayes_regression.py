"""Bayesian meta-regression agrees with bayesmeta's, with the model without moderators, and with plain quadrature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import REGRESSION, Plain, effects, made
from scipy import integrate, stats

import metaleptic as ml
from metaleptic.bayes import priors
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.errors import DataError, NotEstimableError, OptionError

GRID = 5e-3  # bayesmeta's own error in a probability: 0.0043 at most, at its default delta
GRID_STUDY = 1e-2  # in a study's median, where groups of two and four studies share tau (ours: 1e-9, below)


def fitted(fit: dict[str, Any]) -> RegressionBayes:
    """Fit what a golden fit was made of."""
    e = ml.effects(fit["y"], np.square(fit["sigma"]))
    mean, sd = fit["beta_prior_mean"], fit["beta_prior_sd"]
    beta = None if mean is None else list(zip(mean, sd, strict=True))
    return ml.pool_bayes(e, moderators=np.array(fit["X"]), tau=made(fit["tau_prior"]), beta=beta)


@pytest.mark.parametrize("fit", REGRESSION["fits"], ids=lambda f: f["id"])
def test_coefficients_predictions_and_shrinkage_agree_with_bayesmeta(fit: dict[str, Any]) -> None:
    """Tau to 1e-8; coefficients, means and predictions at new values, and study effects within bayesmeta's grid error."""
    post = fitted(fit)
    p = np.array(fit["q_p"])
    assert post.tau.cdf(np.array(fit["q_tau"])) == pytest.approx(p, abs=1e-8)
    rows = dict(zip(fit["summary_rows"], fit["summary"], strict=True))
    assert post.tau.mean == pytest.approx(rows["mean"]["tau"], rel=1e-7)
    assert post.tau.sd == pytest.approx(rows["sd"]["tau"], rel=1e-7)
    for name, b in zip(fit["colnames"], post.beta, strict=True):
        assert b.cdf(rows["median"][name]) == pytest.approx(0.5, abs=GRID)
        assert b.mean == pytest.approx(rows["mean"][name], abs=GRID * b.sd)
        assert b.sd == pytest.approx(rows["sd"][name], rel=3 * GRID)
        width = b.hpd[1] - b.hpd[0]
        assert b.hpd == pytest.approx((rows["95% lower"][name], rows["95% upper"][name]), abs=GRID * width)
    for at in fit["pred"]:
        mean, study = post.predict([at["x"]])[0], post.predict([at["x"]], study=True)[0]
        assert mean.cdf(np.array(at["q_mean"])) == pytest.approx(p, abs=GRID)
        assert study.cdf(np.array(at["q_pred"])) == pytest.approx(p, abs=GRID)
    theta = {row.pop("_row"): list(row.values()) for row in map(dict, fit["theta"])}
    for i, t in enumerate(post.theta):
        assert t.cdf(theta["median"][i]) == pytest.approx(0.5, abs=GRID_STUDY)
        assert t.mean == pytest.approx(theta["mean"][i], abs=2 * GRID_STUDY * t.sd)
        assert t.sd == pytest.approx(theta["sd"][i], rel=3 * GRID)
    if fit["marginal"] is not None:
        assert post.log_marginal == pytest.approx(np.log(fit["marginal"]), abs=1e-6)
    else:
        assert np.isnan(post.log_marginal)
        assert "improper" in post.no_marginal


@pytest.mark.parametrize("mu", [None, (0.3, 0.4)])
def test_an_intercept_alone_is_the_model_without_moderators(mu: tuple[float, float] | None) -> None:
    e, tau = effects("bcg"), priors.half_cauchy(0.5)
    plain = ml.pool_bayes(e, tau=tau, mu=mu)
    post = ml.pool_bayes(e, tau=tau, moderators=np.ones((13, 1)), beta=[mu])
    assert post.log_integral == pytest.approx(plain.log_integral, abs=1e-11)
    assert post.beta[0].central == pytest.approx(plain.mu.central, abs=1e-11)
    assert post.beta[0].hpd == pytest.approx(plain.mu.hpd, abs=1e-9)
    assert post.tau.central == pytest.approx(plain.tau.central, abs=1e-11)
    assert post.predict([[1]], study=True)[0].central == pytest.approx(plain.prediction.central, abs=1e-10)
    assert post.theta[3].central == pytest.approx(plain.theta[3].central, abs=1e-10)


def test_a_slope_agrees_with_plain_quadrature() -> None:
    """Distribution function of a slope and marginal likelihood, from the joint normal density of the effects."""
    fit = next(f for f in REGRESSION["fits"] if f["id"] == "bcg_lat_hn05_prior")
    post = fitted(fit)
    y, v, x = np.array(fit["y"]), np.square(fit["sigma"]), np.array(fit["X"])
    m0, s0 = np.array(fit["beta_prior_mean"]), np.array(fit["beta_prior_sd"])

    def density(tau: float) -> float:
        cov = np.diag(v + tau**2) + (x * s0**2) @ x.T
        return float(stats.multivariate_normal.pdf(y, x @ m0, cov) * stats.halfnorm.pdf(tau, scale=0.5))

    def slope_below(tau: float, at: float) -> float:
        precision = np.diag(s0**-2.0) + (x.T / (v + tau**2)) @ x
        cov = np.linalg.inv(precision)
        mean = cov @ (m0 / s0**2 + (x.T / (v + tau**2)) @ y)
        return float(stats.norm.cdf(at, mean[1], np.sqrt(cov[1, 1])))

    def study_below(tau: float, at: float) -> float:
        spread = tau**2 * np.eye(13) + (x * s0**2) @ x.T
        gain = spread @ np.linalg.inv(spread + np.diag(v))
        mean, cov = x @ m0 + gain @ (y - x @ m0), spread - gain @ spread
        return float(stats.norm.cdf(at, mean[4], np.sqrt(cov[4, 4])))

    def integral(f: Any) -> float:
        return sum(integrate.quad(f, a, b, epsabs=0, epsrel=1e-11)[0] for a, b in [(0, 0.3), (0.3, 1), (1, 4)])

    total = integral(density)
    assert post.log_marginal == pytest.approx(np.log(total), abs=1e-9)
    for at in (-0.04, -0.02):
        assert post.beta[1].cdf(at) == pytest.approx(
            integral(lambda t, at=at: density(t) * slope_below(t, at)) / total, abs=1e-9
        )
    at = post.theta[4].central[0]
    assert integral(lambda t: density(t) * study_below(t, at)) / total == pytest.approx(0.025, abs=1e-9)


def test_formulas_columns_and_matrices_are_the_same_model() -> None:
    """Also with years that are not centred, whose intercept is far from the data."""
    years = [1990.0, 1994.0, 1999.0, 2003.0, 2010.0]
    columns = {"year": years, "design": ["rct", "rct", "cohort", "cohort", "cohort"]}
    e = ml.effects([-0.3, -0.1, -0.5, -0.2, 0.1], [0.03, 0.01, 0.05, 0.01, 0.02], measure="HR", columns=columns)
    a = ml.pool_bayes(e, moderators="~ year")
    b = ml.pool_bayes(e, moderators={"year": years})
    c = ml.pool_bayes(e, moderators=np.column_stack([np.ones(5), years]))
    assert a.names == b.names == ("intercept", "year")
    assert a.beta[1].central == pytest.approx(b.beta[1].central)
    assert a.beta[1].central == pytest.approx(c.beta[1].central)
    assert a.predict({"year": [2000.0]})[0].value == pytest.approx(c.predict([[1, 2000.0]])[0].value)
    centred = ml.pool_bayes(e, moderators=np.column_stack([np.ones(5), np.array(years) - 2000]))
    assert centred.beta[1].central == pytest.approx(a.beta[1].central, rel=1e-8)
    assert centred.beta[0].central == pytest.approx(a.contrast([1, 2000]).central, abs=1e-8)
    assert centred.log_integral == pytest.approx(a.log_integral, abs=1e-8)
    text = repr(ml.pool_bayes(e, moderators="~ design"))
    assert text.startswith("Meta-regression of log hazard ratio on design, 5 studies")
    assert "design[T.rct]" in text
    assert a.to_frame()["ratio"].tolist() == pytest.approx(np.exp([b.median for b in a.beta]))
    assert all(b.low == b.central[0] for b in a.beta)


def test_impossible_regressions_are_refused() -> None:
    e = effects("crins2014_AR")
    x = np.column_stack([np.ones(6), np.arange(6.0)])
    tau = priors.half_normal(1)
    with pytest.raises(NotEstimableError, match=r"with 2 flat priors on coefficients"):
        ml.pool_bayes(e.take([0, 1, 2]), moderators=x[:3], tau=priors.uniform())
    with pytest.raises(OptionError, match=r"give the priors on the coefficients as beta"):
        ml.pool_bayes(e, moderators=x, mu=(0, 1), tau=tau)
    with pytest.raises(OptionError, match="beta is for moderators"):
        ml.pool_bayes(e, beta=[(0, 1)], tau=tau)  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="beta has 1 priors for 2 coefficients: intercept, x2"):
        ml.pool_bayes(e, moderators=x, beta=[(0, 1)], tau=tau)
    with pytest.raises(OptionError, match="must be normal"):
        ml.pool_bayes(e, moderators=x, beta=[priors.cauchy(0, 1), None], tau=tau)
    with pytest.raises(DataError, match="cannot be told apart"):
        ml.pool_bayes(e, moderators=np.ones((6, 2)), tau=tau)
    with pytest.raises(OptionError, match="one weight for each of"):
        ml.pool_bayes(e, moderators=x, tau=tau).contrast([1])


def test_plain_is_not_regression() -> None:
    """Both classes answer for tau; only the one without moderators has one pooled effect."""
    e = effects("crins2014_AR")
    post = ml.pool_bayes(e, moderators=np.ones((6, 1)), tau=priors.half_normal(0.5))
    plain = Plain(e.y, e.v, lambda t: float(stats.halfnorm.pdf(t, scale=0.5)))
    assert post.log_integral == pytest.approx(plain.log_integral(), abs=1e-10)
    assert not isinstance(post, ml.Result)


@pytest.mark.parametrize(
    ("prior", "k", "beta", "needed"),
    [
        (priors.uniform(), 3, None, 4),
        (priors.uniform(), 4, None, 0),
        (priors.uniform(), 3, [(0, 1), None], 0),
        (priors.jeffreys(), 3, None, 0),
        (priors.uniform_sqrt(), 3, None, 0),
        (priors.from_density(lambda tau: np.ones_like(tau)), 3, None, 4),
    ],
)
def test_each_flat_coefficient_costs_a_study(prior: priors.Prior, k: int, beta: Any, needed: int) -> None:
    """The likelihood falls like tau^-(k - p) with p flat coefficients: with k - p = 1 a flat tau has no posterior."""
    e, x = ml.effects([0.1, 0.5, -0.2, 0.4][:k], [0.1, 0.2, 0.3, 0.1][:k]), np.vander(np.arange(k), 2)
    if needed:
        with pytest.raises(NotEstimableError, match=f"needs {needed} studies with 2 flat priors on coefficients"):
            ml.pool_bayes(e, moderators=x, tau=prior, beta=beta)
    else:
        assert ml.pool_bayes(e, moderators=x, tau=prior, beta=beta).tau.cdf(np.inf) == pytest.approx(1)


@pytest.mark.parametrize("flat", [0, 1])
def test_a_flat_coefficient_is_the_limit_of_a_wide_one(flat: int) -> None:
    """Flat and proper priors side by side, in either order of the columns."""
    e, x = effects("bcg"), np.column_stack([np.ones(13), np.linspace(-1, 1, 13)])
    beta: list[Any] = [(0, 0.3), (0, 0.3)]
    beta[flat] = None
    wide = [(0, 1e5) if b is None else b for b in beta]
    one, other = (ml.pool_bayes(e, moderators=x, tau=priors.half_normal(0.5), beta=b) for b in (beta, wide))
    for a, b in zip((*one.beta, one.tau, *one.theta), (*other.beta, other.tau, *other.theta), strict=True):
        assert a.central == pytest.approx(b.central, abs=1e-7)
