"""Every multilevel and multivariate fit agrees with R's metafor: rma.mv, predict, ranef, weights, hat values, residuals.

Two comparisons per fit. With the variance components held at R's, everything that follows from them agrees to 1e-7.
Fitted by ourselves, the components and what follows agree to 1e-6 and the likelihood is as high as R's or higher. Where
R's optimiser stopped short of that (it ends when the likelihood, not the estimates, has settled), the slope of the
likelihood at R's estimates is shown to be larger than at ours.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.pooling.multilevel.likelihood import loglik_and_slope

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "golden" / "multilevel.json").read_text(encoding="utf-8")
)
FITS = [(name, fit) for name, data in GOLDEN.items() for fit in data["fits"]]
IDS = [f"{name}-{fit['id']}" for name, fit in FITS]
STOPPED_EARLY = {
    ("assink2016", "V2_ML"),
    ("berkey1998", "HCS_REML"),
    ("berkey1998", "UN_year_ML"),
    ("bornmann2007", "threelevel_ML"),
    ("bornmann2007", "type_ML"),
    ("craft2003", "HCS_REML"),
    ("curtis1998_ml", "threelevel_ML"),
    ("kearon1998_diag", "bivariate_ML"),
    ("kearon1998_diag", "bivariate_REML"),
    ("konstantopoulos2011", "crossed_ML"),
    ("konstantopoulos2011", "district_only_REML"),
    ("lim2014", "nophylo_REML"),
    ("lim2014", "phylo_REML"),
}


def off(ours: Any, theirs: Any, near: float = 1e-6) -> float:
    """Largest difference relative to the reference value, near zero relative to ``near``."""
    a = np.asarray(ours, dtype=np.float64).ravel()
    b = np.array([np.nan if x is None else x for x in np.ravel(theirs)], dtype=np.float64)
    assert a.shape == b.shape
    there = np.isfinite(b)
    return float(np.max(np.abs(a - b)[there] / np.maximum(np.abs(b[there]), near), initial=0.0))


def unpacked(given: dict[str, Any], n: int) -> np.ndarray:
    """Restore a symmetric matrix."""
    full = np.zeros((n, n))
    at = np.tril_indices(n)
    full[at] = np.array(given["values"])[given["at"]]
    return full + np.tril(full, -1).T


def golden_effects(name: str) -> ml.Effects:
    """Return the effects of a golden data set with their columns."""
    data = GOLDEN[name]
    return ml.effects(data["y"], data["v"], columns=data["columns"])


def golden_fit(name: str, fit: dict[str, Any], **held: Any) -> ml.Multilevel:
    """Fit as the R call did, or with components held."""
    data, arguments = GOLDEN[name], dict(fit["arguments"])
    e = golden_effects(name)
    if "V" in arguments:
        arguments["V"] = unpacked(data[arguments["V"]], len(e))
    if "phylogeny" in data and "phylogeny" in str(arguments.get("random")):
        tree = data["phylogeny"]
        arguments["correlations"] = {"phylogeny": (tree["names"], unpacked(tree, len(tree["names"])))}
    if str(arguments.get("struct", "")).startswith("SP"):
        places = data["distances"]
        arguments["distances"] = {"site_station": (places["names"], unpacked(places, len(places["names"])))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ml.pool_multilevel(e, **(arguments | held))


def thinned(values: Any, golden: dict[str, Any]) -> Any:
    """Keep the values that the golden file kept."""
    return np.asarray(values)[:: golden["step"]]


def test_the_grid_is_complete() -> None:
    """14 data sets, 71 fits; what R could not fit is listed, and the sources are named."""
    assert len(GOLDEN) == 14
    assert len(FITS) == len(set(IDS)) == 71
    count = {name: len(data["fits"]) for name, data in GOLDEN.items()}
    assert count == {
        "assink2016": 12,
        "bakdash2021": 2,
        "berkey1998": 13,
        "bornmann2007": 4,
        "craft2003": 1,
        "curtis1998_ml": 4,
        "demir2022": 2,
        "hasselblad1998_nma": 2,
        "kearon1998_diag": 2,
        "konstantopoulos2011": 16,
        "lehmann2018_ml": 4,
        "lim2014": 2,
        "maire2019": 4,
        "senn2013_nma": 3,
    }
    assert {name: d["failed_in_R"] for name, d in GOLDEN.items() if d["failed_in_R"]} == {
        "maire2019": ["SPGAU_ML", "SPEXP_ML"]
    }
    structures = {fit["arguments"].get("struct") for _, fit in FITS}
    assert structures >= {"UN", "CS", "HCS", "DIAG", "ID", "SPGAU", "SPEXP"}
    for data in GOLDEN.values():
        assert data["source"]
        assert all(fit["call"].startswith("rma.mv(") for fit in data["fits"])
        assert data["versions"]["metafor"] == "5.0.1"
    kept = [what for what in ("predict", "rstandard", "hatvalues", "ranef") for _, fit in FITS if what in fit]
    assert {what: kept.count(what) for what in set(kept)} == {
        "predict": 71,
        "rstandard": 71,
        "hatvalues": 71,
        "ranef": 38,
    }


@pytest.mark.parametrize(("name", "fit"), FITS, ids=IDS)
def test_everything_but_the_components_agrees_when_they_are_held(name: str, fit: dict[str, Any]) -> None:
    """Held at R's variance components: coefficients, tests, predictions, weights, hat values, residuals, BLUPs."""
    held = {key: value for key, value in fit.get("components", {}).items() if value}
    if "ranef" in fit and any(np.min(np.abs(value)) == 0 for value in held.values()):
        pytest.skip("a component of exactly 0 in R")
    ours = golden_fit(name, fit, **held)
    likelihood = ours.loglik_ml if fit["arguments"].get("method") == "ML" else ours.loglik_reml
    found = {
        "beta": off(ours.beta, fit["beta"]),
        "se": off(ours.se, fit["se"]),
        "p": off(ours.p, fit["pval"], 1e-3),
        "low": off(ours.low, fit["ci_lb"]),
        "high": off(ours.high, fit["ci_ub"]),
        "QE": off(ours.q, fit["QE"]),
        "QEp": off(ours.q_p, fit["QEp"], 1e-12),
        "QM": off(ours.qm, fit["QM"]),
        "QMp": off(ours.qm_p, fit["QMp"], 1e-3),
        "loglik": off(likelihood, fit["ll"]),
        "loglik ML": off(ours.loglik_ml, fit["ll_ML"]),
        "hat": off(thinned(ours.leverage, fit["hatvalues"]), fit["hatvalues"]["values"]),
    }
    if "weights_rowsum" in fit:
        found["weights"] = off(thinned(ours.weights, fit["weights_rowsum"]), fit["weights_rowsum"]["values"], 1e-3)
    z = fit["rstandard"]["z"]
    saturated = np.isclose(thinned(ours.leverage, z), 1.0, atol=1e-6)
    found["residuals"] = off(
        np.where(saturated, np.nan, thinned(ours.standardized_residuals, z)),
        np.where(saturated, np.nan, np.array(z["values"], dtype=np.float64)),
        1e-3,
    )
    guess, predicted = fit["predict"], ml.predict(ours)
    for key, values in (
        ("pred", predicted.y),
        ("se", predicted.se),
        ("pi.lb", predicted.new_low),
        ("pi.ub", predicted.new_high),
    ):
        if key in guess:
            found[f"predicted {key}"] = off(thinned(values, guess[key]), guess[key]["values"], 1e-3)
    for theirs, term in zip(fit.get("ranef", ()), ours.random_effects, strict=False):
        for key, values in (("intrcpt", term.value), ("se", term.se), ("pi.lb", term.low)):
            found[f"BLUP {term.term} {key}"] = off(thinned(np.sort(values), theirs[key]), theirs[key]["values"], 1e-3)
    assert {key: value for key, value in found.items() if not value < 1e-7} == {}


@pytest.mark.parametrize(("name", "fit"), FITS, ids=IDS)
def test_fit_agrees_with_metafor(name: str, fit: dict[str, Any]) -> None:
    """Variance components, coefficients and criteria of our own fit; the likelihood is as high as R's or higher."""
    ours = golden_fit(name, fit)
    assert ours.convergence.converged
    assert ours.loglik >= fit["ll"] - 1e-10 * abs(fit["ll"])
    components = fit.get("components", {"sigma2": [], "tau2": [], "rho": []})
    found = {
        "beta": off(ours.beta, fit["beta"], 1e-3),
        "se": off(ours.se, fit["se"]),
        "low": off(ours.low, fit["ci_lb"], 0.1),
        "sigma2": off(list(ours.sigma2.values()), components["sigma2"], 1e-4),
        "tau2": off(list(ours.tau2.values()), components["tau2"], 1e-4),
        "rho": off([] if not components["rho"] else list(ours.rho.values()), components["rho"], 1e-2),
        "loglik": off(ours.loglik, fit["ll"], 1e-3),
        "AIC": off(ours.aic, fit["AIC"], 1e-3),
        "AICc": off(ours.aicc, fit["AICc"], 1e-3),
        "BIC": off(ours.bic, fit["BIC"], 1e-3),
    }
    early = (name, fit["id"]) in STOPPED_EARLY
    assert {key: value for key, value in found.items() if not value < (1e-4 if early else 1e-6)} == {}
    if early:
        held = golden_fit(name, fit, **{key: value for key, value in components.items() if value})
        scaled = held.state.scaled
        slope = loglik_and_slope(held.state.problem, scaled.theta)[1] * ours.state.scaled.scale
        free = ours.state.scaled.free
        assert np.abs(slope[free]).max() > 5 * ours.convergence.slope
        assert ours.loglik > fit["ll"]
