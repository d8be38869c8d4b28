"""The noun ``Prior``: a density for tau with its name, its parameters and its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from metaleptic.bayes.panels import Panels, first_edges, integrate
from metaleptic.bayes.positive import PositiveDensity
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.types import FloatArray

LogDensity = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """What is believed about the heterogeneity tau before the studies are seen; made by ``ml.priors``.

    Attributes
    ----------
    key : str
        Name of the function in ``PRIORS`` that makes it.
    name : str
        Name for sentences ("half-normal").
    parameters : tuple of (str, value)
        What it was made with.
    log_density : callable
        ``log_density(tau, v)``: log density of tau; ``v`` are the studies' variances, which only priors such as
        Jeffreys' look at. tau of shape (..., n), v of shape (..., k).
    proper : bool
        Whether the density integrates to 1. An improper one gives no marginal likelihood and cannot be drawn from.
    tail : float
        The power p with which the density falls at infinity, tau^-p; infinite if faster than any power.
    source : str
        Where it comes from.
    upper : float
        End of the support.
    breaks : tuple of float
        Values of tau at which the density has a kink or jump.
    needs_data : bool
        Whether the density depends on the studies' variances.
    closed_cdf, closed_quantile : callable or None
        In closed form, where there is one.
    head : float
        The power p with which the density rises towards zero, tau^-p. From 1 on (flat on log tau) every posterior is
        improper: the likelihood does not vanish at tau = 0.
    made : str
        The call that makes it again, where it is not that of a function of ``PRIORS`` with ``parameters``.
    measures : tuple of str
        Keys of the measures on whose analysis scale an empirical prior was learnt; empty if it is of any.
    """

    key: str
    name: str
    parameters: tuple[tuple[str, Any], ...]
    log_density: LogDensity
    proper: bool
    tail: float
    source: str
    upper: float = np.inf
    breaks: tuple[float, ...] = ()
    needs_data: bool = False
    closed_cdf: Callable[[Any], Any] | None = None
    closed_quantile: Callable[[Any], Any] | None = None
    head: float = 0.0
    made: str = ""
    measures: tuple[str, ...] = ()

    def pdf(self, tau: Any, v: Any = None) -> FloatArray:
        """Return the density at tau; up to a constant where the prior is improper."""
        tau = np.asarray(tau, dtype=np.float64)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            value = np.exp(self.log_density(tau.reshape(-1), self._variances(v))).reshape(tau.shape)
        return np.asarray(np.where((tau >= 0) & (tau <= self.upper), value, 0.0))

    def cdf(self, tau: Any, v: Any = None) -> FloatArray:
        """Return the prior probability of a heterogeneity up to tau."""
        if self.closed_cdf is not None:
            return np.asarray(self.closed_cdf(np.maximum(np.asarray(tau, dtype=np.float64), 0.0)))
        return self._curve(v).cdf(tau)

    def quantile(self, p: Any, v: Any = None) -> FloatArray:
        """Return the tau below which the prior puts the probability p."""
        if self.closed_quantile is not None:
            return np.asarray(self.closed_quantile(np.asarray(p, dtype=np.float64)))
        return self._curve(v).quantile(p)

    def draw(self, size: int, *, seed: int, v: Any = None) -> FloatArray:
        """Draw from the prior."""
        return self.quantile(np.random.default_rng(seed).random(size), v)

    def __repr__(self) -> str:
        inside = ", ".join(
            f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value!r}" for key, value in self.parameters
        )
        q = (
            ""
            if self.closed_quantile is None
            else ": median {:.2g}, 95% below {:.2g}".format(*self.quantile([0.5, 0.95]))
        )
        own = self.key == "from_density" and not inside
        return f"{self.name if own else f'{self.name}({inside})'} prior on tau{q}{'' if self.proper else ' (improper)'}"

    @property
    def words(self) -> str:
        """Name with its numbers, for a sentence: "half-normal(0.5)"."""
        own = self.key == "from_density"  # the order of its parameters is not known to the reader
        shown = [
            (f"{key}=" if own else "") + (f"{value:.4g}" if isinstance(value, float) else str(value))
            for key, value in self.parameters
        ]
        return f"{self.name}({', '.join(shown)})" if shown else self.name

    @property
    def call(self) -> str:
        """The call that makes it again; a function of one's own goes by its name."""
        if self.made:
            return self.made
        if self.key == "from_density":
            return f"priors.from_density(..., name={self.name!r})"
        return f"priors.{self.key}({', '.join(f'{key}={value!r}' for key, value in self.parameters)})"

    def _variances(self, v: Any) -> FloatArray:
        if v is None and self.needs_data:
            raise OptionError(f"the {self.name} prior depends on the studies: pass their variances (v=effects.v).")
        return np.asarray([1.0] if v is None else v, dtype=np.float64)

    def _curve(self, v: Any) -> PositiveDensity:
        if not self.proper:
            raise NotEstimableError(
                f"the {self.name} prior is improper: its probabilities are not defined. Choose a proper one, for example half-normal."
            )
        return density_of(self, self._variances(v))


def positive_parameters(**values: float) -> tuple[tuple[str, float], ...]:
    """Return parameters that must be above 0 under their names."""
    for name, value in values.items():
        if not (isinstance(value, Real) and np.isfinite(value) and value > 0):
            raise OptionError(f"{name} {value!r} must be a number above 0.")
    return tuple((name, float(value)) for name, value in values.items())


def finite_parameter(name: str, value: float) -> tuple[str, float]:
    """Return a parameter that must be a number under its name."""
    if not (isinstance(value, Real) and np.isfinite(value)):
        raise OptionError(f"{name} {value!r} must be a number.")
    return name, float(value)


def density_of(prior: Prior, v: FloatArray) -> PositiveDensity:
    """Return a proper prior as a distribution, by quadrature."""
    grid = total_of(prior.log_density, v, prior.upper, prior.breaks)

    def over_u(u: FloatArray) -> FloatArray:
        return np.asarray(prior.log_density(np.exp(u), v) + u)

    return PositiveDensity(
        over_u, float(grid.log_total[0]), grid.edges[0], grid.cumulative[0], grid.u[0], grid.weight[0]
    )


def total_of(log_density: LogDensity, v: FloatArray, upper: float, breaks: tuple[float, ...] = ()) -> Panels:
    """Integrate a density of tau."""

    def evaluate(u: FloatArray) -> tuple[FloatArray, FloatArray]:
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            return log_density(np.exp(u), v) + u, np.ones((1, *u.shape))

    return integrate(evaluate, first_edges(-0.5 * np.log(np.mean(1 / v))[None], np.array([upper]), breaks))
