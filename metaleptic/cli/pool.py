"""``metaleptic pool``: the studies of a table, pooled."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from metaleptic.cli.read_effects import KIND_COLUMNS, read_effects
from metaleptic.cli.talk import JSON, app, note, plain_talk
from metaleptic.errors import OptionError


@app.command()
def pool(
    file: Annotated[Path, typer.Argument(help="CSV or Excel file, one row per study.", show_default=False)],
    kind: Annotated[str, typer.Option(help=f"Kind of number: {', '.join(KIND_COLUMNS)}.")] = "hazard_ratios",
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            "-c",
            help="Name of a column, as NAME=COLUMN, for example hr=HR; repeat as needed.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="random, common, binomial-normal, conditional-exact, mantel-haenszel, peto, ...")
    ] = "random",
    tau2: Annotated[str, typer.Option(help="Estimator of the between-study variance: REML, DL, PM, ML, ...")] = "REML",
    test: Annotated[
        str | None,
        typer.Option(help="knapp-hartung, t, z or adhoc; the model's default if left out.", show_default=False),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of the pooled intervals.")] = 0.95,
    ci_level: Annotated[float, typer.Option(help="Level of the published intervals.")] = 0.95,
    unit: Annotated[
        str | None,
        typer.Option(
            help="Unit of medians (days, weeks, months, years) or rates (fraction, percent).", show_default=False
        ),
    ] = None,
    at: Annotated[
        float | None,
        typer.Option(help="Time point of survival rates, horizon of restricted means.", show_default=False),
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            help="OR, RR, RD for two_by_two; MD, SMD for means; ratio, difference for estimates; ...",
            show_default=False,
        ),
    ] = None,
    subgroup: Annotated[str | None, typer.Option(help="Column to group by.", show_default=False)] = None,
    moderators: Annotated[
        str | None,
        typer.Option(help='Columns of a meta-regression as a formula, like "year + C(region)".', show_default=False),
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of an Excel file.", show_default=False)] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Write a forest plot, or of a meta-regression a bubble plot (.svg, .png or .pdf).", show_default=False
        ),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Pool the studies of a table and print the result.

    Example: metaleptic pool trials.csv --kind hazard_ratios -c study=trial -c hr=HR --plot forest.pdf
    """
    with plain_talk():
        if moderators and subgroup:
            raise OptionError("--moderators and --subgroup do not go together. Put the column into --moderators.")
        effects = read_effects(file, kind, column or [], unit, at, measure, ci_level, sheet)
        shown, chart, record, notes = (
            _regressed(effects, moderators, model=model, tau2=tau2, test=test, level=level)
            if moderators
            else _pooled(effects, subgroup, model=model, tau2=tau2, test=test, level=level)
        )
        if plot is not None:
            chart(shown).save(plot)
    if as_json:
        print(json.dumps(record(), indent=1, ensure_ascii=False))
        return
    print(shown)
    note(notes)


# What is printed, what draws it, what makes its record, its notes.
_Result = tuple[Any, Callable[[Any], Any], Callable[[], Any], tuple[str, ...]]


def _pooled(effects: Any, subgroup: str | None, **options: Any) -> _Result:
    import metaleptic as ml
    from metaleptic.reporting.records import fit_record, json_ready, subgroups_record

    fit = ml.pool(effects, **options)
    groups = ml.subgroups(fit, subgroup) if subgroup else None

    def record() -> Any:
        grouped = {"subgroups": None if groups is None else subgroups_record(groups)}
        return json_ready(fit_record(fit) | grouped | _origin(fit))

    return groups or fit, ml.forest, record, fit.notes


def _regressed(effects: Any, moderators: str, **options: Any) -> _Result:
    import metaleptic as ml
    from metaleptic.reporting.records import json_ready, regression_record

    fit = ml.pool(effects, moderators=moderators, **options)
    return fit, ml.bubble, lambda: json_ready(regression_record(fit) | _origin(fit)), fit.notes


def _origin(fit: Any) -> dict[str, Any]:
    e = fit.effects
    used = zip(e.study, fit.weights.tolist(), e.how, strict=True)
    return {
        "used": [{"study": study, "weight": weight, "how": how} for study, weight, how in used],
        "excluded": [asdict(x) for x in e.excluded],
        "notes": list(fit.notes),
        "provenance": asdict(fit.provenance),
    }
