"""One arm: curve and printed numbers in, whole patients out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from metaleptic.errors import DataError
from metaleptic.patients import Curve, Published, to_number
from metaleptic.reconstruction.allocate import POSITION_SD, allocate, deviations
from metaleptic.reconstruction.cells import Cells, cut
from metaleptic.reconstruction.clean import Target, clean
from metaleptic.reconstruction.expected import Expected, expect
from metaleptic.reconstruction.lattice import Path, Stages, best_path, noisy_stages, patients, stages
from metaleptic.reconstruction.place import censor_times, event_times
from metaleptic.reconstruction.printed import half_unit
from metaleptic.reconstruction.steps import pin_median
from metaleptic.types import FloatArray

# Reading error times patients below which single deaths can be told apart.
RESOLVED = 0.5


@dataclass(slots=True, eq=False)
class Arm:
    """An arm being solved: its target, cells and current patients."""

    name: str
    published: Published
    target: Target
    cells: Cells
    n: int
    corrections: list[str] = field(default_factory=list)
    events: FloatArray = field(default_factory=lambda: np.empty(0))
    censored: FloatArray = field(default_factory=lambda: np.empty(0))
    expected: Expected = field(init=False)
    precision: FloatArray = field(init=False)
    slack: FloatArray = field(init=False)
    lined: Stages | None = field(init=False, default=None)
    path: Path | None = field(init=False, default=None)
    tilt: float = 0.0


def prepare(name: str, curve: Curve, published: Published) -> Arm:
    """Clean the curve and cut it at the printed numbers."""
    corrections: list[str] = []
    where = f"arm {name!r}: " if name else ""
    last = published.last_time
    counted = [t for t, k in published.at_risk.items() if k > 0]
    if last is None and counted and max(counted) > curve.time.max():
        last = max(counted)
    n = published.n if published.n is not None else published.at_risk.get(0.0)
    target = clean(curve, None if last is None else float(last), corrections, where, n)
    if n is None:
        n = _guess_n(target)
        corrections.append(f"n is not given: {n} patients were assumed")
    if n < 1:
        raise DataError(f"{where}nobody is at risk at time 0.")
    return Arm(name, published, target, cut(target, published, n, corners=curve.kind == "clicks"), n, corrections)


def solve(arm: Arm) -> None:
    """Find the arm's patients from its own curve and numbers."""
    cells, ticks = arm.cells, arm.target.ticks
    arm.expected = expect(cells, np.zeros(len(cells.n_start)), ticks)
    arm.precision, arm.slack = deviations(cells, arm.expected)
    arm.lined = arm.path = None
    if arm.target.exact or arm.n * arm.target.error < RESOLVED:
        found = allocate(cells, arm.expected, arm.precision, arm.slack, arm.published.events, ticks)
        guess = found.censored.astype(np.float64)
        if arm.target.exact:
            arm.lined = stages(arm.target, cells, guess)
        else:
            arm.lined = noisy_stages(arm.target, cells, guess, _rates(arm.published))
        if arm.lined is not None:
            arm.path = best_path(arm.lined, arm.published.events, arm.n)
    settle(arm)


def settle(arm: Arm, tilt: float = 0.0, lean: FloatArray | None = None) -> None:
    """Place the patients, with censorings tilted (in standard deviations) and deaths per cell leaning to other cells."""
    cells, ticks = arm.cells, arm.target.ticks
    arm.tilt = tilt
    if arm.lined is not None and arm.path is not None:
        arm.events, arm.censored = patients(arm.lined, arm.path, ticks, float(cells.knot[-1]), tilt)
        if not arm.target.exact:
            _pin(arm)
        return
    want = np.add.reduceat(arm.expected.deaths, cells.first)
    if lean is not None:
        want = want + lean
    found = allocate(cells, arm.expected, arm.precision, arm.slack, arm.published.events, ticks, want)
    theta = np.clip(12 * (found.shift + POSITION_SD * tilt), -8, 8)
    expected = expect(cells, theta, ticks)
    arm.events = event_times(cells, expected.deaths, found.deaths)
    arm.censored = censor_times(cells, found.censored, theta, ticks, cells.s1[-1] > 0)
    _pin(arm)


def _pin(arm: Arm) -> None:
    p = arm.published
    median = to_number(p.median, "median")
    if median is not None and 0 < median < arm.cells.knot[-1]:
        half = half_unit((p.median, p.median_low, p.median_high))
        arm.events = pin_median(arm.events, arm.censored, median, half, arm.cells.edge[:-1])


def _rates(published: Published) -> dict[float, tuple[float, float]]:
    """Return the printed rates with the standard deviation of their rounding."""
    half = half_unit(published.rates.values())
    read = {float(t): to_number(s, "rate") for t, s in published.rates.items()}
    return {t: (s, half / np.sqrt(3)) for t, s in read.items() if s is not None}


def _guess_n(target: Target) -> int:
    """Read n off the first drop of an exact curve (1/n or a multiple); assume 100 otherwise."""
    drops = -np.diff(target.survival)
    drops = drops[drops > max(3 * target.error, 1e-4)]
    if not target.exact or not len(drops):
        return 100
    return max(1, round(1 / float(drops[0])))
