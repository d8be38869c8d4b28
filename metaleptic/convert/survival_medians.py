"""Median survival times with interval, events or patients alone.

Sources: Brookmeyer R, Crowley J. Biometrics 1982;38:29-41 (the interval that papers print);
Reid N. Ann Stat 1981;9:78-92 (variance of a Kaplan-Meier median: 1/(4 n f(m)^2)); under an exponential
model and no censoring that makes the SE of the log median 1/(ln 2 sqrt(d)) = 1.4427/sqrt(d).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from metaleptic.convert.assemble import (
    Routes,
    assemble,
    check_bounds,
    check_counts,
    check_not_negative,
    check_positive,
    fill_in,
    open_table,
)
from metaleptic.convert.intervals import se_from_bound, se_from_interval
from metaleptic.convert.units import levels, time_factors
from metaleptic.errors import OptionError
from metaleptic.frames import find_column, numbers, rounding
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects, FloatArray

SE_FACTOR = 1 / np.log(2)
SIDES = ("both", "lower", "upper", "wider")


def survival_medians(
    data: Any,
    *,
    study: str | None = None,
    median: str | None = None,
    low: str | None = None,
    high: str | None = None,
    n: str | None = None,
    events: str | None = None,
    unit: str = "months",
    to: str = "months",
    label: str | None = None,
    level: float | str = 0.95,
    side: str = "both",
    stabilise: bool = False,
    sheet: str | int | None = None,
) -> Effects:
    """Turn published median survival times into log medians to pool.

    Per row the best route is taken and named in ``effects.how``: both bounds of the interval; the lower
    bound alone where the upper is "not reached" (the upper alone where the lower is 0); the number of
    events under an exponential model; the number of patients, each taken as an event.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per arm.
    study, median, low, high, n, events : str, optional
        Columns; left out, the columns of these very names are taken if they are there.
        ``high`` may hold "NR" (not reached); a median that is itself not reached is excluded with its reason.
    unit : str, default "months"
        Unit of the times (days, weeks, months, years), or the column that holds each row's unit.
    to : str, default "months"
        Unit of the result. A month is 365.25/12 days.
    label : str, optional
        What ends the time, for headings ("Median progression-free survival").
    level : float or str, default 0.95
        Level of the intervals, or the column that holds it.
    side : {"both", "lower", "upper", "wider"}, default "both"
        Which side of an interval tells the standard error: Brookmeyer-Crowley intervals are lopsided even on the log scale.
        The width of both sides is the usual choice; the lower side is the one that "not reached" leaves; the wider is the
        cautious one.
    stabilise : bool, default False
        Where the upper bound is not reached, average the (noisy) variance of the lower side with that of the exponential
        model, from events or n.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    Effects
        ``y`` is the log median, ``v`` its variance; ``low`` and ``high`` are the published bounds.

    Raises
    ------
    DataError
        If a number cannot be right.

    Notes
    -----
    Pooling is on the log scale because a standard error on the natural scale grows with the median and so
    gives the short medians the weight. The routes without an interval assume constant hazard; they are
    named in ``how`` and deserve a sensitivity analysis. Sources: Brookmeyer R, Crowley J. Biometrics
    1982;38:29-41; Reid N. Ann Stat 1981;9:78-92.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.survival_medians({"study": ["Ratosa"], "median": [8.3], "low": [5.7], "high": [11.0]})
    >>> e.how
    ('log median, SE from the 95% CI',)
    """
    if side not in SIDES:
        raise OptionError(f"side {side!r} is unknown. Choose one of: {', '.join(SIDES)}.")
    table, names = open_table(data, study, sheet)
    median = find_column(table, median, "median", needed_for="the median survival times")
    low, high = find_column(table, low, "low"), find_column(table, high, "high")
    n, events = find_column(table, n, "n"), find_column(table, events, "events")
    factor = time_factors(table, unit, to, names)
    med = numbers(table, median, names, open_ended=True)
    lo = numbers(table, low, names, open_ended=True)
    hi = numbers(table, high, names, open_ended=True)
    size, died = numbers(table, n, names), numbers(table, events, names)
    at = levels(table, level, names)
    not_reached = np.isposinf(med)
    med = np.where(not_reached, np.nan, med)
    check_positive(names, med, median, "a median survival time")
    check_not_negative(names, lo, low, "a time", "Correct the cell.")
    check_not_negative(names, hi, high, "a time", "Correct the cell.")
    check_positive(names, size, n, "a number of patients")
    check_counts(names, died, size, (events, n))
    half = rounding(table, median, low, high)
    check_bounds(names, med, lo, hi, (median or "", low or "low", high or "high"), half)
    lo = np.where(np.isposinf(lo), np.nan, lo)

    measure = labelled(MEASURES["MEDIAN"], label)
    y, y_low, y_high = (measure.to_analysis(x * factor) for x in (med, lo, hi))
    routes = Routes(len(table))
    with np.errstate(divide="ignore"):
        exponential = SE_FACTOR / np.sqrt(np.where(np.isnan(died), size, died))
    for one in np.unique(at):
        mine, name = at == one, f"{100 * one:g}%"
        two_sided = mine & np.isfinite(y_low) & np.isfinite(y_high)
        by_low, by_high = se_from_bound(y, y_low, one), se_from_bound(y, y_high, one)
        chosen = {
            "both": se_from_interval(y_low, y_high, one),
            "lower": by_low,
            "upper": by_high,
            "wider": np.fmax(by_low, by_high),
        }[side]
        words = "" if side == "both" else f"{side} side of the "
        routes.offer(y, _where(two_sided, chosen), f"log median, SE from the {words}{name} CI")
        open_low = mine & np.isfinite(y_low) & ~np.isfinite(y_high)
        if stabilise:
            routes.offer(
                y,
                _where(open_low & (by_low > 0), np.sqrt((by_low**2 + exponential**2) / 2)),
                f"log median, variance averaged of the lower bound of the {name} CI and the exponential model "
                "(upper not reached)",
            )
        routes.offer(
            y,
            _where(open_low, by_low),
            f"log median, SE from the lower bound of the {name} CI (upper not reached)",
        )
        routes.offer(
            y,
            _where(mine & np.isfinite(y_high) & ~np.isfinite(y_low), by_high),
            f"log median, SE from the upper bound of the {name} CI",
        )
    with np.errstate(divide="ignore"):
        routes.offer(y, SE_FACTOR / np.sqrt(died), "log median, SE from the events (exponential model)")
        routes.offer(y, SE_FACTOR / np.sqrt(size), "log median, SE from n (exponential model, no censoring)")
    advice = fill_in(low, high, events, n)
    reasons = [_reason(not_reached[i], med[i], median, advice) for i in range(len(table))]
    return assemble(
        table,
        names,
        replace(measure, unit=to),
        routes,
        reasons,
        n=size,
        events=died,
        low=_where(np.isfinite(hi) | np.isposinf(hi), y_low),
        high=_where(np.isfinite(lo), y_high),
        level=at,
    )


def _where(condition: Any, values: FloatArray) -> FloatArray:
    return np.where(condition, values, np.nan)


def _reason(not_reached: bool, median: float, column: str | None, advice: str) -> str:
    if not_reached:
        return "the median was not reached, which bounds it but does not estimate it"
    if np.isnan(median):
        return f"column '{column}' is empty"
    return f"no interval, number of events or number of patients: {advice}"
