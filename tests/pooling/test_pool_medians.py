"""Medians pooled as medians."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.errors import DataError, OptionError
from metaleptic.pooling.medians import exact_ranks, weighted_quantile

GOLDEN = json.loads((Path(__file__).parent / "golden" / "medians.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GOLDEN["pool_med"], ids=lambda c: f"{c['method']}, {c['interval']}")
def test_medians_of_medians_agree_with_metamedian(case: dict) -> None:
    """pool.med on the ages of 51 groups, to the last digit, with the coverage of exact intervals."""
    y, n = GOLDEN["age"]["yi"], GOLDEN["age"]["wi"]
    found = ml.pool_medians(y, n, method=case["method"], interval=case["interval"])
    value = (found.estimate.value, found.estimate.low, found.estimate.high, found.coverage)
    assert value == pytest.approx(tuple(case["expected"]), rel=1e-12)


def test_confidence_distributions_agree_with_metamedian() -> None:
    """cd(): medians with quartiles, or means with SDs, row by row; pooled with jackknife SE."""
    e = ml.medians(GOLDEN["cd"]["data"], density="spacing")
    expected = GOLDEN["cd"]["expected"]
    assert e.v == pytest.approx(expected["vi"], rel=1e-12)
    assert {h.split(",")[0] for h in e.how} == {"median", "mean in place of the median"}
    found = ml.pool_medians(e)
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == pytest.approx(
        (expected["pooled.est"], expected["ci.lb"], expected["ci.ub"]), rel=1e-10
    )
    assert found.se**2 == pytest.approx(expected["pooled.est.var"], rel=1e-10)
    assert found.tau2 == pytest.approx(expected["tausq.est"], rel=1e-10)
    assert "jackknife" in repr(found)


def test_weights_are_repeats() -> None:
    """A study of weight 3 counts as three: quantiles equal those of the repeated values."""
    y, w = np.array([5.0, 1.0, 9.0, 4.0]), np.array([1, 3, 2, 4])
    p = np.array([0, 0.1, 0.37, 0.5, 0.8, 1.0])
    assert weighted_quantile(y, w, p) == pytest.approx(np.quantile(np.repeat(y, w), p), rel=1e-12)


@pytest.mark.parametrize("k", [2, 5, 6, 30, 51])
def test_exact_intervals_cover(k: int) -> None:
    """The chance that the median lies between the two ranks, from the binomial; at least 95% where k allows."""
    low, high, coverage = exact_ranks(k, 0.95)
    assert coverage == pytest.approx(stats.binom.cdf(high - 1, k, 0.5) - stats.binom.cdf(low - 1, k, 0.5), abs=1e-12)
    assert coverage >= 0.95 or low == 1


def test_slips_are_refused() -> None:
    """Too few medians, none for a study, weights missing, a name that is none."""
    with pytest.raises(DataError, match="at least two medians"):
        ml.pool_medians([5.0])
    with pytest.raises(DataError, match="at least two medians, all of them numbers"):
        ml.pool_medians([5.0, np.nan])
    with pytest.raises(DataError, match="needs the number of patients of every study"):
        ml.pool_medians([5.0, 6.0], [10, 0])
    with pytest.raises(DataError, match=r"make effects with ml\.medians first"):
        ml.pool_medians([5.0, 6.0], method="confidence-distribution")
    with pytest.raises(OptionError, match="Choose one of: median-of-medians"):
        ml.pool_medians([5.0, 6.0], method="mean")
    with pytest.raises(OptionError, match='Choose "normal" or "exact"'):
        ml.pool_medians([5.0, 6.0], interval="t")
