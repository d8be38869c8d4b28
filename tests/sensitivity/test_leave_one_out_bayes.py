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
    assert repr(found).startswith("Hazard ratio without one study: median")


def test_what_cannot_be_left_out_is_refused() -> None:
    with pytest.raises(NotEstimableError, match="at least 3 studies"):
        ml.leave_one_out(ml.pool_bayes(E.take([0, 1])))
    with pytest.raises(NotEstimableError, match="improper"):
        ml.leave_one_out(ml.pool_bayes(E.take([0, 1, 2]), tau=ml.priors.uniform()))
    with pytest.raises(OptionError, match=r"by and size are for fits of ml\.pool"):
        ml.leave_one_out(ml.pool_bayes(E), size=2)
