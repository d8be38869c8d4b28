"""True effects under models of counts, against panelwise integration of each study's likelihood as SciPy states it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import special, stats

import metaleptic as ml
from metaleptic.errors import OptionError

P = ml.proportions({"study": list("ABCD"), "events": [1, 0, 14, 37], "n": [10, 12, 30, 50], "x": [1, 3, 2, 2]})
CELLS = {"study": list("ABCD"), "a": [1, 9, 14, 7], "m": [10, 12, 30, 50], "c": [6, 1, 3, 19], "n": [11, 12, 29, 50]}
T = ml.two_by_two(CELLS, events1="a", n1="m", events2="c", n2="n", measure="OR")
R = ml.rates({"study": list("ABCD"), "events": [1, 0, 14, 37], "time": [10.5, 12, 30, 50]})


def _moments(likelihood: Callable[[float], float], mu: float, tau: float) -> tuple[float, float]:
    """Return mean and variance of the density proportional to likelihood x normal: 60 panels of 12 Legendre points."""
    edges = np.linspace(mu - 9 * tau, mu + 9 * tau, 61)
    points, weights = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges) / 2
    t = ((edges[:-1] + half)[:, None] + half[:, None] * points).ravel()
    mass = (half[:, None] * weights).ravel() * stats.norm.pdf(t, mu, tau) * [likelihood(v) for v in t]
    mean = float(mass @ t / mass.sum())
    return mean, float(mass @ (t - mean) ** 2 / mass.sum())


def _of_proportions(i: int) -> Callable[[float], float]:
    return lambda t: float(stats.binom.pmf(P.events[i], P.n[i], special.expit(t)))


def _of_rates(i: int) -> Callable[[float], float]:
    return lambda t: float(stats.poisson.pmf(R.cells[i, 0], R.cells[i, 1] * np.exp(t)))


def _of_tables(i: int) -> Callable[[float], float]:
    a, b, c, d = T.cells[i]
    return lambda t: float(stats.nchypergeom_fisher.pmf(a, a + b + c + d, a + b, a + c, np.exp(t)))


@pytest.mark.parametrize(
    ("fit", "likelihood"),
    [
        (lambda: ml.pool(P, model="binomial-normal"), _of_proportions),
        (lambda: ml.pool(P, model="binomial-normal", moderators="~ x"), _of_proportions),
        (lambda: ml.pool(R, model="poisson-normal"), _of_rates),
        (lambda: ml.pool(T, model="conditional-exact"), _of_tables),
    ],
    ids=["binomial-normal", "with moderators", "poisson-normal", "conditional-exact"],
)
def test_true_effects_are_the_integrals(
    fit: Callable[[], ml.Pooled], likelihood: Callable[[int], Callable[[float], float]]
) -> None:
    f = fit()
    found = ml.shrinkage(f)
    x = f.design.matrix if isinstance(f, ml.Regression) else np.ones((f.k, 1))
    fitted, spread = x @ f.beta, np.einsum("ij,jk,ik->i", x, f.cov, x)
    for i in range(f.k):
        mean, variance = _moments(likelihood(i), float(fitted[i]), float(np.sqrt(f.tau2)))
        assert found.effect[i] == pytest.approx(mean, abs=1e-8)
        assert found.deviation[i] == pytest.approx(mean - fitted[i], abs=1e-8)
        assert found.se[i] ** 2 == pytest.approx(variance + (variance / f.tau2) ** 2 * spread[i], rel=1e-7)


def test_with_many_patients_counts_are_as_good_as_normal() -> None:
    big = ml.proportions({"study": list("ABCDE"), "events": np.array([3, 5, 4, 7, 6]) * 20000, "n": [200000] * 5})
    exact = ml.pool(big, model="binomial-normal", test="z")
    normal = ml.pool(big, tau2="ML", test="z")
    np.testing.assert_allclose(ml.shrinkage(exact).effect, ml.shrinkage(normal).effect, atol=1e-5)
    np.testing.assert_allclose(ml.shrinkage(exact).se, ml.shrinkage(normal).se, rtol=1e-3)


def test_levels_held_give_ratios_between_printed_and_pooled() -> None:
    fit = ml.pool(T, model="unconditional-fixed")
    found = ml.shrinkage(fit)
    between = (found.effect - fit.beta[0]) * (T.y - fit.beta[0])
    assert (between > 0).all()
    assert (np.abs(found.effect - fit.beta[0]) < np.abs(T.y - fit.beta[0])).all()


def test_without_spread_all_are_one_and_random_levels_are_refused() -> None:
    alike = ml.proportions({"study": list("ABC"), "events": [3, 3, 3], "n": [20, 20, 20]})
    assert ml.shrinkage(ml.pool(alike, model="binomial-normal")).sentence.startswith("No spread between true effects")
    with pytest.raises(OptionError, match="study levels are random too"):
        ml.shrinkage(ml.pool(T, model="unconditional-random"))
    with pytest.raises(OptionError, match="nothing to shrink"):
        ml.shrinkage(ml.pool(T, model="conditional-exact", tau2=0.0))
