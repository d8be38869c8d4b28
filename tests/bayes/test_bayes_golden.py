"""The exact posterior agrees with R's bayesmeta within its grid error, and with two independent quadratures far beyond it.

bayesmeta integrates tau by itself to about 1e-8 but everything else over a grid of taus, chosen so that neighbouring
conditionals differ by a divergence of at most ``delta`` and ``epsilon`` of tau is cut off. What that costs in its own
output (exact values known) is below: up to 0.004 in a probability at delta 0.01, 0.0002 at delta 0.001.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from reference import AVERAGING, BAYESMETA, COVERAGE, DATA, HERE, QUADRATURE, REGRESSION, TABLES, effects, made
from reference import LOG_T as LOG_T_FITS

import metaleptic as ml
from metaleptic.bayes import empirical_tables, priors
from metaleptic.bayes.compare import compare_models
from metaleptic.bayes.pool_bayes import pool_bayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError

BINOMIAL = json.loads((HERE / "binomial_normal.json").read_text(encoding="utf-8"))
GRID_ERROR = {0.01: 4e-3, 0.001: 2e-4}  # of a probability, by bayesmeta's delta
GRID_ERROR_SD = {0.01: 3e-2, 0.001: 2e-4}  # relative, of a standard deviation (heavy tails lose most)


def _id(fit: dict[str, Any]) -> str:
    prior = fit.get("mu_prior", {}).get("sd", None) or fit.get("mu_prior_sd")
    return f"{fit['dataset']}-{fit['prior']}-{prior}-{fit.get('delta', '')}"


def posterior(fit: dict[str, Any]) -> PooledBayes:
    """Fit what a golden fit was made of."""
    sd = fit["mu_prior"]["sd"] if "mu_prior" in fit else fit["mu_prior_sd"]
    return pool_bayes(effects(fit["dataset"]), tau=made(fit["tau_prior"]), mu=None if sd is None else (0.0, sd))


def test_the_grid_is_complete() -> None:
    """9 data sets; 115 fits of bayesmeta with their calls; 16 priors with and without a prior on mu by quadrature."""
    assert len(DATA) == 9
    assert all(d["source"] for d in DATA.values())
    assert len(BAYESMETA["fits"]) == 115
    assert all(f["call"].startswith("bayesmeta(") for f in BAYESMETA["fits"])
    assert len(QUADRATURE["fits"]) == 7 * 16 * 2 == len({_id(f) for f in QUADRATURE["fits"]})
    assert len(AVERAGING["fits"]) == 84
    assert len(LOG_T_FITS["fits"]) == 48


@pytest.mark.parametrize("fit", BAYESMETA["fits"], ids=_id)
def test_posterior_agrees_with_bayesmeta(fit: dict[str, Any]) -> None:
    """Tau to 1e-8, its shortest interval to 1e-4; mu, prediction, study effects within bayesmeta's grid error."""
    ours, summary, delta = posterior(fit), fit["summary"], fit["delta"]
    p, grid = np.array(fit["quantile_p"]), GRID_ERROR[delta]
    assert np.abs(ours.tau.cdf(np.array(fit["q_tau"])) - p).max() < 1e-8
    assert np.abs(ours.mu.cdf(np.array(fit["q_mu"])) - p).max() < grid
    assert np.abs(ours.prediction.cdf(np.array(fit["q_pred"])) - p).max() < grid
    if np.isfinite(ours.tau.sd):
        assert ours.tau.mean == pytest.approx(summary["tau"]["mean"], rel=1e-8)
        assert ours.tau.sd == pytest.approx(summary["tau"]["sd"], rel=1e-8)
        assert ours.mu.mean == pytest.approx(summary["mu"]["mean"], abs=grid * ours.mu.sd)
        assert ours.mu.sd == pytest.approx(summary["mu"]["sd"], rel=GRID_ERROR_SD[delta])
    else:
        assert summary["tau"]["sd"] is None
    assert ours.tau.hpd == pytest.approx(
        (summary["tau"]["short_lo"], summary["tau"]["short_hi"]), abs=1e-4 * ours.tau.median
    )
    width = ours.mu.hpd[1] - ours.mu.hpd[0]
    assert ours.mu.hpd == pytest.approx((summary["mu"]["short_lo"], summary["mu"]["short_hi"]), abs=grid * width)
    assert ours.mu.mode == pytest.approx(summary["mu"]["mode"], abs=grid * width)
    for study, (median, mean, sd) in zip(ours.theta, fit["theta"], strict=True):
        assert abs(study.cdf(median) - 0.5) < grid
        assert study.mean == pytest.approx(mean, abs=2 * grid * study.sd)
        assert study.sd == pytest.approx(sd, rel=3 * grid)
    assert np.abs(ours.weights - 100 * np.array(fit["weights"][: ours.k])).max() < 1e-6
    if fit.get("marginal_likelihood"):
        assert ours.log_marginal == pytest.approx(np.log(fit["marginal_likelihood"]), abs=1e-7)


def test_every_file_of_the_reference_folder_is_compared() -> None:
    """Each file's fits are in a golden file; what is not, R could not compute or has no data to compute from."""
    kept = {f"bayesmeta_{name}.json": 0 for name in DATA if f"bayesmeta_{name}.json" in COVERAGE}
    for fit in BAYESMETA["fits"]:
        kept[f"bayesmeta_{fit['dataset']}.json"] += 1
    kept |= {"exact_nnhm.json": len(QUADRATURE["fits"]), "bmr.json": len(REGRESSION["fits"])}
    kept |= {"metabma.json": len(AVERAGING["fits"]), "robma.json": len(AVERAGING["robma"])}
    kept |= {"rhodes_exact.json": len(LOG_T_FITS["fits"]), "binomial_normal_map.json": len(BINOMIAL["fits"])}
    for name, found in COVERAGE.items():
        assert kept.get(name, 0) + sum(found["left_out"].values()) == found["fits"], name
    # Data and tables without fits of their own; the last is compared beside robma.json.
    assert {n for n, f in COVERAGE.items() if not f["fits"]} == {
        "datasets.json",
        "informative_priors.json",
        "rbest_data.json",
        "robma_vs_quadrature.json",
    }
    reasons = {reason.partition(":")[0] for f in COVERAGE.values() for reason in f["left_out"]}
    assert reasons == {"refused by R", "effects not in the folder"}


def test_what_r_refused_is_answered_or_refused_with_its_reason() -> None:
    """Bayesmeta's integration fails under Rhodes' log-t priors; a flat tau has no posterior with two studies."""
    for name in ("crins2014_AR", "crins2014_AR_rct", "crins2014_PTLD", "rubin1981"):
        assert pool_bayes(effects(name), tau=priors.log_student_t(5, -2.265, 1.4875), mu=(0, 4)).error < 1e-9
    with pytest.raises(NotEstimableError, match="needs 3 studies"):
        pool_bayes(effects("crins2014_AR_rct"), tau=priors.uniform())


@pytest.mark.parametrize("fit", BAYESMETA["fits"], ids=_id)
def test_densities_bayes_factors_and_shrinkage_agree_with_bayesmeta(fit: dict[str, Any]) -> None:
    """Tau's density, Bayes factors and weights to all digits kept; what it computes over its grid within the grid's error."""
    ours, grid = posterior(fit), GRID_ERROR[fit["delta"]]
    assert ours.tau.pdf(np.array(fit["dens_grid_tau"])) == pytest.approx(np.array(fit["dens_tau"]), rel=1e-7)
    at = np.array(fit["dens_grid_mu"])
    unit = float(np.subtract(*ours.mu.quantile([0.841, 0.159])) / 2)
    assert unit * ours.mu.pdf(at) == pytest.approx(unit * np.array(fit["dens_mu"]), abs=2 * grid)
    assert unit * ours.prediction.pdf(at) == pytest.approx(unit * np.array(fit["dens_pred"]), abs=2 * grid)
    p = np.array(fit["quantile_p"])
    assert ours.theta[0].cdf(np.array(fit["q_theta1"])) == pytest.approx(p, abs=grid)
    assert ours.mu.cdf(0) == pytest.approx(fit["p_mu_lt0"], abs=grid)
    assert ours.prediction.cdf(0) == pytest.approx(fit["p_pred_lt0"], abs=grid)
    weights = ours.shrinkage_weights()[0] / 100
    assert weights == pytest.approx(fit["shrinkage_weights_theta1"][: ours.k], abs=1e-7)
    beside = fit["exact"].get("mu")
    if beside:
        assert ours.mu.cdf(0) == pytest.approx(beside["cdf_at0"], abs=1e-9)
    if ours.no_marginal:
        return
    mu = fit["mu_prior"]
    log = compare_models(effects(fit["dataset"]), mu=(mu["mean"], mu["sd"]), tau=made(fit["tau_prior"])).log_marginal
    assert np.exp(log[2] - log[3]) == pytest.approx(fit["bayes_factor"]["mu0_actual"], rel=1e-8)
    assert np.exp(log[1] - log[3]) == pytest.approx(fit["bayes_factor"]["tau0_actual"], rel=1e-8)


# What the other quadrature does not know: it cuts the log-t prior's tails at exp(-60) and exp(12), takes moments that
# a power of log(tau) keeps finite for infinite, and lost its way in the tail of the flat prior on sqrt(tau), k = 2.
LOG_T = 2e-7
OTHERWISE = 1e-10
LOST = ("crins2014_AR_rct", "sqrt", None)
# It also cuts tails that fall like a low power of tau, up to 1e-6 of probability, which a moment feels more than a quantile.
HEAVY, HEAVY_QUANTILE, HEAVY_MOMENT = 6.5, 1e-4, 3e-4
FLAT_PEAK = 1e-6  # modes: the other quadrature found them by comparing densities


@pytest.mark.parametrize("fit", QUADRATURE["fits"], ids=_id)
def test_posterior_agrees_with_quadrature(fit: dict[str, Any]) -> None:
    """Every summary agrees with another adaptive quadrature to 1e-10 (modes: 1e-6; heavy tails: above)."""
    if "improper" in fit:
        with pytest.raises(NotEstimableError, match="improper"):
            posterior(fit)
        return
    ours = posterior(fit)
    log_t = fit["prior"] == "rhodes_marginal"
    heavy = not log_t and fit["tail_exponent"] is not None and fit["tail_exponent"] <= HEAVY
    tolerance = LOG_T if log_t else OTHERWISE
    of_moments = HEAVY_MOMENT if heavy else tolerance
    lost = (fit["dataset"], fit["prior"], fit["mu_prior_sd"]) == LOST
    assert ours.log_integral == pytest.approx(fit["log_integral"], abs=tolerance)
    unit = min(DATA[fit["dataset"]]["sigma"])
    pairs = [(ours.tau, fit["tau"]), (ours.theta[0], fit["theta"][0])]
    if not lost:
        pairs += [(ours.mu, fit["mu"]), (ours.prediction, fit["predictive"])]
        assert ours.mu.cdf(0) == pytest.approx(fit["p_mu_lt0"], abs=1e-5 if heavy else tolerance)
        assert ours.prediction.cdf(0) == pytest.approx(fit["p_pred_lt0"], abs=1e-5 if heavy else tolerance)
    for marginal, theirs in pairs:
        for name in ("mean", "sd"):
            if theirs[name] == "inf":
                assert np.isinf(getattr(marginal, name)) or log_t
            elif not log_t:
                assert getattr(marginal, name) == pytest.approx(theirs[name], rel=of_moments, abs=of_moments * unit)
        loose = HEAVY_QUANTILE if heavy and marginal in (ours.mu, ours.prediction) else tolerance
        size = {"rel": loose, "abs": loose * unit}
        assert marginal.median == pytest.approx(theirs["median"], **size)
        assert marginal.central == pytest.approx(tuple(theirs["central95"]), **size)
        assert marginal.hpd == pytest.approx(tuple(theirs["shortest95"]), **size)
        assert marginal.mode == pytest.approx(theirs["mode"], abs=max(loose, FLAT_PEAK) * unit)


@pytest.mark.parametrize("fit", [f for f in QUADRATURE["fits"] if f.get("bf01_mu0")], ids=_id)
def test_bayes_factors_agree_with_quadrature(fit: dict[str, Any]) -> None:
    """Evidence for no effect and for no heterogeneity."""
    prior = made(fit["tau_prior"])
    if not prior.proper:
        with pytest.raises(NotEstimableError, match="no Bayes factor"):
            compare_models(effects(fit["dataset"]), mu=(0, fit["mu_prior_sd"]), tau=prior)
        return
    logs = compare_models(effects(fit["dataset"]), mu=(0, fit["mu_prior_sd"]), tau=prior).log_marginal
    tolerance = LOG_T if fit["prior"] == "rhodes_marginal" else OTHERWISE
    assert np.exp(logs[2] - logs[3]) == pytest.approx(fit["bf01_mu0"], rel=tolerance)
    assert np.exp(logs[1] - logs[3]) == pytest.approx(fit["bf01_tau0"], rel=tolerance)


EFFECTS = {
    "norm0_0.3": priors.normal(0, 0.3),
    "t_0_1_5": priors.student_t(5, 0, 1),
    "cauchy_0.707": priors.cauchy(0, 0.707),
    "halfnorm_0.3": priors.normal(0, 0.3).between(lower=0),
}
SPREADS = {
    "halfcauchy_0.3": priors.half_cauchy(0.3),
    "halfnorm_0.5": priors.half_normal(0.5),
    "invgamma_1_0.15": priors.inverse_gamma(1, 0.15),
}
MODELS = ("fixed_H0", "fixed_H1", "random_H0", "random_H1")
# metaBMA's integral over an inverse gamma and half a normal stops at 1e-6; all others agree to 2e-7.
METABMA = {("halfnorm_0.3", "invgamma_1_0.15"): 2e-6}


@pytest.mark.parametrize("fit", AVERAGING["fits"], ids=lambda f: f"{f['dataset']}-{f['prior_d']}-{f['prior_tau']}")
def test_model_averaging_agrees_with_metabma(fit: dict[str, Any]) -> None:
    """Marginal likelihoods, model probabilities and inclusion Bayes factors, with four priors on the effect."""
    mu, tau = EFFECTS[fit["prior_d"]], SPREADS[fit["prior_tau"]]
    found = compare_models(ml.effects(fit["y"], np.square(fit["se"])), mu=mu, tau=tau)
    size = METABMA.get((fit["prior_d"], fit["prior_tau"]), 2e-7)
    assert found.log_marginal == pytest.approx([fit["logml"][k] for k in MODELS], abs=size)
    assert found.posterior == pytest.approx([fit["post_prob"][k] for k in MODELS], abs=2 * size)
    assert found.bf_effect == pytest.approx(fit["inclBF_effect"], rel=2 * size)
    assert found.bf_heterogeneity == pytest.approx(fit["inclBF_random"], rel=2 * size)


ROBMA = {
    "poulsen_oral_y": (priors.student_t(5, 0, 0.51), priors.inverse_gamma(1.79, 0.28)),
    "crins2014_AR_n1_hn0.5": (priors.normal(0, 1), priors.half_normal(0.5)),
}
BRIDGE = 2e-3  # what bridge sampling lacks


@pytest.mark.parametrize("fit", AVERAGING["robma"], ids=lambda f: f["id"])
def test_model_averaging_agrees_with_robma(fit: dict[str, Any]) -> None:
    """RoBMA's marginal likelihoods within the error of bridge sampling; the quadrature beside them to 1e-10."""
    mu, tau = ROBMA.get(fit["id"], (priors.bartos_effect("OR"), priors.bartos("OR")))
    found = compare_models(ml.effects(fit["y"], np.square(fit["se"])), mu=mu, tau=tau)
    assert found.log_marginal == pytest.approx([fit["logml"][i] for i in (0, 2, 1, 3)], abs=BRIDGE)
    if fit["quadrature"]:
        beside = fit["quadrature"]
        assert found.log_marginal == pytest.approx([beside["quad_logml"][k] for k in MODELS], abs=1e-10)
        assert found.bf_effect == pytest.approx(beside["quad_inclBF_effect"], rel=1e-10)
        assert found.bf_heterogeneity == pytest.approx(beside["quad_inclBF_het"], rel=1e-10)


DRAWN = 0.06  # of its posterior sd: what RoBMA's draws lack in a mean, twice that in a median


@pytest.mark.parametrize("fit", AVERAGING["robma"], ids=lambda f: f["id"])
def test_averages_over_all_models_agree_with_robma(fit: dict[str, Any]) -> None:
    """Effect and heterogeneity over all models, spikes included, and where there is one: within the error of its draws."""
    mu, tau = ROBMA.get(fit["id"], (priors.bartos_effect("OR"), priors.bartos("OR")))
    found = compare_models(ml.effects(fit["y"], np.square(fit["se"])), mu=mu, tau=tau)
    for i, ours in enumerate((found.effect, found.heterogeneity)):
        for some, theirs in ((ours, fit["estimates"][i]), (ours.given, fit["conditional"][i])):
            low, high = some.interval()
            unit = (ours.given.interval()[1] - ours.given.interval()[0]) / 4
            assert some.mean == pytest.approx(theirs["Mean"], abs=DRAWN * unit)
            assert some.median == pytest.approx(theirs["Median"], abs=2 * DRAWN * unit)
            assert (low, high) == pytest.approx((theirs["0.025"], theirs["0.975"]), abs=4 * DRAWN * unit)
            assert (low == 0) == (theirs["0.025"] == 0)


def test_a_spike_takes_its_share_of_the_probability() -> None:
    found = compare_models(ml.effects([0.1, -0.2, 0.15], [0.04, 0.09, 0.05]), mu=(0, 0.5), tau=priors.half_normal(0.3))
    for some in (found.effect, found.heterogeneity):
        p = np.array([0.01, 0.2, 0.5, 0.9, 0.99])
        q = some.quantile(p)
        assert (some.cdf(q) >= p - 1e-12).all()
        assert (some.cdf(q - 1e-9) <= p + 1e-6).all()
        jump = some.cdf(some.fixed) - some.cdf(some.fixed - 1e-12)
        assert jump == pytest.approx(some.probability_fixed, abs=1e-9)
        assert some.given.probability_fixed == 0
    assert found.effect.median == 0.0
    assert found.effect.given.mean == pytest.approx(found.mu.mean)
    assert "over all models" in repr(found.heterogeneity)


@pytest.mark.parametrize("fit", LOG_T_FITS["fits"], ids=lambda f: f"{f['dataset']}-{f['prior']}-{f['mu_prior_sd']}")
def test_empirical_log_t_priors_agree_with_quadrature(fit: dict[str, Any]) -> None:
    """Against R's integrate over log(tau); it cuts the prior's tails at exp(-60) and exp(12), which moments feel."""
    post = posterior(fit)
    log_integral = post.log_integral if fit["mu_prior_sd"] is None else post.log_marginal
    assert log_integral == pytest.approx(fit["log_ml"], abs=LOG_T)
    assert post.mu.cdf(np.array(fit["mu_q"])) == pytest.approx(fit["mu_cdf"], abs=LOG_T)
    assert post.tau.cdf(np.array(fit["tau_at"])) == pytest.approx(fit["tau_cdf"], abs=LOG_T)
    assert post.mu.cdf(0) == pytest.approx(fit["p_mu_lt0"], abs=LOG_T)


def test_published_tables_agree_with_other_software() -> None:
    """Turner 2015 and Rhodes 2015 as in bayesmeta, Bartos 2021 and 2023 as in BayesTools: every number."""
    for outcome, comparison, mu, sigma in TABLES["turner"]:
        row = empirical_tables.TURNER[outcome]
        assert row[empirical_tables.TURNER_COMPARISONS.index(comparison)] == (mu, sigma)
    for area, outcome, comparison, location, scale, df in TABLES["rhodes"]:
        row = empirical_tables.RHODES[area][outcome]
        assert row[empirical_tables.RHODES_COMPARISONS.index(comparison)] == (location, scale)
        assert df == 5
    measures = {"smd": "SMD", "logOR": "OR", "logRR": "RR", "RD": "RD", "logHR": "HR"}
    for name, parameter, kind, values in TABLES["cochrane"]:
        if parameter == "effect":
            prior = priors.bartos_effect(measures[kind], name)
            assert [prior.location, prior.scale, prior.df] == values
        else:
            spread = dict(priors.bartos(measures[kind], name).parameters)
            assert list(spread.values()) == (values[1:] if kind == "RD" else values)
