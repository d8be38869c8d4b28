"""Cut the golden values of Mantel-Haenszel tests out of a folder of results from R.

python tests/golden/extract_stratified.py REFERENCE_FOLDER RATES_JSON

RATES_JSON holds the same of rates (Niel-Weise BS et al. J Clin Microbiol 2008;46:2900-2905), by the calls it records.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from extract import HERE, SOURCES, _raw, load

KEYS = ("beta", "se", "QE", "I2", "H2", "MH", "MHp", "CO", "COp", "BD", "BDp", "TA", "TAp")


def main() -> None:
    """Write tables and rma.mh() and rma.peto() results of every data set with counts."""
    root = Path(sys.argv[1]) / "frequentist"
    content: dict[str, Any] = {}
    for name, source in SOURCES.items():
        folder = root / name
        if name == "bcg_RR" or not (folder / "mh.json").exists():
            continue
        with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
            raw = _raw(list(csv.DictReader(stream)))
        fits = [
            {"id": f"{topic} {x['id']}", "call": x["call"], "version": f"{x['package']} {x['version']}"}
            | {key: x["result"].get(key) for key in KEYS}
            for topic in ("mh", "peto")
            for x in load(folder / f"{topic}.json")
            if "result" in x
        ]
        content[name] = {"source": source, "counts": raw, "fits": fits}
    rates = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    columns = {key: [row[key] for row in rates["data"]] for key in ("x1i", "t1i", "x2i", "t2i")}
    content["nielweise2008"] = {
        "source": "Niel-Weise BS et al. J Clin Microbiol 2008;46:2900-2905",
        "rates": columns,
        "fits": rates["fits"],
    }
    (HERE / "stratified.json").write_text(
        json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
