"""What all converters share: the door in (names, bounds in order) and the way out (Effects, exclusions)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.convert.intervals import wald_interval
from metaleptic.errors import DataError, ExcludedRowsWarning, SuspiciousDataWarning
from metaleptic.frames import NOT_REACHED, Table, find_column, is_missing, read_table, texts, where
from metaleptic.types import Effects, Excluded, FloatArray, Measure, frozen_array
from metaleptic.warn import warn


def open_table(data: Any, study: str | None, sheet: str | int | None = None) -> tuple[Table, tuple[str, ...]]:
    """Read the table and the names of its studies; warn of names that stand twice.

    A table in which no column could hold names gets "Study 1" ..., and a warning says so.
    """
    table = read_table(data, sheet=sheet)
    if study is None and "study" not in table.columns and not any(map(_holds_names, table.columns.values())):
        warn(
            SuspiciousDataWarning,
            f"{table.source} names no studies: they are called Study 1 to Study {len(table)}. Add a column 'study'.",
        )
        return table, tuple(f"Study {i + 1}" for i in range(len(table)))
    column = find_column(table, study, "study", needed_for="the names of the studies")
    assert column is not None
    names = texts(table, column)
    for i, name in enumerate(names):
        if not name:
            raise DataError(f"row {i + 1}: column '{column}' is empty. Name the study.")
    warn_of_repeated(names)
    return table, names


def _holds_names(cells: Sequence[Any]) -> bool:
    """Whether a column has words in it, other than what papers print in place of a number."""
    texts_ = (cell.strip().lower() for cell in cells if isinstance(cell, str) and not is_missing(cell))
    return any(text not in NOT_REACHED and not _is_number(text.lstrip("<>≤≥ ")) for text in texts_)


def _is_number(text: str) -> bool:
    try:
        float(text.replace("·", ".").replace("−", "-").rstrip("%"))
    except ValueError:
        return False
    return True


def warn_of_repeated(names: Sequence[str]) -> None:
    """Warn of the first study that stands in several rows."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        rows = ", ".join(str(i + 1) for i, name in enumerate(names) if name == twice[0])
        warn(
            SuspiciousDataWarning,
            f"study '{twice[0]}' stands in rows {rows}. If they share patients keep one of them or see ml.pool_multilevel; "
            "if they are different arms, give each its own name.",
        )


def check_bounds(
    study: Sequence[str],
    estimate: FloatArray,
    low: FloatArray,
    high: FloatArray,
    names: tuple[str, str, str],
    rounding: FloatArray | float = 0.0,
) -> None:
    """Refuse intervals that are upside down or do not hold their estimate.

    Raises
    ------
    DataError
        Naming the study, the row, the columns, and the likely slip.
    """
    est_name, low_name, high_name = names
    for i in np.flatnonzero(np.isposinf(low) & np.isfinite(high)).tolist():
        raise DataError(
            f"{where(study[i], i + 1)}: {low_name} is not reached, but {high_name} is {high[i]:g}. Are the columns swapped?"
        )
    low = np.where(np.isposinf(low), np.nan, low)  # "not reached" says nothing of a lower bound
    for i in np.flatnonzero(low > high).tolist():
        raise DataError(
            f"{where(study[i], i + 1)}: {low_name} {low[i]:g} > {high_name} {high[i]:g}. Are the columns swapped?"
        )
    for i in np.flatnonzero((estimate < low - rounding) | (estimate > high + rounding)).tolist():
        raise DataError(
            f"{where(study[i], i + 1)}: {est_name} {estimate[i]:g} lies outside its interval, "
            f"{low_name} {low[i]:g} to {high_name} {high[i]:g}. Check the three cells against the paper."
        )


def check_positive(study: Sequence[str], values: FloatArray, column: str | None, what: str) -> None:
    """Refuse zero or negative values where only positive ones make sense."""
    for i in np.flatnonzero(values <= 0).tolist():
        raise DataError(
            f"{where(study[i], i + 1)}: column '{column}' holds {values[i]:g}, but {what} must be above 0. "
            "Correct the cell, or leave it empty if the paper does not print it."
        )


def check_not_negative(study: Sequence[str], values: FloatArray, column: str | None, what: str, advice: str) -> None:
    """Refuse negative values where 0 is the least there can be."""
    for i in np.flatnonzero(values < 0).tolist():
        raise DataError(
            f"{where(study[i], i + 1)}: column '{column}' holds {values[i]:g}, but {what} cannot be negative. {advice}"
        )


def check_counts(study: Sequence[str], events: FloatArray, n: FloatArray, names: tuple[str | None, str | None]) -> None:
    """Refuse counts that are negative, not whole, or more events than patients."""
    for values, name in ((events, names[0]), (n, names[1])):
        for i in np.flatnonzero((values < 0) | (np.isfinite(values) & (values != np.round(values)))).tolist():
            raise DataError(
                f"{where(study[i], i + 1)}: column '{name}' holds {values[i]:g}, but a count is a whole number from 0. "
                "Correct the cell."
            )
    for i in np.flatnonzero(events > n).tolist():
        raise DataError(
            f"{where(study[i], i + 1)}: {names[0]} {events[i]:g} > {names[1]} {n[i]:g}. Are the columns swapped?"
        )


def fill_in(*columns: str | None) -> str:
    """Say which of the table's columns could be filled in, to end the reason why a row is not used."""
    there = [f"'{c}'" for c in columns if c is not None]
    if not there:
        return "name the column that holds one"
    return f"fill in column {there[0]}" if len(there) == 1 else f"fill in one of the columns {', '.join(there)}"


class Routes:
    """Fills y and v row by row, best route first, and remembers which route served each row."""

    def __init__(self, k: int) -> None:
        self.y = np.full(k, np.nan)
        self.v = np.full(k, np.nan)
        self.how = [""] * k

    def offer(self, y: FloatArray, se: FloatArray, how: str) -> None:
        """Use this route for every row that has none yet and for which it gives a positive, finite SE."""
        open_rows = np.isnan(self.v) & np.isfinite(y) & np.isfinite(se) & (se > 0)
        self.y[open_rows] = y[open_rows]
        self.v[open_rows] = se[open_rows] ** 2
        for i in np.flatnonzero(open_rows).tolist():
            self.how[i] = how


def assemble(
    table: Table,
    study: Sequence[str],
    measure: Measure,
    routes: Routes,
    reasons: Sequence[str],
    *,
    n: FloatArray | None = None,
    events: FloatArray | None = None,
    low: FloatArray | None = None,
    high: FloatArray | None = None,
    cells: FloatArray | None = None,
    groups: FloatArray | None = None,
    level: FloatArray | float = 0.95,
) -> Effects:
    """Build the Effects from what the routes found; list what they could not use, and why.

    ``low`` and ``high`` are published study intervals on the analysis scale (NaN where none), ``level`` their level or one per
    row. The missing ones, and those of another than the commonest level, are y -+ z se.
    """
    k = len(study)
    own_level = np.broadcast_to(level, (k,))
    values, counts = np.unique(own_level, return_counts=True)
    level = float(values[np.argmax(counts)])
    low, high = (None if b is None else np.where(own_level == level, b, np.nan) for b in (low, high))
    usable = np.isfinite(routes.y) & np.isfinite(routes.v)
    excluded = tuple(Excluded(study[i], i + 1, reasons[i]) for i in range(k) if not usable[i])
    if not usable.any():
        first = "; ".join(str(e) for e in excluded[:3])
        raise DataError(f"{table.source}: no row can be used. {first}.")
    if excluded:
        warn(
            ExcludedRowsWarning,
            f"{len(excluded)} of {k} rows cannot be used: "
            + "; ".join(str(e) for e in excluded[:5])
            + (" ..." if len(excluded) > 5 else "")
            + ". They are listed in .excluded; fill in what the paper prints.",
        )
    wald_low, wald_high = wald_interval(routes.y, routes.v, level)
    shown_low = wald_low if low is None else np.where(np.isnan(low), wald_low, low)
    shown_high = wald_high if high is None else np.where(np.isnan(high), wald_high, high)
    empty = np.full(k, np.nan)
    at = np.flatnonzero(usable)
    return Effects(
        y=frozen_array(routes.y),
        v=frozen_array(routes.v),
        study=tuple(study),
        measure=measure,
        n=frozen_array(empty if n is None else n),
        events=frozen_array(empty if events is None else events),
        columns=MappingProxyType({name: tuple(col) for name, col in table.columns.items()}),
        how=tuple(routes.how),
        low=frozen_array(shown_low),
        high=frozen_array(shown_high),
        row=tuple(range(1, k + 1)),
        excluded=excluded,
        level=level,
        frame_kind=table.kind,
        cells=frozen_array(np.empty((0, 4)) if cells is None else cells),
        groups=frozen_array(np.empty((0, 6)) if groups is None else groups),
    ).take(at)
