"""p-uniform and p-uniform*: against their definitions, against another likelihood, and on simulated selection."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize, stats
from sensitivity_golden import effects_of

import metaleptic as ml
from metaleptic.errors import FewStudiesWarning, NotEstimableError, OptionError
from metaleptic.sensitivity.p_uniform import conditional_p
from metaleptic.sensitivity.sums_of_uniforms import sum_cdf, sum_quantile

Y, V = [0.9, 0.7, 0.6, 0.5, 0.1, 0.3], [0.1, 0.06, 0.05, 0.03, 0.02, 0.03]


def test_sums_of_uniforms_are_exact() -> None:
    from math import comb, factorial

    for k in (1, 2, 5, 12, 20, 21, 40, 150):
        for x in (Fraction(1, 3), Fraction(k, 2), Fraction(3 * k, 4)):
            exact = sum(Fraction((-1) ** j * comb(k, j)) * (x - j) ** k for j in range(int(x) + 1)) / factorial(k)
            assert sum_cdf(float(x), k) == pytest.approx(float(exact), abs=1e-10)
    assert sum_cdf(sum_quantile(0.025, 7), 7) == pytest.approx(0.025)


def test_original_adds_conditional_p_values_up_to_half_their_number() -> None:
    fit = ml.pool(ml.effects(Y, V))
    found = ml.p_uniform(fit, method="original")
    y, s = np.array(Y)[found.significant], np.sqrt(np.array(V)[found.significant])

    def total(mu: float) -> float:
        return float((stats.norm.sf((y - mu) / s) / stats.norm.sf((1.959963984540054 * s - mu) / s)).sum())

    k = len(y)
    assert total(found.beta) == pytest.approx(k / 2)
    assert sum_cdf(total(found.low), k) == pytest.approx(0.025)
    assert sum_cdf(total(found.high), k) == pytest.approx(0.975)
    assert found.p == pytest.approx(sum_cdf(total(0.0), k))
    np.testing.assert_allclose(conditional_p(found).sum(), k / 2)


def test_star_is_the_maximum_of_its_likelihood() -> None:
    fit = ml.pool(ml.effects(Y, V))
    found = ml.p_uniform(fit)
    y, s = np.array(Y), np.sqrt(V)
    cut = 1.959963984540054 * s

    def down(t: np.ndarray) -> float:
        total = np.sqrt(s**2 + t[1] ** 2)
        share = np.where(y > cut, stats.norm.sf((cut - t[0]) / total), stats.norm.cdf((cut - t[0]) / total))
        return -float((stats.norm.logpdf(y, t[0], total) - np.log(share)).sum())

    best = optimize.minimize(down, [0.4, 0.1], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert found.loglik == pytest.approx(-best.fun, abs=1e-9)
    assert found.beta == pytest.approx(best.x[0], abs=1e-5)
    assert found.tau2 == pytest.approx(best.x[1] ** 2, abs=1e-5)
    for end in (found.low, found.high):
        on_edge = optimize.minimize_scalar(lambda t, m=end: down(np.array([m, t])), bounds=(0, 5), method="bounded")
        assert on_edge.fun - best.fun == pytest.approx(stats.chi2.ppf(0.95, 1) / 2, abs=1e-5)


@pytest.mark.parametrize("method", ["star", "original"])
def test_direction_of_effects_does_not_matter(method: str) -> None:
    one = ml.p_uniform(ml.pool(ml.effects(Y, V)), method=method)
    two = ml.p_uniform(ml.pool(ml.effects([-v for v in Y], V)), method=method)
    assert (two.beta, two.low, two.high) == pytest.approx((-one.beta, -one.high, -one.low), abs=1e-7)
    assert two.favoured == "less"


def test_selection_is_taken_off() -> None:
    rng = np.random.default_rng(8)
    rows = []
    for _ in range(25):
        s = rng.uniform(0.1, 0.25, 1500)
        y = rng.normal(0.2, s)
        kept = np.flatnonzero((y / s > 1.96) | (rng.uniform(size=1500) < 0.2))[:60]
        fit = ml.pool(ml.effects(y[kept], s[kept] ** 2))
        star, old = ml.p_uniform(fit), ml.p_uniform(fit, method="original")
        rows.append((fit.beta[0], star.beta, old.beta, star.low <= 0.2 <= star.high, old.low <= 0.2 <= old.high))
    plain, star_mean, old_mean, covered, old_covered = np.mean(rows, axis=0)
    assert plain > 0.26
    assert star_mean == pytest.approx(0.2, abs=0.04)
    assert old_mean == pytest.approx(0.2, abs=0.06)
    assert min(covered, old_covered) >= 0.84


def test_p_values_at_the_limit_give_no_estimate_but_a_reason() -> None:
    fit = ml.pool(ml.effects([1.97, 1.98, 1.965], [1.0, 1.0, 1.0]))
    for method in ("star", "original"):
        found = ml.p_uniform(fit, method=method)
        assert found.beta < 0 or not found.converged
    with pytest.raises(NotEstimableError, match="0 of 2 studies are significant"):
        ml.p_uniform(ml.pool(ml.effects([0.1, 0.2], [1.0, 1.0]), model="common"), method="original")
    with pytest.raises(OptionError, match="star"):
        ml.p_uniform(fit, method="new")


def test_to_frame_and_printed_scale() -> None:
    found = ml.p_uniform(ml.pool(effects_of("bcg_OR")))
    assert found.estimate.value == pytest.approx(np.exp(found.beta))
    assert list(found.to_frame()["parameter"]) == ["effect", "tau2"]
    assert "p-uniform*" in found.sentence


def test_without_a_significant_study_star_rests_on_the_others_and_says_so() -> None:
    with pytest.warns(FewStudiesWarning, match="rests on the others alone"):
        found = ml.p_uniform(ml.pool(ml.effects([0.1, 0.2, 0.4], [0.1, 0.05, 0.2])))
    assert found.low <= found.beta <= found.high
    assert not found.significant.any()
