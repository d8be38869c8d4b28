"""Hazard ratios and other estimates: the best route of each row, named; slips refused with the place."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, ExcludedRowsWarning, OptionError, SuspiciousDataWarning

Z = 1.959963984540054


def one(**columns: object) -> ml.Effects:
    """Convert one study."""
    return ml.hazard_ratios({"study": ["Chow"]} | {k: [v] for k, v in columns.items()})


def test_interval() -> None:
    """SE = (log U - log L) / 2z."""
    found = one(hr=0.62, low=0.40, high=0.96)
    assert found.y[0] == pytest.approx(np.log(0.62))
    assert np.sqrt(found.v[0]) == pytest.approx((np.log(0.96) - np.log(0.40)) / (2 * Z))
    assert found.how == ("log hazard ratio, SE from the 95% CI",)
    assert (found.low[0], found.high[0]) == (pytest.approx(np.log(0.40)), pytest.approx(np.log(0.96)))


def test_levels_by_argument_and_by_row() -> None:
    """A 90% interval gives a larger SE; a column of levels is read row by row, 0.95 where it is empty."""
    table = {"study": list("abc"), "hr": [0.5] * 3, "low": [0.3] * 3, "high": [0.83] * 3, "level": ["0.90", "", "0.95"]}
    found = ml.hazard_ratios(table, level="level")
    assert found.v[0] > found.v[1] == found.v[2]
    with pytest.warns(SuspiciousDataWarning, match=r"column 'level' holds '0\.95', but the level 0\.9 is taken"):
        assert found.v[0] == pytest.approx(ml.hazard_ratios(table, level=0.90).v[0])
    assert "90% CI" in found.how[0]
    # Intervals of the commonest level are shown as printed, the other at that level: all under one heading.
    assert found.level == 0.95
    assert np.exp(found.low[1:]) == pytest.approx([0.3, 0.3])
    assert np.exp(found.low[0]) == pytest.approx(0.5 * np.exp(-1.959964 * np.sqrt(found.v[0])))
    with pytest.raises(OptionError, match=r"level 95 is not between 0 and 1\. Write 0\.95"):
        ml.hazard_ratios(table, level=95)
    with pytest.raises(DataError, match=r"study 'b' \(row 2\): confidence level 95 .*Write 0\.95"):
        ml.hazard_ratios(table | {"level": [0.95, 95, 0.9]}, level="level")
    del table["level"]
    with pytest.warns(SuspiciousDataWarning, match=r"0\.05 is read as the level .* a 5% interval"):
        ml.hazard_ratios(table, level=0.05)


def test_columns_that_look_useful_and_are_not_used_are_named() -> None:
    """Bounds under another name, and a column called like an option that says something else."""
    table = {"study": ["a", "b"], "hr": [0.5, 0.7], "p": [0.01, 0.2], "lower": [0.3, 0.4], "CI upper": [0.83, 1.2]}
    with pytest.warns(SuspiciousDataWarning) as seen:
        ml.hazard_ratios(table)
    told = " ".join(str(w.message) for w in seen)
    assert 'Say low="lower"' in told
    assert 'Say high="CI upper"' in told
    named = ml.hazard_ratios(table, low="lower", high="CI upper")
    assert named.how == ("log hazard ratio, SE from the 95% CI",) * 2


def test_one_bound_alone() -> None:
    """A bound that is not reached or rounded to 0 leaves the other: SE = |log HR - log bound| / z."""
    upper_open, lower_zero = one(hr=2.0, low=1.2, high="NR"), one(hr=0.05, low=0.00, high=0.74)
    assert np.sqrt(upper_open.v[0]) == pytest.approx(np.log(2.0 / 1.2) / Z)
    assert "lower bound" in upper_open.how[0]
    assert np.sqrt(lower_zero.v[0]) == pytest.approx(np.log(0.74 / 0.05) / Z)
    assert "upper bound" in lower_zero.how[0]
    assert np.isposinf(upper_open.high[0])


def test_standard_error_and_p_value() -> None:
    """The SE as given; |log HR| / z(p) from a p value."""
    assert one(hr=0.62, se=0.22).v[0] == pytest.approx(0.22**2)
    found = one(hr=0.583, p=0.0433)
    assert np.exp(found.y[0] + np.array([-Z, Z]) * np.sqrt(found.v[0])) == pytest.approx([0.345, 0.984], abs=0.001)
    assert found.how == ("log hazard ratio, SE from the p value",)


def test_best_route_by_row() -> None:
    """The interval goes before the SE, the SE before p; each row says which it took."""
    table = {
        "study": list("abc"),
        "hr": [0.5, 0.6, 0.7],
        "low": [0.3, None, None],
        "high": [0.83, None, None],
        "se": [9.0, 0.2, None],
        "p": [0.9, 0.9, 0.04],
    }
    found = ml.hazard_ratios(table)
    assert [h.rsplit("SE ", 1)[1] for h in found.how] == ["from the 95% CI", "as given", "from the p value"]


def test_rows_that_cannot_be_used_are_listed() -> None:
    """No ratio, no uncertainty, p only as a bound, p with an estimate of exactly 1: each with its reason and a warning."""
    table = {
        "study": list("abcde"),
        "hr": [0.5, None, 0.6, 0.7, 1.0],
        "low": [0.3, 0.1, None, None, None],
        "high": [0.83, 0.9, None, None, None],
        "p": ["", "", "", "<0.001", "0.5"],
    }
    with pytest.warns(ExcludedRowsWarning, match="4 of 5 rows cannot be used"):
        found = ml.hazard_ratios(table)
    reasons = {x.study: x.reason for x in found.excluded}
    assert reasons["b"] == "column 'hr' is empty"
    assert reasons["c"] == "no interval, standard error or p value: fill in one of the columns 'low', 'high', 'p'"
    assert "'<0.001' is only a bound" in reasons["d"]
    assert "exactly the null" in reasons["e"]
    assert found.row == (1,)


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        (
            {"hr": 0.62, "low": 0.96, "high": 0.40},
            r"study 'Chow' \(row 1\): low 0\.96 > high 0\.4\. Are the columns swapped\?",
        ),
        ({"hr": 0.30, "low": 0.40, "high": 0.96}, "hr 0.3 lies outside its interval"),
        ({"hr": 0.0, "low": 0.0, "high": 0.96}, "a ratio must be above 0"),
        ({"hr": -0.48, "se": 0.2}, "a ratio must be above 0"),
        ({"hr": 0.62, "low": -0.9, "high": 0.96}, "a ratio cannot be negative"),
        ({"hr": 0.62, "se": 0}, "column 'se' holds 0, but a standard error must be above 0"),
        ({"hr": 0.62, "se": -0.2}, "column 'se' holds -0.2"),
        ({"hr": 0.62, "p": 1.5}, "column 'p' holds 1.5, but a p value lies between 0 and 1"),
        ({"hr": 0.62, "p": 0}, r"column 'p' holds 0, .* the bound it is, <0\.001"),
        ({"hr": 0.62, "p": "p=0.03"}, r"study 'Chow' \(row 1\): column 'p' holds 'p=0.03', which is not a number"),
        ({"hr": 0.62, "low": 0.40, "high": 0.96, "p": 1.5}, "column 'p' holds 1.5"),
        ({"hr": 0.62, "low": "NR", "high": 0.96}, r"low is not reached, but high is 0\.96\. Are the columns swapped"),
        ({"hr": 0.62, "low": 0.62, "high": 0.62}, "both bounds of the interval are the same number"),
        ({"hr": 0.62, "se": 0.2, "n": -5}, "column 'n' holds -5, but a number of patients must be above 0"),
        ({"hr": "0_62", "se": 0.2}, "column 'hr' holds '0_62', which is not a number"),
        ({"hr": None}, "no row can be used"),
    ],
)
def test_what_cannot_be_right(columns: dict[str, object], part: str) -> None:
    """Impossible numbers are errors that name study, row, column and the likely slip."""
    with pytest.raises(DataError, match=part) as caught:
        one(**columns)
    assert "\n" not in str(caught.value)


def test_rounding_is_no_error() -> None:
    """An estimate that equals its bound after rounding passes."""
    found = ml.estimates({"study": ["A"], "estimate": ["1.0"], "low": ["1.0"], "high": ["3.0"]})
    assert found.how == ("difference, SE from the 95% CI",)


def test_p_values_that_are_not_needed_may_be_written_in_words() -> None:
    """Beside an interval a rounded p of 0.000, a bound, or a remark is left alone."""
    for p in ("0.000", "<0.001", "ns", "0.04 (log-rank)"):
        assert one(hr=0.62, low=0.40, high=0.96, p=p).how == ("log hazard ratio, SE from the 95% CI",)


def test_rounding_of_numbers_in_scientific_notation() -> None:
    """5e-05 has five decimals: an estimate far outside so small an interval is not excused as rounding."""
    tiny = {"study": ["A"], "estimate": [5e-5], "low": [9e-5], "high": [1e-4]}
    with pytest.raises(DataError, match="estimate 5e-05 lies outside its interval"):
        ml.estimates(tiny)


def test_lopsided_interval_is_suspicious() -> None:
    """A ratio far from the middle of its interval on the log scale gives a warning with that middle."""
    with pytest.warns(SuspiciousDataWarning, match=r"study 'Chow' \(row 1\).*its middle is 0\.829"):
        one(hr=1.5, low=0.40, high=1.72)


def test_other_estimates() -> None:
    """Differences have null 0 and their own scale; ratios are logged; a label names them."""
    table = {"study": ["A"], "estimate": [2.0], "low": [1.0], "high": [3.0]}
    difference, ratio = ml.estimates(table, label="Mean difference in KPS"), ml.estimates(table, scale="ratio")
    assert difference.y[0] == 2.0
    assert difference.measure.null == 0
    assert difference.measure.heading == "Mean difference in KPS"
    assert ratio.y[0] == pytest.approx(np.log(2))
    assert ratio.measure.null == 1
    with pytest.raises(OptionError, match="scale"):
        ml.estimates(table, scale="log")


def test_own_effects() -> None:
    """effects() takes y and v as they are and refuses what cannot be."""
    found = ml.effects([0.1, 0.2], [0.04, 0.01])
    assert found.study == ("Study 1", "Study 2")
    for y, v, part in (
        ([0.1], [0.0], "must be above 0"),
        ([0.1], [-1], "must be above 0"),
        ([np.nan], [1], "not a finite effect"),
        ([np.inf], [1], "not a finite"),
        ([], [], "no effects"),
        ([1, 2], [1], "must match"),
        (["a"], [1], "y holds something that is not a number"),
        ([0.1], [None], "not a finite effect"),
    ):
        with pytest.raises(DataError, match=part):
            ml.effects(y, v)
    assert ml.effects([0.1], [1], measure="hr").measure.key == "HR"
    with pytest.raises(OptionError, match="HR"):
        ml.effects([0.1], [1], measure="hazard")
    with pytest.raises(OptionError, match=r"Write 0\.95"):
        ml.effects([0.1], [1], level=95)
    with pytest.raises(DataError, match="study 1 names: they must match"):
        ml.effects([1, 2, 3], [1, 1, 1], study="ABC")
    with pytest.raises(DataError, match=r"study 'Study 2' \(row 2\): column 'n' holds 0"):
        ml.effects([1, 2], [1, 1], n=[5, 0])
    with pytest.raises(DataError, match="n has 1 numbers for 2 effects"):
        ml.effects([1, 2], [1, 1], n=[5])
    with pytest.warns(SuspiciousDataWarning, match="study 'A' stands in rows 1, 3"):
        ml.effects([1, 2, 3], [1, 1, 1], study=["A", "B", "A"])


def test_columns_are_carried_along() -> None:
    """All other columns stay with their rows, also when rows are excluded."""
    table = {"study": list("ab"), "hr": [None, 0.6], "low": [0.3, 0.4], "high": [0.8, 0.9], "dose": ["low", "high"]}
    with pytest.warns(ExcludedRowsWarning):
        assert ml.hazard_ratios(table).columns["dose"] == ("high",)
