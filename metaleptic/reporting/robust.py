"""The robustness of every answer of an analysis, and its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from metaleptic.errors import OptionError
from metaleptic.plots.draw import CHARTS, FORESTS, plot
from metaleptic.reporting.analysis import load_analysis
from metaleptic.reporting.answers import answer_question
from metaleptic.sensitivity.robustness import Robustness, robustness


def robust_answers(
    source: str | Path, only: str | None = None, progress: Callable[[str, int, int], None] | None = None
) -> dict[str, Robustness]:
    """Answer the questions of an analysis and check each answer.

    Raises
    ------
    OptionError
        If there is no such question.
    DataError
        If the evidence cannot be used as the analysis says.
    """
    analysis = load_analysis(source)
    names = [q.id for q in analysis.questions]
    if only is not None and only not in names:
        raise OptionError(f"the analysis has no question '{only}'. It has: {', '.join(names)}.")
    asked = [q for q in analysis.questions if only in (None, q.id)]
    found = {}
    for number, q in enumerate(asked, start=1):
        if progress is not None:
            progress(q.id, number, len(asked))
        answer = answer_question(analysis, q)
        found[q.id] = answer.robust if answer.robust is not None else robustness(answer.fit)
    return found


def write_plots(found: Mapping[str, Robustness], folder: Path) -> list[Path]:
    """Write all pooled effects side by side and a figure of every check, ``question-check.svg``."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, result in found.items():
        if result.fit.k >= 3:
            written.append(plot(result).save(folder / f"{name}-robustness.svg"))
        for check in result.checks:
            if type(check.record) in {*CHARTS, *FORESTS}:
                kind = type(check.record).__name__.lower()
                written.append(plot(check.record).save(folder / f"{name}-{kind}.svg"))
    return written
