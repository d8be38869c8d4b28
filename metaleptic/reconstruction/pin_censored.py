"""Censorings moved a little within their time blocks, so that printed rates come out within their rounding.

Moving a death changes survival by a whole 1 / (number at risk); where the censorings lie between two deaths changes it by
far less. What deaths leave is therefore settled by the censorings before each rate, all earlier or all later.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from metaleptic.reconstruction.steps import steps
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
        miss = float(steps(events, censored).at(time)) - rate
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

    def at(power: float) -> tuple[FloatArray, float]:
        tried = censored.copy()
        tried[inside] = low + width * np.clip(place ** np.exp(power), 1e-6, 1 - 1e-6)
        return tried, float(steps(events, tried).at(time)) - rate

    # Later censorings (a power below 0) leave more at risk: survival rises.
    earlier, later = _MOST, -_MOST
    best, off = censored, abs(float(steps(events, censored).at(time)) - rate)
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
    return best if off <= half * (1 + 1e-6) else censored
