"""Counts of zero in a whole arm: messages say which arm, and what they advise gives an answer."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from scipy import optimize, stats

import metaleptic as ml
from metaleptic.errors import DataError, MetalepticError, NotEstimableError, SuspiciousDataWarning

TABLE = {
    "study": list("abc"),
    "none": [0, 0, 0],
    "some": [3, 2, 4],
    "all": [20, 30, 25],
    "n1": [20, 30, 25],
    "n2": [20, 30, 25],
    "t1": [100.0, 120.0, 90.0],
    "t2": [110.0, 100.0, 95.0],
}
MODELS = (
    "random",
    "mantel-haenszel",
    "peto",
    "conditional-exact",
    "unconditional-fixed",
    "poisson-normal",
    "pooled-counts",
)


def _tables(measure: str, first: str, second: str) -> ml.Effects:
    keep = {"double_zero": "correct"} if measure != "RD" else {}
    return ml.two_by_two(TABLE, events1=first, n1="n1", events2=second, n2="n2", measure=measure, **keep)


def _rates(measure: str, first: str, second: str) -> ml.Effects:
    return ml.two_rates(TABLE, events1=first, time1="t1", events2=second, time2="t2", measure=measure)


def _said(effects: ml.Effects, model: str) -> str:
    """Return the warning or error of pooling; nothing where it goes through in silence."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            ml.pool(effects, model=model)
        except MetalepticError as error:
            return str(error)
    return next((str(w.message) for w in seen if "added" in str(w.message)), "")


def _follow(said: str, first: str, second: str, own: ml.Effects) -> int:
    """Do everything that a message advises, and return how many pieces of advice there were."""
    count = 0
    named = r'ml\.(two_by_two|two_rates)\(measure="(\w+)"\) with model="([\w-]+)"'
    for verb, measure, model in re.findall(named, said):
        made = _tables(measure, first, second) if verb == "two_by_two" else _rates(measure, first, second)
        assert np.isfinite(ml.pool(made, model=model).estimate.high)
        count += 1
    rest = re.sub(named, "", said)
    if "ml.proportions with" in rest:
        assert ml.pool(ml.proportions(TABLE, events=first, n="n1"), model="pooled-counts").estimate.high <= 1
        count += 1
    if "ml.rates with" in rest:
        assert np.isfinite(ml.pool(ml.rates(TABLE, events=first, time="t1"), model="pooled-counts").estimate.high)
        count += 1
    if found := re.search(r'Use model="([\w-]+)"\.', rest):
        assert np.isfinite(ml.pool(own, model=found[1]).estimate.high)
        count += 1
    return count


@pytest.mark.filterwarnings("ignore::metaleptic.errors.SuspiciousDataWarning")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("measure", ["OR", "PETO", "RR", "RD"])
@pytest.mark.parametrize(
    ("first", "second"), [("none", "some"), ("some", "none"), ("none", "none"), ("all", "some"), ("some", "all")]
)
def test_advice_for_tables_gives_an_answer(measure: str, model: str, first: str, second: str) -> None:
    if measure == "PETO" and first == second:
        return  # no such effects can be made
    effects = _tables(measure, first, second)
    said = _said(effects, model)
    if not said or "of measure" in said or model in ("poisson-normal", "pooled-counts"):
        return
    assert _follow(said, first, second, effects) >= 1, said
    ratio_without_end = measure not in ("RD", "RR") or "none" in (first, second)
    if ratio_without_end and measure != "RD" and first != second:
        arm = "of interest" if first in ("none", "all") else "of the controls"
        assert f"in the arm {arm} had the event" in said


@pytest.mark.filterwarnings("ignore::metaleptic.errors.SuspiciousDataWarning")
@pytest.mark.parametrize(
    "model", ["random", "mantel-haenszel", "conditional-exact", "unconditional-fixed", "poisson-normal"]
)
@pytest.mark.parametrize("measure", ["IRR", "IRD"])
@pytest.mark.parametrize(("first", "second"), [("none", "some"), ("some", "none"), ("none", "none")])
def test_advice_for_rates_gives_an_answer(measure: str, model: str, first: str, second: str) -> None:
    effects = _rates(measure, first, second)
    said = _said(effects, model)
    if not said or "of measure" in said or "needs events and person-time" in said:
        return
    assert 'measure="RD"' not in said
    assert _follow(said, first, second, effects) >= 1, said


def test_complete_separation_still_has_an_answer() -> None:
    with pytest.raises(NotEstimableError, match="everyone in the arm of interest") as said:
        ml.pool(_tables("RD", "all", "none"), model="mantel-haenszel")
    assert _follow(str(said.value), "all", "none", _tables("RD", "all", "none")) == 1


def test_a_single_rate_of_zero_has_an_exact_bound() -> None:
    """Rule of three's exact form: no event in t gives an upper 97.5% bound of -log(0.025) / t."""
    rates = ml.rates(TABLE, events="none", time="t1")
    with pytest.warns(SuspiciousDataWarning, match=r'Use model="pooled-counts"\.'):
        ml.pool(rates)
    with pytest.raises(DataError, match=r'Use model="pooled-counts"'):
        ml.pool(rates, model="poisson-normal")
    fit = ml.pool(rates, model="pooled-counts")
    assert (fit.estimate.value, fit.estimate.low) == (0, 0)
    assert fit.estimate.high == pytest.approx(-np.log(0.025) / 310, rel=1e-12)
    some = ml.pool(ml.rates(TABLE, events="some", time="t1"), model="pooled-counts", level=0.9)
    assert some.estimate.value == pytest.approx(9 / 310)
    low = optimize.brentq(lambda m: stats.poisson.sf(8, m) - 0.05, 1, 9)
    high = optimize.brentq(lambda m: stats.poisson.cdf(9, m) - 0.05, 9, 30)
    assert (some.estimate.low, some.estimate.high) == (pytest.approx(low / 310), pytest.approx(high / 310))
    poisson = ml.pool(ml.rates(TABLE, events="some", time="t1"), model="poisson-normal", tau2=0)
    assert some.q == pytest.approx(poisson.q, rel=1e-8)
    assert "Garwood" in some.method


def test_peto_takes_peto_s_effects_and_names_the_measure_of_others() -> None:
    peto, odds = (ml.pool(_tables(m, "some", "some"), model="peto") for m in ("PETO", "OR"))
    assert (peto.beta, peto.se, peto.q) == (odds.beta, odds.se, odds.q)
    for model in ("peto", "conditional-exact"):
        with pytest.raises(DataError, match=r'of measure RR \(risk ratio\). Make .* ml.two_by_two\(measure="OR"\)\.$'):
            ml.pool(_tables("RR", "some", "some"), model=model)
    with pytest.raises(DataError, match=r"Make the effects with ml.two_rates \(measure IRR, IRD\)\.|two_by_two"):
        ml.pool(ml.effects([0.1, 0.2], [0.1, 0.1], measure="OR"), model="mantel-haenszel")


def test_of_rates_the_conditional_likelihood_is_exact_by_itself() -> None:
    """Given all events, those of one arm are binomial: metafor's CM.EL and CM.AL are one model for rate ratios."""
    data = {
        "study": list("abcd"),
        "x1": [10, 1, 7, 5],
        "t1": [100, 50, 33, 20],
        "x2": [12, 3, 9, 1],
        "t2": [95, 60, 30, 22],
    }
    rates = ml.two_rates(data, events1="x1", time1="t1", events2="x2", time2="t2")
    exact, approximate = (ml.pool(rates, model=m) for m in ("conditional-exact", "conditional-approximate"))
    assert exact.model == "conditional-exact"
    assert (exact.beta, exact.se, exact.tau2, exact.loglik) == (
        approximate.beta,
        approximate.se,
        approximate.tau2,
        approximate.loglik,
    )
