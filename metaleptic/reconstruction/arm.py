"""One arm: curve and printed numbers in, whole patients out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from metaleptic.errors import DataError, SuspiciousDataWarning
from metaleptic.patients import Curve, Published, to_number
from metaleptic.reconstruction.allocate import POSITION_SD, allocate, deviations
from metaleptic.reconstruction.cells import HELD, Cells, cut
from metaleptic.reconstruction.clean import Target, clean
from metaleptic.reconstruction.counted import counted_path
from metaleptic.reconstruction.expected import Expected, expect
from metaleptic.reconstruction.lattice import Path, best_path, forced, patients
from metaleptic.reconstruction.pin_censored import pin_censored
from metaleptic.reconstruction.pin_ends import pin_first, pin_last
from metaleptic.reconstruction.pin_limits import pin_limits
from metaleptic.reconstruction.pin_rates import pin_rates
from metaleptic.reconstruction.place import censor_times, event_times
from metaleptic.reconstruction.printed import half_unit
from metaleptic.reconstruction.stages import Stages, noisy_stages, stages
from metaleptic.reconstruction.steps import follow_up_near, pin_median, steps
from metaleptic.types import FloatArray
from metaleptic.warn import warn

# Where nothing but the curve tells when patients were censored: more of them late than early, as follow-up ends.
LATE = 1.0

# How far a printed rate may move a death: this many reading errors.
_REACH = 4.0

# Least standard deviation of a time, as a share of the axis: coordinates are rounded.
_COORDINATE = 1e-5

# Standard deviations by which censorings may move for the sake of a median follow-up.
_WIDEST = 5.0

# Share of the axis within which deaths may move for the sake of a limit, however precise the points.
_NEAR = 0.004

# A median may move deaths this many times as far: it is one number for the whole curve.
_FAR = 8.0

# Reading error times patients below which single deaths can be told apart.
RESOLVED = 0.65


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Error of each time that is drawn in a vector figure, in standard deviations.

    Coordinates are rounded: each time errs by itself, but deaths and ticks drawn at one time err alike, in whichever arm.
    """

    time: FloatArray
    off: FloatArray

    def at(self, times: FloatArray) -> FloatArray:
        """Return the error of these times; 0 where nothing is drawn."""
        i = np.minimum(np.searchsorted(self.time, times), len(self.time) - 1)
        return np.where(self.time[i] == times, self.off[i], 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Luck:
    """What chance decides in one draw; all arrays are per patient (or block, for ``tilt``)."""

    events: FloatArray
    censored: FloatArray
    time: FloatArray
    tilt: FloatArray
    median: float
    coordinates: Coordinates | None = None


@dataclass(slots=True, eq=False)
class Arm:
    """An arm being solved: its target, cells and current patients."""

    name: str
    published: Published
    target: Target
    cells: Cells
    n: int
    corners: bool
    corrections: list[str] = field(default_factory=list)
    events: FloatArray = field(default_factory=lambda: np.empty(0))
    censored: FloatArray = field(default_factory=lambda: np.empty(0))
    expected: Expected = field(init=False)
    precision: FloatArray = field(init=False)
    slack: FloatArray = field(init=False)
    theta: FloatArray = field(init=False)
    lined: Stages | None = field(init=False, default=None)
    path: Path | None = field(init=False, default=None)
    luck: Luck | None = None
    held: float = HELD
    tilt: float = 0.0
    hint: dict[float, float] = field(default_factory=dict)


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
        n, origin = _guess_n(target, published)
        corrections.append(f"n is not given: {n} patient{'s were' if n != 1 else ' was'} assumed, from {origin}")
        warn(
            SuspiciousDataWarning,
            f"{where}the number of patients is not given: {n} assumed, from {origin}. Survival is not touched by that, but "
            "every interval, test and hazard ratio is: say Published(n=...).",
        )
    if n < 1:
        raise DataError(f"{where}nobody is at risk at time 0.")
    corners = curve.kind == "clicks"
    return Arm(name, published, target, cut(target, published, n, corners=corners), n, corners, corrections)


def recut(arm: Arm) -> Arm:
    """Cut a changed target at the printed numbers again."""
    arm.cells = cut(arm.target, arm.published, arm.n, corners=arm.corners, held=arm.held, hint=arm.hint)
    return arm


def solve(arm: Arm, *, single_deaths: bool = True) -> None:
    """Find the arm's patients from its own curve and numbers; ``single_deaths`` tells them apart where points allow.

    Where the median comes out on the wrong side of a number at risk, the curve is read one or two errors higher or lower.
    """
    single_deaths = single_deaths and arm.tilt == 0
    _solve(arm, single_deaths)
    if not arm.target.exact and _median_missed(arm):
        _read_higher_or_lower(arm, single_deaths)
    _meet_follow_up(arm)


def _meet_follow_up(arm: Arm) -> None:
    """Let all censorings be earlier or later until the median follow-up comes out as printed, or as near as can be.

    Only where nothing else tells when patients were censored: numbers at risk, a total of events or ticks say more. Single
    deaths are told apart no longer then, as their path fixes the censorings.
    """
    p = arm.published
    told = len(arm.cells.n_start) > 1 or p.events is not None or arm.target.ticks is not None
    if p.follow_up is None or told or arm.luck is not None:
        return
    wanted, half = float(p.follow_up), half_unit([p.follow_up])

    def miss() -> float:
        off = max(abs(follow_up_near(arm.events, arm.censored, wanted) - wanted) - half, 0.0)
        return off if off <= 1e-9 or not _median_missed(arm) else off + arm.target.end

    missed = {0.0: miss()}
    if missed[0.0] <= 1e-9:
        return
    best, step = 0.0, _WIDEST
    for _ in range(4):
        for tilt in best + step * np.array([-1, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1.0]):
            arm.tilt = float(tilt)
            _solve(arm, single_deaths=False)
            missed[arm.tilt] = miss()
        best = min(missed, key=lambda tilt: (missed[tilt], abs(tilt)))
        if missed[best] <= 1e-9:
            break
        step /= 4
    arm.tilt = best
    _solve(arm, single_deaths=best == 0)


def _read_higher_or_lower(arm: Arm, single_deaths: bool) -> None:
    """Read the curve one or two errors higher or lower, if that brings the median about."""
    target, cells = arm.target, arm.cells
    for errors in (1.0, -1.0, 2.0, -2.0):
        shifted = np.clip(target.survival + errors * target.error, 0.0, 1.0)
        shifted = np.where((target.survival <= 0) | (target.survival >= 1), target.survival, shifted)
        arm.target = replace(target, survival=shifted)
        _solve(recut(arm), single_deaths)
        if not _median_missed(arm):
            arm.target = target
            return
    arm.target, arm.cells = target, cells
    if arm.luck is not None:  # a draw keeps the knots of the solution
        _solve(arm, single_deaths)
        return
    # As if it were printed that survival has just fallen to one half there.
    median = to_number(arm.published.median, "median") or 0.0
    arm.hint = {median: 0.5 - 0.4 / arm.n} if 0 < median < target.end else {}
    _solve(recut(arm), single_deaths)
    if arm.hint and _median_missed(arm):
        arm.hint = {}
        _solve(recut(arm), single_deaths)


def _median_missed(arm: Arm) -> bool:
    p = arm.published
    median = to_number(p.median, "median")
    if median is None or not np.isfinite(median):
        return False
    half = half_unit((p.median, p.median_low, p.median_high))
    return abs(steps(arm.events, arm.censored).median_near(median) - median) > half * (1 + 1e-6) + 1e-9


def _solve(arm: Arm, single_deaths: bool) -> None:
    cells, ticks = arm.cells, arm.target.ticks
    arm.theta = np.clip(_censoring_shape(arm) + 12 * POSITION_SD * arm.tilt, -8, 8)
    if arm.luck is not None:
        arm.theta = np.clip(arm.theta + 12 * POSITION_SD * arm.luck.tilt, -8, 8)
    arm.expected = expect(cells, arm.theta, ticks)
    arm.precision, arm.slack = deviations(cells, arm.expected)
    arm.lined = arm.path = None
    if arm.target.exact or (single_deaths and arm.n * arm.target.error < RESOLVED):
        found = allocate(cells, arm.expected, arm.precision, arm.slack, arm.published.events, ticks)
        guess = found.censored.astype(np.float64)
        if arm.target.exact:
            arm.lined = stages(arm.target, cells, guess)
        else:
            hint = {t: (height, 0.25 / arm.n) for t, height in arm.hint.items()}
            arm.lined = noisy_stages(arm.target, cells, guess, _rates(arm.published) | hint, corners=arm.corners)
        if arm.lined is not None:
            arm.path = _path(arm.lined, arm.published.events, arm.n)
    settle(arm)


def follow(arm: Arm, solved: Arm, level: FloatArray | None) -> Arm:
    """Solve an exact arm again with its drops at these heights, from what is known of it already."""
    arm.expected, arm.precision, arm.slack, arm.theta = solved.expected, solved.precision, solved.slack, solved.theta
    if solved.lined is not None and level is not None:
        arm.lined = replace(solved.lined, level=level)
        arm.path = _path(arm.lined, arm.published.events, arm.n) or solved.path
    settle(arm)
    return arm


def _path(lined: Stages, events: int | None, n: int) -> Path | None:
    path = best_path(lined, events, n)
    if path is None or events is None or path.deaths.sum() == events:
        return path
    return counted_path(lined, events, n) or forced(lined, path, events)


def _censoring_shape(arm: Arm) -> FloatArray:
    """Even censoring, but where a total of events and no table is printed: as early or late as that total needs."""
    cells, events = arm.cells, arm.published.events
    theta = np.zeros(len(cells.n_start))
    if len(theta) > 1 or arm.target.ticks is not None:
        return theta
    if events is None:
        return np.full(1, LATE)
    low, high = -8.0, 8.0
    for _ in range(20):
        theta[0] = 0.5 * (low + high)
        # Later censoring leaves more patients to die.
        if expect(cells, theta).deaths.sum() > events:
            high = theta[0]
        else:
            low = theta[0]
    return theta


def settle(arm: Arm, tilt: float = 0.0, push: float = 0.0, direction: FloatArray | None = None) -> None:
    """Place the patients.

    ``tilt`` moves all censorings (in standard deviations, above 0: later); ``push`` moves deaths between cells along
    ``direction``, or, where the counts of deaths are certain, all deaths in time within their error.
    """
    cells, ticks, luck = arm.cells, arm.target.ticks, arm.luck
    end = float(cells.knot[-1])
    if arm.lined is not None and arm.path is not None:
        arm.events, arm.censored = patients(
            arm.lined, arm.path, ticks, end, tilt, None if luck is None else luck.censored
        )
        if arm.target.exact:
            if luck is not None and luck.coordinates is not None:
                blur, at = max(arm.target.error, _COORDINATE) * end, luck.coordinates.at
                arm.events = _within_blocks(cells, arm.events, arm.events + blur * at(arm.events))
                arm.censored = _within_blocks(cells, arm.censored, arm.censored + blur * at(arm.censored))
        else:
            shift = (0.0 if luck is None else luck.time[: len(arm.events)]) + 0.5 * push
            arm.events = _within_blocks(cells, arm.events, arm.events + shift * arm.target.error * end)
    else:
        want = np.add.reduceat(arm.expected.deaths, cells.first)
        if direction is not None:
            want = want + push * direction
        found = allocate(cells, arm.expected, arm.precision, arm.slack, arm.published.events, ticks, want)
        theta = arm.theta + 12 * (found.shift + POSITION_SD * tilt)
        theta = np.clip(theta, -8, 8)
        expected = expect(cells, theta, ticks)
        arm.events = event_times(cells, expected.deaths, found.deaths, None if luck is None else luck.events)
        last_leaves = bool(cells.s1[-1] > 0)
        arm.censored = censor_times(
            cells, found.censored, theta, ticks, last_leaves, None if luck is None else luck.censored
        )
    if not arm.target.exact:
        _pin(arm)


def _within_blocks(cells: Cells, events: FloatArray, moved: FloatArray) -> FloatArray:
    """Keep moved deaths on their side of each number at risk."""
    edge = cells.edge
    b = np.clip(np.searchsorted(edge, events, side="right") - 1, 0, len(edge) - 2)
    top = np.append(edge[1:-1] - 1e-6 * edge[-1], edge[-1])
    return np.asarray(np.clip(moved, edge[b], np.maximum(top[b], edge[b])), dtype=np.float64)


def _pin(arm: Arm) -> None:
    p, end, edges = arm.published, arm.target.end, arm.cells.edge[:-1]
    reach = max(_REACH * arm.target.error, 0.02) * end
    _pin_ends(arm)
    rates = {t: centre for t, (centre, _) in _rates(p).items() if 0 < t < end}
    if rates:
        half = half_unit(p.rates.values())
        arm.events = pin_rates(arm.events, arm.censored, rates, half, edges, reach)
        if arm.target.ticks is None:
            arm.censored = pin_censored(arm.events, arm.censored, rates, half, edges)
    median = to_number(p.median, "median")
    half = half_unit((p.median, p.median_low, p.median_high))
    if median is not None and 0 < median < arm.cells.knot[-1]:
        off = abs(steps(arm.events, arm.censored).median_near(median) - median)
        drawn = arm.luck is not None and off > half * (1 + 1e-6)
        at, within = (median + half * arm.luck.median, 0.0) if drawn and arm.luck is not None else (median, half)
        arm.events = pin_median(arm.events, arm.censored, at, within, edges, _FAR * reach)
    limits = (to_number(p.median_low, "median_low"), to_number(p.median_high, "median_high"))
    if any(limit is not None for limit in limits):
        fences = np.array([*edges, *rates, *([] if median is None else [median])])
        near = max(_REACH * arm.target.error, _NEAR) * end
        arm.events = pin_limits(arm.events, arm.censored, limits, half, fences, near)


def _pin_ends(arm: Arm) -> None:
    """Put the first and the last to leave at their printed times."""
    p, edge = arm.published, arm.cells.edge
    first, last = to_number(p.first_time, "first_time"), to_number(p.last_time, "last_time")
    if first is not None:
        stop = float(edge[1]) if len(edge) > 2 else np.inf
        arm.events, arm.censored = pin_first(arm.events, arm.censored, first, half_unit([p.first_time]), stop)
    if last is not None:
        dies = bool(arm.target.survival[-1] <= 2 * arm.target.error)
        arm.events, arm.censored = pin_last(
            arm.events, arm.censored, last, half_unit([p.last_time]), float(edge[-2]), dies=dies
        )


def _rates(published: Published) -> dict[float, tuple[float, float]]:
    """Return the printed rates with the standard deviation of their rounding."""
    half = half_unit(published.rates.values())
    read = {float(t): to_number(s, "rate") for t, s in published.rates.items()}
    return {t: (s, half / np.sqrt(3)) for t, s in read.items() if s is not None}


def _guess_n(target: Target, published: Published) -> tuple[int, str]:
    """Read n off the first number at risk or the first drop of an exact curve; 100 otherwise. No fewer than must be.

    Returns n and what it comes from.
    """
    drops = -np.diff(target.survival)
    drops = drops[drops > max(3 * target.error, 1e-4)]
    n, origin = 100, "nothing that is printed"
    if target.exact and len(drops):
        n, origin = max(1, round(1 / float(drops[0]))), "the first drop of the curve"
    counted = {t: k for t, k in published.at_risk.items() if k > 0}
    if counted and (n < max(counted.values()) or not target.exact):
        first = min(counted)
        n, origin = counted[first], f"{counted[first]} at risk at time {first:g}"
    for t, k in counted.items():
        alive = float(target.survival[max(int(np.searchsorted(target.time, t)) - 1, 0)])
        needed = int(np.ceil(k / max(alive, 1e-9) - 0.5))
        if alive > target.error and needed > n:
            n, origin = needed, f"{k} at risk at time {t:g}, where the curve is at {alive:.3g}"
    fallen = max(1 - float(target.survival[-1]), target.error, 1e-9)
    if published.events is not None and published.events > n * fallen + 0.5:
        n, origin = int(np.ceil(published.events / fallen - 0.5)), f"{published.events} events"
    return n, origin
