"""Mixtures of normals: distribution functions, and quantiles, modes and intervals solved from them to 1e-12.

Arrays only. Weights w, means m and standard deviations s have shape (..., n) and broadcast; x and p have shape (..., q).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

_SQRT_2PI = float(np.sqrt(2 * np.pi))
_MAX_STEPS = 100
_GRID = np.linspace(-1, 1, 25)


def _z(m: Any, s: Any, x: Any) -> Any:
    return (x[..., :, None] - m[..., None, :]) / s[..., None, :]


def _mean(values: Any, w: Any) -> Any:
    return np.matmul(values, w[..., :, None])[..., 0]


def cdf(w: Any, m: Any, s: Any, x: Any) -> Any:
    """Return P(X <= x)."""
    return _mean(special.ndtr(_z(m, s, x)), w)


def sf(w: Any, m: Any, s: Any, x: Any) -> Any:
    """Return P(X > x), exact also where it is tiny."""
    return _mean(special.ndtr(-_z(m, s, x)), w)


def pdf(w: Any, m: Any, s: Any, x: Any) -> Any:
    """Return the density at x."""
    return _mean(np.exp(-0.5 * _z(m, s, x) ** 2) / s[..., None, :], w) / _SQRT_2PI


def slopes(w: Any, m: Any, s: Any, x: Any) -> tuple[Any, Any, Any]:
    """Return the density at x and its first two derivatives."""
    z = _z(m, s, x)
    f = np.exp(-0.5 * z * z) / (_SQRT_2PI * s[..., None, :])
    first = -f * z / s[..., None, :]
    second = f * (z * z - 1) / s[..., None, :] ** 2
    return _mean(f, w), _mean(first, w), _mean(second, w)


def quantile(w: Any, m: Any, s: Any, p: Any) -> FloatArray:
    """Solve cdf(x) = p by Newton's method on the probit scale, where a mixture's cdf is nearly straight.

    A step that leaves the bracket found so far is replaced by bisection. Upper probabilities are solved from the
    upper tail, so that p near 1 loses no digits beyond those p itself has lost.
    """
    p = np.asarray(p, dtype=np.float64)
    shape = np.broadcast_shapes(np.shape(m)[:-1], np.shape(w)[:-1], p.shape[:-1]) + p.shape[-1:]
    p = np.broadcast_to(p, shape)
    upper = p > 0.5
    tail = np.where(upper, 1 - p, p)
    goal = special.ndtri(tail)  # the probit of the smaller tail
    sign = np.where(upper, -1.0, 1.0)
    middle, spread = _typical(w, m, s)
    x = middle[..., None] + spread[..., None] * sign * goal
    x = np.where(tail > 0, x, -sign * np.inf)
    low, high = np.full(shape, -np.inf), np.full(shape, np.inf)
    open_ = tail > 0
    for _ in range(_MAX_STEPS):
        z = _z(m, s, np.where(open_, x, 0.0))
        mass = _mean(special.ndtr(sign[..., None] * z), w)
        dens = _mean(np.exp(-0.5 * z * z) / s[..., None, :], w) / _SQRT_2PI
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            probit = special.ndtri(np.clip(mass, 1e-300, 1.0))
            step = -sign * (probit - goal) * np.exp(-0.5 * probit**2) / _SQRT_2PI / dens
        below = np.where(upper, mass > tail, mass < tail)
        low, high = np.where(below, np.maximum(low, x), low), np.where(below, high, np.minimum(high, x))
        moved = x + step
        inside = (moved >= low) & (moved <= high) & np.isfinite(step)
        moved = np.where(inside, moved, _between(low, high, middle[..., None], spread[..., None]))
        done = (np.abs(moved - x) <= 1e-9 * (spread[..., None] + 1e-6 * np.abs(x))) & inside | ~open_
        done |= high - low <= 4e-16 * (np.abs(low) + np.abs(high))
        x = np.where(open_, moved, x)
        if done.all():
            break
    return np.asarray(x)


def _between(low: Any, high: Any, middle: Any, spread: Any) -> Any:
    """Return a point inside a bracket, one end of which may still be open."""
    with np.errstate(invalid="ignore"):
        out_left = np.minimum(middle, high) - 2 * (spread + np.abs(middle - high))
        out_right = np.maximum(middle, low) + 2 * (spread + np.abs(low - middle))
        both = (low + high) / 2
    return np.where(np.isinf(low), out_left, np.where(np.isinf(high), out_right, both))


def _typical(w: Any, m: Any, s: Any) -> tuple[Any, Any]:
    """Return the component at the middle of the weights: a centre and spread that heavy tails do not move."""
    at = np.argmax(np.cumsum(w, axis=-1) >= 0.5 * np.add.reduce(w, axis=-1)[..., None], axis=-1)[..., None]
    shape = np.broadcast_shapes(np.shape(m)[:-1], at.shape[:-1])
    at = np.broadcast_to(at, (*shape, 1))
    return tuple(np.take_along_axis(np.broadcast_to(a, (*shape, a.shape[-1])), at, -1)[..., 0] for a in (m, s))  # type: ignore[return-value]


def mode(w: Any, m: Any, s: Any, low: Any, high: Any) -> tuple[FloatArray, Any]:
    """Find the highest point of the density between ``low`` and ``high`` (shape (...)), and whether it is the only peak."""
    grid = ((low + high)[..., None] + (high - low)[..., None] * _GRID) / 2
    f = pdf(w, m, s, grid)
    rising = np.diff(f, axis=-1) > 0
    single = np.add.reduce(rising[..., 1:] & ~rising[..., :-1], axis=-1) == 0
    best = np.clip(np.argmax(f, axis=-1), 1, grid.shape[-1] - 2)[..., None]
    left, right = (np.take_along_axis(grid, best + d, -1) for d in (-1, 1))
    x = np.take_along_axis(grid, best, -1)
    for _ in range(_MAX_STEPS):
        _, first, second = slopes(w, m, s, x)
        left, right = np.where(first > 0, x, left), np.where(first > 0, right, x)
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = x - first / second
        inside = (moved > left) & (moved < right) & (second < 0)
        moved = np.where(inside, moved, (left + right) / 2)
        done = np.abs(moved - x) <= 1e-11 * (high - low)[..., None]
        x = moved
        if done.all():
            break
    return np.asarray(x[..., 0]), single


def shortest(w: Any, m: Any, s: Any, level: float, low: Any, high: Any, single: Any) -> tuple[FloatArray, FloatArray]:
    """Find the shortest interval that holds ``level``, starting from the central one.

    With one peak it is where both ends have the same density (Newton's method in both ends at once); the rare mixture
    with several peaks is searched through first.
    """
    a, b = np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)
    many = ~np.broadcast_to(single, a.shape)
    if many.any():
        a, b = _searched(w, m, s, level, a, b, many)
    for _ in range(_MAX_STEPS):
        ends = np.stack([a, b], axis=-1)
        mass = cdf(w, m, s, ends)
        f, slope, _ = slopes(w, m, s, ends)
        lack = level - (mass[..., 1] - mass[..., 0])
        tilt = np.log(f[..., 0] / f[..., 1])
        la, lb = slope[..., 0] / f[..., 0], slope[..., 1] / f[..., 1]
        # f_b db - f_a da = lack;  la da - lb db = -tilt
        det = f[..., 1] * la - f[..., 0] * lb
        with np.errstate(divide="ignore", invalid="ignore"):
            da = (lb * lack - f[..., 1] * tilt) / det
            db = (la * lack - f[..., 0] * tilt) / det
        limit = (b - a) / 4
        bad = ~(np.isfinite(da) & np.isfinite(db))
        da, db = np.where(bad, 0.0, np.clip(da, -limit, limit)), np.where(bad, 0.0, np.clip(db, -limit, limit))
        a, b = a + da, b + db
        if (np.maximum(np.abs(da), np.abs(db)) <= 1e-11 * (b - a)).all():
            break
    return a, b


def _searched(w: Any, m: Any, s: Any, level: float, a: FloatArray, b: FloatArray, many: Any) -> Any:
    p = np.linspace(0, 1 - level, 203)[1:-1]
    for at in np.argwhere(many):
        i = tuple(at)
        one = [np.broadcast_to(x, a.shape + x.shape[-1:])[i] for x in (w, m, s)]
        left, right = quantile(*one, p), quantile(*one, p + level)
        best = np.argmin(right - left)
        a[i], b[i] = left[best], right[best]
    return a, b
