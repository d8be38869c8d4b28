"""PEESE is chosen only where PET leaves an effect on the side of the mean; p-uniform* without significant studies warns."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml


def test_an_effect_on_the_other_side_is_no_reason_for_peese() -> None:
    """Where the line of PET crosses to the other side, its intercept stands, however small its p."""
    se = np.linspace(0.05, 0.5, 12)
    y = 0.15 - 2.5 * se + 0.01 * np.cos(np.arange(12))
    record = ml.pet_peese(ml.effects(y, se**2, measure="HR"))
    assert record.pet_p < 0.01
    assert np.average(y, weights=1 / se**2) < 0 < record.pet_beta
    assert record.chosen == "PET"
    assert "points the other way" in record.sentence


@pytest.mark.filterwarnings("ignore::metaleptic.errors.FewStudiesWarning")
def test_p_uniform_star_without_a_significant_study_says_so() -> None:
    """The sentence itself carries the caution."""
    fit = ml.pool(ml.effects([-0.1, -0.2, 0.05, -0.15], [0.04, 0.06, 0.05, 0.07], measure="HR"))
    assert "do not rely on it" in ml.p_uniform(fit).sentence
