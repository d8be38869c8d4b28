"""Influence, residuals, shrinkage, Baujat, leave-one-out and cumulative agree with metafor to 1e-8.

What is left comes from R's iterations, stopped at 1e-10.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sensitivity_golden import NAMES, cases, differing, effects_of, fit_of, load, method_of, tables_of

import metaleptic as ml

TOLERANCE = 1e-8


def test_the_grid_is_complete() -> None:
    """Eight data sets, four fits each, every diagnostic of each fit; two exponents fewer for the common effect."""
    influence = load("influence")
    assert tuple(influence) == NAMES
    plain = ("influence", "rstandard", "rstudent", "hatvalues", "weights", "resid", "fitted")
    calls = [f"{c}(res)" for c in plain]
    calls += ['resid(res, type="pearson")', 'resid(res, type="cholesky")', "baujat"]
    for name, entries in influence.items():
        skipped = {"rstudent(res)"} if name == "anker2025_RR" else set()
        fits = {"REML_z", "REML_knha", "DL_z", "EE_z"}
        wanted = {f"{f}_{c}" for f in fits for c in calls} | {
            f"{f}_{c}" for f in fits - {"EE_z"} for c in ("blup(res)", "ranef(res)")
        }
        found = {x["id"] for x in entries}
        assert found - wanted == set()
        assert {w.split("_", 2)[2] for w in wanted - found} <= skipped | {"rstudent(res)"}
    assert sum(len(e) for e in influence.values()) == 364
    assert sum(len(e) for e in load("loo_cumul").values()) == 173


@pytest.mark.parametrize(("name", "x"), cases("influence"))
def test_diagnostics_agree_with_metafor(name: str, x: dict[str, Any]) -> None:
    """One call of R, every number of it."""
    fit = fit_of(name, *method_of(x["setup"]))
    call, r = x["id"].split("_", 2)[2], x["result"]
    found = ml.residuals(fit)
    pairs: dict[str, tuple[Any, Any]]
    if call == "influence(res)":
        d = ml.influence(fit)
        inf = r["inf"]
        pairs = {
            "rstudent": (d.rstudent, inf["rstudent"]),
            "dffits": (d.dffits, inf["dffits"]),
            "cook": (d.cook, inf["cook.d"]),
            "cov.r": (d.covariance_ratio, inf["cov.r"]),
            "tau2.del": (d.tau2, inf["tau2.del"]),
            "QE.del": (d.q, inf["QE.del"]),
            "hat": (d.hat, inf["hat"]),
            "weight": (d.weight, inf["weight"]),
            "dfbs": (d.dfbetas[:, 0], r["dfbs"]["intrcpt"]),
        }
        assert d.flagged.tolist() == r["is_infl"]
    elif call in ("rstandard(res)", "rstudent(res)"):
        raw, se, z = (
            (found.raw, found.standard_se, found.standardized)
            if call == "rstandard(res)"
            else (found.deleted, found.deleted_se, found.studentized)
        )
        pairs = {"resid": (raw, r["resid"]), "se": (se, r["se"]), "z": (z, r["z"])}
    elif call == "baujat":
        b = ml.baujat(fit)
        pairs = {"x": (b.heterogeneity, r["x"]), "y": (b.influence, r["y"])}
    elif call in ("blup(res)", "ranef(res)"):
        s = ml.shrinkage(fit)
        ours = (
            (s.effect, s.se, s.low, s.high)
            if call == "blup(res)"
            else (s.deviation, s.deviation_se, s.deviation_low, s.deviation_high)
        )
        pairs = {k: (o, r[k]) for k, o in zip(("pred", "se", "pi.lb", "pi.ub"), ours, strict=True)}
    else:
        ours_by_call: dict[str, Any] = {
            "hatvalues(res)": ml.influence(fit).hat,
            "weights(res)": fit.weights,
            "resid(res)": found.raw,
            'resid(res, type="pearson")': found.pearson,
            'resid(res, type="cholesky")': found.pearson,
            "fitted(res)": found.fitted,
        }
        pairs = {call: (ours_by_call[call], r)}
    assert not differing(pairs, TOLERANCE, near_zero=0.1)


@pytest.mark.parametrize(("name", "x"), cases("loo_cumul"))
def test_leave_one_out_and_cumulative_agree_with_metafor(name: str, x: dict[str, Any]) -> None:
    """Effect, SE, test, interval, Q, tau2, I2, H2 of every step, for every model."""
    what, r = x["id"], x["result"]
    if what.startswith(("mh", "peto")):
        measure = what.split("_")[1] if what.startswith("mh") else "OR"
        effects = tables_of(name, measure)
        fit = ml.pool(effects, model="mantel-haenszel" if what.startswith("mh") else "peto")
    else:
        fit = fit_of(name, *method_of(x["setup"]))
    rows = set(fit.effects.row)
    order = {"year": "year", "precision": "v"}.get(what.rsplit("_", 1)[1])
    f = ml.leave_one_out(fit).fits if what.endswith("leave1out") else ml.cumulative(fit, by=order).fits
    statistic = r["zval"] if "zval" in r else r["tval"]
    pairs = {
        "estimate": (f.beta, r["estimate"]),
        "se": (f.se, r["se"]),
        "statistic": (f.statistic, statistic),
        "p": (f.p, r["pval"]),
        "low": (f.low, r["ci.lb"]),
        "high": (f.high, r["ci.ub"]),
        "q": (f.q, r["Q"]),
        "q_p": (f.q_p, r["Qp"]),
        "i2": (f.i2, r["I2"]),
        "h2": (f.h2, r["H2"]),
    }
    if "tau2" in r:
        pairs["tau2"] = (f.tau2, r["tau2"])
    # R keeps a row for a study that says nothing (the step before it once more), and leaves a row empty where its
    # iterations failed; with every event in one arm no common odds ratio exists.
    used = [i for i in range(len(r["Q"])) if i + 1 in rows]
    known = [j for j, i in enumerate(used) if r["estimate"][i] is not None]
    pairs = {key: (np.asarray(o)[known], [t[used[j]] for j in known]) for key, (o, t) in pairs.items()}
    assert len(known) >= len(used) - 1
    if what.startswith("mh_RD") and (tables_of(name, "OR").row != fit.effects.row):
        pairs = {
            key: pairs[key] for key in ("estimate", "se", "statistic", "p", "low", "high")
        }  # R's Q leaves them out
    i2 = {"i2": pairs.pop("i2")} if "i2" in pairs else {}
    assert not differing(pairs, TOLERANCE, near_zero=0.01)  # tau2 below 1e-10 is R stopping short of 0
    assert not differing(i2, TOLERANCE, near_zero=1.0)  # percent


def test_leave_one_out_of_the_golden_sets_uses_every_study() -> None:
    """A row per study, in the order of the input."""
    for name in NAMES:
        fit = fit_of(name, "REML")
        assert ml.leave_one_out(fit).left_out == effects_of(name).study
        assert np.all(ml.leave_one_out(fit).fits.k == fit.k - 1)


META = [c for c in cases("meta") if c.values[1]["id"] in ("metacum", "metainf")]


@pytest.mark.parametrize(("name", "x"), META)
def test_common_effects_agree_with_meta(name: str, x: dict[str, Any]) -> None:
    """metacum() and metainf() of meta: common effect, interval and I2 of every step."""
    if "error" in x:
        assert name == "nielweise2007_OR"  # an iteration of R's random-effects model failed
        return
    fit, r = fit_of(name, "EE"), x["result"]
    f = ml.cumulative(fit).fits if x["id"] == "metacum" else ml.leave_one_out(fit).fits
    k = len(f.beta)
    pairs = {
        "effect": (f.beta, r["TE"][:k]),
        "low": (f.low, r["lower"][:k]),
        "k": (f.k, r["k"][:k]),
    }
    assert not differing(pairs, TOLERANCE, near_zero=0.01)
