"""Pooling with moderators: the random-effects and the common-effect meta-regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.design import Design, design_of
from metaleptic.errors import OptionError, SuspiciousDataWarning
from metaleptic.pooling.given_weights import GENERALISED, OWN_WEIGHTS, generalised_tau2
from metaleptic.pooling.heterogeneity import cochran_q, tau2_estimator
from metaleptic.pooling.normal import quantile
from metaleptic.pooling.regression import (
    RegressionFit,
    WaldTest,
    fit_regression,
    form_tau2_se,
    wald_test,
    well_scaled,
)
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.residual_heterogeneity import gram, solve_residual_q
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, FloatArray, frozen_array
from metaleptic.warn import warn

NEARLY = 1e7  # condition number of columns of length 1 from which on their coefficients rest on the last digits
TESTS = ("knapp-hartung", "t", "z", "adhoc")


def meta_regression(
    effects: Effects,
    moderators: Any,
    *,
    model: str,
    tau2: str,
    test: str,
    level: float,
    weights: FloatArray | None = None,
) -> Regression:
    """Fit the model with moderators, by weights 1 / (v + tau2) or those given, and build its result."""
    if test not in TESTS:
        raise OptionError(f"test {test!r} is not defined with moderators. Choose one of: {', '.join(TESTS)}.")
    design = design_of(effects, moderators)
    warn_if_nearly_collinear(design)
    x, y, v, k = design.matrix, effects.y, effects.v, len(effects)
    p = x.shape[1]
    estimator = tau2 if model == "random" else None
    q = well_scaled(x)[0]
    generalised = estimator in GENERALISED and weights is not None
    key = repr(generalised_tau2(tau2, y, v, q, weights)) if generalised and weights is not None else estimator
    fit = fit_regression(y, v, x, tau2=key, test=test, given=weights)
    se = np.sqrt(np.diag(fit.cov))
    df = float(fit.df)
    t2 = float(fit.tau2)
    half = float(quantile(df, level)) * se
    with np.errstate(divide="ignore", invalid="ignore"):  # no spread and no effect: nothing speaks against 0
        statistic = np.where((se == 0) & (fit.beta == 0), 0.0, fit.beta / se)
    p_values = 2 * (special.ndtr(-np.abs(statistic)) if np.isinf(df) else special.stdtr(df, -np.abs(statistic)))
    omnibus = _omnibus(fit, design, df)
    r2, adjusted = _explained(effects, estimator, design, fit, weights)
    bounds = residual_q_profile(y, v, x, level) if estimator else (np.nan, np.nan)
    w = 1 / (v + t2) if weights is None else weights
    tau2_error = form_tau2_se(w, v + t2, q) if generalised else float(fit.tau2_se)
    fitted = x @ fit.beta
    return Regression(
        effects=effects,
        design=design,
        beta=frozen_array(fit.beta),
        se=frozen_array(se),
        cov=frozen_array(fit.cov),
        df=df,
        statistic=frozen_array(statistic),
        p=frozen_array(p_values),
        low=frozen_array(fit.beta - half),
        high=frozen_array(fit.beta + half),
        qm=omnibus.statistic,
        qm_df=omnibus.df1,
        qm_df2=omnibus.df2,
        qm_p=omnibus.p,
        tau2=t2,
        tau2_se=tau2_error,
        tau=Estimate(float(np.sqrt(t2)), float(np.sqrt(bounds[0])), float(np.sqrt(bounds[1])), level),
        i2=float(fit.i2),
        h2=float(fit.h2),
        r2=r2,
        r2_adjusted=adjusted,
        q=float(fit.q),
        q_df=k - p,
        q_p=float(special.chdtrc(k - p, fit.q)),
        weights=frozen_array(100 * w / w.sum()),
        fitted=frozen_array(fitted),
        residuals=frozen_array(y - fitted),
        leverage=frozen_array(w * np.einsum("ij,jk,ik->i", q, np.linalg.inv(gram(q, w)), q)),
        loglik=float(fit.loglik),
        model=model if weights is None else OWN_WEIGHTS,
        tau2_method=estimator or "",
        test=test,
        method=_method(estimator, test, k - p),
        level=level,
        notes=_notes(k, p, design) + (() if weights is None else ("Pooled with weights given by the caller.",)),
        provenance=provenance(effects, _call(design, model, tau2, test, level, own=weights is not None)),
    )


def warn_if_nearly_collinear(design: Design) -> bool:
    """Name the columns that rounding alone could tell apart, hardly better than those that follow from each other; say if any."""
    scaled = design.matrix / np.linalg.norm(design.matrix, axis=0)
    singular, directions = np.linalg.svd(scaled, full_matrices=False)[1:]
    nearly = bool(singular[0] > NEARLY * singular[-1])
    if nearly:
        involved = [repr(n) for n, w in zip(design.names, directions[-1], strict=True) if abs(w) > 0.05]
        warn(
            SuspiciousDataWarning,
            f"the moderator columns {', '.join(involved)} almost follow from each other (condition number "
            f"{singular[0] / singular[-1]:.1g}): their coefficients rest on the last digits. Drop one of them, or centre them.",
        )
    return nearly


def residual_q_profile(y: FloatArray, v: FloatArray, x: FloatArray, level: float) -> tuple[float, float]:
    """Return the Q-profile interval of the residual between-study variance."""
    df, tail = len(y) - x.shape[1], (1 - level) / 2
    q = np.linalg.qr(x)[0]
    keep = np.ones(len(y))
    low, high = (float(solve_residual_q(y, v, q, keep, special.chdtri(df, part))) for part in (tail, 1 - tail))
    return low, high


def _omnibus(fit: RegressionFit, design: Design, df: float) -> WaldTest:
    tested = [j for j, name in enumerate(design.names) if name != "intercept"] or [0]
    return wald_test(fit.beta, fit.cov, df, np.eye(len(design.names))[tested])


def _explained(
    effects: Effects, estimator: str | None, design: Design, fit: RegressionFit, own: FloatArray | None
) -> tuple[float, float]:
    """Return R2 and adjusted R2 in percent.

    Random effects: by how much tau2 falls (Raudenbush SW, in Cooper H et al. Handbook of Research Synthesis 2009), and that
    allowing for the number of moderators. Common effect: by how much Q per degree of freedom falls (both).
    """
    k, p = design.matrix.shape
    if p == 1 or not _holds_constant(design.matrix):
        return np.nan, np.nan
    if estimator is None:
        before, left = float(cochran_q(effects.y, effects.v, 1.0)), float(fit.q)
    elif own is not None and estimator in GENERALISED:
        before, left = generalised_tau2(estimator, effects.y, effects.v, np.ones((k, 1)), own), float(fit.tau2)
    else:
        before = max(0.0, float(tau2_estimator(estimator).function(effects.y, effects.v, 1.0)))
        left = float(fit.tau2)
    if before == 0:
        return np.nan, np.nan
    adjusted = 100 * max(0.0, 1 - left / before * (k - 1) / (k - p))
    return adjusted if estimator is None else 100 * max(0.0, 1 - left / before), adjusted


def _holds_constant(x: FloatArray) -> bool:
    """Whether an intercept is among the columns or follows from them."""
    q = np.linalg.qr(x)[0]
    return bool(np.allclose(q @ q.sum(axis=0), 1.0))


def _method(estimator: str | None, test: str, df: int) -> str:
    interval = {
        "z": "z",
        "t": f"t({df})",
        "knapp-hartung": f"Hartung-Knapp t({df})",
        "adhoc": f"Hartung-Knapp t({df}) never narrower than z",
    }[test]
    return f"mixed effects: {estimator}, {interval}" if estimator else f"common effect: inverse variance, {interval}"


def _notes(k: int, p: int, design: Design) -> tuple[str, ...]:
    moderators = p - design.intercept
    if moderators > 0 and k < 10 * moderators:
        return (
            f"{k} studies for {moderators} moderator {'column' if moderators == 1 else 'columns'}: fewer than ten for each, "
            "so that chance findings are likely.",
        )
    return ()


def _call(design: Design, model: str, tau2: str, test: str, level: float, *, own: bool) -> str:
    what = f'"{design.formula}"' if design.formula else "X"
    estimator = f', tau2="{tau2}"' if model == "random" else ""
    return f'ml.pool(effects, moderators={what}, model="{model}"{estimator}, test="{test}", level={level:g}{", weights=weights" if own else ""})'
