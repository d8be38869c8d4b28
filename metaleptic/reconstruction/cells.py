"""The time axis cut at every printed number: cells between knots, blocks between numbers at risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from metaleptic.errors import DataError
from metaleptic.patients import Published, to_number
from metaleptic.reconstruction.clean import Target
from metaleptic.types import FloatArray

IntArray = NDArray[np.int64]

# How many deaths the last step before a click may hold, divided by the deaths of a typical gap between clicks: where
# clicks follow every drop, a wide gap is a long step; where they skip many drops, its deaths lie anywhere in it.
HELD = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The curve as segments, gathered into cells (between knots) and blocks (between numbers at risk).

    Attributes
    ----------
    start, stop : ndarray of shape (segments,)
        Times of each segment.
    s0, s1 : ndarray of shape (segments,)
        Heights at its ends.
    cell, block : ndarray of shape (segments,)
        Which cell and block the segment belongs to.
    first : ndarray of shape (cells,)
        First segment of each cell.
    knot : ndarray of shape (cells + 1,)
        Knot times.
    sd : ndarray of shape (cells + 1,)
        How surely the height at each knot is known.
    cell_block : ndarray of shape (cells,)
        Block of each cell.
    edge : ndarray of shape (blocks + 1,)
        Block boundaries in time.
    n_start, n_stop : ndarray of shape (blocks,)
        Patients at risk at the start and end of each block; the last ends with nobody.
    """

    start: FloatArray
    stop: FloatArray
    s0: FloatArray
    s1: FloatArray
    cell: IntArray
    block: IntArray
    first: IntArray
    knot: FloatArray
    sd: FloatArray
    cell_block: IntArray
    edge: FloatArray
    n_start: FloatArray
    n_stop: FloatArray


def cut(
    target: Target,
    published: Published,
    n: int,
    *,
    corners: bool = False,
    held: float | None = None,
    hint: Mapping[float, float] = MappingProxyType({}),
) -> Cells:
    """Insert a knot at every printed number at risk and rate, and at every height that is hinted at."""
    end = target.end
    risk = {0.0: n}
    for at_time, k in published.at_risk.items():
        if at_time > end + 1e-9 and k > 0:
            raise DataError(
                f"at_risk {k} at time {at_time:g}, but the curve and last_time end at {end:g}. Give last_time, or check the table."
            )
        if at_time <= end:
            risk[at_time] = k
    # From the first 0 on, nobody is left: later knots say nothing more.
    zeros = [at_time for at_time, k in risk.items() if k == 0]
    if zeros and zeros[0] < end:
        end = min(end, max(zeros[0], 0.0))
    risk = {at_time: k for at_time, k in risk.items() if k > 0}
    rates = {float(t): to_number(s, "rate") for t, s in published.rates.items()} | dict(hint)
    t, s = target.time, target.survival
    for at_time, rate in rates.items():
        if rate is not None and 0 < at_time < end and not target.exact:
            t, s = _through(t, s, at_time, rate)
    median = to_number(published.median, "median")
    if median is not None and 0 < median < end and corners:
        t, s = _through_median(t, s, median, target.error * target.end)
    if corners:
        counts = np.array(list(risk.values()), dtype=np.float64)
        blur = target.error * target.end
        t, s = _hold(t, s, np.array(list(risk)), counts, blur, HELD if held is None else held)
    if target.exact:
        t = _snap(t, np.array([*risk, *rates]), min(5 * target.error, 5e-5) * target.end)
    knots = np.unique(np.array([*risk, *(a for a in rates if 0 < a < end), end]))
    if end in risk:
        knots = np.append(knots, end)
    inner = knots[:-1]
    at = np.searchsorted(t, inner[1:], side="left")
    heights = np.interp(inner[1:], t, s) if len(inner) > 1 else np.empty(0)
    # On a vertical piece at a knot the number at risk counts those before the drop.
    exact = (at < len(t)) & (t[np.minimum(at, len(t) - 1)] == inner[1:])
    heights = np.where(exact, s[np.minimum(at, len(s) - 1)], heights)
    keep = t <= end
    where = np.searchsorted(t[keep], inner[1:], side="left")
    times = np.insert(t[keep], where, inner[1:])
    levels = np.insert(s[keep], where, heights)
    if times[-1] < end:
        times, levels = np.append(times, end), np.append(levels, np.interp(end, t, s))
    # Position of each inserted knot among the corners: its segments start there.
    first = np.concatenate([[0], where + np.arange(len(where))]).astype(np.int64)
    first = np.minimum(first, len(times) - 1)
    if first[-1] == len(times) - 1:
        times, levels = np.append(times, end), np.append(levels, levels[-1])
    segments = len(times) - 1
    cell = np.zeros(segments, dtype=np.int64)
    cell[first[1:]] = 1
    cell = np.cumsum(cell)
    edges = np.array(sorted(risk))
    cell_block = np.searchsorted(edges, inner, side="right") - 1
    n_start = np.array([risk[e] for e in edges], dtype=np.float64)
    sd = np.full(len(knots), target.error)
    if not target.exact:
        # A drop near a knot may lie on either side of it: times are misread too.
        off = target.error * target.end
        sd = np.hypot(sd, 0.4 * (np.interp(knots - off, t, s) - np.interp(knots + off, t, s)))
    for j, at_time in enumerate(knots):
        if rates.get(float(at_time)) is not None:
            sd[j] = min(sd[j], 3e-4)
    sd[0] = 1e-9
    return Cells(
        times[:-1],
        times[1:],
        levels[:-1],
        levels[1:],
        cell,
        cell_block[cell],
        first,
        knots,
        sd,
        cell_block,
        np.append(edges, end),
        n_start,
        np.append(n_start[1:], 0.0),
    )


def _through(t: FloatArray, s: FloatArray, at: float, rate: float) -> tuple[FloatArray, FloatArray]:
    """Pull the curve through a printed rate."""
    s = np.where(t < at, np.maximum(s, rate), np.where(t > at, np.minimum(s, rate), s))
    i = int(np.searchsorted(t, at, side="right"))
    s[t == at] = rate
    return np.insert(t, i, at), np.insert(s, i, rate)


def _through_median(t: FloatArray, s: FloatArray, median: float, blur: float) -> tuple[FloatArray, FloatArray]:
    """Pull the curve through one half at the median: the drop that was clicked a little beside it happens there."""
    misread = np.where(s < 0.5, t < median, (s > 0.5) & (t > median)) & (np.abs(t - median) <= 4 * blur)
    t = np.where(misread, median, t)
    s = np.where(t < median, np.maximum(s, 0.5), np.where(t > median, np.minimum(s, 0.5), s))
    i = int(np.searchsorted(t, median)) + int(np.sum(s[t == median] > 0.5))
    return np.insert(t, i, median), np.insert(s, i, 0.5)


def _snap(t: FloatArray, knots: FloatArray, tolerance: float) -> FloatArray:
    """Put drops that were drawn at a printed time (but for the rounding of coordinates) exactly there."""
    knots = np.sort(knots)
    nearest = knots[np.clip(np.searchsorted(knots, t) - 1, 0, len(knots) - 1)]
    after = knots[np.clip(np.searchsorted(knots, t), 0, len(knots) - 1)]
    nearest = np.where(np.abs(after - t) < np.abs(nearest - t), after, nearest)
    snapped: FloatArray = np.where(np.abs(nearest - t) <= tolerance, nearest, t)
    return snapped


def _hold(
    t: FloatArray, s: FloatArray, risk_time: FloatArray, at_risk: FloatArray, blur: float, held: float
) -> tuple[FloatArray, FloatArray]:
    """Let the last death before each clicked corner happen at that corner: a step curve holds its height until it drops.

    Two clicks nearer than the error of times are the two corners of one drop: it lies between them.
    """
    # At risk = S times the share not censored, which is taken to fall evenly between counts and to nobody at the end.
    alive = np.maximum(np.interp(risk_time, t, s), 1e-9)
    kept = np.append(at_risk / alive, 0.0)
    here = np.maximum(s * np.interp(t, np.append(risk_time, max(t[-1], risk_time[-1])), kept), 1.0)
    one = s[:-1] / np.maximum(here[1:], 1.0)
    fall, width = s[:-1] - s[1:], np.diff(t)
    deaths = np.where(one > 0, fall / np.maximum(one, 1e-12), 0.0)
    per_gap = max(float(deaths.sum()) / max(int((deaths > 0.3).sum()), 1), 0.1)
    one = one * float(np.clip(held / per_gap, 0.3, 3.0))
    gap = np.flatnonzero((fall > 0) & (width > 0))
    before = s[gap + 1] + np.minimum(fall, one)[gap]
    corner = t[gap + 1] - 0.5 * width[gap] * np.exp(-((width[gap] / (3 * blur)) ** 2))
    where = np.repeat(gap + 1, 2)
    return (
        np.insert(t, where, np.column_stack([corner, corner]).ravel()),
        np.insert(s, where, np.column_stack([before, s[gap + 1]]).ravel()),
    )
