"""All subsets agree with metafor's gosh() on every subset; a million take seconds; the splitting study is found."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from sensitivity_golden import cases, differing, effects_of, fit_of, load

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.sensitivity.subset_fits import fit_subsets
from metaleptic.sensitivity.subset_sums import masks_of, subset_estimates

RNG = np.random.default_rng(7)


def test_the_grid_is_complete() -> None:
    """All subsets of three data sets, by up to three estimators."""
    golden = load("gosh")
    assert {name: [x["id"] for x in entries] for name, entries in golden.items()} == {
        "anker2025_RR": ["EE", "DL", "REML"],
        "bcg_RR": ["DL"],
        "collins1985b_OR": ["EE", "DL"],
    }
    for name, entries in golden.items():
        k = len(effects_of(name))
        assert all(len(set(x["incl"])) == 2**k - 1 for x in entries)


@pytest.mark.parametrize(("name", "x"), cases("gosh"))
def test_every_subset_agrees_with_metafor(name: str, x: dict[str, Any]) -> None:
    """Estimate, tau2, Q and I2 of every subset; REML there is iterated to 1e-5."""
    found = ml.all_subsets(fit_of(name, x["id"]))
    order = np.argsort(x["incl"])
    assert found.code.tolist() == sorted(x["incl"])
    assert found.exhaustive
    theirs = {key: np.array(x[key])[order] for key in ("estimate", "QE", "I2", "tau2") if key in x}
    ours = {"estimate": found.estimate, "QE": found.q, "I2": found.i2, "tau2": found.tau2}
    pairs = {key: (ours[key], theirs[key]) for key in theirs}
    if x["id"] == "REML":
        assert not differing({k: pairs[k] for k in ("estimate", "QE")}, 1e-4, near_zero=0.1)
        assert not differing({"tau2": pairs["tau2"]}, 1e-3, near_zero=0.1)
        return
    i2 = {"I2": pairs.pop("I2")}
    assert not differing(pairs, 1e-8, near_zero=0.01)
    assert not differing(i2, 1e-8, near_zero=1.0)


@pytest.mark.parametrize("method", ["REML", "ML", "DL", "EE", "PM"])
def test_sums_agree_with_the_exact_kernel(method: str) -> None:
    """The kernel by sums and the kernel that all other fits use, on every subset of ten studies."""
    v = RNG.uniform(0.01, 0.4, 10)
    y = RNG.normal(0, np.sqrt(v + 0.1))
    model, tau2 = ("common", "REML") if method == "EE" else ("random", method)
    fit = ml.pool(ml.effects(y, v), model=model, tau2=tau2, test="z")
    found = ml.all_subsets(fit)
    exact = fit_subsets(fit, masks_of(found.code, 10) > 0)
    assert np.allclose(found.estimate, exact.beta, rtol=1e-7, atol=1e-8)
    assert np.allclose(found.tau2, exact.tau2, rtol=1e-5, atol=1e-8)
    assert np.allclose(found.q, exact.q, rtol=1e-9, atol=1e-11)
    assert np.allclose(found.i2, exact.i2, rtol=1e-5, atol=1e-5)


def test_the_study_that_splits_the_cloud_is_found() -> None:
    """One far, precise study; and none in a homogeneous set."""
    v = np.full(10, 0.02)
    y = np.r_[RNG.normal(0, 0.14, 9), 2.0]
    found = ml.all_subsets(ml.pool(ml.effects(y, v), tau2="DL"))
    assert found.splitting == ("Study 10",)
    assert "falls into two parts" in found.sentence
    calm = ml.all_subsets(ml.pool(ml.effects(np.r_[y[:9], 0.05], v), tau2="DL"))
    assert calm.splitting == ()


def test_beyond_twenty_studies_a_sample_is_drawn_and_recorded() -> None:
    """The same seed gives the same subsets."""
    v = RNG.uniform(0.01, 0.4, 30)
    fit = ml.pool(ml.effects(RNG.normal(0, np.sqrt(v)), v), tau2="DL")
    a, b = (ml.all_subsets(fit, most=5000, seed=3) for _ in range(2))
    assert a.code.tolist() == b.code.tolist()
    assert (a.exhaustive, a.seed) == (False, 3)
    assert "random subsets" in a.sentence
    with pytest.raises(NotEstimableError, match="at least 3"):
        ml.all_subsets(ml.pool(effects_of("bcg_RR").take([0, 1]), model="common"))


def test_a_hundred_thousand_subsets_take_less_than_seconds() -> None:
    """A generous bound: a loop over subsets takes minutes."""
    v = RNG.uniform(0.01, 0.4, 17)
    y = RNG.normal(0, np.sqrt(v + 0.1))
    start = time.perf_counter()
    subset_estimates(y, v, masks_of(np.arange(1, 100_001), 17), "DL")
    assert time.perf_counter() - start < 3.0


@pytest.mark.parametrize("k", [55, 70])
def test_an_outlier_among_very_many_studies_is_found(k: int) -> None:
    """Random subsets of more studies than a number has digits; each can be asked which studies it holds."""
    rng = np.random.default_rng(4)
    v = rng.uniform(0.01, 0.03, k)
    y = rng.normal(0.2, np.sqrt(v))
    v[0], y[0] = 0.0005, 3.0
    fit = ml.pool(ml.effects(y, v), tau2="DL", test="z")
    found = ml.all_subsets(fit, most=3000, seed=3)
    assert not found.exhaustive
    assert found.splitting == ("Study 1",)
    holds = np.stack([found.contains(s) for s in fit.effects.study], axis=-1)
    assert holds.sum(axis=-1) == pytest.approx(found.k)
    i = 17
    again = ml.pool(fit.effects.take(np.flatnonzero(holds[i])), tau2="DL", test="z")
    assert found.estimate[i] == pytest.approx(again.beta[0], rel=1e-9)
    if k < 63:
        digits = [int(x) for x in f"{int(found.code[i]):0{k}b}"]
        assert digits == holds[i].astype(int).tolist()
    with pytest.raises(OptionError, match="no study 'X'"):
        found.contains("X")
