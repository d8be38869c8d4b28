"""Matched pairs: the same patients, or matched ones, under two conditions with a yes-or-no outcome."""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.convert.by_kernel import Column, effects_of, measure_key, read_columns
from metaleptic.convert.count_kernels import MATCHED_PAIRS, policy_named
from metaleptic.convert.count_kernels import continuity as continuity_of
from metaleptic.measures import MEASURES
from metaleptic.types import Effects


def matched_pairs(
    data: Any,
    *,
    measure: str = "MPOR",
    both: str | None = None,
    first: str | None = None,
    second: str | None = None,
    neither: str | None = None,
    continuity: float = 0.5,
    correct: str | None = None,
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn counts of matched pairs into odds ratios, risk ratios or risk differences to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    measure : {"MPOR", "MPORC", "MPPETO", "MPRR", "MPRD"}, default "MPOR"
        Marginal odds ratio, conditional odds ratio (discordant pairs alone), Peto's, risk ratio, risk difference.
    both, first, second, neither : str, optional
        Columns with the pairs that had the event under both conditions, the first alone, the second alone, neither.
    continuity : float, default 0.5
        Added to all four counts where ``correct`` says.
    correct : {"empty", "all", "if any empty", "none"}, optional
        Which studies; by default those with an empty cell.
    study, label, level, sheet
        As in ``ml.means``.

    Returns
    -------
    Effects
        The first condition against the second.

    Raises
    ------
    DataError
        If a count is negative or not whole.

    Notes
    -----
    Sources: Curtin F et al. Stat Med 2002;21:2145-2159; Zou GY. Am J Epidemiol 2007;166:1231-1232; Nam JM, Blackwelder WC.
    Stat Med 2002;21:689-699; May WL, Johnson WD. Stat Med 1997;16:2127-2136.

    Examples
    --------
    >>> import metaleptic as ml
    >>> t = {"study": ["A"], "both": [20], "first": [12], "second": [5], "neither": [30]}
    >>> ml.matched_pairs(t, measure="MPORC").y.round(4)
    array([0.8755])
    """
    measure = measure_key(measure, MATCHED_PAIRS)
    kernel = MATCHED_PAIRS[measure]
    names = {"both": both, "first": first, "second": second, "neither": neither}
    columns = {k: Column(v, f"the number of pairs ({k})", least=0, whole=True) for k, v in names.items()}
    read = read_columns(data, columns, study, sheet)
    cells = [read.values[k] for k in names]
    policy = policy_named(measure, correct)
    add = continuity_of(policy, continuity, np.any([cell == 0 for cell in cells], axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        y, v = kernel(*(cell + add for cell in cells))
    words = f"{MEASURES[measure].scale} from the counts"
    why = "one was empty" if policy == "empty" else f"correct = {policy}"
    how = [f"{words}, {continuity:g} added to each cell ({why})" if a else words for a in add]
    reason = "a count is not printed, or an empty cell was left uncorrected"
    total = np.sum(cells, axis=0)
    return effects_of(read, measure, y, v, how, reason, n=total, label=label, level=level)
