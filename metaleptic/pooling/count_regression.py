"""Moderators in the models of counts: proportions, rates, odds and rate ratios by the likelihood of the counts themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.design import Design, check_rank, design_of
from metaleptic.errors import NotEstimableError
from metaleptic.pooling.build import NAN
from metaleptic.pooling.count_data import CountData, count_data
from metaleptic.pooling.glmm import BOUND, CountFit
from metaleptic.pooling.meta_regression import warn_if_nearly_collinear
from metaleptic.pooling.normal import quantile
from metaleptic.pooling.regression import wald_test, well_scaled
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.residual_heterogeneity import gram, typical_variance
from metaleptic.provenance import provenance
from metaleptic.types import BoolArray, Effects, Estimate, FloatArray, frozen_array

UNBOUNDED = (
    50.0  # standard error, on a scale where columns have unit variance, from which on a coefficient counts as infinite
)


def count_regression(
    effects: Effects, moderators: Any, *, model: str, tau2: str, test: str, level: float, nodes: int | None
) -> Regression:
    """Fit a model of counts with moderators and build its result."""
    design = design_of(effects, moderators)
    warn_if_nearly_collinear(design)
    data = count_data(effects, model, nodes)
    says = data.kept(len(effects)) > 0
    if not says.all():
        _check_informative(effects, design, says)
    random = tau2 not in ("", "0.0")
    fit, beta, cov = _fit(data, design, says, random)
    k, p = int(says.sum()), len(beta)
    se = np.sqrt(np.diag(cov))
    df = float("inf") if test == "z" else float(k - p)
    half = float(quantile(np.float64(df), level)) * se
    statistic = beta / se
    p_values = 2 * (special.ndtr(-np.abs(statistic)) if np.isinf(df) else special.stdtr(df, -np.abs(statistic)))
    tested = [j for j, name in enumerate(design.names) if name != "intercept"] or [0]
    omnibus = wald_test(beta, cov, df, np.eye(p)[tested])
    fitted = design.matrix @ beta
    w = 1 / (effects.v + fit.tau2)
    typical = float(typical_variance(effects.v[says], well_scaled(design.matrix[says])[0], np.ones(k)))
    return Regression(
        effects=effects,
        design=design,
        beta=frozen_array(beta),
        se=frozen_array(se),
        cov=frozen_array(cov),
        df=df,
        statistic=frozen_array(statistic),
        p=frozen_array(p_values),
        low=frozen_array(beta - half),
        high=frozen_array(beta + half),
        qm=omnibus.statistic,
        qm_df=omnibus.df1,
        qm_df2=omnibus.df2,
        qm_p=omnibus.p,
        tau2=fit.tau2,
        tau2_se=fit.tau2_se,
        tau=Estimate(float(np.sqrt(fit.tau2)), NAN, NAN, level),
        i2=100 * fit.tau2 / (fit.tau2 + typical),
        h2=fit.tau2 / typical + 1,
        r2=NAN,
        r2_adjusted=NAN,
        q=fit.q,
        q_df=fit.q_df,
        q_p=float(special.chdtrc(fit.q_df, fit.q)),
        weights=frozen_array(100 * w / w.sum()),
        fitted=frozen_array(fitted),
        residuals=frozen_array(effects.y - fitted),
        leverage=frozen_array(_hat_values(design.matrix, w)),
        loglik=fit.loglik,
        model=model,
        tau2_method="ML" if random else "",
        test=test,
        method=f"{model} {'mixed effects' if random else 'common effect'}: maximum likelihood, "
        + ("z" if test == "z" else f"t({k - p})"),
        level=level,
        notes=_notes(effects, says, fit),
        provenance=provenance(effects, _call(design, model, random, test, level)),
        levels=fit.levels,
    )


def _fit(data: CountData, design: Design, says: BoolArray, random: bool) -> tuple[CountFit, FloatArray, FloatArray]:
    """Fit on orthonormal columns, where the search keeps its digits, and bring coefficients back."""
    x = design.matrix[says]
    q, back = well_scaled(x)
    size = np.sqrt(len(x))
    fit = data.fit(q * size, random=random)
    spread = np.sqrt(np.maximum(np.diag(fit.cov), 0))
    if np.abs(q @ fit.beta * size).max() > BOUND or not spread.max() < UNBOUNDED:
        beta_size = np.abs(back @ fit.beta) * np.linalg.norm(x, axis=0)
        name = design.names[int(np.argmax(beta_size))]
        raise NotEstimableError(
            f"the coefficient of '{name}' has no finite estimate: it tells studies without events (or with events only) from "
            "the others. Drop it, or join its categories."
        )
    beta = size * back @ fit.beta
    cov = size**2 * back @ fit.cov @ back.T
    return fit, np.asarray(beta), np.asarray(cov)


def _check_informative(effects: Effects, design: Design, says: BoolArray) -> None:
    """Refuse designs that only studies without events would identify."""
    kept = np.flatnonzero(says)
    check_rank(
        effects.take(kept),
        Design(design.matrix[kept], design.names, design.terms, design.formula, design.intercept, design.spec),
    )


def _hat_values(x: FloatArray, w: FloatArray) -> FloatArray:
    q = well_scaled(x)[0]
    return np.asarray(w * np.einsum("ij,jk,ik->i", q, np.linalg.inv(gram(q, w)), q))


def _notes(effects: Effects, says: BoolArray, fit: CountFit) -> tuple[str, ...]:
    notes = []
    if not fit.converged:
        notes.append("The likelihood was not maximised to full precision: read the coefficients with care.")
    silent = [effects.study[i] for i in np.flatnonzero(~says).tolist()]
    if silent:
        notes.append(f"Without events, or with events only, so that they change nothing: {', '.join(silent)}.")
    notes.append("Weights, residuals and leverages are those of the normal approximation with this tau.")
    return tuple(notes)


def _call(design: Design, model: str, random: bool, test: str, level: float) -> str:
    what = f'"{design.formula}"' if design.formula else "X"
    estimator = "" if random else ", tau2=0"
    return f'ml.pool(effects, moderators={what}, model="{model}"{estimator}, test="{test}", level={level:g})'
