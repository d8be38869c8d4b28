"""The choices among overlapping cohorts are drawn as a forest, a row per choice."""

from __future__ import annotations

import pytest

import metaleptic as ml


def test_a_row_per_choice() -> None:
    """Rows name the cohorts taken and show the numbers of the record."""
    groups = {"overlap_group": ["registry", "registry", "", ""]}
    e = ml.effects([-0.5, -0.2, -0.4, -0.3], [0.04] * 4, study=list("ABCD"), measure="HR", columns=groups)
    record = ml.overlap_choices(ml.pool(e))
    rows = [r for r in ml.plot(record).layout.rows if r.label.startswith("With")]
    assert [r.label for r in rows] == ["With A", "With B"]
    assert [r.value for r in rows] == pytest.approx(record.value)
    assert [r.low for r in rows] == pytest.approx(record.low)
