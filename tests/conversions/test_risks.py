"""Relative effects at a baseline risk, and what they mean for patients."""

import numpy as np
import pytest

import metaleptic as ml
from metaleptic import conversions as cv
from metaleptic.errors import DataError, OptionError


def test_ratios_at_a_baseline_risk() -> None:
    """Closed forms at p = 0.3, worked out in R 4.2.2 from the definitions."""
    assert cv.hazard_ratio_from_risk_ratio(0.7, 0.3) == pytest.approx(0.66088840140551297, rel=1e-12)
    assert cv.risk_from_odds_ratio(0.6, 0.3) == pytest.approx(0.20454545454545456, rel=1e-12)
    assert cv.hazard_ratio_from_odds_ratio(0.6, 0.3) == pytest.approx(0.64159699557745387, rel=1e-12)
    assert cv.risk_ratio_from_hazard_ratio(0.65, 0.3) == pytest.approx(0.68975324973994212, rel=1e-12)


def test_there_and_back_and_impossible_risks() -> None:
    """OR -> RR -> OR, HR -> RR -> HR; a risk above 1 is NaN, a baseline given in percent an error."""
    ratio = np.array([0.2, 1.0, 2.5])
    np.testing.assert_allclose(
        cv.odds_ratio_from_risk_ratio(cv.risk_ratio_from_odds_ratio(ratio, 0.3), 0.3), ratio, rtol=1e-12
    )
    np.testing.assert_allclose(
        cv.hazard_ratio_from_risk_ratio(cv.risk_ratio_from_hazard_ratio(ratio, 0.3), 0.3), ratio, rtol=1e-12
    )
    assert np.isnan(cv.risk_from_risk_ratio(4.0, 0.3))
    with pytest.raises(DataError, match=r"a fraction between 0 and 1\. Write 0\.3 for 30%"):
        cv.risk_from_odds_ratio(0.5, 30)


def test_absolute_effect_per_1000() -> None:
    """An estimate of a fit, its bounds carried over; no difference is treated for ever."""
    found = cv.absolute_effect(ml.Estimate(0.8, 0.5, 1.25), 0.2, measure="RR")
    assert (found.without, found.with_.value) == (200, pytest.approx(160))
    assert (found.difference.low, found.difference.high) == (pytest.approx(-100), pytest.approx(50))
    assert found.needed_to_treat == pytest.approx(25)
    assert repr(found).startswith("40 fewer per 1000 (100 fewer to 50 more): 160 with treatment, 200 without; 25 to be")
    assert cv.absolute_effect(1.0, 0.2, measure="OR", per=100).needed_to_treat == np.inf
    with pytest.raises(OptionError, match="no way to an absolute risk"):
        cv.absolute_effect(0.5, 0.2, measure="SMD")


def test_number_needed_to_treat_runs_through_infinity() -> None:
    """An interval that holds 0 has a needed number of harm (negative) for its far bound."""
    assert cv.number_needed_to_treat(-0.1, -0.2, 0.05) == (pytest.approx(10), pytest.approx(5), pytest.approx(-20))
    assert cv.number_needed_to_treat(0.1, 0.05, 0.2) == (pytest.approx(10), pytest.approx(5), pytest.approx(20))


def test_absolute_effect_without_numbers() -> None:
    """A missing bound leaves the interval out of the sentence; a missing estimate is an error, not 'nan more'."""
    nan = float("nan")
    assert "nan" not in str(cv.absolute_effect((0.8, nan, nan), 0.2, measure="RR"))
    with pytest.raises(DataError, match="missing"):
        cv.absolute_effect((nan, nan, nan), 0.2, measure="RR")


def test_absolute_effect_with_a_bound_that_is_open_or_too_far() -> None:
    """A bound beyond the possible is everyone or no one; an estimate beyond it is refused."""
    assert "(124 fewer to 700 more)" in str(cv.absolute_effect((0.65, 0.5, np.inf), 0.3, measure="OR"))
    assert "(150 more to 700 more)" in str(cv.absolute_effect((2, 1.5, 4), 0.3, measure="RR"))
    assert "(300 fewer to 200 more)" in str(cv.absolute_effect((-0.1, -0.4, 0.2), 0.3, measure="RD"))
    assert "(124 fewer to not given)" in str(cv.absolute_effect((0.65, 0.5, np.nan), 0.3, measure="OR"))
    with pytest.raises(DataError, match=r"RR 4 at a baseline risk of 0\.3 would be a risk outside 0 to 1"):
        cv.absolute_effect((4, 3, 5), 0.3, measure="RR")
