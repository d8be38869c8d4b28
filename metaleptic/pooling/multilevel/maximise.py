"""The highest likelihood: several starts, quasi-Newton to the neighbourhood, Newton to the last digits.

Most variance parameters are unconstrained (see ``structures``), so that a variance of 0 and a correlation of 1 are
reached like any other point; at the end they are tried exactly. Standard deviations that share one correlation
(HCS, HAR) keep to their side of 0, by bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from metaleptic.pooling.multilevel.walk import walk
from metaleptic.types import FloatArray

Objective = Callable[[FloatArray], tuple[float, FloatArray]]
STEP = 1e-5  # of the scaled parameters, for the curvature from differences of slopes
STEPS = 60
NEAR = 0.05  # of the typical size: closer than this to a known peak a walk is taken to lead there


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Typical size and lower bound of each parameter."""

    scale: FloatArray
    lower: FloatArray

    def free_slope(self, theta: FloatArray, slope: FloatArray) -> FloatArray:
        """Return the scaled slope without the parts that push against a bound."""
        held = (theta <= self.lower) & (slope <= 0)
        return np.where(held, 0.0, slope * self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """A maximum: where, how high, how flat the slope there, and how many starts led to it."""

    theta: FloatArray
    value: float
    slope: float
    starts: int = 1
    agreeing: int = 1
    converged: bool = True


def curvature(objective: Objective, theta: FloatArray, slope: FloatArray, scale: FloatArray) -> FloatArray:
    """Return second derivatives in scaled parameters from differences of the slope."""
    q = len(theta)
    out = np.empty((q, q))
    for i in range(q):
        step = theta.copy()
        step[i] += STEP * scale[i]
        out[i] = (objective(step)[1] - slope) * scale / STEP
    return (out + out.T) / 2


def climb(
    objective: Objective, start: FloatArray, space: Space, tolerance: float = 1e-3, known: FloatArray | None = None
) -> tuple[FloatArray, float]:
    """Walk uphill until the slope is small or the walk has come close to a peak already known."""
    scale = space.scale

    def down(u: FloatArray) -> tuple[float, FloatArray]:
        value, slope = objective(u * scale)
        return (-value, -slope * scale) if np.isfinite(value) else (1e10, np.zeros_like(u))

    def arrived(u: FloatArray) -> bool:
        return known is not None and _close(u * scale, known, space)

    at, value = walk(down, start / scale, space.lower / scale, slope=tolerance, fall=1e-11, steps=300, arrived=arrived)
    return at * scale, -value


def polish(objective: Objective, start: FloatArray, space: Space) -> Peak:
    """Walk to the peak by Newton steps, turned uphill along every direction of the curvature."""
    theta, scale = start.copy(), space.scale
    value, slope = objective(theta)
    noise = 1e-13 * max(1.0, abs(value))
    if len(theta) == 0:
        return Peak(theta, value, 0.0)
    uphill = space.free_slope(theta, slope)
    best = float(np.abs(uphill).max())
    for _ in range(STEPS):
        bend = curvature(objective, theta, slope, scale)
        moving = (uphill != 0) | (theta > space.lower)
        bend = np.where(np.outer(moving, moving), bend, np.where(np.eye(len(theta)) == 1, -1.0, 0.0))
        size, direction = np.linalg.eigh(bend)
        strength = np.maximum(np.abs(size), 1e-9 * max(1.0, float(np.abs(size).max())))
        step = direction @ ((direction.T @ uphill) / strength)
        step *= min(1.0, 0.7 / float(np.abs(step).max())) if np.any(step) else 1.0
        shrink = 1.0
        for _ in range(30):
            new = np.maximum(theta + shrink * step * scale, space.lower)
            new_value, new_slope = objective(new)
            if new_value >= value - noise:
                break
            shrink /= 2
        else:
            break
        new_uphill = space.free_slope(new, new_slope)
        flat = float(np.abs(new_uphill).max())
        if new_value <= value + noise and flat >= best and best < 1e-4:
            break  # neither higher nor flatter: rounding is all that is left
        done = flat < 1e-13 or (new_value <= value + noise and float(np.abs(shrink * step).max()) < 1e-11)
        theta, value, slope, uphill, best = new, new_value, new_slope, new_uphill, flat
        if done:
            break
    return Peak(theta, value, best, converged=best < 1e-6 * max(1.0, abs(value)))


def highest(objective: Objective, starts: Sequence[FloatArray], space: Space) -> Peak:
    """Climb from every start and polish the highest point found."""
    peak = polish(objective, climb(objective, starts[0], space)[0], space)
    agreeing = 1
    for start in starts[1:]:
        there, value = climb(objective, start, space, known=peak.theta if peak.converged else None)
        if value > peak.value + 1e-7 or not np.isfinite(peak.value):
            other = polish(objective, there, space)
            agreeing = 1 + agreeing * (other.value < peak.value + 1e-4)
            peak = other
        else:
            agreeing += value > peak.value - 1e-4 or _close(there, peak.theta, space)
    return replace(peak, starts=len(starts), agreeing=agreeing)


def _close(a: FloatArray, b: FloatArray, space: Space) -> bool:
    return bool((np.abs(np.abs(a) - np.abs(b)) < NEAR * space.scale).all())


def settle(objective: Objective, peak: Peak, edges: Sequence[FloatArray], space: Space) -> Peak:
    """Take exact values on the edge (a variance of 0, a correlation of 1) where they are as likely.

    ``edges`` lists, per parameter, the values at which it stands on the edge.
    """
    theta, value = peak.theta.copy(), peak.value
    for i, candidates in enumerate(edges):
        for edge in candidates:
            if 0 < abs(theta[i] - edge) < 3e-3 * space.scale[i]:
                trial = theta.copy()
                trial[i] = edge
                there = objective(trial)[0]
                if there >= value - 1e-9:
                    theta, value = trial, max(value, there)
    if np.array_equal(theta, peak.theta):
        return peak
    at, slope = objective(theta)
    return replace(peak, theta=theta, value=at, slope=float(np.abs(space.free_slope(theta, slope)).max()))
