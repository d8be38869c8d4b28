"""Analyses of significance need a value that stands for no effect; a proportion or a median has none."""

from __future__ import annotations

from metaleptic.errors import OptionError
from metaleptic.types import Effects


def need_null(effects: Effects, verb: str) -> None:
    """Refuse measures without a value of no effect.

    Raises
    ------
    OptionError
        Saying what looks at the spread of the studies alone.
    """
    m = effects.measure
    if not m.has_null:
        raise OptionError(
            f"{verb} asks which studies are significant, but {m.label} has no null: no value means no effect. "
            "ml.regression_test, ml.rank_test and ml.trim_and_fill look at the funnel alone."
        )
