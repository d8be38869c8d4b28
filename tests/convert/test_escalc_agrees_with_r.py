"""Effect sizes of every measure agree with metafor's escalc(), from the public converters, to 1e-10 relative.

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
from metaleptic.convert.associations import EXPLAINED, PARTIAL, RELIABILITY
from metaleptic.convert.change_kernels import ONE_GROUP, PAIRED
from metaleptic.convert.correlations import KERNELS as CORRELATIONS
from metaleptic.convert.count_kernels import MATCHED_PAIRS, NEVER_CORRECTED, PROPORTIONS, RATES, TWO_BY_TWO, TWO_RATES
from metaleptic.convert.mean_kernels import TWO_GROUPS, pooled_sd
from metaleptic.convert.proportions import SCALES

ESCALC: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "golden" / "escalc.json").read_text(encoding="utf-8")
)
NOT_OFFERED = {
    "R2F": "R squared with fixed predictors: R documents no formula of its variance",
    "ZR2F": "R squared with fixed predictors: R documents no formula of its variance",
}
LOOSE = (
    "RTET",
    "ZTET",
)  # R's root of the bivariate normal stops at 1e-5; ours solves it to the last digit, as another test shows
POLICY = {
    "": None,
    "drop00": None,
    "toall": "all",
    "toonly0": "empty",
    "toif0all": "if any empty",
    "tonone": "none",
    "add01": "all",
    "all": "all",
    "only0": "empty",
    "if0all": "if any empty",
    "none": "none",
}
STATISTICS: dict[str, list[float]] = {  # as in the calls of the reference; d is made of means and SDs
    "di": [],
    "ti": [1, -2, 2.5, 0.3, 1.7, -0.5, 0.1, 4],
    "pi": [0.1, -0.2, 0.05, 0.3, 0.017, -0.5, 0.1, 0.004],
}
TWO_MEANS = {f"{a}{g}": f"{b}{g}i" for g in "12" for a, b in (("mean", "m"), ("sd", "sd"), ("n", "n"))}


def _split(id_: str) -> tuple[str, str]:
    measure, _, variant = id_.partition("_")
    return measure, variant


def _table(folder: str, columns: dict[str, str]) -> dict[str, Any]:
    rows = ESCALC[folder]["data"]
    return {"study": [str(i) for i in range(len(rows))]} | {
        ours: [r[theirs] for r in rows] for ours, theirs in columns.items()
    }


def _formula(measure: str, variant: str) -> dict[str, Any]:
    """Return the options of the variance; a measure that knows one formula is given that whatever vtype says."""
    if variant == "nocorrect":
        return {"correct": False}
    kernel = (TWO_GROUPS | PAIRED | ONE_GROUP)[measure]
    asked = variant.removeprefix("vtype")
    return {"variance": asked} if asked in kernel.variances else {}


def _made(folder: str, measure: str, variant: str) -> ml.Effects:
    """Make the effects by the public converter."""
    if folder == "escalc_2x2":
        if measure in MATCHED_PAIRS:
            t = _table(folder, {"both": "ai", "first": "bi", "second": "ci", "neither": "di"})
            more: dict[str, Any] = {"continuity": 0.1 if variant == "add01" else 0.5, "correct": POLICY[variant]}
            return ml.matched_pairs(t, measure=measure, **more)
        t = _table(folder, {"events1": "ai", "b": "bi", "events2": "ci", "d": "di"})
        t["n1"] = [a + b for a, b in zip(t["events1"], t["b"], strict=True)]
        t["n2"] = [a + b for a, b in zip(t["events2"], t["d"], strict=True)]
        columns = {c: c for c in ("events1", "n1", "events2", "n2")}
        policy = POLICY.get(variant)
        if measure == "PETO" and variant in ("", "drop00"):
            policy = "empty"  # escalc's default; ours adds nothing to a Peto odds ratio
        return ml.two_by_two(
            t,
            **columns,
            measure=measure,
            correct=policy,
            continuity=0.1 if variant == "add01" else 0.5,
            variance=variant.removeprefix("vtype") if variant.startswith("vtype") else "LS",
            double_zero="exclude" if variant == "drop00" else "correct",
        )
    if folder == "escalc_prop":
        scale = {key: name for name, key in SCALES.items()}[measure]
        return ml.proportions(
            _table(folder, {"events": "xi", "n": "ni"}), scale=scale, correct=_policy(measure, variant)
        )
    if folder == "escalc_irr":
        if measure in TWO_RATES:
            t = _table(folder, {"events1": "x1i", "time1": "t1i", "events2": "x2i", "time2": "t2i"})
            return ml.two_rates(t, measure=measure, correct=_policy(measure, variant))
        t = _table(folder, {"events": "x1i", "time": "t1i"})
        return ml.rates(t, measure=measure, correct=_policy(measure, variant))
    if folder == "escalc_cor":
        if measure in CORRELATIONS:
            known = measure != "ZCOR"
            t = _table(folder, {"r": "ri", "n": "ni"})
            return ml.correlations(t, measure=measure, variance=variant if known else "LS")
        if measure in EXPLAINED:
            return ml.squared_correlations(_table(folder, {"r2": "r2i", "n": "ni"}), measure=measure)
        if measure in RELIABILITY:
            return ml.reliabilities(_table(folder, {"alpha": "ai", "items": "items", "n": "ni"}), measure=measure)
        t = _table(folder, {"t": "ti", "n": "ni", "predictors": "mi", "r2": "r2i"})
        return ml.partial_correlations(t, measure=measure)
    if variant in STATISTICS:
        t = _table(folder, TWO_MEANS)
        pooled = pooled_sd(*(np.array(t[c]) for c in ("sd1", "n1", "sd2", "n2")))
        values = STATISTICS[variant] or ((np.array(t["mean1"]) - np.array(t["mean2"])) / pooled).tolist()
        return ml.standardised_differences(t | {variant[0]: values})
    if measure in TWO_GROUPS:
        names = TWO_MEANS
        if variant == "flip":
            names = {k.translate(str.maketrans("12", "21")): v for k, v in TWO_MEANS.items()}
        return ml.means(_table(folder, names), measure=measure, **_formula(measure, variant))
    if measure in PAIRED:
        names = {"mean1": "m1i", "sd1": "sd1i", "mean2": "m2i", "sd2": "sd2i", "n": "n1i", "r": "ri"}
        return ml.paired_means(_table(folder, names), measure=measure, **_formula(measure, variant))
    names = {"mean": "m1i", "sd": "sd1i", "n": "n1i"}
    return ml.single_means(_table(folder, names), measure=measure, **_formula(measure, variant))


def _policy(measure: str, variant: str) -> str | None:
    """Return the policy; on scales defined at 0 escalc adds nothing, whatever it is told."""
    return None if measure in NEVER_CORRECTED else POLICY[variant]


ALL = [(folder, id_) for folder, content in ESCALC.items() for id_ in content["values"]]
OFFERED = {
    *(TWO_BY_TWO | MATCHED_PAIRS | PROPORTIONS | TWO_RATES | RATES | CORRELATIONS | TWO_GROUPS | PAIRED | ONE_GROUP),
    *(*PARTIAL, *EXPLAINED, *RELIABILITY),
}


def test_the_grid_is_complete() -> None:
    """Every reference value is compared, or its measure or variant is listed as not offered."""
    assert len(ALL) == 372
    assert {_split(id_)[0] for _, id_ in ALL} <= OFFERED | set(NOT_OFFERED)
    assert not OFFERED & set(NOT_OFFERED)


COMPARED = [(folder, id_) for folder, id_ in ALL if _split(id_)[0] not in NOT_OFFERED]


@pytest.mark.parametrize(("folder", "id_"), COMPARED, ids=[f"{f}-{i}" for f, i in COMPARED])
def test_effect_sizes(folder: str, id_: str) -> None:
    measure, variant = _split(id_)
    entry = ESCALC[folder]["values"][id_]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = _made(folder, measure, variant)
    y, v = (np.array([np.nan if x is None else x for x in entry[q]], dtype=float) for q in ("y", "v"))
    at = np.array(found.row) - 1
    dropped = np.isnan(
        y[at]
    )  # drop00 leaves studies without events out of differences and of pairs too; here they are kept
    assert not dropped.any() or (variant == "drop00" and measure in ("RD", "AS", *MATCHED_PAIRS))
    at, ours, spread = at[~dropped], found.y[~dropped], found.v[~dropped]
    loose = measure in LOOSE
    assert np.allclose(ours, y[at], rtol=1e-4 if loose else 1e-10, atol=5e-5 if loose else 1e-13)
    assert np.allclose(spread, v[at], rtol=1e-3 if loose else 1e-10, atol=1e-15)
    left_out = np.setdiff1d(np.arange(len(y)), at)
    assert all(not np.isfinite(y[i]) or not v[i] > 0 or not np.isfinite(v[i]) or _explained(found, i) for i in left_out)


def _explained(found: ml.Effects, i: int) -> bool:
    """Whether the row is listed with a reason that does not only say that a number is missing."""
    return any(x.row == i + 1 and re.search("arms|correct|fewer", x.reason) for x in found.excluded)
