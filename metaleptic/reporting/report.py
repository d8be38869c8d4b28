"""The verb ``report``: an analysis file (or a result) in, one self-contained page out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaleptic.bayes.compare import ModelComparison
from metaleptic.bayes.map_prior import MapPrior
from metaleptic.bayes.result import PooledBayes
from metaleptic.bayes.robust_average import RobustAverage
from metaleptic.errors import DataError, OptionError
from metaleptic.files import write_all
from metaleptic.plots.densities import prior_posterior
from metaleptic.plots.forest import forest
from metaleptic.plots.funnel import funnel
from metaleptic.plots.plot import Plot
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups
from metaleptic.reporting.analysis import Analysis, load_analysis
from metaleptic.reporting.answers import Answer, answer_question
from metaleptic.reporting.document import BAYES, Figure, render
from metaleptic.reporting.fit_answer import SHAPES, FitAnswer, fit_answer
from metaleptic.reporting.fit_page import ID, fit_figures, render_fit
from metaleptic.reporting.fit_words import AnyFit
from metaleptic.reporting.records import fit_rows, fit_to_json, rows, to_csv, to_json
from metaleptic.reporting.robust_section import robust_figures
from metaleptic.reporting.sentences import answer_sentence
from metaleptic.reporting.single import has_pair, wrap_result

FUNNEL_FROM = 10  # below ten studies the shape of a funnel plot cannot be judged


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What was written: the page, its figures and tables, and the answers themselves.

    Attributes
    ----------
    path : Path
        The page.
    figures : tuple of Path
        Forest and funnel plots and those of the robustness checks as separate files.
    tables : tuple of Path
        ``results.csv`` and ``results.json``.
    answers : tuple of Answer or FitAnswer
        One per question, in order.
    """

    path: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...]
    answers: tuple[Answer | FitAnswer, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each answer in words, after the name of its question."""
        return tuple(
            f"{ID}: {a.sentence}" if isinstance(a, FitAnswer) else f"{a.question.id}: {answer_sentence(a)}"
            for a in self.answers
        )

    def __repr__(self) -> str:
        tables = ", ".join(t.name for t in self.tables)
        return "\n".join(
            [*self.sentences, f"report: {self.path.name}, with {tables} and {len(self.figures)} figure files beside it"]
        )


def report(
    source: str | Path | Pooled | Subgroups | PooledBayes | AnyFit,
    out: str | Path,
    *,
    figure_formats: tuple[str, ...] = ("svg", "png"),
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Write one self-contained page in which every pooled number carries its origin.

    Parameters
    ----------
    source : str, Path, Pooled, Subgroups, PooledBayes, Regression, LocationScale, Multilevel, RegressionBayes or SampledRegression
        An ``analysis.toml``, its folder, or a result of ``ml.pool``, ``ml.subgroups``, ``ml.location_scale``,
        ``ml.pool_multilevel`` or ``ml.pool_bayes``.
    out : str or Path
        The page to write (``.html``). Beside it go ``results.csv``, ``results.json`` and the folder ``figures``.
    figure_formats : tuple of {"svg", "png", "pdf"}, default ("svg", "png")
        Formats of the separate figure files.
    progress : callable, optional
        Called with (question, number, total) as the work goes on.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        If the evidence cannot be used as the analysis says, or the files cannot be written. Nothing is written then.
    OptionError
        If ``out`` is no HTML file or a format is unknown.

    Notes
    -----
    The page needs no network, prints well, and adapts to small screens and dark mode.

    Examples
    --------
    >>> import tempfile, metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.34, -0.05, -0.48], [0.03, 0.01, 0.05], measure="HR"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = ml.report(fit, folder + "/review.html")
    ...     written.path.name
    'review.html'
    """
    page = Path(out)
    if page.suffix.lower() not in {".html", ".htm"}:
        raise OptionError(f"'{page}' is no HTML file. Give a path that ends in .html.")
    unknown = [f for f in figure_formats if f not in {"svg", "png", "pdf"}]
    if unknown:
        raise OptionError(f"figure format {unknown[0]!r} is unknown. Choose from: svg, png, pdf.")
    if isinstance(source, SHAPES) or (isinstance(source, PooledBayes) and not has_pair(source)):
        return _report_fit(fit_answer(source), page, figure_formats)
    if isinstance(source, Pooled | Subgroups | PooledBayes):
        analysis, answers = wrap_result(source)
    elif isinstance(source, str | Path):
        analysis = load_analysis(source)
        answers = _answers(analysis, progress)
    else:
        if isinstance(source, MapPrior):
            raise OptionError(
                "a MAP prior has no report of its own: report the meta-analysis behind it, ml.report(prior.posterior, ...)."
            )
        if isinstance(source, ModelComparison | RobustAverage):
            raise OptionError(
                f"{type(source).__name__} has no page of its own: ml.plot draws it, ml.methods_sentence says what was done, and "
                "ml.report takes the fit itself, ml.pool_bayes(effects, ...)."
            )
        raise OptionError(
            "report takes the path of an analysis or a result of ml.pool, ml.pool_multilevel or ml.pool_bayes, not "
            f"{type(source).__name__}."
        )
    figures, files = _figures(answers, page.parent / "figures", figure_formats)
    html = render(analysis, answers, figures)
    tables = {
        page.parent / "results.csv": to_csv(rows(answers)).encode(),
        page.parent / "results.json": to_json(analysis, answers).encode(),
    }
    write_all({page: html.encode()} | tables | files, make_folders=True)
    return Report(page, tuple(files), tuple(tables), tuple(answers))


def _report_fit(answer: FitAnswer, page: Path, formats: tuple[str, ...]) -> Report:
    """Write the page, tables and figures of a fit that is no single pooled value."""
    figures = fit_figures(answer)
    files = {
        page.parent / "figures" / f"{ID}-{name}.{kind}": plot.to_bytes(kind)
        for name, plot in figures
        for kind in formats
    }
    tables = {
        page.parent / "results.csv": to_csv(fit_rows(answer)).encode(),
        page.parent / "results.json": fit_to_json(answer).encode(),
    }
    write_all({page: render_fit(answer, figures).encode()} | tables | files, make_folders=True)
    return Report(page, tuple(files), tuple(tables), (answer,))


def _answers(analysis: Analysis, progress: Callable[[str, int, int], None] | None) -> list[Answer]:
    found = []
    for number, q in enumerate(analysis.questions, start=1):
        if progress is not None:
            progress(q.ask, number, len(analysis.questions))
        found.append(answer_question(analysis, q))
    return found


def _figures(
    answers: list[Answer], folder: Path, formats: tuple[str, ...]
) -> tuple[dict[str, list[Figure]], dict[Path, bytes]]:
    """Draw the figures of every answer: inline SVG for the page, and the files."""
    inline: dict[str, list[Figure]] = {}
    files: dict[Path, bytes] = {}
    for answer in answers:
        q = answer.question
        drawn: list[tuple[str, Plot[Any]]] = [
            ("forest", forest(answer.shown, columns=_known_columns(answer), favours=q.favours))
        ]
        if answer.fit.k >= FUNNEL_FROM:
            drawn.append(("funnel", funnel(answer.fit)))
        if answer.bayes is not None:
            post = answer.bayes.post
            drawn.append((f"{BAYES}-forest", forest(post, columns=_with_shrunken(answer), favours=q.favours)))
            drawn.append((f"{BAYES}-prior", prior_posterior(post)))
        drawn += robust_figures(answer)
        inline[q.id] = [Figure(name, plot.svg(), plot.alt) for name, plot in drawn]
        for name, plot in drawn:
            for kind in formats:
                files[folder / f"{q.id}-{name}.{kind}"] = plot.to_bytes(kind)
    return inline, files


def _with_shrunken(answer: Answer) -> dict[str, str] | None:
    columns = _known_columns(answer)
    return columns and {**columns, "shrunken": f"Shrunken\n({100 * answer.question.level:g}% CrI)"}


def _known_columns(answer: Answer) -> dict[str, str] | None:
    wanted = answer.question.columns
    missing = [c for c in wanted if c not in answer.fit.effects.columns]
    if missing:
        raise DataError(f"question '{answer.question.id}': there is no column '{missing[0]}' for the forest plot.")
    return dict(wanted) or None
