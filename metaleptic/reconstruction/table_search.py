"""Branch and bound over who had the event: every assignment that misses at most so many printed numbers.

Who is at risk depends on the printed times alone. Log survival of a group, the score and the information of Cox's model
at a given hazard ratio are therefore sums over distinct times of terms in the events of that time. The search walks
through the times, many partial assignments at once; it drops a branch as soon as a survival rate or a median is decided
wrongly, or as the score can no longer change its sign within the printed hazard ratio (it falls in the hazard ratio, so
that its signs at the two ends of the rounding interval decide), whatever the later events are.
"""

from __future__ import annotations

import itertools
import time as clock
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from metaleptic.reconstruction.table_copies import alike
from metaleptic.reconstruction.table_facts import DYNAMIC, Fact, log_limits
from metaleptic.survival_tests import RiskCounts, likelihood_terms
from metaleptic.types import BoolArray, FloatArray

_HALF = 1e-9
_LOG_HALF = float(np.log(0.5))
_CHUNK = 120_000
_MOST_CHOICES = 50_000


@dataclass(slots=True)
class Budget:
    """What a search may spend, and what it spent."""

    seconds: float
    most: int
    started: float = field(default_factory=clock.perf_counter)
    branches: int = 0
    complete: bool = True

    def spent(self) -> float:
        """Return the seconds since the search began."""
        return clock.perf_counter() - self.started

    def over(self) -> bool:
        """Say whether time has run out; from then on the search is incomplete."""
        if self.spent() > self.seconds:
            self.complete = False
        return not self.complete


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """One distinct time: the possible events of its patients, and what each choice adds to every sum."""

    time: float
    events: FloatArray  # (choices, patients)
    adds: FloatArray  # (choices, sums)


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """A fact about the survival of one group: which sum is its log survival, and at which levels it is settled."""

    fact: Fact
    sum: int
    levels: frozenset[int]
    settle: int  # rate: its level. median: last level of the group before the window closes; -1 if there is none
    last: int
    last_time: float


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """A fact that holds if sums end within limits."""

    fact: Fact
    sums: tuple[int, ...]
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Levels, facts and the reach of the later levels, ready to search."""

    levels: tuple[_Level, ...]
    curves: tuple[_Curve, ...]
    targets: tuple[_Target, ...]
    most_after: FloatArray  # (levels, sums): the most that later levels can add
    least_after: FloatArray
    unavoidable: int
    rule: str
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    sums: FloatArray
    loss: NDArray[np.int64]
    missed: BoolArray  # (states, targets)
    flat: FloatArray  # (states, curves): when survival came to be exactly 1/2
    path: NDArray[np.int32]

    def take(self, at: NDArray[np.intp] | BoolArray | slice) -> _State:
        return _State(self.sums[at], self.loss[at], self.missed[at], self.flat[at], self.path[at])


def pose(
    time: FloatArray,
    event: NDArray[np.int64],
    facts: Sequence[Fact],
    *,
    rule: str,
    ties: str,
    lost: Sequence[Fact] = (),
) -> Problem | None:
    """Prepare the search; None if one time alone has more choices than can be walked through.

    Facts that are ``lost`` do not steer it, but like those that cannot be summed they tell patients apart.
    """
    times = np.unique(time)
    choices = []
    marks = alike(facts, len(time))
    facts = [f for f in facts if f.kind in DYNAMIC and f not in lost]
    for t in times:
        found = _choices(np.flatnonzero(time == t), event, marks)
        if found is None:
            return None
        choices.append(found)
    size = [len(c) for c in choices]
    all_events = np.concatenate(choices)
    columns: list[FloatArray] = []
    curves: list[_Curve] = []
    targets: list[_Target] = []
    unavoidable, known = 0, {}
    for f in facts:
        if f.kind in {"median", "rate"}:
            key = f.members.tobytes()
            if key not in known:
                at_risk = np.repeat(_at_risk(f.members, time, times), size)
                with np.errstate(divide="ignore", invalid="ignore"):
                    share = np.where(at_risk > 0, all_events @ f.members / at_risk, 0.0)
                    columns.append(np.log1p(-share))
                known[key] = len(columns) - 1
            curve, miss = _curve(f, known[key], times, time)
            unavoidable += miss
            if curve is not None:
                curves.append(curve)
        elif f.kind == "events":
            columns.append(all_events @ f.members)
            low, high = f.windows[0].low, f.windows[0].rounded
            targets.append(_Target(f, (len(columns) - 1,), np.array([low]), np.array([high])))
        else:
            columns.extend(_cox_columns(f, time, times, size, all_events, ties))
            k, lim = len(columns), log_limits(f)
            spread = np.exp(0.5 * (lim.beta_high - lim.beta_low))  # information changes no faster than exp(beta)
            targets.append(
                _Target(
                    f,
                    (k - 3, k - 2, k - 1),
                    np.array([0.0, -np.inf, lim.info_low / spread]),
                    np.array([np.inf, 0.0, lim.info_high * spread]),
                )
            )
    table = np.stack(columns, axis=1) if columns else np.zeros((len(all_events), 0))
    parts = np.split(table, np.cumsum(size)[:-1])
    most = np.array([p.max(axis=0) for p in parts]).reshape(len(times), -1)
    least = np.array([p.min(axis=0) for p in parts]).reshape(len(times), -1)
    zero = np.zeros((1, table.shape[1]))
    most_after = np.concatenate([np.cumsum(most[::-1], axis=0)[::-1][1:], zero])
    with np.errstate(invalid="ignore"):
        least_after = np.concatenate([np.cumsum(least[::-1], axis=0)[::-1][1:], zero])
    levels = tuple(_Level(float(t), c, p) for t, c, p in zip(times, choices, parts, strict=True))
    return Problem(levels, tuple(curves), tuple(targets), most_after, least_after, unavoidable, rule, len(time))


def _choices(here: NDArray[np.intp], event: NDArray[np.int64], marks: list[bytes]) -> FloatArray | None:
    """List the events that patients of one time may have; patients alike to every fact count once per number."""
    fixed = np.zeros(len(event))
    fixed[here[event[here] == 1]] = 1
    classes: dict[bytes, list[int]] = {}
    for i in here[event[here] < 0]:
        classes.setdefault(marks[i], []).append(int(i))
    groups = list(classes.values())
    if np.prod([len(g) + 1.0 for g in groups]) > _MOST_CHOICES:
        return None
    rows = []
    for counts in itertools.product(*(range(len(g) + 1) for g in groups)):
        row = fixed.copy()
        for g, k in zip(groups, counts, strict=True):
            row[g[:k]] = 1
        rows.append(row)
    return np.array(rows)


def _at_risk(members: BoolArray, time: FloatArray, times: FloatArray) -> FloatArray:
    return np.asarray((members & (time >= times[:, None])).sum(axis=1), dtype=np.float64)


def _curve(f: Fact, column: int, times: FloatArray, time: FloatArray) -> tuple[_Curve | None, int]:
    own = np.unique(np.searchsorted(times, time[f.members]))
    last, last_time = int(own[-1]), float(times[own[-1]])
    if f.kind == "rate":
        before = own[times[own] <= f.at + _HALF]
        if not len(before):
            return None, 0 if f.windows[0].verdict(1.0) != "no" else f.weight
        return _Curve(f, column, frozenset(own.tolist()), int(before[-1]), last, last_time), 0
    before = own[times[own] < _closes(f)]
    settle = int(before[-1]) if len(before) else -1
    if settle < 0:
        return None, f.weight  # everybody is alive when the window closes
    return _Curve(f, column, frozenset(own.tolist()), settle, last, last_time), 0


def _closes(f: Fact) -> float:
    w = f.windows[0]
    return np.inf if np.isinf(w.low) else max(w.rounded + 2e-9, w.cut)


def _cox_columns(
    f: Fact, time: FloatArray, times: FloatArray, size: list[int], events: FloatArray, ties: str
) -> list[FloatArray]:
    assert f.versus is not None
    one, other, lim = f.versus, f.members & ~f.versus, log_limits(f)
    n1 = np.repeat(_at_risk(one, time, times), size)
    n0 = np.repeat(_at_risk(other, time, times), size)
    empty = n1 + n0 == 0
    c = RiskCounts(events @ one, events @ other, np.where(empty, 1.0, n1), np.where(empty, 1.0, n0))
    low, mid, high = lim.beta_low, 0.5 * (lim.beta_low + lim.beta_high), lim.beta_high
    return [
        likelihood_terms(c, low, ties)[1],
        likelihood_terms(c, high, ties)[1],
        likelihood_terms(c, mid, ties)[2],
    ]


def solutions(problem: Problem, allowed: int, budget: Budget) -> Iterator[tuple[FloatArray, NDArray[np.int64]]]:
    """Yield blocks of assignments (k, n) that miss at most ``allowed`` numbers, with what each misses."""
    p = problem
    k = p.levels[0].adds.shape[1]
    start = _State(
        np.zeros((1, k)),
        np.array([p.unavoidable], dtype=np.int64),
        np.zeros((1, len(p.targets)), dtype=bool),
        np.full((1, len(p.curves)), np.nan),
        np.zeros((1, len(p.levels)), dtype=np.int32),
    )
    stack = [(0, start)] if p.unavoidable <= allowed else []
    while stack:
        if budget.over():
            return
        j, state = stack.pop()
        if j == len(p.levels):
            yield _events(p, state.path), state.loss
            continue
        c = len(p.levels[j].events)
        if len(state.loss) * c > _CHUNK and len(state.loss) > 1:
            step = max(1, _CHUNK // c)
            # In random order, so that a search that is cut short has seen every part.
            order = np.random.default_rng(j).permutation(len(state.loss))
            stack.extend((j, state.take(order[i : i + step])) for i in range(0, len(order), step))
            continue
        after = _advance(p, j, state, allowed)
        budget.branches += len(state.loss) * c
        if len(after.loss):
            stack.append((j + 1, after))


def _advance(p: Problem, j: int, state: _State, allowed: int) -> _State:
    level = p.levels[j]
    c = len(level.events)
    k, width = state.sums.shape
    sums = (state.sums[:, None, :] + level.adds[None, :, :]).reshape(k * c, width)
    loss = np.repeat(state.loss, c)
    missed = np.repeat(state.missed, c, axis=0)
    for i, target in enumerate(p.targets):
        columns = list(target.sums)
        now = sums[:, columns]
        bad = np.any(
            (now + p.most_after[j, columns] < target.low - _HALF)
            | (now + p.least_after[j, columns] > target.high + _HALF),
            axis=1,
        )
        loss += target.fact.weight * (bad & ~missed[:, i])
        missed[:, i] |= bad
    flat = np.repeat(state.flat, c, axis=0) if p.curves else np.zeros((len(loss), 0))
    for i, curve in enumerate(p.curves):
        if j in curve.levels:
            before = np.repeat(state.sums[:, curve.sum], c)
            if curve.fact.kind == "rate":
                wrong = _wrong_rate(curve, j, sums[:, curve.sum])
            else:
                wrong = _wrong_median(curve, j, level.time, before, sums[:, curve.sum], flat[:, i], p.rule)
            loss += curve.fact.weight * wrong
    keep = np.flatnonzero(loss <= allowed)
    path = state.path[keep // c].copy()
    path[:, j] = keep % c
    return _State(sums[keep], loss[keep], missed[keep], flat[keep], path)


def _wrong_rate(curve: _Curve, j: int, now: FloatArray) -> BoolArray:
    if j != curve.settle:
        return np.zeros(len(now), dtype=bool)
    w, s = curve.fact.windows[0], np.exp(now)
    good = (s >= w.low - _HALF) & ((s <= w.rounded + _HALF) | (s < w.cut - _HALF))
    if curve.fact.at > curve.last_time + _HALF:
        good &= s < _HALF  # beyond the last patient survival is known only if it is 0
    return ~good


def _wrong_median(
    curve: _Curve, j: int, time: float, before: FloatArray, now: FloatArray, flat: FloatArray, rule: str
) -> BoolArray:
    """Charge a median once: when it falls before its window, or when the window closes without it."""
    w = curve.fact.windows[0]
    never, closes, opens = np.isinf(w.low), _closes(curve.fact), w.low - _HALF
    above, below = now > _LOG_HALF + _HALF, now < _LOG_HALF - _HALF
    was_above, was_below = before > _LOG_HALF + _HALF, before < _LOG_HALF - _HALF
    if rule == "first":
        crossed, open_still = was_above & ~above, above
    elif rule == "strict":
        crossed, open_still = ~was_below & below, ~below
    else:
        crossed, open_still = was_above & below, above
    wrong = crossed & (never or time < opens)
    if j == curve.settle and not never:
        wrong = wrong | open_still
    if rule == "midpoint":
        begins = was_above & ~above & ~below
        flat[begins] = time
        ends = ~was_above & ~was_below & below
        if j == curve.last:
            ends = ends | (~above & ~below)
        if ends.any():
            middle = 0.5 * (flat + time)
            outside = (middle < opens) | (middle >= closes)
            # A plateau that began after the window closed has been charged already.
            wrong = wrong | (ends & (never | (outside & (flat < closes))))
    return np.asarray(wrong)


def _events(p: Problem, path: NDArray[np.int32]) -> FloatArray:
    events = np.zeros((len(path), p.n))
    for j, level in enumerate(p.levels):
        events += level.events[path[:, j]]
    return events
