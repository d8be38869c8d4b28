"""The funnel plot as data: effects against their standard errors, and the regions of statistical significance.

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
from metaleptic.plots.styles import Style, style_named
from metaleptic.plots.ticks import linear_steps, round_ticks, tick_label
from metaleptic.plots.wording import plural
from metaleptic.types import FloatArray, Result

FEW = 10
CAUTION = "Fewer than 10 studies: asymmetry can hardly be judged."
Corner = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Point:
    """A study: where it lies across (0 to 1) and down (0 is a standard error of nothing, 1 the lower edge)."""

    study: str
    value: float
    se: float
    x: float
    y: float


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
    se_ticks, se_labels : tuple
        Ticks of the vertical axis.
    se_most : float
        Standard error at its lower end.
    pooled : float
        Where the pooled estimate stands across.
    limits : tuple of two lines
        Left and right pseudo-confidence limit, each a start and an end.
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
    se_labels: tuple[str, ...]
    se_most: float
    pooled: float
    limits: tuple[tuple[Corner, Corner], ...]
    limits_label: str
    contours: tuple[Contour, ...]
    beyond: str
    se_title: str
    footnotes: tuple[str, ...]
    alt: str
    style: Style


def funnel_layout(
    result: Result, *, contours: Sequence[float] = (0.90, 0.95, 0.99), style: str | Style = "plain", room: float = 40.0
) -> FunnelLayout:
    """Lay a funnel plot out as plain data; arguments as in ``ml.funnel``.

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
    mu = float(m.to_analysis(result.estimate.value))
    se_most = 1.06 * float(se.max())
    z = float(special.ndtri(0.5 + result.estimate.level / 2))
    a, b, null = _limits(e.y, se, mu, z, float(m.to_analysis(m.null)) if m.has_null else float("nan"), _ends(result))
    axis = _axis(result, a, b, null, room)
    se_ticks = next(s for s in _descending(se_most))

    def across(y: float) -> float:
        u = (y - a) / (b - a)
        return 1 - u if _falls(result) else u

    walls = _wedge(mu, z, a, b, se_most)
    shades = _contours(null, levels, a, b, se_most, words) if np.isfinite(null) else ()
    few = (CAUTION,) if len(e) < FEW else ()
    pooled_words = f"{m.format(result.estimate.value)} {m.unit}".strip()
    return FunnelLayout(
        points=tuple(
            Point(name, float(value), float(s), across(float(y)), float(s) / se_most)
            for name, value, s, y in zip(e.study, m.to_printed(e.y), se, e.y, strict=True)
        ),
        axis=axis,
        se_ticks=tuple(float(x) for x in se_ticks),
        se_labels=_se_labels(se_ticks),
        se_most=se_most,
        pooled=across(mu),
        limits=tuple(((across(mu), 0.0), (across(x), s / se_most)) for x, s in (walls[0], walls[1])),
        limits_label=f"pooled {pooled_words}, pseudo {100 * result.estimate.level:g}% limits",
        contours=tuple(
            Contour(level, label, tuple((across(x), s / se_most) for x, s in corners))
            for level, label, corners in shades
        ),
        beyond=_beyond(levels, words) if shades else "",
        se_title=f"Standard error ({m.scale})" if m.scale and m.scale != m.label.lower() else "Standard error",
        footnotes=few,
        alt=_alt(result, se, bool(shades), few),
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
    y: FloatArray, se: FloatArray, mu: float, z: float, null: float, ends: tuple[float, float]
) -> tuple[float, float, float]:
    """Return the limits across on the analysis scale, and the null unless it is too far off to be shown."""
    most = float(se.max())
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


def _descending(se_most: float) -> list[FloatArray]:
    """Ticks of the standard error, from nothing downwards: four to seven of them."""
    offers = [s for s in linear_steps(0.0, se_most) if 4 <= len(s) <= 7]
    return offers or [np.array([0.0, float(f"{se_most:.1g}")])]


def _se_labels(ticks: FloatArray) -> tuple[str, ...]:
    """Write standard errors with the same number of decimals, nothing as "0"."""
    plain = [tick_label(float(x)) for x in ticks]
    decimals = max(len(x.partition(".")[2]) for x in plain)
    return tuple("0" if x == 0 else f"{x:.{decimals}f}" for x in ticks)


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
        corners = ((null, 0.0), right, (right[0], se_most), (left[0], se_most), left)
        upper = _p(1 - levels[i - 1], style) if i else ""
        own = _p(1 - level, style)
        label = f"{own} < {style.p} < {upper}" if i else f"{style.p} > {own}"
        found.append((level, label, corners))
    return tuple(found)


def _beyond(levels: tuple[float, ...], style: Style) -> str:
    return f"{style.p} < {_p(1 - levels[-1], style)}" if levels else ""


def _p(p: float, style: Style) -> str:
    text = f"{p:.2f}" if abs(p - round(p, 2)) < 1e-9 else f"{p:.3g}"
    return text if style.leading_zero else text.removeprefix("0")


def _alt(result: Result, se: FloatArray, shaded: bool, few: tuple[str, ...]) -> str:
    e = result.effects
    m, fit = e.measure, result.estimate
    mu = float(m.to_analysis(fit.value))
    left = int(np.sum(m.to_printed(e.y) < fit.value))
    text = (
        f"Funnel plot of {plural(len(e))}: {m.label.lower()} against standard error, which runs from {se.min():.2g} to "
        f"{se.max():.2g}. {left} lie below and {len(e) - left} above the pooled {m.format(fit.value)}; "
        f"{_outside(e.y, se, mu, fit.level)} outside the pseudo {100 * fit.level:g}% limits"
    )
    if shaded:
        z = float(special.ndtri(0.975))
        null = float(m.to_analysis(m.null))
        text += f"; {int(np.sum(np.abs(e.y - null) > z * se))} significant at P < 0.05"
    return " ".join([text + ".", *few])


def _outside(y: FloatArray, se: FloatArray, mu: float, level: float) -> int:
    return int(np.sum(np.abs(y - mu) > float(special.ndtri(0.5 + level / 2)) * se))
