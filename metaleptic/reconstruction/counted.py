"""The same path with the deaths counted on the way: exact for any total, dear, so for small arms only.

A price per death reaches only totals on the convex hull of (deaths, cost). Where the total printed lies between two of
them, the state becomes (deaths so far, number at risk).
"""

from __future__ import annotations

import numpy as np

from metaleptic.reconstruction.cells import IntArray
from metaleptic.reconstruction.lattice import KNOT, Path, Stages, extra_cost, fall, leave
from metaleptic.types import FloatArray

_MOST_STATES = 20_000


def counted_path(found: Stages, events: int, patients: int) -> Path | None:
    """Return the cheapest path with exactly this many deaths; None if there is none or it would take long."""
    rows = events + 1
    if rows * int((found.high - found.low).max() + 1) > _MOST_STATES:
        return None
    extra, free = extra_cost(found, events, patients), np.zeros(rows)
    low, high = int(found.low[0]), int(found.high[0])
    cost = np.full((rows, high - low + 1), np.inf)
    cost[0] = 0.0
    survival = np.ones_like(cost)
    every = np.arange(rows)[:, None]
    back: list[tuple[IntArray, IntArray, int, int, int]] = []
    for j, kind in enumerate(found.kind):
        n = np.arange(low, high + 1)
        width = len(n)
        if kind == KNOT:
            deaths = np.zeros((rows, width), dtype=np.int64)
            floor, after = low, cost
            source = every * width + np.arange(width)
        else:
            cost, survival, deaths = fall(cost, survival, n, found, j, free)
            left = np.concatenate([n] * (cost.shape[1] // width)) - deaths
            floor = max(int(left.min()), 0)
            after, source = _gather(cost, left - floor, deaths)
        survival_after = survival.ravel()[source]
        last = j + 1 == len(found.kind)
        next_low, next_high = (0, 0) if last else (int(found.low[j + 1]), int(found.high[j + 1]))
        across = deaths.shape[1]
        cost, pick = leave(after, floor, next_low, next_high, found, j, extra)
        if not np.isfinite(cost).any():
            return None
        survival = survival_after[every, pick]
        back.append((source[every, pick], deaths, low, width, across))
        low, high = next_low, next_high
    if not np.isfinite(cost[events, 0]):
        return None
    return _trace(back, events, float(cost[events, 0]), found)


def _gather(cost: FloatArray, left: IntArray, deaths: IntArray) -> tuple[FloatArray, IntArray]:
    """Cheapest way into each (deaths so far, number left), and the flat place it came from."""
    rows, size = len(cost), int(left.max()) + 1
    row = np.arange(rows)[:, None] + deaths
    flat = cost.ravel()
    possible = np.flatnonzero((row.ravel() < rows) & np.isfinite(flat))
    order = possible[np.argsort(-flat[possible], kind="stable")]
    target = (row * size + left).ravel()[order]
    after, source = np.full(rows * size, np.inf), np.zeros(rows * size, dtype=np.int64)
    after[target], source[target] = flat[order], order
    return after.reshape(rows, size), source.reshape(rows, size)


def _trace(back: list[tuple[IntArray, IntArray, int, int, int]], events: int, cost: float, found: Stages) -> Path:
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
