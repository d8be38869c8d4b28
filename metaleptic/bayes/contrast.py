"""Weighted sums of what the model knows: the difference between two studies, or between a study and the mean."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from metaleptic.types import Effects, FloatArray


def contrast_given_tau(
    effects: Effects, weights: Mapping[str, float], of_mu: float, tau: FloatArray, mean: FloatArray, sd: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean and sd, for each tau, of the sum of c_i theta_i over studies plus ``of_mu`` times mu.

    Given tau and mu the studies' effects are independent: theta_i has the mean own_i y_i + pull_i mu and the variance
    pull_i tau^2, with pull_i = v_i / (v_i + tau^2).
    """
    c = np.array([float(weights.get(name, 0.0)) for name in effects.study])[:, None]
    t2 = tau * tau
    pull = effects.v[:, None] / (effects.v[:, None] + t2)
    on_mu = of_mu + np.sum(c * pull, axis=0)
    centre = np.sum(c * (1 - pull) * effects.y[:, None], axis=0) + on_mu * mean
    return centre, np.sqrt(np.sum(c * c * pull, axis=0) * t2 + (on_mu * sd) ** 2)
