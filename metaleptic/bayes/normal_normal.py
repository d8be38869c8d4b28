"""The normal-normal model given tau: everything but tau is normal and has a closed form.

Studies y_i ~ N(theta_i, v_i), theta_i ~ N(mu, tau^2), mu flat or normal. Arrays only: y and v of shape (m, k), tau of
shape (b, n), results of shape (m, n); ``keep`` is 1 where a study is present and 0 where it is absent.

Source: Roever C. J Stat Softw 2020;93(6):1-51, sections 2.2 to 2.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.types import FloatArray

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What is known of mu for each tau: its mean and standard deviation, and the log-likelihood of tau."""

    mean: FloatArray
    sd: FloatArray
    loglik: FloatArray


def given_tau(y: Any, v: Any, keep: Any, tau: Any, mu: tuple[float, Any] | None) -> Given:
    """Return mean and sd of mu for each tau, and the log-likelihood of tau with mu integrated out.

    With a flat prior on mu the integral is over Lebesgue measure. A prior sd of 0 fixes mu at the prior mean; sds of shape
    (m, 1) give each analysis its own.
    """
    total = v[:, :, None] + (tau * tau)[:, None, :]
    if keep is None:
        w = 1 / total
        logs = np.log(total)
        k: Any = y.shape[1]
    else:
        w = keep[:, :, None] / total
        logs = keep[:, :, None] * np.log(total)
        k = np.add.reduce(keep, axis=1)[:, None]
    precision = np.add.reduce(w, axis=1)
    weighted = np.add.reduce(w * y[:, :, None], axis=1)
    base = -0.5 * np.add.reduce(logs, axis=1)
    if mu is None:
        mean = weighted / precision
        base = base - 0.5 * (np.log(precision) + (k - 1) * LOG_2PI)
        extra: Any = 0.0
    elif np.ndim(mu[1]) == 0 and mu[1] == 0:
        mean = np.full_like(weighted, mu[0])
        base = base - 0.5 * k * LOG_2PI
        precision, extra = np.full_like(precision, np.inf), 0.0
    else:
        prior = 1 / mu[1] ** 2
        precision = precision + prior
        mean = (weighted + prior * mu[0]) / precision
        extra = prior * (mu[0] - mean) ** 2
        base = base - 0.5 * (np.log(precision) + k * LOG_2PI) - np.log(mu[1])
    away = y[:, :, None] - mean[:, None, :]
    q = np.add.reduce(w * away * away, axis=1)
    return Given(mean, 1 / np.sqrt(precision), base - 0.5 * (q + extra))


def study_given_tau(y: Any, v: Any, tau: Any, mean: Any, sd: Any) -> tuple[Any, Any]:
    """Return mean and sd of each study's true effect for each tau: the last axes are studies and nodes."""
    t2 = (tau * tau)[..., None, :]
    pull = v[..., :, None] / (v[..., :, None] + t2)  # weight of the pooled effect against the study's own
    centre = pull * mean[..., None, :] + (1 - pull) * y[..., :, None]
    return centre, np.sqrt(pull * t2 + (pull * sd[..., None, :]) ** 2)


def weight_given_tau(v: Any, tau: Any, sd: Any) -> Any:
    """Return each study's weight in the mean of mu, for each tau; with a prior on mu they sum to less than 1."""
    return (sd * sd)[..., None, :] / (v[..., :, None] + (tau * tau)[..., None, :])
