"""The methods of a fit in one sentence for the paper, with its citations, from the registries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metaleptic.bayes.compare import ModelComparison
from metaleptic.bayes.map_prior import MapPrior
from metaleptic.bayes.pool_bayes_outcomes import OutcomesBayes
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.regularising import Regularising
from metaleptic.bayes.result import PooledBayes
from metaleptic.bayes.robust_average import RobustAverage
from metaleptic.bayes.sampled import SampledBayes
from metaleptic.bayes.sampled_regression import SampledRegression
from metaleptic.errors import OptionError
from metaleptic.pooling.given_weights import GENERALISED, OWN_WEIGHTS
from metaleptic.pooling.heterogeneity import TAU2
from metaleptic.pooling.location_scale_result import LocationScale
from metaleptic.pooling.models import MODELS
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.normal import TESTS
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.robust import Robust
from metaleptic.reporting.bayes_methods import Summary, distrust_words, mean_words, summary_words, tau_words, what_words
from metaleptic.reporting.bayes_sentences import with_article

Q_PROFILE = "Viechtbauer W. Stat Med 2007;26:37-52"
PREDICTION = "Higgins JPT, Thompson SG, Spiegelhalter DJ. J R Stat Soc A 2009;172:137-159"
GENERALISED_Q = "DerSimonian R, Kacker R. Contemp Clin Trials 2007;28:105-114"
REGRESSION = "Berkey CS et al. Stat Med 1995;14:395-411"
LOCATION_SCALE = "Viechtbauer W, López-López JA. Res Synth Methods 2022;13:697-715"
QUADRATURE = "Roever C, Friede T. J Comput Graph Stat 2017;26:217-222"
EXACT_REGRESSION = "Roever C, Friede T. Comput Methods Programs Biomed 2023;229:107303"
NUTS = "Hoffman MD, Gelman A. J Mach Learn Res 2014;15:1593-1623"

AnyFit = (
    Pooled
    | Regression
    | LocationScale
    | Multilevel
    | Robust
    | PooledBayes
    | RegressionBayes
    | SampledRegression
    | Summary
)
Cite = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class MethodsText:
    """A methods sentence and the sources it cites, numbered in order of appearance."""

    text: str
    sources: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([self.text, *(f"{i}. {s}" for i, s in enumerate(self.sources, start=1))])


def methods_sentence(fit: AnyFit) -> MethodsText:
    """Write what was done as a sentence for the methods section, with citations.

    Parameters
    ----------
    fit : Pooled, Regression, LocationScale, Multilevel, Robust, PooledBayes, RegressionBayes or SampledRegression
        From ``ml.pool``, ``ml.location_scale``, ``ml.pool_multilevel``, ``ml.robust`` or ``ml.pool_bayes``; also what
        ``ml.pool_bayes_outcomes``, ``ml.compare_models``, ``ml.robust_average`` and ``ml.map_prior`` return.

    Returns
    -------
    MethodsText
        ``.text`` with numbered citations, ``.sources`` in their order.

    Raises
    ------
    OptionError
        If the result is of another kind.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    >>> ml.methods_sentence(fit).text.split(";")[0]
    'Log hazard ratios of 4 studies were pooled by a random-effects model [1]'
    """
    sources: list[str] = []

    def cite(source: str) -> str:
        if source not in sources:
            sources.append(source)
        return f" [{sources.index(source) + 1}]"

    return MethodsText(_words(fit, cite), tuple(sources))


def _words(fit: AnyFit, cite: Cite) -> str:
    if isinstance(fit, Multilevel):
        return fit.methods(cite)
    if isinstance(fit, LocationScale):
        return _location_scale(fit, cite)
    if isinstance(fit, SampledRegression | RegressionBayes):
        return _bayes_regression(fit, cite)
    if isinstance(fit, PooledBayes):
        return _bayes(fit, cite)
    if isinstance(fit, ModelComparison | RobustAverage | MapPrior | OutcomesBayes):
        return summary_words(fit, cite, _bayes)
    if isinstance(fit, Pooled | Regression):
        return _pooled(fit, cite)
    if isinstance(fit, Robust):
        return _robust(fit, cite)
    raise OptionError(
        f"methods_sentence takes a fit from ml.pool, ml.pool_multilevel or ml.pool_bayes, not {type(fit).__name__}."
    )


def _on(formula: str) -> str:
    return f" on {formula[1:].strip()}" if formula else " on the moderators"


def _pooled(fit: Pooled | Regression, cite: Cite) -> str:
    what = what_words(fit.effects)
    if isinstance(fit, Pooled) and fit.k == 1:
        return f"{what} is shown with its own interval; nothing was pooled."
    verb = _regressed(fit, cite) if isinstance(fit, Regression) else _by_model(fit, cite)
    parts = [f"{what} {verb}"]
    if fit.tau2_method in TAU2 and fit.model == "random":
        estimator = TAU2[fit.tau2_method]
        parts.append(
            f"the between-study variance was estimated by {estimator.name}{cite(estimator.source)} with a Q-profile interval{cite(Q_PROFILE)}"
        )
    elif fit.tau2_method and fit.model == "random":
        parts.append(f"the between-study variance was taken as {fit.tau2_method}")
    elif fit.tau2_method in GENERALISED:
        parts.append(f"the between-study variance was estimated by the generalised Q statistic{cite(GENERALISED_Q)}")
    if fit.test in TESTS and fit.model in ("random", "common", OWN_WEIGHTS):
        test = TESTS[fit.test]
        parts.append(f"{100 * fit.level:g}% confidence intervals are by {test.name}{cite(test.source)}")
    if isinstance(fit, Pooled) and fit.prediction is not None and not np.isnan(fit.tau2):
        parts.append(f"the prediction interval is for the true effect of a new study{cite(PREDICTION)}")
    return "; ".join(parts) + "."


def _regressed(fit: Regression, cite: Cite) -> str:
    kind = f"{'mixed' if fit.tau2_method else 'fixed'}-effects meta-regression"
    if fit.model in ("random", "common"):
        return f"were regressed{_on(fit.design.formula)} by a {kind}{cite(REGRESSION)}"
    if fit.model == OWN_WEIGHTS:
        return f"were regressed{_on(fit.design.formula)} by a {kind} with {fit.model}{cite(REGRESSION)}"
    chosen = MODELS[fit.model]
    return f"were regressed{_on(fit.design.formula)} by a {kind}, the {chosen.name}{cite(chosen.source)}"


def _by_model(fit: Pooled, cite: Cite) -> str:
    model = MODELS.get(fit.model)
    name = model.name if model else f"model with {fit.model}"
    source = cite(model.source) if model else ""
    article = "the" if name.endswith("method") else "an" if name[0] in "aeiou" else "a"
    return f"were pooled by {article} {name}{source}"


def _robust(fit: Robust, cite: Cite) -> str:
    verb = "pooled" if fit.design.names == ("intercept",) else f"regressed{_on(fit.design.formula)}"
    said, _, source = fit.sentence.removesuffix("]").rpartition(" [")
    return f"{what_words(fit.effects)} were {verb} ({fit.method.split('; cluster-robust')[0]}); {said[0].lower()}{said[1:]}{cite(source)}."


def _location_scale(fit: LocationScale, cite: Cite) -> str:
    x, z = fit.designs
    likelihood = "restricted maximum likelihood" if fit.tau2_method == "REML" else "maximum likelihood"
    one = x.names == ("intercept",)
    effect = "one mean effect" if one else f"an effect that depends{_on(x.formula)}"
    spread = f"a log between-study variance that depends{_on(z.formula)}"
    tests = (
        "the normal distribution" if fit.test == "z" else f"t with {fit.df:g} and {fit.scale_df:g} degrees of freedom"
    )
    return (
        f"{what_words(fit.effects)} were described by a location-scale model{cite(LOCATION_SCALE)} with {effect} and {spread}, fitted by "
        f"{likelihood}; tests and {100 * fit.level:g}% confidence intervals use {tests}."
    )


def _bayes(post: PooledBayes, cite: Cite) -> str:
    return (
        f"{distrust_words(post)}{what_words(post.effects)} were pooled by a Bayesian {post.model_words} random-effects model{cite(post.model_source)} with "
        f"{tau_words(post.prior, cite)} and {mean_words(post.mu_prior)}; "
        f"{_computed(post, cite)}; {100 * post.level:g}% intervals are credible intervals."
    )


def _bayes_regression(post: RegressionBayes | SampledRegression, cite: Cite) -> str:
    beta = post.beta_prior
    if isinstance(beta, Regularising):
        chosen = f"a {beta.words}{cite(beta.source)}"
    elif all(np.isinf(sd) for _, sd in beta):
        chosen = "flat priors on the coefficients"
    else:
        chosen = "normal priors on the coefficients"
    model = cite(EXACT_REGRESSION)
    own = cite(post.prior.source) if post.prior.source else ""
    return (
        f"{distrust_words(post)}{what_words(post.effects)} were regressed{_on(post.design.formula)} by a Bayesian random-effects meta-regression"
        f"{model} with {with_article(post.prior.words)} prior on the residual between-study standard deviation"
        f"{own} and {chosen}; {_computed(post, cite)}; {100 * post.level:g}% intervals are credible intervals."
    )


def _computed(post: PooledBayes | RegressionBayes | SampledRegression, cite: Cite) -> str:
    if isinstance(post, SampledBayes | SampledRegression):
        d = post.diagnostics
        return f"the posterior was sampled by the No-U-Turn sampler{cite(NUTS)} ({d.sampler}, {d.chains} chains of {d.draws} draws)"
    return f"the posterior was computed by quadrature, without sampling{cite(QUADRATURE)}"
