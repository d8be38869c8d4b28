"""Intervals for the pooled mean beyond z, t and Hartung-Knapp: one function per method, one data set at a time.

y and v have shape (k,); tau2 is the estimate of the model; every function returns a ``MeanInterval``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import optimize, special

from metaleptic.errors import NotEstimableError
from metaleptic.pooling.heterogeneity import dersimonian_laird
from metaleptic.pooling.normal import fit_normal, quantile, test_probability
from metaleptic.pooling.profile import Profile, profile_at, profile_maximum
from metaleptic.types import FloatArray

FAR = 1e4  # search for a bound no further than this many standard errors from the estimate


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """Estimate, standard error (NaN for likelihood intervals), df, test statistic, its p and the bounds."""

    mu: float
    se: float
    df: float
    statistic: float
    p: float
    low: float
    high: float


def _wald(mu: float, se: float, df: float, level: float) -> MeanInterval:
    half = float(quantile(np.float64(df), level)) * se
    statistic = mu / se
    return MeanInterval(mu, se, df, statistic, test_probability(statistic, df), mu - half, mu + half)


def kenward_roger(y: FloatArray, v: FloatArray, tau2: float, level: float) -> MeanInterval:
    """Widen the SE for the uncertainty of tau2, with matching degrees of freedom.

    Kenward MG, Roger JH. Biometrics 1997;53:983-997, for one parameter, in which case their df becomes 2 / A and their
    scale factor 1; expected information of REML. As usual in meta-analysis (Partlett C, Riley RD. Stat Med
    2017;36:301-317), the adjusted variance stands in A too.
    """
    w = 1 / (v + tau2)
    s1, s2, s3 = (float(np.sum(w**j)) for j in (1, 2, 3))
    mu = float(np.sum(w * y)) / s1
    variance_of_tau2 = 2 / (s2 - 2 * s3 / s1 + (s2 / s1) ** 2)
    adjusted = 1 / s1 + 2 * variance_of_tau2 * (s3 - s2**2 / s1) / s1**2
    df = 2 / (variance_of_tau2 * (s2 * adjusted) ** 2)
    return _wald(mu, np.sqrt(adjusted), df, level)


def _plain(y: FloatArray, v: FloatArray, tau2: float, level: float, test: str) -> MeanInterval:
    fit = fit_normal(y, v, tau2=repr(tau2), test=test, level=level)
    return _wald(float(fit.mu), float(fit.se), float(fit.df), level)


def wider_of_z_and_hartung_knapp(y: FloatArray, v: FloatArray, tau2: float, level: float) -> MeanInterval:
    """Take the Hartung-Knapp interval, or the z interval where that is wider. Wiksten A et al. Stat Med 2016;35:2503-2515."""
    classic, adjusted = (_plain(y, v, tau2, level, test) for test in ("z", "knapp-hartung"))
    return classic if classic.high - classic.low > adjusted.high - adjusted.low else adjusted


def iqwig(y: FloatArray, v: FloatArray, tau2: float, level: float) -> MeanInterval:
    """Hartung-Knapp, with the larger SE where its interval is narrower than that of DerSimonian-Laird. IQWiG methods 6.1."""
    adjusted = _plain(y, v, tau2, level, "knapp-hartung")
    dl = _plain(y, v, max(0.0, float(dersimonian_laird(y, v, 1.0))), level, "z")
    return _plain(y, v, tau2, level, "adhoc") if adjusted.high - adjusted.low < dl.high - dl.low else adjusted


def profile_likelihood(y: FloatArray, v: FloatArray, tau2: float, level: float) -> MeanInterval:
    """Keep every mean that the likelihood ratio does not reject. Hardy RJ, Thompson SG. Stat Med 1996;15:619-629."""
    best = profile_maximum(y, v)
    return _by_root(best, lambda mu: _signed_root(y, v, best, mu), level)


def bartlett(y: FloatArray, v: FloatArray, tau2: float, level: float) -> MeanInterval:
    """Likelihood ratio divided by its expectation to order 1/k.

    Noma H. Stat Med 2011;30:3304-3312. The factor 1 + 2 S3/(S1 S2) - S2/(2 S1^2), S_j = sum of (v + tau2)^-j at the tau2 of
    the mean that is tested, follows from Lawley DN. Biometrika 1956;43:295-303; for equal variances it is 1 + 3/(2k).
    """
    best = profile_maximum(y, v)

    def root(mu: float) -> float:
        w = 1 / (v + profile_at(y, v, mu).tau2)
        s1, s2, s3 = (float(np.sum(w**j)) for j in (1, 2, 3))
        return _signed_root(y, v, best, mu) / float(np.sqrt(1 + 2 * s3 / (s1 * s2) - s2 / (2 * s1**2)))

    return _by_root(best, root, level)


def skovgaard(y: FloatArray, v: FloatArray, tau2: float, level: float) -> MeanInterval:
    """Signed likelihood root, corrected to second order. Guolo A. Stat Med 2012;31:313-327; Skovgaard IM. Bernoulli 1996;2:145-165."""
    best = profile_maximum(y, v)
    w = 1 / (v + best.tau2)
    s1, s2 = float(np.sum(w)), float(np.sum(w**2))
    e = y - best.mu
    observed = s1 * (float(np.sum(w**3 * e**2)) - s2 / 2) - float(np.sum(w**2 * e)) ** 2
    expected = s1 * s2 / 2
    # Where tau2 is at its bound 0 its likelihood is not quadratic: expected information keeps r and u of one kind.
    determinant = observed if best.tau2 > 0 and observed > 0 else expected

    def root(mu: float) -> float:
        r = _signed_root(y, v, best, mu)
        if abs(r) < 1e-4:
            return r
        tau2_here = profile_at(y, v, mu).tau2
        t = 1 / (v + tau2_here)
        t2 = float(np.sum(t**2))
        curvature = float(np.sum(t**3 * (y - mu) ** 2)) - t2 / 2
        curvature = curvature if tau2_here > 0 and curvature > 0 else t2 / 2
        u = (best.mu - mu) * s1 * t2 / 2 * np.sqrt(determinant) / expected / np.sqrt(curvature)
        return r + float(np.log(u / r)) / r

    return _by_root(best, root, level)


def _signed_root(y: FloatArray, v: FloatArray, best: Profile, mu: float) -> float:
    gap = max(0.0, 2 * (best.loglik - profile_at(y, v, mu).loglik))
    return float(np.sign(best.mu - mu) * np.sqrt(gap))


def _by_root(best: Profile, root: Callable[[float], float], level: float) -> MeanInterval:
    """Solve root(mu) = +-z; a root that stays inside has no bound on that side, which is an error."""
    z = float(special.ndtri(0.5 + level / 2))
    bounds = []
    for side in (-1.0, 1.0):
        step = best.se
        while -side * root(best.mu + side * step) < z:
            step *= 1.5
            if step > FAR * best.se:
                raise NotEstimableError(
                    'the likelihood interval has no bound within reach: the effects say too little. Use test="knapp-hartung".'
                )
        near, far = best.mu + side * 1e-6 * best.se, best.mu + side * step
        bounds.append(float(optimize.brentq(lambda mu, s=side: -s * root(mu) - z, near, far, xtol=1e-13, rtol=1e-13)))
    statistic = root(0.0)
    return MeanInterval(
        best.mu, float("nan"), float("inf"), statistic, float(2 * special.ndtr(-abs(statistic))), *bounds
    )


@dataclass(frozen=True, slots=True)
class MeanMethod:
    """A way to an interval for the mean: the function, and the tau2 estimator that it implies ("" for any)."""

    function: Callable[[FloatArray, FloatArray, float, float], MeanInterval]
    tau2: str = ""


MEAN_METHODS = MappingProxyType(
    {
        "kenward-roger": MeanMethod(kenward_roger, "REML"),
        "adhoc-ci": MeanMethod(wider_of_z_and_hartung_knapp),
        "iqwig": MeanMethod(iqwig),
        "profile-likelihood": MeanMethod(profile_likelihood, "ML"),
        "bartlett": MeanMethod(bartlett, "ML"),
        "skovgaard": MeanMethod(skovgaard, "ML"),
    }
)
