"""All checks at once: every one answers or says why not, in the package and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sensitivity_golden import effects_of, fit_of
from typer.testing import CliRunner

import metaleptic as ml
from metaleptic.cli import app
from metaleptic.sensitivity.robustness import CHECKS

TABLES = {
    "study": list("ABCDEF"),
    "events1": [4, 6, 3, 62, 10, 5],
    "n1": [123, 306, 231, 13598, 200, 180],
    "events2": [11, 29, 11, 248, 21, 17],
    "n2": [139, 303, 220, 12867, 210, 175],
}


def test_every_check_answers_or_says_why_not() -> None:
    """A hazard ratio gets all questions; a median those that make sense for it; two studies get reasons."""
    found = ml.robustness(fit_of("bcg_RR", "REML"))
    assert [c.question for c in found.checks] == [q for q, _, _ in CHECKS]
    assert [c.question for c in found.checks if c.record is None] == ["How many patients would turn it?"]
    assert found.to_frame()["answered"].sum() == len(CHECKS) - 1
    counted = ml.robustness(ml.pool(ml.two_by_two(TABLES, **{c: c for c in list(TABLES)[1:]}, measure="RR")))
    assert counted.to_frame()["answered"].all()
    medians = ml.survival_medians(
        {"study": list("abc"), "median": [8.0, 10.0, 7.5], "low": [5.0, 7.0, 5.5], "high": [13.0, 14.0, 11.0]},
    )
    few = ml.robustness(ml.pool(medians))
    assert len(few.checks) == 8
    two = ml.robustness(ml.pool(effects_of("bcg_RR").take([0, 1]), model="common"))
    assert "Not answered: leave-one-out needs at least 3 studies" in two.sentence


def test_models_of_counts_are_asked_what_suits_them() -> None:
    """Leave-one-out and influence work for every model; what needs variances is said of the random-effects model."""
    counts = ml.proportions({"study": list("abcd"), "events": [11, 7, 2, 9], "n": [14, 10, 4, 15]})
    found = ml.robustness(ml.pool(counts, model="binomial-normal"))
    assert found.checks[0].record is not None
    assert found.checks[1].record is not None
    assert found.checks[2].sentence.endswith("This is said by the random-effects model of the same studies.")
    assert all(c.record is not None for c in found.checks)


def test_other_fits_are_asked_what_suits_them() -> None:
    """Bayesian, moderated and multilevel fits: what can be answered is, the rest says why in one sentence."""
    e = effects_of("bcg_RR")
    answered = {"bayes": 15, "moderated": 5, "multilevel": 15}
    fits = {
        "bayes": ml.pool_bayes(e),
        "moderated": ml.pool(e, moderators="~ year"),
        "multilevel": ml.pool_multilevel(e, random="~ 1 | study"),
    }
    for name, fit in fits.items():
        found = ml.robustness(fit)
        assert sum(c.record is not None for c in found.checks) == answered[name]
        reasons = [c.sentence for c in found.checks if c.record is None]
        assert all(r.startswith("Not answered: ") and r.count(". ") == 0 for r in reasons)
    assert not any(
        "Regression" in c.sentence or "Multilevel" in c.sentence for f in fits.values() for c in ml.robustness(f).checks
    )
    assert ml.e_value(fits["bayes"]).value == pytest.approx(ml.robustness(fits["bayes"]).checks[-2].record.value)


def test_the_command_line_checks_every_question(tmp_path: Path) -> None:
    """JSON for machines, figures in a folder, an unknown question lists those there are."""
    run = CliRunner().invoke(app, ["sensitivity", "--question", "os-median", "--json", "--plots", str(tmp_path)])
    assert run.exit_code == 0
    record = json.loads(run.stdout)
    assert list(record) == ["os-median"]
    assert record["os-median"][0]["answered"]
    assert (tmp_path / "os-median-leaveoneout.svg").exists()
    assert (tmp_path / "os-median-robustness.svg").exists()
    assert (tmp_path / "os-median-henmicopas.svg").exists()
    wrong = CliRunner().invoke(app, ["sensitivity", "--question", "nothing"])
    assert wrong.exit_code == 2


def test_a_fit_is_needed() -> None:
    """Effects alone are refused, with what to do."""
    with pytest.raises(ml.errors.OptionError, match=r"ml\.pool"):
        ml.robustness(effects_of("bcg_RR"))  # type: ignore[arg-type]
