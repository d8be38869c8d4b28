"""What each study says of its true effect, as a likelihood instead of an estimate with a standard error.

A likelihood takes values of theta (analysis scale) of shape (1, j) or (k, j) and returns log-likelihoods of shape (k, j).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.types import BoolArray, FloatArray

_HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))


@dataclass(frozen=True, slots=True, eq=False)
class StudyLikelihood:
    """Log-likelihoods of k studies, and where and how narrow they are.

    Attributes
    ----------
    log : callable
        Vectorised log-likelihood.
    centre, scale : ndarray of shape (k,)
        A value of theta near the top of each, and a width below which it does not change much.
    falls_left, falls_right : ndarray of bool, shape (k,)
        Whether it fades as theta goes to minus or plus infinity: 0 of n patients does not to the left.
    """

    log: Callable[[FloatArray], FloatArray]
    centre: FloatArray
    scale: FloatArray
    falls_left: BoolArray
    falls_right: BoolArray

    def __len__(self) -> int:
        return len(self.centre)

    def take(self, index: list[int]) -> StudyLikelihood:
        """Return the studies at these positions."""
        whole = self.log
        return StudyLikelihood(
            lambda theta: np.asarray(whole(theta)[index]),
            self.centre[index],
            self.scale[index],
            self.falls_left[index],
            self.falls_right[index],
        )


def normal(y: FloatArray, v: FloatArray) -> StudyLikelihood:
    """Read estimates with known variances: y ~ N(theta, v)."""
    yes = np.ones(len(y), dtype=bool)

    def log(theta: FloatArray) -> FloatArray:
        z2 = (y[:, None] - theta) ** 2 / v[:, None]
        return np.asarray(-0.5 * (z2 + np.log(v)[:, None]) - _HALF_LOG_2PI)

    return StudyLikelihood(log, y, np.sqrt(v), yes, yes)


def binomial(x: FloatArray, n: FloatArray) -> StudyLikelihood:
    """Read counts x of n: x ~ Binomial(n, expit(theta))."""
    constant = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
    p = (x + 0.5) / (n + 1)

    def log(theta: FloatArray) -> FloatArray:
        fail = np.maximum(theta, 0.0) + np.log1p(np.exp(-np.abs(theta)))  # log(1 + exp(theta))
        return np.asarray(constant[:, None] + x[:, None] * theta - n[:, None] * fail)

    return StudyLikelihood(log, special.logit(p), 1 / np.sqrt((n + 1) * p * (1 - p)), x > 0, x < n)


def poisson(x: FloatArray, exposure: FloatArray) -> StudyLikelihood:
    """Read events in a time at risk: x ~ Poisson(exposure * exp(theta))."""
    constant = x * np.log(exposure) - special.gammaln(x + 1)

    def log(theta: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return np.asarray(constant[:, None] + x[:, None] * theta - exposure[:, None] * np.exp(theta))

    return StudyLikelihood(log, np.log((x + 0.5) / exposure), 1 / np.sqrt(x + 0.5), x > 0, np.ones(len(x), dtype=bool))
