"""Allowances for bias: shifted, widened, and said so."""

import numpy as np
import pytest

import metaleptic as ml

EFFECTS = ml.effects(
    [-0.5, -0.2, -0.3], [0.04, 0.02, 0.05], columns={"design": ["registry", "trial", "registry"]}, measure="HR"
)


def test_the_posterior_is_that_of_the_model_with_random_biases():
    """Y ~ N(theta + b, v), b ~ N(0.1, 0.2^2): draws of b averaged over give the same likelihood."""
    adjusted = ml.adjust_for_bias(EFFECTS, {"registry": (-0.1, 0.2), "trial": (0, 0)}, by="design")
    draws = np.random.default_rng(1).normal(-0.1, 0.2, 400_000)
    theta = -0.35
    direct = np.exp(-0.5 * (EFFECTS.y[0] - theta - draws) ** 2 / 0.04).mean() / np.sqrt(0.04)
    ours = np.exp(-0.5 * (adjusted.y[0] - theta) ** 2 / adjusted.v[0]) / np.sqrt(adjusted.v[0])
    assert ours == pytest.approx(direct, rel=0.01)
    assert adjusted.y[1] == EFFECTS.y[1]
    assert adjusted.how[0].endswith("minus a bias of -0.1 (sd 0.2)")
    assert adjusted.how[1] == EFFECTS.how[1]
    before, after = ml.pool_bayes(EFFECTS), ml.pool_bayes(adjusted)
    assert after.weights[1] > before.weights[1]


def test_one_allowance_per_study_or_by_name():
    a = ml.adjust_for_bias(EFFECTS, [(0.1, 0), (0, 0.3), (0, 0)])
    b = ml.adjust_for_bias(EFFECTS, {"Study 1": (0.1, 0), "Study 2": (0, 0.3), "Study 3": (0, 0)})
    assert a.y.tolist() == b.y.tolist() == pytest.approx([-0.6, -0.2, -0.3])
    assert a.v.tolist() == pytest.approx([0.04, 0.11, 0.05])


def test_no_bias_changes_nothing():
    same = ml.adjust_for_bias(EFFECTS, [(0, 0)] * 3)
    assert same.how == EFFECTS.how
    assert ml.pool(same).estimate == ml.pool(EFFECTS).estimate
    assert ml.forest(ml.pool_bayes(ml.adjust_for_bias(EFFECTS, [(0, 0.5)] * 3))).alt


def test_bad_allowances():
    with pytest.raises(ml.errors.DataError, match=r"study 'Study 2' \(row 2\): there is no allowance for 'trial'"):
        ml.adjust_for_bias(EFFECTS, {"registry": (0, 1)}, by="design")
    with pytest.raises(ml.errors.DataError, match="sd not below 0"):
        ml.adjust_for_bias(EFFECTS, [(0, 0), (0, -1), (0, 0)])
    with pytest.raises(ml.errors.DataError, match="3 studies and 1 allowances"):
        ml.adjust_for_bias(EFFECTS, [(0, 0)])
    with pytest.raises(ml.errors.OptionError, match="no column 'quality'"):
        ml.adjust_for_bias(EFFECTS, {}, by="quality")
