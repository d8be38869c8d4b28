"""Events and person-time: rates of one arm, and of two."""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.convert.by_kernel import Column, effects_of, measure_key, read_columns
from metaleptic.convert.count_kernels import RATES, TWO_RATES, policy_named
from metaleptic.convert.count_kernels import continuity as continuity_of
from metaleptic.errors import OptionError, SuspiciousDataWarning
from metaleptic.measures import MEASURES
from metaleptic.types import Effects
from metaleptic.warn import warn


def two_rates(
    data: Any,
    *,
    events1: str | None = None,
    time1: str | None = None,
    events2: str | None = None,
    time2: str | None = None,
    measure: str = "IRR",
    continuity: float = 0.5,
    correct: str | None = None,
    double_zero: str = "correct",
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn events and person-time of two arms into rate ratios or differences to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    events1, time1, events2, time2 : str, optional
        Columns with events and person-time of the arm of interest and of the control.
    measure : {"IRR", "IRD", "IRSD"}, default "IRR"
        Rate ratio, rate difference, or difference of square-root rates.
    continuity : float, default 0.5
        Added to the events of both arms of studies with an arm without events (not for IRSD); 0 leaves them out of
        ratios.
    correct : {"empty", "all", "if any empty", "none"}, optional
        Which studies ``continuity`` is added to, as in ``ml.two_by_two``; by default those without events.
    double_zero : {"correct", "exclude"}, default "correct"
        What becomes of rate ratios without events in both arms: the correction makes their effect up (a warning says so),
        or they are left out. Models of counts use them as they are.
    study, label, level, sheet
        As in ``ml.two_by_two``.

    Returns
    -------
    Effects
        ``effects.cells`` keeps events and person-time of both arms for ``ml.pool(model="poisson-normal")`` and its kin.

    Raises
    ------
    DataError
        If a count is negative or not whole, or a person-time not above 0.

    Notes
    -----
    Source: Rothman KJ, Greenland S, Lash TL. Modern Epidemiology, 3rd edition 2008, chapter 14.

    Examples
    --------
    >>> import metaleptic as ml
    >>> t = {"study": ["A"], "events1": [10], "time1": [100], "events2": [12], "time2": [95]}
    >>> ml.two_rates(t).y.round(4)
    array([-0.2336])
    """
    measure = measure_key(measure, TWO_RATES)
    kernel = TWO_RATES[measure]
    columns = _arm(events1, time1, "1") | _arm(events2, time2, "2")
    if double_zero not in {"exclude", "correct"}:
        raise OptionError(f'double_zero {double_zero!r} is unknown. Choose "exclude" or "correct".')
    read = read_columns(data, columns, study, sheet)
    x = read.values
    empty = (x["events1"] == 0) | (x["events2"] == 0)
    policy = policy_named(measure, correct)
    add = continuity_of(policy, continuity, empty)
    silent = (x["events1"] == 0) & (x["events2"] == 0)
    if measure == "IRR" and double_zero == "exclude":
        add = np.where(silent, 0.0, add)
    elif measure == "IRR" and (silent & (add > 0)).any():
        names = ", ".join(str(read.names[i]) for i in np.flatnonzero(silent & (add > 0))[:5])
        counts = (
            ' pool the counts with model="poisson-normal"'
            if min(np.nansum(x["events1"]), np.nansum(x["events2"])) > 0
            else ', as an arm has no events in any study, pool rate differences: measure="IRD" with model="mantel-haenszel"'
        )
        if max(np.nansum(x["events1"]), np.nansum(x["events2"])) == 0:
            counts = ', as no study has events, bound the rate of an arm by ml.rates with model="pooled-counts"'
        warn(
            SuspiciousDataWarning,
            f"{names}: no events in either arm. Their rate ratio comes from the {continuity:g} added alone; "
            f'leave them out with double_zero="exclude", or{counts}.',
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        y, v = kernel(x["events1"] + add, x["time1"], x["events2"] + add, x["time2"])
    words = f"{MEASURES[measure].scale} from events and person-time"
    why = [("both had none" if s else "one had none") if policy == "empty" else f"correct = {policy}" for s in silent]
    how = [
        f"{words}, {continuity:g} added to the events of both arms ({w})" if a else words
        for a, w in zip(add, why, strict=True)
    ]
    return effects_of(
        read,
        measure,
        y,
        v,
        how,
        "events or person-time are not printed, or an arm without events was left uncorrected",
        events=x["events1"] + x["events2"],
        cells=np.stack([x["events1"], x["time1"], x["events2"], x["time2"]], axis=-1),
        label=label,
        level=level,
    )


def rates(
    data: Any,
    *,
    events: str | None = None,
    time: str | None = None,
    measure: str = "IRLN",
    continuity: float = 0.5,
    correct: str | None = None,
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn events and person-time of single arms into rates to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    events, time : str, optional
        Columns with events and person-time.
    measure : {"IRLN", "IR", "IRS", "IRFT"}, default "IRLN"
        Log rate, rate, square-root rate, Freeman-Tukey rate.
    continuity : float, default 0.5
        Added to the events of studies without any (not for IRS and IRFT); 0 leaves them out.
    correct : {"empty", "all", "if any empty", "none"}, optional
        Which studies ``continuity`` is added to, as in ``ml.two_by_two``; by default those without events.
    study, label, level, sheet
        As in ``ml.proportions``.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        If a count is negative or not whole, or a person-time not above 0.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.rates({"study": ["A"], "events": [10], "time": [100]}).y.round(3)
    array([-2.303])
    """
    measure = measure_key(measure, RATES)
    kernel = RATES[measure]
    read = read_columns(data, _arm(events, time, ""), study, sheet)
    x = read.values
    policy = policy_named(measure, correct)
    add = continuity_of(policy, continuity, x["events"] == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        y, v = kernel(x["events"] + add, x["time"])
    words = f"{MEASURES[measure].scale} from events and person-time"
    why = "there were none" if policy == "empty" else f"correct = {policy}"
    how = [f"{words}, {continuity:g} added to the events ({why})" if a else words for a in add]
    nothing = np.full(len(read.names), np.nan)
    return effects_of(
        read,
        measure,
        y,
        v,
        how,
        "events or person-time are not printed, or none had the event and it was left uncorrected",
        events=x["events"],
        cells=np.stack([x["events"], x["time"], nothing, nothing], axis=-1),
        label=label,
        level=level,
    )


def _arm(events: str | None, time: str | None, number: str) -> dict[str, Column]:
    of = f" of arm {number}" if number else ""
    return {
        f"events{number}": Column(events, f"the number of events{of}", least=0, whole=True),
        f"time{number}": Column(time, f"the person-time{of}", above=0),
    }
