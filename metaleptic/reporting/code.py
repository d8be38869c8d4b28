"""The lines of Python that make a result again, from nothing but the numbers in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metaleptic.bayes.pool_bayes_outcomes import OutcomesBayes
from metaleptic.pooling.count_data import COUNT_MODELS
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.reporting.answers import Answer
from metaleptic.reporting.bayes_sentences import bayes_code
from metaleptic.reporting.fit_words import AnyFit
from metaleptic.types import Effects, FloatArray

READ_COUNTS = {*COUNT_MODELS, "beta-binomial", "pooled-counts", "mantel-haenszel", "peto"}
Columns = Mapping[str, Sequence[Any]]


def reproducing_code(answer: Answer) -> str:
    """Write a script that stands alone: the effects as they were pooled, the call, and what it must print."""
    fit, e = answer.fit, answer.fit.effects
    read = getattr(answer.bayes.post, "model", "") if answer.bayes is not None else ""
    made = _made(e, read if read in READ_COUNTS else fit.model, {})
    # A single study keeps its published interval, which effects and variances alone cannot give back.
    shown = f"  # {fit.estimate!r}" if fit.k > 1 else ""
    after = ["", bayes_code(answer.bayes.post)] if answer.bayes is not None else []
    lines = [*_imports(*after), "", *made, f"fit = {_call(answer)}", f"print(fit.estimate){shown}", *after]
    return "\n".join(lines)


def fit_code(fit: AnyFit) -> str:
    """Write the script of a fit of another shape: the effects with the columns that its call names, and the call."""
    call = re.sub(r"(?<![\w.])priors\.", "ml.priors.", fit.provenance.call)
    named = {name: x for name, x in fit.effects.columns.items() if re.search(rf"\b{re.escape(name)}\b", call)}
    if getattr(fit, "model", "") == "medians":
        made = _medians(fit.effects)
    else:
        made = _made(fit.effects, getattr(fit, "model", ""), named)
    given = [f"V = {v.tolist()}"] if (v := _covariance(fit)) is not None and "V=V" in call else []
    return "\n".join([*_imports(call), "", *made, *given, f"fit = {call}", "print(fit)"])


def _covariance(fit: AnyFit) -> FloatArray | None:
    if isinstance(fit, Multilevel):
        return fit.state.v
    return fit.covariance if isinstance(fit, OutcomesBayes) else None


def _imports(*lines: str) -> list[str]:
    more = ["import scipy.stats"] if any("scipy.stats." in line for line in lines) else []
    return ["import metaleptic as ml", *more]


def _medians(e: Effects) -> list[str]:
    """Write the table of medians as it was read, times in the unit of the result."""
    rows = {name: [_cell(x) for x in values] for name, values in e.columns.items()}
    lines = [f"    {name!r}: {values!r}," for name, values in rows.items() if any(x is not None for x in values)]
    return ["data = {", f"    'study': {list(e.study)!r},", *lines, "}"]


def _cell(x: float) -> float | str | None:
    return None if np.isnan(x) else "NR" if np.isinf(x) else float(x)


def _made(e: Effects, model: str, columns: Columns) -> list[str]:
    """Write the call that makes the effects: from counts where the model reads counts."""
    if model not in READ_COUNTS:
        return _from_effects(e, columns)
    if e.measure.key == "PLO":
        return _from_counts("ml.proportions", {"events": e.events, "n": e.n}, e, "", columns)
    a, b, c, d = e.cells.T
    if e.measure.key == "IRLN":
        return _from_counts("ml.rates", {"events": a, "time": b}, e, "", columns)
    if e.measure.key == "IRR":
        return _from_counts("ml.two_rates", {"events1": a, "time1": b, "events2": c, "time2": d}, e, "", columns)
    counts = {"events1": a, "n1": a + b, "events2": c, "n2": c + d}
    options = "".join(f', {name}="{name}"' for name in counts) + f', measure="{e.measure.key}"'
    return _from_counts("ml.two_by_two", counts, e, options, columns)


def _from_counts(verb: str, counts: Mapping[str, FloatArray], e: Effects, options: str, columns: Columns) -> list[str]:
    lines = [f'    "{name}": [{", ".join(f"{x:.15g}" for x in values)}],' for name, values in counts.items()]
    lines += [f"    {name!r}: {_listed(values)}," for name, values in columns.items()]
    names = ", ".join(repr(s) for s in e.study)
    return [f"effects = {verb}({{", f'    "study": [{names}],', *lines, f"}}{options}, level={e.level:g})"]


def _listed(values: Sequence[Any]) -> str:
    return repr([x.item() if hasattr(x, "item") else x for x in values])


def _from_effects(e: Effects, columns: Columns) -> list[str]:
    with_columns = ", ".join(f"{name!r}: {_listed(values)}" for name, values in columns.items())
    return [
        f"# analysis scale: {e.measure.scale}; the routes are in the methods text",
        "effects = ml.effects(",
        f"    y=[{', '.join(repr(float(x)) for x in e.y)}],",
        f"    v=[{', '.join(repr(float(x)) for x in e.v)}],",
        f"    study=[{', '.join(repr(s) for s in e.study)}],",
        f'    measure="{e.measure.key}",',
        f"    level={e.level:g},",
        *([f"    columns={{{with_columns}}},"] if columns else []),
        ")",
    ]


def _call(answer: Answer) -> str:
    fit = answer.fit
    parts = [f'model="{fit.model}"'] if fit.model != "random" else []
    if fit.model == "random" and fit.tau2_method:
        parts.append(f'tau2="{fit.tau2_method}"')
    if fit.test in ("knapp-hartung", "t", "z", "adhoc") and fit.k > 1:
        parts.append(f'test="{fit.test}"')
    parts.append(f"level={fit.level:g}")
    return f"ml.pool(effects, {', '.join(parts)})"
