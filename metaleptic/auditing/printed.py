"""Published numbers as a paper prints them: lenient to read, because the audit judges what stands there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.errors import DataError
from metaleptic.frames import NOT_REACHED, Table, find_column, is_missing, read_table, texts, where
from metaleptic.types import BoolArray, FloatArray

ESTIMATE_NAMES = ("estimate", "value", "hr", "HR", "or", "OR", "rr", "RR", "median", "rate")
RATIOS = frozenset({"hr", "or", "rr", "hazard ratio", "odds ratio", "risk ratio", "pooled hazard ratio", "ratio"})
DIFFERENCES = frozenset(
    {"difference", "difference in medians", "log hazard ratio", "log odds ratio", "mean difference"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Printed:
    """Arrays of shape (k,) over the rows of a table; NaN where a cell is empty or no number.

    ``half`` is half a unit of the last printed decimal of each row: every number may be off by that.
    ``p_text`` keeps p as printed ("<0.001", "ns").
    """

    study: tuple[str, ...]
    name: tuple[str, ...]
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    level: FloatArray
    half: FloatArray
    p_text: tuple[str, ...]
    events: FloatArray
    n: FloatArray
    percent: BoolArray
    ratio: BoolArray
    difference: BoolArray
    column: str

    def __len__(self) -> int:
        return len(self.study)

    def where(self, i: int) -> str:
        """Name row i in a message: study, its id if the table has one, row."""
        place = where(self.study[i], i + 1)
        return f"{place[:-1]}, {self.name[i]})" if self.name[i] else place

    def interval(self, i: int) -> str:
        """Write the estimate and interval of row i as printed."""
        return f"{self.estimate[i]:g} ({self.low[i]:g} to {self.high[i]:g})"


def read_printed(
    data: Any,
    *,
    study: str | None,
    estimate: str | None,
    low: str | None,
    high: str | None,
    p: str | None,
    level: float | str | None,
    scale: str | None,
    sheet: str | int | None,
) -> Printed:
    """Read a table for the audit; columns left out are looked for under their usual names."""
    table = read_table(data, sheet=sheet)
    studies = find_column(table, study, "study", needed_for="the names of the studies")
    assert studies is not None
    column = estimate or next((name for name in ESTIMATE_NAMES if name in table.columns), None)
    column = find_column(table, column, "estimate", needed_for="the published estimates")
    assert column is not None
    low_name, high_name = find_column(table, low, "low"), find_column(table, high, "high")
    cells = [_cells(table, name) for name in (column, low_name, high_name)]
    kinds = _kinds(table, column, scale)
    units = texts(table, "unit") if "unit" in table.columns else ("",) * len(table)
    return Printed(
        study=texts(table, studies),
        name=texts(table, "id") if "id" in table.columns else ("",) * len(table),
        estimate=_numbers(cells[0]),
        low=_numbers(cells[1]),
        high=_numbers(cells[2]),
        level=_levels(table, level),
        half=np.array([_half_unit(row) for row in zip(*cells, strict=True)]),
        p_text=tuple(_cells(table, find_column(table, p, "p"))),
        events=_numbers(_cells(table, find_column(table, None, "events"))),
        n=_numbers(_cells(table, find_column(table, None, "n"))),
        percent=np.array([u == "percent" for u in units]),
        ratio=np.array([k in RATIOS for k in kinds]),
        difference=np.array([k in DIFFERENCES for k in kinds]),
        column=column,
    )


def _kinds(table: Table, column: str, scale: str | None) -> Sequence[str]:
    if scale is not None:
        if scale not in {"ratio", "difference"}:
            raise DataError(f'scale {scale!r} is unknown. Say scale="ratio" or scale="difference".')
        return (scale,) * len(table)
    if "statistic" in table.columns:
        return [t.lower() for t in texts(table, "statistic")]
    return (column.lower(),) * len(table)


def _levels(table: Table, level: float | str | None) -> FloatArray:
    if isinstance(level, float | int):
        return np.full(len(table), float(level))
    name = find_column(table, level, "level")
    found = _numbers(_cells(table, name))
    return np.where(np.isnan(found), 0.95, found)


def _cells(table: Table, column: str | None) -> list[str]:
    if column is None:
        return [""] * len(table)
    return ["" if is_missing(c) else str(c).strip() for c in table.columns[column]]


def _numbers(cells: Sequence[str]) -> FloatArray:
    return np.array([_number(c) for c in cells])


def _number(cell: str) -> float:
    text = cell.replace("−", "-").replace("·", ".")
    if text.lower() in NOT_REACHED:
        return math.inf
    try:
        return float(text)
    except ValueError:
        return math.nan


def _half_unit(cells: Sequence[str]) -> float:
    """Half a unit of the last decimal: all numbers of a row are taken to be printed alike."""
    decimals = [len(c.partition(".")[2]) for c in cells if math.isfinite(_number(c))]
    return float(0.5 * 10.0 ** -max(decimals, default=0))
