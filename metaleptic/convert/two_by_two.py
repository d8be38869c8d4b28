"""Two-by-two tables: events and patients in two arms.

Sources: Deeks JJ, Altman DG, Bradburn MJ. In: Egger M et al. (eds) Systematic Reviews in Health Care, 2001, chapter 15
(variances of log OR, log RR, RD); Gart JJ, Zweifel JR. Biometrika 1967;54:181-187 (the half added to empty cells).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from metaleptic.convert.assemble import Routes, assemble, check_counts, check_positive, open_table
from metaleptic.convert.units import check_level
from metaleptic.errors import OptionError
from metaleptic.frames import find_column, numbers
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects, FloatArray

Cells = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


def log_odds_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log(ad/bc) and its variance 1/a + 1/b + 1/c + 1/d (Woolf)."""
    return np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d


def log_risk_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the log ratio of risks and its variance 1/a - 1/(a+b) + 1/c - 1/(c+d)."""
    return np.log(a / (a + b)) - np.log(c / (c + d)), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)


def risk_difference(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the difference of risks and its variance, the sum of p(1-p)/n."""
    n1, n2 = a + b, c + d
    return a / n1 - c / n2, a * b / n1**3 + c * d / n2**3


KERNELS: dict[str, Callable[[FloatArray, FloatArray, FloatArray, FloatArray], tuple[FloatArray, FloatArray]]] = {
    "OR": log_odds_ratio,
    "RR": log_risk_ratio,
    "RD": risk_difference,
}


def two_by_two(
    data: Any,
    *,
    events1: str,
    n1: str,
    events2: str,
    n2: str,
    measure: str = "RR",
    study: str | None = None,
    continuity: float = 0.5,
    double_zero: str = "exclude",
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn events and patients of two arms into odds ratios, risk ratios or risk differences to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    events1, n1 : str
        Columns with the events and patients of the arm of interest.
    events2, n2 : str
        Columns with the events and patients of the control arm.
    measure : {"OR", "RR", "RD"}, default "RR"
        Odds ratio, risk ratio or risk difference.
    study : str, optional
        Column with the study names; "study" by default.
    continuity : float, default 0.5
        Added to all four cells of those studies that have an empty one; ``effects.how`` names it.
    double_zero : {"exclude", "correct"}, default "exclude"
        What to do for OR and RR with studies in which no one, or everyone, had the event in both arms: they
        say nothing about a ratio. ``"correct"`` adds ``continuity`` to them too. Risk differences keep them.
    label : str, optional
        What is counted, for headings ("Risk ratio of tuberculosis").
    level : float, default 0.95
        Level of the study intervals.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    Effects
        ``y`` is the log odds ratio, log risk ratio or risk difference, ``v`` its variance.

    Raises
    ------
    DataError
        If a count is negative, not whole or larger than its n.

    Notes
    -----
    Sources: Deeks JJ, Altman DG, Bradburn MJ, in Egger M et al. (eds), Systematic Reviews in Health Care, 2001,
    chapter 15; Gart JJ, Zweifel JR. Biometrika 1967;54:181-187.

    Examples
    --------
    >>> import metaleptic as ml
    >>> t = {"study": ["Aronson"], "tb": [4], "vaccinated": [123], "tb0": [11], "controls": [139]}
    >>> ml.two_by_two(t, events1="tb", n1="vaccinated", events2="tb0", n2="controls").y.round(4)
    array([-0.8893])
    """
    if measure not in KERNELS:
        raise OptionError(f"measure {measure!r} is unknown. Choose one of: {', '.join(KERNELS)}.")
    if double_zero not in {"exclude", "correct"}:
        raise OptionError(f'double_zero {double_zero!r} is unknown. Choose "exclude" or "correct".')
    if not 0 <= continuity < np.inf:
        raise OptionError(f"continuity {continuity:g} cannot be added to a count. Write 0.5, or 0 for no correction.")
    check_level(level)
    table, names = open_table(data, study, sheet)
    x1, x2 = (numbers(table, find_column(table, c, c), names) for c in (events1, events2))
    size1, size2 = (numbers(table, find_column(table, c, c), names) for c in (n1, n2))
    for x, size, cols in ((x1, size1, (events1, n1)), (x2, size2, (events2, n2))):
        check_positive(names, size, cols[1], "a number of patients")
        check_counts(names, x, size, cols)
    cells: Cells = (x1, size1 - x1, x2, size2 - x2)
    empty = np.any([cell == 0 for cell in cells], axis=0)
    silent = ((x1 == 0) & (x2 == 0)) | ((x1 == size1) & (x2 == size2))
    dropped = silent & (measure != "RD") & (double_zero == "exclude")
    add = np.where(empty, continuity, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        y, v = KERNELS[measure](*(cell + add for cell in cells))
        se = np.sqrt(np.where(dropped, np.nan, v))
    routes = Routes(len(table))
    words = MEASURES[measure].scale
    routes.offer(y, np.where(empty, np.nan, se), f"{words} from the 2x2 table")
    routes.offer(y, se, f"{words} from the 2x2 table, {continuity:g} added to each cell (one was empty)")
    reasons = [
        "no one, or everyone, had the event in both arms: nothing is said about a ratio"
        if dropped[i]
        else "a count is not printed, or an empty cell was left uncorrected"
        for i in range(len(table))
    ]
    return assemble(
        table,
        names,
        labelled(MEASURES[measure], label),
        routes,
        reasons,
        n=size1 + size2,
        cells=np.stack(cells, axis=-1),
        events=x1 + x2,
        level=level,
    )
