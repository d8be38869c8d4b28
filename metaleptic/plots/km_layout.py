"""The Kaplan-Meier plot as data: steps, pointwise bands, ticks, clicked points and the table below.

The table follows KMunicate (Morris TP et al. BMJ Open 2019;9:e030215): at risk, censored and events under the time axis;
the bands are pointwise, on the scale log(-log S) with Greenwood's variance unless ``ml.km`` was told otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metaleptic import kaplan_meier as kernel
from metaleptic.errors import DataError, OptionError
from metaleptic.plots.km_source import KMSource, Patients, km_source
from metaleptic.plots.styles import Style, style_named
from metaleptic.plots.ticks import linear_steps, tick_label
from metaleptic.reconstruction.result import Points
from metaleptic.types import FloatArray

COLOURS = ("#1f5f8b", "#c1502e", "#3f7d4e", "#7b4f9d", "#8a6d1f", "#5b6470")
DASHES: tuple[tuple[float, float], ...] = ((0.0, 0.0), (5.0, 2.2), (1.6, 1.8), (7.0, 2.0), (3.0, 3.0), (1.0, 2.6))
# More ticks than MANY are thinned to one in each of so many slots of the time axis; at most so many circles are drawn.
MANY, SLOTS, CIRCLES = 60, 60, 60
Corner = tuple[float, float]


@dataclass(frozen=True, slots=True)
class KMArm:
    """One arm; places are fractions of the plotting area, rightwards and downwards.

    Attributes
    ----------
    name, colour, dash : str, str, tuple
        Name, and how its line is drawn.
    line : tuple of corners
        The step function.
    band : tuple of corners
        Outline of the pointwise interval; empty where there is none.
    marks : tuple of corners
        Censored patients on the curve; of very many, some.
    points : tuple of corners
        The digitised points it was reconstructed from; empty for patients that were not reconstructed.
    at_risk, censored, events : tuple of int
        The table below: at risk at each tick, and censored and dead before it.
    median : float
        Median; infinite where it is not reached.
    patients, deaths : int
        Totals.
    """

    name: str
    colour: str
    dash: tuple[float, float]
    line: tuple[Corner, ...]
    band: tuple[Corner, ...]
    marks: tuple[Corner, ...]
    points: tuple[Corner, ...]
    at_risk: tuple[int, ...]
    censored: tuple[int, ...]
    events: tuple[int, ...]
    median: float
    patients: int
    deaths: int


@dataclass(frozen=True, slots=True)
class KMLayout:
    """A Kaplan-Meier plot before it is drawn.

    Attributes
    ----------
    arms : tuple of KMArm
        Curves and their rows of the table.
    ticks, labels : tuple
        Time ticks as fractions, and what is written there.
    end : float
        Time at the right end.
    x_title, y_title : str
        Titles of the axes.
    table : bool
        Whether the table is drawn.
    footnotes : tuple of str
        Below the plot.
    alt : str
        The plot in words.
    style : Style
        Words, colours and sizes.
    """

    arms: tuple[KMArm, ...]
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    end: float
    x_title: str
    y_title: str
    table: bool
    footnotes: tuple[str, ...]
    alt: str
    style: Style


def km_layout(
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
) -> KMLayout:
    """Lay a Kaplan-Meier plot out as plain data; arguments as in ``ml.km_plot``.

    Examples
    --------
    >>> import metaleptic as ml
    >>> layout = km_layout(ml.IPD([2, 5, 6, 9], [1, 1, 0, 0], ["A"] * 4), times=[0, 4, 8])
    >>> layout.arms[0].at_risk, layout.arms[0].events
    ((4, 3, 1), (0, 1, 2))
    """
    source = km_source(patients)
    ipd = source.ipd
    if len(ipd) == 0:
        raise DataError("there are no patients. There is nothing to plot.")
    level = source.level if level is None else level
    if not 0.5 < level < 1:
        raise OptionError(f"level {level!r} should be a proportion such as 0.95.")
    digitised = source.points if points else {}
    longest = max(float(ipd.time.max()), *(float(p.time.max()) for p in digitised.values()), 0.0)
    ticks = np.asarray(_ticks(longest) if times is None else sorted(times), dtype=np.float64)
    end = max(longest, float(ticks.max())) or 1.0
    arms = tuple(
        _arm(source, name, i, ticks, end, level if band else 0.0, digitised.get(name))
        for i, name in enumerate(ipd.arms)
    )
    notes = _notes(source, arms, level if band else 0.0, circles=bool(digitised))
    return KMLayout(
        arms,
        tuple((ticks / end).tolist()),
        tuple(tick_label(t) for t in ticks.tolist()),
        end,
        x_title,
        y_title,
        table,
        notes,
        _alt(arms),
        style_named(style),
    )


def _ticks(longest: float) -> FloatArray:
    if longest <= 0:
        return np.array([0.0])
    return next(s for s in linear_steps(0.0, longest) if len(s) >= 5)


def _notes(source: KMSource, arms: Sequence[KMArm], level: float, *, circles: bool) -> tuple[str, ...]:
    notes = []
    if level:
        kind = "" if source.interval == "log-log" else f" ({source.interval})"
        notes.append(f"Bands: pointwise {100 * level:g}% confidence intervals{kind}.")
    if any(len(arm.marks) < arm.patients - arm.deaths for arm in arms):
        notes.append("Ticks: patients censored; of many close together one is drawn.")
    if circles:
        notes.append("Open circles: points read from the published figure. Patients are reconstructed from them.")
    return (*notes, *source.notes)


def _arm(
    source: KMSource, name: str, i: int, ticks: FloatArray, end: float, level: float, points: Points | None
) -> KMArm:
    ipd, curve = source.ipd.of(name), source.curve(name)
    dead, alive = ipd.time[ipd.event == 1], ipd.time[ipd.event == 0]
    last = float(ipd.time.max())
    marks = _thinned(np.sort(alive), end)
    height = np.append(1.0, curve.survival)[np.searchsorted(curve.time, marks, side="right")]
    return KMArm(
        name,
        COLOURS[i % len(COLOURS)],
        DASHES[i % len(DASHES)],
        _staircase(curve, last, end),
        _band(curve, last, end, source.interval, level) if level else (),
        tuple(zip((marks / end).tolist(), (1 - height).tolist(), strict=True)),
        () if points is None else _circles(points, end),
        tuple(int((ipd.time >= t - 1e-9).sum()) for t in ticks),
        tuple(int((alive < t - 1e-9).sum()) for t in ticks),
        tuple(int((dead < t - 1e-9).sum()) for t in ticks),
        float(kernel.quantile(curve, 0.5, rule=source.rule)) if len(dead) else float("inf"),
        len(ipd),
        len(dead),
    )


def _thinned(times: FloatArray, end: float) -> FloatArray:
    """Return the censored times for ticks: of very many, the first in each slot of the axis, so that a curve is seen."""
    if len(times) <= MANY:
        return times
    _, first = np.unique(np.floor(SLOTS * times / end), return_index=True)
    return times[first]


def _circles(points: Points, end: float) -> tuple[Corner, ...]:
    # A height outside the axes has no place on the page.
    inside = (points.survival > -0.03) & (points.survival < 1.03)
    x, y = points.time[inside], points.survival[inside]
    # A trace has a point per pixel: as circles, some of them are enough to judge.
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), CIRCLES)).astype(np.int64))
    return tuple(zip((x[keep] / end).tolist(), (1 - y[keep]).tolist(), strict=True))


def _staircase(curve: kernel.Steps, last: float, end: float) -> tuple[Corner, ...]:
    falls = curve.events > 0
    x = np.concatenate([[0.0], np.repeat(curve.time[falls], 2), [last]]) / end
    y = 1 - np.repeat(np.concatenate([[1.0], curve.survival[falls]]), 2)
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def _band(curve: kernel.Steps, last: float, end: float, interval: str, level: float) -> tuple[Corner, ...]:
    """Outline of the interval, from the first death to the last time at which it exists."""
    low, high = kernel.limits(curve, interval, level)
    s = curve.survival
    ok = (s > kernel.TOLERANCE) & (s < 1)
    if not ok.any():
        return ()
    t = curve.time[ok]
    stop = last if ok[-1] else float(curve.time[~ok & (s <= kernel.TOLERANCE)][0])
    x = np.append(np.repeat(t, 2)[1:], stop) / end
    upper = zip(x.tolist(), (1 - np.repeat(high[ok], 2)).tolist(), strict=True)
    lower = zip(x[::-1].tolist(), (1 - np.repeat(low[ok], 2)[::-1]).tolist(), strict=True)
    return (*upper, *lower)


def _alt(arms: Sequence[KMArm]) -> str:
    parts = []
    for a in arms:
        median = "not reached" if not np.isfinite(a.median) else f"{a.median:.3g}"
        parts.append(f"{a.name or 'all'}: {a.patients} patients, {a.deaths} events, median {median}")
    return f"Kaplan-Meier plot. {'; '.join(parts)}."
