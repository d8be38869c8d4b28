"""Exact drops: the path through whole numbers at risk that multiplies to the drawn heights.

A drop to the share 1 - d/n of its height says which (n, d) are possible; numbers at risk fix n at some times; censorings
between drops are what is left. The best path is found by dynamic programming over the number at risk before each drop,
each state carrying the exact product of its own path, so that rounding of the heights does not add up (after Titman 2026,
Statistics in Medicine, doi:10.1002/sim.70474; ticks as in Rogula 2022). A price per death steers the total.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metaleptic.reconstruction.cells import Cells, IntArray
from metaleptic.reconstruction.clean import Target
from metaleptic.types import FloatArray

KNOT, _DROP, _CLICK, _FREE, _LAST = 0, 1, 2, 3, 4
# A height that does not fit costs no more than this, so that one misread corner cannot forbid a path.
_WORST = 80.0
# A censoring between two drops where no tick was drawn.
_UNSEEN = 15.0
# A death on the other side of a number at risk than its point was drawn.
_MOVED = 1.0
# Each further death at the very end: one patient may die there below the last point, hardly several.
_AT_END = 2.0
# Zero deaths, the two whole numbers round what the height implies, one: how many of them each kind of stage tries.
_CANDIDATES = {_DROP: 1, _CLICK: 3, _FREE: 4, _LAST: 9}
_PRICES = (0.0, 0.3, 0.75, 1.5, 3.0, 6.0, 12.0, 25.0)


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """Drops and numbers at risk in order of time, with what lies between them.

    ``kind``, ``time``, ``level`` (height after the stage), ``sd`` (its error), ``low``, ``high`` (bounds of the number at
    risk before the stage), ``ticks`` and ``mean`` (ticks, and expected censorings, between this stage and the next; the
    last gap runs to the end), ``since`` and ``until`` (deaths of a stage lie between them). ``strict``: no
    censoring without a tick.
    """

    kind: IntArray
    time: FloatArray
    since: FloatArray
    until: FloatArray
    level: FloatArray
    sd: FloatArray
    strict: bool
    low: IntArray
    high: IntArray
    ticks: IntArray | None
    mean: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Deaths at each stage and censorings after it; ``cost`` without the price of deaths; ``may_die``: not a count."""

    deaths: IntArray
    censored: IntArray
    cost: float
    may_die: NDArray[np.bool_]


def stages(target: Target, cells: Cells, censored: FloatArray) -> Stages | None:
    """Line up drops and numbers at risk; None where their counts leave no room."""
    end = float(cells.knot[-1])
    fall = np.flatnonzero((cells.s1 < cells.s0) & (cells.stop == cells.start))
    drop_time, drop_level = cells.stop[fall], cells.s1[fall]
    edge = cells.edge[:-1]
    time = np.concatenate([edge, drop_time])
    kind = np.repeat([KNOT, _DROP], [len(edge), len(drop_time)])
    level = np.concatenate([np.full(len(edge), np.nan), drop_level])
    # A drop at a knot comes after its count.
    order = np.lexsort((kind, time))
    time, kind, level = time[order], kind[order], level[order]
    count = None
    lost = (kind == _DROP).astype(np.int64)
    if target.ticks is not None:
        marks = _near(target.ticks, time, 2e-5 * end)
        before = np.searchsorted(marks, time, side="left")
        # Ticks at the time of a drop lie after it; stages at one time share its ticks with the last of them.
        count = np.append(before[1:], len(marks)) - before
        lost = lost + count
    block = np.cumsum(kind == KNOT) - 1
    n_a, n_b = cells.n_start.astype(np.int64)[block], cells.n_stop.astype(np.int64)[block]
    spent = np.cumsum(lost) - lost
    first = np.flatnonzero(kind == KNOT)
    spent_in = spent - spent[first][block]
    total = np.bincount(block, weights=lost, minlength=len(first)).astype(np.int64)
    high = n_a - spent_in
    low = n_b + total[block] - spent_in
    low = np.where(kind == KNOT, n_a, np.maximum(low, 1))
    high = np.where(kind == KNOT, n_a, high)
    if (low > high).any():
        return None
    width = np.maximum(np.diff(cells.edge)[block], 1e-12)
    gap = np.append(time[1:], end) - time
    mean = np.maximum(censored[block] * gap / width, 0.02)
    sd = np.full(len(time), target.error)
    return Stages(kind, time, time, time, level, sd, True, low, high, count, mean)


def _near(marks: FloatArray, times: FloatArray, tolerance: float) -> FloatArray:
    i = np.clip(np.searchsorted(times, marks), 0, len(times) - 1)
    j = np.maximum(i - 1, 0)
    nearest = np.where(np.abs(times[i] - marks) < np.abs(times[j] - marks), times[i], times[j])
    return np.sort(np.where(np.abs(nearest - marks) <= tolerance, nearest, marks))


def noisy_stages(
    target: Target,
    cells: Cells,
    censored: FloatArray,
    rates: dict[float, tuple[float, float]],
    *,
    corners: bool = True,
) -> Stages:
    """Line up points with reading error: deaths may lie between any two of them, on either side of a number near by.

    ``rates`` are printed heights with their error. ``corners``: points are corners of drops, clicked by hand; a trace gives
    heights at columns of pixels, and a drop lies anywhere between two of them.
    """
    end = float(cells.knot[-1])
    blur = target.error * end
    fall = np.flatnonzero(cells.s1 < cells.s0)
    point_time, point_level = cells.stop[fall], cells.s1[fall]
    since = cells.start[fall]
    if not corners:
        since = point_time = 0.5 * (since + point_time)
        since = since.copy()
    fixed = np.unique(np.concatenate([cells.edge[:-1], np.array([t for t in rates if 0 < t < end])]))
    rows: list[tuple[float, int, int, float, float, float, float]] = []
    # Sorted by (time, rank): deaths before a count, the count, deaths at its time, the printed rate, points.
    for t in fixed:
        close = np.flatnonzero(np.abs(point_time - t) <= 2.5 * blur) if t > 0 else np.empty(0, dtype=np.int64)
        lowest = float(point_level[close].min()) if len(close) else np.nan
        if len(close):
            point_time[close] = np.maximum(point_time[close], t)
            since[close] = np.maximum(since[close], t)
            just = t - 1e-6 * end
            rows.append((t, 0, _FREE, lowest, np.inf, min(just, float(cells.start[fall][close].min())), just))
        if t in cells.edge[:-1]:
            rows.append((t, 1, KNOT, np.nan, np.inf, t, t))
        if t in rates:
            if len(close):
                rows.append((t, 2, _FREE, lowest, np.inf, t, t))
            rows.append((t, 3, _CLICK, rates[t][0], rates[t][1], t, t))
    rows += [
        (t, 4, _CLICK, level, target.error, a, t)
        for t, level, a in zip(point_time.tolist(), point_level.tolist(), since.tolist(), strict=True)
    ]
    rows.append((end, 5, _LAST, 0.0, np.inf, end, end))
    rows.sort(key=lambda row: (row[0], row[1]))
    time, _, kind_list, level, sd, since, until = (np.array(column) for column in zip(*rows, strict=True))
    kind = kind_list.astype(np.int64)
    block = np.cumsum(kind == KNOT) - 1
    high = cells.n_start.astype(np.int64)[block]
    low = np.where(kind == KNOT, high, np.maximum(cells.n_stop.astype(np.int64)[block], 0))
    width = np.maximum(np.diff(cells.edge)[block], 1e-12)
    gap = np.maximum(np.append(time[1:], end) - time, 0.0)
    mean = np.maximum(censored[block] * gap / width, 0.02)
    return Stages(kind, time, np.minimum(since, until), until, level, sd, False, low, high, None, mean)


def best_path(found: Stages, events: int | None, patients: int) -> Path | None:
    """Return the cheapest path, with this total of events or as near to it as a price per death can come."""
    paths = _paths(found, events, patients, np.zeros(1))
    if not paths:
        return None
    path = paths[0]
    if events is None or path.deaths.sum() == events:
        return path
    nearest = path
    prices = np.array(_PRICES) * (1 if path.deaths.sum() > events else -1)
    for _ in range(3):
        paths = _paths(found, events, patients, prices)
        if not paths:
            break
        nearest = min([nearest, *paths], key=lambda p: (abs(int(p.deaths.sum()) - events), p.cost))
        if nearest.deaths.sum() == events:
            return nearest
        totals = np.array([p.deaths.sum() for p in paths])
        more, fewer = prices[: len(paths)][totals > events], prices[: len(paths)][totals < events]
        if not len(more) or not len(fewer):
            break
        prices = np.linspace(more.max(), fewer.min(), 8)[1:-1]
    return nearest


def forced(path: Path, events: int) -> Path | None:
    """Turn the few deaths too many into censorings (or the other way round) where most are at risk; None if not few."""
    excess = int(path.deaths.sum()) - events
    if abs(excess) > 2 + 0.05 * events:
        return None
    deaths, censored = path.deaths.copy(), path.censored.copy()
    give, take = (deaths, censored) if excess > 0 else (censored, deaths)
    for _ in range(abs(excess)):
        can = np.flatnonzero((give > 0) & (path.may_die | (excess > 0)))
        if not len(can):
            return None
        # Several deaths at one time are the likeliest to be one too many.
        j = can[np.argmax(give[can] > 1)] if excess > 0 else can[0]
        give[j] -= 1
        take[j] += 1
    return Path(deaths, censored, path.cost, path.may_die)


def _paths(found: Stages, events: int | None, patients: int, price: FloatArray) -> list[Path]:
    rows = len(price)
    gaps = gaps_of(found, extra_cost(found, events, patients))
    every = np.arange(int(found.high.max()) + 1)
    low, high = int(found.low[0]), int(found.high[0])
    cost = np.zeros((rows, high - low + 1))
    survival = np.ones_like(cost)
    row = np.arange(rows)[:, None]
    priced = price[:, None, None] if price.any() else None
    lows, highs = [*found.low.tolist()[1:], 0], [*found.high.tolist()[1:], 0]
    back: list[tuple[IntArray, FloatArray, int, int]] = []
    for j, kind in enumerate(found.kind.tolist()):
        n = every[low : high + 1]
        width = len(n)
        if kind == KNOT:
            deaths, source = np.zeros((rows, width)), np.arange(width) + 0 * row
            floor, after = low, cost
        else:
            cost, survival, deaths, left = fall(cost, survival, n, found, j, priced)
            floor = max(int(left.min()), 0)
            after, source = _gather(cost, left - floor)
        cost, pick = leave(after, floor, lows[j], highs[j], gaps, j)
        source = source[row, pick]
        survival = survival[row, source]
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


def fall(
    cost: FloatArray, survival: FloatArray, n: IntArray, found: Stages, j: int, price: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
    """Cost of the deaths that may happen at a stage, survival after them, the deaths and who is left: candidates side by side."""
    level, sd, kind = float(found.level[j]), float(found.sd[j]), int(found.kind[j])
    deaths = np.zeros((len(cost), _CANDIDATES[kind], len(n)))
    if kind == _LAST:
        deaths[:] = np.minimum(np.append(np.arange(_CANDIDATES[_LAST] - 1), n.max())[:, None], n)
    else:
        implied = n * (1.0 - level / np.maximum(survival, 1e-300))
        if kind == _DROP:
            deaths[:, 0] = np.minimum(np.maximum(np.rint(implied), 0), n)
        else:
            below = np.minimum(np.maximum(np.floor(implied), 0), n)
            deaths[:, 1], deaths[:, 2] = below, np.minimum(below + 1, n)
            if kind == _FREE:
                deaths[:, 3] = np.minimum(n, 1)
    after: FloatArray = survival[:, None] * (1.0 - deaths / np.maximum(n, 1))
    if sd < np.inf:
        miss = (after - level) * (np.sqrt(0.5) / sd)
        miss *= miss
        total: FloatArray = np.minimum(miss, _WORST)
    else:
        total = np.where(deaths > 0, _MOVED, 0.0)
        if kind == _LAST:
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
    target = (left + size * np.arange(rows)[:, None]).ravel()
    flat = cost.ravel()
    after = np.full(rows * size, np.inf)
    np.minimum.at(after, target, flat)
    best = np.flatnonzero(flat == after[target])
    source = np.zeros(rows * size, dtype=np.int64)
    source[target[best]] = best % across
    return after.reshape(rows, size), source.reshape(rows, size)


def leave(after: FloatArray, floor: int, low: int, high: int, gaps: Gaps, j: int) -> tuple[FloatArray, IntArray]:
    """Cheapest censoring from each number left to each number at risk at the next stage."""
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
    return cost, np.minimum(np.maximum(pick + (at - offset), 0), size - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """What 0, 1, 2 ... censorings cost after each stage.

    Without ticks: minus log probability of a negative binomial of shape 2, looser than Poisson, -log(1 + c) + c slope +
    start; ``reach`` is how many are worth a look. With ticks: no fewer than are drawn, each more at the price ``extra``.
    """

    ticks: list[int] | None
    extra: float
    slope: list[float]
    start: list[float]
    reach: list[int]
    count: FloatArray
    log: FloatArray

    def cost(self, j: int, band: int, *, alone: bool) -> FloatArray:
        """Return the costs of up to ``band`` censorings (``alone``: of all, as one state follows)."""
        if self.ticks is None:
            if j + 1 == len(self.slope):
                return np.zeros(band)
            size = band if alone else min(band, self.reach[j])
            found: FloatArray = self.count[:size] * self.slope[j]
            found -= self.log[:size]
            found += self.start[j]
            return found
        ticks = self.ticks[j]
        if ticks == 0:
            return _UNSEEN * self.count[: min(band, 3)]
        c = self.count[: band if alone else min(band, ticks + 40)]
        return np.where(c >= ticks, self.extra * (c - ticks), np.inf)


def gaps_of(found: Stages, extra: float) -> Gaps:
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
    marks = _near(ticks, found.time, 2e-5 * end)
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
