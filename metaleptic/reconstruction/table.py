"""From a printed table of patients and the text around it to who had the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.errors import DataError, OptionError
from metaleptic.frames import Table, find_column, numbers, read_table, texts
from metaleptic.kaplan_meier import QUANTILE_RULES
from metaleptic.patients import Contrast, Published
from metaleptic.reconstruction.table_best import Case, assignments, best, beyond_reach
from metaleptic.reconstruction.table_facts import (
    EVERYBODY,
    Fact,
    Patients,
    gather_facts,
    gather_time_facts,
    misses,
)
from metaleptic.reconstruction.table_repairs import repairs
from metaleptic.reconstruction.table_result import Repair, TableReconstruction
from metaleptic.reconstruction.table_search import Budget
from metaleptic.reconstruction.table_unreached import unreached
from metaleptic.survival_tests import TIES
from metaleptic.types import BoolArray, FloatArray

_PROOF = 2.0  # seconds to prove that a printed number is out of reach

_EVENT = "Write 1 for an event, 0 for censored, nothing if unknown."


def reconstruct_table(
    table: Any,
    published: Mapping[str, Published | Contrast] | Published,
    *,
    contrasts: Sequence[Contrast] = (),
    means: Mapping[str, Any] | None = None,
    time_medians: Mapping[str, Any] | None = None,
    time: str = "time",
    event: str | None = None,
    arm: str | None = None,
    patient: str | None = None,
    at_least: str | None = None,
    at_most: str | None = None,
    rules: Sequence[str] = ("first", "midpoint"),
    ties: Sequence[str] = TIES,
    rounding: str = "either",
    repair: bool = True,
    seconds: float = 60.0,
    most: int = 5000,
) -> TableReconstruction:
    """Infer who died and who was alive when last seen, from a table of times and what the text prints about them.

    Small series often print each patient's time but not who was censored. This searches every possible assignment of
    events for those that reproduce the printed medians, rates, hazard ratios and p-values, under each convention that
    papers use, and ranks them by how many printed numbers they reproduce. If none reproduces all, it looks for a single
    cell of the time column which, printed otherwise, makes more agree. What it returns is inferred: keep it beside
    the printed table, never in its place.

    Parameters
    ----------
    table : DataFrame, mapping, sequence of mappings, str or Path
        One row per patient.
    published : mapping of str to Published, or Published
        What is printed about each group: ``"all"``, the name of an arm, or ``"column=value"`` for the patients with that
        value in another column (a ``Contrast`` may stand here too, under any key). Use ``median=float("inf")`` for "not reached". Write numbers as text where the last
        zero counts (``"0.60"``); rates are taken to be printed to two decimals at least.
    contrasts : sequence of Contrast
        Hazard ratios with interval and p between two such groups. A p may be that of the Wald, likelihood ratio,
        score or log-rank test.
    means, time_medians : mapping of str to number, optional
        Printed means and plain medians of the times by group (censored or not): the events do not change them, but they
        tell a misprint.
    time, event, arm, patient : str
        Columns: time (0 or more, any unit); event if some are known (1, 0, or empty); arm; name of the patient.
        ``arm`` and ``patient`` are found by themselves if they have these names.
    at_least, at_most : str, optional
        Columns with times that cannot be later (progression, when ``time`` is survival) or earlier.
    rules : sequence of {"first", "midpoint", "strict"}
        Conventions for the median to try.
    ties : sequence of {"breslow", "efron"}
        Conventions for ties in Cox's model to try.
    rounding : {"either", "rounded"}
        Whether a number may have been cut off instead of rounded (0.386 printed as 0.38).
    repair : bool
        Whether to look for misprints.
    seconds : float
        Time after which the search stops and says so.
    most : int
        Most assignments kept (for each changed cell a tenth of it); of more, a sample drawn from all parts of the
        search, always the same one.

    Returns
    -------
    TableReconstruction
        With ``.assignments``, ``.repairs``, ``.unreachable``, ``.contradictions`` and ``.complete``.

    Raises
    ------
    DataError
        If a time is missing or negative, an event is not 0 or 1, or a printed number is impossible.
    OptionError
        If a group, a column or a convention is unknown, or nothing printed depends on the events.

    Notes
    -----
    Branch and bound: numbers at risk depend on the times alone, so that survival, score and information are sums over
    distinct times, and branches end as soon as no later event can bring the printed numbers about.

    Examples
    --------
    >>> import metaleptic as ml
    >>> table = {"time": [6, 6, 9, 10, 19, 22, 24], "regimen": ["B", "A", "B", "B", "A", "B", "A"]}
    >>> printed = {"all": ml.Published(median=22, rates={12: 0.64}), "regimen=A": ml.Published(median=float("inf"))}
    >>> rec = ml.reconstruct_table(table, printed)
    >>> rec
    as printed: 2 assignments with 3 of 3 printed numbers
    >>> rec.assignments[0]
    3 events in 7 patients, 3 of 3 printed numbers reproduced (median: first, ties: efron)
    """
    _check_options(rules, ties, rounding, seconds, most)
    data = _rows(table)
    given = {EVERYBODY: published} if isinstance(published, Published) else dict(published)
    told = {group: p for group, p in given.items() if isinstance(p, Published)}
    contrasts = (*(c for c in given.values() if isinstance(c, Contrast)), *contrasts)
    strange = [group for group, p in given.items() if not isinstance(p, Published | Contrast)]
    if strange:
        raise OptionError(f"group {strange[0]!r}: give what is printed as ml.Published(median=..., rates={{12: ...}}).")
    patients = _patients(data, time, event, arm, patient, at_least, at_most)
    facts = gather_facts(patients, told, tuple(contrasts), rounding)
    if not facts:
        raise OptionError("nothing printed depends on who had the event. Give medians, rates, events or hazard ratios.")
    time_facts = gather_time_facts(patients, told, means or {}, time_medians or {}, rounding)
    medians = any(f.kind == "median" for f in facts)
    cox = any(f.kind in {"hazard ratio", "p"} for f in facts)
    conventions = tuple((r, t) for r in (rules if medians else rules[:1]) for t in (ties if cox else ties[:1]))
    case = Case(patients, facts, time_facts, conventions, time)
    budget = Budget(seconds, int(min(most, 2**62)))
    notes: list[str] = []
    found = best(case, patients.time, 0, 0, budget, notes)
    lost: tuple[Fact, ...] = ()
    if not found and not notes:
        lost = beyond_reach(case, patients.time, facts, budget, _PROOF)
        found = best(case, patients.time, 1, case.printed, budget, notes, lost)
    contradictions = misses(patients, time_facts, patients.time)
    missed = (found[0].missed if found else case.printed) + len(contradictions)
    mended: tuple[Repair, ...] = ()
    if repair and missed and budget.complete:
        mended = repairs(case, missed, contradictions, budget, notes, lost)
    unreachable = unreached(case, patients.time, found, mended, budget)
    if not budget.complete:
        notes.append(f"stopped after {seconds:g} s; give more seconds, or more of what is printed")
    clean = assignments(case, patients.time, found)
    spent = budget.spent()
    return TableReconstruction(
        clean,
        mended,
        unreachable,
        contradictions,
        budget.complete and not notes,
        budget.branches,
        spent,
        tuple(notes),
        patients.name,
    )


# --- reading ------------------------------------------------------------------------------------


def _check_options(rules: Sequence[str], ties: Sequence[str], rounding: str, seconds: float, most: int) -> None:
    for given, known, name in [(rules, tuple(QUANTILE_RULES), "rules"), (ties, TIES, "ties")]:
        if isinstance(given, str) or not given or any(g not in known for g in given):
            raise OptionError(f"{name} {given!r}: give a list of some of: {', '.join(known)}.")
    for name, value in (("seconds", seconds), ("most", most)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise OptionError(f"{name} {value!r}: give a number, 0 or more.")
    if rounding not in {"either", "rounded"}:
        raise OptionError(f"rounding {rounding!r} is unknown. Choose one of: either, rounded.")


def _rows(table: Any) -> Table:
    try:
        return read_table(table)
    except DataError as err:
        raise DataError(str(err).replace("There is nothing to pool.", "Give one row per patient.")) from None


def _column(data: Table, column: str | None, names: Sequence[str], advice: str) -> FloatArray:
    """Return a column as numbers; what cannot be read is a matter of a patient here, not of a study."""
    try:
        return numbers(data, column, names)
    except DataError:
        for i, name in enumerate(names):
            _readable(data.keep([i]), str(column), name, i + 1, advice)
        raise


def _readable(one: Table, column: str, name: str, row: int, advice: str) -> None:
    try:
        numbers(one, column, [name])
    except DataError:
        raise DataError(
            f"patient '{name}' (row {row}): column '{column}' holds '{texts(one, column)[0]}', which is not a finite "
            f"number. {advice}"
        ) from None


def _patients(
    data: Table,
    time: str,
    event: str | None,
    arm: str | None,
    patient: str | None,
    at_least: str | None,
    at_most: str | None,
) -> Patients:
    name_column = find_column(data, patient, "patient")
    names = texts(data, name_column) if name_column else tuple(str(i + 1) for i in range(len(data)))
    time_column = find_column(data, time, "time", needed_for="the time of each patient")
    t = _column(data, time_column, names, "Write it with a decimal point and no unit, or remove the row.")
    for i in np.flatnonzero(~(t >= 0)):
        what = "is empty" if np.isnan(t[i]) else f"is {t[i]:g}, below 0"
        raise DataError(
            f"patient '{names[i]}' (row {i + 1}): column '{time_column}' {what}. Correct or remove the row."
        )
    event_column = find_column(data, event, "event")
    known = _column(data, event_column, names, _EVENT)
    for i in np.flatnonzero(~np.isnan(known) & ~np.isin(known, (0.0, 1.0))):
        raise DataError(f"patient '{names[i]}' (row {i + 1}): column '{event_column}' is {known[i]:g}. {_EVENT}")
    arm_column = find_column(data, arm, "arm")
    arms = texts(data, arm_column) if arm_column else ("",) * len(t)
    limits = "Write it with a decimal point and no unit, or nothing if unknown."
    floor = _column(data, find_column(data, at_least, at_least or ""), names, limits)
    ceiling = _column(data, find_column(data, at_most, at_most or ""), names, limits)
    return Patients(
        names,
        t,
        np.where(np.isnan(known), -1, known).astype(np.int64),
        arms,
        MappingProxyType(_groups(data, arms)),
        floor,
        ceiling,
    )


def _groups(data: Table, arms: Sequence[str]) -> dict[str, BoolArray]:
    groups: dict[str, BoolArray] = {}
    for column in data.columns:
        cells = np.array(texts(data, column))
        for value in dict.fromkeys(cells.tolist()):
            groups[f"{column}={value}"] = cells == value
    groups |= {a: np.array([b == a for b in arms]) for a in dict.fromkeys(arms) if a}
    groups[EVERYBODY] = np.ones(len(data), dtype=bool)
    return groups
