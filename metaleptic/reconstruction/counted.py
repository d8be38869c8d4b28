"""The same path with the deaths counted on the way: exact for any total, dear, so for small arms only.

A price per death reaches only totals on the convex hull of (deaths, cost). Where the total printed lies between two of
them, the state becomes (deaths so far, number at risk).
"""

from __future__ import annotations

import numpy as np

from metaleptic.reconstruction.cells import IntArray
from metaleptic.reconstruction.lattice import Path, extra_cost, fall, gaps_of, leave
from metaleptic.reconstruction.stages import KNOT, Stages
from metaleptic.types import FloatArray

# States per stage up to which it takes a fraction of a second; gaps with ticks are cheaper.
_MOST_STATES = 20_000
_MOST_WITH_TICKS = 100_000


def counted_path(found: Stages, events: int, patients: int) -> Path | None:
    """Return the cheapest path with exactly this many deaths; None if there is none or it would take long."""
    most = _MOST_STATES if found.ticks is None else _MOST_WITH_TICKS
    if (events + 1) * int((found.high - found.low).max() + 1) > most:
        return None
    gaps = gaps_of(found, extra_cost(found, events, patients))
    low, high = int(found.low[0]), int(found.high[0])
    cost = np.zeros((1, high - low + 1))  # a row per number of deaths so far, up to the most there can be yet
    survival = np.ones_like(cost)
    back: list[tuple[IntArray, FloatArray, int, int, int]] = []
    for j, kind in enumerate(found.kind):
        n = np.arange(low, high + 1, dtype=np.float64)
        width = len(n)
        if kind == KNOT:
            deaths = np.zeros((len(cost), width))
            floor, after = low, cost
            source = np.arange(cost.size).reshape(cost.shape)
        else:
            cost, survival, deaths, left = fall(cost, survival, n, np.maximum(n, 1.0), found, j, None)
            floor = max(int(left.min()), 0)
            after, source = _gather(cost, left - floor, deaths.astype(np.int64), events)
        survival_after = survival.ravel()[source]
        last = j + 1 == len(found.kind)
        next_low, next_high = (0, 0) if last else (int(found.low[j + 1]), int(found.high[j + 1]))
        across = deaths.shape[1]
        cost, pick = leave(after, floor, next_low, next_high, gaps, j)
        if not np.isfinite(cost).any():
            return None
        every = np.arange(len(cost))[:, None]
        survival = survival_after[every, pick]
        back.append((source[every, pick], deaths, low, width, across))
        low, high = next_low, next_high
    if len(cost) <= events or not np.isfinite(cost[events, 0]):
        return None
    return _trace(back, events, float(cost[events, 0]), found)


def _gather(cost: FloatArray, left: IntArray, deaths: IntArray, events: int) -> tuple[FloatArray, IntArray]:
    """Cheapest way into each (deaths so far, number left), and the flat place it came from."""
    flat, so_far = cost.ravel(), (np.arange(len(cost))[:, None] + deaths).ravel()
    possible = np.flatnonzero((so_far <= events) & np.isfinite(flat))
    rows, size = int(so_far[possible].max(initial=0)) + 1, int(left.max()) + 1
    target, price = so_far[possible] * size + left.ravel()[possible], flat[possible]
    after, source = np.full(rows * size, np.inf), np.zeros(rows * size, dtype=np.int64)
    np.minimum.at(after, target, price)
    best = price == after[target]
    source[target[best]] = possible[best]
    return after.reshape(rows, size), source.reshape(rows, size)


def _trace(back: list[tuple[IntArray, FloatArray, int, int, int]], events: int, cost: float, found: Stages) -> Path:
    count = len(back)
    deaths, at_risk = np.zeros(count, dtype=np.int64), np.zeros(count + 1, dtype=np.int64)
    row, index = events, 0
    for j in range(count - 1, -1, -1):
        source, died, low, width, across = back[j]
        row, came = divmod(int(source[row, index]), across)
        deaths[j] = died[row, came]
        index = came % width
        at_risk[j] = low + index
    return Path(deaths, at_risk[:-1] - deaths - at_risk[1:], cost, found.kind != KNOT)
