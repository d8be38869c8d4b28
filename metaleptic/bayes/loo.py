"""The verb ``loo``: how well each study is predicted by the others.

Exact posteriors are computed again without each study. Draws are reweighted by Pareto-smoothed importance sampling, whose
k says where that cannot be trusted.

Sources: Vehtari A, Gelman A, Gabry J. Stat Comput 2017;27:1413-1432 (elpd, its standard error); Vehtari A et al. J Mach Learn
Res 2024;25(72):1-58 (PSIS, Pareto k); Zhang J, Stephens MA. Technometrics 2009;51:316-325 (generalised Pareto fit).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.exact import exact_effect
from metaleptic.bayes.exact_models import EXACT, LatentBayes
from metaleptic.bayes.latent import latent
from metaleptic.bayes.outliers import log_groups
from metaleptic.bayes.random_beta import beta_binomial_log
from metaleptic.bayes.random_normal import hermite
from metaleptic.bayes.regression_checks import regression_elpd, regression_log_likelihood
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.bayes.sampled import SampledBayes
from metaleptic.bayes.sampled_models import T_DF, Z_LIMIT, direction
from metaleptic.bayes.sampled_regression import SampledRegression
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.types import Effects, FloatArray, frozen_array

TRUSTED = 0.7  # Pareto k above which the reweighting fails


@dataclass(frozen=True, slots=True, eq=False)
class Loo:
    """How well each study is predicted by the others.

    Attributes
    ----------
    effects : Effects
        The studies.
    elpd : ndarray of shape (k,)
        Log predictive density of each study given all others: small ones are surprises.
    pareto_k : ndarray of shape (k,)
        Of the importance weights where draws were reweighted; above 0.7 a value cannot be trusted. NaN for exact fits.
    total, se : float
        Sum over the studies and its standard error: compare models of the same data by it.
    method : str
        The model in words.
    """

    effects: Effects
    elpd: FloatArray
    pareto_k: FloatArray
    total: float
    se: float
    method: str

    def to_frame(self) -> Any:
        """Return a row per study, the least expected first."""
        order = np.argsort(self.elpd)
        columns = {
            "study": [self.effects.study[i] for i in order],
            "elpd": self.elpd[order],
            "pareto_k": self.pareto_k[order],
        }
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        least = int(np.argmin(self.elpd))
        bad = [self.effects.study[i] for i in np.flatnonzero(self.pareto_k > TRUSTED)]
        lines = [
            f"elpd {self.total:.1f} (se {self.se:.1f}), {len(self.effects)} studies; least expected: "
            f"{self.effects.study[least]} ({self.elpd[least]:.1f})",
            self.method,
        ]
        if bad:
            lines.insert(0, f"NOT TO BE TRUSTED for {', '.join(bad)}: Pareto k above {TRUSTED}")
        return "\n".join(lines)


def loo(fit: PooledBayes | RegressionBayes | SampledRegression) -> Loo:
    """Ask how well each study is predicted by all others: which one surprises, and which of two models predicts better.

    Parameters
    ----------
    fit : PooledBayes, RegressionBayes or SampledRegression
        From ``ml.pool_bayes``, with or without moderators, at least 2 studies. An exact posterior is computed again without each study; a sampled one is
        reweighted (PSIS).

    Raises
    ------
    NotEstimableError
        If the posterior without one of the studies is improper, or with one study.

    Notes
    -----
    A study's true effect is integrated out: the question is the study as a whole, not its patients. Sources: Vehtari A,
    Gelman A, Gabry J. Stat Comput 2017;27:1413-1432; Vehtari A et al. J Mach Learn Res 2024;25(72):1-58.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR")
    >>> ml.loo(ml.pool_bayes(e)).elpd.round(1)
    array([ 0.1, -0.3, -0.3,  0.4])
    """
    if not isinstance(fit, PooledBayes | RegressionBayes | SampledRegression):
        raise OptionError(f"loo takes a fit of ml.pool_bayes, not {type(fit).__name__}.")
    if isinstance(fit, LatentBayes) and fit.model not in EXACT:
        raise OptionError(
            "loo is not available for pool_bayes_medians: its likelihoods are known up to a constant only."
        )
    k = len(fit.effects)
    if k < 2:
        raise NotEstimableError("with one study there are no others to predict it from.")
    ks = np.full(k, np.nan)
    if isinstance(fit, SampledBayes | SampledRegression):
        elpd, ks = psis_elpd(log_likelihood(fit).reshape(-1, k))
    elif isinstance(fit, RegressionBayes):
        elpd = regression_elpd(fit)
    else:
        elpd = np.array([fit.log_integral - _without(fit, i) for i in range(k)])
    return Loo(
        fit.effects,
        frozen_array(elpd),
        frozen_array(ks),
        float(elpd.sum()),
        float(np.sqrt(k) * elpd.std(ddof=1)),
        fit.method,
    )


def _without(fit: PooledBayes, i: int) -> float:
    """Return the log integral of the posterior without study i."""
    others = [j for j in range(len(fit.effects)) if j != i]
    rest = fit.effects.take(others)
    if not isinstance(fit, LatentBayes):
        return float(exact_effect(rest.y, rest.v, fit.prior, fit.mu_prior).log_integral[0])
    study = fit.likelihood.take(others)
    return latent(study, fit.prior, fit.mu_prior, study.scale**2, EXACT[fit.model].between(rest)).log_integral


def log_likelihood(fit: SampledBayes | SampledRegression) -> FloatArray:
    """Return the log-likelihood of each study for each draw, its true effect integrated out."""
    if isinstance(fit, SampledRegression):
        return regression_log_likelihood(fit)
    e, mu, tau = fit.effects, fit.draws["mu"].reshape(-1), fit.draws["tau"].reshape(-1)
    if fit.model == "multivariate":
        raise OptionError("the likelihood of one outcome without the others is not at hand.")
    if fit.model == "t":
        return student_log(e.y, e.v, mu, tau)
    if fit.model == "selection":
        return selected_log(e, mu, tau, fit.draws["omega"].reshape(-1))
    if fit.model == "outliers":
        return np.logaddexp(*log_groups(fit.draws, e)).reshape(-1, len(e))
    if fit.model == "normal-normal":
        total = e.v + tau[:, None] ** 2
        return np.asarray(-0.5 * ((e.y - mu[:, None]) ** 2 / total + np.log(2 * np.pi * total)))
    if fit.model == "beta-binomial":
        at = [
            beta_binomial_log(e.events, e.n, m, np.sqrt(t**2 + 1e-8))
            for m, t in zip(mu[:, None], tau[:, None], strict=True)
        ]
        return np.asarray(at)[:, :, 0, 0]
    z, w = hermite(80)
    study = EXACT[fit.model].likelihood(e)
    points = mu[:, None] + tau[:, None] * z
    log = study.log(points.reshape(1, -1)).reshape(len(e), *points.shape)
    return np.asarray(special.logsumexp(log, b=w, axis=2).T)


def student_log(y: FloatArray, v: FloatArray, mu: FloatArray, tau: FloatArray) -> FloatArray:
    """Return log densities of y ~ N(theta, v), theta ~ mu + tau t: shape (draws, k).

    A Student t is a normal of variance 1 / g with g from a gamma distribution: one sum over log(g) remains.
    """
    u = np.arange(-25.0, 3.5, 0.25)
    half = T_DF / 2
    log_weight = np.log(0.25) + half * (u - np.exp(u)) + half * np.log(half) - special.gammaln(half)
    spread = tau[:, None] ** 2 * np.exp(-u)
    out = np.empty((mu.size, len(y)))
    for i in range(len(y)):
        total = v[i] + spread
        log = -0.5 * ((y[i] - mu[:, None]) ** 2 / total + np.log(2 * np.pi * total))
        out[:, i] = special.logsumexp(log + log_weight, axis=1)
    return out


def selected_log(effects: Effects, mu: FloatArray, tau: FloatArray, omega: FloatArray) -> FloatArray:
    """Return log densities of the reported results: shape (draws, k)."""
    way, limit = direction(effects), Z_LIMIT * np.sqrt(effects.v)
    total = effects.v + tau[:, None] ** 2
    log = -0.5 * ((effects.y - mu[:, None]) ** 2 / total + np.log(2 * np.pi * total))
    chance, omega = special.ndtr((way * mu[:, None] - limit) / np.sqrt(total)), omega[:, None]
    return np.asarray(
        log + np.log(np.where(way * effects.y > limit, 1.0, omega)) - np.log(chance + omega * (1 - chance))
    )


def psis_elpd(log_lik: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the leave-one-out log predictive density and Pareto k of each column of (draws, studies)."""
    elpd, ks = np.empty(log_lik.shape[1]), np.empty(log_lik.shape[1])
    for i in range(log_lik.shape[1]):
        log_w, ks[i] = psis(-log_lik[:, i])
        elpd[i] = special.logsumexp(log_w + log_lik[:, i])
    return elpd, ks


def psis(log_ratio: FloatArray) -> tuple[FloatArray, float]:
    """Return smoothed normalised log weights and Pareto k: the largest weights are replaced by quantiles of their fit."""
    n = log_ratio.size
    log_w = log_ratio - log_ratio.max()
    tail = int(min(0.2 * n, 3 * np.sqrt(n)))
    order = np.argsort(log_w)
    largest, cut = order[n - tail :], float(log_w[order[n - tail - 1]])
    k = np.inf
    if tail >= 5 and log_w[largest[0]] > cut:
        excess = np.exp(log_w[largest]) - np.exp(cut)
        k, sigma = fit_pareto(excess)
        p = (np.arange(tail) + 0.5) / tail
        quantile = sigma * np.expm1(-k * np.log1p(-p)) / k if abs(k) > 1e-12 else -sigma * np.log1p(-p)
        log_w = log_w.copy()
        log_w[largest] = np.minimum(np.log(quantile + np.exp(cut)), 0.0)
    return np.asarray(log_w - special.logsumexp(log_w)), float(k)


def fit_pareto(x: FloatArray) -> tuple[float, float]:
    """Return k and sigma of a generalised Pareto distribution fitted to sorted excesses, k shrunken towards 0.5."""
    n = x.size
    count = 30 + int(np.sqrt(n))
    b = 1 / x[-1] + (1 - np.sqrt(count / (np.arange(count) + 0.5))) / (3 * x[int(n / 4 + 0.5) - 1])
    shape = np.log1p(-b[:, None] * x).mean(axis=1)
    log_l = n * (np.log(-b / shape) - shape - 1)
    weight = special.softmax(log_l)
    best = float(b @ weight)
    k = float(np.log1p(-best * x).mean())
    sigma = -k / best
    return (n * k + 10 * 0.5) / (n + 10), sigma
