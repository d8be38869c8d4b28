"""The command line: a thin skin over the public names. Results go to stdout, talk to stderr."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console

from metaleptic.errors import MetalepticError, MetalepticWarning, OptionError

app = typer.Typer(
    name="metaleptic",
    help="Meta-analysis of what papers print: pool, audit and report published numbers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
JSON = Annotated[bool, typer.Option("--json", help="Write the result as JSON, for machines.")]
Column = Annotated[str | None, typer.Option(help="Column of that name, if it is called otherwise.")]


@contextmanager
def _plain_talk() -> Iterator[None]:
    """Turn the package's warnings and errors into one sentence each on stderr; exit 1 for data, 2 for usage."""
    talk = Console(stderr=True, soft_wrap=True, highlight=False)

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        talk.print(f"warning: {message}", style="yellow", markup=False)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", MetalepticWarning)
        warnings.showwarning = show
        try:
            yield
        except MetalepticError as err:
            talk.print(f"error: {err}", style="red", markup=False)
            raise typer.Exit(2 if isinstance(err, OptionError) else 1) from None
        except OSError as err:
            talk.print(f"error: {err.filename or ''}: {err.strerror or err}", style="red", markup=False)
            raise typer.Exit(1) from None


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

    with _plain_talk():
        analysis = source if source is not None else datasets.load("intrathecal_trastuzumab").path
        formats = ("svg", "png", "pdf") if pdf else ("svg", "png")
        with _progress() as step:
            written = write_report(analysis, out, figure_formats=formats, progress=step)
    if as_json:
        print((written.path.parent / "results.json").read_text(encoding="utf-8"), end="")
        return
    from metaleptic.reporting.sentences import answer_sentence

    lines = [f"{a.question.id}: {answer_sentence(a)}" for a in written.answers]
    print(
        "\n".join(
            [
                *lines,
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

    with _plain_talk():
        analysis = source if source is not None else datasets.load("intrathecal_trastuzumab").path
        with _progress() as step:
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


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Show a progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("pooling", total=None)
        yield lambda words, number, total: bar.update(task, description=words[:60], completed=number - 1, total=total)


KIND_COLUMNS = {
    "hazard_ratios": ("study", "hr", "low", "high", "se", "p", "n"),
    "survival_medians": ("study", "median", "low", "high", "n", "events"),
    "survival_rates": ("study", "rate", "low", "high", "se", "n"),
    "proportions": ("study", "events", "n"),
    "two_by_two": ("study", "events1", "n1", "events2", "n2"),
    "estimates": ("study", "estimate", "low", "high", "se", "p", "n"),
    "means": ("study", "mean1", "sd1", "n1", "mean2", "sd2", "n2"),
    "single_means": ("study", "mean", "sd", "n"),
    "paired_means": ("study", "mean1", "sd1", "mean2", "sd2", "n", "r"),
    "standardised_differences": ("study", "d", "t", "p", "n1", "n2"),
    "rates": ("study", "events", "time"),
    "two_rates": ("study", "events1", "time1", "events2", "time2"),
    "matched_pairs": ("study", "both", "first", "second", "neither"),
    "correlations": ("study", "r", "n"),
    "restricted_means": ("study", "rmst", "low", "high", "se", "p", "n"),
}
WITH_MEASURE = frozenset(
    {
        *("two_by_two", "means", "single_means", "paired_means", "rates", "two_rates", "matched_pairs"),
        "correlations",
    }
)


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
    sheet: Annotated[str | None, typer.Option(help="Sheet of an Excel file.", show_default=False)] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write a forest plot (.svg, .png or .pdf).", show_default=False)
    ] = None,
    as_json: JSON = False,
) -> None:
    """Pool the studies of a table and print the result.

    Example: metaleptic pool trials.csv --kind hazard_ratios -c study=trial -c hr=HR --plot forest.pdf
    """
    import metaleptic as ml

    with _plain_talk():
        effects = _effects(file, kind, column or [], unit, at, measure, ci_level, sheet)
        fit = ml.pool(effects, model=model, tau2=tau2, test=test, level=level)
        shown = ml.subgroups(fit, subgroup) if subgroup else fit
        if plot is not None:
            ml.forest(shown).save(plot)
    if as_json:
        print(_as_json(fit, shown if subgroup else None))
        return
    print(shown)
    for note in fit.notes:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"note: {note}", markup=False)


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
    """Pool the studies of a table by an exact Bayesian random-effects model.

    Example: metaleptic pool-bayes trials.csv --tau "half_normal(0.5)" --plot forest.pdf
    """
    import metaleptic as ml
    from metaleptic.bayes.parse_prior import parse_prior

    with _plain_talk():
        prior = None if tau is None else parse_prior(tau)
        effects = _effects(file, kind, column or [], unit, at, measure, ci_level, sheet)
        post = ml.pool_bayes(effects, tau=prior, mu=mu, level=level)
        if plot is not None:
            ml.forest(post).save(plot)
    if as_json:
        from metaleptic.reporting.bayes_record import bayes_record
        from metaleptic.reporting.records import json_ready

        print(json.dumps(json_ready(bayes_record(post)), indent=1, ensure_ascii=False))
        return
    print(post)
    for note in post.notes:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"note: {note}", markup=False)


def _effects(
    file: Path,
    kind: str,
    column: list[str],
    unit: str | None,
    at: float | None,
    measure: str | None,
    level: float,
    sheet: str | None,
) -> Any:
    import metaleptic as ml

    if kind not in KIND_COLUMNS:
        raise OptionError(f"kind {kind!r} is unknown. Choose one of: {', '.join(KIND_COLUMNS)}.")
    options: dict[str, Any] = {"level": level, "sheet": sheet}
    for pair in column:
        name, _, value = pair.partition("=")
        if not value or name not in KIND_COLUMNS[kind]:
            raise OptionError(
                f"--column {pair!r} is not understood. Write NAME=COLUMN with one of: {', '.join(KIND_COLUMNS[kind])}."
            )
        options[name] = value
    if kind == "two_by_two":
        options = {name: name for name in KIND_COLUMNS[kind][1:]} | options
    if measure:
        if kind in WITH_MEASURE:
            options["measure"] = measure
        elif kind == "estimates":
            options["scale"] = measure
        else:
            raise OptionError(f"--measure goes with {', '.join(sorted(WITH_MEASURE))} and estimates, not with {kind}.")
    if unit is not None and kind in {"survival_medians", "survival_rates", "proportions"}:
        options["unit"] = unit
    if kind == "survival_rates":
        if at is None:
            raise OptionError("--at is missing: say at which time point the rates are, for example --at 12.")
        options["at"] = at
    if kind == "restricted_means":
        if at is None:
            raise OptionError("--at is missing: say up to which time the means are restricted, for example --at 24.")
        options["horizon"] = at
    return getattr(ml, kind)(file, **options)


def _as_json(fit: Any, groups: Any) -> str:
    from metaleptic.reporting.records import fit_record, json_ready, subgroups_record

    e = fit.effects
    used = [
        {"study": study, "weight": weight, "how": how}
        for study, weight, how in zip(e.study, fit.weights.tolist(), e.how, strict=True)
    ]
    record = {
        **fit_record(fit),
        "subgroups": None if groups is None else subgroups_record(groups),
        "used": used,
        "excluded": [asdict(x) for x in e.excluded],
        "notes": list(fit.notes),
        "provenance": asdict(fit.provenance),
    }
    return json.dumps(json_ready(record), indent=1, ensure_ascii=False)


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

    with _plain_talk():
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
    with _plain_talk():
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
    kind: Annotated[str, typer.Option(help="clicks, trace or drops.")] = "clicks",
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

    with _plain_talk():
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
    talk = Console(stderr=True, soft_wrap=True, highlight=False)
    for text in (*rec.corrections, repr(rec.fidelity)):
        talk.print(f"note: {text}", markup=False)


def _time_number(text: str) -> tuple[float, int]:
    time, _, number = text.partition("=")
    try:
        return float(time), int(number)
    except ValueError:
        raise OptionError(f"--at-risk {text!r} is not understood. Write TIME=NUMBER, for example 12=43.") from None


def _csv_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


@app.command()
def data(
    name: Annotated[str | None, typer.Argument(help="A data set; lists them if left out.", show_default=False)] = None,
    table: Annotated[str | None, typer.Option(help="Print this table of the set as CSV.", show_default=False)] = None,
    copy: Annotated[
        Path | None,
        typer.Option(help="Copy the whole folder here, to start your own analysis from it.", show_default=False),
    ] = None,
    as_json: JSON = False,
) -> None:
    """List, print or copy the bundled evidence.

    Example: metaleptic data intrathecal_trastuzumab --copy my-review
    """
    from metaleptic import datasets

    with _plain_talk():
        if name is None:
            sets = [datasets.load(n) for n in datasets.available()]
            if as_json:
                print(json.dumps({s.name: list(s.tables) for s in sets}, indent=1))
                return
            print("\n".join(f"{s.name}: {', '.join(s.tables)}" for s in sets))
            return
        chosen = datasets.load(name)
        if copy is not None:
            if copy.exists():
                raise OptionError(f"'{copy}' exists already. Choose a folder that does not.")
            shutil.copytree(chosen.path, copy)
            print(copy)
        elif table is not None:
            chosen.table(table)
            print((chosen.path / f"{table}.csv").read_text(encoding="utf-8"), end="")
        elif as_json:
            print(json.dumps({"name": chosen.name, "path": str(chosen.path), "tables": list(chosen.tables)}, indent=1))
        else:
            print(chosen.about, end="")


def main() -> None:
    """Run the command line."""
    app()
