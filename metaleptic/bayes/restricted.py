"""A mixture of normals of which only the part between two bounds is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.mixture import NormalMixture
from metaleptic.types import FloatArray

_ROUNDS, _POINTS = 8, 101


@dataclass(frozen=True, slots=True, eq=False)
class Restricted:
    """The mixture between ``lower`` and ``upper``, made whole again.

    Attributes
    ----------
    whole : NormalMixture
        The mixture before it is cut.
    lower, upper : float
        Bounds.
    """

    whole: NormalMixture
    lower: float
    upper: float

    def cdf(self, x: Any) -> FloatArray:
        """Return P(X <= x)."""
        x = np.clip(np.asarray(x, dtype=np.float64), self.lower, self.upper)
        return np.asarray(self._between(self.lower, x) / self._total())

    def sf(self, x: Any) -> FloatArray:
        """Return P(X > x)."""
        x = np.clip(np.asarray(x, dtype=np.float64), self.lower, self.upper)
        return np.asarray(self._between(x, self.upper) / self._total())

    def pdf(self, x: Any) -> FloatArray:
        """Return the density at x."""
        x = np.asarray(x, dtype=np.float64)
        return np.asarray(
            np.where((x >= self.lower) & (x <= self.upper), self.whole.pdf(np.nan_to_num(x)) / self._total(), 0.0)
        )

    def quantile(self, p: Any) -> FloatArray:
        """Solve cdf(x) = p."""
        p = np.asarray(p, dtype=np.float64)
        start = self.whole.cdf(self.lower)
        found = self.whole.quantile(np.clip(start + p * self._total(), 0, 1))
        return np.asarray(np.clip(found, self.lower, self.upper))

    def shortest(self, level: float) -> tuple[float, float]:
        """Return the shortest interval that holds ``level``: intervals are compared closer and closer."""
        start, end = 0.0, 1 - level
        left = right = np.zeros(1)
        best = 0
        for _ in range(_ROUNDS):
            p = np.linspace(start, end, _POINTS)
            left, right = self.quantile(p), self.quantile(p + level)
            best = int(np.argmin(right - left))
            start, end = p[max(best - 1, 0)], p[min(best + 1, p.size - 1)]
        return float(left[best]), float(right[best])

    def mode(self) -> float:
        """Return where the density is highest."""
        start, end = self.quantile(np.array([0.0, 1.0]))
        low, high = self.quantile(np.array([1e-4, 1 - 1e-4]))
        start, end = (low if np.isinf(start) else start), (high if np.isinf(end) else end)
        x = start
        for _ in range(_ROUNDS):
            grid = np.linspace(start, end, _POINTS)
            best = int(np.argmax(self.pdf(grid)))
            x, start, end = grid[best], grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
        return float(x)

    def moments(self) -> tuple[float, float]:
        """Return mean and standard deviation: those of cut normals, averaged."""
        w, m, s = self.whole.w, self.whole.m, self.whole.s
        a, b = (self.lower - m) / s, (self.upper - m) / s
        da, db = (np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) for z in (a, b))
        mass = special.ndtr(b) - special.ndtr(a)
        ends = np.where(np.isfinite(a), a, 0.0) * da - np.where(np.isfinite(b), b, 0.0) * db
        first = w * (m * mass + s * (da - db))
        second = w * ((m * m + s * s) * mass + 2 * m * s * (da - db) + s * s * ends)
        mean = first.sum() / (w * mass).sum()
        return float(mean), float(np.sqrt(second.sum() / (w * mass).sum() - mean**2))

    def _total(self) -> Any:
        return self._between(self.lower, self.upper)

    def _between(self, low: Any, high: Any) -> Any:
        far = np.asarray(low) > self.whole.m.mean()
        return np.where(far, self.whole.sf(low) - self.whole.sf(high), self.whole.cdf(high) - self.whole.cdf(low))
