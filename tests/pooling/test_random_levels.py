"""Models of two-arm counts with random study levels: R's rma.glmm(model="UM.RS"), plain integration, and invariances."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.pooling.random_levels import integrate
from metaleptic.pooling.study_likelihoods import TwoBinomials, TwoPoissons

GLMM: dict[str, Any] = json.loads((Path(__file__).parent.parent / "golden" / "glmm.json").read_text(encoding="utf-8"))
FITS = [(name, fit) for name, data in GLMM.items() for fit in data["fits"] if fit["id"].endswith("UM.RS")]
QUICK = {"lee2004_OR"}


def tables(counts: dict[str, list[float]], **options: Any) -> ml.Effects:
    names = {c: c for c in ("events1", "n1", "events2", "n2")}
    t = {"study": [str(i) for i in range(len(counts["n1"]))]} | counts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ml.two_by_two(t, **names, measure="OR", **options)


def test_the_grid_is_complete() -> None:
    assert len(FITS) == 12
    assert {name for name, _ in FITS} == set(GLMM)


@pytest.mark.parametrize(
    ("name", "fit"),
    [pytest.param(n, f, id=f"{n}-{f['id']}", marks=[] if n in QUICK else [pytest.mark.long]) for n, f in FITS],
)
def test_agrees_with_rma_glmm(name: str, fit: dict[str, Any]) -> None:
    """R integrates the random effects by Laplace's approximation (one node), the common effect by 7 nodes.

    Its log-likelihood is never the higher one. Its standard errors come from finite differences: 0.4% off, more on the edge.
    """
    random = "_ML_" in fit["id"]
    effects = tables(GLMM[name]["counts"])
    ours = ml.pool(effects, model="unconditional-random", **({"nodes": 1} if random else {"tau2": 0}))
    assert ours.beta[0] == pytest.approx(fit["beta"][0], rel=1e-3 if random else 1e-4)
    assert ours.se[0] == pytest.approx(fit["se"][0], rel=0.012 if random else 2e-5)
    assert ours.tau2 == pytest.approx(fit["tau2"], rel=2e-3, abs=1e-7)
    assert ours.levels is not None
    assert ours.levels.sd**2 == pytest.approx(fit["sigma2"][0], rel=1e-3)
    assert ours.q == pytest.approx(fit["QE_LRT"], rel=2e-3 if random else 2e-6)
    if random:  # the common-effect fit of R leaves constants out
        assert fit["loglik"] < ours.loglik < fit["loglik"] + 1e-3
    assert not any("full precision" in note for note in ours.notes)


@pytest.mark.parametrize("rho", [0.0, -0.8, 1.0])
def test_the_integral_is_exact(rho: float) -> None:
    """Adaptive quadrature against a fine grid, also where level and effect are one and the same variable."""
    cells = np.array([[0, 20, 3, 18], [4, 119, 11, 128], [12, 3, 2, 15]], dtype=float)
    sigma, tau = 0.9, 0.6
    root = np.array([[sigma, 0.0], [rho * tau, np.sqrt(1 - rho**2) * tau]])
    theta = np.array([-0.4, 0.2, 0.1])
    for studies in (TwoBinomials(cells), TwoPoissons(cells)):
        found = integrate(studies, -0.8, theta, root, 21).value
        z = np.linspace(-8, 8, 641)
        a, b = np.meshgrid(z, z, indexing="ij")
        density = stats.norm.pdf(a) * stats.norm.pdf(b) * (z[1] - z[0]) ** 2
        level, effect = -0.8 + root[0, 0] * a, root[1, 0] * a + root[1, 1] * b
        heights = studies.parts(level[..., None], theta + effect[..., None])[0]
        plain = np.log((np.exp(heights) * density[..., None]).sum(axis=(0, 1)))
        assert found == pytest.approx(plain, abs=2e-6)


COUNTS = {
    "events1": [2, 0, 5, 1, 9],
    "n1": [30, 25, 60, 40, 80],
    "events2": [6, 3, 9, 4, 20],
    "n2": [31, 24, 58, 41, 83],
}


@pytest.mark.parametrize("model", ["unconditional-random", "unconditional-correlated"])
def test_swapping_the_arms_inverts_the_ratio(model: str) -> None:
    swapped = {"events1": COUNTS["events2"], "n1": COUNTS["n2"], "events2": COUNTS["events1"], "n2": COUNTS["n1"]}
    a, b = (ml.pool(tables(x), model=model, nodes=3) for x in (COUNTS, swapped))
    assert a.beta[0] == pytest.approx(-b.beta[0], abs=1e-6)
    assert a.tau2 == pytest.approx(b.tau2, abs=1e-5)
    assert a.loglik == pytest.approx(b.loglik, abs=1e-8)


@pytest.mark.long
def test_a_correlation_can_only_raise_the_likelihood() -> None:
    counts = GLMM["lee2004_OR"]["counts"]
    free = ml.pool(tables(counts), model="unconditional-correlated")
    zero = ml.pool(tables(counts), model="unconditional-random")
    assert free.loglik > zero.loglik
    assert free.levels is not None
    assert free.levels.correlation == pytest.approx(-0.2386, abs=1e-3)


@pytest.mark.long
def test_rates_of_two_arms_approach_odds_where_events_are_rare() -> None:
    """With a thousand times the patients, Poisson and binomial likelihoods are the same."""
    c = {key: [1000 * x if key[0] == "n" else x for x in values] for key, values in COUNTS.items()}
    two = {"study": list("abcde"), "events1": c["events1"], "time1": c["n1"], "events2": c["events2"], "time2": c["n2"]}
    rates = ml.pool(ml.two_rates(two), model="unconditional-random")
    odds = ml.pool(tables(c), model="unconditional-random")
    assert rates.beta[0] == pytest.approx(odds.beta[0], abs=1e-3)
    assert rates.se[0] == pytest.approx(odds.se[0], rel=1e-3)


def test_studies_without_events_are_kept() -> None:
    """They say that the level is low there; R leaves them out."""
    more = {key: [*values, extra] for (key, values), extra in zip(COUNTS.items(), (0, 50, 0, 50), strict=True)}
    a = ml.pool(tables(COUNTS), model="unconditional-random")
    b = ml.pool(tables(more, double_zero="correct"), model="unconditional-random")
    assert a.levels is not None
    assert b.levels is not None
    assert b.levels.mean < a.levels.mean
    assert b.q_df == 5


def test_nodes_go_with_models_of_counts() -> None:
    with pytest.raises(OptionError, match="nodes go with the models"):
        ml.pool(tables(COUNTS), nodes=3)
    with pytest.raises(OptionError, match="from 1 to 100"):
        ml.pool(tables(COUNTS), model="unconditional-random", nodes=0)


MODELS = ("conditional-exact", "unconditional-fixed", "unconditional-random", "unconditional-correlated")


@pytest.mark.parametrize("model", MODELS)
def test_arms_in_which_everyone_had_the_event_are_an_error(model: str) -> None:
    with pytest.raises(DataError, match="everyone in the arm of interest had the event"):
        ml.pool(tables(COUNTS | {"events1": COUNTS["n1"]}), model=model)


@pytest.mark.parametrize("model", ["conditional-exact", "conditional-approximate"])
def test_a_likelihood_that_rises_without_end_is_an_error(model: str) -> None:
    """Events in one arm alone of every study: no spread is large enough."""
    apart = {"events1": [0, 5, 0, 6], "n1": [20, 21, 22, 23], "events2": [4, 0, 5, 0], "n2": [20, 20, 20, 20]}
    with pytest.raises(NotEstimableError, match="rises with tau without end"):
        ml.pool(tables(apart), model=model)
    assert np.isfinite(ml.pool(tables(apart), model=model, tau2=0).se[0])


def test_levels_that_do_not_differ_are_no_failure_of_the_search() -> None:
    same = {"events1": [3, 4, 3], "n1": [20, 21, 20], "events2": [4, 4, 3], "n2": [20, 20, 19]}
    fit = ml.pool(tables(same), model="unconditional-random")
    assert fit.levels is not None
    assert fit.levels.sd == pytest.approx(0, abs=1e-4)
    assert not any("full precision" in note for note in fit.notes)


def test_a_correlation_at_its_edge_is_said() -> None:
    fit = ml.pool(tables(GLMM["yusuf1985_t6_PETO"]["counts"]), model="unconditional-correlated", nodes=3)
    assert fit.levels is not None
    assert abs(fit.levels.correlation) > 0.999
    assert any("at its edge" in note for note in fit.notes)
