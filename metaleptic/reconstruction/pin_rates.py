"""Deaths next to a printed rate moved to the side of it that makes the rate come out as printed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from metaleptic.reconstruction.steps import height_at
from metaleptic.types import FloatArray

# Most deaths that one rate may move; more would be another curve.
_MOST = 4


def pin_rates(
    events: FloatArray, censored: FloatArray, rates: Mapping[float, float], half: float, edges: FloatArray, reach: float
) -> FloatArray:
    """Move the deaths nearest to each printed rate across its time until the rate holds within its rounding.

    A death moves by at most ``reach`` and never across a number at risk (``edges``): at such a time it may come to lie on
    it, where it still counts as at risk. What does not bring the rate nearer is left.
    """
    for time, rate in sorted(rates.items()):
        miss = height_at(events, censored, time) - rate
        if abs(miss) <= half * (1 + 1e-6):
            continue
        events = _moved(events, censored, time, rate, half, edges, reach)
    return events


def _moved(
    events: FloatArray, censored: FloatArray, time: float, rate: float, half: float, edges: FloatArray, reach: float
) -> FloatArray:
    tiny = 1e-9 * max(float(edges.max(initial=0.0)), time)
    high = height_at(events, censored, time) > rate
    later = edges[edges > time + tiny]
    earlier = edges[edges <= time]
    if high:
        stop = min(float(later.min()) if len(later) else np.inf, time + reach)
        near = np.flatnonzero((events > time) & (events <= stop) & (events < (later.min() if len(later) else np.inf)))
        near, to = near[np.argsort(events[near], kind="stable")], time
    else:
        start = max(float(earlier.max()) if len(earlier) else 0.0, time - reach)
        near = np.flatnonzero((events <= time) & (events >= start))
        near = near[np.argsort(-events[near], kind="stable")]
        following = events[events > time]
        limit = min(float(following.min()) if len(following) else np.inf, float(later.min()) if len(later) else np.inf)
        to = time + min(1e-4 * time, 0.5 * (limit - time)) if np.isfinite(limit) else time * (1 + 1e-4)
    best, off = events, abs(height_at(events, censored, time) - rate)
    trial = events.copy()
    for i in near[:_MOST]:
        trial = trial.copy()
        trial[i] = to
        now = abs(height_at(trial, censored, time) - rate)
        if now >= off - 1e-12:
            break
        best, off = trial, now
        if off <= half * (1 + 1e-6):
            break
    return best
