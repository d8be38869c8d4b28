"""What holds for every converter: any table gives the same answer, and every slip is named with study, row and column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, ExcludedRowsWarning, OptionError, SuspiciousDataWarning

STUDIES = ["Alba", "Bessen", "Chow"]


@dataclass(frozen=True)
class Converter:
    """A verb with the options it needs, a table it takes, and its columns of numbers (the first cannot be missing)."""

    verb: Callable[..., ml.Effects]
    options: dict[str, Any]
    table: dict[str, list[Any]]

    @property
    def numbers(self) -> list[str]:
        """Columns that hold numbers."""
        return [c for c in self.table if c != "study"]

    def __call__(self, data: Any, **more: Any) -> ml.Effects:
        """Convert a table."""
        return self.verb(data, **(self.options | more))


CONVERTERS = {
    "hazard_ratios": Converter(
        ml.hazard_ratios,
        {},
        {"study": STUDIES, "hr": [0.71, 0.95, 0.62], "low": [0.50, 0.80, 0.40], "high": [1.01, 1.13, 0.96]},
    ),
    "estimates": Converter(
        ml.estimates, {}, {"study": STUDIES, "estimate": [1.5, -0.5, 2.25], "se": [0.5, 0.75, 1.25]}
    ),
    "survival_medians": Converter(
        ml.survival_medians,
        {},
        {"study": STUDIES, "median": [8.3, 10.5, 5.6], "low": [5.7, 6.9, 2.2], "high": [11.0, 16.1, 9.1]},
    ),
    "survival_rates": Converter(
        ml.survival_rates,
        {"at": 12},
        {"study": STUDIES, "rate": [0.36, 0.47, 0.25], "low": [0.28, 0.30, 0.10], "high": [0.457, 0.62, 0.45]},
    ),
    "proportions": Converter(ml.proportions, {}, {"study": STUDIES, "events": [5, 0, 7], "n": [7, 8, 26]}),
    "two_by_two": Converter(
        ml.two_by_two,
        {"events1": "x1", "n1": "m1", "events2": "x2", "n2": "m2"},
        {"study": STUDIES, "x1": [4, 6, 3], "m1": [123, 306, 231], "x2": [11, 29, 11], "m2": [139, 303, 220]},
    ),
    "means": Converter(
        ml.means,
        {"measure": "SMD"},
        {
            "study": STUDIES,
            "mean1": [10.2, 5.1, 22.5],
            "sd1": [2.1, 1.5, 4.2],
            "n1": [20, 35, 50],
            "mean2": [9.1, 5.5, 20.0],
            "sd2": [2.5, 1.2, 5.1],
            "n2": [22, 30, 48],
        },
    ),
    "standardised_differences": Converter(
        ml.standardised_differences,
        {},
        {"study": STUDIES, "t": [1.5, -2.1, 0.4], "n1": [20, 35, 50], "n2": [22, 30, 48]},
    ),
    "paired_means": Converter(
        ml.paired_means,
        {"measure": "SMCR"},
        {
            "study": STUDIES,
            "mean1": [10.2, 5.1, 22.5],
            "sd1": [2.1, 1.5, 4.2],
            "mean2": [9.1, 5.5, 20.0],
            "sd2": [2.5, 1.2, 5.1],
            "n": [20, 35, 50],
            "r": [0.5, 0.6, 0.3],
        },
    ),
    "single_means": Converter(
        ml.single_means,
        {"measure": "MNLN"},
        {"study": STUDIES, "mean": [10.2, 5.1, 22.5], "sd": [2.1, 1.5, 4.2], "n": [20, 35, 50]},
    ),
    "rates": Converter(ml.rates, {}, {"study": STUDIES, "events": [3, 0, 7], "time": [40.5, 12.2, 80.1]}),
    "two_rates": Converter(
        ml.two_rates,
        {},
        {
            "study": STUDIES,
            "events1": [10, 3, 5],
            "time1": [100.5, 50.2, 80.5],
            "events2": [12, 3, 7],
            "time2": [95.5, 60.1, 70.2],
        },
    ),
    "correlations": Converter(ml.correlations, {}, {"study": STUDIES, "r": [0.1, -0.3, 0.55], "n": [20, 35, 50]}),
    "matched_pairs": Converter(
        ml.matched_pairs,
        {},
        {"study": STUDIES, "both": [20, 11, 5], "first": [12, 8, 4], "second": [5, 9, 3], "neither": [30, 14, 9]},
    ),
    "partial_correlations": Converter(
        ml.partial_correlations,
        {},
        {"study": STUDIES, "t": [1.2, -2.1, 3.3], "n": [20, 35, 50], "predictors": [2, 3, 4]},
    ),
    "squared_correlations": Converter(
        ml.squared_correlations, {}, {"study": STUDIES, "r2": [0.2, 0.3, 0.45], "n": [20, 35, 50]}
    ),
    "reliabilities": Converter(
        ml.reliabilities, {}, {"study": STUDIES, "alpha": [0.7, 0.8, 0.65], "items": [5, 10, 20], "n": [20, 35, 50]}
    ),
    "medians": Converter(
        ml.medians,
        {},
        {"study": STUDIES, "median": [6.2, 5.5, 38.1], "low": [4.1, 4.5, 30.2], "high": [10.3, 6.9, 52.4]},
    ),
}


@pytest.fixture(params=CONVERTERS)
def converter(request: pytest.FixtureRequest) -> Converter:
    """Take each converter in turn."""
    return CONVERTERS[request.param]


def text_file(table: dict[str, list[Any]], path: Path, separator: str = ",") -> Path:
    """Write a table as text."""
    rows = [list(table), *([str(col[i]) for col in table.values()] for i in range(3))]
    path.write_text("".join(separator.join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def workbook(table: dict[str, list[Any]], path: Path) -> Path:
    """Write a table as an Excel workbook."""
    book = openpyxl.Workbook()
    book.active.append(list(table))
    for i in range(3):
        book.active.append([col[i] for col in table.values()])
    book.save(path)
    return path


TABLES: dict[str, Callable[[dict[str, list[Any]], Path], Any]] = {
    "list of dicts": lambda t, _: [{c: t[c][i] for c in t} for i in range(3)],
    "pandas": lambda t, _: pd.DataFrame(t),
    "pandas, strange index": lambda t, _: pd.DataFrame(t, index=[7, 7, -1]),
    "polars": lambda t, _: pl.DataFrame(t),
    "pyarrow": lambda t, _: pa.table(t),
    "csv": lambda t, p: text_file(t, p / "t.csv"),
    "csv by name": lambda t, p: str(text_file(t, p / "t.csv")),
    "tsv": lambda t, p: text_file(t, p / "t.tsv", "\t"),
    "semicolons": lambda t, p: text_file(t, p / "t.csv", ";"),
    "excel": lambda t, p: workbook(t, p / "t.xlsx"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_kind_of_table_gives_the_same_effects(converter: Converter, kind: str, tmp_path: Path) -> None:
    """A dict and every other kind of table agree to the last bit, in effects, bounds, counts, names and routes."""
    ours, plain = converter(TABLES[kind](converter.table, tmp_path)), converter(converter.table)
    for field in ("y", "v", "low", "high", "n", "events"):
        assert np.array_equal(getattr(ours, field), getattr(plain, field), equal_nan=True), field
    assert (ours.study, ours.how, ours.row) == (tuple(STUDIES), plain.how, (1, 2, 3))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_tables_go_out_as_they_came_in(converter: Converter, make: Callable[[Any], Any]) -> None:
    """to_frame gives back the caller's kind of dataframe, with the same numbers."""
    frame = make(converter.table)
    out = converter(frame).to_frame()
    assert type(out) is type(frame)
    assert [float(x) for x in np.asarray(out["y"])] == converter(converter.table).y.tolist()


def test_numbers_written_as_text_are_read(converter: Converter) -> None:
    """A table read as text alone gives the same effects and variances."""
    found = converter({c: [str(x) for x in col] for c, col in converter.table.items()})
    assert np.array_equal(found.y, converter(converter.table).y)
    assert np.array_equal(found.v, converter(converter.table).v)


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("abc", "which is not a number. Correct the cell, or leave it empty"),
        ("0,83", r"which is not a number. Write decimals with a point \(0.83\)"),
        ("1.234,5", "which is not a number. Write decimals with a point"),
        ("42%", "which carries a percent sign. Write the number alone"),
        ("<5", "which is a bound, not a number"),
        ("5 (3-8)", "which is not a number"),
        ("1_0", "which is not a number"),
    ],
)
def test_what_is_no_number_names_study_row_and_column(converter: Converter, cell: str, part: str) -> None:
    """Every column of numbers of every converter: one sentence with study, row, column, the cell, and the way out."""
    for column in converter.numbers:
        cells = [*converter.table[column][:1], cell, *converter.table[column][2:]]
        with pytest.raises(DataError, match=rf"study 'Bessen' \(row 2\).*{part}") as caught:
            converter(converter.table | {column: cells})
        assert f"column '{column}' holds" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_percentage_says_its_unit() -> None:
    """42 where a fraction is meant, in each column of fractions, asks for the unit; with it, all is well."""
    rates = CONVERTERS["survival_rates"]
    for column in rates.numbers:
        with pytest.raises(
            DataError, match=rf"study 'Bessen' \(row 2\): column '{column}' holds 42, .*unit=\"percent\""
        ):
            rates(rates.table | {column: [0.3, 42, 0.3]})
    percent = {c: [100 * x for x in rates.table[c]] for c in rates.numbers}
    assert np.allclose(rates(rates.table | percent, unit="percent").y, rates(rates.table).y, rtol=1e-12)
    with pytest.raises(DataError, match=r"column 'proportion' holds 42, .*unit=\"percent\""):
        ml.proportions({"study": ["A"], "proportion": [42], "n": [50]})
    with pytest.raises(DataError, match=r"holds 142, outside 0 to 100 \(percent\)\. Correct the cell"):
        ml.proportions({"study": ["A"], "proportion": [142], "n": [50]}, unit="percent")
    with pytest.raises(OptionError, match=r"unit 'per cent' is unknown\. Say unit=\"fraction\""):
        ml.proportions({"study": ["A"], "proportion": [42], "n": [50]}, unit="per cent")


@pytest.mark.parametrize("cell", [None, float("nan"), "", "NA", pd.NA, np.float32("nan")])
def test_missing_numbers_exclude_the_row_with_its_reason(converter: Converter, cell: object) -> None:
    """An empty cell of the first column excludes the row: a warning names it, .excluded lists it, the others stay."""
    column = converter.numbers[0]
    table = converter.table | {column: [converter.table[column][0], cell, converter.table[column][2]]}
    with pytest.warns(ExcludedRowsWarning, match=r"1 of 3 rows cannot be used: Bessen \(row 2\): "):
        found = converter(table)
    assert found.study == ("Alba", "Chow")
    assert found.row == (1, 3)
    assert [(x.study, x.row) for x in found.excluded] == [("Bessen", 2)]
    assert found.excluded[0].reason
    assert "1 row excluded" in repr(found)
    assert np.array_equal(found.y, converter(converter.table).y[[0, 2]])


def test_no_row_left(converter: Converter) -> None:
    """If no row can be used that is an error that says why."""
    with pytest.raises(DataError, match=r"the table: no row can be used\. Alba \(row 1\): "):
        converter(converter.table | {converter.numbers[0]: [None] * 3})


def test_missing_columns(converter: Converter) -> None:
    """Without its first column a converter says which it needs and which there are; a slip of a letter is guessed."""
    column = converter.numbers[0]
    rest = {c: v for c, v in converter.table.items() if c != column}
    with pytest.raises(DataError, match=rf"the table has no column '{column}'.* It has: 'study', "):
        converter(rest)
    with pytest.raises(
        DataError, match=r"no column 'study', needed for the names of the studies\. Did you mean 'Study'\?"
    ):
        converter({"Study": STUDIES} | {c: converter.table[c] for c in converter.numbers})
    with pytest.raises(DataError, match=r"no column 'studdy'\. Did you mean 'study'\?"):
        converter(converter.table, study="studdy")


def test_tables_without_names(converter: Converter) -> None:
    """Where no column could hold names the studies are numbered, and a note says so; the numbers are the same."""
    rest = {c: converter.table[c] for c in converter.numbers}
    with pytest.warns(SuspiciousDataWarning, match="names no studies: they are called Study 1 to Study 3"):
        found = converter(rest)
    assert found.study == ("Study 1", "Study 2", "Study 3")
    assert found.y.tolist() == converter(converter.table).y.tolist()
    with pytest.raises(DataError, match="needed for the names of the studies"):
        converter(rest | {"trial": ["Chow 2018", "Gupta 2019", "Hu 2020"]})


def test_studies_that_stand_twice_or_have_no_name(converter: Converter) -> None:
    """A repeated name is a warning with its rows, a missing one an error with its row."""
    with pytest.warns(SuspiciousDataWarning, match="study 'Alba' stands in rows 1, 3"):
        converter(converter.table | {"study": ["Alba", "Bessen", "Alba"]})
    with pytest.raises(DataError, match=r"row 2: column 'study' is empty\. Name the study"):
        converter(converter.table | {"study": ["Alba", None, "Chow"]})


def test_tables_without_rows(converter: Converter, tmp_path: Path) -> None:
    """Header only, as a frame and as a file; an empty file; a file that is not there."""
    header = ",".join(converter.table)
    (tmp_path / "header.csv").write_text(header + "\n", encoding="utf-8")
    (tmp_path / "empty.csv").touch()
    for data, part in (
        (pd.DataFrame(columns=list(converter.table)), "the table has no rows below the header"),
        (tmp_path / "header.csv", r"file 'header\.csv' has no rows below the header"),
        (tmp_path / "empty.csv", r"empty\.csv' is empty\. Save the table again"),
        (tmp_path / "none.csv", r"none\.csv' does not exist\. Check the path"),
    ):
        with pytest.raises(DataError, match=part):
            converter(data)


@pytest.mark.parametrize("level", [95, 0, 1, -0.9, float("nan")])
def test_levels_are_between_0_and_1(converter: Converter, level: float) -> None:
    """95 for 95% is refused by every converter, with the way out."""
    with pytest.raises(OptionError, match=r"is not between 0 and 1\. Write 0\.95 for 95%"):
        converter(converter.table, level=level)


def test_every_effect_says_how_it_was_made(converter: Converter) -> None:
    """Each effect names its route, and repr sums them up in three lines, the same each time."""
    found = converter(converter.table)
    assert all(found.how)
    assert len(found.how) == 3
    lines = repr(found).splitlines()
    assert len(lines) == 3
    assert repr(converter(converter.table)) == repr(found)
    assert lines[2] == "Alba, Bessen, Chow"


def test_arrays_are_read_only_and_records_frozen(converter: Converter) -> None:
    """Nothing in the effects can be changed, and the caller's own lists are not touched."""
    before = {c: list(v) for c, v in converter.table.items()}
    found = converter(converter.table)
    for field in ("y", "v", "n", "events", "low", "high", "cells"):
        assert not getattr(found, field).flags.writeable, field
    with pytest.raises(TypeError):
        found.columns["study"] = ()  # type: ignore[index]
    with pytest.raises(AttributeError):
        found.y = found.v  # type: ignore[misc]
    assert converter.table == before


def test_read_only_input_is_taken(converter: Converter) -> None:
    """Arrays that cannot be written to are read like any other."""
    table: dict[str, Any] = {c: np.array(v) for c, v in converter.table.items()}
    for column in table.values():
        column.flags.writeable = False
    assert np.array_equal(converter(table).y, converter(converter.table).y)
