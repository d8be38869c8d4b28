"""Whole deaths per cell: the integers nearest to what the curve implies, with every printed count kept.

The deviations x of the counts from their expectation have two sources: heights misread at the knots (shared by the
cells on both sides) and censorings that did not fall evenly. Their covariance gives the distance that is minimised, over
integers, with the total of events fixed (a closest-vector problem, solved by rounding and pairwise exchange).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.reconstruction.cells import Cells, IntArray
from metaleptic.reconstruction.expected import Expected
from metaleptic.types import FloatArray

# Standard deviation of the mean position of a block's censorings, as a share of the block.
POSITION_SD = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Whole numbers per cell and block, and how much of the change the censorings' positions should take."""

    deaths: IntArray
    censored: IntArray
    shift: FloatArray


def allocate(
    cells: Cells,
    expected: Expected,
    precision: FloatArray,
    slack: FloatArray,
    events: int | None,
    ticks: FloatArray | None,
    want: FloatArray | None = None,
) -> Allocation:
    """Choose whole deaths per cell.

    ``precision`` and ``slack`` come from ``deviations``; ``want`` replaces the expectation (draws, contrasts).
    """
    per_cell = np.add.reduceat(expected.deaths, cells.first)
    centre = per_cell if want is None else want
    hazard = np.add.reduceat(expected.hazard, cells.first)
    leave = (cells.n_start - cells.n_stop).astype(np.int64)
    cap = leave.copy()
    if ticks is not None and len(ticks):
        at = np.searchsorted(ticks, cells.edge[:-1], side="left")
        cap = np.maximum(cap - (np.append(at[1:], len(ticks)) - at), 0)
    deaths = _integers(centre, precision, events, cap, cells.cell_block, hazard > 1e-9)
    block_deaths = np.bincount(cells.cell_block, weights=deaths, minlength=len(leave)).astype(np.int64)
    x = np.bincount(cells.cell_block, weights=deaths - per_cell, minlength=len(leave))
    h = np.bincount(cells.cell_block, weights=hazard, minlength=len(leave))
    share = np.bincount(cells.cell_block, weights=slack, minlength=len(leave))
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.nan_to_num(x * share / np.maximum(expected.censored * h, 1e-9))
    return Allocation(deaths, leave - block_deaths, shift)


def deviations(cells: Cells, expected: Expected) -> tuple[FloatArray, FloatArray]:
    """Return the inverse covariance of the deviations, and each cell's share due to the censorings' positions."""
    per_cell = np.add.reduceat(expected.deaths, cells.first)
    hazard = np.add.reduceat(expected.hazard, cells.first)
    n_bar = np.where(hazard > 1e-9, per_cell / np.maximum(hazard, 1e-9), cells.n_start[cells.cell_block])
    count = len(cells.first)
    level = np.append(cells.s0[cells.first], cells.s1[-1])
    log_sd = np.minimum(cells.sd / np.maximum(level, cells.sd), 1.0)
    curve = np.zeros((count, count))
    variance = log_sd**2
    curve[np.diag_indices(count)] = variance[:-1] + variance[1:]
    off = np.arange(count - 1)
    curve[off, off + 1] = curve[off + 1, off] = -variance[1:-1]
    curve *= n_bar[:, None] * n_bar[None, :]
    width = np.diff(cells.knot)
    block_width = np.maximum(np.diff(cells.edge)[cells.cell_block], 1e-12)
    place = (POSITION_SD * expected.censored[cells.cell_block] * hazard * np.minimum(width / block_width, 1.0)) ** 2
    total = curve + np.diag(place + 1e-4)
    return np.asarray(np.linalg.inv(total), dtype=np.float64), place / np.diag(total)


def _integers(
    centre: FloatArray,
    precision: FloatArray,
    events: int | None,
    cap: IntArray,
    block: IntArray,
    open_cell: np.ndarray,
) -> IntArray:
    count = len(centre)
    mean = centre.copy()
    if events is not None:
        spread = np.linalg.solve(precision, np.ones(count))
        mean = mean + spread * (events - mean.sum()) / max(spread.sum(), 1e-12)
    deaths = np.clip(np.rint(mean), 0, None).astype(np.int64)
    deaths[~open_cell] = 0
    deaths = _within(deaths, mean, cap, block)
    if events is not None:
        deaths = _to_total(deaths, centre, precision, events, cap, block, open_cell)
    return _exchange(deaths, centre, precision, events is not None, cap, block, open_cell)


def _within(deaths: IntArray, mean: FloatArray, cap: IntArray, block: IntArray) -> IntArray:
    """Take deaths away where a block would lose more than leave it."""
    for b in np.flatnonzero(np.bincount(block, weights=deaths, minlength=len(cap)) > cap):
        inside = np.flatnonzero(block == b)
        for _ in range(int(deaths[inside].sum() - cap[b])):
            over = np.where(deaths[inside] > 0, deaths[inside] - mean[inside], -np.inf)
            deaths[inside[int(np.argmax(over))]] -= 1
    return deaths


def _moves_up(deaths: IntArray, cap: IntArray, block: IntArray, open_cell: np.ndarray) -> np.ndarray:
    room = np.bincount(block, weights=deaths, minlength=len(cap)) < cap
    return np.asarray(room[block] & open_cell)


def _to_total(
    deaths: IntArray,
    centre: FloatArray,
    precision: FloatArray,
    events: int,
    cap: IntArray,
    block: IntArray,
    open_cell: np.ndarray,
) -> IntArray:
    diagonal = np.diag(precision)
    for _ in range(abs(int(deaths.sum()) - events)):
        step = 1 if deaths.sum() < events else -1
        allowed = _moves_up(deaths, cap, block, open_cell) if step > 0 else deaths > 0
        if not allowed.any():
            allowed = _moves_up(deaths, cap, block, np.ones_like(open_cell))
            if step < 0 or not allowed.any():
                break
        gain = 2 * step * (precision @ (deaths - centre)) + diagonal
        deaths[int(np.argmin(np.where(allowed, gain, np.inf)))] += step
    return deaths


def _exchange(
    deaths: IntArray,
    centre: FloatArray,
    precision: FloatArray,
    fixed: bool,
    cap: IntArray,
    block: IntArray,
    open_cell: np.ndarray,
) -> IntArray:
    """Move single deaths (or, with the total fixed, from one cell to another) as long as the distance falls."""
    diagonal = np.diag(precision)
    pair = diagonal[:, None] + diagonal[None, :] - 2 * precision
    same = block[:, None] == block[None, :]
    for _ in range(200):
        slope = 2 * (precision @ (deaths - centre))
        up, down = _moves_up(deaths, cap, block, open_cell), deaths > 0
        swap = slope[:, None] - slope[None, :] + pair
        swap = np.where((up[:, None] | (same & open_cell[:, None])) & down[None, :], swap, np.inf)
        np.fill_diagonal(swap, np.inf)
        best = float(swap.min()) if len(deaths) > 1 else np.inf
        single = np.inf
        if not fixed:
            rise = np.where(up, slope + diagonal, np.inf)
            fall = np.where(down, -slope + diagonal, np.inf)
            single = float(min(rise.min(), fall.min()))
        if min(best, single) > -1e-9:
            break
        if single <= best:
            if rise.min() <= fall.min():
                deaths[int(np.argmin(rise))] += 1
            else:
                deaths[int(np.argmin(fall))] -= 1
        else:
            i, j = np.unravel_index(int(np.argmin(swap)), swap.shape)
            deaths[i] += 1
            deaths[j] -= 1
    return deaths
