"""Censorings moved a little within their time blocks, so that printed rates come out within their rounding.

Moving a death changes survival by a whole 1 / (number at risk); where the censorings lie between two deaths changes it by
far less. What deaths leave is therefore settled by the censorings before each rate, all earlier or all later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from metaleptic.reconstruction.steps import at_deaths, height_at
from metaleptic.types import FloatArray

_MOST = 0.4  # log of the power to which the places of censorings within their block are raised
_HALVINGS = 24


def pin_censored(
    events: FloatArray, censored: FloatArray, rates: Mapping[float, float], half: float, edges: FloatArray
) -> FloatArray:
    """Move the censorings between one printed rate and the next until the rate holds within its rounding.

    None crosses a number at risk (``edges``) or a printed rate; rates that so little cannot reach leave them where they are.
    """
    before = 0.0
    for time, rate in sorted(rates.items()):
        miss = height_at(events, censored, time) - rate
        if abs(miss) > half * (1 + 1e-6):
            censored = _moved(events, censored, (before, time), rate, half, edges)
        before = time
    return censored


def _moved(
    events: FloatArray, censored: FloatArray, span: tuple[float, float], rate: float, half: float, edges: FloatArray
) -> FloatArray:
    start, time = span
    inside = (censored > start) & (censored < time)
    if not inside.any():
        return censored
    own = censored[inside]
    block = np.searchsorted(edges, own, side="right") - 1
    low = np.maximum(np.append(edges, np.inf)[block], start)
    high = np.minimum(np.append(edges, np.inf)[block + 1], time)
    width = np.maximum(high - low, 1e-12)
    place = np.clip((own - low) / width, 1e-6, 1 - 1e-6)

    survival = _survival_by(events, censored[~inside], time)

    def at(power: float) -> tuple[FloatArray, float]:
        moved = low + width * np.clip(place ** np.exp(power), 1e-6, 1 - 1e-6)
        return moved, survival(moved) - rate

    # Later censorings (a power below 0) leave more at risk: survival rises.
    earlier, later = _MOST, -_MOST
    if at(earlier)[1] > half * (1 + 1e-6) or at(later)[1] < -half * (1 + 1e-6):
        return censored
    best, off = own, abs(survival(own) - rate)
    for _ in range(_HALVINGS):
        middle = 0.5 * (earlier + later)
        tried, miss = at(middle)
        if abs(miss) < off:
            best, off = tried, abs(miss)
        if off <= half:
            break
        if miss > 0:
            later = middle
        else:
            earlier = middle
    if off > half * (1 + 1e-6):
        return censored
    censored = censored.copy()
    censored[inside] = best
    return censored


def _survival_by(events: FloatArray, fixed: FloatArray, time: float) -> Callable[[FloatArray], float]:
    """Return survival at a time as a function of the censorings that move, all before it; the others are ``fixed``."""
    early = np.sort(events[events <= time])
    u, deaths, others = at_deaths(early, np.sort(fixed))
    others = others + (len(events) - len(early))

    def survival(moving: FloatArray) -> float:
        at_risk = others + len(moving) - np.searchsorted(np.sort(moving), u)
        return float(np.prod(1 - deaths / at_risk))

    return survival
