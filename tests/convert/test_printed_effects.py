"""Rows that print a proportion or a ratio with its interval among rows that print counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, ExcludedRowsWarning, OptionError

Z = 1.959963984540054
CELLS = {"events1": "a", "n1": "n1", "events2": "c", "n2": "n2"}
TABLES: dict[str, Any] = {
    "study": ["A", "B", "C", "D"],
    "a": [4, 6, None, None],
    "n1": [100, 80, None, 90],
    "c": [9, 8, None, None],
    "n2": [100, 85, None, None],
    "or": [None, None, 0.6, 0.7],
    "lo": [None, None, 0.3, None],
    "hi": [None, None, 1.2, None],
    "se": [None, None, None, 0.3],
}
COLUMNS = {"estimate": "or", "low": "lo", "high": "hi"}


@pytest.mark.parametrize(
    ("scale", "slope"),
    [("logit", 1 / (0.4 * 0.6)), ("raw", 1.0), ("log", 1 / 0.4), ("arcsine", 1 / (2 * np.sqrt(0.24)))],
)
def test_a_proportion_with_its_interval_or_error(scale: str, slope: float) -> None:
    """The interval on the analysis scale gives the SE there; a printed SE goes by the delta method; counts come first."""
    t = {"study": list("ABC"), "events": [5, None, None], "n": [7, None, None], "proportion": [None, 0.4, 0.4]}
    t |= {"low": [None, 0.3, None], "high": [None, 0.51, None], "se": [None, None, 0.05]}
    found = ml.proportions(t, scale=scale)
    y = found.measure.to_analysis(np.array([0.4, 0.3, 0.51]))
    assert found.y[1:] == pytest.approx([y[0], y[0]])
    assert found.v[1:] == pytest.approx([((y[2] - y[1]) / (2 * Z)) ** 2, (0.05 * slope) ** 2])
    assert (found.low[1], found.high[1]) == pytest.approx((y[1], y[2]))
    assert found.y[0] == ml.proportions({"study": ["A"], "events": [5], "n": [7]}, scale=scale).y[0]
    assert found.printed[1:] == pytest.approx([0.4, 0.4])


def test_probit_and_percent() -> None:
    """The slope of the probit is 1 over the density; bounds and errors follow the unit."""
    t = {"study": ["A"], "proportion": [30], "se": [4]}
    found = ml.proportions(t, scale="probit", unit="percent")
    h = 1e-6
    slope = np.diff(found.measure.to_analysis(np.array([0.3 - h, 0.3 + h])))[0] / (2 * h)
    assert np.sqrt(found.v[0]) == pytest.approx(0.04 * slope, rel=1e-6)


def test_models_of_counts_name_the_studies_without() -> None:
    """They refuse, say who prints no counts, and serve the others once those rows are out."""
    t = {"study": list("ABDC"), "events": [5, 9, 3, None], "n": [17, 30, 9, None], "proportion": [None] * 3 + [0.4]}
    e = ml.proportions(t | {"se": [None, None, None, 0.05]})
    for model in ("binomial-normal", "beta-binomial", "pooled-counts"):
        with pytest.raises(DataError, match="No counts are printed for C: leave them out"):
            ml.pool(e, model=model)
    assert ml.pool(e.take([0, 1, 2]), model="binomial-normal").k == 3
    odds = ml.two_by_two(TABLES, **CELLS, **COLUMNS, measure="OR")
    for model in ("mantel-haenszel", "conditional-approximate"):
        with pytest.raises(DataError, match="No counts are printed for C, D: leave them out"):
            ml.pool(odds, model=model)
    assert ml.pool(odds).k == 4


@pytest.mark.parametrize("measure", ["OR", "RR"])
def test_a_printed_ratio_stands_beside_tables(measure: str) -> None:
    """Interval, then standard error of the logarithm; rows with counts are as without."""
    found = ml.two_by_two(TABLES, **CELLS, **COLUMNS, measure=measure)
    plain = ml.two_by_two({k: v[:2] for k, v in TABLES.items()}, **CELLS, measure=measure)
    assert found.y[:2] == pytest.approx(plain.y)
    assert found.y[2:] == pytest.approx(np.log([0.6, 0.7]))
    assert found.v[2:] == pytest.approx([(np.log(4) / (2 * Z)) ** 2, 0.09])
    assert found.how[2].endswith("as printed, no counts, SE from the 95% CI")
    assert len(found.cells) == 0
    assert len(plain.cells) == 2


def test_differences_and_slips() -> None:
    """A risk difference may be negative; a ratio may not; other measures are not printed; half a row is no row."""
    t = TABLES | {"or": [None, None, -0.1, 0.05], "lo": [None, None, -0.2, None], "hi": [None, None, 0.0, None]}
    assert ml.two_by_two(t, **CELLS, **COLUMNS, measure="RD").y[2:] == pytest.approx([-0.1, 0.05])
    with pytest.raises(DataError, match=r"study 'C' \(row 3\): column 'or' holds -0.1, but a ratio must be above 0"):
        ml.two_by_two(t, **CELLS, **COLUMNS, measure="OR")
    with pytest.raises(OptionError, match="estimate= is taken for measure RR, OR, RD, not for 'AS'"):
        ml.two_by_two(TABLES, **CELLS, estimate="or", measure="AS")
    with pytest.warns(ExcludedRowsWarning, match=r"D \(row 4\): a count is not printed"):
        ml.two_by_two(TABLES | {"se": [None] * 4}, **CELLS, **COLUMNS, measure="OR")


def test_scales_of_proportions_have_metafors_names_too() -> None:
    """The measure, or the scale by it, in either case; two that contradict each other are refused."""
    t = {"study": ["A"], "events": [5], "n": [17]}
    for scale, name in (("logit", "PLO"), ("raw", "PR"), ("log", "PLN"), ("arcsine", "PAS"), ("freeman-tukey", "PFT")):
        ours = ml.proportions(t, scale=scale)
        for theirs in (
            ml.proportions(t, scale=name),
            ml.proportions(t, measure=name),
            ml.proportions(t, measure=name.lower()),
        ):
            assert (theirs.y[0], theirs.v[0], theirs.measure.key) == (ours.y[0], ours.v[0], name)
    with pytest.raises(OptionError, match="both say the scale"):
        ml.proportions(t, scale="raw", measure="PAS")
    with pytest.raises(OptionError, match="scale 'PLX' is unknown"):
        ml.proportions(t, scale="PLX")


def test_measures_in_lower_case_and_methods_by_rs_names() -> None:
    """The names a user of metafor types give the same numbers."""
    t = {"study": ["A"], "a": [4], "n1": [100], "c": [9], "n2": [100]}
    assert ml.two_by_two(t, **CELLS, measure="rd").y == ml.two_by_two(t, **CELLS, measure="RD").y
    assert ml.correlations({"study": ["A"], "r": [0.4], "n": [30]}, measure="cor").measure.key == "COR"
    ways = {"luo": "luo-wan", "shi": "luo-wan-shi", "wan": "wan", "qe": "quantile-estimation", "bc": "box-cox"}
    for theirs, ours in (ways | {"mln": "unknown-non-normal", "hozo": "hozo", "QE": "quantile-estimation"}).items():
        numbers = {"low": 1, "q1": 4, "q3": 9, "high": 20}
        one, two = (ml.conversions.mean_sd_from_quantiles(6, 50, method=m, **numbers) for m in (theirs, ours))
        assert one == pytest.approx(two, nan_ok=True)
