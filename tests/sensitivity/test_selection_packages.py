"""Step functions agree with weightr 2.0.2 and p-uniform with puniform 0.2.7 (R 4.2.2), as far as their searches go."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from sensitivity_golden import cases, load

import metaleptic as ml
from metaleptic.errors import NotEstimableError

DATA = load("data")


def _effects(name: str) -> ml.Effects:
    """Return the effects as handed to R: turned round, so that larger ones are favoured."""
    y, v = np.array(DATA[name]["y"], float), np.array(DATA[name]["v"], float)
    return ml.effects(-y[~np.isnan(y)], v[~np.isnan(y)])


def _fit(name: str, *, common: bool = False) -> ml.Pooled:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ml.pool(_effects(name), model="common") if common else ml.pool(_effects(name), tau2="ML", test="z")


def _numbers(call: str, name: str) -> list[float] | None:
    found = re.search(rf"{name}=c\(([^)]*)\)", call)
    return [float(x) for x in found[1].split(",")] if found else None


def test_the_grids_are_complete() -> None:
    assert {x["id"] for e in load("weightr").values() for x in e} == {"one", "three", "common", "known"}
    assert {x["id"] for e in load("puniform").values() for x in e} == {"original", "star"}
    assert set(load("weightr")) == set(load("puniform")) == set(DATA)


def _step(name: str, entry: dict[str, Any]) -> Any:
    """Fit as weightr did; None where no study lies between two steps: there weightr writes a weight of 0.01."""
    steps, weights = _numbers(entry["call"], "steps")[:-1], _numbers(entry["call"], "weights")
    fit = _fit(name, common="fe=TRUE" in entry["call"])
    try:
        return ml.selection_model(fit, steps=steps, favoured="greater", weights=weights)
    except NotEstimableError:
        return None


STEPS = [(c.id, found, *c.values) for c in cases("weightr") if (found := _step(*c.values)) is not None]


def _theirs(found: Any, entry: dict[str, Any]) -> float:
    return float(entry["loglik"] - 0.5 * len(found.fit.effects) * np.log(2 * np.pi))


@pytest.mark.parametrize(("found", "entry"), [pytest.param(f, e, id=i) for i, f, _, e in STEPS])
def test_weightr_finds_no_higher_likelihood(found: Any, entry: dict[str, Any]) -> None:
    assert found.loglik >= _theirs(found, entry) - 1e-7


def test_step_functions_agree_with_weightr_where_its_search_reaches_the_peak() -> None:
    reached = [(f, e) for _, f, _, e in STEPS if f.converged and f.loglik == pytest.approx(_theirs(f, e), abs=1e-5)]
    assert len(STEPS) == 23
    assert len(reached) >= 20
    for found, entry in reached:
        known, common = "weights" in entry["call"], "fe=TRUE" in entry["call"]
        ours = np.r_[() if common else found.tau2, found.beta, () if known else found.delta[1:]]
        np.testing.assert_allclose(ours, entry["par"][: len(ours)], rtol=5e-3, atol=5e-4)


@pytest.mark.parametrize(("name", "entry"), cases("puniform"))
@pytest.mark.filterwarnings("ignore::metaleptic.errors.FewStudiesWarning")
def test_p_uniform_agrees_with_puniform(name: str, entry: dict[str, Any]) -> None:
    found = ml.p_uniform(_fit(name), method=entry["id"], favoured="greater")
    if not found.converged:
        return
    near = 2e-4 * (1 + abs(found.beta))
    assert found.beta == pytest.approx(entry["est"], abs=near)
    for ours, theirs in ((found.low, entry["ci.lb"]), (found.high, entry["ci.ub"])):
        if isinstance(theirs, float) and np.isfinite(ours):
            assert ours == pytest.approx(theirs, abs=5e-4 * (1 + abs(theirs)))
    if entry["id"] == "star":
        assert found.p == pytest.approx(entry["pval.0"], abs=1e-5)
        assert found.tau2 == pytest.approx(entry["tau2"], abs=1e-4)
        assert found.p_homogeneous == pytest.approx(entry["pval.het"], abs=1e-3)
    else:  # puniform takes sums of uniform numbers as normal, which few are not
        assert found.p == pytest.approx(entry["pval.0"], abs=0.02)
        assert found.p_bias == pytest.approx(entry["pval.pb"], abs=0.02)
