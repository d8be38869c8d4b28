"""From panels side by side to their marks on the page."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from metaleptic.plots.chart_labels import LEADING, NAMES, edges_of, write_name
from metaleptic.plots.chart_legend import colour_of, write_legend, write_notes
from metaleptic.plots.panels import Panel, PanelChart
from metaleptic.plots.scene import Dot, Line, Mark, Scene, Text, Trace, rectangle
from metaleptic.plots.wrap import TextWidth, widest, wrap

MARGIN = 6.0
GAP = 7.0  # points between panels
LEAST = 36.0  # points: width of a panel
SHORT = 84.0  # points: names are wrapped to no less in order to get all panels side by side


def panel_scene(chart: PanelChart, page: float, width: TextWidth) -> Scene:
    """Put panels on a page of this width (points): side by side as far as they fit, the others below."""
    style, small = chart.style, chart.style.small
    need = max([LEAST, *(widest(p.title.split(), small, False, width) for p in chart.panels)])
    beside = page - 2 * MARGIN - 9.0 - len(chart.panels) * (need + GAP) + GAP
    limit = beside if beside >= SHORT else 0.75 * NAMES * page
    names = tuple(tuple(wrap(s, limit, small, False, width)) for s in chart.rows)
    left = MARGIN + max(widest(list(n), small, False, width) for n in names) + 9.0
    free = page - MARGIN - left
    most = max(1, int((free + GAP) // (need + GAP)))
    blocks = max(1, -(-len(chart.panels) // most))
    each = max(1, -(-len(chart.panels) // blocks))
    wide = (free + GAP) / each - GAP
    marks: list[Mark] = []
    y = 0.0
    for start in range(0, len(chart.panels), each):
        y = _block(chart, chart.panels[start : start + each], names, left, wide, y + MARGIN, marks, width)
    y = write_legend(chart.legend, style, left, page - MARGIN, y, marks, width)
    y = write_notes(chart.footnotes, style, MARGIN, page - MARGIN, y, marks, width)
    return Scene(page, y + MARGIN, tuple(marks))


def _block(
    chart: PanelChart,
    panels: tuple[Panel, ...],
    names: tuple[tuple[str, ...], ...],
    left: float,
    wide: float,
    y: float,
    marks: list[Mark],
    width: TextWidth,
) -> float:
    """Draw a row of panels below ``y``; return its lower end."""
    style, small = chart.style, chart.style.small
    titles = [wrap(p.title, wide, small, False, width) for p in panels]
    top = y + LEADING * small * max(len(t) for t in titles) + 5.0
    edges = [top + e for e in edges_of([len(n) for n in names], style)]
    centres = [(a + b) / 2 for a, b in pairwise(edges)]
    right = left + (wide + GAP) * len(panels) - GAP
    for upper, lower in list(pairwise(edges))[::2]:
        marks.append(rectangle(left, upper, right, lower, colour_of("stripe", style), "stripe"))
    for name, centre in zip(names, centres, strict=True):
        marks += write_name(name, left - 6.0, centre, "end", small, style.ink)
    for j, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        x = left + j * (wide + GAP)
        for n, line in enumerate(reversed(title)):
            marks.append(Text(x + wide / 2, top - 4.0 - LEADING * small * n, line, small, style.ink, "middle"))
        _panel(chart, panel, x, wide, edges, centres, marks)
    return edges[-1] + 5.0 + small


def _panel(
    chart: PanelChart,
    panel: Panel,
    left: float,
    wide: float,
    edges: list[float],
    centres: list[float],
    marks: list[Mark],
) -> None:
    style, small = chart.style, chart.style.small
    top, bottom = edges[0], edges[-1]
    for place in panel.lines:
        x = left + place * wide
        marks.append(Line((x, top), (x, bottom), style.muted, 0.8, (3.0, 2.4)))
    spots = [(left + p * wide, c) for p, c in zip(panel.places, centres, strict=True)]
    marks.append(Trace(tuple(s for s in spots if np.isfinite(s[0])), colour_of("pale", style), 0.7))
    for spot, flag in zip(spots, chart.flagged, strict=True):
        if np.isfinite(spot[0]):
            radius, role = (3.1, "alarm") if flag else (2.2, "main")
            marks.append(Dot(spot, radius, colour_of(role, style), "#ffffff", 0.5))
    marks.append(Line((left, bottom), (left + wide, bottom), style.ink, 0.8))
    for tick, label in zip(panel.ticks, panel.labels, strict=True):
        x = left + tick * wide
        marks.append(Line((x, bottom), (x, bottom + 3.0), style.ink, 0.8))
        marks.append(Text(x, bottom + 4.0 + small, label, 0.93 * small, style.ink, "middle"))
