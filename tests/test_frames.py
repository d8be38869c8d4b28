"""The door for tables: the same answer from every kind of table, and one clear sentence for what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError
from metaleptic.frames import numbers, read_table, rounding, to_frame

COLUMNS = {
    "study": ["Alba", "Bessen", "Chow"],
    "hr": [0.71, 0.95, 0.62],
    "low": [0.50, 0.80, 0.40],
    "high": [1.01, 1.13, 0.96],
}


def as_csv(tmp_path: Path, separator: str = ",", name: str = "t.csv", encoding: str = "utf-8") -> Path:
    """Write the columns as text."""
    lines = [separator.join(COLUMNS), *(separator.join(str(COLUMNS[c][i]) for c in COLUMNS) for i in range(3))]
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def as_excel(tmp_path: Path) -> Path:
    """Write the columns into the second sheet of a workbook."""
    book = openpyxl.Workbook()
    book.active.title = "notes"
    sheet = book.create_sheet("data")
    sheet.append(list(COLUMNS))
    for i in range(3):
        sheet.append([COLUMNS[c][i] for c in COLUMNS])
    book.save(tmp_path / "t.xlsx")
    return tmp_path / "t.xlsx"


KINDS: dict[str, Callable[[Path], Any]] = {
    "dict": lambda _: COLUMNS,
    "list of dicts": lambda _: [{c: COLUMNS[c][i] for c in COLUMNS} for i in range(3)],
    "pandas": lambda _: pd.DataFrame(COLUMNS),
    "polars": lambda _: pl.DataFrame(COLUMNS),
    "pyarrow": lambda _: pa.table(COLUMNS),
    "csv": as_csv,
    "semicolons": lambda p: as_csv(p, ";"),
    "tabs": lambda p: as_csv(p, "\t", "t.tsv"),
    "byte order mark": lambda p: as_csv(p, encoding="utf-8-sig"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_effects(kind: str, tmp_path: Path) -> None:
    """pandas, polars, pyarrow, dicts and text files agree to the last bit."""
    effects = ml.hazard_ratios(KINDS[kind](tmp_path))
    reference = ml.hazard_ratios(COLUMNS)
    assert np.array_equal(effects.y, reference.y)
    assert np.array_equal(effects.v, reference.v)
    assert effects.study == ("Alba", "Bessen", "Chow")


@pytest.mark.parametrize("sheet", ["data", 2])
def test_excel_sheets_by_name_or_number(sheet: str | int, tmp_path: Path) -> None:
    """A sheet is named or counted from 1."""
    effects = ml.hazard_ratios(as_excel(tmp_path), sheet=sheet)
    assert np.array_equal(effects.y, ml.hazard_ratios(COLUMNS).y)


def test_unknown_sheet_lists_the_sheets(tmp_path: Path) -> None:
    """A wrong sheet says which there are."""
    with pytest.raises(DataError, match="notes, data"):
        ml.hazard_ratios(as_excel(tmp_path), sheet="Data1")


@pytest.mark.parametrize(
    ("make", "module"), [(pd.DataFrame, "pandas"), (pl.DataFrame, "polars"), (pa.table, "pyarrow")]
)
def test_tables_go_out_as_they_came_in(make: Callable[[Any], Any], module: str) -> None:
    """to_frame gives back the caller's kind of dataframe."""
    fit = ml.pool(ml.hazard_ratios(make(COLUMNS)))
    for table in (fit.to_frame(), fit.effects.to_frame(), ml.leave_one_out(fit).to_frame()):
        assert type(table).__module__.split(".")[0] == module


def test_unknown_frame_lists_the_choices() -> None:
    """A kind that is not there says which are."""
    with pytest.raises(OptionError, match="pandas, polars, pyarrow"):
        to_frame({"a": [1]}, "excel")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"study,hr,low,high\n", "has no rows below the header"),
        (b"study,hr,hr,high\nA,1,1,1\n", "column 'hr' stands twice"),
        (b"study,,low,high\nA,1,1,1\n", "a column has no name"),
        (b"study,hr,low,high\nA,0.7,0.5,1.0,9\n", r"row 1 \('A'\): 5 cells but 4 columns"),
        ("study,hr,low,high\nMüller,0.7,0.5,1.0\n".encode("latin-1"), "line 2: byte 0xfc is not UTF-8"),
        (b"study,hr\x00\x01", "binary data"),
        (
            b"study,hr,low,high\nA,0.7,0.5\nB,0.8,0.6,1.07\n",
            r"row 1 \('A'\): 3 cells but 4 columns\. Write the separators",
        ),
        (b"study,hr,low,high\nA,0,83,0,7,0,98\n", "7 cells but 4 columns. Write decimals with a point"),
        (
            b'study,hr,low,high,note\nA,0.7,0.5,0.98,"x\nB,0.7,0.5,0.98,\n',
            "line 3: a cell that opens with a double quote",
        ),
        (b'study,hr\n"' + b"x" * 200_000 + b'",0.7\n', "or is far too long"),
        (b"\xef\xbb\xbfstudy,hr\nM\xfcller,0.7\n", "line 2: byte 0xfc is not UTF-8"),
    ],
)
def test_files_that_cannot_be_read_say_why(content: bytes, part: str, tmp_path: Path) -> None:
    """One sentence with the place and the way out."""
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=part) as caught:
        ml.hazard_ratios(path)
    assert "\n" not in str(caught.value)


def test_a_picture_is_no_table(tmp_path: Path) -> None:
    """A PNG renamed to .csv, and a file that is no workbook, are refused in one sentence."""
    (tmp_path / "t.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    (tmp_path / "t.xlsx").write_bytes(b"not a workbook")
    (tmp_path / "t.docx").write_bytes(b"x")
    for name, part in (("t.csv", "not UTF-8"), ("t.xlsx", "not a readable Excel file"), ("t.docx", "cannot be read")):
        with pytest.raises(DataError, match=part):
            read_table(tmp_path / name)


def test_missing_and_huge_files(tmp_path: Path) -> None:
    """A missing file and one of 50 MB say what to do."""
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "no.csv")
    with (tmp_path / "big.csv").open("wb") as stream:
        stream.truncate(50_000_000)
    with pytest.raises(DataError, match="has 50 MB"):
        read_table(tmp_path / "big.csv")


def test_things_that_are_no_tables() -> None:
    """A number, a series of numbers, columns of different length."""
    for wrong in (3, [1, 2], np.zeros(3)):
        with pytest.raises(DataError, match="cannot read a table"):
            read_table(wrong)
    with pytest.raises(DataError, match="differ in length"):
        read_table({"a": [1, 2], "b": [1]})
    with pytest.raises(DataError, match=r"column 'hr' of the table is 0\.5, not a list\. Write \[0\.5\]"):
        read_table({"study": ["A"], "hr": 0.5})
    with pytest.raises(DataError, match="column 'study' of the table is 'ABC', not a list"):
        read_table({"study": "ABC", "hr": [1, 2, 3]})
    with pytest.raises(DataError, match="does not exist"):
        read_table("study,hr\n" + "A,0.5\n" * 100)
    with pytest.raises(DataError, match="two columns have the same name"):
        read_table(pd.DataFrame([["A", 0.5, 0.3, 0.4]], columns=["study", "hr", "low", "low"]))


def test_columns_without_names_are_numbered() -> None:
    """Columns that have no names are numbered by pandas: the number names the column."""
    effects = ml.hazard_ratios(pd.DataFrame([["A", 0.62, 0.40, 0.96]]), study=0, hr=1, low=2, high=3)  # type: ignore[arg-type]
    assert effects.y[0] == np.log(0.62)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(end: str, tmp_path: Path) -> None:
    """Unix, Windows and old Macintosh line ends."""
    (tmp_path / "t.csv").write_bytes(as_csv(tmp_path).read_bytes().replace(b"\n", end.encode()))
    assert np.array_equal(ml.hazard_ratios(tmp_path / "t.csv").y, ml.hazard_ratios(COLUMNS).y)


def test_missing_column_suggests_and_lists() -> None:
    """A slip of case is guessed; the columns there are listed."""
    with pytest.raises(
        DataError, match=r"no column 'hr', needed for the hazard ratios\. Did you mean 'HR'\?.*It has: 'study', 'HR'"
    ):
        ml.hazard_ratios({"study": ["A"], "HR": [0.5]})
    with pytest.raises(DataError, match="no column 'trial'"):
        ml.hazard_ratios(COLUMNS, study="trial")


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("abc", "is not a number"),
        ("0,83", "decimals with a point"),
        ("83%", "percent sign"),
        ("<0.5", "a bound"),
        ("inf", "not a finite number"),
        (float("inf"), "not a finite number"),
    ],
)
def test_text_in_a_number_names_study_row_and_column(cell: object, part: str) -> None:
    """The message names the study, the row counted from 1 below the header, the column, and what to do."""
    with pytest.raises(DataError, match=rf"study 'Bessen' \(row 2\): column 'hr' holds '{cell}', .*{part}"):
        ml.hazard_ratios(COLUMNS | {"hr": [0.71, cell, 0.62]})


@pytest.mark.parametrize("cell", [None, float("nan"), "", "NA", "n/a", "–", pd.NA])
def test_the_usual_words_for_missing(cell: object) -> None:
    """Empty cells in all their forms are missing, not zero."""
    table = read_table({"x": [cell, 1.0]})
    assert np.isnan(numbers(table, "x", ["A", "B"])[0])


def test_points_and_minus_signs_of_printers() -> None:
    """The Lancet's raised decimal point and the true minus sign are read."""
    table = read_table({"x": ["0·83", "−1.5"]})
    assert numbers(table, "x", ["A", "B"]).tolist() == [0.83, -1.5]


def test_rounding_goes_by_the_row() -> None:
    """Printed text shows its own decimals; numbers, which lose zeros, take the longest of their column."""
    assert rounding(read_table({"x": ["71.4", "19"]}), "x").tolist() == [0.05, 0.5]
    assert rounding(read_table({"x": [0.71, 0.5]}), "x").tolist() == [0.005, 0.005]
    assert rounding(read_table({"x": [5e-5, 1e-4]}), "x") == pytest.approx([5e-6, 5e-6], rel=1e-12)
    assert rounding(read_table({"x": ["1.20E3", "2.5e-3"]}), "x") == pytest.approx([0.5, 5e-5], rel=1e-12)
    assert rounding(read_table({"x": ["0.5", "2"], "y": ["0.25", "1"]}), "x", "y").tolist() == [0.005, 0.5]


def test_unnamed_and_repeated_studies() -> None:
    """A study without a name is an error, one that stands twice a warning."""
    with pytest.raises(DataError, match="row 2: column 'study' is empty"):
        ml.hazard_ratios(COLUMNS | {"study": ["A", "", "C"]})
    with pytest.warns(ml.errors.SuspiciousDataWarning, match="study 'A' stands in rows 1, 3"):
        ml.hazard_ratios(COLUMNS | {"study": ["A", "B", "A"]})
