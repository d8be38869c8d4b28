"""The normal-normal model pooled with weights of the caller's own."""

from __future__ import annotations

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.pooling.build import notes_on
from metaleptic.pooling.given_weights import GENERALISED, OWN_WEIGHTS, generalised_tau2
from metaleptic.pooling.mean_inference import MeanInterval
from metaleptic.pooling.normal import NormalFit, quantile, test_probability
from metaleptic.pooling.normal_models import build_normal
from metaleptic.pooling.regression import fit_regression, form_tau2_se
from metaleptic.pooling.result import Pooled
from metaleptic.types import Effects, FloatArray


def with_weights(effects: Effects, a: FloatArray, model: str, tau2: str, test: str, level: float) -> Pooled:
    """Pool with weights ``a``; the standard error is that of a weighted mean with variances v + tau2.

    Source: Viechtbauer W. J Stat Softw 2010;36(3), section 2 (any weights); with 1/v and a random-effects tau2 it is the
    IVhet model of Doi SAR et al. Contemp Clin Trials 2015;45:130-138.
    """
    if test not in ("z", "t", "knapp-hartung", "adhoc"):
        raise OptionError(
            f"test {test!r} is not defined with weights of your own. Choose z, t, knapp-hartung or adhoc."
        )
    y, v, ones = effects.y, effects.v, np.ones((len(effects), 1))
    generalised = tau2 in GENERALISED
    key = repr(generalised_tau2(tau2, y, v, ones, a)) if generalised else tau2
    arrays = fit_regression(y, v, ones, tau2=key if model == "random" else None, test=test, given=a)
    mu, se, df, t2 = float(arrays.beta[0]), float(np.sqrt(arrays.cov[0, 0])), float(arrays.df), float(arrays.tau2)
    half = float(quantile(np.float64(df), level)) * se
    mean = MeanInterval(mu, se, df, mu / se, test_probability(mu / se, df), mu - half, mu + half)
    unused = np.asarray(np.nan)
    fit = NormalFit(
        mu=np.asarray(mu),
        se=np.asarray(se),
        df=np.asarray(df),
        statistic=np.asarray(mean.statistic),
        p=np.asarray(mean.p),
        low=np.asarray(mean.low),
        high=np.asarray(mean.high),
        predict_low=unused,
        predict_high=unused,
        tau2=arrays.tau2,
        q=arrays.q,
        i2=arrays.i2,
        h2=arrays.h2,
        weights=100 * a / a.sum(),
        loglik=arrays.loglik,
    )
    notes = (*notes_on(len(effects), model == "random", se, se, test), "Pooled with weights given by the caller.")
    error = form_tau2_se(a, v + t2, ones) if generalised else None
    return build_normal(effects, fit, mean, OWN_WEIGHTS, tau2 if model == "random" else "", test, level, notes, error)
