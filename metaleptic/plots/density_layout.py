"""Densities as data: what was believed of a quantity before and after the studies, along one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from metaleptic.bayes.prior import Prior
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import OptionError
from metaleptic.measures import MEASURES
from metaleptic.plots.axis import NAN, Axis, make_axis
from metaleptic.plots.styles import Style, style_named
from metaleptic.plots.wording import plural, short
from metaleptic.types import FloatArray

POINTS = 401
BEFORE, AFTER = "prior", "posterior"
COLOURS = ("#1f4e79", "#b5541c", "#3d7a4c", "#7a4a8c", "#8a6d00", "#5f6875")


@dataclass(frozen=True, slots=True)
class DensityCurve:
    """One density: its name, its points as fractions of the plot, and how it is drawn.

    Attributes
    ----------
    label : str
        For the legend.
    points : tuple of (x, y)
        From left to right, fractions of the width and height.
    between : tuple of float
        Ends of the interval to be shaded, as fractions of the axis; NaN for none.
    dashed : bool
        Whether it is a belief before the studies.
    colour : str
        Of the line.
    values : tuple of (float, float)
        The same points in numbers: place along the axis and density.
    """

    label: str
    points: tuple[tuple[float, float], ...]
    between: tuple[float, float]
    dashed: bool
    colour: str
    values: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class DensityLayout:
    """A plot of densities before it is drawn: plain data, complete."""

    title: str
    axis: Axis
    curves: tuple[DensityCurve, ...]
    footnotes: tuple[str, ...]
    alt: str
    style: Style


def prior_posterior_layout(
    post: PooledBayes, *, what: str = "tau", style: str | Style = "plain", title: str | None = None, room: float = 23.5
) -> DensityLayout:
    """Lay the prior and the posterior of tau or of the pooled effect out as plain data."""
    if what not in ("tau", "mu"):
        raise OptionError(f"what {what!r} is unknown. Choose one of: tau, mu.")
    words = style_named(style)
    m = post.effects.measure
    after = post.tau if what == "tau" else post.mu
    low, high = after.quantile(np.array([0.002, 0.998])).tolist()
    if what == "tau":
        known = float(post.prior.quantile(0.95, post.effects.v)) if post.prior.proper else 0.0
        axis = spread_axis(m.scale or m.label.lower(), min(max(high, known), 2.5 * high), room)
        x = np.linspace(0, axis.high, POINTS)
        before = post.prior.pdf(x, post.effects.v)
        proper, name = post.prior.proper, post.prior.words
    else:
        reach = 0.5 * (high - low)
        ends = m.printed_bounds(low - reach, high + reach)
        axis = make_axis(m, np.array([after.value]), *(np.array([e]) for e in ends), room=room)
        x = np.sort(np.asarray(m.to_analysis(np.asarray(_back(axis, np.linspace(0, 1, POINTS)))), dtype=np.float64))
        x = x[np.isfinite(x)]
        before = np.ones_like(x) if post.mu_prior is None else post.mu_prior.pdf(x)
        proper, name = post.mu_prior is not None, "flat" if post.mu_prior is None else post.mu_prior.words
    f = after.pdf(x)
    top = 1.08 * float(np.max(f[np.isfinite(f)]))
    if not proper:  # only its shape means something
        before = before * 0.4 * top / np.max(before[np.isfinite(before)][1:])
    top = max(top, min(1.08 * float(np.max(before[1:])), 2 * top))
    printed = x if what == "tau" else np.asarray(m.to_printed(x))
    curves = (
        _curve(f"prior: {name}", printed, before, top, axis, (NAN, NAN), True, words.muted),
        _curve("posterior", printed, f, top, axis, (after.low, after.high), False, words.square),
    )
    quantity = "heterogeneity τ" if what == "tau" else m.label.lower()
    interval = (
        f"{short(after.low)} to {short(after.high)}" if what == "tau" else m.format_interval(after.low, after.high)
    )
    centre = short(after.value) if what == "tau" else m.format(after.value)
    notes = [f"Shaded: {100 * post.level:g}% credible interval, {interval}; median {centre}."]
    notes += [] if proper else ["The prior is improper: only its shape is shown."]
    alt = f"Prior and posterior of the {quantity}, {plural(post.k)}. Prior {name}; posterior median {centre} ({100 * post.level:g}% CrI {interval})."
    return DensityLayout(title or "", axis, curves, tuple(notes), alt, words)


def priors_layout(
    priors: Mapping[str, Prior] | Sequence[Prior] | Prior,
    *,
    v: object = None,
    upper: float | None = None,
    style: str | Style = "plain",
    title: str | None = None,
    room: float = 23.5,
) -> DensityLayout:
    """Lay the densities of priors on tau out as plain data."""
    words = style_named(style)
    if isinstance(priors, Prior):
        priors = [priors]
    unnamed = not isinstance(priors, Mapping)
    if not isinstance(priors, Mapping):
        priors = {str(i + 1): p for i, p in enumerate(priors)}
    if not priors:
        raise OptionError("there are no priors to draw.")
    if any(not isinstance(p, Prior) for p in priors.values()):
        raise OptionError("plot_priors takes priors on tau, for example ml.priors.half_normal(0.5).")
    named: dict[str, Prior] = {}
    for key, p in priors.items():
        label = p.words if unnamed else str(key)
        named[f"{label} ({key})" if label in named else label] = p
    proper = [p for p in named.values() if p.proper]
    if upper is None:
        upper = max((min(float(p.quantile(0.95, v)), 2.5 * float(p.quantile(0.75, v))) for p in proper), default=1.0)
    if not (np.isfinite(upper) and upper > 0):
        raise OptionError(f"upper {upper!r} must be a number above 0.")
    axis = spread_axis("analysis scale", float(upper), room)
    x = np.linspace(0, axis.high, POINTS)
    values = {name: p.pdf(x, v) for name, p in named.items()}
    tops = [float(np.max(values[n][5:])) for n, p in named.items() if p.proper]
    top = 1.05 * max(tops, default=1.0)
    for name, p in named.items():
        if not p.proper:
            values[name] = values[name] * 0.4 * top / np.max(values[name][5:])
    curves = [
        _curve(name, x, values[name], top, axis, (NAN, NAN), not named[name].proper, COLOURS[i % len(COLOURS)])
        for i, name in enumerate(named)
    ]
    notes = [] if len(proper) == len(named) else ["Dashed: improper, only the shape is shown."]
    said = [
        f"{name}: median {short(float(p.quantile(0.5, v)))}, 95% below {short(float(p.quantile(0.95, v)))}"
        for name, p in named.items()
        if p.proper
    ]
    alt = f"Priors on the heterogeneity τ. {'; '.join(said) or 'All are improper'}."
    return DensityLayout(title or "", axis, tuple(curves), tuple(notes), alt, words)


def spread_axis(scale: str, upper: float, room: float) -> Axis:
    """Return an axis for tau, from 0."""
    axis = make_axis(MEASURES["GEN"], np.array([upper / 2]), np.array([0.0]), np.array([upper]), room=room)
    high = axis.ticks[-1] if axis.ticks[-1] >= upper else upper
    keep = [i for i, t in enumerate(axis.ticks) if 0 <= t <= high]
    return replace(
        axis,
        low=0.0,
        high=float(high),
        ticks=tuple(axis.ticks[i] for i in keep),
        labels=tuple(axis.labels[i] for i in keep),
        null=NAN,
        title=f"Heterogeneity τ ({scale})",
    )


def _back(axis: Axis, share: FloatArray) -> FloatArray:
    """Return printed values at fractions of the axis."""
    a, b = float(axis.scale(axis.low)), float(axis.scale(axis.high))
    u = a + share * (b - a)
    return np.exp(u) if axis.kind == "log" else u


def _curve(
    label: str,
    x: FloatArray,
    f: FloatArray,
    top: float,
    axis: Axis,
    between: tuple[float, float],
    dashed: bool,
    colour: str,
) -> DensityCurve:
    points = [
        (axis.position(float(a)), float(min(b / top, 1.0)))
        for a, b in zip(x, np.nan_to_num(f, posinf=np.inf), strict=True)
    ]
    points = sorted(p for p in points if -1e-9 <= p[0] <= 1 + 1e-9)
    ends = tuple(float(np.clip(axis.position(b), 0, 1)) if np.isfinite(b) else NAN for b in between)
    values = tuple((float(a), float(b)) for a, b in zip(x, f, strict=True))
    return DensityCurve(label, tuple(points), (ends[0], ends[1]), dashed, colour, values)
