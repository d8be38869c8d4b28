"""Kaplan-Meier in arrays: steps, quantiles, landmark rates and restricted means, for many patterns of events at once.

Times have shape (n,); events may have any leading axes, shape (..., n): one call estimates the curves of a million
assignments of events to the same times. Kaplan & Meier 1958 (JASA 53:457); Greenwood 1926; Brookmeyer & Crowley 1982
(Biometrics 38:29) for the interval of a quantile; Klein & Moeschberger 2003, sections 4.2 to 4.5, for the scales.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import stats

from metaleptic.errors import OptionError
from metaleptic.types import FloatArray

TOLERANCE = 1e-9  # (5/6)(3/5) is 1/2, whatever the last bit says


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A Kaplan-Meier curve at the distinct times of its patients.

    Attributes
    ----------
    time, at_risk : ndarray of shape (j,)
        Distinct times, events or not, and the patients whose time is at or beyond each.
    events, survival, greenwood : ndarray of shape (..., j)
        Events at each time; survival from then on; Greenwood's sum, the variance of log survival.
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    survival: FloatArray
    greenwood: FloatArray


def steps(times: Any, events: Any) -> Steps:
    """Estimate survival from times (n,) and event indicators (..., n)."""
    distinct, place = np.unique(np.asarray(times, dtype=np.float64), return_inverse=True)
    member = (place[:, None] == np.arange(len(distinct))).astype(np.float64)
    d = np.asarray(events, dtype=np.float64) @ member
    n = np.cumsum(member.sum(axis=0)[::-1])[::-1]
    with np.errstate(divide="ignore"):
        greenwood = np.cumsum(d / (n * (n - d)), axis=-1)
    return Steps(distinct, n, d, np.cumprod(1 - d / n, axis=-1), greenwood)


def at_risk(times: Any, at: Any) -> FloatArray:
    """Count the patients whose time is at or beyond each time of ``at``."""
    ordered = np.sort(np.asarray(times, dtype=np.float64))
    return np.asarray(len(ordered) - np.searchsorted(ordered, at, side="left"), dtype=np.float64)


# --- intervals of survival ----------------------------------------------------------------------

Band = Callable[[FloatArray, FloatArray, float], tuple[FloatArray, FloatArray]]


def _plain(s: FloatArray, g: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    half = z * s * np.sqrt(g)
    return np.clip(s - half, 0, 1), np.clip(s + half, 0, 1)


def _log(s: FloatArray, g: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    factor = np.exp(z * np.sqrt(g))
    return s / factor, np.minimum(s * factor, 1)


def _log_log(s: FloatArray, g: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    power = np.exp(z * np.sqrt(g) / np.abs(np.log(s)))
    return s**power, s ** (1 / power)


def _logit(s: FloatArray, g: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    shift = np.exp(z * np.sqrt(g) / (1 - s))
    odds = s / (1 - s)
    return odds / shift / (1 + odds / shift), odds * shift / (1 + odds * shift)


def _arcsine(s: FloatArray, g: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    angle, half = np.arcsin(np.sqrt(s)), 0.5 * z * np.sqrt(g * s / (1 - s))
    return np.sin(np.maximum(angle - half, 0)) ** 2, np.sin(np.minimum(angle + half, np.pi / 2)) ** 2


INTERVALS: MappingProxyType[str, Band] = MappingProxyType(
    {"plain": _plain, "log": _log, "log-log": _log_log, "logit": _logit, "arcsine": _arcsine}
)


def band(survival: FloatArray, greenwood: FloatArray, interval: str, level: float) -> tuple[FloatArray, FloatArray]:
    """Return pointwise limits of survival; 1 to 1 before the first event, NaN once survival is 0."""
    if interval not in INTERVALS:
        raise OptionError(f"interval {interval!r} is unknown. Choose one of: {', '.join(INTERVAL_NAMES)}.")
    if not 0 < level < 1:
        raise OptionError(f"level {level!r} should be a proportion such as 0.95.")
    z = float(stats.norm.isf((1 - level) / 2))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        low, high = INTERVALS[interval](survival, greenwood, z)
    whole, gone = survival >= 1, survival <= TOLERANCE
    return (
        np.where(gone, np.nan, np.where(whole, 1.0, low)),
        np.where(gone, np.nan, np.where(whole, 1.0, high)),
    )


def beta_product(curve: Steps, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the beta product limits, shape (..., j + 1): from time 0, then from each distinct time on.

    They keep their level in tiny series, where those above do not (Fay, Brittain & Proschan 2013, Biostatistics
    14:723). The product of beta variables is replaced by the beta of the same mean and variance.
    """
    d, n = curve.events, curve.at_risk
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(d > 0, (n - d + 1) / (n + 1), 1.0)
        second = np.where(d > 0, (n - d + 1) * (n - d + 2) / ((n + 1) * (n + 2)), 1.0)
    one = np.ones((*d.shape[:-1], 1))
    m1 = np.concatenate([one, np.cumprod(first, axis=-1)], axis=-1)
    m2 = np.concatenate([one, np.cumprod(second, axis=-1)], axis=-1)
    left = np.append(n, 0.0)  # still at risk afterwards
    low = _beta_quantile(m1 * left / (left + 1), m2 * left / (left + 2), (1 - level) / 2)
    return low, _beta_quantile(m1, m2, (1 + level) / 2)


def _beta_quantile(m1: FloatArray, m2: FloatArray, q: float) -> FloatArray:
    variance = m2 - m1**2
    with np.errstate(divide="ignore", invalid="ignore"):
        size = m1 * (1 - m1) / variance - 1
        value = stats.beta.ppf(q, size * m1, size * (1 - m1))
    return np.where(m1 <= 0, 0.0, np.where(m1 >= 1, 1.0, value))


INTERVAL_NAMES = (*INTERVALS, "beta-product")


def limits(curve: Steps, interval: str, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the limits of survival from each distinct time on, by any kind of interval."""
    if interval == "beta-product":
        low, high = beta_product(curve, level)
        return low[..., 1:], high[..., 1:]
    return band(curve.survival, curve.greenwood, interval, level)


def limits_at(curve: Steps, at: float, interval: str, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the limits of survival at one time, NaN where survival is not known."""
    s, g = at_time(curve, at)
    if interval != "beta-product":
        low, high = band(s, g, interval, level)
    else:
        low, high = beta_product(curve, level)
        place = np.searchsorted(curve.time, [at + TOLERANCE], side="right")
        low, high = low[..., place], high[..., place]
    unknown = np.isnan(s)
    return np.where(unknown, np.nan, low)[..., 0], np.where(unknown, np.nan, high)[..., 0]


# --- quantiles ----------------------------------------------------------------------------------


def first_at_or_below(time: FloatArray, height: FloatArray, target: float) -> FloatArray:
    """Return the first time at which the step function is at or below the target; infinity if never."""
    hit = height <= target + TOLERANCE
    return np.where(hit.any(axis=-1), time[hit.argmax(axis=-1)], np.inf)


def _midpoint(curve: Steps, target: float) -> FloatArray:
    s = curve.survival
    below = s < target - TOLERANCE
    after = np.where(below.any(axis=-1), curve.time[below.argmax(axis=-1)], curve.time[-1])
    first = first_at_or_below(curve.time, s, target)
    flat = (np.abs(s - target) <= TOLERANCE).any(axis=-1)
    return np.where(flat, (first + after) / 2, first)


def _first(curve: Steps, target: float) -> FloatArray:
    return first_at_or_below(curve.time, curve.survival, target)


def _strict(curve: Steps, target: float) -> FloatArray:
    return first_at_or_below(curve.time, curve.survival, target - 2 * TOLERANCE)


# What programs print when survival is exactly 1/2 for a while: R and SAS the midpoint, SPSS and Stata the first time,
# some programs (and rounding errors in others) the end of the plateau.
QUANTILE_RULES: MappingProxyType[str, Callable[[Steps, float], FloatArray]] = MappingProxyType(
    {"midpoint": _midpoint, "first": _first, "strict": _strict}
)


def quantile(curve: Steps, dead: float = 0.5, *, rule: str = "midpoint") -> FloatArray:
    """Return the time by which a proportion has had the event; infinity where it is not reached."""
    if rule not in QUANTILE_RULES:
        raise OptionError(f"rule {rule!r} is unknown. Choose one of: {', '.join(QUANTILE_RULES)}.")
    if not 0 < dead < 1:
        raise OptionError(f"quantile {dead!r} should lie between 0 and 1; the median is 0.5.")
    return QUANTILE_RULES[rule](curve, 1 - dead)


def quantile_interval(
    curve: Steps, dead: float = 0.5, *, interval: str = "log-log", level: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Return the times at which the limits of survival cross the quantile (Brookmeyer and Crowley)."""
    low, high = limits(curve, interval, level)
    return first_at_or_below(curve.time, low, 1 - dead), first_at_or_below(curve.time, high, 1 - dead)


# --- landmarks and means ------------------------------------------------------------------------


def at_time(curve: Steps, at: Any) -> tuple[FloatArray, FloatArray]:
    """Return survival and Greenwood's sum at times, shape (..., len(at)); NaN beyond the last patient still alive."""
    times = np.atleast_1d(np.asarray(at, dtype=np.float64))
    place = np.searchsorted(curve.time, times + TOLERANCE, side="right")
    one = np.ones((*curve.survival.shape[:-1], 1))
    s = np.concatenate([one, curve.survival], axis=-1)[..., place]
    g = np.concatenate([0 * one, curve.greenwood], axis=-1)[..., place]
    unknown = (times > curve.time[-1] + TOLERANCE) & (s > TOLERANCE)
    return np.where(unknown, np.nan, s), np.where(unknown, np.nan, g)


def restricted_mean(curve: Steps, until: float) -> tuple[FloatArray, FloatArray]:
    """Return the mean time lived up to ``until`` and its variance; NaN if the curve ends before, above 0."""
    inside = curve.time < until
    time, s = curve.time[inside], curve.survival[..., inside]
    heights = np.concatenate([np.ones((*s.shape[:-1], 1)), s], axis=-1)
    widths = np.diff(np.concatenate([[0.0], time, [until]]))
    areas = heights * widths
    after = np.cumsum(areas[..., ::-1], axis=-1)[..., ::-1][..., 1:]
    d, n = curve.events[..., inside], curve.at_risk[inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(d > 0, after**2 * d / (n * (n - d)), 0.0)
    variance = np.where(np.isfinite(terms), terms, 0.0).sum(axis=-1)  # the last step to 0 has no area after it
    unknown = (until > curve.time[-1] + TOLERANCE) & (curve.survival[..., -1] > TOLERANCE)
    return np.where(unknown, np.nan, areas.sum(axis=-1)), np.where(unknown, np.nan, variance)
