"""The lines of Python that make a result again, from nothing but the numbers in them."""

from __future__ import annotations

import math

from metaleptic.reporting.answers import Answer


def reproducing_code(answer: Answer) -> str:
    """Write a script that stands alone: the effects as they were pooled, the call, and what it must print."""
    fit, e = answer.fit, answer.fit.effects
    names = ", ".join(repr(s) for s in e.study)
    lines = ["import metaleptic as ml", ""]
    if fit.model in ("binomial-normal", "pooled-counts"):
        lines += [
            "effects = ml.proportions({",
            f'    "study": [{names}],',
            f'    "events": [{", ".join(f"{x:g}" for x in e.events)}],',
            f'    "n": [{", ".join(f"{x:g}" for x in e.n)}],',
            f"}}, level={e.level:g})",
        ]
    else:
        lines += [
            f"# analysis scale: {e.measure.scale}; the routes are in the methods text",
            "effects = ml.effects(",
            f"    y=[{', '.join(repr(float(x)) for x in e.y)}],",
            f"    v=[{', '.join(repr(float(x)) for x in e.v)}],",
            f"    study=[{names}],",
            f'    measure="{e.measure.key}",',
            f"    level={e.level:g},",
            ")",
        ]
    lines.append(f"fit = {_call(answer)}")
    lines.append("print(fit.estimate)" + (f"  # {fit.estimate!r}" if math.isfinite(fit.estimate.value) else ""))
    return "\n".join(lines)


def _call(answer: Answer) -> str:
    fit = answer.fit
    parts = [f'model="{fit.model}"'] if fit.model != "random" else []
    if fit.model == "random" and fit.tau2_method:
        parts.append(f'tau2="{fit.tau2_method}"')
    if fit.test in ("knapp-hartung", "t", "z", "adhoc") and fit.k > 1:
        parts.append(f'test="{fit.test}"')
    parts.append(f"level={fit.level:g}")
    return f"ml.pool(effects, {', '.join(parts)})"
