"""Means and SDs from standard errors, intervals and quantiles, row by row and named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.errors import DataError, ExcludedRowsWarning, OptionError, SuspiciousDataWarning

CONTROL = {"mean2": [9.0] * 5, "sd2": [2.0] * 5, "n2": [22] * 5}
MIXED = CONTROL | {
    "study": list("ABCDE"),
    "n1": [20] * 5,
    "mean1": [10.2, 10.0, 9.5, None, 9.9],
    "sd1": [2.1, None, None, None, None],
    "se1": [None, 0.5, None, None, None],
    "low1": [None, None, 8.5, None, None],
    "high1": [None, None, 10.5, None, None],
    "median1": [None, None, None, 9.8, 9.8],
    "q1_1": [None, None, None, 8.0, 8.0],
    "q3_1": [None, None, None, 11.8, 11.8],
}


def test_every_row_takes_what_it_prints() -> None:
    """SD from SE x root n, from the t interval of the mean, mean and SD from quantiles; the way is named."""
    found = ml.means(MIXED)
    mean, sd = ml.conversions.mean_sd_from_quantiles(9.8, 20, q1=8.0, q3=11.8)
    t = stats.t.ppf(0.975, 19)
    sds = np.array([2.1, 0.5 * np.sqrt(20), np.sqrt(20) / t, sd, sd])
    assert found.y == pytest.approx(np.array([10.2, 10.0, 9.5, mean, 9.9]) - 9)
    assert found.v == pytest.approx(sds**2 / 20 + 4 / 22)
    assert [how.partition("; ")[2] for how in found.how] == [
        "",
        "group 1: SD from the SE",
        "group 1: SD from the 95% CI",
        "group 1: mean and SD from quantiles, luo-wan-shi",
        "group 1: SD from quantiles, luo-wan-shi",
    ]


def test_a_table_without_means_is_read_by_its_medians() -> None:
    """Neither mean nor SD columns are needed; columns may have other names; the method is the caller's."""
    t = {"study": ["A"], "n1": [40], "n2": [40], "med": [6.0], "lo": [1.0], "hi": [19.0], "median2": [5.0]}
    t |= {"q1_2": [3.0], "q3_2": [8.0]}
    names = {"median1": "med", "min1": "lo", "max1": "hi"}
    found = ml.means(t, columns=names, quantiles="quantile-estimation")
    one = ml.conversions.mean_sd_from_quantiles(6, 40, low=1, high=19, method="quantile-estimation")
    two = ml.conversions.mean_sd_from_quantiles(5, 40, q1=3, q3=8, method="quantile-estimation")
    assert found.y == pytest.approx(one[0] - two[0])
    assert found.v == pytest.approx((one[1] ** 2 + two[1] ** 2) / 40)
    assert found.how[0].endswith(
        "group 1: mean and SD from quantiles, quantile-estimation; group 2: mean and SD from quantiles, quantile-estimation"
    )


def test_one_group() -> None:
    """Single means take the same ways under the names without a number."""
    t = {"study": ["A", "B"], "n": [30, 30], "mean": [5.0, None], "low": [4.0, None], "high": [6.0, None]}
    t |= {"median": [None, 5.0], "q1": [None, 4.0], "q3": [None, 6.1]}
    found = ml.single_means(t)
    assert found.v[0] == pytest.approx((1 / stats.t.ppf(0.975, 29)) ** 2)
    assert found.how[1] == "mean from means and SDs; mean and SD from quantiles, luo-wan-shi"


def test_skewed_quantiles_are_doubted_and_nonsense_refused() -> None:
    """A lopsided summary under a normal formula warns; bounds that do not hold the mean, order and names are errors."""
    skewed = {"study": ["A"], "n": [50], "median": [6.0], "q1": [4.0], "q3": [11.0]}
    with pytest.warns(SuspiciousDataWarning, match="look skewed"):
        ml.single_means(skewed)
    ml.single_means(skewed, quantiles="unknown-non-normal")
    with pytest.raises(DataError, match=r"study 'A' \(row 1\): first quartile 9 > median 6"):
        ml.single_means(skewed | {"q1": [9.0]})
    with pytest.raises(DataError, match="lies outside its interval"):
        ml.single_means({"study": ["A"], "n": [50], "mean": [7.0], "low": [4.0], "high": [6.0]})
    with pytest.raises(OptionError, match="columns names 'q11', which is none of: se1"):
        ml.means(MIXED, columns={"q11": "x"})
    with pytest.raises(OptionError, match="method 'best' is unknown"):
        ml.means(MIXED, quantiles="best")
    with (
        pytest.warns(ExcludedRowsWarning, match=r"B \(row 2\): a mean, SD or number"),
    ):
        ml.single_means(
            {"study": ["A", "B"], "n": [50, 50], "mean": [7.0, None], "sd": [1.0, None], "median": [None, 5]}
        )


def test_correlations_from_their_tests() -> None:
    """The t statistic and p with n give back the correlation that was tested; r comes first; the sign of p is that of r."""
    r, n = -0.4, 30
    t = r * np.sqrt((n - 2) / (1 - r**2))
    p = 2 * stats.t.sf(abs(t), n - 2)
    table = {"study": list("ABC"), "n": [n] * 3, "r": [r, None, None], "t": [9.0, t, None], "p": [None, None, -p]}
    found = ml.correlations(table)
    assert np.tanh(found.y) == pytest.approx([r] * 3)
    assert [how.removeprefix("Fisher's z from ") for how in found.how] == [
        "r and n",
        "its t statistic and n",
        "its p value and n",
    ]
    assert ml.correlations({"study": ["A"], "n": [n], "t": [t]}, measure="COR").y == pytest.approx([r])
    with pytest.raises(DataError, match="a p value is above 0"):
        ml.correlations({"study": ["A"], "n": [n], "p": [0.0]})
