"""Every plot gives the table behind it, in numbers on the printed scale and in the caller's kind of dataframe."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import metaleptic as ml
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups

COUNTS = {
    "study": ["A", "B", "C", "D"],
    "x": [10, 14, 8, 5],
    "n": [100, 120, 90, 40],
    "x0": [22, 25, 17, 9],
    "n0": [100, 118, 92, 41],
    "dose": [1.0, 2.0, 4.0, 3.0],
}
TABLES = ml.two_by_two(pl.DataFrame(COUNTS), events1="x", n1="n", events2="x0", n2="n0", measure="RR")
FIT = ml.pool(TABLES)


def plots() -> dict[str, Any]:
    """Draw one plot of each verb."""
    post = ml.pool_bayes(TABLES, tau=ml.priors.half_normal(0.5))
    return {
        "forest": ml.forest(FIT),
        "funnel": ml.funnel(FIT),
        "drapery": ml.drapery(FIT),
        "labbe": ml.labbe(FIT),
        "bubble": ml.bubble(ml.pool(TABLES, moderators="~ dose")),
        "orchard": ml.orchard(FIT),
        "plot": ml.plot(ml.influence(FIT)),
        "leave one out": ml.plot(ml.leave_one_out(FIT)),
        "prior_posterior": ml.prior_posterior(post),
        "plot_check": ml.plot_check(ml.predictive_check(post)),
    }


@pytest.mark.parametrize(("name", "plot"), plots().items())
def test_every_plot_has_its_table(name: str, plot: Any) -> None:
    """As many rows as the figure has, of the kind of dataframe that was read."""
    frame = plot.to_frame()
    assert isinstance(frame, pl.DataFrame), name
    assert len(frame) >= 4
    assert not set(frame.columns) & {""}


def test_plots_without_a_table_of_the_caller_give_pandas() -> None:
    """Patients and priors: points of the curves."""
    curve = ml.km_plot(ml.IPD([2, 5, 6, 9], [1, 1, 0, 0], ["A"] * 4)).to_frame()
    assert curve.survival.round(3).tolist() == [0.75, 0.5, 0.5, 0.5]
    prior = ml.priors.half_normal(0.5)
    points = ml.plot_priors(prior).to_frame()
    assert points.density.to_numpy() == pytest.approx(np.asarray(prior.pdf(points.x.to_numpy())))


def test_the_table_of_a_forest_has_its_rows(grouped: Subgroups, eight: Pooled) -> None:
    """Subgroups with their studies and subtotals, then the whole; weights and bounds in numbers."""
    plot = ml.forest(grouped, columns=["design"])
    frame = plot.to_frame()
    shown = [r for r in plot.layout.rows if r.kind not in ("group", "blank")]
    assert frame.role.tolist() == [r.kind for r in shown]
    assert frame.study.tolist() == [r.label for r in shown]
    assert frame.group[frame.study == "Chow 2018"].item() == "high"
    assert frame.design[frame.study == "Hoang 2023"].item() == "case series, single centre"
    whole = ml.forest(eight, sort="weight").to_frame()
    assert whole.weight[whole.role == "study"].tolist() == pytest.approx(sorted(eight.weights))
    pooled = whole[whole.role == "total"]
    assert pooled[["value", "low", "high"]].to_numpy()[0] == pytest.approx(
        [eight.estimate.value, eight.estimate.low, eight.estimate.high]
    )


def test_the_table_of_a_funnel_says_what_was_filled() -> None:
    """Filled studies are marked; another vertical axis has its column."""
    v = np.linspace(0.01, 0.3, 12)
    fit = ml.pool(ml.effects(-0.2 - 1.2 * np.sqrt(v), v, measure="HR"))
    record = ml.trim_and_fill(fit)
    frame = ml.funnel(record).to_frame()
    assert int(frame.filled.sum()) == record.missing > 0
    heights = ml.funnel(fit, y="precision").to_frame()["Precision, 1 / standard error"]
    assert heights.to_numpy() == pytest.approx(1 / np.sqrt(v))


def test_tables_of_other_views_of_a_fit() -> None:
    """Peak of the pooled p value function, risks of both arms, the fitted line, the prediction interval."""
    drapery = ml.drapery(FIT).to_frame()
    pooled = drapery.filter(pl.col("study") == "Pooled").sort("p")
    assert pooled["effect"][-1] == pytest.approx(FIT.estimate.value, rel=0.03)
    assert ml.labbe(FIT).to_frame()["control_risk"].to_list() == pytest.approx([22 / 100, 25 / 118, 17 / 92, 9 / 41])
    fit = ml.pool(TABLES, moderators="~ dose")
    line = ml.bubble(fit).to_frame().filter(pl.col("role") == "fitted")
    assert np.log(line["value"][0]) == pytest.approx(fit.beta[0] + fit.beta[1])
    assert (line["prediction_low"] <= line["low"]).all()
    orchard = ml.orchard(FIT).to_frame()
    assert FIT.prediction is not None
    assert orchard["low"][-1] == pytest.approx(FIT.prediction.low)
