"""What a location-scale fit tells beside its coefficients, which test_agrees_with_r.py holds against the reference files.

Numbers: metafor 5.1-12, rma(y, v, mods=~x, scale=~x, method="ML"), its rstandard, hatvalues, weights, predict, blup, ranef, to
the digits it prints: the tolerance is half of the last one.
"""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import MetalepticWarning, NotEstimableError, OptionError
from metaleptic.pooling.location_scale_result import LocationScale

Y = [0.1, 0.2, 0.15, 0.12, 0.9, -0.6, 0.3, 1.4, -0.3, 0.05]
V = [0.01, 0.02, 0.03, 0.01, 0.02, 0.01, 0.02, 0.01, 0.02, 0.01]
X = [1, 2, 1, 2, 6, 5, 4, 7, 6, 3]
E = ml.effects(Y, V, columns={"size": X, "half": [1, 0] * 5})


def _fit(test: str = "z") -> LocationScale:
    return ml.location_scale(E, scale="~ size", moderators="~ size", tau2="ML", test=test)


def test_residuals_leverage_and_weights_are_those_of_r() -> None:
    fit = _fit()
    z = [-0.44704151543, 0.61732038588, 0.11982694688, 0.04751375336, 1.06428253318]
    hat = [0.53180390634, 0.13252887457, 0.18130676128, 0.24712110252, 0.06657206765]
    weight = [27.62521322360, 13.25288654559, 9.41820449163, 24.71210855346, 0.42158263755]
    np.testing.assert_allclose(fit.standardized_residuals[:5], z, rtol=2e-5)  # R's optimiser stops at 1e-6 or so
    np.testing.assert_allclose(fit.leverage[:5], hat, rtol=1e-6)
    np.testing.assert_allclose(fit.weights[:5], weight, rtol=1e-6)
    np.testing.assert_allclose(fit.fitted + fit.residuals, Y, rtol=1e-12)
    assert fit.leverage.sum() == pytest.approx(2, rel=1e-10)


@pytest.mark.parametrize(
    ("test", "low", "high", "new_low", "new_high"),
    [
        ("z", [0.0108, -0.2509], [0.2203, 0.3888], [-0.0148, -0.7438], [0.2459, 0.8816]),
        ("t", [-0.0077, -0.3074], [0.2388, 0.4453], [-0.0378, -0.8873], [0.2689, 1.0251]),
    ],
)
def test_predictions_widen_where_studies_differ_more(
    test: str, low: list[float], high: list[float], new_low: list[float], new_high: list[float]
) -> None:
    found = ml.predict(_fit(test), {"size": [2, 5]})
    for ours, theirs in ((found.low, low), (found.high, high), (found.new_low, new_low), (found.new_high, new_high)):
        np.testing.assert_allclose(ours, theirs, atol=5.1e-5)
    np.testing.assert_allclose(ml.predict(_fit(test)).y, _fit(test).fitted, rtol=1e-12)
    with pytest.raises(OptionError, match="name its columns"):
        ml.predict(_fit(test), [[2.0]])


def test_true_effects_are_drawn_in_by_each_study_s_own_variance() -> None:
    found = ml.shrinkage(_fit())
    np.testing.assert_allclose(found.effect[:4], [0.1301, 0.1217, 0.1313, 0.1162], atol=5.1e-5)
    np.testing.assert_allclose(found.se[4:7], [0.1395, 0.0973, 0.1196], atol=5.1e-5)
    np.testing.assert_allclose(found.deviation[4:8], [0.8216, -0.6259, 0.1328, 1.3576], atol=5.1e-5)
    np.testing.assert_allclose(found.deviation_se[:3], [0.0184, 0.0383, 0.0185], atol=5.1e-5)
    np.testing.assert_allclose(found.low[4:6], [0.6017, -0.7476], atol=5.1e-5)


def test_a_constant_spread_is_the_random_effects_model() -> None:
    for how in ("ML", "REML"):
        fit, pooled = ml.location_scale(E, scale="~ 1", tau2=how), ml.pool(E, tau2=how, test="z")
        assert fit.loglik == pytest.approx(pooled.loglik, rel=1e-9)
        assert fit.tau2[0] == pytest.approx(pooled.tau2, rel=1e-5)
        np.testing.assert_allclose(fit.weights, pooled.weights, rtol=1e-5)


def test_nested_models_are_compared_and_others_refused() -> None:
    wide, narrow = ml.location_scale(E, scale="~ size"), ml.pool(E, test="z")
    found = ml.compare(wide, narrow)
    assert found.statistic == pytest.approx(2 * (wide.loglik - narrow.loglik), rel=1e-12)
    assert found.df == 1
    assert ml.compare(narrow, wide) == found or found.p == ml.compare(narrow, wide).p
    both = ml.location_scale(E, scale="~ size + half")
    assert ml.compare(both, wide).df == 1
    with pytest.raises(OptionError, match="nested"):
        ml.compare(both, ml.location_scale(E, scale="~ I(size ** 2)"))
    with pytest.raises(OptionError, match="random-effects"):
        ml.compare(wide, ml.pool(E, model="common"))
    with pytest.raises(OptionError, match="maximum likelihood"):
        ml.compare(ml.location_scale(E, scale="~ size", moderators="~ size"), narrow)


def test_coefficients_of_the_effect_can_be_combined() -> None:
    fit = _fit()
    found = ml.contrasts(fit, [[1.0, 3.0]])
    row = np.array([1.0, 3.0])
    assert float(found.estimate[0]) == pytest.approx(float(row @ fit.location.beta), rel=1e-12)
    assert float(found.se[0]) == pytest.approx(float(np.sqrt(row @ fit.location.cov @ row)), rel=1e-12)


NINE_Y = np.array([0.31, -0.12, 0.55, 0.08, 0.92, -0.4, 0.2, 0.47, 0.66])
NINE_V = [0.04, 0.09, 0.02, 0.11, 0.06, 0.15, 0.03, 0.08, 0.05]
NINE_X, NINE_W = [1, 3, 2, 7, 5, 4, 9, 6, 8], [0, 1, 0, 1, 0, 1, 0, 1, 0]


def test_studies_that_agree_have_no_spread_to_explain() -> None:
    agreeing = ml.effects(0.05 * NINE_Y, NINE_V, columns={"x": list(range(9))})
    for how in ("ML", "REML"):
        with pytest.raises(NotEstimableError, match=r"falls to zero for some studies \(first: Study \d\)"):
            ml.location_scale(agreeing, scale="~ x", tau2=how)


@pytest.mark.parametrize("k", [3, 4])
def test_more_studies_than_coefficients_are_needed(k: int) -> None:
    few = ml.effects(NINE_Y[:k], NINE_V[:k], columns={"x": NINE_X[:k], "w": NINE_W[:k]})
    with pytest.raises(NotEstimableError, match=rf"{k} studies for 4 coefficients .* at least 5 studies"):
        ml.location_scale(few, scale="~ x", moderators="~ w")


def test_a_maximum_below_an_endless_rise_is_given_with_a_warning() -> None:
    """Metafor 5.0.1, rma(y, v, mods = ~w, scale = ~x): alpha -5.1965, 0.2672, restricted log-likelihood -1.58841."""
    nine = ml.effects(NINE_Y, NINE_V, columns={"x": NINE_X, "w": NINE_W})
    with pytest.warns(MetalepticWarning, match=r"first: Study 1\): log-likelihood -1.543 against -1.588"):
        fit = ml.location_scale(nine, scale="~ x", moderators="~ w")
    np.testing.assert_allclose(fit.scale.beta, [-5.19649861, 0.26720777], rtol=1e-4)
    np.testing.assert_allclose(fit.scale.se, [4.8398, 0.5912], rtol=1e-4)
    np.testing.assert_allclose(fit.location.beta, [0.5138, -0.4718], atol=5.1e-5)
    assert fit.loglik == pytest.approx(-1.5884068, abs=5e-8)
    assert len(fit.notes) == 1
