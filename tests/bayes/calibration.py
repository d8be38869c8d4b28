"""Simulation-based calibration: draw parameters from the prior, data from the model, and ask the posterior about the truth.

If the posterior is right, the probability that it puts below the true value is uniform: Talts S et al. arXiv:1804.06788
(2018). The exact posteriors give that probability itself, so that no ranks of draws are needed.
"""

import numpy as np
from scipy import stats

from metaleptic import priors
from metaleptic.bayes import likelihoods
from metaleptic.bayes.latent import latent
from metaleptic.bayes.random_beta import beta_between, shapes
from metaleptic.bayes.random_normal import NORMAL

MODELS = ("normal-normal", "binomial-normal", "beta-binomial", "poisson-normal")
QUANTITIES = ("mu", "tau", "first study", "new study")
MU, TAU = priors.normal(-1.0, 1.0), priors.half_normal(0.7)
SIZES = np.array([5, 8, 12, 20, 30])


def simulate(model, rng):
    """Return the study likelihoods of one data set, the distribution of effects, and the true (mu, tau, theta_1, new)."""
    mu, tau = rng.normal(MU.location, MU.scale), abs(rng.normal(0, 0.7))
    theta = mu + tau * rng.standard_normal(SIZES.size + 1)
    between = NORMAL
    if model == "normal-normal":
        v = 4.0 / SIZES
        study = likelihoods.normal(theta[:-1] + np.sqrt(v) * rng.standard_normal(SIZES.size), v)
    elif model == "poisson-normal":
        study = likelihoods.poisson(rng.poisson(SIZES * np.exp(theta[:-1])).astype(float), SIZES.astype(float))
    else:
        if model == "beta-binomial":
            a, b = shapes(mu, max(tau, 1e-6))
            p = rng.beta(a, b, SIZES.size + 1)
            theta = np.log(p) - np.log1p(-p)
        p = 1 / (1 + np.exp(-theta[:-1]))
        x = rng.binomial(SIZES, p).astype(float)
        study = likelihoods.binomial(x, SIZES.astype(float))
        if model == "beta-binomial":
            between = beta_between(x, SIZES.astype(float))
    return study, between, (mu, tau, theta[0], theta[-1])


def probabilities(model, runs, seed):
    """Return the posterior probability below each true value: shape (runs, 4)."""
    rng = np.random.default_rng(seed)
    found = np.empty((runs, len(QUANTITIES)))
    for i in range(runs):
        study, between, truth = simulate(model, rng)
        fit = latent(study, TAU, MU, study.scale**2, between)
        found[i] = [d.cdf(t) for d, t in zip((fit.mu, fit.tau, fit.theta[0], fit.new), truth, strict=True)]
    return found


def uniformity(u):
    """Return the p value of the Kolmogorov-Smirnov test of uniformity."""
    return float(stats.kstest(u, "uniform").pvalue)
