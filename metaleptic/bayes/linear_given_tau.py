"""The normal-normal model with moderators, given tau: the coefficients are jointly normal.

Studies y_i ~ N(theta_i, v_i), theta_i ~ N(x_i'beta, tau^2), each coefficient with a flat or a normal prior of its own.
Arrays only; nodes of tau are the first axis. Coefficients are rotated to columns that are orthogonal for these studies,
so that years counted from 0 lose no digits, those with flat priors first: where tau is large the studies say next to nothing,
and next to a prior that says much their part of the inverse covariance would drown in it.

Source: Roever C, Friede T. Comput Methods Programs Biomed 2023;229:107303 (Bayesian random-effects meta-regression).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.types import FloatArray

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """Studies, design and prior, made ready once for every tau.

    Attributes
    ----------
    y, v : ndarray of shape (k,)
        Effects and variances.
    order : ndarray of shape (p,)
        Columns of the design, those with a flat prior first.
    q, r : ndarray of shape (k, p), (p, p)
        Design in this order = q r; the rotated coefficients are r beta.
    prior_precision : ndarray of shape (p, p)
        Of the rotated coefficients.
    prior_mean : ndarray of shape (p,)
        Of the rotated coefficients.
    constant : float
        Part of the log-likelihood that no tau changes.
    """

    y: FloatArray
    v: FloatArray
    order: Any
    q: FloatArray
    r: FloatArray
    prior_precision: FloatArray
    prior_mean: FloatArray
    constant: float


@dataclass(frozen=True, slots=True, eq=False)
class LinearGiven:
    """What is known of the rotated coefficients for each tau (n nodes), and the log-likelihood of tau."""

    mean: FloatArray
    factor: FloatArray  # lower triangular, inverse covariance = factor factor'
    loglik: FloatArray


def linear_model(y: FloatArray, v: FloatArray, x: FloatArray, mean: FloatArray, sd: FloatArray) -> LinearModel:
    """Prepare a model; a coefficient with infinite ``sd`` has a flat prior."""
    k, p = x.shape
    order = np.argsort(np.isfinite(sd), kind="stable")
    x, mean, sd = x[:, order], mean[order], sd[order]
    scale = np.sqrt(1 / np.mean(1 / v) + v)[:, None]
    q, r = np.linalg.qr(x / scale)
    q = q * scale
    inverse = np.triu(np.linalg.inv(r))  # coefficients after the flat ones do not involve those
    proper = np.isfinite(sd)
    precision = np.where(proper, 1 / sd**2, 0.0)
    log_sd = float(np.sum(np.log(sd[proper]))) + 0.5 * LOG_2PI * int(proper.sum())
    return LinearModel(
        y=y,
        v=v,
        order=order,
        q=q,
        r=r,
        prior_precision=inverse.T @ (precision[:, None] * inverse),
        prior_mean=r @ np.where(proper, mean, 0.0),
        constant=-0.5 * (k - p) * LOG_2PI - float(np.sum(np.log(np.abs(np.diag(r))))) - log_sd,
    )


def linear_given_tau(model: LinearModel, tau: FloatArray) -> LinearGiven:
    """Solve the model for each tau of shape (n,)."""
    w = 1 / (model.v + (tau * tau)[:, None])
    a = np.einsum("ij,ni,ik->njk", model.q, w, model.q, optimize=True) + model.prior_precision
    b = (w * model.y) @ model.q + model.prior_precision @ model.prior_mean
    unit = 1 / np.sqrt(np.diagonal(a, axis1=1, axis2=2))
    even = a * unit[:, :, None] * unit[:, None, :]
    factor = np.linalg.cholesky(even) / unit[:, :, None]
    mean = unit * np.linalg.solve(even, (unit * b)[..., None])[..., 0]
    off = model.y - mean @ model.q.T
    from_prior = mean - model.prior_mean
    q = np.sum(w * off * off, axis=1) + np.einsum("nj,jk,nk->n", from_prior, model.prior_precision, from_prior)
    log_det = 2 * np.sum(np.log(np.diagonal(factor, axis1=1, axis2=2)), axis=1)
    return LinearGiven(mean, factor, model.constant + 0.5 * (np.sum(np.log(w), axis=1) - log_det - q))


def combination(model: LinearModel, given: LinearGiven, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and sd of each row' beta for each tau: shape (m, n)."""
    rotated = np.linalg.solve(model.r.T, rows[:, model.order].T)  # row' beta = rotated' (r beta)
    mean = (given.mean @ rotated).T
    half = np.linalg.solve(given.factor, np.broadcast_to(rotated, (len(given.mean), *rotated.shape)))
    return mean, np.sqrt(np.sum(half * half, axis=1)).T
