"""Kaplan-Meier, log-rank and Cox agree with R's survival and survRM2 to eight digits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from metaleptic import kaplan_meier as km
from metaleptic.cox_regression import cox
from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.survival_tests import hazard_ratio, likelihood_terms, log_rank, risk_counts

GOLDEN = json.loads((Path(__file__).parent / "golden" / "survival.json").read_text(encoding="utf-8"))
TYPES = {"log": "log", "loglog": "log-log", "plain": "plain", "logit": "logit", "arcsin": "arcsine"}
RTOL = 1e-8


def _case(name: str) -> tuple[Any, Any]:
    return GOLDEN[name]["data"], GOLDEN[name]["expected"]


def _floats(values: Any) -> Any:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def test_curve_and_greenwood() -> None:
    data, expected = _case("km")
    curve = km.steps(data["time"], data["event"])
    assert_allclose(curve.time, expected["time"], rtol=RTOL)
    assert_allclose(curve.at_risk, expected["n_risk"], rtol=RTOL)
    assert_allclose(curve.events, expected["n_event"], rtol=RTOL)
    assert_allclose(curve.survival, expected["surv"], rtol=RTOL)
    assert_allclose(np.sqrt(curve.greenwood), expected["se_log"], rtol=RTOL)


@pytest.mark.parametrize("theirs", [k for k in GOLDEN["km"]["expected"] if k.startswith("ci_")])
def test_bands(theirs: str) -> None:
    data, expected = _case("km")
    curve = km.steps(data["time"], data["event"])
    low, high = km.band(curve.survival, curve.greenwood, TYPES[theirs.removeprefix("ci_")], 0.95)
    assert_allclose(low, expected[theirs]["lower"], rtol=RTOL, atol=1e-12)
    assert_allclose(high, expected[theirs]["upper"], rtol=RTOL)


def _quantile_cases() -> list[Any]:
    cases = []
    for name, arm in [("quantiles", "maintained"), ("quantiles", "nonmaintained")]:
        d = GOLDEN[name]["data"][arm]
        cases.append((f"{arm}", d["time"], d["event"], GOLDEN[name]["expected"][arm]))
    for key, d in GOLDEN["plateau"]["data"].items():
        cases.append((key, d["t"], d["e"], GOLDEN["plateau"]["expected"][key]))
    t = GOLDEN["trifanescu"]["data"]
    arm = np.array(t["arm_it"]) == 1
    for outcome in ("os", "pfs"):
        for key, who in {"all": arm | True, "it": arm, "soc": ~arm}.items():
            times, events = np.array(t[outcome])[who], np.array(t[f"{outcome}_event"])[who]
            cases.append((f"{outcome} {key}", times, events, GOLDEN["trifanescu"]["expected"][outcome.upper()][key]))
    return cases


@pytest.mark.parametrize("case", _quantile_cases(), ids=lambda c: c[0])
@pytest.mark.parametrize("theirs", TYPES)
def test_quantiles_and_their_intervals(case: Any, theirs: str) -> None:
    _, times, events, expected = case
    curve = km.steps(times, events)
    for i, dead in enumerate(expected[theirs]["probs"]):
        value = km.quantile(curve, dead)
        low, high = km.quantile_interval(curve, dead, interval=TYPES[theirs])
        mine = np.array([value, low, high])
        mine[np.isinf(mine)] = np.nan
        assert_allclose(mine, _floats([expected[theirs][k][i] for k in ("quantile", "lower", "upper")]), rtol=RTOL)


@pytest.mark.parametrize("name", ["aml", "table_it"])
def test_beta_product_limits(name: str) -> None:
    data, expected = _case("beta_product")
    curve = km.steps(data[name]["time"], data[name]["event"])
    for at, survival, low, high in expected[name]["S"]:
        mine = km.limits_at(curve, at, "beta-product", 0.95)
        assert_allclose([km.at_time(curve, at)[0][0], *mine], [survival, low, high], rtol=1e-6)
    median = km.quantile_interval(curve, interval="beta-product")
    assert_allclose(median, [float(x) for x in expected[name]["median_ci"]])
    start, none_yet = km.limits_at(curve, 0.0, "beta-product", 0.95)
    assert 0.5 < start < none_yet == 1


def test_rules_differ_on_a_plateau_only() -> None:
    flat = km.steps([5, 6, 6, 15, 18, 24, 4], [1, 1, 1, 1, 1, 0, 0])
    assert [float(km.quantile(flat, rule=r)) for r in ("first", "midpoint", "strict")] == [6.0, 10.5, 15.0]
    sloped = km.steps([1, 2, 3], [1, 1, 1])
    assert {float(km.quantile(sloped, rule=r)) for r in km.QUANTILE_RULES} == {2.0}


def test_landmarks() -> None:
    data, expected = _case("landmarks")
    s, g = km.at_time(km.steps(data["time"], data["event"]), expected["times"])
    assert_allclose(s, expected["surv"], rtol=RTOL)
    assert_allclose(s * np.sqrt(g), expected["se"], rtol=RTOL)
    assert_allclose(km.at_risk(data["time"], expected["times"]), expected["n_risk"])
    beyond, _ = km.at_time(km.steps([1, 2], [1, 0]), [3.0])
    assert np.isnan(beyond[0])


def test_restricted_means() -> None:
    data, expected = _case("rmst")
    curve = km.steps(data["aml"]["time"], data["aml"]["event"])
    for row in expected["aml_maintained"]:
        mean, variance = km.restricted_mean(curve, row["tau"])
        assert_allclose([mean, np.sqrt(variance)], [row["rmst"], row["se"]], rtol=RTOL)
    assert np.isnan(km.restricted_mean(curve, 200.0)[0])
    pbc = {key: np.array(values) for key, values in data["pbc"].items()}
    for key in ("pbc10", "pbc5"):
        for arm in (0, 1):
            who = pbc["arm"] == arm
            mean, variance = km.restricted_mean(km.steps(pbc["time"][who], pbc["event"][who]), expected[key]["tau"])
            assert_allclose([mean, np.sqrt(variance)], expected[key][f"rmst{arm}"], rtol=RTOL)


def test_log_rank_and_peto() -> None:
    data, expected = _case("log_rank")
    mine = log_rank(data["time"], data["event"], data["maintained"])
    assert_allclose([mine.observed - mine.expected, mine.v], [expected["OmE"], expected["V"]], rtol=RTOL)
    assert_allclose([mine.chi2, mine.p], [expected["logrank"]["chisq"], expected["logrank"]["p"]], rtol=RTOL)
    peto = log_rank(data["time"], data["event"], data["maintained"], weight="peto")
    theirs = expected["peto_peto"]
    assert_allclose([peto.observed, peto.expected], [theirs["obs"][0], theirs["exp"][0]], rtol=RTOL)
    assert_allclose([peto.chi2, peto.v], [theirs["chisq"], theirs["var"][0][0]], rtol=RTOL)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_with_ties(ties: str) -> None:
    data, expected = _case("cox_ties")
    theirs = expected[ties]
    fast = hazard_ratio(data["time"], data["event"], data["x_nonmaintained"], ties=ties)
    full = cox(data["time"], data["event"], data["x_nonmaintained"], ties=ties)
    for beta, se, loglik0, loglik1, score, wald in [
        (fast.beta, fast.se, fast.loglik0, fast.loglik1, fast.score, fast.wald),
        (full.beta[0], full.se[0], full.loglik0, full.loglik1, full.score, full.wald),
    ]:
        assert_allclose([beta, se], [theirs["coef"], theirs["se"]], rtol=RTOL)
        assert_allclose([loglik0, loglik1], theirs["loglik"], rtol=RTOL)
        assert_allclose([score, wald], [theirs["score"], theirs["wald"]], rtol=RTOL)


@pytest.mark.parametrize("outcome", ["OS", "PFS"])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_of_fourteen_patients(outcome: str, ties: str) -> None:
    data, expected = _case("trifanescu")
    theirs = expected[outcome][f"cox_{ties}"]
    fit = cox(data[outcome.lower()], data[f"{outcome.lower()}_event"], data["arm_it"], ties=ties)
    low, high = fit.interval()
    assert_allclose([np.exp(fit.beta[0]), low[0], high[0]], [theirs["hr"], theirs["lo"], theirs["hi"]], rtol=1e-7)
    mine = [fit.p("wald"), fit.p("likelihood"), fit.p("score")]
    assert_allclose(mine, [theirs["p_wald"], theirs["p_lr"], theirs["p_score"]], rtol=1e-6)


@pytest.mark.parametrize("case", ["robust", "strata", "strata_robust"])
def test_cox_with_strata_and_clusters(case: str) -> None:
    data, expected = _case("kidney")
    fit = cox(
        data["time"],
        data["event"],
        np.column_stack([data["age"], data["sex"]]),
        strata=data["disease"] if "strata" in case else None,
        cluster=data["id"] if "robust" in case else None,
    )
    theirs = expected[case]
    assert_allclose(fit.beta, theirs["coef"], rtol=RTOL)
    assert_allclose(fit.cov, theirs["vcov"], rtol=RTOL)
    assert_allclose([fit.loglik0, fit.loglik1], theirs["loglik"], rtol=RTOL)
    assert_allclose([fit.score, fit.wald], [theirs["score"], theirs["wald"]], rtol=RTOL)


def test_many_patterns_of_events_at_once_are_each_alone() -> None:
    rng = np.random.default_rng(4)
    times, group = rng.integers(1, 9, 12), np.repeat([0, 1], 6)
    events = rng.random((3, 5, 12)) < 0.7
    events[..., [0, 6]] = True
    together = hazard_ratio(times, events, group)
    ranks = log_rank(times, events, group, weight="gehan")
    curve = km.steps(times, events)
    for i, j in np.ndindex(3, 5):
        alone = hazard_ratio(times, events[i, j], group)
        assert_allclose([together.beta[i, j], together.se[i, j]], [alone.beta, alone.se], rtol=1e-9)
        assert_allclose(ranks.chi2[i, j], log_rank(times, events[i, j], group, weight="gehan").chi2)
        assert_allclose(km.quantile(curve)[i, j], km.quantile(km.steps(times, events[i, j])))


def test_score_is_the_slope_of_the_likelihood() -> None:
    counts = risk_counts([1, 1, 2, 2, 2, 3], [1, 1, 1, 1, 0, 1], [1, 0, 1, 0, 0, 1])
    for ties in ("efron", "breslow"):
        up, down = (likelihood_terms(counts, 0.3 + h, ties)[0].sum() for h in (1e-5, -1e-5))
        assert_allclose((up - down) / 2e-5, likelihood_terms(counts, 0.3, ties)[1].sum(), rtol=1e-6)


def test_strata_leave_no_trace_between_them() -> None:
    times, events, group = [1, 2, 3, 4, 5, 6], [1, 1, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1]
    halves = [log_rank(times[s], events[s], group[s]) for s in (slice(0, 3), slice(3, 6))]
    both = log_rank(times, events, group, strata=[0, 0, 0, 1, 1, 1])
    assert_allclose(both.v, sum(h.v for h in halves))


def test_what_cannot_be_estimated_says_so() -> None:
    with pytest.raises(NotEstimableError, match="infinite"):
        cox([1, 2, 3, 4], [1, 1, 0, 0], [1, 1, 0, 0])
    with pytest.raises(NotEstimableError, match="told apart"):
        cox([1, 2, 3, 4], [1, 1, 0, 1], [1, 1, 1, 1])
    with pytest.raises(DataError, match="no events"):
        cox([1, 2], [0, 0], [0, 1])
    assert np.isnan(hazard_ratio([1, 2, 3, 4], [1, 1, 0, 0], [1, 1, 0, 0]).beta)
    with pytest.raises(OptionError, match="log-log"):
        km.quantile_interval(km.steps([1], [1]), interval="wald")
