"""``metaleptic pool-bayes``: the studies of a table under stated priors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from metaleptic.cli.read_effects import KIND_COLUMNS, read_effects
from metaleptic.cli.talk import JSON, app, note, plain_talk


@app.command("pool-bayes")
def pool_bayes(
    file: Annotated[Path, typer.Argument(help="CSV or Excel file, one row per study.", show_default=False)],
    kind: Annotated[str, typer.Option(help=f"Kind of number: {', '.join(KIND_COLUMNS)}.")] = "hazard_ratios",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", "-c", help="Name of a column, as NAME=COLUMN; repeat as needed.", show_default=False),
    ] = None,
    tau: Annotated[
        str | None,
        typer.Option(
            help="Prior on tau, like half_normal(0.5); the measure's default if left out.", show_default=False
        ),
    ] = None,
    mu: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="Mean and SD of a normal prior on the effect, analysis scale; flat if left out.", show_default=False
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="normal-normal, binomial-normal, beta-binomial, poisson-normal; t, outliers with nuts.")
    ] = "normal-normal",
    method: Annotated[str, typer.Option(help="exact, or nuts to sample.")] = "exact",
    seed: Annotated[int | None, typer.Option(help="Seed of the sampler.", show_default=False)] = None,
    level: Annotated[float, typer.Option(help="Level of the credible intervals.")] = 0.95,
    ci_level: Annotated[float, typer.Option(help="Level of the published intervals.")] = 0.95,
    unit: Annotated[str | None, typer.Option(help="Unit of medians or rates.", show_default=False)] = None,
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
    sheet: Annotated[str | None, typer.Option(help="Sheet of an Excel file.", show_default=False)] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write a forest plot (.svg, .png or .pdf).", show_default=False)
    ] = None,
    as_json: JSON = False,
) -> None:
    """Pool the studies of a table by a Bayesian random-effects model.

    Example: metaleptic pool-bayes trials.csv --tau "half_normal(0.5)" --plot forest.pdf
    """
    import metaleptic as ml
    from metaleptic.bayes.parse_prior import parse_prior

    with plain_talk():
        prior = None if tau is None else parse_prior(tau)
        effects = read_effects(file, kind, column or [], unit, at, measure, ci_level, sheet)
        post = ml.pool_bayes(effects, model=model, tau=prior, mu=mu, level=level, method=method, seed=seed)
        if plot is not None:
            ml.forest(post).save(plot)
    if as_json:
        from metaleptic.reporting.bayes_record import bayes_record
        from metaleptic.reporting.records import json_ready

        print(json.dumps(json_ready(bayes_record(post)), indent=1, ensure_ascii=False))
        return
    print(post)
    note(post.notes)
