"""The verb ``robust_average``: 36 models with and without an effect, heterogeneity and publication bias, averaged.

Source: Bartos F, Maier M, Wagenmakers EJ, Doucouliagos H, Stanley TD. Res Synth Methods 2023;14:99-116 (RoBMA-PSMA).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from metaleptic.bayes.compare import common_effect, inclusion
from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact import exact, exact_effect
from metaleptic.bayes.mixture import cdf
from metaleptic.bayes.normal_normal import given_tau
from metaleptic.bayes.pool_bayes import checked_mu, checked_prior
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.regression_bias import Small, small_study_model
from metaleptic.bayes.selection import PanelDensity, Steps, selection_model
from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.types import Effects, Estimate, FloatArray, frozen_array

# Half of the prior probability is on no bias; of the other half selection models and regressions get one half each.
BIAS: tuple[tuple[Steps | Small | None, float], ...] = (
    (None, 1 / 2),
    (Steps(2, (0.05,)), 1 / 24),
    (Steps(2, (0.05, 0.10)), 1 / 24),
    (Steps(1, (0.05,)), 1 / 24),
    (Steps(1, (0.025, 0.05)), 1 / 24),
    (Steps(1, (0.05, 0.5)), 1 / 24),
    (Steps(1, (0.025, 0.05, 0.5)), 1 / 24),
    (Small("PET", 1, 1.0), 1 / 8),
    (Small("PEESE", 2, 5.0), 1 / 8),
)
_MOST_STUDIES = 400
_SHARES = 2e-9


@dataclass(frozen=True, slots=True, eq=False)
class Normals:
    """A posterior of mu as a mixture of normals."""

    weight: FloatArray
    mean: FloatArray
    sd: FloatArray

    def cdf(self, x: FloatArray) -> FloatArray:
        """Return P(mu <= x)."""
        return np.asarray(cdf(self.weight, self.mean, self.sd, x))


@dataclass(frozen=True, slots=True, eq=False)
class RobustAverage:
    """How well 36 models predicted the studies, and the effect averaged over those that have one.

    Attributes
    ----------
    effects : Effects
        What was pooled.
    models : tuple of (str, str, str)
        Effect ("no effect", "effect"), heterogeneity ("common", "random") and bias of each model.
    log_marginal, prior, posterior : ndarray of shape (36,)
        Log marginal likelihood, and probability before and after the studies.
    bf_effect, bf_heterogeneity, bf_bias : float
        Inclusion Bayes factors: how many times the odds of each have grown.
    estimate : Estimate
        Effect where there is one, averaged over models: median and central credible interval, printed scale.
    mean : float
        Posterior mean of the effect over all models, those without an effect counted as none: analysis scale.
    mu_prior : EffectPrior
        Prior on the effect where there is one.
    tau_prior : Prior
        Prior on tau where there is heterogeneity.
    level : float
        Level of the interval.
    """

    effects: Effects
    models: tuple[tuple[str, str, str], ...]
    log_marginal: FloatArray
    prior: FloatArray
    posterior: FloatArray
    bf_effect: float
    bf_heterogeneity: float
    bf_bias: float
    estimate: Estimate
    mean: float
    mu_prior: EffectPrior
    tau_prior: Prior
    level: float

    def to_frame(self) -> Any:
        """Return a row per model, the likeliest first."""
        order = np.argsort(-self.posterior, kind="stable").tolist()
        columns: dict[str, Any] = {
            name: [self.models[i][j] for i in order] for j, name in enumerate(("effect", "heterogeneity", "bias"))
        }
        for name in ("log_marginal", "prior", "posterior"):
            columns[name] = getattr(self, name)[order]
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        e, m = self.estimate, self.effects.measure
        best = int(np.argmax(self.posterior))
        return "\n".join(
            (
                f"Bayes factor for an effect {self.bf_effect:.3g}, for heterogeneity {self.bf_heterogeneity:.3g}, "
                f"for publication bias {self.bf_bias:.3g}",
                f"likeliest of {len(self.models)} models: {', '.join(self.models[best])}; probability {100 * self.posterior[best]:.1f}%",
                f"{m.label} {m.format(e.value)} ({100 * e.level:g}% CrI {m.format_interval(e.low, e.high)}), if there is an effect",
            )
        )


def robust_average(
    effects: Effects,
    *,
    mu: EffectPrior | tuple[float, float] | None = None,
    tau: Prior | None = None,
    expected: str = "above",
    level: float = 0.95,
) -> RobustAverage:
    """Average over 36 models that do and do not believe in an effect, in heterogeneity, and in publication bias.

    Parameters
    ----------
    effects : Effects
        A measure with a value of "no effect".
    mu : (mean, sd) or EffectPrior
        Normal prior on the effect where there is one, analysis scale.
    tau : Prior, optional
        Proper prior on the heterogeneity where there is some; the default of ``pool_bayes`` otherwise.
    expected : {"above", "below"}
        On which side of no effect a result is welcome, and so likelier to be published: below for a hazard ratio of
        a treatment that is to prolong survival.
    level : float, default 0.95
        Level of the averaged effect's interval.

    Returns
    -------
    RobustAverage

    Raises
    ------
    OptionError
        If an option is unknown, or the measure has no value of "no effect".
    NotEstimableError
        If a prior is improper.
    DataError
        With fewer than 2 or more than 400 studies.

    Notes
    -----
    Publication bias is modelled in eight ways: six step functions of the p value, and small-study effects in
    proportion to the standard error (PET) or the variance (PEESE). All integrals are solved by quadrature: there is no Monte
    Carlo error. Source: Bartos F et al. Res Synth Methods 2023;14:99-116. With few studies the data hardly tell the
    models apart, and the answer is mostly their prior probabilities.

    Examples
    --------
    >>> import metaleptic as ml
    >>> robust_average(ml.effects([-0.9, -0.6, -0.45, -0.05], [0.2, 0.08, 0.05, 0.01], measure="HR"), mu=(0, 0.5), expected="below")
    Bayes factor for an effect 0.357, for heterogeneity 0.409, for publication bias 19
    likeliest of 36 models: no effect, common, selection, one-sided p 0.025, 0.05; probability 13.3%
    Hazard ratio 0.93 (95% CrI 0.62 to 1.37), if there is an effect
    """
    m = effects.measure
    if not m.has_null:
        raise OptionError(f"a {m.label.lower()} has no value of 'no effect' to compare with.")
    if expected not in ("above", "below"):
        raise OptionError(f"expected {expected!r} is unknown. Choose one of: above, below.")
    if not 0 < level < 1:
        raise OptionError(f"level {level:g} is not between 0 and 1. Write 0.95 for 95%.")
    if not 2 <= len(effects) <= _MOST_STUDIES:
        raise DataError(f"robust_average needs 2 to {_MOST_STUDIES} studies, not {len(effects)}.")
    prior, effect = checked_prior(tau, effects), checked_mu(mu)
    if effect is None or not prior.proper:
        raise NotEstimableError(
            "there is no Bayes factor under an improper prior: its constant is arbitrary. Say how large an effect was thought "
            "possible, mu=(0, 0.5)."
        )
    if np.isfinite(effect.df) or effect.bounded:
        raise OptionError("robust_average takes a normal prior on the effect: mu=(mean, sd).")
    sign = 1.0 if expected == "above" else -1.0
    null = float(m.to_analysis(m.null))
    y = sign * (effects.y - null)
    turned = EffectPrior(sign * (effect.location - null), effect.scale)
    rows = list(product((None, turned), (None, prior), BIAS))
    fits = [fit_one(y, effects.v, bias, mean, spread) for mean, spread, (bias, _) in rows]
    log_marginal = np.array([f[0] for f in fits])
    start = np.array([0.25 * share for _, _, (_, share) in rows])
    after = start * np.exp(log_marginal - log_marginal.max())
    after = after / after.sum()
    has = np.array([[mean is not None, spread is not None, bias is not None] for mean, spread, (bias, _) in rows])
    beliefs = [(p, f[1]) for p, f in zip(after, fits, strict=True) if f[1] is not None and p > _SHARES * after.max()]
    total = sum(p for p, _ in beliefs)
    low, middle, high = (
        null + sign * x for x in _quantiles(beliefs, total, np.array([(1 - level) / 2, 0.5, (1 + level) / 2]))
    )
    printed_low, printed_high = m.printed_bounds(low, high)
    return RobustAverage(
        effects=effects,
        models=tuple(
            (
                "no effect" if mean is None else "effect",
                "common" if spread is None else "random",
                bias.words if bias else "no bias",
            )
            for mean, spread, (bias, _) in rows
        ),
        log_marginal=frozen_array(log_marginal),
        prior=frozen_array(start),
        posterior=frozen_array(after),
        bf_effect=inclusion(start, after, has[:, 0]),
        bf_heterogeneity=inclusion(start, after, has[:, 1]),
        bf_bias=inclusion(start, after, has[:, 2]),
        estimate=Estimate(float(m.to_printed(middle)), float(printed_low), float(printed_high), level, "credible"),
        mean=null + sign * float(sum(p * _mean(b) for p, b in beliefs)),
        mu_prior=effect,
        tau_prior=prior,
        level=level,
    )


def fit_one(
    y: FloatArray, v: FloatArray, bias: Steps | Small | None, effect: EffectPrior | None, tau: Prior | None
) -> tuple[float, PanelDensity | Normals | None]:
    """Return log marginal likelihood and posterior of mu of one model; effects are positive where welcome."""
    if isinstance(bias, Steps):
        return selection_model(y, v, bias, effect, tau)
    if isinstance(bias, Small):
        log, parts = small_study_model(y, v, bias, effect, tau)
        return log, None if parts is None else Normals(*parts)
    if effect is None:
        if tau is None:
            return float(given_tau(y[None], v[None], None, np.zeros((1, 1)), (0.0, 0.0)).loglik[0, 0]), None
        return float(exact(y, v, [tau], (0.0, 0.0)).log_integral[0]), None
    fit = common_effect(y[None], v[None], effect) if tau is None else exact_effect(y, v, tau, effect)
    return float(fit.log_integral[0]), Normals(fit.weight[0], fit.mean[0], fit.sd[0])


def _mean(belief: PanelDensity | Normals) -> float:
    return belief.mean if isinstance(belief, PanelDensity) else float(belief.weight @ belief.mean / belief.weight.sum())


def _quantiles(beliefs: list[tuple[float, PanelDensity | Normals]], total: float, p: FloatArray) -> FloatArray:
    """Solve the averaged distribution function by bisection."""
    ends = [
        (b.edges[0], b.edges[-1])
        if isinstance(b, PanelDensity)
        else (float(np.min(b.mean - 9 * b.sd)), float(np.max(b.mean + 9 * b.sd)))
        for _, b in beliefs
    ]
    low, high = np.full(p.size, min(e[0] for e in ends)), np.full(p.size, max(e[1] for e in ends))
    for _ in range(60):
        x = (low + high) / 2
        below = sum(share * b.cdf(x) for share, b in beliefs) / total < p
        low, high = np.where(below, x, low), np.where(below, high, x)
        if np.max(high - low) < 1e-12 * (1 + np.max(np.abs(x))):
            break
    return np.asarray((low + high) / 2)
