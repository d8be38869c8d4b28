"""A quantity averaged over models, some of which hold it fixed: no effect, no heterogeneity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.types import FloatArray


class Part(Protocol):
    """What an average asks of a distribution."""

    @property
    def mean(self) -> float:
        """Mean."""
        ...

    def cdf(self, x: Any) -> Any:
        """P(X <= x)."""
        ...

    def quantile(self, p: Any) -> Any:
        """Solution of cdf(x) = p."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """The posterior of a quantity over all models: a spike where a model fixes it, and densities elsewhere.

    Attributes
    ----------
    name : str
        "mu" or "tau".
    fixed : float
        Where the models without it hold it, analysis scale.
    probability_fixed : float
        Posterior probability of those models.
    weights : tuple of float
        Probability of each model that has it.
    parts : tuple
        Its posterior under each.
    level : float
        Level of the intervals.
    """

    name: str
    fixed: float
    probability_fixed: float
    weights: tuple[float, ...]
    parts: tuple[Part, ...]
    level: float

    @property
    def mean(self) -> float:
        """Posterior mean over all models."""
        return self.probability_fixed * self.fixed + sum(
            w * p.mean for w, p in zip(self.weights, self.parts, strict=True)
        )

    @property
    def median(self) -> float:
        """Posterior median: the fixed value itself where the spike holds the middle."""
        return float(self.quantile(0.5))

    @property
    def given(self) -> Averaged:
        """The same over the models that have it alone."""
        total = sum(self.weights)
        return Averaged(self.name, self.fixed, 0.0, tuple(w / total for w in self.weights), self.parts, self.level)

    def cdf(self, x: Any) -> Any:
        """Return the probability of a value up to x, the spike included."""
        x = np.asarray(x, dtype=np.float64)
        found = self._smooth(x) + np.where(x >= self.fixed, self.probability_fixed, 0.0)
        return float(found) if found.ndim == 0 else found

    def quantile(self, p: Any) -> Any:
        """Return the smallest value up to which the probability is p."""
        p = np.asarray(p, dtype=np.float64)
        if not ((p > 0) & (p < 1)).all():
            raise OptionError("a probability lies between 0 and 1. Write 0.975 for 97.5%.")
        flat = p.reshape(-1)
        below = float(self._smooth(np.asarray(self.fixed)))
        spike = (flat > below) & (flat <= below + self.probability_fixed)
        target = np.where(flat > below, flat - self.probability_fixed, flat)
        found = np.where(spike, self.fixed, self._smooth_quantile(np.where(spike, 0.5 * sum(self.weights), target)))
        return float(found[0]) if p.ndim == 0 else found.reshape(p.shape)

    def interval(self, level: float | None = None) -> tuple[float, float]:
        """Return the central interval."""
        level = self.level if level is None else level
        if not 0 < level < 1:
            raise OptionError(f"level {level:g} is not between 0 and 1. Write 0.95 for 95%.")
        low, high = self.quantile(np.array([(1 - level) / 2, (1 + level) / 2])).tolist()
        return low, high

    def __repr__(self) -> str:
        low, high = self.interval()
        fixed = f"; P({self.name} = {self.fixed:g}) {self.probability_fixed:.3f}" if self.probability_fixed else ""
        return f"{self.name} over all models: mean {self.mean:.3g}, median {self.median:.3g} ({100 * self.level:g}% CrI {low:.3g} to {high:.3g}){fixed}"

    def _smooth(self, x: FloatArray) -> FloatArray:
        return np.asarray(sum(w * np.asarray(p.cdf(x)) for w, p in zip(self.weights, self.parts, strict=True)))

    def _smooth_quantile(self, target: FloatArray) -> FloatArray:
        """Solve for the densities alone, between the quantiles of the parts, by bisection."""
        share = np.clip(target / sum(self.weights), 1e-15, 1 - 1e-15)
        each: Sequence[Any] = [np.asarray(p.quantile(share)) for p in self.parts]
        low, high = np.min(each, axis=0), np.max(each, axis=0)
        for _ in range(100):
            middle = (low + high) / 2
            under = self._smooth(middle) < target
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        return np.asarray((low + high) / 2)
