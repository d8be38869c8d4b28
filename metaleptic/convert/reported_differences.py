"""Standardised mean differences from what is printed in place of means: Cohen's d, a t statistic, a p value."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.convert.assemble import Routes, assemble, check_positive, fill_in, open_table
from metaleptic.convert.mean_kernels import TWO_GROUPS, standardised_from_d
from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, OptionError
from metaleptic.frames import find_column, numbers, where
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects


def standardised_differences(
    data: Any,
    *,
    n1: str | None = None,
    n2: str | None = None,
    d: str | None = None,
    t: str | None = None,
    p: str | None = None,
    variance: str = "LS",
    correct: bool = True,
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn Cohen's d, t statistics or p values of two groups into standardised mean differences to pool.

    Per row the best route is taken and named in ``effects.how``: d; t; the p value.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    n1, n2 : str, optional
        Columns with the sizes of the groups.
    d : str, optional
        Column with Cohen's d: the difference in pooled standard deviations, not corrected for small samples.
    t : str, optional
        Column with Student's t of the two groups, positive if group 1 has the higher mean.
    p : str, optional
        Column with the two-sided p value of that test; write it with a minus sign where group 1 has the lower mean.
    variance : {"LS", "LS2", "UB", "AV"}, default "LS"
        Formula of the variance, as in ``ml.means``.
    correct : bool, default True
        Hedges' exact correction.
    study, label, level, sheet
        As in ``ml.means``.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        If a p value is 0 or beyond 1, or a group has no patients.

    Notes
    -----
    Where means and SDs are printed use ``ml.means``. Source: Hedges LV. J Educ Stat 1981;6:107-128; Borenstein M, in The
    Handbook of Research Synthesis, 2nd ed. 2009, chapter 12.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.standardised_differences({"study": ["A", "B"], "n1": [20, 35], "n2": [22, 30], "t": [1.0, None], "p": [None, -0.2]})
    >>> e.y.round(4), e.how[1]
    (array([ 0.3031, -0.3184]), "Hedges' g from the p value")
    """
    check_level(level)
    if variance not in TWO_GROUPS["SMD"].variances:
        there = ", ".join(TWO_GROUPS["SMD"].variances)
        raise OptionError(f"variance {variance!r} is unknown for measure 'SMD'. Choose one of: {there}.")
    table, names = open_table(data, study, sheet)
    n1 = find_column(table, n1, "n1", needed_for="the size of group 1")
    n2 = find_column(table, n2, "n2", needed_for="the size of group 2")
    d, t, p = find_column(table, d, "d"), find_column(table, t, "t"), find_column(table, p, "p")
    if d is None and t is None and p is None:
        find_column(table, None, "t", needed_for="the t statistics (or d= or p=)")
    size1, size2 = numbers(table, n1, names), numbers(table, n2, names)
    for size, column in ((size1, n1), (size2, n2)):
        check_positive(names, size, column, "a number of patients")
    chance = numbers(table, p, names)
    for i in np.flatnonzero((chance == 0) | (np.abs(chance) > 1)).tolist():
        raise DataError(
            f"{where(names[i], i + 1)}: column '{p}' holds {chance[i]:g}, but a p value lies between 0 and 1 (with a minus "
            "sign where group 1 has the lower mean). Write a p value printed as 0.000 as the statistic it came from."
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        per_t = np.sqrt(1 / size1 + 1 / size2)
        from_p = -np.sign(chance) * special.stdtrit(size1 + size2 - 2, np.abs(chance) / 2)
        ways = {
            "Cohen's d": numbers(table, d, names),
            "t": numbers(table, t, names) * per_t,
            "the p value": from_p * per_t,
        }
        best = np.full(len(table), np.nan)
        for value in ways.values():
            best = np.where(np.isnan(best), value, best)
        y, v = standardised_from_d(best, size1, size2, variance, correct)
        routes = Routes(len(table))
        for words, value in ways.items():
            mine = np.isfinite(value)
            routes.offer(np.where(mine, y, np.nan), np.where(mine, np.sqrt(v), np.nan), f"Hedges' g from {words}")
    reason = f"no d, t or p value, or no sizes of the groups: {fill_in(d, t, p, n1, n2)}"
    nothing = np.full(len(table), np.nan)
    return assemble(
        table,
        names,
        labelled(MEASURES["SMD"], label),
        routes,
        [reason] * len(table),
        n=size1 + size2,
        groups=np.stack([nothing, nothing, size1, nothing, nothing, size2], axis=-1),
        level=level,
    )
