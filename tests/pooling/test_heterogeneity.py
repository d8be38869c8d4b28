"""Kernels: many data sets at once equal one by one; the likelihood's highest maximum is found; tau2 is never negative."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from numpy.typing import NDArray

from metaleptic.errors import OptionError
from metaleptic.pooling.heterogeneity import (
    TAU2,
    cochran_q,
    log_likelihood,
    q_profile,
    tau2_estimator,
    typical_variance,
)
from metaleptic.pooling.normal import fit_normal
from metaleptic.pooling.roots import falling_root

Array = NDArray[np.float64]


def many(m: int, k: int, seed: int = 1) -> tuple[Array, Array, Array]:
    """Draw m data sets of k studies with some studies absent."""
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.01, 0.5, (m, k))
    y = rng.normal(0, np.sqrt(v + rng.choice([0, 0.1, 1.0], (m, 1))))
    keep = (rng.uniform(size=(m, k)) < 0.8).astype(float)
    keep[:, :2] = 1.0
    return y, v, keep


@pytest.mark.parametrize("key", TAU2)
def test_batch_equals_one_by_one(key: str) -> None:
    """A kernel with leading axes and absent studies gives what it gives for each data set alone."""
    y, v, keep = many(60, 7)
    estimator = TAU2[key].function
    together = estimator(y, v, keep)
    alone = [float(estimator(y[i][keep[i] > 0], v[i][keep[i] > 0], 1.0)) for i in range(len(y))]
    assert np.allclose(together, alone, rtol=1e-9, atol=1e-12)


def test_q_profile_batch_equals_one_by_one() -> None:
    """The same for both bounds of the interval for tau2."""
    y, v, keep = many(40, 6, seed=2)
    low, high = q_profile(y, v, keep, 0.95)
    for i in range(len(y)):
        a, b = q_profile(y[i][keep[i] > 0], v[i][keep[i] > 0], 1.0, 0.95)
        assert low[i] == pytest.approx(float(a), rel=1e-9, abs=1e-12)
        assert high[i] == pytest.approx(float(b), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("tau2", [None, "REML", "DL"])
@pytest.mark.parametrize("test", ["z", "t", "knapp-hartung"])
def test_fits_with_absent_studies_equal_fits_without_them(tau2: str | None, test: str) -> None:
    """Every number of a fit is the same whether a study is masked or was never there; its weight is 0."""
    y, v, keep = many(25, 6, seed=3)
    together = fit_normal(y, v, tau2=tau2, test=test, keep=keep)
    for i in range(len(y)):
        there = keep[i] > 0
        alone = fit_normal(y[i][there], v[i][there], tau2=tau2, test=test)
        for field in (
            "mu",
            "se",
            "df",
            "p",
            "low",
            "high",
            "tau2",
            "q",
            "i2",
            "h2",
            "loglik",
            "predict_low",
            "predict_high",
        ):
            assert np.allclose(
                getattr(together, field)[i], getattr(alone, field), rtol=1e-8, atol=1e-11, equal_nan=True
            ), field
        assert np.all(together.weights[i][~there] == 0)
        assert together.weights[i].sum() == pytest.approx(100)


@pytest.mark.parametrize("key", ["REML", "ML"])
def test_the_highest_maximum_is_found(key: str) -> None:
    """No point of a dense grid has a higher likelihood; the sample holds data sets with several local maxima."""
    rng = np.random.default_rng(7)
    m, k = 4000, 4
    v = np.exp(rng.normal(-2, 2, (m, k)))
    y = rng.normal(0, np.sqrt(v + rng.choice([0, 0.3, 3.0], (m, 1))))
    best = TAU2[key].function(y, v, np.ones_like(y))
    top = log_likelihood(y, v, 1.0, best, restricted=key == "REML")
    steps = np.concatenate([[0.0], np.geomspace(1e-6, 1e3, 400)])
    grid = np.stack([log_likelihood(y, v, 1.0, np.full(m, t), restricted=key == "REML") for t in steps])
    assert np.all(grid.max(axis=0) <= top + 1e-9)
    inner = (grid[1:-1] > grid[:-2]) & (grid[1:-1] > grid[2:])
    several = inner.sum(axis=0) + (grid[0] > grid[1]) > 1
    assert several.sum() >= 5


def test_several_maxima_among_variances_of_very_different_size() -> None:
    """With variances over many orders of magnitude 41 of 4000 data sets have several maxima: the highest is kept in all."""
    rng = np.random.default_rng(11)
    v = np.exp(rng.normal(0, 4, (4000, 3)))
    y = rng.normal(0, np.sqrt(v + rng.choice([0, 0.3, 3.0, 300.0], (4000, 1))))
    best = TAU2["REML"].function(y, v, np.ones_like(y))
    spread = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    low, high = v.min(axis=1) * 1e-4, v.max(axis=1) * 10 + spread
    steps = [0.0 * low, *(low * (high / low) ** s for s in np.linspace(0, 1, 400))]
    grid = np.stack([log_likelihood(y, v, 1.0, t, restricted=True) for t in steps])
    assert np.all(grid.max(axis=0) <= log_likelihood(y, v, 1.0, best, restricted=True) + 1e-9)
    inner = (grid[1:-1] > grid[:-2]) & (grid[1:-1] > grid[2:])
    assert (inner.sum(axis=0) + (grid[0] > grid[1]) > 1).sum() >= 20


def test_a_data_set_with_two_maxima_by_hand() -> None:
    """The likelihood falls from 0, rises to a second maximum: the fit takes the higher of the two, not the nearer."""
    y, v = two_maxima()
    grid = np.concatenate([[0.0], np.geomspace(1e-8, 1e3, 4000)])
    ll = np.array([float(log_likelihood(y, v, 1.0, t, restricted=True)) for t in grid])
    tops = [i for i in range(len(ll)) if (i == 0 or ll[i] > ll[i - 1]) and (i == len(ll) - 1 or ll[i] > ll[i + 1])]
    assert len(tops) == 2
    best = grid[max(tops, key=lambda i: ll[i])]
    other = grid[min(tops, key=lambda i: ll[i])]
    found = float(TAU2["REML"].function(y, v, 1.0))
    assert abs(found - best) < 0.01 * (1 + best)
    assert abs(found - other) > 0.05


def two_maxima() -> tuple[Array, Array]:
    """Find the first small data set whose restricted likelihood has a maximum at 0 and a higher one elsewhere."""
    rng = np.random.default_rng(7)
    grid = np.concatenate([[0.0], np.geomspace(1e-6, 1e3, 300)])
    for _ in range(20):
        v = np.exp(rng.normal(-2, 2, (500, 4)))
        y = rng.normal(0, np.sqrt(v + 0.3))
        ll = np.stack([log_likelihood(y, v, 1.0, np.full(500, t), restricted=True) for t in grid])
        at = (ll[0] > ll[1] + 1e-9) & (ll[0] < ll.max(axis=0) - 1e-3)
        if at.any():
            i = int(np.argmax(at))
            return y[i], v[i]
    raise AssertionError("no data set with two maxima was found")


@pytest.mark.parametrize("small", [1e-8, 1e-12, 1e-16, 1e-20])
def test_one_study_that_dominates(small: float) -> None:
    """DerSimonian-Laird and the typical variance keep their digits where one weight is 1e8 to 1e20 times the others."""
    y, v = [0.1, 0.9, 1.7, -0.4], [small, 0.1, 0.2, 0.3]
    with localcontext() as context:
        context.prec = 80
        w = [1 / Decimal(x) for x in v]
        total = sum(w)
        mean = sum(a * Decimal(b) for a, b in zip(w, y, strict=True)) / total
        q = sum(a * (Decimal(b) - mean) ** 2 for a, b in zip(w, y, strict=True))
        square = sum(a * a for a in w)
        moment, typical = (q - 3) / (total - square / total), 3 * total / (total**2 - square)
    assert float(TAU2["DL"].function(np.array(y), np.array(v), 1.0)) == pytest.approx(float(moment), rel=1e-9)
    assert float(typical_variance(np.array(v), 1.0)) == pytest.approx(float(typical), rel=1e-12)


@pytest.mark.parametrize("key", TAU2)
def test_identical_effects_have_no_heterogeneity(key: str) -> None:
    """Equal effects with different variances: tau2 is 0 by every estimator, and so are both bounds of its interval."""
    y, v = np.full(5, 0.2), np.array([0.1, 0.2, 0.3, 0.4, 5.0])
    assert max(0.0, float(TAU2[key].function(y, v, 1.0))) == pytest.approx(0, abs=1e-15)
    assert [float(b) for b in q_profile(y, v, 1.0, 0.95)] == [0, 0]


def test_paule_mandel_solves_its_equation() -> None:
    """The generalised Q at the estimate is k - 1, unless the estimate is 0."""
    y, v, _ = many(200, 8, seed=4)
    t = TAU2["PM"].function(y, v, 1.0)
    q = cochran_q(y, v, 1.0, t)
    assert np.allclose(q[t > 0], 7, rtol=1e-8)
    assert np.all(q[t == 0] <= 7 + 1e-9)


def test_closed_estimators_by_hand() -> None:
    """Three studies, worked by hand: DerSimonian-Laird and Hedges-Olkin."""
    y, v = np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.5])
    assert float(cochran_q(y, v, 1.0)) == pytest.approx(4.0)
    assert float(TAU2["DL"].function(y, v, 1.0)) == pytest.approx((4 - 2) / (6 - 12 / 6))
    assert float(TAU2["HE"].function(y, v, 1.0)) == pytest.approx(1.0 - 0.5)


def test_interval_holds_its_estimate() -> None:
    """Paule-Mandel lies inside the Q-profile interval whenever that is not empty."""
    y, v, _ = many(300, 6, seed=5)
    low, high = q_profile(y, v, 1.0, 0.95)
    t = TAU2["PM"].function(y, v, 1.0)
    assert np.all(low <= high)
    assert np.all((low <= t + 1e-12) & ((t <= high + 1e-12) | (high == 0)))


def test_extreme_scales() -> None:
    """Effects a million times larger or smaller give tau2 on the squared scale, to 1e-8."""
    y, v, _ = many(20, 9, seed=6)
    for key in ("REML", "ML", "PM", "DL"):
        base = np.maximum(0, TAU2[key].function(y, v, 1.0))
        for factor in (1e-6, 1e6):
            scaled = np.maximum(0, TAU2[key].function(y * factor, v * factor**2, 1.0))
            assert np.allclose(scaled / factor**2, base, rtol=1e-8, atol=1e-12)


def test_unknown_estimator_lists_the_choices() -> None:
    """A slip names the estimators; each has a source."""
    with pytest.raises(OptionError, match="REML, DL, PM"):
        tau2_estimator("REMLL")
    assert all(e.source for e in TAU2.values())


def test_root_finder_survives_a_useless_slope() -> None:
    """With slopes that throw Newton's steps out of the bracket, bisection finds the root."""

    def f(t: Array) -> tuple[Array, Array]:
        return 2.0 - t**3, np.full_like(t, 1e-9)

    root = falling_root(f, np.array([0.0, 1.0]), np.array([4.0, 2.0]), np.array([3.0, 1.5]))
    assert np.allclose(root, 2 ** (1 / 3), rtol=1e-12)
