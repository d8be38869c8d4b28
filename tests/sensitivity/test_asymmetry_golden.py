"""Tests of small-study effects agree with metafor (regtest, ranktest) and meta (metabias)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sensitivity_golden import NAMES, cases, differing, effects_of, fit_of, load, method_of, tables_of

import metaleptic as ml
from metaleptic.errors import DataError, FewStudiesWarning

PREDICTOR = {"sei": "se", "vi": "v", "ni": "n", "ninv": "1/n", "sqrtni": "sqrt(n)", "sqrtninv": "1/sqrt(n)"}
BIAS = [c for c in cases("meta") if c.values[1]["id"].startswith("metabias")]
KEYS = {"Begg", "Egger", "Thompson", "Harbord", "Peters", "Deeks", "Schwarzer", "Macaskill", "Pustejovsky"}

pytestmark = pytest.mark.filterwarnings("ignore::metaleptic.errors.FewStudiesWarning")


def test_the_grid_is_complete() -> None:
    """Six predictors in the mixed model with three estimators and in the dispersion model, and one Hartung-Knapp."""
    wanted = {f"{m}_rma_{p}" for m in ("REML", "DL", "EE") for p in PREDICTOR} | {f"REML_lm_{p}" for p in PREDICTOR}
    for entries in load("regtest").values():
        assert {x["id"] for x in entries} == wanted | {"REML_knha_rma_sei"}
    assert {x["id"] for e in load("ranktest").values() for x in e} == {"exactTRUE", "exactFALSE"}
    assert {c.values[1]["id"].rsplit("_", 1)[1] for c in BIAS} == KEYS
    assert len(BIAS) == 88
    assert tuple(load("regtest")) == NAMES


@pytest.mark.parametrize(("name", "x"), cases("regtest"))
def test_regression_tests_agree_with_metafor(name: str, x: dict[str, Any]) -> None:
    """Statistic, df, p, limit with interval, and the coefficients, for every predictor and model."""
    method, test = method_of(x["setup"]) if "method" in x["setup"] else ("REML", "knha")
    fit = fit_of(name, method, test)
    predictor = PREDICTOR[x["id"].rsplit("_", 1)[1]]
    model = "dispersion" if "_lm_" in x["id"] else "random"
    if "error" in x:
        with pytest.raises(DataError, match="number of patients"):
            ml.regression_test(fit, predictor=predictor, model=model)
        return
    found, r = ml.regression_test(fit, predictor=predictor, model=model), x["result"]
    pairs: dict[str, tuple[Any, Any]] = {"statistic": (found.statistic, r["statistic"]), "p": (found.p, r["pval"])}
    assert np.isinf(found.df) if r["ddf"] is None else found.df == r["ddf"]
    if r["est"] is None:
        assert found.limit is None
    else:
        assert found.limit is not None
        to = fit.effects.measure.to_analysis
        est = r["est"]["intrcpt"] if isinstance(r["est"], dict) else r["est"]
        pairs |= {
            "limit": (to(found.limit.value), est),
            "low": (to(found.limit.low), r["ci_lb"]),
            "high": (to(found.limit.high), r["ci_ub"]),
        }
    if "beta" in r["fit"]:
        pairs |= {"bias": (found.bias, r["fit"]["beta"][1])}
        if method != "EE":
            pairs["tau"] = (found.tau**2, r["fit"]["tau2"])
    pairs["bias_se"] = (found.bias_se, r["fit"]["se"][1])
    # The Hartung-Knapp fit was made with R's default tolerance, which leaves tau2 off in the fifth digit (as in those of meta).
    assert not differing(pairs, 1e-4 if test == "knha" else 1e-8, near_zero=0.01)


@pytest.mark.parametrize(("name", "x"), cases("ranktest"))
def test_rank_tests_agree_with_metafor(name: str, x: dict[str, Any]) -> None:
    """Exact p where there are no ties, and the normal one."""
    found = ml.rank_test(effects_of(name), exact=x["id"] == "exactTRUE")
    k = len(found.effects)
    pairs = {"p": (found.p, x["result"]["pval"])}
    if len(np.unique(found.effects.v)) == k:
        pairs["tau"] = (found.bias / (k * (k - 1) / 2), x["result"]["tau"])
    assert not differing(pairs, 1e-10)


@pytest.mark.parametrize(("name", "x"), BIAS)
def test_named_tests_agree_with_meta(name: str, x: dict[str, Any]) -> None:
    """Statistic, p, bias with SE, intercept with SE and dispersion of every named test of metabias()."""
    key = x["id"].rsplit("_", 1)[1]
    if "error" in x:
        assert key == "Pustejovsky"  # needs sizes of both arms, which the reference call did not give
        return
    effects = tables_of(name, "OR") if "bin" in x["id"] else effects_of(name)
    test = {"Thompson": "thompson-sharp"}.get(key, key.lower())
    found, r = ml.small_study(effects, test=test), x["result"]
    pairs: dict[str, tuple[Any, Any]] = {
        "statistic": (found.statistic, r["statistic"]),
        "p": (found.p, r["pval"]),
        "bias": (found.bias, r["estimate"][0]),
        "bias_se": (found.bias_se, r["estimate"][1]),
    }
    if key not in ("Begg", "Schwarzer"):
        assert found.df == r["df"]
        pairs["tau"] = (found.tau, r["tau"])
        if found.limit is not None:
            pairs["intercept"] = (effects.measure.to_analysis(found.limit.value), r["intercept"])
    near_zero = 1e-8 if key == "Macaskill" else 0.01
    assert not differing(pairs, 1e-4 if key == "Thompson" else 1e-8, near_zero)


def test_below_ten_studies_the_user_is_warned() -> None:
    """In words, not by a number."""
    with pytest.warns(FewStudiesWarning, match="below 10"):
        found = ml.small_study(effects_of("anker2025_RR"))
    assert "small" in found.sentence.lower()


def test_the_default_test_is_the_one_made_for_the_measure() -> None:
    """Harbord for tables of odds ratios, Debray for hazard ratios with events, Egger otherwise."""
    assert ml.small_study(tables_of("bcg_OR", "OR")).test == "harbord"
    assert ml.small_study(effects_of("bcg_RR")).test == "egger"
    rng = np.random.default_rng(5)
    d = rng.integers(20, 300, 12).astype(float)
    table = {"study": [f"s{i}" for i in range(12)], "hr": np.exp(rng.normal(-0.2, 2 / np.sqrt(d))).round(3)}
    table |= {"se": (2 / np.sqrt(d)).round(4), "events": d}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hr = ml.hazard_ratios(table, study="study", hr="hr", se="se")
    found = ml.small_study(hr)
    assert found.test == "debray"
    x, w = 1 / d, 1 / hr.v
    design = np.column_stack([np.ones(12), x])
    beta = np.linalg.solve(design.T @ (w[:, None] * design), design.T @ (w * hr.y))
    assert found.bias == pytest.approx(beta[1], rel=1e-9)


def test_tests_refuse_what_they_are_not_made_for() -> None:
    """Wrong measure, missing counts, unknown names."""
    with pytest.raises(ml.errors.OptionError, match="made for OR"):
        ml.small_study(effects_of("bcg_RR"), test="harbord")
    with pytest.raises(DataError, match="two_by_two"):
        ml.small_study(effects_of("bcg_OR"), test="harbord")
    with pytest.raises(ml.errors.OptionError, match="egger, thompson-sharp"):
        ml.small_study(effects_of("bcg_OR"), test="eggers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ml.errors.NotEstimableError, match="at least 3"):
            ml.small_study(ml.effects([0.1, 0.2], [0.1, 0.1]))
