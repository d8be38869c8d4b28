"""Names on charts: wrapped in rows, inside the frame, never on each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.plots.chart import Chart, Dots, plain_axis
from metaleptic.plots.chart_scene import chart_scene
from metaleptic.plots.draw_scene import text_width
from metaleptic.plots.scene import Scene, Text

RNG = np.random.default_rng(5)
V = RNG.uniform(0.01, 0.3, 40)
Y = -0.25 - 0.5 * np.sqrt(V) + RNG.normal(0, np.sqrt(V + 0.03))
NAMES = [
    f"Von der Hoehenschwaigen-Mustermann and Fernandez {1980 + i}" if i % 3 else f"Ba {1980 + i}" for i in range(40)
]
LONG = ml.pool(ml.effects(Y, V, study=NAMES, measure="HR"))


def boxes(scene: Scene) -> list[tuple[float, float, float, float]]:
    """Return the boxes of all level texts."""
    width, found = text_width(), []
    for t in scene.marks:
        if isinstance(t, Text) and not t.turned:
            wide = width(t.text, t.size, t.bold)
            left = {"start": t.x, "middle": t.x - wide / 2}.get(t.anchor, t.x - wide)
            found.append((left, t.y - 0.72 * t.size, left + wide, t.y))
    return found


@pytest.mark.parametrize("width", [5.4, 3.15])
@pytest.mark.parametrize(
    "make",
    [
        ml.baujat,
        ml.excess_significance,
        lambda fit: ml.proportion_beyond(fit, 0.8),
        ml.shrinkage,
        ml.radial,
        ml.residuals,
        lambda fit: ml.multiverse(fit.effects.take(range(12)), leave_out=True),
    ],
)
def test_long_names_stay_on_the_page_and_off_each_other(make: Callable[[Any], Any], width: float) -> None:
    """Forty studies with names of fifty letters, on a page and in a column."""
    scene = ml.plot(make(LONG), width=width).scene
    found = boxes(scene)
    assert min(b[0] for b in found) >= 0
    assert max(b[2] for b in found) <= scene.width + 1
    for i, a in enumerate(found):
        for b in found[:i]:
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]), (a, b)


def test_rows_are_as_high_as_their_names() -> None:
    """A name of two lines gets more room than one of one line; dots stand in the middle of their rows."""
    chart = ml.plot(ml.shrinkage(LONG)).layout
    assert chart.rows
    scene = chart_scene(chart, 389.0, text_width())
    heights = sorted({round(b[3] - b[1], 1) for b in _stripes(scene)})
    assert heights[0] == pytest.approx(11.5, abs=0.2)
    assert heights[-1] >= 2 * heights[0] - 3


def _stripes(scene: Scene) -> list[tuple[float, float, float, float]]:
    found = []
    for mark in scene.marks:
        points = getattr(mark, "points", ())
        if getattr(mark, "name", "") == "shade":
            xs, ys = zip(*points, strict=True)
            found.append((min(xs), min(ys), max(xs), max(ys)))
    return found


def test_names_without_room_are_left_out_and_counted() -> None:
    """Thirty dots on one spot: some names find a place around them, the others are said to be missing."""
    x = plain_axis([0.0, 1.0], "x")
    spot = (0.5, 0.5)
    crowd = Chart("crowd", x, x, dots=tuple(Dots(spot, label=f"study {i}") for i in range(30)))
    scene = chart_scene(crowd, 389.0, text_width())
    shown = [m.text for m in scene.marks if isinstance(m, Text) and m.text.startswith("study")]
    assert 4 <= len(shown) < 30
    note = next(m.text for m in scene.marks if isinstance(m, Text) and "left out" in m.text)
    assert note == f"{30 - len(shown)} names are left out, which would cover others."
