"""Cohorts that share patients, of a question of an analysis: the answer with each choice, excluded cohorts among them."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from types import MappingProxyType

from metaleptic.errors import MetalepticError, MetalepticWarning
from metaleptic.pooling.pool import pool
from metaleptic.reporting.analysis import Analysis, Question
from metaleptic.reporting.kinds import KINDS
from metaleptic.reporting.select import read_tables, select_rows
from metaleptic.sensitivity.overlap_choices import COLUMN, overlap_choices
from metaleptic.sensitivity.robustness import OVERLAP, Check, Robustness


def with_overlap(analysis: Analysis, q: Question, robust: Robustness | None) -> Robustness | None:
    """Add the question of overlap to the checks of an answer, where the table of studies has a column ``overlap_group``."""
    if robust is None or not analysis.studies or q.allow_overlap:  # that says: different patients
        return robust
    _, studies = read_tables(analysis, q.evidence or analysis.evidence)
    if not any(COLUMN in columns for columns in studies.values()):
        return robust
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetalepticWarning)
        try:
            check = _check(analysis, q, {s: c.get(COLUMN) or s for s, c in studies.items()})
        except MetalepticError as reason:
            check = Check(OVERLAP, None, f"Not answered: {reason}")
    rest = tuple(c for c in robust.checks if c.question != OVERLAP)
    return replace(robust, checks=(*rest[:4], check, *rest[4:]))


def _check(analysis: Analysis, q: Question, group: dict[str, str]) -> Check:
    """Take the excluded cohorts back in that share patients with one that is used, and pool with each choice."""
    used = select_rows(analysis, q)
    taken = {group.get(o.study, o.study) for o in used.origins}
    shared = {x.origin.id for x in used.left_out if group.get(x.origin.study, x.origin.study) in taken}
    excluded = {row: reason for row, reason in q.exclude.items() if row not in shared}
    whole = replace(q, exclude=MappingProxyType(excluded), allow_overlap=True)
    selection = select_rows(analysis, whole)
    names = [group.get(o.study, o.study) for o in selection.origins]
    common = {name for name, count in Counter(names).items() if count > 1}
    effects = KINDS[q.kind].make(selection.table, whole)
    column = tuple(names[row - 1] if names[row - 1] in common else "" for row in effects.row)
    twice = {s for s, count in Counter(effects.study).items() if count > 1}
    rows = zip(effects.study, effects.row, strict=True)
    study = tuple(f"{s} ({selection.origins[row - 1].id})" if s in twice else s for s, row in rows)
    effects = replace(effects, study=study, columns=MappingProxyType({**effects.columns, COLUMN: column}))
    record = overlap_choices(pool(effects, model=q.model, tau2=q.tau2, test=q.test or None, level=q.level))
    return Check(OVERLAP, record, record.sentence)
