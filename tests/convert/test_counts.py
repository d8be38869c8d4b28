"""Proportions and two-by-two tables: counts kept, zero cells named, slips refused."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, ExcludedRowsWarning, OptionError, SuspiciousDataWarning

TABLE = {"study": list("abc"), "x1": [4, 0, 0], "n1": [123, 20, 30], "x2": [11, 2, 0], "n2": [139, 20, 25]}


def two_by_two(**options: str) -> ml.Effects:
    """Convert three trials, one with an empty cell and one without any event."""
    return ml.two_by_two(TABLE, events1="x1", n1="n1", events2="x2", n2="n2", **options)  # type: ignore[arg-type]


def test_counts_are_kept_and_zero_is_named() -> None:
    """0/8 and 7/7 are pooled with a half added to the logit only, and shown as 0% and 100%."""
    found = ml.proportions({"study": list("abc"), "events": [5, 0, 7], "n": [7, 8, 7]})
    assert found.events.tolist() == [5, 0, 7]
    assert found.y[1] == pytest.approx(np.log(0.5 / 8.5))
    assert "1/2 added" in found.how[1]
    assert "1/2 added" not in found.how[0]
    assert found.printed.tolist() == pytest.approx([5 / 7, 0, 1])
    assert found.to_frame()["value"].tolist() == pytest.approx([5 / 7, 0, 1])


def test_counts_are_recovered_where_only_one_fits() -> None:
    """71.4% of 7 is 5; 68.8% of 17 is no count; 50% of 1000 may be 500 only to the printed decimal."""
    table = {"study": list("abc"), "proportion": ["71.4", "68.8", "19"], "n": [7, 17, 26]}
    with pytest.warns(ExcludedRowsWarning, match="no whole number of 17 patients"):
        found = ml.proportions(table, proportion="proportion", unit="percent")
    assert found.events.tolist() == [5, 5]
    assert "recovered" in found.how[0]
    rough = ml.proportions({"study": ["a"], "proportion": ["50"], "n": [1000]}, unit="percent")
    assert rough.how == ("logit as printed, no counts, from the proportion and n (495 to 505 events of 1000 give it)",)
    assert (rough.y[0], rough.v[0]) == pytest.approx((0, 4 / 1000))
    assert np.isnan(rough.events[0])


@pytest.mark.parametrize(
    ("events", "n", "part"),
    [
        (9, 7, r"study 'a' \(row 1\): events 9 > n 7\. Are the columns swapped"),
        (-1, 7, "a count is a whole number"),
        (2.5, 7, "a count is a whole number"),
        (0, 0, "must be above 0"),
    ],
)
def test_counts_that_cannot_be_right(events: float, n: float, part: str) -> None:
    """More events than patients, negative and broken counts, no patients."""
    with pytest.raises(DataError, match=part):
        ml.proportions({"study": ["a"], "events": [events], "n": [n]})


def test_empty_cells_and_silent_studies() -> None:
    """An empty cell gets a half, named; a study without events in both arms is excluded for ratios, kept for differences."""
    with pytest.warns(ExcludedRowsWarning, match="in both arms"):
        ratio = two_by_two(measure="OR")
    assert ratio.study == ("a", "b")
    assert "0.5 added" in ratio.how[1]
    assert ratio.y[1] == pytest.approx(np.log(0.5 / 20.5 * 18.5 / 2.5))
    assert len(two_by_two(measure="RD")) == 3
    assert len(two_by_two(measure="OR", double_zero="correct")) == 3


def test_unknown_measure_lists_the_choices() -> None:
    """A slip names the measures."""
    with pytest.raises(OptionError, match="RR, OR, RD"):
        two_by_two(measure="HR")
    with pytest.raises(OptionError, match="exclude"):
        two_by_two(double_zero="keep")


def test_counts_swapped_between_columns() -> None:
    """More events than patients in an arm names the two columns."""
    with pytest.raises(DataError, match="x1 200 > n1 123"):
        ml.two_by_two(TABLE | {"x1": [200, 0, 0]}, events1="x1", n1="n1", events2="x2", n2="n2")


def test_counts_that_contradict_the_printed_proportion() -> None:
    """5 of 7 printed as 90% is a slip somewhere: the counts are used, with a question; rounding is none."""
    table = {"study": ["a", "b"], "events": [5, 5], "n": [7, 7], "proportion": ["90", "71"]}
    with pytest.warns(
        SuspiciousDataWarning, match=r"study 'a' \(row 1\): events 5 of n 7 is 71\.4%, .* prints 90%"
    ) as caught:
        found = ml.proportions(table, unit="percent")
    assert len(caught) == 1
    assert found.events.tolist() == [5, 5]


@pytest.mark.parametrize("continuity", [-0.5, float("nan"), float("inf")])
def test_a_correction_is_a_number_from_zero(continuity: float) -> None:
    """Nothing negative or infinite is added to a count; 0 leaves studies with an empty cell out."""
    columns = {"events1": "x1", "n1": "n1", "events2": "x2", "n2": "n2"}
    with pytest.raises(OptionError, match="cannot be added to a count"):
        ml.two_by_two(TABLE, **columns, continuity=continuity)
    with pytest.warns(ExcludedRowsWarning, match=r"b \(row 2\): a count is not printed, or an empty cell was left"):
        assert ml.two_by_two(TABLE, **columns, continuity=0, measure="OR").study == ("a",)


@pytest.mark.parametrize("level", [95, 0, 1, -0.5, "0.95"])
def test_levels_that_are_none(level: float) -> None:
    """Neither proportions nor tables take 95 for 95%."""
    with pytest.raises(OptionError, match=r"Write 0\.95 for 95%"):
        ml.proportions({"study": ["a"], "events": [1], "n": [5]}, level=level)
    with pytest.raises(OptionError, match=r"Write 0\.95 for 95%"):
        ml.two_by_two(TABLE, events1="x1", n1="n1", events2="x2", n2="n2", level=level)


@pytest.mark.parametrize("n", [8, 33, 250, 251, 1000, 4002])
def test_unbiased_correlations_exist_for_every_n(n: int) -> None:
    """Where SciPy's hypergeometric function gives NaN (n = 250, r = 0.05) the series is summed: Olkin-Pratt to first order."""
    e = ml.correlations({"study": ["A", "B"], "r": [0.05, 0.0], "n": [n, n]}, measure="UCOR", variance="UB")
    assert e.y[0] == pytest.approx(0.05 * (1 + (1 - 0.05**2) / (2 * (n - 2))), rel=4 / n**2)
    assert e.y[1] == 0


def test_advice_for_rates_without_events_fits_what_there_is() -> None:
    table = {"study": list("abc"), "x1": [4, 0, 0], "t1": [100, 20, 30], "x2": [11, 2, 0], "t2": [120, 20, 25]}
    columns = {"events1": "x1", "time1": "t1", "events2": "x2", "time2": "t2"}
    with pytest.warns(SuspiciousDataWarning, match='c: no events in either arm.*model="poisson-normal"'):
        kept = ml.two_rates(table, **columns)
    assert np.isfinite(ml.pool(kept, model="poisson-normal").beta).all()
    with pytest.warns(SuspiciousDataWarning, match='an arm has no events in any study.*measure="IRD"'):
        ml.two_rates(table | {"x1": [0, 0, 0]}, **columns)
    differences = ml.two_rates(table | {"x1": [0, 0, 0]}, measure="IRD", **columns)
    assert np.isfinite(ml.pool(differences, model="mantel-haenszel").beta).all()
    with pytest.warns(SuspiciousDataWarning, match="as no study has events, bound the rate of an arm"):
        ml.two_rates(table | {"x1": [0, 0, 0], "x2": [0, 0, 0]}, **columns)


def test_advice_for_tables_in_which_no_one_had_the_event_works() -> None:
    nothing = {"study": list("ab"), "x1": [0, 0], "n1": [12, 20], "x2": [0, 0], "n2": [12, 22]}
    with pytest.raises(DataError, match=r'ml\.proportions with model="pooled-counts"'):
        ml.two_by_two(nothing, events1="x1", n1="n1", events2="x2", n2="n2")
    bound = ml.pool(ml.proportions(nothing, events="x1", n="n1"), model="pooled-counts")
    assert 0 < bound.estimate.high < 0.2


def test_a_covariance_matrix_is_sent_to_the_model_that_takes_it() -> None:
    matrix = np.array([[0.04, 0.01], [0.01, 0.09]])
    with pytest.raises(DataError, match=r"ml.pool_multilevel\(effects, V=V\)"):
        ml.effects([0.1, 0.2], matrix)
    assert np.isfinite(ml.pool_multilevel(ml.effects([0.1, 0.2], np.diag(matrix)), V=matrix, random=None).beta).all()
