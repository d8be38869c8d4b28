"""Mixtures of normals: distribution functions, and quantiles, modes and intervals solved from them to 1e-12.

Arrays only. Weights w, means m and standard deviations s have shape (..., n) and broadcast; x and p have shape (..., q).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

_SQRT_2PI = float(np.sqrt(2 * np.pi))
_MAX_STEPS = 100
_PATIENCE = 10  # steps of Newton's method before every other one is a bisection
_NEWTON_STEPS = 30
_GRID = np.linspace(-1, 1, 25)
_SHARES = np.linspace(0.02, 0.98, 25)


def _z(m: Any, s: Any, x: Any) -> Any:
    away = x[..., :, None] - m[..., None, :]
    away *= (1 / s)[..., None, :]
    return away


def _bell(z: Any) -> Any:
    """Return exp(-z^2 / 2)."""
    out = z * z
    out *= -0.5
    return np.exp(out, out=out)


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
    return _mean(_bell(_z(m, s, x)), w / s) / _SQRT_2PI


def slopes(w: Any, m: Any, s: Any, x: Any) -> tuple[Any, Any, Any]:
    """Return the density at x and its first two derivatives."""
    z = _z(m, s, x)
    f = _bell(z)
    share = w / (_SQRT_2PI * s)
    first = f * z
    density, slope = _mean(f, share), -_mean(first, share / s)
    first *= z
    first -= f
    return density, slope, _mean(first, share / s**2)


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
    for n in range(_MAX_STEPS):
        z = _z(m, s, np.where(open_, x, 0.0))
        mass = _mean(special.ndtr(sign[..., None] * z), w)
        dens = _mean(_bell(z), w / s) / _SQRT_2PI
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            probit = special.ndtri(np.clip(mass, 1e-300, 1.0))
            step = -sign * (probit - goal) * np.exp(-0.5 * probit**2) / _SQRT_2PI / dens
        below = np.where(upper, mass > tail, mass < tail)
        low, high = np.where(below, np.maximum(low, x), low), np.where(below, high, np.minimum(high, x))
        moved = x + step
        inside = (moved >= low) & (moved <= high) & np.isfinite(step)
        with np.errstate(invalid="ignore"):  # where p is 0 or 1 the solution is infinite
            done = (np.abs(moved - x) <= 1e-9 * (spread[..., None] + 1e-6 * np.abs(x))) & inside | ~open_
        inside &= done | (n < _PATIENCE) | (n % 2 == 0)  # beside a narrow peak Newton's steps can stay on one side
        moved = np.where(inside, moved, _between(low, high, middle[..., None], spread[..., None]))
        with np.errstate(invalid="ignore"):
            done |= (high - low <= 4e-16 * (np.abs(low) + np.abs(high))) & np.isfinite(high - low)
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
    """Find the highest point of the density between ``low`` and ``high`` (shape (...)), and whether it is the only peak.

    Besides an even grid it looks where components have their centre: at every 4% of the weight, and at the tallest ones,
    so that the narrowest peak is seen.
    """
    even = ((low + high)[..., None] + (high - low)[..., None] * _GRID) / 2
    x = np.sort(np.concatenate([even, _centres(w, m, s, even.shape[:-1])], axis=-1), axis=-1)
    f = pdf(w, m, s, x)
    change = np.diff(f, axis=-1)
    change = np.where(np.abs(change) > 1e-9 * np.max(f, axis=-1, keepdims=True), change, 0.0)
    falling = np.maximum.accumulate(change < 0, axis=-1)
    single = ~(falling & (change > 0)).any(axis=-1)
    best = np.argmax(f, axis=-1)[..., None]
    grid, x = x, np.take_along_axis(x, best, -1)
    apart = 1e-9 * (high - low)[..., None]
    left = np.max(np.where(grid < x - apart, grid, -np.inf), axis=-1, keepdims=True)
    right = np.min(np.where(grid > x + apart, grid, np.inf), axis=-1, keepdims=True)
    left, right = np.where(np.isinf(left), x - apart, left), np.where(np.isinf(right), x + apart, right)
    for n in range(_MAX_STEPS):
        _, first, second = slopes(w, m, s, x)
        left, right = np.where(first > 0, x, left), np.where(first > 0, right, x)
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = x - first / second
        inside = (moved >= left) & (moved <= right) & (second < 0)
        done = (np.abs(moved - x) <= 1e-11 * (high - low)[..., None]) & inside
        inside &= done | (n < _PATIENCE) | (n % 2 == 0)
        moved = np.where(inside, moved, (left + right) / 2)
        done |= right - left <= 1e-11 * (high - low)[..., None]
        x = moved
        if done.all():
            break
    return np.asarray(x[..., 0]), single


def _centres(w: Any, m: Any, s: Any, shape: tuple[int, ...]) -> Any:
    share = np.cumsum(w, axis=-1)
    along = np.argmax(share[..., None, :] >= _SHARES[:, None] * share[..., None, -1:], axis=-1)
    height = np.broadcast_to(w / s, (*shape, np.shape(m)[-1]))
    tall = np.argpartition(height, -min(8, height.shape[-1]), axis=-1)[..., -8:]
    at = np.concatenate([np.broadcast_to(along, (*shape, along.shape[-1])), tall], axis=-1)
    return np.take_along_axis(np.broadcast_to(m, height.shape), at, -1)


def shortest(w: Any, m: Any, s: Any, level: float, low: Any, high: Any, single: Any) -> tuple[FloatArray, FloatArray]:
    """Find the shortest interval that holds ``level``, starting from the central one.

    With one peak it is where both ends have the same density: Newton's method in both ends at once. Where that fails, or
    there are several peaks, all intervals are searched through, closer and closer, before Newton's last steps.
    """
    a, b, good = _balanced(w, m, s, level, np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64))
    good = good & np.broadcast_to(single, good.shape) & (b - a <= (high - low) * (1 + 1e-9))
    for at in np.argwhere(~good):
        i = tuple(at)
        one = tuple(np.broadcast_to(x, a.shape + np.shape(x)[-1:])[i] for x in (w, m, s))
        found = _searched(one, level)
        left, right, well = _balanced(one[0], one[1], one[2], level, np.asarray(found[0]), np.asarray(found[1]))
        better = bool(well) and right - left <= (found[1] - found[0]) * (1 + 1e-9)
        a[i], b[i] = (left, right) if better else found
    return a, b


def _balanced(w: Any, m: Any, s: Any, level: float, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray, Any]:
    """Move both ends until they hold ``level`` at the same density; say where that succeeded."""
    good = np.zeros(a.shape, dtype=bool)
    for _ in range(_NEWTON_STEPS):
        ends = np.stack([a, b], axis=-1)
        mass = cdf(w, m, s, ends)
        f, slope, _ = slopes(w, m, s, ends)
        lack = level - (mass[..., 1] - mass[..., 0])
        with np.errstate(divide="ignore", invalid="ignore"):
            tilt = np.log(f[..., 0] / f[..., 1])
            la, lb = slope[..., 0] / f[..., 0], slope[..., 1] / f[..., 1]
            # f_b db - f_a da = lack;  la da - lb db = -tilt
            det = f[..., 1] * la - f[..., 0] * lb
            da = (lb * lack - f[..., 1] * tilt) / det
            db = (la * lack - f[..., 0] * tilt) / det
        limit = (b - a) / 4
        valid = np.isfinite(da) & np.isfinite(db)
        da, db = (np.where(valid, np.clip(d, -limit, limit), 0.0) for d in (da, db))
        a, b = a + da, b + db
        small = np.maximum(np.abs(da), np.abs(db)) <= 1e-11 * (b - a)
        good = valid & small & (np.abs(lack) < 1e-10) & (la >= 0) & (lb <= 0)
        if good.all():
            break
    return np.array(a), np.array(b), good


def _searched(one: tuple[Any, Any, Any], level: float) -> tuple[float, float]:
    """Compare intervals of ``level`` along their lower probability, five times closer and closer."""
    start, end = 0.0, 1 - level
    left = right = np.zeros(1)
    best = 0
    for _ in range(5):
        p = np.linspace(start, end, 203)[1:-1]
        left, right = (quantile(one[0], one[1], one[2], q) for q in (p, p + level))
        best = int(np.argmin(right - left))
        start, end = p[max(best - 1, 0)], p[min(best + 1, p.size - 1)]
    return float(left[best]), float(right[best])


@dataclass(frozen=True, slots=True, eq=False)
class NormalMixture:
    """One mixture of normals: weights, means and standard deviations of shape (n,)."""

    w: FloatArray
    m: FloatArray
    s: FloatArray

    def cdf(self, x: Any) -> FloatArray:
        """Return P(X <= x)."""
        return self._at(cdf, x)

    def sf(self, x: Any) -> FloatArray:
        """Return P(X > x)."""
        return self._at(sf, x)

    def pdf(self, x: Any) -> FloatArray:
        """Return the density at x."""
        return self._at(pdf, x)

    def quantile(self, p: Any) -> FloatArray:
        """Solve cdf(x) = p."""
        return self._at(quantile, p)

    def shortest(self, level: float) -> tuple[float, float]:
        """Return the shortest interval that holds ``level``."""
        low, high = quantile(self.w, self.m, self.s, np.array([(1 - level) / 2, (1 + level) / 2]))
        _, single = mode(self.w, self.m, self.s, np.asarray(low), np.asarray(high))
        a, b = shortest(self.w, self.m, self.s, level, low, high, single)
        return float(a), float(b)

    def draw(self, size: int, seed: int) -> FloatArray:
        """Draw a component, then from it."""
        rng = np.random.default_rng(seed)
        at = rng.choice(self.w.size, size, p=self.w / self.w.sum())
        return np.asarray(rng.normal(self.m[at], self.s[at]))

    def _at(self, function: Any, x: Any) -> FloatArray:
        x = np.asarray(x, dtype=np.float64)
        return np.asarray(function(self.w, self.m, self.s, x.reshape(-1)).reshape(x.shape))
