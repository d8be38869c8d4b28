"""Subgroups: each its own fit, a test between them, and clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError

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


@pytest.mark.parametrize("method", ["REML", "DL"])
def test_a_common_tau2_is_what_the_subgroups_leave(method: str) -> None:
    """Agrees with the effects, standard errors and test of R's meta 8.3.0, metagen(subgroup=alloc, tau.common=TRUE)."""
    golden = json.loads((Path(__file__).parent.parent / "golden" / "models.json").read_text(encoding="utf-8"))["bcg_RR"]
    entry = next(x for x in golden["meta"] if x["id"] == f"subgroup_{method}_taucommonTRUE")
    fit = ml.pool(ml.effects(golden["y"], golden["v"]), tau2=method, test="z")
    found = ml.subgroups(fit, by=golden["columns"]["alloc"], tau2="common")
    for name, effect, se, tau2 in zip(
        entry["subgroup.levels"], entry["TE.random.w"], entry["seTE.random.w"], entry["tau2.w"], strict=True
    ):
        group = found.groups[name]
        assert group.beta[0] == pytest.approx(effect, rel=1e-5)  # meta stops its iterations at 1e-5
        assert group.se[0] == pytest.approx(se, rel=1e-5)
        assert group.tau2 == pytest.approx(tau2, rel=1e-5)
    assert found.q == pytest.approx(entry["Q.b.random"], rel=1e-5)
    assert found.q_p == pytest.approx(entry["pval.Q.b.random"], rel=1e-5)


def test_a_common_tau2_needs_random_effects_and_groups() -> None:
    e = ml.effects([0.1, 0.3, 0.9], [0.04] * 3)
    with pytest.raises(OptionError, match='model="random"'):
        ml.subgroups(ml.pool(e, model="common"), by=["a", "a", "b"], tau2="common")
    with pytest.raises(DataError, match="subgroup of its own"):
        ml.subgroups(ml.pool(e), by=["a", "b", "c"], tau2="common")
    with pytest.raises(OptionError, match='"separate" or "common"'):
        ml.subgroups(ml.pool(e), by=["a", "a", "b"], tau2="shared")
