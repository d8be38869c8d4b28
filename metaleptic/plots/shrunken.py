"""A Bayesian result's own column in a forest plot: each study's effect, drawn towards the others."""

from __future__ import annotations

from metaleptic.bayes.result import PooledBayes
from metaleptic.plots.extra_columns import ExtraColumn
from metaleptic.plots.styles import Style
from metaleptic.plots.wording import level, with_interval
from metaleptic.types import Result


def shrunken_column(result: Result, style: Style) -> ExtraColumn | None:
    """Return the column of shrunken effects with their credible intervals; None if the model has none."""
    if not isinstance(result, PooledBayes) or len(result.theta) < 2:
        return None
    m = result.effects.measure
    cells = tuple(with_interval(t.value, t.low, t.high, m, style) for t in result.theta)
    return ExtraColumn("shrunken", f"Shrunken\n({level(result.estimate)}% CrI)", cells, "right", ())
