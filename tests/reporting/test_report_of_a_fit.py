"""Reports of fits that are no single pooled value: regressions, multilevel and location-scale models, sampled posteriors."""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.reporting.code import fit_code
from metaleptic.reporting.fit_words import fit_sentence

Y, V = [-0.34, -0.05, -0.48, -0.22, -0.1, -0.6], [0.03, 0.01, 0.05, 0.01, 0.02, 0.04]
E = ml.effects(
    Y,
    V,
    study=list("ABCDEF"),
    measure="HR",
    columns={"year": [1, 2, 3, 4, 5, 6], "lab": list("aabbcc")},
)
COUNTS = ml.proportions({"study": list("ABCD"), "events": [1, 0, 4, 7], "n": [10, 12, 30, 50], "year": [1, 2, 3, 5]})
TABLES = ml.two_by_two(
    {
        "study": list("ABCD"),
        "a": [1, 2, 4, 7],
        "m": [10, 12, 30, 50],
        "c": [3, 4, 9, 9],
        "n": [11, 12, 29, 50],
        "x": [1, 2, 3, 5],
    },
    events1="a",
    n1="m",
    events2="c",
    n2="n",
    measure="OR",
)
RATES = ml.rates({"study": list("ABCD"), "events": [1, 0, 4, 7], "time": [10, 12, 30, 50.5], "x": [1, 2, 3, 5]})
PRIOR = ml.priors.half_normal(0.5)

FITS: dict[str, Callable[[], Any]] = {
    "regression": lambda: ml.pool(E, moderators="~ year"),
    "categories": lambda: ml.pool(E, moderators="~ C(lab)"),
    "of proportions": lambda: ml.pool(COUNTS, moderators="~ year", model="binomial-normal"),
    "of two-by-two tables": lambda: ml.pool(TABLES, moderators="~ x", model="unconditional-fixed"),
    "of rates": lambda: ml.pool(RATES, moderators="~ x", model="poisson-normal"),
    "multilevel": lambda: ml.pool_multilevel(E, random="1 | lab/study"),
    "multilevel with moderators": lambda: ml.pool_multilevel(E, random="1 | lab/study", moderators="~ year"),
    "correlated": lambda: ml.pool_multilevel(
        E, random="1 | study", V=ml.vcov_imputed(E, cluster="lab", rho=0.5), sigma2=[0.01]
    ),
    "location-scale": lambda: ml.location_scale(E, scale="~ year"),
    "location-scale with moderators": lambda: ml.location_scale(E, scale="~ year", moderators="~ year"),
    "Bayesian regression": lambda: ml.pool_bayes(E, moderators="~ year", tau=PRIOR),
}


@pytest.mark.parametrize("name", FITS)
def test_the_code_of_a_report_makes_the_fit_again(name: str) -> None:
    fit = FITS[name]()
    space: dict[str, Any] = {}
    exec(fit_code(fit).replace("print(", "("), space)
    assert repr(space["fit"]) == repr(fit)


@pytest.mark.parametrize("name", FITS)
def test_every_fit_has_a_page_with_its_words_numbers_and_sources(name: str, tmp_path: Path) -> None:
    fit = FITS[name]()
    done = ml.report(fit, tmp_path / "fit.html", figure_formats=("svg",))
    page = html.unescape(done.path.read_text(encoding="utf-8"))
    assert fit_sentence(fit) in page
    assert fit_sentence(fit) in repr(done)
    for line in repr(fit).splitlines():
        assert line in page
    methods = ml.methods_sentence(fit)
    assert methods.text in page
    for study in fit.effects.study:
        assert f'<td class="name">{study}<br>' in page
    assert (tmp_path / "figures" / "result-forest.svg").is_file()
    with (tmp_path / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(r["role"] == "study" for r in rows) == fit.k
    content = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert content["provenance"]["call"] == fit.provenance.call


def test_coefficients_are_told_as_ratios_and_levels_by_name() -> None:
    fit = ml.pool(E, moderators="~ year")
    b = float(np.exp(fit.beta[1]))
    assert f"per unit of year the hazard ratio is multiplied by {b:.2f}" in fit_sentence(fit)
    assert "with lab b (against its first level) the hazard ratio" in fit_sentence(FITS["categories"]())
    assert "per unit of year the logit changes by" in fit_sentence(FITS["of proportions"]())


def test_the_table_of_coefficients_is_that_of_the_fit(tmp_path: Path) -> None:
    fit = ml.pool(E, moderators="~ year")
    ml.report(fit, tmp_path / "fit.html", figure_formats=())
    with (tmp_path / "results.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["role"] == "coefficient"]
    assert [r["name"] for r in rows] == list(fit.names)
    for i, row in enumerate(rows):
        assert (float(row["value"]), float(row["low"])) == (fit.beta[i], fit.low[i])


def test_questions_about_one_pooled_value_are_sent_there(tmp_path: Path) -> None:
    moderated = ml.report(ml.pool(E, moderators="~ year"), tmp_path / "moderated.html", figure_formats=())
    page = moderated.path.read_text(encoding="utf-8")
    assert "Asked of one pooled value, ml.robustness(ml.pool(effects))" in page
    assert "asked of one pooled effect" not in page
    done = ml.report(FITS["multilevel"](), tmp_path / "fit.html", figure_formats=())
    page = done.path.read_text(encoding="utf-8")
    assert re.search(r"Over all checks below it lies between 0\.\d\d and 0\.\d\d", page)


def test_draws_that_cannot_be_trusted_say_so_first(tmp_path: Path) -> None:
    post = ml.pool_bayes(E, tau=PRIOR, method="nuts", draws=100, chains=2, seed=1)
    assert post.diagnostics.problems
    done = ml.report(post, tmp_path / "fit.html", figure_formats=("svg",))
    page = done.path.read_text(encoding="utf-8")
    assert '<p class="answer">Not to be trusted (' in page
    assert "Random numbers: seed 1." in page
    assert repr(done).startswith("result: Not to be trusted")
