"""Models of two-arm counts agree with R's rma.glmm, with brute-force integration, and with each other where they must."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import metaleptic as ml
from metaleptic.errors import DataError
from metaleptic.pooling.glmm import marginal
from metaleptic.pooling.study_likelihoods import Binomial, Hypergeometric, Poisson

GLMM: dict[str, Any] = json.loads((Path(__file__).parent.parent / "golden" / "glmm.json").read_text(encoding="utf-8"))
MODEL = {"UM.FS": "unconditional-fixed", "CM.AL": "conditional-approximate", "CM.EL": "conditional-exact"}
FITS = [
    (name, fit)
    for name, data in GLMM.items()
    for fit in data["fits"]
    if not fit["id"].endswith(("UM.RS", "_m1", "_t", "_nAGQ1"))
]
MORE = [(name, fit) for name, data in GLMM.items() for fit in data["fits"] if fit["id"].endswith(("_t", "_nAGQ1"))]
SLOW = {("egger2001_OR", "OR_ML_CM.EL"), ("bcg_OR", "OR_ML_CM.EL")}


def tables(counts: dict[str, list[float]], **options: Any) -> ml.Effects:
    names = {c: c for c in ("events1", "n1", "events2", "n2")}
    t = {"study": [str(i) for i in range(len(counts["n1"]))]} | counts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ml.two_by_two(t, **names, measure="OR", **options)


def test_the_grid_is_complete() -> None:
    """Six data sets; conditional exact models where R could fit them."""
    assert len(FITS) == 30
    assert {fit["version"] for _, fit in FITS} == {"metafor 5.0.1"}


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        pytest.param(n, f, id=f"{n}-{f['id']}", marks=[pytest.mark.long] if (n, f["id"]) in SLOW else [])
        for n, f in FITS
    ],
)
def test_agrees_with_rma_glmm(name: str, fit: dict[str, Any]) -> None:
    """R's optimisers stop at 1e-4 to 1e-5 here, and its SE comes from a numerical Hessian; Q is exact in both."""
    _, method, model = fit["id"].split("_")
    effects = tables(GLMM[name]["counts"], double_zero="correct")
    ours = ml.pool(effects, model=MODEL[model], **({"tau2": 0} if method == "EE" else {}))
    loose = 5e-4 if method == "ML" else 1e-6
    assert ours.beta[0] == pytest.approx(fit["beta"][0], rel=loose)
    if fit["se"][0] is not None:
        assert ours.se[0] == pytest.approx(fit["se"][0], rel=max(loose, 2e-4))
    assert ours.tau2 == pytest.approx(fit["tau2"], rel=1e-3, abs=1e-7)
    assert ours.i2 == pytest.approx(fit["I2"], rel=1e-3, abs=1e-5)
    assert ours.q == pytest.approx(fit["QE_LRT"], rel=1e-6)
    assert not any("full precision" in note for note in ours.notes)


@pytest.mark.parametrize(
    ("name", "fit"),
    [pytest.param(n, f, id=f"{n}-{f['id']}", marks=[] if n.startswith("lee") else [pytest.mark.long]) for n, f in MORE],
)
def test_one_node_is_laplace_as_in_r(name: str, fit: dict[str, Any]) -> None:
    """With nAGQ = 1, and the t test: to where R's optimiser stops."""
    options: dict[str, Any] = {"nodes": 1} if fit["id"].endswith("nAGQ1") else {"test": "t"}
    ours = ml.pool(tables(GLMM[name]["counts"]), model="unconditional-fixed", **options)
    assert ours.beta[0] == pytest.approx(fit["beta"][0], rel=6e-4)
    assert ours.se[0] == pytest.approx(fit["se"][0], rel=1.5e-3)  # from finite differences in R
    assert ours.tau2 == pytest.approx(fit["tau2"], rel=2e-3, abs=1e-7)
    if "test" in options:
        assert (ours.statistic, ours.p) == pytest.approx((fit["zval"][0], fit["pval"][0]), rel=2e-3)


@pytest.mark.parametrize("tau", [0.2, 0.9, 3.0])
def test_the_integral_is_exact(tau: float) -> None:
    """Adaptive quadrature with 50 nodes against plain numerical integration."""
    cells = np.array([[0, 20, 3, 18], [4, 119, 11, 128], [12, 3, 2, 15], [30, 400, 10, 420]], dtype=float)
    a, b, c, d = cells.T
    for studies in (
        Hypergeometric.of(cells),
        Binomial(a, a + c, np.log((a + b) / (c + d))),
        Poisson(a, a + b),
    ):
        found = marginal(studies, np.full(4, -0.4), tau, 50)
        u = np.linspace(-12, 12, 24_001)
        center = np.full(4, -0.4)
        for i in range(4):
            heights = np.array([studies(center + tau * x)[0][i] for x in u[::10]])
            plain = integrate.simpson(np.exp(heights) * stats.norm.pdf(u[::10]), x=u[::10])
            assert found[i] == pytest.approx(np.log(plain), abs=1e-6)


def test_the_exact_conditional_distribution_is_fishers() -> None:
    """At no effect it is the hypergeometric distribution; its derivatives are mean and variance."""
    cells = np.array([[4.0, 119, 11, 128]])
    value, slope, curve = Hypergeometric.of(cells)(np.zeros(1))
    reference = stats.hypergeom(262, 15, 123)
    assert value[0] == pytest.approx(reference.logpmf(4), rel=1e-10)
    assert slope[0] == pytest.approx(4 - reference.mean(), rel=1e-10)
    assert -curve[0] == pytest.approx(reference.var(), rel=1e-10)


COUNTS = {
    "events1": [2, 0, 5, 1, 9],
    "n1": [30, 25, 60, 40, 80],
    "events2": [6, 3, 9, 4, 20],
    "n2": [31, 24, 58, 41, 83],
}


@pytest.mark.parametrize("model", MODEL.values())
def test_swapping_the_arms_inverts_the_ratio(model: str) -> None:
    swapped = {"events1": COUNTS["events2"], "n1": COUNTS["n2"], "events2": COUNTS["events1"], "n2": COUNTS["n1"]}
    a, b = ml.pool(tables(COUNTS), model=model), ml.pool(tables(swapped), model=model)
    assert a.beta[0] == pytest.approx(-b.beta[0], abs=1e-6)
    assert a.tau2 == pytest.approx(b.tau2, abs=1e-5)


@pytest.mark.parametrize("model", MODEL.values())
def test_a_study_without_events_changes_nothing_and_is_named(model: str) -> None:
    more = {key: [*values, extra] for (key, values), extra in zip(COUNTS.items(), (0, 50, 0, 50), strict=True)}
    a, b = ml.pool(tables(COUNTS), model=model), ml.pool(tables(more, double_zero="correct"), model=model)
    assert a.beta[0] == pytest.approx(b.beta[0], abs=1e-7)
    assert any("1 study without events" in note for note in b.notes)


def test_an_arm_without_any_events_is_an_error_that_says_what_to_do() -> None:
    none = COUNTS | {"events1": [0] * 5}
    for model in MODEL.values():
        with pytest.raises(DataError, match="no finite estimate"):
            ml.pool(tables(none), model=model)


def test_common_effect_by_conditioning_is_conditional_logistic_regression() -> None:
    """The exact conditional estimate of one table is Fisher's conditional maximum likelihood odds ratio."""
    one = {"events1": [4, 4], "n1": [123, 123], "events2": [11, 11], "n2": [139, 139]}
    fit = ml.pool(tables(one), model="conditional-exact", tau2=0)
    expected = stats.contingency.odds_ratio([[4, 119], [11, 128]], kind="conditional").statistic
    assert fit.estimate.value == pytest.approx(expected, rel=1e-6)


def test_rates_by_their_likelihood() -> None:
    """Poisson-normal of single arms (tau2 is 0 here: events over time), and of two arms given their sum."""
    arms = {"study": list("abcde"), "events": [3, 0, 7, 12, 2], "time": [40.5, 12.2, 80, 150.3, 22]}
    fit = ml.pool(ml.rates(arms), model="poisson-normal")
    assert fit.beta[0] == pytest.approx(np.log(24 / 305), abs=1e-6)
    assert fit.se[0] == pytest.approx(1 / np.sqrt(24), rel=1e-5)
    assert fit.tau2 == 0
    two = {"study": ["a", "b"], "events1": [10, 7], "time1": [100, 33], "events2": [12, 9], "time2": [95, 30]}
    conditional = ml.pool(ml.two_rates(two), model="poisson-normal", tau2=0)
    unconditional = ml.pool(ml.two_rates(two), model="unconditional-fixed", tau2=0)
    assert conditional.beta[0] == pytest.approx(unconditional.beta[0], abs=1e-6)
    assert conditional.se[0] == pytest.approx(unconditional.se[0], rel=1e-4)
