"""The audit speaks only of what cannot be explained by rounding, and names the place."""

from __future__ import annotations

import pytest

import metaleptic as ml
from metaleptic.auditing.rules import RULES


def one(estimate: float, low: float, high: float, p: str = "", **rest: object) -> list[str]:
    """Return the rules that speak of one hazard ratio."""
    table = {"study": ["A"], "hr": [estimate], "low": [low], "high": [high], "p": [p]}
    return [f.rule for f in ml.audit({**table, **{k: [v] for k, v in rest.items()}})]


def test_upside_down_interval_is_impossible_and_names_study_and_row() -> None:
    """A lower bound above the upper one is impossible; the message names study and row."""
    (finding,) = ml.audit(
        {"study": ["Shizuoka", "B"], "median": [99.0, 8.3], "low": [725.0, 5.7], "high": [220.0, 11.0]}
    )
    assert (finding.rule, finding.severity) == ("bounds-in-order", "impossible")
    assert "'Shizuoka' (row 1)" in finding.message
    assert finding.suggestion


def test_estimate_outside_its_interval() -> None:
    """An estimate outside its interval is impossible, one on the edge after rounding is not."""
    assert "estimate-inside-interval" in one(0.30, 0.41, 0.96)
    assert "estimate-inside-interval" not in one(0.40, 0.40, 0.96)


@pytest.mark.parametrize(
    ("p", "speaks"),
    [
        ("0.045", False),
        ("0.03", True),
        ("0.45", True),
        ("<0.05", False),
        ("<0.001", True),
        ("ns", True),
        ("", False),
        ("see text", False),
    ],
)
def test_p_against_interval(p: str, speaks: bool) -> None:
    """HR 0.198 (0.041 to 0.961) implies p 0.044 to 0.045: other p values are found, bounds and "ns" are understood."""
    assert ("p-against-interval" in one(0.198, 0.041, 0.961, p)) is speaks


def test_coarse_rounding_is_no_contradiction() -> None:
    """With one decimal almost any p fits: the audit keeps quiet."""
    assert one(0.8, 0.6, 1.1, "0.15") == []


def test_lopsided_ratio_is_suspicious() -> None:
    """An interval whose log-scale middle is far from the estimate is suspicious for ratios only."""
    assert "interval-symmetry" in one(2.344, 0.847, 7.495)
    assert not ml.audit({"study": ["A"], "median": [2.344], "low": [0.847], "high": [7.495]})


def test_counts_and_percentages() -> None:
    """More events than patients and a percentage above 100 are impossible."""
    found = ml.audit(
        {"study": ["A", "B"], "value": ["8/7", "104"], "unit": ["patients", "percent"], "events": [8, ""], "n": [7, 20]}
    )
    assert {f.rule for f in found} == {"events-within-n", "percentage-in-range"}


def test_level_is_heeded() -> None:
    """A 90% interval implies another p than a 95% one."""
    assert "p-against-interval" not in one(0.50, 0.27, 0.93, "0.066", level=0.90)
    assert "p-against-interval" in one(0.50, 0.27, 0.93, "0.066", level=0.95)


def test_worst_first_and_every_rule_has_a_source() -> None:
    """Impossible numbers come before suspicious ones; the registry is complete."""
    found = ml.audit({"study": ["A", "B"], "hr": [2.344, 0.5], "low": [0.847, 0.9], "high": [7.495, 0.4]})
    assert [f.severity for f in found] == sorted((f.severity for f in found), key=("impossible", "suspicious").index)
    assert all(rule.source and rule.title for rule in RULES.values())


def test_known_impossible_interval_of_the_bundled_evidence_is_found() -> None:
    """The interval 725.0 to 220.0 days (E052) is the one impossible number the rules can see in the evidence."""
    found = ml.audit(ml.datasets.load("intrathecal_trastuzumab")["evidence"])
    assert ["E052" in f.where for f in found if f.severity == "impossible"] == [True]
    assert len(found) < 20
