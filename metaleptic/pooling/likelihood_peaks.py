"""The highest of all local maxima of a likelihood in tau2 >= 0, for many data sets at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from metaleptic.pooling.roots import falling_root
from metaleptic.types import FloatArray

GRID_POINTS = 48  # neighbours differ by a factor of about 1.5: enough to see every maximum of the likelihood


def highest_peak(
    slope_on_grid: Callable[[FloatArray], FloatArray],
    slope_and_curvature: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    log_likelihood: Callable[[FloatArray], FloatArray],
    smallest: FloatArray,
    largest: FloatArray,
    spread: FloatArray,
) -> Any:
    """Return the tau2 >= 0 of the highest likelihood.

    The likelihood can have several maxima, so its slope is looked at along a grid (from ``smallest`` and ``largest``
    within-study variance and the unweighted sum of squares ``spread``); every place where it turns from rising to
    falling is refined by Newton's method, and the best of those and of zero is kept.
    """
    first, last = 1e-3 * smallest, largest + 2 * spread
    grid = first[..., None] * (last / first)[..., None] ** _STEPS * _AFTER_ZERO
    slope = slope_on_grid(grid)
    rising = slope > 0
    turns = rising[..., :-1] > rising[..., 1:]
    count = np.add.reduce(turns, axis=-1)
    best = 0.0 * spread
    most = int(np.max(count))
    if most == 0:
        return best
    order = np.cumsum(turns, axis=-1)
    only_one = most == 1 and bool(rising[..., 0].all())  # a single maximum each, and not at zero
    best_ll = 0.0 * spread if only_one else log_likelihood(best)
    for j in range(1, most + 1):
        at = np.argmax(order == j, axis=-1)
        low, high, above, below = (_pick(a, i) for a in (grid, slope) for i in (at, at + 1))
        start = low + (high - low) * above / np.where(above > below, above - below, 1.0)
        if (
            not only_one
        ):  # data sets without a peak of this number have nothing to look for: an empty bracket ends at once
            low, high, start = (np.where(count >= j, x, 0.0) for x in (low, high, start))
        root = falling_root(slope_and_curvature, low, high, start)
        if only_one:
            return root
        root = np.where(count >= j, root, 0.0)
        ll = log_likelihood(root)
        better = ll > best_ll
        best, best_ll = np.where(better, root, best), np.where(better, ll, best_ll)
    return best


_STEPS = np.concatenate([[0.0], np.linspace(0, 1, GRID_POINTS)])
_AFTER_ZERO = np.concatenate([[0.0], np.ones(GRID_POINTS)])  # the first point of the grid is tau2 = 0


def _pick(values: Any, at: Any) -> Any:
    """Return values[..., at] with one index per data set."""
    flat = values.reshape(-1, values.shape[-1])
    return flat[np.arange(flat.shape[0]), np.reshape(at, -1)].reshape(np.shape(at))
