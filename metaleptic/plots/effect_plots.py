"""The verbs ``drapery``, ``labbe``, ``bubble`` and ``orchard``: other ways to look at a fit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.plots.chart import Chart
from metaleptic.plots.chart_scene import chart_scene
from metaleptic.plots.effect_charts import bubble_chart, drapery_chart, labbe_chart, orchard_chart
from metaleptic.plots.plot import Plot, finish
from metaleptic.plots.styles import Style, style_named
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE = 5.4  # inches


def _draw(chart: Chart, kind: str, width: float | None, ax: Axes | None, path: str | Path | None) -> Plot[Chart]:
    page = 72 * (PAGE if width is None else width)
    if page < 72:
        raise OptionError(f"width {width:g} is in inches: give at least 1.")
    build, table = partial(chart_scene, chart), partial(to_frame, chart.table, kind)
    return finish(chart.name, chart, chart.alt, build, page, table, fixed=True, ax=ax, path=path)


def _pooled(fit: Any, verb: str) -> Pooled:
    if not isinstance(fit, Pooled):
        raise OptionError(f"{verb} takes a result of ml.pool, not {type(fit).__name__}.")
    return fit


def drapery(
    fit: Pooled,
    *,
    style: str | Style = "plain",
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[Chart]:
    """Draw the p value of every possible effect, which shows all confidence intervals at once.

    Parameters
    ----------
    fit : Pooled
        From ``ml.pool``.
    style, width, ax, path
        As in ``ml.plot``.

    Returns
    -------
    Plot
        Its ``.to_frame()`` has a row per study (or "Pooled", "New study") and effect: its p value.

    Notes
    -----
    Source: Rücker G, Schwarzer G. Res Synth Methods 2021;12:308-319.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    >>> drapery(fit).alt
    'Drapery plot of 4 studies: the pooled p value function peaks at 0.81.'
    """
    chart = drapery_chart(_pooled(fit, "drapery"), style_named(style))
    return _draw(chart, fit.effects.frame_kind, width, ax, path)


def labbe(
    fit: Pooled,
    *,
    style: str | Style = "plain",
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[Chart]:
    """Draw the risk in one arm against the risk in the other, which shows whether the effect depends on the baseline.

    Parameters
    ----------
    fit : Pooled
        Two-by-two tables pooled by ``ml.pool``.
    style, width, ax, path
        As in ``ml.plot``.

    Returns
    -------
    Plot
        Its ``.to_frame()`` has a row per study: the risks of both arms and the weight.

    Raises
    ------
    DataError
        If the effects do not come from two-by-two tables.

    Notes
    -----
    Source: L'Abbé KA, Detsky AS, O'Rourke K. Ann Intern Med 1987;107:224-233.

    Examples
    --------
    >>> import metaleptic as ml
    >>> table = {"study": ["a", "b", "c"], "x1": [4, 6, 3], "n1": [40, 50, 30], "x2": [8, 9, 7], "n2": [40, 50, 31]}
    >>> effects = ml.two_by_two(table, events1="x1", n1="n1", events2="x2", n2="n2", measure="RR")
    >>> labbe(ml.pool(effects)).alt
    "L'Abbe plot of 3 studies; 3 have the lower risk in the arm of interest."
    """
    chart = labbe_chart(_pooled(fit, "labbe"), style_named(style))
    return _draw(chart, fit.effects.frame_kind, width, ax, path)


def bubble(
    fit: Regression,
    *,
    moderator: str | None = None,
    style: str | Style = "plain",
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[Chart]:
    """Draw the effects against a moderator, with the fitted line, its interval and the prediction interval.

    Parameters
    ----------
    fit : Regression
        From ``ml.pool`` with ``moderators``.
    moderator : str, optional
        Name of the coefficient; the first one that varies by default. The others are held at their means.
    style, width, ax, path
        As in ``ml.plot``.

    Returns
    -------
    Plot
        Its ``.to_frame()`` has a row per study, and one per place of the fitted line with its intervals.

    Raises
    ------
    OptionError
        If there is no such coefficient.

    Notes
    -----
    Source: Thompson SG, Higgins JPT. Stat Med 2002;21:1559-1573.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.1, 0.3, 0.2, 0.6, 0.5], [0.02] * 5, columns={"dose": [1, 2, 3, 4, 5]})
    >>> bubble(ml.pool(e, moderators="~ dose")).alt
    'Bubble plot of 5 studies: slope on dose 0.11 (-0.0212 to 0.241).'
    """
    if not isinstance(fit, Regression):
        raise OptionError(f"bubble takes a result of ml.pool with moderators, not {type(fit).__name__}.")
    chart = bubble_chart(fit, moderator, style_named(style))
    return _draw(chart, fit.effects.frame_kind, width, ax, path)


def orchard(
    result: Pooled | Subgroups,
    *,
    style: str | Style = "plain",
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[Chart]:
    """Draw all effects as a swarm with the pooled effect, its interval and the prediction interval, group by group.

    Parameters
    ----------
    result : Pooled or Subgroups
        From ``ml.pool`` or ``ml.subgroups``.
    style, width, ax, path
        As in ``ml.plot``.

    Returns
    -------
    Plot
        Its ``.to_frame()`` has a row per study, and per group the pooled effect with its interval and the prediction interval.

    Notes
    -----
    Source: Nakagawa S et al. Res Synth Methods 2021;12:4-12.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    >>> orchard(fit).alt
    'Orchard plot: All studies 0.81, k = 4.'
    """
    fits = dict(result.groups) if isinstance(result, Subgroups) else {"All studies": _pooled(result, "orchard")}
    return _draw(orchard_chart(fits, style_named(style)), result.effects.frame_kind, width, ax, path)
