"""The analysis file (TOML): which rows answer which question, and how they are pooled."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from metaleptic.errors import DataError, OptionError
from metaleptic.pooling.heterogeneity import tau2_estimator
from metaleptic.pooling.models import MODELS
from metaleptic.pooling.normal import test_named
from metaleptic.reporting.bayes_question import BayesQuestion, read_bayes
from metaleptic.reporting.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Question:
    """One question of an analysis: which rows, what kind of number, which model.

    Attributes
    ----------
    id : str
        Short name, used for file names.
    ask, answer : str
        The question in words, and the noun phrase that begins its answer.
    kind : str
        Kind of number: a key of ``KINDS``.
    where : mapping
        Column -> value (or list of values) that a row must have.
    exclude : mapping of str to str
        Row id -> reason, for rows that match but are not pooled.
    evidence : str
        Table to take the rows from, if not the analysis' own.
    subgroup : str
        Column to group by; empty for none.
    model, tau2, test, level
        As in ``ml.pool``; an empty test means the model's default.
    at : float
        Time point of survival rates.
    measure, label : str
        Measure of a two-by-two table or estimate; heading of the effect.
    favours : (str, str) or None
        What the left and right side of the null favour.
    columns : mapping of str to str
        Extra columns of the forest plot and their headings.
    labels : mapping of str to str
        Row id -> study label, where the study's own label does not fit.
    caution : str
        What a reader must bear in mind.
    allow_overlap : bool
        Whether cohorts that share patients may enter together.
    bayes : BayesQuestion or None
        Priors of a Bayesian answer; None for none.
    """

    id: str
    ask: str
    answer: str
    kind: str
    where: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    exclude: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    evidence: str = ""
    subgroup: str = ""
    model: str = "random"
    tau2: str = "REML"
    test: str = ""
    level: float = 0.95
    at: float = float("nan")
    measure: str = ""
    label: str = ""
    favours: tuple[str, str] | None = None
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    caution: str = ""
    allow_overlap: bool = False
    bayes: BayesQuestion | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysis file, read and checked."""

    title: str
    summary: str
    evidence: str
    studies: str
    contradictions: str
    questions: tuple[Question, ...]
    folder: Path
    source: str
    sha256: str


def load_analysis(path: str | Path) -> Analysis:
    """Read an analysis file, or the ``analysis.toml`` of a folder.

    Raises
    ------
    DataError
        If the file is missing, is no TOML, or says something that is not understood; the message names the question and key.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "analysis.toml"
    if not file.is_file():
        raise DataError(f"analysis file '{file}' does not exist. Give the path of an analysis.toml or of its folder.")
    raw = file.read_bytes()
    try:
        content = tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise DataError(f"analysis file '{file}' is not UTF-8. Save it as UTF-8 and retry.") from None
    except tomllib.TOMLDecodeError as err:
        raise DataError(f"analysis file '{file}' is not valid TOML: {err}.") from None
    unknown = sorted(set(content) - {"title", "summary", "evidence", "studies", "contradictions", "question"})
    if unknown:
        raise DataError(
            f"analysis file '{file}': key '{unknown[0]}' is unknown. Known: title, summary, evidence, studies, contradictions, [[question]]."
        )
    entries = content.get("question", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise DataError(f"analysis file '{file}' asks nothing. Add at least one [[question]].")
    questions = tuple(_question(entry, number, file) for number, entry in enumerate(entries, start=1))
    twice = {q.id for q in questions if sum(q.id == other.id for other in questions) > 1}
    if twice:
        raise DataError(f"analysis file '{file}': two questions have the id '{min(twice)}'. Give each its own.")
    return Analysis(
        title=_text(content, "title", file.parent.name.replace("_", " ").capitalize(), file),
        summary=" ".join(_text(content, "summary", "", file).split()),
        evidence=_text(content, "evidence", "evidence.csv", file),
        studies=_text(content, "studies", "", file),
        contradictions=_text(content, "contradictions", "", file),
        questions=questions,
        folder=file.parent,
        source=file.name,
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def _text(content: Mapping[str, Any], key: str, default: str, file: Path) -> str:
    value = content.get(key, default)
    if not isinstance(value, str):
        raise DataError(f"analysis file '{file}': {key} must be text in quotes.")
    return value


def _question(entry: Mapping[str, Any], number: int, file: Path) -> Question:
    name = f"analysis file '{file}', question {entry.get('id', number)!r}"
    known = {f.name: f for f in fields(Question)}
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise DataError(f"{name}: key '{unknown[0]}' is unknown. Known: {', '.join(known)}.")
    missing = [key for key in ("id", "ask", "kind") if not entry.get(key)]
    if missing:
        raise DataError(f"{name}: key '{missing[0]}' is missing.")
    settled = dict(entry)
    settled.setdefault("answer", settled["ask"])
    settled["exclude"] = _exclusions(entry.get("exclude", []), name)
    for key in ("where", "columns", "labels"):
        if not isinstance(settled.get(key, {}), dict):
            raise DataError(f'{name}: {key} must be a table, for example {key} = {{ outcome = "OS" }}.')
        settled[key] = MappingProxyType(settled.get(key, {}))
    settled["favours"] = _favours(entry.get("favours"), name)
    for key in (
        "id",
        "ask",
        "answer",
        "kind",
        "evidence",
        "subgroup",
        "model",
        "tau2",
        "test",
        "measure",
        "label",
        "caution",
    ):
        if key in settled and not isinstance(settled[key], str):
            raise DataError(f"{name}: {key} must be text in quotes.")
    for key in ("at", "level"):
        if key in settled and not isinstance(settled[key], int | float):
            raise DataError(f"{name}: {key} must be a number.")
    headline = settled.get("model") == "bayes"
    if headline:  # what stands beside it is pooled without a prior
        settled["model"] = "random"
    try:
        question = Question(**settled | {"bayes": read_bayes(entry.get("bayes"), headline=headline)})
        _check_options(question)
    except OptionError as err:
        raise DataError(f"{name}: {err}") from None
    return question


def _check_options(q: Question) -> None:
    if not all(c.isalnum() or c in "-_" for c in q.id):
        raise OptionError(f"id {q.id!r} may hold letters, digits, - and _ only.")
    if q.kind not in KINDS:
        raise OptionError(f"kind {q.kind!r} is unknown. Choose one of: {', '.join(KINDS)}.")
    if q.model not in MODELS:
        raise OptionError(f"model {q.model!r} is unknown. Choose one of: {', '.join((*MODELS, 'bayes'))}.")
    tau2_estimator(q.tau2)
    if q.test:
        test_named(q.test)
    if not 0 < q.level < 1:
        raise OptionError(f"level {q.level:g} is not between 0 and 1. Write 0.95 for 95%.")
    if KINDS[q.kind].needs_at and q.at != q.at:
        raise OptionError("at is missing: say at which time point, for example at = 12.")


def _favours(given: Any, name: str) -> tuple[str, str] | None:
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != 2 or not all(isinstance(side, str) for side in given):
        raise DataError(f"{name}: favours takes two texts, what the left and the right side of the null favour.")
    return given[0], given[1]


def _exclusions(entries: Any, name: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    if not isinstance(entries, list):
        raise DataError(f'{name}: exclude must be a list, for example exclude = [{{ id = "E001", reason = "..." }}].')
    for entry in entries:
        if not isinstance(entry, dict) or not entry.get("id") or not entry.get("reason"):
            raise DataError(f"{name}: every exclusion needs an id and a reason.")
        found[str(entry["id"])] = str(entry["reason"])
    return MappingProxyType(found)
