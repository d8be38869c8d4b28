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
_NOISE = 1e-11  # of a log density
_SEEN = 1e-14  # probability of a node above which its density is looked at
FAR_DOWN = 30.0  # in u: a lower end exp(-30) times the upper one is zero
_STEP = 1e-5  # of a central difference in u
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
    u, weight : ndarray of shape (15 p,)
        Nodes of the quadrature, and the probability at each.
    """

    log_density: Callable[[FloatArray], FloatArray]
    log_total: float
    edges: FloatArray
    cumulative: FloatArray
    u: FloatArray
    weight: FloatArray

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
        near = np.interp(flat, np.cumsum(self.weight) - self.weight / 2, self.u)  # each node holds what is around it
        u = np.clip(near, low + 1e-3 * (high - low), high - 1e-3 * (high - low))
        for n in range(_MAX_STEPS):
            mass, log_density = self._beside(u, at, ~upper)
            short = np.where(upper, mass > tail, mass < tail)
            low, high = np.where(short, u, low), np.where(short, high, u)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = (tail - mass) * np.where(upper, -1.0, 1.0) / np.exp(log_density)
            moved = u + step
            inside = (moved >= low) & (moved <= high)
            done = (np.abs(moved - u) <= 1e-10) & inside
            inside &= done | (n < 10) | (n % 2 == 0)
            moved = np.where(inside, moved, (low + high) / 2)
            done |= high - low <= 1e-15 * np.maximum(1, np.abs(u))
            u = moved
            if done.all():
                break
        x = np.exp(u)
        x = np.where(flat <= 0, 0.0, np.where(flat >= 1, self._top(), x))
        return np.asarray(x.reshape(p.shape))

    def mode(self) -> float:
        """Return where the density is highest: 0 if it falls from there.

        A density that is unbounded at 0 has its mode there only if some probability goes with it: close to 0 means here
        up to 1e-4 of the next highest peak.
        """
        u = np.concatenate([self.u, self.edges[-1:]])
        f = self._over_u(u) - u
        up = f[1:] > np.minimum.accumulate(f)[:-1] + _NOISE  # where the density is flat, rounding makes peaks
        peak = np.flatnonzero((f[1:] >= np.append(f[2:], -np.inf)) & (f[1:] > f[:-1]) & up) + 1
        if peak.size == 0:
            return 0.0
        x = float(np.exp(self._refined(u, int(peak[np.argmax(f[peak])]))))
        close = 1e-4 * x
        with np.errstate(divide="ignore"):
            at_zero = np.log(self.cdf(close)) - np.log(close)
        return 0.0 if at_zero >= self.log_pdf(x) * (1 - 1e-13) - 1e-13 else x

    def shortest(self, level: float) -> tuple[float, float]:
        """Return the shortest interval that holds ``level``: from 0 where the density falls from there."""
        found = [(self._bottom(), float(self.quantile(level)))]
        if self._top() < np.inf:
            found.append((float(self.quantile(1 - level)), self._top()))
        inner = self._balanced(level)
        if inner is not None:
            found.append(inner)
        width = [high - low for low, high in found]
        return found[min(range(len(found)), key=lambda i: width[i] * (1 + 1e-12 * i))]

    # --- inside ---------------------------------------------------------------------------------

    def _over_u(self, u: FloatArray) -> FloatArray:
        return self.log_density(u) - self.log_total

    def _bottom(self) -> float:
        """Return where the support begins: 0, or the last edge below which there is nothing at all."""
        nothing = self.edges[:-1][(self.cumulative[1:] > 0) & (self.cumulative[:-1] == 0)]
        masses = self.weight.reshape(-1, NODES.size)
        first = int(np.argmax(self.cumulative[1:] > 0))
        sharp = bool(nothing.size) and masses[first, 0] > 0 and first > 0 and masses[first - 1, -1] == 0
        return float(np.exp(self.edges[first])) if sharp and self.edges[first] > LOWEST / 2 else 0.0

    def _top(self) -> float:
        return float(np.exp(self.edges[-1])) if self.edges[-1] < 300 else np.inf

    def _mass(self, x: Any, *, lower: bool) -> FloatArray:
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(divide="ignore"):
            u = np.clip(np.log(np.maximum(x, 0.0)), self.edges[0], self.edges[-1]).reshape(-1)
        return self._beside(u, self._panel(u), np.full(u.shape, lower))[0].reshape(x.shape)

    def _panel(self, u: FloatArray) -> Any:
        return np.clip(np.searchsorted(self.edges, u, side="right") - 1, 0, len(self.edges) - 2)

    def _beside(self, u: FloatArray, at: Any, lower: Any) -> tuple[FloatArray, FloatArray]:
        """Return the probability below u, in panel ``at``, or above it where not ``lower``; and the log density there."""
        start = np.where(lower, self.edges[at], u)
        width = np.where(lower, u, self.edges[at + 1]) - start
        nodes = start[:, None] + width[:, None] * NODES
        log = self._over_u(np.concatenate([nodes.reshape(-1), u]))
        part = np.exp(log[: nodes.size].reshape(nodes.shape)) @ NODE_WEIGHTS * width
        rest = np.where(lower, self.cumulative[at], self.cumulative[-1] - self.cumulative[at + 1])
        return np.asarray(part + rest), log[nodes.size :]

    def _refined(self, u: FloatArray, best: int) -> float:
        """Refine a maximum between its neighbours: the root of the derivative of a polynomial through the log density."""
        low, high, middle = u[max(best - 1, 0)], u[min(best + 1, len(u) - 1)], u[best]
        for _ in range(4):
            centre, half = (low + high) / 2, (high - low) / 2
            if half <= 0:
                break
            x = centre + half * _CHEBYSHEV
            f = self._over_u(x) - x
            if not np.isfinite(
                f
            ).all():  # the density jumps from 0: its highest point is a node or just inside the jump
                near = np.append(self.edges[(self.edges >= low) & (self.edges <= high)] + 1e-12, middle)
                return float(near[np.argmax(self._over_u(near) - near)])
            slope = np.polynomial.chebyshev.Chebyshev(
                np.polynomial.chebyshev.chebfit(_CHEBYSHEV, f - f.max(), 12)
            ).deriv()
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

    def _falls(self) -> bool:
        """Say whether the density falls from zero on, at all nodes that matter; it is what made their probabilities."""
        width = np.repeat(np.diff(self.edges), NODES.size) * np.tile(NODE_WEIGHTS, self.edges.size - 1)
        seen = self.weight > _SEEN
        log = np.log(self.weight[seen] / width[seen]) - self.u[seen]
        return bool(seen.any() and (np.diff(log) <= _NOISE).all())

    def _balanced(self, level: float) -> tuple[float, float] | None:
        """Find the shortest interval inside the support, with the same density at both ends; None if there is none.

        Newton's method in both ends, in u, from the best pair of nodes.
        """
        if self._falls():
            return None
        up_to = np.cumsum(self.weight) - self.weight / 2
        usable = (up_to < 1 - level) & (self.u > LOWEST / 2)
        if not usable.any():
            return None
        start = self.u[usable]
        end = np.interp(up_to[usable] + level, up_to, self.u)
        j = int(np.argmin(np.exp(end) - np.exp(start)))
        ends = np.array([start[j], end[j]])
        for _ in range(_MAX_STEPS):
            mass = self._beside(ends, self._panel(ends), np.array([True, True]))[0]
            points = np.concatenate([ends, ends - _STEP, ends + _STEP])
            over_u = self._over_u(points)
            log_f = over_u - points
            g = np.exp(over_u[:2])
            with np.errstate(invalid="ignore"):  # beyond the support the density is 0
                slope = (log_f[4:] - log_f[2:4]) / (2 * _STEP)
                lack, tilt = level - (mass[1] - mass[0]), log_f[0] - log_f[1]
            det = g[1] * slope[0] - g[0] * slope[1]
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = np.array([slope[1] * lack - g[1] * tilt, slope[0] * lack - g[0] * tilt]) / det
            if not np.isfinite(step).all() or ends[0] < max(LOWEST / 2, ends[1] - FAR_DOWN):
                return None
            ends = ends + np.clip(step, -0.5, 0.5)
            if ends[1] > self.edges[-1] or ends[0] >= ends[1]:
                return None
            if np.abs(step).max() < 1e-12:
                break
        else:
            return None
        low, high = np.exp(ends)
        return float(low), float(high)
