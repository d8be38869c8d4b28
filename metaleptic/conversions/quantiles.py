"""The verb that turns medians, quartiles and extremes into means and standard deviations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.conversions import order_statistics, quantile_fits, quantile_formulas
from metaleptic.conversions.arrays import plain
from metaleptic.errors import DataError, OptionError
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class QuantileMethod:
    """One way from quantiles to mean and SD."""

    key: str
    function: Callable[..., Any]
    source: str
    positive: bool = False


def _each(fit: Callable[[FloatArray, float], tuple[float, float]]) -> Callable[..., Any]:
    """Fit study by study where at least three quantiles are there."""

    def over(*columns: FloatArray) -> tuple[FloatArray, FloatArray]:
        rows = np.stack(columns, axis=-1)
        out = np.full((*rows.shape[:-1], 2), np.nan)
        for at in np.ndindex(rows.shape[:-1]):
            summary, n = rows[at][:5], rows[at][5]
            if np.isfinite(summary).sum() >= 3 and np.isfinite(n):
                out[at] = fit(summary, float(n))
        return out[..., 0], out[..., 1]

    return over


def _quantile_estimation(summary: FloatArray, n: float) -> tuple[float, float]:
    found = quantile_fits.quantile_estimation(summary, n)
    return found.mean, found.sd


_MCGRATH = "McGrath S et al. Stat Methods Med Res 2020;29:2520-2537"
QUANTILE_METHODS = MappingProxyType(
    {
        m.key: m
        for m in (
            QuantileMethod(
                "luo-wan-shi",
                quantile_formulas.luo_wan_shi,
                "Luo D et al. Stat Methods Med Res 2018;27:1785-1805; Wan X et al. BMC Med Res Methodol 2014;14:135; "
                "Shi J et al. Res Synth Methods 2020;11:641-654",
            ),
            QuantileMethod(
                "luo-wan", quantile_formulas.luo_wan, "Luo D et al. 2018; Wan X et al. BMC Med Res Methodol 2014;14:135"
            ),
            QuantileMethod("wan", quantile_formulas.wan, "Wan X et al. BMC Med Res Methodol 2014;14:135"),
            QuantileMethod("hozo", quantile_formulas.hozo, "Hozo SP et al. BMC Med Res Methodol 2005;5:13"),
            QuantileMethod("bland", quantile_formulas.bland, "Bland M. J Stat Theory Appl 2015;1:64-71"),
            QuantileMethod("walter", quantile_formulas.walter, "Walter SD, Yao X. J Clin Epidemiol 2007;60:849-852"),
            QuantileMethod("blue", order_statistics.blue, "Yang X, Hutson AD, Wang D. J Appl Stat 2022;49:3846-3867"),
            QuantileMethod(
                "log-normal", quantile_formulas.log_normal, "Shi J et al. Stat Interface 2020;13:519-531", positive=True
            ),
            QuantileMethod("quantile-estimation", _each(_quantile_estimation), _MCGRATH),
            QuantileMethod("box-cox", _each(quantile_fits.box_cox), _MCGRATH, positive=True),
            QuantileMethod(
                "unknown-non-normal",
                _each(quantile_fits.unknown_non_normal),
                "Cai S, Zhou J, Pan J. Stat Methods Med Res 2021;30:2701-2719",
                positive=True,
            ),
        )
    }
)

ALIASES = MappingProxyType(
    {
        "luo": "luo-wan",
        "shi": "luo-wan-shi",
        "qe": "quantile-estimation",
        "bc": "box-cox",
        "mln": "unknown-non-normal",
    }
)
"""Names of methods that users of R know: of metafor's ``conv.fivenum`` and of metamedian."""


def method_named(method: str) -> str:
    """Return the key of a method from its name or from that which R gives it.

    Raises
    ------
    OptionError
        If there is no such method.
    """
    key = str(method).lower()
    found = ALIASES.get(key, key)
    if found not in QUANTILE_METHODS:
        raise OptionError(f"method {method!r} is unknown. Choose one of: {', '.join(QUANTILE_METHODS)}.")
    return found


def mean_sd_from_quantiles(
    median: Any,
    n: Any,
    *,
    low: Any = np.nan,
    q1: Any = np.nan,
    q3: Any = np.nan,
    high: Any = np.nan,
    method: str = "luo-wan-shi",
) -> tuple[Any, Any]:
    """Return mean and standard deviation of the patients from their median with quartiles, extremes or both.

    Parameters
    ----------
    median, n : float or array_like
        Median and number of patients.
    low, q1, q3, high : float or array_like, optional
        Minimum, first and third quartile, maximum; NaN where not printed. Quartiles, extremes, or both must be there.
    method : str, default "luo-wan-shi"
        For data that look normal: "luo-wan-shi", "luo-wan", "wan", "hozo", "bland", "walter", "blue" (best linear unbiased);
        for skewed positive data
        "log-normal", "quantile-estimation", "box-cox", "unknown-non-normal". ``conversions.QUANTILE_METHODS`` holds them
        with their papers. The names that R knows do as well: "luo", "shi", "qe", "bc", "mln".

    Returns
    -------
    mean, sd : float or ndarray
        NaN where the method needs a number that is not printed.

    Raises
    ------
    DataError
        If minimum, quartiles, median and maximum are not in order, or are not above 0 for a method that needs it.
    OptionError
        If the method is unknown.

    Notes
    -----
    All methods estimate: a mean from a median is less sure than a printed mean, which the naive standard error
    sd / sqrt(n) does not show. ``conversions.looks_skewed`` tests whether the normal formulas may be used at all. The
    sample quantile at the extremes is taken as the 1/n and 1 - 1/n quantile by the fitted methods.

    Examples
    --------
    >>> import metaleptic as ml
    >>> mean, sd = ml.conversions.mean_sd_from_quantiles(6, 50, q1=4, q3=10)
    >>> round(mean, 3), round(sd, 3)
    (6.708, 4.58)
    """
    method = method_named(method)
    columns = _ordered(low, q1, median, q3, high, n)
    if bool((columns[5] < 2).any()):
        raise DataError("n is the number of patients: at least 2 are needed for a standard deviation.")
    if low is None and high is None and q1 is None and q3 is None:
        raise DataError(
            "a median alone says nothing about the spread: give quartiles (q1, q3) or extremes (low, high)."
        )
    chosen = QUANTILE_METHODS[method]
    if chosen.positive and any(bool((c <= 0).any()) for c in columns[:5]):
        raise DataError(f"method {method!r} takes logarithms: minimum, quartiles, median and maximum must be above 0.")
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, sd = chosen.function(*columns)
    return plain(mean), plain(sd)


def looks_skewed(
    median: Any, n: Any, *, low: Any = np.nan, q1: Any = np.nan, q3: Any = np.nan, high: Any = np.nan
) -> Any:
    """Return whether a summary is too lopsided for normal data (test at the 5% level).

    Where it is, prefer a method for skewed data. Source: Shi J et al. Stat Med 2023;42:1338-1352.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.conversions.looks_skewed(6, 50, q1=4, q3=10), ml.conversions.looks_skewed(6.5, 50, q1=4, q3=9.2)
    (False, False)
    """
    found = quantile_formulas.looks_skewed(*_ordered(low, q1, median, q3, high, n)).astype(bool)
    return bool(found) if found.ndim == 0 else found


def _ordered(*values: Any) -> list[FloatArray]:
    """Return the columns broadcast to one shape; refuse quantiles that are not in order."""
    columns = [np.asarray(c, dtype=np.float64) for c in np.broadcast_arrays(*values)]
    names = ("minimum", "first quartile", "median", "third quartile", "maximum")
    for i in range(5):
        for j in range(i + 1, 5):
            wrong = np.flatnonzero(np.atleast_1d(columns[i] > columns[j]))
            if wrong.size:
                at = wrong[0]
                a, b = np.atleast_1d(columns[i])[at], np.atleast_1d(columns[j])[at]
                raise DataError(
                    f"summary {at + 1}: {names[i]} {a:g} > {names[j]} {b:g}. Are the columns swapped, or is a "
                    "standard deviation taken for a quartile?"
                )
    return columns
