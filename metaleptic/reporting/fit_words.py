"""Words for a fit that is no single pooled value: its title, what it says, its coefficients."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from metaleptic.bayes.marginal import Marginal
from metaleptic.bayes.pool_bayes_outcomes import OutcomesBayes
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes, percent
from metaleptic.bayes.sampled import SampledBayes
from metaleptic.bayes.sampled_regression import SampledRegression
from metaleptic.pooling.location_scale_result import Coefficients, LocationScale
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import format_p
from metaleptic.reporting.bayes_sentences import bayes_sentence
from metaleptic.types import Measure, count_studies

AnyFit = Regression | LocationScale | Multilevel | PooledBayes | RegressionBayes | SampledRegression | OutcomesBayes
FEW = 4  # coefficients told in a sentence; the table has all


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient on the analysis scale: part of the model ("" for the effect), name, value, interval, test in words."""

    part: str
    term: str
    value: float
    low: float
    high: float
    test: str


def fit_title(fit: AnyFit) -> str:
    """Name the fit for a heading."""
    label = fit.effects.measure.label
    if isinstance(fit, LocationScale):
        return f"{label}: location-scale model"
    if isinstance(fit, PooledBayes):
        return f"{label}: pooled result"
    if isinstance(fit, OutcomesBayes):
        return f"{label}: {len(fit.outcomes)} outcomes together"
    formula = fit.design.formula[1:].strip()
    on = f" on {formula}" if formula not in ("", "1") else ""
    return f"{label}: multilevel model{on}" if isinstance(fit, Multilevel) else f"{label}: meta-regression{on}"


def fit_sentence(fit: AnyFit) -> str:
    """Say what the fit shows in a few sentences for a clinician; draws that cannot be trusted come with a warning first."""
    if isinstance(fit, SampledBayes | SampledRegression | OutcomesBayes) and fit.diagnostics.problems:
        return f"Not to be trusted ({'; '.join(fit.diagnostics.problems)}). {_sentence(fit)}"
    return _sentence(fit)


def _sentence(fit: AnyFit) -> str:
    m = fit.effects.measure
    phrase = f"the pooled {m.label[0].lower()}{m.label[1:]}"
    if isinstance(fit, PooledBayes):
        return bayes_sentence(fit, phrase)
    if isinstance(fit, OutcomesBayes):
        return _outcomes_sentence(fit, phrase)
    if isinstance(fit, Multilevel) and np.isfinite(fit.estimate.value):
        return _mean_sentence(fit, phrase)
    told = [c for c in coefficients(fit) if not c.part and c.term != "intercept"]
    start = f"In {count_studies(fit.effects).replace(', ', ' (', 1)}"
    start = (
        f"In {fit.k} effects, " if len(set(fit.effects.study)) < fit.k else start + ("), " if "(" in start else ", ")
    )
    if not told:
        return f"{start}one mean effect was fitted; the table below shows what changes how much studies differ."
    sentences = [_coefficient_sentence(c, m, fit) for c in told[:FEW]]
    sentences[1:] = [s[0].upper() + s[1:] for s in sentences[1:]]
    rest = f" {len(told) - FEW} more coefficients are in the table." if len(told) > FEW else ""
    return start + " ".join(sentences) + rest


def _mean_sentence(fit: Multilevel, phrase: str) -> str:
    m, e = fit.effects.measure, fit.estimate
    unit = f" {m.unit}" if m.unit else ""
    studies = len(set(fit.effects.study))
    count = f"{fit.k} effects of {studies} studies" if studies < fit.k else f"{fit.k} effects"
    text = f"In {count}, {phrase} was {m.format(e.value)}{unit} ({100 * fit.level:g}% CI {m.format_interval(e.low, e.high)})."
    if fit.prediction is not None:
        between = m.format_interval(fit.prediction.low, fit.prediction.high).replace(" to ", " and ")
        text += f" A new true effect would lie between {between}{unit} ({100 * fit.level:g}% prediction interval)."
    if not m.has_null:
        return text
    if e.low > m.null or e.high < m.null:
        return f"{text} The confidence interval excludes {m.format(m.null)} (no difference)."
    return f"{text} The confidence interval includes {m.format(m.null)}, so the data are compatible with no difference."


def _outcomes_sentence(fit: OutcomesBayes, phrase: str) -> str:
    m = fit.effects.measure
    unit = f" {m.unit}" if m.unit else ""
    told = [
        f"{m.format(p.estimate.value)}{unit} ({100 * fit.level:g}% CrI {m.format_interval(p.estimate.low, p.estimate.high)}) for {name}"
        for name, p in fit.parts.items()
    ]
    return (
        f"In {fit.k} studies with {len(fit.effects)} estimates, pooled together so that each outcome learns from the others, "
        f"{phrase} was {', '.join(told[:-1])} and {told[-1]}."
    )


def _coefficient_sentence(c: Coefficient, m: Measure, fit: AnyFit) -> str:
    word = interval_word(fit)
    label = f"{m.label[0].lower()}{m.label[1:]}"
    tail = f"{100 * fit.level:g}% {word}"
    if m.axis == "log":
        value, low, high = (f"{np.exp(x):.2f}" for x in (c.value, c.low, c.high))
        return f"{_change(c.term)} the {label} is multiplied by {value} ({tail} {low} to {high}; {c.test})."
    value, low, high = (_short(x) for x in (c.value, c.low, c.high))
    return f"{_change(c.term)} the {m.scale or label} changes by {value} ({tail} {low} to {high}; {c.test})."


def _change(term: str) -> str:
    """Say what a coefficient compares: one unit more, or a level with the first one."""
    level = re.fullmatch(r"(?:C\()?(\w+)[^:\[\]]*\[T\.(.+?)\]", term)
    return f"with {level[1]} {level[2]} (against its first level)" if level else f"per unit of {term}"


def interval_word(fit: AnyFit) -> str:
    """Return "CrI" for posteriors, else "CI"."""
    return "CrI" if isinstance(fit, PooledBayes | RegressionBayes | SampledRegression | OutcomesBayes) else "CI"


def coefficients(fit: AnyFit) -> list[Coefficient]:
    """Return the coefficients of a fit; none for a posterior of one mean."""
    if isinstance(fit, PooledBayes):
        return []
    if isinstance(fit, RegressionBayes | SampledRegression):
        return [_posterior(name, b) for name, b in zip(fit.names, fit.beta, strict=True)]
    if isinstance(fit, OutcomesBayes):
        return [_posterior(name, part.mu) for name, part in fit.parts.items()]
    if isinstance(fit, LocationScale):
        return _of("", fit.location) + _of("log between-study variance", fit.scale)
    own = Coefficients(fit.names, fit.beta, fit.cov, fit.se, fit.low, fit.high, fit.statistic, fit.p)
    return _of("", own)


def _posterior(name: str, b: Marginal) -> Coefficient:
    low, high = b.central
    above = percent(1 - float(b.cdf(0.0))).removeprefix("= ")
    return Coefficient("", name, b.median, low, high, f"P(> 0) {above}")


def _of(part: str, c: Coefficients) -> list[Coefficient]:
    return [
        Coefficient(part, name, float(c.beta[j]), float(c.low[j]), float(c.high[j]), f"p {format_p(float(c.p[j]))}")
        for j, name in enumerate(c.names)
    ]


def coefficient_table(fit: AnyFit) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return header and rows of the coefficients; ratios have a column of their own."""
    found, m = coefficients(fit), fit.effects.measure
    ratios, parts = m.axis == "log", any(c.part for c in found)
    interval = f"({100 * fit.level:g}% {interval_word(fit)})"
    header: tuple[str, ...] = ("Coefficient", f"{(m.scale or m.label).capitalize()} {interval}")
    header += ((f"{m.label} multiplied by {interval}",) if ratios else ()) + ("Test",)
    rows = []
    for c in found:
        row: tuple[str, ...] = (
            f"{c.part}: {c.term}" if parts and c.part else c.term,
            _interval(c.value, c.low, c.high),
        )
        if ratios:
            shown = not c.part
            row += (
                " ".join((f"{np.exp(c.value):.2f}", f"({np.exp(c.low):.2f} to {np.exp(c.high):.2f})"))
                if shown
                else "–",
            )
        rows.append((*row, c.test))
    return header, rows


def _interval(value: float, low: float, high: float) -> str:
    return f"{_short(value)} ({_short(low)} to {_short(high)})"


def _short(x: float) -> str:
    return f"{x:.4g}".replace("-", "−")
