"""The verb ``km_plot``: patients in, a Kaplan-Meier plot with its table out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from metaleptic.errors import OptionError
from metaleptic.plots.km_layout import KMLayout, km_layout
from metaleptic.plots.km_scene import km_scene
from metaleptic.plots.km_source import Patients, km_source
from metaleptic.plots.plot import Plot, finish
from metaleptic.plots.styles import Style
from metaleptic.survival.km import km

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE = 6.2  # inches


def km_plot(
    patients: Patients,
    *,
    times: Sequence[float] | None = None,
    level: float | None = None,
    band: bool = True,
    points: bool = True,
    table: bool = True,
    x_title: str = "Time",
    y_title: str = "Survival",
    style: str | Style = "plain",
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[KMLayout]:
    """Draw Kaplan-Meier curves with the numbers at risk, censored and dead below them.

    For a reconstruction the points are laid over the curve as they were read from the published figure, so that the eye
    can judge how well the patients follow them. Events inferred from a patient table, and patients drawn from a model, are
    named as such in the caption.

    Parameters
    ----------
    patients : IPD, KaplanMeier, Reconstruction or TableReconstruction
        Individual patients, or what ``ml.km``, ``ml.reconstruct`` or ``ml.reconstruct_table`` return (of the last, the
        best assignment).
    times : sequence of float, optional
        Where the time axis has ticks and the table its columns, in the unit of the patients' times.
    level : float, optional
        Level of the pointwise bands; unless given that of ``ml.km``, or 0.95.
    band, points, table : bool
        Whether to draw the bands, the digitised points and the table.
    x_title, y_title : str
        Titles of the axes, for example "Months" and "Overall survival".
    style : {"plain", "jama", "bmj", "revman"} or Style, default "plain"
        House style of a journal.
    width : float, optional
        Width in inches, 6.2 by default.
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
        If an option is unknown, or these are no patients.
    DataError
        If there are no patients.
    NotEstimableError
        If no assignment of events to a patient table was found.

    Notes
    -----
    Layout of the table after KMunicate: Morris TP et al. BMJ Open 2019;9:e030215. Bands: Greenwood's variance on the
    scale log(-log S), or the ``interval`` that ``ml.km`` was told (Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data, 2002).

    Examples
    --------
    >>> import metaleptic as ml
    >>> km_plot(ml.IPD([2, 5, 6, 9], [1, 1, 0, 0], ["A"] * 4))
    Kaplan-Meier plot. A: 4 patients, 2 events, median 5.
    """
    page = 72 * (PAGE if width is None else width)
    if page < 144:
        raise OptionError(f"width {width:g} is in inches: give at least 2.")
    layout = km_layout(
        patients,
        times=times,
        level=level,
        band=band,
        points=points,
        table=table,
        x_title=x_title,
        y_title=y_title,
        style=style,
    )
    source = km_source(patients)
    curves = km(source.ipd, interval=source.interval, rule=source.rule, level=source.level if level is None else level)
    build, frame = partial(km_scene, layout), curves.to_frame
    return finish("Kaplan-Meier plot", layout, layout.alt, build, page, frame, fixed=True, ax=ax, path=path)
