"""Sentences on a posterior: the answer, what was believed before, and how much that decides."""

from __future__ import annotations

import re

import numpy as np

from metaleptic.bayes.power_scale import diagnosis
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.result import PooledBayes, percent
from metaleptic.reporting.bayes_question import BayesAnswer
from metaleptic.reporting.references import References
from metaleptic.types import Estimate, count_studies

QUADRATURE_SOURCE = "Roever C, Friede T. J Comput Graph Stat 2017;26:217-222"
POWER_SOURCE = "Kallioinen N et al. Stat Comput 2024;34:57"
NORMAL_95 = 1.959963984540054
FEW_FOLD = 20  # beyond it a factor says no more than "any"


def with_article(words: str) -> str:
    """Put "a" or "an" before the name of a prior."""
    return f"{'an' if words[0] in 'aeioAEIO' else 'a'} {words}"


def credible_words(post: PooledBayes) -> str:
    """Write the pooled effect with unit and credible interval."""
    m, e = post.effects.measure, post.estimate
    return f"{m.format(e.value)}{_unit(post)} ({100 * post.level:g}% CrI {m.format_interval(e.low, e.high)})"


def prediction_words(post: PooledBayes) -> str:
    """Write the interval of a new study's true effect with its unit."""
    return f"{post.effects.measure.format_interval(post.prediction.low, post.prediction.high)}{_unit(post)}"


def tau_words(post: PooledBayes) -> str:
    """Write the heterogeneity with its credible interval."""
    return f"{post.tau.median:.2f} ({post.tau.low:.2f} to {post.tau.high:.2f})"


def null_words(post: PooledBayes) -> str:
    """Write on which side of no effect the pooled effect lies, and how probably; empty without a null."""
    m = post.effects.measure
    if not m.has_null:
        return ""
    below = post.probability(below=m.null)
    side, p = ("below", below) if below >= 0.5 else ("above", post.probability(above=m.null))
    return f"P({side} {m.format(m.null)}) {percent(p)}"


def bayes_sentence(post: PooledBayes, phrase: str) -> str:
    """Answer the question by the posterior."""
    words = (
        f"With {with_article(post.prior.words)} prior on how much true values differ between studies, {phrase} was {credible_words(post)} "
        f"in {count_studies(post.effects)}; the true value in a new study of this kind lies within "
        f"{prediction_words(post)} with {100 * post.level:g}% probability."
    )
    m = post.effects.measure
    if not m.has_null:
        return words
    below = post.probability(below=m.null)
    side, p = ("below", below) if below >= 0.5 else ("above", post.probability(above=m.null))
    return f"{words} The probability that the mean lies {side} {m.format(m.null)} (no difference) is {percent(p).removeprefix('= ')}."


def belief_sentence(answer: BayesAnswer) -> str:
    """Say what was believed of the heterogeneity before, and what the studies made of it."""
    post = answer.post
    what = f"tau is the standard deviation of true values between studies on the {post.effects.measure.scale} scale."
    after = f"After them it is {tau_words(post)}."
    return f"{what} {prior_words(post.prior, post)} {after} {power_words(answer)}".strip()


def prior_words(prior: Prior, post: PooledBayes) -> str:
    """Say where a prior puts its weight."""
    if not prior.proper:
        return f"The {prior.words} prior is improper: it says nothing of where tau lies before the studies."
    middle, high = (float(x) for x in prior.quantile(np.array([0.5, 0.95]), post.effects.v))
    text = f"Before the studies it was held to be as likely below {middle:.2f} as above, and with 95% probability below {high:.2f}"
    fold = float(np.exp(NORMAL_95 * middle))
    if post.effects.measure.axis == "log" and fold < FEW_FOLD:
        text += f" (at {middle:.2f}, 95% of true values lie within {fold:.1f}-fold of their centre)"
    return text + "."


def power_words(answer: BayesAnswer) -> str:
    """Say whether the conclusion is the prior's or the studies'."""
    if answer.power is None:
        return ""
    more = " What quite other priors make of it stands below." if answer.others else ""
    return (
        f"When prior and studies are made to count a little less or more: for the pooled value {diagnosis(*answer.power.mu)}; "
        f"for tau {diagnosis(*answer.power.tau)}.{more}"
    )


def bayes_notes(post: PooledBayes) -> tuple[str, ...]:
    """Return the notes of a posterior without what is meant for those who call functions."""
    return tuple(note.partition("; compare others with")[0].rstrip(".") + "." for note in post.notes)


def bayes_methods(answer: BayesAnswer, refs: References) -> str:
    """Write the methods of a posterior, with citations."""
    post = answer.post
    flat = "flat" if post.mu_prior is None else post.mu_prior.words
    text = (
        f"The posterior is that of the {post.model_words} random-effects model {refs.cite(post.model_source)} with "
        f"{with_article(post.prior.words)} prior on tau {_cited(post.prior, refs)} and a {flat} prior on the mean, computed by quadrature "
        f"{refs.cite(QUADRATURE_SOURCE)}: no draws, hence no Monte Carlo error. Intervals are central."
    )
    others = [p.prior for p in answer.others]
    if others:
        named = ", ".join(f"{p.words} {_cited(p, refs)}" for p in others)
        text += f" Other priors on tau: {named}."
    if answer.power is not None:
        text += f" How much the prior decides was found by power scaling {refs.cite(POWER_SOURCE)}."
    return text


def bayes_rows(answer: BayesAnswer) -> tuple[tuple[str, ...], ...]:
    """Return a row per prior: prior, result, new study, tau, side of no effect."""
    return tuple(
        (p.prior.words, credible_words(p), prediction_words(p), tau_words(p), null_words(p))
        for p in (answer.post, *answer.others)
    )


def shrunken_words(post: PooledBayes, i: int) -> str:
    """Write a study's true value, drawn towards the others."""
    t, m = post.theta[i], post.effects.measure
    shown = Estimate(t.value, t.low, t.high, post.level, "credible")
    return f"{m.format(shown.value)}{_unit(post)} ({m.format_interval(shown.low, shown.high)})"


def bayes_code(post: PooledBayes) -> str:
    """Write the call that makes the posterior again, after ``effects`` has been made."""
    key = getattr(post, "model", "normal-normal")
    model = "" if key == "normal-normal" else f'model="{key}", '
    mu = "" if post.mu_prior is None else f", mu={post.mu_prior.call}"
    given = re.sub(r"(?<![\w.])priors\.", "ml.priors.", f"tau={post.prior.call}{mu}")
    call = f"ml.pool_bayes(effects, {model}{given}, level={post.level:g})"
    return f"post = {call}\nprint(post.estimate)  # {post.estimate!r}"


def _cited(prior: Prior, refs: References) -> str:
    return refs.cite(prior.source) if prior.source else "of the analyst's own"


def _unit(post: PooledBayes) -> str:
    return f" {post.effects.measure.unit}" if post.effects.measure.unit else ""
