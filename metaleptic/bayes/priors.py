"""PRIORS: what may be believed about the heterogeneity tau, one function per line, each with its source.

All are densities of tau, the standard deviation between studies on the analysis scale (log hazard ratio, logit ...),
never of its square. ``repr`` shows where a prior puts its weight. ``normal``, ``student_t``, ``cauchy`` and ``bartos_effect``
are priors on the pooled effect, ``ridge`` and ``horseshoe`` on the coefficients of a meta-regression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from metaleptic.bayes.effect_prior import EffectPrior, cauchy, normal, student_t
from metaleptic.bayes.empirical_priors import BARTOS_2023, RHODES, TURNER, bartos, bartos_effect, rhodes, turner
from metaleptic.bayes.own_priors import SPIEGELHALTER, from_density, from_quantiles, in_words
from metaleptic.bayes.parametric_priors import (
    BARTOS_FORM,
    GELMAN,
    RHODES_FORM,
    ROEVER_2021,
    TURNER_FORM,
    exponential,
    half_cauchy,
    half_logistic,
    half_normal,
    half_t,
    inverse_gamma,
    log_normal,
    log_student_t,
    lomax,
    uniform,
)
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.reference_priors import (
    BERGER_DEELY,
    DANIELS,
    DUMOUCHEL,
    HIGGINS,
    ROEVER_2020,
    berger_deely,
    conventional,
    dumouchel,
    i2,
    jeffreys,
    shrinkage,
    uniform_sqrt,
)
from metaleptic.bayes.regularising import Regularising, horseshoe, ridge


@dataclass(frozen=True, slots=True)
class PriorFamily:
    """One line of PRIORS: key, name, the function that makes the prior, and its source."""

    key: str
    name: str
    make: Callable[..., Prior]
    source: str


PRIORS = MappingProxyType(
    {
        p.key: p
        for p in (
            PriorFamily("half_normal", "half-normal", half_normal, ROEVER_2021),
            PriorFamily("half_t", "half-t", half_t, GELMAN),
            PriorFamily("half_cauchy", "half-Cauchy", half_cauchy, GELMAN),
            PriorFamily("uniform", "uniform, up to a bound or improper", uniform, GELMAN),
            PriorFamily("exponential", "exponential", exponential, ROEVER_2021),
            PriorFamily("half_logistic", "half-logistic", half_logistic, ROEVER_2021),
            PriorFamily("lomax", "Lomax", lomax, ROEVER_2021),
            PriorFamily("log_normal", "log-normal", log_normal, TURNER_FORM),
            PriorFamily("log_student_t", "log-t", log_student_t, RHODES_FORM),
            PriorFamily("inverse_gamma", "inverse gamma", inverse_gamma, BARTOS_FORM),
            PriorFamily("jeffreys", "Jeffreys (improper)", jeffreys, ROEVER_2020),
            PriorFamily("berger_deely", "Berger-Deely (improper)", berger_deely, BERGER_DEELY),
            PriorFamily("conventional", "conventional", conventional, BERGER_DEELY),
            PriorFamily("dumouchel", "DuMouchel", dumouchel, DUMOUCHEL),
            PriorFamily("shrinkage", "uniform shrinkage", shrinkage, DANIELS),
            PriorFamily("i2", "uniform I2", i2, HIGGINS),
            PriorFamily("uniform_sqrt", "uniform square root of tau (improper)", uniform_sqrt, ROEVER_2020),
            PriorFamily("turner", "binary outcomes of Cochrane reviews", turner, TURNER),
            PriorFamily("rhodes", "continuous outcomes of Cochrane reviews", rhodes, RHODES),
            PriorFamily("bartos", "Cochrane reviews by measure and field", bartos, BARTOS_2023),
            PriorFamily("in_words", "a sentence", in_words, SPIEGELHALTER),
            PriorFamily("from_quantiles", "quantiles", from_quantiles, SPIEGELHALTER),
            PriorFamily("from_density", "any density", from_density, "as given"),
        )
    }
)

__all__ = [
    "PRIORS",
    "EffectPrior",
    "Prior",
    "PriorFamily",
    "Regularising",
    "bartos",
    "bartos_effect",
    "berger_deely",
    "cauchy",
    "conventional",
    "dumouchel",
    "exponential",
    "from_density",
    "from_quantiles",
    "half_cauchy",
    "half_logistic",
    "half_normal",
    "half_t",
    "horseshoe",
    "i2",
    "in_words",
    "inverse_gamma",
    "jeffreys",
    "log_normal",
    "log_student_t",
    "lomax",
    "normal",
    "rhodes",
    "ridge",
    "shrinkage",
    "student_t",
    "turner",
    "uniform",
    "uniform_sqrt",
]
