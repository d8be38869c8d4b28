"""The verb ``plot``: any record of a sensitivity analysis in, its own plot out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from metaleptic.errors import OptionError
from metaleptic.plots.bayes_charts import BAYES_CHARTS
from metaleptic.plots.bias_charts import (
    excess_chart,
    limit_chart,
    trim_and_fill_chart,
    worst_case_chart,
)
from metaleptic.plots.chart import Chart
from metaleptic.plots.chart_scene import chart_scene
from metaleptic.plots.cloud_charts import all_subsets_chart, multiverse_chart
from metaleptic.plots.context_charts import (
    e_value_chart,
    fail_safe_chart,
    overlaps_chart,
    proportion_beyond_chart,
)
from metaleptic.plots.forest import forest
from metaleptic.plots.influence_charts import (
    baujat_chart,
    residuals_chart,
    shrinkage_chart,
)
from metaleptic.plots.influence_panels import influence_panels, multilevel_panels
from metaleptic.plots.panel_scene import panel_scene
from metaleptic.plots.panels import PanelChart
from metaleptic.plots.plot import Plot, finish
from metaleptic.plots.radial_chart import radial_chart
from metaleptic.plots.refits import as_result
from metaleptic.plots.regression_charts import pet_peese_chart, small_study_chart
from metaleptic.plots.selection_charts import (
    copas_chart,
    fragility_chart,
    p_curve_chart,
    p_uniform_chart,
    selection_chart,
)
from metaleptic.plots.side_by_side import side_by_side
from metaleptic.plots.styles import Style, style_named
from metaleptic.sensitivity.all_subsets import AllSubsets
from metaleptic.sensitivity.baujat import Baujat
from metaleptic.sensitivity.confounding import EValue
from metaleptic.sensitivity.copas import Copas
from metaleptic.sensitivity.cumulative import Cumulative
from metaleptic.sensitivity.cumulative_coefficients import CumulativeCoefficients
from metaleptic.sensitivity.excess import ExcessSignificance
from metaleptic.sensitivity.fail_safe import FailSafeN
from metaleptic.sensitivity.fragility import Fragility
from metaleptic.sensitivity.henmi_copas import HenmiCopas
from metaleptic.sensitivity.influence import Influence
from metaleptic.sensitivity.leave_one_out import LeaveOneOut
from metaleptic.sensitivity.leave_one_out_bayes import LeaveOneOutBayes
from metaleptic.sensitivity.leave_out_coefficients import LeaveOneOutCoefficients
from metaleptic.sensitivity.limit import LimitMetaAnalysis
from metaleptic.sensitivity.multilevel_influence import MultilevelInfluence
from metaleptic.sensitivity.multiverse import Multiverse
from metaleptic.sensitivity.new_study import ProportionBeyond
from metaleptic.sensitivity.overlap import Overlaps
from metaleptic.sensitivity.overlap_choices import OverlapChoices
from metaleptic.sensitivity.p_curve import PCurve
from metaleptic.sensitivity.p_uniform import PUniform
from metaleptic.sensitivity.pet_peese import PetPeese
from metaleptic.sensitivity.radial import Radial
from metaleptic.sensitivity.refit_influence import RefitInfluence
from metaleptic.sensitivity.residuals import Residuals
from metaleptic.sensitivity.robustness import Robustness
from metaleptic.sensitivity.selection_model import SelectionModel
from metaleptic.sensitivity.shrinkage import Shrinkage
from metaleptic.sensitivity.small_study import SmallStudy
from metaleptic.sensitivity.trim_and_fill import TrimAndFill
from metaleptic.sensitivity.worst_case import WorstCase

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE = 5.4  # inches
WIDE = 7.2  # of more panels side by side than
FEW = 5

CHARTS: MappingProxyType[type, Callable[[Any, Style], Chart | PanelChart]] = MappingProxyType(
    {
        AllSubsets: all_subsets_chart,
        Baujat: baujat_chart,
        Copas: copas_chart,
        ExcessSignificance: excess_chart,
        Fragility: fragility_chart,
        EValue: e_value_chart,
        FailSafeN: fail_safe_chart,
        MultilevelInfluence: multilevel_panels,
        Overlaps: overlaps_chart,
        ProportionBeyond: proportion_beyond_chart,
        Influence: influence_panels,
        RefitInfluence: influence_panels,
        LimitMetaAnalysis: limit_chart,
        Multiverse: multiverse_chart,
        PCurve: p_curve_chart,
        PUniform: p_uniform_chart,
        PetPeese: pet_peese_chart,
        Radial: radial_chart,
        Residuals: residuals_chart,
        SelectionModel: selection_chart,
        Shrinkage: shrinkage_chart,
        SmallStudy: small_study_chart,
        TrimAndFill: trim_and_fill_chart,
        WorstCase: worst_case_chart,
    }
)

FORESTS = (
    LeaveOneOut,
    LeaveOneOutBayes,
    LeaveOneOutCoefficients,
    Cumulative,
    CumulativeCoefficients,
    HenmiCopas,
    OverlapChoices,
    Robustness,
)


def plot(
    record: Any,
    *,
    style: str | Style = "plain",
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[Any]:
    """Draw what a sensitivity analysis found.

    Parameters
    ----------
    record : LeaveOneOut, Cumulative, Influence, Baujat, Radial, AllSubsets, Multiverse, SmallStudy, ...
        What ``ml.leave_one_out``, ``ml.influence`` and their kin return; also what ``ml.prior_sensitivity``,
        ``ml.compare_models``, ``ml.power_scale``, ``ml.loo`` and ``ml.map_prior`` do.
    style : {"plain", "jama", "bmj", "revman"} or Style, default "plain"
        House style of a journal.
    width : float, optional
        Width in inches: 5.4 by default, 7.2 for forests and for more than five panels.
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
        If there is no plot of this kind of record.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.1, 0.2, 0.15, 0.12, 2.0], [0.02] * 5, study=list("ABCDE"))
    >>> plot(ml.baujat(ml.pool(e, model="common"))).alt
    'E adds most to the heterogeneity (80% of it) and moves the result most.'
    """
    if isinstance(record, FORESTS):
        rows = side_by_side(record) if isinstance(record, Robustness) else as_result(record)
        drawn = forest(rows, columns=[], style=style, width=width, ax=ax, path=path)
        return replace(drawn, table=record.to_frame)
    lay_out = CHARTS.get(type(record)) or BAYES_CHARTS.get(type(record))
    if lay_out is None:
        names = ", ".join(sorted(t.__name__ for t in (*CHARTS, *BAYES_CHARTS, *FORESTS)))
        raise OptionError(
            f"there is no plot of {type(record).__name__}. ml.plot draws: {names}; "
            "a pooled result is drawn by ml.forest and ml.funnel."
        )
    chart = lay_out(record, style_named(style))
    usual = WIDE if isinstance(chart, PanelChart) and len(chart.panels) > FEW else PAGE
    page = 72 * (usual if width is None else width)
    if page < 72:
        raise OptionError(f"width {width:g} is in inches: give at least 1.")
    build = partial(panel_scene, chart) if isinstance(chart, PanelChart) else partial(chart_scene, chart)
    return finish(chart.name, chart, chart.alt, build, page, record.to_frame, fixed=True, ax=ax, path=path)
