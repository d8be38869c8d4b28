"""Cut the golden values of the sensitivity analyses out of a folder of results from R.

    python tests/sensitivity/golden/extract.py REFERENCE_FOLDER

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
TOPICS = ("influence", "loo_cumul", "trimfill", "regtest", "ranktest", "selmodel", "fsn", "tes", "hc", "metasens")
FROM_META = ("metacum", "metainf", "metabias", "trimfill")
FIT = ("k", "beta", "se", "zval", "pval", "ci_lb", "ci_ub", "tau2", "I2", "H2", "QE", "QEp", "QM", "QMp")


def load(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def data(folder: Path, source: str) -> dict[str, Any]:
    """Collect effects, counts as printed and columns that give an order."""
    with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found: dict[str, Any] = {
        "source": source,
        "R": load(folder / "manifest.json")["R"],
        "made_by": load(folder / "manifest.json")["prep"],
        "y": [float(r["yi"]) for r in rows],
        "v": [float(r["vi"]) for r in rows],
    }
    if "year" in rows[0]:
        found["year"] = [float(r["year"]) for r in rows]
    if "ablat" in rows[0]:
        found["ablat"] = [float(r["ablat"]) for r in rows]
    for arms in (
        ("tpos", "tneg", "cpos", "cneg"),
        ("ai", "n1i", "ci", "n2i"),
        ("pre.xti", "pre.nti", "pre.xci", "pre.nci"),
    ):
        if set(arms) <= set(rows[0]):
            a, b, c, d = ([float(r[column]) for r in rows] for column in arms)
            if "tneg" in arms:
                b, d = ([x + y for x, y in zip(*pair, strict=True)] for pair in ((a, b), (c, d)))
            found |= {"events1": a, "n1": b, "events2": c, "n2": d}
    return found


def entry(x: dict[str, Any]) -> dict[str, Any]:
    """Keep a result with what made it."""
    kept = {"id": x["id"], "call": x["call"], "version": f"{x['package']} {x['version']}"}
    if "setup" in x:
        kept["setup"] = x["setup"]
    if "error" in x:
        return kept | {"error": x["error"]}
    return kept | {"result": _slim(x["result"])}


def _slim(result: Any) -> Any:
    """Leave out what is not compared: classes, labels, criteria, copies of the data."""
    if not isinstance(result, dict):
        return result
    left_out = {"class", "measure", "coef_names", "vb", "fit_stats", "slab", "ids", "data", "call", "s2w", "model_ids"}
    out = {}
    for key, value in result.items():
        if key in left_out:
            continue
        out[key] = {k: v for k, v in value.items() if k in FIT} if key == "fit" and isinstance(value, dict) else value
    if result.get("model") == "rma.uni.selmodel":
        out["ll"] = result["fit_stats"]["ML"]["ll"]
    return out


def gosh(folder: Path) -> list[dict[str, Any]]:
    """Collect all subsets, in the order of the file."""
    found = []
    for x in load(folder / "gosh.json"):
        with (folder / x["result"]["file"]).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        columns = {c: [float(r[c]) for r in rows] for c in ("QE", "I2", "tau2", "estimate") if c in rows[0]}
        found.append({"id": x["id"], "call": x["call"], "version": f"{x['package']} {x['version']}"} | columns)
        found[-1]["incl"] = [int(r["incl"], 2) for r in rows]
    return found


def main() -> None:
    """Write the golden files."""
    root = Path(sys.argv[1]) / "frequentist"
    files: dict[str, Any] = {"data": {name: data(root / name, source) for name, source in SOURCES.items()}}
    for topic in TOPICS:
        files[topic] = {
            name: [entry(x) for x in load(root / name / f"{topic}.json")]
            for name in SOURCES
            if (root / name / f"{topic}.json").exists()
        }
    files["meta"] = {
        name: [entry(x) for x in load(root / name / "meta.json") if x["id"].startswith(FROM_META)] for name in SOURCES
    }
    files["gosh"] = {name: gosh(root / name) for name in SOURCES if (root / name / "gosh.json").exists()}
    for name, content in files.items():
        text = json.dumps(content, separators=(",", ":"), sort_keys=True)
        (HERE / f"{name}.json").write_text(text.replace('{"call"', '\n{"call"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
