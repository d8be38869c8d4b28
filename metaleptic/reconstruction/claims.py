"""The printed numbers of an arm, one claim each, and the curve as the heights it has at their times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from metaleptic.patients import Published, to_number
from metaleptic.reconstruction.clean import Target
from metaleptic.reconstruction.printed import half_unit
from metaleptic.reconstruction.relations import MOST_PATIENTS, Claim, Relations
from metaleptic.types import FloatArray

# Reading errors a height may be off before it contradicts a printed number.
_ERRORS = 5.0
# Exact drops looked at one by one; with more of them only their number counts.
_MOST_DROPS = 30
# Least reading error of clicks and traces that no contradiction is made of.
_LEAST_SLACK = 0.01
# Deaths that may hide in a last drop at the very end of a curve.
_HIDDEN = 2.0
# Most that may die at the very time of a printed rate, as a share of the patients.
_SAME_DAY = 0.25
_TINY = 1e-9
# Error of the times of exact drops, as a share of the axis.
_BLUR = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """Claims of an arm by name, claims that follow from several of them, and the curve's heights.

    Attributes
    ----------
    relations : Relations
        The cut time axis.
    single : mapping of name to Claim
        One claim per printed number, the most trusted first, without the curve.
    joint : tuple of (names, Claim)
        What holds only where all these names do.
    curve : tuple of Claim
        The curve, one claim per height.
    """

    relations: Relations
    single: Mapping[str, Claim]
    joint: tuple[tuple[frozenset[str], Claim], ...]
    curve: tuple[Claim, ...]


class _Axis:
    """Positions by time."""

    def __init__(self, times: set[float]) -> None:
        self.times = np.array(sorted(times))

    def before(self, t: float) -> int:
        return 2 * int(np.searchsorted(self.times, t - _TINY))

    def after(self, t: float) -> int:
        return self.before(t) + 1


def claims_of(p: Published, n: int | None, target: Target | None, seen: float = 0.0) -> Claims:
    """Put everything printed about an arm in relations.

    ``target`` is None where no curve is printed; ``seen`` is its last point: what was continued beyond it says nothing.
    """
    half = half_unit((p.median, p.median_low, p.median_high))
    median = {name: to_number(getattr(p, name), name) for name in ("median", "median_low", "median_high")}
    rates = {float(t): to_number(s, "rate") for t, s in p.rates.items()}
    exacts = {name: to_number(getattr(p, name, None), name) for name in ("last_time", "first_time", "follow_up")}
    times = {0.0, *p.at_risk, *rates}
    # First and last time are also seen on the curve, where times have an error.
    blur = 0.0 if target is None else _blur(target)
    slack = {name: max(half_unit([x]), blur) for name, x in exacts.items() if x is not None}
    for value, off in [(m, half) for m in median.values()] + [(x, slack.get(name, 0.0)) for name, x in exacts.items()]:
        if value is not None and np.isfinite(value):
            times |= {max(value - off, 0.0), value + off}
    drops = _drops(target)
    if target is not None:
        seen = min(seen, target.end)
        times.add(seen)
    coarse = {float(t) for t in times if np.isfinite(t)}
    axis = _Axis(coarse | _told_apart(drops[0], coarse, target))
    relations = Relations(axis.times, ~np.isin(axis.times, np.array(sorted(coarse))))
    single: dict[str, Claim] = {}
    _counts(single, axis, p, n)
    _exact_times(single, axis, exacts, slack)
    joint: list[tuple[frozenset[str], Claim]] = []
    _medians(single, joint, axis, median, half, n)
    _rates(single, joint, axis, rates, half_unit(p.rates.values()), n)
    if p.events is not None:
        leave = (0, relations.end, "deaths", p.events, p.events)
        single["events"] = Claim("events", f"events {p.events}", leave=(leave,), weight=1.002)
    if target is not None and target.ticks is not None and len(target.ticks):
        single["ticks"] = _ticks(axis, relations, target.ticks)
    return Claims(
        relations, single, tuple(joint), () if target is None else _curve(axis, relations, target, seen, drops)
    )


def _counts(single: dict[str, Claim], axis: _Axis, p: Published, n: int | None) -> None:
    if n is not None:
        single["n"] = Claim("n", f"n {n}", whole=(n, n), weight=1.0)
    for t, k in p.at_risk.items():
        if t > 0:
            words = f"{k} at risk at time {t:g}"
            single[f"at risk at {t:g}"] = Claim("at risk", words, left=((axis.before(t), k, k),), weight=1.001)


def _exact_times(
    single: dict[str, Claim], axis: _Axis, given: Mapping[str, float | None], slack: Mapping[str, float]
) -> None:
    for name, value in given.items():
        if value is None or not np.isfinite(value):
            continue
        before, after = axis.before(max(value - slack[name], 0.0)), axis.after(value + slack[name])
        match name:
            case "last_time":
                left = ((before, 1, np.inf), (after, 0, 0))
                single["last time"] = Claim("last time", f"last time {value:g}", left=left, weight=1.001)
            case "first_time":
                words = f"first time {value:g}"
                single["first time"] = Claim("first time", words, early=(before,), gone=(after,), weight=1.002)
            case _:
                words = f"median follow-up {value:g}"
                single["follow-up"] = Claim("follow-up", words, left=((before, 1, np.inf),), weight=1.003)


def _medians(
    single: dict[str, Claim],
    joint: list[tuple[frozenset[str], Claim]],
    axis: _Axis,
    given: Mapping[str, float | None],
    half: float,
    n: int | None,
) -> None:
    """At the median survival crosses one half; at the limits of its interval the limits of survival do."""
    words = {
        "median": "median",
        "median_low": "lower limit {:g} of the median",
        "median_high": "upper limit {:g} of the median",
    }
    for name, value in given.items():
        if value is None:
            continue
        label = words[name].format(value) if "{" in words[name] else f"{words[name]} {value:g}"
        last = 2 * len(axis.times) - 1
        if np.isinf(value):
            if name == "median":
                single[name] = Claim(name, "median not reached", heights=((last, 0.5, 1.0),), weight=1.004)
            continue
        before, after = axis.before(max(value - half, 0.0)), axis.after(value + half)
        reached = ((before, 1.0, np.inf),)
        if name == "median":
            single[name] = Claim(name, label, ((before, 0.5, 1.0), (after, 0.0, 0.5)), reached, weight=1.004)
            continue
        low = name == "median_low"
        height = ((before, 0.5, 1.0),) if low else ((after, 0.0, 0.5),)
        wide = (after, True) if low else (before, False)
        single[name] = Claim(name, label, height, reached, wide=wide, weight=1.005)
        if n is not None:
            at = _narrowest(n, above=low)
            bound = ((before, at, 1.0),) if low else ((after, 0.0, at),)
            joint.append((frozenset([name, "n"]), Claim(name, label, bound)))


def _narrowest(n: int, *, above: bool) -> float:
    """Height nearest to one half whose 95% limit can lie at one half with n patients, under any usual scale.

    Greenwood's variance is at least S (1 - S) / n: that of nobody censored.
    """
    z = float(ndtri(0.975))
    s = np.linspace(0.5, 1.0, 2001)[1:-1] if above else np.linspace(0.0, 0.5, 2001)[1:-1]
    error = np.sqrt((1 - s) / (s * n))
    off = z * error / np.abs(np.log(s))
    if above:
        limits = (s - z * error * s, s * np.exp(-z * error), s ** np.exp(off))
        reached = np.any([x >= 0.5 for x in limits], axis=0)
        return float(s[reached].min()) if reached.any() else 0.5
    limits = (s + z * error * s, s * np.exp(z * error), s ** np.exp(-off))
    reached = np.any([x <= 0.5 for x in limits], axis=0)
    return float(s[reached].max()) if reached.any() else 0.5


def _rates(
    single: dict[str, Claim],
    joint: list[tuple[frozenset[str], Claim]],
    axis: _Axis,
    rates: Mapping[float, float | None],
    half: float,
    n: int | None,
) -> None:
    for t, s in rates.items():
        if s is not None and np.isfinite(t):
            at = axis.after(t)
            left = ((axis.before(t), 1.0, np.inf),) if s > half else ()
            words = f"rate {s:g} at time {t:g}"
            name = f"rate at {t:g}"
            single[name] = Claim("rate", words, ((at, s - half, s + half),), left, weight=1.003)
            if n is not None and t > 0:
                # A few die on the very day of a rate, and are still counted at risk then; not a crowd.
                ties = (at - 1, at, "deaths", 0.0, float(max(5, round(_SAME_DAY * n))))
                joint.append((frozenset([name, "n"]), Claim("rate", words, leave=(ties,))))


def _ticks(axis: _Axis, relations: Relations, ticks: FloatArray) -> Claim:
    edge = np.column_stack([axis.times, np.nextafter(axis.times, np.inf)]).ravel()
    count = np.diff(np.append(np.searchsorted(ticks, edge, side="left"), len(ticks)))
    # A tick next to a cut may belong to either side of it: only ticks well inside a step, and all of them together.
    inside = [(p, p + 1, "censored", float(max(k - 1, 0)), np.inf) for p, k in enumerate(count) if k > 1]
    every = (0, relations.end, "censored", float(len(np.unique(ticks))), np.inf)
    return Claim("ticks", f"{len(ticks)} censor ticks", leave=(*inside, every), weight=1.002)


# --- the curve ----------------------------------------------------------------------------------


def _drops(target: Target | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the times of exact drops and the heights before and after them."""
    if target is None or not target.exact:
        return np.empty(0), np.empty(0), np.empty(0)
    t, s = target.time, target.survival
    fall = np.flatnonzero(np.diff(s) < -1e-9)
    if not len(fall):
        return np.empty(0), np.empty(0), np.empty(0)
    times, first = np.unique(t[fall + 1], return_index=True)
    last = np.append(first[1:], len(fall)) - 1
    return times, s[fall[first]], s[fall[last] + 1]


def _told_apart(drops: FloatArray, coarse: set[float], target: Target | None) -> set[float]:
    """Return the drops to look at one by one: those next to a printed time may lie on either side of it."""
    if target is None or len(drops) > _MOST_DROPS:
        return set()
    near = np.abs(drops[:, None] - np.array(sorted(coarse))).min(axis=1, initial=np.inf)
    return set(drops[near > _BLUR * target.end].tolist())


def _blur(target: Target) -> float:
    return (_BLUR if target.exact else max(3 * target.error, 4e-3)) * target.end


def height(target: Target, t: float, *, highest: bool) -> float:
    """Height of the points around a time: the highest or lowest within the error of times."""
    time, s = target.time, target.survival
    at = t - _blur(target) if highest else t + _blur(target)
    i = np.searchsorted(time, at, side="right") - 1
    here = float(s[max(int(i), 0)])
    return here if highest else float(min(here, np.interp(at, time, s)))


def _slack(target: Target) -> float:
    """How far a height may be off: some reading errors, and the rounding of heights typed by hand."""
    if not target.exact:
        return max(_ERRORS * target.error, _LEAST_SLACK)
    for places in range(6):
        if np.abs(np.round(target.survival, places) - target.survival).max() < 1e-9:
            return max(_ERRORS * target.error, float(0.5 * 10.0**-places))
    return max(_ERRORS * target.error, 1e-7)


def _curve(
    axis: _Axis,
    relations: Relations,
    target: Target,
    seen: float,
    drops: tuple[FloatArray, FloatArray, FloatArray],
) -> tuple[Claim, ...]:
    """One claim per cut time: heights there, and how many drops come before the next."""
    slack, out = _slack(target), []
    at_drop = dict(zip(drops[0].tolist(), zip(drops[1].tolist(), drops[2].tolist(), strict=True), strict=True))
    single_drops = len(at_drop) <= _MOST_DROPS
    for i, t in enumerate(axis.times.tolist()):
        if t > seen + _TINY:
            break
        low, high = height(target, t, highest=False), height(target, t, highest=True)
        ends = abs(t - seen) <= _TINY and target.end - seen <= _blur(target)
        leave: list[tuple[int, int, str, float, float]] = []
        share = None
        if t in at_drop:
            high, low = at_drop[t]
            bounds = [(2 * i, high - slack, high + slack), (2 * i + 1, low - slack, low + slack)]
        else:
            bounds = [(p, low - slack, high + slack) for p in (2 * i, 2 * i + 1)]
            if ends and not target.exact:
                bounds[1] = (2 * i + 1, 0.0, high + slack)
                share = 1 - max(low - slack, 0.0) / (high + slack)
        if ends and target.exact:
            leave.append((2 * i + 1, relations.end, "deaths", 0.0, 0.0))
        left: tuple[tuple[int, float, float], ...] = ()
        if not single_drops and i + 1 < len(axis.times):
            between = (drops[0] > t + _BLUR * target.end) & (drops[0] < axis.times[i + 1] - _BLUR * target.end)
            if between.any():
                falls = 1 - (drops[2][between] - slack) / np.maximum(drops[1][between] + slack, 1e-12)
                left = ((2 * i + 1, float(np.ceil(1 / max(falls.min(), 1e-9) - 1e-6)), float(MOST_PATIENTS)),)
                leave.append((2 * i + 1, 2 * i + 2, "deaths", float(between.sum()), np.inf))
        words = f"{np.interp(t, target.time, target.survival):.3g} at time {t:g}"
        hidden = () if share is None else (2 * i, share, _HIDDEN)
        out.append(Claim("curve", words, tuple(bounds), left, tuple(leave), hidden=hidden, weight=1.0005))
    return tuple(out)
