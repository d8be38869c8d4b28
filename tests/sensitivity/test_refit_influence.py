"""Influence by refitting: equal to the closed diagnostics where both exist, whole for counts and posteriors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sensitivity_golden import effects_of

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.sensitivity.refit_influence import RefitInfluence, refit_influence

DATA = {"study": list("ABCDE"), "x1": [4, 6, 3, 62, 1], "m1": [123, 306, 231, 1359, 40], "x2": [11, 29, 11, 248, 0]}
TABLE = {**DATA, "m2": [139, 303, 220, 1286, 41]}
COLUMNS = {"events1": "x1", "n1": "m1", "events2": "x2", "n2": "m2"}


@pytest.fixture(autouse=True)
def _few_studies_are_no_news():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ml.errors.MetalepticWarning)
        yield


@pytest.mark.parametrize("options", [{"test": "z"}, {"model": "common"}])
@pytest.mark.parametrize("name", ["bcg_OR", "collins1985b_OR"])
def test_refitting_gives_what_the_formulas_give(name, options):
    fit = ml.pool(effects_of(name), **options)
    ours, closed = refit_influence(fit), ml.influence(fit)
    for field in ("rstudent", "cook", "covariance_ratio"):
        np.testing.assert_allclose(getattr(ours, field), getattr(closed, field), rtol=1e-7, err_msg=field)
    # The formulas take the standard error from all studies with the others' tau2, refitting that of the others.
    np.testing.assert_allclose(ours.dffits, (fit.beta[0] - closed.beta[:, 0]) / ours.se, rtol=1e-6)
    assert np.array_equal(np.sign(ours.dffits), np.sign(closed.dfbetas[:, 0]))
    if "model" not in options:
        np.testing.assert_allclose(ours.tau2, closed.tau2, rtol=1e-7)


@pytest.mark.parametrize("model", ["conditional-approximate", "unconditional-fixed", "mantel-haenszel", "peto"])
def test_models_of_counts_are_fitted_anew_without_each_study(model):
    effects = ml.two_by_two(TABLE, measure="OR", **COLUMNS)
    fit = ml.pool(effects, model=model)
    found = ml.influence(fit)
    assert isinstance(found, RefitInfluence)
    again = ml.pool(effects.take([0, 2, 3, 4]), model=model)
    assert found.beta[1] == pytest.approx(float(again.beta[0]), rel=1e-8)
    assert found.dffits[1] == pytest.approx(float((fit.beta - again.beta)[0] / again.se[0]), rel=1e-6)
    assert ("tau2_without" in found.to_frame()) == bool(fit.tau2_method)
    assert ml.plot(found).alt == found.sentence


def test_a_posterior_is_made_anew_without_each_study():
    effects = effects_of("bcg_OR")
    post = ml.pool_bayes(effects)
    found = ml.influence(post)
    others = ml.pool_bayes(effects.take(np.arange(1, post.k)), tau=post.prior)
    assert found.beta[0] == pytest.approx(others.mu.median, rel=1e-9)
    assert found.covariance_ratio[0] == pytest.approx((others.mu.sd / post.mu.sd) ** 2, rel=1e-9)
    assert list(found.to_frame()["study"]) == list(effects.study)


def test_a_lone_far_study_is_named_by_every_kind_of_fit():
    effects = ml.effects([0.1, 0.2, 0.15, 0.12, 2.0], [0.02] * 5, study=list("ABCDE"))
    multilevel = ml.pool_multilevel(effects, random="~ 1 | study")
    for fit in (ml.pool(effects), ml.pool_bayes(effects, tau=ml.priors.half_normal(0.5)), multilevel):
        found = ml.influence(fit)
        assert int(np.argmax(found.cook)) == 4
        assert "E" in found.sentence


def test_what_cannot_be_computed_has_its_reason():
    table = {"study": list("ABC"), "x": [0, 0, 5], "n": [10, 12, 15]}
    found = ml.influence(ml.pool(ml.proportions(table, events="x", n="n"), model="binomial-normal"))
    frame = found.to_frame()
    assert np.isnan(frame["cook"]).tolist() == [False, False, True]
    assert "had the event in all studies" in frame["reason"][2]
    with pytest.raises(NotEstimableError, match="at least 3 studies"):
        ml.influence(ml.pool(ml.proportions(table, events="x", n="n").take([1, 2]), model="binomial-normal"))
    counts = ml.pool(
        ml.two_by_two(TABLE, measure="OR", **COLUMNS), moderators={"x": [1, 2, 3, 4, 5]}, model="unconditional-fixed"
    )
    with pytest.raises(OptionError, match="influence is defined for"):
        ml.influence(counts)
