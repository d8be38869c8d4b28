"""How many deaths a curve implies between two numbers at risk.

With S falling and censorings spread by a distribution u, the number at risk is n(t) = S(t) (N_a/S_a - C int du/S): the
actuarial identity in continuous form. Numbers at risk at both ends then give the censorings C, and so the deaths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.reconstruction.cells import Cells
from metaleptic.types import FloatArray

_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Deaths per segment and censorings per block that the curve implies.

    Attributes
    ----------
    deaths : ndarray of shape (segments,)
        Expected deaths in each segment.
    censored : ndarray of shape (blocks,)
        Expected censorings.
    hazard : ndarray of shape (segments,)
        Drop of log survival, bounded.
    """

    deaths: FloatArray
    censored: FloatArray
    hazard: FloatArray


def tilted(u: FloatArray, theta: FloatArray) -> FloatArray:
    """Distribution function on (0, 1) with density proportional to exp(theta u); theta 0 is uniform."""
    flat = np.abs(theta) < 1e-6
    safe = np.where(flat, 1.0, theta)
    return np.where(flat, u, np.expm1(safe * u) / np.expm1(safe))


def untilted(p: FloatArray, theta: FloatArray) -> FloatArray:
    """Quantiles of ``tilted``."""
    flat = np.abs(theta) < 1e-6
    safe = np.where(flat, 1.0, theta)
    return np.where(flat, p, np.log1p(p * np.expm1(safe)) / safe)


def censor_share(cells: Cells, theta: FloatArray, ticks: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Share of the block's censorings before the start and the end of each segment."""
    b = cells.block
    if ticks is not None and len(ticks):
        lo = np.searchsorted(ticks, cells.edge[:-1], side="left")
        hi = np.append(lo[1:], len(ticks))
        count = (hi - lo).astype(np.float64)
        # A censoring at the time of a drop leaves after it.
        before = np.searchsorted(ticks, cells.start, side="left") - lo[b]
        after = np.searchsorted(ticks, cells.stop, side="left") - lo[b]
        has = count[b] > 0
        share = np.maximum(count[b], 1.0)
        u0, u1 = np.where(has, before / share, 0.0), np.where(has, after / share, 0.0)
        if has.all():
            return u0, u1
        v0, v1 = _smooth_share(cells, theta)
        return np.where(has, u0, v0), np.where(has, u1, v1)
    return _smooth_share(cells, theta)


def _smooth_share(cells: Cells, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    b = cells.block
    width = np.diff(cells.edge)
    safe = np.where(width > 0, width, 1.0)
    u0 = np.clip((cells.start - cells.edge[b]) / safe[b], 0.0, 1.0)
    u1 = np.clip((cells.stop - cells.edge[b]) / safe[b], 0.0, 1.0)
    return tilted(u0, theta[b]), tilted(u1, theta[b])


def expect(cells: Cells, theta: FloatArray, ticks: FloatArray | None = None) -> Expected:
    """Return what the curve implies when censorings within each block are tilted by ``theta``."""
    blocks = len(cells.n_start)
    b = cells.block
    s0, s1 = cells.s0, cells.s1
    alive = s0 > _TINY
    q = np.where(alive, 1.0 - s1 / np.where(alive, s0, 1.0), 0.0)
    hazard = np.where(alive, -np.log(np.maximum(s1, _TINY) / np.where(alive, s0, 1.0)), 0.0)
    hazard = np.minimum(hazard, 5.0)
    u0, u1 = censor_share(cells, theta, ticks)
    du = u1 - u0
    weight = np.where(alive, du / np.maximum(0.5 * (s0 + s1), _TINY), 0.0)
    first = np.searchsorted(b, np.arange(blocks), side="left")
    total = np.add.reduceat(weight, first)
    s_a = s0[first]
    last = np.append(first[1:], len(b)) - 1
    s_b = s1[last]
    start = cells.n_start / np.maximum(s_a, _TINY)
    # A curve that reaches 0 loses its last patient there: one is left before the final drop.
    dead = s_b <= _TINY
    s_b = np.where(dead, np.maximum(_before_zero(cells, first, last), _TINY), s_b)
    n_b = np.where(dead, np.maximum(cells.n_stop, 1.0), cells.n_stop)
    # Ticks on the very end of a block leave after its last drop.
    with np.errstate(over="ignore"):  # a block whose heights are all 0 says nothing of its censorings
        total = total + np.maximum(1.0 - u1[last], 0.0) / s_b
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        censored = np.where(total > 0, (start - n_b / s_b) / total, 0.0)
    leave = cells.n_start - cells.n_stop
    censored = np.clip(np.nan_to_num(censored, posinf=0.0), 0.0, np.where(dead, np.maximum(leave - 1, 0), leave))
    cumulative = np.cumsum(weight) - weight
    cumulative = cumulative - cumulative[first][b] + 0.5 * weight
    at_risk = np.maximum(s0 * (start[b] - censored[b] * cumulative), 0.0)
    deaths = at_risk * q
    # A curve that falls more than patients leave (or rounding) must not change the count that left.
    sums = np.add.reduceat(deaths, first)
    scale = np.where(sums > 0, (leave - censored) / np.where(sums > 0, sums, 1.0), 0.0)
    return Expected(deaths * scale[b], np.where(sums > 0, censored, leave), hazard)


def _before_zero(cells: Cells, first: np.ndarray, last: np.ndarray) -> FloatArray:
    """Last height above 0 in each block."""
    out = np.empty(len(first))
    for k, (i, j) in enumerate(zip(first, last, strict=True)):
        heights = cells.s0[i : j + 1]
        above = heights[heights > _TINY]
        out[k] = above[-1] if len(above) else _TINY
    return out
