"""Effect sizes of every measure agree with metafor's escalc(), from the public converters, to 1e-12 relative.

Measures that are not offered are listed, each with the reason, so that the grid is complete.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.convert.correlations import KERNELS as CORRELATIONS
from metaleptic.convert.count_kernels import PROPORTIONS, RATES, TWO_BY_TWO, TWO_RATES
from metaleptic.convert.mean_kernels import ONE_GROUP, PAIRED, TWO_GROUPS
from metaleptic.convert.proportions import SCALES

ESCALC: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "golden" / "escalc.json").read_text(encoding="utf-8")
)
NOT_OFFERED = {
    "OR2DN": "normal variant of OR2D (factor 1/1.65): OR2D is the one in use",
    "OR2DL": "the same as OR2D",
    "ZPHI": "Fisher's z of a phi coefficient: phi itself is offered",
    "RTET": "tetrachoric correlation: not a number that trials print",
    "ZTET": "tetrachoric correlation: not a number that trials print",
    "MPRR": "matched pairs: not two arms",
    "MPOR": "matched pairs: not two arms",
    "MPORC": "matched pairs: not two arms",
    "MPPETO": "matched pairs: not two arms",
    "MPRD": "matched pairs: not two arms",
    "D2OR": "log odds ratio from means: see ml.conversions",
    "D2ORN": "log odds ratio from means: see ml.conversions",
    "D2ORL": "log odds ratio from means: see ml.conversions",
    "RPB": "point-biserial correlation: not a number that trials print",
    "ZPB": "point-biserial correlation: not a number that trials print",
    "RBIS": "biserial correlation: not a number that trials print",
    "ZBIS": "biserial correlation: not a number that trials print",
    "CLESN": "common language effect size: not offered",
    "AUCN": "area under the curve from means: not offered",
    "SMCRP": "standardised by the pooled SD of two times: not offered",
    "SMCRPH": "standardised by the pooled SD of two times: not offered",
    "PCOR": "partial correlation: not offered",
    "ZPCOR": "partial correlation: not offered",
    "SPCOR": "semi-partial correlation: not offered",
    "ZSPCOR": "semi-partial correlation: not offered",
    "R2": "squared correlation: not offered",
    "ZR2": "squared correlation: not offered",
    "R2F": "squared correlation: not offered",
    "ZR2F": "squared correlation: not offered",
    "ARAW": "reliability coefficient: not offered",
    "AHW": "reliability coefficient: not offered",
    "ABT": "reliability coefficient: not offered",
}
VARIANTS_NOT_OFFERED = {
    "vtypeLS2": "variance of the uncorrected estimate",
    "vtypeUB": "offered for SMD only",
    "vtypeAV": "average over the studies",
    "vtypeHO": "offered for MD only",
    "vtypeST": "not offered",
    "vtypeCS": "not offered",
    "nocorrect": "bias correction is always applied",
    "UB": "offered for SMD only",
    "AV": "average over the studies",
    "flip": "swap the columns",
    "di": "from d: ml.effects",
    "ti": "from t: ml.conversions",
    "pi": "from p: ml.conversions",
}
POLICY = {
    "": None,
    "vtypeLS": None,
    "toall": "all",
    "toonly0": "empty",
    "toif0all": "if any empty",
    "tonone": "none",
    "add01": "all",
}


def _split(id_: str) -> tuple[str, str]:
    measure, _, variant = id_.partition("_")
    return measure, variant


def _table(folder: str, columns: dict[str, str]) -> dict[str, Any]:
    rows = ESCALC[folder]["data"]
    return {"study": [str(i) for i in range(len(rows))]} | {
        ours: [r[theirs] for r in rows] for ours, theirs in columns.items()
    }


def _made(folder: str, measure: str, variant: str, call: str) -> ml.Effects | None:
    """Make the effects by the public converter; None for variants that are not offered."""
    if folder == "escalc_2x2":
        t = _table(folder, {"events1": "ai", "b": "bi", "events2": "ci", "d": "di"})
        t["n1"] = [a + b for a, b in zip(t["events1"], t["b"], strict=True)]
        t["n2"] = [a + b for a, b in zip(t["events2"], t["d"], strict=True)]
        columns = {c: c for c in ("events1", "n1", "events2", "n2")}
        drop, policy = variant == "drop00", POLICY.get(variant)
        if not drop and variant not in POLICY:
            return None
        if measure == "PETO" and variant in ("", "drop00"):
            policy = "empty"  # escalc's default; ours adds nothing to a Peto odds ratio
        return ml.two_by_two(
            t,
            **columns,
            measure=measure,
            correct=policy,
            continuity=0.1 if variant == "add01" else 0.5,
            double_zero="exclude" if drop else "correct",
        )
    if folder == "escalc_prop":
        scale = {key: name for name, key in SCALES.items()}[measure]
        t = _table(folder, {"events": "xi", "n": "ni"})
        return ml.proportions(t, scale=scale) if variant in ("", "only0") else None
    if folder == "escalc_irr":
        if variant not in ("", "only0"):
            return None
        if measure in TWO_RATES:
            t = _table(folder, {"events1": "x1i", "time1": "t1i", "events2": "x2i", "time2": "t2i"})
            return ml.two_rates(t, measure=measure)
        return ml.rates(_table(folder, {"events": "x1i", "time": "t1i"}), measure=measure)
    if folder == "escalc_cor":
        return ml.correlations(_table(folder, {"r": "ri", "n": "ni"}), measure=measure) if variant == "LS" else None
    key = {("MD", "vtypeHO"): "MD-equal-SDs", ("SMD", "vtypeUB"): "SMD-unbiased"}.get((measure, variant), measure)
    if key == measure and variant not in ("", "vtypeLS"):
        return None
    if measure in TWO_GROUPS:
        names = {f"{a}{g}": f"{b}{g}i" for g in "12" for a, b in (("mean", "m"), ("sd", "sd"), ("n", "n"))}
        return ml.means(_table(folder, names), measure=key)
    if measure in PAIRED:
        names = {"mean1": "m1i", "sd1": "sd1i", "mean2": "m2i", "sd2": "sd2i", "n": "n1i", "r": "ri"}
        return ml.paired_means(_table(folder, names), measure=measure)
    return ml.single_means(_table(folder, {"mean": "m1i", "sd": "sd1i", "n": "n1i"}), measure=measure)


ALL = [(folder, id_) for folder, content in ESCALC.items() for id_ in content["values"]]
OFFERED = {*TWO_BY_TWO, *PROPORTIONS, *TWO_RATES, *RATES, *CORRELATIONS, *TWO_GROUPS, *PAIRED, *ONE_GROUP}


def test_the_grid_is_complete() -> None:
    """Every reference value is compared, or its measure or variant is listed as not offered."""
    assert len(ALL) == 372
    assert {_split(id_)[0] for _, id_ in ALL} <= OFFERED | set(NOT_OFFERED)
    assert not OFFERED & set(NOT_OFFERED)


@pytest.mark.parametrize(("folder", "id_"), ALL, ids=[f"{f}-{i}" for f, i in ALL])
def test_effect_sizes(folder: str, id_: str) -> None:
    measure, variant = _split(id_)
    if measure in NOT_OFFERED:
        return
    entry = ESCALC[folder]["values"][id_]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = _made(folder, measure, variant, entry["call"])
    if found is None:
        assert variant in VARIANTS_NOT_OFFERED or variant in ("all", "if0all", "none"), id_
        return
    y, v = (np.array([np.nan if x is None else x for x in entry[q]], dtype=float) for q in ("y", "v"))
    at = np.array(found.row) - 1
    dropped = np.isnan(y[at])  # drop00 leaves studies without events out of RD and AS too; here they are kept
    assert not dropped.any() or (variant == "drop00" and measure in ("RD", "AS"))
    at, ours, spread = at[~dropped], found.y[~dropped], found.v[~dropped]
    assert np.allclose(ours, y[at], rtol=1e-12, atol=1e-13)
    assert np.allclose(spread, v[at], rtol=1e-12, atol=1e-15)
    left_out = np.setdiff1d(np.arange(len(y)), at)
    assert all(not np.isfinite(y[i]) or not v[i] > 0 or not np.isfinite(v[i]) or _explained(found, i) for i in left_out)


def _explained(found: ml.Effects, i: int) -> bool:
    """Whether the row is listed with a reason that does not only say that a number is missing."""
    return any(x.row == i + 1 and re.search("arms|correction|fewer", x.reason) for x in found.excluded)
