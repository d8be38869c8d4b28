"""Bartsch R et al. ESMO Open 2025;10:104092 (doi:10.1016/j.esmoop.2024.104092): response to T-DXd in active brain metastases."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.convert.intervals import clopper_pearson


def test_pooled_intracranial_response_as_printed() -> None:
    """24 of 37 patients in four cohorts: 64.9% (95% CI 47.5 to 79.8)."""
    table = ml.datasets.load("intrathecal_trastuzumab")["tdxd_intracranial_response"]
    names = table["study"] + " " + table["arm"]
    e = ml.pool(ml.proportions(table.assign(study=names)), model="pooled-counts").estimate
    assert [f"{100 * x:.1f}" for x in (e.value, e.low, e.high)] == ["64.9", "47.5", "79.8"]


@pytest.mark.parametrize(
    ("events", "n", "printed"),
    [
        (24, 37, "64.9 47.5 79.8"),
        (30, 37, "81.1 64.8 92.0"),
        (2, 4, "50.0 6.8 93.2"),
        (4, 9, "44.4 13.7 78.8"),
        (5, 7, "71.4 29.0 96.3"),
        (11, 15, "73.3 44.9 92.2"),
        (44, 59, "74.6 61.6 85.0"),
        (14, 24, "58.3 36.6 77.9"),
    ],
)
def test_exact_intervals_as_printed(events: int, n: int, printed: str) -> None:
    """Clinical benefit 30/37 and single cohorts (DEBBRAH, TUXEDO-1, pyrotinib, DESTINY-Breast01); 2/4 is printed as 6.7, truncated."""
    low, high = clopper_pearson(np.float64(events), np.float64(n), 0.95)
    assert f"{100 * events / n:.1f} {100 * float(low):.1f} {100 * float(high):.1f}" == printed


def test_single_cohorts_as_a_user_would_make_them() -> None:
    """proportions() shows the intervals printed for the cohorts of DEBBRAH, which pooling does not change."""
    found = ml.proportions({"study": ["cohort 1", "cohort 2", "cohort 5"], "events": [2, 4, 5], "n": [4, 9, 7]})
    table = found.to_frame()
    shown = [" ".join(f"{100 * table[c][i]:.1f}" for c in ("value", "low", "high")) for i in range(3)]
    assert shown == ["50.0 6.8 93.2", "44.4 13.7 78.8", "71.4 29.0 96.3"]
