"""A funnel plot in words: what lies where, and what lies outside its limits."""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.plots.funnel_axes import Vertical
from metaleptic.plots.wording import plural
from metaleptic.types import FloatArray, Result


def in_words(result: Result, kind: Vertical, down: FloatArray, tau2: float, shaded: bool, filled: int) -> str:
    """Say where the studies lie; counts of those outside limits only where the plot has these limits."""
    e, fit = result.effects, result.estimate
    m, se = e.measure, np.sqrt(e.v)
    left = int(np.sum(m.to_printed(e.y) < fit.value))
    made_up = f", {filled} of them filled" if filled else ""
    text = (
        f"Funnel plot of {plural(len(e))}{made_up}: {m.label.lower()} against {_with_small(kind.title)}, which runs from "
        f"{kind.written(float(down.min()))} to {kind.written(float(down.max()))}. "
        f"{left} lie below and {len(e) - left} above the pooled {m.format(fit.value)}"
    )
    if kind.se_at is not None:
        z = float(special.ndtri(0.5 + fit.level / 2))
        away = np.abs(e.y - float(m.to_analysis(fit.value)))
        text += f"; {int(np.sum(away > z * np.sqrt(e.v + tau2)))} outside the {limits_words(result, tau2)}"
    if shaded:
        null = float(m.to_analysis(m.null))
        text += f"; {int(np.sum(np.abs(e.y - null) > float(special.ndtri(0.975)) * se))} significant at P < 0.05"
    return text + "."


def limits_words(result: Result, tau2: float) -> str:
    """Name the pseudo-confidence limits."""
    return f"pseudo {100 * result.estimate.level:g}% limits" + (" with tau" if tau2 else "")


def _with_small(title: str) -> str:
    """Write a title within a sentence."""
    return title[:1].lower() + title[1:]
