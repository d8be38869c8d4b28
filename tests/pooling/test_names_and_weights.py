"""Options by the names of other programs; weights of the caller's own with moderators; the common effect by Hartung-Knapp.

Numbers: metafor 5.0.1, rma(y, v, mods = ~x, weights = 1 / v^0.7, method, test) with threshold 1e-13, and rma(method = "EE",
test = "knha").
"""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError

Y = np.array([0.31, -0.12, 0.55, 0.08, 0.92, -0.4, 0.2, 0.47, 0.66])
V = np.array([0.04, 0.09, 0.02, 0.11, 0.06, 0.15, 0.03, 0.08, 0.05])
E = ml.effects(Y, V, columns={"x": [1, 3, 2, 7, 5, 4, 9, 6, 8], "g": list("aabbccabc")})
FROM_R = {  # se, tau2, its se, I2, log-likelihood, p
    ("z", "REML"): (
        (0.265592212825, 0.0464859013961),
        (0.0848686212361, 0.0788804926475, 59.9476856706, -3.75026205519),
        (0.153130382613, 0.977050713395),
    ),
    ("knapp-hartung", "GENQ"): (
        (0.278814319826, 0.0487867398351),
        (0.089146845254, 0.08152517434, 61.1225469791, -3.62749070979),
        (0.21575916969, 0.97889781536),
    ),
    ("t", "DL"): (
        (0.258155386187, 0.0452047733015),
        (0.0784133912584, 0.0756209163155, 58.034166363, -3.54144428581),
        (0.185098028214, 0.977226242971),
    ),
}


@pytest.mark.parametrize(("test", "tau2"), list(FROM_R))
def test_given_weights_with_moderators_are_those_of_r(test: str, tau2: str) -> None:
    se, numbers, p = FROM_R[test, tau2]
    fit = ml.pool(E, moderators="~ x", tau2=tau2, test=test, weights=1 / V**0.7)
    np.testing.assert_allclose(fit.beta, [0.37941473961, -0.00133724283446], rtol=1e-9)
    np.testing.assert_allclose(fit.se, se, rtol=1e-7)
    np.testing.assert_allclose((fit.tau2, fit.tau2_se, fit.i2, fit.loglik), numbers, rtol=1e-7)
    np.testing.assert_allclose(fit.p, p, rtol=1e-7)
    np.testing.assert_allclose(fit.leverage[:2], [0.365019531361, 0.105204429659], rtol=1e-9)
    assert fit.leverage.sum() == pytest.approx(2)
    assert fit.provenance.call.endswith("weights=weights)")
    assert "weights given by the caller" in fit.notes[-1]


def test_a_common_effect_with_given_weights_and_moderators() -> None:
    fit = ml.pool(E, moderators="~ x", model="common", weights=1 / V**0.7)
    np.testing.assert_allclose(fit.se, [0.139033668135, 0.0248306795625], rtol=1e-9)
    assert (fit.tau2, fit.tau2_method) == (0, "")
    usual = ml.pool(E, moderators="~ x", model="common", weights=1 / V)
    np.testing.assert_allclose(usual.cov, ml.pool(E, moderators="~ x", model="common").cov, rtol=1e-9)


def test_weights_without_moderators_are_a_regression_on_nothing() -> None:
    for tau2 in ("GENQ", "GENQM", "REML"):
        plain, regression = (ml.pool(E, tau2=tau2, weights=1 / V, **m) for m in ({}, {"moderators": "~ 1"}))
        assert float(regression.beta[0]) == pytest.approx(float(plain.beta[0]), rel=1e-12)
        assert float(regression.se[0]) == pytest.approx(float(plain.se[0]), rel=1e-9)
        assert regression.tau2 == pytest.approx(plain.tau2, rel=1e-9)
        assert regression.tau2_se == pytest.approx(plain.tau2_se, rel=1e-9, nan_ok=True)


def test_what_follows_a_fit_with_given_weights() -> None:
    fit = ml.pool(E, moderators="~ x", tau2="GENQ", weights=1 / V)
    row = np.array([1.0, 3.0])
    assert float(ml.predict(fit, {"x": [3]}).se[0]) == pytest.approx(float(np.sqrt(row @ fit.cov @ row)))
    assert "generalised Q" in ml.methods_sentence(fit).text
    for other in (fit, ml.pool(E, tau2="GENQ", weights=1 / V)):
        with pytest.raises(OptionError, match=r'method="generalised-Q", weights=1 / effects.v'):
            ml.tau2_interval(other)
    with pytest.raises(OptionError, match="weights 1 / "):
        ml.bootstrap(fit)
    with pytest.raises(OptionError, match="needs weights"):
        ml.pool(E, moderators="~ x", tau2="GENQ")
    with pytest.raises(DataError, match="weights for 9 studies"):
        ml.pool(E, moderators="~ x", weights=[1, 2])


def test_hartung_knapp_of_a_common_effect_is_that_of_r() -> None:
    fit = ml.pool(E, model="common", test="knapp-hartung")
    w = 1 / V
    factor = float((w * (Y - fit.beta[0]) ** 2).sum() / 8)
    assert float(fit.se[0]) == pytest.approx(np.sqrt(factor / w.sum()), rel=1e-12)
    assert fit.df == 8
    assert ml.pool(E, model="common").test == "z"
    regression = ml.pool(E, moderators="~ x", model="common", test="knha")
    np.testing.assert_allclose(regression.p, REGRESSION_P, rtol=1e-9)


REGRESSION_P = (0.0804303787284, 0.843581276962)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("fixed", "common"),
        ("Fixed-Effects", "common"),
        ("FE", "common"),
        ("EE", "common"),
        ("common-effect", "common"),
        ("RE", "random"),
    ],
)
def test_models_have_the_names_of_other_programs(name: str, key: str) -> None:
    fit = ml.pool(E, model=name)
    assert fit.model == key
    assert f'model="{key}"' in fit.provenance.call


def test_mantel_haenszel_is_mh() -> None:
    table = {"study": list("ab"), "x1": [4, 6], "n1": [20, 30], "x2": [8, 9], "n2": [22, 31]}
    e = ml.two_by_two(table, events1="x1", n1="n1", events2="x2", n2="n2", measure="OR")
    assert ml.pool(e, model="MH").model == "mantel-haenszel"
    assert ml.pool(e, model="CM.EL", tau2=0).model == "conditional-exact"


@pytest.mark.parametrize(
    ("name", "key"), [("dl", "DL"), ("reml", "REML"), ("hsk", "HSk"), ("Paule-Mandel", "PM"), ("0.1", "0.1")]
)
def test_estimators_are_known_in_any_case(name: str, key: str) -> None:
    assert ml.pool(E, tau2=name).tau2_method == key
    assert ml.pool(E, moderators="~ x", tau2=name).tau2_method == key


def test_unknown_names_list_the_canonical_ones() -> None:
    with pytest.raises(OptionError, match="PMM, GENQ, GENQM, a number from 0 up"):
        ml.pool(E, tau2="foo")
    with pytest.raises(OptionError, match=r'Did you mean "mantel-haenszel"\? Choose one of: random, common'):
        ml.pool(E, model="mantel-hanszel")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("QP", "Q-profile"),
        ("PL", "profile-likelihood"),
        ("HT", "test-based"),
        ("BJ", "Biggerstaff-Jackson"),
        ("wald", "Wald"),
    ],
)
def test_intervals_for_tau2_have_the_names_of_other_programs(name: str, key: str) -> None:
    fit = ml.pool(E)
    assert ml.tau2_interval(fit, method=name) == ml.tau2_interval(fit, method=key)


def test_generalised_q_is_genq() -> None:
    assert ml.tau2_interval(ml.pool(E), method="GENQ", weights=1 / V).method == "generalised-Q"


def test_prediction_intervals_that_draw_numbers_repeat_and_say_their_seed() -> None:
    one, two, other = (ml.pool(E, prediction=m, seed=s) for m, s in (("NNF", 1), ("nagashima", 1), ("NNF", 2)))
    assert one.prediction == two.prediction == ml.pool(E, prediction="NNF").prediction
    assert one.prediction != other.prediction
    assert (one.provenance.seed, other.provenance.seed) == (1, 2)
    assert one.provenance.call.endswith('prediction="NNF", seed=1)')
    assert ml.pool(E, prediction="hts").provenance.call.endswith('prediction="HTS")')
    assert ml.pool(E, prediction="HTS").provenance.seed is None


def test_pooled_medians_by_other_names_and_with_numbers_that_match() -> None:
    with pytest.raises(DataError, match="3 medians and 2 numbers of patients"):
        ml.pool_medians([6, 7.5, 5], n=[50, 35])
    table = {"study": list("abc"), "median": [6, 7.5, 5], "q1": [4, 5, 3.5], "q3": [9, 11, 7], "n": [50, 35, 60]}
    e = ml.medians(table)
    assert ml.pool_medians(e, method="cd").estimate == ml.pool_medians(e).estimate
    found, usual = ml.pool_medians(e, method="quantile-estimation"), ml.pool(e, test="z")
    assert found.estimate == usual.estimate
    assert found.tau2 == usual.tau2
    with pytest.raises(DataError, match=r"ml\.medians"):
        ml.pool_medians([6, 7.5, 5], method="qe")
