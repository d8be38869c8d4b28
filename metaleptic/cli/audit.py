"""``metaleptic audit``: published numbers checked against each other."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from metaleptic.cli.talk import JSON, Column, app, plain_talk


@app.command()
def audit(
    file: Annotated[Path, typer.Argument(help="CSV or Excel file, one row per published number.", show_default=False)],
    study: Column = None,
    estimate: Column = None,
    low: Column = None,
    high: Column = None,
    p: Column = None,
    scale: Annotated[
        str | None, typer.Option(help="ratio or difference, if the table does not say.", show_default=False)
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of an Excel file.", show_default=False)] = None,
    as_json: JSON = False,
) -> None:
    """Check published numbers against each other.

    Exit 1 if one of them is impossible. Example: metaleptic audit evidence.csv --scale ratio
    """
    import metaleptic as ml

    with plain_talk():
        findings = ml.audit(file, study=study, estimate=estimate, low=low, high=high, p=p, scale=scale, sheet=sheet)
    if as_json:
        print(json.dumps([asdict(f) for f in findings], indent=1, ensure_ascii=False))
    else:
        for f in findings:
            print(f"{f.severity}: {f.message} {f.suggestion} [{f.rule}]")
        worst = sum(f.severity == "impossible" for f in findings)
        print(f"{len(findings)} findings, {worst} impossible" if findings else "no contradictions found")
    if any(f.severity == "impossible" for f in findings):
        raise typer.Exit(1)
