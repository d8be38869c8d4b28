"""Single cells of the time column which, printed otherwise, make more of the paper agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from metaleptic.errors import SuspiciousDataWarning
from metaleptic.reconstruction.printed import decimals
from metaleptic.reconstruction.table_best import Case, assignments, best, possible
from metaleptic.reconstruction.table_facts import Fact, misses
from metaleptic.reconstruction.table_result import Repair
from metaleptic.reconstruction.table_search import Budget
from metaleptic.types import FloatArray
from metaleptic.warn import warn

_CELLS = 10  # many cells may be suspected: for each a tenth of the assignments is kept
_GLANCE = 0.2  # seconds to prove a fact out of reach after a change


def repairs(
    case: Case,
    missed: int,
    contradictions: tuple[str, ...],
    budget: Budget,
    notes: list[str],
    lost: Sequence[Fact] = (),
) -> tuple[Repair, ...]:
    """Change one time at a time; keep the changes after which fewest printed numbers are missed.

    ``lost`` are facts that no assignment meets as printed: where a change does not help them, little is searched.
    """
    tries = []
    for i in range(len(case.patients.time)):
        for value in _other_values(case, i):
            time = case.patients.time.copy()
            time[i] = value
            left = misses(case.patients, case.time_facts, time)
            tries.append((len(left), abs(value - case.patients.time[i]), i, value, left))
    tries.sort(key=lambda x: x[:3])
    # All cells at the fewest misses first: a search that allows none is quick, and nothing better can follow.
    least, kept = missed, []
    others = _missed_by_others(case, missed, budget)
    hopeless = _Hopeless(case, lost, budget)
    few = Budget(budget.seconds, max(1, budget.most // _CELLS), budget.started)
    for least in range(missed):
        for own, _, i, value, left in tries:
            if own > least or few.over():
                break
            if own + others[i] > least:
                continue
            time = case.patients.time.copy()
            time[i] = value
            gone = hopeless.after(time, i)
            if own + sum(f.weight for f in gone) > least:
                continue
            limits: list[str] = []
            found = best(case, time, least - own, least - own, few, limits, gone)
            if found:
                kept.append((i, value, left, found, time))
                notes.extend(w for words in limits if (w := f"with a cell changed, {words}") not in notes)
        if kept or few.over():
            break
    budget.branches += few.branches
    budget.complete &= few.complete
    mended = []
    numbers_in_all = case.printed + len(case.time_facts)
    for i, value, left, found, time in kept:
        mended.append(
            Repair(
                case.patients.name[i],
                case.column,
                float(case.patients.time[i]),
                float(value),
                tuple(c for c in contradictions if not _still(c, left)),
                assignments(case, time, found),
                numbers_in_all - least,
            )
        )
    if mended:
        first = mended[0]
        warn(
            SuspiciousDataWarning,
            f"patient '{first.patient}': column '{case.column}' prints {first.printed:g}; {first.value:g} would agree "
            "better with the text. The table is not changed: compare .repairs with the paper.",
        )
    return tuple(mended)


@dataclass(frozen=True, slots=True, eq=False)
class _Hopeless:
    """Facts out of reach as printed, and whether they remain so when one time is another."""

    case: Case
    lost: Sequence[Fact]
    budget: Budget
    known: dict[tuple[int, bytes], bool] = field(default_factory=dict)

    def after(self, time: FloatArray, changed: int) -> tuple[Fact, ...]:
        """Return the facts that no assignment meets at these times either."""
        order = np.unique(time, return_inverse=True)[1].tobytes()
        return tuple(f for k, f in enumerate(self.lost) if not f.members[changed] or self._still(k, f, time, order))

    def _still(self, k: int, fact: Fact, time: FloatArray, order: bytes) -> bool:
        # Hazard ratios and their tests, and counts, depend on the times by their order alone.
        key = (k, order if fact.kind in {"hazard ratio", "p", "events"} else time.tobytes())
        if key not in self.known:
            self.known[key] = possible(self.case, time, (fact,), self.budget, _GLANCE) is False
        return self.known[key]


def _missed_by_others(case: Case, missed: int, budget: Budget) -> list[int]:
    """Return for each patient how many numbers are missed even of those that are not about her: no change mends them."""
    known: dict[tuple[int, ...], int] = {}
    out = []
    for i in range(len(case.patients.time)):
        about = tuple(k for k, f in enumerate(case.facts) if not f.members[i])
        if about not in known:
            facts = tuple(case.facts[k] for k in about)
            own = Budget(min(5.0, max(budget.seconds - budget.spent(), 0.0)), 1)
            found = best(replace(case, facts=facts), case.patients.time, 0, missed, own, []) if facts else ()
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


def _other_values(case: Case, i: int) -> NDArray[np.float64]:
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


def _implied_by_means(case: Case, i: int) -> float:
    """Return the time of a patient that gives a printed mean of her group, if one is missed; else her own."""
    time = case.patients.time
    for f in case.time_facts:
        if f.kind == "mean" and f.window is not None and f.members[i] and f.window.verdict(f.value(time)) == "no":
            middle = 0.5 * (f.window.low + f.window.rounded)
            return float(time[i] + (middle - f.value(time)) * f.members.sum())
    return float(time[i])


def _told(case: Case) -> list[float]:
    values = [0.5 * (f.windows[0].low + f.windows[0].rounded) for f in case.facts if f.kind == "median"]
    return [v for v in values if np.isfinite(v)]
