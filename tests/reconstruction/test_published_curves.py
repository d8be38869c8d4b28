"""Six published data sets: from the drawn curve and the printed numbers back to the patients.

The heights are those of a figure of 400 by 300 points written to 0.01 point (drops), or clicks with an error of 0.0025;
medians, rates and hazard ratios (Cox, Efron) are rounded as papers print them, computed by R survival 3.5.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.reconstruction.result import Reconstruction
from metaleptic.reconstruction.steps import steps
from metaleptic.reconstruction.two_groups import compare, risk_sets

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden" / "published_curves.json").read_text(encoding="utf-8")
)
IDS = [case["case"] for case in CASES]


def _inputs(case: dict[str, Any], kind: str) -> tuple[dict[str, ml.Curve], dict[str, ml.Published], list[ml.Contrast]]:
    curves, published = {}, {}
    for name, arm in case["arms"].items():
        xy = np.array(arm[kind])
        ticks = np.array(arm["ticks"]) if kind == "drops" else None
        curves[name] = ml.Curve(xy[:, 0], xy[:, 1], kind=kind, censor_times=ticks)
        median = dict(zip(("median", "median_low", "median_high"), arm["median"], strict=True))
        published[name] = ml.Published(
            n=arm["n"],
            events=arm["events"],
            at_risk={float(t): k for t, k in arm["at_risk"].items()},
            rates={float(t): s for t, s in arm["rates"].items()},
            last_time=arm["last_time"],
            **median,
        )
    return curves, published, [ml.Contrast(**c) for c in case["contrasts"]]


def _rmse(case: dict[str, Any], rec: Reconstruction, name: str) -> float:
    arm, ipd = case["arms"][name], rec.ipd.of(name)
    t, e = np.array(arm["true_time"]), np.array(arm["true_event"]) == 1
    grid = (np.arange(1000) + 0.5) / 1000 * t.max()
    true, found = steps(t[e], t[~e]), steps(ipd.time[ipd.event == 1], ipd.time[ipd.event == 0])
    return float(np.sqrt(np.mean((true.at(grid) - found.at(grid)) ** 2)))


@pytest.mark.parametrize("kind", ["drops", "clicks"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_printed_counts_are_exact(case: dict[str, Any], kind: str) -> None:
    """Patients, events and numbers at risk are those printed, whatever the points."""
    curves, published, contrasts = _inputs(case, kind)
    rec = ml.reconstruct(curves, published, contrasts=contrasts)
    counts = [n for n in rec.fidelity.numbers if n.number in {"n", "events"} or n.number.startswith("at risk")]
    assert len(counts) >= 6
    assert all(n.agrees for n in counts)
    for name, p in published.items():
        ipd = rec.ipd.of(name)
        assert len(ipd) == p.n
        assert ipd.event.sum() == p.events
        assert [int((ipd.time >= t - 1e-9).sum()) for t in p.at_risk] == list(p.at_risk.values())


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_vector_figures_give_the_curve_back(case: dict[str, Any]) -> None:
    """Exact drops with ticks: S within a thousandth or so on average."""
    curves, published, contrasts = _inputs(case, "drops")
    rec = ml.reconstruct(curves, published, contrasts=contrasts)
    assert max(_rmse(case, rec, name) for name in curves) < 0.005


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_clicks_stay_near(case: dict[str, Any]) -> None:
    """Clicks: within what a time error of 0.25% of the axis does to a step of 1/n (flies dying twenty a day: more)."""
    curves, published, contrasts = _inputs(case, "clicks")
    rec = ml.reconstruct(curves, published, contrasts=contrasts)
    for name, p in published.items():
        assert p.n is not None
        assert _rmse(case, rec, name) < (0.03 if case["case"] == "waltons" else 0.006 + 0.4 / p.n)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c["case"] in {"lung_sex", "ovarian_rx", "btrial_im"}], ids=lambda c: c["case"]
)
def test_hazard_ratio_comes_out_as_printed(case: dict[str, Any]) -> None:
    """With the contrast given, the Cox model of the reconstructed patients is nearer to the true one than rounding."""
    curves, published, contrasts = _inputs(case, "clicks")
    rec = ml.reconstruct(curves, published, contrasts=contrasts)
    for c in contrasts:
        arms = [case["arms"][name] for name in (c.arm, c.versus)]
        lists = [(np.array(a["true_time"]), np.array(a["true_event"]) == 1) for a in arms]
        true = compare(risk_sets(*[x for t, e in lists for x in (t[e], t[~e])]))
        ipds = [rec.ipd.of(name) for name in (c.arm, c.versus)]
        got = compare(risk_sets(*[x for i in ipds for x in (i.time[i.event == 1], i.time[i.event == 0])]))
        assert abs(got.beta - true.beta) < 0.02


def test_two_group_statistics_match_r() -> None:
    """R: survival::coxph(Surv(time, status) ~ x, aml) 0.9155 (se 0.5119); survdiff chi-square 3.4 (3.396)."""
    aml = next(c for c in CASES if c["case"] == "aml_maint")["arms"]
    (t1, e1), (t0, e0) = (
        (np.array(aml[name]["true_time"]), np.array(aml[name]["true_event"]) == 1)
        for name in ("Nonmaintained", "Maintained")
    )
    got = compare(risk_sets(t1[e1], t1[~e1], t0[e0], t0[~e0]))
    assert got.beta == pytest.approx(0.9155326, abs=1e-6)
    assert got.se == pytest.approx(0.5119, abs=1e-4)
    assert got.z**2 == pytest.approx(3.396, abs=1e-3)


def test_draws_agree_and_differ() -> None:
    """Every draw keeps the printed counts and the median; the draws are not all alike; a seed repeats them."""
    case = next(c for c in CASES if c["case"] == "lung_sex")
    curves, published, contrasts = _inputs(case, "clicks")
    rec = ml.reconstruct(curves, published, contrasts=contrasts, draws=8, seed=3)
    again = ml.reconstruct(curves, published, contrasts=contrasts, draws=8, seed=3)
    assert len(rec.draws) == 8
    assert all(np.array_equal(a.time, b.time) for a, b in zip(rec.draws, again.draws, strict=True))
    areas = set()
    for ipd in rec.draws:
        for name, p in published.items():
            one = ipd.of(name)
            assert len(one) == p.n
            assert one.event.sum() == p.events
            assert [int((one.time >= t - 1e-9).sum()) for t in p.at_risk] == list(p.at_risk.values())
            found = steps(one.time[one.event == 1], one.time[one.event == 0])
            assert found.median() == pytest.approx(p.median, abs=0.0501)
            areas.add(round(found.rmst(30), 6))
    assert len(areas) == 16


def test_a_curve_takes_milliseconds() -> None:
    """A typical clicked curve with everything printed, in a fraction of a second even on a busy machine."""
    case = next(c for c in CASES if c["case"] == "lung_sex")
    curves, published, _ = _inputs(case, "clicks")
    start = time.process_time()
    for _ in range(5):
        ml.reconstruct(curves["Male"], published["Male"])
    assert (time.process_time() - start) / 5 < 0.2
