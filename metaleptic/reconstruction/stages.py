"""Drops and numbers at risk of one arm lined up in time: what the dynamic programme of ``lattice`` walks along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.reconstruction.cells import Cells, IntArray
from metaleptic.reconstruction.clean import Target
from metaleptic.types import FloatArray

KNOT, DROP, CLICK, FREE, LAST = 0, 1, 2, 3, 4


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


def stages(target: Target, cells: Cells, censored: FloatArray) -> Stages | None:
    """Line up drops and numbers at risk; None where their counts leave no room."""
    end = float(cells.knot[-1])
    fall = np.flatnonzero((cells.s1 < cells.s0) & (cells.stop == cells.start))
    drop_time, drop_level = cells.stop[fall], cells.s1[fall]
    edge = cells.edge[:-1]
    time = np.concatenate([edge, drop_time])
    kind = np.repeat([KNOT, DROP], [len(edge), len(drop_time)])
    level = np.concatenate([np.full(len(edge), np.nan), drop_level])
    # A drop at a knot comes after its count.
    order = np.lexsort((kind, time))
    time, kind, level = time[order], kind[order], level[order]
    count = None
    lost = (kind == DROP).astype(np.int64)
    if target.ticks is not None:
        marks = near(target.ticks, time, 2e-5 * end)
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


def near(marks: FloatArray, times: FloatArray, tolerance: float) -> FloatArray:
    """Put ticks that were drawn at the time of a stage (but for rounding) exactly there."""
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
            rows.append((t, 0, FREE, lowest, np.inf, min(just, float(cells.start[fall][close].min())), just))
        if t in cells.edge[:-1]:
            rows.append((t, 1, KNOT, np.nan, np.inf, t, t))
        if t in rates:
            if len(close):
                rows.append((t, 2, FREE, lowest, np.inf, t, t))
            rows.append((t, 3, CLICK, rates[t][0], rates[t][1], t, t))
    rows += [
        (t, 4, CLICK, level, target.error, a, t)
        for t, level, a in zip(point_time.tolist(), point_level.tolist(), since.tolist(), strict=True)
    ]
    rows.append((end, 5, LAST, 0.0, np.inf, end, end))
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
