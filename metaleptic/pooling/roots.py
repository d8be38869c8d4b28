"""A safeguarded Newton iteration that solves many one-dimensional equations at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metaleptic.types import FloatArray

NEWTON_TOLERANCE = 1e-9  # relative size of the last Newton step: its square bounds what is left
BRACKET_TOLERANCE = 1e-14
MAX_ITERATIONS = 200  # bisection alone needs about 60 from any bracket in double precision


def falling_root(
    f: Callable[[FloatArray], tuple[FloatArray, FloatArray]], low: FloatArray, high: FloatArray, start: FloatArray
) -> FloatArray:
    """Find where f falls through zero in [low, high], for every element by itself.

    ``f`` returns value and slope; its value is positive at ``low`` and not positive at ``high``. A Newton step
    that leaves the bracket is replaced by bisection, so that the iteration cannot fail. Roots are not negative.
    """
    t = start
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(MAX_ITERATIONS):
            value, slope = f(t)
            above = value > 0
            low, high = np.maximum(low, t * above), np.where(above, high, t)
            moved = t - value / slope
            inside = (moved >= low) & (moved <= high)
            done = inside & (np.abs(moved - t) <= NEWTON_TOLERANCE * moved)
            if not inside.all():
                moved = np.where(inside, moved, (low + high) / 2)
                done = done | (high - low <= BRACKET_TOLERANCE * high)
            t = moved
            if done.all():
                break
    return np.asarray(t)
