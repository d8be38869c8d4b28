"""Henmi and Copas: common-effect weights, which small studies cannot pull, with an interval that allows for heterogeneity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate, optimize, special

from metaleptic.errors import NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.heterogeneity import dersimonian_laird
from metaleptic.sensitivity.effects_of import Studies, effects_of
from metaleptic.sensitivity.words import few_words, value_words, with_small_letter
from metaleptic.types import Effects, Estimate, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class HenmiCopas:
    """A pooled effect that small studies cannot pull.

    Attributes
    ----------
    effects : Effects
        What was pooled.
    estimate : Estimate
        Common-effect mean with the Henmi-Copas interval, printed scale.
    beta, se : float
        Mean and its standard error under heterogeneity, analysis scale.
    tau2 : float
        DerSimonian-Laird between-study variance.
    quantile : float
        Multiple of the standard error that makes the interval (1.96 without heterogeneity).
    """

    effects: Effects
    estimate: Estimate
    beta: float
    se: float
    tau2: float
    quantile: float

    @property
    def sentence(self) -> str:
        """What the method shows, in plain words."""
        m, e = self.effects.measure, self.estimate
        return (
            f"With weights that small studies cannot pull (Henmi-Copas), {with_small_letter(m.label)} is "
            f"{value_words(m, e.value, e.low, e.high, e.level)}.{few_words(len(self.effects))}"
        )

    def to_frame(self) -> Any:
        """Return one row."""
        e = self.estimate
        row = {"value": [e.value], "low": [e.low], "high": [e.high], "beta": [self.beta], "se": [self.se]}
        return to_frame(row | {"tau2": [self.tau2], "quantile": [self.quantile]}, self.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def henmi_copas(result: Studies, *, level: float = 0.95) -> HenmiCopas:
    """Pool with common-effect weights and an interval that allows for heterogeneity: robust against publication bias.

    Parameters
    ----------
    result : Effects, Pooled or PooledBayes
        A fit or the effects themselves.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    HenmiCopas

    Raises
    ------
    NotEstimableError
        With a single study.

    Notes
    -----
    Random-effects weights are more equal than common-effect weights, so that missing small studies bias them more. The
    interval comes from the joint distribution of the mean and Q, the latter given the former by a gamma distribution
    with its moments. Source: Henmi M, Copas JB. Stat Med 2010;29:2969-2983.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.henmi_copas(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    With weights that small studies cannot pull (Henmi-Copas), hazard ratio is 0.83 (95% CI 0.69 to 1.00). With 4 studies this is a guess.
    """
    effects = effects_of(result, "henmi_copas")
    if len(effects) < 2:
        raise NotEstimableError("henmi_copas needs at least 2 studies.")
    y, v = effects.y, effects.v
    w = 1 / v
    mean = float((w * y).sum() / w.sum())
    tau2 = float(np.maximum(0.0, dersimonian_laird(y, v, 1.0)))
    scale = 1 + tau2 * float((w**2).sum() / w.sum())
    se = float(np.sqrt(scale / w.sum()))
    t = interval_quantile(y, v, tau2, level)
    estimate = printed_estimate(effects, mean, mean - t * se, mean + t * se, level, "confidence")
    return HenmiCopas(effects, estimate, mean, se, tau2, t)


def interval_quantile(y: FloatArray, v: FloatArray, tau2: float, level: float) -> float:
    """Return the quantile of the standardised mean, its standard error estimated by way of Q."""
    k, w = len(y), 1 / v
    total = float(w.sum())
    ratio = float((w**2).sum()) / total
    spread = 1 + tau2 * ratio  # variance of r = sqrt(sum w) (mean - true mean)
    covariance = np.diag(v + tau2)
    form = np.diag(w) - np.outer(w, w) / total
    with_mean = (covariance @ w) / np.sqrt(total)
    slope = with_mean / spread
    rest = form @ (covariance - np.outer(with_mean, with_mean) / spread)
    # Moments of Q given r: a + b r^2 and c + d r^2.
    a, b = float(np.trace(rest)), float(slope @ form @ slope)
    c, d = float(2 * np.trace(rest @ rest)), float(4 * slope @ rest @ form @ slope)

    def tail(t: float) -> float:
        def density(r: float) -> float:
            mean, variance = a + b * r * r, c + d * r * r
            bound = (k - 1) + (total - ratio) * (r * r / t**2 - 1) / ratio
            inside = special.gammainc(mean**2 / variance, max(0.0, bound) * mean / variance)
            return float(inside * np.exp(-0.5 * r * r / spread) / np.sqrt(2 * np.pi * spread))

        far = t + 40 * np.sqrt(spread)
        return float(integrate.quad(density, t, far, epsabs=1e-13, epsrel=1e-11, limit=400)[0])

    target = (1 - level) / 2
    high = 2.0
    while tail(high) > target:
        high *= 2
    return float(optimize.brentq(lambda t: tail(t) - target, 0.05, high, xtol=1e-12, rtol=1e-12))
