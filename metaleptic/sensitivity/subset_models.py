"""Models fitted to many subsets of studies for ``ml.all_subsets``: by sums, with moderators, or one by one."""

from __future__ import annotations

import time

import numpy as np

from metaleptic.bayes.moderators import exact_regression, marginals, tau_posterior
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression import fit_regression
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.leave_one_out_bayes import posterior_subsets
from metaleptic.sensitivity.leave_out_coefficients import main_coefficient
from metaleptic.sensitivity.multilevel_influence import between_variance, without
from metaleptic.sensitivity.subset_fits import fit_subsets
from metaleptic.sensitivity.subset_sums import subset_estimates
from metaleptic.types import BoolArray, FloatArray

AnyFit = Pooled | PooledBayes | Regression | RegressionBayes | Multilevel
BY_SUMS = ("", "DL", "REML", "ML")
MOST = 1 << 20
MOST_WITH_MODERATORS = 100_000
MOST_ONE_BY_ONE = 1_000
LEAST_ONE_BY_ONE = 50
SECONDS = 25.0
TRIED = 3
FULL_RANK = 1e-10  # smallest over largest eigenvalue of X'X of a subset, columns orthonormal over all studies


def one_by_one(fit: AnyFit) -> bool:
    """Whether the model has no kernel for many subsets at once."""
    return isinstance(fit, PooledBayes | RegressionBayes | Multilevel) or (
        isinstance(fit, Pooled) and fit.model not in ("random", "common")
    )


def most_by_default(fit: AnyFit) -> int:
    """Return how many subsets are fitted in half a minute or less; models fitted one by one are tried on a few."""
    if one_by_one(fit):
        return int(np.clip(SECONDS / max(_cost(fit), 1e-6), LEAST_ONE_BY_ONE, MOST_ONE_BY_ONE))
    return MOST_WITH_MODERATORS if isinstance(fit, Regression) else MOST


def _cost(fit: AnyFit) -> float:
    """Return the processor seconds that a subset takes, by a few of half the studies."""
    rng = np.random.default_rng(0)
    keep = np.zeros((TRIED, fit.k))
    for row in keep:
        row[rng.permutation(fit.k)[: max(2, (fit.k + 1) // 2)]] = 1.0
    keep = keep[estimable(fit, keep)]
    if not len(keep):
        return 0.0
    subset_columns(fit, keep[:1])  # what is loaded or compiled at the first call is no cost of the others
    start = time.process_time()
    subset_columns(fit, keep)
    return (time.process_time() - start) / len(keep)


def estimable(fit: AnyFit, keep: FloatArray) -> BoolArray:
    """Say in which subsets (rows of 0 and 1) the coefficients can be estimated, with a degree of freedom left."""
    if isinstance(fit, RegressionBayes) and all(np.isfinite(sd) for _, sd in fit.beta_prior):
        any_: BoolArray = np.add.reduce(keep, axis=-1) > 0
        return any_
    if not isinstance(fit, Regression | RegressionBayes):
        some: BoolArray = np.add.reduce(keep, axis=-1) > (1 if isinstance(fit, Multilevel) else 0)
        return some
    q = np.linalg.qr(np.asarray(fit.design.matrix))[0]
    size = np.linalg.eigvalsh(np.einsum("mi,ij,ik->mjk", keep, q, q, optimize=True))
    full = size[:, 0] > FULL_RANK * size[:, -1]
    can: BoolArray = full & (np.add.reduce(keep, axis=-1) > q.shape[1])
    return can


def subset_columns(fit: AnyFit, keep: FloatArray) -> dict[str, FloatArray]:
    """Return estimate and heterogeneity of each subset; of a regression the coefficient that is told, of a posterior its median."""
    if isinstance(fit, Regression):
        return _with_moderators(fit, keep)
    if isinstance(fit, Multilevel):
        return _multilevel(fit, keep)
    if isinstance(fit, RegressionBayes):
        return _posterior_with_moderators(fit, keep)
    if isinstance(fit, Pooled) and not one_by_one(fit) and fit.tau2_method in BY_SUMS:
        return subset_estimates(fit.effects.y, fit.effects.v, keep, fit.tau2_method or None)
    f = posterior_subsets(fit, keep > 0) if isinstance(fit, PooledBayes) else fit_subsets(fit, keep > 0)
    return {"k": f.k, "estimate": f.beta, "tau2": f.tau2, "q": f.q, "i2": f.i2, "h2": f.h2}


def _with_moderators(fit: Regression, keep: FloatArray) -> dict[str, FloatArray]:
    e = fit.effects
    f = fit_regression(e.y, e.v, np.asarray(fit.design.matrix), tau2=fit.tau2_method or None, test="z", keep=keep)
    beta = f.beta[..., main_coefficient(fit.names)]
    return {"k": np.add.reduce(keep, axis=-1), "estimate": beta, "tau2": f.tau2, "q": f.q, "i2": f.i2, "h2": f.h2}


def _posterior_with_moderators(fit: RegressionBayes, keep: FloatArray) -> dict[str, FloatArray]:
    """Make the posterior of each subset: median of the coefficient that is told, square of the median of tau."""
    e, x = fit.effects, np.asarray(fit.design.matrix)
    mean, sd = (np.array([b[i] for b in fit.beta_prior]) for i in (0, 1))
    at = main_coefficient(fit.design.names)
    told, half = np.eye(x.shape[1])[[at]], np.array([0.5])
    found = np.full((len(keep), 2), np.nan)
    for row, chosen in zip(found, keep > 0, strict=True):
        try:
            again = exact_regression(e.y[chosen], e.v[chosen], x[chosen], fit.prior, mean, sd)
        except NotEstimableError:
            continue
        tau = tau_posterior(again, e.take(np.flatnonzero(chosen)), fit.prior).quantile(half)[0]
        names = (fit.design.names[at],)
        row[:] = marginals(again, told, names, fit.level, linear=True)[0].median, float(tau) ** 2
    nothing = np.full(len(keep), np.nan)
    return {"k": np.add.reduce(keep, axis=-1), "estimate": found[:, 0], "tau2": found[:, 1]} | dict.fromkeys(
        ("q", "i2", "h2"), nothing
    )


def _multilevel(fit: Multilevel, keep: FloatArray) -> dict[str, FloatArray]:
    """Climb again for each subset of effects: the coefficient that is told, and the mean variance of true effects."""
    found = np.full((len(keep), 2), np.nan)
    at = main_coefficient(fit.design.names)
    for row, chosen in zip(found, keep > 0, strict=True):
        again = without(fit, np.flatnonzero(chosen))
        if again is not None:
            row[:] = again[0].beta[at], between_variance(fit, np.flatnonzero(chosen), again[1])
    nothing = np.full(len(keep), np.nan)
    return {"k": np.add.reduce(keep, axis=-1), "estimate": found[:, 0], "tau2": found[:, 1]} | dict.fromkeys(
        ("q", "i2", "h2"), nothing
    )
