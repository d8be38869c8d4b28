"""The walk downhill, the inversion of covariance matrices by halves, and that neither lets a library start threads."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import optimize

import metaleptic as ml
from metaleptic.pooling.multilevel.blocks import inverse_and_logdet
from metaleptic.pooling.multilevel.walk import walk
from metaleptic.types import FloatArray


def _banana(u: FloatArray) -> tuple[float, FloatArray]:
    return float(optimize.rosen(u)), np.asarray(optimize.rosen_der(u))


def _walk(start: FloatArray, lower: FloatArray, steps: int = 300) -> tuple[FloatArray, float]:
    return walk(_banana, start, lower, slope=1e-8, fall=0.0, steps=steps, arrived=lambda _: False)


@pytest.mark.parametrize("q", [2, 5, 12])
def test_the_bottom_of_a_curved_valley_is_reached(q: int) -> None:
    start = np.resize([-1.2, 1.0], q)
    at, value = _walk(start, np.full(q, -np.inf))
    reference = optimize.minimize(_banana, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(at, reference.x, atol=1e-6)
    assert value == pytest.approx(reference.fun, abs=1e-12)


@pytest.mark.parametrize("lower", [[1.5, -np.inf, -np.inf], [-np.inf, 0.0, 1.2], [0.0, 0.0, 0.0], [1.1, 1.1, 1.1]])
def test_bounds_hold_and_the_lowest_point_is_that_of_another_method(lower: list[float]) -> None:
    bounds = np.array(lower)
    at, value = _walk(np.array([2.0, 2.0, 2.0]), bounds)
    other = optimize.minimize(
        _banana,
        [2.0, 2.0, 2.0],
        jac=True,
        bounds=optimize.Bounds(bounds),
        method="trust-constr",
        options={"gtol": 1e-9},
    )
    assert (at >= bounds).all()
    assert value <= other.fun + 1e-6
    np.testing.assert_allclose(at, other.x, atol=1e-3)


def test_a_wall_of_impossible_values_is_stepped_back_from() -> None:
    def hill(u: FloatArray) -> tuple[float, FloatArray]:
        return (1e10, 0 * u) if (u > 0.5).any() else (float(((u - 0.4) ** 4).sum()), 4 * (u - 0.4) ** 3)

    at, value = walk(
        hill, np.full(3, -8.0), np.full(3, -np.inf), slope=1e-9, fall=0.0, steps=200, arrived=lambda _: False
    )
    np.testing.assert_allclose(at, 0.4, atol=1e-2)
    assert value < 1e-8


@pytest.mark.parametrize("n", [2, 48, 49, 64, 97, 150, 200])
def test_inverses_of_every_size_are_those_of_the_library(n: int) -> None:
    rng = np.random.default_rng(n)
    a = rng.normal(size=(3, n, n))
    m = a @ a.swapaxes(-1, -2) / n + 0.1 * np.eye(n)
    found = inverse_and_logdet(m)
    assert found is not None
    np.testing.assert_allclose(found[0], np.linalg.inv(m), rtol=1e-8, atol=1e-9)
    assert found[1] == pytest.approx(float(np.linalg.slogdet(m)[1].sum()), rel=1e-11)
    m[1, -1, -1] = -1.0
    assert inverse_and_logdet(m) is None


def test_no_threads_are_started_for_small_blocks() -> None:
    """Threads of a linear algebra library wait by spinning: on a busy machine they multiply the time of a small fit."""
    rng = np.random.default_rng(1)
    district, effects = np.repeat(np.arange(6), 60), 360
    e = ml.effects(
        rng.normal(size=effects),
        rng.uniform(0.05, 0.2, effects),
        columns={"a": district.astype(str), "b": np.arange(effects).astype(str)},
    )
    ml.pool_multilevel(e, random="~ 1 | a/b")
    time.sleep(0.3)  # what ran before comes to rest
    everyone, own = time.process_time(), time.thread_time()
    ml.pool_multilevel(e, random="~ 1 | a/b")
    everyone, own = time.process_time() - everyone, time.thread_time() - own
    assert everyone < 1.3 * own + 0.02
