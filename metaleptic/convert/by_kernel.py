"""A converter for every kind of number that is columns in, one formula, effects out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.convert.assemble import Routes, assemble, open_table
from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, OptionError
from metaleptic.frames import Table, find_column, numbers, where
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects, FloatArray

Check = Callable[[FloatArray], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is asked for: what it holds in words, and what its values must be."""

    name: str | None
    words: str
    above: float = -np.inf
    least: float = -np.inf
    most: float = np.inf
    whole: bool = False
    needed: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A table with its study names and the numbers of the asked columns."""

    table: Table
    names: tuple[str, ...]
    values: Mapping[str, FloatArray]


def read_columns(data: Any, columns: Mapping[str, Column], study: str | None, sheet: str | int | None) -> Read:
    """Read numeric columns and refuse values that cannot be, naming study, row and column."""
    table, names = open_table(data, study, sheet)
    values = {}
    for key, column in columns.items():
        found = find_column(table, column.name, key, needed_for=column.words if column.needed else None)
        x = numbers(table, found, names)
        bad = (x <= column.above) | (x < column.least) | (x > column.most)
        if column.whole:
            bad |= np.isfinite(x) & (x != np.round(x))
        for i in np.flatnonzero(bad).tolist():
            raise DataError(
                f"{where(names[i], i + 1)}: column '{found}' holds {x[i]:g}, but {column.words} must be {_allowed(column)}. "
                "Correct the cell, or leave it empty if the paper does not print it."
            )
        values[key] = x
    return Read(table, names, values)


def _allowed(column: Column) -> str:
    parts = []
    if column.whole:
        parts.append("a whole number")
    if np.isfinite(column.above):
        parts.append(f"above {column.above:g}")
    if np.isfinite(column.least):
        parts.append(f"at least {column.least:g}")
    if np.isfinite(column.most):
        parts.append(f"at most {column.most:g}")
    return " and ".join(parts) or "a number"


def measure_key(measure: str, kernels: Mapping[str, Any]) -> str:
    """Return the key among the kernels there are that is this name, in upper or lower case."""
    found = {key.casefold(): key for key in kernels}.get(str(measure).casefold())
    if found is None:
        raise OptionError(f"measure {measure!r} is unknown. Choose one of: {', '.join(kernels)}.")
    return found


def effects_of(
    read: Read,
    key: str,
    y: FloatArray,
    v: FloatArray,
    how: str | Sequence[str],
    reason: str | Sequence[str],
    *,
    n: FloatArray | None = None,
    events: FloatArray | None = None,
    cells: FloatArray | None = None,
    groups: FloatArray | None = None,
    low: FloatArray | None = None,
    high: FloatArray | None = None,
    label: str | None = None,
    level: float = 0.95,
) -> Effects:
    """Build the effects; rows whose formula has no finite value are excluded with the reason."""
    check_level(level)
    k = len(read.table)
    hows = [how] * k if isinstance(how, str) else list(how)
    reasons = [reason] * k if isinstance(reason, str) else list(reason)
    with np.errstate(invalid="ignore"):
        se = np.sqrt(v)
    routes = Routes(k)
    for words in dict.fromkeys(hows):
        routes.offer(y, np.where([h == words for h in hows], se, np.nan), words)
    return assemble(
        read.table,
        read.names,
        labelled(MEASURES[key], label),
        routes,
        reasons,
        n=n,
        events=events,
        cells=cells,
        groups=groups,
        low=low,
        high=high,
        level=level,
    )
