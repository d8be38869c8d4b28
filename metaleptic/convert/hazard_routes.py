"""Routes to a hazard ratio that the paper does not print, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.convert.assemble import Routes, check_counts, check_not_negative, check_positive
from metaleptic.convert.hazard_kernels import (
    from_chi2,
    from_medians,
    from_o_minus_e,
    from_p,
    from_rates,
    logrank_variance,
    logrank_variance_total,
)
from metaleptic.errors import DataError, SuspiciousDataWarning
from metaleptic.frames import Table, find_column, is_missing, numbers, where
from metaleptic.types import FloatArray
from metaleptic.warn import warn

FAVOURS = {"1": -1.0, "arm 1": -1.0, "treatment": -1.0, "experimental": -1.0, "research": -1.0}
FAVOURS |= {"2": 1.0, "arm 2": 1.0, "control": 1.0}
COLUMNS = (
    *("o_minus_e", "variance", "chi2", "p_logrank", "favours", "events", "events1", "events2", "n1", "n2"),
    *("median1", "median2", "rate1", "rate2"),
)


@dataclass(frozen=True, slots=True)
class Indirect:
    """Names of the columns from which a hazard ratio can be worked out; None where not given."""

    o_minus_e: str | None = None
    variance: str | None = None
    chi2: str | None = None
    p_logrank: str | None = None
    favours: str | None = None
    events: str | None = None
    events1: str | None = None
    events2: str | None = None
    n1: str | None = None
    n2: str | None = None
    median1: str | None = None
    median2: str | None = None
    rate1: str | None = None
    rate2: str | None = None


def offer_indirect(routes: Routes, table: Table, study: tuple[str, ...], given: Indirect) -> None:
    """Offer the indirect routes, most reliable first."""
    names = {c: find_column(table, getattr(given, c), c) for c in COLUMNS if c != "favours"}
    x = {c: numbers(table, name, study) for c, name in names.items()}
    _check(study, x, names)
    sign = _signs(table, study, find_column(table, given.favours, "favours"))
    with np.errstate(divide="ignore", invalid="ignore"):
        _warn_of_contradiction(study, routes, from_o_minus_e(x["o_minus_e"], x["variance"])[0], sign)
        routes.offer(*from_o_minus_e(x["o_minus_e"], x["variance"]), "log hazard ratio from O - E and its variance")
        by_arm = logrank_variance(x["events1"], x["events2"])
        total = np.where(np.isnan(x["events"]), x["events1"] + x["events2"], x["events"])
        by_size = logrank_variance_total(total, x["n1"], x["n2"])
        halves = total / 4
        for variance, words in (
            (x["variance"], "its variance"),
            (by_arm, "the events of each arm"),
            (by_size, "the events and the sizes of the arms"),
            (halves, "the total of events, arms of one size assumed"),
        ):
            routes.offer(
                *from_chi2(x["chi2"], sign, variance), f"log hazard ratio from the log-rank chi-squared and {words}"
            )
            routes.offer(*from_p(x["p_logrank"], sign, variance), f"log hazard ratio from the log-rank p and {words}")
        d1, d2 = x["events1"], x["events2"]
        weak = np.isnan(routes.v)
        routes.offer(
            *from_rates(x["rate1"], x["rate2"], x["n1"], x["n2"]),
            "log hazard ratio from two survival rates (weak: proportional hazards and no censoring assumed)",
        )
        routes.offer(
            *from_medians(x["median1"], x["median2"], d1, d2),
            "log hazard ratio from two medians (weak: constant hazards assumed)",
        )
    _warn_of_weak(study, weak & np.isfinite(routes.v))
    _warn_of_no_direction(study, sign, np.isfinite(x["chi2"]) | np.isfinite(x["p_logrank"]), routes)


def _check(study: Sequence[str], x: dict[str, FloatArray], names: dict[str, str | None]) -> None:
    for c in ("variance", "n1", "n2", "median1", "median2"):
        check_positive(
            study,
            x[c],
            names[c],
            {"variance": "a variance", "n1": "a number of patients", "n2": "a number of patients"}.get(c, "a median"),
        )
    check_not_negative(study, x["chi2"], names["chi2"], "a chi-squared statistic", "Correct the cell.")
    check_counts(study, x["events1"], x["n1"], (names["events1"], names["n1"]))
    check_counts(study, x["events2"], x["n2"], (names["events2"], names["n2"]))
    for c in ("p_logrank", "rate1", "rate2"):
        for i in np.flatnonzero((x[c] <= 0) | (x[c] >= 1)).tolist():
            what = "a p value" if c == "p_logrank" else "a survival rate, as a fraction,"
            raise DataError(
                f"{where(study[i], i + 1)}: column '{names[c]}' holds {x[c][i]:g}, but {what} lies between 0 and 1."
            )


def _signs(table: Table, study: Sequence[str], column: str | None) -> FloatArray:
    """Return -1 where arm 1 did better, 1 where arm 2 did, NaN where nothing is said."""
    signs = np.full(len(table), np.nan)
    if column is None:
        return signs
    for i, cell in enumerate(table.columns[column]):
        if is_missing(cell):
            continue
        text = str(cell).strip().lower().removesuffix(".0")
        if text not in FAVOURS:
            raise DataError(
                f"{where(study[i], i + 1)}: column '{column}' holds '{cell}'. Say which arm did better: 1 (or treatment), 2 (or control)."
            )
        signs[i] = FAVOURS[text]
    return signs


def _warn_of_contradiction(study: Sequence[str], routes: Routes, by_o_minus_e: FloatArray, sign: FloatArray) -> None:
    """Name the studies whose printed hazard ratio disagrees with what else is printed.

    O - E over V is the first step towards the Cox estimate and lies a little nearer to 0; more than 2 standard errors apart,
    or on the other side, is a slip. Source: Tierney JF et al. Trials 2007;8:16.
    """
    apart = np.abs(routes.y - by_o_minus_e)
    wrong = (apart > 2 * np.sqrt(routes.v)) | ((routes.y * by_o_minus_e < 0) & (apart > 0.1))
    for i in np.flatnonzero(wrong).tolist():
        warn(
            SuspiciousDataWarning,
            f"{where(study[i], i + 1)}: the hazard ratio {np.exp(routes.y[i]):.3g} and O - E with its variance, which give "
            f"{np.exp(by_o_minus_e[i]):.3g}, contradict each other; the hazard ratio is used. Is one of them the other way round "
            "(arm 2 against arm 1)?",
        )
    for i in np.flatnonzero((routes.y * sign < 0) & (np.abs(routes.y) > 0.05)).tolist():
        warn(
            SuspiciousDataWarning,
            f"{where(study[i], i + 1)}: the hazard ratio {np.exp(routes.y[i]):.3g} says that arm {1 if routes.y[i] < 0 else 2} did "
            "better, 'favours' says the other; the hazard ratio is used. Correct the one that is wrong.",
        )


def _warn_of_weak(study: Sequence[str], weak: Any) -> None:
    at = np.flatnonzero(weak).tolist()
    if at:
        warn(
            SuspiciousDataWarning,
            f"the hazard ratio of {', '.join(study[i] for i in at)} is worked out from medians or single rates, which is a weak "
            "route (Michiels S et al. Lancet Oncol 2005;6:881-888). Try the result without.",
        )


def _warn_of_no_direction(study: Sequence[str], sign: FloatArray, asked: Any, routes: Routes) -> None:
    for i in np.flatnonzero(np.isnan(sign) & asked & np.isnan(routes.v)).tolist():
        raise DataError(
            f"{where(study[i], i + 1)}: a log-rank test has no direction. Say in a column 'favours' which arm did better (1 or 2)."
        )
