"""Continuity corrections and weights of R's meta, on trials with many empty cells, pooled as metabin() pools them."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import metaleptic as ml

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "golden" / "metabin.json").read_text(encoding="utf-8")
)
CASES = [(name, fit) for name, data in GOLDEN.items() for fit in data["fits"]]
# Of differences meta takes the variance of Greenland and Robins, ours is Sato's; with weights by size it prints infinity
# where an arm has no events, ours is what the weights imply.
WITHOUT_SE = {"MH_RD", "MHexact_RD", "SSW_OR"}
# In studies with an empty cell meta adds 1/2 once to the patients of an arm for RR and VE, and only to the variance for RD.
OWN_WAY = {"Inverse_RR", "Inverse_VE", "Inverse_RD", "MH_RD"}
EMPTY_CELLS = {"egger2001_OR", "nielweise2007_OR", "yusuf1985_t6_PETO"}
POLICY = {"incr_TACC": "treatment arm", "incr_all": "all", "incr_if0all": "if any empty"}


def effects_of(name: str, fit: dict[str, Any]) -> ml.Effects:
    counts, key = GOLDEN[name]["counts"], fit["id"].removeprefix("metabin_")
    table = {"study": [str(i) for i in range(len(counts["n1"]))]} | counts
    measure = {"ASD": "AS", "DOR": "OR", "VE": "RR"}.get(fit["sm"], fit["sm"])
    options: dict[str, Any] = {"double_zero": "correct"} if key == "allstudies" else {}
    if key in POLICY:
        options["correct"] = POLICY[key]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ml.two_by_two(table, events1="events1", n1="n1", events2="events2", n2="n2", measure=measure, **options)


def pooled(effects: ml.Effects, key: str) -> ml.Pooled:
    """Pool for one true effect as the method of metabin() does."""
    if key == "Peto":
        return ml.pool(effects, model="peto")
    if key.startswith("MHexact"):
        return ml.pool(effects, model="mantel-haenszel")
    if key.startswith("MH"):  # R adds 1/2 to studies with an empty cell
        empty = (effects.cells == 0).any(axis=1, keepdims=True)
        return ml.pool(replace(effects, cells=effects.cells + 0.5 * empty), model="mantel-haenszel")
    if key == "SSW_OR":
        a, b, c, d = effects.cells.T
        return ml.pool(effects, model="common", weights=(a + b) * (c + d) / (a + b + c + d))
    return ml.pool(effects, model="common")


def test_the_grid_is_complete() -> None:
    assert len(CASES) == 114
    assert len({fit["id"] for _, fit in CASES}) == 19


@pytest.mark.parametrize(("name", "fit"), [pytest.param(n, f, id=f"{n}-{f['id']}") for n, f in CASES])
def test_agrees_with_metabin(name: str, fit: dict[str, Any]) -> None:
    effects, key = effects_of(name, fit), fit["id"].removeprefix("metabin_")
    common = pooled(effects, key)
    if key in OWN_WAY and name in EMPTY_CELLS:
        assert common.beta[0] == pytest.approx(fit["TE.common"], rel=0.03)
        return
    assert common.beta[0] == pytest.approx(fit["TE.common"], rel=1e-10)
    if key not in WITHOUT_SE:
        assert common.se[0] == pytest.approx(fit["seTE.common"], rel=1e-10)
    if key.startswith(("Inverse", "incr", "allstudies")):
        random = ml.pool(effects, test="z")
        assert random.q == pytest.approx(fit["Q"], rel=1e-9)
        assert random.birge_ratio == pytest.approx(np.sqrt(fit["Q"] / fit["df.Q"]), rel=1e-9)
        if fit["sm"] not in (
            "RD",
            "ASD",
        ):  # R's search for tau2 stops at a change of 1e-5, too soon for small differences
            assert random.beta[0] == pytest.approx(fit["TE.random"], rel=2e-4)
            assert random.se[0] == pytest.approx(fit["seTE.random"], rel=1e-4)
            assert random.tau2 == pytest.approx(fit["tau2"], abs=2e-5)
