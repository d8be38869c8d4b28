"""The binomial-normal model: its likelihood is an integral that can be done by brute force, also where tau is large."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, optimize, special

import metaleptic as ml
from metaleptic.errors import FewStudiesWarning, NotEstimableError
from metaleptic.pooling.binomial import binomial_loglik, binomial_normal_loglik, fit_binomial_normal, log_choose

Array = NDArray[np.float64]
COUNTS = {
    "tiny arms": ([5, 0, 3, 12, 1, 9, 26, 7], [7, 8, 13, 34, 5, 26, 58, 7]),
    "none, none, none, nearly all": ([0, 0, 0, 9], [10, 10, 10, 10]),
    "none to all": ([0, 3, 0, 50], [50, 50, 50, 50]),
    "large and small": ([1, 2, 3], [50, 2000, 3]),
    "a million": ([10, 300_000, 5], [1_000_000, 1_000_000, 20]),
}


def brute_force(mu: float, tau: float, events: Array, n: Array) -> float:
    """Integrate each study's likelihood adaptively, in pieces about its highest point."""
    total = 0.0
    for x, size in zip(events, n, strict=True):

        def log_f(theta: float, x: float = x, size: float = size) -> float:
            return float(
                -x * np.logaddexp(0, -theta) - (size - x) * np.logaddexp(0, theta) - 0.5 * ((theta - mu) / tau) ** 2
            )

        limits = (min(mu, -20) - 5 * tau, max(mu, 20) + 5 * tau)
        mode = optimize.minimize_scalar(
            lambda t: -log_f(t), bounds=limits, method="bounded", options={"xatol": 1e-10}
        ).x
        p = special.expit(mode)
        s = 1 / np.sqrt(size * p * (1 - p) + tau**-2)
        top = log_f(mode)

        def scaled(theta: float, top: float = top, log_f: Callable[[float], float] = log_f) -> float:
            return float(np.exp(log_f(theta) - top))

        edges = mode + s * np.array([-40 - 12 * tau / s, -10, -3, 0, 3, 10, 40 + 12 * tau / s])
        parts = [integrate.quad(scaled, a, b, epsabs=0, epsrel=1e-8, limit=500)[0] for a, b in pairwise(edges)]
        total += np.log(sum(parts)) + top - np.log(tau) - 0.5 * np.log(2 * np.pi)
    return float(total + log_choose(n, events).sum())


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("tau", [0.3, 1.2, 5.0, 25.0])
def test_likelihood_is_exact_for_small_and_large_tau(name: str, tau: float) -> None:
    """The trapezoidal rule agrees with adaptive integration to 1e-10, also where studies have none or all."""
    x, n = (np.array(a, dtype=float) for a in COUNTS[name])
    for mu in (-4.0, 0.5):
        ours = float(binomial_normal_loglik(np.array(mu), np.array(tau), x, n))
        assert ours == pytest.approx(brute_force(mu, tau, x, n), rel=1e-10)


@pytest.mark.parametrize("name", COUNTS)
def test_the_estimate_is_the_highest_point(name: str) -> None:
    """No point near or far has a higher likelihood than the fit; the value there is that of the brute-force integral."""
    x, n = (np.array(a, dtype=float) for a in COUNTS[name])
    fit = fit_binomial_normal(x, n)
    assert fit.converged
    assert fit.tau2 > 0
    tau = np.sqrt(fit.tau2)
    assert fit.loglik == pytest.approx(brute_force(fit.mu, tau, x, n), rel=1e-10)
    for reach in (1e-3, 0.1, 1.0):
        mu, log_tau = np.meshgrid(fit.mu + reach * np.linspace(-2, 2, 9), np.log(tau) + reach * np.linspace(-1, 1, 9))
        assert binomial_normal_loglik(mu, np.exp(log_tau), x, n).max() <= fit.loglik + 1e-9
    assert fit.loglik >= binomial_loglik(float(special.logit(x.sum() / n.sum())), x, n)


def test_many_points_at_once_equal_one_by_one() -> None:
    """The likelihood broadcasts over its parameters."""
    x, n = (np.array(a, dtype=float) for a in COUNTS["tiny arms"])
    mu, tau = np.array([-1.0, 0.0, 2.0]), np.array([0.2, 1.0, 9.0])
    alone = [float(binomial_normal_loglik(np.array(a), np.array(b), x, n)) for a, b in zip(mu, tau, strict=True)]
    assert binomial_normal_loglik(mu, tau, x, n) == pytest.approx(alone, rel=1e-12)


def test_swapping_events_and_others_mirrors_the_estimate() -> None:
    """Responders or non-responders: the logit changes its sign, tau stays."""
    x, n = (np.array(a, dtype=float) for a in COUNTS["none to all"])
    a, b = fit_binomial_normal(x, n), fit_binomial_normal(n - x, n)
    assert b.mu == pytest.approx(-a.mu, rel=1e-6)
    assert b.tau2 == pytest.approx(a.tau2, rel=1e-6)


def test_equal_proportions_have_no_spread() -> None:
    """With the same proportion everywhere tau is 0, and estimate and SE are those of the summed counts."""
    fit = fit_binomial_normal(np.array([5.0, 10.0, 20.0]), np.array([10.0, 20.0, 40.0]))
    assert fit.tau2 == 0
    assert fit.mu == 0
    assert fit.se == pytest.approx(1 / np.sqrt(70 / 4))


def test_single_patients_say_nothing_of_the_spread() -> None:
    """With one patient per study only the mean proportion can be estimated: tau is 0, not a number out of rounding."""
    assert fit_binomial_normal(np.array([0.0, 1.0]), np.array([1.0, 1.0])).tau2 == 0


def test_all_or_nothing_has_no_finite_estimate() -> None:
    """If every study has none or all, the likelihood rises with tau without end: an error says what to do."""
    effects = ml.proportions({"study": list("abcd"), "events": [0, 10, 0, 10], "n": [10] * 4})
    with pytest.raises(NotEstimableError, match=r'in every study either no one or everyone .* model="pooled-counts"'):
        ml.pool(effects, model="binomial-normal")
    assert ml.pool(effects, model="pooled-counts").estimate.value == 0.5


def test_one_and_two_arms() -> None:
    """One arm is shown with its exact interval; two are pooled; both with a warning."""
    one = ml.proportions({"study": ["a"], "events": [5], "n": [7]})
    with pytest.warns(FewStudiesWarning, match="only one study"):
        fit = ml.pool(one, model="binomial-normal")
    assert fit.estimate.value == pytest.approx(5 / 7)
    assert (round(fit.estimate.low, 3), round(fit.estimate.high, 3)) == (0.290, 0.963)
    two = ml.proportions({"study": ["a", "b"], "events": [5, 2], "n": [7, 26]})
    with pytest.warns(FewStudiesWarning, match="only 2 studies"):
        assert ml.pool(two, model="binomial-normal").k == 2
