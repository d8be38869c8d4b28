"""The verb ``profile_interval``: intervals for variances and correlations from the profile of the likelihood."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from scipy import optimize, special

from metaleptic.convert.units import check_level
from metaleptic.errors import OptionError
from metaleptic.pooling.multilevel.build import Built, make_problem
from metaleptic.pooling.multilevel.fit import Scaled
from metaleptic.pooling.multilevel.likelihood import Problem, loglik_and_slope
from metaleptic.pooling.multilevel.low_rank import LowRank
from metaleptic.pooling.multilevel.maximise import climb, polish
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.multilevel.structures import DISTANCES, lower_pairs
from metaleptic.types import Estimate

FARTHEST = 60  # doublings of a standard deviation before an upper bound is called infinite


def profile_interval(
    fit: Multilevel, components: str | Sequence[str] | None = None, *, level: float | None = None
) -> Mapping[str, Estimate]:
    """Say how well the variances and correlations of a multilevel fit are known.

    Parameters
    ----------
    fit : Multilevel
        From ``ml.pool_multilevel``.
    components : str or sequence of str, optional
        Names as in ``fit.variance_components`` (``"sigma2[study]"``, ``"rho[a, b]"``); all that were estimated by
        default.
    level : float, optional
        Level of the intervals; that of the fit by default.

    Returns
    -------
    mapping of str to Estimate
        For each component its estimate and profile-likelihood interval, analysis scale. A bound at the edge (variance
        0, correlation -1 or 1) means that the likelihood does not exclude the edge; an infinite one that it excludes no
        larger value.

    Raises
    ------
    OptionError
        If a component is unknown or was held.

    Notes
    -----
    All other parameters are maximised anew for every value. Source: Hardy RJ, Thompson SG. Stat Med 1996;15:619-629;
    Viechtbauer W. Stat Med 2007;26:37-52.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.2, 0.3, 0.1, 0.6, 0.5, 0.1], [0.02, 0.03, 0.02, 0.02, 0.03, 0.04],
    ...                columns={"lab": ["A", "A", "B", "C", "C", "D"]})
    >>> ml.profile_interval(ml.pool_multilevel(e, random="~ 1 | lab"))["sigma2[lab]"]
    0.03328 (95% CI 0 to 0.4209)
    """
    if not isinstance(fit, Multilevel):
        raise OptionError(
            f"profile_interval takes a fit of ml.pool_multilevel, not {type(fit).__name__}. "
            'For ml.pool see ml.tau2_interval(fit, method="profile-likelihood").'
        )
    level = fit.level if level is None else level
    check_level(level)
    places = _places(fit)
    wanted = list(places) if components is None else [components] if isinstance(components, str) else list(components)
    for name in wanted:
        if name not in fit.variance_components:
            raise OptionError(
                f"there is no component '{name}'. There are: {', '.join(fit.variance_components) or 'none'}."
            )
        if name not in places:
            raise OptionError(f"component '{name}' was held or cannot be estimated: it has no interval.")
    drop = float(special.chdtri(1, 1 - level)) / 2
    found = {}
    for name in wanted:
        value = fit.variance_components[name]
        low, high = _bounds(fit, *places[name], drop)
        found[name] = Estimate(value, low, high, level)
    return MappingProxyType(found)


def _places(fit: Multilevel) -> dict[str, tuple[int, int, str]]:
    """Return, per estimated component, the number of its term, its place among the term's parameters and its kind."""
    state = fit.state
    names = list(fit.variance_components)
    sigma, tau, rho = (iter([n for n in names if n.startswith(prefix)]) for prefix in ("sigma2[", "tau2[", "rho["))
    places: dict[str, tuple[int, int, str]] = {}
    at = 0
    for i, b in enumerate(state.built):
        c = b.covariance
        free = state.scaled.free[at : at + c.count]
        at += c.count
        source = sigma if b.written.intercept else tau
        for j in range(c.deviations):
            name = next(source)
            if free[j]:
                places[name] = (i, j, "deviation")
        kind = "range" if b.written.struct in DISTANCES else "pair" if b.written.struct in ("UN", "GEN") else "sine"
        for j in range(c.correlation.count(c.levels)):
            name = next(rho)
            if free[c.deviations + j] and np.isfinite(fit.variance_components[name]):
                places[name] = (i, j if kind == "pair" else c.deviations + j, kind)
    return places


def _bounds(fit: Multilevel, term: int, place: int, kind: str, drop: float) -> tuple[float, float]:
    """Return the bounds of one component."""
    problem, scaled, index = _arranged(fit, term, place, kind)
    parts = fit.state.parts if problem is fit.state.problem else None
    curve = _Curve(problem, scaled, index, fit.loglik - drop, parts)
    centre = float(scaled.theta[index])
    if kind == "deviation":
        centre = abs(centre)
        low = curve.root(0.0, centre) if centre > 0 and curve(0.0) < 0 else 0.0
        high = _outwards(curve, centre, float(scaled.scale[index]))
        return low**2, high**2
    if kind == "range":
        low = -_outwards(lambda t: curve(-t), -centre, 0.5, additive=True)
        high = _outwards(curve, centre, 0.5, additive=True)
        return float(np.exp(low)) if np.isfinite(low) else 0.0, float(np.exp(high))
    if kind == "pair":
        centre = float(np.arccos(np.cos(centre)))
        low_angle, high_angle = 0.0, float(np.pi)
    else:
        centre = float(np.arcsin(np.sin(centre)))
        low_angle, high_angle = -float(np.pi) / 2, float(np.pi) / 2
    first = curve.root(low_angle, centre) if curve(low_angle) < 0 else low_angle
    last = curve.root(centre, high_angle) if curve(high_angle) < 0 else high_angle
    if kind == "pair":
        return float(np.cos(last)), float(np.cos(first))
    c = problem.covariances[term]
    lowest, highest = (float(c.correlation.to_rho(np.array([t]), c.distance)[0]) for t in (first, last))
    return lowest, highest


def _outwards(curve: Callable[[float], float], centre: float, step: float, additive: bool = False) -> float:
    """Return where the profile falls below its target beyond the centre; infinity if it does not."""
    inside = centre
    for i in range(FARTHEST if not additive else 24):
        outside = centre + step * (2.0**i if not additive else i + 1)
        if curve(outside) < 0:
            return float(optimize.brentq(curve, inside, outside, xtol=1e-14, rtol=1e-11))
        inside = outside
    return float("inf")


class _Curve:
    """The profile likelihood above its target, as a function of one parameter; each maximum starts from the last."""

    def __init__(
        self, problem: Problem, scaled: Scaled, index: int, target: float, parts: LowRank | None = None
    ) -> None:
        self.problem, self.index, self.target, self.parts = problem, index, target, parts
        free = scaled.free.copy()
        free[index] = False
        self.scaled = replace(scaled, free=free)
        self.best = scaled.theta.copy()

    def __call__(self, t: float) -> float:
        theta = self.best.copy()
        theta[self.index] = t
        if not self.scaled.free.any():
            return loglik_and_slope(self.problem, theta)[0] - self.target
        held = replace(self.scaled, theta=theta)
        objective, space = held.objective(self.problem, self.parts), held.space
        start = theta[held.free]
        start = np.where(np.abs(start) < 0.05 * space.scale, 0.05 * space.scale, start)  # an edge is a saddle
        peak = polish(objective, climb(objective, start, space, 1e-3)[0], space)
        self.best = held.whole(peak.theta)
        return peak.value - self.target

    def root(self, a: float, b: float) -> float:
        """Return where the curve crosses its target."""
        return float(optimize.brentq(self, a, b, xtol=1e-14, rtol=1e-11))


def _arranged(fit: Multilevel, term: int, place: int, kind: str) -> tuple[Problem, Scaled, int]:
    """Return the problem in which the component is one parameter: a pair of levels is put first."""
    state = fit.state
    starts = np.cumsum([0, *(b.covariance.count for b in state.built)])
    at = int(starts[term])
    if kind != "pair":
        return state.problem, state.scaled, at + place
    b = state.built[term]
    c = b.covariance
    rows, columns = lower_pairs(c.levels)
    pair = [int(columns[place]), int(rows[place])]
    order = np.array(pair + [j for j in range(c.levels) if j not in pair])
    back = np.argsort(order)
    changed: Built = replace(
        b,
        term=replace(
            b.term,
            inner=back[b.term.inner] if b.term.loading is None else b.term.inner,
            loading=None if b.term.loading is None else b.term.loading[:, order],
        ),
    )
    part = state.scaled.theta[at : at + c.count]
    r = c.correlation.matrix(part[c.deviations :], c.distance)[np.ix_(order, order)]
    signs = np.sign(part[: c.deviations]) + (part[: c.deviations] == 0)
    r = r * np.outer(signs, signs)[np.ix_(order, order)]
    theta, scale, free = state.scaled.theta.copy(), state.scaled.scale.copy(), state.scaled.free.copy()
    deviations = slice(at, at + c.deviations)
    theta[deviations] = np.abs(part[: c.deviations])[order]
    theta[at + c.deviations : at + c.count] = c.correlation.from_rho(r[lower_pairs(c.levels)], c.distance)
    scale[deviations], free[deviations] = scale[deviations][order], free[deviations][order]
    built = [*state.built[:term], changed, *state.built[term + 1 :]]
    y, x = np.asarray(fit.effects.y), np.asarray(fit.design.matrix)
    problem = make_problem(y, x, state.v, built, fit.method_key == "REML")
    return problem, replace(state.scaled, theta=theta, free=free, scale=scale), at + c.deviations
