"""Medians of uncensored outcomes with the variance that their quartiles tell."""

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, ExcludedRowsWarning, OptionError

GOLDEN = {"S1": 0.8154056908337909, "S2": 0.5947283026169161, "S3": 0.39972503200806964}
ROWS = {
    "study": ["S1", "S2", "S3"],
    "min": [2, None, 1],
    "q1": [None, 4, 4],
    "median": [6, 6, 6],
    "q3": [None, 10, 10],
    "max": [20, None, 32],
    "n": [30, 50, 80],
}


def test_quantile_estimation_agrees_with_metamedian() -> None:
    """qe.study.level of metamedian 1.2.2 (R 4.2.2), to the digits of its optimiser."""
    e = ml.medians(ROWS)
    assert e.v == pytest.approx(list(GOLDEN.values()), rel=2e-5)
    assert set(e.how) == {"median, variance from the fitted log-normal distribution"}
    assert e.measure.label == "Median"


def test_routes_in_order() -> None:
    """Interval before SE before quartiles before a mean with SD; a row with nothing is excluded with its reason."""
    table = {
        "study": list("abcde"),
        "median": [6, 6, 6, None, 6],
        "low": [4, None, None, None, None],
        "high": [8, None, None, None, None],
        "se": [9, 1.5, None, None, None],
        "q1": [4, 4, 4, None, None],
        "q3": [9, 9, 9, None, None],
        "mean": [None, None, 7, 7, None],
        "sd": [None, None, 3, 3, None],
        "n": [36, 36, 36, 36, 36],
    }
    with pytest.warns(ExcludedRowsWarning, match="nothing says how sure it is: fill in one of the columns"):
        e = ml.medians(table, density="spacing")
    assert [h.split(", ")[-1][:11] for h in e.how] == ["SE from the", "SE as given", "variance fr", "SE from the"]
    assert e.y.tolist() == [6, 6, 6, 7]
    assert np.sqrt(e.v) == pytest.approx([2 / 1.959964, 1.5, np.sqrt(36 * 25 / (4 * 18**2)), 0.5], rel=1e-6)


def test_columns_by_other_names_and_slips() -> None:
    """The columns option renames; quantiles out of order name study and row."""
    t = {"study": ["A"], "Md": [6], "Q1": [4], "Q3": [10], "N": [50]}
    e = ml.medians(t, columns={"median": "Md", "q1": "Q1", "q3": "Q3", "n": "N"})
    assert e.v[0] == pytest.approx(GOLDEN["S2"], rel=2e-5)
    with pytest.raises(DataError, match=r"study 'A' \(row 1\): q1 4 > median 3\. Are the columns swapped"):
        ml.medians({"study": ["A"], "median": [3], "q1": [4], "q3": [10], "n": [50]})
    with pytest.raises(OptionError, match="'mode', which is none of: median"):
        ml.medians(t, columns={"mode": "Md"})
    with pytest.raises(OptionError, match="Choose one of: quantile-estimation, spacing"):
        ml.medians(t, density="kernel")
    with pytest.raises(DataError, match="no column 'median', needed for the medians"):
        ml.medians({"study": ["A"], "n": [3]})


def test_differences_take_the_best_route_of_each_group() -> None:
    """First minus second, variances added, both routes named; a group that says nothing is named in the reason."""
    second = {"median2": [5.0, 4.0, 5.0], "low2": [3.0, 3.0, None], "high2": [7.0, 5.5, None], "n2": [40, 50, 60]}
    first = {f"{k}_1" if k in ("q1", "q3") else f"{k}1": v for k, v in ROWS.items() if k != "study"}
    with pytest.warns(ExcludedRowsWarning, match=r"S3 \(row 3\): group 2: nothing says how sure it is"):
        found = ml.medians({"study": ROWS["study"]} | first | second, difference=True)
    one = ml.medians(ROWS)
    se = np.array([4.0, 2.5]) / (2 * 1.959963984540054)
    assert found.y == pytest.approx(one.y[:2] - [5, 4])
    assert found.v == pytest.approx(one.v[:2] + se**2)
    assert found.how[0] == f"difference of medians; group 1: {one.how[0]}; group 2: median, SE from the 95% CI"
    assert found.n.tolist() == [70, 100]
    assert found.measure.key == "MEDD"
    assert found.measure.null == 0
    with pytest.raises(OptionError, match="columns names 'median', which is none of: median1"):
        ml.medians(first | second | {"study": ROWS["study"]}, difference=True, columns={"median": "x"})
    with pytest.raises(DataError, match="needed for the medians of group 2"):
        ml.medians({"study": ROWS["study"]} | first, difference=True)
