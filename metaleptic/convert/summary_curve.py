"""One arm's whole survival summary (median, interval, landmark rates) fitted jointly by a parametric curve.

Weibull: cloglog S(t) = shape (log t - log scale); log-normal: probit S(t) = (mu - log t)/sigma. The likelihood is that of the
deaths between the printed points (see ``summary_likelihood``); on request the printed numbers are independent normal terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import optimize, special

from metaleptic.convert.summary_likelihood import effective_sizes, fit, numbers_at_risk, points_of
from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.types import Estimate, FloatArray, frozen_array

Curve = Callable[[FloatArray, FloatArray], FloatArray]


def weibull(t: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return S(t) of log shape and log scale."""
    return np.asarray(np.exp(-np.exp(np.exp(parameters[0]) * (np.log(t) - parameters[1]))))


def log_normal(t: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return S(t) of log sigma and mu."""
    return np.asarray(special.ndtr((parameters[1] - np.log(t)) / np.exp(parameters[0])))


MODELS: MappingProxyType[str, Curve] = MappingProxyType({"weibull": weibull, "log-normal": log_normal})


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalSummary:
    """A parametric curve through everything that was printed of one arm.

    Attributes
    ----------
    log_median, log_median_se : float
        For pooling: ``ml.effects`` with measure "MEDIAN".
    median : Estimate
        Median with its interval.
    parameters : ndarray of shape (2,)
        Log shape and log scale (Weibull), log sigma and mu (log-normal).
    cov : ndarray of shape (2, 2)
        Their covariance.
    model : str
        "weibull" or "log-normal".
    misfit : float
        How far the printed numbers are from the curve: deviance (sum of squared standardised differences if independent).
    level : float
        Level of the interval.
    """

    log_median: float
    log_median_se: float
    median: Estimate
    parameters: FloatArray
    cov: FloatArray
    model: str
    misfit: float
    level: float

    def survival(self, t: float) -> float:
        """Return the fitted survival at time t."""
        return float(MODELS[self.model](np.asarray(t, dtype=np.float64), self.parameters))

    def __repr__(self) -> str:
        shape = np.exp(self.parameters[0])
        name = f"shape {shape:.3g}" if self.model == "weibull" else f"sigma {shape:.3g}"
        return f"median {self.median}\n{self.model}, {name}; misfit {self.misfit:.2g}"


def survival_summary(
    *,
    n: float,
    median: float | None = None,
    low: float | None = None,
    high: float | None = None,
    rates: Mapping[float, float] | None = None,
    at_risk: Mapping[float, float] | None = None,
    model: str = "weibull",
    not_reached_at: float | None = None,
    independent: bool = False,
    level: float = 0.95,
) -> SurvivalSummary:
    """Fit one curve to the median, its interval and the survival rates that a paper prints of one arm.

    Parameters
    ----------
    n : float
        Number of patients.
    median, low, high : float, optional
        Median and its interval; ``high`` may be infinite ("not reached").
    rates : mapping of time to survival, optional
        Landmark rates as fractions: {12: 0.42, 24: 0.21}.
    at_risk : mapping of time to number, optional
        Numbers at risk at these times, for the error of the rates; without them n serves (no censoring).
    model : {"weibull", "log-normal"}, default "weibull"
        Shape of the curve.
    not_reached_at : float, optional
        Time by which the median was not reached, in place of ``median``: it bounds the curve from below.
    independent : bool, default False
        Treat the printed numbers as independent normal terms, as some authors do: too sure.
    level : float, default 0.95
        Level of the printed and of the returned interval.

    Returns
    -------
    SurvivalSummary

    Raises
    ------
    DataError
        If a number cannot be right.
    NotEstimableError
        If fewer than two numbers are given: a curve of two parameters needs two.

    Notes
    -----
    The likelihood is that of a life table: of those at risk at one printed point a share lives to the next, a binomial
    observation of the life-table size (at risk less half the censored). So the points may hang together as on a Kaplan-Meier
    curve they do, and numbers at risk, where printed, weaken the late ones. The interval of the median is checked, not used: it
    repeats what n and the curve say. With ``independent=True`` the median carries the error of its interval (log scale) and a
    rate that of Greenwood by its number at risk. Source: Efron B. J Am Stat Assoc 1988;83:414-425.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.survival_summary(n=82, median=8.3, low=5.7, high=11, rates={12: 0.42, 24: 0.21}, independent=True)
    median 8.52 (95% CI 6.392 to 11.36)
    weibull, shape 0.773; misfit 0.1
    """
    check_level(level)
    if model not in MODELS:
        raise OptionError(f"model {model!r} is unknown. Choose one of: {', '.join(MODELS)}.")
    times, observed, se = _terms(n, median, low, high, rates or {}, at_risk or {}, level)
    known = len(times) + (not_reached_at is not None)
    if known < 2:
        raise NotEstimableError(
            "a curve of two parameters needs at least two numbers: a median with its interval, rates."
        )
    if not_reached_at is not None and (median is not None or not not_reached_at > 0):
        raise DataError(
            "not_reached_at is the time, above 0, by which a median was not reached: then there is no median."
        )
    if independent:
        if not_reached_at is not None:
            raise OptionError("not_reached_at belongs to the likelihood: leave independent=True out.")
        parameters, cov, misfit = _fit_independent(model, times, observed, se, median)
    else:
        parameters, cov, misfit = _fit_jointly(model, n, median, rates or {}, at_risk or {}, not_reached_at)
    log_median = _log_median(model, parameters)
    gradient = _median_gradient(model, parameters)
    spread = float(np.sqrt(gradient @ cov @ gradient))
    half = float(special.ndtri(0.5 + level / 2)) * spread
    bounds = [float(np.exp(log_median + side * half)) for side in (-1, 1)]
    return SurvivalSummary(
        log_median=log_median,
        log_median_se=spread,
        median=Estimate(float(np.exp(log_median)), bounds[0], bounds[1], level),
        parameters=frozen_array(parameters),
        cov=frozen_array(cov),
        model=model,
        misfit=misfit,
        level=level,
    )


def _fit_jointly(
    model: str,
    n: float,
    median: float | None,
    rates: Mapping[float, float],
    at_risk: Mapping[float, float],
    not_reached_at: float | None,
) -> tuple[FloatArray, FloatArray, float]:
    """Maximise the likelihood of what happened between the printed points."""
    times, survival = points_of(median, rates)
    lives, size = effective_sizes(n, survival, numbers_at_risk(n, times, survival, at_risk))
    middle = float(np.median(times)) if len(times) else float(not_reached_at or 1.0)
    s = float(np.median(survival)) if len(times) else 0.6
    scale = np.log(middle) - np.log(-np.log(s)) if model == "weibull" else np.log(middle) + special.ndtri(s)
    late = None
    if not_reached_at is not None:
        reach = np.concatenate([times, [not_reached_at]])
        still = numbers_at_risk(n, reach, np.append(survival, min(s, 0.6)), at_risk)
        late = (not_reached_at, float(max(still[-1] / 0.6, 1.0)))
    return fit(MODELS[model], np.array([0.0, float(scale)]), times, lives, size, late)


def _fit_independent(
    model: str, times: FloatArray, observed: FloatArray, se: FloatArray, median: float | None
) -> tuple[FloatArray, FloatArray, float]:
    """Fit by least squares of transformed numbers, each weighted by its own error."""
    curve = MODELS[model]

    def weighted(parameters: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            fitted = np.log(-np.log(np.clip(curve(times, parameters), 1e-300, 1 - 1e-16)))
        gap = observed - fitted
        if median is not None:  # the median enters as log time, the way its interval is printed
            gap[0] = np.log(median) - _log_median(model, parameters)
        return np.asarray(gap / se)

    start = np.array([0.0, float(np.log(np.median(times)))])
    found = optimize.least_squares(weighted, start, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    if not found.success:
        raise NotEstimableError("the curve could not be fitted to these numbers: they contradict each other.")
    jacobian = np.asarray(found.jac, dtype=np.float64)
    return (
        np.asarray(found.x),
        np.asarray(np.linalg.inv(jacobian.T @ jacobian), dtype=np.float64),
        float(2 * found.cost),
    )


def _log_median(model: str, parameters: FloatArray) -> float:
    if model == "weibull":
        return float(parameters[1] + np.log(np.log(2)) / np.exp(parameters[0]))
    return float(parameters[1])


def _median_gradient(model: str, parameters: FloatArray) -> FloatArray:
    if model == "weibull":
        return np.array([-np.log(np.log(2)) / np.exp(parameters[0]), 1.0])
    return np.array([0.0, 1.0])


def _terms(
    n: float,
    median: float | None,
    low: float | None,
    high: float | None,
    rates: Mapping[float, float],
    at_risk: Mapping[float, float],
    level: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return times, observed log(-log S) and standard errors (the median first, on the log time scale)."""
    z = float(special.ndtri(0.5 + level / 2))
    times: list[float] = []
    observed: list[float] = []
    se: list[float] = []
    if median is not None:
        times.append(median)
        observed.append(float(np.log(np.log(2))))
        se.append(_median_se(n, median, low, high, z))
    for t, s in sorted(rates.items()):
        if not 0 < s < 1 or t <= 0:
            raise DataError(f"the rate {s:g} at time {t:g} must lie between 0 and 1, at a time above 0.")
        size = at_risk.get(t)
        variance = (1 - s) / (n * s) if size is None else (1 - s) / size  # of log S; Peto's with the number at risk
        times.append(float(t))
        observed.append(float(np.log(-np.log(s))))
        se.append(float(np.sqrt(variance) / abs(np.log(s))))
    return np.array(times), np.array(observed), np.array(se)


def _median_se(n: float, median: float, low: float | None, high: float | None, z: float) -> float:
    if low is not None and not 0 < low <= median:
        raise DataError(f"low {low:g} must be above 0 and not above the median {median:g}.")
    if high is not None and high < median:
        raise DataError(f"high {high:g} is below the median {median:g}. Are they swapped?")
    if low is not None and high is not None and np.isfinite(high) and high > low:
        return float(np.log(high / low)) / (2 * z)
    if low is not None and low < median:
        return float(np.log(median / low)) / z
    return 1.4427 / float(np.sqrt(n))
