"""Files: whole or not at all, the same bytes every time, text that stays text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from metaleptic.errors import DataError, OptionError
from metaleptic.plots.forest import forest
from metaleptic.plots.forest_layout import ForestLayout
from metaleptic.plots.funnel import funnel
from metaleptic.plots.plot import Plot
from metaleptic.plots.scene import Shape
from metaleptic.pooling.result import Pooled

START = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.fixture(scope="module")
def plot(eight: Pooled) -> Plot[ForestLayout]:
    return forest(eight, favours=("drug", "control"))


@pytest.mark.parametrize("kind", list(START))
def test_files_are_written_and_the_same_each_time(
    kind: str, plot: Plot[ForestLayout], eight: Pooled, tmp_path: Path
) -> None:
    path = plot.save(tmp_path / f"forest.{kind}")
    content = path.read_bytes()
    assert content.startswith(START[kind])
    assert forest(eight, favours=("drug", "control"), path=tmp_path / f"b.{kind}").to_bytes(kind) == content
    assert (tmp_path / f"b.{kind}").read_bytes() == content
    assert not re.search(rb"CreationDate|dc:date", content)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"b.{kind}", f"forest.{kind}"]


def test_a_failed_write_leaves_the_old_file(
    plot: Plot[ForestLayout], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "forest.svg"
    old.write_text("old")

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(DataError, match="disk full"):
        plot.save(old)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_an_unknown_kind_of_file_is_refused_before_anything_is_drawn(eight: Pooled, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"should end in one of: \.png, \.pdf, \.svg"):
        forest(eight, path=tmp_path / "forest.jpg")
    with pytest.raises(OptionError, match="'gif' is unknown"):
        forest(eight).to_bytes("gif")


def test_svg_is_text_accessible_and_free_of_ids(plot: Plot[ForestLayout]) -> None:
    inline = plot.svg()
    root = ET.fromstring(inline)
    assert inline.startswith("<svg ")
    assert 'width="100%"' in inline
    assert "viewBox" in inline
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == plot.alt
    assert root[0].tag.endswith("title")
    assert " id=" not in inline
    assert "url(#" not in inline
    written = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "Alba 2016" in written
    assert "0.83 (0.70 to 0.98)" in written


def test_areas_of_the_drawn_squares_are_proportional_to_the_weights(plot: Plot[ForestLayout], eight: Pooled) -> None:
    squares = [m for m in plot.scene.marks if isinstance(m, Shape) and m.name == "square"]
    sides = [s.points[1][0] - s.points[0][0] for s in squares]
    heights = [s.points[2][1] - s.points[1][1] for s in squares]
    assert sides == pytest.approx(heights)
    assert [s * s / sides[1] ** 2 for s in sides] == pytest.approx(list(eight.weights / eight.weights[1]))


def test_pdf_holds_real_fonts(plot: Plot[ForestLayout]) -> None:
    assert b"/TrueType" in plot.to_bytes("pdf") or b"/CIDFontType2" in plot.to_bytes("pdf")


def test_notebooks_get_a_png_and_a_repr_without_ids(plot: Plot[ForestLayout], eight: Pooled) -> None:
    assert plot._repr_png_().startswith(START["png"])
    assert repr(plot) == plot.alt
    assert "0x" not in repr(plot)


def test_what_is_no_result_is_refused() -> None:
    for verb in (forest, funnel):
        with pytest.raises(OptionError, match=r"takes a result of ml\.pool"):
            verb([1, 2, 3])  # type: ignore[arg-type]
