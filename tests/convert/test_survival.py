"""Median survival times and survival rates: routes, units, censored bounds, slips."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, ExcludedRowsWarning, OptionError, SuspiciousDataWarning

Z = 1.959963984540054


def median(**columns: object) -> ml.Effects:
    """Convert one median."""
    return ml.survival_medians({"study": ["Ratosa"]} | {k: [v] for k, v in columns.items()})


def rate(unit: str = "percent", **columns: object) -> ml.Effects:
    """Convert one 12-month rate."""
    return ml.survival_rates({"study": ["Ratosa"]} | {k: [v] for k, v in columns.items()}, at=12, unit=unit)


def test_median_routes() -> None:
    """Both bounds; lower bound alone; events; patients: each named, events before patients."""
    both = median(median=8.3, low=5.7, high=11.0)
    assert np.sqrt(both.v[0]) == pytest.approx(np.log(11 / 5.7) / (2 * Z))
    lower = median(median=8.4, low=4.1, high="NR")
    assert np.sqrt(lower.v[0]) == pytest.approx(np.log(8.4 / 4.1) / Z)
    assert "upper not reached" in lower.how[0]
    assert np.isposinf(lower.high[0])
    upper = median(median=1.3, low=0.0, high=3.2)
    assert np.sqrt(upper.v[0]) == pytest.approx(np.log(3.2 / 1.3) / Z)
    events = median(median=10.6, events=9, n=13)
    assert np.sqrt(events.v[0]) == pytest.approx(1 / (np.log(2) * 3))
    alone = median(median=10.6, n=13)
    assert np.sqrt(alone.v[0]) == pytest.approx(1 / (np.log(2) * np.sqrt(13)))
    assert "no censoring" in alone.how[0]


def test_published_bounds_are_kept() -> None:
    """The study interval shown is the published one, lopsided as it may be."""
    found = median(median=8.3, low=5.2, high=19.6)
    assert np.exp([found.low[0], found.high[0]]) == pytest.approx([5.2, 19.6])


def test_a_bound_equal_to_the_median_gives_no_standard_error() -> None:
    """Lower bound equal to the median with an open upper bound: the SE would be 0, so the next route is taken."""
    found = median(median=5.0, low=5.0, high="NR", n=20)
    assert "from n" in found.how[0]


@pytest.mark.parametrize(("unit", "days"), [("days", 1), ("weeks", 7), ("months", 365.25 / 12), ("years", 365.25)])
def test_units_are_converted_explicitly(unit: str, days: float) -> None:
    """Any unit to months by days; the variance of the log does not change."""
    table = {"study": ["A"], "median": [10.0], "low": [5.0], "high": [20.0]}
    found = ml.survival_medians(table, unit=unit)
    assert np.exp(found.y[0]) == pytest.approx(10 * days / (365.25 / 12))
    assert found.v[0] == pytest.approx(ml.survival_medians(table).v[0])
    assert ml.survival_medians(table, unit=unit, to="weeks").measure.unit == "weeks"


def test_unit_by_row() -> None:
    """A column of units; a word that is no unit names the row."""
    table = {"study": ["A", "B"], "median": [18.3, 4.2], "n": [17, 20], "unit": ["weeks", "months"]}
    assert np.exp(ml.survival_medians(table, unit="unit").y) == pytest.approx([18.3 * 7 / (365.25 / 12), 4.2])
    with pytest.raises(DataError, match=r"study 'B' \(row 2\): column 'unit' holds 'mo', which is not a unit of time"):
        ml.survival_medians(table | {"unit": ["weeks", "mo"]}, unit="unit")
    with pytest.warns(SuspiciousDataWarning, match="column 'unit' holds 'weeks', but the unit months is taken"):
        ml.survival_medians(table)
    with pytest.raises(
        OptionError, match=r"'wks' is neither a unit of time \(days, weeks, months, years\) nor a column"
    ):
        ml.survival_medians(table, unit="wks")
    del table["unit"]
    with pytest.raises(OptionError, match="days, weeks, months, years"):
        ml.survival_medians(table, to="hours")


def test_rates_at_other_times_and_fractions_among_percentages_are_doubted() -> None:
    table = {"study": ["A", "B", "C"], "rate": [40, 0.5, 47], "n": [20, 30, 40], "time": [6, 24, 12]}
    with pytest.warns(SuspiciousDataWarning) as seen:
        ml.survival_rates(table, at=12, unit="percent")
    told = " ".join(str(w.message) for w in seen)
    assert "column 'time' holds 6, but the time 12 is taken for every row" in told
    assert "study 'B' (row 2): column 'rate' holds 0.5, read as 0.5%" in told


def test_medians_that_cannot_be_used() -> None:
    """Not reached, not printed, no uncertainty: excluded with the reason."""
    table = {"study": list("abcd"), "median": ["NR", "", 9, 8], "low": [6.0, "", "", 5.7], "high": ["NR", "", "", 11.0]}
    with pytest.warns(ExcludedRowsWarning, match="3 of 4"):
        found = ml.survival_medians(table)
    assert [x.reason[:24] for x in found.excluded] == [
        "the median was not reach",
        "column 'median' is empty"[:24],
        "no interval, number of e",
    ]


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ({"median": 99.0, "low": 725.0, "high": 220.0}, r"low 725 > high 220\. Are the columns swapped"),
        ({"median": 3.0, "low": 4.0, "high": 6.0}, "lies outside its interval"),
        ({"median": 0, "n": 5}, "a median survival time must be above 0"),
        ({"median": 8.0, "n": 7, "events": 9}, "events 9 > n 7"),
        ({"median": 8.0, "n": 0}, "a number of patients must be above 0"),
        ({"median": 8.0, "n": 7, "events": 3.5}, "a count is a whole number"),
        ({"median": 8.0, "low": -1, "high": 12}, "column 'low' holds -1, but a time cannot be negative"),
        ({"median": 8.0, "high": -1}, "column 'high' holds -1, but a time cannot be negative"),
        ({"median": 8.0, "low": "NR", "high": 12}, r"low is not reached, but high is 12\. Are the columns swapped"),
        ({"median": "8,3", "n": 7}, "column 'median' holds '8,3', .*decimals with a point"),
        ({"median": ">12", "n": 7}, "which is a bound, not a number"),
    ],
)
def test_medians_that_cannot_be_right(columns: dict[str, object], part: str) -> None:
    """Impossible numbers are errors that name the place."""
    with pytest.raises(DataError, match=part):
        median(**columns)


def test_rate_routes() -> None:
    """Interval, Greenwood SE, n: on the complementary log-log scale."""
    both = rate(rate=35.8, low=28, high=45.7)
    assert both.y[0] == pytest.approx(np.log(-np.log(0.358)))
    assert np.sqrt(both.v[0]) == pytest.approx((np.log(-np.log(0.28)) - np.log(-np.log(0.457))) / (2 * Z))
    low, high = both.measure.printed_bounds(both.low, both.high)
    assert (low[0], high[0]) == (pytest.approx(0.28), pytest.approx(0.457))
    greenwood = rate(rate=42, se=6)
    assert np.sqrt(greenwood.v[0]) == pytest.approx(0.06 / abs(0.42 * np.log(0.42)))
    alone = rate(rate=47, n=13)
    assert np.sqrt(alone.v[0]) == pytest.approx(np.sqrt(0.47 * 0.53 / 13) / abs(0.47 * np.log(0.47)))


def test_rate_on_the_logit_scale() -> None:
    """scale="logit"."""
    found = ml.survival_rates({"study": ["A"], "rate": [0.47], "n": [13]}, at=12, scale="logit")
    assert found.y[0] == pytest.approx(np.log(0.47 / 0.53))
    assert found.v[0] == pytest.approx(1 / (13 * 0.47 * 0.53))
    with pytest.raises(OptionError, match="cloglog, logit"):
        ml.survival_rates({"study": ["A"], "rate": [0.47], "n": [13]}, at=12, scale="probit")


def test_only_one_time_point_is_pooled() -> None:
    """Rates at other times are excluded by name."""
    table = {"study": ["A", "B"], "rate": [0.68, 0.47], "n": [13, 13], "time": [6, 12]}
    with pytest.warns(ExcludedRowsWarning, match="the rate is for 6 months, not 12"):
        assert ml.survival_rates(table, at=12, time="time").study == ("B",)


def test_percent_and_fraction_are_not_guessed() -> None:
    """42 as a fraction is refused with the way out; 0.42 as percent is suspicious."""
    with pytest.raises(
        DataError,
        match=r'column .rate. holds 42, outside 0 to 1 \(fraction\)\. Is it a percentage\? Then say unit="percent"',
    ):
        rate(unit="fraction", rate=42, n=82)
    with pytest.warns(SuspiciousDataWarning, match="no value exceeds 1"):
        rate(rate=0.42, n=82)


def test_standard_errors_in_the_wrong_unit() -> None:
    """6 as the SE of a fraction is refused; 0.06 as percent is read, with a question."""
    with pytest.raises(DataError, match=r"column 'se' holds 6, .* at most 0\.5 \(fraction\)\. Is it a percentage"):
        rate(unit="fraction", rate=0.42, se=6)
    with pytest.raises(DataError, match=r"column 'se' holds 60, .* at most 50 \(percent\)\. Correct the cell"):
        rate(rate=42, se=60)
    with pytest.warns(SuspiciousDataWarning, match=r"column 'se' holds 0\.06, read as percent"):
        found = rate(rate=42, se=0.06)
    assert np.sqrt(found.v[0]) == pytest.approx(0.0006 / abs(0.42 * np.log(0.42)))


@pytest.mark.parametrize("at", [0, -1, np.nan, np.inf, "12"])
def test_the_time_point_is_a_time(at: float) -> None:
    """Rates are at a positive, finite time."""
    with pytest.raises(OptionError, match="is not a time after the start"):
        ml.survival_rates({"study": ["A"], "rate": [0.5], "n": [9]}, at=at)


def test_levels_by_row() -> None:
    """A column of levels: 90% bounds give the SE by 1.645, rows without one are 95%."""
    table = {"study": ["a", "b"], "low": [5.0, 5.0], "high": [11.0, 11.0], "level": ["0.90", ""]}
    medians = ml.survival_medians(table | {"median": [8.0, 8.0]}, level="level")
    assert np.sqrt(medians.v) == pytest.approx(np.log(11 / 5) / (2 * np.array([1.6448536269514722, Z])))
    assert [h[-6:] for h in medians.how] == ["90% CI", "95% CI"]
    bounds = {"rate": [0.4, 0.4], "low": [0.3, 0.3], "high": [0.5, 0.5]}
    rates = ml.survival_rates(table | bounds, at=12, level="level")
    assert np.sqrt(rates.v[0] / rates.v[1]) == pytest.approx(Z / 1.6448536269514722)


def test_rates_of_none_and_all_are_excluded() -> None:
    """0% and 100% have no finite transform and say so."""
    table = {"study": list("abc"), "rate": [0, 100, 50], "n": [10, 10, 10]}
    with pytest.warns(ExcludedRowsWarning, match="no finite transform"):
        assert ml.survival_rates(table, at=12, unit="percent").study == ("c",)


def test_the_side_of_a_lopsided_interval_is_a_choice() -> None:
    """Both sides, one, the wider; with the upper bound not reached the lower side may be steadied by the exponential model."""
    table = {"study": ["A", "B"], "median": [8.3, 8.4], "low": [5.7, 4.1], "high": [11.0, "NR"], "n": [82, 14]}
    z = 1.959963984540054
    below, above = np.log(8.3 / 5.7) / z, np.log(11 / 8.3) / z
    for side, se in (("both", (below + above) / 2), ("lower", below), ("upper", above), ("wider", max(below, above))):
        e = ml.survival_medians(table, side=side)
        assert np.sqrt(e.v[0]) == pytest.approx(se, rel=1e-12)
        assert np.sqrt(e.v[1]) == pytest.approx(0.36594791424563972, rel=1e-10)
        assert ("side" in e.how[0]) == (side != "both")
    steady = ml.survival_medians(table, stabilise=True)
    assert steady.v[1] == pytest.approx((0.36594791424563972**2 + (1 / np.log(2)) ** 2 / 14) / 2, rel=1e-10)
    assert "averaged of the lower bound" in steady.how[1]
    with pytest.raises(OptionError, match="Choose one of: both, lower, upper, wider"):
        ml.survival_medians(table, side="left")


def test_a_rate_with_a_bound_of_nothing_or_everyone_takes_the_other() -> None:
    table = {"study": ["a", "b", "c"], "rate": [0.3, 0.7, 0.5], "low": [0, 0.4, 0.3], "high": [0.6, 1.0, 0.7]}
    found = ml.survival_rates(table, at=12, scale="logit")
    z = 1.959963984540054
    logit = np.array([np.log(0.6 / 0.4) - np.log(0.3 / 0.7), np.log(0.7 / 0.3) - np.log(0.4 / 0.6)])
    assert np.sqrt(found.v[:2]) == pytest.approx(logit / z)
    assert "the one bound" in found.how[0]
    assert "the one bound" not in found.how[2]
