"""List every kind of value in a folder of results from R: the grid that tests/test_agrees_with_r.py must answer for.

python tests/golden/extract_index.py REFERENCE_FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def main() -> None:
    """Write topic -> kinds (ids of calls, over all data sets) and the number of values of each topic."""
    root = Path(sys.argv[1])
    kinds: dict[str, set[str]] = {}
    values: dict[str, int] = {}
    for path in sorted((root / "frequentist").glob("*/*.json")):
        topic = path.stem
        if topic == "manifest":
            continue
        if path.parent.name == "conv" or topic == "other":
            topic = f"{path.parent.name}/{topic}"
        entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        kinds.setdefault(topic, set()).update(entry["id"] for entry in entries)
        values[topic] = values.get(topic, 0) + len(entries)
    survival = {path.stem.split("_")[0]: path.stem for path in sorted((root / "survival").glob("v*.json"))}
    content = {
        "frequentist": {topic: {"values": values[topic], "kinds": sorted(kinds[topic])} for topic in sorted(kinds)},
        "survival": survival,
    }
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    (HERE / "index.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
