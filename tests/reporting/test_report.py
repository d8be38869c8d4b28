"""The report of the worked example: whole, self-contained, reproducible, and true to its results."""

from __future__ import annotations

import csv
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import metaleptic as ml
from metaleptic.errors import DataError, FewStudiesWarning, OptionError
from metaleptic.files import write_all
from metaleptic.reporting.code import reproducing_code
from metaleptic.reporting.references import References
from metaleptic.reporting.report import Report
from metaleptic.reporting.robust_section import robust_figures, robust_section
from metaleptic.reporting.sentences import answer_sentence


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Write the report of the bundled evidence once."""
    folder = tmp_path_factory.mktemp("report")
    return ml.report(ml.datasets.load("intrathecal_trastuzumab").path, folder / "report.html")


def page(written: Report) -> str:
    """Return the page."""
    return written.path.read_text(encoding="utf-8")


def test_at_least_six_questions_are_pooled(written: Report) -> None:
    """The worked example asks nine questions; eight can be pooled and one has a single study."""
    sizes = {a.question.id: a.fit.k for a in written.answers}
    assert sum(k > 1 for k in sizes.values()) == 8
    assert sizes["os-6-months"] == 1


def test_published_pool_is_reproduced(written: Report) -> None:
    """T-DXd intracranial response 64.9% (47.5 to 79.8): Bartsch 2025, doi:10.1016/j.esmoop.2024.104092."""
    answer = next(a for a in written.answers if a.question.id == "tdxd-response")
    e = answer.fit.estimate
    assert [round(100 * x, 1) for x in (e.value, e.low, e.high)] == [64.9, 47.5, 79.8]
    assert "64.9% (95% CI 47.5 to 79.8%)" in page(written)


class _Tags(HTMLParser):
    void = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.sources += [found[k] or "" for k in ("src", "srcset") if k in found]
        if tag == "link":
            self.sources.append(found.get("href") or "")
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [v or "" for k, v in attrs if k == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_well_formed_and_needs_no_network(written: Report) -> None:
    """Tags are balanced, ids unique, and nothing is loaded from elsewhere."""
    tags = _Tags()
    tags.feed(page(written))
    assert tags.open == []
    assert len(set(tags.ids)) == len(tags.ids)
    assert tags.sources == []
    assert "@import" not in page(written)
    assert "url(http" not in page(written)
    assert "<script" not in page(written)


def test_every_pooled_number_carries_its_origin(written: Report) -> None:
    """Every study row has an evidence id, the printed text, a route and a reference; they stand in the page."""
    for answer in written.answers:
        assert len(answer.origins) == answer.fit.k
        for origin, how in zip(answer.origins, answer.fit.effects.how, strict=True):
            assert origin.printed
            assert origin.reference
            assert how
            assert origin.id in page(written)
        for left in answer.left_out:
            assert left.reason in page(written).replace("&#39;", "'")


def test_figures_are_inline_and_described(written: Report) -> None:
    """Each answer has an inline SVG with alternative text, each check its own, and files beside the page."""
    drawn = sum(1 + len(robust_figures(a)) + 2 * (a.bayes is not None) for a in written.answers)
    assert drawn > 2 * len(written.answers)
    assert page(written).count("<svg") == drawn
    assert page(written).count("<figcaption>") == drawn
    assert len(written.figures) == 2 * drawn
    assert all(f.is_file() and f.stat().st_size > 1000 for f in written.figures)


def test_every_answer_says_whether_it_is_robust(written: Report) -> None:
    """Each check is told or says why not; its table holds the numbers of the record with the rows they come from."""
    text = html.unescape(page(written))
    content = json.loads((written.path.parent / "results.json").read_text(encoding="utf-8"))
    for answer, record in zip(written.answers, content["questions"], strict=True):
        section = robust_section(answer)
        if answer.fit.k == 1:
            assert section is None
            assert record["robustness"] == []
            continue
        assert section is not None
        assert answer.robust is not None
        assert len(section.checks) + len(section.unanswered) == len(answer.robust.checks) == len(record["robustness"])
        for check in section.checks:
            assert check.sentence in text
            assert check.call.startswith("ml.")
        for question, reason in section.unanswered:
            assert question in text
            assert reason[1:] in text
        if answer.influence is None:
            continue
        rows = section.checks[0].rows
        assert [r[1] for r in rows] == [o.id for o in answer.origins]
        m = answer.fit.effects.measure
        assert all(m.format(v) in r[2] for r, v in zip(rows, answer.influence.value, strict=True))
    assert "ten are needed" in text
    assert "Over all checks below it lies between" in text


def test_a_report_of_many_studies_judges_small_ones(tmp_path: Path) -> None:
    """From ten studies on the regression test and trim and fill are told, with their figures."""
    y = [-0.9, -0.7, -0.2, -0.4, -0.1, -0.3, -0.25, -0.15, -0.8, -0.3, -0.2]
    v = [0.2, 0.15, 0.02, 0.05, 0.01, 0.04, 0.03, 0.02, 0.18, 0.05, 0.03]
    written = ml.report(ml.pool(ml.effects(y, v, measure="HR")), tmp_path / "r.html", figure_formats=("svg",))
    kinds = {f.stem.removeprefix("result-") for f in written.figures}
    assert kinds >= {"forest", "funnel", "side-by-side", "leave-one-out", "influence", "multiverse", "filled"}
    text = html.unescape(page(written))
    assert "Egger's test" in text
    assert "ml.e_value(fit)" in text
    assert "Interval includes 1.00" in text


def test_tables_agree_with_the_answers(written: Report) -> None:
    """results.csv and results.json hold the same pooled values as the answers, to the last digit."""
    with (written.path.parent / "results.csv").open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    content = json.loads((written.path.parent / "results.json").read_text(encoding="utf-8"))
    for answer, record in zip(written.answers, content["questions"], strict=True):
        pooled = [r for r in table if r["question"] == answer.question.id and r["role"] in ("pooled", "single study")]
        assert float(pooled[0]["value"]) == answer.fit.estimate.value == record["estimate"]["value"]
        assert record["answer"] == answer_sentence(answer)
        assert len([r for r in table if r["question"] == answer.question.id and r["role"] == "study"]) == answer.fit.k


def test_the_printed_code_makes_the_result_again(written: Report) -> None:
    """The lines under each result run by themselves and give the same estimate."""
    for answer in written.answers:
        code = reproducing_code(answer)
        space: dict[str, object] = {}
        if answer.fit.k <= 2:
            with pytest.warns(FewStudiesWarning):
                exec(code.replace("print(", "str("), space)
        else:
            exec(code.replace("print(", "str("), space)
        again = space["fit"]
        assert isinstance(again, ml.Pooled)
        assert again.estimate.value == pytest.approx(answer.fit.estimate.value, rel=1e-12)
        assert again.estimate.low == pytest.approx(answer.fit.estimate.low, rel=1e-12)


@pytest.mark.parametrize("model", ["mantel-haenszel", "peto", "random", "common"])
def test_code_of_two_by_two_tables_makes_the_result_again(model: str, tmp_path: Path) -> None:
    """Models that need the tables print the tables, large counts in full."""
    trials = ml.datasets.load("magnesium").table()
    columns = {"events1": "events_treated", "n1": "n_treated", "events2": "events_control", "n2": "n_control"}
    fit = ml.pool(ml.two_by_two(trials, measure="OR", **columns), model=model)
    answer = ml.report(fit, tmp_path / "r.html").answers[0]
    space: dict[str, object] = {}
    exec(reproducing_code(answer).replace("print(", "str("), space)
    again = space["fit"]
    assert isinstance(again, ml.Pooled)
    assert again.estimate.low == pytest.approx(fit.estimate.low, rel=1e-12)


def test_report_is_deterministic(written: Report, tmp_path: Path) -> None:
    """A second run writes the same bytes: no dates, no random ids."""
    source = ml.datasets.load("intrathecal_trastuzumab").path
    again = ml.report(source, tmp_path / "report.html", figure_formats=("svg",))
    assert page(again) == page(written)
    before = {f.name: f for f in written.figures}
    for figure in again.figures:
        assert figure.read_bytes() == before[figure.name].read_bytes()


def test_methods_cite_numbered_sources(written: Report) -> None:
    """Every number in brackets in the methods stands in the list of references."""
    prose = re.sub(r"<pre>.*?</pre>|<svg.*?</svg>", "", page(written), flags=re.DOTALL)
    numbers = {int(n) for group in re.findall(r"\[(\d+(?:, \d+)*)\]", prose) for n in group.split(", ")}
    listed = {int(n) for n in re.findall(r'<li value="(\d+)">', page(written))}
    assert numbers == listed


def test_references_share_numbers() -> None:
    """A source cited twice keeps its number; two works in one source get two."""
    refs = References()
    assert refs.cite("A. J 2001;1:1; B. J 2002;2:2") == "[1, 2]"
    assert refs.cite("B. J 2002;2:2") == "[2]"


def test_a_result_can_be_reported_too(tmp_path: Path) -> None:
    """`ml.report(fit, ...)` works without an analysis file, with subgroups and without."""
    fit = ml.pool(ml.effects([-0.3, 0.1, -0.2], [0.02, 0.03, 0.05], study=["A<b>", "B & C", "D"], measure="HR"))
    for result, name in ((fit, "a.html"), (ml.subgroups(fit, ["x", "x", "y"]), "b.html")):
        text = page(ml.report(result, tmp_path / name))
        assert "A&lt;b&gt;" in text
        assert "<b>" not in text


def test_out_must_be_a_page(tmp_path: Path) -> None:
    """A path that is no HTML file, an unknown format and a wrong source are refused before anything is done."""
    with pytest.raises(OptionError, match=r"ends in \.html"):
        ml.report("x", tmp_path / "report.docx")
    with pytest.raises(OptionError, match="figure format"):
        ml.report("x", tmp_path / "r.html", figure_formats=("gif",))
    with pytest.raises(OptionError, match="not list"):
        ml.report([], tmp_path / "r.html")  # type: ignore[arg-type]


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """If one file of a set cannot be written, none appears and no temporary file stays."""
    (tmp_path / "blocked").write_text("a file where a folder is wanted", encoding="utf-8")
    with pytest.raises(DataError, match="cannot write"):
        write_all({tmp_path / "a.txt": b"a", tmp_path / "blocked" / "b.txt": b"b"}, make_folders=True)
    assert [p.name for p in tmp_path.iterdir()] == ["blocked"]


def test_posteriors_stand_beside_the_answer_with_prior_and_shrinkage(written: Report) -> None:
    """Three questions of the bundled analysis have a prior; every number in words is that of the posterior."""
    with_prior = {a.question.id: a for a in written.answers if a.bayes is not None}
    assert list(with_prior) == ["os-median", "response", "hr-os"]
    answer = with_prior["os-median"]
    assert answer.bayes is not None
    post = ml.pool_bayes(answer.fit.effects, tau=ml.priors.half_normal(0.5))
    assert answer.bayes.post.estimate == post.estimate
    html = page(written)
    low, high = post.estimate.low, post.estimate.high
    assert f"was {post.estimate.value:.1f} months (95% CrI {low:.1f} to {high:.1f}) in 5 studies" in html
    assert "Before the studies it was held to be as likely below 0.34 as above" in html
    assert f"After them it is {post.tau.median:.2f} ({post.tau.low:.2f} to {post.tau.high:.2f})." in html
    for other in answer.bayes.others:
        assert f"<td>{other.prior.words}</td>" in html
    for theta in post.theta:
        assert f"{theta.value:.1f} months ({theta.low:.1f} to {theta.high:.1f})" in html
    assert {"os-median-posterior-forest.svg", "os-median-posterior-prior.svg"} <= {f.name for f in written.figures}
    assert "Shrunken" in (written.path.parent / "figures" / "os-median-posterior-forest.svg").read_text(
        encoding="utf-8"
    )
    assert "quadrature [" in html
    assert getattr(with_prior["response"].bayes.post, "model", "") == "binomial-normal"  # type: ignore[union-attr]
    assert "probability that the mean lies below 1.00 (no difference) is 9" in html


def test_posteriors_are_in_the_tables(written: Report) -> None:
    found = list(csv.DictReader(written.tables[0].read_text(encoding="utf-8").splitlines()))
    rows = [r for r in found if r["question"] == "hr-os" and r["role"] == "posterior"]
    assert rows[0]["name"] == "half-normal(0.5) prior"
    assert len(rows) == 4
    assert all(r["reference"] for r in rows)
    record = json.loads(written.tables[1].read_text(encoding="utf-8"))["questions"]
    bayes = next(q for q in record if q["id"] == "hr-os")["bayes"]
    assert bayes["posterior"]["prior"]["tau"] == "priors.half_normal(scale=0.5)"
    assert bayes["posterior"]["estimate"]["median"] == pytest.approx(float(rows[0]["value"]))
    assert next(q for q in record if q["id"] == "pfs-median")["bayes"] is None


@pytest.mark.parametrize("model", ["normal-normal", "binomial-normal"])
def test_a_posterior_can_be_reported_as_the_answer(model: str, tmp_path: Path) -> None:
    """The headline is the posterior; the same studies without a prior stand below."""
    data = {"study": ["A", "B", "C", "D"], "events": [3, 5, 9, 2], "n": [20, 25, 30, 12]}
    post = ml.pool_bayes(ml.proportions(data), model=model, mu=(0, 2))
    done = ml.report(post, tmp_path / "one.html", figure_formats=("svg",))
    html = done.path.read_text(encoding="utf-8")
    assert "Without a prior" in html
    assert html.index("half-normal(1) prior on how much") < html.index("In four studies (87 patients)")
    assert "half-normal(1) prior on how much" in repr(done)
    space: dict[str, object] = {}
    exec(reproducing_code(done.answers[0]).replace("print(", "("), space)
    assert space["post"].estimate == post.estimate  # type: ignore[attr-defined]


def test_a_posterior_of_rates_is_reported_beside_the_rates_without_a_prior(tmp_path: Path) -> None:
    rates = ml.rates({"study": ["A", "B", "C"], "events": [3, 5, 9], "time": [20, 25, 30]})
    done = ml.report(ml.pool_bayes(rates, model="poisson-normal"), tmp_path / "one.html", figure_formats=("svg",))
    assert "Without a prior" in done.path.read_text(encoding="utf-8")
