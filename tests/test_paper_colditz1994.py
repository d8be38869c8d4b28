"""Colditz GA et al. Efficacy of BCG vaccine. JAMA 1994;271:698-702, abstract and Table 4: risk ratio of the 13 trials."""

from __future__ import annotations

import metaleptic as ml


def test_pooled_risk_ratio_as_printed() -> None:
    """DerSimonian-Laird with normal intervals gives the printed 0.49 (0.34 to 0.70)."""
    table = ml.datasets.load("bcg").table()
    table["n1"], table["n2"] = table["tpos"] + table["tneg"], table["cpos"] + table["cneg"]
    effects = ml.two_by_two(table, events1="tpos", n1="n1", events2="cpos", n2="n2", measure="RR")
    e = ml.pool(effects, tau2="DL", test="z").estimate
    assert [f"{x:.2f}" for x in (e.value, e.low, e.high)] == ["0.49", "0.34", "0.70"]
