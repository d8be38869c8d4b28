"""Cut the golden values of models, intervals and what follows a fit out of a folder of results from R.

python tests/golden/extract_models.py REFERENCE_FOLDER
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from extract import HERE, SOURCES, load

FIT = ("beta", "se", "pval", "ci_lb", "ci_ub", "tau2", "se_tau2", "I2", "H2", "R2", "QE", "QEp", "QM", "QMp")
CRITERIA = ("ll", "AIC", "AICc", "BIC")
META = (
    *("TE.random", "seTE.random", "lower.random", "upper.random", "df.random", "tau2", "se.tau2"),
    *("TE.common", "seTE.common", "lower.common", "upper.common", "lower.tau2", "upper.tau2"),
    *("method.predict", "lower.predict", "upper.predict", "Q.b.random", "pval.Q.b.random", "subgroup.levels"),
    *("TE.random.w", "seTE.random.w", "tau2.w"),
)
AFTER = ("predict", "vif", "anova", "confint", "LRT", "rstandard", "fitted")
PER_STUDY = ("blup", "ranef", "resid", "rstandard", "hatvalues", "weights", "fitted")
KEEP = ("call", "setup", "id")
POST = (
    *("pred", "se", "ci.lb", "ci.ub", "pi.lb", "pi.ub", "vif", "QM", "QMp", "Xb", "LRT", "pval", "R2", "resid", "z"),
)


def fits(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the numbers of rma() results."""
    return [
        _named(x)
        | {key: x["result"][key] for key in FIT if key in x["result"]}
        | {key: x["result"]["fit_stats"]["REML" if x["result"]["method"] == "REML" else "ML"][key] for key in CRITERIA}
        | {"names": x["result"]["coef_names"]}
        for x in entries
        if "result" in x
    ]


def _named(x: dict[str, Any]) -> dict[str, Any]:
    found = {key: x[key] for key in KEEP if x.get(key)}
    return found | {"version": f"{x['package']} {x['version']}"}


def _selected(x: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    result = x["result"]
    if isinstance(result, list):
        return _named(x) | {"values": result}
    if "random" in result:
        return _named(x) | {"table": result["random"]["data"]}
    return _named(x) | {key: result[key] for key in keys if key in result}


def topic(folder: Path, name: str) -> list[dict[str, Any]]:
    """Read a topic, empty where the data set has none."""
    path = folder / f"{name}.json"
    return [x for x in load(path) if "result" in x] if path.exists() else []


def data_set(folder: Path, name: str) -> dict[str, Any]:
    """Collect everything about models of one data set."""
    with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    after = [x for x in topic(folder, "metareg_post") if any(f"_{what}" in x["id"] for what in AFTER)]
    studies = [x for x in topic(folder, "influence") if x["call"].split("(")[0] in PER_STUDY]
    return {
        "source": SOURCES[name],
        "y": [float(r["yi"]) for r in rows],
        "v": [float(r["vi"]) for r in rows],
        "columns": {c: [r[c] for r in rows] for c in rows[0] if c in ("ablat", "year", "alloc", "oedema")},
        "rma": fits(topic(folder, "uni")),
        "moderators": fits(topic(folder, "metareg")),
        "after": [_selected(x, POST) for x in after],
        "tau2_interval": [_selected(x, ()) for x in topic(folder, "confint") if "random" in x["result"]],
        "prediction": [_selected(x, ("pi.lb", "pi.ub", "se")) for x in topic(folder, "predict")],
        "studies": [_selected(x, ("pred", "se", "pi.lb", "pi.ub", "z")) for x in studies],
        "meta": [_selected(x, META) for x in topic(folder, "meta") if x["id"].startswith(("metagen", "subgroup"))],
        "permutest": [_selected(x, ("pval", "exact_iter")) for x in topic(folder, "permutest")],
    }


def main() -> None:
    """Write the golden file."""
    root = Path(sys.argv[1]) / "frequentist"
    content = {name: data_set(root / name, name) for name in SOURCES}
    (HERE / "models.json").write_text(
        json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
