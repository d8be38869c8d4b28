"""The beta-binomial model of proportions: true proportions follow a beta distribution. Maximum likelihood.

Source: Kuss O. Stat Med 2015;34:1097-1116; Skellam JG. J R Stat Soc B 1948;10:257-261.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, special

from metaleptic.convert.printed_effects import without_counts
from metaleptic.errors import DataError, NotEstimableError
from metaleptic.pooling.binomial import binomial_loglik, homogeneity
from metaleptic.pooling.build import NAN, call_text, notes_on
from metaleptic.pooling.result import Pooled
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, FloatArray, frozen_array

STEP = 1e-3  # of the numerical second derivatives, fourth order
HUGE = 12.0  # log(alpha + beta) from which on the spread counts as none


def log_likelihood(mu: float, size: float, x: FloatArray, n: FloatArray) -> float:
    """Return the log-likelihood at mean expit(mu) and alpha + beta = exp(size)."""
    total = np.exp(size)
    a, b = special.expit(mu) * total, special.expit(-mu) * total
    choose = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
    return float(np.sum(choose + special.betaln(x + a, n - x + b) - special.betaln(a, b)))


def beta_binomial(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Fit the beta-binomial model to proportions."""
    if effects.measure.axis != "percent" or not np.isfinite(effects.events + effects.n).all():
        raise DataError(
            'model "beta-binomial" needs the events and patients of every study. Make the effects with ml.proportions.'
            + without_counts(effects)
        )
    x, n, k = effects.events, effects.n, len(effects)
    if x.sum() in (0, n.sum()):
        raise NotEstimableError(
            'no one, or everyone, had the event in all studies: use model="pooled-counts", whose interval is exact.'
        )
    mu, size = beta_parameters(x, n)
    spread, total = bool(np.isfinite(size)), float(special.expit(mu))
    if spread:
        se = _standard_error(mu, size, x, n)
        loglik = log_likelihood(mu, size, x, n)
    else:
        se, loglik = float(1 / np.sqrt(n.sum() * total * (1 - total))), binomial_loglik(mu, x, n)
    rho = 1 / (1 + np.exp(size)) if spread else 0.0
    crit = float(special.ndtri(0.5 + level / 2) if test == "z" else -special.stdtrit(k - 1, (1 - level) / 2))
    mean, low, high = (float(special.expit(mu + side * crit * se)) for side in (0, -1, 1))
    g2 = homogeneity(x, n)
    weights = n / (1 + (n - 1) * rho)
    return Pooled(
        effects=effects,
        estimate=Estimate(mean, low, high, level),
        prediction=_prediction(mean, size, level) if spread else None,
        beta=frozen_array([mu]),
        se=frozen_array([se]),
        cov=frozen_array([[se**2]]),
        df=float("inf") if test == "z" else float(k - 1),
        statistic=NAN,
        p=NAN,
        tau2=NAN,
        tau=Estimate(NAN, NAN, NAN, level),
        i2=NAN,
        h2=NAN,
        q=g2,
        q_df=k - 1,
        q_p=float(special.chdtrc(k - 1, g2)),
        weights=frozen_array(100 * weights / weights.sum()),
        loglik=loglik,
        model="beta-binomial",
        tau2_method="ML",
        test=test,
        method=f"beta-binomial: maximum likelihood, correlation within studies {rho:.2g}, "
        + ("z" if test == "z" else f"t({k - 1})"),
        level=level,
        notes=(
            *notes_on(k, True, se, se, test),
            *(() if spread else ("The studies differ no more than by chance: no spread.",)),
        ),
        provenance=provenance(effects, call_text("beta-binomial", "", test, level)),
    )


def beta_parameters(x: FloatArray, n: FloatArray) -> tuple[float, float]:
    """Return logit mean and log(alpha + beta) of the fitted beta distribution; the latter infinite if there is no spread."""
    mu, size = _maximum(x, n)
    common = float(special.logit(x.sum() / n.sum()))
    if size < HUGE and log_likelihood(mu, size, x, n) > binomial_loglik(common, x, n) + 1e-8:
        return mu, size
    return common, float("inf")


def _maximum(x: FloatArray, n: FloatArray) -> tuple[float, float]:
    """Return the best logit mean and log(alpha + beta), from several starts."""
    start = float(special.logit((x.sum() + 0.5) / (n.sum() + 1)))
    best: tuple[float, FloatArray] | None = None

    def cost(q: FloatArray) -> float:
        return -log_likelihood(float(q[0]), float(np.clip(q[1], -8, HUGE + 2)), x, n)

    for first in (0.0, 2.0, 5.0):
        found = optimize.minimize(
            cost,
            np.array([start, first]),
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 2000},
        )
        if best is None or found.fun < best[0]:
            best = (float(found.fun), np.asarray(found.x, dtype=np.float64))
    assert best is not None
    return float(best[1][0]), float(best[1][1])


def _standard_error(mu: float, size: float, x: FloatArray, n: FloatArray) -> float:
    """Return the SE of the logit mean from the observed information of both parameters."""
    h = STEP

    def f(i: int, j: int) -> float:
        return log_likelihood(mu + i * h, size + j * h, x, n)

    d_mu = (16 * (f(1, 0) + f(-1, 0)) - f(2, 0) - f(-2, 0) - 30 * f(0, 0)) / (12 * h**2)
    d_size = (16 * (f(0, 1) + f(0, -1)) - f(0, 2) - f(0, -2) - 30 * f(0, 0)) / (12 * h**2)
    cross = (f(1, 1) - f(1, -1) - f(-1, 1) + f(-1, -1)) / (4 * h**2)
    information = -(d_mu - cross**2 / d_size)
    if not information > 0:
        raise NotEstimableError(
            "the beta-binomial likelihood has no clear maximum: too few studies. Use another model."
        )
    return float(1 / np.sqrt(information))


def _prediction(mean: float, size: float, level: float) -> Estimate:
    """Return quantiles of the fitted beta distribution of true proportions (its parameters taken as known)."""
    total = float(np.exp(size))
    low, high = (
        float(special.betaincinv(mean * total, (1 - mean) * total, p)) for p in ((1 - level) / 2, (1 + level) / 2)
    )
    return Estimate(mean, low, high, level, "prediction")
