"""Cut the golden values of meta's metabin() out of a folder of results from R.

python tests/golden/extract_metabin.py REFERENCE_FOLDER
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from extract import HERE, SOURCES, _raw, load

LEFT_OUT = (
    "GLMM",
    "LRP",
    "RR_Cochrane",
)  # compared with rma.glmm; penalised logistic regression; a variant of the variance
KEYS = ("sm", "TE.common", "seTE.common", "TE.random", "seTE.random", "tau2", "Q", "df.Q")


def main() -> None:
    """Write counts and results of every method and correction."""
    root = Path(sys.argv[1]) / "frequentist"
    content: dict[str, Any] = {}
    for name, source in SOURCES.items():
        folder = root / name
        if name == "bcg_RR" or not (folder / "mh.json").exists():
            continue
        with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
            raw = _raw(list(csv.DictReader(stream)))
        fits = [
            {"id": x["id"], "call": x["call"], "version": f"{x['package']} {x['version']}"}
            | {key: x["result"].get(key) for key in KEYS}
            for x in load(folder / "meta.json")
            if x["id"].startswith("metabin_") and "result" in x and not any(word in x["id"] for word in LEFT_OUT)
        ]
        content[name] = {"source": source, "counts": raw, "fits": fits}
    (HERE / "metabin.json").write_text(
        json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
