"""Adaptive Gauss-Legendre quadrature over a positive number that may live on any scale.

The variable is u = log(tau): there the likelihood of any meta-analysis, every prior and every conditional
distribution vary over distances of about one, tails that are powers of tau become exponentials, and panels
that double in width reach from exp(-690) to exp(345). The last axis is the nodes, leading axes are analyses.

Error: a panel is kept when its own 15 nodes and those of its two halves (whose error is smaller by orders of
magnitude) agree, for every test function, to ``TOLERANCE`` of the whole; the differences are summed and reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metaleptic.types import FloatArray

TOLERANCE = 1e-12  # relative, per panel and test function
MAX_DEPTH = 40  # halvings; a peak as narrow as 1e-11 of its position is still found
LOWEST, HIGHEST = -690.0, 345.0  # exp() of these, and the square of the latter, are still numbers
_STEPS = (1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
_X, _W = (np.asarray(a) for a in np.polynomial.legendre.leggauss(15))
NODES = (_X + 1) / 2  # on [0, 1]
NODE_WEIGHTS = _W / 2


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """A density in u, cut into panels on each of which 15 nodes integrate it.

    Attributes
    ----------
    edges : ndarray of shape (b, p + 1)
        Panel bounds in u; b is 1 where all analyses share them.
    u : ndarray of shape (b, 15 p)
        Nodes.
    weight : ndarray of shape (m, 15 p)
        Probability at each node: they sum to 1.
    cumulative : ndarray of shape (m, p + 1)
        Probability up to each edge.
    log_total : ndarray of shape (m,)
        Log of the integral of the density as it was handed in.
    error : ndarray of shape (m,)
        Sum over the panels of the worst disagreement between a panel and its halves, relative.
    """

    edges: FloatArray
    u: FloatArray
    weight: FloatArray
    cumulative: FloatArray
    log_total: FloatArray
    error: FloatArray


def first_edges(centre: FloatArray, upper: FloatArray, breaks: tuple[float, ...] = ()) -> FloatArray:
    """Return bounds of panels around ``centre`` (log scale), wider with distance, none above log(upper).

    ``centre`` and ``upper`` have shape (b,); ``breaks`` are values of tau at which a density may have a kink.
    """
    away = np.array([*(-s for s in reversed(_STEPS)), 0.0, *_STEPS])
    inner = centre[:, None] + away
    low, high = np.full_like(centre, LOWEST)[:, None], np.full_like(centre, HIGHEST)[:, None]
    kinks = np.broadcast_to(np.log(np.array(breaks, dtype=np.float64)), (len(centre), len(breaks)))
    edges = np.sort(np.concatenate([low, inner, kinks, high], axis=1), axis=1)
    return np.asarray(np.minimum(edges, np.log(upper)[:, None]))


Evaluate = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


def integrate(evaluate: Evaluate, edges: FloatArray, own: tuple[bool, ...] = (False,)) -> Panels:
    """Cut [edges[0], edges[-1]] until the density and its products with every test function are integrated.

    Parameters
    ----------
    evaluate : callable
        From nodes u of shape (b, n) to the log density with respect to u, shape (m, n), and the test functions, shape
        (j, m or 1, n), the first of which is 1.
    edges : ndarray of shape (b, p + 1)
        First panels.
    own : tuple of bool
        Which test functions are measured by the size of their own integral. For the others, which lie between 0 and 1,
        the yardstick is the total probability.
    """
    itself = np.array(own)[:, None]
    a, b = edges[:, :-1], edges[:, 1:]
    log_g, test = _at_nodes(evaluate, a, b)
    top = np.max(log_g, axis=(1, 2))
    kept: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    kept_mass = np.zeros(test.shape[:1] + top.shape)
    error = np.zeros_like(top)
    for depth in range(MAX_DEPTH + 1):
        middle = (a + b) / 2
        half_a, half_b = (_interleave(x, y) for x, y in ((a, middle), (middle, b)))
        half_g, half_test = _at_nodes(evaluate, half_a, half_b)
        higher = np.maximum(top, np.max(half_g, axis=(1, 2)))
        kept_mass, error = kept_mass * np.exp(top - higher), error * np.exp(top - higher)
        top = higher
        whole = _masses(log_g, test, b - a, top)
        parts = _masses(half_g, half_test, half_b - half_a, top)
        halves = parts[..., ::2] + parts[..., 1::2]
        total = kept_mass + np.add.reduce(halves, axis=-1)
        yardstick = np.where(itself, np.abs(total), total[:1])
        noise = 1e-15 * (1 + np.abs(top))[:, None] * np.abs(halves)  # the density itself is no better than this
        off = np.abs(whole - halves)
        bad = off > TOLERANCE * yardstick[..., None] + noise
        split = bad.any(axis=(0, 1)) if depth < MAX_DEPTH else np.zeros(a.shape[1], dtype=bool)
        keep = ~split
        with np.errstate(divide="ignore", invalid="ignore"):
            share = off[..., keep] / yardstick[..., None]
        error = error + np.add.reduce(np.max(np.nan_to_num(share), axis=0), axis=-1) * total[0]
        kept.append((a[:, keep], b[:, keep], log_g[:, keep]))
        kept_mass = kept_mass + np.add.reduce(halves[..., keep], axis=-1)
        if not split.any():
            break
        twice = np.repeat(split, 2)
        a, b, log_g, test = half_a[:, twice], half_b[:, twice], half_g[:, twice], half_test[:, :, twice]
    return _assemble(kept, top, error)


def _at_nodes(evaluate: Evaluate, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Evaluate density and tests at the nodes of each panel, shape (..., panels, 15)."""
    u = a[..., None] + (b - a)[..., None] * NODES
    log_g, values = evaluate(u.reshape(u.shape[0], -1))
    shape = (a.shape[1], NODES.size)
    return log_g.reshape(log_g.shape[0], *shape), values.reshape(*values.shape[:2], *shape)


def _masses(log_g: FloatArray, test: FloatArray, width: FloatArray, top: FloatArray) -> FloatArray:
    """Integrate each test function over each panel, the density divided by exp(top): shape (tests, m, panels)."""
    g = np.exp(log_g - top[:, None, None]) * NODE_WEIGHTS * width[..., None]
    return np.asarray(np.add.reduce(g * test, axis=-1))


def _interleave(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.stack([x, y], axis=-1).reshape(x.shape[0], -1)


def _assemble(kept: list[tuple[FloatArray, FloatArray, FloatArray]], top: FloatArray, error: FloatArray) -> Panels:
    a, b, log_g = (np.concatenate(parts, axis=1) for parts in zip(*kept, strict=True))
    order = np.argsort(a[0], kind="stable") if len(a) == 1 else np.argsort(a, axis=1, kind="stable")
    index = order[None] if order.ndim == 1 else order
    a, b = (np.take_along_axis(x, index, 1) for x in (a, b))
    log_g = np.take_along_axis(log_g, index[..., None], 1)
    mass = np.exp(log_g - top[:, None, None]) * NODE_WEIGHTS * (b - a)[..., None]
    panel = np.add.reduce(mass, axis=-1)
    total = np.add.reduce(panel, axis=-1)
    cumulative = np.zeros((len(panel), panel.shape[1] + 1))
    np.cumsum(panel / total[:, None], axis=1, out=cumulative[:, 1:])
    u = a[..., None] + (b - a)[..., None] * NODES
    return Panels(
        edges=np.concatenate([a, b[:, -1:]], axis=1),
        u=u.reshape(len(u), -1),
        weight=(mass / total[:, None, None]).reshape(len(mass), -1),
        cumulative=cumulative,
        log_total=top + np.log(total),
        error=error / total,
    )
