"""Cut the golden values of the tests out of a folder of results from R.

    python tests/golden/extract.py REFERENCE_FOLDER

Every value keeps the R call, package and version that made it; every data set the publication it comes from.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCES = {
    "anker2025_RR": "Anker SD et al. Nat Med 2025;31:2640-2646; doi:10.1038/s41591-025-03671-1",
    "bcg_OR": "Colditz GA et al. JAMA 1994;271:698-702",
    "bcg_RR": "Colditz GA et al. JAMA 1994;271:698-702",
    "collins1985b_OR": "Collins R, Yusuf S, Peto R. BMJ 1985;290:17-23",
    "egger2001_OR": "Egger M, Davey Smith G, Altman DG (eds). Systematic Reviews in Health Care. BMJ Books 2001",
    "lee2004_OR": "Lee A, Done ML. Cochrane Database Syst Rev 2004;3:CD003281",
    "nielweise2007_OR": "Niel-Weise BS et al. J Antimicrob Chemother 2007;59:359-369",
    "yusuf1985_t6_PETO": "Yusuf S et al. Prog Cardiovasc Dis 1985;27:335-371, table 6",
}
METHODS = ("EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM")
TESTS = ("z", "t", "knha", "adhoc")
UNI = ("beta", "se", "pval", "ci_lb", "ci_ub", "tau2", "I2", "H2", "QE", "QEp")


def load(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def pooling(root: Path) -> dict[str, Any]:
    """Collect fits, prediction intervals and Q-profile intervals of every data set."""
    found = {}
    for name, source in SOURCES.items():
        folder = root / "frequentist" / name
        with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        found[name] = {
            "source": source,
            "R": load(folder / "manifest.json")["R"],
            "made_by": load(folder / "manifest.json")["prep"],
            "raw": _raw(rows),
            "y": [float(r["yi"]) for r in rows],
            "v": [float(r["vi"]) for r in rows],
            "fits": [fit for x in load(folder / "uni.json") if (fit := _fit(x))],
            "predict": [_predict(x) for x in load(folder / "predict.json") if _is_default(x["id"])],
            "q_profile": [
                _made_by(x) | {"tau2": x["result"]["random"]["data"][0][1:]}
                for x in load(folder / "confint.json")
                if x["id"].endswith("_QP") and x["id"][:-3] in METHODS
            ],
        }
    return found


def _fit(x: dict[str, Any]) -> dict[str, Any] | None:
    parts = x["id"].split("_")
    if len(parts) != 2 or parts[0] not in METHODS or parts[1] not in TESTS:
        return None
    result = x["result"]
    values = {k: result[k][0] if isinstance(result[k], list) else result[k] for k in UNI}
    values["loglik"] = result["fit_stats"]["REML" if parts[0] == "REML" else "ML"]["ll"]
    return {"id": x["id"], "call": x["call"], "version": f"{x['package']} {x['version']}", **values}


def _is_default(name: str) -> bool:
    parts = name.split("_")
    return len(parts) == 3 and parts[0] in METHODS[1:] and parts[1] in TESTS and parts[2] == "default"


def _predict(x: dict[str, Any]) -> dict[str, Any]:
    return _made_by(x) | {"low": x["result"]["pi.lb"][0], "high": x["result"]["pi.ub"][0]}


def _made_by(x: dict[str, Any]) -> dict[str, Any]:
    """Keep what made a value: the call, the fit it was asked of, package and version."""
    return {"id": x["id"], "call": x["call"], "setup": x["setup"], "version": f"{x['package']} {x['version']}"}


def _raw(rows: list[dict[str, str]]) -> dict[str, list[float]]:
    """Return the counts that the publication prints; the effects themselves where it prints no counts."""
    for arms in (
        ("tpos", "tneg", "cpos", "cneg"),
        ("ai", "n1i", "ci", "n2i"),
        ("pre.xti", "pre.nti", "pre.xci", "pre.nci"),
    ):
        if set(arms) <= set(rows[0]):
            a, b, c, d = ([float(r[column]) for r in rows] for column in arms)
            if "tneg" in arms:
                b, d = ([x + y for x, y in zip(*pair, strict=True)] for pair in ((a, b), (c, d)))
            return {"events1": a, "n1": b, "events2": c, "n2": d}
    return {"log_ratio": [float(r["yi"]) for r in rows], "variance": [float(r["vi"]) for r in rows]}


def effect_sizes(root: Path) -> dict[str, Any]:
    """Collect effect sizes of two-by-two tables and proportions."""
    found: dict[str, Any] = {}
    for name, wanted in (("escalc_2x2", ("OR", "RR", "RD")), ("escalc_prop", ("PLO_",))):
        folder = root / "frequentist" / name
        with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
            rows = [{k: float(v) for k, v in r.items()} for r in csv.DictReader(stream)]
        found[name] = {"data": rows} | {
            x["id"]: {
                "call": x["call"],
                "version": f"{x['package']} {x['version']}",
                "y": x["result"]["yi"],
                "v": x["result"]["vi"],
            }
            for x in load(folder / "escalc.json")
            if x["id"] in wanted
        }
    return found


def rare_events(root: Path) -> dict[str, Any]:
    """Collect Mantel-Haenszel and Peto results with the two-by-two tables behind them."""
    found = {}
    for name in ("bcg_RR", "nielweise2007_OR"):
        folder = root / "frequentist" / name
        with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        if "tpos" in rows[0]:
            cells = [[float(r[c]) for c in ("tpos", "tneg", "cpos", "cneg")] for r in rows]
        else:
            arms = [[float(r[c]) for c in ("ai", "n1i", "ci", "n2i")] for r in rows]
            cells = [[a, n1 - a, c, n2 - c] for a, n1, c, n2 in arms]
        results = [x for topic in ("mh", "peto") for x in load(folder / f"{topic}.json")]
        found[name] = {
            "source": SOURCES[name],
            "cells": cells,
            "fits": [
                {
                    "call": x["call"],
                    "version": f"{x['package']} {x['version']}",
                    "measure": x["result"]["measure"],
                    **{
                        k: x["result"][k][0] if isinstance(x["result"][k], list) else x["result"][k]
                        for k in ("beta", "se", "pval", "ci_lb", "ci_ub", "QE", "QEp", "I2", "H2")
                    },
                }
                for x in results
                if x["id"] in ("OR", "RR", "RD")
            ],
        }
    return found


def subgroups(root: Path) -> list[dict[str, Any]]:
    """Collect pooled effects by allocation of the BCG trials, each subgroup with its own tau2."""
    folder = root / "frequentist" / "bcg_RR"
    with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [
        {
            "call": x["call"],
            "version": f"{x['package']} {x['version']}",
            "by": [r["alloc"] for r in rows],
            "y": [float(r["yi"]) for r in rows],
            "v": [float(r["vi"]) for r in rows],
            "levels": x["result"]["subgroup.levels"],
            "effect": x["result"]["TE.random.w"],
            "se": x["result"]["seTE.random.w"],
            "tau2": x["result"]["tau2.w"],
            "q": x["result"]["Q.b.random"],
            "p": x["result"]["pval.Q.b.random"],
        }
        for x in load(folder / "meta.json")
        if x["id"] == "subgroup_DL_taucommonFALSE" or x["id"] == "subgroup_REML_taucommonFALSE"
    ]


def survival(root: Path) -> dict[str, Any]:
    """Collect median survival times, proportions and their exact intervals."""
    names = (
        "v15b_median_survival_logscale",
        "v24_proportions",
        "v25_single_proportion_ci",
        "v34_median_nr",
        "v36_small_medians_log",
    )
    return {name[: name.index("_")]: load(root / "survival" / f"{name}.json") for name in names}


def main() -> None:
    """Write the golden files."""
    root = Path(sys.argv[1])
    for name, content in (
        ("pooling", pooling(root)),
        ("effect_sizes", effect_sizes(root)),
        ("survival", survival(root)),
        ("subgroups", subgroups(root)),
        ("rare_events", rare_events(root)),
    ):
        (HERE / f"{name}.json").write_text(json.dumps(content, indent=0, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
