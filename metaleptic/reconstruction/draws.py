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
from metaleptic.reconstruction.arm import Arm, Coordinates, Luck, follow, recut, solve
from metaleptic.reconstruction.clean import Target

# Patients up to which a draw looks for the whole numbers again (clicks; twice as many in a trace).
_SMALL = 120

# Error of a clicked axis in units of that of a point: its few clicks are made with care.
_AXIS = 0.5


def draw(arms: Sequence[Arm], levers: Levers | None, rng: np.random.Generator) -> list[Arm]:
    """Return the arms solved anew under one draw of all that is not known."""
    exact = [arm for arm in arms if arm.target.exact]
    coordinates = _coordinates(exact, rng) if exact else None
    drawn = [_again(arm, coordinates, rng) for arm in arms]
    if levers is not None and levers.slope is not None:
        agree_again(drawn, levers, rng)
    return drawn


def _coordinates(arms: Sequence[Arm], rng: np.random.Generator) -> Coordinates:
    """Draw the rounding of each drawn time."""
    drawn = np.unique(np.concatenate([x for a in arms for x in (a.events, a.censored)]))
    return Coordinates(drawn, rng.uniform(-np.sqrt(3), np.sqrt(3), len(drawn)))


def _again(arm: Arm, coordinates: Coordinates | None, rng: np.random.Generator) -> Arm:
    n, blocks = arm.n, len(arm.cells.n_start)
    luck = Luck(
        events=rng.random(n),
        censored=rng.random(n),
        time=rng.standard_normal(n),
        tilt=rng.standard_normal(blocks),
        median=float(rng.uniform(-1, 1)),
        coordinates=coordinates if arm.target.exact else None,
    )
    if arm.target.exact:
        # Which drops are deaths is known; how many were at risk is read off heights that are rounded as well.
        level = None if arm.lined is None else arm.lined.level + rng.normal(0, arm.lined.sd)
        return follow(replace(arm, luck=luck), arm, level)
    # Whether a click was made at the upper or the lower corner of its drop is not known: less may have fallen there.
    held = arm.held if not arm.corners else float(arm.held * np.exp(rng.normal(-0.5, 1.0)))
    new = recut(replace(arm, luck=luck, target=_misread(arm, rng), held=held))
    solve(new, single_deaths=arm.n <= (_SMALL if arm.corners else 2 * _SMALL))
    return new


def _misread(arm: Arm, rng: np.random.Generator) -> Target:
    """Read the points once more."""
    target = arm.target
    t, s = target.time.copy(), target.survival.copy()
    error = target.error
    if arm.corners:
        # Each click errs by itself; the axis under them was clicked too, so that all share a part.
        t[1:] += rng.normal(0, error * target.end, len(t) - 1) + rng.normal(0, _AXIS * error * target.end)
        s[1:] += rng.normal(0, error, len(t) - 1) + rng.normal(0, _AXIS * error)
    else:
        # Half of the variance is that of the calibration, common to all columns; half is rounding to whole pixels, one
        # error for each height and one for each drop, which lies anywhere in its column.
        part = np.sqrt(0.5) * error
        level = np.cumsum(np.append(True, np.diff(s) < 0)) - 1
        s += rng.normal(0, part) + rng.normal(0, part, level[-1] + 1)[level]
        s[target.survival >= 1] = 1.0
        column = float(np.median(np.diff(t)))
        t[1:] += rng.normal(0, part * target.end) + column * rng.uniform(-0.5, 0.5, level[-1] + 1)[level][1:]
    t = np.sort(np.clip(t, 0.0, target.end))
    s = np.sort(np.clip(s, 0.0, 1.0))[::-1].copy()
    if target.survival[-1] <= 0:
        s[-1] = 0.0
    t[-1] = target.end
    return replace(target, time=t, survival=s)
