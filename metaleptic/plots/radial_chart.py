"""The radial plot as data: a study is a slope through the origin, which is read off an arc on the printed scale.

Source: Galbraith RF. Technometrics 1988;30:271-281; Stat Med 1988;7:889-894.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.plots.chart import Area, Chart, ChartAxis, Dots, Path, Spot, Words, plain_axis, spots, upright_axis
from metaleptic.plots.styles import Style
from metaleptic.plots.ticks import round_ticks
from metaleptic.sensitivity.radial import Radial
from metaleptic.types import FloatArray, Measure

HEIGHT = 0.74  # of the frame over its width
RADIUS = 0.87  # of the arc, in widths of the frame
TICK = 0.012
ROOM = 115.0  # characters of labels along a whole frame's width


@dataclass(frozen=True, slots=True)
class Dial:
    """The arc: where the origin lies (up, in widths of the frame) and how many widths a unit takes across and up."""

    origin: float
    across: float
    up: float

    def angle(self, effect: FloatArray) -> FloatArray:
        """Return the angle of a slope on the page."""
        return np.arctan(np.asarray(effect) * self.up / self.across)

    def spot(self, angle: float, radius: float) -> Spot:
        """Return the place in the frame at an angle."""
        return float(radius * np.cos(angle)), float((self.origin + radius * np.sin(angle)) / HEIGHT)


def radial_chart(record: Radial, style: Style) -> Chart:
    """Standardised effect against precision, the pooled effect as a slope with its band, an arc to read effects off."""
    fit = record.fit
    z = float(special.ndtri(0.5 + fit.level / 2))
    mu, far = float(fit.beta[0]), 1.03 * float(record.precision.max())
    x, y, dial = _placed(record, z, mu, far)
    along = np.linspace(0.0, far, 120)

    def line(shift: float) -> tuple[Spot, ...]:
        """Return the line at this distance from the pooled one, as far as it runs within the arc and the frame."""
        places = np.asarray(y.at(mu * along + shift))
        away = np.hypot(x.at(along), places * HEIGHT - dial.origin)
        inside = (away <= 0.97 * RADIUS) & (places >= 0) & (places <= 1)
        return spots(x.at(along[inside]), places[inside])

    m, e = fit.effects.measure, fit.estimate
    arc, labels = _arc(m, dial, np.r_[fit.effects.y, mu])
    paths = [Path(line(0.0)), Path(line(-z), dashed=True), Path(line(z), dashed=True), *arc]
    outside = set(record.outside)
    dots = [
        Dots(
            (float(x.at(p)), float(y.at(v))), role="alarm" if s in outside else "main", label=s if s in outside else ""
        )
        for p, v, s in zip(record.precision, record.z, fit.effects.study, strict=True)
    ]
    legend = (
        ("main", "dot", "study"),
        *((("alarm", "dot", "outside the band"),) if outside else ()),
        ("line", "line", f"pooled {m.format(e.value)}"),
        ("line", "dash", f"{100 * fit.level:g}% band"),
        ("muted", "line", f"arc: {m.label.lower()}, read along the line from 0 through a study"),
    )
    return Chart(
        "Radial plot",
        x,
        y,
        (Area((*line(-z), *line(z)[::-1]), "band"),),
        tuple(paths),
        tuple(dots),
        labels,
        legend=legend,
        alt=record.sentence,
        height=HEIGHT,
        style=style,
    )


def _placed(record: Radial, z: float, mu: float, far: float) -> tuple[ChartAxis, ChartAxis, Dial]:
    """Lay both axes out so that all studies lie within the arc."""
    ends = np.r_[record.z, -z, z, mu * far - z, mu * far + z]
    pad = 0.05 * float(np.ptp(ends))
    low, high, wide = float(ends.min()) - pad, float(ends.max()) + pad, far / (0.95 * RADIUS)
    away = np.hypot(record.precision / wide, record.z * HEIGHT / (high - low))
    zoom = max(1.0, float(away.max()) / (0.95 * RADIUS))
    low, high, wide = low * zoom, high * zoom, wide * zoom
    x = plain_axis(
        np.r_[0.0, wide],
        "Precision, 1 / √(v + τ²)" if record.fit.tau2 else "Precision, 1 / standard error",
        zero=True,
        pad=0.0,
    )
    y = upright_axis(np.r_[low, high], "Standardised effect, z", pad=0.0)
    return x, y, Dial(float(y.at(0.0)) * HEIGHT, 1 / wide, HEIGHT / (high - low))


def _arc(measure: Measure, dial: Dial, effects: FloatArray) -> tuple[list[Path], tuple[Words, ...]]:
    """Return the arc with its ticks, and their labels on the printed scale."""
    pad = 0.06 * float(np.ptp(effects)) + 1e-9
    reach = np.arcsin(np.clip([-dial.origin / RADIUS, (HEIGHT - dial.origin) / RADIUS], -1, 1))
    first, last = (
        float(a) for a in np.clip(dial.angle(np.array([effects.min() - pad, effects.max() + pad])), *(0.98 * reach))
    )
    arc = [Path(tuple(dial.spot(a, RADIUS) for a in np.linspace(first, last, 60).tolist()), "muted", 0.9)]
    ends = [float(v) for v in measure.printed_bounds(*(np.tan(a) * dial.across / dial.up for a in (first, last)))]
    ticks, labels = round_ticks(
        measure.axis,
        ends[0],
        ends[1],
        lambda v: dial.angle(measure.to_analysis(v)),
        room=ROOM * RADIUS * abs(last - first),
        unit=measure.unit,
        keep=measure.null if measure.has_null else float("nan"),
    )
    words = []
    for tick, label in zip(ticks, labels, strict=True):
        a = float(dial.angle(np.asarray(measure.to_analysis(tick))))
        arc.append(Path((dial.spot(a, RADIUS), dial.spot(a, RADIUS + TICK)), "muted", 0.9))
        words.append(Words(dial.spot(a, RADIUS + 2 * TICK), label, "ink"))
    return arc, tuple(words)
