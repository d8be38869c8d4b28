"""Panels side by side: every diagnostic on its own axis with ticks, names as many as fit."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.plots.draw_scene import text_width
from metaleptic.plots.panel_scene import panel_scene
from metaleptic.plots.panels import PanelChart, panel
from metaleptic.plots.scene import Text

LONG = "Von der Hoehenschwaigen-Mustermann and Fernandez"


@pytest.mark.parametrize(
    "values",
    [
        [0.1, 0.4, 0.9],
        [0.051, 0.087],
        [0.22, 0.34],
        [1e-4, 3e-4],
        [1234, 5678],
        [3, 3],
        [0, 0],
        [-0.7, 0.6],
        [0.02, 7e3],
    ],
)
def test_panels_have_two_or_three_round_ticks(values: list[float]) -> None:
    """The labels are the numbers at their places, in thousandths where the title says so."""
    found = panel("value", values)
    assert 2 <= len(found.labels) <= 3
    unit = 1000 if "× 1000" in found.title else 0.001 if "/ 1000" in found.title else 1
    for place, label in zip(found.ticks, found.labels, strict=True):
        number = float(label.replace("−", "-"))
        assert unit * (found.low + place * (found.high - found.low)) == pytest.approx(number, abs=1e-9)


def test_lines_far_from_all_values_are_left_out() -> None:
    """A limit that nothing comes near would press the values together."""
    assert panel("D", [0.0, 0.01], (0.45,)).lines == ()
    assert len(panel("D", [0.0, 0.4], (0.45,)).lines) == 1


def chart_of(names: list[str] | None = None) -> PanelChart:
    far = ml.effects([0.1, 0.2, 0.15, 0.12, 0.1, 2.0], [0.02] * 6, study=names, columns={"x": [1, 3, 2, 5, 4, 7]})
    found = ml.plot(ml.influence(ml.pool(far))).layout
    assert isinstance(found, PanelChart)
    return found


def test_influence_has_a_panel_per_diagnostic() -> None:
    """Weights and DFBETAS too; of a regression those of each coefficient; flagged studies stand out."""
    chart = chart_of()
    titles = [p.title for p in chart.panels]
    assert titles[:2] == ["Residual, t", "DFFITS"]
    assert titles[-2:] == ["Weight, %", "DFBETAS"]
    assert chart.flagged == (False,) * 5 + (True,)
    rng = np.random.default_rng(1)
    fit = ml.pool(ml.effects(rng.normal(0, 0.3, 9), [0.03] * 9, columns={"x": list(range(9))}), moderators="~ x")
    record = ml.influence(fit)
    panels = {p.title: p for p in ml.plot(record).layout.panels}
    drawn = panels["DFBETAS x"]
    assert drawn.low + np.array(drawn.places) * (drawn.high - drawn.low) == pytest.approx(record.dfbetas[:, 1])


def test_influence_in_a_multilevel_model_has_a_panel_per_coefficient() -> None:
    """Effects with residuals; clusters, whose effects have many, without; what cannot be left out is named below."""
    y = [0.1, 0.4, 0.2, 0.3, 0.9, 0.25, 0.15, 0.35]
    e = ml.effects(y, [0.02] * 8, study=list("ABCDEFGH"), columns={"site": list("ppqqrrss"), "x": [1] + [0] * 7})
    fit = ml.pool_multilevel(e, random="~ 1 | site/study")
    chart = ml.plot(ml.influence(fit)).layout
    usual = ["DFFITS", "Covar. ratio", "Hat value", "Weight, %", "DFBETAS"]
    assert [p.title for p in chart.panels] == ["Residual, t", "Cook's distance", *usual]
    record = ml.multilevel_influence(fit, cluster="site")
    panels = ml.plot(record).layout.panels
    assert [p.title for p in panels] == ["Cook's distance", *usual]
    drawn = panels[0].low + np.array(panels[0].places) * (panels[0].high - panels[0].low)
    assert drawn == pytest.approx(record.cook)
    lost = ml.plot(ml.influence(ml.pool_multilevel(e, random="~ 1 | site", moderators="~ x"))).layout
    assert lost.footnotes == ("Cannot be left out without losing a coefficient: A.",)
    assert [p.title for p in lost.panels][-1] == "DFBETAS x"


@pytest.mark.parametrize("page", [230.0, 518.0])
def test_names_and_headings_stay_on_the_page_and_apart(page: float) -> None:
    """Long names are wrapped in rows that are high enough; on a narrow page the panels stand in several rows."""
    chart = chart_of([f"{LONG} {1987 + i}" for i in range(6)])
    width = text_width()
    scene = panel_scene(chart, page, width)
    texts = [m for m in scene.marks if isinstance(m, Text)]
    boxes = []
    for t in texts:
        wide = width(t.text, t.size, t.bold)
        left = {"start": t.x, "middle": t.x - wide / 2}.get(t.anchor, t.x - wide)
        assert left >= -2
        assert left + wide <= page + 4
        boxes.append((left, t.y - 0.75 * t.size, left + wide, t.y))
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]), (a, b)
    tops = {round(t.y, 3) for t in texts if t.text in {"DFFITS", "DFBETAS"}}
    assert len(tops) == (2 if page < 300 else 1)
