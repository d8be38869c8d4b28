"""The funnel plot as data: effects against the size of the studies, and the regions of statistical significance.

Sources: Sterne JAC, Egger M. J Clin Epidemiol 2001;54:1046-1055 (axes, pseudo-confidence limits);
Peters JL, Sutton AJ, Jones DR, Abrams KR, Rushton L. J Clin Epidemiol 2008;61:991-996 (contours).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.errors import DataError, OptionError
from metaleptic.plots.axis import Axis
from metaleptic.plots.funnel_axes import Placed, envelope, heights, placed, vertical_named
from metaleptic.plots.funnel_words import in_words, limits_words
from metaleptic.plots.styles import Style, style_named
from metaleptic.plots.ticks import round_ticks
from metaleptic.types import FloatArray, Result

FEW = 10
CAUTION = "Fewer than 10 studies: asymmetry can hardly be judged."
Corner = tuple[float, float]
Sides = tuple[tuple[Corner, ...], ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A study: where it lies across (0 to 1) and down (0 is the upper edge, 1 the lower one); ``filled`` ones are made up.

    ``down`` is its value on the vertical axis.
    """

    study: str
    value: float
    se: float
    down: float
    x: float
    y: float
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Contour:
    """The region of effects that a test of the null would not call significant at this p value."""

    level: float
    label: str
    corners: tuple[Corner, ...]


@dataclass(frozen=True, slots=True)
class FunnelLayout:
    """A funnel plot before it is drawn; places are fractions of the plotting area, downwards.

    Attributes
    ----------
    points : tuple of Point
        The studies.
    axis : Axis
        The horizontal axis: even on the analysis scale, labelled on the printed one.
    se_ticks, se_places, se_labels : tuple
        Ticks of the vertical axis, their places from the top, their labels.
    se_most : float
        Value at its lower end.
    pooled : float
        Where the pooled estimate stands across.
    published : float
        Where the estimate without filled studies stands across; NaN if none are filled.
    limits : tuple of two lines
        Left and right pseudo-confidence limit, each from its upper end downwards; empty against the number of patients.
    limits_label : str
        What they are, for the legend.
    contours : tuple of Contour
        Innermost first; empty for measures without a null.
    beyond : str
        Legend of what lies outside the contours.
    se_title : str
        Title of the vertical axis.
    footnotes : tuple of str
        Below the plot.
    alt : str
        The plot in words.
    style : Style
        Words, colours and sizes.
    """

    points: tuple[Point, ...]
    axis: Axis
    se_ticks: tuple[float, ...]
    se_places: tuple[float, ...]
    se_labels: tuple[str, ...]
    se_most: float
    pooled: float
    published: float
    limits: tuple[tuple[Corner, ...], ...]
    limits_label: str
    contours: tuple[Contour, ...]
    beyond: str
    se_title: str
    footnotes: tuple[str, ...]
    alt: str
    style: Style


def funnel_layout(
    result: Result,
    *,
    y: str = "se",
    tau: bool = False,
    contours: Sequence[float] = (0.90, 0.95, 0.99),
    style: str | Style = "plain",
    room: float = 40.0,
    published: float | None = None,
    filled: int = 0,
) -> FunnelLayout:
    """Lay a funnel plot out as plain data; arguments as in ``ml.funnel``.

    The last ``filled`` studies are those of trim and fill, ``published`` is the estimate without them, analysis scale.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    >>> [c.label for c in funnel_layout(fit).contours]
    ['P > 0.10', '0.05 < P < 0.10', '0.01 < P < 0.05']
    """
    e, words = result.effects, style_named(style)
    if len(e) == 0:
        raise DataError("there are no studies. There is nothing to plot.")
    levels = check_contours(contours)
    m, se = e.measure, np.sqrt(e.v)
    kind = vertical_named(y)
    down = heights(kind, e)
    up = placed(kind, down)
    mu = float(m.to_analysis(result.estimate.value))
    tau2 = float(np.square(np.nan_to_num(getattr(result.tau, "value", 0.0)))) if tau else 0.0
    most = float(np.hypot(se.max(), np.sqrt(tau2)))
    z = float(special.ndtri(0.5 + result.estimate.level / 2))
    a, b, null = _limits(e.y, most, mu, z, float(m.to_analysis(m.null)) if m.has_null else float("nan"), _ends(result))
    axis = _axis(result, a, b, null, room)

    def across(x: float) -> float:
        u = (x - a) / (b - a)
        return 1 - u if _falls(result) else u

    if y == "se" and tau2 == 0:
        walls: Sides = tuple(((mu, 0.0), (x, s / up.bottom)) for x, s in _wedge(mu, z, a, b, up.bottom))
        shades = _contours(null, levels, a, b, up.bottom, words) if np.isfinite(null) else ()
    else:
        walls = tuple(tuple(side) for side in envelope(up, mu, z, tau2, a, b) if side)
        shades = _curved(null, levels, a, b, up, words) if np.isfinite(null) and kind.se_at is not None else ()
    few = (CAUTION,) if len(e) - filled < FEW else ()
    pooled_words = f"{m.format(result.estimate.value)} {m.unit}".strip()
    limit_words = f", {limits_words(result, tau2)}" if walls else ""
    title = kind.title
    if kind.se_at is not None and m.scale and m.scale != m.label.lower():
        title += f" ({m.scale})"
    return FunnelLayout(
        points=tuple(
            Point(name, float(value), float(s), float(u), across(float(x)), float(up.at(u)), i >= len(e) - filled)
            for i, (name, value, s, x, u) in enumerate(zip(e.study, m.to_printed(e.y), se, e.y, down, strict=True))
        ),
        axis=axis,
        se_ticks=up.ticks,
        se_places=up.places,
        se_labels=up.labels,
        se_most=up.bottom,
        pooled=across(mu),
        published=float("nan") if published is None else across(published),
        limits=tuple(tuple((across(x), place) for x, place in side) for side in walls),
        limits_label=f"pooled {pooled_words}{limit_words}",
        contours=tuple(
            Contour(level, label, tuple((across(x), place) for x, place in corners)) for level, label, corners in shades
        ),
        beyond=_beyond(levels, words) if shades else "",
        se_title=title,
        footnotes=few,
        alt=" ".join([in_words(result, kind, down, tau2, bool(shades), filled), *few]),
        style=words,
    )


def check_contours(contours: Sequence[float]) -> tuple[float, ...]:
    """Check the levels of the contours and sort them."""
    levels = tuple(sorted(float(x) for x in contours))
    if any(not 0.5 <= x < 1 for x in levels) or len(levels) > 4:
        raise OptionError(f"contours {tuple(contours)!r} should be at most four levels like 0.90, 0.95, 0.99.")
    return levels


def _falls(result: Result) -> bool:
    """Whether the printed scale runs against the analysis scale (complementary log-log)."""
    ends = result.effects.measure.to_printed(np.array([-0.5, 0.5]))
    return bool(ends[1] < ends[0])


def _limits(
    y: FloatArray, most: float, mu: float, z: float, null: float, ends: tuple[float, float]
) -> tuple[float, float, float]:
    """Return the limits across on the analysis scale, and the null unless it is too far off to be shown."""
    low, high = min(float(y.min()), mu - z * most), max(float(y.max()), mu + z * most)
    span = high - low
    if np.isfinite(null) and max(low - null, null - high) > span:
        null = float("nan")
    if np.isfinite(null):
        low, high = min(low, null - 0.5 * most), max(high, null + 0.5 * most)
    pad = 0.04 * (high - low)
    return max(low - pad, min(ends[0], float(y.min()))), min(high + pad, max(ends[1], float(y.max()))), null


def _ends(result: Result) -> tuple[float, float]:
    """Return where the analysis scale ends: beyond, a printed proportion is 0 or 1 to the last digit."""
    if result.effects.measure.axis != "percent":
        return -np.inf, np.inf
    return -20.0, 3.0 if _falls(result) else 20.0


def _axis(result: Result, a: float, b: float, null: float, room: float) -> Axis:
    m = result.effects.measure
    low, high = (float(x) for x in m.printed_bounds(a, b))
    title = f"{m.label}, %" if m.axis == "percent" else m.heading
    keep = m.null if np.isfinite(null) else float("nan")
    ticks, labels = round_ticks(m.axis, low, high, m.to_analysis, room=room, unit=m.unit, keep=keep)
    return Axis(m.axis, low, high, ticks, labels, keep, title, m.to_analysis)


def _wedge(centre: float, z: float, a: float, b: float, se_most: float) -> tuple[Corner, Corner]:
    """Return where the lines centre -+ z SE leave the plotting area: left and right."""
    left, right = max(a, centre - z * se_most), min(b, centre + z * se_most)
    return (left, (centre - left) / z), (right, (right - centre) / z)


def _contours(
    null: float, levels: tuple[float, ...], a: float, b: float, se_most: float, style: Style
) -> tuple[tuple[float, str, tuple[Corner, ...]], ...]:
    found = []
    for i, level in enumerate(levels):
        left, right = _wedge(null, float(special.ndtri(0.5 + level / 2)), a, b, se_most)
        raw = ((null, 0.0), right, (right[0], se_most), (left[0], se_most), left)
        corners = tuple((x, s / se_most) for x, s in raw)
        found.append((level, _contour_label(levels, i, style), corners))
    return tuple(found)


def _curved(
    null: float, levels: tuple[float, ...], a: float, b: float, up: Placed, style: Style
) -> tuple[tuple[float, str, tuple[Corner, ...]], ...]:
    """Contours against any function of the standard error: the region between the two curves, down to the lower edge."""
    found = []
    for i, level in enumerate(levels):
        left, right = envelope(up, null, float(special.ndtri(0.5 + level / 2)), 0.0, a, b)
        if not left or not right:
            continue
        corners = (*right, (right[-1][0], 1.0), (left[-1][0], 1.0), *reversed(left))
        found.append((level, _contour_label(levels, i, style), corners))
    return tuple(found)


def _contour_label(levels: tuple[float, ...], i: int, style: Style) -> str:
    own = _p(1 - levels[i], style)
    return f"{own} < {style.p} < {_p(1 - levels[i - 1], style)}" if i else f"{style.p} > {own}"


def _beyond(levels: tuple[float, ...], style: Style) -> str:
    return f"{style.p} < {_p(1 - levels[-1], style)}" if levels else ""


def _p(p: float, style: Style) -> str:
    text = f"{p:.2f}" if abs(p - round(p, 2)) < 1e-9 else f"{p:.3g}"
    return text if style.leading_zero else text.removeprefix("0")
