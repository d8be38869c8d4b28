"""Bootstrap of means and of every coefficient of a meta-regression, held against theory and against refits one by one."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError, SuspiciousDataWarning

Y = np.array([0.31, -0.12, 0.55, 0.08, 0.92, -0.4, 0.2, 0.47, 0.66])
V = np.array([0.04, 0.09, 0.02, 0.11, 0.06, 0.15, 0.03, 0.08, 0.05])
COLUMNS = {"x": [1, 3, 2, 7, 5, 4, 9, 6, 8], "w": [0, 1, 0, 1, 0, 1, 0, 1, 0], "g": list("aabbccabc")}
E = ml.effects(Y, V, columns=COLUMNS)


@pytest.mark.parametrize("moderators", ["~ x", "~ x + w", "~ g"])
def test_parametric_draws_of_a_common_effect_have_the_mean_and_covariance_of_theory(moderators: str) -> None:
    fit = ml.pool(E, moderators=moderators, model="common")
    found = ml.bootstrap(fit, draws=20_000, seed=1)
    error = fit.se / np.sqrt(20_000)
    assert (np.abs(found.beta_draws.mean(axis=0) - fit.beta) < 4 * error).all()
    np.testing.assert_allclose(np.cov(found.beta_draws.T), fit.cov, atol=0.04 * float(fit.se.max()) ** 2)
    assert found.names == fit.names
    assert found.tau2 == (0, 0, 0)


def test_resampled_studies_are_refitted_with_their_own_moderators() -> None:
    fit = ml.pool(E, moderators="~ x + w", tau2="DL", test="z")
    found = ml.bootstrap(fit, kind="nonparametric", draws=100, seed=3)
    drawn = np.random.default_rng(3).integers(0, 9, size=(100, 9))
    refits = []
    for rows in drawn:
        x = np.asarray(fit.design.matrix)[rows]
        if len(set(rows.tolist())) > 3 and np.linalg.matrix_rank(x) == 3:
            one = ml.pool(ml.effects(Y[rows], V[rows]), moderators=x, tau2="DL", test="z")
            refits.append([*one.beta, one.tau2, one.i2])
    ours = np.column_stack([found.beta_draws, found.tau2_draws, found.i2_draws])
    np.testing.assert_allclose(ours, refits, rtol=1e-8, atol=1e-10)
    assert found.skipped == 100 - len(refits)


def test_a_regression_on_nothing_is_the_mean() -> None:
    for kind in ("parametric", "nonparametric"):
        plain = ml.bootstrap(ml.pool(E, tau2="DL"), kind=kind, draws=500, seed=1)
        regression = ml.bootstrap(ml.pool(E, moderators="~ 1", tau2="DL"), kind=kind, draws=500, seed=1)
        np.testing.assert_allclose(regression.beta_draws[:, 0], plain.mu_draws, rtol=1e-9)
        np.testing.assert_allclose(regression.tau2_draws, plain.tau2_draws, rtol=1e-7, atol=1e-12)
        assert regression.skipped == plain.skipped


def test_the_table_holds_every_coefficient_and_the_seed_repeats_it() -> None:
    fit = ml.pool(E, moderators="~ x + w")
    first, second = (ml.bootstrap(fit, draws=200, seed=9, level=0.9) for _ in range(2))
    np.testing.assert_array_equal(first.beta_draws, second.beta_draws)
    table = first.to_frame()
    assert table["quantity"].tolist() == ["intercept", "x", "w", "tau2", "I2 (%)"]
    np.testing.assert_allclose(table["low"][:3], np.quantile(first.beta_draws, 0.05, axis=0))
    assert "w -0.4583 (90% CI" in repr(first)


def test_what_cannot_be_resampled_is_said() -> None:
    assert ml.bootstrap(ml.pool(E), kind="Non-Parametric", draws=100, seed=1).kind == "nonparametric"
    with pytest.raises(OptionError, match="Choose one of: parametric, nonparametric"):
        ml.bootstrap(ml.pool(E), kind="wild")
    with pytest.raises(OptionError, match="at least 100"):
        ml.bootstrap(ml.pool(E), draws=10)
    lonely = ml.effects(Y, V, columns={"at": list("abcdefggg")})
    with pytest.warns(SuspiciousDataWarning, match="only one study"):
        fit = ml.pool(lonely, moderators="~ at", test="z")
    with pytest.raises(NotEstimableError, match="parametric"):
        ml.bootstrap(fit, kind="nonparametric", draws=200, seed=1)
