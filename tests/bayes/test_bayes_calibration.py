"""Calibration: parameters drawn from the prior have uniform ranks in the posterior; intervals cover when tau is fixed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from metaleptic.bayes import mixture, priors
from metaleptic.bayes.exact import exact, tau_density
from metaleptic.bayes.prior import Prior
from metaleptic.types import FloatArray

CHUNK = 250
V = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.03, 0.07, 0.15, 0.3, 0.6])
PRIORS = [
    priors.half_normal(0.5),
    priors.half_cauchy(0.3),
    priors.log_normal(-1.28, 0.87),
    priors.inverse_gamma(2.42, 0.3),
]


def ranks(prior: Prior, k: int, runs: int, seed: int) -> FloatArray:
    """Posterior probability below the truth for tau, mu, a new study's and the first study's effect: shape (runs, 4).

    Truths are drawn from the prior, data from the model (Talts S et al. arXiv:1804.06788).
    """
    rng = np.random.default_rng(seed)
    v = V[:k]
    tau = prior.draw(runs, seed=seed + 1)
    mu = rng.normal(0, 1, runs)
    theta = rng.normal(mu[:, None], tau[:, None], (runs, k))
    new = rng.normal(mu, tau)
    y = rng.normal(theta, np.sqrt(v))
    out = np.empty((runs, 4))
    for a in range(0, runs, CHUNK):
        at = slice(a, a + CHUNK)
        part = y[at]
        fit = exact(part, np.broadcast_to(v, part.shape), [prior], (0.0, 1.0))
        nodes = fit.tau[:1]
        out[at, 1] = mixture.cdf(fit.weight, fit.mean, fit.sd, mu[at, None])[:, 0]
        out[at, 2] = mixture.cdf(fit.weight, fit.mean, np.hypot(fit.sd, nodes), new[at, None])[:, 0]
        pull = v[0] / (v[0] + nodes**2)
        centre = pull * fit.mean + (1 - pull) * part[:, :1]
        spread = np.sqrt(pull * nodes**2 + (pull * fit.sd) ** 2)
        out[at, 3] = mixture.cdf(fit.weight, centre, spread, theta[at, :1])[:, 0]
        for i, one in enumerate(part):
            density = tau_density(fit, i, one, v, prior, priors.normal(0, 1))
            out[a + i, 0] = float(density.cdf(tau[a + i]))
    return out


@pytest.mark.parametrize("prior", PRIORS[:2], ids=lambda p: p.words)
def test_ranks_are_uniform(prior: Prior) -> None:
    """A short run of the long test below."""
    found = ranks(prior, 4, 500, seed=7)
    for column in found.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3


@pytest.mark.long
@pytest.mark.parametrize("k", [2, 5, 10])
@pytest.mark.parametrize("prior", PRIORS, ids=lambda p: p.words)
def test_ranks_are_uniform_in_many_runs(prior: Prior, k: int) -> None:
    """5,000 data sets each: a bias of a few percent in any interval would show."""
    found = ranks(prior, k, 5000, seed=11)
    for column in found.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-4
        for level in (0.5, 0.95):
            inside = (np.abs(column - 0.5) < level / 2).mean()
            assert inside == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 5000))


def coverage(prior: Prior, k: int, tau: float, runs: int, seed: int) -> tuple[float, float]:
    """How often the central 95% intervals hold mu, and a new study's effect, when tau is fixed."""
    rng = np.random.default_rng(seed)
    v = V[:k]
    y = rng.normal(rng.normal(0.3, tau, (runs, k)), np.sqrt(v))
    new = rng.normal(0.3, tau, runs)
    held = np.zeros(2)
    for a in range(0, runs, CHUNK):
        part = y[a : a + CHUNK]
        fit = exact(part, np.broadcast_to(v, part.shape), [prior])
        wide = np.hypot(fit.sd, fit.tau[:1])
        mu = mixture.cdf(fit.weight, fit.mean, fit.sd, np.array([[0.3]]))[:, 0]
        study = mixture.cdf(fit.weight, fit.mean, wide, new[a : a + CHUNK, None])[:, 0]
        held += [(np.abs(u - 0.5) < 0.475).sum() for u in (mu, study)]
    return float(held[0] / runs), float(held[1] / runs)


@pytest.mark.long
@pytest.mark.parametrize("k", [3, 5, 10])
@pytest.mark.parametrize(("tau", "least"), [(0.0, 0.95), (0.1, 0.95), (0.25, 0.94), (0.5, 0.905)])
def test_intervals_cover_any_heterogeneity_the_prior_thinks_likely(k: int, tau: float, least: float) -> None:
    """Half-normal(0.5), flat prior on mu, 4,000 data sets: too wide below the prior's mean, a little too narrow above."""
    mean, study = coverage(priors.half_normal(0.5), k, tau, 4000, seed=13)
    assert mean > least
    assert study > least


def test_a_prior_that_is_too_narrow_does_not_cover() -> None:
    """The simulation can fail: three studies that differ by 1 under a prior that calls 0.5 large."""
    mean, study = coverage(priors.bartos("HR"), 3, 1.0, 1000, seed=13)
    assert mean < 0.85
    assert study < 0.85
