"""``metaleptic reconstruct``: clicked curves back into patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metaleptic.cli.talk import JSON, app, note, plain_talk
from metaleptic.errors import OptionError


@app.command()
def reconstruct(
    points: Annotated[
        Path,
        typer.Argument(
            help="Points of the curve(s): WebPlotDigitizer, DigitizeIt, or arm, time, survival.", show_default=False
        ),
    ],
    published: Annotated[
        Path | None,
        typer.Option(help="TOML file with what is printed: tables arms.NAME and contrasts.", show_default=False),
    ] = None,
    n: Annotated[int | None, typer.Option(help="Patients, for a single curve.", show_default=False)] = None,
    events: Annotated[int | None, typer.Option(help="Total of events, for a single curve.", show_default=False)] = None,
    at_risk: Annotated[
        list[str] | None, typer.Option(help="Number at risk as TIME=NUMBER; repeat as needed.", show_default=False)
    ] = None,
    kind: Annotated[str, typer.Option(help="clicks, readings, trace or drops.")] = "clicks",
    draws: Annotated[
        int, typer.Option(help="Further data sets that agree with what is printed, in --json and --out.")
    ] = 0,
    seed: Annotated[int | None, typer.Option(help="Seed of the draws.", show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Save the whole reconstruction as JSON here.", show_default=False)
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw curve and points (.svg, .png or .pdf).", show_default=False)
    ] = None,
    as_json: JSON = False,
) -> None:
    """Turn clicked points of Kaplan-Meier curves back into patients, printed as CSV.

    Example: metaleptic reconstruct fig2.csv --published fig2.toml --plot check.pdf > patients.csv
    """
    import metaleptic as ml
    from metaleptic.reconstruction.printed_file import read_published
    from metaleptic.reconstruction.store import to_json

    with plain_talk():
        curves = ml.read_clicks(points, kind=kind)
        arms, contrasts = read_published(published) if published is not None else ({}, [])
        if n is not None or events is not None or at_risk:
            if published is not None or len(curves) > 1:
                raise OptionError("--n, --events and --at-risk are for one curve without --published.")
            table = dict(_time_number(text) for text in at_risk or [])
            arms = {next(iter(curves)): ml.Published(n=n, events=events, at_risk=table)}
        unknown = [name for name in arms if name not in curves]
        if unknown:
            raise OptionError(f"{published}: arm {unknown[0]!r} is not among the curves: {', '.join(curves)}.")
        printed = {name: arms.get(name, ml.Published()) for name in curves}
        rec = ml.reconstruct(curves, printed, contrasts=contrasts, draws=draws, seed=seed)
        if out is not None:
            rec.save(out)
        if plot is not None:
            ml.km_plot(rec).save(plot)
    if as_json:
        print(to_json(rec), end="")
        return
    print("time,event,arm")
    for row in zip(rec.ipd.time.tolist(), rec.ipd.event.tolist(), rec.ipd.arm.tolist(), strict=True):
        print(f"{row[0]:.6g},{row[1]},{_csv_cell(row[2])}")
    note((*rec.corrections, repr(rec.fidelity)))


def _time_number(text: str) -> tuple[float, int]:
    time, _, number = text.partition("=")
    try:
        return float(time), int(number)
    except ValueError:
        raise OptionError(f"--at-risk {text!r} is not understood. Write TIME=NUMBER, for example 12=43.") from None


def _csv_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text
