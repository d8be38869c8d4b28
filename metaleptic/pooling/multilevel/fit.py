"""Fit the variance parameters: starts, fixed values, the peak, and what it says on the printed scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metaleptic.pooling.multilevel.build import Built
from metaleptic.pooling.multilevel.likelihood import Problem, loglik_and_slope
from metaleptic.pooling.multilevel.low_rank import LowRank, low_rank_slope
from metaleptic.pooling.multilevel.maximise import Objective, Peak, Space, highest, settle
from metaleptic.pooling.multilevel.structures import DISTANCES
from metaleptic.types import FloatArray

MOST_STARTS = 10
SPREADS = (0.3, 0.75, -0.3, 0.0, 0.97, -0.85, 0.5)  # of correlations to start from, over what they can be
FEW = 50  # effects: with fewer the likelihood has more maxima, and is cheap
ONE_CORRELATION = frozenset({"CS", "HCS", "AR", "HAR", "CAR"})  # structures seen to have several maxima; UN hardly ever
GOLDEN_RATIO = (5**0.5 - 1) / 2
# Ranges of spatial correlation to start from, between the shortest distance and twice the longest, on the log scale:
# their likelihoods have many maxima.
RANGES = (0.5, 0.0, 1.0, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875)


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Parameters that are free, the fixed ones at their values, and the typical size of each."""

    theta: FloatArray
    free: NDArray[np.bool_]
    scale: FloatArray
    lower: FloatArray

    @property
    def space(self) -> Space:
        """Size and bound of the free parameters."""
        return Space(self.scale[self.free], self.lower[self.free])

    def objective(self, problem: Problem, parts: LowRank | None = None) -> Objective:
        """Return the likelihood as a function of the free parameters, by way of ``parts`` where there are any."""
        base = self.theta.copy()

        def value(part: FloatArray) -> tuple[float, FloatArray]:
            theta = base.copy()
            theta[self.free] = part
            ll, slope = loglik_and_slope(problem, theta) if parts is None else low_rank_slope(problem, parts, theta)
            return ll, slope[self.free]

        return value

    def whole(self, part: FloatArray) -> FloatArray:
        """Put free parameters among the fixed ones."""
        theta = self.theta.copy()
        theta[self.free] = part
        return theta


def residual_spread(y: FloatArray, x: FloatArray, v: FloatArray) -> tuple[FloatArray, float]:
    """Return residuals of the unweighted fit and a rough between-effects variance (above 0)."""
    variances = np.diagonal(v) if v.ndim == 2 else v
    r = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    total = float(r @ r) / max(1, len(y) - x.shape[1])
    return r, max(total - float(np.median(variances)), 0.1 * total, 1e-3 * float(variances.min()))


def _term_scale(b: Built, r: FloatArray, variances: FloatArray, typical: float) -> FloatArray:
    """Return a rough standard deviation for each deviation parameter."""
    c = b.covariance
    if c.slopes:
        assert b.term.loading is not None
        size = np.sqrt(np.mean(b.term.loading**2, axis=0))
        return np.sqrt(typical) / np.where(size > 0, size, 1.0)  # type: ignore[no-any-return]
    if not c.own_variances:
        return np.array([np.sqrt(typical)])
    out = np.empty(c.levels)
    for j in range(c.levels):
        here = b.term.inner == j
        raw = float(np.mean(r[here] ** 2))
        out[j] = np.sqrt(max(raw - float(np.median(variances[here])), 0.1 * raw, 1e-3 * typical))
    return out


def _angles(b: Built, which: int) -> FloatArray:
    """Return starting values of the correlation parameters; ``which`` cycles through low, middle and high."""
    c = b.covariance
    n = c.correlation.count(c.levels)
    if n == 0:
        return np.empty(0)
    if b.written.struct in DISTANCES:
        apart = c.distance[np.triu_indices(c.levels, 1)]
        near, far = (float(apart[apart > 0].min()), float(apart.max())) if (apart > 0).any() else (1.0, 1.0)
        return np.array([np.log(near) + RANGES[which % len(RANGES)] * np.log(2 * far / near)])
    if b.written.struct in ("UN", "GEN"):
        return np.full(n, np.arccos(SPREADS[which % len(SPREADS)]))
    return np.full(n, np.arcsin(SPREADS[which % len(SPREADS)]))


def starting_points(
    built: Sequence[Built], y: FloatArray, x: FloatArray, v: FloatArray
) -> tuple[list[FloatArray], FloatArray]:
    """Return starting parameters and their scale: variance shared equally, mostly in one term, or nearly none."""
    r, typical = residual_spread(y, x, v)
    variances = np.diagonal(v) if v.ndim == 2 else v
    m = len(built)
    shares = [np.full(m, 1 / m), *([np.eye(m)[i] * 0.9 + 0.1 / m for i in range(m)] if m > 1 else [])]
    shares += [np.full(m, 0.02 / m), np.full(m, 4 / m)]
    spatial = any(b.written.struct in DISTANCES for b in built)
    few = len(y) <= FEW
    if any(b.written.struct in ONE_CORRELATION for b in built):
        shares += [np.full(m, f / m) for f in (1.0, 0.3, 1.0, 2.0)[: 4 if few else 1]]
    if spatial:
        shares = [np.full(m, 1 / m)] * len(RANGES) + shares
    sizes = [_term_scale(b, r, variances, typical) for b in built]
    starts = []
    for i, share in enumerate(shares[: max(MOST_STARTS, len(shares) if spatial else 0)]):
        parts = []
        for b, size, f in zip(built, sizes, share, strict=True):
            parts += [size * np.sqrt(f), _angles(b, i)]
        starts.append(np.concatenate(parts))
    uneven = [b for b in built if b.covariance.own_variances and b.covariance.levels > 2]
    shared = any(b.written.struct in ONE_CORRELATION for b in uneven)
    for i in range(
        (10 if few else 4) if shared else 2 if uneven else 0
    ):  # unequal variances, in a pattern that no two starts share
        parts = []
        for b, size in zip(built, sizes, strict=True):
            turn = np.modf((i + 1) * GOLDEN_RATIO * (1 + np.arange(len(size))))[0]
            parts += [size * np.exp(4 * turn - 3), _angles(b, i)]
        starts.append(np.concatenate(parts))
    scale = np.concatenate([a for b, s in zip(built, sizes, strict=True) for a in (s, np.ones(len(_angles(b, 0))))])
    return starts, scale


def lower_bounds(built: Sequence[Built]) -> FloatArray:
    """Return 0 for standard deviations that share a correlation: turning the sign of one would leave the model."""
    found = []
    for b in built:
        bound = 0.0 if b.written.struct in ("HCS", "HAR") else -np.inf
        found += [bound] * b.covariance.deviations
        found += [-np.inf] * b.covariance.correlation.count(b.covariance.levels)
    return np.array(found)


def edges(built: Sequence[Built], theta: FloatArray) -> list[FloatArray]:
    """Return, per parameter, the values at which it would stand on the edge nearest to where it is."""
    found: list[FloatArray] = []
    at = 0
    for b in built:
        c = b.covariance
        found += [np.array([0.0])] * c.deviations
        at += c.deviations
        for _ in range(c.correlation.count(c.levels)):
            phi = theta[at]
            at += 1
            if b.written.struct in DISTANCES:
                found.append(np.empty(0))
            elif b.written.struct in ("UN", "GEN"):
                found.append(np.array([np.pi * np.round(phi / np.pi)]))
            else:
                found.append(np.array([np.pi * (np.round(phi / np.pi - 0.5) + 0.5)]))
    return found


def maximise(
    problem: Problem,
    scaled: Scaled,
    built: Sequence[Built],
    starts: Sequence[FloatArray],
    parts: LowRank | None = None,
) -> tuple[FloatArray, Peak]:
    """Return all parameters at the highest peak found, and the peak."""
    objective = scaled.objective(problem, parts)
    free = scaled.free
    if not free.any():
        value, _ = objective(np.empty(0))
        return scaled.theta, Peak(np.empty(0), value, 0.0, 0, 0)
    peak = highest(objective, [s[free] for s in starts], scaled.space)
    limits = [e for e, is_free in zip(edges(built, scaled.whole(peak.theta)), free, strict=True) if is_free]
    peak = settle(objective, peak, limits, scaled.space)
    return scaled.whole(peak.theta), peak
