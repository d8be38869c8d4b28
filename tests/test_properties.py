"""Invariants that hold for every meta-analysis."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special

import metaleptic as ml
from metaleptic.errors import FewStudiesWarning
from metaleptic.pooling.heterogeneity import TAU2

Array = NDArray[np.float64]
OPTIONS = [("random", "REML"), ("random", "DL"), ("random", "PM"), ("random", "ML"), ("common", "REML")]


@st.composite
def studies(draw: st.DrawFn) -> tuple[Array, Array]:
    """Draw 3 to 12 effects with their variances."""
    k = draw(st.integers(3, 12))
    seed = draw(st.integers(0, 2**32 - 1))
    spread = draw(st.sampled_from([0.0, 0.1, 1.0]))
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.01, 1.0, k)
    return rng.normal(0, np.sqrt(v + spread)), v


def fit(y: Array, v: Array, model: str, tau2: str, measure: str | None = None) -> ml.Pooled:
    """Pool without the warning for few studies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewStudiesWarning)
        return ml.pool(ml.effects(y, v, measure=measure), model=model, tau2=tau2)


@pytest.mark.parametrize(("model", "tau2"), OPTIONS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=studies(), shift=st.floats(-50, 50))
def test_shift(model: str, tau2: str, data: tuple[Array, Array], shift: float) -> None:
    """Adding a constant to every effect adds it to the mean and changes no variance."""
    a, b = fit(*data, model, tau2), fit(data[0] + shift, data[1], model, tau2)
    assert b.beta[0] == pytest.approx(a.beta[0] + shift, abs=1e-7)
    assert b.tau2 == pytest.approx(a.tau2, rel=1e-6, abs=1e-9)
    assert b.q == pytest.approx(a.q, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("model", "tau2"), OPTIONS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=studies(), factor=st.floats(0.01, 100))
def test_scale(model: str, tau2: str, data: tuple[Array, Array], factor: float) -> None:
    """Measuring in other units scales mean and SE, tau2 by the square; I2, Q and weights stay."""
    a, b = fit(*data, model, tau2), fit(data[0] * factor, data[1] * factor**2, model, tau2)
    assert b.beta[0] == pytest.approx(a.beta[0] * factor, rel=1e-7, abs=1e-9 * factor)
    assert b.se[0] == pytest.approx(a.se[0] * factor, rel=1e-7)
    assert b.tau2 == pytest.approx(a.tau2 * factor**2, rel=1e-6, abs=1e-10 * factor**2)
    assert b.i2 == pytest.approx(a.i2, rel=1e-6, abs=1e-6)
    assert np.allclose(b.weights, a.weights, rtol=1e-7)


@pytest.mark.parametrize(("model", "tau2"), OPTIONS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=studies(), seed=st.integers(0, 999))
def test_order_of_studies_does_not_matter(model: str, tau2: str, data: tuple[Array, Array], seed: int) -> None:
    """Studies may come in any order."""
    order = np.random.default_rng(seed).permutation(len(data[0]))
    a, b = fit(*data, model, tau2), fit(data[0][order], data[1][order], model, tau2)
    assert b.beta[0] == pytest.approx(a.beta[0], rel=1e-9, abs=1e-11)
    assert np.allclose(b.weights, a.weights[order], rtol=1e-8)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=studies())
def test_turning_the_ratio_round(data: tuple[Array, Array]) -> None:
    """The hazard ratio of B against A is one over that of A against B, bounds swapped."""
    a, b = fit(*data, "random", "REML", "HR"), fit(-data[0], data[1], "random", "REML", "HR")
    assert b.estimate.value == pytest.approx(1 / a.estimate.value, rel=1e-9)
    assert b.estimate.low == pytest.approx(1 / a.estimate.high, rel=1e-9)
    assert b.p == pytest.approx(a.p, rel=1e-8)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=studies())
def test_splitting_a_study_in_two_halves_changes_nothing_under_a_common_effect(data: tuple[Array, Array]) -> None:
    """Two copies with twice the variance carry the information of one."""
    y, v = data
    a = fit(y, v, "common", "REML")
    b = fit(np.append(y, y[0]), np.append(v, 2 * v[0]) * np.where(np.arange(len(y) + 1) == 0, 2, 1), "common", "REML")
    assert b.beta[0] == pytest.approx(a.beta[0], rel=1e-10, abs=1e-12)
    assert b.se[0] == pytest.approx(a.se[0], rel=1e-10)
    assert b.q == pytest.approx(a.q, rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=studies())
def test_ranges(data: tuple[Array, Array]) -> None:
    """tau2 and I2 are never negative, I2 is below 100, the mean lies among the effects, prediction holds the interval."""
    a = fit(*data, "random", "REML")
    assert a.tau2 >= 0
    assert 0 <= a.i2 < 100
    assert data[0].min() - 1e-9 <= a.beta[0] <= data[0].max() + 1e-9
    assert a.prediction is not None
    assert a.prediction.low <= a.estimate.low + 1e-12
    assert a.prediction.high >= a.estimate.high - 1e-12


@settings(max_examples=30, deadline=None, derandomize=True)
@given(hr=st.floats(0.05, 20), se=st.floats(0.02, 1.5), level=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_a_printed_interval_gives_back_its_standard_error(hr: float, se: float, level: float) -> None:
    """Print a hazard ratio with its interval, read it again: the same effect and SE."""
    z = {0.8: 1.2815515655446004, 0.9: 1.6448536269514722, 0.95: 1.959963984540054, 0.99: 2.5758293035489004}[level]
    table = {"study": ["A"], "hr": [hr], "low": [hr * np.exp(-z * se)], "high": [hr * np.exp(z * se)]}
    found = ml.hazard_ratios(table, level=level)
    assert found.y[0] == pytest.approx(np.log(hr), abs=1e-12)
    assert np.sqrt(found.v[0]) == pytest.approx(se, rel=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=studies(), tau2=st.sampled_from(["REML", "DL", "PM", "SJ"]))
def test_hartung_knapp_is_z_times_the_spread_about_the_mean(data: tuple[Array, Array], tau2: str) -> None:
    """Same mean and weights as z; the SE is multiplied by sqrt(sum w (y - mu)^2 / (k - 1)), ad hoc by at least 1."""
    y, v = data
    z, hk, adhoc = (ml.pool(ml.effects(y, v), tau2=tau2, test=t) for t in ("z", "knapp-hartung", "adhoc"))
    w = 1 / (v + z.tau2)
    factor = np.sqrt((w * (y - z.beta[0]) ** 2).sum() / (len(y) - 1))
    assert hk.beta[0] == z.beta[0] == adhoc.beta[0]
    assert np.array_equal(hk.weights, z.weights)
    assert hk.se[0] == pytest.approx(factor * z.se[0], rel=1e-10)
    assert adhoc.se[0] == pytest.approx(max(1.0, factor) * z.se[0], rel=1e-10)
    assert hk.estimate.high - hk.beta[0] == pytest.approx(special.stdtrit(len(y) - 1, 0.975) * hk.se[0], rel=1e-9)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=studies())
def test_paule_mandel_makes_the_hartung_knapp_factor_1(data: tuple[Array, Array]) -> None:
    """Paule-Mandel solves Q = k - 1, so that Hartung-Knapp and classic SE are the same wherever its tau2 is above 0."""
    classic, adjusted = (ml.pool(ml.effects(*data), tau2="PM", test=t) for t in ("t", "knapp-hartung"))
    if classic.tau2 > 0:
        assert adjusted.se[0] == pytest.approx(classic.se[0], rel=1e-7)
    else:
        assert adjusted.se[0] <= classic.se[0] * (1 + 1e-9)


@pytest.mark.parametrize("tau2", ["REML", "DL", "PM", "EB", "HE"])
@settings(max_examples=40, deadline=None, derandomize=True)
@given(gap=st.floats(-10, 10), v=st.tuples(st.floats(1e-4, 5), st.floats(1e-4, 5)))
def test_two_studies_have_a_closed_form(tau2: str, gap: float, v: tuple[float, float]) -> None:
    """With k = 2 five estimators are one: tau2 = max(0, (d^2 - v1 - v2) / 2), and Q = d^2 / (v1 + v2)."""
    found = fit(np.array([0.3, 0.3 + gap]), np.array(v), "random", tau2)
    d = (0.3 + gap) - 0.3
    assert found.tau2 == pytest.approx(max(0.0, (d * d - sum(v)) / 2), rel=1e-7, abs=1e-9)
    assert found.q == pytest.approx(d * d / sum(v), rel=1e-9, abs=1e-12)
    assert found.df == 1


@pytest.mark.parametrize("tau2", list(TAU2))
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=studies(), factor=st.sampled_from([1e-6, 1e-3, 1e3, 1e6]))
def test_every_estimator_keeps_its_scale_and_is_never_negative(
    tau2: str, data: tuple[Array, Array], factor: float
) -> None:
    """All ten estimators: tau2 is not negative and goes by the square of the unit, from micro- to mega-."""
    y, v = data
    a, b = fit(y, v, "random", tau2), fit(y * factor, v * factor**2, "random", tau2)
    assert a.tau2 >= 0
    assert b.tau2 / factor**2 == pytest.approx(a.tau2, rel=1e-6, abs=1e-9)
    assert b.tau.high / factor == pytest.approx(a.tau.high, rel=1e-6, abs=1e-9)
    assert b.i2 == pytest.approx(a.i2, rel=1e-5, abs=1e-5)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=studies(), copies=st.integers(2, 4))
def test_copies_of_all_studies_change_no_mean(data: tuple[Array, Array], copies: int) -> None:
    """Every study copied: the common effect stays, its SE falls by sqrt(copies), Q grows in proportion."""
    y, v = data
    a = fit(y, v, "common", "REML")
    b = fit(np.tile(y, copies), np.tile(v, copies), "common", "REML")
    assert b.beta[0] == pytest.approx(a.beta[0], rel=1e-9, abs=1e-12)
    assert b.se[0] == pytest.approx(a.se[0] / np.sqrt(copies), rel=1e-10)
    assert b.q == pytest.approx(copies * a.q, rel=1e-9, abs=1e-12)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=studies())
def test_a_study_without_information_changes_nothing(data: tuple[Array, Array]) -> None:
    """A study of enormous variance gets no weight and moves neither mean nor SE of the common effect."""
    y, v = data
    a, b = fit(y, v, "common", "REML"), fit(np.append(y, 7.0), np.append(v, 1e12), "common", "REML")
    assert b.beta[0] == pytest.approx(a.beta[0], abs=1e-9)
    assert b.se[0] == pytest.approx(a.se[0], rel=1e-9)
    assert b.weights[-1] < 1e-8
