"""Two-by-two tables: events and patients in two arms.

Sources: Deeks JJ, Altman DG, Bradburn MJ. In: Egger M et al. (eds) Systematic Reviews in Health Care, 2001, chapter 15
(variances of log OR, log RR, RD); Gart JJ, Zweifel JR. Biometrika 1967;54:181-187 (the half added to empty cells).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.convert.assemble import Routes, assemble, check_counts, check_positive, open_table
from metaleptic.convert.by_kernel import measure_key
from metaleptic.convert.count_kernels import TWO_BY_TWO, VARIANCES, policy_named
from metaleptic.convert.count_kernels import continuity as continuity_of
from metaleptic.convert.printed_effects import columns_found, offer_printed, read_printed
from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, OptionError
from metaleptic.frames import find_column, numbers
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects, FloatArray

Cells = tuple[FloatArray, FloatArray, FloatArray, FloatArray]

PRINTED = ("RR", "OR", "RD")
TREATMENT_ARM = "treatment arm"  # continuity correction of Sweeting MJ et al. 2004


def two_by_two(
    data: Any,
    *,
    events1: str,
    n1: str,
    events2: str,
    n2: str,
    estimate: str | None = None,
    low: str | None = None,
    high: str | None = None,
    se: str | None = None,
    measure: str = "RR",
    study: str | None = None,
    continuity: float = 0.5,
    correct: str | None = None,
    variance: str = "LS",
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
    estimate, low, high, se : str, optional
        For rows that print no counts: columns with the odds ratio, risk ratio or risk difference itself (whichever ``measure``
        is), its interval at ``level``, and the standard error (of the logarithm for ratios). Models of counts refuse such rows.
    measure : str, default "RR"
        ``"RR"`` risk ratio, ``"OR"`` odds ratio, ``"RD"`` risk difference; ``"PETO"`` Peto's odds ratio, ``"AS"`` arcsine
        difference, ``"PBIT"`` difference of probits, ``"OR2D"`` odds ratio as a standardised mean difference, (also ``"OR2DL"``;
        ``"OR2DN"`` for a normal trait); ``"PHI"``, ``"ZPHI"``, ``"YUQ"``, ``"YUY"`` measures of association; ``"RTET"`` and, as Fisher's z,
        ``"ZTET"`` tetrachoric correlation: of two normal traits cut in two.
    study : str, optional
        Column with the study names; "study" by default.
    continuity : float, default 0.5
        Added to all four cells where ``correct`` says; ``effects.how`` names it.
    correct : {"empty", "all", "if any empty", "treatment arm", "none"}, optional
        Which studies: those with an empty cell (the default for measures that need it), all, all if any study has an
        empty cell, or none (the default for AS, PETO and PHI, which are defined for empty cells, and for tetrachoric
        correlations, which what is added would decide). ``"treatment arm"``:
        those with an empty cell, twice ``continuity`` shared out in proportion to the sizes of the arms.
    variance : str, default "LS"
        Formula of the variance: ``"UB"`` is unbiased for RD; for PHI ``"ST"`` takes the sizes of the arms as fixed, ``"CS"``
        (the default) as left to chance.
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
    chapter 15; Gart JJ, Zweifel JR. Biometrika 1967;54:181-187; Sweeting MJ et al. Stat Med 2004;23:1351-1375 (treatment arm).

    Examples
    --------
    >>> import metaleptic as ml
    >>> t = {"study": ["Aronson"], "tb": [4], "vaccinated": [123], "tb0": [11], "controls": [139]}
    >>> ml.two_by_two(t, events1="tb", n1="vaccinated", events2="tb0", n2="controls").y.round(4)
    array([-0.8893])
    """
    measure = measure_key(measure, TWO_BY_TWO)
    kernel = TWO_BY_TWO[measure]
    if variance != "LS":
        if (measure, variance) not in VARIANCES:
            there = ["LS", *(v for m, v in VARIANCES if m == measure)]
            raise OptionError(
                f"variance {variance!r} is unknown for measure {measure!r}. Choose one of: {', '.join(there)}."
            )
        kernel = VARIANCES[measure, variance]
    policy = TREATMENT_ARM if correct == TREATMENT_ARM else policy_named(measure, correct)
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
    found = columns_found(table, (estimate, low, high, se))
    if measure not in PRINTED and estimate is not None:
        raise OptionError(f"estimate= is taken for measure {', '.join(PRINTED)}, not for {measure!r}.")
    cells: Cells = (x1, size1 - x1, x2, size2 - x2)
    empty = np.any([cell == 0 for cell in cells], axis=0)
    silent = ((x1 == 0) & (x2 == 0)) | ((x1 == size1) & (x2 == size2))
    dropped = silent & (measure not in ("RD", "AS")) & (double_zero == "exclude")
    by_arm = policy == TREATMENT_ARM
    add = continuity_of("empty" if by_arm else policy, continuity, empty)
    share = 2 * size1 / (size1 + size2) if by_arm else np.ones(len(empty))
    with np.errstate(divide="ignore", invalid="ignore"):
        y, v = kernel(
            *(cell + add * part for cell, part in zip(cells, (share, share, 2 - share, 2 - share), strict=True))
        )
        error = np.sqrt(np.where(dropped, np.nan, v))
    if dropped.all():
        raise DataError(
            f"{table.source}: no one, or everyone, had the event in both arms of every study ({', '.join(names[:3])}"
            f"{' ...' if len(names) > 3 else ''}): nothing is said about a ratio, and little about a difference. To bound "
            'the risk of an arm by all its patients together use ml.proportions with model="pooled-counts"; double_zero="correct" '
            "keeps such studies by what is added to their counts."
        )
    routes = Routes(len(table))
    words = MEASURES[measure].scale
    routes.offer(y, np.where(add > 0, np.nan, error), f"{words} from the 2x2 table")
    amount = f"{2 * continuity:g} shared out by the sizes of the arms and" if by_arm else f"{continuity:g}"
    why = "one was empty" if policy == "empty" or by_arm else f"correct = {policy}"
    routes.offer(y, error, f"{words} from the 2x2 table, {amount} added to each cell ({why})")
    ends = None
    uncounted = np.isnan(np.sum(cells, axis=0))
    if found[0] is not None and measure in PRINTED:
        stated = read_printed(table, names, found)
        if MEASURES[measure].axis == "log":
            check_positive(names, stated.value, found[0], "a ratio")
        ends = offer_printed(routes, MEASURES[measure], stated, stated.se, uncounted, level)
    reasons = [
        "no one, or everyone, had the event in both arms: nothing is said about a ratio"
        if dropped[i]
        else "a count is not printed, or an empty cell was left uncorrected"
        for i in range(len(table))
    ]
    some = bool((uncounted & np.isfinite(routes.v)).any())
    return assemble(
        table,
        names,
        labelled(MEASURES[measure], label),
        routes,
        reasons,
        n=size1 + size2,
        cells=None if some else np.stack(cells, axis=-1),
        low=None if ends is None else ends[0],
        high=None if ends is None else ends[1],
        events=x1 + x2,
        level=level,
    )
