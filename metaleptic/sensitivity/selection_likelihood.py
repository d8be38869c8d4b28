"""The likelihood of a selection model, for many parameter vectors at once.

An effect y with variance v has density w(p) N(y; x b, v + tau2) / A, where A is the mean weight of such a study. p is the
p value of y / sqrt(v); the caller turns the effects so that large ones are favoured. Everything is done on the scale of
z = y / sqrt(v), on which the weights are the same for all studies.

Source: Hedges LV. Stat Sci 1992;7:246-255.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.sensitivity.selection_functions import SelectionFunction
from metaleptic.types import FloatArray

NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(8)
CORE = 12.0  # p at z = 12 is 2e-33; up to there panels of length 1, which is at most the standard deviation of z
BEYOND = np.linspace(0.0, 1.0, 13)  # panels of a tail beyond


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Data and fixed quantities of one model.

    ``fixed`` holds the selection parameters, NaN where they are estimated. ``edges`` are z values between which the
    weight is constant (step functions) or smooth.
    """

    y: FloatArray
    v: FloatArray
    x: FloatArray
    random: bool
    function: SelectionFunction
    two_sided: bool
    steps: FloatArray
    fixed: FloatArray
    precision: FloatArray
    nodes: FloatArray
    node_weights: FloatArray
    node_log_p: FloatArray
    node_log_q: FloatArray

    @property
    def coefficients(self) -> int:
        """Number of regression coefficients."""
        return int(self.x.shape[1])

    @property
    def free(self) -> FloatArray:
        """Which selection parameters are estimated."""
        return np.isnan(self.fixed)

    @property
    def size(self) -> int:
        """Number of all estimated parameters."""
        return self.coefficients + int(self.random) + int(self.free.sum())


def make_problem(
    y: FloatArray,
    v: FloatArray,
    x: FloatArray,
    *,
    random: bool,
    function: SelectionFunction,
    two_sided: bool,
    steps: FloatArray,
    fixed: FloatArray,
    precision: FloatArray,
) -> Problem:
    """Lay out the grid on which the mean weight is integrated."""
    breaks = set(np.arange(-CORE, CORE + 0.5).tolist())
    if two_sided:  # 1 - p vanishes at z = 0, where a power of it bends
        near = 2.0 ** -np.arange(1, 25)
        breaks |= set(near.tolist()) | set((-near).tolist())
    if function.log_weight is not None and len(steps):
        cut = float(special.ndtri(1 - steps[0] / (2 if two_sided else 1)))
        breaks |= {cut, -cut} if two_sided else {cut}
    if function.censor:
        low, high = (
            float(special.ndtri(1 - c / (2 if two_sided else 1))) for c in (function.censor, 1 - function.censor)
        )
        breaks |= {low, high} | ({-low, -high} if two_sided else set())
    nodes, weights = _panels(np.array(sorted(breaks)))
    lp, lq = censored(log_p_values(nodes, two_sided), function.censor)
    return Problem(y, v, x, random, function, two_sided, steps, fixed, precision, nodes, weights, lp, lq)


def _panels(edges: Any) -> tuple[Any, Any]:
    """Return Gauss-Legendre nodes and weights between edges (..., n), panel by panel."""
    half = np.diff(edges, axis=-1) / 2
    nodes = (edges[..., :-1] + half)[..., None] + half[..., None] * NODES
    weights = half[..., None] * NODE_WEIGHTS
    shape = (*half.shape[:-1], -1)
    return nodes.reshape(shape), weights.reshape(shape)


def log_p_values(z: FloatArray, two_sided: bool) -> tuple[FloatArray, FloatArray]:
    """Return log p and log (1 - p)."""
    if not two_sided:
        return special.log_ndtr(-z), special.log_ndtr(z)
    lp = np.minimum(0.0, np.log(2) + special.log_ndtr(-np.abs(z)))
    with np.errstate(divide="ignore"):
        return lp, np.log(-np.expm1(lp))


def censored(logs: tuple[FloatArray, FloatArray], least: float) -> tuple[FloatArray, FloatArray]:
    """Keep p within ``least`` and 1 - ``least``."""
    if least == 0:
        return logs
    low, high = np.log(least), np.log1p(-least)
    return np.clip(logs[0], low, high), np.clip(logs[1], low, high)


def split(problem: Problem, theta: Any) -> tuple[Any, Any, Any]:
    """Return coefficients, tau2 and selection parameters (fixed ones filled in) of parameter vectors (..., size)."""
    p = problem.coefficients
    beta = theta[..., :p]
    tau2 = theta[..., p] if problem.random else np.zeros(theta.shape[:-1])
    delta = np.broadcast_to(problem.fixed, (*theta.shape[:-1], len(problem.fixed))).copy()
    delta[..., problem.free] = theta[..., p + int(problem.random) :]
    return beta, tau2, delta


def log_likelihood(problem: Problem, theta: Any) -> Any:
    """Return the log-likelihood of parameter vectors of shape (..., size)."""
    with np.errstate(all="ignore"):  # beyond the bounds, where differences are taken, there may be no likelihood
        return _log_likelihood(problem, *split(problem, np.asarray(theta, dtype=np.float64)))


def _log_likelihood(problem: Problem, beta: Any, tau2: Any, delta: Any) -> Any:
    mean = beta @ problem.x.T
    total = problem.v + tau2[..., None]
    se = np.sqrt(problem.v)
    m, s = mean / se, np.sqrt(total / problem.v)
    own = -0.5 * (np.log(2 * np.pi * total) + (problem.y - mean) ** 2 / total)
    if problem.function.key == "step":
        log_w, log_mean = _steps(problem, delta, m, s)
    elif problem.function.key == "truncation":
        log_w, log_mean = _truncation(problem, delta, mean, np.sqrt(total))
    else:
        log_w, log_mean = _smooth(problem, delta, m, s)
    total_ll = np.add.reduce(own + log_w - log_mean, axis=-1)
    return np.where(np.isnan(total_ll), -np.inf, total_ll)


def _steps(problem: Problem, delta: Any, m: Any, s: Any) -> tuple[Any, Any]:
    """Weights constant between steps of p: the mean weight is a sum of normal probabilities."""
    z = problem.y / np.sqrt(problem.v)
    p = np.exp(log_p_values(z, problem.two_sided)[0])
    which = np.searchsorted(problem.steps, p, side="left")
    log_w = np.log(np.take(delta, np.minimum(which, len(problem.steps) - 1), axis=-1))
    tails = np.r_[0.0, problem.steps] / (2 if problem.two_sided else 1)
    cut = -special.ndtri(tails)  # falls from infinity
    upper = special.ndtr((m[..., None] - cut) / s[..., None])
    if problem.two_sided:
        upper = upper + special.ndtr((-m[..., None] - cut) / s[..., None])
    mass = np.diff(upper, axis=-1)
    return log_w, np.log(np.add.reduce(delta[..., None, :] * mass, axis=-1))


def _truncation(problem: Problem, delta: Any, mean: Any, spread: Any) -> tuple[Any, Any]:
    """Weight 1 above an effect, delta below."""
    cut = problem.steps[0] if len(problem.steps) else 0.0
    d = delta[..., 0:1]
    log_w = np.where(problem.y > cut, 0.0, np.log(d))
    above = special.ndtr((mean - cut) / spread)
    return log_w, np.log(above + d * special.ndtr((cut - mean) / spread))


def _smooth(problem: Problem, delta: Any, m: Any, s: Any) -> tuple[Any, Any]:
    """Integrate the weight over the core, and over each tail or with its constant weight there."""
    function = problem.function.log_weight
    assert function is not None
    precision = problem.precision
    same = bool((precision == 1).all())
    precise = np.float64(1.0) if same else precision[:, None]
    d = delta[..., None, None, :]

    def weigh(lp: Any, lq: Any, d: Any, precise: Any) -> Any:
        out = function(lp, lq, d, precise)
        return np.where(np.exp(lp) <= problem.steps[0], 0.0, out) if len(problem.steps) else out

    least = problem.function.censor
    own = censored(log_p_values(problem.y / np.sqrt(problem.v), problem.two_sided), least)
    log_w = weigh(*own, delta[..., None, :], precision)
    r = (problem.nodes - m[..., None]) / s[..., None]
    exponent = weigh(problem.node_log_p, problem.node_log_q, d, precise) - 0.5 * r * r
    top = np.max(exponent, axis=-1)
    area = np.exp(exponent - top[..., None]) @ problem.node_weights
    parts = [np.log(area) + top - np.log(s * np.sqrt(2 * np.pi))]
    for side in (1.0, -1.0):
        if problem.function.tails:
            parts.append(_tail(problem, weigh, delta, m, s, side))
        else:
            end = censored(log_p_values(np.array([side * CORE]), problem.two_sided), least)
            parts.append(weigh(*end, d, precise)[..., 0] + special.log_ndtr((side * m - CORE) / s))
    return log_w, np.logaddexp.reduce(parts, axis=0)


def _tail(problem: Problem, weigh: Any, delta: Any, m: Any, s: Any, side: float) -> Any:
    """Return the log of the mean weight beyond the core on one side, where the weight still changes slowly."""
    start = np.maximum(CORE, side * m - 9 * s)
    end = np.maximum(start + s, side * m + 9 * s)
    z, weights = _panels(start[..., None] + (end - start)[..., None] * BEYOND)
    z = side * z
    r = (z - m[..., None]) / s[..., None]
    logs = log_p_values(z, problem.two_sided)
    exponent = weigh(*logs, delta[..., None, None, :], problem.precision[:, None]) - 0.5 * r * r
    top = np.max(exponent, axis=-1)
    area = np.add.reduce(np.exp(exponent - top[..., None]) * weights, axis=-1)
    return np.log(area) + top - np.log(s * np.sqrt(2 * np.pi))
