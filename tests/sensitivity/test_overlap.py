"""Shared patients are found by registration, and by place, period and treatment."""

from __future__ import annotations

import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError

COLUMNS = {
    "trial": ["NCT1", "nct1 ", None, "NCT2", None],
    "centre": ["Paris", "Lyon", "Paris; Rome", "Rome", "several"],
    "from": [2000, 2001, 2004, 2011, 2000],
    "to": [2005, 2003, 2010, 2012, 2020],
    "drug": ["a", "a", "b", "b", "a"],
}
E = ml.effects([-0.1, -0.2, -0.3, -0.4, -0.5], [0.1] * 5, study=list("ABCDE"), measure="HR", columns=COLUMNS)


def test_pairs_and_groups() -> None:
    """One trial twice for certain; one centre in overlapping years possibly; other years or drugs not."""
    found = ml.overlaps(E, same="trial", place="centre", start="from", end="to")
    assert [(p.first, p.second, p.certain) for p in found.pairs] == [("A", "B", True), ("A", "C", False)]
    assert found.groups == {"cohort of A": ("A", "B", "C")}
    assert "2004 to 2005" in found.pairs[1].why
    assert [
        p.second for p in ml.overlaps(E, same="trial", place="centre", start="from", end="to", treatment="drug").pairs
    ] == ["B"]
    assert len(ml.overlaps(E, place="centre").pairs) == 2
    chosen = ml.multiverse(E, one_of=found)
    assert len(chosen.value) == (16 + 3) * 3
    assert len(ml.multiverse(E, one_of=found.groups, priors=()).value) == 16 * 3
    rows = chosen.to_frame()
    one = rows[(rows["cohort of A"] == "B") & (rows["tau2 estimator"] == "DL") & (rows["interval"] == "z")]
    assert one["value"].item() == pytest.approx(ml.pool(E.take([1, 3, 4]), tau2="DL", test="z").estimate.value)
    assert len(found.to_frame()) == 2


def test_the_bundled_evidence() -> None:
    """The parts of the HIT trial are found by their registration."""
    studies = ml.datasets.load("intrathecal_trastuzumab")["studies"]
    k = len(studies)
    e = ml.effects(
        [0.1] * k, [0.1] * k, study=list(studies["study"]), columns={"registration": list(studies["registration"])}
    )
    groups = ml.overlaps(e, same="registration").groups
    assert any({"Oberkampf2023", "Bonneau2018", "LeTilly2021"} <= set(m) for m in groups.values())


def test_slips_are_told() -> None:
    """No column, a word for a year."""
    with pytest.raises(OptionError, match="say which columns"):
        ml.overlaps(E)
    with pytest.raises(DataError, match="not a year"):
        ml.overlaps(E, place="centre", start="drug")
    assert "No two studies" in ml.overlaps(E.take([0, 3]), same="trial").sentence
