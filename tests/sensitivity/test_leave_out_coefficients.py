"""Leave-one-out of fits with coefficients: each row is the fit of what is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import OptionError, SuspiciousDataWarning

RNG = np.random.default_rng(5)
K = 9
COLUMNS = {"dose": np.arange(K).tolist(), "lab": list("AABBCCDDE"), "kind": ["x"] * 8 + ["y"]}
E = ml.effects(
    RNG.normal(0.3, 0.3, K), RNG.uniform(0.02, 0.1, K), study=list("abcdefghi"), measure="HR", columns=COLUMNS
)


def row_of(frame: Any, left_out: str, term: str) -> Any:
    """Return one row."""
    return frame[(frame["left_out"] == left_out) & (frame["term"] == term)].iloc[0]


@pytest.mark.parametrize(
    ("model", "tau2", "test"), [("random", "REML", "knapp-hartung"), ("random", "DL", "z"), ("common", "REML", "z")]
)
def test_meta_regression(model: str, tau2: str, test: str) -> None:
    """Coefficients, intervals and p are those of pool without the study, the group, the pair."""
    fit = ml.pool(E, moderators="~ dose", model=model, tau2=tau2, test=test)
    found = ml.leave_one_out(fit)
    again = ml.pool(E.take([i for i in range(K) if i != 3]), moderators="~ dose", model=model, tau2=tau2, test=test)
    row = row_of(found.to_frame(), "d", "dose")
    for name, value in (("estimate", again.beta), ("se", again.se), ("low", again.low), ("p", again.p)):
        assert row[name] == pytest.approx(value[1], rel=1e-7, abs=1e-10)
    assert len(found.left_out) == K
    assert ml.leave_one_out(fit, by="lab").left_out == ("A", "B", "C", "D", "E")
    assert len(ml.leave_one_out(fit, size=2).left_out) == 36
    assert "coefficient of dose" in found.sentence
    rows = ml.plot(found).layout.rows
    assert rows[3].value == pytest.approx(again.beta[1])
    assert rows[-1].value == pytest.approx(fit.beta[1])


def test_the_only_study_of_a_category_is_named() -> None:
    """Without it there is no coefficient: a reason beside the NaN, and in the sentence."""
    with pytest.warns(SuspiciousDataWarning, match="only one study"):
        fit = ml.pool(E, moderators="~ kind")
    found = ml.leave_one_out(fit)
    assert found.reason[-1]
    assert not any(found.reason[:-1])
    frame = found.to_frame()
    assert (frame["estimate"].isna() == (frame["reason"] != "")).all()
    assert "without i" in found.sentence
    assert len(ml.plot(found).layout.rows) == K


def test_bayesian_meta_regression() -> None:
    """The posterior of what is left."""
    found = ml.leave_one_out(ml.pool_bayes(E, moderators="~ dose"))
    again = ml.pool_bayes(E.take(range(1, K)), moderators="~ dose")
    assert found.beta[0] == pytest.approx([m.median for m in again.beta], abs=1e-9)
    assert found.low[0] == pytest.approx([m.central[0] for m in again.beta], abs=1e-9)
    with pytest.warns(SuspiciousDataWarning, match="only one study"):
        one = ml.pool_bayes(E, moderators="~ kind")
    assert [bool(r) for r in ml.leave_one_out(one).reason] == [False] * 8 + [True]


@pytest.mark.parametrize("options", [{"test": "z"}, {"test": "t"}, {"test": "t", "dfs": "contain"}])
def test_multilevel(options: dict[str, str]) -> None:
    """The multilevel fit of what is left, by effect and by cluster."""
    fit = ml.pool_multilevel(E, random="~ 1 | lab/study", **options)
    found = ml.leave_one_out(fit, by="lab")
    again = ml.pool_multilevel(E.take(range(2, K)), random="~ 1 | lab/study", **options)
    assert found.left_out[0] == "A"
    row = row_of(found.to_frame(), "A", "intercept")
    for name, value in (("estimate", again.beta), ("se", again.se), ("low", again.low), ("p", again.p)):
        assert row[name] == pytest.approx(value[0], rel=1e-4, abs=1e-6)
    assert len(ml.leave_one_out(fit).left_out) == K
    assert "the pooled effect between" in found.sentence
    assert ml.plot(found).layout.rows[0].value == pytest.approx(again.estimate.value, rel=1e-4)


def test_others_say_where_to_go() -> None:
    """Subgroups and robust fits are no single fit."""
    with pytest.raises(OptionError, match=r"\.overall"):
        ml.leave_one_out(ml.subgroups(ml.pool(E), "lab"))  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="fit that you gave"):
        ml.leave_one_out(ml.robust(ml.pool(E), cluster="dose"))  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="multilevel_influence"):
        ml.trim_and_fill(ml.pool_multilevel(E, random="~ 1 | lab"))  # type: ignore[arg-type]
