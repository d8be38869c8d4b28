"""The analysis file and the rows it selects: understood completely, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

import metaleptic as ml
from metaleptic.errors import DataError
from metaleptic.reporting.analysis import load_analysis
from metaleptic.reporting.answers import answer_question
from metaleptic.reporting.select import select_rows

QUESTION = '[[question]]\nid = "q"\nask = "How long?"\nkind = "survival_medians"\n'
EVIDENCE = """id,study,outcome,value,low,high,unit,n,corrected_value,correction_reason
E1,Alba,OS,10,6,15,months,20,,
E2,Bessen,OS,40,20,80,weeks,30,,
E3,Chow,OS,99,6,14,months,25,9.9,decimal point lost
E4,Chow2,OS,8,5,12,months,25,,
E5,Duarte,PFS,3,2,4,months,25,,
"""
STUDIES = """study,label,overlap_group,contains,citation
Alba,Alba 2016,Alba,,Alba A. J 2016
Bessen,Bessen 2017,Bessen,,Bessen B. J 2017
Chow,Chow 2018,Chow,,Chow C. J 2018
Chow2,Chow 2020,Chow,,Chow C. J 2020
Duarte,Duarte 2019,Duarte,Alba; Bessen,Duarte D. J 2019
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a small evidence folder."""
    (tmp_path / "evidence.csv").write_text(EVIDENCE, encoding="utf-8")
    (tmp_path / "studies.csv").write_text(STUDIES, encoding="utf-8")
    return tmp_path


def write(folder: Path, question: str, head: str = 'studies = "studies.csv"\n') -> Path:
    """Write an analysis file."""
    path = folder / "analysis.toml"
    path.write_text(head + question, encoding="utf-8")
    return path


def test_rows_are_matched_excluded_corrected_and_labelled(folder: Path) -> None:
    """`where` selects, `exclude` lists with its reason, corrections are used but the printed text is kept."""
    path = write(
        folder, QUESTION + 'where = { outcome = "OS" }\nexclude = [{ id = "E4", reason = "same patients as E3" }]\n'
    )
    analysis = load_analysis(path)
    chosen = select_rows(analysis, analysis.questions[0])
    assert [o.label for o in chosen.origins] == ["Alba 2016", "Bessen 2017", "Chow 2018"]
    assert chosen.origins[2].printed == "99 (6 to 14) months"
    assert chosen.origins[2].corrected == "9.9"
    assert list(chosen.table.columns["value"]) == ["10", "40", "9.9"]
    assert [(x.origin.id, x.reason) for x in chosen.left_out] == [("E4", "same patients as E3")]
    answer = answer_question(analysis, analysis.questions[0])
    assert answer.fit.effects.columns["unit"] == ("months", "weeks", "months")
    assert answer.fit.to_frame()["value"][1] == pytest.approx(40 * 7 / (365.25 / 12))


def test_cohorts_that_share_patients_are_refused(folder: Path) -> None:
    """Two rows of one overlap group are an error that names both, unless allowed."""
    path = write(folder, QUESTION + 'where = { outcome = "OS" }\n')
    analysis = load_analysis(path)
    with pytest.raises(DataError, match=r"E3 \(Chow 2018\) and E4 \(Chow 2020\) share patients"):
        select_rows(analysis, analysis.questions[0])
    analysis = load_analysis(write(folder, QUESTION + 'where = { outcome = "OS" }\nallow_overlap = true\n'))
    assert len(select_rows(analysis, analysis.questions[0]).origins) == 4


def test_a_pooled_analysis_is_refused_beside_a_study_it_contains(folder: Path) -> None:
    """`contains` in the studies table is heeded."""
    path = write(
        folder, QUESTION + 'where = { outcome = ["OS", "PFS"] }\nexclude = [{ id = "E4", reason = "twice" }]\n'
    )
    analysis = load_analysis(path)
    with pytest.raises(DataError, match=r"E5 \(Duarte 2019\) contains the patients of row E1"):
        select_rows(analysis, analysis.questions[0])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "asks nothing"),
        ("title = 3\n" + QUESTION, "title must be text"),
        ("colour = 'red'\n" + QUESTION, "key 'colour' is unknown"),
        (QUESTION + "modle = 'random'\n", "key 'modle' is unknown"),
        (QUESTION + "model = 'fixedd'\n", "model 'fixedd' is unknown"),
        (QUESTION + "tau2 = 'REMLL'\n", "tau2 'REMLL' is unknown"),
        (QUESTION + "kind = 'x'\n", "not valid TOML"),
        (QUESTION.replace("survival_medians", "medians"), "kind 'medians' is unknown"),
        (QUESTION.replace("survival_medians", "survival_rates"), "at is missing"),
        (QUESTION + 'exclude = [{ id = "E1" }]\n', "needs an id and a reason"),
        (QUESTION + 'exclude = [{ id = "E9", reason = "x" }]\n', "no row with this id"),
        (QUESTION + 'where = { outcome = "OSS" }\n', "no row of"),
        (QUESTION + 'where = { outcom = "OS" }\n', "no column 'outcom'"),
        (QUESTION + 'id = "b"\n', "not valid TOML"),
        (QUESTION + QUESTION, "two questions have the id 'q'"),
        (QUESTION.replace('"q"', '"a b/c"'), "letters, digits"),
        (QUESTION + 'favours = ["drug"]\n', "favours takes two"),
        (QUESTION + "bayes = 3\n", "bayes must be true or a table"),
        (QUESTION + 'bayes = { tua = "half_normal(1)" }\n', "bayes: key 'tua' is unknown"),
        (QUESTION + 'bayes = { tau = "half_normall(1)" }\n', "prior 'half_normall' is unknown"),
        (QUESTION + 'bayes = { tau = "half_normal(-1)" }\n', "scale -1 must be a number above 0"),
        (QUESTION + "bayes = { mu = [0, 0] }\n", "mu must be [mean, sd]".replace("[", "\\[").replace("]", "\\]")),
        (QUESTION + 'bayes = { model = "cauchy" }\n', "bayes: model 'cauchy' is unknown"),
        (QUESTION + 'bayes = { compare = "half_normal(1)" }\n', "compare must be a list"),
        (QUESTION + 'columns = { dose = "Dose" }\nwhere = { outcome = "PFS" }\n', "no column 'dose'"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_sentence(folder: Path, text: str, part: str) -> None:
    """Every slip in an analysis file is an error that names the file or question and the way out."""
    path = write(folder, text)
    with pytest.raises(DataError, match=part.replace("(", r"\(")) as caught:
        ml.report(path, folder / "out.html")
    assert "\n" not in str(caught.value)
    assert not (folder / "out.html").exists()


def test_errors_and_findings_count_the_rows_of_the_evidence_file(folder: Path) -> None:
    """The fifth row of the file is called row 5, although it is the first that the question uses."""
    evidence = folder / "evidence.csv"
    evidence.write_text(EVIDENCE.replace("E5,Duarte,PFS,3,2,4", "E5,Duarte,PFS,3,4,5"), encoding="utf-8")
    with pytest.raises(DataError, match=r"question 'q': study 'Duarte 2019' \(row 5\)"):
        ml.report(write(folder, QUESTION + 'where = { outcome = "PFS" }\n'), folder / "a.html")


def test_missing_files_are_named(tmp_path: Path) -> None:
    """A missing analysis or evidence file says which."""
    with pytest.raises(DataError, match=r"analysis\.toml' does not exist"):
        load_analysis(tmp_path)
    analysis = load_analysis(write(tmp_path, QUESTION, head=""))
    with pytest.raises(DataError, match=r"evidence\.csv' does not exist"):
        select_rows(analysis, analysis.questions[0])


def test_a_posterior_is_asked_for_by_one_word_or_by_a_table(folder: Path) -> None:
    """`bayes = true` takes the default prior and stands beside; `model = "bayes"` makes it the answer."""
    where = 'where = { outcome = "OS" }\nexclude = [{ id = "E4", reason = "same patients as E3" }]\n'
    beside = ml.report(write(folder, QUESTION + where + "bayes = true\n"), folder / "a.html").answers[0]
    assert beside.bayes is not None
    assert beside.bayes.post.prior.words == "half-normal(0.5)"
    assert not beside.bayes.headline
    table = '[question.bayes]\ntau = "half_cauchy(0.3)"\nmu = [2.0, 1.0]\ncompare = ["uniform(2)"]\n'
    asked = ml.report(write(folder, QUESTION + where + 'model = "bayes"\n' + table), folder / "b.html")
    answer = asked.answers[0]
    assert answer.bayes is not None
    assert answer.bayes.headline
    assert answer.bayes.post.mu_prior is not None
    assert answer.bayes.post.mu_prior.location == 2.0
    assert [p.prior.words for p in answer.bayes.others] == ["uniform(2)"]
    assert "With a half-Cauchy(0.3) prior" in repr(asked)
    assert answer.fit.model == "random"


def test_an_improper_posterior_names_the_question(folder: Path) -> None:
    one = 'where = { outcome = "OS" }\nexclude = [{ id = "E4", reason = "x" }, { id = "E1", reason = "x" }]\n'
    path = write(folder, QUESTION + one + 'bayes = { tau = "uniform()" }\n')
    with pytest.raises(DataError, match="question 'q': the posterior is improper"):
        ml.report(path, folder / "a.html")
