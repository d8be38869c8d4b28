"""The command line: results on stdout, talk on stderr, exit 1 for wrong data, 2 for wrong usage, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import metaleptic as ml
from metaleptic.cli import app

TRIALS = (
    "trial,hr,low,high,n,kind\nAlba,0.71,0.50,1.01,418,a\nBessen,0.95,0.80,1.13,1200,a\nChow,0.62,0.40,0.96,299,b\n"
)


def run(*arguments: object) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def trials(tmp_path: Path) -> Path:
    """Write three hazard ratios."""
    path = tmp_path / "trials.csv"
    path.write_text(TRIALS, encoding="utf-8")
    return path


def test_pool_prints_three_lines(trials: Path) -> None:
    """The result is three lines on stdout and nothing else."""
    result = run("pool", trials, "-c", "study=trial")
    assert result.exit_code == 0
    assert result.stdout.startswith("Hazard ratio 0.79 (95% CI 0.45 to 1.38), 3 studies, 1917 patients")
    assert len(result.stdout.splitlines()) == 3


def test_pool_json_is_machine_readable_and_whole(trials: Path) -> None:
    """--json holds estimate, heterogeneity, weights and routes; no NaN."""
    result = run("pool", trials, "-c", "study=trial", "--json", "--subgroup", "kind")
    record = json.loads(result.stdout)
    assert record["studies"] == 3
    assert set(record["subgroups"]["groups"]) == {"a", "b"}
    assert sum(x["weight"] for x in record["used"]) == pytest.approx(100)
    assert record["provenance"]["call"].startswith("ml.pool(")


KINDS = {
    "means": ("study,mean1,sd1,n1,mean2,sd2,n2", "a,5,2,30,4,2,31", "b,6,3,40,5,2,41", "c,5,2,25,5,2,24"),
    "single_means": ("study,mean,sd,n", "a,5,2,30", "b,6,3,40", "c,5,2,25"),
    "paired_means": ("study,mean1,sd1,mean2,sd2,n,r", "a,5,2,4,2,30,0.5", "b,6,3,5,2,40,0.4", "c,5,2,5,2,25,0.6"),
    "standardised_differences": ("study,d,n1,n2", "a,0.4,30,31", "b,0.2,40,41", "c,0.1,25,24"),
    "rates": ("study,events,time", "a,4,30", "b,9,41", "c,3,25"),
    "two_rates": ("study,events1,time1,events2,time2", "a,4,30,6,31", "b,9,41,12,40", "c,3,25,5,24"),
    "matched_pairs": ("study,both,first,second,neither", "a,4,8,3,20", "b,9,10,6,30", "c,3,5,4,25"),
    "correlations": ("study,r,n", "a,0.4,30", "b,0.3,41", "c,0.5,25"),
    "partial_correlations": ("study,t,n,predictors", "a,2.1,30,3", "b,1.2,41,3", "c,2.5,25,2"),
    "medians": ("study,median,q1,q3,n", "a,5,4,7,40", "b,6,4,9,50", "c,5.5,5,7,33"),
    "restricted_means": ("study,rmst,low,high", "a,9.1,8,10.2", "b,8.2,7.1,9.3", "c,10,8.5,11.5"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_pool_takes_every_kind_of_number(kind: str, tmp_path: Path) -> None:
    """The columns have their usual names."""
    path = tmp_path / "table.csv"
    path.write_text("\n".join(KINDS[kind]) + "\n", encoding="utf-8")
    result = run("pool", path, "--kind", kind, *(("--at", 24) if kind == "restricted_means" else ()))
    assert result.exit_code == 0, result.output
    assert "3 studies" in result.stdout


FURTHER = {  # kind: table whose columns are named otherwise, the options that name them, what the same numbers print
    "proportions": ("s,rate,lo,hi", "a,.4,.25,.55", "b,.3,.2,.42", ("proportion=rate", "low=lo", "high=hi"), ()),
    "two_by_two": (
        "s,events1,n1,events2,n2,rr,lo,hi",
        "a,4,30,6,31,,,",
        "b,,,,,0.8,0.5,1.28",
        ("estimate=rr", "low=lo", "high=hi"),
        (),
    ),
    "correlations": ("s,tval,n", "a,2.1,30", "b,1.2,41", ("t=tval",), ()),
    "single_means": ("s,md,lq,uq,n", "a,5,4,7,30", "b,6,4,8,40", ("median=md", "q1=lq", "q3=uq"), ()),
    "means": (
        "s,mean1,sd1,n1,mean2,sem,n2",
        "a,5,2,30,4,.4,31",
        "b,6,3,40,5,.5,41",
        ("se2=sem",),
        (),
    ),
    "restricted_means": (
        "s,a1,e1,rmst2,se2",
        "a,9.1,1,8,1.1",
        "b,8.2,1,7.9,.9",
        ("rmst1=a1", "se1=e1"),
        ("--at", "24", "--measure", "RMSTD"),
    ),
}


@pytest.mark.parametrize("kind", FURTHER)
def test_further_columns_may_have_other_names(kind: str, tmp_path: Path) -> None:
    *rows, named, options = FURTHER[kind]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(map(str, rows)) + "\n", encoding="utf-8")
    columns = [part for name in ("study=s", *named) for part in ("-c", name)]
    result = run("pool", path, "--kind", kind, *columns, *options)
    assert result.exit_code == 0, result.output
    assert "2 studies" in result.stdout


def test_a_measure_that_the_kind_lacks_is_wrong_usage(trials: Path, tmp_path: Path) -> None:
    assert run("pool", trials, "-c", "study=trial", "--measure", "OR").exit_code != 0
    path = tmp_path / "table.csv"
    path.write_text("\n".join(KINDS["means"]) + "\n", encoding="utf-8")
    assert "Standardised mean difference" in run("pool", path, "--kind", "means", "--measure", "SMD").stdout


def test_pool_writes_a_forest_plot(trials: Path, tmp_path: Path) -> None:
    """--plot writes the figure."""
    assert run("pool", trials, "-c", "study=trial", "--plot", tmp_path / "forest.svg").exit_code == 0
    assert "<svg" in (tmp_path / "forest.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "is empty"),
        ("trial,hr,low,high\n", "no rows"),
        ("trial,hr,low,high\nChow,0.62,0.96,0.40\n", "study 'Chow' (row 1): low 0.96 > high 0.4"),
        ("trial,hr,low,high\nChow,abc,0.4,0.96\n", "column 'hr' holds 'abc'"),
        ("trial,HazR,low,high\nChow,0.62,0.4,0.96\n", "no column 'hr'"),
    ],
)
def test_wrong_data_is_one_sentence_and_exit_1(tmp_path: Path, content: str, part: str) -> None:
    """Wrong data: one line on stderr that names the place, exit 1, no traceback, nothing on stdout."""
    path = tmp_path / "t.csv"
    path.write_text(content, encoding="utf-8")
    result = run("pool", path, "-c", "study=trial")
    assert result.exit_code == 1
    assert part in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--kind", "hazards"),
        ("--tau2", "REMLL"),
        ("--test", "zz"),
        ("-c", "hr"),
        ("--kind", "survival_rates"),
        ("--model", "fixedd"),
    ],
)
def test_wrong_usage_is_exit_2(trials: Path, arguments: tuple[str, ...]) -> None:
    """Unknown options exit 2 and list what there is."""
    result = run("pool", trials, "-c", "study=trial", *arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_audit_exits_1_when_something_is_impossible(tmp_path: Path, trials: Path) -> None:
    """Impossible numbers exit 1; clean tables exit 0."""
    assert run("audit", trials, "--study", "trial").exit_code == 0
    bad = tmp_path / "bad.csv"
    bad.write_text("study,hr,low,high\nChow,0.62,0.96,0.40\n", encoding="utf-8")
    result = run("audit", bad, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["rule"] == "bounds-in-order"


def test_data_lists_prints_and_copies(tmp_path: Path) -> None:
    """The bundled evidence can be listed, read and copied; a copy never overwrites."""
    assert "intrathecal_trastuzumab" in run("data").stdout
    assert run("data", "bcg", "--table", "bcg").stdout.startswith("study,trial,author")
    assert run("data", "bcg", "--copy", tmp_path / "mine").exit_code == 0
    assert (tmp_path / "mine" / "bcg.csv").is_file()
    assert run("data", "bcg", "--copy", tmp_path / "mine").exit_code == 2
    assert run("data", "bgc").exit_code == 2


def test_report_writes_the_page_and_says_where(tmp_path: Path) -> None:
    """The report of the bundled evidence ends with the paths of its figures and of the page."""
    result = run("report", "--out", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    lines = result.stdout.strip().splitlines()
    assert lines[-2].startswith("figures: ")
    assert lines[-1] == f"report:  {tmp_path / 'r.html'}"


def test_report_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """Wrong data in an analysis: exit 1, one sentence with the question, no file."""
    (tmp_path / "analysis.toml").write_text(
        '[[question]]\nid = "q"\nask = "?"\nkind = "hazard_ratios"\nevidence = "e.csv"\n', encoding="utf-8"
    )
    (tmp_path / "e.csv").write_text("study,hr,low,high\nChow,0.62,0.96,0.40\n", encoding="utf-8")
    result = run("report", tmp_path, "--out", tmp_path / "out" / "r.html")
    assert result.exit_code == 1
    assert "question 'q': study 'Chow' (row 1)" in result.stderr
    assert not (tmp_path / "out").exists()


def test_help_names_every_command() -> None:
    """--help is there for the program and each command."""
    text = run("--help").stdout
    for command in ("report", "pool", "audit", "data"):
        assert command in text
        assert run(command, "--help").exit_code == 0


def test_pool_bayes_prints_the_posterior_and_its_json_is_whole(trials: Path, tmp_path: Path) -> None:
    """Three lines, or a record with shrunken studies, probability and prior; --plot writes the figure."""
    result = run("pool-bayes", trials, "-c", "study=trial", "--plot", tmp_path / "forest.svg")
    assert result.exit_code == 0
    assert result.stdout.startswith("Hazard ratio 0.80 (95% CrI")
    assert len(result.stdout.splitlines()) == 3
    assert "Shrunken" in (tmp_path / "forest.svg").read_text(encoding="utf-8")
    record = json.loads(
        run("pool-bayes", trials, "-c", "study=trial", "--tau", "bartos('HR')", "--mu", "0", "0.5", "--json").stdout
    )
    assert record["prior"] == {
        "tau": "priors.inverse_gamma(shape=2.42, scale=0.3)",
        "source": "Bartos F et al. arXiv:2306.11468 (2023)",
        "mu": "priors.normal(0.0, 0.5)",
    }
    assert record["estimate"]["low"] < record["used"][0]["shrunken"]["median"] < record["estimate"]["high"]
    assert 0.5 < record["p_below_null"] < 1
    assert record["log_marginal"] < 0


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ("__import__('os')", "prior '__import__' is unknown"),
        ("half_normal(1).draw", "cannot be read"),
        ("half_normal(", "cannot be read"),
        ("half_normal('wide')", "must be a number above 0"),
        ("half_normal()", "does not have the numbers it needs"),
        ("half_normal(**{})", "cannot be read"),
        ("from_density(1)", "is unknown"),
    ],
)
def test_a_prior_that_cannot_be_read_is_wrong_usage(trials: Path, prior: str, message: str) -> None:
    """Exit 2; nothing is executed."""
    result = run("pool-bayes", trials, "-c", "study=trial", "--tau", prior)
    assert result.exit_code == 2
    assert message in result.stderr


def test_reconstruct_prints_patients_as_csv(tmp_path: Path) -> None:
    """Points and printed numbers in, one line per patient out; how faithful they are is talk."""
    (tmp_path / "fig.csv").write_text("arm,time,surv\nA,0,1\nA,2,0.9\nA,5,0.8\nB,0,1\nB,1,0.75\nB,5,0.75\n")
    (tmp_path / "fig.toml").write_text(
        '[arms.A]\nn = 10\nevents = 2\nat_risk = {"0" = 10, "4" = 9}\n[arms.B]\nn = 4\n[[contrasts]]\narm = "B"\nversus = "A"\nhr = 1.4\n'
    )
    options = ("--published", tmp_path / "fig.toml", "--kind", "drops")
    result = run("reconstruct", tmp_path / "fig.csv", *options, "--out", tmp_path / "rec.json")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "time,event,arm"
    assert lines[1] == "2,1,A"
    assert len(lines) == 15
    assert "printed numbers reproduced" in result.stderr
    as_json = json.loads(run("reconstruct", tmp_path / "fig.csv", *options, "--json").stdout)
    assert as_json == json.loads((tmp_path / "rec.json").read_text(encoding="utf-8"))


def test_reconstruct_names_what_is_wrong(tmp_path: Path) -> None:
    """Exit 1 for impossible numbers, 2 for options that do not fit."""
    (tmp_path / "fig.csv").write_text("0,1\n2,0.9\n5,0.8\n")
    result = run("reconstruct", tmp_path / "fig.csv", "--n", 10, "--events", 12)
    assert result.exit_code == 1
    assert "more events than patients" in result.stderr
    assert run("reconstruct", tmp_path / "fig.csv", "--at-risk", "12").exit_code == 2
    (tmp_path / "bad.toml").write_text("[arms.fig]\npatients = 3\n")
    result = run("reconstruct", tmp_path / "fig.csv", "--published", tmp_path / "bad.toml")
    assert result.exit_code == 1
    assert "'patients' is unknown" in result.stderr


def test_pool_with_moderators_prints_the_regression_and_draws_it(tmp_path: Path) -> None:
    table, picture = tmp_path / "year.csv", tmp_path / "bubble.svg"
    table.write_text(
        "study,hr,low,high,year\nA,0.7,0.5,0.98,2001\nB,0.8,0.6,1.07,2005\nC,0.9,0.7,1.16,2010\nD,0.95,0.8,1.13,2016\n",
        encoding="utf-8",
    )
    result = run("pool", table, "--moderators", "year", "--plot", picture)
    assert result.exit_code == 0, result.output
    assert "Meta-regression of log hazard ratio on year" in result.stdout
    assert "<svg" in picture.read_text(encoding="utf-8")
    record = json.loads(run("pool", table, "--moderators", "year", "--json").stdout)
    fit = ml.pool(ml.hazard_ratios(table), moderators="year")
    assert [c["term"] for c in record["coefficients"]] == list(fit.names)
    assert [c["beta"] for c in record["coefficients"]] == pytest.approx(list(fit.beta))
    assert len(record["used"]) == fit.k
    both = run("pool", table, "--moderators", "year", "--subgroup", "year")
    assert both.exit_code == 2
    assert "do not go together" in both.stderr


def test_pool_bayes_takes_counts_by_their_exact_likelihood(tmp_path: Path) -> None:
    table = tmp_path / "counts.csv"
    table.write_text("study,events,n\nA,0,12\nB,3,20\nC,2,15\n", encoding="utf-8")
    result = run("pool-bayes", str(table), "--kind", "proportions", "--model", "binomial-normal")
    assert result.exit_code == 0
    assert "binomial-normal" in result.stdout
