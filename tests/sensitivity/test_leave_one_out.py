"""Leave-one-out equals pooling again without each study, for every model."""

from __future__ import annotations

import pytest

import metaleptic as ml
from metaleptic.errors import NotEstimableError

EFFECTS = ml.effects([-0.9, -0.85, -0.8, 0.3], [0.02, 0.03, 0.02, 0.05], study=list("abcd"), measure="HR")


@pytest.mark.parametrize("options", [{}, {"tau2": "PM", "test": "z"}, {"model": "common"}])
def test_agrees_with_pooling_again(options: dict[str, str]) -> None:
    """Each row is what pool gives without that study."""
    found = ml.leave_one_out(ml.pool(EFFECTS, **options))  # type: ignore[arg-type]
    for i in range(4):
        again = ml.pool(EFFECTS.take([j for j in range(4) if j != i]), **options)  # type: ignore[arg-type]
        assert found.value[i] == pytest.approx(again.estimate.value, rel=1e-10)
        assert found.low[i] == pytest.approx(again.estimate.low, rel=1e-10)
        assert found.tau2[i] == pytest.approx(again.tau2, rel=1e-9, abs=1e-14)


def test_counts_too() -> None:
    """Binomial models are fitted again without each study."""
    counts = ml.proportions({"study": list("abc"), "events": [11, 7, 2], "n": [14, 10, 4]})
    found = ml.leave_one_out(ml.pool(counts, model="pooled-counts"))
    assert found.value[2] == pytest.approx(18 / 24)


def test_the_sentence_names_the_studies_on_which_the_conclusion_hangs() -> None:
    """The plain-words sentence says which study changes the conclusion, or that none does."""
    fit = ml.pool(EFFECTS)
    assert fit.estimate.high > 1
    assert "the conclusion hangs on d" in ml.leave_one_out(fit).sentence
    steady = ml.pool(EFFECTS.take([0, 1, 2]))
    assert "the conclusion never changes" in ml.leave_one_out(steady).sentence


def test_survival_rates_keep_their_bounds_in_order() -> None:
    """The complementary log-log scale decreases: printed bounds are sorted again."""
    rates = ml.survival_rates({"study": list("abc"), "rate": [0.5, 0.6, 0.4], "n": [20, 30, 25]}, at=12)
    found = ml.leave_one_out(ml.pool(rates))
    assert (found.low < found.value).all()
    assert (found.value < found.high).all()


def test_needs_three_studies() -> None:
    """Two studies cannot be left out one at a time."""
    with pytest.raises(NotEstimableError, match="at least 3"):
        ml.leave_one_out(ml.pool(EFFECTS.take([0, 1]), model="common"))


def test_groups_and_pairs() -> None:
    """Whole groups and every pair of studies can be left out; the frame names them."""
    e = ml.effects(EFFECTS.y, EFFECTS.v, study=list("abcd"), measure="HR", columns={"centre": ["x", "x", "y", "z"]})
    fit = ml.pool(e, model="common")
    groups = ml.leave_one_out(fit, by="centre")
    assert groups.left_out == ("x", "y", "z")
    assert groups.value[0] == pytest.approx(ml.pool(e.take([2, 3]), model="common").estimate.value, rel=1e-10)
    pairs = ml.leave_one_out(fit, size=2)
    assert pairs.left_out[0] == "a + b"
    assert len(pairs.to_frame()) == 6
    with pytest.raises(ml.errors.OptionError, match="no column 'center'"):
        ml.leave_one_out(fit, by="center")


def test_a_subset_without_an_estimate_says_why() -> None:
    """No NaN in a table without a reason beside it."""
    table = {"study": list("abc"), "x1": [0, 2, 3], "n1": [10, 20, 30], "x2": [2, 3, 4], "n2": [10, 20, 30]}
    effects = ml.two_by_two(table, events1="x1", n1="n1", events2="x2", n2="n2", measure="OR")
    steps = ml.cumulative(ml.pool(effects, model="mantel-haenszel"))
    assert "0 or infinite" in steps.to_frame()["reason"][0]
    assert steps.fits.reason[1] == ""


def test_cumulative_by_a_column() -> None:
    """Steps follow the column, words in order and numbers by size; the sentence says when the conclusion settled."""
    e = ml.effects(EFFECTS.y, EFFECTS.v, study=list("abcd"), measure="HR", columns={"year": ["9", "10", "2", "11"]})
    steps = ml.cumulative(ml.pool(e, test="z"), by="year")
    assert steps.added == ("c", "a", "b", "d")
    assert ml.cumulative(ml.pool(e, test="z"), by="-year").added == ("d", "b", "a", "c")
    assert steps.value[-1] == pytest.approx(ml.pool(e, test="z").estimate.value)
    assert "year" in steps.sentence
    assert steps.settled == "c"
    assert ml.cumulative(ml.pool(e), by="year").settled == "d"  # across the null again with the last
    with pytest.raises(ml.errors.OptionError, match="no column"):
        ml.cumulative(ml.pool(e), by="yaer")


def test_sentences_say_what_was_left_out_at_a_time() -> None:
    """Studies, pairs, groups, of every kind of record; the frame has p and Q."""
    columns = {"lab": ["u", "u", "v", "v", "w"], "x": [1.0, 2.0, 4.0, 3.0, 6.0]}
    e = ml.effects([0.1, 0.5, 0.2, 0.4, 0.3], [0.02, 0.03, 0.04, 0.02, 0.03], columns=columns, measure="HR")
    prior = ml.priors.half_normal(0.5)
    fits = (ml.pool(e), ml.pool_bayes(e, tau=prior), ml.pool(e, moderators="~ x"))
    for fit in fits:
        assert ml.leave_one_out(fit).sentence.startswith("Leaving out one study at a time moves")
        assert ml.leave_one_out(fit, by="lab").sentence.startswith("Leaving out one group of lab at a time moves")
        assert ml.leave_one_out(fit, size=2).sentence.startswith("Leaving out every pair of studies moves")
    levels = ml.pool_multilevel(e, random="~ 1 | lab")
    assert ml.leave_one_out(levels).sentence.startswith("Leaving out one effect at a time moves")
    triples = ml.leave_one_out(fits[0], size=3)
    assert triples.sentence.startswith("Leaving out every set of 3 studies moves")
    frame = ml.leave_one_out(fits[0]).to_frame()
    again = ml.pool(e.take([1, 2, 3, 4]))
    assert frame["p"][0] == pytest.approx(again.p, rel=1e-9)
    assert (frame["q"][0], frame["q_p"][0]) == pytest.approx((again.q, again.q_p), rel=1e-9)
    medians = ml.effects([2.1, 2.2, 2.6], [0.02] * 3, measure="MEDIAN")
    assert "p" not in ml.leave_one_out(ml.pool(medians)).to_frame()


def test_a_regression_of_counts_is_fitted_anew_as_one_of_counts() -> None:
    """Not as a regression of its effects: the coefficients are those of the same model without the study."""
    table = {
        "study": list("abcdef"),
        "e1": [4, 9, 6, 12, 8, 15],
        "n1": [40, 52, 45, 60, 41, 80],
        "e2": [8, 12, 9, 13, 14, 16],
        "n2": [42, 50, 44, 61, 43, 78],
        "x": [1.0, 2.0, 4.0, 3.0, 6.0, 5.0],
    }
    e = ml.two_by_two(table, events1="e1", n1="n1", events2="e2", n2="n2", measure="OR")
    found = ml.leave_one_out(ml.pool(e, model="conditional-approximate", moderators="x"))
    again = ml.pool(e.take([1, 2, 3, 4, 5]), model="conditional-approximate", moderators="x")
    assert found.beta[0] == pytest.approx(again.beta, rel=1e-6)
    assert found.low[0] == pytest.approx(again.low, rel=1e-6)
