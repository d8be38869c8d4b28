"""The distribution of a positive number known by its density: cdf, quantiles, mode and shortest interval.

Used for tau's posterior, and for priors that have no closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.panels import LOWEST, NODE_WEIGHTS, NODES
from metaleptic.types import FloatArray

_MAX_STEPS = 100
_CHEBYSHEV = np.cos(np.pi * (np.arange(13) + 0.5) / 13)[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class PositiveDensity:
    """One density in u = log(x), its panels and what is below each of them.

    Attributes
    ----------
    log_density : callable
        Log density with respect to u, unnormalised.
    log_total : float
        Log of its integral.
    edges, cumulative : ndarray of shape (p + 1,)
        Panel bounds in u, probability up to each.
    u : ndarray of shape (15 p,)
        Nodes of the quadrature.
    """

    log_density: Callable[[FloatArray], FloatArray]
    log_total: float
    edges: FloatArray
    cumulative: FloatArray
    u: FloatArray

    def log_pdf(self, x: Any) -> FloatArray:
        """Return the log density at x; minus infinity below 0 and above the support."""
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(divide="ignore"):
            u = np.clip(np.log(np.maximum(x, 0.0)), LOWEST, self.edges[-1])
        inside = (x >= 0) & (x <= np.exp(self.edges[-1]) * (1 + 1e-15))
        return np.asarray(np.where(inside, self._over_u(u.reshape(-1)).reshape(u.shape) - u, -np.inf))

    def pdf(self, x: Any) -> FloatArray:
        """Return the density at x."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(self.log_pdf(x)))

    def cdf(self, x: Any) -> FloatArray:
        """Return P(X <= x)."""
        return self._mass(x, lower=True)

    def sf(self, x: Any) -> FloatArray:
        """Return P(X > x), exact also where it is tiny."""
        return self._mass(x, lower=False)

    def quantile(self, p: Any) -> FloatArray:
        """Solve cdf(x) = p by Newton's method in u, bracketed by the panel that holds the solution."""
        p = np.asarray(p, dtype=np.float64)
        flat = p.reshape(-1)
        upper = flat > 0.5
        tail = np.where(upper, 1 - flat, flat)
        at = np.clip(np.searchsorted(self.cumulative, flat, side="right") - 1, 0, len(self.edges) - 2)
        low, high = self.edges[at], self.edges[at + 1]
        gap = self.cumulative[at + 1] - self.cumulative[at]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(gap > 0, (flat - self.cumulative[at]) / gap, 0.5)
        u = low + (high - low) * np.clip(share, 1e-3, 1 - 1e-3)
        for _ in range(_MAX_STEPS):
            below, above = self._both(u, at)
            mass = np.where(upper, above, below)
            short = np.where(upper, mass > tail, mass < tail)
            low, high = np.where(short, u, low), np.where(short, high, u)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = (tail - mass) * np.where(upper, -1.0, 1.0) / np.exp(self._over_u(u))
            moved = u + step
            inside = (moved > low) & (moved < high)
            moved = np.where(inside, moved, (low + high) / 2)
            done = np.abs(moved - u) <= np.where(inside, 1e-10, 1e-15 * np.maximum(1, np.abs(u)))
            u = moved
            if done.all():
                break
        x = np.exp(u)
        x = np.where(flat <= 0, 0.0, np.where(flat >= 1, self._top(), x))
        return np.asarray(x.reshape(p.shape))

    def mode(self) -> float:
        """Return where the density is highest: 0 if it falls from there (or is unbounded there)."""
        u, _, best = self._peaks()
        return 0.0 if best is None else float(np.exp(self._refined(u, best)))

    def shortest(self, level: float) -> tuple[float, float]:
        """Return the shortest interval that holds ``level``: from 0 where the density falls from there."""
        starts = np.concatenate([[0.0], self._starts(level)])
        begin = np.asarray(self.cdf(starts))
        ends = self.quantile(np.minimum(begin + level, 1.0))
        best = int(np.argmin(ends - starts))
        if best == 0 and self._falls_at_zero(float(ends[0])):
            return 0.0, float(ends[0])
        return self._balanced(float(starts[best]), float(ends[best]), level)

    # --- inside ---------------------------------------------------------------------------------

    def _over_u(self, u: FloatArray) -> FloatArray:
        return self.log_density(u) - self.log_total

    def _top(self) -> float:
        return float(np.exp(self.edges[-1])) if self.edges[-1] < 300 else np.inf

    def _mass(self, x: Any, *, lower: bool) -> FloatArray:
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(divide="ignore"):
            u = np.clip(np.log(np.maximum(x, 0.0)), self.edges[0], self.edges[-1]).reshape(-1)
        at = np.clip(np.searchsorted(self.edges, u, side="right") - 1, 0, len(self.edges) - 2)
        below, above = self._both(u, at)
        return np.asarray((below if lower else above).reshape(x.shape))

    def _both(self, u: FloatArray, at: Any) -> tuple[FloatArray, FloatArray]:
        """Return the probability below and above u, which lies in panel ``at``."""
        a, b = self.edges[at], self.edges[at + 1]
        nodes = np.concatenate([a[:, None] + (u - a)[:, None] * NODES, u[:, None] + (b - u)[:, None] * NODES])
        g = np.exp(self._over_u(nodes.reshape(-1)).reshape(nodes.shape)) @ NODE_WEIGHTS
        rest = self.cumulative[-1] - self.cumulative[at + 1]
        return self.cumulative[at] + g[: len(u)] * (u - a), rest + g[len(u) :] * (b - u)

    def _peaks(self) -> tuple[FloatArray, FloatArray, int | None]:
        u = np.concatenate([[LOWEST], self.u, self.edges[-1:]])
        f = self._over_u(u) - u
        best = int(np.argmax(f))
        at_zero = f[best] <= f[0] + 1e-13 * max(1.0, abs(f[0]))
        return u, f, None if at_zero else best

    def _refined(self, u: FloatArray, best: int) -> float:
        """Refine a maximum between its neighbours: the root of the derivative of a polynomial through the log density."""
        low, high, middle = u[max(best - 1, 0)], u[min(best + 1, len(u) - 1)], u[best]
        for _ in range(4):
            centre, half = (low + high) / 2, (high - low) / 2
            if half <= 0:
                break
            x = centre + half * _CHEBYSHEV
            f = self._over_u(x) - x
            slope = np.polynomial.chebyshev.Chebyshev(np.polynomial.chebyshev.chebfit(_CHEBYSHEV, f - f.max(), 12)).deriv()
            roots = slope.roots()
            real = roots[(np.abs(np.imag(roots)) < 1e-6) & (np.abs(np.real(roots)) <= 1)].real
            if real.size == 0:
                return float(high if f[-1] > f[0] else low)
            found = centre + half * real
            g = self._over_u(found) - found
            middle = float(found[np.argmax(g)])
            low, high = max(low, middle - half / 4), min(high, middle + half / 4)
            if half < 0.05:
                break
        return float(middle)

    def _starts(self, level: float) -> FloatArray:
        """Return candidates for the lower end of the shortest interval."""
        highest = float(self.quantile(1 - level))
        keep = self.u[self.u < np.log(highest)] if highest > 0 else self.u[:0]
        if keep.size:
            keep = keep[keep > keep[-1] - 12]
        return np.concatenate([np.exp(keep), highest * np.linspace(0.05, 0.999, 24)])

    def _falls_at_zero(self, end: float) -> bool:
        """Whether an interval from 0 cannot be shortened by moving both ends up."""
        near = self.log_pdf(np.array([0.0, end]))
        return bool(near[0] >= near[1])

    def _balanced(self, low: float, high: float, level: float) -> tuple[float, float]:
        """Move both ends until they have the same density: bisection in the lower end, or at the end of the support."""

        def tilt(a: float) -> tuple[float, float]:
            b = float(self.quantile(min(float(self.cdf(a)) + level, 1.0)))
            with np.errstate(invalid="ignore"):
                f = self.log_pdf(np.array([a, b]))
            return float(f[0] - f[1]), b

        top = float(self.quantile(1 - level))
        value, high = tilt(low)
        left, right = (low, top) if value < 0 else (0.0, low)
        span = max(low * 0.05, 1e-3 * top)
        for _ in range(60):  # a narrow bracket first: the width is flat there, so that steps are small
            probe = min(low + span, top) if value < 0 else max(low - span, 0.0)
            t, _ = tilt(probe)
            if (t < 0) != (value < 0) or probe in (0.0, top):
                left, right = (low, probe) if value < 0 else (probe, low)
                break
            span *= 2
        t_left, t_right = tilt(left)[0], tilt(right)[0]
        if t_right < 0:  # the density rises to the end of its support
            return right, tilt(right)[1]
        if t_left > 0:
            return left, tilt(left)[1]
        a = low
        for i in range(200):
            width = right - left
            guess = right - t_right * width / (t_right - t_left) if i % 3 < 2 else (left + right) / 2
            a = guess if left < guess < right else (left + right) / 2
            t, high = tilt(a)
            if t < 0:
                left, t_left = a, t
            else:
                right, t_right = a, t
            if right - left <= 1e-13 * right or abs(t) < 1e-13:
                break
        return a, high
