"""Golden values from R and what the tests of this folder share."""

from __future__ import annotations

import json
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import metaleptic as ml

GOLDEN = Path(__file__).parent / "golden"
TEST_OF = {"z": "z", "t": "t", "knha": "knapp-hartung", "adhoc": "adhoc"}
NAMES = (
    "anker2025_RR",
    "bcg_OR",
    "bcg_RR",
    "collins1985b_OR",
    "egger2001_OR",
    "lee2004_OR",
    "nielweise2007_OR",
    "yusuf1985_t6_PETO",
)


@cache
def load(topic: str) -> Any:
    """Read a golden file."""
    return json.loads((GOLDEN / f"{topic}.json").read_text(encoding="utf-8"))


def cases(topic: str) -> list[Any]:
    """List (data set, entry) of a topic as parameters with readable names."""
    import pytest

    return [pytest.param(name, x, id=f"{name}-{x['id']}") for name, entries in load(topic).items() for x in entries]


def effects_of(name: str) -> ml.Effects:
    """Return a golden data set as effects, patients and columns included."""
    d = load("data")[name]
    measure = {"RR": "RR", "OR": "OR"}.get(name.rsplit("_", 1)[1])
    n = np.add(d["n1"], d["n2"]) if "n1" in d else None
    columns = {c: d[c] for c in ("year", "ablat") if c in d}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ml.effects(d["y"], d["v"], measure=measure, n=n, columns=columns)


def tables_of(name: str, measure: str) -> ml.Effects:
    """Return a golden data set as two-by-two tables, without the studies that say nothing about a ratio."""
    d = load("data")[name]
    table = {"study": [str(i + 1) for i in range(len(d["y"]))]} | {c: d[c] for c in ("events1", "n1", "events2", "n2")}
    columns = {c: c for c in ("events1", "n1", "events2", "n2")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ml.errors.ExcludedRowsWarning)
        return ml.two_by_two(table, **columns, measure=measure)


def fit_of(name: str, method: str, test: str = "z") -> ml.Pooled:
    """Fit a golden data set."""
    model, tau2 = ("common", "REML") if method == "EE" else ("random", method)
    return ml.pool(effects_of(name), model=model, tau2=tau2, test=TEST_OF[test])


def method_of(setup: str) -> tuple[str, str]:
    """Read estimator and test out of a call of rma()."""
    method = re.search(r'method="(\w+)"', setup)
    test = re.search(r'test="(\w+)"', setup)
    assert method
    return method.group(1), test.group(1) if test else "z"


def gap(ours: Any, theirs: Any, near_zero: float = 1e-3) -> float:
    """Return the largest difference, relative to the reference value or near zero to ``near_zero``; NaN matches null."""
    a = np.atleast_1d(np.asarray(ours, dtype=np.float64)).ravel()
    b = np.atleast_1d(np.array(theirs, dtype=object)).ravel()
    b = np.array([np.nan if x is None or x == "NA" else float(x) for x in b])
    if a.shape != b.shape:
        return np.inf
    if (np.isnan(a) != np.isnan(b)).any():
        return np.inf
    both = ~np.isnan(a)
    same = a[both] == b[both]  # infinities
    with np.errstate(invalid="ignore"):
        difference = np.abs(a[both] - b[both]) / np.maximum(np.abs(b[both]), near_zero)
    return float(np.where(same, 0.0, difference).max(initial=0.0))


def differing(pairs: dict[str, tuple[Any, Any]], tolerance: float, near_zero: float = 1e-3) -> dict[str, Any]:
    """Return the pairs (ours, theirs) further apart than the tolerance, with their distance."""
    far = {k: gap(a, b, near_zero) for k, (a, b) in pairs.items()}
    return {k: (g, *pairs[k]) for k, g in far.items() if not g <= tolerance}
