"""The lines of Python that make a result again, from nothing but the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping

from metaleptic.reporting.answers import Answer
from metaleptic.reporting.bayes_sentences import bayes_code
from metaleptic.types import Effects, FloatArray


def reproducing_code(answer: Answer) -> str:
    """Write a script that stands alone: the effects as they were pooled, the call, and what it must print."""
    fit, e = answer.fit, answer.fit.effects
    counted = answer.bayes is not None and getattr(answer.bayes.post, "model", "") in (
        "binomial-normal",
        "beta-binomial",
    )
    if counted or fit.model in ("binomial-normal", "pooled-counts"):
        made = _from_columns("ml.proportions", {"events": e.events, "n": e.n}, e, "")
    elif fit.model in ("mantel-haenszel", "peto"):
        a, b, c, d = e.cells.T
        columns = {"events1": a, "n1": a + b, "events2": c, "n2": c + d}
        options = "".join(f', {name}="{name}"' for name in columns) + f', measure="{e.measure.key}"'
        made = _from_columns("ml.two_by_two", columns, e, options)
    else:
        made = _from_effects(e)
    # A single study keeps its published interval, which effects and variances alone cannot give back.
    shown = f"  # {fit.estimate!r}" if fit.k > 1 else ""
    after = ["", bayes_code(answer.bayes.post)] if answer.bayes is not None else []
    lines = ["import metaleptic as ml", "", *made, f"fit = {_call(answer)}", f"print(fit.estimate){shown}", *after]
    return "\n".join(lines)


def _from_columns(verb: str, columns: Mapping[str, FloatArray], e: Effects, options: str) -> list[str]:
    lines = [f'    "{name}": [{", ".join(str(int(x)) for x in values)}],' for name, values in columns.items()]
    names = ", ".join(repr(s) for s in e.study)
    return [f"effects = {verb}({{", f'    "study": [{names}],', *lines, f"}}{options}, level={e.level:g})"]


def _from_effects(e: Effects) -> list[str]:
    return [
        f"# analysis scale: {e.measure.scale}; the routes are in the methods text",
        "effects = ml.effects(",
        f"    y=[{', '.join(repr(float(x)) for x in e.y)}],",
        f"    v=[{', '.join(repr(float(x)) for x in e.v)}],",
        f"    study=[{', '.join(repr(s) for s in e.study)}],",
        f'    measure="{e.measure.key}",',
        f"    level={e.level:g},",
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
