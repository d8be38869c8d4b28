"""Sentences: the answer, the heterogeneity, the methods; the facts come from the result and the registries."""

from __future__ import annotations

import math

import numpy as np

from metaleptic.pooling.count_data import COUNT_MODELS
from metaleptic.pooling.heterogeneity import TAU2
from metaleptic.pooling.models import MODELS, fit_model
from metaleptic.pooling.normal import TESTS
from metaleptic.pooling.result import Pooled, format_p
from metaleptic.reporting.answers import Answer
from metaleptic.reporting.bayes_sentences import bayes_methods, bayes_sentence
from metaleptic.reporting.kinds import KINDS
from metaleptic.reporting.references import References
from metaleptic.reporting.robust_section import source_of

PREDICTION_SOURCE = (
    "Higgins JPT, Thompson SG, Spiegelhalter DJ. J R Stat Soc A 2009;172:137-159; "
    "Veroniki AA et al. Res Synth Methods 2019;10:23-43"
)
Q_PROFILE_SOURCE = "Viechtbauer W. Stat Med 2007;26:37-52"
I2_SOURCE = "Higgins JPT, Thompson SG. Stat Med 2002;21:1539-1558"
SUBGROUP_SOURCE = "Borenstein M, Higgins JPT. Prev Sci 2013;14:134-143"
INFLUENCE_SOURCE = "Viechtbauer W, Cheung MW-L. Res Synth Methods 2010;1:112-125"
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
HOPELESS_RATIO = 50  # an interval whose bounds differ by this factor settles nothing


def count_words(k: int, noun: str) -> str:
    """Write "one study", "five studies", "13 studies"."""
    number = WORDS[k] if k < len(WORDS) else str(k)
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if k == 1 else plural}"


def patients_words(fit: Pooled) -> str:
    """Write how many patients there are, and in how many studies their number is printed."""
    known = np.isfinite(fit.effects.n)
    if not known.any():
        return "number of patients not printed"
    if known.all():
        return f"{fit.patients:.0f} patients"
    return f"{fit.patients:.0f} patients in the {WORDS[int(known.sum())] if known.sum() < len(WORDS) else known.sum()} that print their number"


def value_words(fit: Pooled) -> str:
    """Write the estimate with unit and interval."""
    m = fit.effects.measure
    unit = f" {m.unit}" if m.unit else ""
    return f"{m.format(fit.estimate.value)}{unit} ({100 * fit.level:g}% CI {m.format_interval(fit.estimate.low, fit.estimate.high)})"


def answer_sentence(answer: Answer) -> str:
    """Answer the question in one or two sentences for a clinician."""
    if answer.bayes is not None and answer.bayes.headline:
        return bayes_sentence(answer.bayes.post, answer.question.answer)
    return pooled_sentence(answer)


def pooled_sentence(answer: Answer) -> str:
    """Answer it without a prior."""
    fit, phrase = answer.fit, answer.question.answer
    if fit.k == 1:
        study = fit.effects.study[0]
        return (
            f"Only one study ({study}, {patients_words(fit)}) reports {phrase}: {value_words(fit)}. Nothing was pooled."
        )
    start = f"In {count_words(fit.k, 'study')} ({patients_words(fit)}), {phrase} was {value_words(fit)}."
    return " ".join(x for x in (start, _null_words(fit), _width_words(fit)) if x)


def _null_words(fit: Pooled) -> str:
    m = fit.effects.measure
    if not m.has_null:
        return ""
    if fit.estimate.low > m.null or fit.estimate.high < m.null:
        return f"The interval excludes {m.format(m.null)} (no difference)."
    return f"The interval includes {m.format(m.null)}, so the data are compatible with no difference."


def _width_words(fit: Pooled) -> str:
    e = fit.estimate
    if fit.effects.measure.axis == "log" and e.low > 0 and e.high / e.low > HOPELESS_RATIO:
        return f"An interval this wide settles nothing: {count_words(fit.k, 'study')} cannot tell how much true effects differ."
    if fit.effects.measure.axis == "percent" and e.high - e.low > 0.8:
        return "An interval this wide settles nothing."
    return ""


def heterogeneity_sentence(fit: Pooled) -> str:
    """Say how much the studies differ, and what a new study may show."""
    if fit.k == 1:
        return ""
    q = f"Q = {fit.q:.1f}, df = {fit.q_df}, p {format_p(fit.q_p)}"
    if fit.one_true_value:
        return f"The model takes one true value for all studies; a test of that gives {q}."
    tau = f"tau {fit.tau.value:.2f}"
    if math.isfinite(fit.tau.low) and math.isfinite(fit.tau.high):
        tau += f" ({100 * fit.level:g}% CI {fit.tau.low:.2f} to {fit.tau.high:.2f})"
    text = f"Between-study standard deviation on the {fit.effects.measure.scale} scale: {tau}; I² {fit.i2:.0f}%; {q}."
    if fit.prediction is not None:
        m = fit.effects.measure
        unit = f" {m.unit}" if m.unit else ""
        text += f" The true value in a new study of this kind would lie between {m.format_interval(fit.prediction.low, fit.prediction.high).replace(' to ', ' and ')}{unit} ({100 * fit.level:g}% prediction interval)."
    return text + _common_words(fit)


def _common_words(fit: Pooled) -> str:
    """With two studies, say what the model without spread between studies gives: tau is all but unknown."""
    if fit.k != 2 or fit.model != "random":
        return ""
    common = fit_model(fit.effects, "common", "REML", "z", fit.level)
    return f" If both studies were taken to estimate one common value, it would be {value_words(common)}."


def _routes(fit: Pooled) -> str:
    """Say how each study entered."""
    if fit.k > 1 and fit.model in COUNT_MODELS:
        return "The counts of each study entered through their exact likelihood, without corrections."
    e = fit.effects
    served = {h: ", ".join(s for s, x in zip(e.study, e.how, strict=True) if x == h) for h in dict.fromkeys(e.how)}
    return f"Routes to the variances: {'; '.join(f'{how} ({names})' for how, names in served.items())}."


def methods_text(answer: Answer, refs: References) -> str:
    """Write the methods paragraph of one question, with citations from the registries."""
    q, fit = answer.question, answer.fit
    kind, level = KINDS[q.kind], 100 * fit.level
    parts = [f"We took {kind.words} {refs.cite(kind.source)}."]
    parts.append(_routes(fit))
    if fit.k == 1:
        parts.append("With one study nothing was pooled; its own interval is shown.")
        return " ".join([*parts, *_bayes_parts(answer, refs)])
    model = MODELS[fit.model]
    if fit.model == "random":
        tau2, test = TAU2[fit.tau2_method], TESTS[fit.test]
        parts.append(
            f"They were pooled with the {model.name} {refs.cite(model.source)}; the between-study variance was estimated by "
            f"{tau2.name} {refs.cite(tau2.source)}, its interval by the Q-profile method {refs.cite(Q_PROFILE_SOURCE)}, "
            f"the {level:g}% confidence interval by {test.name} {refs.cite(test.source)}."
        )
    else:
        parts.append(
            f"They were pooled with the {model.name} {refs.cite(model.source)} ({fit.method.partition(': ')[2]})."
        )
    if fit.prediction is not None:
        parts.append(
            f"The prediction interval follows {refs.cite(PREDICTION_SOURCE)} with the degrees of freedom of the confidence interval, I² {refs.cite(I2_SOURCE)}."
        )
    if answer.groups is not None:
        parts.append(
            f"Subgroups by {answer.groups.by} were pooled each by itself and compared by a test of interaction {refs.cite(SUBGROUP_SOURCE)}."
        )
    if answer.influence is not None:
        parts.append(f"Each study was left out in turn {refs.cite(INFLUENCE_SOURCE)}.")
    if answer.robust is not None:
        others = [c.record for c in answer.robust.checks if c.record is not None]
        sources = dict.fromkeys(s for s in (source_of(r) for r in others) if s and s != INFLUENCE_SOURCE)
        if sources:
            parts.append(f"The other checks of robustness follow {refs.cite('; '.join(sources))}.")
    return " ".join([*parts, *_bayes_parts(answer, refs)])


def _bayes_parts(answer: Answer, refs: References) -> list[str]:
    return [bayes_methods(answer.bayes, refs)] if answer.bayes is not None else []
