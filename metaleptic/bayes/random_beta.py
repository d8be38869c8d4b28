"""How true proportions scatter around the mean: by a beta distribution (the beta-binomial model).

Mean p = expit(mu), a + b = 1 / (tau^2 p (1 - p)): tau is the standard deviation of the logits where it is small, so that
it takes the same priors as that of the binomial-normal model. A study's likelihood has a closed form.

Source: Griffiths DA. Biometrics 1973;29:637-648 (beta-binomial distribution).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.likelihoods import StudyLikelihood
from metaleptic.bayes.random_normal import Between, normal_near
from metaleptic.bayes.real import Grid
from metaleptic.types import FloatArray

LARGE = 1e6  # of a or b: beyond it differences of log-gamma lose digits and are replaced by their series
TINY = 1e-3  # of tau: below it the beta distribution of the proportion is a normal one of the logit
_Z = np.arange(-10.5, 10.6, 0.6)


def shapes(m: Any, tau: Any) -> tuple[Any, Any]:
    """Return a and b."""
    m = np.clip(m, -300, 300)
    p, q = special.expit(m), special.expit(-m)
    return 1 / (tau * tau * q), 1 / (tau * tau * p)


def rising(a: FloatArray, x: FloatArray) -> FloatArray:
    """Return log(gamma(a + x) / gamma(a))."""
    near = np.minimum(a, LARGE)
    exact = special.gammaln(near + x) - special.gammaln(near)
    s1, s2, s3 = x * (x - 1) / 2, x * (x - 1) * (2 * x - 1) / 6, (x * (x - 1) / 2) ** 2
    far = np.maximum(a, LARGE)
    series = x * np.log(far) + s1 / far - s2 / (2 * far**2) + s3 / (3 * far**3)
    return np.asarray(np.where(a < LARGE, exact, series))


def beta_binomial_log(x: FloatArray, n: FloatArray, m: FloatArray, tau: FloatArray) -> FloatArray:
    """Return the log-likelihood of each study, shape (k, c, m)."""
    a, b = shapes(m, tau[:, None])
    x, n = x[:, None, None], n[:, None, None]
    choose = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
    return np.asarray(choose + rising(a, x) + rising(b, n - x) - rising(a + b, n))


def _log_density(theta: Any, a: Any, b: Any) -> Any:
    """Return the log density of the logit of a beta proportion."""
    return -a * np.logaddexp(0, -theta) - b * np.logaddexp(0, theta) - special.betaln(a, b)


def beta_kernel(theta: Grid, m: FloatArray, tau: FloatArray) -> FloatArray:
    """Return the density of theta times the weight of its node, shape (c, j, m)."""
    a, b = shapes(m, tau[:, None])
    up, down = -np.logaddexp(0, -theta.x), -np.logaddexp(0, theta.x)
    out = a[:, None] * up[:, None] + b[:, None] * down[:, None]
    out += np.log(theta.weight)[:, None] - special.betaln(a, b)[:, None]
    np.exp(out, out=out)
    return np.asarray(out)


def beta_near(theta: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    """Return values of mu near each theta: the trapezoidal rule in units of tau."""
    if tau < TINY:
        return normal_near(theta, tau)
    m = theta[:, None] + tau * _Z
    a, b = shapes(m, tau)
    return m, np.exp(_log_density(theta[:, None], a, b)) * tau * (_Z[1] - _Z[0])


def beta_between(x: FloatArray, n: FloatArray) -> Between:
    """Return the random effects of these counts."""

    def large(
        study: StudyLikelihood, theta: Grid, log_theta: FloatArray, kernel: FloatArray, m: FloatArray, tau: FloatArray
    ) -> FloatArray:
        return beta_binomial_log(x, n, m, tau)

    def small(study: StudyLikelihood, m: FloatArray, tau: FloatArray, narrow: float) -> FloatArray:
        return beta_binomial_log(x, n, m, tau)

    return Between(beta_kernel, beta_near, large, small)
