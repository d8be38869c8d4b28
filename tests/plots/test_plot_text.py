"""Drawn plots are measured: no two texts overlap, none leaves the page, no text lies on a square or diamond."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.text import Text

import metaleptic as ml
from metaleptic.plots.forest import forest
from metaleptic.plots.funnel import funnel
from metaleptic.plots.styles import STYLES
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups
from metaleptic.types import BoolArray, FloatArray

Make = Callable[..., Pooled]
FAVOURS = ("intrathecal trastuzumab", "any treatment of the investigator's choice")


def texts(figure: Figure) -> list[Text]:
    """Return the visible texts of a figure; tick labels of axes that are switched off are not."""
    return [t for ax in figure.axes if ax.get_visible() for t in ax.texts if t.get_visible() and t.get_text()]


def boxes(figure: Figure) -> tuple[FloatArray, list[str]]:
    """Return left, bottom, right, top of every text in points, and the texts."""
    found = texts(figure)
    scale = 72 / figure.dpi
    return scale * np.array([_extents(t) for t in found]), [t.get_text() for t in found]


def _extents(artist: Text | Polygon) -> FloatArray:
    return np.asarray(artist.get_window_extent().extents, dtype=np.float64)


def overlapping(a: FloatArray, b: FloatArray) -> BoolArray:
    """Say which boxes of ``a`` overlap which of ``b`` by more than half a point each way."""
    wide = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    high = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    return (wide > 0.5) & (high > 0.5)


def check(figure: Figure, area: tuple[float, float, float, float] | None = None) -> None:
    """Measure every text of a figure, against the page or the area of an axes (points)."""
    found, words = boxes(figure)
    width, height = figure.get_size_inches() * 72
    left, bottom, right, top = area or (0.0, 0.0, width, height)
    out = (found[:, 0] < left - 0.6) | (found[:, 1] < bottom - 0.6)
    out |= (found[:, 2] > right + 0.6) | (found[:, 3] > top + 0.6)
    assert not out.any(), [words[i] for i in np.flatnonzero(out)]
    clash = np.triu(overlapping(found, found), 1)
    assert not clash.any(), [(words[i], words[j]) for i, j in np.argwhere(clash)]


def check_marks(figure: Figure) -> None:
    """No text on a square, diamond, bar or arrow (stripes, which are wider than the rest, lie under texts)."""
    found, words = boxes(figure)
    scale = 72 / figure.dpi
    shapes = [_extents(p) * scale for ax in figure.axes for p in ax.patches if isinstance(p, Polygon)]
    marks = np.array([s for s in shapes if s[2] - s[0] < 0.6 * figure.get_size_inches()[0] * 72])
    clash = overlapping(found, marks)
    assert not clash.any(), [words[i] for i, _ in np.argwhere(clash)]


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("k", [1, 2, 6, 13, 40])
def test_forest_of_any_size(k: int, style: str, random_fit: Make) -> None:
    for long, wide in product((False, True), (False, True)) if k < 40 else [(False, True)]:
        figure = forest(
            random_fit(k, long=long, wide=wide), style=style, favours=FAVOURS, title="Overall survival"
        ).figure
        check(figure)
        check_marks(figure)


def test_forest_of_a_hundred(random_fit: Make) -> None:
    figure = forest(random_fit(100)).figure
    check(figure)
    assert figure.get_size_inches()[1] == pytest.approx(102 * 16 / 72, abs=1.5)


@pytest.mark.parametrize("style", list(STYLES))
def test_forest_of_subgroups_and_other_measures(
    style: str, grouped: Subgroups, medians: Pooled, responses: Pooled
) -> None:
    everything = {"n_drug": "Drug\nn", "n_control": "Control\nn", "design": "Design of the study"}
    for figure in (
        forest(grouped, style=style, columns=everything, favours=("drug", "control")).figure,
        forest(medians, style=style).figure,
        forest(responses, style=style).figure,
        forest(grouped, style=style, width=3.4).figure,
        forest(grouped, style=style, width=3.4, columns=everything).figure,
    ):
        check(figure)
        check_marks(figure)


def test_headings_are_not_broken_inside_a_word(responses: Pooled) -> None:
    plot = forest(responses, columns={"events": "Responders", "n": "Patients treated"})
    written = [t.get_text() for t in texts(plot.figure)]
    assert {"Responders", "Patients", "treated", "Response rate, %"} <= set(written)


def test_width_is_kept_where_it_is_given(grouped: Subgroups, random_fit: Make) -> None:
    for width in (3.4, 5.0, 7.2):
        assert forest(grouped, width=width).figure.get_size_inches()[0] == pytest.approx(width, abs=0.01)
        assert forest(random_fit(6, long=True), width=width).figure.get_size_inches()[0] == pytest.approx(
            width, abs=0.01
        )


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_forest_and_funnel_stay_in_the_axes_they_are_given(layout: str | None, eight: Pooled, random_fit: Make) -> None:
    figure = Figure(figsize=(8, 3), layout=layout)  # type: ignore[arg-type]
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    limits = left.get_xlim()
    assert forest(eight, ax=left, favours=("drug", "control")).figure is figure
    funnel(random_fit(13), ax=right)
    figure.draw_without_rendering()
    assert left.get_xlim() == limits, "limits are the caller's"
    for ax, other in ((left, right), (right, left)):
        other.set_visible(False)
        mine = [t for t in texts(figure) if t.axes is ax]
        frame = ax.get_window_extent().extents
        for text in mine:
            box = text.get_window_extent().extents
            assert (box[:2] >= frame[:2] - 1).all(), text.get_text()
            assert (box[2:] <= frame[2:] + 1).all(), text.get_text()
        other.set_visible(True)
    check(figure)


def test_funnels(random_fit: Make, medians: Pooled, responses: Pooled) -> None:
    for result in (random_fit(1), random_fit(6), random_fit(40), medians, responses):
        for width in (2.5, 3.4, 5.4):
            check(funnel(result, width=width).figure)


def test_names_with_dollars_and_entities_are_plain_text() -> None:
    fit = ml.pool(ml.effects([0.1, 0.2, 0.3], [0.1] * 3, study=["a $x^2$ <b>", "R&D_1", "Łódź 2020 – Ünal"]))
    plot = forest(fit)
    assert "a $x^2$ <b>" in boxes(plot.figure)[1]
    assert "a $x^2$ &lt;b&gt;" in plot.svg()
    assert "R&amp;D_1" in plot.svg()


def test_global_settings_neither_leak_in_nor_out(eight: Pooled) -> None:
    before = forest(eight).to_bytes("png")
    with mpl.rc_context(
        {
            "font.size": 20,
            "text.color": "red",
            "axes.facecolor": "black",
            "savefig.dpi": 40,
            "lines.linewidth": 9,
            "font.weight": "bold",
            "savefig.bbox": "tight",
        }
    ):
        changed = dict(mpl.rcParams)
        assert forest(eight).to_bytes("png") == before
        assert dict(mpl.rcParams) == changed
