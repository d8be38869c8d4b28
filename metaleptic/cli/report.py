"""``metaleptic report`` and ``metaleptic sensitivity``: a whole analysis file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from metaleptic.cli.talk import JSON, app, plain_talk, progress


@app.command()
def report(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="An analysis.toml or its folder; the bundled evidence on intrathecal trastuzumab if left out.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The page to write; tables and figures go beside it.")
    ] = Path("report/report.html"),
    pdf: Annotated[bool, typer.Option("--pdf", help="Write the figures as PDF too.")] = False,
    as_json: JSON = False,
) -> None:
    """Write the report of an analysis: a self-contained page, figures, tables.

    Example: metaleptic report my-review/analysis.toml --out review.html
    """
    from metaleptic import datasets
    from metaleptic.reporting.report import report as write_report

    with plain_talk():
        analysis = source if source is not None else datasets.load("intrathecal_trastuzumab").path
        formats = ("svg", "png", "pdf") if pdf else ("svg", "png")
        with progress() as step:
            written = write_report(analysis, out, figure_formats=formats, progress=step)
    if as_json:
        print((written.path.parent / "results.json").read_text(encoding="utf-8"), end="")
        return
    print(
        "\n".join(
            [
                *written.sentences,
                "",
                f"tables:  {', '.join(str(t) for t in written.tables)}",
                f"figures: {written.figures[0].parent} ({len(written.figures)} files)",
                f"report:  {written.path}",
            ]
        )
    )


@app.command()
def sensitivity(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="An analysis.toml or its folder; the bundled evidence on intrathecal trastuzumab if left out.",
            show_default=False,
        ),
    ] = None,
    question: Annotated[
        str | None, typer.Option(help="Answer only this question of the analysis.", show_default=False)
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Write a figure of every check into this folder.", show_default=False)
    ] = None,
    as_json: JSON = False,
) -> None:
    """Ask of every answer of an analysis whether it is robust: who drives it, which choice moves it, what bias could do.

    Example: metaleptic sensitivity my-review/analysis.toml --plots figures
    """
    from metaleptic import datasets
    from metaleptic.reporting.robust import robust_answers, write_plots

    with plain_talk():
        analysis = source if source is not None else datasets.load("intrathecal_trastuzumab").path
        with progress() as step:
            found = robust_answers(analysis, question, step)
        written = write_plots(found, plots) if plots is not None else []
    if as_json:
        record = {
            name: [{"question": c.question, "answered": c.record is not None, "answer": c.sentence} for c in r.checks]
            for name, r in found.items()
        }
        print(json.dumps(record, indent=1, ensure_ascii=False))
        return
    for name, result in found.items():
        print(f"{name}\n" + "\n".join(f"  {c.question} {c.sentence}" for c in result.checks))
    if written:
        print(f"figures: {plots} ({len(written)} files)")
