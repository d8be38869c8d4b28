"""Draw a scene with matplotlib: the only file of this room that imports it.

The object-oriented interface alone is used: no pyplot, no display, no global settings changed.
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Polygon
from matplotlib.text import Text as Words
from matplotlib.textpath import TextToPath
from matplotlib.transforms import Affine2D

from metaleptic.plots.scene import Dot, Line, Scene, Shape, Text, Trace
from metaleptic.plots.wrap import TextWidth

FONT = "DejaVu Sans"  # comes with matplotlib: the same widths on every machine
RESERVE = 1.01  # hinting at a screen's resolution can widen letters by this much
# What the caller may have set globally and must not leak into our files (nor ours into the caller's).
SETTINGS: dict[Any, Any] = {
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "metaleptic",
    "text.usetex": False,
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
    "path.sketch": None,
    "text.hinting": "no_hinting",
    "pdf.compression": 6,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
}


def text_width() -> TextWidth:
    """Return a function that measures text in points with matplotlib's own fonts, unhinted as in print."""
    glyphs = TextToPath()
    known: dict[tuple[str, float, bool], float] = {}

    def width(text: str, size: float, bold: bool) -> float:
        key = (text, size, bold)
        if key not in known:
            known[key] = RESERVE * glyphs.get_text_width_height_descent(text, _font(size, bold), False)[0]
        return known[key]

    return width


def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(family=FONT, size=size, weight="bold" if bold else "normal", style="normal")


def new_figure(scene: Scene) -> Figure:
    """Draw a scene on a figure of exactly its size."""
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(scene.width / 72, scene.height / 72), dpi=100, facecolor="white")
        FigureCanvasAgg(figure)
        draw(scene, figure.add_axes((0.0, 0.0, 1.0, 1.0)), scene.width, scene.height)
    return figure


def room(ax: Axes) -> tuple[float, float]:
    """Return the width and height in points of the area of an axes."""
    ax.set_axis_off()
    figure = ax.figure.canvas.figure
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()  # a layout engine moves axes when the figure is drawn
    box = ax.get_window_extent()
    dpi = ax.figure.dpi
    return box.width * 72 / dpi, box.height * 72 / dpi


def draw(scene: Scene, ax: Axes, width: float, height: float) -> None:
    """Draw a scene into an axes whose area is this many points wide and high, from its upper left corner.

    Limits and scales of the axes stay as they are.
    """
    ax.set_axis_off()
    frame = Affine2D().scale(1 / width, -1 / height).translate(0.0, 1.0) + ax.transAxes
    for order, mark in enumerate(scene.marks):
        z = 2.0 + order * 1e-4
        match mark:
            case Text():
                words = Words(
                    mark.x,
                    mark.y,
                    mark.text,
                    color=mark.colour,
                    va="baseline",
                    ha={"start": "left", "middle": "center"}.get(mark.anchor, "right"),
                    fontproperties=_font(mark.size, mark.bold),
                    parse_math=False,
                    usetex=False,
                    transform=frame,
                    zorder=z,
                    rotation=90 if mark.turned else 0,
                    rotation_mode="anchor",
                )
                words.set_in_layout(False)
                ax.add_artist(words)
                words.set_clip_on(False)
            case Line() | Trace():
                points = mark.points if isinstance(mark, Trace) else (mark.start, mark.end)
                line = Line2D(*zip(*points, strict=True), color=mark.colour, transform=frame, zorder=z)
                line.set(linewidth=mark.width, solid_capstyle="butt", dash_capstyle="butt", marker="")
                line.set_linestyle((0, tuple(x / mark.width for x in mark.dash)) if mark.dash[0] else "solid")
                line.set_clip_on(False)
                line.set_in_layout(False)
                ax.add_artist(line)
            case Shape():
                _patch(Polygon(mark.points, closed=True, linewidth=0, facecolor=mark.fill), ax, frame, z)
            case Dot():
                circle = Circle(
                    mark.centre, mark.radius, linewidth=mark.width, facecolor=mark.fill, edgecolor=mark.edge
                )
                _patch(circle, ax, frame, z)


def _patch(patch: Polygon | Circle, ax: Axes, frame: object, z: float) -> None:
    patch.set(transform=frame, zorder=z, clip_on=False, antialiased=True)
    patch.set_in_layout(False)
    ax.add_artist(patch)


def page(scene: Scene, kind: str, dpi: float) -> bytes:
    """Return a scene as PNG or PDF; the same scene gives the same bytes."""
    return write(new_figure(scene), kind, dpi)


def write(figure: Figure, kind: str, dpi: float) -> bytes:
    """Return a figure as a file's bytes, without a date in it."""
    metadata: dict[str, str | None] = {"CreationDate": None} if kind == "pdf" else {"Software": "metaleptic"}
    buffer = io.BytesIO()
    with mpl.rc_context(SETTINGS):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()
