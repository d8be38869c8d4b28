"""How precisely a number was printed, and what that says about the value behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from metaleptic.patients import Contrast, to_number


def decimals(values: Iterable[Any]) -> int:
    """Return the decimals of the most precise of some numbers printed alike ("0.60" has two, 0.6 has one)."""
    most = 0
    for value in values:
        if value is None:
            continue
        text = value.strip() if isinstance(value, str) else repr(float(value))
        mantissa, _, exponent = text.lower().partition("e")
        fraction = mantissa.partition(".")[2]
        if not isinstance(value, str):
            fraction = fraction.rstrip("0")
        most = max(most, len(fraction) - int(exponent or 0))
    return max(most, 0)


def half_unit(values: Iterable[Any]) -> float:
    """Half a unit of the last printed decimal."""
    return float(0.5 * 10.0 ** -decimals(values))


@dataclass(frozen=True, slots=True)
class Aim:
    """What a printed contrast says about log hazard ratio and log-rank z, each as a centre and a standard deviation.

    A p-value printed as a bound ("<0.001") gives ``z`` NaN and ``z_least``.
    """

    beta: float
    beta_sd: float
    se: float
    se_sd: float
    z: float
    z_sd: float
    z_least: float


def aim(contrast: Contrast) -> Aim:
    """Combine hazard ratio, interval and p within their rounding."""
    hr, low, high = (to_number(v, "hr") for v in (contrast.hr, contrast.low, contrast.high))
    half = half_unit((contrast.hr, contrast.low, contrast.high))
    centre, weight = 0.0, 0.0
    se = se_sd = np.nan
    if hr is not None:
        a, sd = _log(hr, half)
        centre, weight = a / sd**2, 1 / sd**2
    if low is not None and high is not None and np.isfinite(high):
        a, sd_a = _log(low, half)
        b, sd_b = _log(high, half)
        sd = float(np.hypot(sd_a, sd_b))
        centre, weight = centre + 0.5 * (a + b) / (0.5 * sd) ** 2, weight + 1 / (0.5 * sd) ** 2
        width = 2 * float(ndtri(0.5 + contrast.level / 2))
        se, se_sd = (b - a) / width, sd / width
    beta, beta_sd = (centre / weight, weight**-0.5) if weight > 0 else (np.nan, np.nan)
    z, z_sd, least = _z(contrast.p, 1.0 if not np.isfinite(beta) else float(np.sign(beta)))
    return Aim(beta, beta_sd, se, se_sd, z, z_sd, least)


def _log(value: float, half: float) -> tuple[float, float]:
    a, b = np.log(max(value - half, 1e-3 * half)), np.log(value + half)
    return float(0.5 * (a + b)), float((b - a) / np.sqrt(12))


def _z(p: Any, sign: float) -> tuple[float, float, float]:
    if p is None:
        return np.nan, np.nan, 0.0
    text = str(p).strip()
    number = to_number(text.lstrip("<=≤ "), "p")
    if number is None:
        return np.nan, np.nan, 0.0
    if text.startswith(("<", "≤")) or number == 0:
        bound = number if number > 0 else half_unit([text])
        return np.nan, np.nan, float(-ndtri(bound / 2))
    half = half_unit([p if isinstance(p, str) else repr(float(p))])
    most, least = -ndtri(max(number - half, 1e-3 * half) / 2), -ndtri(min(number + half, 1.0) / 2)
    return float(sign * 0.5 * (most + least)), max(float(most - least) / np.sqrt(12), 1e-4), 0.0
