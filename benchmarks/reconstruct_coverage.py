"""Do the draws of a reconstruction cover the truth, and do all printed numbers hold? One line per grade of digitisation.

    PYTHONPATH=. python benchmarks/reconstruct_coverage.py FOLDER [--grades vector pixel click_fine click_coarse] [--draws 100] [--every 1]

FOLDER as in ``reconstruct_km.py``. Coverage is the share of arms (comparisons) whose true median, restricted mean and log
hazard ratio lie between the 2.5% and 97.5% quantiles of the draws. Where draws hardly differ (less than a thousandth of
the true value), the truth counts as covered if it is that near.
"""

from __future__ import annotations

import argparse
import csv
import json
import warnings
from pathlib import Path

import numpy as np
from reconstruct_km import KIND, inputs

import metaleptic as ml
from metaleptic.reconstruction.steps import Steps, steps
from metaleptic.reconstruction.two_groups import compare, risk_sets
from metaleptic.types import FloatArray

_NEAR = 0.001

Arms = dict[str, tuple[FloatArray, FloatArray]]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", default="public")
    parser.add_argument("--grades", nargs="+", default=list(KIND), choices=list(KIND))
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--every", type=int, default=1, help="only every so many cases")
    options = parser.parse_args()
    base = options.folder / options.set
    cases = json.loads((base / "manifest.json").read_text(encoding="utf-8"))["cases"][:: options.every]
    print("| grade | cases | medians held | rates held | coverage of median | of RMST | of log HR |")
    print("|---|---|---|---|---|---|---|")
    for grade in options.grades:
        held: dict[str, list[bool]] = {"median": [], "rate": []}
        covered: dict[str, list[bool]] = {"median": [], "rmst": [], "hr": []}
        for case in cases:
            curves, published, contrasts = inputs(base, case, grade, ticks=grade == "vector")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rec = ml.reconstruct(curves, published, contrasts=contrasts, draws=options.draws, seed=1)
            for number in rec.fidelity.numbers:
                kind = (
                    "median"
                    if number.number == "median"
                    else number.number.split()[0]
                    if number.number.startswith("rate")
                    else ""
                )
                if kind:
                    held["median" if kind == "median" else "rate"].append(bool(number.agrees))
            if options.draws:
                look(truth(base / case["truth"]), rec, contrasts, covered)
        shares = [f"{sum(x)}/{len(x)}" for x in held.values()]
        shares += [f"{np.mean(x):.3f}" if x else "" for x in covered.values()]
        print(f"| {grade} | {len(cases)} | {' | '.join(shares)} |", flush=True)


def look(true: Arms, rec: ml.Reconstruction, contrasts: list[ml.Contrast], covered: dict[str, list[bool]]) -> None:
    """Note for each quantity of one case whether its interval covers the truth."""
    drawn = [patients(ipd) for ipd in rec.draws]
    for name, arm in true.items():
        curve, tau = steps(*arm), float(np.concatenate(arm).max())
        others: list[Steps] = [steps(*one[name]) for one in drawn]
        if np.isfinite(curve.median()):
            covered["median"].append(covers([x.median() for x in others], curve.median(), curve.median()))
        covered["rmst"].append(covers([x.rmst(tau) for x in others], curve.rmst(tau), curve.rmst(tau)))
    for c in contrasts:
        beta = compare(risk_sets(*true[c.arm], *true[c.versus])).beta
        if np.isfinite(beta):
            found = [compare(risk_sets(*one[c.arm], *one[c.versus])).beta for one in drawn]
            covered["hr"].append(covers(found, beta, 1.0))


def covers(values: list[float], true: float, scale: float) -> bool:
    """Tell whether the middle 95% of the values holds the truth."""
    low, high = np.quantile(values, [0.025, 0.975], method="inverted_cdf")
    return bool(low - _NEAR * scale <= true <= high + _NEAR * scale)


def patients(ipd: ml.IPD) -> Arms:
    """Split patients into times of events and of censorings, by arm."""
    dead = ipd.event == 1
    return {str(a): (ipd.time[dead & (ipd.arm == a)], ipd.time[~dead & (ipd.arm == a)]) for a in np.unique(ipd.arm)}


def truth(path: Path) -> Arms:
    """Read the true patients."""
    rows: dict[str, tuple[list[float], list[float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            dead = float(row["event"]) == 1
            rows.setdefault(row["arm"], ([], []))[0 if dead else 1].append(float(row["time"]))
    return {arm: (np.array(dead), np.array(censored)) for arm, (dead, censored) in rows.items()}


if __name__ == "__main__":
    main()
