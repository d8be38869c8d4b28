"""A distribution known by draws from it: what ``Marginal`` asks of a sampled posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.marginal import Marginal
from metaleptic.types import FloatArray, Measure, frozen_array

_BINS = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Sorted draws. Probabilities are shares of draws; the density is a Gaussian kernel estimate.

    Attributes
    ----------
    x : ndarray of shape (n,)
        Sorted draws.
    positive : bool
        Whether the quantity cannot be negative: the kernel estimate is reflected at 0.
    """

    x: FloatArray
    positive: bool = False

    def cdf(self, x: Any) -> FloatArray:
        """Return P(X <= x)."""
        return np.asarray(np.searchsorted(self.x, np.asarray(x, dtype=np.float64), side="right") / self.x.size)

    def sf(self, x: Any) -> FloatArray:
        """Return P(X > x)."""
        return 1 - self.cdf(x)

    def pdf(self, x: Any) -> FloatArray:
        """Return the density at x, by a kernel whose width follows Silverman's rule (Density Estimation, 1986)."""
        x = np.asarray(x, dtype=np.float64)
        width = self._width()
        low, high = self.x[0] - 6 * width, self.x[-1] + 6 * width
        edges = np.linspace(low, high, _BINS + 1)
        mass = np.histogram(self.x, edges)[0] / self.x.size
        centre, step = (edges[1:] + edges[:-1]) / 2, (high - low) / _BINS
        reach = int(np.ceil(6 * width / step))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
        smooth = np.convolve(mass, kernel / kernel.sum() / step, mode="same")
        out = np.interp(x, centre, smooth, left=0.0, right=0.0)
        if self.positive:
            out = np.where(x >= 0, out + np.interp(-x, centre, smooth, left=0.0, right=0.0), 0.0)
        return np.asarray(out)

    def quantile(self, p: Any) -> FloatArray:
        """Return the quantile of the draws."""
        return np.asarray(np.quantile(self.x, p))

    def mode(self) -> float:
        """Return where the kernel estimate is highest."""
        grid = np.linspace(max(self.x[0], 0.0) if self.positive else self.x[0], self.x[-1], _BINS)
        return float(grid[int(np.argmax(self.pdf(grid)))])

    def shortest(self, level: float) -> tuple[float, float]:
        """Return the shortest interval that holds this share of the draws."""
        inside = int(np.ceil(level * self.x.size))
        width = self.x[inside - 1 :] - self.x[: self.x.size - inside + 1]
        at = int(np.argmin(width))
        return float(self.x[at]), float(self.x[at + inside - 1])

    def _width(self) -> float:
        quarter, three = np.quantile(self.x, [0.25, 0.75])
        spread = min(float(np.std(self.x)), float(three - quarter) / 1.34) or float(np.std(self.x)) or 1.0
        return 0.9 * spread * float(self.x.size**-0.2)


def marginal_of_draws(
    name: str, kind: str, draws: FloatArray, level: float, measure: Measure | None, *, positive: bool = False
) -> Marginal:
    """Summarise draws of one quantity; without a measure the printed scale is the analysis scale."""
    dist = Draws(frozen_array(np.sort(draws.reshape(-1))), positive)
    low, median, high = dist.quantile(np.array([(1 - level) / 2, 0.5, (1 + level) / 2])).tolist()
    with np.errstate(over="ignore"):
        value = median if measure is None else float(measure.to_printed(median))
        printed = (low, high) if measure is None else measure.printed_bounds(low, high)
    return Marginal(
        name,
        float(dist.x.mean()),
        float(dist.x.std(ddof=1)),
        median,
        dist.mode(),
        value,
        float(printed[0]),
        float(printed[1]),
        level,
        kind,
        (low, high),
        dist.shortest(level),
        dist,
    )
