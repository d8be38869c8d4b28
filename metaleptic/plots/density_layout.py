"""Densities as data: what was believed of a quantity before and after the studies, along one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.map_prior import MapPrior
from metaleptic.bayes.marginal import Marginal
from metaleptic.bayes.own_priors import own_prior
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.regularising import Regularising
from metaleptic.bayes.result import PooledBayes
from metaleptic.bayes.sampled_regression import SampledRegression
from metaleptic.errors import OptionError
from metaleptic.measures import MEASURES
from metaleptic.plots.axis import NAN, Axis, make_axis
from metaleptic.plots.footnotes import distrust_note
from metaleptic.plots.styles import Style, style_named
from metaleptic.plots.wording import plural, short
from metaleptic.types import FloatArray, Measure

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


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """A belief before and after the studies along one axis: values printed, the two densities, and how they are named."""

    axis: Axis
    printed: FloatArray
    before: FloatArray
    after: FloatArray
    proper: bool
    prior: str
    quantity: str
    posterior: Marginal
    measure: Measure | None


def prior_posterior_layout(
    post: PooledBayes | RegressionBayes | SampledRegression,
    *,
    what: str = "tau",
    style: str | Style = "plain",
    title: str | None = None,
    room: float = 23.5,
) -> DensityLayout:
    """Lay the prior and the posterior of tau, of the pooled or a new effect or of a coefficient out as plain data."""
    words = style_named(style)
    known = ("tau", "mu", "prediction") if isinstance(post, PooledBayes) else ("tau", *post.names)
    if what not in known:
        raise OptionError(f"what {what!r} is unknown. Choose one of: {', '.join(known)}.")
    if what == "tau":
        found = _spread(post, room)
    elif isinstance(post, PooledBayes):
        found = _effect(post, what, room)
    else:
        found = _coefficient(post, what, room)
    after, before, f, m = found.posterior, found.before, found.after, found.measure
    top = 1.08 * float(np.max(f[np.isfinite(f)]))
    if not found.proper:  # only its shape means something
        before = before * 0.4 * top / np.max(before[np.isfinite(before)][1:])
    top = max(top, min(1.08 * float(np.max(before[1:])), 2 * top))
    curves = (
        _curve(f"prior: {found.prior}", found.printed, before, top, found.axis, (NAN, NAN), True, words.muted),
        _curve("posterior", found.printed, f, top, found.axis, (after.low, after.high), False, words.square),
    )
    interval = f"{short(after.low)} to {short(after.high)}" if m is None else m.format_interval(after.low, after.high)
    centre = short(after.value) if m is None else m.format(after.value)
    notes = [f"Shaded: {100 * post.level:g}% credible interval, {interval}; median {centre}."]
    notes += [] if found.proper else ["The prior is improper: only its shape is shown."]
    alt = (
        f"Prior and posterior of the {found.quantity}, {plural(post.k)}. Prior {found.prior}; posterior median {centre} "
        f"({100 * post.level:g}% CrI {interval})."
    )
    if distrust := distrust_note(post):
        notes, alt = [distrust, *notes], f"{alt} {distrust}"
    return DensityLayout(title or "", found.axis, curves, tuple(notes), alt, words)


def _ends(after: Marginal) -> list[float]:
    return [float(x) for x in after.quantile(np.array([0.002, 0.998]))]


def _spread(post: PooledBayes | RegressionBayes | SampledRegression, room: float) -> Beside:
    m, v = post.effects.measure, post.effects.v
    _, high = _ends(post.tau)
    known = float(post.prior.quantile(0.95, v)) if post.prior.proper else 0.0
    axis = spread_axis(m.scale or m.label.lower(), min(max(high, known), 2.5 * high), room)
    x = positive_grid(axis.high)
    before = post.prior.pdf(x, v)
    name = "heterogeneity τ"
    return Beside(axis, x, before, post.tau.pdf(x), post.prior.proper, post.prior.words, name, post.tau, None)


def _effect(post: PooledBayes, what: str, room: float) -> Beside:
    m, new = post.effects.measure, what == "prediction"
    after = post.prediction if new else post.mu
    low, high = _ends(after)
    reach = 0.5 * (high - low)
    ends = m.printed_bounds(low - reach, high + reach)
    axis = make_axis(m, np.array([after.value]), *(np.array([e]) for e in ends), room=room)
    x = np.sort(np.asarray(m.to_analysis(np.asarray(_back(axis, np.linspace(0, 1, POINTS)))), dtype=np.float64))
    x = x[np.isfinite(x)]
    mu = post.mu_prior
    proper = mu is not None and (post.prior.proper or not new)
    before = np.ones_like(x)
    if mu is not None and proper:
        before = predictive_pdf(mu, post.prior, post.effects.v, x) if new else mu.pdf(x)
    name = "flat" if mu is None else mu.words
    if new:
        name = f"{name} mean, {post.prior.words} τ"
    quantity = f"{m.label.lower()} in a new study" if new else m.label.lower()
    return Beside(axis, np.asarray(m.to_printed(x)), before, after.pdf(x), proper, name, quantity, after, m)


def _coefficient(post: RegressionBayes | SampledRegression, what: str, room: float) -> Beside:
    if isinstance(post.beta_prior, Regularising):
        raise OptionError(
            f"the {post.beta_prior.words} has no density of one coefficient alone: it depends on the scale that all share."
        )
    j = post.names.index(what)
    after, (mean, sd) = post.beta[j], post.beta_prior[j]
    low, high = _ends(after)
    reach = 0.5 * (high - low)
    measure = replace(MEASURES["GEN"], label=f"Coefficient of {what}")
    axis = make_axis(measure, np.array([after.median]), np.array([low - reach]), np.array([high + reach]), room=room)
    x = np.asarray(_back(axis, np.linspace(0, 1, POINTS)), dtype=np.float64)
    proper = bool(np.isfinite(sd))
    before = EffectPrior(mean, sd).pdf(x) if proper else np.ones_like(x)
    name = EffectPrior(mean, sd).words if proper else "flat"
    return Beside(axis, x, before, after.pdf(x), proper, name, f"coefficient of {what}", after, measure)


def predictive_pdf(mu: EffectPrior, tau: Prior, v: FloatArray, x: FloatArray) -> FloatArray:
    """Return the density, before the studies, of the true effect in a study: mu averaged over tau."""
    spread = tau.quantile((np.arange(400) + 0.5) / 400, v)
    z, weight = np.polynomial.hermite_e.hermegauss(40)
    if np.isinf(mu.df):
        sd = np.hypot(mu.scale, spread)
        return np.asarray(np.mean([EffectPrior(mu.location, float(s)).pdf(x) for s in sd], axis=0))
    shifted = [mu.pdf(x[:, None] - s * z) @ weight / weight.sum() for s in spread]
    return np.asarray(np.mean(shifted, axis=0))


def positive_grid(high: float) -> FloatArray:
    """Return values from 0 to ``high``, closer to each other near 0, where priors of heterogeneity rise steeply."""
    return np.asarray(high * np.linspace(0, 1, POINTS) ** 2)


AnyPrior = Prior | EffectPrior | MapPrior


def priors_layout(
    priors: Mapping[str, Any] | Sequence[Any] | Any,
    *,
    v: object = None,
    upper: float | None = None,
    style: str | Style = "plain",
    title: str | None = None,
    room: float = 23.5,
) -> DensityLayout:
    """Lay the densities of priors out as plain data."""
    words = style_named(style)
    named = _named(priors)
    kinds = {_kind(p) for p in named.values()}
    if len(kinds) > 1:
        raise OptionError(
            f"these are priors of different things ({', '.join(sorted(kinds))}): draw each kind in a plot of its own."
        )
    if kinds != {"heterogeneity τ"} and upper is not None:
        raise OptionError("upper is for priors on the heterogeneity.")
    if kinds == {"heterogeneity τ"}:
        axis, x, values = _spreads(named, v, upper, room)
    else:
        axis, x, values = _effects(named, room)
    proper = {name: p for name, p in named.items() if not isinstance(p, Prior) or p.proper}
    tops = [
        float(np.max(values[n][x > 0.01 * axis.high] if kinds == {"heterogeneity τ"} else values[n])) for n in proper
    ]
    top = 1.05 * max(tops, default=1.0)
    for name in named:
        if name not in proper:
            values[name] = values[name] * 0.4 * top / np.max(values[name][x > 0.01 * axis.high])
    curves = [
        _curve(name, x, values[name], top, axis, (NAN, NAN), name not in proper, COLOURS[i % len(COLOURS)])
        for i, name in enumerate(named)
    ]
    notes = [] if len(proper) == len(named) else ["Dashed: improper, only the shape is shown."]
    said = [_said(name, p, v) for name, p in proper.items()]
    alt = f"Priors on the {kinds.pop()}. {'; '.join(said) or 'All are improper'}."
    return DensityLayout(title or "", axis, tuple(curves), tuple(notes), alt, words)


def _named(priors: Any) -> dict[str, AnyPrior]:
    """Return the priors under names that differ; distributions of scipy and PyMC and functions are priors on tau."""
    if not isinstance(priors, Mapping) and (not isinstance(priors, Sequence) or isinstance(priors, str)):
        priors = [priors]
    unnamed = not isinstance(priors, Mapping)
    given = dict(priors) if isinstance(priors, Mapping) else {str(i + 1): p for i, p in enumerate(priors)}
    if not given:
        raise OptionError("there are no priors to draw.")
    named: dict[str, AnyPrior] = {}
    for key, one in given.items():
        p = one if isinstance(one, AnyPrior) else own_prior(one)
        if p is None:
            raise OptionError(
                f"plot_priors takes priors, not {type(one).__name__}: for example ml.priors.half_normal(0.5), "
                "ml.priors.normal(0, 0.5) or a result of ml.map_prior."
            )
        label = _words(p) if unnamed else str(key)
        named[f"{label} ({key})" if label in named else label] = p
    return named


def _words(p: AnyPrior) -> str:
    return p.words if not isinstance(p, MapPrior) else "robust MAP prior" if p.vague else "MAP prior"


def _kind(p: AnyPrior) -> str:
    if isinstance(p, Prior):
        return "heterogeneity τ"
    return "proportion" if isinstance(p, MapPrior) and p.family == "beta" else "effect"


def _said(name: str, p: AnyPrior, v: object) -> str:
    if isinstance(p, Prior):
        return f"{name}: median {short(float(p.quantile(0.5, v)))}, 95% below {short(float(p.quantile(0.95, v)))}"
    low, middle, high = (short(float(x)) for x in p.quantile(np.array([0.025, 0.5, 0.975])))
    return f"{name}: median {middle}, 95% from {low} to {high}"


def _spreads(
    named: Mapping[str, AnyPrior], v: object, upper: float | None, room: float
) -> tuple[Axis, FloatArray, dict[str, FloatArray]]:
    taus = {name: p for name, p in named.items() if isinstance(p, Prior)}
    if upper is None:
        ends = [min(float(p.quantile(0.95, v)), 2.5 * float(p.quantile(0.75, v))) for p in taus.values() if p.proper]
        upper = max(ends, default=1.0)
    if not (np.isfinite(upper) and upper > 0):
        raise OptionError(f"upper {upper!r} must be a number above 0.")
    axis = spread_axis("analysis scale", float(upper), room)
    x = positive_grid(axis.high)
    return axis, x, {name: p.pdf(x, v) for name, p in taus.items()}


def _effects(named: Mapping[str, AnyPrior], room: float) -> tuple[Axis, FloatArray, dict[str, FloatArray]]:
    others = {name: p for name, p in named.items() if not isinstance(p, Prior)}
    ends = np.array([p.quantile(np.array([0.01, 0.99])) for p in others.values()])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    share = all(_kind(p) == "proportion" for p in others.values())
    axis = make_axis(MEASURES["GEN"], np.array([(low + high) / 2]), np.array([low]), np.array([high]), room=room)
    axis = replace(axis, title="Proportion" if share else "Effect (analysis scale)", null=NAN if share else axis.null)
    x = np.asarray(_back(axis, np.linspace(0, 1, POINTS)), dtype=np.float64)
    x = x[(x > 0) & (x < 1)] if share else x
    return axis, x, {name: p.pdf(x) for name, p in others.items()}


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
