"""The order of the studies from top to bottom."""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.plots.study_values import StudyValues
from metaleptic.types import Effects

_KEYS = ("effect", "weight", "precision", "study")


def study_order(effects: Effects, values: StudyValues, sort: str | None) -> list[int]:
    """Return the positions of the studies in the order asked for.

    Parameters
    ----------
    effects : Effects
        The studies.
    values : StudyValues
        What their rows show.
    sort : str, optional
        "effect", "weight", "precision" (largest variance last), "study" (by name) or a column of the input; a minus
        sign before it turns the order round. The order of the input by default.
    """
    everyone = list(range(len(effects)))
    if sort is None:
        return everyone
    turned, key = sort.startswith("-"), sort.removeprefix("-")
    columns: dict[str, Any] = {
        **effects.columns,
        "effect": values.value,
        "weight": values.weight,
        "precision": effects.v,
        "study": effects.study,
    }
    if key not in columns:
        known = ", ".join([*_KEYS, *(c for c in effects.columns if c not in _KEYS)])
        raise OptionError(f"sort {sort!r} is unknown. Choose one of: {known}; a minus sign before it turns the order.")
    column = [_sortable(x) for x in columns[key]]
    known_first = [i for i in everyone if column[i] is not None]
    known_first.sort(key=lambda i: column[i] or (0, 0.0, ""), reverse=turned)
    return known_first + [i for i in everyone if column[i] is None]


def _sortable(x: Any) -> tuple[int, float, str] | None:
    """Numbers before words; missing values (None) go last whatever the direction."""
    if x is None:
        return None
    try:
        number = float(x)
    except (TypeError, ValueError):
        return 1, 0.0, str(x).casefold()
    return None if np.isnan(number) else (0, number, "")
