"""The verb ``pool_bayes``: effects and a prior in, the exact posterior out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from metaleptic.bayes.default_priors import default_prior
from metaleptic.bayes.effect_prior import EffectPrior, distribution_of_effect, normal
from metaleptic.bayes.exact import Exact, exact_effect, tau_density
from metaleptic.bayes.marginal import Marginal, mixture_marginals, tau_marginal
from metaleptic.bayes.moderators import CoefficientPriors, coefficient_priors, pool_moderators
from metaleptic.bayes.normal_normal import study_given_tau, weight_given_tau
from metaleptic.bayes.own_priors import own_prior
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.regularising import Regularising
from metaleptic.bayes.result import Nodes, PooledBayes
from metaleptic.design import design_of
from metaleptic.errors import DataError, FewStudiesWarning, OptionError
from metaleptic.measures import MEASURES
from metaleptic.provenance import provenance
from metaleptic.types import Effects, frozen_array
from metaleptic.warn import warn

if TYPE_CHECKING:
    from metaleptic.bayes.sampled_regression import SampledRegression

ROEVER_2020 = "Roever C. J Stat Softw 2020;93(6):1-51"


@overload
def pool_bayes(
    effects: Effects,
    *,
    model: str = "normal-normal",
    tau: Prior | None = None,
    mu: EffectPrior | tuple[float, float] | None = None,
    moderators: None = None,
    beta: None = None,
    level: float = 0.95,
    method: str = "exact",
    draws: int = 1000,
    chains: int = 4,
    seed: int | None = None,
) -> PooledBayes: ...
@overload
def pool_bayes(
    effects: Effects,
    *,
    model: str = "normal-normal",
    tau: Prior | None = None,
    mu: None = None,
    moderators: Any,
    beta: CoefficientPriors | Regularising = None,
    level: float = 0.95,
    method: Literal["exact"] = "exact",
    draws: int = 1000,
    chains: int = 4,
    seed: int | None = None,
) -> RegressionBayes: ...
@overload
def pool_bayes(
    effects: Effects,
    *,
    model: str = "normal-normal",
    tau: Prior | None = None,
    mu: None = None,
    moderators: Any,
    beta: CoefficientPriors | Regularising = None,
    level: float = 0.95,
    method: str,
    draws: int = 1000,
    chains: int = 4,
    seed: int | None = None,
) -> RegressionBayes | SampledRegression: ...
def pool_bayes(
    effects: Effects,
    *,
    model: str = "normal-normal",
    tau: Prior | None = None,
    mu: EffectPrior | tuple[float, float] | None = None,
    moderators: Any = None,
    beta: CoefficientPriors | Regularising = None,
    level: float = 0.95,
    method: str = "exact",
    draws: int = 1000,
    chains: int = 4,
    seed: int | None = None,
) -> PooledBayes | RegressionBayes | SampledRegression:
    """Pool the effects of several studies by a Bayesian random-effects model: what to believe after seeing them.

    Parameters
    ----------
    effects : Effects
        From ``ml.hazard_ratios``, ``ml.proportions``, ``ml.effects`` and their kin.
    model : str, default "normal-normal"
        ``"normal-normal"``: effects with standard errors. ``"binomial-normal"``: proportions by the exact likelihood of
        their counts, without the half added to 0 of n; ``"beta-binomial"``: the same, true proportions scattering by a
        beta distribution. ``"poisson-normal"``: rates by events and time at risk.
        ``"t"`` (only with ``method="nuts"``): effects with standard errors, true effects scattering by a Student t(4);
        ``"outliers"``: a few outlying studies scatter more widely than the others, and are named;
        ``"selection"``: results that are not significant may have stayed unreported.
    tau : Prior, optional
        Prior on the heterogeneity, from ``ml.priors``, or a distribution of ``scipy.stats`` or PyMC (``pm.Gamma.dist(2, 4)``). By default half-normal: scale 0.5 for ratios, medians and
        survival, 1 for logits; differences have no default, because it depends on their unit.
    mu : (mean, sd) or EffectPrior, optional
        Normal prior on the pooled effect, analysis scale, or one of ``priors.normal``, ``priors.student_t``,
        ``priors.cauchy``; flat by default.
    moderators : str, mapping or ndarray of shape (k, p), optional
        Characteristics of the studies that may explain differences (meta-regression): a formula on the columns of the
        effects (``"~ dose + design"``), a mapping of columns, or a design matrix.
    beta : sequence of (mean, sd), or Regularising, optional
        With moderators: normal prior on each coefficient, None for a flat one; all flat by default. With many moderators
        ``priors.horseshoe()`` or ``priors.ridge()`` (``method="nuts"``): coefficients are small unless the studies insist.
    level : float, default 0.95
        Level of all intervals.
    method : {"exact", "nuts"}, default "exact"
        How the posterior is found: by quadrature, or by sampling with PyMC (a check of the former; takes seconds).
    draws, chains : int
        Draws per chain after warm-up, and chains, for ``method="nuts"``.
    seed : int, optional
        Seed of the draws; chosen and recorded in ``provenance`` if left out.

    Returns
    -------
    PooledBayes, RegressionBayes or SampledRegression
        ``estimate`` on the printed scale; ``mu``, ``tau``, ``prediction`` and ``theta[i]`` as distributions. With
        moderators the coefficients ``beta`` instead of ``mu``. A sampled one has ``draws``, ``diagnostics`` and
        ``to_arviz()`` too.

    Raises
    ------
    OptionError
        If an option is unknown, or the measure has no default prior.
    NotEstimableError
        If the posterior is improper: a flat prior on tau with 2 studies, Jeffreys' with 1.

    Warns
    -----
    FewStudiesWarning
        With one study: the heterogeneity is then the prior's alone.

    Notes
    -----
    The normal-normal model is solved, not sampled: tau by adaptive quadrature, everything else as a mixture of normals
    over its nodes. ``error`` bounds the error of every probability, about 1e-12. Sources: Roever C. J Stat Softw
    2020;93(6):1-51; Roever C, Friede T. J Comput Graph Stat 2017;26:217-222; for the default priors Roever C et al.
    Res Synth Methods 2021;12:448-474 and (logits) Schmidli H et al. Biometrics 2014;70:1023-1032.

    Examples
    --------
    >>> import metaleptic as ml
    >>> from metaleptic.bayes.pool_bayes import pool_bayes
    >>> pool_bayes(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    Hazard ratio 0.80 (95% CrI 0.58 to 1.04), 4 studies
    Bayesian random effects: half-normal(0.5) prior on tau, flat prior on the mean; 95% prediction interval 0.43 to 1.40
    heterogeneity: tau 0.15 (95% CrI 0.0081 to 0.59); P(hazard ratio < 1) = 96.3%
    """
    if not isinstance(effects, Effects):
        raise OptionError(
            f"pool_bayes takes effects, not {type(effects).__name__}. Make them first, for example with ml.hazard_ratios(data)."
        )
    if len(effects) == 0:
        raise DataError("there are no effects. There is nothing to pool.")
    if not 0 < level < 1:
        raise OptionError(f"level {level:g} is not between 0 and 1. Write 0.95 for 95%.")
    if method not in ("exact", "nuts"):
        raise OptionError(f"method {method!r} is unknown. Choose one of: exact, nuts.")
    prior = checked_prior(tau, effects)
    if moderators is not None:
        if mu is not None:
            raise OptionError(
                "with moderators there is no single mu: give the priors on the coefficients as beta=[...]."
            )
        if model != "normal-normal":
            raise OptionError('moderators go with model="normal-normal".')
        if isinstance(beta, Regularising) and method == "exact":
            raise OptionError(f'priors.{beta.key} on the coefficients is sampled, not solved: say method="nuts".')
        if isinstance(beta, Regularising) or method == "nuts":
            from metaleptic.bayes.sampled_regression import pool_sampled_moderators

            design = design_of(effects, moderators, full_rank=not isinstance(beta, Regularising))
            given = beta if isinstance(beta, Regularising) else coefficient_priors(beta, design)
            return pool_sampled_moderators(effects, design, prior, given, level, draws=draws, chains=chains, seed=seed)
        return pool_moderators(effects, moderators, prior, beta, level)
    if beta is not None:
        raise OptionError("beta is for moderators. The prior on the pooled effect is mu=(mean, sd).")
    effect = checked_mu(mu)
    if effect is not None and effect.bounded:
        raise OptionError("a prior on the effect with bounds is for compare_models. Take one without bounds here.")
    if len(effects) == 1:
        warn(
            FewStudiesWarning,
            f"only one study ({effects.study[0]}): nothing is pooled, and what is said of heterogeneity is the prior's.",
        )
    if method == "nuts":
        from metaleptic.bayes.sampled import pool_sampled

        return pool_sampled(effects, model, prior, effect, level, draws=draws, chains=chains, seed=seed)
    if model != "normal-normal":
        from metaleptic.bayes.exact_models import exact_model, pool_latent  # scipy.interpolate is not light

        return pool_latent(effects, exact_model(model), prior, effect, level)
    fit = exact_effect(effects.y, effects.v, prior, effect)
    return describe(effects, prior, effect, level, fit)


def describe(effects: Effects, prior: Prior, mu: EffectPrior | None, level: float, fit: Exact) -> PooledBayes:
    """Summarise a posterior in words and numbers."""
    y, v = effects.y, effects.v
    density = tau_density(fit, 0, y, v, prior, mu)
    spread = tau_marginal(density, float(fit.tau_mean[0]), float(fit.tau_sd[0]), level)
    pooled, new, *studies = mixtures_of(effects, fit, level)
    weights = 100 * weight_given_tau(v, fit.tau[0], fit.sd[0]) @ fit.weight[0]
    reason = why_no_marginal(prior, mu)
    log_integral = float(fit.log_integral[0])
    return PooledBayes(
        effects=effects,
        estimate=pooled.estimate,
        mu=pooled,
        tau=spread,
        prediction=new,
        theta=tuple(studies),
        weights=frozen_array(weights),
        log_marginal=float("nan") if reason else log_integral,
        no_marginal=reason,
        log_integral=log_integral,
        prior=prior,
        mu_prior=mu,
        nodes=Nodes(*(frozen_array(a[0]) for a in (fit.tau, fit.weight, fit.mean, fit.sd))),
        error=float(fit.error[0]),
        method=method_words(prior, mu),
        model_words="normal",
        model_source=ROEVER_2020,
        level=level,
        notes=(*notes_on(effects, spread, pooled), *other_scale(prior, effects)),
        provenance=provenance(
            effects, f"ml.pool_bayes(effects, tau={prior.call}, mu={None if mu is None else mu.call}, level={level:g})"
        ),
    )


def mixtures_of(effects: Effects, fit: Exact, level: float) -> tuple[Marginal, ...]:
    """Return the pooled effect, a new study's and each study's as distributions."""
    tau, mean, sd = fit.tau[0], fit.mean[0], fit.sd[0]
    centre, spread = study_given_tau(effects.y, effects.v, tau, mean, sd)
    m, s = np.vstack([mean, mean, centre]), np.vstack([sd, np.hypot(sd, tau), spread])
    known = {0: float(fit.mu_sd[0]), 1: float(fit.new_sd[0])}
    names = ("mu", "prediction", *effects.study)
    kinds = ("credible", "prediction", *["credible"] * len(effects))
    return mixture_marginals(names, kinds, fit.weight[0], m, s, level, effects.measure, known)


def checked_prior(tau: Prior | None, effects: Effects) -> Prior:
    """Return the prior asked for, or the measure's default."""
    if tau is None:
        return default_prior(effects.measure)
    if isinstance(tau, Prior):
        return tau
    if (own := own_prior(tau)) is not None:
        return own
    raise OptionError(
        f"tau takes a prior, not {type(tau).__name__}: for example tau=priors.half_normal(0.5), or a density of your own "
        "(priors.from_density)."
    )


def checked_mu(mu: EffectPrior | tuple[float, float] | None) -> EffectPrior | None:
    """Check a prior on the pooled effect."""
    if mu is None or isinstance(mu, EffectPrior):
        return mu
    if (found := distribution_of_effect(mu)) is not None:
        return found
    try:
        mean, sd = (float(x) for x in mu)
    except (TypeError, ValueError):
        raise OptionError(
            f"mu {mu!r} must be (mean, sd) of a normal prior on the analysis scale, a prior such as priors.student_t(5, 0, 0.5), or None."
        ) from None
    return normal(mean, sd)


def why_no_marginal(prior: Prior, mu: EffectPrior | None) -> str:
    """Say why there is no marginal likelihood; nothing if there is one."""
    flat = [] if prior.proper else [f"the {prior.words} prior on tau is improper"]
    flat += [] if mu is not None else ["the flat prior on the mean is improper"]
    return " and ".join(flat)


def method_words(prior: Prior, mu: EffectPrior | None) -> str:
    """Say the model in words."""
    mean = "flat prior on the mean" if mu is None else f"{mu.words} prior on the mean"
    return f"Bayesian random effects: {prior.words} prior on tau, {mean}"


def notes_on(effects: Effects, tau: Marginal, mu: Marginal) -> tuple[str, ...]:
    """Say what a careful reader must know of a posterior."""
    notes = []
    if len(effects) <= 4:
        notes.append(f"Only {len(effects)} studies: the prior on tau matters; compare others with prior_sensitivity.")
    if not np.isfinite(mu.sd) or not np.isfinite(tau.mean):
        notes.append("The posterior has so heavy a tail that some of its moments are infinite; rely on quantiles.")
    return tuple(notes)


def other_scale(prior: Prior, effects: Effects) -> tuple[str, ...]:
    """Say that an empirical prior was learnt on another scale than that of these effects."""
    m = effects.measure
    if not prior.measures or m.key in (*prior.measures, "GEN"):
        return ()
    learnt = " or ".join(MEASURES[key].scale or MEASURES[key].label.lower() for key in prior.measures)
    return (
        f"The {prior.words} prior was learnt from {learnt} values; these are on the {m.scale or m.label.lower()} scale.",
    )
