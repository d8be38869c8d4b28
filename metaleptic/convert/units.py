"""Units of time, of fractions and of confidence levels: converted because the caller said so, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning
from metaleptic.frames import Table, doubt_ignored, find_column, is_missing, numbers, texts, where
from metaleptic.types import FloatArray
from metaleptic.warn import warn

DAYS = MappingProxyType({"days": 1.0, "weeks": 7.0, "months": 365.25 / 12, "years": 365.25})


def time_factor(unit: str, to: str) -> float:
    """Return the factor that turns a time in ``unit`` into ``to`` (a month is 365.25/12 days)."""
    for name in (unit, to):
        if name not in DAYS:
            raise OptionError(f"unit {name!r} is unknown. Choose one of: {', '.join(DAYS)}.")
    return 1.0 if unit == to else DAYS[unit] / DAYS[to]


def time_factors(table: Table, unit: str, to: str, study: Sequence[str]) -> FloatArray:
    """Return one factor per row; ``unit`` is a unit, or the column that holds each row's unit."""
    if unit in DAYS:
        doubt_ignored(table, "unit", f"the unit {unit}", lambda cell: str(cell).strip().lower() != unit)
        return np.full(len(table), time_factor(unit, to))
    if unit not in table.columns:
        raise OptionError(
            f"unit {unit!r} is neither a unit of time ({', '.join(DAYS)}) nor a column of {table.source} that holds one."
        )
    column = find_column(table, unit, unit)
    assert column is not None
    found = texts(table, column)
    for i, name in enumerate(found):
        if name not in DAYS:
            raise DataError(
                f"{where(study[i], i + 1)}: column '{column}' holds '{name}', which is not a unit of time. "
                f"Write one of: {', '.join(DAYS)}."
            )
    return np.array([time_factor(name, to) for name in found])


def fractions(table: Table, column: str | None, unit: str, study: Sequence[str]) -> FloatArray:
    """Return a column of percentages or fractions as fractions.

    Raises
    ------
    DataError
        If a fraction is above 1 or a percentage above 100, or either is negative.
    """
    if unit not in {"fraction", "percent"}:
        raise OptionError(f'unit {unit!r} is unknown. Say unit="fraction" (0.42) or unit="percent" (42).')
    printed = numbers(table, column, study)
    top = 100.0 if unit == "percent" else 1.0
    for i in np.flatnonzero((printed < 0) | (printed > top)).tolist():
        hint = 'Is it a percentage? Then say unit="percent".' if 1 < printed[i] <= 100 else "Correct the cell."
        raise DataError(
            f"{where(study[i], i + 1)}: column '{column}' holds {printed[i]:g}, outside 0 to {top:g} ({unit}). {hint}"
        )
    usable = printed[np.isfinite(printed)]
    if unit == "percent" and usable.size and (usable <= 1).all() and (usable > 0).any():
        warn(
            SuspiciousDataWarning,
            f"column '{column}' is read as percent, but no value exceeds 1. If they are fractions say unit=\"fraction\".",
        )
    return printed / top


def doubt_mixed(values: FloatArray, column: str | None, unit: str, study: Sequence[str]) -> None:
    """Warn of a percentage so far below the others that it looks like a fraction (0.5 beside 40 and 47)."""
    percent = 100 * values
    for i in np.flatnonzero((percent > 0) & (percent < 1)).tolist() if unit == "percent" else ():
        if np.nanmedian(percent) > 10:
            warn(
                SuspiciousDataWarning,
                f"{where(study[i], i + 1)}: column '{column}' holds {percent[i]:g}, read as {percent[i]:g}%, far below the others. "
                "If it is a fraction write it as a percentage too.",
            )


def _number_of(cell: object) -> float:
    try:
        return float(str(cell))
    except ValueError:
        return float("nan")


def check_level(level: float) -> float:
    """Return the level of the intervals if it is one.

    Raises
    ------
    OptionError
        If it is no number between 0 and 1.
    """
    if isinstance(level, str) or not 0 < level < 1:
        raise OptionError(f"level {level!r} is not between 0 and 1. Write 0.95 for 95%.")
    return float(level)


def levels(table: Table, level: float | str, study: Sequence[str]) -> FloatArray:
    """Return each row's confidence level; ``level`` is a number, or the column that holds it (empty: 0.95)."""
    if isinstance(level, str):
        column = find_column(table, level, level)
        values = numbers(table, column, study)
        values = np.where([is_missing(c) for c in table.columns[level]], 0.95, values)
    else:
        values = np.full(len(table), check_level(level))
        doubt_ignored(table, "level", f"the level {level:g}", lambda cell: _number_of(cell) != level)
    for i in np.flatnonzero(~((values > 0) & (values < 1))).tolist():
        raise DataError(
            f"{where(study[i], i + 1)}: confidence level {values[i]:g} is not between 0 and 1. Write 0.95 for 95%."
        )
    if (values < 0.5).any():
        warn(
            SuspiciousDataWarning,
            f"{values.min():g} is read as the level of the intervals, a {100 * values.min():g}% interval. "
            "If the error rate is meant write 0.95 for 95%.",
        )
    return values
