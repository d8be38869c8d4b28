"""Standardised differences, odds ratios, correlations and proportions: from one scale to another."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.conversions.arrays import array_of, plain
from metaleptic.errors import OptionError
from metaleptic.types import FloatArray


def _hermite(nodes: int = 60) -> tuple[FloatArray, FloatArray]:
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    return x, w / w.sum()


def mean_of_logistic(y: Any, tau2: float) -> Any:
    """Return the mean proportion over studies whose logits are normal with mean y and variance tau2."""
    x, w = _hermite()
    return plain(special.expit(array_of(y)[..., None] + np.sqrt(tau2) * x) @ w)


def mean_of_lognormal(y: Any, tau2: float) -> Any:
    """Return the mean over studies whose logarithms are normal with mean y and variance tau2."""
    return plain(np.exp(array_of(y) + tau2 / 2))


def freeman_tukey(p: Any, n: Any) -> Any:
    """Return the double arcsine of a proportion p of n. Source: Freeman MF, Tukey JW. Ann Math Stat 1950;21:607-611."""
    x, size = array_of(p) * array_of(n), array_of(n)
    return plain((np.arcsin(np.sqrt(x / (size + 1))) + np.arcsin(np.sqrt((x + 1) / (size + 1)))) / 2)


def inverse_freeman_tukey(y: Any, n: Any) -> Any:
    """Return the proportion whose double arcsine in n patients is y. Source: Miller JJ. Am Stat 1978;32:138."""
    t, size = array_of(y), array_of(n)
    low, high = array_of(freeman_tukey(0.0, size)), array_of(freeman_tukey(1.0, size))
    inside = np.clip(t, low, high)
    s = np.sin(2 * inside)
    root = np.sqrt(np.maximum(1 - (s + (s - 1 / s) / size) ** 2, 0.0))
    p = 0.5 * (1 - np.sign(np.cos(2 * inside)) * root)
    return plain(np.where(t <= low, 0.0, np.where(t >= high, 1.0, p)))


_HALF_SPLIT = 0.5 / (np.exp(0.0) / np.sqrt(2 * np.pi))  # sqrt(pq)/f for two groups of one size


def correlation_from_smd(d: Any, n1: Any = 1.0, n2: Any = 1.0) -> Any:
    """Return the point-biserial correlation of a standardised mean difference (groups of one size by default)."""
    a, b = array_of(n1), array_of(n2)
    x = array_of(d)
    return plain(x / np.sqrt(x**2 + (a + b) ** 2 / (a * b)))


def smd_from_correlation(r: Any, n1: Any = 1.0, n2: Any = 1.0) -> Any:
    """Return the standardised mean difference of a point-biserial correlation (groups of one size by default)."""
    a, b, x = array_of(n1), array_of(n2), array_of(r)
    return plain(x / np.sqrt(1 - x**2) * (a + b) / np.sqrt(a * b))


def log_odds_ratio_from_smd(d: Any, *, trait: str = "logistic") -> Any:
    """Return the log odds ratio of a standardised mean difference; multiply its standard error by the same factor.

    ``trait`` is the distribution behind the event: "logistic" (factor pi/sqrt(3); Chinn S. Stat Med 2000;19:3127-3131)
    or "normal" (factor 1.65; Cox DR, Snell EJ. Analysis of Binary Data, 1989).

    Examples
    --------
    >>> import metaleptic as ml
    >>> round(ml.conversions.log_odds_ratio_from_smd(0.5), 3)
    0.907
    """
    return plain(array_of(d) * _factor(trait))


def smd_from_log_odds_ratio(y: Any, *, trait: str = "logistic") -> Any:
    """Return the standardised mean difference of a log odds ratio; divide its standard error by the same factor."""
    return plain(array_of(y) / _factor(trait))


def _factor(trait: str) -> float:
    if trait not in {"logistic", "normal"}:
        raise OptionError(f'trait {trait!r} is unknown. Choose "logistic" or "normal".')
    return float(np.pi / np.sqrt(3)) if trait == "logistic" else 1.65


def superiority_from_smd(d: Any) -> Any:
    """Return the chance that a patient of group 1 lies above one of group 2. Source: McGraw KO, Wong SP. Psychol Bull 1992;111:361-365."""
    return plain(special.ndtr(array_of(d) / np.sqrt(2)))


def overlap_from_smd(d: Any) -> Any:
    """Return the share that two normal groups have in common."""
    return plain(2 * special.ndtr(-np.abs(array_of(d)) / 2))


def cohen_u1(d: Any) -> Any:
    """Return the share of both groups together that does not overlap. Source: Cohen J. Statistical Power Analysis, 1988."""
    half = special.ndtr(np.abs(array_of(d)) / 2)
    return plain((2 * half - 1) / half)


def table_from_odds_ratio(odds_ratio: Any, n: Any, row: Any, column: Any) -> tuple[Any, Any, Any, Any]:
    """Return the cells (a, b, c, d) of the 2x2 table that has this odds ratio and these totals, rounded to whole patients.

    ``n`` is the size, ``row`` the size of the first row (a + b), ``column`` of the first column (a + c).
    NaN where no table fits. Source: Bonett DG. Br J Math Stat Psychol 2007;60:1-6.
    """
    w, total, r, c = array_of(odds_ratio), array_of(n), array_of(row), array_of(column)
    with np.errstate(divide="ignore", invalid="ignore"):
        # w (r - a)(c - a) = a (total - r - c + a): a quadratic in a with one root inside the table
        q2, q1, q0 = w - 1, -(w * (r + c) + total - r - c), w * r * c
        root = np.sqrt(np.maximum(q1**2 - 4 * q2 * q0, 0.0))
        a = np.where(np.abs(q2) < 1e-12, -q0 / q1, 2 * q0 / (-q1 + root))
    return _table(a, total, r, c)


def table_from_phi(phi: Any, n: Any, row: Any, column: Any) -> tuple[Any, Any, Any, Any]:
    """Return the cells of the 2x2 table with this phi coefficient (sqrt(chi2/n)) and these totals, rounded to whole patients."""
    total, r, c = array_of(n), array_of(row), array_of(column)
    p1, p2 = r / total, c / total
    a = total * (p1 * p2 + array_of(phi) * np.sqrt(p1 * (1 - p1) * p2 * (1 - p2)))
    return _table(a, total, r, c)


def _table(a: FloatArray, n: FloatArray, row: FloatArray, column: FloatArray) -> tuple[Any, Any, Any, Any]:
    first = np.round(a)
    cells = (first, row - first, column - first, n - row - column + first)
    fits = np.all([cell >= 0 for cell in cells], axis=0)
    a_, b_, c_, d_ = (plain(np.where(fits, cell, np.nan)) for cell in cells)
    return a_, b_, c_, d_


def _power(x: Any, exponent: float) -> FloatArray:
    return np.asarray(array_of(x) ** exponent)


TRANSFORMS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {
        "rtoz": lambda x: plain(np.arctanh(array_of(x))),
        "ztor": lambda x: plain(np.tanh(array_of(x))),
        "logit": lambda x: plain(special.logit(array_of(x))),
        "ilogit": lambda x: plain(special.expit(array_of(x))),
        "arcsin": lambda x: plain(np.arcsin(np.sqrt(array_of(x)))),
        "iarcsin": lambda x: plain(np.sin(np.clip(array_of(x), 0, np.pi / 2)) ** 2),
        "pft": freeman_tukey,
        "ipft": inverse_freeman_tukey,
        "exp.int": mean_of_lognormal,
        "ilogit.int": mean_of_logistic,
        "ahw": lambda x: plain(1 - _power(1 - array_of(x), 1 / 3)),
        "iahw": lambda x: plain(1 - _power(1 - array_of(x), 3)),
        "abt": lambda x: plain(-np.log1p(-array_of(x))),
        "iabt": lambda x: plain(-np.expm1(-array_of(x))),
        "r2toz": lambda x: plain(np.arctanh(np.sqrt(array_of(x)))),
        "ztor2": lambda x: plain(np.tanh(array_of(x)) ** 2),
        "dtou1": cohen_u1,
        "dtou2": lambda d: plain(special.ndtr(np.abs(array_of(d)) / 2)),
        "dtou3": lambda d: plain(special.ndtr(array_of(d))),
        "dtoovl": overlap_from_smd,
        "dtocles": superiority_from_smd,
        "dtocliffd": lambda d: plain(2 * special.ndtr(array_of(d) / np.sqrt(2)) - 1),
        "dtobesd": lambda d: plain(0.5 + array_of(correlation_from_smd(d)) / 2),
        "dtomd": lambda d, sd: plain(array_of(d) * array_of(sd)),
        "dtorpb": correlation_from_smd,
        "dtorbis": lambda d: plain(array_of(correlation_from_smd(d)) * _HALF_SPLIT),
        "rpbtorbis": lambda r: plain(array_of(r) * _HALF_SPLIT),
        "rtorpb": lambda r: plain(array_of(r) / _HALF_SPLIT),
        "rtod": lambda r: smd_from_correlation(array_of(r) / _HALF_SPLIT),
        "dtolnor.norm": lambda d: log_odds_ratio_from_smd(d, trait="normal"),
        "lnortod.norm": lambda y: smd_from_log_odds_ratio(y, trait="normal"),
        "dtolnor.logis": log_odds_ratio_from_smd,
        "lnortod.logis": smd_from_log_odds_ratio,
    }
)
"""Transformations of effects by the names that metafor gives them (without ``transf.``)."""
