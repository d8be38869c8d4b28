"""Heterogeneity read in context: how many true effects lie beyond a threshold, and what a new study would show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.result import PooledBayes
from metaleptic.bayes.sampled import SampledBayes
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.heterogeneity import tau2_estimator
from metaleptic.pooling.multilevel.maximise import curvature
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.subset_fits import refuse_others
from metaleptic.sensitivity.words import with_small_letter
from metaleptic.types import FloatArray

DRAWS = 2000
NO_ERROR = "no interval: this fit has no standard error of tau2"
FEW = 10  # below ten studies the bootstrap covers too rarely: Mathur MB, VanderWeele TJ 2020


@dataclass(frozen=True, slots=True, eq=False)
class ProportionBeyond:
    """Share of true effects beyond a threshold.

    Attributes
    ----------
    fit : Pooled, PooledBayes or Multilevel
        The random-effects fit.
    threshold : float
        Threshold, printed scale.
    side : {"below", "above"}
        Which effects are counted.
    value, low, high : float
        Share and its interval, 0 to 1.
    method : {"calibrated", "normal", "posterior"}
        How it was estimated.
    new_study : float
        Probability that the true effect of a new study lies there, uncertainty of the mean allowed for.
    seed : int or None
        Seed of the bootstrap.
    """

    fit: Pooled | PooledBayes | Multilevel
    threshold: float
    side: str
    value: float
    low: float
    high: float
    method: str
    new_study: float
    seed: int | None

    @property
    def sentence(self) -> str:
        """What the share means, in plain words."""
        m, k = self.fit.effects.measure, self.fit.k
        bayes = self.method == "posterior"
        few = f" With {k} studies the interval of the share is too narrow to rely on." if k < FEW and not bayes else ""
        name = f"{100 * self.fit.level:g}% {'CrI' if bayes else 'CI'}"
        interval = f"{name} {100 * self.low:.0f} to {100 * self.high:.0f}%"
        if np.isnan(self.low):
            interval, few = NO_ERROR, ""
        if self.low == self.high:  # every effect lies on one side, and so does every resampled one
            interval, few = "resampling the studies never gives another share, which is no proof", ""
        return (
            f"In {100 * self.value:.0f}% ({interval}) of settings like these, the true {with_small_letter(m.label)} lies "
            f"{self.side} {m.format(self.threshold)}; a new study's true effect would lie there with probability "
            f"{self.new_study:.2f}.{few}"
        )

    def to_frame(self) -> Any:
        """Return one row."""
        names = ("threshold", "side", "value", "low", "high", "method", "new_study")
        columns = {n: [getattr(self, n)] for n in names}
        if np.isnan(self.low):
            columns["reason"] = [NO_ERROR]
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def proportion_beyond(
    fit: Pooled | PooledBayes | Multilevel,
    threshold: float | None = None,
    *,
    side: str | None = None,
    method: str | None = None,
    seed: int = 1,
) -> ProportionBeyond:
    """Estimate the share of true effects beyond a threshold that matters, and the chance that a new study lies there.

    Parameters
    ----------
    fit : Pooled, PooledBayes or Multilevel
        From ``ml.pool`` with random effects, also of counts; from ``ml.pool_multilevel`` without moderators; or an exact
        posterior of ``ml.pool_bayes`` with normal random effects, of which the share has a posterior of its own (``method``
        and ``seed`` are not used).
    threshold : float, optional
        Printed scale (0.8 for a hazard ratio); the null by default.
    side : {"below", "above"}, optional
        Which effects are counted; those on the side of the pooled effect by default.
    method : {"calibrated", "normal"}, optional
        Calibrated: the share of shrunken effects, with a percentile bootstrap over studies; no distribution is assumed.
        Normal: from the normal distribution of true effects, with the delta method. Models of counts and multilevel fits
        take the normal one, ``model="random"`` the calibrated one by default.
    seed : int, default 1
        Seed of the bootstrap.

    Returns
    -------
    ProportionBeyond

    Raises
    ------
    NotEstimableError
        If there is one study only, or tau is estimated to be 0, so that all true effects are the same.
    OptionError
        If an option is unknown, or there is no threshold.

    Notes
    -----
    Sources: Mathur MB, VanderWeele TJ. Stat Med 2019;38:1336-1342 (normal); Res Synth Methods 2020;11:356-376 (calibrated).

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.9, -0.5, -0.2, -0.4, 0.3, -0.6], [0.02, 0.03, 0.02, 0.04, 0.03, 0.02], measure="HR")
    >>> round(ml.proportion_beyond(ml.pool(e), 0.8).value, 2)
    0.67
    """
    if method not in (None, "calibrated", "normal"):
        raise OptionError(f'method {method!r} is unknown. Choose "calibrated" or "normal".')
    if isinstance(fit, PooledBayes):
        return _posterior(fit, *_threshold(fit, threshold, side))
    if not isinstance(fit, Multilevel):
        fit = refuse_others(fit, "proportion_beyond")
    spread = _spread_of(fit)
    shrinks = isinstance(fit, Pooled) and fit.model == "random"
    method = method or ("calibrated" if shrinks else "normal")
    if method == "calibrated" and not shrinks:
        raise OptionError(
            'the calibrated share shrinks independent effects with known variances. Use method="normal" for this fit.'
        )
    if fit.k < 2:
        raise NotEstimableError("proportion_beyond needs at least 2 studies; there is 1.")
    limit, at, where, sign = _threshold(fit, threshold, side)
    mu, se, tau = float(fit.beta[0]), float(fit.se[0]), float(np.sqrt(spread.tau2))
    z = sign * (mu - at)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.nan_to_num(np.divide(z, np.hypot(tau, se)), nan=0.0, posinf=np.inf, neginf=-np.inf))
    new = float(special.ndtr(ratio) if np.isinf(spread.df) else special.stdtr(spread.df, ratio))
    if tau == 0:
        raise NotEstimableError(
            "tau is estimated to be 0: all true effects would be the same, on one side of the threshold. With few studies "
            "that is no evidence that they are; see the interval of tau."
        )
    if method == "normal" or not isinstance(fit, Pooled):
        value = float(special.ndtr(z / tau))
        error = np.sqrt(se**2 / tau**2 + (spread.tau2_se * z / (2 * tau**3)) ** 2)
        half = float(special.ndtri(0.5 + fit.level / 2) * error * np.exp(-0.5 * (z / tau) ** 2) / np.sqrt(2 * np.pi))
        low, high = (float(np.clip(value + side * half, 0.0, 1.0)) for side in (-1, 1))
        return ProportionBeyond(fit, limit, where, value, low, high, method, new, None)
    y, v = fit.effects.y, fit.effects.v
    value = float(np.mean(sign * (calibrated(y, v, fit.tau2_method) - at) > 0))
    rng = np.random.default_rng(seed)
    pick = rng.integers(0, fit.k, (DRAWS, fit.k))
    pick = pick[np.ptp(pick, axis=1) > 0]
    shares = np.mean(sign * (calibrated(y[pick], v[pick], fit.tau2_method) - at) > 0, axis=-1)
    low, high = (float(q) for q in np.quantile(shares, [0.5 - fit.level / 2, 0.5 + fit.level / 2]))
    return ProportionBeyond(fit, limit, where, value, low, high, method, new, seed)


@dataclass(frozen=True, slots=True)
class _Spread:
    """Variance of the true effects with its standard error, and the degrees of freedom of the mean."""

    tau2: float
    tau2_se: float
    df: float


def _spread_of(fit: Pooled | Multilevel) -> _Spread:
    """Return how true effects spread in a fit where a new one is of one kind."""
    if isinstance(fit, Multilevel):
        if fit.prediction is None:
            raise OptionError(
                "in this multilevel fit a new true effect is of several kinds (moderators, slopes, or a variance for each "
                "level), so that there is no one share. Fit it without them."
            )
        return _Spread(fit.tau.value**2, total_variance_se(fit), float(fit.df[0]))
    if fit.one_true_value or np.isnan(fit.tau2):
        raise OptionError('proportion_beyond needs true effects that differ. Pool with model="random".')
    return _Spread(fit.tau2, fit.tau2_se, fit.df)


def total_variance_se(fit: Multilevel) -> float:
    """Return the standard error of the variance of true effects, all random terms together, by the observed information."""
    state = fit.state
    theta, scaled = state.scaled.theta, state.scaled
    leads = np.array([s.start for s in state.problem.slices])
    pull = np.zeros(len(theta))
    pull[leads] = 2 * theta[leads]
    space = scaled.space
    away = np.abs(theta[scaled.free]) > 1e-6 * space.scale  # variances of 0 are at their bound, and add nothing
    objective, own = scaled.objective(state.problem), theta[scaled.free]
    down = -curvature(objective, own, objective(own)[1], space.scale)[np.ix_(away, away)]
    along = (pull[scaled.free] * space.scale)[away]
    if not len(along) or np.linalg.eigvalsh(down)[0] <= 0:
        return 0.0 if not len(along) else float("nan")
    return float(np.sqrt(along @ np.linalg.solve(down, along)))


def _threshold(
    fit: Pooled | PooledBayes | Multilevel, threshold: float | None, side: str | None
) -> tuple[float, float, str, float]:
    """Return the threshold as printed and on the analysis scale, the side, and the sign of effects beyond it."""
    m = fit.effects.measure
    if side not in (None, "below", "above"):
        raise OptionError(f'side {side!r} is unknown. Choose "below" or "above".')
    limit = m.null if threshold is None else float(threshold)
    if threshold is None and not np.isfinite(limit):
        raise OptionError(f"{m.label} has no null: say which threshold matters.")
    with np.errstate(divide="ignore", invalid="ignore"):
        at = float(m.to_analysis(limit))
    if not np.isfinite(at):
        raise OptionError(
            f"threshold {limit:g} is no possible {with_small_letter(m.label)}: give it on the printed scale."
        )
    falls = float(m.to_analysis(limit * 1.001 + 1e-9)) < at
    where = side or ("below" if fit.estimate.value < limit else "above")
    return limit, at, where, -1.0 if (where == "below") != falls else 1.0  # sign * (theta - at) > 0 is counted


def _posterior(fit: PooledBayes, limit: float, at: float, where: str, sign: float) -> ProportionBeyond:
    """Return the posterior of the share Phi(sign (mu - at) / tau): its median and central interval.

    Given tau the share is below p where mu is below at + tau Phi^-1(p), and mu is normal given tau.
    """
    if isinstance(fit, SampledBayes) or getattr(fit, "model", "") == "beta-binomial":
        raise OptionError(
            f"proportion_beyond needs the exact posterior of normal random effects, not {fit.method.partition(':')[0]}."
        )
    n = fit.nodes
    q = np.linspace(-8.0, 8.0, 3201)  # normal quantiles of the share
    z, sd = sign * (n.mean - at), n.sd
    cdf = special.ndtr((n.tau * q[:, None] - z) / sd) @ n.weight
    tail = 0.5 - fit.level / 2
    value, low, high = (float(special.ndtr(np.interp(p, cdf, q))) for p in (0.5, tail, 1 - tail))
    below = float(fit.prediction.cdf(at))
    return ProportionBeyond(fit, limit, where, value, low, high, "posterior", below if sign < 0 else 1 - below, None)


def calibrated(y: FloatArray, v: FloatArray, tau2: str) -> FloatArray:
    """Return effects shrunk so that their spread is that of the true effects, for data sets (..., k)."""
    keep = np.ones_like(y)
    t2 = np.maximum(0.0, tau2_estimator(tau2).function(y, v, keep))[..., None]
    w = 1 / (v + t2)
    mu = (np.add.reduce(w * y, axis=-1) / np.add.reduce(w, axis=-1))[..., None]
    out: FloatArray = mu + np.sqrt(t2 / (t2 + v)) * (y - mu)
    return out


def calibrated_of(fit: Pooled | Multilevel) -> FloatArray:
    """Return the effects of a fit so shrunk, by its own mean and variance of true effects where it has no kernel for them."""
    y, v = fit.effects.y, fit.effects.v
    if isinstance(fit, Pooled) and fit.model == "random":
        return calibrated(y, v, fit.tau2_method)
    mu, tau2 = float(fit.beta[0]), _spread_of(fit).tau2
    with np.errstate(invalid="ignore"):
        out = mu + np.sqrt(tau2 / (tau2 + v)) * (y - mu)
    return np.where(np.isfinite(out), out, mu)
