"""The effects that an analysis needs which looks at the studies, not at how they were pooled."""

from __future__ import annotations

from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import OptionError
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.subset_fits import why_not
from metaleptic.types import Effects

Studies = Effects | Pooled | PooledBayes


def effects_of(result: object, verb: str) -> Effects:
    """Return the effects themselves, or those of a pooled result.

    Raises
    ------
    OptionError
        For other results: their effects depend on each other, or on moderators that the analysis would ignore.
    """
    if isinstance(result, Effects):
        return result
    if isinstance(result, Pooled | PooledBayes):
        return result.effects
    raise OptionError(why_not(result, verb, "effects or a pooled result"))
