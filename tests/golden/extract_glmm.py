"""Cut the golden values of two-arm count models out of a folder of results from R.

python tests/golden/extract_glmm.py REFERENCE_FOLDER
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from extract import HERE, SOURCES, _raw, load


def main() -> None:
    """Write tables and rma.glmm() results of every data set with counts."""
    root = Path(sys.argv[1]) / "frequentist"
    content: dict[str, Any] = {}
    for name, source in SOURCES.items():
        folder = root / name
        if name == "bcg_RR" or not (folder / "glmm.json").exists():
            continue
        with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
            raw = _raw(list(csv.DictReader(stream)))
        fits = [
            {"id": x["id"], "call": x["call"], "version": f"{x['package']} {x['version']}"}
            | {key: x["result"][key] for key in ("beta", "se", "zval", "pval", "tau2", "sigma2", "QE_LRT", "I2", "H2")}
            | {"loglik": x["result"]["fit_stats"]["ML"]["ll"]}
            for x in load(folder / "glmm.json")
            if x["id"]
            in {f"OR_{method}_{model}" for method in ("EE", "ML") for model in ("UM.FS", "UM.RS", "CM.AL", "CM.EL")}
            | {"OR_ML_UM.FS_nAGQ1", "OR_ML_UM.FS_t"}
        ]
        for x in load(folder / "glmm.json"):
            if x["id"] == "OR_ML_UM.FS_m1":
                r, moderator = x["result"], x["result"]["coef_names"][1]
                with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
                    values = [float(row[moderator]) for row in csv.DictReader(stream)]
                fits.append(
                    {"id": x["id"], "call": x["call"], "version": f"{x['package']} {x['version']}", "moderator": values}
                    | {key: r[key] for key in ("beta", "se", "tau2", "QE_LRT", "QEdf", "QM", "I2", "H2")}
                )
        content[name] = {"source": source, "counts": raw, "fits": fits}
    (HERE / "glmm.json").write_text(json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
