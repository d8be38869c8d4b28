"""The page: answers and figures into one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups, interaction_line
from metaleptic.provenance import versions
from metaleptic.reporting.analysis import Analysis
from metaleptic.reporting.answers import Answer, contradictions, evidence_findings
from metaleptic.reporting.bayes_sentences import (
    bayes_notes,
    bayes_rows,
    bayes_sentence,
    belief_sentence,
    credible_words,
    prediction_words,
    shrunken_words,
)
from metaleptic.reporting.code import reproducing_code
from metaleptic.reporting.references import References
from metaleptic.reporting.robust_section import CAPTIONS, RobustSection, robust_section
from metaleptic.reporting.sentences import (
    answer_sentence,
    count_words,
    heterogeneity_sentence,
    methods_text,
    pooled_sentence,
    value_words,
)
from metaleptic.types import Estimate, Finding, Measure

BAYES = "posterior"  # how the names of the figures of a posterior begin
ANSWER_FIGURES = ("forest", "funnel")  # the others stand beside the check that they show


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the page: its kind, inline SVG and words for those who cannot see it."""

    kind: str
    svg: str
    alt: str


@dataclass(frozen=True, slots=True)
class Posterior:
    """The Bayesian part of a section, all text; where it is the headline, sentences and figures are those without a prior."""

    sentence: str
    belief: str
    figures: tuple[Figure, ...]
    rows: tuple[tuple[str, ...], ...]
    has_null: bool
    studies: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]
    headline: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One question as the template shows it: all text, no numbers left to format."""

    id: str
    ask: str
    sentence: str
    heterogeneity: str
    caution: str
    remarks: tuple[str, ...]
    figures: tuple[Figure, ...]
    glance: tuple[str, str, str, str, str]
    subgroups: tuple[tuple[str, ...], ...]
    interaction: str
    studies: tuple[Mapping[str, str], ...]
    left_out: tuple[Mapping[str, str], ...]
    robust: RobustSection | None
    robust_figures: Mapping[str, Figure]
    findings: tuple[Finding, ...]
    methods: str
    code: str
    provenance: tuple[tuple[str, str], ...]
    posterior: Posterior | None


def render(analysis: Analysis, answers: Sequence[Answer], figures: Mapping[str, Sequence[Figure]]) -> str:
    """Fill the template."""
    env = environment()
    refs = References()
    sections = [_section(a, refs, figures[a.question.id]) for a in answers]
    from_file = bool(analysis.evidence)
    context: dict[str, Any] = {
        "title": analysis.title,
        "summary": analysis.summary,
        "sections": sections,
        "references": refs.entries(),
        "findings": evidence_findings(analysis) if from_file else (),
        "contradictions": contradictions(analysis),
        "captions": CAPTIONS,
        "versions": versions(),
        "inputs": _inputs(analysis, answers),
        "random_numbers": "No random numbers were used.",
        "style": style_of(env),
    }
    return str(env.get_template("report.html").render(context))


def environment() -> Any:
    """Return where the templates are and how they are filled."""
    import jinja2

    env = jinja2.Environment(
        loader=jinja2.PackageLoader("metaleptic.reporting", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    env.filters["link"] = link
    return env


def style_of(env: Any) -> str:
    """Return the style sheet of the page."""
    return str(env.loader.get_source(env, "style.css")[0])


def link(reference: str) -> Any:
    """Turn DOIs, PMIDs and registry numbers of a reference into links; the rest stays text."""
    from markupsafe import Markup, escape

    text = str(escape(reference))
    text = re.sub(r"doi:(10\.\S+?)(?=[;,]?(?:\s|$))", r'<a href="https://doi.org/\1">doi:\1</a>', text)
    text = re.sub(r"pmid:(\d+)", r'<a href="https://pubmed.ncbi.nlm.nih.gov/\1/">pmid:\1</a>', text)
    text = re.sub(r"\b(NCT\d{8})\b", r'<a href="https://clinicaltrials.gov/study/\1">\1</a>', text)
    return Markup(text)


def _section(a: Answer, refs: References, figures: Sequence[Figure]) -> Section:
    q, fit = a.question, a.fit
    headline = a.bayes is not None and a.bayes.headline
    return Section(
        id=q.id,
        ask=q.ask,
        sentence=answer_sentence(a),
        heterogeneity=belief_sentence(a.bayes) if headline and a.bayes else heterogeneity_sentence(fit),
        caution=q.caution,
        remarks=bayes_notes(a.bayes.post) if headline and a.bayes else a.remarks,
        figures=tuple(f for f in figures if (f.kind.startswith(BAYES) if headline else f.kind in ANSWER_FIGURES)),
        glance=_glance(a),
        subgroups=_subgroup_rows(a.groups) if a.groups is not None else (),
        interaction=interaction_line(a.groups) if a.groups is not None else "",
        studies=tuple(_study_rows(a)),
        left_out=tuple(
            {
                "id": x.origin.id,
                "study": x.origin.label,
                "printed": x.origin.printed,
                "reason": x.reason,
                "reference": x.origin.reference,
            }
            for x in a.left_out
        ),
        robust=robust_section(a),
        robust_figures={f.kind: f for f in figures if f.kind not in ANSWER_FIGURES and not f.kind.startswith(BAYES)},
        findings=a.findings,
        methods=methods_text(a, refs),
        code=reproducing_code(a),
        provenance=(
            ("call", fit.provenance.call),
            ("sha256 of the rows", a.table_sha256),
            ("sha256 of the effects", fit.provenance.inputs_sha256),
            *((("call of the posterior", a.bayes.post.provenance.call),) if a.bayes is not None else ()),
        ),
        posterior=_posterior(a, figures) if a.bayes is not None else None,
    )


def _posterior(a: Answer, figures: Sequence[Figure]) -> Posterior:
    assert a.bayes is not None
    post = a.bayes.post
    studies = tuple(
        (name, row["used"], shrunken_words(post, i))
        for i, (name, row) in enumerate(zip(post.effects.study, _study_rows(a), strict=True))
    )
    return Posterior(
        sentence=pooled_sentence(a) if a.bayes.headline else bayes_sentence(post, a.question.answer),
        belief=heterogeneity_sentence(a.fit) if a.bayes.headline else belief_sentence(a.bayes),
        figures=tuple(
            f for f in figures if (f.kind in ANSWER_FIGURES if a.bayes.headline else f.kind.startswith(BAYES))
        ),
        rows=bayes_rows(a.bayes),
        has_null=post.effects.measure.has_null,
        studies=studies,
        notes=a.remarks if a.bayes.headline else bayes_notes(post),
        headline=a.bayes.headline,
    )


def _bounds(m: Measure, e: Estimate | None) -> str:
    return m.format_interval(e.low, e.high) if e is not None else "–"


def _unit(fit: Pooled) -> str:
    return f" {fit.effects.measure.unit}" if fit.effects.measure.unit else ""


def _glance(a: Answer) -> tuple[str, str, str, str, str]:
    fit = a.fit
    m = fit.effects.measure
    i2 = "–" if fit.i2 != fit.i2 or fit.one_true_value else f"{fit.i2:.0f}%"
    if a.bayes is not None and a.bayes.headline:
        post = a.bayes.post
        return str(fit.k), credible_words(post), prediction_words(post), i2, f"{post.prior.words} prior"
    what = "own figure, not pooled" if fit.k == 1 else ""
    return str(fit.k), value_words(fit), _bounds(m, fit.prediction) + (_unit(fit) if fit.prediction else ""), i2, what


def _subgroup_rows(groups: Subgroups) -> tuple[tuple[str, ...], ...]:
    return tuple((name, count_words(g.k, "study"), value_words(g)) for name, g in groups.groups.items())


def _study_rows(a: Answer) -> list[Mapping[str, str]]:
    fit, e = a.fit, a.fit.effects
    low, high = e.measure.printed_bounds(e.low, e.high)
    rows: list[Mapping[str, str]] = []
    for i, o in enumerate(a.origins):
        value = e.measure.format(float(e.printed[i]))
        rows.append(
            {
                "study": o.label,
                "id": o.id,
                "n": f"{e.n[i]:.0f}" if e.n[i] == e.n[i] else "not printed",
                "printed": o.printed,
                "corrected": o.corrected,
                "correction_reason": o.correction_reason,
                "used": f"{value}{_unit(fit)} ({e.measure.format_interval(low[i], high[i])})",
                "how": e.how[i],
                "weight": f"{fit.weights[i]:.1f}%",
                "reference": o.reference,
                "citation": o.citation,
                "note": o.note,
                "time_origin": o.time_origin,
            }
        )
    return rows


def _inputs(analysis: Analysis, answers: Sequence[Answer]) -> list[tuple[str, str]]:
    found = [(analysis.source, analysis.sha256)]
    if analysis.evidence:
        import hashlib

        names = dict.fromkeys(
            [analysis.evidence, analysis.studies, analysis.contradictions, *(a.question.evidence for a in answers)]
        )
        found += [(n, hashlib.sha256((analysis.folder / n).read_bytes()).hexdigest()) for n in names if n]
    return found
