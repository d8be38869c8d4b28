"""What each choice of prior does to the conclusion: hundreds of priors in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes import mixture
from metaleptic.bayes.exact import exact, tau_density
from metaleptic.bayes.pool_bayes import checked_mu, checked_prior
from metaleptic.bayes.prior import Prior
from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.types import Effects, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class PriorSensitivity:
    """One row per prior on tau: pooled effect and prediction (printed scale), and tau (analysis scale).

    Attributes
    ----------
    effects : Effects
        What was pooled.
    labels : tuple of str
        Names of the priors.
    mu, prediction, tau : ndarray of shape (m, 3)
        Median and central interval.
    log_integral : ndarray of shape (m,)
        Log of prior times likelihood, integrated: with a proper prior on both, the log marginal likelihood.
    level : float
        Level of the intervals.
    """

    effects: Effects
    labels: tuple[str, ...]
    mu: FloatArray
    prediction: FloatArray
    tau: FloatArray
    log_integral: FloatArray
    level: float

    def to_frame(self) -> Any:
        """Return the rows as a dataframe."""
        columns: dict[str, Any] = {"prior": self.labels}
        for name, values in (("", self.mu), ("prediction_", self.prediction), ("tau_", self.tau)):
            columns |= {f"{name}{part}": values[:, i] for i, part in enumerate(("value", "low", "high"))}
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        m = self.effects.measure
        span = m.format_interval(float(self.mu[:, 0].min()), float(self.mu[:, 0].max()))
        widest = m.format_interval(float(self.mu[:, 1].min()), float(self.mu[:, 2].max()))
        return "\n".join(
            (
                f"{m.label} under {len(self.labels)} priors on tau: medians {span}",
                f"{100 * self.level:g}% credible intervals all within {widest}",
                f"median tau {self.tau[:, 0].min():.2g} to {self.tau[:, 0].max():.2g}",
            )
        )


def prior_sensitivity(
    effects: Effects,
    priors: Mapping[str, Prior] | Sequence[Prior],
    *,
    mu: tuple[float, float] | None = None,
    level: float = 0.95,
) -> PriorSensitivity:
    """Fit the same studies under many priors on the heterogeneity, to see whether the conclusion depends on the choice.

    Parameters
    ----------
    effects : Effects
        What to pool.
    priors : mapping of str to Prior, or sequence of Prior
        The priors, under names of your own or under theirs.
    mu : (mean, sd), optional
        Normal prior on the pooled effect, analysis scale; flat by default.
    level : float, default 0.95
        Level of the intervals.

    Notes
    -----
    Source: Lambert PC et al. Stat Med 2005;24:2401-2428 (why to look at several).

    Examples
    --------
    >>> import metaleptic as ml
    >>> from metaleptic.bayes import priors
    >>> from metaleptic.bayes.prior_sensitivity import prior_sensitivity
    >>> e = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR")
    >>> prior_sensitivity(e, [priors.half_normal(0.25), priors.half_normal(1), priors.bartos("HR")])
    Hazard ratio under 3 priors on tau: medians 0.80 to 0.81
    95% credible intervals all within 0.55 to 1.09
    median tau 0.12 to 0.17
    """
    named = dict(priors) if isinstance(priors, Mapping) else {str(i): p for i, p in enumerate(priors)}
    if not named:
        raise OptionError("there are no priors to compare.")
    if not 0 < level < 1:
        raise OptionError(f"level {level:g} is not between 0 and 1. Write 0.95 for 95%.")
    chosen = [checked_prior(p, effects) for p in named.values()]
    labels = tuple(named) if isinstance(priors, Mapping) else tuple(p.words for p in chosen)
    normal = checked_mu(mu)
    if normal is not None and (normal.bounded or np.isfinite(normal.df)):
        raise OptionError("prior_sensitivity takes a normal prior on the effect, or none: mu=(mean, sd).")
    fit = exact(effects.y, effects.v, chosen, None if normal is None else (normal.location, normal.scale))
    p = np.array([[0.5, (1 - level) / 2, (1 + level) / 2]])
    pooled = mixture.quantile(fit.weight, fit.mean, fit.sd, p)
    new = mixture.quantile(fit.weight, fit.mean, np.hypot(fit.sd, fit.tau), p)
    tau = [tau_density(fit, i, effects.y, effects.v, q, normal).quantile(p[0]) for i, q in enumerate(chosen)]
    return PriorSensitivity(
        effects, labels, _printed(effects, pooled), _printed(effects, new), frozen_array(tau), fit.log_integral, level
    )


def _printed(effects: Effects, values: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        low, high = effects.measure.printed_bounds(values[:, 1], values[:, 2])
        return frozen_array(np.stack([effects.measure.to_printed(values[:, 0]), low, high], axis=1))
