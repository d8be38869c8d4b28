"""The answer to a question: effects, pooled result, subgroups, leave-one-out, findings, and what was left out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

from metaleptic.auditing.audit import audit
from metaleptic.errors import DataError, ExcludedRowsWarning, FewStudiesWarning, MetalepticError, MetalepticWarning
from metaleptic.frames import read_table, texts
from metaleptic.pooling.pool import pool
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups, subgroups
from metaleptic.reporting.analysis import Analysis, Question
from metaleptic.reporting.bayes_question import BayesAnswer, answer_bayes
from metaleptic.reporting.kinds import KINDS
from metaleptic.reporting.origins import LeftOut, Origin
from metaleptic.reporting.robust_overlap import with_overlap
from metaleptic.reporting.select import Selection, select_rows
from metaleptic.sensitivity.leave_one_out import LeaveOneOut
from metaleptic.sensitivity.robustness import Robustness, robustness
from metaleptic.types import Finding


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Everything the report says about one question.

    Attributes
    ----------
    question : Question
        What was asked.
    fit : Pooled
        The pooled result.
    groups : Subgroups or None
        The same by subgroup.
    robust : Robustness or None
        The checks of its robustness; None for a single study.
    origins : tuple of Origin
        Where each pooled number comes from, aligned with ``fit.effects``.
    left_out : tuple of LeftOut
        Rows that match the question but are not pooled.
    findings : tuple of Finding
        What the audit says of the rows used.
    remarks : tuple of str
        Warnings of the conversion and the pooling.
    table_sha256 : str
        Fingerprint of the rows that went in.
    bayes : BayesAnswer or None
        The posterior, where the question asks for one.
    """

    question: Question
    fit: Pooled
    groups: Subgroups | None
    robust: Robustness | None
    origins: tuple[Origin, ...]
    left_out: tuple[LeftOut, ...]
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]
    table_sha256: str
    bayes: BayesAnswer | None = None

    @property
    def influence(self) -> LeaveOneOut | None:
        """The leave-one-out analysis; None below three studies."""
        records = [c.record for c in self.robust.checks] if self.robust is not None else []
        return next((r for r in records if isinstance(r, LeaveOneOut)), None)

    @property
    def shown(self) -> Pooled | Subgroups:
        """What the forest plot shows."""
        return self.groups if self.groups is not None else self.fit


def answer_question(analysis: Analysis, q: Question) -> Answer:
    """Answer one question of an analysis.

    Raises
    ------
    DataError
        If its rows cannot be used; the message begins with the question.
    """
    selection = select_rows(analysis, q)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            effects = KINDS[q.kind].make(selection.table, q)
            fit = pool(effects, model=q.model, tau2=q.tau2, test=q.test or None, level=q.level)
            bayes = answer_bayes(q.bayes, effects, q.model, q.level) if q.bayes is not None else None
            groups = subgroups(fit, q.subgroup) if q.subgroup and fit.k > 1 else None
        except MetalepticError as err:
            raise DataError(selection.in_evidence(f"question '{q.id}': {err}")) from None
    for w in caught:
        if not issubclass(w.category, MetalepticWarning):
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    # One study and excluded rows are told in their own places.
    told = (FewStudiesWarning, ExcludedRowsWarning)
    remarks = [
        selection.in_evidence(str(w.message))
        for w in caught
        if issubclass(w.category, MetalepticWarning) and not issubclass(w.category, told)
    ]
    origins = selection.origins
    used = tuple(origins[row - 1] for row in effects.row)
    unusable = tuple(LeftOut(origins[x.row - 1], x.reason) for x in effects.excluded)
    return Answer(
        question=q,
        fit=fit,
        groups=groups if groups is not None and len(groups.groups) > 1 else None,
        robust=with_overlap(analysis, q, robustness(fit) if fit.k >= 2 else None),
        origins=used,
        left_out=selection.left_out + unusable,
        findings=tuple(_in_evidence(selection, f) for f in audit(selection.table))
        if "value" in selection.table.columns
        else (),
        remarks=(*(fit.notes if fit.k > 1 else ()), *remarks),
        table_sha256=selection.table.sha256,
        bayes=bayes,
    )


def _in_evidence(selection: Selection, found: Finding) -> Finding:
    """Return a finding of the audit with the row numbers of the evidence file."""
    return replace(found, where=selection.in_evidence(found.where), message=selection.in_evidence(found.message))


def contradictions(analysis: Analysis) -> list[dict[str, str]]:
    """Return the known contradictions that come with the evidence, as rows of text."""
    if not analysis.contradictions:
        return []
    table = read_table(analysis.folder / analysis.contradictions)
    columns = {name: texts(table, name) for name in table.columns}
    return [{name: col[i] for name, col in columns.items()} for i in range(len(table))]


def evidence_findings(analysis: Analysis) -> tuple[Finding, ...]:
    """Audit the whole evidence table, used or not."""
    return audit(analysis.folder / analysis.evidence)
