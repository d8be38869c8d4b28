"""The caller's own columns in a forest plot: patients, events, design, year ..."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.plots.wording import MISSING
from metaleptic.types import Effects

# Columns of this kind are counts of people: their sum means something and stands in the pooled rows.
_COUNTS = re.compile(
    r"(^|[\s_.-])(n|no|num|events?|x|total|patients?|participants?|deaths?|cases?|responders?|responses?)($|[\s_.\d-])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ExtraColumn:
    """A column of the caller's: heading, one cell per study, and the numbers that may be summed.

    Attributes
    ----------
    name, heading : str
        Column of the input, and what stands above it (may have a line break).
    cells : tuple of str
        One per study, input order.
    align : {"left", "right"}
        Numbers stand right, words left.
    counts : tuple of float
        The cells as numbers where they are counts of people; empty where a sum would mean nothing.
    """

    name: str
    heading: str
    cells: tuple[str, ...]
    align: str
    counts: tuple[float, ...]

    def total(self, members: Sequence[int]) -> str:
        """Sum over these studies in print; empty where a sum would mean nothing or a number is missing."""
        picked = [self.counts[i] for i in members] if self.counts else []
        return f"{sum(picked):.0f}" if picked and not np.isnan(picked).any() else ""


def extra_columns(effects: Effects, columns: object, own: ExtraColumn | None = None) -> tuple[ExtraColumn, ...]:
    """Gather the columns to show.

    Parameters
    ----------
    effects : Effects
        The studies with the caller's columns; ``n`` and ``events`` are always known by these names.
    columns : None, sequence of str, or mapping of str to str
        Which columns, or which with which heading. None shows events (of proportions) and patients where all are
        known; an empty sequence shows none.
    own : ExtraColumn, optional
        A column that the result itself brings, shown by default and by its name.
    """
    if columns is None:
        usual = tuple(_column(effects, name, heading) for name, heading in _usual(effects).items())
        return usual if own is None else (*usual, own)
    if isinstance(columns, str):
        columns = [columns]
    if isinstance(columns, Mapping):
        wanted = {str(k): str(v) for k, v in columns.items()}
    elif isinstance(columns, Sequence):
        wanted = {str(name): _heading(str(name)) for name in columns}
    else:
        raise OptionError(f"columns takes a list of column names or a mapping to headings, not {columns!r}.")
    return tuple(
        replace(own, heading=heading if isinstance(columns, Mapping) else own.heading)
        if own is not None and name == own.name
        else _column(effects, name, heading)
        for name, heading in wanted.items()
    )


def _usual(effects: Effects) -> dict[str, str]:
    if len(effects.n) != len(effects) or not np.isfinite(effects.n).all():
        return {}
    counted = effects.measure.key == "PLO" and np.isfinite(effects.events).all()
    return {"events": "Events", "n": "Patients"} if counted else {"n": "Patients"}


def _heading(name: str) -> str:
    """Make a heading of a column's name: "n_drug" becomes "Drug" above "n"."""
    words = name.replace("_", " ").strip()
    if words.lower().startswith("n ") and len(words) > 2:
        return f"{words[2:].capitalize()}\nn"
    return words if len(words) == 1 else words[:1].upper() + words[1:]


def _column(effects: Effects, name: str, heading: str) -> ExtraColumn:
    raw: tuple[Any, ...]
    if name in effects.columns:
        raw = tuple(effects.columns[name])
    elif name in ("n", "events"):
        raw = tuple(getattr(effects, name))
    else:
        known = ", ".join(dict.fromkeys([*effects.columns, "n", "events"]))
        raise OptionError(f"there is no column '{name}' to show. There are: {known}.")
    cells = tuple(_cell(x) for x in raw)
    numbers = [_number(x) for x in raw]
    known_numbers = [x for x in numbers if not np.isnan(x)]
    numeric = bool(known_numbers) and all(c == MISSING or not np.isnan(x) for c, x in zip(cells, numbers, strict=True))
    # "n (%)" is a count by its heading, "dose (mg)" is not.
    counted = numeric and all(x == int(x) and x >= 0 for x in known_numbers)
    counted = counted and bool(_COUNTS.search(name) or _COUNTS.search(heading.replace("\n", " ")))
    return ExtraColumn(name, heading, cells, "right" if numeric else "left", tuple(numbers) if counted else ())


def _cell(x: Any) -> str:
    if x is None or (isinstance(x, float | np.floating) and np.isnan(x)) or not str(x).strip():
        return MISSING
    if isinstance(x, float | np.floating) and np.isfinite(x):
        return f"{float(x):.6g}".replace("-", "−")
    text = " ".join(str(x).split())
    return MISSING if text.lower() in {"nan", "none", "<na>", "nat"} else text


def _number(x: Any) -> float:
    try:
        return float(x)
    except (TypeError, ValueError):
        return float("nan")
