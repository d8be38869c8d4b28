"""Estimates with an interval, a standard error or a p value: hazard ratios and anything alike.

Sources: Tierney JF et al. Trials 2007;8:16; Altman DG, Bland JM. BMJ 2011;343:d2090 and d2304.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from metaleptic.convert.assemble import (
    Routes,
    assemble,
    check_bounds,
    check_not_negative,
    check_positive,
    fill_in,
    open_table,
)
from metaleptic.convert.hazard_routes import Indirect, offer_indirect
from metaleptic.convert.intervals import lopsided_on_log_scale, se_from_bound, se_from_interval, se_from_p
from metaleptic.convert.two_arm_times import arm_columns, offer_arms
from metaleptic.convert.units import levels
from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning
from metaleptic.frames import Table, find_column, is_missing, numbers, rounding, where
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects, FloatArray, Measure
from metaleptic.warn import warn


def hazard_ratios(
    data: Any,
    *,
    study: str | None = None,
    hr: str | None = None,
    low: str | None = None,
    high: str | None = None,
    se: str | None = None,
    p: str | None = None,
    n: str | None = None,
    flipped: str | None = None,
    o_minus_e: str | None = None,
    variance: str | None = None,
    chi2: str | None = None,
    p_logrank: str | None = None,
    favours: str | None = None,
    events: str | None = None,
    events1: str | None = None,
    events2: str | None = None,
    n1: str | None = None,
    n2: str | None = None,
    median1: str | None = None,
    median2: str | None = None,
    rate1: str | None = None,
    rate2: str | None = None,
    label: str | None = None,
    level: float | str = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn published hazard ratios, or the log-rank test in their place, into effects to pool.

    Per row the best route that the row allows is taken and named in ``effects.how``: the interval; one bound of it, if
    the other is not reached or rounded to 0; the standard error; the p value; the events alone; O - E with its variance; the
    log-rank chi-squared or p with the events; two survival rates; two medians.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        Any pandas, polars or pyarrow frame, dict of columns, CSV or Excel file; one row per study.
    study, hr, low, high, n : str, optional
        Columns; left out, the columns of these very names are taken if they are there.
    se : str, optional
        Column with the standard error of the *log* hazard ratio.
    p : str, optional
        Column with the two-sided p value (Wald or log-rank) of the hazard ratio.
    flipped : str, optional
        Column that is true where the paper prints arm 2 against arm 1: the ratio and its bounds are turned round.
    o_minus_e, variance : str, optional
        Columns with observed minus expected events of arm 1 and their variance.
    chi2, p_logrank, favours : str, optional
        Columns with the log-rank chi-squared or two-sided p, and which arm did better (1 or 2).
    events, events1, events2, n1, n2 : str, optional
        Columns with the total of events, events by arm, and patients by arm.
    median1, median2, rate1, rate2 : str, optional
        Columns with medians and survival rates (fractions, at one time) of the arms: weak routes, taken with a warning.
    label : str, optional
        What the hazard ratio is of, for headings ("Hazard ratio for death").
    level : float or str, default 0.95
        Level of the intervals, or the column that holds it.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    Effects
        ``y`` is the log hazard ratio, ``v`` its variance.

    Raises
    ------
    DataError
        If a number cannot be right (interval upside down, estimate outside it, negative ratio).

    Notes
    -----
    Sources: Parmar MKB et al. Stat Med 1998;17:2815-2834; Tierney JF et al. Trials 2007;8:16. From whole curves with
    numbers at risk see ``ml.curve_hazard_ratio``, and better ``ml.reconstruct``.

    Examples
    --------
    >>> import metaleptic as ml
    >>> hr = ml.hazard_ratios({"study": ["Chow", "Gupta"], "hr": [0.62, 0.78], "low": [0.40, 0.61], "high": [0.96, 1.00]})
    >>> hr.y.round(3)
    array([-0.478, -0.248])
    """
    table, names = open_table(data, study, sheet)
    given = Indirect(
        *(o_minus_e, variance, chi2, p_logrank, favours, events, events1, events2, n1, n2),
        *(median1, median2, rate1, rate2),
    )
    indirect = any(
        c in table.columns or getattr(given, c) for c in ("o_minus_e", "chi2", "p_logrank", "median1", "rate1")
    )
    value = find_column(table, hr, "hr", needed_for=None if indirect else "the hazard ratios")
    columns = (value, low, high, se, p, n)
    return _contrasts(table, names, labelled(MEASURES["HR"], label), *columns, level, given, flipped)


def estimates(
    data: Any,
    *,
    study: str | None = None,
    estimate: str | None = None,
    low: str | None = None,
    high: str | None = None,
    se: str | None = None,
    p: str | None = None,
    n: str | None = None,
    scale: str = "difference",
    label: str | None = None,
    level: float | str = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn any published estimate with its interval, standard error or p value into effects to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    study, estimate, low, high, se, p, n : str, optional
        Columns; left out, the columns of these very names are taken if they are there. For ratios ``se`` is
        the standard error of the logarithm.
    scale : {"difference", "ratio"}, default "difference"
        Ratios are analysed as logarithms and have 1 as their null, differences as they are with null 0.
    label : str, optional
        What the estimate is, for headings ("Mean difference in KPS").
    level : float or str, default 0.95
        Level of the intervals, or the column that holds it.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    Effects
        ``y`` is the estimate (its logarithm for ratios), ``v`` its variance.

    Raises
    ------
    DataError
        If a number cannot be right.

    Notes
    -----
    Source: Altman DG, Bland JM. BMJ 2011;343:d2090 and d2304.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.estimates({"study": ["A"], "estimate": [2.0], "se": [0.5]}).v
    array([0.25])
    """
    if scale not in {"difference", "ratio"}:
        raise OptionError(f'scale {scale!r} is unknown. Say scale="ratio" or scale="difference".')
    measure = labelled(MEASURES["RATIO" if scale == "ratio" else "DIFF"], label)
    table, names = open_table(data, study, sheet)
    value = find_column(table, estimate, "estimate", needed_for="the estimates")
    return _contrasts(table, names, measure, value, low, high, se, p, n, level)


def restricted_means(
    data: Any,
    *,
    horizon: float,
    study: str | None = None,
    rmst: str | None = None,
    low: str | None = None,
    high: str | None = None,
    se: str | None = None,
    p: str | None = None,
    n: str | None = None,
    difference: bool = False,
    columns: Mapping[str, str] | None = None,
    time_unit: str = "months",
    label: str | None = None,
    level: float | str = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn restricted mean survival times of single arms, or differences of them, into effects to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    horizon : float
        The time up to which survival was averaged; only values at one common horizon can be pooled.
    study, rmst, low, high, se, p, n : str, optional
        Columns; left out, the columns of these very names are taken if they are there. ``p`` serves differences only.
    difference : bool, default False
        Differences between two arms (null 0) instead of single arms: those that ``rmst`` holds, or, where it is empty, those
        of the arms' own restricted means, first minus second.
    columns : mapping, optional
        Names of the columns of the arms where they differ: of "rmst1", "low1", "high1", "se1", and the same of arm 2.
    time_unit : str, default "months"
        Unit of the times.
    label, level, sheet
        As in ``ml.estimates``.

    Returns
    -------
    Effects
        On the scale of time.

    Raises
    ------
    DataError
        If a restricted mean lies outside 0 to the horizon, or an interval is upside down.

    Notes
    -----
    Values at several horizons of one study are correlated: pool one horizon, or all with ``ml.pool_multilevel`` and their
    covariances. From patients or a reconstruction: ``ml.km(...).restricted_mean(horizon)``. Source: Royston P, Parmar
    MKB. BMC Med Res Methodol 2013;13:152.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.restricted_means({"study": ["A"], "rmst": [18.2], "se": [1.1]}, horizon=24)
    >>> e.measure.heading
    'Restricted mean survival to 24 months, months'
    """
    if not 0 < horizon < np.inf:
        raise OptionError(f"horizon {horizon!r} is not a time after the start.")
    table, names = open_table(data, study, sheet)
    arms = arm_columns(table, columns) if difference else {}
    two = arms.get("rmst1") is not None and arms.get("rmst2") is not None
    value = find_column(table, rmst, "rmst", needed_for=None if two else "the restricted means")
    limit = numbers(table, value, names)
    for i in np.flatnonzero((np.abs(limit) > horizon) | (not difference) & (limit < 0)).tolist():
        raise DataError(
            f"{where(names[i], i + 1)}: column '{value}' holds {limit[i]:g}, but a restricted mean to {horizon:g} lies "
            f"between {-horizon if difference else 0:g} and {horizon:g}. Is it in another unit?"
        )
    base = MEASURES["RMSTD" if difference else "RMST"]
    words = f"{base.label} to {horizon:g} {time_unit}"
    measure = replace(labelled(base, label or words), unit=time_unit)

    def offer(routes: Routes, at: FloatArray) -> None:
        if two:
            offer_arms(routes, table, names, arms, horizon, at)

    return _contrasts(table, names, measure, value, low, high, se, p if difference else None, n, level, also=offer)


def _contrasts(
    table: Table,
    study: tuple[str, ...],
    measure: Measure,
    value: str | None,
    low: str | None,
    high: str | None,
    se: str | None,
    p: str | None,
    n: str | None,
    level: float | str,
    given: Indirect | None = None,
    flipped: str | None = None,
    also: Callable[[Routes, FloatArray], None] | None = None,
) -> Effects:
    """Take the routes for estimates on a ratio or difference scale."""
    low, high = find_column(table, low, "low"), find_column(table, high, "high")
    se, p = find_column(table, se, "se"), find_column(table, p, "p")
    n = find_column(table, n, "n")
    est = numbers(table, value, study)
    lo = numbers(table, low, study, open_ended=True)
    hi = numbers(table, high, study, open_ended=True)
    size = numbers(table, n, study)
    err = numbers(table, se, study)
    at = levels(table, level, study)
    ratio = measure.axis == "log"
    turned = _turned(table, study, flipped)
    half = rounding(table, value, low, high)
    check_positive(study, err, se, "a standard error")
    check_positive(study, size, n, "a number of patients")
    if ratio:
        check_positive(study, est, value, "a ratio")
        advice = 'Is it a logarithm? Then use ml.estimates(..., scale="difference").'
        check_not_negative(study, lo, low, "a ratio", advice)
        check_not_negative(study, hi, high, "a ratio", advice)
    check_bounds(study, est, lo, hi, (value or "estimate", low or "low", high or "high"), half)
    lo = np.where(np.isposinf(lo), np.nan, lo)
    if ratio:
        _warn_lopsided(study, est, lo, hi, half, measure)
    y, y_low, y_high = measure.to_analysis(est), measure.to_analysis(lo), measure.to_analysis(hi)
    y, y_low, y_high = (np.where(turned, -a, b) for a, b in ((y, y), (y_high, y_low), (y_low, y_high)))
    scale = measure.scale
    with np.errstate(invalid="ignore"):
        routes = Routes(len(table))
        _offer_by_level(
            routes,
            at,
            y,
            np.where(np.isfinite(y_low + y_high), se_from_interval(y_low, y_high, at), np.nan),
            f"{scale}, SE from the {{}} CI",
        )
        _offer_by_level(
            routes,
            at,
            y,
            np.where(np.isfinite(y_low), se_from_bound(y, y_low, at), np.nan),
            f"{scale}, SE from the lower bound of the {{}} CI",
        )
        _offer_by_level(
            routes,
            at,
            y,
            np.where(np.isfinite(y_high), se_from_bound(y, y_high, at), np.nan),
            f"{scale}, SE from the upper bound of the {{}} CI",
        )
    routes.offer(y, err, f"{scale}, SE as given")
    p_used, p_reason = _p_values(table, p, study, needed=np.isnan(routes.v))
    routes.offer(y, se_from_p(y, p_used), f"{scale}, SE from the p value")
    if given is not None:
        _offer_events(routes, table, study, y, given)
        offer_indirect(routes, table, study, given)
    if also is not None:
        also(routes, at)
    routes.how = [h + (", turned round" if turned[i] and h else "") for i, h in enumerate(routes.how)]
    reasons = [
        (f"column '{value}' is empty" if value is not None else NOT_ENOUGH)
        if np.isnan(est[i])
        else p_reason[i] or _no_route(y[i], p_used[i], bool(lo[i] == hi[i]), fill_in(low, high, se, p))
        for i in range(len(table))
    ]
    return assemble(
        table,
        study,
        measure,
        routes,
        reasons,
        n=size,
        low=np.where(np.isnan(y_high), np.nan, y_low),
        high=np.where(np.isnan(y_low), np.nan, y_high),
        level=at,
    )


def _offer_by_level(routes: Routes, at: FloatArray, y: FloatArray, se: FloatArray, how: str) -> None:
    for one in np.unique(at):
        routes.offer(y, np.where(at == one, se, np.nan), how.format(f"{100 * one:g}%"))


NOT_ENOUGH = (
    "no estimate, and not enough of the log-rank test to compute one: o_minus_e with variance, or chi2 or p_logrank with "
    "favours and the events (events, or events1 and events2)"
)


def _no_route(y: float, p: float, no_width: bool, advice: str) -> str:
    if no_width:
        return "both bounds of the interval are the same number: check them against the paper"
    if np.isfinite(p) and y == 0:
        return "a p value gives no standard error when the estimate is exactly the null"
    if np.isfinite(p):
        return f"a p value of {p:g} gives no standard error"
    return f"no interval, standard error or p value: {advice}"


def _p_values(table: Table, column: str | None, study: Sequence[str], *, needed: Any) -> tuple[FloatArray, list[str]]:
    """Read p values where they are needed; bounds ("<0.001", "ns") are no numbers and say so."""
    values, reasons = np.full(len(table), np.nan), [""] * len(table)
    if column is None:
        return values, reasons
    for i, cell in enumerate(table.columns[column]):
        text = "" if is_missing(cell) else str(cell).strip()
        if not text or (not needed[i] and not _out_of_range(text)):
            continue
        if text[0] in "<>≤≥" or text.lower() in {"ns", "n.s.", "not significant"}:
            reasons[i] = f"no interval, and p '{text}' is only a bound"
            continue
        values[i] = numbers(table.keep([i]), column, [study[i]])[0]
        if not 0 < values[i] <= 1:
            raise DataError(
                f"{where(study[i], i + 1)}: column '{column}' holds {text}, but a p value lies between 0 and 1. "
                "Correct the cell; write a p value printed as 0.000 as the bound it is, <0.001."
            )
    return values, reasons


def _out_of_range(text: str) -> bool:
    """Whether a p value that is not needed is still one that cannot be."""
    try:
        return not 0 <= float(text) <= 1
    except ValueError:
        return False


def _warn_lopsided(
    study: Sequence[str], est: FloatArray, low: FloatArray, high: FloatArray, half: FloatArray, measure: Measure
) -> None:
    for i in np.flatnonzero(lopsided_on_log_scale(est, low, high, half)).tolist():
        warn(
            SuspiciousDataWarning,
            f"{where(study[i], i + 1)}: the interval {low[i]:g} to {high[i]:g} is not symmetric about "
            f"{measure.label.lower()} {est[i]:g} on the log scale (its middle is {np.sqrt(low[i] * high[i]):.3g}). "
            "Check the three numbers for a typing slip.",
        )


def _turned(table: Table, study: Sequence[str], column: str | None) -> Any:
    """Return which rows print arm 2 against arm 1."""
    name = find_column(table, column, "flipped") if column is not None else None
    turned = np.zeros(len(table), dtype=bool)
    if name is None:
        return turned
    for i, cell in enumerate(table.columns[name]):
        text = "" if is_missing(cell) else str(cell).strip().lower().removesuffix(".0")
        if text not in {"", "0", "1", "true", "false", "yes", "no"}:
            raise DataError(f"{where(study[i], i + 1)}: column '{name}' holds '{cell}'. Write true or false.")
        turned[i] = text in {"1", "true", "yes"}
    return turned


def _offer_events(routes: Routes, table: Table, study: tuple[str, ...], y: FloatArray, given: Indirect) -> None:
    """Offer the SE that the events alone give: sqrt(1/d1 + 1/d2), or 2/sqrt(d) for arms of one size."""
    d1, d2, d = (
        numbers(table, find_column(table, getattr(given, c), c), study) for c in ("events1", "events2", "events")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        routes.offer(y, np.sqrt(1 / d1 + 1 / d2), "log hazard ratio, SE from the events of each arm")
        routes.offer(y, 2 / np.sqrt(d), "log hazard ratio, SE from the total of events (arms of one size assumed)")
