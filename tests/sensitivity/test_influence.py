"""Influence with moderators equals fitting again, its flags follow the stated rules, and 100 studies take milliseconds."""

from __future__ import annotations

import time

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError

RNG = np.random.default_rng(20260101)
K = 12
DOSE = RNG.uniform(0, 2, K)
V = RNG.uniform(0.02, 0.2, K)
Y = 0.3 * DOSE + RNG.normal(0, np.sqrt(V + 0.05))
EFFECTS = ml.effects(Y, V, columns={"dose": DOSE})


@pytest.mark.parametrize("test", ["z", "knapp-hartung"])
def test_deleted_coefficients_are_those_of_fitting_again(test: str) -> None:
    """Each row of beta, tau2 and q is the regression without that study."""
    d = ml.influence(ml.pool(EFFECTS, moderators="~ dose", test=test))
    for i in range(K):
        again = ml.pool(EFFECTS.take([j for j in range(K) if j != i]), moderators="~ dose", test=test)
        assert np.allclose(d.beta[i], again.beta, rtol=1e-8)
        assert d.tau2[i] == pytest.approx(again.tau2, rel=1e-7, abs=1e-10)
        assert d.q[i] == pytest.approx(again.q, rel=1e-9)
    assert d.hat.sum() == pytest.approx(2)


def test_a_study_far_off_is_flagged_and_named() -> None:
    """One number far from the rest, precise enough to matter."""
    y = np.r_[np.zeros(9) + RNG.normal(0, 0.1, 9), 3.0]
    d = ml.influence(ml.pool(ml.effects(y, np.full(10, 0.02))))
    assert d.flagged.tolist() == [False] * 9 + [True]
    assert "Study 10 is influential" in d.sentence
    assert abs(d.rstudent[9]) == np.abs(d.rstudent).max()


def test_what_cannot_be_diagnosed_is_refused() -> None:
    """Too few studies; models of counts with moderators."""
    with pytest.raises(NotEstimableError, match="at least 3"):
        ml.influence(ml.pool(ml.effects([0.1, 0.2], [0.1, 0.1]), model="common"))
    counts = ml.proportions({"study": list("abcd"), "events": [11, 7, 2, 5], "n": [14, 10, 4, 9]})
    with pytest.raises(OptionError, match="leave_one_out"):
        ml.influence(ml.pool(counts, model="binomial-normal", moderators={"x": [1, 2, 3, 4]}))


def test_hundred_studies_take_milliseconds() -> None:
    """A generous bound, so that a loop over studies would fail it on any machine."""
    v = RNG.uniform(0.01, 0.3, 100)
    fit = ml.pool(ml.effects(RNG.normal(0, np.sqrt(v + 0.1)), v))
    best = min(_seconds(lambda: ml.influence(fit)) for _ in range(3))
    assert best < 0.2


def _seconds(call: object) -> float:
    start = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - start


def test_shrinkage_lies_between_the_study_and_the_mean() -> None:
    """Imprecise studies are drawn further; without heterogeneity there is nothing to shrink to but the mean."""
    fit = ml.pool(EFFECTS)
    s = ml.shrinkage(fit)
    assert ((s.effect - fit.beta[0]) * (Y - s.effect) >= 0).all()
    assert np.argsort(s.factor).tolist() == np.argsort(V).tolist()
    with pytest.raises(OptionError, match="nothing to shrink"):
        ml.shrinkage(ml.pool(EFFECTS, model="common"))


def test_radial_and_residuals_count_who_is_outside() -> None:
    """Distances are standardised residuals."""
    fit = ml.pool(EFFECTS, model="common")
    r = ml.radial(fit)
    assert np.allclose(r.distance, ml.residuals(fit).pearson)
    assert len(r.outside) == int((np.abs(r.distance) > 1.959964).sum())
    assert ml.residuals(fit).expected.sum() == pytest.approx(0, abs=1e-9)


def test_study_that_alone_determines_a_coefficient_has_no_deletion_diagnostics() -> None:
    rows = {"route": ["a", "a", "a", "b", "a", "a"]}
    with pytest.warns(UserWarning, match="one study"):
        fit = ml.pool(ml.effects([0.1, 0.2, 0.15, 0.5, 0.3, 0.6], [0.02] * 6, columns=rows), moderators="~ route")
    with pytest.warns(UserWarning, match="cannot be fitted without it"):
        found = ml.influence(fit)
    alone = np.arange(6) == 3
    assert (np.isnan(found.cook) == alone).all()
    assert np.isfinite(found.hat).all()
    assert "Cook" in found.sentence or "influential" in found.sentence
