"""Hackshaw AK, Law MR, Wald NJ. BMJ 1997;315:980-988, and its correction for publication bias.

Pooled relative risk of 37 studies: 1.24 (1.13 to 1.36). With the seven studies that trim and fill adds: 1.19 (1.08 to
1.31); Duval S. In: Rothstein HR, Sutton AJ, Borenstein M. Publication Bias in Meta-Analysis. Wiley 2005, chapter 8.
"""

from __future__ import annotations

import pytest

import metaleptic as ml
from metaleptic.errors import SuspiciousDataWarning


def test_the_published_effect_and_its_correction() -> None:
    """To the printed digits; on the side of the funnel where small studies without an effect would be."""
    table = ml.datasets.load("passive_smoking").table()
    with pytest.warns(SuspiciousDataWarning, match="Cardenas 1997"):
        effects = ml.estimates(table, estimate="rr", low="low", high="high", scale="ratio", label="Relative risk")
    fit = ml.pool(effects, tau2="DL", test="z")
    assert fit.k == 37
    assert [round(x, 2) for x in (fit.estimate.value, fit.estimate.low, fit.estimate.high)] == [1.24, 1.13, 1.36]
    corrected = ml.trim_and_fill(fit)
    now = corrected.filled.estimate
    assert corrected.missing == 7
    assert corrected.side == "left"
    assert [round(x, 2) for x in (now.value, now.low, now.high)] == [1.19, 1.08, 1.31]
    assert ml.small_study(fit).p < 0.05
