"""Every choice of one cohort per overlap group is the pooled result of those studies; an analysis asks it of its cohorts."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

import metaleptic as ml
from metaleptic.cli import app
from metaleptic.errors import OptionError
from metaleptic.sensitivity.robustness import CHECKS, OVERLAP

GROUPS = {"overlap_group": ["r", "r", "", "s", "s", ""]}
E = ml.effects(
    [-0.5, -0.2, -0.4, 0.3, -0.9, -0.3],
    [0.04, 0.03, 0.05, 0.02, 0.04, 0.03],
    study=list("ABCDEF"),
    measure="HR",
    columns=GROUPS,
)


@pytest.fixture(autouse=True)
def _few_studies_are_no_news():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ml.errors.FewStudiesWarning)
        yield


def test_each_choice_is_the_pooled_result_of_those_studies() -> None:
    """All four, for frequentist and Bayesian fits; range and conclusion in words."""
    for fit in (ml.pool(E), ml.pool_bayes(E, tau=ml.priors.half_normal(0.5))):
        found = ml.overlap_choices(fit)
        assert found.taken == (("A", "D"), ("A", "E"), ("B", "D"), ("B", "E"))
        rows = [2, 5]
        for i, taken in enumerate(found.taken):
            part = E.take(sorted([*rows, *("ABCDEF".index(t) for t in taken)]))
            again = (
                ml.pool(part)
                if fit.__class__.__name__ == "Pooled"
                else ml.pool_bayes(part, tau=ml.priors.half_normal(0.5))
            )
            assert found.value[i] == pytest.approx(again.estimate.value, rel=1e-7)
            assert found.low[i] == pytest.approx(again.estimate.low, rel=1e-6)
        least = found.taken[int(np.argmin(found.value))]
        assert f"(with {least[0]}, {least[1]})" in found.sentence
        assert "r: A, B; s: D, E" in found.sentence
        assert found.to_frame()["k"].tolist() == [4] * 4


def test_robustness_asks_it_where_the_column_tells() -> None:
    """The question stands among the others, and is left out without groups."""
    asked = [c.question for c in ml.robustness(ml.pool(E)).checks]
    assert asked.index(OVERLAP) == 4
    assert len(asked) == len(CHECKS) + 1
    alone = ml.effects(E.y, E.v, measure="HR", columns={"overlap_group": list("uvwxyz")})
    assert OVERLAP not in [c.question for c in ml.robustness(ml.pool(alone)).checks]
    assert ml.overlap_choices(ml.pool(alone)).sentence.startswith("No two of these cohorts share patients")
    with pytest.raises(OptionError, match="no column 'overlap_group'"):
        ml.overlap_choices(ml.pool(ml.effects(E.y, E.v)))


def test_an_analysis_takes_excluded_cohorts_as_choices() -> None:
    """The bundled evidence: cohorts excluded because they share patients come back as the other choice."""
    run = CliRunner().invoke(app, ["sensitivity", "--question", "os-median", "--json"])
    assert run.exit_code == 0
    answers = {c["question"]: c for c in json.loads(run.stdout)["os-median"]}
    assert answers[OVERLAP]["answered"]
    assert "With one of each, in 2 ways, median overall survival lies between" in answers[OVERLAP]["answer"]
