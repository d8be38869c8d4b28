"""Maximise a smooth log-likelihood within bounds, and say whether it worked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from metaleptic.types import BoolArray, FloatArray

Many = Callable[[FloatArray], FloatArray]
FLAT = 1e-7  # curvature, relative to the steepest, below which a direction is flat
ROUNDS = 15
CLIMBS = 3  # starts from which the search is made


@dataclass(frozen=True, slots=True, eq=False)
class Maximum:
    """Where the maximum is, how high, its inverse information, what lies at a bound, and what went wrong ("" if nothing)."""

    at: FloatArray
    value: float
    cov: FloatArray
    at_bound: BoolArray
    problem: str


def maximise(
    f: Many, starts: Sequence[FloatArray], low: FloatArray, high: FloatArray, known_at_bound: BoolArray
) -> Maximum:
    """Climb from the most promising starts (quasi-Newton), keep the highest point, and finish with Newton's method.

    ``f`` takes parameter vectors of shape (..., d). Parameters in ``known_at_bound`` are taken as known where they lie at
    a bound (a between-study variance of 0); others take part in the information where the likelihood goes on beyond it.
    """
    heights = f(np.array(starts))
    order = [i for i in np.argsort(-heights, kind="stable") if np.isfinite(heights[i])]
    if not order:
        nothing = np.full((len(low), len(low)), np.nan)
        return Maximum(
            starts[0], float("nan"), nothing, np.zeros(len(low), bool), "the likelihood is zero at every start"
        )

    def downhill(t: FloatArray) -> tuple[float, FloatArray]:
        values, slope = _value_and_slope(f, t, low, high)
        return (-values, -slope) if np.isfinite(values) and np.isfinite(slope).all() else (1e10, np.zeros_like(t))

    best: Maximum | None = None
    bounds = optimize.Bounds(low, high)
    for i in order[:CLIMBS]:
        found = optimize.minimize(
            downhill, starts[i], jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 80, "ftol": 1e-10}
        )
        if best is not None and -found.fun < best.value - 1e-3:
            continue
        if best is not None and float(np.max(np.abs(found.x - best.at) / np.maximum(np.abs(best.at), 0.05))) < 1e-2:
            continue
        done = _finish(f, found.x, low, high, known_at_bound)
        if best is None or done.value > best.value + 1e-9:
            best = done
    assert best is not None
    return best


def _finish(f: Many, t: FloatArray, low: FloatArray, high: FloatArray, known: BoolArray) -> Maximum:
    """Newton steps in the parameters that are not at a bound, halved where they do not climb."""
    held = np.zeros(len(t), bool)
    h = _steps(t, 2e-3)
    for _ in range(ROUNDS):
        size = np.maximum(np.abs(t), 1e-2)
        slope = gradient(f, t, low, high)
        held = ((t - low <= 1e-6 * size) & (slope < 0)) | ((high - t <= 1e-6 * size) & (slope > 0))
        t = np.where(held, np.where(t - low <= 1e-6 * size, low, high), t)
        free = ~held
        if not free.any():
            break
        curvature = hessian(f, t, h)
        h = _by_curvature(curvature, h)
        step = np.zeros_like(t)
        step[free] = _uphill(curvature[np.ix_(free, free)], slope[free])
        shares = 0.5 ** np.arange(12)
        tried = np.clip(t + shares[:, None] * step, low, high)
        heights, value = f(tried), float(f(t))
        good = np.flatnonzero(heights >= value - 1e-12 * abs(value))
        if len(good) == 0:
            break
        moved = tried[good[0]]
        small = bool((np.abs(moved - t) <= 1e-9 * size).all())
        t = moved
        if small:
            break
    return Maximum(t, float(f(t)), *_information(f, t, low, high, held, known, h))


def _by_curvature(curvature: FloatArray, h: FloatArray) -> FloatArray:
    """Return step lengths of 1.5% of the standard error that each parameter would have by itself."""
    own = -np.diag(curvature)
    with np.errstate(divide="ignore", invalid="ignore"):
        better = 0.015 / np.sqrt(own)
    return np.where(np.isfinite(better) & (own > 0), np.clip(better, h / 50, h * 50), h)


def _information(
    f: Many,
    t: FloatArray,
    low: FloatArray,
    high: FloatArray,
    held: BoolArray,
    known: BoolArray,
    h: FloatArray,
) -> tuple[FloatArray, BoolArray, str]:
    """Return the inverse information, what lies at a bound, and what is wrong with the point."""
    size = np.maximum(np.abs(t), 1e-2)
    cov = np.full((len(t), len(t)), np.nan)
    information = -hessian(f, t, h)
    scale = np.sqrt(np.abs(np.diag(information)))
    scale = np.where(scale > 0, scale, 1.0)
    scaled = information / np.outer(scale, scale)
    use = (np.isfinite(np.diag(scaled)) & ~(held & known)) | ~held
    if not _curved(scaled[np.ix_(use, use)]):
        use = ~held
    edge = held | (t - low <= 1e-6 * size) | (high - t <= 1e-6 * size)
    if not use.any():
        trouble = ""
    elif _curved(scaled[np.ix_(use, use)]):
        cov[np.ix_(use, use)] = np.linalg.inv(information[np.ix_(use, use)])
        trouble = ""
    else:
        trouble = "the likelihood is flat: the data do not tell these parameters apart"
    gap = float(np.max(np.abs(gradient(f, t, low, high) / scale)[~held], initial=0.0))
    if not trouble and not gap <= 1e-4:
        trouble = f"the slope of the likelihood at the last point is {gap:.1g}, not 0"
    if not trouble and (held & (high - t <= 1e-6 * size)).any():
        trouble = "the likelihood still rises where the search ends"
    return cov, edge, trouble


def _curved(scaled: FloatArray) -> bool:
    """Whether the information is positive definite with some margin."""
    if scaled.size == 0 or not np.isfinite(scaled).all():
        return False
    values = np.linalg.eigvalsh((scaled + scaled.T) / 2)
    return bool(values[0] > FLAT * values[-1])


def _uphill(curvature: FloatArray, slope: FloatArray) -> FloatArray:
    """Return Newton's step, with the curvature made negative definite."""
    try:
        values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    except np.linalg.LinAlgError:
        return slope
    bent = np.maximum(np.abs(values), 1e-8 * float(np.abs(values).max(initial=1e-8)))
    step: FloatArray = vectors @ ((vectors.T @ slope) / bent)
    return step


def _steps(t: FloatArray, relative: float) -> FloatArray:
    return relative * np.maximum(np.abs(t), 0.05)


def gradient(f: Many, t: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Fourth-order central differences; where a bound is too near, fourth-order differences away from it."""
    h = _steps(t, 5e-4)
    points: list[FloatArray] = []
    jobs: list[tuple[int, int, tuple[float, ...]]] = []
    offsets: tuple[int, ...]
    weights: tuple[float, ...]
    for j in range(len(t)):
        if t[j] - 2 * h[j] < low[j]:
            offsets, weights = (0, 1, 2, 3, 4), (-25 / 12, 4, -3, 4 / 3, -1 / 4)
        elif t[j] + 2 * h[j] > high[j]:
            offsets, weights = (0, -1, -2, -3, -4), (25 / 12, -4, 3, -4 / 3, 1 / 4)
        else:
            offsets, weights = (-2, -1, 1, 2), (1 / 12, -2 / 3, 2 / 3, -1 / 12)
        jobs.append((len(points), len(points) + len(offsets), weights))
        for o in offsets:
            points.append(_moved(t, j, o * h[j]))
    values = f(np.array(points))
    values = np.where(np.isfinite(values), values, np.nan)
    return np.array([float(np.dot(values[a:b], w)) for a, b, w in jobs]) / h


def _value_and_slope(f: Many, t: FloatArray, low: FloatArray, high: FloatArray) -> tuple[float, FloatArray]:
    """Return f and its slope by plain central differences: enough to climb."""
    h = _steps(t, 1e-5)
    up, down = np.minimum(h, high - t), np.minimum(h, t - low)
    points = [t]
    for j in range(len(t)):
        points += [_moved(t, j, up[j]), _moved(t, j, -down[j])]
    values = f(np.array(points))
    if not np.isfinite(values).all():
        return float(values[0]), np.full(len(t), np.nan)
    return float(values[0]), (values[1::2] - values[2::2]) / (up + down)


def _moved(t: FloatArray, j: int, by: float) -> FloatArray:
    out = t.copy()
    out[j] += by
    return out


def hessian(f: Many, t: FloatArray, h: FloatArray) -> FloatArray:
    """Second derivatives by fourth-order central differences with steps ``h``, beyond a bound if need be."""
    d, at = len(t), t
    points: list[FloatArray] = [at]
    index: dict[tuple[Any, ...], int] = {}

    def add(*moves: tuple[int, int]) -> None:
        moved = at.copy()
        for j, o in moves:
            moved[j] += o * h[j]
        index[moves] = len(points)
        points.append(moved)

    for i in range(d):
        for o in (-2, -1, 1, 2):
            add((i, o))
        for j in range(i):
            for a in (-2, -1, 1, 2):
                for b in (-2, -1, 1, 2):
                    add((i, a), (j, b))
    values = f(np.array(points))
    values = np.where(np.isfinite(values), values, np.nan)
    first = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}
    second = {-2: -1 / 12, -1: 4 / 3, 1: 4 / 3, 2: -1 / 12}
    out = np.empty((d, d))
    for i in range(d):
        own = sum(w * values[index[((i, o),)]] for o, w in second.items()) - 2.5 * values[0]
        out[i, i] = own / h[i] ** 2
        for j in range(i):
            cross = sum(wa * wb * values[index[((i, a), (j, b))]] for a, wa in first.items() for b, wb in first.items())
            out[i, j] = out[j, i] = cross / (h[i] * h[j])
    return out
