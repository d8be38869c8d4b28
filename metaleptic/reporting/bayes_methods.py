"""Methods sentences of Bayesian results that are no single fit: model averages, MAP priors, several outcomes."""

from __future__ import annotations

from collections.abc import Callable

from metaleptic.bayes.compare import ModelComparison
from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.map_prior import MapPrior
from metaleptic.bayes.outcomes import WEI_2013
from metaleptic.bayes.pool_bayes_outcomes import OutcomesBayes
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.robust_average import RobustAverage
from metaleptic.reporting.bayes_sentences import with_article
from metaleptic.types import Effects

Cite = Callable[[str], str]
Summary = ModelComparison | RobustAverage | MapPrior | OutcomesBayes

GRONAU = "Gronau QF et al. Adv Methods Pract Psychol Sci 2021;4:1-19"
BARTOS = "Bartos F et al. Res Synth Methods 2023;14:99-116"
NEUENSCHWANDER = "Neuenschwander B et al. Clin Trials 2010;7:5-18"
SCHMIDLI = "Schmidli H et al. Biometrics 2014;70:1023-1032"
ELIR = "Neuenschwander B et al. Biometrics 2020;76:578-587"
LKJ = "Lewandowski D, Kurowicka D, Joe H. J Multivar Anal 2009;100:1989-2001"
NUTS = "Hoffman MD, Gelman A. J Mach Learn Res 2014;15:1593-1623"


def distrust_words(fit: object) -> str:
    """Say first what is wrong with the chains of a sampled fit; nothing if nothing is."""
    problems = getattr(getattr(fit, "diagnostics", None), "problems", ())
    return f"NOT TO BE TRUSTED ({'; '.join(problems)}): " if problems else ""


def what_words(e: Effects, count: str = "") -> str:
    """Name the numbers that were pooled and count the studies."""
    scale = e.measure.scale or e.measure.label.lower()
    plural = "" if scale.endswith("s") or len(e) == 1 else "s"
    counted = count or f"{len(e)} {'study' if len(e) == 1 else 'studies'}"
    return f"{scale[0].upper()}{scale[1:]}{plural} of {counted}"


def tau_words(prior: Prior, cite: Cite) -> str:
    """Name the prior on tau with its citation; one of one's own has none."""
    return f"{with_article(prior.words)} prior on the between-study standard deviation{cite(prior.source) if prior.source else ''}"


def mean_words(prior: EffectPrior | None) -> str:
    """Name the prior on the mean."""
    return "a flat prior on the mean" if prior is None else f"{with_article(prior.words)} prior on the mean"


def summary_words(found: Summary, cite: Cite, fitted: Callable[..., str]) -> str:
    """Write the methods sentence; ``fitted`` writes that of a posterior."""
    if isinstance(found, MapPrior):
        return _map(found, cite, fitted)
    if isinstance(found, OutcomesBayes):
        return _outcomes(found, cite)
    start = f"{what_words(found.effects)} were analysed by"
    level = f"{100 * found.level:g}% intervals are credible intervals"
    if isinstance(found, ModelComparison):
        return (
            f"{start} Bayesian model averaging{cite(GRONAU)} over common- and random-effects "
            f"models without and with an effect, with {mean_words(found.mu_prior)} and {tau_words(found.tau_prior, cite)} where the model has them; all integrals were solved by "
            f"quadrature, without sampling; {level}."
        )
    return (
        f"{start} robust Bayesian model averaging{cite(BARTOS)} over {len(found.models)} "
        "models with and without an effect, heterogeneity and publication bias (selection by p value, PET and PEESE), with "
        f"{mean_words(found.mu_prior)} and {tau_words(found.tau_prior, cite)} where the model has them; all integrals were solved by quadrature, without sampling; {level}."
    )


def _map(found: MapPrior, cite: Cite, fitted: Callable[..., str]) -> str:
    kind = "beta" if found.family == "beta" else "normal"
    count = len(found.weight)
    text = (
        f"{fitted(found.posterior, cite)} The predictive distribution of a new study, approximated by a mixture of {count} "
        f"{kind} distribution{'s' if count > 1 else ''}, is the meta-analytic-predictive prior{cite(NEUENSCHWANDER)}"
    )
    if found.vague:
        text += f", made robust by a vague component{cite(SCHMIDLI)}"
    if found.data:
        text += f", updated by {', '.join(found.data)}"
    return f"{text}; its effective sample size is by expected local-information-ratio{cite(ELIR)}."


def _outcomes(found: OutcomesBayes, cite: Cite) -> str:
    count = f"{len(found.outcomes)} outcomes ({', '.join(found.outcomes)}) in {len(found.studies)} studies"
    spreads = dict.fromkeys(tau_words(part.prior, cite) for part in found.parts.values())
    means = dict.fromkeys(mean_words(part.mu_prior) for part in found.parts.values())
    d = found.diagnostics
    return (
        f"{distrust_words(found)}{what_words(found.effects, count)} were pooled together by a Bayesian multivariate random-effects model"
        f"{cite(WEI_2013)} with {' / '.join(spreads)} and {' / '.join(means)} of each outcome and an LKJ prior{cite(LKJ)} on the "
        f"correlations between them; the posterior was sampled by the No-U-Turn sampler{cite(NUTS)} ({d.sampler}, {d.chains} "
        f"chains of {d.draws} draws); {100 * found.level:g}% intervals are credible intervals."
    )
