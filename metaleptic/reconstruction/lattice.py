"""Exact drops: the path through whole numbers at risk that multiplies to the drawn heights.

A drop to the share 1 - d/n of its height says which (n, d) are possible; numbers at risk fix n at some times; censorings
between drops are what is left. The best path is found by dynamic programming over the number at risk before each drop,
each state carrying the exact product of its own path, so that rounding of the heights does not add up (after Titman 2026,
Statistics in Medicine, doi:10.1002/sim.70474; ticks as in Rogula 2022). A price per death steers the total.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from metaleptic.reconstruction.cells import IntArray
from metaleptic.reconstruction.stages import CLICK, DROP, FREE, KNOT, LAST, Stages, near
from metaleptic.types import FloatArray

_Numbers = TypeVar("_Numbers", IntArray, FloatArray)

# A height that does not fit costs no more than this, so that one misread corner cannot forbid a path.
_WORST = 80.0
# A censoring between two drops where no tick was drawn.
_UNSEEN = 15.0
# A death on the other side of a number at risk than its point was drawn.
_MOVED = 1.0
# Each further death at the very end: one patient may die there below the last point, hardly several.
_AT_END = 2.0
# Zero deaths, the two whole numbers round what the height implies, one: how many of them each kind of stage tries.
_CANDIDATES = {DROP: 1, CLICK: 3, FREE: 4, LAST: 9}
# Standard deviations that a height may be off before a path is doubted.
_FITS = 4.0
_ROOT_HALF = 0.5**0.5
_PRICES = (0.3, 1.0, 3.0, 10.0, 25.0)


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Deaths at each stage and censorings after it; ``cost`` without the price of deaths; ``may_die``: not a count."""

    deaths: IntArray
    censored: IntArray
    cost: float
    may_die: NDArray[np.bool_]


def best_path(found: Stages, events: int | None, patients: int) -> Path | None:
    """Return the cheapest path, with this total of events or as near to it as a price per death can come."""
    path = _search(found, events, patients, wide=False)
    if not found.strict or found.ticks is not None or path is None or _fits(found, path, events):
        return path
    # Crowds may be censored within one gap, at the close of a study: as many as you like, at a search of twice the price.
    other = _search(found, events, patients, wide=True)
    paths = [path] if other is None else [path, other]
    return min(paths, key=lambda p: (0 if events is None else abs(int(p.deaths.sum()) - events), p.cost))


def _fits(found: Stages, path: Path, events: int | None) -> bool:
    """Say whether a path has its total and comes near all heights."""
    lost = path.deaths + path.censored
    at_risk = lost.sum() - np.cumsum(lost) + lost
    survival = np.cumprod(1 - path.deaths / np.maximum(at_risk, 1))
    told = np.isfinite(found.level)
    off = np.abs(survival - found.level)[told] / found.sd[told]
    return bool(off.max(initial=0.0) < _FITS) and (events is None or path.deaths.sum() == events)


def _search(found: Stages, events: int | None, patients: int, *, wide: bool) -> Path | None:
    paths = _paths(found, events, patients, np.zeros(1), wide=wide)
    if not paths:
        return None
    path = paths[0]
    if events is None or path.deaths.sum() == events:
        return path
    nearest, tried = path, {0.0: int(path.deaths.sum())}
    prices = np.array(_PRICES) * (1 if path.deaths.sum() > events else -1)
    for _ in range(3):
        paths = _paths(found, events, patients, prices, wide=wide)
        if not paths:
            break
        nearest = min([nearest, *paths], key=lambda p: (abs(int(p.deaths.sum()) - events), p.cost))
        if nearest.deaths.sum() == events:
            break
        tried |= {float(price): int(p.deaths.sum()) for price, p in zip(prices, paths, strict=False)}
        # The dearer a death, the fewer there are.
        more = [price for price, total in tried.items() if total > events]
        fewer = [price for price, total in tried.items() if total < events]
        if not more or not fewer:
            break
        prices = np.linspace(max(more), min(fewer), 6)[1:-1]
    return nearest


def forced(found: Stages, path: Path, events: int) -> Path | None:
    """Turn the few deaths too many into censorings (or the other way round) where heights suffer least; None if not few."""
    excess = int(path.deaths.sum()) - events
    if abs(excess) > 2 + 0.05 * events:
        return None
    deaths, censored = path.deaths.copy(), path.censored.copy()
    give, take = (deaths, censored) if excess > 0 else (censored, deaths)
    for _ in range(abs(excess)):
        can = np.flatnonzero((give > 0) & (path.may_die | (excess > 0)))
        if not len(can):
            return None
        step = np.zeros((len(can), len(give)), dtype=np.int64)
        step[np.arange(len(can)), can] = 1 if excess < 0 else -1
        j = can[int(np.argmin(_misfit(found, deaths + step, censored - step)))]
        give[j] -= 1
        take[j] += 1
    return Path(deaths, censored, path.cost, path.may_die)


def _misfit(found: Stages, deaths: IntArray, censored: IntArray) -> FloatArray:
    """Return what the deaths of each row cost, as ``fall`` counts it."""
    lost = deaths + censored
    at_risk = lost.sum(axis=-1, keepdims=True) - np.cumsum(lost, axis=-1) + lost
    survival = np.cumprod(1 - deaths / np.maximum(at_risk, 1), axis=-1)
    told = np.isfinite(found.sd) & np.isfinite(found.level)
    off = (survival[..., told] - found.level[told]) / found.sd[told]
    free = ~np.isfinite(found.sd)
    placed = np.where(deaths[..., free] > 0, _MOVED, 0.0).sum(axis=-1)
    at_end = _AT_END * np.maximum(deaths[..., found.kind == LAST] - 1, 0).sum(axis=-1)
    return np.asarray(np.minimum(0.5 * off * off, _WORST).sum(axis=-1) + placed + at_end)


def _paths(found: Stages, events: int | None, patients: int, price: FloatArray, *, wide: bool) -> list[Path]:
    rows = len(price)
    gaps = gaps_of(found, extra_cost(found, events, patients), wide=wide)
    every = np.arange(int(found.high.max()) + 1, dtype=np.float64)
    at_least_one = np.maximum(every, 1.0)
    low, high = int(found.low[0]), int(found.high[0])
    cost = np.zeros((rows, high - low + 1))
    survival = np.ones_like(cost)
    priced = price[:, None, None] if price.any() else None
    lows, highs = [*found.low.tolist()[1:], 0], [*found.high.tolist()[1:], 0]
    back: list[tuple[IntArray, FloatArray, int, int]] = []
    for j, kind in enumerate(found.kind.tolist()):
        n = every[low : high + 1]
        width = len(n)
        if kind == KNOT:
            deaths, source = np.zeros((rows, width)), np.tile(np.arange(width), (rows, 1))
            floor, after = low, cost
        else:
            cost, survival, deaths, left = fall(cost, survival, n, at_least_one[low : high + 1], found, j, priced)
            floor = max(int(left.min()), 0)
            after, source = _gather(cost, left - floor)
        cost, pick = leave(after, floor, lows[j], highs[j], gaps, j)
        source = _picked(source, pick)
        survival = _picked(survival, source)
        back.append((source, deaths, low, width))
        low, high = lows[j], highs[j]
    if not np.isfinite(cost[:, 0]).all():
        return []
    return _trace(back, cost[:, 0], price, found.kind != KNOT)


def extra_cost(found: Stages, events: int | None, patients: int) -> float:
    """Price of a second patient on a tick, from how many censorings share ticks over all."""
    if found.ticks is None:
        return 0.0
    marks = max(int(found.ticks.sum()), 1)
    hidden = 0.1 * marks if events is None else max(patients - events - marks, 0)
    share = max(hidden / marks, 0.01)
    return float(np.log1p(1 / share))


def _picked(values: _Numbers, pick: IntArray) -> _Numbers:
    """Return the picked column of each row."""
    return values[0].take(pick) if len(values) == 1 else values[np.arange(len(values))[:, None], pick]


def fall(
    cost: FloatArray,
    survival: FloatArray,
    n: FloatArray,
    at_least_one: FloatArray,
    found: Stages,
    j: int,
    price: FloatArray | None,
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
    """Cost of the deaths that may happen at a stage, survival after them, the deaths and who is left: candidates side by side."""
    level, sd, kind = float(found.level[j]), float(found.sd[j]), int(found.kind[j])
    deaths = np.zeros((len(cost), _CANDIDATES[kind], len(n)))
    if kind == LAST:
        deaths[:] = np.minimum(np.append(np.arange(_CANDIDATES[LAST] - 1), n.max())[:, None], n)
    else:
        implied = n - n * level / np.maximum(survival, 1e-300)
        np.maximum(implied, 0.0, out=implied)
        if kind == DROP:
            np.rint(implied, out=deaths[:, 0])
        else:
            below = np.floor(implied, out=deaths[:, 1])
            np.minimum(below + 1.0, n, out=deaths[:, 2])
            if kind == FREE:
                np.minimum(n, 1.0, out=deaths[:, 3])
    after = deaths / at_least_one
    np.subtract(1.0, after, out=after)
    after *= survival[:, None]
    if sd < np.inf:
        total = after - level
        total *= _ROOT_HALF / sd
        total *= total
        np.minimum(total, _WORST, out=total)
    else:
        total = np.where(deaths > 0, _MOVED, 0.0)
        if kind == LAST:
            total += _AT_END * np.maximum(deaths - 1, 0)
    total += cost[:, None]
    if price is not None:
        total += price * deaths
    left: IntArray = (n - deaths).astype(np.int64)
    shape = (len(cost), -1)
    return total.reshape(shape), after.reshape(shape), deaths.reshape(shape), left.reshape(shape)


def _gather(cost: FloatArray, left: IntArray) -> tuple[FloatArray, IntArray]:
    """Cheapest way into each number left after a drop, and where it came from."""
    rows, across = cost.shape
    size = int(left.max()) + 1
    target = (left if rows == 1 else left + size * np.arange(rows)[:, None]).ravel()
    flat = cost.ravel()
    after = np.full(rows * size, np.inf)
    np.minimum.at(after, target, flat)
    best = (flat == after[target]).nonzero()[0]
    source = np.zeros(rows * size, dtype=np.int64)
    source[target[best]] = best if rows == 1 else best % across
    return after.reshape(rows, size), source.reshape(rows, size)


def leave(after: FloatArray, floor: int, low: int, high: int, gaps: Gaps, j: int) -> tuple[FloatArray, IntArray]:
    """Cheapest censoring from each number left to each number at risk at the next stage."""
    if gaps.ticks is not None:
        return _leave_at_ticks(after, floor, low, high, gaps.ticks[j], gaps.extra if gaps.ticks[j] else _UNSEEN)
    rows, size = after.shape
    width = high - low + 1
    band = floor + size - low
    if band < 1:
        return np.full((rows, width), np.inf), np.zeros((rows, width), dtype=np.int64)
    penalty = gaps.cost(j, band, alone=width == 1)
    band = len(penalty)
    # Row k of the window: numbers left low + k, low + k + 1, ... up to the band.
    padded = np.full((rows, width + band - 1), np.inf)
    offset = floor - low
    a0, a1 = max(0, -offset), min(size, width + band - 1 - offset)
    if a1 > a0:
        padded[:, a0 + offset : a1 + offset] = after[:, a0:a1]
    step, item = padded.strides
    window = np.ndarray((rows, width, band), padded.dtype, padded, strides=(step, item, item)) + penalty
    pick = window.argmin(axis=2)
    at = np.arange(width)
    cost = window[np.arange(rows)[:, None], at, pick]
    source = np.minimum(np.maximum(pick + (at - offset), 0), size - 1)
    if gaps.wide and band < floor + size - low:
        # Beyond the band the price rises by the same for each.
        price = float(penalty[-1] - penalty[-2])
        more, far = _leave_at_ticks(after, floor, low, high, band, price)
        more = more + float(penalty[-1]) + price
        source, cost = np.where(more < cost, far, source), np.minimum(more, cost)
    return cost, source


def _leave_at_ticks(
    after: FloatArray, floor: int, low: int, high: int, ticks: int, price: float
) -> tuple[FloatArray, IntArray]:
    """Do the same where no fewer are censored than ticks are drawn, and each more at one price: a running minimum."""
    size = after.shape[1]
    dearer = (after + price * np.arange(size))[:, ::-1]
    least = np.minimum.accumulate(dearer, axis=1)
    source = np.maximum.accumulate(np.where(dearer == least, np.arange(size), 0), axis=1)
    first = np.arange(low, high + 1) + (ticks - floor)  # the fewest left that may go on to each number at risk
    at = size - 1 - np.maximum(first, 0)
    inside = at >= 0
    at = np.maximum(at, 0)
    cost = np.where(inside, least[:, at] - price * first, np.inf)
    return cost, size - 1 - source[:, at]


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """What 0, 1, 2 ... censorings cost after each stage.

    Without ticks: minus log probability of a negative binomial of shape 2, looser than Poisson, -log(1 + c) + c slope +
    start; ``reach`` is how many are worth a look unless ``wide``. With ticks: no fewer than are drawn, each more at the
    price ``extra``.
    """

    ticks: list[int] | None
    extra: float
    slope: list[float]
    start: list[float]
    reach: list[int]
    count: FloatArray
    log: FloatArray
    wide: bool

    def cost(self, j: int, band: int, *, alone: bool) -> FloatArray:
        """Return the costs of up to ``band`` censorings without ticks (``alone``: of all, as one state follows)."""
        if j + 1 == len(self.slope):
            return np.zeros(band)
        size = band if alone else min(band, self.reach[j])
        found: FloatArray = self.count[:size] * self.slope[j]
        found -= self.log[:size]
        found += self.start[j]
        return found


def gaps_of(found: Stages, extra: float, *, wide: bool = False) -> Gaps:
    """Prepare the costs of censorings of all gaps at once."""
    count = np.arange(int(found.high.max()) + 2, dtype=np.float64)
    mean = found.mean
    p = 2.0 / (2.0 + mean)
    return Gaps(
        None if found.ticks is None else found.ticks.tolist(),
        extra,
        (-np.log1p(-p)).tolist(),
        (-2.0 * np.log(p)).tolist(),
        (12 + mean + 8 * np.sqrt(mean + mean * mean / 2)).astype(np.int64).tolist(),
        count,
        np.log1p(count),
        wide,
    )


def _trace(
    back: list[tuple[IntArray, FloatArray, int, int]], cost: FloatArray, price: FloatArray, may_die: NDArray[np.bool_]
) -> list[Path]:
    rows, count = len(price), len(back)
    deaths = np.zeros((rows, count), dtype=np.int64)
    at_risk = np.zeros((rows, count + 1), dtype=np.int64)
    index = np.zeros(rows, dtype=np.int64)
    row = np.arange(rows)
    for j in range(count - 1, -1, -1):
        source, died, low, width = back[j]
        came = source[row, index]
        deaths[:, j] = died[row, came]
        index = came % width
        at_risk[:, j] = low + index
    censored = at_risk[:, :-1] - deaths - at_risk[:, 1:]
    return [
        Path(deaths[i], censored[i], float(cost[i] - price[i] * deaths[i].sum()), may_die)
        for i in range(rows)
        if (censored[i] >= 0).all()
    ]


def patients(
    found: Stages,
    path: Path,
    ticks: FloatArray | None,
    end: float,
    tilt: float = 0.0,
    luck: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the times of events and of censorings along a path; ``tilt`` and ``luck`` move censorings within their gaps."""
    events = _event_times(found, path)
    c = path.censored
    j = np.repeat(np.arange(len(c)), c)
    k = np.arange(len(j)) - np.repeat(np.cumsum(c) - c, c)
    p = ((k + (0.5 if luck is None else luck[: len(j)])) / c[j]) ** np.exp(-tilt)
    start = np.minimum(found.time, found.until)
    width = np.append(found.time[1:], end) - start
    knots = np.flatnonzero(found.kind == KNOT)
    following = np.append(found.time[knots] - 1e-6 * end, end)[np.searchsorted(knots, np.arange(len(c)), side="right")]
    times = np.minimum(start[j] + p * width[j], np.maximum(following, start)[j])
    if ticks is None:
        if len(times) and c[-1] > 0:
            times[-1] = end
        return events, times
    marks = near(ticks, found.time, 2e-5 * end)
    low = np.searchsorted(marks, found.time, side="left")
    count = np.append(low[1:], len(marks)) - low
    at = low[j] + np.minimum(p * count[j], count[j] - 1).astype(np.int64)
    return events, np.where(count[j] > 0, marks[np.clip(at, 0, max(len(marks) - 1, 0))] if len(marks) else times, times)


def _event_times(found: Stages, path: Path) -> FloatArray:
    """Deaths at the time of their stage; several between two clicks are spread, the last at the second click."""
    reps = path.deaths
    time, since = np.repeat(found.until, reps), np.repeat(found.since, reps)
    k = np.arange(len(time)) - np.repeat(np.cumsum(reps) - reps, reps) + 1
    spread: FloatArray = time - (time - since) * (1 - k / np.maximum(np.repeat(reps, reps), 1))
    return np.sort(spread)
