"""``metaleptic reconstruct-table``: who had the event, inferred from a patient table and its text."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from metaleptic.cli.talk import JSON, app, plain_talk
from metaleptic.errors import OptionError


@app.command("reconstruct-table")
def reconstruct_table(
    file: Annotated[Path, typer.Argument(help="CSV or Excel file, one row per patient.", show_default=False)],
    printed: Annotated[
        Path,
        typer.Argument(
            help="TOML file with what the text prints: tables published.GROUP and contrasts.", show_default=False
        ),
    ],
    seconds: Annotated[float, typer.Option(help="Time after which the search stops and says so.")] = 60.0,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write the patients with their inferred events as CSV.", show_default=False),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Infer from a table of times and the text around it who had the event.

    Example: metaleptic reconstruct-table patients.csv text.toml --out inferred.csv
    """
    with plain_talk():
        rec = _reconstructed(file, printed, seconds)
        if out is not None:
            if not out.parent.is_dir():
                raise OptionError(f"--out '{out}': there is no folder '{out.parent}'.")
            rec.to_frame().to_csv(out, index=False)
    if as_json:
        print(json.dumps(_table_record(rec), indent=1, ensure_ascii=False))
        return
    print(rec)
    for line in rec.contradictions:
        print(f"the times alone contradict: {line}")
    if rec.assignments:
        for c in rec.best.checks:
            print(f"{c.fact}: printed {c.printed}, inferred {c.value}, {_AGREES[c.agrees]}")
    for missed in rec.unreachable:
        print(f"not reached: {missed}")


_AGREES = {"rounded": "agrees", "truncated": "agrees if cut off", "no": "does not agree"}


def _reconstructed(file: Path, printed: Path, seconds: float) -> Any:
    import metaleptic as ml
    from metaleptic.reconstruction.printed_file import read_patient_text

    groups, contrasts, options = read_patient_text(printed)
    return ml.reconstruct_table(file, groups, contrasts=contrasts, seconds=seconds, **options)


def _table_record(rec: Any) -> dict[str, Any]:
    def written(found: Any) -> list[dict[str, Any]]:
        return [
            {"event": list(a.event), "reproduced": a.reproduced, "printed": a.printed, "rule": a.rule, "ties": a.ties}
            | {"checks": [asdict(c) for c in a.checks]}
            for a in found
        ]

    return {
        "complete": rec.complete,
        "notes": list(rec.notes),
        "contradictions": list(rec.contradictions),
        "assignments": written(rec.assignments),
        "repairs": [
            {"patient": r.patient, "column": r.column, "printed": r.printed, "value": r.value}
            | {"restores": list(r.restores), "assignments": written(r.assignments)}
            for r in rec.repairs
        ],
        "unreachable": [asdict(u) for u in rec.unreachable],
    }
