"""The first and the last patient to leave, put at the times that are printed for them."""

from __future__ import annotations

import numpy as np

from metaleptic.types import FloatArray


def pin_first(
    events: FloatArray, censored: FloatArray, first: float, half: float, stop: float
) -> tuple[FloatArray, FloatArray]:
    """Let nobody leave before the printed first time, and one patient then (a censored one, if there is one).

    ``stop`` is the time of the first number at risk, which nobody crosses.
    """
    now = min(events.min(initial=np.inf), censored.min(initial=np.inf))
    if abs(now - first) <= half * (1 + 1e-6) or first >= stop or now >= stop:
        return events, censored
    if now < first:
        return np.maximum(events, first), np.maximum(censored, first)
    moved = censored if censored.min(initial=np.inf) < stop else events
    changed = moved.copy()
    changed[int(np.argmin(moved))] = first
    return (events, changed) if moved is censored else (changed, censored)


def pin_last(
    events: FloatArray, censored: FloatArray, last: float, half: float, start: float, *, dies: bool
) -> tuple[FloatArray, FloatArray]:
    """Let the last patient leave at the printed last time.

    ``start`` is the time of the last number at risk; ``dies``: the curve ends at 0, so that the last to leave dies.
    """
    now = max(events.max(initial=-np.inf), censored.max(initial=-np.inf))
    if abs(now - last) <= half * (1 + 1e-6) or now > last:
        return events, censored
    moved = events if dies or censored.max(initial=-np.inf) < start else censored
    if moved.max(initial=-np.inf) < start:
        return events, censored
    changed = moved.copy()
    changed[int(np.argmax(moved))] = last
    return (changed, censored) if moved is events else (events, changed)
