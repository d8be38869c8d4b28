"""Reconstruct a folder of published curves with known truth and print errors beside each grade of digitisation.

    python benchmarks/reconstruct_km.py FOLDER [--grades vector pixel click_fine click_coarse] [--keep OUT]

FOLDER holds ``score.py`` and ``public/manifest.json`` (or another subfolder with a manifest: ``--set``). The manifest names
for each case what a paper would print, the digitised points and the true patients, which only the scorer reads.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import metaleptic as ml

KIND = {"vector": "drops", "pixel": "trace", "click_fine": "clicks", "click_coarse": "clicks"}


def main() -> None:
    """Run all grades and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", default="public")
    parser.add_argument("--grades", nargs="+", default=list(KIND), choices=list(KIND))
    parser.add_argument("--ticks", action="store_true", help="give censor ticks to every grade, not only to vector")
    parser.add_argument("--curve-only", action="store_true", help="give the curve and n only")
    parser.add_argument("--keep", type=Path, help="write the reconstructed patients here")
    options = parser.parse_args()
    base = options.folder / options.set
    manifest = base / "manifest.json"
    cases = json.loads(manifest.read_text(encoding="utf-8"))["cases"]
    score = load_score(options.folder / "score.py")
    print(
        "| grade | failed | RMSE of S(t) | error in events | RMST rel. error | abs. error of log HR | at risk | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for grade in options.grades:
            out = (options.keep or Path(folder)) / grade
            out.mkdir(parents=True, exist_ok=True)
            seconds = [
                run(
                    base,
                    case,
                    grade,
                    out,
                    ticks=options.ticks or grade == "vector",
                    curve_only=options.curve_only,
                )
                for case in cases
            ]
            arms, pairs = score.score_ipd(str(out), str(manifest), "")
            columns = [arms.S_rmse, arms.ev_err, arms.rmst_relerr, pairs.loghr_abserr]
            shown = " | ".join(f"{c.median():.4f} / {c.quantile(0.9):.4f}" for c in columns)
            print(
                f"| {grade} | {int(arms.fail.sum())} | {shown} | {arms.nar_err.max():.4f} | "
                f"{sum(seconds):.1f} (longest {max(seconds):.2f}) |"
            )


def load_score(path: Path) -> ModuleType:
    """Load the scorer that comes with the cases."""
    spec = importlib.util.spec_from_file_location("score", path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path} is not there: give the folder that holds score.py.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(base: Path, case: dict[str, Any], grade: str, out: Path, *, ticks: bool, curve_only: bool = False) -> float:
    """Reconstruct one case, write its patients, return the seconds it took."""
    curves, published, contrasts = inputs(base, case, grade, ticks=ticks, curve_only=curve_only)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rec = ml.reconstruct(curves, published, contrasts=contrasts)
    seconds = time.perf_counter() - start
    with (out / f"{case['case_id']}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "event", "arm"])
        writer.writerows(zip(rec.ipd.time.tolist(), rec.ipd.event.tolist(), rec.ipd.arm.tolist(), strict=True))
    return seconds


def inputs(
    base: Path, case: dict[str, Any], grade: str, *, ticks: bool, curve_only: bool = False
) -> tuple[dict[str, ml.Curve], dict[str, ml.Published], list[ml.Contrast]]:
    """Return what a reader of the paper would type."""
    points, marks = table(base / case["points"][grade]), table(base / case["censor_ticks"])
    printed = case["published"]
    curves, published = {}, {}
    for arm in printed["arms"]:
        name, median = arm["arm"], arm["median"]
        xy = np.array(points[name])
        tick = np.array([row[0] for row in marks.get(name, [])]) if ticks else None
        curves[name] = ml.Curve(xy[:, 0], xy[:, 1], kind=KIND[grade], censor_times=tick)
        published[name] = ml.Published(
            n=arm["n"],
            events=arm["events"],
            at_risk=dict(zip(printed["risk_times"], arm["n_risk"], strict=True)),
            median=median["est"],
            median_low=median["lo"],
            median_high=median["hi"],
            rates={mark["t"]: mark["s"] for mark in arm["landmarks"]},
            last_time=arm["last_time"],
        )
        if curve_only:
            published[name] = ml.Published(n=arm["n"])
    contrasts = [
        ml.Contrast(c["arm"], c["ref"], hr=c["hr"], low=c["lo"], high=c["hi"], p=c["p_logrank"])
        for c in printed["comparisons"]
    ]
    return curves, published, [] if curve_only else contrasts


def table(path: Path) -> dict[str, list[list[float]]]:
    """Read arm, number, number ... rows by arm."""
    rows: dict[str, list[list[float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        for arm, *numbers in reader:
            rows.setdefault(arm, []).append([float(x) for x in numbers])
    return rows


if __name__ == "__main__":
    main()
