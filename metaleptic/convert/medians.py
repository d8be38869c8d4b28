"""Medians of uncensored outcomes (days in hospital, a laboratory value): from what papers print to effects.

Sources: McGrath S, Sohn H, Steele R, Benedetti A. Biom J 2020;62:69-98 (quantile estimation); Ozturk O, Balakrishnan N.
Stat Med 2020;39:1935-1950 (confidence distributions). Median *survival* times are censored: ``ml.survival_medians``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.conversions.quantile_fits import quantile_estimation
from metaleptic.convert.assemble import Routes, assemble, check_bounds, check_positive, fill_in, open_table
from metaleptic.convert.intervals import se_from_interval
from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, OptionError
from metaleptic.frames import Table, find_column, numbers, rounding, where
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects, FloatArray

DENSITIES = ("quantile-estimation", "spacing")
COLUMNS = ("median", "low", "high", "se", "q1", "q3", "min", "max", "mean", "sd", "n")


def median_variance_by_spacing(q1: FloatArray, q3: FloatArray, n: FloatArray) -> FloatArray:
    """Return 1/(4 n f^2) with f from the patients that lie between the quartiles: their share over the distance."""
    between = np.round(0.75 * n) - np.round(0.25 * n)
    return np.asarray(n * (q3 - q1) ** 2 / (4 * between**2))


def medians(
    data: Any,
    *,
    columns: dict[str, str] | None = None,
    density: str = "quantile-estimation",
    difference: bool = False,
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn medians with an interval, quartiles or extremes (or means with SDs) into medians, or their differences, to pool.

    Per row the best route is taken and named in ``effects.how``: the interval of the median; its standard error;
    quartiles or extremes with n, through the density of the data at their median; a printed mean with its SD, which
    stands for the median if the data are symmetric.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per group.
    columns : dict, optional
        Names of the columns where they differ: of "median", "low" and "high" (its confidence interval), "se", "q1",
        "q3", "min", "max", "mean", "sd", "n".
    density : {"quantile-estimation", "spacing"}, default "quantile-estimation"
        How quartiles tell the variance of the median: by the distribution that fits the printed quantiles best, or by
        the patients between the quartiles (the confidence-distribution approach; quartiles only).
    difference : bool, default False
        Take the difference of two groups, first minus second, each by the best route its own numbers allow. The columns are then
        "median1", "low1", "high1", "se1", "q1_1", "q3_1", "min1", "max1", "mean1", "sd1", "n1", and the same of group 2.
    study : str, optional
        Column with the study names; "study" by default.
    label : str, optional
        What is measured, for headings ("Median age, years").
    level : float, default 0.95
        Level of the intervals.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    Effects
        ``y`` is the median itself or the difference, ``v`` its variance (of a difference: the sum of both groups').

    Raises
    ------
    DataError
        If the numbers of a row are not in order.

    Notes
    -----
    For medians of survival times, which are censored, use ``ml.survival_medians``. Sources: McGrath S et al. Biom J
    2020;62:69-98; Ozturk O, Balakrishnan N. Stat Med 2020;39:1935-1950.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.medians({"study": ["Chen"], "median": [6.0], "q1": [4.0], "q3": [10.0], "n": [50]})
    >>> e.v.round(3), e.how
    (array([0.595]), ('median, variance from the fitted log-normal distribution',))
    """
    if density not in DENSITIES:
        raise OptionError(f"density {density!r} is unknown. Choose one of: {', '.join(DENSITIES)}.")
    check_level(level)
    numbers_ = ("1", "2") if difference else ("",)
    named = {group: _named(group) for group in numbers_}
    there = [name for names in named.values() for name in names.values()]
    unknown = set(columns or {}) - set(there)
    if unknown:
        raise OptionError(f"columns names '{sorted(unknown)[0]}', which is none of: {', '.join(there)}.")
    table, study_names = open_table(data, study, sheet)
    arms = [_arm(table, study_names, named[group], columns or {}, density, level, group) for group in numbers_]
    if not difference:
        (one,) = arms
        return assemble(
            table,
            study_names,
            labelled(MEASURES["MED"], label),
            one.routes,
            one.reasons,
            n=one.n,
            low=one.low,
            high=one.high,
            level=level,
        )
    first, second = arms
    routes = Routes(len(table))
    for words in dict.fromkeys(zip(first.routes.how, second.routes.how, strict=True)):
        mine = np.array([pair == words for pair in zip(first.routes.how, second.routes.how, strict=True)])
        se = np.where(mine, np.sqrt(first.routes.v + second.routes.v), np.nan)
        how = f"difference of medians; group 1: {words[0]}; group 2: {words[1]}"
        routes.offer(first.routes.y - second.routes.y, se, how)
    reasons = [
        f"group 1: {one}" if np.isnan(first.routes.v[i]) else f"group 2: {two}"
        for i, (one, two) in enumerate(zip(first.reasons, second.reasons, strict=True))
    ]
    return assemble(
        table,
        study_names,
        labelled(MEASURES["MEDD"], label),
        routes,
        reasons,
        n=first.n + second.n,
        level=level,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Arm:
    """One group of every study: its medians by route, and what else is shown of it."""

    routes: Routes
    reasons: list[str]
    n: FloatArray
    low: FloatArray
    high: FloatArray


def _named(group: str) -> dict[str, str]:
    """Return the default columns of a group ("q1_1" where a number would run into another)."""
    return {key: f"{key}_{group}" if group and key in ("q1", "q3") else f"{key}{group}" for key in COLUMNS}


def _arm(
    table: Table,
    names: tuple[str, ...],
    defaults: dict[str, str],
    columns: dict[str, str],
    density: str,
    level: float,
    group: str,
) -> _Arm:
    """Take the best route of each row for one group."""
    at = {key: find_column(table, columns.get(name), name) for key, name in defaults.items()}
    if at["median"] is None and at["mean"] is None:
        find_column(table, None, defaults["median"], needed_for=f"the medians{f' of group {group}' if group else ''}")
    x = {key: numbers(table, at[key], names) for key in COLUMNS}
    for key, words in (("n", "a number of patients"), ("sd", "a standard deviation"), ("se", "a standard error")):
        check_positive(names, x[key], at[key], words)
    half = rounding(table, at["median"], at["low"], at["high"])
    bounds = (at["median"] or "median", at["low"] or "low", at["high"] or "high")
    check_bounds(names, x["median"], x["low"], x["high"], bounds, half)
    _check_order(names, x)

    routes = Routes(len(table))
    y = x["median"]
    routes.offer(y, se_from_interval(x["low"], x["high"], level), f"median, SE from the {100 * level:g}% CI")
    routes.offer(y, x["se"], "median, SE as given")
    with np.errstate(invalid="ignore", divide="ignore"):
        if density == "spacing":
            v = median_variance_by_spacing(x["q1"], x["q3"], x["n"])
            routes.offer(y, np.sqrt(v), "median, variance from the patients between the quartiles")
        else:
            _offer_fits(routes, x)
        routes.offer(x["mean"], x["sd"] / np.sqrt(x["n"]), "mean in place of the median, SE from the SD")
    advice = fill_in(*(at[key] for key in ("low", "high", "se", "q1", "q3", "n") if at[key]))
    missing = np.isnan(np.where(np.isnan(y), x["mean"], y))
    reasons = [
        "neither a median nor a mean" if missing[i] else f"nothing says how sure it is: {advice}"
        for i in range(len(table))
    ]
    return _Arm(routes, reasons, x["n"], x["low"], x["high"])


def _offer_fits(routes: Routes, x: dict[str, FloatArray]) -> None:
    """Fit a distribution to the quantiles of each row that has no better route, and name it."""
    summary = np.stack([x[key] for key in ("min", "q1", "median", "q3", "max")], axis=-1)
    enough = (np.isfinite(summary).sum(axis=-1) >= 3) & np.isfinite(x["n"]) & np.isfinite(x["median"])
    for i in np.flatnonzero(enough & np.isnan(routes.v)).tolist():
        fit = quantile_estimation(summary[i], float(x["n"][i]))
        se = np.full(len(routes.y), np.nan)
        se[i] = np.sqrt(1 / (4 * x["n"][i])) / fit.density(fit.quantile(0.5))
        routes.offer(x["median"], se, f"median, variance from the fitted {fit.name} distribution")


def _check_order(study: tuple[str, ...], x: dict[str, FloatArray]) -> None:
    order = ("min", "q1", "median", "q3", "max")
    for a in range(5):
        for b in range(a + 1, 5):
            for i in np.flatnonzero(x[order[a]] > x[order[b]]).tolist():
                raise DataError(
                    f"{where(study[i], i + 1)}: {order[a]} {x[order[a]][i]:g} > {order[b]} {x[order[b]][i]:g}. "
                    "Are the columns swapped?"
                )
