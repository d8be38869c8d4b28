"""Data sets that all agree with what is printed, and differ in what it leaves open.

Each draw misreads the points once more (by their error), puts censorings and deaths elsewhere within their gaps, takes
printed numbers at other values within their rounding, and is solved like the reconstruction itself. Estimates from the
draws carry the error of the reconstruction; they do not carry sampling error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metaleptic.reconstruction.agree import Levers, agree_again
from metaleptic.reconstruction.arm import Arm, Luck, recut, solve
from metaleptic.reconstruction.clean import Target

# Patients up to which a draw looks for the whole numbers again.
_SMALL = 120


def draw(arms: Sequence[Arm], levers: Levers | None, rng: np.random.Generator) -> list[Arm]:
    """Return the arms solved anew under one draw of all that is not known."""
    # The axis is one for all arms: they are shifted together, so that ties between arms stay ties.
    shift = float(rng.standard_normal())
    drawn = [_again(arm, shift, rng) for arm in arms]
    if levers is not None and levers.slope is not None:
        agree_again(drawn, levers, rng)
    return drawn


def _again(arm: Arm, shift: float, rng: np.random.Generator) -> Arm:
    n, blocks = arm.n, len(arm.cells.n_start)
    luck = Luck(
        events=rng.random(n),
        censored=rng.random(n),
        time=np.full(n, shift) if arm.target.exact else rng.standard_normal(n),
        tilt=rng.standard_normal(blocks),
        median=float(rng.uniform(-1, 1)),
    )
    if arm.target.exact:
        # Which drops are deaths is known; a draw moves times within their error.
        new = replace(arm, luck=luck)
        new.expected, new.precision, new.slack = arm.expected, arm.precision, arm.slack
        new.theta, new.lined, new.path = arm.theta, arm.lined, arm.path
        return new
    held = arm.held if not arm.corners else float(arm.held * np.exp(rng.normal(0, 0.6)))
    new = recut(replace(arm, luck=luck, target=_misread(arm, rng), held=held))
    solve(new, single_deaths=arm.n <= _SMALL)
    return new


def _misread(arm: Arm, rng: np.random.Generator) -> Target:
    """Read the points once more."""
    target = arm.target
    t, s = target.time.copy(), target.survival.copy()
    # The error of a trace is that of its calibration: common to all points. Points clicked far apart leave more open.
    size = len(t) - 1 if arm.corners else 1
    error = 1.25 * target.error
    t[1:] += rng.normal(0, error * target.end, size)
    s[1:] += rng.normal(0, error, size) + (rng.normal(0, 0.3 * error) if arm.corners else 0.0)
    t = np.sort(np.clip(t, 0.0, target.end))
    s = np.sort(np.clip(s, 0.0, 1.0))[::-1].copy()
    if target.survival[-1] <= 0:
        s[-1] = 0.0
    t[-1] = target.end
    return replace(target, time=t, survival=s)
