"""Log-likelihood of one two-arm study as a function of its log odds or rate ratio, with two derivatives: many studies at once.

Conditional likelihoods need nothing else; the unconditional one also depends on the level of the study. Sources: Stijnen T, Hamza
TH, Özdemir P. Stat Med 2010;29:3046-3067; Jackson D et al. Stat Med 2018;37:1059-1085.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

Derivatives = tuple[FloatArray, FloatArray, FloatArray]


def log_choose(n: FloatArray, x: FloatArray) -> FloatArray:
    """Return log of the binomial coefficient."""
    return np.asarray(special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1))


@dataclass(frozen=True, slots=True, eq=False)
class Binomial:
    """Events of arm 1 given all events are binomial with log odds eta + offset (conditional, approximate; exact for rates)."""

    x: FloatArray
    total: FloatArray
    offset: FloatArray

    def __call__(self, eta: FloatArray) -> Derivatives:
        """Return value and derivatives at eta of shape (..., k)."""
        z = eta + self.offset
        p = special.expit(z)
        value = log_choose(self.total, self.x) + self.x * z - self.total * np.logaddexp(0, z)
        return value, self.x - self.total * p, -self.total * p * (1 - p)


@dataclass(frozen=True, slots=True, eq=False)
class Poisson:
    """Events of a single arm are Poisson with log rate eta."""

    x: FloatArray
    time: FloatArray

    def __call__(self, eta: FloatArray) -> Derivatives:
        """Return value and derivatives at eta of shape (..., k)."""
        mean = self.time * np.exp(eta)
        value = self.x * (np.log(self.time) + eta) - mean - special.gammaln(self.x + 1)
        return value, self.x - mean, -mean


@dataclass(frozen=True, slots=True, eq=False)
class Hypergeometric:
    """Events of arm 1 given all margins: Fisher's non-central hypergeometric distribution (conditional, exact)."""

    x: FloatArray
    support: FloatArray
    log_weight: FloatArray

    @classmethod
    def of(cls, cells: FloatArray) -> Hypergeometric:
        """Build the support of every study, padded to the widest.

        Large studies keep what lies within 20 standard deviations of what was seen: further off the likelihood is below
        exp(-200) of its maximum, whatever the effect.
        """
        a, b, c, d = cells.T
        n1, n2, m = a + b, c + d, a + c
        n = n1 + n2
        far = np.maximum(100.0, np.ceil(20 * np.sqrt(n1 * n2 * m * (n - m) / (n**2 * np.maximum(n - 1, 1)))))
        low, high = np.maximum.reduce([0 * m, m - n2, a - far]), np.minimum.reduce([n1, m, a + far])
        steps = np.arange(int((high - low).max()) + 1)
        support = low[:, None] + steps
        inside = support <= high[:, None]
        j = np.where(inside, support, low[:, None])
        weight = log_choose(n1[:, None], j) + log_choose(n2[:, None], m[:, None] - j)
        return cls(a, j, np.where(inside, weight, -np.inf))

    def __call__(self, eta: FloatArray) -> Derivatives:
        """Return value and derivatives at eta of shape (..., k)."""
        log_p = self.log_weight + self.support * eta[..., None]
        norm = special.logsumexp(log_p, axis=-1)
        p = np.exp(log_p - norm[..., None])
        mean = (p * self.support).sum(axis=-1)
        variance = (p * (self.support - mean[..., None]) ** 2).sum(axis=-1)
        own = np.take_along_axis(self.log_weight, np.argmax(self.support == self.x[:, None], axis=-1)[:, None], -1)[
            :, 0
        ]
        return own + self.x * eta - norm, self.x - mean, -variance


@dataclass(frozen=True, slots=True, eq=False)
class TwoBinomials:
    """Both arms binomial, log odds level + eta/2 and level - eta/2 (unconditional)."""

    cells: FloatArray

    def parts(
        self, level: FloatArray, eta: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return value, residuals and weights of both arms."""
        a, b, c, d = self.cells.T
        n1, n2 = a + b, c + d
        z1, z2 = level + eta / 2, level - eta / 2
        p1, p2 = special.expit(z1), special.expit(z2)
        value = a * z1 - n1 * np.logaddexp(0, z1) + c * z2 - n2 * np.logaddexp(0, z2)
        value = value + log_choose(n1, a) + log_choose(n2, c)
        return value, a - n1 * p1, c - n2 * p2, n1 * p1 * (1 - p1), n2 * p2 * (1 - p2)


@dataclass(frozen=True, slots=True, eq=False)
class TwoPoissons:
    """Both arms Poisson, log rates level + eta/2 and level - eta/2 (unconditional)."""

    cells: FloatArray

    def parts(
        self, level: FloatArray, eta: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return value, residuals and weights of both arms."""
        x1, t1, x2, t2 = self.cells.T
        z1, z2 = level + eta / 2, level - eta / 2
        m1, m2 = t1 * np.exp(z1), t2 * np.exp(z2)
        value = x1 * (np.log(t1) + z1) - m1 + x2 * (np.log(t2) + z2) - m2
        value = value - special.gammaln(x1 + 1) - special.gammaln(x2 + 1)
        return value, x1 - m1, x2 - m2, m1, m2
