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


def test_without_spread_all_are_one_and_one_true_effect_is_not_shrunken() -> None:
    alike = ml.proportions({"study": list("ABC"), "events": [3, 3, 3], "n": [20, 20, 20]})
    assert ml.shrinkage(ml.pool(alike, model="binomial-normal")).sentence.startswith("No spread between true effects")
    for fit in (
        ml.pool(T, model="conditional-exact", tau2=0.0),
        ml.pool(T, model="mantel-haenszel"),
        ml.pool(T, model="peto"),
        ml.pool(P, model="pooled-counts"),
    ):
        with pytest.raises(OptionError, match="nothing to shrink"):
            ml.shrinkage(fit)


@pytest.mark.parametrize("model", ["unconditional-random", "unconditional-correlated"])
def test_random_levels_are_integrated_out(model: str) -> None:
    cells = {
        "study": list("ABCDEF"),
        "a": [1, 9, 14, 7, 3, 12],
        "m": [10, 12, 30, 50, 25, 40],
        "c": [6, 1, 3, 19, 2, 9],
        "n": [11, 12, 29, 50, 30, 35],
    }
    fit = ml.pool(ml.two_by_two(cells, events1="a", n1="m", events2="c", n2="n", measure="OR"), model=model)
    assert fit.levels is not None
    found, tau, rho = ml.shrinkage(fit), float(np.sqrt(fit.tau2)), fit.levels.correlation
    u = np.linspace(-8, 8, 801)
    level = fit.levels.mean + fit.levels.sd * u[:, None]
    slope = np.sqrt(1 - rho**2)
    theta = fit.beta[0] + tau * (rho * u[:, None] + slope * u)
    for i, (a, b, c, d) in enumerate(fit.effects.cells):
        mass = stats.norm.pdf(u)[:, None] * stats.norm.pdf(u)
        mass = mass * stats.binom.pmf(a, a + b, special.expit(level + theta / 2))
        mass = mass * stats.binom.pmf(c, c + d, special.expit(level - theta / 2))
        mean = float((mass * theta).sum() / mass.sum())
        variance = float((mass * (theta - mean) ** 2).sum() / mass.sum())
        assert found.effect[i] == pytest.approx(mean, abs=1e-6)
        spread = float(fit.cov[0, 0])
        assert found.se[i] ** 2 == pytest.approx(variance + found.factor[i] ** 2 * spread, rel=1e-5)


def test_beta_proportions_given_counts_are_beta_again() -> None:
    fit = ml.pool(P, model="beta-binomial")
    found = ml.shrinkage(fit)
    rho = float(fit.method.split("within studies ")[1].split(",")[0])
    a, b = (float(special.expit(s * fit.beta[0])) * (1 / rho - 1) for s in (1, -1))
    for i in range(fit.k):
        logits = stats.beta(a + P.events[i], b + P.n[i] - P.events[i]).expect(special.logit)
        assert found.effect[i] == pytest.approx(logits, abs=0.01)  # rho is printed with two digits
    raw = ml.proportions({"study": list("ABCD"), "events": [1, 0, 14, 37], "n": [10, 12, 30, 50]}, measure="PR")
    of_raw = ml.pool(raw, model="beta-binomial")
    np.testing.assert_allclose(of_raw.residuals, raw.y - of_raw.estimate.value)
    with pytest.raises(OptionError, match="logit scale"):
        ml.shrinkage(of_raw)
