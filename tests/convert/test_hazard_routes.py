"""Routes to hazard ratios, survival summaries and rates agree with worked reference values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, NotEstimableError, OptionError, SuspiciousDataWarning

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "golden" / "survival_routes.json").read_text(encoding="utf-8")
)
HR = GOLDEN["v27"]["expected"]
NAN = float("nan")


def one(**columns: Any) -> ml.Effects:
    return ml.hazard_ratios({"study": ["A"]} | {c: [x] for c, x in columns.items()})


@pytest.mark.parametrize(
    ("columns", "expected", "words"),
    [
        ({"hr": 0.198, "low": 0.041, "high": 0.961}, HR["ci"], "95% CI"),
        ({"hr": 0.62, "p": 0.032}, HR["p_two_sided"] | {"loghr": np.log(0.62)}, "p value"),
        ({"o_minus_e": -9.2, "variance": 21.4}, HR["oe_v"], "O - E"),
        ({"p_logrank": 0.075, "events": 485, "favours": 1}, HR["p_events_1to1"], "arms of one size"),
        (
            {"p_logrank": 0.075, "events1": 229, "events2": 256, "favours": "treatment"},
            HR["p_events_by_arm"],
            "each arm",
        ),
        (
            {"p_logrank": 0.075, "events": 485, "n1": 600, "n2": 300, "favours": 1},
            HR["p_events_alloc"] | {"se": 1 / np.sqrt(HR["p_events_alloc"]["V"])},
            "sizes of the arms",
        ),
        ({"chi2": 5.31, "events1": 60, "events2": 78, "favours": 1}, HR["chi2_events"], "chi-squared"),
    ],
)
def test_hazard_ratio_routes(columns: dict[str, Any], expected: dict[str, float], words: str) -> None:
    found = one(**columns)
    assert found.y[0] == pytest.approx(expected["loghr"], rel=1e-12)
    assert np.sqrt(found.v[0]) == pytest.approx(expected["se"], rel=1e-12)
    assert words in found.how[0]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"median1": 10.5, "median2": 6.2, "events1": 31, "events2": 28}, HR["medians_exponential"]),
        ({"rate1": 0.64, "rate2": 0.16, "n1": 7, "n2": 7}, HR["cloglog_rates"]),
        ({"rate1": 28 / 40, "rate2": 20 / 41, "n1": 40, "n2": 41}, HR["watkins_bennett_counts"]),
    ],
)
def test_weak_routes_warn(columns: dict[str, Any], expected: dict[str, float]) -> None:
    with pytest.warns(SuspiciousDataWarning, match="weak route"):
        found = one(**columns)
    assert found.y[0] == pytest.approx(expected["loghr"], rel=1e-12)
    assert np.sqrt(found.v[0]) == pytest.approx(expected["se"], rel=1e-12)


def test_rows_take_their_own_route() -> None:
    """A table with a row for each route: the best one of each row, named."""
    table = {
        "study": ["A", "B", "C", "D"],
        "hr": [0.8, 0.7, None, None],
        "low": [0.6, None, None, None],
        "high": [1.067, None, None, None],
        "events1": [50, 40, 30, None],
        "events2": [60, 50, 40, None],
        "chi2": [None, None, 4.2, None],
        "favours": [None, None, 1, None],
        "o_minus_e": [None, None, None, -3.0],
        "variance": [None, None, None, 9.0],
    }
    found = ml.hazard_ratios(table)
    assert [h.split(" from ")[-1] for h in found.how] == [
        "the 95% CI",
        "the events of each arm",
        "the log-rank chi-squared and the events of each arm",
        "O - E and its variance",
    ]


def test_a_ratio_printed_the_other_way_round_is_turned() -> None:
    t = {"study": ["A", "B"], "hr": [2.0, 0.5], "low": [1.25, 0.3125], "high": [3.2, 0.8], "swap": ["yes", "no"]}
    found = ml.hazard_ratios(t, flipped="swap")
    assert np.allclose(found.y, np.log(0.5))
    assert np.allclose(found.low, np.log(0.3125))
    assert found.how[0].endswith("turned round")


def test_a_log_rank_test_needs_its_direction() -> None:
    with pytest.raises(DataError, match="which arm did better"):
        one(chi2=4.0, events1=20, events2=30)
    with pytest.raises(DataError, match="Say which arm did better"):
        one(chi2=4.0, events1=20, events2=30, favours="left")


def test_williamson_from_curves_and_numbers_at_risk() -> None:
    """Veterans' lung cancer trial, read at eight times (Prentice RL. Biometrika 1973;60:279-288)."""
    d, expected = GOLDEN["v28"]["data"], GOLDEN["v28"]["expected"]
    found = ml.curve_hazard_ratio(d["grid"], d["S1"], d["S0"], at_risk1=d["R1"], at_risk2=d["R0"])
    assert found.y == pytest.approx(expected["loghr"], rel=1e-12)
    assert found.se == pytest.approx(expected["se"], rel=1e-12)
    assert np.allclose(found.deaths1, expected["intervals"]["D1"])


def test_uniform_censoring_in_place_of_numbers_at_risk() -> None:
    """Numbers at risk made by uniform censoring give the same answer by either method."""
    t = np.array([0.0, 6, 12, 18, 24])
    s1, s2 = np.exp(-0.03 * t), np.exp(-0.06 * t)
    followed = np.clip((36 - t) / 36, 0, 1)
    a = ml.curve_hazard_ratio(t, s1, s2, at_risk1=100 * s1 * followed, at_risk2=80 * s2 * followed)
    b = ml.curve_hazard_ratio(t, s1, s2, n1=100, n2=80, follow_up=(0, 36))
    assert a.y == pytest.approx(b.y, rel=1e-12)
    assert np.log(0.5) < a.y < 0.8 * np.log(0.5)  # attenuated, as reported for the method


def test_impossible_curves_are_refused_by_name() -> None:
    with pytest.raises(DataError, match="survival1 rises"):
        ml.curve_hazard_ratio([0, 1, 2], [1, 0.5, 0.6], [1, 0.5, 0.4], at_risk1=[9, 5, 4], at_risk2=[9, 5, 4])
    with pytest.raises(DataError, match="at_risk2 rises"):
        ml.curve_hazard_ratio([0, 1, 2], [1, 0.5, 0.4], [1, 0.5, 0.4], at_risk1=[9, 5, 4], at_risk2=[9, 5, 6])
    with pytest.raises(NotEstimableError, match="no interval"):
        ml.curve_hazard_ratio([0, 1], [1, 1], [1, 0.5], at_risk1=[9, 9], at_risk2=[9, 5])
    with pytest.raises(OptionError, match="give numbers at risk"):
        ml.curve_hazard_ratio([0, 1], [1, 0.9], [1, 0.5])


def test_whole_summary_as_one_curve() -> None:
    """Median 8.3 (5.7 to 11), 42% at 1 and 21% at 2 years of 82 patients: PMID 41899606."""
    expected = GOLDEN["v33"]["expected"]
    found = ml.survival_summary(n=82, median=8.3, low=5.7, high=11, rates={12: 0.42, 24: 0.21}, independent=True)
    assert found.parameters[0] == pytest.approx(expected["log_shape"], abs=1e-6)
    assert found.parameters[1] == pytest.approx(expected["log_scale"], abs=1e-6)
    assert found.misfit / 2 == pytest.approx(expected["nll"], rel=1e-8)
    assert found.survival(found.median.value) == pytest.approx(0.5, abs=1e-12)


def test_a_summary_that_is_a_curve_is_found_again() -> None:
    """Exact numbers of a Weibull curve give its parameters back, whatever their errors."""
    shape, scale = 1.3, 14.0
    rates = {t: float(np.exp(-((t / scale) ** shape))) for t in (6, 12, 24)}
    median = scale * np.log(2) ** (1 / shape)
    for independent in (True, False):
        found = ml.survival_summary(
            n=40, median=median, low=0.7 * median, high=1.5 * median, rates=rates, independent=independent
        )
        assert np.allclose(np.exp(found.parameters), [shape, scale], rtol=1e-6)


def test_rates_of_single_arms() -> None:
    """Events and person-time: effects and REML pooling on three scales."""
    d, expected = GOLDEN["v32"]["data"], GOLDEN["v32"]["expected"]
    table = {"study": [str(i) for i in range(5)], "events": d["events"], "time": d["time"]}
    for measure in ("IRLN", "IRS", "IRFT"):
        found = ml.rates(table, measure=measure)
        assert np.allclose(found.y, expected[measure]["yi"], rtol=1e-12)
        assert np.allclose(found.v, expected[measure]["vi"], rtol=1e-12)
        fit = ml.pool(found, test="z")
        assert fit.beta[0] == pytest.approx(expected[measure]["REML"]["b"], rel=1e-4)  # R stops at 1e-5


@pytest.mark.parametrize("scale", ["cloglog", "logit", "log", "arcsine", "raw"])
def test_survival_rate_scales_are_each_others_inverse(scale: str) -> None:
    """The printed rate comes back, and the delta method agrees with a numerical derivative."""
    s, se = 0.47, 0.08
    found = ml.survival_rates({"study": ["A"], "rate": [s], "se": [se]}, at=12, scale=scale)
    assert float(found.measure.to_printed(found.y)[0]) == pytest.approx(s)
    h = 1e-6
    slope = (found.measure.to_analysis(s + h) - found.measure.to_analysis(s - h)) / (2 * h)
    assert np.sqrt(found.v[0]) == pytest.approx(abs(slope) * se, rel=1e-6)


def test_numbers_at_risk_give_a_larger_error_than_n() -> None:
    t = {"study": ["A", "B"], "rate": [0.5, 0.5], "n": [40, 40], "at_risk": [12, None]}
    found = ml.survival_rates(t, at=12)
    assert found.v[0] > found.v[1]
    assert "at risk" in found.how[0]


def test_restricted_means_stay_within_their_horizon() -> None:
    t = {"study": ["A", "B"], "rmst": [18.2, 20.0], "se": [1.1, 0.9]}
    found = ml.restricted_means(t, horizon=24)
    assert found.y.tolist() == [18.2, 20.0]
    assert np.allclose(found.v, [1.21, 0.81])
    assert not found.measure.has_null
    with pytest.raises(DataError, match="another unit"):
        ml.restricted_means({"study": ["A"], "rmst": [540], "se": [20]}, horizon=24)
    difference = ml.restricted_means({"study": ["A"], "rmst": [-1.4], "p": [0.02]}, horizon=24, difference=True)
    assert difference.measure.null == 0
    assert "p value" in difference.how[0]


def test_what_contradicts_a_printed_hazard_ratio_is_named() -> None:
    """O - E on the other side or far off, and a log-rank test that favours the other arm; the ratio itself is used."""
    table = {"study": list("ABC"), "hr": [0.6, 0.7, 0.5], "low": [0.4, 0.5, 0.4], "high": [0.9, 0.98, 0.625]}
    with pytest.warns(
        SuspiciousDataWarning, match=r"study 'A' \(row 1\): the hazard ratio 0\.6 and O - E .* give 1\.49"
    ):
        e = ml.hazard_ratios(table | {"o_minus_e": [8, -7, -50], "variance": [20, 20, 80]})
    assert np.exp(e.y) == pytest.approx([0.6, 0.7, 0.5])
    with pytest.warns(
        SuspiciousDataWarning, match=r"study 'B' \(row 2\): .* arm 1 did better, 'favours' says the other"
    ):
        ml.hazard_ratios(table | {"favours": [1, 2, 1]})


def test_restricted_means_of_two_arms_give_their_difference() -> None:
    """First minus second, variances added, each arm by its interval or its SE; a printed difference comes first."""
    t = {"study": ["A", "B", "C"], "rmst": [None, None, 1.0], "se": [None, None, 0.4]}
    t |= {"rmst1": [18.2, 17.0, 15.0], "se1": [1.1, None, 1.0], "rmst2": [15.1, 16.0, 14.5], "se2": [1.0, 0.9, 1.0]}
    t |= {"low1": [None, 15.0, None], "high1": [None, 19.0, None]}
    found = ml.restricted_means(t, horizon=24, difference=True)
    assert found.y == pytest.approx([3.1, 1.0, 1.0])
    assert found.v == pytest.approx([1.1**2 + 1, (2 / 1.959963984540054) ** 2 + 0.81, 0.16])
    assert found.how[:2] == ("RMST difference of the two arms, each with its own SE",) * 2
    assert found.how[2] == "RMST difference, SE as given"
    alone = {"study": ["A"], "exp": [18.2], "se1": [1.1], "rmst2": [15.1], "se2": [1.0]}
    assert ml.restricted_means(alone, horizon=24, difference=True, columns={"rmst1": "exp"}).y == pytest.approx([3.1])
    with pytest.raises(
        DataError, match=r"column .rmst1. holds 18\.2, but a restricted mean to 12 lies between 0 and 12"
    ):
        ml.restricted_means(t, horizon=12, difference=True)
    with pytest.raises(OptionError, match="columns names 'rmst', which is none of: rmst1"):
        ml.restricted_means(t, horizon=24, difference=True, columns={"rmst": "x"})
