"""Location-scale model: moderators of the effect and moderators of how much studies differ.

y_i ~ N(x_i'b, v_i + exp(z_i'a)). Source: Viechtbauer W, López-López JA. Res Synth Methods 2022;13:697-715.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.convert.units import check_level
from metaleptic.design import Design, design_of
from metaleptic.errors import MetalepticWarning, NotEstimableError, OptionError
from metaleptic.pooling.information import criteria
from metaleptic.pooling.location_scale_result import Coefficients, LocationScale
from metaleptic.pooling.location_scale_search import search
from metaleptic.pooling.meta_regression import warn_if_nearly_collinear
from metaleptic.pooling.normal import quantile
from metaleptic.pooling.regression import WaldTest, wald_test, well_scaled
from metaleptic.pooling.residual_heterogeneity import weighted_fit
from metaleptic.provenance import provenance
from metaleptic.types import Effects, FloatArray, frozen_array
from metaleptic.warn import warn


def location_scale(
    effects: Effects,
    *,
    scale: Any,
    moderators: Any = "~ 1",
    tau2: str = "REML",
    test: str = "z",
    level: float = 0.95,
) -> LocationScale:
    """Ask whether studies of one kind differ more among each other than studies of another kind.

    Parameters
    ----------
    effects : Effects
        What is pooled.
    scale : str, mapping or ndarray
        Moderators of the between-study variance, as in ``ml.pool(moderators=...)``: log tau2 = z'a.
    moderators : str, mapping or ndarray, default "~ 1"
        Moderators of the effect.
    tau2 : {"REML", "ML"}, default "REML"
        Likelihood that is maximised.
    test : {"z", "t"}, default "z"
        Reference distribution of the coefficients; t has k - p (effect) and k - q (spread) degrees of freedom.
    level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    LocationScale
        Both parts with tests, and tau2 at each study.

    Raises
    ------
    OptionError
        If an option is unknown.
    NotEstimableError
        If there are not more studies than coefficients; if the likelihood only rises without end, as where studies of one kind
        do not differ at all: the message says which.

    Warns
    -----
    MetalepticWarning
        If the likelihood has a maximum, but rises above it elsewhere without end.

    Notes
    -----
    Source: Viechtbauer W, López-López JA. Res Synth Methods 2022;13:697-715. The search starts from several places; of the
    maxima with finite coefficients the highest is given.

    Examples
    --------
    >>> import metaleptic as ml
    >>> y = [0.1, 0.2, 0.15, 0.12, 0.9, -0.6, 0.3, 1.4, -0.3, 0.05]
    >>> ml.location_scale(ml.effects(y, [0.01] * 10, columns={"size": [1, 2, 1, 2, 6, 5, 4, 7, 6, 3]}), scale="~ size")
    Location-scale model, 10 studies, REML
      effect: intercept 0.1299 (0.03637 to 0.2234), p = 0.006
      log tau2: intercept -9.045 (-14.37 to -3.715), p < 0.001
      log tau2: size 1.44 (0.4228 to 2.457), p = 0.006
    """
    tau2 = str(tau2).upper()
    if tau2 not in ("REML", "ML"):
        raise OptionError(f'tau2 {tau2!r} is not defined for this model. Choose "REML" or "ML".')
    if test not in ("z", "t"):
        raise OptionError(f'test {test!r} is not defined for this model. Choose "z" or "t".')
    check_level(level)
    x, z = design_of(effects, moderators), design_of(effects, scale)
    warn_if_nearly_collinear(x)
    warn_if_nearly_collinear(z)
    y, v = effects.y, effects.v
    q, back = well_scaled(x.matrix)
    s, scale_back = well_scaled(z.matrix)
    k, p, m = len(y), q.shape[1], s.shape[1]
    if k <= p + m:
        raise NotEstimableError(
            f"{k} studies for {p + m} coefficients ({p} of the effect, {m} of log tau2): at least {p + m + 1} studies are "
            "needed. Drop a moderator, or use ml.pool."
        )
    alpha, information, loglik, notes = _best(
        y, v, q, s, restricted=tau2 == "REML", names=z.names, studies=effects.study
    )
    t2 = np.exp(s @ alpha)
    w = 1 / (v + t2)
    fit = weighted_fit(y, q, w)
    hat = w * np.einsum("ij,jk,ik->i", q, fit.inverse, q)
    df, scale_df = (np.inf, np.inf) if test == "z" else (float(k - p), float(k - m))
    located = _coefficients(x, back @ fit.beta, back @ fit.inverse @ back.T, df, level)
    scaled_cov = scale_back @ np.linalg.inv(information) @ scale_back.T
    scaled = _coefficients(z, scale_back @ alpha, scaled_cov, scale_df, level)
    return LocationScale(
        effects=effects,
        location=located,
        scale=scaled,
        designs=(x, z),
        tau2=frozen_array(t2),
        weights=frozen_array(100 * w / w.sum()),
        fitted=frozen_array(y - fit.residual),
        residuals=frozen_array(fit.residual),
        standardized_residuals=frozen_array(fit.residual * np.sqrt(w / np.where(hat < 1 - 1e-12, 1 - hat, np.nan))),
        leverage=frozen_array(hat),
        qm=_omnibus(located, df),
        qs=_omnibus(scaled, scale_df),
        loglik=loglik,
        criteria=criteria(loglik, p + m, k - p if tau2 == "REML" else k),
        df=df,
        scale_df=scale_df,
        tau2_method=tau2,
        test=test,
        method=f"location-scale model: {tau2}, {'z' if test == 'z' else f't({k - p}) and t({k - m})'}",
        level=level,
        provenance=provenance(
            effects,
            f'ml.location_scale(effects, scale="{z.formula}", moderators="{x.formula}", tau2="{tau2}", test="{test}", level={level:g})',
        ),
        notes=notes,
    )


def _best(
    y: FloatArray,
    v: FloatArray,
    x: FloatArray,
    z: FloatArray,
    *,
    restricted: bool,
    names: tuple[str, ...],
    studies: tuple[str, ...],
) -> tuple[FloatArray, FloatArray, float, tuple[str, ...]]:
    """Return the best finite coefficients of log tau2, their information, the log-likelihood, and notes."""
    found = search(y, v, x, z, restricted=restricted)
    without_end = f"the between-study variance falls to zero for some studies (first: {studies[found.vanishing]})"
    if found.alpha is None and found.vanishing < 0:
        raise NotEstimableError(
            f"the likelihood of the coefficients of {', '.join(names)} has no clear maximum: the studies do not tell them. "
            "Use fewer scale moderators, or ml.pool."
        )
    if found.alpha is None:
        raise NotEstimableError(
            f"{without_end}, so that the coefficients of {', '.join(names)} have no finite estimate. "
            "Use fewer scale moderators, or ml.pool."
        )
    notes: tuple[str, ...] = ()
    if found.vanishing >= 0 and found.edge > found.loglik + 1e-6:
        note = (
            f"the likelihood is higher still where {without_end}: log-likelihood {found.edge:.3f} against {found.loglik:.3f} at "
            "the best finite coefficients, which are given. Read them with care; fewer scale moderators, or ml.pool, are safer."
        )
        warn(MetalepticWarning, note)
        notes = (note[0].upper() + note[1:],)
    return found.alpha, found.information, found.loglik, notes


def _coefficients(design: Design, beta: FloatArray, cov: FloatArray, df: float, level: float) -> Coefficients:
    se = np.sqrt(np.diag(cov))
    half = float(quantile(np.float64(df), level)) * se
    statistic = beta / se
    p = 2 * (special.ndtr(-np.abs(statistic)) if np.isinf(df) else special.stdtr(df, -np.abs(statistic)))
    return Coefficients(
        design.names,
        frozen_array(beta),
        frozen_array(cov),
        frozen_array(se),
        frozen_array(beta - half),
        frozen_array(beta + half),
        frozen_array(statistic),
        frozen_array(p),
    )


def _omnibus(c: Coefficients, df: float) -> WaldTest:
    tested = [j for j, name in enumerate(c.names) if name != "intercept"] or [0]
    return wald_test(c.beta, c.cov, df, np.eye(len(c.names))[tested])
