"""Where each number of a report comes from, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass

from metaleptic.types import Effects


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one row of the evidence comes from, as printed and as used."""

    id: str
    study: str
    label: str
    printed: str
    corrected: str
    correction_reason: str
    reference: str
    citation: str
    note: str
    time_origin: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that matches a question but is not pooled, and why."""

    origin: Origin
    reason: str


def origin_of_row(effects: Effects, i: int) -> Origin:
    """Return the origin of an effect that was made without an evidence table: its row and what was given."""
    m = effects.measure
    low, high = m.printed_bounds(effects.low[i], effects.high[i])
    given = f"{m.format(float(effects.printed[i]))} ({m.format_interval(float(low), float(high))})"
    return _of(effects.study[i], int(effects.row[i]), given)


def left_out_of(effects: Effects) -> tuple[LeftOut, ...]:
    """Return the rows that could not be used, each with its reason."""
    return tuple(LeftOut(_of(x.study, x.row, ""), x.reason) for x in effects.excluded)


def _of(study: str, row: int, printed: str) -> Origin:
    return Origin(f"row {row}", study, study, printed, "", "", "", "", "", "")
