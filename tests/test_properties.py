"""Invariants that hold for every meta-analysis."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import metaleptic as ml
from metaleptic.errors import FewStudiesWarning

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
