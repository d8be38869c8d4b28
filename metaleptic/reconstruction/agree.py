"""Arms of one comparison moved together until hazard ratio, interval and p come out as printed.

What may move is what the curves and numbers at risk leave open: where in each block the censorings fell, and deaths that
reading error cannot tell to be in one cell or the next. The smallest such change (in standard deviations) that meets the
printed numbers within their rounding is found by a few regularised Gauss-Newton steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.patients import Contrast
from metaleptic.reconstruction.arm import Arm, settle
from metaleptic.reconstruction.printed import Aim, aim
from metaleptic.reconstruction.two_groups import Comparison, RiskSets, compare, risk_sets
from metaleptic.types import FloatArray

_ROUNDS = 5
_STEP = 0.5
_FURTHEST = 3.0
# As long as a step leaves less than this share of the loss, the slope is good enough to be used again.
_PROGRESS = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Levers:
    """What may move and what it does: reused by the draws, which differ little from the solution.

    Attributes
    ----------
    pairs : list of (arm, versus, aim)
        Positions of the arms of each contrast, and what is printed.
    gains : list of ndarray
        For each arm, deaths per cell of one standard deviation along the contrasts.
    x : ndarray of shape (2 arms,)
        Tilts, then pushes, of the solution.
    slope : ndarray of shape (residuals, 2 arms) or None
        Change of the residuals with x.
    """

    pairs: list[tuple[int, int, Aim]]
    gains: list[FloatArray]
    x: FloatArray
    slope: FloatArray | None


def agree(arms: Sequence[Arm], contrasts: Sequence[Contrast]) -> Levers:
    """Move the arms towards the printed contrasts; arms whose contrasts say nothing stay."""
    index = {a.name: i for i, a in enumerate(arms)}
    pairs = []
    for c in contrasts:
        for name in (c.arm, c.versus):
            if name not in index:
                raise OptionError(f"contrast {c.arm!r} versus {c.versus!r}: arm {name!r} is not among the curves.")
        pairs.append((index[c.arm], index[c.versus], aim(c)))
    count = len(arms)
    x = np.zeros(2 * count)
    gains = _lean_directions(arms, pairs)
    best, best_loss, slope = x, np.inf, None
    for _ in range(_ROUNDS):
        now = _place(arms, x, gains)
        miss, sd = _residuals(arms, pairs)
        if not len(miss):
            break
        loss = float(np.sum((miss / sd) ** 2) + np.sum(x**2))
        stuck = loss > _PROGRESS * best_loss
        if loss < best_loss:
            best, best_loss = x, loss
        if np.all(np.abs(miss) < 0.3 * sd) and slope is not None:
            break
        if slope is None or stuck or len(slope) != len(miss):
            slope = np.empty((len(miss), 2 * count))
            for k in range(2 * count):
                _place(arms, x + _STEP * (np.arange(2 * count) == k), gains, only=k % count)
                slope[:, k] = (_residuals(arms, pairs)[0] - miss) / _STEP
                _restore(arms, now, k % count)
        x = _step(x, miss, sd, slope)
    _place(arms, best, gains)
    return Levers(pairs, gains, best, slope)


def agree_again(arms: Sequence[Arm], levers: Levers, rng: np.random.Generator) -> None:
    """Move drawn arms to the printed contrasts, somewhere within their rounding."""
    if levers.slope is None:
        return
    # Each is a mean of several rounded numbers: nearly normal, with the standard deviation of rounding.
    luck = np.clip(rng.standard_normal(len(levers.slope)), -2.5, 2.5)
    x = levers.x + 0.5 * rng.standard_normal(len(levers.x))
    best, best_loss = x, np.inf
    for _ in range(4):
        _place(arms, x, levers.gains)
        miss, sd = _residuals(arms, levers.pairs)
        if len(miss) != len(levers.slope):
            return
        miss = miss - luck * sd
        loss = float(np.sum((miss / sd) ** 2) + np.sum((x - levers.x) ** 2))
        if loss < best_loss:
            best, best_loss = x, loss
        x = _step(x, miss, sd, levers.slope)
    _place(arms, best, levers.gains)


def _step(x: FloatArray, miss: FloatArray, sd: FloatArray, slope: FloatArray) -> FloatArray:
    """One Gauss-Newton step on the residuals in units of their rounding, with x kept small."""
    a = np.vstack([slope / sd[:, None], np.eye(len(x))])
    b = np.concatenate([-miss / sd, -x])
    return np.asarray(np.clip(x + np.linalg.lstsq(a, b, rcond=None)[0], -_FURTHEST, _FURTHEST), dtype=np.float64)


def _place(
    arms: Sequence[Arm], x: FloatArray, gains: list[FloatArray], only: int | None = None
) -> list[tuple[FloatArray, FloatArray]]:
    count = len(arms)
    for i, arm in enumerate(arms):
        if only is None or i == only:
            settle(arm, float(x[i]), float(x[count + i]), gains[i])
    return [(a.events, a.censored) for a in arms]


def _restore(arms: Sequence[Arm], now: list[tuple[FloatArray, FloatArray]], i: int) -> None:
    arms[i].events, arms[i].censored = now[i]


def _sets(arms: Sequence[Arm], one: int, zero: int) -> RiskSets:
    return risk_sets(arms[one].events, arms[one].censored, arms[zero].events, arms[zero].censored)


def _residuals(arms: Sequence[Arm], pairs: list[tuple[int, int, Aim]]) -> tuple[FloatArray, FloatArray]:
    """Reconstructed minus printed, and the standard deviation that rounding gives each."""
    miss, sd = [], []
    for one, zero, goal in pairs:
        got: Comparison = compare(_sets(arms, one, zero))
        if np.isfinite(goal.beta) and np.isfinite(got.beta):
            miss.append(got.beta - goal.beta)
            sd.append(goal.beta_sd)
        if np.isfinite(goal.z) and np.isfinite(got.z):
            miss.append(got.z - goal.z)
            sd.append(goal.z_sd)
        if np.isfinite(goal.se) and np.isfinite(got.se):
            miss.append(got.se - goal.se)
            sd.append(goal.se_sd)
    return np.array(miss), np.array(sd)


def _lean_directions(arms: Sequence[Arm], pairs: list[tuple[int, int, Aim]]) -> list[FloatArray]:
    """For each arm: the change of deaths per cell that is one standard deviation of reading error, along the contrast."""
    out = []
    for i, arm in enumerate(arms):
        cells = arm.cells
        pull = np.zeros(len(cells.first))
        for one, zero, _ in pairs:
            if i in (one, zero):
                sets = _sets(arms, one, zero)
                share = sets.n1 / (sets.n1 + sets.n0)
                middle = 0.5 * (cells.knot[:-1] + cells.knot[1:])
                pull = pull - np.interp(middle, sets.time, share)
        covariance = np.asarray(np.linalg.inv(arm.precision), dtype=np.float64)
        if arm.published.events is not None:
            ones = covariance.sum(axis=1)
            covariance = covariance - np.outer(ones, ones) / ones.sum()
        lean = covariance @ pull
        size = float(np.sqrt(max(float(pull @ lean), 1e-12)))
        out.append(lean / size)
    return out
