"""A safeguarded Newton iteration that solves many one-dimensional equations at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metaleptic.types import FloatArray

RELATIVE_TOLERANCE = 1e-13  # Newton is quadratic: the last step being this small leaves the error far below
MAX_ITERATIONS = 200  # bisection alone needs about 60 from any bracket in double precision


def falling_root(
    f: Callable[[FloatArray], tuple[FloatArray, FloatArray]], low: FloatArray, high: FloatArray, start: FloatArray
) -> FloatArray:
    """Find where f falls through zero in [low, high], for every element by itself.

    ``f`` returns value and slope; its value is positive at ``low`` and not positive at ``high``. A Newton step
    that leaves the bracket is replaced by bisection, so that the iteration cannot fail.
    """
    t = start
    for _ in range(MAX_ITERATIONS):
        value, slope = f(t)
        above = value > 0
        low, high = np.where(above, t, low), np.where(above, high, t)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = t - value / slope
        moved = np.where((step >= low) & (step <= high), step, (low + high) / 2)
        small = np.abs(moved - t) <= RELATIVE_TOLERANCE * np.abs(moved)
        t = moved
        if small.all():
            break
    return np.asarray(t)
