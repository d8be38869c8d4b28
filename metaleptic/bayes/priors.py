"""PRIORS: what may be believed about the heterogeneity tau, one function per family, each with its source.

All are densities of tau, the standard deviation between studies on the analysis scale (log hazard ratio, logit ...),
never of its square. ``repr`` shows where a prior puts its weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.empirical_priors import bartos_parameters, rhodes_parameters, turner_parameters
from metaleptic.bayes.panels import Panels
from metaleptic.bayes.prior import LogDensity, Prior, total_of
from metaleptic.errors import OptionError

_HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))
_LOG_2 = float(np.log(2.0))
_BEYOND_ONE = 1 + 1e-9  # tau^-1 with powers of log(tau): integrable, though the power alone is not
GELMAN = "Gelman A. Bayesian Anal 2006;1:515-534"
ROEVER_2021 = "Roever C et al. Res Synth Methods 2021;12:448-474"
ROEVER_2020 = "Roever C. J Stat Softw 2020;93(6):1-51"
SPIEGELHALTER = "Spiegelhalter DJ, Abrams KR, Myles JP. Bayesian Approaches to Clinical Trials. Wiley 2004, section 5.7"
SPREAD_95 = float(special.ndtri(0.975))


def _positive(**values: float) -> tuple[tuple[str, float], ...]:
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise OptionError(f"{name} {value!r} must be a number above 0.")
    return tuple((name, float(value)) for name, value in values.items())


def half_normal(scale: float) -> Prior:
    """Small heterogeneity is likeliest, large values fade fast: the usual weakly informative prior.

    Source: Roever C et al. Res Synth Methods 2021;12:448-474 (scale 0.5 or 1 for log ratios).

    Examples
    --------
    >>> half_normal(0.5)
    half-normal(scale=0.5) prior on tau: median 0.34, 95% below 0.98
    """
    parameters = _positive(scale=scale)
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
    parameters = _positive(df=df, scale=scale)
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
    parameters = _positive(scale=scale)
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
    parameters = _positive(upper=upper)
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
    parameters = _positive(rate=rate)
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


def log_normal(mu: float, sigma: float) -> Prior:
    """Log(tau) is normal with mean ``mu`` and standard deviation ``sigma`` (halve both if they are stated for tau2).

    Source: Turner RM et al. Stat Med 2015;34:984-998.

    Examples
    --------
    >>> log_normal(-1.28, 0.87)
    log-normal(mu=-1.28, sigma=0.87) prior on tau: median 0.28, 95% below 1.2
    """
    parameters = (("mu", float(mu)), *_positive(sigma=sigma))
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
        "Turner RM et al. Stat Med 2015;34:984-998",
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
    parameters = (*_positive(df=df), ("location", float(location)), *_positive(scale=scale))
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
        "Rhodes KM et al. J Clin Epidemiol 2015;68:52-60",
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
    parameters = _positive(shape=shape, scale=scale)
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
        "Bartos F et al. arXiv:2306.11468 (2023)",
        closed_cdf=cdf,
        closed_quantile=lambda p: scale / special.gammainccinv(shape, p),
    )


# --- priors that look at the studies' variances -------------------------------------------------


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

    source = "Berger JO, Deely J. J Am Stat Assoc 1988;83:364-373"
    return Prior("berger_deely", "Berger-Deely", (), log_density, False, 1.0, source, needs_data=True)


def conventional() -> Prior:
    """Berger and Deely's prior with a lighter tail, known up to a constant that quadrature supplies.

    Source: Berger JO, Deely J. J Am Stat Assoc 1988;83:364-373.
    """

    def log_density(tau: Any, v: Any) -> Any:
        return np.mean(_log_ratio(tau, v, 1.5), axis=-2)

    source = "Berger JO, Deely J. J Am Stat Assoc 1988;83:364-373"
    return Prior("conventional", "conventional", (), _normalised(log_density), True, 2.0, source, needs_data=True)


def dumouchel() -> Prior:
    """Half of the weight below the standard error of a typical study, with a heavy tail.

    Source: DuMouchel WH, Normand SL, in: Stangl DK, Berry DA (eds). Meta-Analysis in Medicine and Health Policy. 2000.
    """

    def log_density(tau: Any, v: Any) -> Any:
        s = np.sqrt(_typical_variance(v))
        return np.log(s) - 2 * np.log(s + tau)

    source = "DuMouchel WH, Normand SL, in: Stangl DK, Berry DA (eds). Meta-Analysis in Medicine and Health Policy. Dekker 2000"
    return Prior("dumouchel", "DuMouchel", (), log_density, True, 2.0, source, needs_data=True)


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
        "Daniels MJ. Can J Stat 1999;27:567-578",
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

    source = "Higgins JPT, Thompson SG. Stat Med 2002;21:1539-1558"
    return Prior("i2", "uniform I2", (), log_density, True, 3.0, source, needs_data=True)


def uniform_sqrt() -> Prior:
    """All values of the square root of tau are equally likely (improper: needs 2 studies).

    Source: Roever C. J Stat Softw 2020;93(6):1-51, section 2.5.
    """
    return Prior("uniform_sqrt", "uniform sqrt(tau)", (), lambda tau, v: -0.5 * np.log(tau), False, 0.5, ROEVER_2020)


# --- priors learnt from other meta-analyses -----------------------------------------------------


def turner(outcome: str | None = None, comparison: str | None = None) -> Prior:
    """Heterogeneity seen in 14,886 Cochrane meta-analyses of binary outcomes, for log odds ratios.

    Parameters
    ----------
    outcome : str, optional
        Kind of outcome ("all-cause mortality", "adverse events" ...; part of the name will do). Any, by default.
    comparison : str, optional
        "pharmacological vs. placebo / control", "pharmacological vs. pharmacological" or one with
        "non-pharmacological".

    Notes
    -----
    Source: Turner RM et al. Stat Med 2015;34:984-998, log-normal distributions for tau2 (for any outcome:
    Turner RM et al. Int J Epidemiol 2012;41:818-827).

    Examples
    --------
    >>> turner("all-cause mortality", "pharmacological vs. placebo / control")
    Turner log-normal(mu=-1.975, sigma=0.67) prior on tau: median 0.14, 95% below 0.42
    """
    mu, sigma = turner_parameters(outcome, comparison)
    source = (
        "Turner RM et al. Stat Med 2015;34:984-998" if outcome else "Turner RM et al. Int J Epidemiol 2012;41:818-827"
    )
    return _renamed(log_normal(mu / 2, sigma / 2), "Turner log-normal", source)


def rhodes(outcome: str | None = None, comparison: str | None = None, area: str = "other") -> Prior:
    """Heterogeneity seen in 6,492 Cochrane meta-analyses of continuous outcomes, for standardised mean differences.

    Parameters
    ----------
    outcome : str, optional
        Kind of outcome ("mental health outcome", "biological marker" ...; part of the name will do). Any, by default.
    comparison : str, optional
        "pharmacological vs. placebo / control", "pharmacological vs. pharmacological" or "non-pharmacological (any)".
    area : {"other", "respiratory", "cancer"}
        Field of medicine.

    Notes
    -----
    Source: Rhodes KM et al. J Clin Epidemiol 2015;68:52-60, log-t distributions with 5 degrees of freedom for tau2.

    Examples
    --------
    >>> rhodes("mental health", "pharmacological vs. placebo / control")
    Rhodes log-t(df=5, location=-1.495, scale=1.08) prior on tau: median 0.22, 95% below 2
    """
    location, scale = rhodes_parameters(outcome, comparison, area)
    prior = log_student_t(5, location / 2, scale / 2)
    return _renamed(prior, "Rhodes log-t", "Rhodes KM et al. J Clin Epidemiol 2015;68:52-60")


def bartos(measure: str) -> Prior:
    """Heterogeneity seen in Cochrane reviews of all fields, for log hazard, odds and risk ratios.

    Parameters
    ----------
    measure : {"HR", "OR", "RR"}
        What the effects are.

    Notes
    -----
    Source: Bartos F et al. arXiv:2306.11468 (2023), inverse-gamma distributions for tau.

    Examples
    --------
    >>> bartos("HR")
    Bartos inverse-gamma(shape=2.42, scale=0.3) prior on tau: median 0.14, 95% below 0.56
    """
    shape, scale = bartos_parameters(measure)
    return _renamed(inverse_gamma(shape, scale), "Bartos inverse-gamma", "Bartos F et al. arXiv:2306.11468 (2023)")


# --- priors of one's own ------------------------------------------------------------------------


def in_words(
    *, probability: float, tau: float | None = None, fold: float | None = None, family: str = "half-normal"
) -> Prior:
    """State the prior as a sentence: "I am 90% sure that heterogeneity stays below this".

    Parameters
    ----------
    probability : float
        How sure: 0.9 for 90%.
    tau : float, optional
        The value that tau stays below, on the analysis scale.
    fold : float, optional
        The same for ratios: 95% of the studies' true ratios lie within this factor of their centre
        (tau = log(fold) / 1.96).
    family : {"half-normal", "half-Cauchy", "exponential"}
        Shape of the prior.

    Notes
    -----
    Source: Spiegelhalter DJ, Abrams KR, Myles JP. Bayesian Approaches to Clinical Trials. Wiley 2004, section 5.7.

    Examples
    --------
    >>> in_words(probability=0.9, fold=1.5)
    half-normal(scale=0.1258) prior on tau: median 0.085, 95% below 0.25
    """
    if not 0 < probability < 1:
        raise OptionError(f"probability {probability:g} is not between 0 and 1. Write 0.9 for 90%.")
    if (tau is None) == (fold is None):
        raise OptionError("say either tau=... or fold=...: the value that heterogeneity stays below.")
    if fold is not None:
        if not fold > 1:
            raise OptionError(f"fold {fold:g} must be above 1: 1.5 means 'within a factor of 1.5'.")
        tau = float(np.log(fold)) / SPREAD_95
    families: dict[str, Callable[[float], Prior]] = {
        "half-normal": half_normal,
        "half-Cauchy": half_cauchy,
        "exponential": lambda s: exponential(1 / s),
    }
    if family not in families:
        raise OptionError(f"family {family!r} is unknown. Choose one of: {', '.join(families)}.")
    value = dict(_positive(tau=float(tau or 0.0)))["tau"]
    unit = float(families[family](1.0).quantile(probability))
    prior = families[family](value / unit)
    return _renamed(prior, prior.name, SPIEGELHALTER)


def from_density(
    density: Any, *, name: str = "custom", log: bool = False, upper: float = np.inf, breaks: tuple[float, ...] = ()
) -> Prior:
    """Take any density of tau: a function, or a distribution with ``logpdf`` such as ``scipy.stats.gamma(2)``.

    Parameters
    ----------
    density : callable or distribution
        Vectorised in tau >= 0. It need not integrate to 1 (a distribution that reaches below 0 is cut there).
    name : str
        For sentences.
    log : bool, default False
        Whether the function returns the log density: better far out in the tail.
    upper : float, optional
        End of the support.
    breaks : tuple of float
        Where the density jumps or has a kink, if it does.

    Raises
    ------
    OptionError
        If the density is negative, not a number, or 0 everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from_density(lambda tau: tau * np.exp(-4 * tau), name="gamma")
    gamma() prior on tau
    """
    if hasattr(density, "logpdf"):
        function, log = density.logpdf, True
    elif callable(density):
        function = density
    else:
        raise OptionError(f"a density must be a function of tau or have logpdf, not {type(density).__name__}.")

    def raw(tau: Any, v: Any) -> Any:
        with np.errstate(all="ignore"):
            value = np.asarray(function(tau), dtype=np.float64)
            bad = np.isnan(value) | (value == np.inf) if log else ~(value >= 0) | np.isinf(value)
            if value.shape != np.shape(tau) or bad.any():
                where = f" at tau {np.asarray(tau)[bad].flat[0]:.3g}" if value.shape == np.shape(tau) else ""
                raise OptionError(
                    f"the density {name!r} is not a finite number of at least 0{where}. It must take an array and return one."
                )
            return value if log else np.log(value)

    grid = total_of(raw, np.ones(1), upper, breaks)
    if np.isnan(grid.log_total[0]):
        raise OptionError(
            f"the density {name!r} is 0 wherever it was looked at. Say where it is not: breaks=(low, high)."
        )
    proper = is_proper(grid)
    constant = float(grid.log_total[0]) if proper else 0.0
    far = raw(np.exp(np.array([60.0, 80.0])), None) if np.isinf(upper) else np.array([-np.inf, -np.inf])
    tail = float((far[0] - far[1]) / 20) if np.isfinite(far).all() else np.inf
    return Prior(
        "from_density",
        name,
        (),
        lambda tau, v: raw(tau, v) - constant,
        proper,
        tail,
        "as given",
        upper=float(upper),
        breaks=tuple(float(b) for b in breaks),
    )


def is_proper(grid: Panels) -> bool:
    """Whether the density fades towards both ends of its range instead of piling up there."""
    ends = np.diff(grid.cumulative, axis=1)[:, [0, -1]]
    open_right = grid.edges[:, -1] > 300
    return bool((ends[:, 0] < 1e-6).all() and (np.where(open_right, ends[:, 1], 0.0) < 1e-6).all())


def _normalised(log_density: LogDensity) -> LogDensity:
    """Return a density divided by its integral, which depends on the variances."""

    @lru_cache(maxsize=1024)
    def log_total(variances: tuple[float, ...]) -> float:
        return float(total_of(log_density, np.array(variances), np.inf).log_total[0])

    def whole(tau: Any, v: Any) -> Any:
        rows = [log_total(tuple(row)) for row in v.reshape(-1, v.shape[-1]).tolist()]
        return log_density(tau, v) - np.array(rows).reshape((*v.shape[:-1], 1))

    return whole


def _renamed(prior: Prior, name: str, source: str) -> Prior:
    return replace(prior, name=name, source=source)


def _log(x: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.log(x)


PRIORS: MappingProxyType[str, Callable[..., Prior]] = MappingProxyType(
    {
        f.__name__: f
        for f in (
            half_normal,
            half_t,
            half_cauchy,
            uniform,
            exponential,
            log_normal,
            log_student_t,
            inverse_gamma,
            jeffreys,
            berger_deely,
            conventional,
            dumouchel,
            shrinkage,
            i2,
            uniform_sqrt,
            turner,
            rhodes,
            bartos,
            in_words,
            from_density,
        )
    }
)
