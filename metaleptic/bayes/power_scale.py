"""The verb ``power_scale``: whether the conclusion is the prior's or the studies' own.

Prior or likelihood are raised to a power a little below and above 1; how far the posterior moves says how much it hangs on
either. The distance is the cumulative Jensen-Shannon distance per doubling of the power.

Sources: Kallioinen N, Paananen T, Buerkner PC, Vehtari A. Stat Comput 2024;34:57 (power scaling, the distance, the limit of
0.05); Nguyen HV, Vreeken J. ECML PKDD 2015:173-189 (cumulative Jensen-Shannon divergence).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.exact_models import EXACT, LatentBayes, pool_latent
from metaleptic.bayes.latent import log_effect
from metaleptic.bayes.loo import log_likelihood
from metaleptic.bayes.regression_checks import scaled_regression
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.bayes.sampled import SampledBayes
from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.types import FloatArray

POWERS = (0.8, 1.25)
LIMIT = 0.05
TAIL = 5e-4


@dataclass(frozen=True, slots=True)
class PowerScale:
    """How far the posterior moves when prior or likelihood count a little less or more.

    Attributes
    ----------
    mu, tau : (prior, likelihood)
        Distance per doubling of the power, of the pooled effect and of the heterogeneity; above 0.05 is sensitive. With
        moderators ``mu`` is NaN.
    frame_kind : str
        Dataframe library of the input.
    beta : tuple of (name, (prior, likelihood))
        With moderators the same of each coefficient.
    """

    mu: tuple[float, float]
    tau: tuple[float, float]
    frame_kind: str = "pandas"
    beta: tuple[tuple[str, tuple[float, float]], ...] = ()

    @property
    def rows(self) -> tuple[tuple[str, tuple[float, float]], ...]:
        """Name and distances of each quantity."""
        return (*(self.beta or (("mu", self.mu),)), ("tau", self.tau))

    def to_frame(self) -> Any:
        """Return a row per quantity."""
        columns = {
            "quantity": [name for name, _ in self.rows],
            "prior": [pair[0] for _, pair in self.rows],
            "likelihood": [pair[1] for _, pair in self.rows],
            "diagnosis": [diagnosis(*pair) for _, pair in self.rows],
        }
        return to_frame(columns, self.frame_kind)

    def __repr__(self) -> str:
        return "\n".join(
            f"{name}: {diagnosis(*pair)} (prior {pair[0]:.2f}, likelihood {pair[1]:.2f})" for name, pair in self.rows
        )


def diagnosis(prior: float, likelihood: float) -> str:
    """Say what two distances mean."""
    if prior < LIMIT:
        return "the prior hardly matters"
    return "both matter, and may disagree" if likelihood >= LIMIT else "the prior decides, the studies say little"


def power_scale(fit: PooledBayes | RegressionBayes) -> PowerScale:
    """Ask whether the conclusion is the prior's or the studies', by letting either count a little less and a little more.

    Parameters
    ----------
    fit : PooledBayes or RegressionBayes
        From ``ml.pool_bayes`` (with moderators: solved, not sampled) or ``ml.pool_bayes_medians``.

    Returns
    -------
    PowerScale
        A distance above 0.05 is called sensitive. Sensitive to the prior and not to the likelihood: the studies say little.
        Sensitive to both: neither decides alone, and they may disagree.

    Raises
    ------
    OptionError
        For models whose likelihood is not at hand.

    Notes
    -----
    Prior means that of the mean and that of tau together; a flat one stays flat. Source: Kallioinen N et al. Stat Comput
    2024;34:57.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR")
    >>> ml.power_scale(ml.pool_bayes(e))
    mu: the prior hardly matters (prior 0.01, likelihood 0.12)
    tau: both matter, and may disagree (prior 0.08, likelihood 0.37)
    """
    if isinstance(fit, RegressionBayes):
        return _of_regression(fit)
    if not isinstance(fit, PooledBayes):
        raise OptionError(f"power_scale takes a fit of ml.pool_bayes, not {type(fit).__name__}.")
    mu, tau, weight, log_prior, log_lik = _points(fit)
    found = {}
    for name, log in (("prior", log_prior), ("likelihood", log_lik)):
        for quantity, x in (("mu", mu), ("tau", tau)):
            moved = [
                distance(x, weight, _reweighted(weight, (power - 1) * log)) / abs(np.log2(power)) for power in POWERS
            ]
            found[quantity, name] = float(np.mean(moved))
    pairs = {q: (found[q, "prior"], found[q, "likelihood"]) for q in ("mu", "tau")}
    return PowerScale(pairs["mu"], pairs["tau"], fit.effects.frame_kind)


def _of_regression(fit: RegressionBayes) -> PowerScale:
    pairs = {}
    for name, ((x, weight), moved) in scaled_regression(fit, POWERS).items():
        far = [(what, distance(x, weight, other) / abs(np.log2(power))) for what, power, other in moved]
        prior, likelihood = (float(np.mean([d for w, d in far if w == what])) for what in ("prior", "likelihood"))
        pairs[name] = (prior, likelihood)
    tau = pairs.pop("tau")
    return PowerScale((np.nan, np.nan), tau, fit.effects.frame_kind, tuple(pairs.items()))


def _points(fit: PooledBayes) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return mu, tau, their probabilities, log prior and log likelihood: of a grid, or of draws."""
    if isinstance(fit, SampledBayes):
        mu, tau = fit.draws["mu"].reshape(-1), fit.draws["tau"].reshape(-1)
        weight, log_lik = np.full(mu.size, 1 / mu.size), log_likelihood(fit).sum(axis=1)
    else:
        solved = fit
        if not isinstance(solved, LatentBayes):
            solved = pool_latent(fit.effects, EXACT["normal-normal"], fit.prior, fit.mu_prior, fit.level)
        assert isinstance(solved, LatentBayes)
        grid = solved.grid
        mu, tau = (x.reshape(-1) for x in np.broadcast_arrays(grid.mu_nodes, grid.tau_nodes[:, None]))
        weight, log_lik = grid.joint.reshape(-1), grid.log_study.sum(axis=0).reshape(-1)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        log_prior = fit.prior.log_density(tau, fit.effects.v)
    log_prior = np.maximum(log_prior, -1e4)
    if fit.mu_prior is not None:
        log_prior = log_prior + log_effect(fit.mu_prior, mu)
    return mu, tau, weight, log_prior, log_lik


def _reweighted(weight: FloatArray, log: FloatArray) -> FloatArray:
    inside = weight > 0
    moved = np.where(inside, weight * np.exp(np.where(inside, log - log[inside].max(), 0.0)), 0.0)
    return np.asarray(moved / moved.sum())


def distance(x: FloatArray, p: FloatArray, q: FloatArray) -> float:
    """Return the cumulative Jensen-Shannon distance of two distributions on the same points, between 0 and 1.

    It is measured over the central 99.9% of the first, about the range of a few thousand draws.
    """
    order = np.argsort(x)
    up_to = np.cumsum(p[order])
    order = order[(up_to > TAIL) & (up_to < 1 - TAIL + p[order])]
    p, q = p / p[order].sum(), q / q[order].sum()
    step = np.diff(x[order])
    p_up, q_up = (np.clip(np.cumsum(w[order])[:-1], 0, 1) for w in (p, q))

    def divergence(a: FloatArray, b: FloatArray) -> float:
        middle = (a + b) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.where(a > 0, a * (np.log2(a) - np.log2(middle)), 0.0)
        return float(step @ log + step @ (b - a) / (2 * np.log(2)))

    total = divergence(p_up, q_up) + divergence(q_up, p_up)
    bound = float(step @ (p_up + q_up))
    mirrored = divergence(1 - p_up, 1 - q_up) + divergence(1 - q_up, 1 - p_up)
    other = float(step @ (2 - p_up - q_up))
    return float(np.sqrt(max(total / bound if bound > 0 else 0.0, mirrored / other if other > 0 else 0.0, 0.0)))
