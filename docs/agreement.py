"""Write the largest difference from R for each kind of number into the page that compares the two.

    python docs/agreement.py

The numbers are those of the tests (``tests/golden``); rerun after a change of them and read the difference.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE / "explanation" / "differences-from-r.md"
BEGIN, END = "<!-- agreement: begin -->", "<!-- agreement: end -->"
WORDS = {
    "rma": "fits without moderators: 15 estimators of tau², 4 tests, own weights",
    "moderators": "meta-regressions: 8 formulas, 11 estimators, 4 tests",
    "after": "predictions, contrasts, VIF, intervals and tests after a meta-regression",
    "tau2_interval": "intervals for tau², tau, I², H²: Q-profile, profile likelihood, test-based, Wald",
    "tau2_interval, generalised Q": "generalised Q intervals (Jackson; Biggerstaff and Jackson)",
    "prediction": "prediction intervals",
    "studies": "residuals, leverages, weights, BLUPs",
    "meta": "R's meta: Hartung-Knapp variants, Kenward-Roger, 7 prediction intervals, IVhet",
    "permutest": "exact permutation tests",
}


def table() -> str:
    """Return the table: kind of number, how many were compared, median and largest difference, reason for what is left."""
    sys.path.insert(0, str(HERE.parent / "tests" / "golden"))
    from model_agreement import MODELS, TOPICS, tolerance

    found: dict[str, list[tuple[float, str]]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for make in TOPICS.values():
            for data in MODELS:
                for d in make(data):
                    found.setdefault(d.topic, []).append((d.relative, tolerance(d)[1]))
    lines = ["| kind of number | compared | largest relative difference | and why |", "|---|---|---|---|"]
    for topic, words in WORDS.items():
        plain = [x for x, reason in found[topic] if not reason]
        apart: dict[str, list[float]] = {}
        for x, reason in found[topic]:
            if reason:
                apart.setdefault(reason, []).append(x)
        if plain:
            lines.append(f"| {words} | {len(plain):,} | {max(plain):.0e} | |")
        for reason, values in apart.items():
            lines.append(f"| {words if not plain else '… of these'} | {len(values):,} | {max(values):.0e} | {reason} |")
    return "\n".join(lines)


def main() -> None:
    """Replace the table on the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
