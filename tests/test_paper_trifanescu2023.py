"""Trifanescu 2023 (Cancers 15:2508): 14 patients, Table 1 against section 3.6, who was censored not printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import metaleptic as ml

INFERRED = json.loads((Path(__file__).parent / "survival" / "golden" / "survival.json").read_text(encoding="utf-8"))[
    "trifanescu"
]["data"]
DRUG = "systemic_therapy="
OS = {
    "all": ml.Published(median=10, rates={12: "0.38", 24: "0.16"}),
    "IT": ml.Published(n=7, median=22, rates={12: "0.64"}),
    "SOC": ml.Published(n=7, median=8, rates={12: "0.16"}),
    f"{DRUG}TDM-1": ml.Published(median=8),
    f"{DRUG}Lapatinib-Capecitabine": ml.Published(median=10),
    f"{DRUG}Pertuzumab-Trastuzumab": ml.Published(median=10),
    f"{DRUG}Tucatinib-Capecitabine-Trastuzumab": ml.Published(median=float("inf")),
}
PFS = {
    "all": ml.Published(median=6, rates={12: "0.32", 24: "0.10"}),
    "IT": ml.Published(n=7, median=15, rates={12: "0.56"}),
    "SOC": ml.Published(n=7, median=6, rates={12: "0.16"}),
    f"{DRUG}TDM-1": ml.Published(median=4),
    f"{DRUG}Lapatinib-Capecitabine": ml.Published(median=8),
    f"{DRUG}Pertuzumab-Trastuzumab": ml.Published(median=6),
    f"{DRUG}Tucatinib-Capecitabine-Trastuzumab": ml.Published(median=18),
}


@pytest.fixture(scope="module")
def table() -> Any:
    patients = ml.datasets.load("intrathecal_trastuzumab").table("patients")
    return patients[patients["study"] == "Trifanescu2023"]


@pytest.fixture(scope="module")
def overall(table: Any) -> ml.TableReconstruction:
    with pytest.warns(ml.errors.SuspiciousDataWarning, match="patient '8': column 'os_months' prints 6; 10 would"):
        return ml.reconstruct_table(
            table,
            OS,
            contrasts=[ml.Contrast("IT", "SOC", hr="0.198", low="0.041", high="0.961", p="0.045")],
            means={"IT": "13.7", "SOC": "9.3"},
            time="os_months",
            at_least="pfs_months",
        )


def test_as_printed_no_assignment_reproduces_survival(overall: ml.TableReconstruction) -> None:
    assert overall.complete
    assert not overall.consistent
    best = {c.fact: c.agrees for c in overall.assignments[0].checks}
    assert best["IT versus SOC: hazard ratio"] == "no"
    assert overall.contradictions == ("SOC: mean of the times 9.3 (the times give 8.714)", "patient 8: 6 is before 8")


def test_one_cell_changed_gives_one_assignment(overall: ml.TableReconstruction) -> None:
    assert [(r.patient, r.column, r.printed, r.value) for r in overall.repairs] == [("8", "os_months", 6.0, 10.0)]
    repair = overall.repairs[0]
    assert repair.restores == overall.contradictions
    assert [a.event for a in repair.assignments] == [tuple(INFERRED["os_event"])]
    best = repair.assignments[0]
    assert (best.ties, best.rule, best.reproduced, best.printed) == ("breslow", "midpoint", 12, 15)
    values = {c.fact: (c.value, c.agrees) for c in best.checks}
    assert values["IT versus SOC: hazard ratio"] == ("0.1976 (0.0406 to 0.9615)", "rounded")
    medians = [c for c in best.checks if c.fact.endswith("median")]
    assert len(medians) == 7
    assert {c.agrees for c in medians} == {"rounded"}
    np.testing.assert_array_equal(overall.ipd.time, INFERRED["os"])


def test_the_data_hold_what_is_inferred(overall: ml.TableReconstruction, table: Any) -> None:
    assert tuple(int(e) for e in table["os_event_inferred"]) == overall.best.event
    assert tuple(float(t) for t in table["os_months_inferred"]) == tuple(overall.ipd.time)


def test_rates_that_no_such_assignment_reaches(overall: ml.TableReconstruction) -> None:
    missed = {u.fact: u for u in overall.unreachable}
    assert set(missed) == {"all: rate at 12", "all: rate at 24", "SOC: rate at 12"}
    assert missed["SOC: rate at 12"].value == "0.1429"
    assert any("hazard ratio" in a for a in missed["SOC: rate at 12"].against)


def test_progression_has_two_assignments(table: Any) -> None:
    rec = ml.reconstruct_table(
        table,
        PFS,
        contrasts=[ml.Contrast("IT", "SOC", hr="0.38", low="0.09", high="1.531")],
        means={"IT": "10.6", "SOC": "6.6"},
        time="pfs_months",
        at_most="os_months",
    )
    found = [a.event for a in rec.assignments]
    assert tuple(INFERRED["pfs_event"]) == found[0]
    assert len(found) == 2
    hr = next(c for c in rec.assignments[0].checks if c.fact.endswith("hazard ratio"))
    assert (hr.value, hr.agrees) == ("0.3862 (0.09744 to 1.531)", "truncated")
    missed = {u.fact: u.alone for u in rec.unreachable}
    assert missed["IT: rate at 12"] is False
    assert missed["SOC: rate at 12"] is False
    assert not rec.repairs
