"""Pooling with weights of the caller's own, and the generalised Q estimators of tau2 that rest on them.

Sources: DerSimonian R, Kacker R. Contemp Clin Trials 2007;28:105-114 (moments under any weights); Jackson D et al.
Res Synth Methods 2014;5:1-21 (generalised Q); Viechtbauer W. Psychol Methods 2021, doi:10.1037/met0000406 (median-unbiased).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize

from metaleptic.errors import DataError, OptionError
from metaleptic.frames import where
from metaleptic.pooling.quadratic_forms import distribution
from metaleptic.pooling.residual_heterogeneity import generalised_moments, weighted_fit
from metaleptic.types import Effects, FloatArray

GENERALISED = ("GENQ", "GENQM")
OWN_WEIGHTS = "weights of your own"  # the model of such a fit


def checked_weights(effects: Effects, weights: Any) -> FloatArray:
    """Return the caller's weights: one positive number a study; "equal" for ones."""
    k = len(effects)
    if isinstance(weights, str):
        if weights != "equal":
            raise OptionError(f'weights {weights!r} is unknown. Give a number for each study, or "equal".')
        return np.ones(k)
    try:
        w = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError("weights must be a number for each study.") from None
    if w.shape != (k,):
        raise DataError(f"there are {w.size} weights for {k} studies: they must match.")
    for i in np.flatnonzero(~(np.isfinite(w) & (w > 0))).tolist():
        raise DataError(f"{where(effects.study[i], i + 1)}: the weight {w[i]:g} must be above 0.")
    return w


def residual_form(y: FloatArray, x: FloatArray, a: FloatArray) -> tuple[float, FloatArray]:
    """Return the residual sum of squares under weights ``a`` and the matrix of that quadratic form."""
    fit = weighted_fit(y, x, a)
    ax = a[:, None] * x
    return float(np.sum(a * fit.residual**2)), np.diag(a) - ax @ fit.inverse @ ax.T


def form_distribution(q: float, form: FloatArray, variances: FloatArray) -> float:
    """Return P(Q <= q) for effects of these variances."""
    root = np.sqrt(variances)
    eigenvalues = np.linalg.eigvalsh(root[:, None] * form * root)
    return float(distribution(q, np.clip(eigenvalues, 0, None)))


def solve_generalised_q(y: FloatArray, v: FloatArray, x: FloatArray, a: FloatArray, probability: float) -> float:
    """Return tau2 at which the observed Q stands at this probability of its distribution; 0 if it is already below."""
    q, form = residual_form(y, x, a)

    def excess(t: float) -> float:
        return form_distribution(q, form, v + t) - probability

    if excess(0.0) <= 0:
        return 0.0
    high = max(float(np.var(y)), float(v.mean()))
    while excess(high) > 0:
        high *= 4
    return float(optimize.brentq(excess, 0.0, high, xtol=1e-14, rtol=1e-13))


def generalised_tau2(key: str, y: FloatArray, v: FloatArray, x: FloatArray, a: FloatArray) -> float:
    """Return the estimate of tau2 by the mean (GENQ) or the median (GENQM) of the generalised Q."""
    if key == "GENQM":
        return solve_generalised_q(y, v, x, a, 0.5)
    return max(0.0, float(generalised_moments(y, v, x, np.ones(len(y)), a)))
