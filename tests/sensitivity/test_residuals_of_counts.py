"""Residuals of models of counts and of tables, against R's metafor and SciPy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special, stats

import metaleptic as ml
from metaleptic.errors import FewStudiesWarning, NotEstimableError, OptionError

CELLS = {
    "study": list("ABCDEF"),
    "a": [3, 9, 14, 7, 5, 2],
    "m": [30, 62, 80, 50, 44, 38],
    "c": [6, 12, 13, 19, 9, 8],
    "n": [31, 60, 79, 52, 45, 36],
}
P = ml.proportions(CELLS, events="a", n="m")


def _tables(measure: str) -> ml.Effects:
    return ml.two_by_two(CELLS, events1="a", n1="m", events2="c", n2="n", measure=measure)


# rma.mh(ai=a, n1i=m, ci=c, n2i=n, measure=...); rma.peto(...): rstandard()$z, rstudent()$z; metafor 3.8-1
R = {
    "OR": (
        [-0.1947344451, 0.4864972102, 1.647339298, -1.284527589, -0.07560446401, -1.223767932],
        [-0.2037702787, 0.543743238, 1.924734761, -1.449603027, -0.08122836765, -1.288834046],
    ),
    "RR": (
        [-0.2192737953, 0.4859098587, 1.644961966, -1.121880316, -0.09590674798, -1.223593259],
        [-0.2294952216, 0.5416198772, 1.904839821, -1.28207739, -0.1030367462, -1.290739142],
    ),
    "RD": (
        [-0.05201668091, 0.4983196255, 1.668291518, -1.647173017, 0.03298919105, -1.032201351],
        [-0.0543262297, 0.5569696368, 1.939862089, -1.841817205, 0.03539608768, -1.081618759],
    ),
    "PETO": (
        [-0.1668858244, 0.4822444405, 1.628262649, -1.244849498, -0.05547100225, -1.212621663],
        [-0.1747985105, 0.5387798989, 1.887661348, -1.411251472, -0.05965582047, -1.277797571],
    ),
}


@pytest.mark.parametrize("measure", R)
def test_tables_as_metafor_has_them(measure: str) -> None:
    model = "peto" if measure == "PETO" else "mantel-haenszel"
    found = ml.residuals(ml.pool(_tables(measure), model=model))
    np.testing.assert_allclose(found.standardized, R[measure][0], rtol=1e-6)
    np.testing.assert_allclose(found.studentized, R[measure][1], rtol=1e-6)
    assert "chance would have it" in found.sentence
    assert ml.plot(found) is not None


def test_counts_against_what_the_model_expects() -> None:
    events, patients = np.array([3, 0, 14, 37]), np.array([30, 12, 30, 50])
    fit = ml.pool(ml.proportions({"events": events, "n": patients, "study": list("ABCD")}), model="binomial-normal")
    found = ml.residuals(fit)
    true = stats.norm(fit.beta[0], np.sqrt(fit.tau2))
    mean = integrate.quad(lambda t: special.expit(t) * true.pdf(t), *true.interval(1 - 1e-14))[0]
    square = integrate.quad(lambda t: special.expit(t) ** 2 * true.pdf(t), *true.interval(1 - 1e-14))[0]
    variance = patients * (mean - square) + patients**2 * (square - mean**2)
    np.testing.assert_allclose(found.pearson, (events - patients * mean) / np.sqrt(variance), rtol=1e-6)
    without = ml.pool(
        ml.proportions({"events": events[1:], "n": patients[1:], "study": list("BCD")}), model="binomial-normal"
    )
    assert np.sign(found.studentized[0]) == np.sign(events[0] / patients[0] - without.estimate.value)


def test_rates_have_the_closed_form_of_lognormal_means() -> None:
    rates = ml.rates({"study": list("ABCD"), "events": [3, 1, 24, 17], "time": [30.0, 22, 40, 60]})
    fit = ml.pool(rates, model="poisson-normal")
    mean = rates.cells[:, 1] * np.exp(fit.beta[0] + fit.tau2 / 2)
    variance = mean + mean**2 * np.expm1(fit.tau2)
    np.testing.assert_allclose(ml.residuals(fit).pearson, (rates.cells[:, 0] - mean) / np.sqrt(variance), rtol=1e-8)


def test_tables_given_their_margins_are_hypergeometric() -> None:
    tables = _tables("OR")
    fit = ml.pool(tables, model="conditional-exact", tau2=0.0)
    a, b, c, d = tables.cells.T
    expected = stats.nchypergeom_fisher(a + b + c + d, a + b, a + c, np.exp(fit.beta[0]))
    np.testing.assert_allclose(ml.residuals(fit).pearson, (a - expected.mean()) / expected.std(), rtol=1e-8)


def test_common_proportion_and_beta_binomial() -> None:
    p = P.events.sum() / P.n.sum()
    plain = ml.residuals(ml.pool(P, model="pooled-counts"))
    np.testing.assert_allclose(plain.pearson, (P.events - P.n * p) / np.sqrt(P.n * p * (1 - p)), rtol=1e-10)
    wide = ml.proportions({"study": list("ABCD"), "events": [1, 3, 14, 37], "n": [10, 12, 30, 50]})
    fit = ml.pool(wide, model="beta-binomial")
    gap = wide.events - wide.n * fit.estimate.value
    inflation = (gap / np.sqrt(wide.n * fit.estimate.value * (1 - fit.estimate.value)) / ml.residuals(fit).pearson) ** 2
    rho = (inflation - 1) / (wide.n - 1)
    np.testing.assert_allclose(rho, rho[0])
    assert f"{rho[0]:.2g}" in fit.method


def test_what_has_no_residual_says_so() -> None:
    many = ml.pool_multilevel(_tables("OR"), random="~ 1 | study")
    with pytest.raises(OptionError, match=r"fit\.standardized_residuals"):
        ml.residuals(many)
    with pytest.raises(OptionError, match=r"fit\.random_effects"):
        ml.shrinkage(many)
    for model in ("unconditional-fixed", "unconditional-random"):
        with pytest.raises(OptionError, match="bends to its own counts"):
            ml.residuals(ml.pool(_tables("OR"), model=model))
    with pytest.raises(NotEstimableError, match="at least 3"):
        ml.residuals(ml.pool(P.take(np.array([0, 1])), model="pooled-counts"))
    one = ml.two_by_two(
        {"study": list("ABC"), "a": [3, 0, 0], "m": [30, 30, 30], "c": [5, 4, 2], "n": [30, 30, 30]},
        events1="a",
        n1="m",
        events2="c",
        n2="n",
        measure="OR",
    )
    with pytest.warns(FewStudiesWarning, match="A: without it the model has no estimate"):
        found = ml.residuals(ml.pool(one, model="mantel-haenszel"))
    assert found.to_frame()["reason"][0] == "without it the model has no estimate"
