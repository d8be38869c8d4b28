"""Columns of the effects by name: groups to leave out, orders to follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metaleptic.errors import DataError, OptionError
from metaleptic.frames import is_missing, where
from metaleptic.types import BoolArray, Effects


def column_of(effects: Effects, name: str) -> Sequence[Any]:
    """Return a column of the caller's table, or one of "study", "n", "events", "v", "y", "se"."""
    if name in effects.columns:
        return effects.columns[name]
    if name == "study":
        return effects.study
    own = {"n": effects.n, "events": effects.events, "v": effects.v, "y": effects.y, "se": np.sqrt(effects.v)}
    if name in own:
        return list(own[name].tolist())
    have = ", ".join(f"'{c}'" for c in (*effects.columns, "study", *own))
    raise OptionError(f"the effects have no column '{name}'. They have: {have}.")


def groups_of(effects: Effects, by: str) -> tuple[tuple[str, ...], BoolArray]:
    """Return the names of the groups in order of appearance and which studies belong to each."""
    values = column_of(effects, by)
    for i, value in enumerate(values):
        if is_missing(value):
            raise DataError(
                f"{where(effects.study[i], effects.row[i])}: column '{by}' is empty. Say to which group the study belongs."
            )
    text = [str(v) for v in values]
    names = tuple(dict.fromkeys(text))
    return names, np.array([[t == n for t in text] for n in names])


def order_of(effects: Effects, by: str) -> Any:
    """Return the studies in rising order of a column, ties as in the input; a minus sign before it turns it round."""
    falling = by.startswith("-") and by not in effects.columns
    name = by[1:] if falling else by
    values = [None if is_missing(x) else x for x in column_of(effects, name)]
    for i, value in enumerate(values):
        if value is None:
            raise DataError(
                f"{where(effects.study[i], effects.row[i])}: column '{name}' is empty, so the study has no place in the order."
            )
    keys = _comparable(values)
    order = sorted(range(len(values)), key=lambda i: keys[i], reverse=falling)
    return np.array(order, dtype=np.intp)


def _comparable(values: Sequence[Any]) -> list[Any]:
    """Return numbers where all are numbers (also as text), words otherwise."""
    try:
        return [float(v) for v in values]
    except (TypeError, ValueError):
        return [str(v) for v in values]
