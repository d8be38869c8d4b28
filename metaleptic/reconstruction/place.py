"""When the whole events and censorings of each cell happened: quantiles of what the curve implies."""

from __future__ import annotations

import numpy as np

from metaleptic.reconstruction.cells import Cells, IntArray
from metaleptic.reconstruction.expected import untilted
from metaleptic.types import FloatArray


def event_times(cells: Cells, weight: FloatArray, deaths: IntArray, luck: FloatArray | None = None) -> FloatArray:
    """Spread each cell's deaths over its segments in proportion to ``weight``, at the middle of each death's share.

    A vertical piece of the curve takes all shares that fall on it, so exact drops keep their times. ``luck`` (numbers in
    0 to 1) puts each death elsewhere in its share.
    """
    sums = np.add.reduceat(weight, cells.first)
    length = np.maximum(cells.stop - cells.start, 0.0)
    # A cell without any drop may still have to hold a death: spread it over its time.
    weight = np.where((sums > 0)[cells.cell], weight, np.maximum(length, 1e-300))
    sums = np.add.reduceat(weight, cells.first)
    mass = weight * (deaths / sums)[cells.cell]
    total = np.concatenate([[0.0], np.cumsum(mass)])
    count = int(deaths.sum())
    want = np.arange(count) + (0.5 if luck is None else luck[:count])
    i = np.clip(np.searchsorted(total, want, side="left") - 1, 0, len(mass) - 1)
    share = np.clip((want - total[i]) / np.maximum(mass[i], 1e-300), 0.0, 1.0)
    times = cells.start[i] + share * (cells.stop[i] - cells.start[i])
    return np.asarray(np.minimum(times, _before_knots(cells)[cells.cell[i]]), dtype=np.float64)


def _before_knots(cells: Cells) -> FloatArray:
    """Latest time that still counts as before the knot that ends each cell (the last cell runs to the end itself)."""
    latest = cells.knot[1:] - 1e-6 * cells.knot[-1]
    latest[-1] = cells.knot[-1]
    return np.asarray(np.maximum(latest, cells.knot[:-1]), dtype=np.float64)


def censor_times(
    cells: Cells,
    censored: IntArray,
    theta: FloatArray,
    ticks: FloatArray | None,
    last_leaves: bool,
    luck: FloatArray | None = None,
) -> FloatArray:
    """Spread each block's censorings by its tilted distribution, or over its ticks.

    ``luck`` (numbers in 0 to 1) puts each censoring elsewhere in its share. ``last_leaves``: the curve ends above 0, so the last patient is censored at its end.
    """
    out: list[FloatArray] = []
    blocks = len(censored)
    placed = 0
    for b in range(blocks):
        c = int(censored[b])
        if c <= 0:
            continue
        lo, hi = cells.edge[b], cells.edge[b + 1]
        inside = np.empty(0)
        if ticks is not None and len(ticks):
            upper = np.inf if b == blocks - 1 else hi
            inside = ticks[(ticks >= lo) & (ticks < upper)]
        if len(inside):
            out.append(inside[np.minimum((np.arange(c) + 0.5) / c * len(inside), len(inside) - 1).astype(np.int64)])
            continue
        p = (np.arange(c) + (0.5 if luck is None else luck[placed : placed + c])) / c
        placed += c
        times = lo + (hi - lo) * untilted(p, np.full(c, theta[b]))
        if b < blocks - 1:
            times = np.minimum(times, max(hi - 1e-6 * cells.edge[-1], lo))
        if b == blocks - 1 and last_leaves:
            times[-1] = hi
        out.append(times)
    return np.concatenate(out) if out else np.empty(0)
