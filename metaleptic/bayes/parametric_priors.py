"""Families of priors on tau with a closed form: half-normal to inverse gamma."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.prior import Prior, finite_parameter, positive_parameters

_HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))
_LOG_2 = float(np.log(2.0))
_BEYOND_ONE = 1 + 1e-9  # tau^-1 with powers of log(tau): integrable, though the power alone is not
GELMAN = "Gelman A. Bayesian Anal 2006;1:515-534"
ROEVER_2021 = "Roever C et al. Res Synth Methods 2021;12:448-474"
TURNER_FORM = "Turner RM et al. Stat Med 2015;34:984-998"
RHODES_FORM = "Rhodes KM et al. J Clin Epidemiol 2015;68:52-60"
BARTOS_FORM = "Bartos F et al. arXiv:2306.11468 (2023)"


def half_normal(scale: float) -> Prior:
    """Small heterogeneity is likeliest, large values fade fast: the usual weakly informative prior.

    Source: Roever C et al. Res Synth Methods 2021;12:448-474 (scale 0.5 or 1 for log ratios).

    Examples
    --------
    >>> half_normal(0.5)
    half-normal(scale=0.5) prior on tau: median 0.34, 95% below 0.98
    """
    parameters = positive_parameters(scale=scale)
    constant = _LOG_2 - _HALF_LOG_2PI - np.log(scale)
    return Prior(
        "half_normal",
        "half-normal",
        parameters,
        lambda tau, v: constant - 0.5 * (tau / scale) ** 2,
        True,
        np.inf,
        ROEVER_2021,
        closed_cdf=lambda x: special.erf(x / scale / np.sqrt(2)),
        closed_quantile=lambda p: scale * special.ndtri((1 + p) / 2),
    )


def half_t(df: float, scale: float) -> Prior:
    """Like half-normal with a heavier tail: large heterogeneity stays possible.

    Source: Gelman A. Bayesian Anal 2006;1:515-534.

    Examples
    --------
    >>> half_t(4, 0.5)
    half-t(df=4, scale=0.5) prior on tau: median 0.37, 95% below 1.4
    """
    parameters = positive_parameters(df=df, scale=scale)
    constant = (
        _LOG_2 + special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - 0.5 * np.log(df * np.pi) - np.log(scale)
    )
    return Prior(
        "half_t",
        "half-t",
        parameters,
        lambda tau, v: constant - (df + 1) * np.log(np.hypot(1, tau / (scale * np.sqrt(df)))),
        True,
        df + 1.0,
        GELMAN,
        closed_cdf=lambda x: 2 * special.stdtr(df, x / scale) - 1,
        closed_quantile=lambda p: scale * special.stdtrit(df, (1 + p) / 2),
    )


def half_cauchy(scale: float) -> Prior:
    """Half-t with one degree of freedom: the heaviest tail in common use.

    Source: Gelman A. Bayesian Anal 2006;1:515-534.

    Examples
    --------
    >>> half_cauchy(0.5)
    half-Cauchy(scale=0.5) prior on tau: median 0.5, 95% below 6.4
    """
    parameters = positive_parameters(scale=scale)
    constant = np.log(2 / np.pi / scale)
    return Prior(
        "half_cauchy",
        "half-Cauchy",
        parameters,
        lambda tau, v: constant - 2 * np.log(np.hypot(1, tau / scale)),
        True,
        2.0,
        GELMAN,
        closed_cdf=lambda x: 2 / np.pi * np.arctan(x / scale),
        closed_quantile=lambda p: scale * np.tan(np.pi / 2 * p),
    )


def uniform(upper: float | None = None) -> Prior:
    """All values up to ``upper`` are equally likely; without ``upper`` all values whatever (improper: needs 3 studies).

    Source: Gelman A. Bayesian Anal 2006;1:515-534.

    Examples
    --------
    >>> uniform(2)
    uniform(upper=2) prior on tau: median 1, 95% below 1.9
    >>> uniform()
    uniform() prior on tau (improper)
    """
    if upper is None:
        return Prior("uniform", "uniform", (), lambda tau, v: np.zeros_like(tau), False, 0.0, GELMAN)
    parameters = positive_parameters(upper=upper)
    level = -np.log(upper)
    return Prior(
        "uniform",
        "uniform",
        parameters,
        lambda tau, v: np.full_like(tau, level),
        True,
        np.inf,
        GELMAN,
        upper=float(upper),
        closed_cdf=lambda x: np.minimum(x / upper, 1.0),
        closed_quantile=lambda p: upper * p,
    )


def exponential(rate: float) -> Prior:
    """Small heterogeneity is likeliest; the mean is 1 / rate.

    Source: Roever C et al. Res Synth Methods 2021;12:448-474.

    Examples
    --------
    >>> exponential(2)
    exponential(rate=2) prior on tau: median 0.35, 95% below 1.5
    """
    parameters = positive_parameters(rate=rate)
    constant = np.log(rate)
    return Prior(
        "exponential",
        "exponential",
        parameters,
        lambda tau, v: constant - rate * tau,
        True,
        np.inf,
        ROEVER_2021,
        closed_cdf=lambda x: -np.expm1(-rate * x),
        closed_quantile=lambda p: -np.log1p(-p) / rate,
    )


def half_logistic(scale: float) -> Prior:
    """Between half-normal and exponential: flat at 0, with a tail that fades like an exponential one.

    Source: Roever C et al. Res Synth Methods 2021;12:448-474.

    Examples
    --------
    >>> half_logistic(0.3)
    half-logistic(scale=0.3) prior on tau: median 0.33, 95% below 1.1
    """
    parameters = positive_parameters(scale=scale)
    constant = _LOG_2 - np.log(scale)
    return Prior(
        "half_logistic",
        "half-logistic",
        parameters,
        lambda tau, v: constant - tau / scale - 2 * np.log1p(np.exp(-tau / scale)),
        True,
        np.inf,
        ROEVER_2021,
        closed_cdf=lambda x: np.tanh(x / (2 * scale)),
        closed_quantile=lambda p: 2 * scale * np.arctanh(p),
    )


def lomax(shape: float, scale: float) -> Prior:
    """Let the rate of an exponential prior be uncertain itself (gamma): likeliest at 0, with a heavy tail.

    Source: Roever C et al. Res Synth Methods 2021;12:448-474.

    Examples
    --------
    >>> lomax(2, 0.5)
    Lomax(shape=2, scale=0.5) prior on tau: median 0.21, 95% below 1.7
    """
    parameters = positive_parameters(shape=shape, scale=scale)
    constant = np.log(shape) - np.log(scale)
    return Prior(
        "lomax",
        "Lomax",
        parameters,
        lambda tau, v: constant - (shape + 1) * np.log1p(tau / scale),
        True,
        shape + 1.0,
        ROEVER_2021,
        closed_cdf=lambda x: -np.expm1(-shape * np.log1p(x / scale)),
        closed_quantile=lambda p: scale * np.expm1(-np.log1p(-p) / shape),
    )


def log_normal(mu: float, sigma: float) -> Prior:
    """Log(tau) is normal with mean ``mu`` and standard deviation ``sigma`` (halve both if they are stated for tau2).

    Source: Turner RM et al. Stat Med 2015;34:984-998.

    Examples
    --------
    >>> log_normal(-1.28, 0.87)
    log-normal(mu=-1.28, sigma=0.87) prior on tau: median 0.28, 95% below 1.2
    """
    parameters = (finite_parameter("mu", mu), *positive_parameters(sigma=sigma))
    constant = -_HALF_LOG_2PI - np.log(sigma)

    def log_density(tau: Any, v: Any) -> Any:
        log_tau = np.log(tau)
        return constant - log_tau - 0.5 * ((log_tau - mu) / sigma) ** 2

    return Prior(
        "log_normal",
        "log-normal",
        parameters,
        log_density,
        True,
        np.inf,
        TURNER_FORM,
        closed_cdf=lambda x: special.ndtr((_log(x) - mu) / sigma),
        closed_quantile=lambda p: np.exp(mu + sigma * special.ndtri(p)),
    )


def log_student_t(df: float, location: float, scale: float) -> Prior:
    """Log(tau) is Student t: the form of Rhodes' priors (halve location and scale if they are stated for tau2).

    Source: Rhodes KM et al. J Clin Epidemiol 2015;68:52-60.

    Examples
    --------
    >>> log_student_t(5, -1.72, 1.295)
    log-t(df=5, location=-1.72, scale=1.295) prior on tau: median 0.18, 95% below 2.4
    """
    parameters = (
        *positive_parameters(df=df),
        finite_parameter("location", location),
        *positive_parameters(scale=scale),
    )
    constant = special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - 0.5 * np.log(df * np.pi) - np.log(scale)

    def log_density(tau: Any, v: Any) -> Any:
        log_tau = np.log(tau)
        return constant - log_tau - (df + 1) / 2 * np.log1p(((log_tau - location) / scale) ** 2 / df)

    return Prior(
        "log_student_t",
        "log-t",
        parameters,
        log_density,
        True,
        _BEYOND_ONE,
        RHODES_FORM,
        closed_cdf=lambda x: special.stdtr(df, (_log(x) - location) / scale),
        closed_quantile=lambda p: np.exp(location + scale * special.stdtrit(df, p)),
    )


def inverse_gamma(shape: float, scale: float) -> Prior:
    """Tau itself (not its square) is inverse gamma: heterogeneity near 0 is ruled out.

    Source: Bartos F et al. arXiv:2306.11468, 2023 (empirical values for log ratios).

    Examples
    --------
    >>> inverse_gamma(1.77, 0.55)
    inverse-gamma(shape=1.77, scale=0.55) prior on tau: median 0.38, 95% below 2.1
    """
    parameters = positive_parameters(shape=shape, scale=scale)
    constant = shape * np.log(scale) - special.gammaln(shape)

    def cdf(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return special.gammaincc(shape, scale / x)

    return Prior(
        "inverse_gamma",
        "inverse-gamma",
        parameters,
        lambda tau, v: constant - (shape + 1) * np.log(tau) - scale / tau,
        True,
        shape + 1.0,
        BARTOS_FORM,
        closed_cdf=cdf,
        closed_quantile=lambda p: scale / special.gammainccinv(shape, p),
    )


def _log(x: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.log(x)
