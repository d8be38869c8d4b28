"""Marginal likelihoods of selection models by quadrature: results of some p values were published less often.

A study is published with a relative probability omega_j that depends on the interval its p value lies in; the most
significant interval has omega 1 and omega falls with p: all such falls are equally likely beforehand (cumulative
Dirichlet prior with parameters 1). Sources: Vevea JL, Hedges LV. Psychometrika 1995;60:419-435 (model); Maier M, Bartos F,
Wagenmakers EJ. Psychol Methods 2023;28:107-122 (priors).

Three nested sums: the omegas by Gauss-Jacobi rules over their simplex, mu and tau over panels. Points of (mu, tau) that a coarse
rule over omega finds to be negligible are left out before the fine rule is applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.prior import Prior
from metaleptic.types import FloatArray

COARSE = 4  # nodes per omega while negligible points are looked for
FEWEST, MOST, BUDGET = 12, (100, 60, 30), 5e6  # nodes per omega afterwards: as many as so many terms allow
FADED = 22.0  # in log units below the peak
_CHUNK = 2_000_000  # numbers at a time
_TAU_EDGES = np.array([-18, -9, -6, -4.5, -3.5, -2.5, -1.75, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.75, 3.5, 5, 7, 11])
_X, _W = (np.asarray(a) for a in np.polynomial.legendre.leggauss(8))


@dataclass(frozen=True, slots=True)
class Steps:
    """Where publication changes: one-sided or two-sided p values that separate the intervals."""

    sides: int
    cuts: tuple[float, ...]

    @property
    def words(self) -> str:
        """Name for a table: "selection, one-sided p 0.025, 0.05"."""
        return f"selection, {'one' if self.sides == 1 else 'two'}-sided p {', '.join(f'{c:g}' for c in self.cuts)}"


@dataclass(frozen=True, slots=True, eq=False)
class PanelDensity:
    """The posterior of mu on panels, on each of which eight Gauss nodes define a polynomial.

    Attributes
    ----------
    edges : ndarray of shape (p + 1,)
        Bounds of the panels.
    mass : ndarray of shape (p, 8)
        Probability at each node.
    """

    edges: FloatArray
    mass: FloatArray

    @property
    def mean(self) -> float:
        """Mean of mu."""
        return float(np.sum(self.mass * _panels(self.edges)[0].reshape(-1, 8)))

    @property
    def square(self) -> float:
        """Mean of the square of mu."""
        return float(np.sum(self.mass * _panels(self.edges)[0].reshape(-1, 8) ** 2))

    def cdf(self, x: FloatArray) -> FloatArray:
        """Return P(mu <= x): the polynomials, integrated."""
        at = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, len(self.mass) - 1)
        low, high = self.edges[at], self.edges[at + 1]
        t = np.clip((2 * x - low - high) / (high - low), -1, 1)
        below = np.concatenate([[0.0], np.cumsum(self.mass.sum(axis=1))])[at]
        legendre = np.polynomial.legendre.legvander(_X, 7)  # (nodes, degrees)
        coefficient = self.mass[at] @ legendre * (2 * np.arange(8) + 1) / 2
        higher = np.polynomial.legendre.legvander(t, 8)
        lower = np.concatenate([-np.ones((len(t), 1)), higher[:, :7]], axis=1)
        inside = (higher[:, 1:] - lower) / (2 * np.arange(8) + 1)
        return np.asarray(below + np.sum(coefficient * inside, axis=1))


def selection_model(
    y: FloatArray, v: FloatArray, steps: Steps, effect: EffectPrior | None, tau: Prior | None
) -> tuple[float, PanelDensity | None]:
    """Return log marginal likelihood and posterior of mu; ``effect`` None fixes mu at 0, ``tau`` None fixes it at 0."""
    edges, mu, log_w_mu = mu_nodes(y, v, effect)
    spread, log_w_tau = tau_nodes(v, tau)
    at_mu, at_tau = (a.reshape(-1) for a in np.meshgrid(mu, spread, indexing="ij"))
    total = v + (at_tau**2)[:, None]
    plain = -0.5 * np.sum((y - at_mu[:, None]) ** 2 / total + np.log(2 * np.pi * total), axis=1)
    plain = plain + (log_w_mu[:, None] + log_w_tau[None, :]).reshape(-1)

    def full(at: Any, nodes: int) -> FloatArray:
        return np.asarray(plain[at] + log_selection(y, v, steps, at_mu[at], at_tau[at], nodes))

    # Points that may matter: selection can gain them no more than the bound, and some point is at least this good.
    reached = np.max(full(np.flatnonzero(plain > plain.max() - FADED), COARSE))
    possible = np.flatnonzero(plain + most_by_selection(y, v, steps, at_mu, at_tau) > reached - FADED)
    rough = full(possible, COARSE)
    keep = possible[rough > rough.max() - FADED]
    fine = int(np.clip((BUDGET / (keep.size * y.size)) ** (1 / len(steps.cuts)), FEWEST, MOST[len(steps.cuts) - 1]))
    log = np.full(plain.size, -np.inf)
    log[keep] = full(keep, fine)
    top = log.max()
    w = np.exp(log - top)
    log_marginal = float(top + np.log(w.sum()))
    if edges is None:
        return log_marginal, None
    mass = w.reshape(mu.size, spread.size).sum(axis=1).reshape(-1, 8)
    return log_marginal, PanelDensity(edges, mass / mass.sum())


def log_selection(
    y: FloatArray, v: FloatArray, steps: Steps, mu: FloatArray, tau: FloatArray, nodes: int
) -> FloatArray:
    """Return, for each (mu, tau), the log of what selection does to the likelihood, averaged over the omegas."""
    se = np.sqrt(v)
    z = special.ndtri(1 - np.array(steps.cuts) / steps.sides)
    score = y / se if steps.sides == 1 else np.abs(y) / se
    interval = np.sum(score[:, None] <= z, axis=1)  # 0: most significant
    omega, weight = omega_nodes(len(steps.cuts), nodes)
    counts = np.bincount(interval, minlength=len(steps.cuts) + 1)
    with np.errstate(divide="ignore"):
        observed = np.log(omega) @ counts + np.log(weight)
    drop = omega - np.concatenate([omega[:, 1:], np.zeros((len(omega), 1))], axis=1)
    out = np.empty(mu.size)
    size = max(1, _CHUNK // (y.size * len(omega)))
    for a in range(0, mu.size, size):
        part = slice(a, a + size)
        above = _beyond(se, z, steps.sides, mu[part], np.sqrt(v + (tau[part] ** 2)[:, None]))
        published = above @ drop.T
        log = observed - np.sum(np.log(published), axis=1)
        top = log.max(axis=1)
        out[part] = top + np.log(np.sum(np.exp(log - top[:, None]), axis=1))
    return out


def _beyond(se: FloatArray, z: FloatArray, sides: int, mu: FloatArray, sd: FloatArray) -> FloatArray:
    """Return the probability of a result beyond each cut, then 1: shape (points, k, cuts + 1)."""
    bound = se[None, :, None] * z
    m, s = mu[:, None, None], sd[:, :, None]
    above = special.ndtr((m - bound) / s)
    if sides == 2:
        above = above + special.ndtr((-m - bound) / s)
    return np.concatenate([above, np.ones((*above.shape[:2], 1))], axis=2)


def most_by_selection(y: FloatArray, v: FloatArray, steps: Steps, mu: FloatArray, tau: FloatArray) -> FloatArray:
    """Bound the log of what selection can gain: whatever the omegas, a study gains at most 1 / P(most significant)."""
    z = special.ndtri(1 - np.array(steps.cuts[:1]) / steps.sides)
    above = _beyond(np.sqrt(v), z, steps.sides, mu, np.sqrt(v + (tau**2)[:, None]))[:, :, 0]
    return np.asarray(-np.sum(np.log(np.maximum(above, 1e-300)), axis=1))


def omega_nodes(cuts: int, nodes: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes (n, cuts + 1) and weights of 1 >= omega_2 >= ... >= 0, all falls equally likely.

    omega_2 = t_1, omega_3 = t_1 t_2 ...: the density of t_j is (d - j + 1) t_j^(d - j), which a Gauss-Jacobi rule absorbs.
    """
    points, weights = np.ones((1, 1)), np.ones(1)
    for power in range(cuts - 1, -1, -1):
        x, w = special.roots_jacobi(nodes, 0, power)
        t, w = (x + 1) / 2, w / w.sum()
        points = np.concatenate(
            [np.repeat(points, nodes, axis=0), (points[:, -1:] * t[None, :]).reshape(-1, 1)], axis=1
        )
        weights = (weights[:, None] * w).reshape(-1)
    return points, weights


def mu_nodes(
    y: FloatArray, v: FloatArray, effect: EffectPrior | None
) -> tuple[FloatArray | None, FloatArray, FloatArray]:
    """Return panels and nodes of mu over all that the prior allows, densest about the studies, and log(weight x prior)."""
    if effect is None:
        return None, np.zeros(1), np.zeros(1)
    w = 1 / v
    centre, sd = float(w @ y / w.sum()), float(1 / np.sqrt(w.sum()))
    low = max(min(effect.location, centre) - 8 * effect.scale - 8 * sd, effect.lower)
    high = min(max(effect.location, centre) + 8 * effect.scale + 8 * sd, effect.upper)
    first = 1.5 * min(sd, effect.scale)
    step, at, offsets = first, 0.0, [0.0]
    while at < high - low:
        at += step
        offsets.append(at)
        step = max(first, 0.25 * at)
    away = np.concatenate([-np.array(offsets), offsets])
    # A prior narrower than what the studies say is where the posterior is.
    middle = centre if effect.scale > sd else effect.location
    edges = np.unique(np.clip(middle + away, low, high))
    x, weight = _panels(edges)
    with np.errstate(divide="ignore"):
        return edges, x, np.log(weight * effect.pdf(x))


def tau_nodes(v: FloatArray, prior: Prior | None) -> tuple[FloatArray, FloatArray]:
    """Return nodes of tau and log(weight x prior)."""
    if prior is None:
        return np.zeros(1), np.zeros(1)
    scale = float(1 / np.sqrt(np.mean(1 / v)))
    edges = np.minimum(np.log(scale) + _TAU_EDGES, np.log(prior.upper))
    u, weight = _panels(np.unique(np.concatenate([edges, np.log([b for b in prior.breaks if b > 0])])))
    with np.errstate(divide="ignore"):
        return np.exp(u), np.log(weight) + prior.log_density(np.exp(u), v) + u


def _panels(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    width = np.diff(edges)[:, None] / 2
    middle = (edges[1:] + edges[:-1])[:, None] / 2
    return (middle + width * _X).reshape(-1), (width * _W).reshape(-1)
