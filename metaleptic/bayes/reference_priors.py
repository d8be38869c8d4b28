"""Priors on tau that look at the studies' variances: Jeffreys', Berger and Deely's, DuMouchel's, shrinkage, I2."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from metaleptic.bayes.prior import LogDensity, Prior, total_of
from metaleptic.errors import OptionError

_LOG_2 = float(np.log(2.0))
BERGER_DEELY = "Berger JO, Deely J. J Am Stat Assoc 1988;83:364-373"
DUMOUCHEL = (
    "DuMouchel WH, Normand SL, in: Stangl DK, Berry DA (eds). Meta-Analysis in Medicine and Health Policy. Dekker 2000"
)
DANIELS = "Daniels MJ. Can J Stat 1999;27:567-578"
HIGGINS = "Higgins JPT, Thompson SG. Stat Med 2002;21:1539-1558"
ROEVER_2020 = "Roever C. J Stat Softw 2020;93(6):1-51"


def _log_ratio(tau: Any, v: Any, power: float = 1.0) -> Any:
    """Return log(tau / (v + tau^2)^power), studies on the axis before the last."""
    return np.log(tau)[..., None, :] - power * np.log(v[..., :, None] + (tau * tau)[..., None, :])


def _typical_variance(v: Any) -> Any:
    """Return the harmonic mean of the variances."""
    return (1 / np.mean(1 / v, axis=-1))[..., None]


def jeffreys() -> Prior:
    """Let the data speak, as little said beforehand as can be (improper: needs 2 studies).

    Source: Roever C. J Stat Softw 2020;93(6):1-51, section 2.5; the Fisher information of tau.
    """

    def log_density(tau: Any, v: Any) -> Any:
        terms = 2 * _log_ratio(tau, v)
        top = np.max(terms, axis=-2, keepdims=True)
        return 0.5 * (np.log(np.add.reduce(np.exp(terms - top), axis=-2)) + top[..., 0, :])

    return Prior("jeffreys", "Jeffreys", (), log_density, False, 1.0, ROEVER_2020, needs_data=True)


def berger_deely() -> Prior:
    """Jeffreys' prior of a typical study (improper: needs 2 studies).

    Source: Berger JO, Deely J. J Am Stat Assoc 1988;83:364-373.
    """

    def log_density(tau: Any, v: Any) -> Any:
        return np.mean(_log_ratio(tau, v), axis=-2)

    return Prior("berger_deely", "Berger-Deely", (), log_density, False, 1.0, BERGER_DEELY, needs_data=True)


def conventional() -> Prior:
    """Berger and Deely's prior with a lighter tail, known up to a constant that quadrature supplies.

    Source: Berger JO, Deely J. J Am Stat Assoc 1988;83:364-373.
    """

    def log_density(tau: Any, v: Any) -> Any:
        return np.mean(_log_ratio(tau, v, 1.5), axis=-2)

    return Prior("conventional", "conventional", (), _normalised(log_density), True, 2.0, BERGER_DEELY, needs_data=True)


def dumouchel() -> Prior:
    """Half of the weight below the standard error of a typical study, with a heavy tail.

    Source: DuMouchel WH, Normand SL, in: Stangl DK, Berry DA (eds). Meta-Analysis in Medicine and Health Policy. 2000.
    """

    def log_density(tau: Any, v: Any) -> Any:
        s = np.sqrt(_typical_variance(v))
        return np.log(s) - 2 * np.log(s + tau)

    return Prior("dumouchel", "DuMouchel", (), log_density, True, 2.0, DUMOUCHEL, needs_data=True)


def shrinkage() -> Prior:
    """All amounts of shrinkage of a typical study towards the mean are equally likely.

    Source: Daniels MJ. Can J Stat 1999;27:567-578.
    """

    def log_density(tau: Any, v: Any) -> Any:
        s2 = _typical_variance(v)
        return _LOG_2 + np.log(s2) + np.log(tau) - 2 * np.log(s2 + tau * tau)

    return Prior(
        "shrinkage",
        "uniform shrinkage",
        (),
        log_density,
        True,
        3.0,
        DANIELS,
        needs_data=True,
    )


def i2() -> Prior:
    """All values of I2 between 0 and 100% are equally likely.

    Source: Higgins JPT, Thompson SG. Stat Med 2002;21:1539-1558 (the typical variance in I2).
    """

    def log_density(tau: Any, v: Any) -> Any:
        w = 1 / v
        total = np.add.reduce(w, axis=-1)
        if v.shape[-1] < 2:
            raise OptionError(
                "the uniform-I2 prior needs 2 studies: with one there is no I2. Choose another, for example half-normal."
            )
        s2 = ((v.shape[-1] - 1) * total / (total**2 - np.add.reduce(w * w, axis=-1)))[..., None]
        return _LOG_2 + np.log(s2) + np.log(tau) - 2 * np.log(s2 + tau * tau)

    return Prior("i2", "uniform I2", (), log_density, True, 3.0, HIGGINS, needs_data=True)


def uniform_sqrt() -> Prior:
    """All values of the square root of tau are equally likely (improper: needs 2 studies).

    Source: Roever C. J Stat Softw 2020;93(6):1-51, section 2.5.
    """
    return Prior("uniform_sqrt", "uniform sqrt(tau)", (), lambda tau, v: -0.5 * np.log(tau), False, 0.5, ROEVER_2020)


def _normalised(log_density: LogDensity) -> LogDensity:
    """Return a density divided by its integral, which depends on the variances."""

    @lru_cache(maxsize=1024)
    def log_total(variances: tuple[float, ...]) -> float:
        return float(total_of(log_density, np.array(variances), np.inf).log_total[0])

    def whole(tau: Any, v: Any) -> Any:
        rows = [log_total(tuple(row)) for row in v.reshape(-1, v.shape[-1]).tolist()]
        return log_density(tau, v) - np.array(rows).reshape((*v.shape[:-1], 1))

    return whole
