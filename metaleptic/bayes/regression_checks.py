"""Checks of a Bayesian meta-regression: prediction of each study by the others, replicated studies, power scaling.

Everything is normal given tau, so that nothing is fitted again but the quadrature over tau.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.linear_given_tau import combination, linear_given_tau, linear_model
from metaleptic.bayes.moderators import exact_regression
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.regularising import Regularising
from metaleptic.bayes.sampled_regression import SampledRegression
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.types import FloatArray

GRID = 2001  # points of a coefficient's distribution
AnyRegression = RegressionBayes | SampledRegression


def regression_elpd(fit: RegressionBayes) -> FloatArray:
    """Return the log predictive density of each study given all others: a ratio of two integrals.

    Raises
    ------
    NotEstimableError
        If the posterior without one of the studies is improper, or a coefficient rests on one study alone.
    """
    e, x = fit.effects, fit.design.matrix
    mean, sd = np.array(fit.beta_prior).T
    flat = int((~np.isfinite(sd)).sum())
    elpd = np.empty(len(e))
    for i in range(len(e)):
        rest = np.arange(len(e)) != i
        if np.linalg.matrix_rank(x[rest][:, ~np.isfinite(sd)]) < flat:
            raise NotEstimableError(
                f"without {e.study[i]} a coefficient with a flat prior cannot be estimated. Give it a prior: beta=[...]."
            )
        elpd[i] = fit.log_integral - exact_regression(e.y[rest], e.v[rest], x[rest], fit.prior, mean, sd).log_integral
    return elpd


def regression_log_likelihood(fit: SampledRegression) -> FloatArray:
    """Return the log-likelihood of each study for each draw, its true effect integrated out: shape (draws, k)."""
    e = fit.effects
    mean = (fit.draws["beta"] @ fit.design.matrix.T).reshape(-1, len(e))
    total = e.v + fit.draws["tau"].reshape(-1, 1) ** 2
    return np.asarray(-0.5 * ((e.y - mean) ** 2 / total + np.log(2 * np.pi * total)))


def regression_draws(
    fit: AnyRegression, draws: int, rng: np.random.Generator, *, prior: bool
) -> tuple[FloatArray, FloatArray]:
    """Draw the studies' means X beta, shape (draws, k), and tau: from the posterior, or from the prior.

    Raises
    ------
    NotEstimableError
        For draws from an improper prior.
    OptionError
        For draws from a regularising prior.
    """
    x = fit.design.matrix
    if prior:
        if isinstance(fit.beta_prior, Regularising):
            raise OptionError(f"predictive_check(prior=True) is not available for the {fit.beta_prior.words}.")
        mean, sd = np.array(fit.beta_prior).T
        if not (np.isfinite(sd).all() and fit.prior.proper):
            raise NotEstimableError("there is no prior predictive check of an improper prior. Choose proper priors.")
        beta = mean + sd * rng.standard_normal((draws, len(mean)))
        return beta @ x.T, fit.prior.quantile(rng.random(draws), fit.effects.v)
    if isinstance(fit, SampledRegression):
        at = rng.integers(0, fit.draws["tau"].size, draws)
        beta = fit.draws["beta"].reshape(-1, x.shape[1])[at]
        return beta @ x.T, fit.draws["tau"].reshape(-1)[at]
    solved = fit.fit
    tau = solved.tau[rng.choice(solved.tau.size, draws, p=solved.weight / solved.weight.sum())]
    given = linear_given_tau(solved.model, tau)
    z = rng.standard_normal(given.mean.shape)
    rotated = given.mean + np.linalg.solve(np.swapaxes(given.factor, 1, 2), z[..., None])[..., 0]
    return rotated @ solved.model.q.T, tau


def scaled_regression(fit: RegressionBayes, powers: tuple[float, float]) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return, for each coefficient and tau, (points, probabilities) as they are and (prior, likelihood) under each power.

    A normal prior to the power a is one with variance sd^2 / a; a normal likelihood to the power a is one with variances
    (v + tau^2) / a times a factor that depends on tau.
    """
    e, x, tau = fit.effects, fit.design.matrix, fit.fit.tau
    mean, sd = np.array(fit.beta_prior).T
    base = linear_given_tau(fit.fit.model, tau)
    rows = np.eye(x.shape[1])
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        log_tau = np.maximum(fit.prior.log_density(tau, e.v), -1e4)
    m, s = combination(fit.fit.model, base, rows)
    ends = [b.quantile(np.array([1e-5, 1 - 1e-5])) for b in fit.beta]
    points = [np.linspace(low, high, GRID) for low, high in ends]
    weight = fit.fit.weight / fit.fit.weight.sum()
    found: dict[str, tuple[list[Any], list[Any]]] = {
        name: ([points[j], _masses(points[j], m[j], s[j], weight)], []) for j, name in enumerate(fit.names)
    }
    found["tau"] = ([tau, weight], [])
    for what in ("prior", "likelihood"):
        for a in powers:
            if what == "prior":
                model, at = linear_model(e.y, e.v, x, mean, sd / np.sqrt(a)), tau
                more = (a - 1) * log_tau
            else:
                model, at = linear_model(e.y, e.v / a, x, mean, sd), tau / np.sqrt(a)
                total = np.log(2 * np.pi * (e.v + (tau * tau)[:, None]))
                more = -0.5 * (a - 1) * total.sum(axis=1)
            given = linear_given_tau(model, at)
            log = np.log(weight) + given.loglik - base.loglik + more
            moved = np.exp(log - log.max())
            moved = moved / moved.sum()
            centre, spread = combination(model, given, rows)
            for j, name in enumerate(fit.names):
                found[name][1].append((what, a, _masses(points[j], centre[j], spread[j], moved)))
            found["tau"][1].append((what, a, moved))
    return found


def _masses(points: FloatArray, mean: FloatArray, sd: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the probability around each point of an even grid."""
    half = (points[1] - points[0]) / 2
    edges = np.append(points - half, points[-1] + half)
    up_to = special.ndtr((edges[:, None] - mean) / sd) @ weight
    mass = np.diff(up_to)
    return np.asarray(mass / mass.sum())
