"""The likelihood of the normal-normal model profiled over tau2, for a given mean. Hardy RJ, Thompson SG 1996."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.pooling.heterogeneity import maximum_likelihood
from metaleptic.pooling.likelihood_peaks import highest_peak
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class Profile:
    """A mean, the best tau2 for it, the log-likelihood there (without constants) and the SE of the mean at that tau2."""

    mu: float
    tau2: float
    loglik: float
    se: float


def profile_maximum(y: FloatArray, v: FloatArray) -> Profile:
    """Return the maximum likelihood estimate."""
    tau2 = float(maximum_likelihood(y, v, 1.0))
    w = 1 / (v + tau2)
    mu = float(np.sum(w * y) / np.sum(w))
    return Profile(mu, tau2, _loglik(y, v, mu, tau2), float(np.sqrt(1 / np.sum(w))))


def profile_at(y: FloatArray, v: FloatArray, mu: float) -> Profile:
    """Return the best tau2 for this mean."""
    squares = (y - mu) ** 2

    def score(t: FloatArray) -> tuple[FloatArray, FloatArray]:
        w = 1 / (v + np.asarray(t)[..., None])
        return (w * w * squares - w).sum(-1), (w * w - 2 * w**3 * squares).sum(-1)

    def loglik(t: FloatArray) -> FloatArray:
        total = v + np.asarray(t)[..., None]
        return np.asarray(-0.5 * (np.log(total) + squares / total).sum(-1))

    tau2 = float(
        highest_peak(
            lambda grid: score(grid)[0],
            score,
            loglik,
            np.asarray(v.min()),
            np.asarray(v.max()),
            np.asarray(squares.sum()),
        )
    )
    return Profile(mu, tau2, float(loglik(np.asarray(tau2))), float(np.sqrt(1 / np.sum(1 / (v + tau2)))))


def _loglik(y: FloatArray, v: FloatArray, mu: float, tau2: float) -> float:
    total = v + tau2
    return float(-0.5 * np.sum(np.log(total) + (y - mu) ** 2 / total))
