"""The table behind a plot: what stands in it in numbers, printed scale, as a dataframe."""

from __future__ import annotations

from typing import Any

from metaleptic.frames import to_frame
from metaleptic.plots.density_layout import DensityLayout
from metaleptic.plots.forest_layout import ForestLayout
from metaleptic.plots.funnel_axes import AXES
from metaleptic.plots.funnel_layout import FunnelLayout


def forest_table(layout: ForestLayout, kind: str) -> Any:
    """Return a row per row of the plot that holds an estimate or an interval, with the caller's columns as printed."""
    group, rows = "", []
    for row in layout.rows:
        if row.kind == "group":
            group = row.label
        elif row.kind != "blank":
            rows.append((group if row.kind in ("study", "subtotal") else "", row))
    columns: dict[str, Any] = {"role": [r.kind for _, r in rows]}
    if group:
        columns["group"] = [g for g, _ in rows]
    columns["study"] = [r.label for _, r in rows]
    for i, column in enumerate(layout.columns):
        columns[column.name] = [r.cells[i] for _, r in rows]
    columns |= {name: [getattr(r, name) for _, r in rows] for name in ("value", "low", "high")}
    columns["weight"] = [r.share for _, r in rows]
    return to_frame(columns, kind)


def funnel_table(layout: FunnelLayout, y: str, kind: str) -> Any:
    """Return a row per study: effect, standard error, the height it is drawn at, and whether it was filled."""
    points = layout.points
    columns: dict[str, Any] = {
        "study": [p.study for p in points],
        "value": [p.value for p in points],
        "se": [p.se for p in points],
    }
    if y != "se":
        columns[AXES[y].title] = [p.down for p in points]
    if any(p.filled for p in points):
        columns["filled"] = [p.filled for p in points]
    return to_frame(columns, kind)


def density_table(layout: DensityLayout, kind: str = "pandas") -> Any:
    """Return the points of each curve: place along the axis and density."""
    rows = [(c.label, x, f) for c in layout.curves for x, f in c.values]
    return to_frame(dict(zip(("curve", "x", "density"), zip(*rows, strict=True), strict=True)), kind)
