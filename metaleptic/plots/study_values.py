"""What each study's row shows, on the printed scale, and which subgroup it belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.pooling.subgroups import Subgroups
from metaleptic.types import Effects, FloatArray, Result


@dataclass(frozen=True, slots=True, eq=False)
class StudyValues:
    """Names, estimates with intervals (printed scale) and weights (percent) of the studies, input order."""

    study: tuple[str, ...]
    value: FloatArray
    low: FloatArray
    high: FloatArray
    weight: FloatArray


def study_values(result: Result) -> StudyValues:
    """Collect what the studies' rows show.

    Published intervals are shown where there are any, normal ones elsewhere. Proportions are shown as events / n: the
    half event that lets 0/12 be pooled on the logit scale is no observation.
    """
    e = result.effects
    half = float(special.ndtri(0.5 + e.level / 2)) * np.sqrt(e.v)
    low = np.where(np.isnan(e.low), e.y - half, e.low) if len(e.low) == len(e) else e.y - half
    high = np.where(np.isnan(e.high), e.y + half, e.high) if len(e.high) == len(e) else e.y + half
    printed_low, printed_high = e.measure.printed_bounds(low, high)
    weight = np.asarray(result.weights, dtype=np.float64)
    if len(weight) != len(e):
        weight = np.full(len(e), np.nan)
    return StudyValues(told_apart(e), e.printed, np.asarray(printed_low), np.asarray(printed_high), weight)


def told_apart(e: Effects) -> tuple[str, ...]:
    """Return the names of the studies, those of several effects with their rows in the input (0: no row of it)."""
    count = Counter(e.study)
    return tuple(f"{s} (row {row})" if row and count[s] > 1 else s for s, row in zip(e.study, e.row, strict=True))


def group_members(result: Subgroups) -> Mapping[str, list[int]]:
    """Say for each subgroup which studies of the whole belong to it (by name, effect and variance, in order)."""
    e = result.effects
    left = list(range(len(e)))
    members: dict[str, list[int]] = {}
    for name, fit in result.groups.items():
        mine: list[int] = []
        for study, y, v in zip(fit.effects.study, fit.effects.y, fit.effects.v, strict=True):
            found = next(i for i in left if e.study[i] == study and e.y[i] == y and e.v[i] == v)
            left.remove(found)
            mine.append(found)
        members[name] = mine
    return members
