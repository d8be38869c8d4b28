"""What several tests of the Bayesian room share: golden files, priors by their description, a quadrature of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy import integrate, stats

import metaleptic as ml
from metaleptic.bayes import priors
from metaleptic.bayes.prior import Prior

HERE = Path(__file__).parent / "golden"
DATA: dict[str, Any] = json.loads((HERE / "data.json").read_text(encoding="utf-8"))
BAYESMETA: dict[str, Any] = json.loads((HERE / "bayesmeta.json").read_text(encoding="utf-8"))
QUADRATURE: dict[str, Any] = json.loads((HERE / "quadrature.json").read_text(encoding="utf-8"))
REGRESSION: dict[str, Any] = json.loads((HERE / "regression.json").read_text(encoding="utf-8"))
LOG_T: dict[str, Any] = json.loads((HERE / "log_t.json").read_text(encoding="utf-8"))
TABLES: dict[str, Any] = json.loads((HERE / "tables.json").read_text(encoding="utf-8"))
COVERAGE: dict[str, Any] = json.loads((HERE / "coverage.json").read_text(encoding="utf-8"))
AVERAGING: dict[str, Any] = json.loads((HERE / "averaging.json").read_text(encoding="utf-8"))

MADE: dict[str, Callable[[dict[str, Any]], Prior]] = {
    "half-normal": lambda t: priors.half_normal(t["scale"]),
    "half-cauchy": lambda t: priors.half_cauchy(t["scale"]),
    "half-t": lambda t: priors.half_t(t["df"], t["scale"]),
    "exponential": lambda t: priors.exponential(t["rate"]),
    "uniform-improper": lambda t: priors.uniform(),
    "Jeffreys": lambda t: priors.jeffreys(),
    "DuMouchel": lambda t: priors.dumouchel(),
    "uniform-shrinkage": lambda t: priors.shrinkage(),
    "Berger-Deely": lambda t: priors.berger_deely(),
    "conventional": lambda t: priors.conventional(),
    "uniform-I2": lambda t: priors.i2(),
    "uniform-sqrt-tau": lambda t: priors.uniform_sqrt(),
    "log-normal": lambda t: priors.log_normal(t["meanlog_tau"], t["sdlog_tau"]),
    "log-t5": lambda t: priors.log_student_t(5, t["location_tau"], t["scale_tau"]),
}


def made(description: dict[str, Any]) -> Prior:
    """Make the prior that a golden file describes."""
    return MADE[description["dist"]](description)


def effects(name: str) -> ml.Effects:
    """Return a golden data set."""
    return ml.effects(DATA[name]["y"], np.square(DATA[name]["sigma"]))


class Plain:
    """The same posterior by scipy's adaptive quadrature, written from the model; it is handed the prior's density.

    tau is integrated on the log scale in pieces; every quantity is an integral of its conditional.
    """

    def __init__(
        self, y: Any, v: Any, density: Callable[[float], float], mu: tuple[float, float] | None = None
    ) -> None:
        self.y, self.v, self.density, self.mu = np.asarray(y, float), np.asarray(v, float), density, mu
        self.top = max(self.log_weight(u) for u in np.linspace(-12, 8, 4001))
        self.pieces = [-700, -300, -120, -60, -30, -15, -9, *np.arange(-6, 6.01, 0.5), 9, 15, 30, 60, 120, 300]
        self.total = self.integral(lambda tau: 1.0)

    def moments(self, tau: float) -> tuple[float, float]:
        """Mean and variance of mu given tau."""
        w = 1 / (self.v + tau**2)
        if self.mu is None:
            return float((w * self.y).sum() / w.sum()), float(1 / w.sum())
        total = w.sum() + self.mu[1] ** -2
        return float(((w * self.y).sum() + self.mu[0] / self.mu[1] ** 2) / total), float(1 / total)

    def log_weight(self, u: float) -> float:
        """Log of prior times likelihood, by mu."""
        tau = np.exp(u)
        mean, var = self.moments(tau)
        # p(y) = p(y | mu) p(mu) / p(mu | y) at any mu: here at the conditional mean
        log_y = stats.norm.logpdf(self.y, mean, np.sqrt(self.v + tau**2)).sum() - stats.norm.logpdf(
            mean, mean, np.sqrt(var)
        )
        log_mu = 0.0 if self.mu is None else stats.norm.logpdf(mean, self.mu[0], self.mu[1])
        with np.errstate(divide="ignore"):
            return float(log_y + log_mu + np.log(self.density(float(tau))) + u)

    def integral(self, f: Callable[[float], float], upper: float = np.inf) -> float:
        """Integrate f(tau) over the unnormalised posterior up to ``upper``."""
        ends = [p for p in self.pieces if p < np.log(upper)] + [min(np.log(upper), self.pieces[-1])]
        found = 0.0
        for a, b in pairwise(ends):
            if b > a:
                found += integrate.quad(
                    lambda u: f(np.exp(u)) * np.exp(self.log_weight(u) - self.top),
                    a,
                    b,
                    epsabs=1e-15,
                    epsrel=1e-12,
                    limit=200,
                )[0]
        return found

    def mean(self, f: Callable[[float], float]) -> float:
        """Posterior mean of f(tau)."""
        return self.integral(f) / self.total

    def log_integral(self) -> float:
        """Log of the integral of prior times likelihood."""
        return float(self.top + np.log(self.total))

    def given(self, what: int | str) -> Callable[[float], tuple[float, float]]:
        """Conditional mean and sd of mu, of a new study's effect, or of study i's."""

        def conditional(tau: float) -> tuple[float, float]:
            mean, var = self.moments(tau)
            if what == "mu":
                return mean, np.sqrt(var)
            if what == "prediction":
                return mean, np.sqrt(var + tau**2)
            y, v = self.y[int(what)], self.v[int(what)]
            own = tau**2 / (v + tau**2)
            return own * y + (1 - own) * mean, np.sqrt(own * v + (1 - own) ** 2 * var)

        return conditional

    def cdf(self, what: int | str, x: float) -> float:
        """Posterior distribution function of a quantity that is normal given tau."""
        conditional = self.given(what)
        return self.mean(lambda tau: float(stats.norm.cdf(x, *conditional(tau))))
