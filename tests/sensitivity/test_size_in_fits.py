"""Small-study tests beside moderators and in multilevel models agree with metafor 3.8 and lm of R 4.2."""

from __future__ import annotations

import numpy as np
import pytest
from sensitivity_golden import effects_of

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError


def _moderated(**options: str) -> ml.Regression:
    return ml.pool(effects_of("bcg_RR"), moderators="~ ablat", **options)


@pytest.mark.parametrize(
    ("options", "how", "expected"),
    [
        ({"test": "z"}, {}, (-0.598950482508, 0.549205905742)),
        ({"test": "z"}, {"model": "dispersion"}, (-1.0876344078, 0.302275478144)),
        ({}, {}, (-0.511974945963, 0.619784223576)),
        ({"test": "z"}, {"predictor": "n"}, (0.782145898554, 0.434128835161)),
        ({"model": "common"}, {}, (-1.80305048779, 0.0713802859683)),
    ],
)
def test_the_regression_test_keeps_the_moderators(
    options: dict[str, str], how: dict[str, str], expected: tuple[float, float]
) -> None:
    """regtest(rma(yi, vi, mods = ~ ablat, data = dat.bcg, ...), ...): the predictor stands beside latitude."""
    found = ml.regression_test(_moderated(**options), **how)
    assert (found.statistic, found.p) == pytest.approx(expected, rel=2e-4)
    assert found.moderators == ("ablat",)
    assert "given ablat" in found.sentence
    assert ml.plot(found).layout is not None


def test_small_study_and_pet_peese_of_a_meta_regression() -> None:
    """lm(yi ~ ablat + sqrt(vi), weights = 1 / vi): the slope, and the intercept at the weighted mean of latitude."""
    fit = _moderated()
    found = ml.small_study(fit)
    assert (found.statistic, found.p) == pytest.approx((-1.0876344078, 0.302275478144), rel=1e-9)
    pet = ml.pet_peese(fit)
    assert (pet.pet_beta, pet.pet_se) == pytest.approx((-0.336707448889, 0.109132869746), rel=1e-9)
    assert "without sampling error and average ablat" in pet.sentence
    assert ml.plot(pet).layout is not None
    assert ml.small_study(fit, test="thompson-sharp").statistic == pytest.approx(-0.59895, rel=1e-4)


def test_the_rank_test_of_a_meta_regression_ranks_residuals() -> None:
    """cor.test(rstandard(rma(..., method = "FE"))$z, vi, method = "kendall"); without moderators it is Begg's test."""
    found = ml.rank_test(_moderated())
    assert found.bias / (13 * 12 / 2) == pytest.approx(-0.025641025641)
    assert found.p == pytest.approx(0.952361907961, rel=1e-9)
    e = effects_of("bcg_RR")
    plain = ml.rank_test(ml.pool(e, moderators=np.ones((13, 1))))
    assert (plain.bias, plain.p) == (ml.rank_test(e).bias, ml.rank_test(e).p)


def test_what_cannot_be_told_apart_is_said() -> None:
    """Moderators that determine the size, too many of them, tests that rank counts, counts with moderators."""
    e = effects_of("bcg_RR")
    with pytest.raises(NotEstimableError, match="moderators determine"):
        ml.regression_test(ml.pool(e, moderators={"se": np.sqrt(e.v)}))
    with (
        pytest.raises(NotEstimableError, match="too few for 3 coefficients"),
        pytest.warns(ml.errors.MetalepticWarning),
    ):
        ml.regression_test(ml.pool(e.take([0, 1, 2]), moderators="~ ablat"))
    tables = {
        "study": list("abcd"),
        "e1": [4, 6, 3, 9],
        "n1": [20, 30, 25, 40],
        "e2": [8, 9, 9, 12],
        "n2": [20, 30, 26, 40],
    }
    odds = ml.two_by_two(tables, events1="e1", n1="n1", events2="e2", n2="n2", measure="OR")
    with pytest.raises(OptionError, match="ranks event counts"), pytest.warns(ml.errors.FewStudiesWarning):
        ml.small_study(ml.pool(odds, moderators={"x": [1, 2, 4, 3]}), test="schwarzer")


def test_pet_and_peese_in_the_multilevel_model() -> None:
    """rma.mv(yi, vi, mods = ~ sqrt(vi) or ~ vi, random = ~ 1 | district/school, test = "t") on Konstantopoulos 2011."""
    schools = ml.datasets.load("school_calendars").table()
    e = ml.effects(schools["smd"], schools["v"], measure="SMD", study=schools["study"])
    fit = ml.pool_multilevel(e, random="~ 1 | district/school", data=schools)
    found = ml.pet_peese(fit)
    assert (found.pet_beta, found.pet_se, found.pet_p) == pytest.approx(
        (0.320096119278, 0.143676966195, 0.0300748105976), rel=1e-5
    )
    assert (found.peese_beta, found.peese_se, found.peese_slope) == pytest.approx(
        (0.249057507817, 0.104329039609, -2.45932119143), rel=1e-5
    )
    assert found.model == "multilevel"
    assert ml.plot(found).layout is not None
    with pytest.raises(OptionError, match="Choose one of: multilevel"):
        ml.pet_peese(fit, model="random")
    moderated = ml.pool_multilevel(e, random="~ 1 | district/school", data=schools, moderators="~ year")
    given = ml.small_study(moderated)
    assert (given.bias, given.bias_se, given.p) == pytest.approx(
        (-0.952733866883, 0.872791750314, 0.27994932754), rel=1e-5
    )
    same = ml.regression_test(moderated)
    assert (same.bias, same.p) == pytest.approx((given.bias, given.p), rel=1e-9)
