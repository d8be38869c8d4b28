"""What is printed about an arm as linear relations in whole patients, and whether any patients satisfy them.

The time axis is cut at every time that is printed; between two cuts some die and some are censored, and everybody leaves in
the end. Numbers at risk, totals and ticks are linear in these counts. Survival is not, but it is tied to them: from a height
S_j with n_j at risk to a height S_k with n_k, the deaths d between obey d <= n_j (1 - S_k/S_j) (all die before anyone is
censored) and d >= n_k (S_j/S_k - 1) (all are censored first). With the least and greatest heights that the printed rates,
the median and the curve allow, both are linear. The relations are necessary: what they refuse, no patients can satisfy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from metaleptic.types import BoolArray, FloatArray

IntArray = NDArray[np.int64]

MOST_PATIENTS = 100_000
_SECONDS = 0.5
_Z = 1.959964


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """One printed number as bounds, each at a position (twice the index of its time, plus 1 for "just after").

    Attributes
    ----------
    key, words : str
        What it is: short, and as it is said in a sentence.
    heights : tuple of (position, least, greatest)
        Bounds of survival.
    left : tuple of (position, least, greatest)
        Bounds of the number at risk.
    leave : tuple of (first, last, of, least, greatest)
        Bounds of how many leave between two positions; ``of`` is "deaths" or "censored".
    whole : tuple of (least, greatest) or None
        Bounds of the number of patients.
    early : tuple of positions
        Where nobody has left yet; ``gone`` where at least one has.
    hidden : tuple of (position, share, more) or ()
        From there on at most this share of those at risk die, and so many more.
    wide : tuple of (position, above) or ()
        Where a limit of survival lies at one half although survival itself is above (or below) it: so uncertain are few.
    weight : float
        About 1; of equally small sets the lightest is named.
    """

    key: str
    words: str
    heights: tuple[tuple[int, float, float], ...] = ()
    left: tuple[tuple[int, float, float], ...] = ()
    leave: tuple[tuple[int, int, str, float, float], ...] = ()
    whole: tuple[float, float] | None = None
    early: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    hidden: tuple[int, float, float] | tuple[()] = ()
    wide: tuple[int, bool] | tuple[()] = ()
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Relations:
    """Cut times of an arm and the matrices of its counts.

    The unknowns are: patients, deaths before each position but the first, censorings before each; running totals, because
    they leave few numbers in a row. The last position is after everything. Survival at ``fine`` times is compared with that
    next to it only, at all others with each other.
    """

    times: FloatArray
    fine: BoolArray
    at_risk: FloatArray = field(init=False)
    deaths: FloatArray = field(init=False)
    censored: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        steps = 2 * len(self.times)
        unknowns = np.eye(2 * steps + 1)
        nobody = np.zeros((1, 2 * steps + 1))
        object.__setattr__(self, "deaths", np.vstack([nobody, unknowns[1 : steps + 1]]))
        object.__setattr__(self, "censored", np.vstack([nobody, unknowns[steps + 1 :]]))
        object.__setattr__(self, "at_risk", np.eye(1, 2 * steps + 1) - self.deaths - self.censored)

    @property
    def end(self) -> int:
        """The position after everything."""
        return 2 * len(self.times)

    def pairs(self) -> tuple[IntArray, IntArray]:
        """Return pairs of positions whose heights are compared."""
        j, k = np.triu_indices(self.end, 1)
        fine = np.repeat(self.fine, 2)
        keep = (k == j + 1) | ~(fine[j] | fine[k])
        return j[keep], k[keep]

    def counts(self, events: FloatArray, censored: FloatArray) -> FloatArray:
        """Return the unknowns of given patients."""
        edge = np.column_stack([self.times, np.nextafter(self.times, np.inf)]).ravel()
        parts = [np.searchsorted(np.sort(x), edge, side="left") for x in (events, censored)]
        lost = [np.append(p, len(x))[1:] - p[0] for p, x in zip(parts, (events, censored), strict=True)]
        before = sum(int(p[0]) for p in parts)
        return np.concatenate([[len(events) + len(censored) - before], *lost]).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """Rows with bounds: low <= rows @ counts <= high; ``impossible`` where the heights alone contradict each other."""

    rows: FloatArray
    low: FloatArray
    high: FloatArray
    impossible: bool = False

    def met_by(self, counts: FloatArray) -> bool:
        """Say whether given patients satisfy every relation."""
        if self.impossible:
            return False
        value = self.rows @ counts
        slack = 1e-6 * (1 + counts[0])
        return bool(np.all(value >= self.low - slack) and np.all(value <= self.high + slack))


def heights(relations: Relations, claims: Sequence[Claim]) -> tuple[FloatArray, FloatArray]:
    """Return least and greatest survival at each position; survival starts at 1 and never rises."""
    low, high = np.zeros(relations.end), np.ones(relations.end)
    low[0] = 1.0
    few, many = np.zeros(relations.end), np.full(relations.end, float(MOST_PATIENTS))
    die = np.full(relations.end, np.inf)
    for claim in claims:
        for at, least, greatest in claim.heights:
            low[at], high[at] = max(low[at], least), min(high[at], greatest)
        for at, least, greatest in (*claim.left, *([(0, *claim.whole)] if claim.whole else [])):
            few[at], many[at] = max(few[at], least), min(many[at], greatest)
        for first, last, of, _, greatest in claim.leave:
            if of == "deaths" and last == first + 1 and first % 2 == 0:
                die[first] = min(die[first], greatest)
    few, many = np.maximum.accumulate(few[::-1])[::-1], np.minimum.accumulate(many)
    low, high = np.maximum.accumulate(low[::-1])[::-1], np.minimum.accumulate(high)
    # Of at most so many, at least so few are left: survival falls no further, whoever was censored.
    for k in range(1, relations.end):
        kept = low[:k] * few[k] / np.maximum(many[:k], 1.0)
        now = low[k - 1] * (1 - die[k - 1] / max(few[k - 1], 1.0)) if k % 2 and np.isfinite(die[k - 1]) else 0.0
        low[k] = max(low[k], kept.max(), now)
    for k in range(relations.end - 2, -1, -1):
        fell = np.where(few[k + 1 :] > 0, high[k + 1 :] * many[k] / np.maximum(few[k + 1 :], 1.0), 1.0)
        high[k] = min(high[k], fell.min())
    return low, high


def system(relations: Relations, claims: Sequence[Claim]) -> System:
    """Write the claims as rows."""
    r = relations
    rows, low, high = [r.at_risk[r.end]], [0.0], [0.0]

    def add(row: FloatArray, least: float, greatest: float) -> None:
        rows.append(row)
        low.append(least)
        high.append(greatest)

    for p in range(1, r.end):
        add(r.at_risk[p], 0.0, np.inf)
        add(r.deaths[p + 1] - r.deaths[p], 0.0, np.inf)
        add(r.censored[p + 1] - r.censored[p], 0.0, np.inf)
    for c in claims:
        if c.whole is not None:
            add(r.at_risk[0], *c.whole)
        for at, least, greatest in c.left:
            add(r.at_risk[at], least, greatest)
        for first, last, of, least, greatest in c.leave:
            table = r.deaths if of == "deaths" else r.censored
            add(table[last] - table[first], least, greatest)
        for at in c.early:
            add(r.at_risk[0] - r.at_risk[at], 0.0, 0.0)
        for at in c.gone:
            add(r.at_risk[0] - r.at_risk[at], 1.0, np.inf)
    s_low, s_high = heights(r, claims)
    if (s_low > s_high + 1e-12).any():
        return System(np.array(rows), np.array(low), np.array(high), impossible=True)
    for c in claims:
        if c.hidden:
            at, share, more = c.hidden
            add(r.deaths[r.end] - r.deaths[at] - share * r.at_risk[at], -np.inf, more)
        if c.wide:
            at, above = c.wide
            add(r.at_risk[at], -np.inf, most_at_risk(s_low[at] if above else s_high[at], above=above))
    j, k = r.pairs()
    most = 1 - s_low[k] / np.maximum(s_high[j], 1e-300)
    few = (most < 1) & (s_low[k] > 0)
    fall = np.where(s_high[k] > 0, s_low[j] / np.maximum(s_high[k], 1e-300) - 1, np.inf)
    many = fall > 1e-12
    some = np.isfinite(fall) & many
    died = r.deaths[k] - r.deaths[j]
    blocks = [
        np.array(rows),
        died[few] - most[few, None] * r.at_risk[j[few]],
        died[some] - fall[some, None] * r.at_risk[k[some]],
        died[many],
        r.at_risk[k[np.isinf(fall)]],  # survival 0: nobody is left
    ]
    lows = [
        np.array(low),
        np.full(few.sum(), -np.inf),
        np.zeros(some.sum()),
        np.ones(many.sum()),
        np.zeros(np.isinf(fall).sum()),
    ]
    highs = [np.array(high), np.zeros(few.sum()), np.full(some.sum(), np.inf), np.full(many.sum(), np.inf)]
    highs.append(np.zeros(np.isinf(fall).sum()))
    return System(np.vstack(blocks), np.concatenate(lows), np.concatenate(highs))


def most_at_risk(height: float, *, above: bool) -> float:
    """Return how many can be at risk if a 95% limit of survival lies at one half, survival being at least (most) ``height``.

    Greenwood's variance is at most S^2 (1 - S) / n, that of everyone censored before the first death; the widest of the
    intervals on the plain, log and log-log scale counts.
    """
    if (height <= 0.5) if above else (height >= 0.5):
        return MOST_PATIENTS
    s = np.linspace(height, 1.0, 200)[:-1] if above else np.linspace(0.0, height, 200)[1:]
    off = np.minimum(np.abs(1 - 0.5 / s), np.abs(np.log(2 * s)))
    off = np.minimum(off, np.abs(np.log(s) * np.log(np.log(0.5) / np.log(s))))
    most = (1 - s) * (_Z / np.maximum(off, 1e-9)) ** 2
    return float(np.floor(most.max() + 1e-6)) if len(s) else 0.0


def solvable(found: System) -> bool:
    """Say whether whole patients satisfy the rows; where time runs out nothing is refused."""
    return not found.impossible and extreme(found, np.zeros(found.rows.shape[1])) is not None


def extreme(found: System, goal: FloatArray) -> float | None:
    """Return the least value of a goal over all whole patients that satisfy the rows, None if there are none.

    NaN where it was not found in time, minus infinity where it has no bound.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    if found.impossible:
        return None
    unknowns = found.rows.shape[1]
    rows = LinearConstraint(sparse.csr_array(found.rows), found.low, found.high)
    bounds = Bounds(np.zeros(unknowns), np.full(unknowns, MOST_PATIENTS))
    # Fractions of patients first: what even they cannot satisfy is refused at once.
    solved = milp(goal, bounds=bounds, constraints=rows, options={"time_limit": _SECONDS})
    if solved.status == 0:
        whole = np.ones(unknowns, dtype=np.int64)
        solved = milp(goal, integrality=whole, bounds=bounds, constraints=rows, options={"time_limit": _SECONDS})
    if solved.status == 2:
        return None
    return float(solved.fun) if solved.status == 0 else float("nan")
