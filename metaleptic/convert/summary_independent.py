"""A survival summary taken as independent normal terms, as some authors do: too sure, kept to compare with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import optimize, special

from metaleptic.convert.summary_models import MODELS, log_median
from metaleptic.errors import DataError, NotEstimableError
from metaleptic.types import FloatArray


def fit_independent(
    model: str, times: FloatArray, observed: FloatArray, se: FloatArray, median: float | None
) -> tuple[FloatArray, FloatArray, float]:
    """Fit by least squares of transformed numbers, each weighted by its own error."""
    curve = MODELS[model]

    def weighted(parameters: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            fitted = np.log(-np.log(np.clip(curve(times, parameters), 1e-300, 1 - 1e-16)))
        gap = observed - fitted
        if median is not None:  # the median enters as log time, the way its interval is printed
            gap[0] = np.log(median) - log_median(model, parameters)
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


def terms_of(
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
