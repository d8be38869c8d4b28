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


def test_a_bayesian_regression_is_made_anew_without_each_study():
    """Flat priors on coefficients: their means, covariances and Cook's distance are those of the posterior of the others."""
    e = effects_of("bcg_OR")
    x = np.linspace(10, 55, e.y.size)
    fit = ml.pool_bayes(e, moderators={"x": x})
    found = ml.influence(fit)
    assert found.names == ("intercept", "x")
    at = np.arange(1, fit.k)
    rest = ml.pool_bayes(e.take(at), moderators={"x": x[1:]}, tau=fit.prior)
    np.testing.assert_allclose(found.se[0], [b.sd for b in rest.beta], rtol=1e-6)
    np.testing.assert_allclose(found.beta[0], [b.mean for b in rest.beta], rtol=1e-6)
    np.testing.assert_allclose(
        found.dfbetas[0], (np.array([b.mean for b in fit.beta]) - found.beta[0]) / found.se[0], rtol=1e-5
    )
    assert found.tau2[0] == pytest.approx(rest.tau.median**2, rel=1e-6)
    closed = ml.influence(ml.pool(e, moderators={"x": x}, test="z"))
    assert np.corrcoef(found.cook, closed.cook)[0, 1] > 0.98
    assert np.corrcoef(found.rstudent, closed.rstudent)[0, 1] > 0.98
    assert found.not_defined["q"] == "a posterior has no Q"
    assert ml.plot(found).alt == found.sentence
    alone = ml.influence(ml.pool_bayes(e, moderators={"g": [1.0] + [0.0] * (e.y.size - 1)}))
    assert alone.to_frame()["reason"][0] == "it alone determines a coefficient"
    assert np.isfinite(alone.cook[1:]).all()


def test_what_a_model_has_is_in_its_frame_and_what_it_lacks_has_a_reason():
    effects = ml.two_by_two(TABLE, measure="OR", **COLUMNS)
    counts = ml.influence(ml.pool(effects, model="unconditional-fixed"))
    for column in ("hat", "weight", "q_without", "dfbetas", "because"):
        assert column in counts.to_frame()
    assert counts.not_defined == {}
    post = ml.influence(ml.pool_bayes(effects_of("bcg_OR")))
    assert list(post.not_defined) == ["q"]
    np.testing.assert_allclose(post.hat, post.weight / 100)


def test_the_sentence_names_the_rule_and_counts_right():
    """One, two and several influential studies; below ten a caution."""
    lone = ml.influence(ml.pool(ml.effects([0.1, 0.2, 0.15, 0.12, 2.0], [0.02] * 5, study=list("ABCDE"))))
    assert lone.sentence.startswith("E is influential (|DFFITS| ")
    assert f"Cook's distance {lone.cook[4]:.2f} > 0.45" in lone.because[4]
    assert lone.sentence.endswith("With 5 studies this is a guess.")
    assert lone.to_frame()["because"].tolist() == list(lone.because)
    from metaleptic.sensitivity.flags import influence_words

    cook = np.array([0.1, 0.2, 0.3])
    assert influence_words("ABC", ("x", "y", ""), cook) == (
        "A (x), B (y) are influential: leaving out either of them by itself makes the result another."
    )
    assert "any one of them by itself" in influence_words("ABC", ("x", "y", "z"), cook)
    assert influence_words("ABC", ("", "", ""), cook) == (
        "No study is influential by the usual limits (largest Cook's distance 0.30: C)."
    )
