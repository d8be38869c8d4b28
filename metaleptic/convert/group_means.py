"""Mean and SD of one group, row by row from whatever is printed of it: SD, SE, interval of the mean, or quantiles.

Sources: Higgins JPT et al. (eds). Cochrane Handbook, 6.5.2 (SD from SE and interval); the paper of each way from quantiles is in
``conversions.QUANTILE_METHODS``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metaleptic.conversions import looks_skewed, mean_sd_from_quantiles, sd_from_interval
from metaleptic.conversions.quantiles import QUANTILE_METHODS, method_named
from metaleptic.convert.assemble import check_bounds, check_positive
from metaleptic.convert.by_kernel import Column, Read, read_columns
from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning
from metaleptic.frames import Table, find_column, numbers, read_table, rounding, where
from metaleptic.types import BoolArray, FloatArray
from metaleptic.warn import warn

OTHERS = ("se", "low", "high", "median", "q1", "q3", "min", "max")


def read_groups(
    data: Any,
    asked: Mapping[str, tuple[str | None, str | None, str | None]],
    columns: Mapping[str, str] | None,
    quantiles: str,
    spread: str,
    study: str | None,
    level: float,
    sheet: str | int | None,
) -> tuple[Read, dict[str, tuple[FloatArray, FloatArray, FloatArray]], list[str]]:
    """Return per group mean, SD and n, and per row what was worked out, in words."""
    check_level(level)
    quantiles = method_named(quantiles)
    table = read_table(data, sheet=sheet)
    more = columns_of(table, list(asked), columns)
    wanted: dict[str, Column] = {}
    for number, (mean, sd, n) in asked.items():
        of = f" of group {number}" if number else ""
        there = {key for key, name in more[number].items() if name is not None}
        wanted |= {
            f"mean{number}": Column(mean, f"the mean{of}", needed="median" not in there),
            f"sd{number}": Column(sd, f"the SD{of}", above=0, needed=not there),
            f"n{number}": Column(n, f"the number of patients{of}", least=2, whole=True),
        }
    read = read_columns(table, wanted, study, sheet)
    groups, words = {}, [""] * len(read.names)
    for number in asked:
        mean_, size = read.values[f"mean{number}"], read.values[f"n{number}"]
        sd_ = _sd(read.values[f"sd{number}"], size, spread)
        mean_, sd_, how = complete(read.table, read.names, mean_, sd_, size, more[number], quantiles, level)
        groups[number] = (mean_, sd_, size)
        label = f"group {number}: " if number else ""
        words = [old + (f"; {label}{new}" if new else "") for old, new in zip(words, how, strict=True)]
    return read, groups, words


def names_of(group: str) -> dict[str, str]:
    """Return the default columns of a group: "median1", "q1_1" ("q1", "q3" alone for a single group)."""
    return {key: f"{key}_{group}" if group and key in ("q1", "q3") else f"{key}{group}" for key in OTHERS}


def columns_of(
    table: Table, groups: Sequence[str], given: Mapping[str, str] | None
) -> dict[str, dict[str, str | None]]:
    """Return per group the columns that the table has besides mean, SD and n.

    Raises
    ------
    OptionError
        If ``given`` names a key that there is not.
    """
    given = given or {}
    defaults = {group: names_of(group) for group in groups}
    known = [name for names in defaults.values() for name in names.values()]
    for key in given:
        if key not in known:
            raise OptionError(f"columns names '{key}', which is none of: {', '.join(known)}.")
    return {
        group: {
            key: find_column(table, given[name], name) if name in given else (name if name in table.columns else None)
            for key, name in names.items()
        }
        for group, names in defaults.items()
    }


def complete(
    table: Table,
    study: Sequence[str],
    mean: FloatArray,
    sd: FloatArray,
    n: FloatArray,
    columns: Mapping[str, str | None],
    method: str,
    level: float,
) -> tuple[FloatArray, FloatArray, list[str]]:
    """Return mean, SD, and per row what they come from ("" where both are printed)."""
    x = {key: numbers(table, columns[key], study) for key in OTHERS}
    check_positive(study, x["se"], columns["se"], "a standard error")
    names = ("the mean", columns["low"] or "low", columns["high"] or "high")
    check_bounds(study, mean, x["low"], x["high"], names, rounding(table, columns["low"], columns["high"]))
    by_quantiles = _from_quantiles(study, x, n, method, np.isnan(mean) | np.isnan(sd))
    with np.errstate(invalid="ignore"):
        ways = (
            (x["se"] * np.sqrt(n), "SD from the SE"),
            (np.asarray(sd_from_interval(x["low"], x["high"], n, level=level)), f"SD from the {100 * level:g}% CI"),
            (by_quantiles[1], f"SD from quantiles, {method}"),
        )
    how = [""] * len(study)
    full = np.array(sd)
    for found, words in ways:
        for i in np.flatnonzero(np.isnan(full) & np.isfinite(found) & (found > 0)).tolist():
            full[i], how[i] = found[i], words
    middle = np.where(np.isnan(mean), by_quantiles[0], mean)
    for i in np.flatnonzero(np.isnan(mean) & np.isfinite(middle)).tolist():
        if how[i] in ("", ways[2][1]):
            how[i] = f"mean{'' if not how[i] else ' and SD'} from quantiles, {method}"
        else:
            how[i] = f"mean from quantiles, {method}, {how[i]}"
    return middle, full, how


def _from_quantiles(
    study: Sequence[str], x: Mapping[str, FloatArray], n: FloatArray, method: str, wanted: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean and SD of the rows that need them and print a median with quartiles or extremes."""
    mean, sd = np.full(len(study), np.nan), np.full(len(study), np.nan)
    spread = np.isfinite(x["q3"] - x["q1"]) | np.isfinite(x["max"] - x["min"])
    for i in np.flatnonzero(wanted & np.isfinite(x["median"]) & np.isfinite(n) & spread).tolist():
        one = {"low": x["min"][i], "q1": x["q1"][i], "q3": x["q3"][i], "high": x["max"][i]}
        try:
            mean[i], sd[i] = mean_sd_from_quantiles(x["median"][i], n[i], method=method, **one)
        except DataError as problem:
            raise DataError(f"{where(study[i], i + 1)}: {str(problem).partition(': ')[2] or problem}") from None
        if method in FOR_SKEWED or not looks_skewed(x["median"][i], n[i], **one):
            continue
        warn(
            SuspiciousDataWarning,
            f"{where(study[i], i + 1)}: its median and quantiles look skewed, but method {method!r} takes them as normal "
            '(Shi J et al. Stat Med 2023;42:1338-1352). Compare quantiles="quantile-estimation" or "unknown-non-normal".',
        )
    return mean, sd


FOR_SKEWED = frozenset({"quantile-estimation", *(key for key, method in QUANTILE_METHODS.items() if method.positive)})


def _sd(values: FloatArray, n: FloatArray, spread: str) -> FloatArray:
    if spread not in ("sd", "se"):
        raise OptionError(f'spread {spread!r} is unknown. Choose "sd" or "se".')
    return values * np.sqrt(n) if spread == "se" else values
