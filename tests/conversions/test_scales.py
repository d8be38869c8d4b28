"""Transformations agree with R, and each way there has its way back."""

import json
from pathlib import Path

import numpy as np
import pytest

from metaleptic import conversions as cv

GOLDEN = json.loads((Path(__file__).parent / "golden" / "transforms.json").read_text(encoding="utf-8"))
X = np.array(GOLDEN["x"])
MORE = {"pft": (50,), "ipft": (50,), "exp.int": (0.1,), "ilogit.int": (0.1,), "dtomd": (10,)}


def _key(call: str) -> str:
    return call.split("transf.")[1].split("(")[0]


@pytest.mark.parametrize("case", GOLDEN["transforms"], ids=lambda c: _key(c["call"]))
def test_transform_agrees_with_metafor(case: dict[str, object]) -> None:
    """Each transformation at four points, to ten digits; a single number gives a single number."""
    key = _key(str(case["call"]))
    found = cv.TRANSFORMS[key](X, *MORE.get(key, ()))
    np.testing.assert_allclose(found, case["result"], rtol=1e-10, atol=1e-14)
    assert isinstance(cv.TRANSFORMS[key](0.2, *MORE.get(key, ())), float)


def test_every_transform_has_its_value() -> None:
    """The grid is the whole table."""
    assert {_key(c["call"]) for c in GOLDEN["transforms"]} == set(cv.TRANSFORMS)


def test_there_and_back() -> None:
    """What has an inverse returns."""
    p = np.array([0.02, 0.4, 0.97])
    np.testing.assert_allclose(cv.inverse_freeman_tukey(cv.freeman_tukey(p, 30), 30), p, rtol=1e-10)
    np.testing.assert_allclose(cv.smd_from_correlation(cv.correlation_from_smd(p, 20, 35), 20, 35), p, rtol=1e-12)
    for trait in ("logistic", "normal"):
        y = cv.log_odds_ratio_from_smd(p, trait=trait)
        np.testing.assert_allclose(cv.smd_from_log_odds_ratio(y, trait=trait), p, rtol=1e-12)


def test_tables_from_totals() -> None:
    """Cells of 2x2 tables from OR or phi and totals, as metafor's conv.2x2; NaN where no table fits."""
    a, b, c, d = cv.table_from_odds_ratio([2.1, 0.5, 1.0], [200, 300, 40], [100, 140, 20], [90, 120, 20])
    assert np.array_equal(np.stack([a, b, c, d]), [[54, 44, 10], [46, 96, 10], [36, 76, 10], [64, 84, 10]])
    assert cv.table_from_phi(np.sqrt(4.61 / 171), 171, 88, 88) == (52, 36, 36, 47)
    assert np.isnan(cv.table_from_phi(0.9, 100, 90, 10)[0])
