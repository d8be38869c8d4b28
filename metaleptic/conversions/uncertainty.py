"""Standard errors, standard deviations, intervals and p values, one into another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from metaleptic.conversions.arrays import array_of, plain
from metaleptic.errors import DataError, OptionError
from metaleptic.types import FloatArray


def _quantile(level: float, df: Any | None) -> FloatArray:
    if isinstance(level, str) or not 0 < level < 1:
        raise OptionError(f"level {level!r} is not between 0 and 1. Write 0.95 for 95%.")
    tail = 0.5 + level / 2
    return np.asarray(special.ndtri(tail) if df is None else special.stdtrit(array_of(df), tail))


def se_from_interval(low: Any, high: Any, *, level: float = 0.95, df: Any | None = None) -> Any:
    """Return the standard error behind a symmetric interval (of a ratio: give the logarithms of its bounds).

    ``df`` takes the t distribution in place of the normal one, as small studies do for a mean.
    Source: Higgins JPT et al. (eds). Cochrane Handbook, 6.3.1 and 6.5.2.2.

    Examples
    --------
    >>> import metaleptic as ml
    >>> round(ml.conversions.se_from_interval(1.5, 4.5), 4)
    0.7653
    """
    width = array_of(high) - array_of(low)
    if np.any(width < 0):
        raise DataError("the lower bound is above the upper bound. Are they swapped?")
    return plain(width / (2 * _quantile(level, df)))


def interval_from_se(estimate: Any, se: Any, *, level: float = 0.95, df: Any | None = None) -> tuple[Any, Any]:
    """Return the bounds of the symmetric interval of an estimate and its standard error."""
    half = _quantile(level, df) * array_of(se)
    return plain(array_of(estimate) - half), plain(array_of(estimate) + half)


def se_from_p(estimate: Any, p: Any, *, df: Any | None = None, one_sided: bool = False) -> Any:
    """Return the standard error behind an estimate and the p value of its test against 0 (of a ratio: its logarithm).

    A p value printed as a bound ("<0.05") gives a bound of the standard error only: the true one is at most
    ``se_from_p(estimate, 0.05)``. Source: Altman DG, Bland JM. BMJ 2011;343:d2090.
    """
    tail = array_of(p) if one_sided else array_of(p) / 2
    if np.any((tail <= 0) | (tail >= 1)):
        raise DataError("a p value lies between 0 and 1. Write a p value printed as 0.000 as the bound it is.")
    z = -special.ndtri(tail) if df is None else -special.stdtrit(array_of(df), tail)
    with np.errstate(divide="ignore", invalid="ignore"):
        return plain(np.abs(array_of(estimate) / z))


def p_from_se(estimate: Any, se: Any, *, df: Any | None = None) -> Any:
    """Return the two-sided p value of an estimate and its standard error."""
    ratio = -np.abs(array_of(estimate) / array_of(se))
    return plain(2 * (special.ndtr(ratio) if df is None else special.stdtr(array_of(df), ratio)))


def p_from_interval(estimate: Any, low: Any, high: Any, *, level: float = 0.95, df: Any | None = None) -> Any:
    """Return the two-sided p value behind an estimate and its interval. Source: Altman DG, Bland JM. BMJ 2011;343:d2304."""
    return p_from_se(estimate, se_from_interval(low, high, level=level, df=df), df=df)


def se_from_t(estimate: Any, t: Any) -> Any:
    """Return the standard error behind an estimate and its t or z statistic."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return plain(np.abs(array_of(estimate) / array_of(t)))


def t_from_p(p: Any, df: Any, *, sign: Any = 1) -> Any:
    """Return the t statistic of a two-sided p value."""
    return plain(np.sign(array_of(sign)) * -special.stdtrit(array_of(df), array_of(p) / 2))


def sd_from_se(se: Any, n: Any) -> Any:
    """Return the standard deviation of patients from the standard error of their mean."""
    return plain(array_of(se) * np.sqrt(array_of(n)))


def se_from_sd(sd: Any, n: Any) -> Any:
    """Return the standard error of a mean from the standard deviation of its patients."""
    return plain(array_of(sd) / np.sqrt(array_of(n)))


def sd_from_interval(low: Any, high: Any, n: Any, *, level: float = 0.95, distribution: str = "t") -> Any:
    """Return the standard deviation of patients from the interval of their mean.

    ``distribution`` is "t" (n - 1 degrees of freedom, what programs print) or "normal".
    """
    if distribution not in {"t", "normal"}:
        raise OptionError(f'distribution {distribution!r} is unknown. Choose "t" or "normal".')
    df = array_of(n) - 1 if distribution == "t" else None
    return sd_from_se(se_from_interval(low, high, level=level, df=df), n)


def pooled_sd_from_difference(low: Any, high: Any, n1: Any, n2: Any, *, level: float = 0.95) -> Any:
    """Return the common standard deviation of two groups from the (t) interval of their mean difference."""
    a, b = array_of(n1), array_of(n2)
    return plain(se_from_interval(low, high, level=level, df=a + b - 2) / np.sqrt(1 / a + 1 / b))


def combine_groups(mean1: Any, sd1: Any, n1: Any, mean2: Any, sd2: Any, n2: Any) -> tuple[Any, Any, Any]:
    """Return mean, standard deviation and size of two groups taken as one.

    Source: Higgins JPT et al. (eds). Cochrane Handbook, 6.5.2.10.
    """
    m1, s1, a = array_of(mean1), array_of(sd1), array_of(n1)
    m2, s2, b = array_of(mean2), array_of(sd2), array_of(n2)
    if np.any(a < 1) or np.any(b < 1) or np.any(s1 < 0) or np.any(s2 < 0):
        raise DataError("a group has at least one patient and a standard deviation of at least 0.")
    n = a + b
    total = (a - 1) * s1**2 + (b - 1) * s2**2 + a * b / n * (m1 - m2) ** 2
    return plain((a * m1 + b * m2) / n), plain(np.sqrt(total / (n - 1))), plain(n)


def delta_method(y: Any, v: Any, function: Callable[[Any], Any], derivative: Callable[[Any], Any] | None = None) -> Any:
    """Return the transformed effect and its variance, ``f'(y)^2 v`` (delta method).

    Without ``derivative`` the slope is taken numerically (Richardson's extrapolation of central differences).
    """
    at = array_of(y)
    if derivative is not None:
        slope = array_of(derivative(at))
    else:
        step = 1e-3 * np.maximum(np.abs(at), 0.1)

        def central(h: FloatArray) -> FloatArray:
            return (array_of(function(at + h)) - array_of(function(at - h))) / (2 * h)

        rough, middle, fine = central(step), central(step / 2), central(step / 4)
        first, second = (4 * middle - rough) / 3, (4 * fine - middle) / 3
        slope = (16 * second - first) / 15
    return plain(function(at)), plain(slope**2 * array_of(v))
