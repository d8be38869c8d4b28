"""What ``forest``, ``funnel`` and ``plot`` return: the plot as data, as a table, as a figure, in words, and as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from metaleptic.errors import OptionError
from metaleptic.files import write_all
from metaleptic.plots.scene import Scene, scaled
from metaleptic.plots.svg import to_svg
from metaleptic.plots.wrap import TextWidth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("png", "pdf", "svg")
DPI = 300
SCREEN_DPI = 144

L = TypeVar("L")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plot(Generic[L]):
    """A finished plot.

    Attributes
    ----------
    name : str
        What it is, in a few words.
    layout : ForestLayout, FunnelLayout, Chart or another layout
        The plain data behind it: rows, axis, footnotes.
    scene : Scene
        Its marks in points.
    alt : str
        The plot in words, with the numbers.
    figure : matplotlib.figure.Figure
        The figure it was drawn on: its own, or the caller's where ``ax`` was given.
    table : callable
        Makes the table behind it; ``to_frame`` calls it.
    """

    name: str
    layout: L
    scene: Scene
    alt: str
    figure: Figure
    table: Callable[[], Any]

    def to_frame(self) -> Any:
        """Return the table behind the plot, a dataframe of the kind that was read."""
        return self.table()

    def svg(self) -> str:
        """Return SVG to be placed in a page of HTML: as wide as its container, with the plot in words."""
        return to_svg(self.scene, self.name, self.alt, inline=True)

    def to_bytes(self, kind: str) -> bytes:
        """Return the plot as the bytes of a "png" (300 dpi), "pdf" or "svg" file; the same bytes every time.

        A plot drawn with ``ax`` is returned by itself; save the figure that holds the axes for the whole.
        """
        if kind not in KINDS:
            raise OptionError(f"figure format {kind!r} is unknown. Choose one of: {', '.join(KINDS)}.")
        if kind == "svg":
            return to_svg(self.scene, self.name, self.alt, inline=False).encode()
        from metaleptic.plots.draw_scene import page

        return page(self.scene, kind, DPI)

    def save(self, path: str | Path) -> Path:
        """Write a .png, .pdf or .svg file, whole or not at all, and return its path."""
        target = Path(path)
        content = self.to_bytes(target.suffix.lower().removeprefix("."))
        write_all({target: content})
        return target

    def _repr_png_(self) -> bytes:
        from metaleptic.plots.draw_scene import page

        return page(self.scene, "png", SCREEN_DPI)

    def __repr__(self) -> str:
        return self.alt


def finish(
    name: str,
    layout: L,
    alt: str,
    build: Callable[[float, TextWidth], Scene],
    page: float,
    table: Callable[[], Any],
    *,
    fixed: bool,
    ax: Axes | None,
    path: str | Path | None,
) -> Plot[L]:
    """Draw a layout: on a figure of its own at the given width (points), or in the area of the caller's axes.

    Where the width is ``fixed`` and the columns need more, everything is shrunk in proportion.
    """
    from metaleptic.plots.draw_scene import draw, new_figure, room, text_width

    if path is not None and Path(path).suffix.lower().removeprefix(".") not in KINDS:
        raise OptionError(f"path '{path}' should end in one of: {', '.join('.' + k for k in KINDS)}.")
    width = text_width()
    if ax is None:
        scene = fitted(build, page, float("inf"), width) if fixed else build(page, width)
        figure = new_figure(scene)
    else:
        across, down = room(ax)
        scene = fitted(build, across, down, width)
        draw(scene, ax, across, down)
        figure = ax.figure.canvas.figure
    plot = Plot(name, layout, scene, alt, figure, table)
    if path is not None:
        plot.save(path)
    return plot


def fitted(build: Callable[[float, TextWidth], Scene], across: float, down: float, width: TextWidth) -> Scene:
    """Build a scene that fits an area (points): if it needs more it is built larger and shrunk as a whole.

    A chart whose height grows with its width never fits in this way: of it the scene that is shrunk least is taken.
    """
    page, least = across, 0.0
    best = scene = build(page, width)
    for _ in range(12):
        factor = min(1.0, across / scene.width, down / scene.height)
        excess = max(scene.width / page, scene.height / down * across / page)
        if factor > least or excess <= 1.0005:
            best, least = scene, factor
        if excess <= 1.0005 or factor < 0.2 * least:
            break
        page *= excess
        scene = build(page, width)
    return scaled(best, least)
