"""Deaths next to the printed limits of a median, moved within reading error so that the limits come out as printed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from metaleptic.reconstruction.steps import Steps, steps
from metaleptic.types import FloatArray

KINDS = ("log", "log-log", "plain")


def nearest_limits(found: Steps, printed: Sequence[float | None]) -> list[float]:
    """Return the limits of the median, each under the usual convention that comes nearest to the printed one."""
    bounds = [found.median_interval(float(ndtri(0.975)), kind) for kind in KINDS]
    return [
        np.nan if value is None else min((b[i] for b in bounds), key=lambda x: 0.0 if x == value else abs(x - value))
        for i, value in enumerate(printed)
    ]


def pin_limits(
    events: FloatArray,
    censored: FloatArray,
    printed: Sequence[float | None],
    half: float,
    fences: FloatArray,
    reach: float,
) -> FloatArray:
    """Move the deaths between where a limit lies and where it is printed, if that is within ``reach``.

    None crosses one of the ``fences`` (numbers at risk, printed rates, the median). What does not bring the limit nearer is
    left.
    """
    for i, value in enumerate(printed):
        if value is None or not np.isfinite(value):
            continue
        now = nearest_limits(steps(events, censored), printed)[i]
        if abs(now - value) <= half * (1 + 1e-6) or not abs(now - value) <= reach:
            continue
        if np.any((fences > min(now, value)) & (fences <= max(now, value))):
            continue
        between = (events >= now) & (events < value) if now < value else (events > value) & (events <= now)
        moved = np.where(between, value, events)
        if abs(nearest_limits(steps(moved, censored), printed)[i] - value) < abs(now - value):
            events = moved
    return events
