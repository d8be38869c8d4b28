"""The verb ``forest``: a result in, a forest plot out that can be printed as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from metaleptic.bayes.pool_bayes_outcomes import OutcomesBayes
from metaleptic.errors import OptionError
from metaleptic.plots.fitted import moderated
from metaleptic.plots.forest_columns import tick_room
from metaleptic.plots.forest_layout import ForestLayout, forest_layout
from metaleptic.plots.forest_scene import forest_scene
from metaleptic.plots.plot import Plot, finish
from metaleptic.plots.styles import Style
from metaleptic.plots.tables import forest_table
from metaleptic.plots.wording import plural
from metaleptic.types import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from metaleptic.bayes.regression_result import RegressionBayes
    from metaleptic.bayes.sampled_regression import SampledRegression
    from metaleptic.pooling.location_scale_result import LocationScale
    from metaleptic.pooling.regression_result import Regression

PAGE = 7.2  # inches: the width of a printed page's text


def forest(
    result: Result | Regression | LocationScale | RegressionBayes | SampledRegression,
    *,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    sort: str | None = None,
    favours: tuple[str, str] | None = None,
    title: str | None = None,
    style: str | Style = "plain",
    xlim: tuple[float, float] | None = None,
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[ForestLayout]:
    """Draw a forest plot: each study's estimate and interval, and what they amount to together.

    Parameters
    ----------
    result : Result or a fit with moderators
        From ``ml.pool``, ``ml.pool_bayes``, ``ml.subgroups`` or any other fit. With moderators nothing is pooled: a pale
        diamond behind each study shows what they predict for it.
    columns : sequence of str or mapping of str to str, optional
        Columns of the input to show, or columns with their headings (which may hold line breaks). By default patients,
        and events of proportions, where all are known, and of a Bayesian result the shrunken effects (column
        ``"shrunken"``), of a fit with moderators the fitted ones (``"fitted"``); ``[]`` shows none. Counts are summed in the pooled rows.
    sort : str, optional
        "effect", "weight", "precision", "study" or a column of the input; a minus sign before it turns the order
        round. The order of the input by default.
    favours : tuple of str, optional
        What the left and the right side of the null favour: ``("drug", "control")``.
    title : str, optional
        Heading above the plot.
    style : {"plain", "jama", "bmj", "revman"} or Style, default "plain"
        House style of a journal.
    xlim : tuple of float, optional
        Limits of the axis on the printed scale (proportions as fractions). By default they hold every estimate and
        all intervals but those far longer than the rest; an interval that goes on beyond ends in an arrow head.
    width : float, optional
        Width in inches, kept whatever the contents (all is shrunk if need be). By default 7.2, a page, or as
        much more as long names need; 3.4 is a column.
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
        If an option, a column or a style is unknown.

    Notes
    -----
    The area of a square is proportional to the study's weight. The solid line marks no effect, the dashed line the
    pooled estimate, the diamond its interval; the pale bar is the prediction interval. Source: Lewis S, Clarke M. BMJ
    2001;322:1479-1480; for the prediction interval Riley RD, Higgins JPT, Deeks JJ. BMJ 2011;342:d549.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    >>> forest(fit, favours=("drug", "control")).layout.rows[-2].effect
    '0.81 (0.62 to 1.05)'
    """
    shown = moderated(result) or result
    if isinstance(result, OutcomesBayes):
        raise OptionError(f"forest draws one outcome at a time: ml.forest(fit[{result.outcomes[0]!r}]).")
    if not isinstance(shown, Result):
        raise OptionError(
            f"forest takes a result of ml.pool, ml.pool_bayes or ml.subgroups, not {type(result).__name__}."
        )
    page = 72 * (PAGE if width is None else width)
    if page < 72:
        raise OptionError(f"width {width:g} is in inches: give at least 1.")
    from metaleptic.plots.draw_scene import room, text_width

    lay_out = partial(
        forest_layout, shown, columns=columns, sort=sort, favours=favours, title=title, style=style, xlim=xlim
    )
    # How many ticks there is room for is known once the other columns have been measured.
    layout = lay_out(room=tick_room(lay_out(), page if ax is None else room(ax)[0], text_width()))
    name = f"Forest plot: {shown.effects.measure.label.lower()}, {plural(len(shown.effects))}"
    build, table = partial(forest_scene, layout), partial(forest_table, layout, shown.effects.frame_kind)
    return finish(name, layout, layout.alt, build, page, table, fixed=width is not None, ax=ax, path=path)
