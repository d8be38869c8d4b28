"""Robust inference agrees with R: clubSandwich's covariance matrices, tests and Wald tests, metafor's robust().

The variance components are held at R's, so that nothing but the sandwich is compared: 1e-7 relative.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_multilevel_golden import GOLDEN, golden_fit, off

import metaleptic as ml

COUNTS = {
    "assink2016": 74,
    "bakdash2021": 25,
    "berkey1998": 85,
    "bornmann2007": 24,
    "curtis1998_ml": 25,
    "demir2022": 12,
    "kearon1998_diag": 12,
    "konstantopoulos2011": 85,
    "lehmann2018_ml": 25,
}
UNIVARIATE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "golden" / "robust.json").read_text(encoding="utf-8")
)
UNIVARIATE_CASES = [(name, fit) for name, data in UNIVARIATE.items() for fit in data["fits"]]
CASES = [(name, x) for name, data in GOLDEN.items() for x in data["robust"]]
IDS = [f"{name}-{x['fit']}-{x['what']}" for name, x in CASES]


@cache
def held(name: str, fit_id: str) -> ml.Multilevel:
    """Fit with components held at R's."""
    fit = next(f for f in GOLDEN[name]["fits"] if f["id"] == fit_id)
    components = {key: value for key, value in fit.get("components", {}).items() if value}
    return golden_fit(name, fit, **components)


def found(name: str, x: dict[str, Any], type: str, test: str) -> ml.Robust:  # noqa: A002
    """Make the robust fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ml.robust(held(name, x["fit"]), cluster=x["cluster"], type=type, test=test)


def test_the_grid_is_complete() -> None:
    """Every covariance, test and Wald test that R could compute, of 9 data sets."""
    assert len(IDS) == len(set(IDS)) == 367
    assert {name: sum(n == name for n, _ in CASES) for name in GOLDEN if GOLDEN[name]["robust"]} == COUNTS
    assert len(UNIVARIATE_CASES) == 8 * 3 + 14


@pytest.mark.parametrize(("name", "x"), CASES, ids=IDS)
def test_robust_agrees(name: str, x: dict[str, Any]) -> None:
    """Covariances, standard errors, degrees of freedom, p values, intervals, joint tests."""
    what = x["what"]
    if what.startswith("vcov"):
        ours = found(name, x, what.removeprefix("vcov_"), "z")
        scale = float(np.abs(x["diagonal"]).max())
        assert off(np.diagonal(ours.cov), x["diagonal"]) < 1e-7
        assert off(ours.cov[0], x["first_row"], 1e-3 * scale) < 1e-7
    elif what.startswith("coef"):
        kind, test = what.removeprefix("coef_").split("_")
        ours = found(name, x, kind, {"Satterthwaite": "satterthwaite"}.get(test, test))
        assert off(ours.se, x["SE"]) < 1e-7
        key = {"Satterthwaite": "Satt", "z": "z", "naive-t": "t"}[test]
        assert off(ours.p, x[f"p_{key}"], 1e-3) < 1e-6
        if test == "Satterthwaite":
            assert off(ours.df, x["df_Satt"]) < 1e-6
    elif what.startswith("robust"):
        ours = found(name, x, *(("CR2", "satterthwaite") if what.endswith("TRUE") else ("CR1p", "t")))
        assert off(ours.se, x["se"]) < 1e-7
        assert off(ours.p, x["pval"], 1e-3) < 1e-6
        assert off(ours.low, x["ci_lb"], 1e-2) < 1e-6
        assert off(ours.high, x["ci_ub"], 1e-2) < 1e-6
        if x["QMp"] is not None:
            assert off(ours.qm, x["QM"]) < 1e-6
            assert off(ours.qm_p, x["QMp"], 1e-3) < 1e-6
        else:
            assert np.isnan(ours.qm_p)
    else:
        rows = np.eye(len(held(name, x["fit"]).beta))[x["zero"]]
        at = {test: i for i, test in enumerate(x["test"])}
        for ours_test, theirs in (("satterthwaite", "HTZ"), ("z", "chi-sq"), ("naive-t", "Naive-F"), ("t", "Naive-Fp")):
            i = at[theirs]
            joint = found(name, x, "CR2", ours_test).wald(rows)
            if x["p_val"][i] is None:
                assert np.isnan(joint.p)
                continue
            factor = len(rows) if ours_test == "z" else 1  # R prints the chi-squared statistic divided by its df
            assert off(joint.statistic / factor, x["Fstat"][i]) < 1e-6
            assert off(joint.p, x["p_val"][i], 1e-3) < 1e-6
            if ours_test == "satterthwaite":
                assert off(joint.df2, x["df_denom"][i]) < 1e-6


@pytest.mark.parametrize(("name", "x"), UNIVARIATE_CASES, ids=[f"{n}-{x['id']}" for n, x in UNIVARIATE_CASES])
def test_robust_of_the_univariate_model_agrees(name: str, x: dict[str, Any]) -> None:
    """One effect per study, with and without moderators: metafor's robust() with both corrections."""
    data = UNIVARIATE[name]
    e = ml.effects(data["y"], data["v"], columns=data["columns"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        held_at = {"tau2": x["tau2"]}  # R's default accuracy of tau2 is 1e-5
        fit = ml.pool(e, moderators=x["moderators"], **held_at) if x["moderators"] else ml.pool(e, **held_at)
        kind = "CR2" if x["id"].endswith("CR2") else "CR0" if x["id"].endswith("noadjust") else "CR1p"
        ours = ml.robust(fit, type=kind, test="satterthwaite" if kind == "CR2" else "t")
    assert off(ours.beta, x["beta"], 1e-3) < 1e-7
    exact = np.array(x["se"]) < 1e-6  # two studies that intercept and slope fit exactly: R prints rounding noise
    assert np.array_equal(exact, np.isnan(ours.se))
    if exact.any():
        assert off(ours.se[~exact], np.array(x["se"])[~exact]) < 1e-7
        return
    assert off(ours.se, x["se"]) < 1e-7
    assert off(ours.p, x["pval"], 1e-3) < 1e-6
    assert off(ours.low, x["ci_lb"], 1e-2) < 1e-6
    assert off(ours.high, x["ci_ub"], 1e-2) < 1e-6
    assert off(np.unique(ours.df) if kind != "CR2" else ours.df, x["ddf"]) < 1e-6
    if x["QMp"] is not None:
        assert off(ours.qm, x["QM"]) < 1e-6
        assert off(ours.qm_p, x["QMp"], 1e-3) < 1e-6
