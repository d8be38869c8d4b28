"""What cannot be answered, or is shown in a special way, is said in so many words."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError


@pytest.fixture(autouse=True)
def _few_studies_are_no_news():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ml.errors.MetalepticWarning)
        yield


MEDIANS = {"study": list("ABCDEF"), "median": [8, 9, 12, 7, 15, 10], "n": [20, 30, 15, 44, 12, 25]}


@pytest.mark.parametrize(
    "verb", ["fail_safe_n", "excess_significance", "permutation_test", "pet_peese", "selection_model"]
)
def test_measures_without_a_null_have_no_significance(verb):
    with pytest.raises(OptionError, match="no value means no effect"):
        getattr(ml, verb)(ml.pool(ml.survival_medians(MEDIANS)))


def test_permutations_must_be_some():
    fit = ml.pool(ml.effects([0.1, 0.2, 0.3], [0.1, 0.1, 0.1]))
    with pytest.raises(OptionError, match="permutations is 0"):
        ml.permutation_test(fit, permutations=0)


def test_egger_on_logits_names_the_third_explanation():
    counts = {"study": list("abcdefghijkl"), "x": [0, 1, 0, 3, 2, 9, 14, 0, 1, 5, 22, 3]}
    counts["n"] = [9, 12, 14, 22, 30, 80, 120, 15, 11, 50, 210, 31]
    fit = ml.pool(ml.proportions(counts, events="x", n="n"))
    assert "depends on its value" in ml.small_study(fit).sentence
    assert "depends on its value" not in ml.regression_test(fit, predictor="1/n").sentence


def test_studies_without_events_do_not_enter_the_q_of_mantel_haenszel():
    table = {
        "study": list("abcdefgh"),
        "a": [2, 0, 5, 1, 9, 0, 0, 11],
        "n1": [30, 25, 60, 40, 80, 50, 20, 100],
        "c": [6, 3, 9, 4, 20, 0, 0, 8],
        "n2": [31, 24, 58, 41, 83, 50, 40, 101],
    }
    e = ml.two_by_two(table, events1="a", n1="n1", events2="c", n2="n2", measure="RD")
    fit = ml.pool(e, model="mantel-haenszel")
    # metafor 3.8.1: rma.mh(measure="RD") gives Q(df = 5) = 7.6303837, p = 0.1778168.
    assert (fit.q, fit.q_df, fit.q_p) == pytest.approx((7.6303837, 5, 0.1778168), abs=1e-7)
    assert "Q leaves out: f, g" in fit.notes[0]


def test_one_study_is_shown_as_it_is():
    none = ml.pool(ml.proportions({"study": ["A"], "events": [0], "n": [20]}), model="binomial-normal")
    assert none.estimate.value == 0.0
    assert "nothing was pooled" in str(ml.methods_sentence(none))
    table = ml.pool(ml.effects([0.1, 0.2], [0.1, 0.1])).to_frame()
    assert np.isnan(table["n"]).all()


def test_a_line_cannot_show_an_interaction():
    e = ml.effects(
        [0.1, 0.3, 0.2, 0.5, 0.4, 0.8], [0.02] * 6, columns={"dose": [1, 2, 3, 4, 5, 6], "drug": list("aabbab")}
    )
    with pytest.raises(OptionError, match=r"depends on another moderator .*ml\.predict"):
        ml.bubble(ml.pool(e, moderators="~ drug * dose"))
    assert "dose" in ml.bubble(ml.pool(e, moderators="~ drug + dose")).alt


def test_new_rows_are_of_one_length():
    e = ml.effects(
        [0.1, 0.3, 0.2, 0.5, 0.4, 0.8], [0.02] * 6, columns={"dose": [1, 2, 3, 4, 5, 6], "drug": list("aabbab")}
    )
    fit = ml.pool(e, moderators="~ drug + dose")
    both = ml.predict(fit, {"drug": ["a"], "dose": [2, 4]})
    one = ml.predict(fit, {"drug": ["a"], "dose": [4]})
    assert both.to_frame().iloc[1, 1] == pytest.approx(one.to_frame().iloc[0, 1])
    with pytest.raises(DataError, match="different lengths: 'drug' 2, others 3"):
        ml.predict(fit, {"drug": ["a", "b"], "dose": [1, 2, 3]})


def test_a_single_list_of_moderator_values_comes_with_an_intercept():
    e = ml.effects([0.1, 0.3, 0.2, 0.5], [0.02, 0.03, 0.01, 0.02])
    plain, named = ml.pool(e, moderators=[1, 2, 4, 7]), ml.pool(e, moderators={"x": [1, 2, 4, 7]})
    assert plain.names == named.names == ("intercept", "x")
    assert plain.beta == pytest.approx(named.beta)


def test_the_multiverse_holds_the_answer_it_stands_under():
    counts = ml.proportions({"study": list("ABCDE"), "events": [0, 1, 9, 2, 12], "n": [18, 20, 33, 27, 41]})
    for fit in (ml.pool(counts, model="binomial-normal"), ml.pool(counts, test="profile-likelihood", tau2="ML")):
        found = ml.multiverse(fit)
        assert np.isclose(found.value, fit.estimate.value, rtol=1e-9).any()
    assert "p" not in found.to_frame()
    with pytest.raises(OptionError, match='Did you mean "binomial-normal"'):
        ml.multiverse(counts, models=["binomial normal"])
