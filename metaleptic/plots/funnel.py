"""The verb ``funnel``: a result in, a contour-enhanced funnel plot out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.plots.funnel_axes import vertical_named
from metaleptic.plots.funnel_layout import FunnelLayout, funnel_layout
from metaleptic.plots.funnel_scene import funnel_scene
from metaleptic.plots.plot import Plot, finish
from metaleptic.plots.styles import Style
from metaleptic.plots.tables import funnel_table
from metaleptic.plots.wording import plural
from metaleptic.sensitivity.trim_and_fill import TrimAndFill, trim_and_fill
from metaleptic.types import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE = 5.4  # inches


def funnel(
    result: Result | TrimAndFill,
    *,
    y: str = "se",
    tau: bool = False,
    fill: bool | str = False,
    contours: Sequence[float] = (0.90, 0.95, 0.99),
    style: str | Style = "plain",
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[FunnelLayout]:
    """Draw a funnel plot, which shows whether small studies differ from large ones and where studies may be missing.

    Parameters
    ----------
    result : Result or TrimAndFill
        From ``ml.pool`` or any other fit; from ``ml.trim_and_fill`` with the filled studies.
    y : str, default "se"
        Vertical axis: "se", "variance", "precision" (1 / se), "weight" (1 / variance), or the number of patients as "n",
        "sqrt n", "log n", "1/n" or "1/sqrt n" (no limits and contours, which follow from standard errors).
    tau : bool, default False
        Whether the pseudo-confidence limits allow for heterogeneity: pooled effect -+ z sqrt(se² + tau²).
    fill : bool or {"L0", "R0", "Q0"}, default False
        Whether to show the studies that trim and fill adds, as rings, around their pooled effect; a name chooses its estimator.
    contours : sequence of float, default (0.90, 0.95, 0.99)
        Levels whose regions of (non-)significance around the null are shaded; ``()`` for none. Measures without a
        null (medians, proportions) have none.
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
    DataError
        If the axis shows the number of patients, and a study has none.

    Notes
    -----
    Missing studies in the white region (not significant) suggest publication bias; missing ones in the shaded regions
    suggest other causes of asymmetry. The dashed lines hold 95% of the studies if all estimated one effect. Sources:
    Peters JL et al. J Clin Epidemiol 2008;61:991-996; Sterne JAC, Egger M. J Clin Epidemiol 2001;54:1046-1055; with
    fewer than 10 studies: Sterne JAC et al. BMJ 2011;343:d4002.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    >>> funnel(fit).layout.footnotes
    ('Fewer than 10 studies: asymmetry can hardly be judged.',)
    """
    if isinstance(fill, str) or fill:
        result = trim_and_fill(result, estimator=fill if isinstance(fill, str) else "L0")  # type: ignore[arg-type]
    published, filled = None, 0
    if isinstance(result, TrimAndFill):
        if vertical_named(y).se_at is None and result.missing:
            raise OptionError(f"filled studies have no number of patients: y={y!r} cannot show them.")
        published, filled, result = float(result.fit.beta[0]), result.missing, result.filled
        published = published if filled else None
    if not isinstance(result, Result):
        raise OptionError(f"funnel takes a result of ml.pool, not {type(result).__name__}.")
    if not np.isfinite(result.estimate.value):
        raise OptionError(
            "a funnel has one centre, and with moderators there is none. Pool the same effects without them."
        )
    page = 72 * (PAGE if width is None else width)
    if page < 72:
        raise OptionError(f"width {width:g} is in inches: give at least 1.")
    layout = funnel_layout(
        result,
        y=y,
        tau=tau,
        contours=contours,
        style=style,
        room=40.0 if page >= 290 else 22.0,
        published=published,
        filled=filled,
    )
    name = f"Funnel plot: {result.effects.measure.label.lower()}, {plural(len(result.effects))}"
    build, table = partial(funnel_scene, layout), partial(funnel_table, layout, y, result.effects.frame_kind)
    return finish(name, layout, layout.alt, build, page, table, fixed=True, ax=ax, path=path)
