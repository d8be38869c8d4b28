"""Cut effect sizes of every measure out of a folder of results from R.

python tests/golden/extract_effect_sizes.py REFERENCE_FOLDER
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from extract import HERE, load

FOLDERS = ("escalc_2x2", "escalc_prop", "escalc_irr", "escalc_means", "escalc_cor")


def main() -> None:
    """Write the golden file: data, and y and v by id with the call that made them."""
    root = Path(sys.argv[1]) / "frequentist"
    content: dict[str, Any] = {}
    for name in FOLDERS:
        with (root / name / "data.csv").open(encoding="utf-8", newline="") as stream:
            rows = [{k: float(v) for k, v in r.items()} for r in csv.DictReader(stream)]
        content[name] = {
            "data": rows,
            "values": {
                x["id"]: {
                    "call": x["call"],
                    "version": f"{x['package']} {x['version']}",
                    "y": x["result"]["yi"],
                    "v": x["result"]["vi"],
                }
                for x in load(root / name / "escalc.json")
                if isinstance(x.get("result"), dict)
            },
        }
    (HERE / "escalc.json").write_text(
        json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
