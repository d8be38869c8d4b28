"""Methods sentences: one for every model and test, with citations in order."""

from __future__ import annotations

import re

import pytest

import metaleptic as ml
from metaleptic.errors import OptionError
from metaleptic.pooling.normal import TESTS

E = ml.effects(
    [-0.34, -0.05, -0.48, -0.22, 0.1], [0.03, 0.01, 0.05, 0.01, 0.02], measure="HR", columns={"x": [1, 2, 3, 4, 5]}
)


@pytest.mark.parametrize("test", TESTS)
def test_every_test_is_cited(test: str) -> None:
    found = ml.methods_sentence(ml.pool(E, test=test))
    assert TESTS[test].name in found.text
    assert TESTS[test].source in found.sources
    cited = [int(x) for x in re.findall(r"\[(\d+)\]", found.text)]
    assert sorted(set(cited)) == list(range(1, len(found.sources) + 1))


def test_regressions_and_counts_are_named() -> None:
    assert "regressed on x" in ml.methods_sentence(ml.pool(E, moderators="~ x")).text
    p = ml.proportions({"study": list("abc"), "events": [1, 2, 3], "n": [10, 12, 14]})
    assert "beta-binomial model" in ml.methods_sentence(ml.pool(p, model="beta-binomial")).text
    with pytest.raises(OptionError, match=r"ml\.pool"):
        ml.methods_sentence(E)  # type: ignore[arg-type]


def _cites_in_order(found: object) -> None:
    cited = [int(x) for x in re.findall(r"\[(\d+)\]", found.text)]  # type: ignore[attr-defined]
    assert list(dict.fromkeys(cited)) == list(range(1, len(found.sources) + 1))  # type: ignore[attr-defined]


def test_multilevel_fits_cite_each_part() -> None:
    found = ml.methods_sentence(ml.pool_multilevel(E, random="1 | study"))
    assert "random effects of study (5 levels) [1], fitted by restricted maximum likelihood [2]" in found.text
    _cites_in_order(found)


def test_location_scale_fits_name_both_parts() -> None:
    found = ml.methods_sentence(ml.location_scale(E, scale="~ x", moderators="~ x"))
    assert "an effect that depends on x and a log between-study variance that depends on x" in found.text
    _cites_in_order(found)


@pytest.mark.parametrize("moderators", [None, "~ x"])
def test_posteriors_name_prior_and_how_they_were_computed(moderators: str | None) -> None:
    prior = ml.priors.half_normal(0.5)
    more = {"moderators": moderators} if moderators else {}
    found = ml.methods_sentence(ml.pool_bayes(E, tau=prior, **more))
    assert "half-normal(0.5) prior" in found.text
    assert "computed by quadrature" in found.text
    assert prior.source in found.sources
    _cites_in_order(found)
