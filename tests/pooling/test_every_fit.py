"""What every fit answers: criteria, residuals, predictions of models in closed form; collinearity and its measures."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, NotEstimableError, OptionError, SuspiciousDataWarning

Y = np.array([0.31, -0.12, 0.55, 0.08, 0.92, -0.4, 0.2, 0.47, 0.66])
V = np.array([0.04, 0.09, 0.02, 0.11, 0.06, 0.15, 0.03, 0.08, 0.05])
X = [1, 3, 2, 7, 5, 4, 9, 6, 8]
E = ml.effects(
    Y,
    V,
    columns={
        "x": X,
        "near": [x + 1e-8 * (i % 3) for i, x in enumerate(X)],
        "close": [x + 4e-7 * (i % 3) for i, x in enumerate(X)],
        "g": list("aabbccabc"),
    },
)
TABLE = {"study": list("abcd"), "x1": [4, 6, 3, 9], "n1": [20, 30, 25, 40], "x2": [8, 9, 7, 12], "n2": [22, 31, 28, 41]}
TWO = ml.two_by_two(TABLE, events1="x1", n1="n1", events2="x2", n2="n2", measure="OR")
ONE = ml.proportions(TABLE, events="x1", n="n1")


def test_criteria_are_properties_of_every_fit() -> None:
    for fit in (ml.pool(E), ml.pool(E, moderators="~ x"), ml.location_scale(E, scale="~ x")):
        assert (fit.aic, fit.aicc, fit.bic) == (fit.criteria.aic, fit.criteria.aicc, fit.criteria.bic)


def test_a_location_scale_fit_has_the_coefficients_of_the_effect_as_others_have() -> None:
    fit = ml.location_scale(E, scale="~ x", moderators="~ 1")
    assert fit.names == ("intercept",)
    for mine, part in (
        (fit.beta, fit.location.beta),
        (fit.se, fit.location.se),
        (fit.cov, fit.location.cov),
        (fit.p, fit.location.p),
    ):
        np.testing.assert_array_equal(mine, part)


def test_residuals_of_a_mean_are_those_of_a_regression_on_nothing() -> None:
    mean, regression = ml.pool(E), ml.pool(E, moderators="~ 1")
    np.testing.assert_allclose(mean.residuals, regression.residuals, rtol=1e-9)
    np.testing.assert_allclose(mean.fitted, regression.fitted, rtol=1e-9)


@pytest.mark.parametrize(
    ("effects", "model"),
    [
        (E, "random"),
        (E, "common"),
        (TWO, "mantel-haenszel"),
        (TWO, "peto"),
        (TWO, "conditional-exact"),
        (ONE, "binomial-normal"),
        (ONE, "beta-binomial"),
        (ONE, "pooled-counts"),
    ],
)
def test_the_prediction_of_a_mean_is_one_row_with_its_intervals(effects: ml.Effects, model: str) -> None:
    fit = ml.pool(effects, model=model)
    found = ml.predict(fit)
    table = found.to_frame()
    assert table["label"].tolist() == ["pooled effect"]
    row = table.iloc[0]
    assert (row["value"], row["low"], row["high"]) == pytest.approx(
        (fit.estimate.value, fit.estimate.low, fit.estimate.high), rel=1e-9
    )
    if fit.prediction is None:
        assert np.isnan(row["prediction_low"])
    else:
        assert (row["prediction_low"], row["prediction_high"]) == pytest.approx(
            (fit.prediction.low, fit.prediction.high), rel=1e-9
        )
    assert np.isfinite(fit.residuals).all()


def test_intervals_that_have_no_standard_error_keep_the_level_of_the_fit() -> None:
    with pytest.raises(OptionError, match=r"ml\.pool\(level=0\.9\)"):
        ml.predict(ml.pool(ONE, model="beta-binomial"), level=0.9)
    assert ml.predict(ml.pool(TWO, model="peto"), level=0.9).level == 0.9


def test_moderators_that_almost_follow_from_each_other_are_named() -> None:
    with pytest.warns(SuspiciousDataWarning, match=r"columns 'x', 'near' almost follow from each other"):
        ml.pool(E, moderators="~ x + near")
    with pytest.warns(SuspiciousDataWarning, match=r"columns 'x', 'close' almost follow from each other"):
        ml.pool_multilevel(E, moderators="~ x + close", random=None)
    with (
        pytest.warns(SuspiciousDataWarning, match="almost follow"),
        pytest.raises(NotEstimableError, match="lost in rounding"),
    ):
        ml.pool_multilevel(E, moderators="~ x + near", random="~ 1 | study")
    with pytest.warns(SuspiciousDataWarning, match=r"columns 'x', 'close' almost follow from each other"):
        ml.location_scale(E, moderators="~ x + close", scale="~ 1")
    ml.pool(E, moderators={"year": [2001 + i for i in X]})  # far from 0, but told apart well: no warning


def test_inflation_of_a_factor_is_generalised_and_tabled() -> None:
    """Fox and Monette: det(R11) det(R22) / det(R); with two terms both have the same."""
    found = ml.vif(ml.pool(E, moderators="~ x + g"))
    table = found.to_frame()
    assert table["term"].tolist() == ["x", "g"]
    assert table["df"].tolist() == [1, 2]
    assert found.terms["x"] == pytest.approx(found.terms["g"])
    assert found.terms["x"] == pytest.approx(found.coefficients["x"])
    assert found.per_df("g") == pytest.approx(found.terms["g"] ** 0.25)
    assert "g (2 columns): generalised VIF" in repr(found)


def test_two_groupings_in_one_term_are_written_as_two_terms() -> None:
    with pytest.raises(OptionError, match=r"random=\['~ 1 \| g', '~ 1 \| x'\]"):
        ml.pool_multilevel(E, random="~ 1 | g + x")


def test_a_robust_fit_has_its_methods_sentence() -> None:
    fit = ml.robust(ml.pool(E, moderators="~ x"), cluster="g", test="t")
    found = ml.methods_sentence(fit)
    assert found.text.startswith("Effects of 9 studies were regressed on x (mixed effects: REML")
    assert "robust to dependence within 3 clusters" in found.text
    assert found.text.endswith("[1].")
    assert len(found.sources) == 1


def test_slips_of_those_who_come_from_r_are_answered() -> None:
    many = ml.pool_multilevel(E, random="~ 1 | g", test="z")
    for call, answer in (
        (lambda: ml.pool(E, tau2="EE"), 'model="common"'),
        (lambda: ml.pool(E, moderators="~ factor(g)"), r"write C\(x\)"),
        (lambda: ml.pool(E, moderators="~ relevel(g, ref='b')"), r"contr\.treatment"),
        (lambda: ml.tau2_interval(many), r"ml\.profile_interval"),
        (lambda: ml.permutation_test(many), r"ml\.robust"),
    ):
        with pytest.raises(OptionError, match=answer):
            call()
    with pytest.raises(DataError, match=r"Powers are written x\*\*2"):
        ml.pool(E, moderators="~ x + I(x^2)")
    with pytest.raises(AttributeError, match=r"What R calls blup\(\) is ml\.shrinkage here"):
        _ = ml.blup


def test_a_grouping_that_the_moderators_explain_is_named() -> None:
    with pytest.warns(SuspiciousDataWarning, match="every level of 'g' a mean of its own"):
        ml.pool_multilevel(E, random=["~ 1 | study", "~ 1 | g"], moderators="~ g")
    ml.pool_multilevel(E, random=["~ 1 | study", "~ 1 | g"], moderators="~ x")
