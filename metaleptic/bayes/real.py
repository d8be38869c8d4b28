"""The distribution of a real number whose density is tabulated on a smooth grid: cdf, quantiles, mode, intervals.

The log density is interpolated by a spline of degree 7 in a coordinate in which the grid is even, and integrated between
the nodes by Gauss-Legendre quadrature: where the table is exact, so are the answers, to about 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline

from metaleptic.types import FloatArray

_X, _W = np.polynomial.legendre.leggauss(6)
_NODES, _WEIGHTS = (_X + 1) / 2, _W / 2
_FALL = 32.0  # exp(-32) = 1e-14: what has fallen below is left out


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """An even grid in xi, x = centre + width * sinh(xi): even near the centre, ever wider far out."""

    centre: float
    width: float
    xi: FloatArray

    @property
    def x(self) -> FloatArray:
        """Nodes."""
        return self.at(self.xi)

    @property
    def weight(self) -> FloatArray:
        """Weights of the trapezoidal rule, which is exact to rounding for smooth functions that fade at both ends."""
        return np.asarray(self.width * np.cosh(self.xi) * (self.xi[1] - self.xi[0]))

    def at(self, xi: FloatArray) -> FloatArray:
        """Return x for each xi."""
        return np.asarray(self.centre + self.width * np.sinh(xi))

    def back(self, x: FloatArray) -> FloatArray:
        """Return xi for each x."""
        return np.asarray(np.arcsinh((x - self.centre) / self.width))


def sinh_grid(centre: float, width: float, step: float, low: float, high: float) -> Grid:
    """Return a grid with this step at its centre that reaches from ``low`` to ``high``."""
    ends = np.arcsinh((np.array([low, high]) - centre) / width)
    count = max(9, int(np.ceil((ends[1] - ends[0]) * width / step)) + 1)
    return Grid(centre, width, np.linspace(ends[0], ends[1], count))


@dataclass(frozen=True, slots=True, eq=False)
class RealDensity:
    """One density: a spline of its log over xi, and the probability up to each node."""

    grid: Grid
    spline: BSpline
    xi: FloatArray
    cumulative: FloatArray
    mean: float
    sd: float

    def pdf(self, x: Any) -> FloatArray:
        """Return the density at x."""
        x = np.asarray(x, dtype=np.float64)
        xi = self.grid.back(x)
        inside = (xi >= self.xi[0]) & (xi <= self.xi[-1])
        log = self.spline(np.clip(xi, self.xi[0], self.xi[-1]))
        return np.asarray(np.where(inside, np.exp(log) / (self.grid.width * np.cosh(xi)), 0.0))

    def cdf(self, x: Any) -> FloatArray:
        """Return P(X <= x)."""
        return self._mass(x)[0]

    def sf(self, x: Any) -> FloatArray:
        """Return P(X > x), exact also where it is tiny."""
        return self._mass(x)[1]

    def quantile(self, p: Any) -> FloatArray:
        """Solve cdf(x) = p by bisection and Newton's method between the two nodes that hold the solution."""
        p = np.asarray(p, dtype=np.float64)
        flat = p.reshape(-1)
        at = np.clip(np.searchsorted(self.cumulative, flat, side="right") - 1, 0, len(self.xi) - 2)
        low, high = self.xi[at], self.xi[at + 1]
        start, target = self.xi[at], flat - self.cumulative[at]
        xi = low + (high - low) * np.clip(
            target / np.maximum(self.cumulative[at + 1] - self.cumulative[at], 1e-300), 0, 1
        )
        for _ in range(60):
            gap = self._part(start, xi) - target
            low, high = np.where(gap < 0, xi, low), np.where(gap < 0, high, xi)
            moved = xi - gap / np.exp(self.spline(xi))
            moved = np.where((moved >= low) & (moved <= high), moved, (low + high) / 2)
            done = np.abs(moved - xi).max(initial=0.0) < 1e-12
            xi = moved
            if done:
                break
        x = self.grid.at(xi)
        x = np.where(flat <= 0, -np.inf, np.where(flat >= 1, np.inf, x))
        return np.asarray(x.reshape(p.shape))

    def mode(self) -> float:
        """Return where the density is highest."""
        xi = np.linspace(self.xi[0], self.xi[-1], 20 * len(self.xi))
        for _ in range(4):
            f = self.pdf(self.grid.at(xi))
            best = int(np.argmax(f))
            xi = np.linspace(xi[max(best - 1, 0)], xi[min(best + 1, len(xi) - 1)], 101)
        return float(self.grid.at(xi[50:51])[0])

    def shortest(self, level: float) -> tuple[float, float]:
        """Return the shortest interval that holds ``level``: the best of many, then Newton's method in both ends.

        At the shortest one both ends have the same density.
        """
        xi = np.linspace(self.xi[0], self.xi[-1], 10 * len(self.xi))
        up_to = self.cdf(self.grid.at(xi))
        start = xi[up_to < 1 - level]
        end = np.interp(up_to[: start.size] + level, up_to, xi)
        j = int(np.argmin(self.grid.at(end) - self.grid.at(start)))
        ends = best = np.array([start[j], end[j]])
        slope = self.spline.derivative()
        for _ in range(30):
            mass = self.cdf(self.grid.at(ends))
            g = np.exp(self.spline(ends))
            log_f = self.spline(ends) - np.log(np.cosh(ends))
            rise = slope(ends) - np.tanh(ends)
            lack, tilt = level - (mass[1] - mass[0]), log_f[0] - log_f[1]
            det = g[1] * rise[0] - g[0] * rise[1]
            with np.errstate(divide="ignore", invalid="ignore"):
                step = np.array([rise[1] * lack - g[1] * tilt, rise[0] * lack - g[0] * tilt]) / det
            if not np.isfinite(step).all() or np.abs(ends + step - best).max() > 0.2 * (best[1] - best[0]):
                break
            ends = ends + step
            if np.abs(step).max() < 1e-12:
                best = ends
                break
        low, high = self.grid.at(best).tolist()
        return low, high

    def _part(self, a: FloatArray, b: FloatArray) -> FloatArray:
        nodes = a[..., None] + (b - a)[..., None] * _NODES
        return np.asarray((np.exp(self.spline(nodes)) @ _WEIGHTS) * (b - a))

    def _mass(self, x: Any) -> tuple[FloatArray, FloatArray]:
        x = np.asarray(x, dtype=np.float64)
        xi = np.clip(self.grid.back(x), self.xi[0], self.xi[-1]).reshape(-1)
        at = np.clip(np.searchsorted(self.xi, xi, side="right") - 1, 0, len(self.xi) - 2)
        below = self.cumulative[at] + self._part(self.xi[at], xi)
        above = (self.cumulative[-1] - self.cumulative[at + 1]) + self._part(xi, self.xi[at + 1])
        return below.reshape(x.shape), above.reshape(x.shape)


def real_density(grid: Grid, density: FloatArray) -> RealDensity:
    """Make a distribution of a density at the nodes of a grid; it need not be normalised."""
    with np.errstate(divide="ignore"):
        log = np.log(np.maximum(density, 0.0)) + np.log(grid.width * np.cosh(grid.xi))
    high = np.flatnonzero(log > log.max() - _FALL)
    first, last = max(int(high[0]), 0), min(int(high[-1]), len(log) - 1)
    xi, log = grid.xi[first : last + 1], np.maximum(log[first : last + 1], log.max() - 2 * _FALL)
    step = xi[1] - xi[0]
    total = float(np.exp(log).sum() * step)
    x = grid.at(xi)
    share = np.exp(log) * step / total
    mean = float(share @ x)
    sd = float(np.sqrt(share @ (x - mean) ** 2))
    spline = make_interp_spline(xi, log - np.log(total), k=min(7, 2 * ((len(xi) - 1) // 2) - 1))
    nodes = xi[:-1, None] + step * _NODES
    parts = (np.exp(spline(nodes)) @ _WEIGHTS) * step
    cumulative = np.concatenate([[0.0], np.cumsum(parts)])
    spline.c = spline.c - np.log(cumulative[-1])
    return RealDensity(grid, spline, xi, cumulative / cumulative[-1], mean, sd)
