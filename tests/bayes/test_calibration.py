"""Every exact model is calibrated: simulation-based calibration, and coverage of its intervals."""

import calibration
import numpy as np
import pytest


@pytest.mark.long
@pytest.mark.parametrize("model", calibration.MODELS)
def test_posterior_probabilities_of_the_truth_are_uniform(model):
    u = calibration.probabilities(model, 400, 20)
    for i, name in enumerate(calibration.QUANTITIES):
        assert calibration.uniformity(u[:, i]) > 0.001, name
        inside = ((u[:, i] > 0.025) & (u[:, i] < 0.975)).mean()
        assert abs(inside - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 400), name


def test_the_check_would_notice_a_posterior_that_is_too_narrow():
    u = np.random.default_rng(1).random(400)
    narrow = 1 / (1 + np.exp(-1.6 * np.log(u / (1 - u))))
    assert calibration.uniformity(u) > 0.001
    assert calibration.uniformity(narrow) < 0.001
