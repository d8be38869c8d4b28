"""The likelihood of Copas' selection model: publication depends on the standard error and is correlated with the effect.

Study i is published if gamma0 + gamma1 / s_i + delta_i > 0, where delta_i is standard normal and has correlation rho with
the sampling error. Arrays: parameters of shape (..., d) in the order mu, tau, artanh rho and, for the test
of what selection is left, the slope on the standard error; y, s of shape (k,).
Source: Copas J, Shi JQ. Biostatistics 2000;1:247-262.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from metaleptic.sensitivity.maximise import Maximum, maximise
from metaleptic.types import FloatArray

EDGE = float(np.arctanh(0.9999))  # beyond it correlation is as good as perfect
BREAKS = float(np.arctanh(0.995))  # of the correlation, where nothing else varies between studies
PROFILE = 21  # values of rho
RISING = "still rises"


@dataclass(frozen=True, slots=True, eq=False)
class CopasFit:
    """The maximum at one pair of gammas; ``p_left`` of the test that a slope on the standard error is left; ``trouble`` is why it cannot be relied on ("" if it can), ``note`` what to know."""

    mu: float
    se: float
    tau: float
    rho: float
    loglik: float
    p_left: float
    trouble: str
    note: str


def log_likelihood(t: Any, y: FloatArray, s: FloatArray, gamma: tuple[float, float]) -> Any:
    """Return the log-likelihood of the published studies, given that they were published."""
    t = np.asarray(t, dtype=np.float64)[..., None, :]
    mu, tau, rho = t[..., 0], t[..., 1], np.tanh(np.clip(t[..., 2], -8.0, 8.0))
    if t.shape[-1] > 3:
        mu = mu + t[..., 3] * s
    u = gamma[0] + gamma[1] / s
    ratio = np.exp(-0.5 * u * u - 0.5 * np.log(2 * np.pi) - special.log_ndtr(u))
    sigma2 = s**2 / (1 - ratio * (u + ratio) * rho**2)  # s is the error of what was published, sigma of all
    total = tau**2 + sigma2
    z = (y - mu) / np.sqrt(total)
    r = rho * np.sqrt(sigma2 / total)
    v = (u + r * z) / np.sqrt(1 - r * r)
    each = -0.5 * np.log(2 * np.pi * total) - 0.5 * z * z + special.log_ndtr(v) - special.log_ndtr(u)
    return np.add.reduce(each, axis=-1)


def fit_copas(
    y: FloatArray, s: FloatArray, gamma: tuple[float, float], plain: FloatArray, straight: FloatArray
) -> CopasFit:
    """Fit the model at one pair of gammas, and again with a slope on the standard error.

    ``plain`` is (mu, tau) and ``straight`` (mu, tau, slope) of the fits without selection.
    """
    best = _maximum(y, s, gamma, plain, np.zeros((1, 0)))
    note = ""
    if _broken(best, s):  # a lower peak inside the model is worth more than the corner where it breaks down
        inside = _inside(y, s, gamma, plain)
        if inside is not None:
            best, note = inside, "a higher peak lies where the model breaks down"
    wider = _maximum(y, s, gamma, straight[:2], np.array([[straight[2]], [0.0]]), known_start=best.at)
    at_edge = bool(abs(best.at[2]) > 0.97 * EDGE)
    trouble = "" if at_edge and RISING in best.problem else best.problem
    if _broken(best, s):
        trouble = (
            "the likelihood is highest at a perfect correlation without heterogeneity, where the model breaks down"
        )
    elif at_edge and not trouble:
        note = "correlation at its limit, taken as known"
    return CopasFit(
        mu=float(best.at[0]),
        se=float(np.sqrt(best.cov[0, 0])) if not trouble else float("nan"),
        tau=float(best.at[1]),
        rho=float(np.tanh(best.at[2])),
        loglik=best.value,
        p_left=float(special.chdtrc(1, max(0.0, 2 * (wider.value - best.value)))),
        trouble=trouble,
        note=note,
    )


def _broken(found: Maximum, s: FloatArray) -> bool:
    return bool(abs(found.at[2]) > BREAKS and found.at[1] < 1e-3 * float(s.min()))


def _inside(y: FloatArray, s: FloatArray, gamma: tuple[float, float], plain: FloatArray) -> Maximum | None:
    """Return the highest peak with some heterogeneity or without perfect correlation; None if there is none."""
    least = 0.05 * float(s.min())
    one = _maximum(y, s, gamma, plain, np.zeros((1, 0)), edge=BREAKS)
    two = _maximum(y, s, gamma, plain, np.zeros((1, 0)), least=least)
    peaks = [one] if not one.problem and abs(one.at[2]) < 0.99 * BREAKS else []
    if two.at[1] > 1.5 * least and (not two.problem or RISING in two.problem):
        peaks.append(two)
    return max(peaks, key=lambda found: found.value, default=None)


def _maximum(
    y: FloatArray,
    s: FloatArray,
    gamma: tuple[float, float],
    near: FloatArray,
    slopes: FloatArray,
    *,
    edge: float = EDGE,
    least: float = 0.0,
    known_start: FloatArray | None = None,
) -> Maximum:
    """Climb from the best points of a grid, one for each range of the correlation."""
    d = 3 + slopes.shape[1]
    step = float(np.sqrt(np.mean(s**2) + near[1] ** 2))
    mu = near[0] + step * np.linspace(-2, 2, 33)
    tau = np.array([0.0, 0.4 * near[1], near[1], 0.5 * float(np.std(y)), float(np.std(y))])
    zones = np.clip([-4.9, -3.0, -1.5, -0.6, 0.0, 0.6, 1.5, 3.0, 4.9], -0.98 * edge, 0.98 * edge)
    grid = np.array(
        [[m, t, a, *more] for a in zones for m in mu for t in tau for more in slopes.tolist()], dtype=np.float64
    )
    heights = log_likelihood(grid, y, s, gamma).reshape(len(zones), -1)
    tops = np.argmax(heights, axis=1) + np.arange(len(zones)) * heights.shape[1]
    starts = list(np.maximum(grid[tops], np.r_[-np.inf, least, np.full(d - 2, -np.inf)]))
    if known_start is not None:
        starts.append(np.r_[known_start, 0.0])
    low, high = (
        np.r_[-np.inf, least, -edge, np.full(d - 3, -np.inf)],
        np.r_[np.inf, np.inf, edge, np.full(d - 3, np.inf)],
    )
    known = np.r_[False, True, True, np.full(d - 3, False)]
    return maximise(lambda t: log_likelihood(t, y, s, gamma), starts, low, high, known)


def profile_of_rho(
    y: FloatArray, s: FloatArray, gamma: tuple[float, float], start: tuple[float, float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return values of rho, the highest log-likelihood at each, and the effect there (analysis scale)."""
    rho = np.linspace(-0.99, 0.99, PROFILE)
    heights, effects = np.empty(PROFILE), np.empty(PROFILE)
    at = np.array([start[0], max(start[1], 1e-3)])
    for i, held in enumerate(np.arctanh(rho).tolist()):

        def down(t: FloatArray, value: float = held) -> float:
            return -float(log_likelihood(np.r_[t, value], y, s, gamma))

        found = optimize.minimize(down, at, bounds=[(None, None), (0.0, None)], method="L-BFGS-B")
        heights[i], effects[i] = -found.fun, found.x[0]
    return rho, heights, effects
