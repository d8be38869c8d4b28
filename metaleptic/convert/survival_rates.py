"""Survival rates at one time point ("12-month overall survival 47%").

Sources: Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data, 2nd ed. 2002, section 1.4
(transformed intervals); Greenwood M. Rep Public Health Med Subj 1926;33:1-26.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metaleptic.convert.assemble import (
    Routes,
    assemble,
    check_bounds,
    check_counts,
    check_positive,
    fill_in,
    open_table,
)
from metaleptic.convert.intervals import se_from_bound, se_from_interval
from metaleptic.convert.units import doubt_mixed, fractions, levels
from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning
from metaleptic.frames import doubt_ignored, find_column, numbers, rounding, where
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects, FloatArray
from metaleptic.warn import warn

SCALES = {"cloglog": "SURV", "logit": "SURVLO", "log": "SURVLN", "arcsine": "SURVAS", "raw": "SURVRAW"}


def survival_rates(
    data: Any,
    *,
    at: float,
    study: str | None = None,
    rate: str | None = None,
    low: str | None = None,
    high: str | None = None,
    se: str | None = None,
    n: str | None = None,
    at_risk: str | None = None,
    time: str | None = None,
    time_unit: str = "months",
    unit: str = "fraction",
    scale: str = "cloglog",
    label: str | None = None,
    level: float | str = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn published survival rates at one time point into transformed rates to pool.

    Per row the best route is taken and named in ``effects.how``: the interval; the (Greenwood) standard
    error; the number still at risk at that time (Peto's S sqrt((1 - S) / R)); the number of patients, taking the rate as a
    binomial proportion (no censoring before ``at``).

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per arm.
    at : float
        The time point; only rates at one common time can be pooled.
    study, rate, low, high, se, n, at_risk : str, optional
        Columns; left out, the columns of these very names are taken if they are there.
    time : str, optional
        Column with each row's time point: rows at other times than ``at`` are excluded with their reason.
    time_unit : str, default "months"
        Unit of ``at`` and ``time``, for headings.
    unit : {"fraction", "percent"}, default "fraction"
        How rates, bounds and standard errors are printed: 0.47 or 47.
    scale : {"cloglog", "logit", "log", "arcsine", "raw"}, default "cloglog"
        Analysis scale: log(-log S) is the log cumulative hazard; logit the log odds of survival; the others serve to
        compare with reviews that used them.
    label : str, optional
        What is survived, for headings; "Survival at 12 months" by default.
    level : float or str, default 0.95
        Level of the intervals, or the column that holds it.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    Effects
        ``y`` is the transformed rate, ``v`` its variance.

    Raises
    ------
    DataError
        If a rate lies outside 0 to 1 (or 0 to 100 percent), or an interval is upside down.

    Notes
    -----
    A rate of exactly 0 or 1 has no finite transform and is excluded with that reason; pool the counts
    with ``ml.proportions`` and ``model="binomial-normal"`` instead. Source: Kalbfleisch JD, Prentice RL.
    The Statistical Analysis of Failure Time Data, 2nd ed. 2002, section 1.4; Peto R et al. Br J Cancer 1977;35:1-39 (at risk).

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.survival_rates({"study": ["Figura"], "rate": [47], "n": [13]}, at=12, unit="percent")
    >>> e.how
    ('complementary log-log, SE from n (binomial, no censoring)',)
    """
    if scale not in SCALES:
        raise OptionError(f"scale {scale!r} is unknown. Choose one of: {', '.join(SCALES)}.")
    if isinstance(at, str) or not 0 < at < np.inf:
        raise OptionError(f"at={at!r} is not a time after the start. Write at=12 for rates at 12 {time_unit}.")
    table, names = open_table(data, study, sheet)
    rate = find_column(table, rate, "rate", needed_for="the survival rates")
    low, high = find_column(table, low, "low"), find_column(table, high, "high")
    se, n = find_column(table, se, "se"), find_column(table, n, "n")
    at_risk = find_column(table, at_risk, "at_risk")
    left = numbers(table, at_risk, names)
    s = fractions(table, rate, unit, names)
    lo, hi = fractions(table, low, unit, names), fractions(table, high, unit, names)
    err = numbers(table, se, names) / (100.0 if unit == "percent" else 1.0)
    size = numbers(table, n, names)
    times = numbers(table, find_column(table, time, time), names) if time is not None else np.full(len(table), at)
    if time is None:
        doubt_ignored(table, "time", f"the time {at:g}", lambda cell: str(cell).strip() not in (f"{at:g}", str(at)))
    doubt_mixed(s, rate, unit, names)
    levels_ = levels(table, level, names)
    check_positive(names, err, se, "a standard error")
    _check_size(names, err, se, unit)
    check_positive(names, size, n, "a number of patients")
    check_counts(names, left, size, (at_risk, n))
    half = rounding(table, rate, low, high) / (100.0 if unit == "percent" else 1.0)
    check_bounds(names, s, lo, hi, (rate or "", low or "low", high or "high"), half)

    measure = MEASURES[SCALES[scale]]
    words = measure.scale
    at_time = times == at
    with np.errstate(invalid="ignore", divide="ignore"):
        y = np.where(at_time, measure.to_analysis(s), np.nan)
        bounds = np.sort(np.stack([measure.to_analysis(lo), measure.to_analysis(hi)]), axis=0)
        slope = _slope(s, scale)
        routes = Routes(len(table))
        for one in np.unique(levels_):
            se_ci = np.where(levels_ == one, se_from_interval(bounds[0], bounds[1], one), np.nan)
            routes.offer(y, se_ci, f"{words}, SE from the {100 * one:g}% CI")
            for bound, other in (bounds, bounds[::-1]):  # the other is 0% or 100%: rounded, or cut off there
                alone = (levels_ == one) & np.isfinite(bound) & np.isinf(other)
                se_one = np.where(alone, se_from_bound(y, bound, one), np.nan)
                routes.offer(y, se_one, f"{words}, SE from the one bound of the {100 * one:g}% CI that is not 0 or 1")
        routes.offer(y, err * slope, f"{words}, Greenwood SE as given")
        routes.offer(y, s * np.sqrt((1 - s) / left) * slope, f"{words}, SE from the number at risk (Peto)")
        routes.offer(y, np.sqrt(s * (1 - s) / size) * slope, f"{words}, SE from n (binomial, no censoring)")
    advice = fill_in(low, high, se, at_risk, n)
    reasons = [_reason(s[i], times[i], at, time_unit, rate, advice) for i in range(len(table))]
    named = labelled(measure, label or f"Survival at {at:g} {time_unit}")
    finite = np.isfinite(bounds).all(axis=0)
    return assemble(
        table,
        names,
        named,
        routes,
        reasons,
        n=size,
        level=levels_,
        low=np.where(finite, bounds[0], np.nan),
        high=np.where(finite, bounds[1], np.nan),
    )


def _check_size(study: Sequence[str], err: FloatArray, column: str | None, unit: str) -> None:
    """Refuse standard errors that no rate can have; doubt percentages as small as if they were fractions."""
    top = 50.0 if unit == "percent" else 0.5
    for i in np.flatnonzero(err > 0.5).tolist():
        hint = 'Is it a percentage? Then say unit="percent".' if unit == "fraction" else "Correct the cell."
        raise DataError(
            f"{where(study[i], i + 1)}: column '{column}' holds {err[i] * 2 * top:g}, but the standard error of a rate "
            f"is at most {top:g} ({unit}). {hint}"
        )
    for i in np.flatnonzero(err < 0.001).tolist():
        warn(
            SuspiciousDataWarning,
            f"{where(study[i], i + 1)}: column '{column}' holds {err[i] * 2 * top:g}, read as {unit}: so small a "
            "standard error needs a hundred thousand patients. Is it in the same unit as the rate?",
        )


def _slope(s: FloatArray, scale: str) -> FloatArray:
    """|dy/ds| of the transform, by which the delta method turns an SE of S into one of y."""
    if scale == "logit":
        return 1 / (s * (1 - s))
    if scale == "log":
        return 1 / s
    if scale == "arcsine":
        return 1 / (2 * np.sqrt(s * (1 - s)))
    return np.ones_like(s) if scale == "raw" else 1 / np.abs(s * np.log(s))


def _reason(s: float, time: float, at: float, time_unit: str, column: str | None, advice: str) -> str:
    if np.isnan(s):
        return f"column '{column}' is empty"
    if time != at:
        return f"the rate is for {time:g} {time_unit}, not {at:g}" if np.isfinite(time) else "no time point is given"
    if s in (0.0, 1.0):
        return f"a survival rate of {100 * s:g}% has no finite transform (pool the counts as proportions)"
    return f"no interval, standard error or number of patients: {advice}"
