"""A walk downhill by a quasi-Newton method with lower bounds, for a handful of parameters.

Fletcher R. Practical Methods of Optimization, 2nd ed. Wiley 1987, sections 2.6 and 3.2 (line search, BFGS). In arrays of this
size any call of a threaded library costs more than it saves, so none is made.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metaleptic.types import FloatArray

Function = Callable[[FloatArray], tuple[float, FloatArray]]
Point = tuple[float, float, float, FloatArray]  # length of the step, value and slope along the line, slope
ENOUGH, FLATTER = 1e-3, 0.9  # of a line search: fall and slope, relative to the slope at its start
TRIALS = 20


def walk(
    function: Function,
    start: FloatArray,
    lower: FloatArray,
    *,
    slope: float,
    fall: float,
    steps: int,
    arrived: Callable[[FloatArray], bool],
) -> tuple[FloatArray, float]:
    """Return where the function is lowest nearby, and its value.

    Ends where no slope exceeds ``slope``, a step lowers the value by less than ``fall`` (relative), or ``arrived`` says so.
    """
    at = np.maximum(start, lower)
    value, grad = function(at)
    bend = np.eye(len(at))
    fresh = True
    for _ in range(steps):
        held = (at <= lower) & (grad >= 0)
        free = np.where(held, 0.0, grad)
        if not free.any() or float(np.abs(free).max()) <= slope:
            break
        direction = np.where(held, 0.0, -(bend @ free))
        if float(direction @ grad) >= -1e-12 * float(free @ free):
            bend, fresh = np.eye(len(at)), True
            direction = -free
        first = min(1.0, 1.0 / float(np.sqrt(direction @ direction))) if fresh else 1.0
        step, new_value, new_grad = _search(function, at, value, grad, direction, lower, first)
        if step == 0.0:
            if fresh:
                break
            bend, fresh = np.eye(len(at)), True
            continue
        new = np.maximum(at + step * direction, lower)
        moved, turned = new - at, new_grad - grad
        bend, fresh = _updated(bend, moved, turned, fresh=fresh), False
        fallen = value - new_value
        at, value, grad = new, new_value, new_grad
        if fallen <= fall * max(abs(value), abs(value + fallen), 1.0) or arrived(at):
            break
    return at, value


def _updated(bend: FloatArray, moved: FloatArray, turned: FloatArray, *, fresh: bool) -> FloatArray:
    """Return the inverse curvature after a step, by the BFGS formula."""
    curve = float(moved @ turned)
    if curve <= 1e-12 * float(turned @ turned):
        return bend
    if fresh:
        bend = np.eye(len(moved)) * (curve / float(turned @ turned))
    pulled = bend @ turned
    cross = np.multiply.outer(pulled, moved)
    gain = (1 + float(turned @ pulled) / curve) / curve
    return np.asarray(bend + gain * np.multiply.outer(moved, moved) - (cross + cross.T) / curve)


def _search(
    function: Function,
    at: FloatArray,
    value: float,
    grad: FloatArray,
    direction: FloatArray,
    lower: FloatArray,
    first: float,
) -> tuple[float, float, FloatArray]:
    """Return a step along the line after which the value has fallen enough and the slope is flatter; 0 if there is none."""
    falling = direction < 0
    room = np.where(falling, (at - lower) / np.where(falling, -direction, 1.0), np.inf)
    longest = min(float(room.min()), 1e6)
    begin = float(direction @ grad)
    low: Point = (0.0, value, begin, grad)
    high: Point | None = None
    step = min(first, longest)
    for _ in range(TRIALS):
        new_value, new_grad = function(np.maximum(at + step * direction, lower))
        here: Point = (step, new_value, float(direction @ new_grad), new_grad)
        if new_value > value + ENOUGH * step * begin or new_value >= low[1]:
            high = here
        elif abs(here[2]) <= -FLATTER * begin or (high is None and here[2] < 0 and step >= longest):
            low = here
            break
        else:
            if here[2] * ((high[0] if high else longest) - low[0]) >= 0:
                high = low
            low = here
        if high is None:
            step = min(longest, _between(low, None))
        elif abs(high[0] - low[0]) <= 1e-10 * max(high[0], low[0]):
            break
        else:
            step = _between(low, high)
    return low[0], low[1], low[3]


def _between(low: Point, high: Point | None) -> float:
    """Return the next step: four times as far, or where a cubic through both ends is lowest, kept away from the ends."""
    if high is None:
        return 4 * low[0]
    a, b = low[0], high[0]
    width = b - a
    if high[1] > 1e9 or not np.isfinite(high[1]):
        return a + 0.2 * width
    d1 = low[2] + high[2] - 3 * (high[1] - low[1]) / width
    root = d1 * d1 - low[2] * high[2]
    if root < 0:
        return a + 0.5 * width
    d2 = float(np.sign(width) * np.sqrt(root))
    under = high[2] - low[2] + 2 * d2
    share = 1 - (high[2] + d2 - d1) / under if under != 0 else 0.5
    return a + width * min(0.9, max(0.1, share))
