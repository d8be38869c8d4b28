"""The verb ``plot_check``: a predictive check in, a picture out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from metaleptic.bayes.predictive import PredictiveCheck
from metaleptic.errors import OptionError
from metaleptic.plots.check_layout import CheckLayout, check_layout
from metaleptic.plots.plot import Plot, finish
from metaleptic.plots.scene import Dot, Line, Mark, Scene, Text, middle, rectangle
from metaleptic.plots.styles import Style
from metaleptic.plots.wrap import TextWidth, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE = 5.4  # inches
MARGIN, ROW = 8.0, 17.0
PALE, DEEP = "#d6e0ea", "#9db4cb"


def plot_check(
    check: PredictiveCheck,
    *,
    style: str | Style = "plain",
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[CheckLayout]:
    """Draw each study beside what the model would have produced: dots far outside their bars are studies it cannot explain.

    Parameters
    ----------
    check : PredictiveCheck
        From ``ml.predictive_check``.
    style : {"plain", "jama", "bmj", "revman"} or Style, default "plain"
        House style of a journal.
    width : float, optional
        Width in inches, 5.4 by default.
    ax : matplotlib.axes.Axes, optional
        Draw in the area of these axes instead of on a new figure.
    path : str or Path, optional
        Write to this .png (300 dpi), .pdf or .svg file.

    Returns
    -------
    Plot
        With ``.layout`` (plain data), ``.to_frame()`` (the table behind it), ``.alt`` (the plot in words), ``.figure``,
        ``.save(path)`` and ``.svg()``.

    Raises
    ------
    OptionError
        If an option is unknown.

    Notes
    -----
    Source: Gelman A, Meng XL, Stern H. Stat Sinica 1996;6:733-760.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR")
    >>> plot_check(ml.predictive_check(ml.pool_bayes(e)))
    Posterior predictive check of 4 studies. Outside the central 95%: none.
    """
    if not isinstance(check, PredictiveCheck):
        raise OptionError(f"plot_check takes a result of ml.predictive_check, not {type(check).__name__}.")
    page = 72 * (PAGE if width is None else width)
    if page < 72:
        raise OptionError(f"width {width:g} is in inches: give at least 1.")
    layout = check_layout(check, style=style, room=40.0 if page >= 290 else 22.0)
    build = partial(check_scene, layout)
    fixed = width is not None
    return finish("Predictive check", layout, layout.alt, build, page, check.to_frame, fixed=fixed, ax=ax, path=path)


def check_scene(layout: CheckLayout, page: float, width: TextWidth) -> Scene:
    """Put a predictive check on a page of this width (points)."""
    style = layout.style
    names = [wrap(row.study, 0.4 * page, style.size, False, width) for row in layout.rows]
    left = MARGIN + max(width(line, style.size, False) for lines in names for line in lines) + 12.0
    right, y = page - MARGIN, MARGIN
    marks: list[Mark] = []

    def at(share: float) -> float:
        return left + share * (right - left)

    start = y
    for row, lines in zip(layout.rows, names, strict=True):
        height = max(ROW, 1.25 * style.size * len(lines) + 4.0)
        centre = y + height / 2
        for n, line in enumerate(lines):
            base = middle(centre, style.size) + (n - (len(lines) - 1) / 2) * 1.25 * style.size
            marks.append(Text(MARGIN, base, line, style.size, style.ink))
        for (low, high), tall, fill in ((row.most, 3.0, PALE), (row.half, 4.5, DEEP)):
            marks.append(rectangle(at(low), centre - tall, at(high), centre + tall, fill, "bar"))
        marks.append(Dot((at(row.seen), centre), 3.0, "#b5541c" if row.odd else style.square, "#ffffff"))
        y += height
    if layout.axis.null == layout.axis.null:
        x = at(layout.axis.position(layout.axis.null))
        marks.insert(0, Line((x, start), (x, y), style.line, 0.8))
    marks.append(Line((left, y), (right, y), style.ink, 0.9))
    for value, label in zip(layout.axis.ticks, layout.axis.labels, strict=True):
        x = at(layout.axis.position(value))
        marks.append(Line((x, y), (x, y + 3.5), style.ink, 0.9))
        marks.append(Text(x, y + 5.0 + style.small, label, style.small, style.ink, "middle"))
    y += 5.0 + style.small
    for line in wrap(layout.axis.title, right - left, style.size, False, width):
        y += style.size * 1.25 + 2.0
        marks.append(Text((left + right) / 2, y, line, style.size, style.ink, "middle"))
    y += 4.0
    for note in layout.footnotes:
        for line in wrap(note, right - MARGIN, style.small, False, width):
            y += style.small * 1.25
            marks.append(Text(MARGIN, y, line, style.small, style.muted))
    return Scene(page, y + MARGIN, tuple(marks))
