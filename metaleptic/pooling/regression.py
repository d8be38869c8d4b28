"""The normal-normal model with moderators: from effects, a design and a tau2 to coefficients and their tests.

Arrays only: y, v of shape (..., k), design x of shape (..., k, p); leading axes are data sets. Sources: Berkey CS et al.
Stat Med 1995;14:395-411; Knapp G, Hartung J. Stat Med 2003;22:2693-2710 (test with moderators).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.pooling.residual_heterogeneity import (
    crude_variance,
    gram,
    log_likelihood,
    residual_df,
    residual_q,
    residual_tau2,
    trace_of_product,
    trace_p,
    trace_pp,
    typical_variance,
    weighted_fit,
    weights,
)
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RegressionFit:
    """Arrays of one fit or of many: coefficients have shape (..., p), their covariance (..., p, p), the rest (...)."""

    beta: FloatArray
    cov: FloatArray
    df: FloatArray
    scale: FloatArray
    tau2: FloatArray
    tau2_se: FloatArray
    q: FloatArray
    q_df: FloatArray
    i2: FloatArray
    h2: FloatArray
    loglik: FloatArray


def well_scaled(x: Any) -> tuple[Any, Any]:
    """Return (q, back) with q orthonormal and x = q @ inverse(back): the kernels keep their digits on q."""
    q, r = np.linalg.qr(x)
    return q, np.linalg.inv(r)


def fit_regression(
    y: Any, v: Any, x: Any, *, tau2: str | None, test: str, keep: Any = 1.0, given: Any = None
) -> RegressionFit:
    """Fit the model with estimator ``tau2`` (None: no residual heterogeneity) to one data set or to many.

    ``test`` is "z", "t", "knapp-hartung" or "adhoc"; ``given`` are weights that replace 1 / (v + tau2).
    """
    x, back = well_scaled(np.asarray(x, dtype=np.float64))
    keep = keep + 0 * (y + v)
    df = residual_df(keep, x, keep)
    q = residual_q(y, v, x, keep)
    if tau2 is None:
        t2 = np.zeros_like(q)
        with np.errstate(divide="ignore", invalid="ignore"):
            h2, i2 = q / df, 100 * np.maximum(0, (q - df) / q)
    else:
        t2 = np.maximum(0.0, residual_tau2(tau2)(y, v, x, keep))
        typical = typical_variance(v, x, keep)
        h2, i2 = t2 / typical + 1, 100 * t2 / (t2 + typical)
    total = v + t2[..., None]
    w = weights(v, keep, t2) if given is None else keep * given
    fit = weighted_fit(y, x, w)
    cov = fit.inverse if given is None else fit.inverse @ gram(x, w * w * total) @ fit.inverse
    best = fit if given is None else weighted_fit(y, x, keep / total)
    scale = np.add.reduce(keep / total * best.residual**2, axis=-1) / df
    shortfall = 0.5 * (np.add.reduce(keep / total * fit.residual**2, axis=-1) - scale * df)
    if test in ("knapp-hartung", "adhoc"):
        factor = np.maximum(1.0, scale) if test == "adhoc" else scale
        cov = cov * factor[..., None, None]
    return RegressionFit(
        beta=(back @ fit.beta[..., None])[..., 0],
        cov=back @ cov @ np.swapaxes(back, -1, -2),
        df=np.full_like(q, np.inf) if test == "z" else df,
        scale=scale,
        tau2=t2,
        tau2_se=np.full_like(q, np.nan) if tau2 is None else tau2_se(tau2, y, v, x, keep, t2),
        q=q,
        q_df=df,
        i2=i2,
        h2=h2,
        loglik=log_likelihood(y, v, x, keep, t2, restricted=tau2 == "REML") - shortfall,
    )


def form_variance(a: Any, total: Any, x: Any) -> Any:
    """Return the variance of the residual sum of squares under weights ``a`` when the effects have variance ``total``."""
    inverse = np.linalg.inv(gram(x, a))
    inner = inverse @ gram(x, a * a * total)
    cross = trace_of_product(inverse, gram(x, a**3 * total**2))
    return 2 * (
        np.add.reduce((a * total) ** 2, axis=-1) - 2 * cross + trace_of_product(inner, np.swapaxes(inner, -1, -2))
    )


def form_tau2_se(a: Any, total: Any, x: Any) -> float:
    """Return the standard error of the generalised Q estimate of tau2 under weights ``a``."""
    return float(np.sqrt(form_variance(a, total, x)) / trace_p(x, a, np.linalg.inv(gram(x, a))))


def tau2_se(key: str, y: Any, v: Any, x: Any, keep: Any, tau2: Any) -> Any:
    """Return the standard error of an estimate of tau2, NaN where no formula is published.

    Moment estimators: variance of the quadratic form they rest on; likelihood estimators: expected information; those
    that solve Q = k - p: the variance of Q at the estimate. Source: Viechtbauer W et al. Psychol Methods 2015;20:360-374.
    """
    w0, w = weights(v, keep), weights(v, keep, tau2)
    total = v + np.asarray(tau2)[..., None]
    k = np.add.reduce(keep + 0 * w, axis=-1)
    df = residual_df(keep, x, w)

    def moment(a: Any, divisor: Any) -> Any:
        return np.sqrt(form_variance(a, total, x)) / divisor

    if key in ("DL", "DL2"):
        a = w0 if key == "DL" else weights(v, keep, np.maximum(0, residual_tau2("DL")(y, v, x, keep)))
        return moment(a, trace_p(x, a, np.linalg.inv(gram(x, a))))
    if key == "HE":
        return moment(keep, df)
    if key == "HS":
        return moment(w0, np.add.reduce(w0, axis=-1))
    if key == "HSk":
        return k / df * moment(w0, np.add.reduce(w0, axis=-1))
    if key == "SJ":
        return moment(keep / (v / crude_variance(y, keep)[..., None] + 1), df)
    if key == "ML":
        return np.sqrt(2 / np.add.reduce(w * w, axis=-1))
    if key == "REML":
        # Positive, but lost in rounding where weights differ by many orders of magnitude: then nothing is known.
        information = np.maximum(trace_pp(x, w, np.linalg.inv(gram(x, w))), 0.0)
        with np.errstate(divide="ignore"):
            return np.sqrt(2 / information)
    if key in ("PM", "EB", "PMM", "DLIT", "SJIT"):
        return np.sqrt(2 * k**2 / df) / np.add.reduce(w, axis=-1)
    return np.full_like(np.asarray(tau2, dtype=np.float64), np.nan)


@dataclass(frozen=True, slots=True)
class WaldTest:
    """A joint test of linear combinations: statistic (chi-squared, or F with finite ``df2``), its df, p."""

    statistic: float
    df1: int
    df2: float
    p: float


def wald_test(beta: Any, cov: Any, df: float, contrasts: Any) -> WaldTest:
    """Test that all rows of ``contrasts`` @ beta are zero."""
    rows = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
    m = int(np.linalg.matrix_rank(rows))
    combined = rows @ beta
    q = float(combined @ np.linalg.pinv(rows @ cov @ rows.T, hermitian=True) @ combined)
    if np.isinf(df):
        return WaldTest(q, m, df, float(special.chdtrc(m, q)))
    return WaldTest(q / m, m, df, float(special.fdtrc(m, df, q / m)))
