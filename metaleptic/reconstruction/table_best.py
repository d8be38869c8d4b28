"""The assignments of events to a table that miss fewest printed numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from metaleptic.patients import IPD
from metaleptic.reconstruction.table_check import Check, check
from metaleptic.reconstruction.table_copies import classes, spread_out, ways
from metaleptic.reconstruction.table_facts import Fact, Patients, TimeFact
from metaleptic.reconstruction.table_result import Assignment
from metaleptic.reconstruction.table_search import Budget, pose, solutions
from metaleptic.types import BoolArray, FloatArray

_BLOCK = 400  # assignments looked at closely before the clock is asked again


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Everything that stays the same while cells are changed."""

    patients: Patients
    facts: tuple[Fact, ...]
    time_facts: tuple[TimeFact, ...]
    conventions: tuple[tuple[str, str], ...]
    column: str

    @property
    def printed(self) -> int:
        """Count of printed numbers that depend on the events."""
        return sum(f.weight for f in self.facts)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """An assignment on its way to being ranked."""

    events: FloatArray
    missed: int
    truncated: int
    far: float
    rule: str
    ties: str
    checks: tuple[Check, ...]

    @property
    def rank(self) -> tuple[int, int, float]:
        """Numbers missed, numbers that are only cut off so, distance in last digits: least is best."""
        return self.missed, self.truncated, self.far


def best(
    case: Case,
    time: FloatArray,
    at_least: int,
    at_most: int,
    budget: Budget,
    notes: list[str],
    lost: Sequence[Fact] = (),
) -> tuple[Found, ...]:
    """Return the assignments that miss fewest numbers, at most ``at_most``: more is allowed until some are found.

    ``lost`` are facts that no assignment meets, so that nothing is searched on their behalf.
    """
    posed = {
        ties: pose(time, case.patients.event, case.facts, rule="first", ties=ties, lost=lost)
        for ties in dict.fromkeys(t for _, t in case.conventions)
    }
    problems = [(replace(p, rule=rule), rule, t) for rule, t in case.conventions if (p := posed[t]) is not None]
    if len(problems) < len(case.conventions):
        _note(notes, "too many patients share one time to list all their events")
        return ()
    gone = sum(f.weight for f in lost)
    found: dict[bytes, Found] = {}
    groups = classes(time, case.patients.event, case.facts)
    for allowed in range(max(at_least, gone), at_most + 1):
        more = False
        for problem, rule, ties in problems:
            for events in _blocks(solutions(problem, allowed - gone, budget)):
                more = _keep(found, case, time, events, groups, rule, ties, allowed, budget)
                if more or budget.over():
                    break
            if more:
                _note(notes, f"more than {budget.most} assignments: a sample of them is kept")
                break
        least = min((f.missed for f in found.values()), default=at_most + 1)
        if least <= allowed or budget.over():
            break
    least = min((f.missed for f in found.values()), default=0)
    kept = [f for f in found.values() if f.missed == least and least <= at_most]
    return tuple(sorted(kept, key=lambda f: (f.truncated, f.far, tuple(-f.events))))


def _blocks(found: Iterator[tuple[FloatArray, object]]) -> Iterator[FloatArray]:
    """Cut what the search finds into small blocks, each drawn from all of it."""
    for events, _ in found:
        order = np.random.default_rng(0).permutation(len(events)) if len(events) > _BLOCK else np.arange(len(events))
        for i in range(0, len(order), _BLOCK):
            yield events[order[i : i + _BLOCK]]


def _keep(
    found: dict[bytes, Found],
    case: Case,
    time: FloatArray,
    events: FloatArray,
    groups: Sequence[Sequence[int]],
    rule: str,
    ties: str,
    allowed: int,
    budget: Budget,
) -> bool:
    """Look closely at what the search let through, and say whether there is more of it than may be kept.

    What misses more than allowed comes again when more is allowed.
    """
    all_checks, missed, far = [], np.zeros(len(events)), np.zeros(len(events))
    for fact in case.facts:
        checks, m, f = check(fact, time, events, rule=rule, ties=ties)
        all_checks.append(checks)
        missed, far = missed + m, far + f
    fits = np.flatnonzero(missed <= allowed)
    copies = [ways(events[i], groups) for i in fits]
    total = sum(copies)
    more = total > budget.most
    for own_copies, i in sorted(zip(copies, fits, strict=True)):
        own = tuple(c[i] for c in all_checks)
        truncated = sum(c.agrees == "truncated" for c in own)
        # Of too many, each kind of assignment gives its share, rounded up; the most numerous kind bears the rounding.
        share = min(own_copies, -(-own_copies * budget.most // total))
        for one in spread_out(events[i], groups, share, len(found)):
            new = Found(one, int(missed[i]), truncated, float(far[i]), rule, ties, own)
            old = found.get(one.tobytes())
            if old is None and len(found) >= budget.most:
                more = True
                break
            if old is None or new.rank < old.rank:
                found[one.tobytes()] = new
            if budget.over():
                return more
    return more


def _note(notes: list[str], words: str) -> None:
    if words not in notes:
        notes.append(words)


def assignments(case: Case, time: FloatArray, found: Sequence[Found]) -> tuple[Assignment, ...]:
    """Return what was found as the user sees it."""
    arm, printed = np.array(case.patients.arm), case.printed
    return tuple(
        Assignment(IPD(time, f.events.astype(np.int64), arm), f.checks, f.rule, f.ties, printed - f.missed, printed)
        for f in found
    )


# --- what can be reached ------------------------------------------------------------------------


def possible(case: Case, time: FloatArray, facts: tuple[Fact, ...], budget: Budget, seconds: float) -> bool | None:
    """Say whether some assignment meets these facts alone; None if time runs out first."""
    own = Budget(min(seconds, max(budget.seconds - budget.spent(), 0.0)), budget.most)
    matters = {f.kind for f in facts}
    rules = not matters.isdisjoint({"median", "median low", "median high"})
    ties = not matters.isdisjoint({"hazard ratio", "p"})
    tried = {(r if rules else "", t if ties else ""): (r, t) for r, t in reversed(case.conventions)}
    reached: bool | None = False
    for rule, tie in reversed(tried.values()):
        problem = pose(time, case.patients.event, facts, rule=rule, ties=tie)
        if problem is None:
            return None
        for events in _blocks(solutions(problem, 0, own)):
            if _all_met(facts, time, events, rule, tie).any():
                reached = True
                break
        if reached:
            break
    budget.branches += own.branches
    return True if reached else False if own.complete else None


def _all_met(facts: Sequence[Fact], time: FloatArray, events: FloatArray, rule: str, ties: str) -> BoolArray:
    met = [check(f, time, events, rule=rule, ties=ties)[1] == 0 for f in facts]
    return np.asarray(np.all(met, axis=0))


def beyond_reach(
    case: Case, time: FloatArray, facts: Sequence[Fact], budget: Budget, seconds: float
) -> tuple[Fact, ...]:
    """Return the facts that provably no assignment meets, even if nothing else need hold."""
    return tuple(f for f in facts if possible(case, time, (f,), budget, seconds) is False)
