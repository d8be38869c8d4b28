"""From a printed table of patients and the text around it to who had the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning
from metaleptic.frames import Table, find_column, numbers, read_table, texts
from metaleptic.kaplan_meier import QUANTILE_RULES
from metaleptic.patients import IPD, Contrast, Published
from metaleptic.reconstruction.printed import decimals
from metaleptic.reconstruction.table_check import Check, check
from metaleptic.reconstruction.table_facts import (
    EVERYBODY,
    Fact,
    Patients,
    TimeFact,
    gather_facts,
    gather_time_facts,
    misses,
)
from metaleptic.reconstruction.table_result import Assignment, Repair, TableReconstruction, Unreached
from metaleptic.reconstruction.table_search import Budget, pose, solutions, spread_out
from metaleptic.survival_tests import TIES
from metaleptic.types import BoolArray, FloatArray
from metaleptic.warn import warn

_BLOCK = 400  # assignments looked at closely before the clock is asked again


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """Everything that stays the same while cells are changed."""

    patients: Patients
    facts: tuple[Fact, ...]
    time_facts: tuple[TimeFact, ...]
    conventions: tuple[tuple[str, str], ...]
    column: str

    @property
    def printed(self) -> int:
        return sum(f.weight for f in self.facts)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """An assignment on its way to being ranked."""

    events: FloatArray
    missed: int
    truncated: int
    far: float
    rule: str
    ties: str
    checks: tuple[Check, ...]


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
        Most assignments kept.

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
    data = read_table(table)
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
    case = _Case(patients, facts, time_facts, conventions, time)
    budget = Budget(seconds, most)
    notes: list[str] = []
    best = _best(case, patients.time, 0, case.printed, budget, notes)
    contradictions = misses(patients, time_facts, patients.time)
    missed = (best[0].missed if best else case.printed) + len(contradictions)
    repairs: tuple[Repair, ...] = ()
    if repair and missed and budget.complete:
        repairs = _repairs(case, data, missed, contradictions, budget, notes)
    unreachable = _unreached(case, patients.time, best, repairs, budget)
    if not budget.complete and not notes:
        notes.append(f"stopped after {seconds:g} s; give more seconds, or more of what is printed")
    clean = tuple(_assignment(case, patients.time, f) for f in best)
    spent = budget.spent()
    return TableReconstruction(
        clean,
        repairs,
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
    t = numbers(data, time_column, names)
    for i in np.flatnonzero(~(t >= 0)):
        what = "is empty" if np.isnan(t[i]) else f"is {t[i]:g}, below 0"
        raise DataError(
            f"patient '{names[i]}' (row {i + 1}): column '{time_column}' {what}. Correct or remove the row."
        )
    event_column = find_column(data, event, "event")
    known = numbers(data, event_column, names) if event_column else np.full(len(t), np.nan)
    for i in np.flatnonzero(~np.isnan(known) & ~np.isin(known, (0.0, 1.0))):
        raise DataError(
            f"patient '{names[i]}' (row {i + 1}): column '{event_column}' is {known[i]:g}. "
            "Write 1 for an event, 0 for censored, nothing if unknown."
        )
    arm_column = find_column(data, arm, "arm")
    arms = texts(data, arm_column) if arm_column else ("",) * len(t)
    floor = numbers(data, find_column(data, at_least, at_least or ""), names)
    ceiling = numbers(data, find_column(data, at_most, at_most or ""), names)
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


# --- searching ----------------------------------------------------------------------------------


def _best(
    case: _Case, time: FloatArray, at_least: int, at_most: int, budget: Budget, notes: list[str]
) -> tuple[_Found, ...]:
    """Return the assignments that miss fewest numbers, at most ``at_most``: more is allowed until some are found."""
    posed = {
        ties: pose(time, case.patients.event, case.facts, rule="first", ties=ties)
        for ties in dict.fromkeys(t for _, t in case.conventions)
    }
    problems = [(replace(p, rule=rule), rule, t) for rule, t in case.conventions if (p := posed[t]) is not None]
    if len(problems) < len(case.conventions):
        _note(notes, "too many patients share one time to list all their events")
        return ()
    found: dict[bytes, _Found] = {}
    for allowed in range(at_least, at_most + 1):
        for problem, rule, ties in problems:
            blocks = (
                e[i : i + _BLOCK] for e, _ in solutions(problem, allowed, budget) for i in range(0, len(e), _BLOCK)
            )
            for events in blocks:
                _keep(found, case, time, events, rule, ties, allowed, budget, notes)
                if len(found) >= budget.most or budget.over():
                    break
        least = min((f.missed for f in found.values()), default=at_most + 1)
        if least <= allowed or budget.over() or len(found) >= budget.most:
            break
    least = min((f.missed for f in found.values()), default=0)
    kept = [f for f in found.values() if f.missed == least and least <= at_most]
    return tuple(sorted(kept, key=lambda f: (f.truncated, f.far, tuple(-f.events))))


def _keep(
    found: dict[bytes, _Found],
    case: _Case,
    time: FloatArray,
    events: FloatArray,
    rule: str,
    ties: str,
    allowed: int,
    budget: Budget,
    notes: list[str],
) -> None:
    """Look closely at what the search let through; what misses more than allowed comes again when more is allowed."""
    all_checks, missed, far = [], np.zeros(len(events)), np.zeros(len(events))
    for fact in case.facts:
        checks, m, f = check(fact, time, events, rule=rule, ties=ties)
        all_checks.append(checks)
        missed, far = missed + m, far + f
    for i in np.flatnonzero(missed <= allowed):
        row = events[i]
        own = tuple(c[i] for c in all_checks)
        truncated = sum(c.agrees == "truncated" for c in own)
        copies = spread_out(row, time, case.patients.event, case.facts, budget.most - len(found) + 1)
        if len(found) + len(copies) > budget.most:
            _note(notes, f"more than {budget.most} assignments: the first ones are kept")
        for one in copies[: max(budget.most - len(found), 0)]:
            new = _Found(one, int(missed[i]), truncated, float(far[i]), rule, ties, own)
            old = found.get(one.tobytes())
            if old is None or (new.missed, new.truncated, new.far) < (old.missed, old.truncated, old.far):
                found[one.tobytes()] = new


def _note(notes: list[str], words: str) -> None:
    if words not in notes:
        notes.append(words)


def _assignment(case: _Case, time: FloatArray, f: _Found) -> Assignment:
    ipd = IPD(time, f.events.astype(np.int64), np.array(case.patients.arm))
    return Assignment(ipd, f.checks, f.rule, f.ties, case.printed - f.missed, case.printed)


# --- misprints ----------------------------------------------------------------------------------


def _repairs(
    case: _Case, data: Table, missed: int, contradictions: tuple[str, ...], budget: Budget, notes: list[str]
) -> tuple[Repair, ...]:
    """Change one time at a time; keep the changes after which fewest printed numbers are missed."""
    tries = []
    for i in range(len(case.patients.time)):
        for value in _other_values(case, data, i):
            time = case.patients.time.copy()
            time[i] = value
            left = misses(case.patients, case.time_facts, time)
            tries.append((len(left), abs(value - case.patients.time[i]), i, value, left))
    tries.sort(key=lambda x: x[:3])
    # All cells at the fewest misses first: a search that allows none is quick, and nothing better can follow.
    least, kept = missed, []
    others = _missed_by_others(case, missed, budget)
    for least in range(missed):
        for own, _, i, value, left in tries:
            if own > least or budget.over():
                break
            if own + others[i] > least:
                continue
            time = case.patients.time.copy()
            time[i] = value
            found = _best(case, time, least - own, least - own, budget, [])
            if found:
                kept.append((i, value, left, found, time))
        if kept or budget.over():
            break
    repairs = []
    numbers_in_all = case.printed + len(case.time_facts)
    for i, value, left, found, time in kept:
        repairs.append(
            Repair(
                case.patients.name[i],
                case.column,
                float(case.patients.time[i]),
                float(value),
                tuple(c for c in contradictions if not _still(c, left)),
                tuple(_assignment(case, time, f) for f in found),
                numbers_in_all - least,
            )
        )
    if repairs:
        first = repairs[0]
        warn(
            SuspiciousDataWarning,
            f"patient '{first.patient}': column '{case.column}' prints {first.printed:g}; {first.value:g} would agree "
            "better with the text. The table is not changed: compare .repairs with the paper.",
        )
    return tuple(repairs)


def _missed_by_others(case: _Case, missed: int, budget: Budget) -> list[int]:
    """Return for each patient how many numbers are missed even of those that are not about her: no change mends them."""
    known: dict[tuple[int, ...], int] = {}
    out = []
    for i in range(len(case.patients.time)):
        about = tuple(k for k, f in enumerate(case.facts) if not f.members[i])
        if about not in known:
            facts = tuple(case.facts[k] for k in about)
            own = Budget(min(5.0, max(budget.seconds - budget.spent(), 0.0)), 1)
            found = _best(replace(case, facts=facts), case.patients.time, 0, missed, own, []) if facts else ()
            # Where time runs out nothing is ruled out.
            known[about] = found[0].missed if found and (own.complete or not found[0].missed) else 0
            budget.branches += own.branches
        out.append(known[about])
    return out


def _still(contradiction: str, left: tuple[str, ...]) -> bool:
    return _topic(contradiction) in {_topic(c) for c in left}


def _topic(contradiction: str) -> str:
    """Return a contradiction without the value of the times, which changes with the cell."""
    words, brackets, _ = contradiction.partition(" (the times give")
    return words if brackets else words.partition(":")[0]


def _other_values(case: _Case, data: Table, i: int) -> NDArray[np.float64]:
    """Return what a cell may have been: every printed value up to the longest time, or the ones that matter."""
    p = case.patients
    unit = 10.0 ** -decimals(np.round(p.time, 6).tolist())
    if p.time.max() / unit <= 60:
        grid = np.arange(round(p.time.max() / unit) + 2) * unit
    else:
        spots = np.unique(np.concatenate([p.time, [f.at for f in case.facts if f.kind == "rate"], _told(case)]))
        own, implied = p.time[i], _implied_by_means(case, i)
        slips = [10 * own, own / 10, *(implied + k * unit for k in range(-5, 6))]
        near = np.concatenate([spots, spots - unit, spots + unit, 0.5 * (spots[1:] + spots[:-1]), slips])
        grid = np.unique(np.round(near[near >= 0] / unit) * unit)
    return np.asarray(grid[np.abs(grid - p.time[i]) > 1e-9])


def _implied_by_means(case: _Case, i: int) -> float:
    """Return the time of a patient that gives a printed mean of her group, if one is missed; else her own."""
    time = case.patients.time
    for f in case.time_facts:
        if f.kind == "mean" and f.window is not None and f.members[i] and f.window.verdict(f.value(time)) == "no":
            middle = 0.5 * (f.window.low + f.window.rounded)
            return float(time[i] + (middle - f.value(time)) * f.members.sum())
    return float(time[i])


def _told(case: _Case) -> list[float]:
    values = [0.5 * (f.windows[0].low + f.windows[0].rounded) for f in case.facts if f.kind == "median"]
    return [v for v in values if np.isfinite(v)]


# --- what is not reached ------------------------------------------------------------------------


def _unreached(
    case: _Case, time: FloatArray, best: tuple[_Found, ...], repairs: tuple[Repair, ...], budget: Budget
) -> tuple[Unreached, ...]:
    """Explain the statements that every best assignment misses: alone, against one other, or against several."""
    if repairs:
        time, peers = repairs[0].assignments[0].ipd.time, [a.checks for a in repairs[0].assignments]
    else:
        peers = [f.checks for f in best]
    if not peers:
        return ()
    failed = [k for k in range(len(case.facts)) if all(c[k].agrees == "no" for c in peers)]
    out = []
    for k in failed:
        alone = _possible(case, time, (case.facts[k],), budget)
        against: tuple[str, ...] = ()
        if alone:
            others = [f for j, f in enumerate(case.facts) if j not in failed]
            against = tuple(
                f"{f.label} {f.printed}" for f in others if _possible(case, time, (case.facts[k], f), budget) is False
            )
        c = peers[0][k]
        out.append(Unreached(c.fact, c.printed, c.value, alone, against))
    return tuple(out)


def _possible(case: _Case, time: FloatArray, facts: tuple[Fact, ...], budget: Budget) -> bool | None:
    """Say whether some assignment meets these facts alone; None if time runs out first."""
    own = Budget(min(5.0, max(budget.seconds - budget.spent(), 0.5)), budget.most)
    for rule, ties in case.conventions:
        problem = pose(time, case.patients.event, facts, rule=rule, ties=ties)
        if problem is None:
            return None
        for events, _ in solutions(problem, 0, own):
            met = [check(f, time, events[:50], rule=rule, ties=ties)[1] == 0 for f in facts]
            if np.any(np.all(met, axis=0)):
                return True
    budget.branches += own.branches
    return False if own.complete else None
