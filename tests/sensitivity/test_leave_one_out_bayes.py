"""Leave-one-out of a Bayesian fit is the fit of what is left."""

from __future__ import annotations

import pytest

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError

E = ml.effects([-0.34, -0.05, -0.48, -0.25], [0.03, 0.01, 0.05, 0.01], study=["A", "B", "C", "D"], measure="HR")


def test_each_row_is_the_posterior_of_what_is_left() -> None:
    post = ml.pool_bayes(E, tau=ml.priors.half_normal(0.2), mu=(0, 1), level=0.9)
    found = ml.leave_one_out(post)
    one = ml.pool_bayes(E.take([0, 2, 3]), tau=ml.priors.half_normal(0.2), mu=(0, 1), level=0.9)
    assert (found.value[1], found.low[1], found.high[1]) == pytest.approx(
        (one.estimate.value, one.estimate.low, one.estimate.high), abs=1e-12
    )
    assert found.tau[1] == pytest.approx(one.tau.median)
    assert found.p_below[1] == pytest.approx(one.mu.cdf(0))
    assert found.left_out == E.study
    assert found.to_frame()["left_out"].tolist() == ["A", "B", "C", "D"]
    assert found.changed == tuple(
        s for s, f in zip(E.study, found.fits, strict=True) if (f.estimate.high > 1) != (post.estimate.high > 1)
    )
    assert repr(found) == found.sentence
    assert "the posterior median of hazard ratio between" in found.sentence


def test_what_cannot_be_left_out_is_refused() -> None:
    with pytest.raises(NotEstimableError, match="at least 3 studies"):
        ml.leave_one_out(ml.pool_bayes(E.take([0, 1])))
    with pytest.raises(NotEstimableError, match="improper"):
        ml.leave_one_out(ml.pool_bayes(E.take([0, 1, 2]), tau=ml.priors.uniform()))
    with pytest.raises(OptionError, match=r"something must stay"):
        ml.leave_one_out(ml.pool_bayes(E), size=4)


def test_groups_pairs_and_steps() -> None:
    """Whole groups, pairs, and studies one after the other are the posteriors of what is left."""
    e = ml.effects(E.y, E.v, study=E.study, measure="HR", columns={"site": list("xyyx"), "year": [4, 3, 2, 1]})
    post = ml.pool_bayes(e)
    groups = ml.leave_one_out(post, by="site")
    assert groups.left_out == ("x", "y")
    assert groups.value[0] == pytest.approx(ml.pool_bayes(e.take([1, 2])).estimate.value)
    assert len(ml.leave_one_out(post, size=2).value) == 6
    steps = ml.cumulative(post, by="year")
    assert steps.added == ("D", "C", "B", "A")
    three = ml.pool_bayes(e.take([3, 2, 1]))
    assert (steps.value[2], steps.low[2], steps.high[2]) == pytest.approx(
        (three.estimate.value, three.estimate.low, three.estimate.high)
    )
    assert not steps.to_frame().isna().any().any()
    assert "CrI" in steps.sentence
    rows = ml.plot(steps).layout.rows
    assert rows[-1].value == pytest.approx(post.estimate.value)
    assert ml.plot(groups).layout.rows[0].low == pytest.approx(groups.low[0])
    flat = ml.cumulative(ml.pool_bayes(e, tau=ml.priors.uniform()))
    assert "improper" in flat.to_frame()["reason"][0]


def test_counts_stay_counts_and_sampled_fits_are_refused() -> None:
    """A binomial-normal fit is repeated by its own likelihood, not by that of logits."""
    counts = ml.proportions({"study": list("abcd"), "events": [11, 0, 2, 9], "n": [14, 10, 4, 15]})
    found = ml.leave_one_out(ml.pool_bayes(counts, model="binomial-normal"))
    one = ml.pool_bayes(counts.take([0, 2, 3]), model="binomial-normal")
    assert found.value[1] == pytest.approx(one.estimate.value, abs=1e-9)
    assert "p_below" not in found.to_frame().columns


def test_other_analyses_say_what_there_is_for_bayesian_fits() -> None:
    """No message sends its reader in a circle."""
    post = ml.pool_bayes(E)
    for verb in (ml.baujat, ml.radial, ml.trim_and_fill):
        with pytest.raises(OptionError, match=r"ml\.leave_one_out, ml\.influence, ml\.cumulative"):
            verb(post)
