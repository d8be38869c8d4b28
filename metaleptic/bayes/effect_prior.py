"""Priors on the pooled effect: normal, Student t and Cauchy, whole or cut off at bounds.

A Student t is a normal whose variance is drawn from a distribution of its own (a scale mixture): given the variance the
model stays normal, so that heavier tails cost one more sum and no accuracy. Source: Andrews DF, Mallows CL. J R Stat Soc B
1974;36:99-102.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import OptionError
from metaleptic.types import FloatArray

STEP = 0.3  # of the trapezoidal rule in the log of the mixing variable: error exp(-pi^2 / STEP) = 5e-15
_FADED = 40.0  # exp(-40) is nothing


@dataclass(frozen=True, slots=True)
class EffectPrior:
    """What is believed about the pooled effect before the studies are seen (analysis scale).

    Attributes
    ----------
    location, scale : float
        Centre and spread.
    df : float
        Degrees of freedom of the Student t; infinite for a normal, 1 for a Cauchy.
    lower, upper : float
        Bounds of the support.
    source : str
        Where it comes from.
    """

    location: float
    scale: float
    df: float = np.inf
    lower: float = -np.inf
    upper: float = np.inf
    source: str = ""

    def __post_init__(self) -> None:
        if not np.isfinite(self.location):
            raise OptionError(f"the location {self.location!r} of a prior on the effect must be a number.")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise OptionError(f"a prior on the effect needs a standard deviation above 0, not {self.scale!r}.")
        if not self.df > 0:
            raise OptionError(f"df {self.df!r} must be above 0.")
        if not self.lower < self.upper:
            raise OptionError(f"the bounds {self.lower:g} and {self.upper:g} are not in order.")

    def between(self, lower: float = -np.inf, upper: float = np.inf) -> EffectPrior:
        """Cut the prior off at bounds: ``normal(0, 0.3).between(0)`` is half-normal."""
        return replace(self, lower=lower, upper=upper)

    @property
    def bounded(self) -> bool:
        """Whether there are bounds."""
        return self.lower > -np.inf or self.upper < np.inf

    @property
    def words(self) -> str:
        """Name with its numbers, for a sentence: "normal(0, 0.5)"."""
        name = f"normal({self.location:g}, {self.scale:g})"
        if np.isfinite(self.df):
            name = f"t({self.df:g}, {self.location:g}, {self.scale:g})"
        if self.df == 1:
            name = f"Cauchy({self.location:g}, {self.scale:g})"
        if self.lower == -np.inf and self.upper == np.inf:
            return name
        if self.upper == np.inf:
            return f"{name} above {self.lower:g}"
        return (
            f"{name} below {self.upper:g}" if self.lower == -np.inf else f"{name} from {self.lower:g} to {self.upper:g}"
        )

    @property
    def call(self) -> str:
        """The call that makes it again."""
        call = f"priors.normal({self.location!r}, {self.scale!r})"
        if np.isfinite(self.df):
            call = f"priors.student_t({self.df!r}, {self.location!r}, {self.scale!r})"
        return f"{call}.between({self.lower!r}, {self.upper!r})" if self.bounded else call

    @property
    def share(self) -> float:
        """Probability that the prior without bounds would put between them."""
        low, high = ((b - self.location) / self.scale for b in (self.lower, self.upper))
        if low > 0:  # from the lower tail, where no digits are lost
            low, high = -high, -low
        return float(self._standard_cdf(high) - self._standard_cdf(low))

    def _standard_cdf(self, z: float) -> float:
        return float(special.ndtr(z) if np.isinf(self.df) else special.stdtr(self.df, z))

    def pdf(self, x: Any) -> FloatArray:
        """Return the density at x."""
        x = np.asarray(x, dtype=np.float64)
        z = (x - self.location) / self.scale
        if np.isinf(self.df):
            log = -0.5 * z * z - 0.5 * np.log(2 * np.pi)
        else:
            half = (self.df + 1) / 2
            log = special.gammaln(half) - special.gammaln(self.df / 2) - 0.5 * np.log(self.df * np.pi)
            log = log - 2 * half * np.log(np.hypot(1, z / np.sqrt(self.df)))
        inside = (x >= self.lower) & (x <= self.upper)
        return np.asarray(np.where(inside, np.exp(log) / self.scale / self.share, 0.0))

    def quantile(self, p: Any) -> FloatArray:
        """Return the effect below which the prior puts the probability p."""
        p = np.asarray(p, dtype=np.float64)
        low, high = (self._standard_cdf((b - self.location) / self.scale) for b in (self.lower, self.upper))
        at = low + p * (high - low)
        z = special.ndtri(at) if np.isinf(self.df) else special.stdtrit(self.df, at)
        return np.asarray(np.clip(self.location + self.scale * z, self.lower, self.upper))

    def draw(self, size: int, *, seed: int) -> FloatArray:
        """Draw from the prior."""
        return self.quantile(np.random.default_rng(seed).random(size))

    def normals(self, reach: float) -> tuple[FloatArray, FloatArray]:
        """Return standard deviations and weights of the normals, all around ``location``, that make up the prior.

        ``reach`` is how far from the location the studies lie: a Student t prior then gives way, and normals of that
        spread are needed. A normal is one normal.
        """
        if np.isinf(self.df):
            return np.array([self.scale]), np.ones(1)
        half = self.df / 2
        # log of the mixing variable g ~ gamma(half, rate half): exp(half u - half e^u); the likelihood adds e^(u/2)
        lowest = min(-2 * np.log(max(reach / self.scale, 1.0)), 0.0) - _FADED / (half + 0.5) - 2
        highest = np.log1p(_FADED / half) + 1 + 2 / np.sqrt(self.df)
        u = np.arange(np.floor(lowest / STEP), np.ceil(highest / STEP) + 1) * STEP
        log_weight = half * (u - np.exp(u)) + half * np.log(half) - special.gammaln(half)
        seen = log_weight > -700
        return self.scale * np.exp(-u[seen] / 2), STEP * np.exp(log_weight[seen])

    def __repr__(self) -> str:
        return f"{self.words} prior on the effect"


def distribution_of_effect(given: Any) -> EffectPrior | None:
    """Return a normal, Student t or Cauchy distribution of scipy.stats or PyMC as a prior; None for anything else."""
    family, op = getattr(given, "dist", None), getattr(getattr(given, "owner", None), "op", None)
    name = str(getattr(family, "name", "") or getattr(op, "name", ""))
    if family is not None and name in ("norm", "t", "cauchy"):
        shapes, location, scale = family._parse_args(*given.args, **given.kwds)
        return EffectPrior(float(location), float(scale), {"norm": np.inf, "cauchy": 1.0}.get(name) or float(shapes[0]))
    if op is not None and name in ("normal", "t", "studentt", "cauchy"):
        values = [float(x.eval()) for x in op.dist_params(given.owner)]
        df = {"normal": np.inf, "cauchy": 1.0}.get(name) or values[0]
        return EffectPrior(values[-2], values[-1], df)
    return None


def _number(name: str, value: float) -> float:
    if not isinstance(value, Real):
        raise OptionError(f"{name} {value!r} must be a number.")
    return float(value)


def normal(mean: float, sd: float) -> EffectPrior:
    """Return a normal prior on the pooled effect.

    Examples
    --------
    >>> normal(0, 0.5)
    normal(0, 0.5) prior on the effect
    >>> normal(0, 0.5).between(upper=0)
    normal(0, 0.5) below 0 prior on the effect
    """
    return EffectPrior(_number("mean", mean), _number("sd", sd))


def student_t(df: float, location: float, scale: float) -> EffectPrior:
    """Return a Student t prior on the pooled effect: like normal, but surprises stay possible.

    Examples
    --------
    >>> student_t(5, 0, 0.51)
    t(5, 0, 0.51) prior on the effect
    """
    return EffectPrior(_number("location", location), _number("scale", scale), _number("df", df))


def cauchy(location: float, scale: float) -> EffectPrior:
    """Return a Cauchy prior on the pooled effect: Student t with one degree of freedom.

    Examples
    --------
    >>> cauchy(0, 0.707)
    Cauchy(0, 0.707) prior on the effect
    """
    return EffectPrior(_number("location", location), _number("scale", scale), 1.0)
