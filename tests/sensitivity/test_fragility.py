"""Fragility: single studies against Fisher's test, the pooled effect by undoing the changes."""

from __future__ import annotations

import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError

TRIALS = {
    "study": ["A", "B", "C", "D"],
    "x": [10, 14, 8, 1],
    "n": [100, 120, 90, 100],
    "x0": [22, 25, 17, 9],
    "n0": [100, 118, 92, 100],
}
NAMES = {"events1": "x", "n1": "n", "events2": "x0", "n2": "n0"}


def _effects(measure: str = "RR", trials: dict[str, list[int]] | None = None) -> ml.Effects:
    return ml.two_by_two(trials or TRIALS, measure=measure, **NAMES)


def test_single_studies_follow_fishers_test() -> None:
    found = ml.fragility(ml.pool(_effects()))
    for i in range(4):
        a, n, c, m = (TRIALS[key][i] for key in ("x", "n", "x0", "n0"))

        def p(events: int, n: int = n, c: int = c, m: int = m) -> float:
            return float(stats.fisher_exact([[events, n - events], [c, m - c]]).pvalue)

        assert found.studies_p[i] == pytest.approx(p(a))
        step = 1 if p(a) < 0.05 else -1
        index = int(found.studies_index[i])
        assert (p(a + step * index) < 0.05) != (p(a) < 0.05)
        assert (p(a + step * (index - 1)) < 0.05) == (p(a) < 0.05)


@pytest.mark.parametrize("measure", ["OR", "RR", "RD", "AS", "PETO"])
@pytest.mark.parametrize(("model", "test"), [("common", "z"), ("random", "z"), ("random", "knapp-hartung")])
def test_the_changes_turn_the_interval_and_one_fewer_does_not(measure: str, model: str, test: str) -> None:
    options = {"model": model} | ({} if model == "common" else {"test": test})
    fit = ml.pool(_effects(measure), **options)
    found = ml.fragility(fit)
    null = fit.effects.measure.null
    inside = (found.low <= null) & (found.high >= null)
    assert inside[-1] != inside[0]
    assert (inside[:-1] == inside[0]).all()
    assert found.index == len(found.study) == len(found.value) - 1
    changed = {k: list(v) for k, v in TRIALS.items()}
    for study, change in zip(found.study, found.change, strict=True):
        column = "x" if change.endswith("arm 1") else "x0"
        changed[column][TRIALS["study"].index(study)] += 1 if "more" in change else -1
    again = ml.pool(_effects(measure, changed), **options)
    assert again.estimate.value == pytest.approx(found.value[-1], rel=1e-10)
    assert again.estimate.low == pytest.approx(found.low[-1], rel=1e-8)
    assert found.quotient == pytest.approx(found.index / 820)


def test_not_significant_turns_significant() -> None:
    trials = {"study": ["A", "B"], "x": [10, 11], "n": [50, 60], "x0": [12, 14], "n0": [50, 60]}
    found = ml.fragility(ml.pool(_effects("OR", trials), model="common"))
    assert not found.significant
    assert found.index > 1
    assert "would be significant" in found.sentence
    assert found.to_frame()["changed"].sum() == found.index


def test_other_effects_are_refused() -> None:
    with pytest.raises(OptionError, match="two_by_two"):
        ml.fragility(ml.pool(ml.effects([0.1, 0.2], [0.1, 0.1]), model="common"))
    with pytest.raises(OptionError, match="no rule"):
        ml.fragility(ml.pool(_effects("OR"), model="mantel-haenszel"))
    single = {k: v[:1] for k, v in TRIALS.items()}
    with pytest.raises(NotEstimableError, match="one study"), pytest.warns(UserWarning, match="study"):
        ml.fragility(ml.pool(_effects("OR", single)))
