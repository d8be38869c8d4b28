"""Mixtures of beta or normal densities: fitted to a density, updated by data, and how many patients they are worth.

Arrays only: weights, first and second parameters of shape (c,). Beta: a and b of a proportion; normal: mean and sd.

Sources: Dempster AP, Laird NM, Rubin DB. J R Stat Soc B 1977;39:1-38 (EM); Neuenschwander B, Weber S, Schmidli H, O'Hagan A.
Biometrics 2020;76:578-587 (expected local-information-ratio, ELIR); Morita S, Thall PF, Mueller P. Biometrics
2008;64:595-602; Schmidli H et al. Biometrics 2014;70:1023-1032 (conjugate updating of mixtures).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import NotEstimableError
from metaleptic.types import FloatArray

_STEPS = 3000
_NEWTON = 30
_STILL = 1e-8  # gain of the log-likelihood per step at which EM stops
_LOG_SQRT_2PI = 0.5 * float(np.log(2 * np.pi))
_TAIL = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A conjugate family, one component per entry.

    Attributes
    ----------
    log_pdf, cdf, quantile : callable
        ``f(x, first, second)``.
    curvature : callable
        First and second derivative of the log density.
    moments : callable
        Mean and standard deviation of each component.
    refit : callable
        Maximum-likelihood parameters for weighted nodes: ``refit(x, responsibility, first, second)``.
    """

    log_pdf: Callable[[Any, Any, Any], Any]
    cdf: Callable[[Any, Any, Any], Any]
    quantile: Callable[[Any, Any, Any], Any]
    curvature: Callable[[Any, Any, Any], tuple[Any, Any]]
    moments: Callable[[Any, Any], tuple[Any, Any]]
    refit: Callable[[FloatArray, FloatArray, FloatArray, FloatArray], tuple[FloatArray, FloatArray]]


def _beta_refit(x: FloatArray, share: FloatArray, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Solve psi(a) - psi(a + b) = E log x, psi(b) - psi(a + b) = E log(1 - x) by Newton's method in the logs.

    No parameter falls below 1, where the density would rise without bound at 0 or 1 and have no effective sample size.
    """
    total = share.sum(axis=0)
    goal = np.stack([np.log(x) @ share, np.log1p(-x) @ share]) / total
    for _ in range(_NEWTON):
        both = special.digamma(a + b)
        gap = np.stack([special.digamma(a) - both, special.digamma(b) - both]) - goal
        t, ta, tb = special.polygamma(1, a + b), special.polygamma(1, a), special.polygamma(1, b)
        aa, ab, ba, bb = (ta - t) * a, -t * b, -t * a, (tb - t) * b
        det = aa * bb - ab * ba
        da, db = (gap[0] * bb - gap[1] * ab) / det, (aa * gap[1] - ba * gap[0]) / det
        a, b = (np.clip(p * np.exp(-np.clip(d, -1, 1)), 1e-2, 1e6) for p, d in ((a, da), (b, db)))
        if max(np.abs(da).max(), np.abs(db).max()) < 1e-8:
            break
    # The likelihood is concave: on an edge the other parameter has its closed form.
    low_a, low_b = a < 1, b < 1
    a, b = (
        np.where(low_a, 1.0, np.where(low_b, np.maximum(-1 / goal[0], 1.0), a)),
        np.where(low_b, 1.0, np.where(low_a, np.maximum(-1 / goal[1], 1.0), b)),
    )
    return a, b


def _normal_refit(x: FloatArray, share: FloatArray, m: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    total = share.sum(axis=0)
    m = (x @ share) / total
    return m, np.sqrt((((x[:, None] - m) ** 2) * share).sum(axis=0) / total)


FAMILIES = MappingProxyType(
    {
        "beta": Family(
            lambda x, a, b: (a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - special.betaln(a, b),
            lambda x, a, b: special.betainc(a, b, x),
            lambda p, a, b: special.betaincinv(a, b, p),
            lambda x, a, b: ((a - 1) / x - (b - 1) / (1 - x), -(a - 1) / x**2 - (b - 1) / (1 - x) ** 2),
            lambda a, b: (a / (a + b), np.sqrt(a * b / (a + b + 1)) / (a + b)),
            _beta_refit,
        ),
        "normal": Family(
            lambda x, m, s: -0.5 * ((x - m) / s) ** 2 - np.log(s) - _LOG_SQRT_2PI,
            lambda x, m, s: special.ndtr((x - m) / s),
            lambda p, m, s: m + s * special.ndtri(p),
            lambda x, m, s: (-(x - m) / s**2, -1 / s**2 + 0 * x),
            lambda m, s: (m, s),
            _normal_refit,
        ),
    }
)


def log_mixture(family: str, w: FloatArray, first: FloatArray, second: FloatArray, x: Any) -> FloatArray:
    """Return the log density of the mixture at x."""
    parts = FAMILIES[family].log_pdf(np.asarray(x)[..., None], first, second) + np.log(w)
    return np.asarray(special.logsumexp(parts, axis=-1))


def fit_mixture(
    family: str, x: FloatArray, probability: FloatArray, components: int
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Fit a mixture to nodes with probabilities (a density on a quadrature grid) by EM.

    Returns weights, parameters, and the mean log density under the nodes: the higher, the closer.
    """
    chosen = FAMILIES[family]
    up_to = np.cumsum(probability) - probability / 2
    spread = np.abs(up_to[:, None] - (np.arange(components) + 0.5) / components)
    share = np.exp(-((spread * components) ** 2) * 2)
    share = probability[:, None] * share / share.sum(axis=1, keepdims=True)
    mean = (x @ share) / share.sum(axis=0)
    sd = np.sqrt((((x[:, None] - mean) ** 2) * share).sum(axis=0) / share.sum(axis=0))
    size = np.maximum(mean * (1 - mean) / sd**2 - 1, 0.1) if family == "beta" else sd
    first, second = (mean * size, (1 - mean) * size) if family == "beta" else (mean, sd)
    w, before = share.sum(axis=0), -np.inf
    for _ in range(_STEPS):
        parts = chosen.log_pdf(x[:, None], first, second) + np.log(w)
        total = special.logsumexp(parts, axis=1)
        level = float(probability @ total)
        if level - before < _STILL:
            break
        before = level
        share = np.exp(parts - total[:, None]) * probability[:, None]
        w = np.maximum(share.sum(axis=0), 1e-12)
        w = w / w.sum()
        first, second = chosen.refit(x, share, first, second)
    order = np.argsort(-w)
    return w[order], first[order], second[order], before


def update_beta(
    w: FloatArray, a: FloatArray, b: FloatArray, events: float, n: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the mixture after ``events`` of ``n`` patients: each component updates, and gains weight if it foresaw them."""
    log = np.log(w) + special.betaln(a + events, b + n - events) - special.betaln(a, b)
    return np.exp(log - special.logsumexp(log)), a + events, b + n - events


def update_normal(
    w: FloatArray, m: FloatArray, s: FloatArray, y: float, se: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the mixture after an estimate y with standard error se."""
    log = np.log(w) + FAMILIES["normal"].log_pdf(y, m, np.hypot(s, se))
    precision = 1 / s**2 + 1 / se**2
    return np.exp(log - special.logsumexp(log)), (m / s**2 + y / se**2) / precision, 1 / np.sqrt(precision)


def moments(family: str, w: FloatArray, first: FloatArray, second: FloatArray) -> tuple[float, float]:
    """Return mean and standard deviation of the mixture."""
    mean, sd = FAMILIES[family].moments(first, second)
    centre = float(w @ mean)
    return centre, float(np.sqrt(w @ (sd**2 + (mean - centre) ** 2)))


def information(family: str, w: FloatArray, first: FloatArray, second: FloatArray, x: Any) -> FloatArray:
    """Return minus the second derivative of the mixture's log density."""
    x = np.asarray(x)[..., None]
    chosen = FAMILIES[family]
    parts = chosen.log_pdf(x, first, second) + np.log(w)
    share = np.exp(parts - special.logsumexp(parts, axis=-1, keepdims=True))
    slope, bend = chosen.curvature(x, first, second)
    mean = (share * slope).sum(axis=-1)
    return np.asarray(mean**2 - (share * (bend + slope**2)).sum(axis=-1))


def per_patient(family: str, x: Any, sigma: float) -> Any:
    """Return the Fisher information of one patient."""
    return 1 / (x * (1 - x)) if family == "beta" else np.full_like(x, 1 / sigma**2)


def ess_elir(family: str, w: FloatArray, first: FloatArray, second: FloatArray, sigma: float) -> float:
    """Return the expected local-information-ratio: by quadrature within each component.

    Raises
    ------
    NotEstimableError
        If a beta component rises without bound at 0 or 1, so that the expectation does not exist, or if it is negative.
    """
    if family == "beta" and min(first.min(), second.min()) < 1:
        raise NotEstimableError(
            "the expected local-information-ratio does not exist for a prior that rises without bound at 0 or 1 (a beta "
            'parameter below 1). Use method="moment".'
        )
    nodes, weights = np.polynomial.legendre.leggauss(120)
    total = 0.0
    for i in range(w.size):
        u = special.ndtri(_TAIL) * np.linspace(1, -1, 9)  # panels on the probit scale
        z = (u[:-1, None] + np.diff(u)[:, None] * (nodes + 1) / 2).reshape(-1)
        mass = (np.diff(u)[:, None] * weights / 2).reshape(-1) * np.exp(-0.5 * z * z - _LOG_SQRT_2PI)
        x = FAMILIES[family].quantile(special.ndtr(z), first[i], second[i])
        inside = (x > 0) & (x < 1) if family == "beta" else np.ones(x.shape, dtype=bool)
        ratio = information(family, w, first, second, x[inside]) / per_patient(family, x[inside], sigma)
        total += float(w[i]) * float(mass[inside] @ ratio)
    if not total > 0:
        raise NotEstimableError(
            f"the expected local-information-ratio of this prior is {total:.0f}: it falls so steeply from 0 (or 1) that its log "
            'density is convex where most of it lies. Use method="moment".'
        )
    return total


def ess_moment(family: str, w: FloatArray, first: FloatArray, second: FloatArray, sigma: float) -> float:
    """Return the size of the single density with the same mean and standard deviation."""
    mean, sd = moments(family, w, first, second)
    return mean * (1 - mean) / sd**2 - 1 if family == "beta" else sigma**2 / sd**2


def ess_morita(family: str, w: FloatArray, first: FloatArray, second: FloatArray, sigma: float) -> float:
    """Return the patients whose expected information, from a vague start, equals the mixture's at its mean."""
    mean, _ = moments(family, w, first, second)
    here = float(information(family, w, first, second, np.array([mean]))[0])
    if not here > 0:
        raise NotEstimableError(
            "Morita's effective sample size looks at the curvature of the prior at its mean, and there this mixture is not "
            'even concave. Use method="elir".'
        )
    if family == "normal":
        return here * sigma**2
    return (here + 1 / mean**2 + 1 / (1 - mean) ** 2) * mean * (1 - mean)


ESS = MappingProxyType({"elir": ess_elir, "moment": ess_moment, "morita": ess_morita})
