"""Copas' selection model: R's fits along its own line of selections, and what the record says."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special
from sensitivity_golden import NAMES, effects_of, load

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.sensitivity.copas_likelihood import log_likelihood


def _result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(x for x in load("metasens")[name] if x["id"] == "copas")["result"]
    return found


def _gammas(result: dict[str, Any], s: Any) -> list[tuple[float, float]]:
    """Recover R's selections from the two numbers that it prints of each: publication probability and studies missing."""
    pairs = []
    for published, missing in zip(result["publprob"][1:], result["N.unpubl"][1:], strict=True):
        u, largest = special.ndtri(published), s.max()

        def gap(slope: float, u: float = u, largest: float = largest, missing: float = missing) -> float:
            p = special.ndtr(u + slope * (1 / s - 1 / largest))
            return float(((1 - p) / p).sum() - missing)

        slope = float(optimize.brentq(gap, -0.5, 50, xtol=1e-14))
        pairs.append((float(u - slope / largest), slope))
    return pairs


@pytest.mark.parametrize("name", NAMES)
def test_fits_are_those_of_r_or_higher(name: str) -> None:
    e, r = effects_of(name), _result(name)
    s = np.sqrt(e.v)
    pairs = _gammas(r, s)
    found = ml.copas(ml.pool(e), gamma=pairs)
    same = 0
    for j, pair in enumerate(pairs, start=1):
        theirs = np.array([r["TE.slope"][j], r["tau.slope"][j], np.arctanh(r["rho.slope"][j])])
        gain = found.loglik[j - 1] - float(log_likelihood(theirs, e.y, s, pair))
        # where R stops at a lower peak ours is higher, but not in the corner where the model breaks down
        assert gain > -1e-6 or "breaks down" in found.note[j - 1]
        if abs(gain) < 1e-8:
            same += 1
            assert found.mu[j - 1] == pytest.approx(theirs[0], abs=2e-5)
            assert found.tau[j - 1] == pytest.approx(theirs[1], abs=2e-5)
            assert found.p_left[j - 1] < r["pval.rsb"][j] + 1e-4  # likewise of the model with a slope
        assert found.unpublished[j - 1] == pytest.approx(r["N.unpubl"][j], rel=1e-8)
        assert found.probability[j - 1] == pytest.approx(r["publprob"][j], rel=1e-10)
    assert same >= len(pairs) // 2


@pytest.mark.parametrize("name", NAMES)
def test_without_selection_it_is_maximum_likelihood(name: str) -> None:
    e, r = effects_of(name), _result(name)
    found = ml.copas(ml.pool(e), probability=(1,))
    plain = ml.pool(e, tau2="ML", test="z")
    assert found.mu[0] == pytest.approx(plain.beta[0], abs=1e-9)
    assert found.se[0] == pytest.approx(plain.se[0], rel=1e-6)
    assert found.unpublished[0] == 0
    assert found.p_left[0] == pytest.approx(r["pval.rsb"][0], abs=1e-5)
    assert found.chosen == (0 if found.p_left[0] > 0.1 else None)


def test_simulated_selection_is_taken_off() -> None:
    rng = np.random.default_rng(20)
    gain = []
    for _ in range(6):
        s = rng.uniform(0.08, 0.5, 1500)
        error = rng.standard_normal(1500)
        hidden = 0.9 * error + np.sqrt(1 - 0.81) * rng.standard_normal(1500)
        kept = np.flatnonzero(0.0 - 0.6 + 0.15 / s + hidden > 0)[:60]
        fit = ml.pool(ml.effects((0.1 + s * error)[kept], s[kept] ** 2))
        found = ml.copas(fit, gamma=[(-0.6, 0.15)])
        gain.append((fit.beta[0] - 0.1, found.mu[0] - 0.1))
    biased, corrected = np.abs(np.mean(gain, axis=0))
    assert biased > 0.08
    assert corrected < 0.04


def test_fit_at_the_edge_of_the_model_says_so_and_shows_the_profile() -> None:
    found = ml.copas(ml.pool(effects_of("yusuf1985_t6_PETO")))
    bad = np.flatnonzero(~found.converged)
    assert len(bad)
    assert set(found.profiles) == set(bad.tolist())
    rho, heights, effects = found.profiles[int(bad[0])]
    assert rho.shape == heights.shape == effects.shape
    assert np.isnan(found.low[bad]).all()
    assert all(found.note[i] for i in bad)
    assert "cannot be relied on" in found.sentence
    frame = found.to_frame()
    assert (frame["note"][frame["low"].isna()] != "").all()


def test_what_cannot_be_fitted_is_refused() -> None:
    fit = ml.pool(effects_of("bcg_OR"))
    with pytest.raises(OptionError, match="above 0 and up to 1"):
        ml.copas(fit, probability=(1, 0))
    with pytest.raises(OptionError, match="most_precise"):
        ml.copas(fit, most_precise=1.0)
    with pytest.raises(OptionError, match="pairs"):
        ml.copas(fit, gamma=[(1.0,)])  # type: ignore[list-item]
    with pytest.raises(OptionError, match="random"):
        ml.copas(ml.pool(effects_of("bcg_OR"), model="common"))
    with pytest.raises(NotEstimableError, match="at least 4"):
        ml.copas(ml.pool(ml.effects([0.1, 0.2, 0.4], [0.1, 0.2, 0.3])))
    with pytest.raises(NotEstimableError, match="same standard error"):
        ml.copas(ml.pool(ml.effects([0.1, 0.2, 0.4, 0.3], [0.1] * 4)))


def test_direction_does_not_matter() -> None:
    e = effects_of("lee2004_OR")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = ml.copas(ml.pool(ml.effects(e.y, e.v)), probability=(1, 0.7, 0.4))
        two = ml.copas(ml.pool(ml.effects(-e.y, e.v)), probability=(1, 0.7, 0.4))
    np.testing.assert_allclose(one.mu, -two.mu, atol=1e-6)
    np.testing.assert_allclose(one.loglik, two.loglik, atol=1e-8)
