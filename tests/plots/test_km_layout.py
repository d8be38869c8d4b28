"""The Kaplan-Meier plot as data: steps, table, bands, points, words; and that it is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError
from metaleptic.plots.km_key import free_corner
from metaleptic.plots.km_layout import km_layout
from metaleptic.plots.km_scene import km_scene
from metaleptic.plots.scene import Dot, Line, Shape, Text
from metaleptic.reconstruction.table_result import Repair

PATIENTS = ml.IPD(
    np.array([2.0, 4, 4, 6, 9, 3, 5, 8]), np.array([1, 1, 0, 1, 0, 1, 1, 1]), np.array(["A"] * 5 + ["B"] * 3)
)


def test_steps_and_table() -> None:
    """A: S falls to 4/5 at 2, 3/5 at 4, 3/10 at 6; the table counts at risk, censored and dead before each tick."""
    a, b = km_layout(PATIENTS, times=[0, 3, 6, 9]).arms
    corners = np.array(a.line)
    heights = np.interp([0.5 / 9, 3 / 9, 5 / 9, 7 / 9], corners[:, 0], 1 - corners[:, 1])
    assert heights == pytest.approx([1, 0.8, 0.6, 0.3])
    assert a.at_risk == (5, 4, 2, 1)
    assert a.censored == (0, 0, 1, 1)
    assert a.events == (0, 1, 2, 3)
    assert b.at_risk == (3, 3, 1, 0)
    assert [m[0] for m in a.marks] == pytest.approx([4 / 9, 1])
    for arm in (a, b):
        assert all(
            n == r + c + e
            for n, r, c, e in zip([arm.at_risk[0]] * 4, arm.at_risk, arm.censored, arm.events, strict=True)
        )


def test_band_matches_r() -> None:
    """R: survfit(Surv(c(2,4,4,6,9), c(1,1,0,1,0)) ~ 1, conf.type = "log-log") at time 4: 0.126 to 0.882."""
    band = np.array(km_layout(PATIENTS.of("A"), times=[0, 3, 6, 9]).arms[0].band)
    at = band[(band[:, 0] > 3.9 / 9) & (band[:, 0] < 4.1 / 9)]
    inside = sorted(1 - at[:, 1])
    assert inside[0] == pytest.approx(0.126, abs=2e-3)
    assert any(abs(x - 0.882) < 2e-3 for x in inside)


def test_words_and_options() -> None:
    """The plot in words; what cannot be drawn is refused."""
    assert (
        km_layout(PATIENTS).alt
        == "Kaplan-Meier plot. A: 5 patients, 3 events, median 6; B: 3 patients, 3 events, median 5."
    )
    assert not km_layout(PATIENTS, band=False).arms[0].band
    with pytest.raises(OptionError, match="takes patients"):
        ml.km_plot([1, 2, 3])  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"0\.95"):
        km_layout(PATIENTS, level=95)
    with pytest.raises(DataError, match="no patients"):
        km_layout(ml.IPD(np.array([]), np.array([], dtype=int), np.array([], dtype=str)))


def test_reconstructions_show_their_points() -> None:
    """The clicked points lie over the curve as circles, and a note says what they are."""
    rec = ml.reconstruct(ml.Curve([0, 2, 5, 9], [1, 0.9, 0.8, 0.7], label="IT"), ml.Published(n=10, events=3))
    plot = ml.km_plot(rec, x_title="Months")
    dots = [m for m in plot.scene.marks if isinstance(m, Dot)]
    assert len(dots) == 4
    assert "reconstructed" in " ".join(plot.layout.footnotes)
    assert any(isinstance(m, Shape) and m.name == "band" for m in plot.scene.marks)
    assert {"At risk", "Months", "IT"} <= {m.text for m in plot.scene.marks if isinstance(m, Text)}
    assert plot.svg().startswith("<svg")
    assert plot.to_bytes("png").startswith(b"\x89PNG")


def test_models_have_no_circles() -> None:
    """Where a model stands in nothing was read from a figure, and the caption names the model and the arms."""
    alone = ml.km_plot(ml.reconstruct(None, ml.Published(n=50, median=10)))
    assert not [m for m in alone.scene.marks if isinstance(m, Dot)]
    assert alone.layout.footnotes[1:] == ("No curve was published: patients follow a Weibull model.",)
    both = km_layout(
        ml.reconstruct(
            {"A": ml.Curve([0, 2, 5, 9], [1, 0.9, 0.8, 0.7]), "B": None},
            {"A": ml.Published(n=10), "B": ml.Published(n=50, median=10)},
        )
    )
    assert [len(a.points) for a in both.arms] == [4, 0]
    assert both.footnotes[-1] == "No curve was published for B: patients follow a Weibull model."
    assert "Open circles" in " ".join(both.footnotes)


def test_circles_are_the_points_as_read() -> None:
    """A click that was moved shows where it was clicked, and one beyond the longest follow-up lies on the page."""
    rec = ml.reconstruct(ml.Curve([0, 2, 5, 7, 12], [1, 0.9, 0.94, 0.8, 0.7]), ml.Published(n=20, last_time=10))
    layout = km_layout(rec)
    assert layout.end >= 12
    assert [1 - y for _, y in layout.arms[0].points] == pytest.approx([1, 0.9, 0.94, 0.8, 0.7])
    assert [x * layout.end for x, _ in layout.arms[0].points] == pytest.approx([0, 2, 5, 7, 12])


@pytest.mark.parametrize("interval", ["log", "plain", "beta-product"])
def test_estimates_keep_their_interval_level_and_median(interval: str) -> None:
    """What ``ml.km`` was told is drawn: bands are its limits, the median follows its rule, the caption says it."""
    fit = ml.km([4, 5, 6, 6, 15, 18, 24], [0, 1, 1, 1, 1, 1, 0], interval=interval, rule="first", level=0.9)
    layout = km_layout(fit, times=[0, 24])
    (arm,) = layout.arms
    limit = fit.at(10)
    beside = [1 - y for x, y in arm.band if x == pytest.approx(15 / 24)]
    assert any(y == pytest.approx(limit.low) for y in beside)
    assert any(y == pytest.approx(limit.high) for y in beside)
    assert arm.median == fit.median.value == 6
    assert layout.footnotes == (f"Bands: pointwise 90% confidence intervals ({interval}).",)
    assert km_layout(fit, level=0.95).footnotes[0].startswith("Bands: pointwise 95%")
    assert arm.line == km_layout(fit.ipd, times=[0, 24]).arms[0].line
    assert arm.marks == km_layout(fit.ipd, times=[0, 24]).arms[0].marks


def test_inferred_events_are_named_as_such() -> None:
    """A patient table: its best assignment is drawn, and the caption says that events are inferred."""
    table = {"patient": list("abcdef"), "time": [3, 5, 7, 9, 11, 14]}
    found = ml.reconstruct_table(table, ml.Published(median=9))
    layout = ml.km_plot(found).layout
    assert layout.arms[0].deaths == sum(found.best.event)
    k = len(found.assignments)
    assert layout.footnotes[-1] == (
        f"Events are inferred, not published: one of {k} assignments that reproduce 1 of 1 printed numbers."
    )
    single = replace(found, assignments=found.assignments[:1])
    assert km_layout(single).footnotes[-1].endswith("the only assignment found that reproduces 1 of 1 printed numbers.")
    cell = Repair("c", "time", 7.0, 8.0, (), found.assignments[:1], 1)
    assert (
        km_layout(replace(found, repairs=(cell,)))
        .footnotes[-1]
        .endswith("if the time of patient c is 8, not 7 as printed.")
    )


def test_many_ticks_leave_the_curve_visible() -> None:
    """Of 3,000 patients some ticks are drawn, the table counts all, and the caption says so; circles lie on top."""
    rng = np.random.default_rng(1)
    ipd = ml.IPD(rng.uniform(0, 60, 3000), rng.integers(0, 2, 3000), np.full(3000, "A"))
    layout = km_layout(ipd, times=[0, 60])
    assert len(layout.arms[0].marks) <= 60 < layout.arms[0].censored[1]
    assert "of many close together one is drawn" in " ".join(layout.footnotes)
    heights = np.array(layout.arms[0].line)
    x, y = layout.arms[0].marks[30]
    assert y == pytest.approx(heights[np.searchsorted(heights[:, 0], x, side="right") - 1, 1])
    few = km_layout(PATIENTS)
    assert "Ticks" not in " ".join(few.footnotes)
    rec = ml.reconstruct(ml.Curve([0, 2, 5, 9], [1, 0.9, 0.8, 0.7]), ml.Published(n=30, events=3))
    marks = ml.km_plot(rec, table=False).scene.marks
    drawn = [i for i, m in enumerate(marks) if isinstance(m, Line) and m.colour == km_layout(rec).arms[0].colour]
    circles = [i for i, m in enumerate(marks) if isinstance(m, Dot)]
    assert len(circles) == 4
    assert max(drawn) < min(circles)


@pytest.mark.parametrize(
    ("deaths", "bottom"),
    [
        (0.9, False),  # falls early: room at the upper right
        (0.05, True),  # stays high: room at the lower left
    ],
)
def test_names_of_arms_lie_on_no_curve(deaths: float, bottom: bool) -> None:
    """The key stands in a corner that no line, band, tick or circle reaches, or above the plot."""
    n = 200
    time = np.tile(np.linspace(1, 40, n), 2)
    event = (np.arange(2 * n) % 100 < 100 * deaths).astype(int)
    layout = km_layout(ml.IPD(time, event, np.repeat(["A", "B"], n)))
    corner = free_corner(layout.arms, 0.2, 0.1)
    assert corner is not None
    assert (corner[1] > 0.5) == bottom
    x, y = corner
    for arm in layout.arms:
        for u, v in (*arm.line, *arm.band, *arm.marks):
            assert not (x <= u <= x + 0.2 and y <= v <= y + 0.1)
    assert free_corner(layout.arms, 0.99, 0.99) is None


def test_a_corner_inside_a_band_is_not_free() -> None:
    """A wide band may surround the names without touching them; then they go elsewhere, at last above the plot."""
    (arm,) = km_layout(ml.IPD([1.0, 40.0], [1, 0], ["A", "A"])).arms
    assert free_corner([arm], 0.1, 0.02) == (0.9, 0.0)
    whole = replace(arm, band=((-0.1, -0.1), (1.1, -0.1), (1.1, 1.1), (-0.1, 1.1)), line=((0.0, 0.5), (0.01, 0.5)))
    assert free_corner([whole], 0.2, 0.1) is None
    layout = replace(km_layout(PATIENTS), arms=(whole,))
    scene = km_scene(layout, 400.0, lambda text, size, bold: 0.5 * size * len(text))
    name = next(m for m in scene.marks if isinstance(m, Text) and m.text == "A" and not m.bold)
    axis = min(m.start[1] for m in scene.marks if isinstance(m, Line) and m.width == 0.9)
    assert name.y < axis
