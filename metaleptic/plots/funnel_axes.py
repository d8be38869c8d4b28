"""The vertical axis of a funnel plot: what stands for the size of a study, the most precise ones on top.

Sources: Sterne JAC, Egger M. J Clin Epidemiol 2001;54:1046-1055 (standard error, variance, precision, sample size);
Tang JL, Liu JL. J Clin Epidemiol 2000;53:477-484 (sample size).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.errors import DataError, OptionError
from metaleptic.frames import where
from metaleptic.plots.ticks import linear_steps, tick_label
from metaleptic.types import Effects, FloatArray


@dataclass(frozen=True, slots=True)
class Vertical:
    """One kind of axis: title, values of the studies from se and n, se at a value (None where there is none), whether it counts."""

    title: str
    of: Callable[[Any, Any], Any]
    se_at: Callable[[Any], Any] | None
    best_is_high: bool
    counted: bool = False

    def written(self, value: float) -> str:
        """Write a value of this axis within a sentence: counts whole, others with two significant digits, no exponent."""
        return f"{value:.0f}" if self.counted else np.format_float_positional(float(f"{value:.2g}"), trim="-")


AXES: MappingProxyType[str, Vertical] = MappingProxyType(
    {
        "se": Vertical("Standard error", lambda se, n: se, lambda u: u, False),
        "variance": Vertical("Variance", lambda se, n: se * se, np.sqrt, False),
        "precision": Vertical("Precision, 1 / standard error", lambda se, n: 1 / se, lambda u: 1 / u, True),
        "weight": Vertical("Inverse variance", lambda se, n: 1 / se**2, lambda u: 1 / np.sqrt(u), True),
        "n": Vertical("Patients", lambda se, n: n, None, True, counted=True),
        "sqrt n": Vertical("Square root of patients", lambda se, n: np.sqrt(n), None, True),
        "log n": Vertical("Logarithm of patients", lambda se, n: np.log(n), None, True),
        "1/n": Vertical("1 / patients", lambda se, n: 1 / n, None, False),
        "1/sqrt n": Vertical("1 / square root of patients", lambda se, n: 1 / np.sqrt(n), None, False),
    }
)


@dataclass(frozen=True, slots=True)
class Placed:
    """An axis laid out for studies: its kind, the value on top and below, ticks with places and labels."""

    kind: Vertical
    top: float
    bottom: float
    ticks: tuple[float, ...]
    places: tuple[float, ...]
    labels: tuple[str, ...]

    def at(self, value: Any) -> Any:
        """Return places, 0 on top and 1 below."""
        return (np.asarray(value, dtype=np.float64) - self.top) / (self.bottom - self.top)

    def levels(self, number: int = 80) -> FloatArray:
        """Return values from the top to the bottom at which curves are drawn."""
        return np.linspace(self.top, self.bottom, number)


def vertical_named(name: str) -> Vertical:
    """Look a vertical axis up.

    Raises
    ------
    OptionError
        If there is none of that name.
    """
    if name not in AXES:
        raise OptionError(f"y axis {name!r} is unknown. Choose one of: {', '.join(AXES)}.")
    return AXES[name]


def heights(kind: Vertical, effects: Effects) -> FloatArray:
    """Return the studies' values on an axis.

    Raises
    ------
    DataError
        If the axis needs the number of patients of a study that has none.
    """
    if kind.se_at is None:
        missing = np.flatnonzero(~np.isfinite(effects.n) | (effects.n <= 0))
        if len(missing):
            i = int(missing[0])
            raise DataError(
                f"{where(effects.study[i], effects.row[i])}: the number of patients is not known, which this axis shows. "
                'Take y="se", or give n= to the converter.'
            )
    return np.asarray(kind.of(np.sqrt(effects.v), effects.n), dtype=np.float64)


def placed(kind: Vertical, values: FloatArray) -> Placed:
    """Lay the axis out: from 0 where small values are best, around the studies otherwise."""
    low, high = float(values.min()), float(values.max())
    span = high - low or abs(high) or 1.0
    if kind.best_is_high:
        bottom, top = max(low - 0.08 * span, 0.3 * low if low > 0 else low - 0.08 * span), high + 0.06 * span
    else:
        top, bottom = 0.0, 1.06 * high
    ends = (min(top, bottom), max(top, bottom))
    offers = [s for s in linear_steps(*ends) if 4 <= len(s) <= 7]
    ticks = offers[0] if offers else np.array(ends)
    plain = [tick_label(float(x)) for x in ticks]
    decimals = max(len(x.partition(".")[2]) for x in plain)
    labels = tuple("0" if x == 0 else f"{x:.{decimals}f}" for x in ticks)
    base = Placed(kind, top, bottom, (), (), ())
    return Placed(kind, top, bottom, tuple(map(float, ticks)), tuple(float(base.at(x)) for x in ticks), labels)


def envelope(
    axis: Placed, centre: float, z: float, tau2: float, a: float, b: float
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return the left and the right curve centre -+ z sqrt(se^2 + tau^2) within a to b: (effect, place) from the top."""
    if axis.kind.se_at is None:
        return [], []
    levels = axis.levels()
    with np.errstate(divide="ignore"):
        half = z * np.sqrt(np.asarray(axis.kind.se_at(np.maximum(levels, 0.0))) ** 2 + tau2)
    sides = []
    for sign, end in ((-1.0, a), (1.0, b)):
        x = centre + sign * half
        inside = np.isfinite(x) & (x >= a) & (x <= b)
        points = list(zip(x[inside].tolist(), axis.at(levels)[inside].tolist(), strict=True))
        out = np.flatnonzero(~inside)
        if len(points) and len(out):  # the curve leaves the area at its edge
            i = int(out[0])
            before = i - 1 if i > 0 and inside[i - 1] else int(np.flatnonzero(inside)[0])
            u0, u1 = float(levels[before]), float(levels[i])
            x0, x1 = float(x[before]), float(x[i])
            if np.isfinite(x1) and x1 != x0:
                place = float(axis.at(u0 + (u1 - u0) * (end - x0) / (x1 - x0)))
                points = [*points, (end, place)] if i > before else [(end, place), *points]
        sides.append(points)
    return sides[0], sides[1]
