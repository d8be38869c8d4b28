"""Pieces that every model's result is built of."""

from __future__ import annotations

import numpy as np

from metaleptic.types import Effects, Estimate

NAN = float("nan")


def call_text(model: str, tau2: str, test: str, level: float) -> str:
    """Write the call with its defaults resolved."""
    estimator = f', tau2="{tau2}"' if tau2 else ""
    return f'ml.pool(effects, model="{model}"{estimator}, test="{test}", level={level:g})'


def printed_estimate(effects: Effects, value: float, low: float, high: float, level: float, kind: str) -> Estimate:
    """Bring an estimate and its bounds to the printed scale, lower bound first."""
    to = effects.measure.to_printed
    with np.errstate(over="ignore"):  # a bound too large to be printed is infinite
        a, b = (float(to(x)) for x in (low, high))
    return Estimate(float(to(value)), min(a, b), max(a, b), level, kind)


def notes_on(k: int, random: bool, se: float, classic: float, test: str) -> tuple[str, ...]:
    """Say what a careful reader must know of a fit."""
    notes = []
    if random and k <= 4:
        notes.append(f"Only {k} studies: the estimate of tau, and with it every interval here, is uncertain.")
    if test == "knapp-hartung" and se < classic:
        notes.append(
            "The Hartung-Knapp interval is based on a smaller standard error than the classic one "
            '(the studies agree more closely than chance would have it); test="adhoc" prevents that.'
        )
    return tuple(notes)
