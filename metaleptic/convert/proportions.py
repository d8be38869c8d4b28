"""Proportions: x of n patients responded.

Sources: Clopper CJ, Pearson ES. Biometrika 1934;26:404-413 (study intervals);
Haldane JBS. Ann Hum Genet 1956;20:309-311 and Anscombe FJ. Biometrika 1956;43:461-464 (the half added at 0 or n).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.convert.assemble import Routes, assemble, check_counts, check_positive, fill_in, open_table
from metaleptic.convert.intervals import clopper_pearson
from metaleptic.convert.units import check_level, fractions
from metaleptic.errors import SuspiciousDataWarning
from metaleptic.frames import find_column, numbers, rounding, where
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects
from metaleptic.warn import warn


def proportions(
    data: Any,
    *,
    study: str | None = None,
    events: str | None = None,
    n: str | None = None,
    proportion: str | None = None,
    unit: str = "fraction",
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn "x of n patients" (or a percentage of n) into proportions to pool.

    The counts are kept, so that ``ml.pool(..., model="binomial-normal")`` can use their exact likelihood;
    for the other models ``y`` is the logit. Where none or all had the event, half an event and half a
    non-event are added for the logit only, and ``effects.how`` says so.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per arm.
    study, events, n : str, optional
        Columns; left out, the columns of these very names are taken if they are there.
    proportion : str, optional
        Column with the proportion where the count is not printed; the count is recovered where exactly
        one whole number of n patients rounds to what is printed.
    unit : {"fraction", "percent"}, default "fraction"
        How ``proportion`` is printed.
    label : str, optional
        What is counted, for headings ("Response rate").
    level : float, default 0.95
        Level of the exact (Clopper-Pearson) study intervals.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    Effects
        ``y`` is the logit, ``v`` its variance 1/x + 1/(n - x); ``low`` and ``high`` are exact intervals.

    Raises
    ------
    DataError
        If a count is negative, not whole or larger than n, or n is 0.

    Notes
    -----
    Source of the study intervals: Clopper CJ, Pearson ES. Biometrika 1934;26:404-413.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.proportions({"study": ["Trifanescu", "Kumthekar"], "events": [5, 5], "n": [7, 26]})
    >>> e.y.round(3)
    array([ 0.916, -1.435])
    """
    check_level(level)
    table, names = open_table(data, study, sheet)
    proportion = find_column(table, proportion, "proportion")
    events = find_column(table, events, "events", needed_for=None if proportion else "the number of events")
    n = find_column(table, n, "n", needed_for="the number of patients")
    x, size = numbers(table, events, names), numbers(table, n, names)
    check_positive(names, size, n, "a number of patients")
    check_counts(names, x, size, (events, n))
    reasons = [f"no number of events or patients: {fill_in(events, proportion, n)}"] * len(table)
    how = ["logit of the counts"] * len(table)
    if proportion is not None:
        printed = fractions(table, proportion, unit, names)
        half = rounding(table, proportion) / (100.0 if unit == "percent" else 1.0)
        for i in np.flatnonzero(np.abs(x / size - printed) > half + 1e-9).tolist():
            warn(
                SuspiciousDataWarning,
                f"{where(names[i], i + 1)}: {events} {x[i]:g} of {n} {size[i]:g} is {100 * x[i] / size[i]:.1f}%, "
                f"but '{proportion}' prints {100 * printed[i]:g}%. The counts are used; check them against the paper.",
            )
        for i in np.flatnonzero(np.isnan(x) & np.isfinite(printed * size)).tolist():
            first = np.ceil((printed[i] - half[i]) * size[i] - 1e-9)
            last = np.floor((printed[i] + half[i]) * size[i] + 1e-9)
            if first == last:
                x[i], how[i] = (
                    first,
                    f"logit of the counts, recovered from the printed proportion ({first:g}/{size[i]:g})",
                )
            elif first > last:
                reasons[i] = f"no whole number of {size[i]:g} patients gives the printed proportion"
            else:
                reasons[i] = f"{first:g} to {last:g} events of {size[i]:g} all give the printed proportion"
    edge = (x == 0) | (x == size)
    add = np.where(edge, 0.5, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = special.logit((x + add) / (size + 2 * add))
        se = np.sqrt(1 / (x + add) + 1 / (size - x + add))
        exact_low, exact_high = (special.logit(b) for b in clopper_pearson(x, size, level))
    how = [h + (" with 1/2 added (none or all had the event)" if edge[i] else "") for i, h in enumerate(how)]
    routes = Routes(len(table))
    for words in dict.fromkeys(how):
        routes.offer(y, np.where([h == words for h in how], se, np.nan), words)
    return assemble(
        table,
        names,
        labelled(MEASURES["PLO"], label),
        routes,
        reasons,
        n=size,
        events=x,
        low=exact_low,
        high=exact_high,
        level=level,
    )
