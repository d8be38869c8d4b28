"""PET and PEESE models by quadrature: small studies report larger effects, in proportion to their error or its square.

y_i = mu + b x_i with x_i the standard error (PET) or the variance (PEESE), and b >= 0 half-Cauchy. Given b and tau the model is
the normal-normal one. Source: Bartos F et al. Res Synth Methods 2023;14:99-116.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact import exact
from metaleptic.bayes.normal_normal import given_tau
from metaleptic.bayes.panels import integrate
from metaleptic.bayes.prior import Prior
from metaleptic.types import FloatArray

# Panels of log(b) about the b that moves a typical study by its standard error; what lies beyond is below 1e-9.
_AWAY = np.array([-25, -12, -8, -6, -4, -2.5, -1, 0, 1, 2.5, 4, 6, 9])


@dataclass(frozen=True, slots=True)
class Small:
    """A model of small-study effects: power of the standard error, and scale of the half-Cauchy prior on its weight."""

    name: str
    power: int
    scale: float

    @property
    def words(self) -> str:
        """Name for a table."""
        return f"{self.name}, half-Cauchy({self.scale:g})"


def small_study_model(
    y: FloatArray, v: FloatArray, small: Small, effect: EffectPrior | None, tau: Prior | None
) -> tuple[float, tuple[FloatArray, FloatArray, FloatArray] | None]:
    """Return log marginal likelihood, and weights, means and sds of the normals that make up the posterior of mu."""
    x = v ** (small.power / 2)
    mu = (0.0, 0.0) if effect is None else (effect.location, effect.scale)

    def given(b: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        shifted = y - b[:, None] * x
        if tau is None:
            one = given_tau(shifted, v[None], None, np.zeros((1, 1)), mu)
            return one.loglik[:, 0], np.ones((b.size, 1)), one.mean, np.broadcast_to(one.sd, one.mean.shape)
        fit = exact(shifted, np.broadcast_to(v, shifted.shape), [tau], mu)
        return fit.log_integral, fit.weight, fit.mean, np.broadcast_to(fit.sd, fit.mean.shape)

    def evaluate(u: FloatArray) -> tuple[FloatArray, FloatArray]:
        b = np.exp(u[0])
        log, w, m, _ = given(b)
        prior = np.log(2 / np.pi / small.scale) - 2 * np.log(np.hypot(1, b / small.scale))
        mean = np.sum(w * m, axis=1)
        middle = np.arctan(mean / np.sqrt(np.mean(v)))  # between -pi/2 and pi/2, where a test function must be bounded
        return (log + prior + u[0])[None], np.stack([np.ones_like(b), middle / np.pi + 0.5])[:, None]

    centre = np.log(np.array([1 / np.sqrt(np.mean(x * x / v))]))
    panels = integrate(evaluate, centre[:, None] + _AWAY, (False, False))
    if effect is None:
        return float(panels.log_total[0]), None
    matters = panels.weight[0] > 1e-12
    b, share = np.exp(panels.u[0][matters]), panels.weight[0][matters]
    _, w, m, s = given(b)
    w = w * share[:, None]
    keep = w > 1e-13
    return float(panels.log_total[0]), (w[keep], m[keep], s[keep])
