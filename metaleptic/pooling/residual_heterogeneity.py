"""Between-study variance that moderators leave: the estimators of ``heterogeneity`` for a design matrix.

Arrays: y, v of shape (..., k), design x of shape (..., k, p), ``keep`` 1 where a study is present and 0 where it is
absent; leading axes are data sets. With a design of ones every function here equals its namesake there.

Source of the general formulas: Viechtbauer W et al. Psychol Methods 2015;20:360-374.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.pooling.heterogeneity import tau2_estimator
from metaleptic.pooling.likelihood_peaks import highest_peak
from metaleptic.pooling.roots import falling_root
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class WeightedFit:
    """Weighted least squares: coefficients, residuals, the inverse of X'WX and its log-determinant."""

    beta: FloatArray
    residual: FloatArray
    inverse: FloatArray
    logdet: FloatArray


def _sum(a: Any) -> Any:
    return np.add.reduce(a, axis=-1)


def gram(x: Any, w: Any) -> Any:
    """Return X'WX."""
    return np.swapaxes(x, -1, -2) @ (w[..., None] * x)


def inverse_or_nan(a: Any) -> Any:
    """Return the inverse of each matrix; NaN for those that have none (a data set in which a column is lost)."""
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError:
        lost = np.linalg.cond(a) > 1e14
        kept = np.linalg.inv(np.where(lost[..., None, None], np.eye(a.shape[-1]), a))
        return np.where(lost[..., None, None], np.nan, kept)


def weighted_fit(y: Any, x: Any, w: Any) -> WeightedFit:
    """Regress y on x with weights w."""
    information = gram(x, w)
    inverse = inverse_or_nan(information)
    beta = (inverse @ (np.swapaxes(x, -1, -2) @ (w * y)[..., None]))[..., 0]
    residual = y - (x @ beta[..., None])[..., 0]
    return WeightedFit(beta, residual, inverse, np.linalg.slogdet(information)[1])


def trace_of_product(a: Any, b: Any) -> Any:
    """Return tr(AB) of symmetric matrices."""
    return (a * b).sum(axis=(-2, -1))


def trace_p(x: Any, w: Any, inverse: Any) -> Any:
    """Return tr(P), P = W - W X (X'WX)^-1 X'W."""
    return _sum(w) - trace_of_product(inverse, gram(x, w * w))


def trace_pp(x: Any, w: Any, inverse: Any) -> Any:
    """Return tr(PP)."""
    cross = inverse @ gram(x, w * w)
    return (
        _sum(w * w) - 2 * trace_of_product(inverse, gram(x, w**3)) + trace_of_product(cross, np.swapaxes(cross, -1, -2))
    )


def weights(v: Any, keep: Any, tau2: Any = 0.0) -> Any:
    """Return 1 / (v + tau2), 0 for absent studies."""
    return keep / (v + np.asarray(tau2)[..., None])


def residual_q(y: Any, v: Any, x: Any, keep: Any, tau2: Any = 0.0) -> Any:
    """Return the weighted sum of squared residuals: Q_E at tau2 = 0."""
    w = weights(v, keep, tau2)
    return _sum(w * weighted_fit(y, x, w).residual ** 2)


def residual_df(keep: Any, x: Any, like: Any) -> Any:
    """Return k - p."""
    return _sum(keep + 0 * like) - x.shape[-1]


def typical_variance(v: Any, x: Any, keep: Any) -> Any:
    """Return (k - p) / tr(P): the typical within-study variance, given the moderators."""
    w = weights(v, keep)
    with np.errstate(divide="ignore", invalid="ignore"):
        return residual_df(keep, x, w) / trace_p(x, w, weighted_fit(0 * v, x, w).inverse)


# --- estimators in closed form ----------------------------------------------------------------


def generalised_moments(y: Any, v: Any, x: Any, keep: Any, a: Any) -> Any:
    """Solve the moment equation of the sum of squared residuals under weights ``a``. DerSimonian R, Kacker R 2007."""
    a = a * keep
    fit = weighted_fit(y, x, a)
    expected = _sum(a * v * keep) - trace_of_product(fit.inverse, gram(x, a * a * v))
    return (_sum(a * fit.residual**2) - expected) / trace_p(x, a, fit.inverse)


def dersimonian_laird(y: Any, v: Any, x: Any, keep: Any) -> Any:
    """Moment estimator with inverse-variance weights."""
    return generalised_moments(y, v, x, keep, weights(v, keep))


def two_step_dersimonian_laird(y: Any, v: Any, x: Any, keep: Any) -> Any:
    """Moment estimator with the random-effects weights of a first DerSimonian-Laird step."""
    first = np.maximum(0, dersimonian_laird(y, v, x, keep))
    return generalised_moments(y, v, x, keep, weights(v, keep, first))


def hedges_olkin(y: Any, v: Any, x: Any, keep: Any) -> Any:
    """Unweighted method of moments."""
    return generalised_moments(y, v, x, keep, keep + 0 * v)


def hunter_schmidt(y: Any, v: Any, x: Any, keep: Any) -> Any:
    """Q against the number of studies."""
    w = weights(v, keep)
    return (residual_q(y, v, x, keep) - _sum(keep + 0 * w)) / _sum(w)


def hunter_schmidt_k(y: Any, v: Any, x: Any, keep: Any) -> Any:
    """Hunter-Schmidt with the observed variance corrected by k / (k - p)."""
    w = weights(v, keep)
    k = _sum(keep + 0 * w)
    return (k / residual_df(keep, x, w) * residual_q(y, v, x, keep) - k) / _sum(w)


def sidik_jonkman(y: Any, v: Any, x: Any, keep: Any) -> Any:
    """Moment estimator that starts from the crude variance of the effects."""
    crude = crude_variance(y, keep)
    with np.errstate(divide="ignore", invalid="ignore"):
        w = keep / (v / crude[..., None] + 1)
        found = _sum(w * weighted_fit(y, x, w).residual ** 2) / residual_df(keep, x, w)
    return np.where(crude > 0, found, 0.0)


def crude_variance(y: Any, keep: Any) -> Any:
    """Return the variance of the effects with divisor k."""
    k = _sum(keep + 0 * y)
    return _sum(keep * (y - (_sum(keep * y) / k)[..., None]) ** 2) / k


# --- estimators that solve an equation --------------------------------------------------------


def solve_residual_q(y: Any, v: Any, x: Any, keep: Any, target: Any) -> Any:
    """Return tau2 >= 0 at which the weighted sum of squared residuals equals ``target``; 0 where it starts below."""
    target = np.asarray(target, dtype=np.float64)

    def f(t: FloatArray) -> tuple[FloatArray, FloatArray]:
        w = weights(v, keep, t)
        pull = w * weighted_fit(y, x, w).residual
        q = _sum(pull * pull / np.where(w > 0, w, 1.0))
        return q * (q / target - 1), -_sum(pull * pull)

    spread = _sum(keep * weighted_fit(y, x, keep + 0 * v).residual ** 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        high = np.where(residual_q(y, v, x, keep) > target, spread / target, 0.0)
    low = np.zeros_like(high)
    return falling_root(f, low, high, low)


def paule_mandel(y: Any, v: Any, x: Any, keep: Any) -> Any:
    """Generalised Q equal to k - p (also the empirical Bayes estimator)."""
    return solve_residual_q(y, v, x, keep, residual_df(keep, x, v))


def paule_mandel_median(y: Any, v: Any, x: Any, keep: Any) -> Any:
    """Generalised Q equal to the median of its distribution."""
    return solve_residual_q(y, v, x, keep, special.chdtri(residual_df(keep, x, v), 0.5))


def log_likelihood(y: Any, v: Any, x: Any, keep: Any, tau2: Any, *, restricted: bool) -> Any:
    """Return the (restricted) log-likelihood of tau2 at the best coefficients, constants included."""
    total = v + np.asarray(tau2)[..., None]
    w = keep / total
    fit = weighted_fit(y, x, w)
    base = -0.5 * (_sum(keep * np.log(total)) + _sum(w * fit.residual**2))
    if not restricted:
        return base - 0.5 * _sum(keep + 0 * w) * np.log(2 * np.pi)
    plain = np.linalg.slogdet(gram(x, keep + 0 * w))[1]
    return base - 0.5 * (fit.logdet - plain + residual_df(keep, x, w) * np.log(2 * np.pi))


def score(y: Any, v: Any, x: Any, keep: Any, t: Any, *, restricted: bool) -> tuple[Any, Any]:
    """Return twice the derivative of the log-likelihood in tau2, and the slope of that."""
    w = weights(v, keep, t)
    fit = weighted_fit(y, x, w)
    pull = w * fit.residual
    turned = (np.swapaxes(x, -1, -2) @ (w * pull)[..., None])[..., 0]
    value = _sum(pull * pull) - _sum(w)
    slope = -2 * (_sum(w * pull * pull) - (turned * (fit.inverse @ turned[..., None])[..., 0]).sum(-1)) + _sum(w * w)
    if restricted:
        value = value + trace_of_product(fit.inverse, gram(x, w * w))
        slope = slope - _sum(w * w) + trace_pp(x, w, fit.inverse)
    return value, slope


def _score_on_grid(y: Any, v: Any, x: Any, keep: Any, grid: Any, *, restricted: bool) -> Any:
    """Return twice the derivative of the log-likelihood at many tau2 a data set: as ``score``, by two products of matrices."""
    p = x.shape[-1]
    outer = (x[..., :, None] * x[..., None, :]).reshape(*x.shape[:-1], p * p)
    shape = np.broadcast_shapes(x.shape[:-1], y.shape)
    squares = np.stack([y * y, np.ones_like(y)], axis=-1)
    parts = [np.broadcast_to(a, (*shape, a.shape[-1])) for a in (outer, x * y[..., None], squares)]
    stuff = np.concatenate(parts, axis=-1)
    w = keep[..., None, :] / (v[..., None, :] + grid[..., None])
    once, twice = w @ stuff, (w * w) @ stuff
    inverse = inverse_or_nan(once[..., : p * p].reshape(*once.shape[:-1], p, p))
    beta = (inverse @ once[..., p * p : -2, None])[..., 0]
    gram2 = twice[..., : p * p].reshape(*once.shape[:-1], p, p)
    squared = (
        twice[..., -2] - 2 * (beta * twice[..., p * p : -2]).sum(-1) + np.einsum("...i,...ij,...j", beta, gram2, beta)
    )
    value = squared - once[..., -1]
    return value + trace_of_product(inverse, gram2) if restricted else value


def _maximise(y: Any, v: Any, x: Any, keep: Any, *, restricted: bool) -> Any:
    """Return the tau2 >= 0 of the highest likelihood, local maxima compared."""
    shape = np.broadcast_shapes(np.shape(y), np.shape(v), np.shape(keep), x.shape[:-1])
    y, v, keep = (np.broadcast_to(a, shape) for a in (y, v, keep))
    stand_in = np.take_along_axis(v, np.argmax(keep > 0, axis=-1)[..., None], -1)
    v = np.where(keep > 0, v, stand_in)
    spread = _sum(keep * weighted_fit(y, x, keep).residual ** 2)

    return highest_peak(
        lambda grid: _score_on_grid(y, v, x, keep, grid, restricted=restricted),
        lambda t: score(y, v, x, keep, t, restricted=restricted),
        lambda t: log_likelihood(y, v, x, keep, t, restricted=restricted),
        np.minimum.reduce(v, axis=-1),
        np.maximum.reduce(v, axis=-1),
        spread,
    )


def maximum_likelihood(y: Any, v: Any, x: Any, keep: Any) -> Any:
    """Maximum likelihood."""
    return _maximise(y, v, x, keep, restricted=False)


def restricted_maximum_likelihood(y: Any, v: Any, x: Any, keep: Any) -> Any:
    """Restricted maximum likelihood."""
    return _maximise(y, v, x, keep, restricted=True)


RESIDUAL_TAU2: MappingProxyType[str, Callable[[Any, Any, Any, Any], Any]] = MappingProxyType(
    {
        "REML": restricted_maximum_likelihood,
        "DL": dersimonian_laird,
        "DL2": two_step_dersimonian_laird,
        "PM": paule_mandel,
        "DLIT": paule_mandel,
        "SJIT": paule_mandel,
        "ML": maximum_likelihood,
        "EB": paule_mandel,
        "HE": hedges_olkin,
        "HS": hunter_schmidt,
        "HSk": hunter_schmidt_k,
        "SJ": sidik_jonkman,
        "PMM": paule_mandel_median,
    }
)


def residual_tau2(key: str) -> Callable[[Any, Any, Any, Any], Any]:
    """Look up an estimator of the residual between-study variance; a number is a tau2 that is taken as known."""
    if key in RESIDUAL_TAU2:
        return RESIDUAL_TAU2[key]
    known = tau2_estimator(key).function
    return lambda y, v, x, keep: known(y, v, keep)
