"""Subgroups: each its own fit, a test between them, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError

EFFECTS = ml.effects([0.1, 0.3, 0.9, 1.1, 0.5], [0.04, 0.05, 0.04, 0.06, 0.1], study=list("abcde"))


def test_each_group_is_what_pooling_it_alone_gives() -> None:
    """A subgroup has its own tau2 and the settings of the whole."""
    fit = ml.pool(EFFECTS, tau2="DL", test="z")
    found = ml.subgroups(fit, by=["old", "old", "new", "new", "new"])
    alone = ml.pool(EFFECTS.take([2, 3, 4]), tau2="DL", test="z")
    assert list(found.groups) == ["old", "new"]
    assert found.groups["new"].estimate == alone.estimate
    assert found.overall is fit
    assert list(found.to_frame()["group"]) == ["old", "new", "all"]


def test_interaction_does_not_rest_on_chance_agreement_of_two_studies() -> None:
    """Two studies that agree by chance have a tiny Hartung-Knapp SE; the test between groups does not use it."""
    effects = ml.effects([0.1, 0.1001, 0.5, 0.9], [0.2, 0.2, 0.2, 0.2], study=list("abcd"))
    found = ml.subgroups(ml.pool(effects), by=["x", "x", "y", "y"])
    assert found.q_p > 0.1


def test_single_studies_and_single_groups() -> None:
    """A group of one study is that study; one group alone is not tested."""
    found = ml.subgroups(ml.pool(EFFECTS), by=["x", "y", "y", "y", "y"])
    assert found.groups["x"].k == 1
    assert np.isfinite(found.q)
    alone = ml.subgroups(ml.pool(EFFECTS), by=["x"] * 5)
    assert np.isnan(alone.q)
    assert "not tested" in repr(alone)


def test_groups_from_a_column() -> None:
    """A column of the input names the groups."""
    table = {
        "study": list("abcd"),
        "hr": [0.5, 0.6, 0.9, 1.0],
        "low": [0.3, 0.4, 0.6, 0.7],
        "high": [0.83, 0.9, 1.35, 1.43],
        "time_origin": ["LM", "LM", "IT", "IT"],
    }
    found = ml.subgroups(ml.pool(ml.hazard_ratios(table)), by="time_origin")
    assert found.by == "time origin"
    assert list(found.groups) == ["LM", "IT"]


def test_wrong_groups_are_refused() -> None:
    """Unknown column, wrong length, a study without a group."""
    fit = ml.pool(EFFECTS)
    with pytest.raises(DataError, match="no column 'dose'"):
        ml.subgroups(fit, by="dose")
    with pytest.raises(DataError, match="2 group names for 5"):
        ml.subgroups(fit, by=["a", "b"])
    with pytest.raises(DataError, match="study 'c' has no group"):
        ml.subgroups(fit, by=["x", "x", "", "y", "y"])
