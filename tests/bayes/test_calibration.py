"""Every model is calibrated: parameters drawn from the prior, data from the model, and the posterior asked for the truth."""

import json
import sys
from pathlib import Path

import calibration
import numpy as np
import pytest

from metaleptic.bayes.exact_models import EXACT
from metaleptic.bayes.sampled_models import SAMPLED

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import calibration_page

SHORT = {"robust": 40, "map": 100}  # runs of the long test below, where one takes a second or more


@pytest.mark.long
@pytest.mark.parametrize("key", calibration.MODELS)
def test_posterior_probabilities_of_the_truth_are_uniform(key):
    """Other data sets than those of the figure in the documentation."""
    model = calibration.MODELS[key]
    runs = 40 if model.sampled else SHORT.get(key, 300)
    u = calibration.probabilities(key, runs, 21)
    for i, name in enumerate(model.quantities):
        asked = u[np.isfinite(u[:, i]), i]
        assert asked.size > 0.4 * runs
        assert calibration.uniformity(asked) > 5e-4, name
        inside = ((asked > 0.025) & (asked < 0.975)).mean()
        assert abs(inside - 0.95) < 4 * np.sqrt(0.95 * 0.05 / asked.size), name


@pytest.mark.parametrize("key", ["normal-normal", "regression", "average"])
def test_a_short_run_is_uniform(key):
    u = calibration.probabilities(key, 60, 22)
    for i, name in enumerate(calibration.MODELS[key].quantities):
        assert calibration.uniformity(u[:, i]) > 1e-3, name


def test_every_model_is_there():
    """Each line of EXACT and SAMPLED is calibrated, and has its panel in the documentation."""
    assert set(EXACT) <= set(calibration.MODELS)
    assert {f"{key}, sampled" for key in SAMPLED} <= set(calibration.MODELS)
    stored = json.loads(calibration.STORE.read_text(encoding="utf-8"))
    assert set(stored) <= set(calibration.MODELS)
    assert set(EXACT) <= set(stored)


@pytest.mark.parametrize("key", json.loads(calibration.STORE.read_text(encoding="utf-8")))
def test_what_the_documentation_shows_is_uniform(key):
    stored = json.loads(calibration.STORE.read_text(encoding="utf-8"))[key]
    assert tuple(stored["probability"]) == calibration.MODELS[key].quantities
    for name, u in stored["probability"].items():
        assert calibration.uniformity(np.array(u)) > 1e-3, name


def test_the_page_shows_what_is_stored():
    """Its tables are those of docs/calibration.json and docs/coverage.json."""
    text = calibration_page.PAGE.read_text(encoding="utf-8")
    assert calibration_page.page(text) == text


def test_coverage_is_what_the_page_says_in_words():
    """On the safe side where a prior calls tau likely; too narrow where it does not; near the level with many studies."""
    rows = {(r["studies"], r["tau"]): r["priors"] for r in calibration_page.stored("coverage")["rows"]}
    assert {k for k, _ in rows} == {2, 3, 5, 10, 20}
    assert {tau for _, tau in rows} == {0, 0.1, 0.25, 0.5, 1}
    for k in (2, 3, 5, 10, 20):
        for tau in (0, 0.1, 0.25):
            assert min(rows[k, tau]["half-normal(0.5)"][:2]) > 0.935
        assert min(rows[k, 1]["uniform(2)"][:2]) > 0.92
    assert rows[3, 1]["Cochrane HR (Bartos 2023)"][0] < 0.85
    assert rows[3, 0.25]["uniform(2)"][2] > 2 * rows[3, 0.25]["Cochrane HR (Bartos 2023)"][2]
    assert all(abs(c - 0.95) < 0.03 for p in rows[20, 0.25].values() for c in p[:1])


def test_the_figure_has_a_panel_per_model(tmp_path):
    calibration_page.figure(tmp_path / "calibration.svg")
    assert (tmp_path / "calibration.svg").stat().st_size > 20_000


def test_the_check_would_notice_a_posterior_that_is_too_narrow():
    u = np.random.default_rng(1).random(400)
    narrow = 1 / (1 + np.exp(-1.6 * np.log(u / (1 - u))))
    assert calibration.uniformity(u) > 0.001
    assert calibration.uniformity(narrow) < 0.001
