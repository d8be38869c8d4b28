"""Which rows of the evidence answer a question: matched, corrected, checked for shared patients."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaleptic.errors import DataError
from metaleptic.frames import Table, find_column, read_table, texts
from metaleptic.reporting.analysis import Analysis, Question
from metaleptic.reporting.origins import LeftOut, Origin

CORRECTABLE = ("value", "low", "high", "unit")


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of one question: the table to convert, its origins and row numbers in the evidence, and what was left out."""

    table: Table
    origins: tuple[Origin, ...]
    left_out: tuple[LeftOut, ...]
    rows: tuple[int, ...]

    def in_evidence(self, message: str) -> str:
        """Return a message about the converted table with the row numbers of the evidence file."""
        return re.sub(r"\(row (\d+)\)", lambda m: f"(row {self.rows[int(m[1]) - 1]})", message)


def read_tables(analysis: Analysis, evidence: str) -> tuple[Table, Mapping[str, Mapping[str, str]]]:
    """Read the evidence table and the studies table (study key -> its columns)."""
    table = read_table(analysis.folder / evidence)
    if not analysis.studies:
        return table, {}
    studies = read_table(analysis.folder / analysis.studies)
    key = find_column(studies, None, "study", needed_for="the keys of the studies")
    assert key is not None
    columns = {name: texts(studies, name) for name in studies.columns}
    return table, {study: {name: col[i] for name, col in columns.items()} for i, study in enumerate(columns[key])}


def select_rows(analysis: Analysis, q: Question) -> Selection:
    """Find the rows of a question, apply its exclusions and corrections, and refuse cohorts that share patients.

    Raises
    ------
    DataError
        If a column of ``where`` is missing, no row matches, an exclusion names no matching row, or two rows
        share patients.
    """
    table, studies = read_tables(analysis, q.evidence or analysis.evidence)
    name = f"question '{q.id}'"
    matched = _matching(table, q, name)
    ids = _ids(table)
    stray = [x for x in (*q.exclude, *q.labels) if x not in {ids[i] for i in matched}]
    if stray:
        raise DataError(
            f"{name}: '{stray[0]}' is named in exclude or labels, but no row with this id matches `where`. Check the id."
        )
    origins = {i: _origin(table, i, ids[i], studies, q) for i in matched}
    kept = [i for i in matched if ids[i] not in q.exclude]
    if not kept:
        raise DataError(f"{name}: every matching row is excluded. There is nothing to pool.")
    if not q.allow_overlap:
        _check_overlap([origins[i] for i in kept], studies, name)
    left_out = tuple(LeftOut(origins[i], q.exclude[ids[i]]) for i in matched if ids[i] in q.exclude)
    numbers = tuple(i + 1 for i in kept)
    return Selection(_corrected(table, kept, origins), tuple(origins[i] for i in kept), left_out, numbers)


def _matching(table: Table, q: Question, name: str) -> list[int]:
    rows = list(range(len(table)))
    for column, wanted in q.where.items():
        if column not in table.columns:
            raise DataError(f"{name}: {table.source} has no column '{column}' (named in `where`).")
        values = {str(w) for w in (wanted if isinstance(wanted, list) else [wanted])}
        cells = texts(table, column)
        rows = [i for i in rows if cells[i] in values]
    if not rows:
        asked = ", ".join(f"{k} = {v!r}" for k, v in q.where.items())
        raise DataError(f"{name}: no row of {table.source} has {asked}. Check the spelling against the table.")
    return rows


def _ids(table: Table) -> tuple[str, ...]:
    return texts(table, "id") if "id" in table.columns else tuple(f"row {i + 1}" for i in range(len(table)))


def _cell(table: Table, column: str, i: int) -> str:
    return texts(Table({column: [table.columns[column][i]]}, "", "", ""), column)[0] if column in table.columns else ""


def _origin(table: Table, i: int, row_id: str, studies: Mapping[str, Mapping[str, str]], q: Question) -> Origin:
    study = _cell(table, "study", i)
    label = q.labels.get(row_id) or studies.get(study, {}).get("label") or study
    return Origin(
        id=row_id,
        study=study,
        label=label,
        printed=_as_printed(table, i, ""),
        corrected=_as_printed(table, i, "corrected_"),
        correction_reason=_cell(table, "correction_reason", i),
        reference=_cell(table, "reference", i),
        citation=studies.get(study, {}).get("citation", ""),
        note=_cell(table, "note", i),
        time_origin=_cell(table, "time_origin", i),
    )


def _as_printed(table: Table, i: int, prefix: str) -> str:
    """Write the cells of a row the way the paper shows them: value (low to high) unit, x of n."""
    value, low, high, unit = (_cell(table, prefix + c, i) for c in CORRECTABLE)
    if not prefix and not value and "events" in table.columns:
        return f"{_cell(table, 'events', i)}/{_cell(table, 'n', i)}"
    text = value + (f" ({low or '?'} to {high or '?'})" if low or high else "")
    return f"{text}{'%' if unit == 'percent' else f' {unit}' if unit else ''}" if text else ""


def _corrected(table: Table, rows: Sequence[int], origins: Mapping[int, Origin]) -> Table:
    kept = table.keep(rows)
    columns: dict[str, Sequence[Any]] = dict(kept.columns)
    for name in CORRECTABLE:
        better = f"corrected_{name}"
        if name in columns and better in columns:
            columns[name] = [
                new if str(new).strip() else old for old, new in zip(columns[name], columns[better], strict=True)
            ]
    columns["study"] = [origins[i].label for i in rows]
    return Table(columns, kept.kind, kept.source, kept.sha256)


def _check_overlap(origins: Sequence[Origin], studies: Mapping[str, Mapping[str, str]], name: str) -> None:
    """Refuse two rows of one overlap group, or a pooled analysis beside a study that it contains."""
    seen: dict[str, Origin] = {}
    advice = "Exclude one with its reason, or say allow_overlap = true."
    for origin in origins:
        group = studies.get(origin.study, {}).get("overlap_group") or origin.study
        if group in seen:
            other = seen[group]
            raise DataError(
                f"{name}: rows {other.id} ({other.label}) and {origin.id} ({origin.label}) share patients (overlap group '{group}'). {advice}"
            )
        seen[group] = origin
    for origin in origins:
        inside = {s.strip() for s in studies.get(origin.study, {}).get("contains", "").split(";") if s.strip()}
        for other in origins:
            if other.study in inside:
                raise DataError(
                    f"{name}: row {origin.id} ({origin.label}) contains the patients of row {other.id} ({other.label}). {advice}"
                )
