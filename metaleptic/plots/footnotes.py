"""Footnotes of a forest plot: heterogeneity, tests, and what the reader must know of the drawing."""

from __future__ import annotations

import numpy as np

from metaleptic.bayes.result import PooledBayes
from metaleptic.plots.styles import Style
from metaleptic.plots.wording import INTERVALS, p_value, plural, short
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups
from metaleptic.types import Result


def heterogeneity(result: Result, style: Style) -> str:
    """Say how much the studies differ: tau2, I2 and Q, as far as the model has them."""
    fit = getattr(result, "overall", result)
    if len(result.effects) == 1:
        return "Heterogeneity: not estimable from one study."
    if not isinstance(fit, Pooled):
        tau = result.tau
        if np.isnan(tau.value):
            return ""
        word = INTERVALS.get(tau.kind, "CI")
        bounds = "" if np.isnan(tau.low) else f" ({100 * tau.level:g}% {word} {short(tau.low)} to {short(tau.high)})"
        name = "Residual heterogeneity" if np.isnan(result.estimate.value) else "Heterogeneity"
        return f"{name}: τ = {short(tau.value)}{bounds}."
    parts = [] if not fit.tau2_method or np.isnan(fit.tau2) else [f"τ² {_equals(short(fit.tau2))}"]
    if np.isfinite(fit.i2):
        parts.append(f"I² = {fit.i2:.0f}%")
    test = "" if np.isnan(fit.q_p) else f"Q = {fit.q:.1f}, df = {fit.q_df}, {p_value(fit.q_p, style)}"
    if not parts:
        return f"Heterogeneity: {test}." if test else ""
    return f"Heterogeneity: {', '.join(parts)}" + (f" ({test})." if test else ".")


def distrust_note(result: object) -> str:
    """Say that a sampled fit failed its diagnostics; nothing if it did not, or was not sampled."""
    problems = getattr(getattr(result, "diagnostics", None), "problems", ())
    return f"NOT TO BE TRUSTED: {'; '.join(problems)}." if problems else ""


def prior_note(result: object) -> str:
    """Say what a posterior took for granted: the priors, and how much of the mean is that on the mean."""
    if not isinstance(result, PooledBayes):
        return str(getattr(result, "priors", ""))
    mean = "flat" if result.mu_prior is None else result.mu_prior.words
    text = f"Prior on τ: {result.prior.words}; prior on the mean: {mean}."
    rest = 100 - float(np.sum(result.weights))
    if result.mu_prior is not None and rest >= 0.05:
        text += f" Weights add up to less than 100%: the prior on the mean counts {rest:.1f}%."
    return text


def effect_test(result: Result, style: Style) -> str:
    """Say the test of no effect; nothing for measures that have no null."""
    fit = getattr(result, "overall", result)
    if not isinstance(fit, Pooled) or np.isnan(fit.p) or np.isnan(fit.statistic):
        return ""
    letter, df = ("t", f", df = {fit.df:g}") if np.isfinite(fit.df) else ("z", "")
    statistic = f"{fit.statistic:.2f}".replace("-", "−")
    return f"Test of effect: {letter} = {statistic}{df}, {p_value(fit.p, style)}."


def subgroup_test(result: Result, style: Style) -> str:
    """Say whether the subgroups differ."""
    if not isinstance(result, Subgroups):
        return ""
    if np.isnan(result.q):
        return "Test for subgroup differences: not possible with these groups."
    return f"Test for subgroup differences: Q = {result.q:.1f}, df = {result.q_df}, {p_value(result.q_p, style)}."


def group_note(fit: Pooled) -> str:
    """Say a subgroup's size and heterogeneity in a few characters, "k = 3, I² = 42%"."""
    i2 = f", I² = {fit.i2:.0f}%" if np.isfinite(fit.i2) else ""
    return f"k = {fit.k}{i2}"


def legend(clipped: bool, not_reached: bool) -> str:
    """Explain arrow heads and "NR" where the plot has them."""
    arrow = "Arrow: the interval extends beyond the axis." if clipped else ""
    missing = "NR: not reached." if not_reached else ""
    return " ".join(x for x in (arrow, missing) if x)


def alt_text(result: Result, values: np.ndarray) -> str:
    """Tell someone who cannot see the forest plot what it shows, in two or three sentences with the numbers."""
    e, fit = result.effects, result.estimate
    m, k = e.measure, len(result.effects)
    unit = f" {m.unit}" if m.unit else ""
    ci = {"credible": "CrI"}.get(fit.kind, "CI")
    pooled = f"{m.format(fit.value)}{unit} ({100 * fit.level:g}% {ci} {m.format_interval(fit.low, fit.high)})"
    if k == 1:
        return f"Forest plot of one study, {e.study[0]}: {m.label.lower()} {pooled}. Nothing was pooled."
    first, last = int(np.nanargmin(values)), int(np.nanargmax(values))
    text = (
        f"Forest plot of {plural(k)}: {m.label.lower()} from {m.format(values[first])} ({e.study[first]}) "
        f"to {m.format(values[last])}{unit if np.isfinite(values[last]) else ''} ({e.study[last]})"
    )
    if np.isnan(fit.value):
        return f"{text}, with what the moderators predict for each.{_distrust(result)}"
    text += f". Pooled estimate {pooled}"
    new = result.prediction
    if new is not None and np.isfinite(new.low):
        text += f"; {100 * new.level:g}% prediction interval {m.format_interval(new.low, new.high)}"
    if isinstance(result, Subgroups):
        groups = "; ".join(
            f"{name} {m.format(g.estimate.value)} ({m.format_interval(g.estimate.low, g.estimate.high)}; {plural(g.k)})"
            for name, g in result.groups.items()
        )
        text += f". Subgroups by {result.by}: {groups}"
    return f"{text}.{_distrust(result)}"


def _distrust(result: object) -> str:
    note = distrust_note(result)
    return f" {note}" if note else ""


def _equals(text: str) -> str:
    return text if text.startswith("<") else f"= {text}"
