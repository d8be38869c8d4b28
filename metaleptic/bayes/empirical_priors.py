"""Priors on tau learnt from other meta-analyses: Turner 2015, Rhodes 2015, Bartos 2021 and 2023."""

from __future__ import annotations

from dataclasses import replace

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.empirical_tables import bartos_parameters, rhodes_parameters, turner_parameters
from metaleptic.bayes.parametric_priors import half_normal, inverse_gamma, log_normal, log_student_t
from metaleptic.bayes.prior import Prior
from metaleptic.errors import OptionError

TURNER = "Turner RM et al. Stat Med 2015;34:984-998"
TURNER_2012 = "Turner RM et al. Int J Epidemiol 2012;41:818-827"
RHODES = "Rhodes KM et al. J Clin Epidemiol 2015;68:52-60"
BARTOS_2021 = "Bartos F et al. Stat Med 2021;40:6743-6761"
BARTOS_2023 = "Bartos F et al. arXiv:2306.11468 (2023)"


def turner(outcome: str | None = None, comparison: str | None = None) -> Prior:
    """Heterogeneity seen in 14,886 Cochrane meta-analyses of binary outcomes, for log odds ratios.

    Parameters
    ----------
    outcome : str, optional
        Kind of outcome ("all-cause mortality", "adverse events" ...; part of the name will do). Any, by default.
    comparison : str, optional
        "pharmacological vs. placebo / control", "pharmacological vs. pharmacological" or one with
        "non-pharmacological".

    Notes
    -----
    Source: Turner RM et al. Stat Med 2015;34:984-998, log-normal distributions for tau2 (for any outcome:
    Turner RM et al. Int J Epidemiol 2012;41:818-827).

    Examples
    --------
    >>> turner("all-cause mortality", "pharmacological vs. placebo / control")
    Turner log-normal(mu=-1.975, sigma=0.67) prior on tau: median 0.14, 95% below 0.42
    """
    mu, sigma = turner_parameters(outcome, comparison)
    source = TURNER if outcome else TURNER_2012
    return _named(log_normal(mu / 2, sigma / 2), "Turner log-normal", source, "OR")


def rhodes(outcome: str | None = None, comparison: str | None = None, area: str = "other") -> Prior:
    """Heterogeneity seen in 6,492 Cochrane meta-analyses of continuous outcomes, for standardised mean differences.

    Parameters
    ----------
    outcome : str, optional
        Kind of outcome ("mental health outcome", "biological marker" ...; part of the name will do). Any, by default.
    comparison : str, optional
        "pharmacological vs. placebo / control", "pharmacological vs. pharmacological" or "non-pharmacological (any)".
    area : {"other", "respiratory", "cancer"}
        Field of medicine.

    Notes
    -----
    Source: Rhodes KM et al. J Clin Epidemiol 2015;68:52-60, log-t distributions with 5 degrees of freedom for tau2.

    Examples
    --------
    >>> rhodes("mental health", "pharmacological vs. placebo / control")
    Rhodes log-t(df=5, location=-1.495, scale=1.08) prior on tau: median 0.22, 95% below 2
    """
    location, scale = rhodes_parameters(outcome, comparison, area)
    prior = log_student_t(5, location / 2, scale / 2)
    return _named(prior, "Rhodes log-t", RHODES, "SMD")


def bartos(measure: str, field: str = "Cochrane") -> Prior:
    """Heterogeneity seen in Cochrane reviews, of all fields or of one.

    Parameters
    ----------
    measure : {"HR", "OR", "RR", "RD", "SMD"}
        What the effects are: log hazard ratios, log odds ratios, log risk ratios, risk differences or standardised
        mean differences.
    field : str, default "Cochrane"
        Topic of the review group ("Breast Cancer", "Stroke" ...; part of the name will do). All, by default.

    Notes
    -----
    Source: Bartos F et al. Stat Med 2021;40:6743-6761 (SMD) and arXiv:2306.11468, 2023 (the others): inverse-gamma
    distributions for tau, half-normal ones for risk differences.

    Examples
    --------
    >>> bartos("HR")
    Bartos inverse-gamma(shape=2.42, scale=0.3) prior on tau: median 0.14, 95% below 0.56
    >>> bartos("OR", "breast")
    Bartos inverse-gamma(shape=1.59, scale=0.48) prior on tau: median 0.38, 95% below 2.3
    """
    _, _, *tau = (*bartos_parameters(measure, field),)
    if not tau:
        raise OptionError(f"there is no prior on tau for {field}, only one on the effect. Take all fields.")
    prior = inverse_gamma(*tau) if len(tau) == 2 else half_normal(*tau)
    return _named(
        prior, f"Bartos {prior.name}", BARTOS_2021 if measure.upper() == "SMD" else BARTOS_2023, measure.upper()
    )


def bartos_effect(measure: str, field: str = "Cochrane") -> EffectPrior:
    """Pooled effects seen in Cochrane reviews: a Student t around no effect, for ``pool_bayes`` and ``compare_models``.

    Parameters
    ----------
    measure, field : str
        As for ``bartos``.

    Notes
    -----
    Source: Bartos F et al. Stat Med 2021;40:6743-6761 (SMD) and arXiv:2306.11468, 2023 (the others).

    Examples
    --------
    >>> bartos_effect("HR")
    t(2, 0, 0.13) prior on the effect
    """
    df, scale, *_ = bartos_parameters(measure, field)
    return EffectPrior(0.0, scale, df, source=BARTOS_2021 if measure.upper() == "SMD" else BARTOS_2023)


def _named(prior: Prior, name: str, source: str, measure: str) -> Prior:
    return replace(prior, name=name, source=source, measures=(measure,))
