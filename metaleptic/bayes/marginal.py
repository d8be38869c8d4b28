"""The noun ``Marginal``: one quantity's posterior, answered on the analysis scale, with its summary on the printed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from metaleptic.bayes import mixture
from metaleptic.bayes.mixture import NormalMixture
from metaleptic.bayes.positive import PositiveDensity
from metaleptic.bayes.restricted import Restricted
from metaleptic.errors import OptionError
from metaleptic.types import Estimate, FloatArray, Measure


class Distribution(Protocol):
    """What a marginal asks of the numbers behind it."""

    def cdf(self, x: Any) -> FloatArray:
        """P(X <= x)."""
        ...

    def sf(self, x: Any) -> FloatArray:
        """P(X > x)."""
        ...

    def pdf(self, x: Any) -> FloatArray:
        """Density at x."""
        ...

    def quantile(self, p: Any) -> FloatArray:
        """Solution of cdf(x) = p."""
        ...

    def shortest(self, level: float) -> tuple[float, float]:
        """Shortest interval that holds ``level``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """What is known about one quantity after the studies: ask it for probabilities, quantiles and intervals.

    Attributes
    ----------
    name : str
        "mu", "tau", "prediction", or the study.
    mean, sd, median, mode : float
        On the analysis scale; a moment that does not exist is infinite.
    value, low, high : float
        Median and central interval as an ``Estimate`` has them: printed scale (tau: analysis scale).
    level : float
        Level of ``low``, ``high`` and of the intervals that name none.
    kind : {"credible", "prediction"}
        What the interval means.
    central, hpd : tuple of float
        Central and shortest interval at ``level``, analysis scale.
    distribution : NormalMixture or PositiveDensity
        The numbers behind it.
    """

    name: str
    mean: float
    sd: float
    median: float
    mode: float
    value: float
    low: float
    high: float
    level: float
    kind: str
    central: tuple[float, float]
    hpd: tuple[float, float]
    distribution: Distribution

    @property
    def estimate(self) -> Estimate:
        """Median and central interval as a plain ``Estimate``."""
        return Estimate(self.value, self.low, self.high, self.level, self.kind)

    def cdf(self, x: Any) -> Any:
        """Return the probability of a value up to x."""
        return _number(self.distribution.cdf(x))

    def sf(self, x: Any) -> Any:
        """Return the probability of a value above x, exact also where it is tiny."""
        return _number(self.distribution.sf(x))

    def pdf(self, x: Any) -> Any:
        """Return the density at x."""
        return _number(self.distribution.pdf(x))

    def quantile(self, p: Any) -> Any:
        """Return the value below which the probability p lies."""
        p = np.asarray(p, dtype=np.float64)
        if not ((p >= 0) & (p <= 1)).all():
            raise OptionError("a probability lies between 0 and 1. Write 0.975 for 97.5%.")
        return _number(self.distribution.quantile(p))

    def interval(self, level: float | None = None, kind: str = "central") -> tuple[float, float]:
        """Return the central interval, or the shortest one (``kind="hpd"``: highest posterior density)."""
        if kind not in ("central", "hpd"):
            raise OptionError(f"interval kind {kind!r} is unknown. Choose one of: central, hpd.")
        level = self.level if level is None else level
        if not 0 < level < 1:
            raise OptionError(f"level {level:g} is not between 0 and 1. Write 0.95 for 95%.")
        if level == self.level:
            return self.central if kind == "central" else self.hpd
        if kind == "hpd":
            return self.distribution.shortest(level)
        low, high = self.distribution.quantile(np.array([(1 - level) / 2, (1 + level) / 2])).tolist()
        return low, high

    def draw(self, size: int, *, seed: int) -> FloatArray:
        """Draw from the posterior (independent draws: there is no chain)."""
        if isinstance(self.distribution, NormalMixture):
            return self.distribution.draw(size, seed)
        return self.distribution.quantile(np.random.default_rng(seed).random(size))

    def __repr__(self) -> str:
        low, high = self.central
        return (
            f"{self.name}: median {self.median:.4g} ({self.level * 100:g}% CrI {low:.4g} to {high:.4g}), analysis scale"
        )


def _number(values: FloatArray) -> Any:
    return float(values) if values.ndim == 0 else values


def tau_marginal(density: PositiveDensity, mean: float, sd: float, level: float) -> Marginal:
    """Summarise tau's posterior."""
    low, median, high = density.quantile(np.array([(1 - level) / 2, 0.5, (1 + level) / 2])).tolist()
    hpd = density.shortest(level)
    return Marginal(
        "tau", mean, sd, median, density.mode(), median, low, high, level, "credible", (low, high), hpd, density
    )


def mixture_marginals(
    names: Sequence[str],
    kinds: Sequence[str],
    w: FloatArray,
    m: FloatArray,
    s: FloatArray,
    level: float,
    measure: Measure,
    sd: Mapping[int, float],
) -> tuple[Marginal, ...]:
    """Summarise several mixtures at once: w of shape (n,), m and s of shape (q, n).

    ``sd`` holds the standard deviations known from elsewhere (infinite ones), by position.
    """
    p = np.array([[(1 - level) / 2, 0.5, (1 + level) / 2]])
    q = mixture.quantile(w[None], m, s, p)
    low, high = q[:, 0], q[:, 2]
    peak, single = mixture.mode(w[None], m, s, low, high)
    short_low, short_high = mixture.shortest(w[None], m, s, level, low, high, single)
    mean = m @ w
    spread = np.sqrt((s**2 + (m - mean[:, None]) ** 2) @ w)
    with np.errstate(over="ignore"):  # a log ratio of 800 is printed as infinite
        value = np.asarray(measure.to_printed(q[:, 1]))
        printed_low, printed_high = measure.printed_bounds(low, high)
    return tuple(
        Marginal(
            name,
            float(mean[i]),
            sd.get(i, float(spread[i])),
            float(q[i, 1]),
            float(peak[i]),
            float(value[i]),
            float(printed_low[i]),
            float(printed_high[i]),
            level,
            kinds[i],
            (float(low[i]), float(high[i])),
            (float(short_low[i]), float(short_high[i])),
            NormalMixture(w, m[i], s[i]),
        )
        for i, name in enumerate(names)
    )


def restricted_marginal(dist: Restricted, level: float, measure: Measure) -> Marginal:
    """Summarise an effect that is known to lie between bounds."""
    low, median, high = dist.quantile(np.array([(1 - level) / 2, 0.5, (1 + level) / 2])).tolist()
    mean, sd = dist.moments()
    printed_low, printed_high = (float(x) for x in measure.printed_bounds(low, high))
    value = float(measure.to_printed(median))
    return Marginal(
        "mu",
        mean,
        sd,
        median,
        dist.mode(),
        value,
        printed_low,
        printed_high,
        level,
        "credible",
        (low, high),
        dist.shortest(level),
        dist,
    )
