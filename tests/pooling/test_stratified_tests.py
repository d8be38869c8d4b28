"""Mantel-Haenszel and Peto pooling, and the tests of stratified tables, agree with R's rma.mh and rma.peto."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.errors import DataError, NotEstimableError

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "golden" / "stratified.json").read_text(encoding="utf-8")
)
FITS = [(name, fit) for name, data in GOLDEN.items() for fit in data["fits"]]


def effects_of(name: str, fit: dict[str, Any]) -> ml.Effects:
    """Make the effects of one call of R, with its continuity corrections."""
    identity = fit["id"].split()[-1]
    measure = identity.split("_")[0]
    if "rates" in GOLDEN[name]:
        x = GOLDEN[name]["rates"]
        two = {
            "study": list("abcdefghi"),
            "events1": x["x1i"],
            "time1": x["t1i"],
            "events2": x["x2i"],
            "time2": x["t2i"],
        }
        return ml.two_rates(two, measure=measure)
    counts = GOLDEN[name]["counts"]
    table = {"study": [str(i) for i in range(len(counts["n1"]))]} | counts
    options = {"correct": "all"} if "add05all" in identity else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        effects = ml.two_by_two(
            table,
            events1="events1",
            n1="n1",
            events2="events2",
            n2="n2",
            measure=measure,
            double_zero="correct",
            **options,
        )
    if "drop00" in identity:
        a, b, c, d = effects.cells.T
        effects = effects.take(np.flatnonzero((a + c > 0) & (b + d > 0)))
    return replace(effects, cells=effects.cells + 0.5) if options else effects


def test_the_grid_is_complete() -> None:
    assert len(FITS) == 6 * 13 + 4
    assert len({(name, fit["id"]) for name, fit in FITS}) == len(FITS)


@pytest.mark.parametrize(("name", "fit"), [pytest.param(n, f, id=f"{n}-{f['id']}") for n, f in FITS])
def test_agrees_with_r(name: str, fit: dict[str, Any]) -> None:
    """Estimates and tests to 1e-10; R's Q of ratios counts double-zero studies whose cells it corrects, ours too if kept."""
    effects = effects_of(name, fit)
    ours = ml.pool(effects, model="peto" if fit["id"].startswith("peto") else "mantel-haenszel")
    assert ours.beta[0] == pytest.approx(np.ravel(fit["beta"])[0], rel=1e-10)
    assert ours.se[0] == pytest.approx(np.ravel(fit["se"])[0], rel=1e-10)
    if fit.get("MH") is None:
        return
    tests = ml.stratified_tests(effects, correct="nocorrect" not in fit["id"])
    pairs = {"MH": tests.mantel_haenszel, "CO": tests.cochran, "BD": tests.breslow_day, "TA": tests.tarone}
    for key, found in pairs.items():
        if fit.get(key) is None:
            continue
        assert found is not None
        assert found.statistic == pytest.approx(fit[key], rel=1e-9)
        assert found.p == pytest.approx(fit[f"{key}p"], rel=1e-8)


def test_one_table() -> None:
    """Of one table the Mantel-Haenszel test is chi-squared with (N - 1) / N, and nothing can differ between studies."""
    e = ml.two_by_two(
        {"study": ["a"], "x1": [12], "n1": [40], "x2": [5], "n2": [44]}, events1="x1", n1="n1", events2="x2", n2="n2"
    )
    tests = ml.stratified_tests(e, correct=False)
    plain = stats.chi2_contingency([[12, 28], [5, 39]], correction=False).statistic
    assert tests.cochran is not None
    assert tests.cochran.statistic == pytest.approx(plain)
    assert tests.mantel_haenszel.statistic == pytest.approx(plain * 83 / 84)
    assert tests.breslow_day is not None
    assert tests.breslow_day.df == 0


def test_what_cannot_be_tested_is_an_error() -> None:
    with pytest.raises(DataError, match="counts of two arms"):
        ml.stratified_tests(ml.effects([0.1, 0.2], [0.1, 0.1], measure="OR"))
    with pytest.raises(DataError, match="counts of two arms"):
        ml.stratified_tests(ml.rates({"study": ["a"], "events": [3], "time": [40]}))
    nothing = {"study": ["a", "b"], "x1": [0, 0], "n1": [9, 8], "x2": [0, 0], "n2": [9, 8]}
    e = ml.two_by_two(nothing, events1="x1", n1="n1", events2="x2", n2="n2", measure="RD")
    with pytest.raises(NotEstimableError, match="nothing to test"):
        ml.stratified_tests(e)


def test_arms_that_are_empty_everywhere_say_what_to_do() -> None:
    """No event in either arm of any study, or none in one arm: named, with the ways out."""
    none = {"study": list("AB"), "e1": [0, 0], "n1": [10, 12], "e2": [0, 0], "n2": [11, 10]}
    columns = {"events1": "e1", "n1": "n1", "events2": "e2", "n2": "n2"}
    with pytest.raises(
        ml.errors.DataError, match=r'in both arms of every study \(A, B\).*ml.proportions with model="pooled-counts"'
    ):
        ml.two_by_two(none, **columns, measure="OR")
    effects = ml.two_by_two(none | {"e2": [3, 2]}, **columns, measure="OR")
    with pytest.raises(ml.errors.NotEstimableError, match=r'no one in the arm of interest.*model="peto"'):
        ml.pool(effects, model="mantel-haenszel")
