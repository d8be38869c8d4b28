"""Rows that print the effect itself, with its interval or standard error, among rows that print counts.

Source: Altman DG, Bland JM. BMJ 2011;343:d2090.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import special

from metaleptic.convert.assemble import Routes, check_bounds, check_positive
from metaleptic.convert.intervals import se_from_bound, se_from_interval
from metaleptic.frames import Table, find_column, numbers, rounding
from metaleptic.types import BoolArray, Effects, FloatArray, Measure

WITHOUT_COUNTS = "as printed, no counts"


@dataclass(frozen=True, slots=True)
class Printed:
    """An effect as the paper prints it (a proportion as a fraction), its bounds, and its standard error."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    se: FloatArray


def read_printed(
    table: Table,
    study: Sequence[str],
    columns: tuple[str | None, str | None, str | None, str | None],
    divisor: float = 1.0,
) -> Printed:
    """Read estimate, low, high and SE; ``divisor`` turns percentages into fractions.

    Raises
    ------
    DataError
        If an interval is upside down or does not hold its estimate, or a standard error is not above 0.
    """
    value, low, high, se = columns
    x = Printed(*(numbers(table, column, study) / divisor for column in columns))
    check_positive(study, x.se, se, "a standard error")
    names = (value or "the estimate", low or "low", high or "high")
    check_bounds(study, x.value, x.low, x.high, names, rounding(table, value, low, high) / divisor)
    return x


def columns_found(table: Table, given: Sequence[str | None]) -> tuple[str | None, str | None, str | None, str | None]:
    """Return the columns named, or those of the names "estimate", "low", "high" and "se" where the table has them."""
    found = [
        find_column(table, name, default) if name is not None or default in table.columns else None
        for name, default in zip(given, ("estimate", "low", "high", "se"), strict=True)
    ]
    return found[0], found[1], found[2], found[3]


def offer_printed(
    routes: Routes, measure: Measure, x: Printed, se: FloatArray, rows: BoolArray, level: float
) -> tuple[FloatArray, FloatArray]:
    """Offer the interval, one bound of it, then the standard error (on the analysis scale); return the printed bounds there."""
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.where(rows, measure.to_analysis(x.value), np.nan)
        low, high = (np.asarray(measure.to_analysis(b)) for b in (x.low, x.high))
        words = f"{measure.scale} {WITHOUT_COUNTS}, SE"
        interval = f"{100 * level:g}% CI"
        routes.offer(y, se_from_interval(low, high, level), f"{words} from the {interval}")
        for bound in (low, high):
            routes.offer(y, se_from_bound(y, bound, level), f"{words} from one bound of the {interval}")
        routes.offer(y, se, f"{words} as given")
    both = np.isfinite(y) & np.isfinite(low) & np.isfinite(high)
    return np.where(both, low, np.nan), np.where(both, high, np.nan)


def without_counts(effects: Effects) -> str:
    """Say, to end an error of a model of counts, which studies print no counts; "" if all do."""
    names = [study for study, how in zip(effects.study, effects.how, strict=False) if WITHOUT_COUNTS in how]
    if not names:
        return ""
    return f" No counts are printed for {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}: leave them out of the table."


def _density(p: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-(special.ndtri(p) ** 2) / 2) / np.sqrt(2 * np.pi))


SLOPES: MappingProxyType[str, Callable[[FloatArray], FloatArray]] = MappingProxyType(
    {
        "PLO": lambda p: 1 / (p * (1 - p)),
        "PR": np.ones_like,
        "PLN": lambda p: 1 / p,
        "PAS": lambda p: 1 / (2 * np.sqrt(p * (1 - p))),
        "PFT": lambda p: 1 / (2 * np.sqrt(p * (1 - p))),
        "PRZ": lambda p: 1 / _density(p),
    }
)
"""dy/dp of the scales of proportions, by which the delta method turns the SE of a proportion into one of y."""
