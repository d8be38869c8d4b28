"""The evidence that ships: complete, cited, and consistent with its own keys."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import metaleptic as ml
from metaleptic.errors import OptionError

SET = ml.datasets.load("intrathecal_trastuzumab")


def rows(name: str) -> list[dict[str, str]]:
    """Read a table of the worked example as text."""
    with (SET.path / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_published_number_is_there() -> None:
    """353 numbers with unique ids, each with a reference."""
    evidence = rows("evidence")
    assert len(evidence) == 353
    assert len({r["id"] for r in evidence}) == 353
    assert all(r["reference"] for r in evidence)


def test_every_study_is_described_once() -> None:
    """Each study of the evidence, the patients and the contradictions has one line in studies, with a unique label."""
    studies = rows("studies")
    names = [r["study"] for r in studies]
    assert len(set(names)) == len(names)
    assert len({r["label"] for r in studies}) == len(studies)
    for table in ("evidence", "patients"):
        assert {r["study"] for r in rows(table)} <= set(names)
    assert all(r["overlap_group"] for r in studies)


def test_corrections_have_reasons_and_keep_the_printed_value() -> None:
    """A correction stands beside the printed number and says why."""
    corrected = [r for r in rows("evidence") if any(r[f"corrected_{c}"] for c in ("value", "low", "high", "unit"))]
    assert corrected
    assert all(r["correction_reason"] and r["value"] for r in corrected)
    assert not [r for r in rows("evidence") if r["correction_reason"] and r not in corrected]


def test_event_indicators_that_are_not_printed_stay_empty() -> None:
    """The 14-patient table prints no event indicators, so there are none."""
    table = [r for r in rows("patients") if r["study"] == "Trifanescu2023"]
    assert len(table) == 14
    assert all(r["pfs_event"] == r["os_event"] == "" for r in table)
    assert [r["os_months"] for r in table] == [
        "19",
        "24",
        "10",
        "9",
        "22",
        "6",
        "6",
        "6",
        "20",
        "5",
        "8",
        "9",
        "6",
        "7",
    ]


def test_inferred_events_stand_beside_the_printed_table() -> None:
    """They are for one paper only, and differ from its times in the one cell that cannot be right."""
    table = rows("patients")
    inferred = [r for r in table if r["os_event_inferred"]]
    assert {r["study"] for r in inferred} == {"Trifanescu2023"}
    assert [(r["patient"], r["os_months_inferred"]) for r in inferred if r["os_months_inferred"] != r["os_months"]] == [
        ("8", "10")
    ]
    assert sum(int(r["os_event_inferred"]) for r in inferred) == 10
    assert [r["patient"] for r in inferred if not r["pfs_event_inferred"]] == ["2"]


def test_references_are_no_web_addresses() -> None:
    """Sources are cited by DOI, PMID or registry number, never by the address of some mirror."""
    for path in SET.path.glob("*.csv"):
        assert "http" not in path.read_text(encoding="utf-8")


def test_load_gives_the_asked_frame() -> None:
    """Tables come as pandas, polars or pyarrow, cells as printed."""
    shapes = {
        type(SET.table("studies", frame=kind)).__module__.split(".")[0] for kind in ("pandas", "polars", "pyarrow")
    }
    assert shapes == {"pandas", "polars", "pyarrow"}
    assert SET["evidence"]["value"][0] == "10"


@pytest.mark.parametrize("name", ml.datasets.available())
def test_every_set_tells_where_it_comes_from(name: str) -> None:
    """Every folder has tables and a README."""
    found = ml.datasets.load(name)
    assert found.tables
    assert len(found.about) > 200
    assert Path(found.path).name == name


def test_unknown_names_list_the_choices() -> None:
    """A wrong name of a set or table says which there are."""
    with pytest.raises(OptionError, match="bcg"):
        ml.datasets.load("bgc")
    with pytest.raises(OptionError, match="evidence"):
        SET.table("evidences")
