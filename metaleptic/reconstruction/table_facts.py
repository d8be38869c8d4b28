"""What a paper prints about the patients of its table, as facts that an assignment of events meets or misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from metaleptic.errors import DataError, OptionError
from metaleptic.patients import Contrast, Published, to_number
from metaleptic.reconstruction.printed import decimals
from metaleptic.types import BoolArray, FloatArray

EVERYBODY = "all"
SLACK = 1e-9
VERDICTS = ("rounded", "truncated", "no")
DYNAMIC = frozenset({"median", "rate", "events", "hazard ratio"})  # searched; the others are looked at afterwards


@dataclass(frozen=True, slots=True)
class Window:
    """The values behind a printed number: those that round to it, and those that are cut off to it."""

    printed: str
    low: float
    rounded: float
    cut: float

    def grades(self, values: FloatArray) -> NDArray[np.int64]:
        """Say which values are printed so: 0 when rounded, 1 only when cut off, 2 not at all."""
        if np.isinf(self.low):
            return np.where(values == self.low, 0, 2)
        rounded = (self.low - SLACK <= values) & (values <= self.rounded + SLACK)
        truncated = (self.low < values) & (values < self.cut - SLACK)
        return np.where(rounded, 0, np.where(truncated, 1, 2))

    def verdict(self, value: float) -> str:
        """Say whether a value is printed so: "rounded", "truncated" or "no"."""
        return VERDICTS[int(self.grades(np.array(value)))]

    def distances(self, values: FloatArray) -> FloatArray:
        """Return how far values are away, in units of the last printed digit, 1000 at most."""
        if np.isinf(self.low):
            return np.where(values == self.low, 0.0, 1000.0)
        centre = 0.5 * (self.low + self.rounded)
        off = np.abs(values - centre) / max(self.rounded - self.low, 1e-12)
        return np.where(np.isfinite(values), np.minimum(off, 1000.0), 1000.0)


@dataclass(frozen=True, slots=True, eq=False)
class Fact:
    """One printed statement: it counts as many numbers as it prints, and holds when all of them do.

    Attributes
    ----------
    label : str
        The statement in words ("SOC: median").
    kind : str
        What it is about; ``DYNAMIC`` kinds steer the search.
    windows : tuple of Window
        One per printed number.
    members : ndarray of bool
        Patients it is about.
    versus : ndarray of bool
        Members of the first group of a comparison.
    at : float
        Time of a rate.
    level : float
        Level of an interval.
    """

    label: str
    kind: str
    windows: tuple[Window, ...]
    members: BoolArray
    versus: BoolArray | None = None
    at: float = 0.0
    level: float = 0.95

    @property
    def weight(self) -> int:
        """Count of printed numbers."""
        return len(self.windows)

    @property
    def printed(self) -> str:
        """Write the statement as the paper does ("0.198 (0.041 to 0.961)")."""
        texts = [w.printed for w in self.windows]
        return texts[0] if len(texts) == 1 else f"{texts[0]} ({' to '.join(texts[1:])})"


def window(value: Any, name: str, *, least_decimals: int = 0, rounding: str = "either") -> Window:
    """Return the values that are printed as ``value``.

    Raises
    ------
    DataError
        If it is not a number.
    """
    text = str(value).strip()
    bound = text.startswith(("<", "≤"))
    number = to_number(text.lstrip("<=≤ "), name)
    if number is None:
        raise DataError(f"{name}: {value!r} is not a number.")
    if np.isinf(number):
        return Window("not reached", np.inf, np.inf, np.inf)
    if bound:
        return Window(text, 0.0, number, number)
    unit = 10.0 ** -max(decimals([value]), least_decimals)
    cut = number + (unit if rounding == "either" else 0.5 * unit)
    return Window(text, number - 0.5 * unit, number + 0.5 * unit, cut)


@dataclass(frozen=True, slots=True, eq=False)
class Patients:
    """The columns of a table that the search needs; events are 1, 0, or -1 where not printed."""

    name: tuple[str, ...]
    time: FloatArray
    event: NDArray[np.int64]
    arm: tuple[str, ...]
    groups: Mapping[str, BoolArray]
    floor: FloatArray  # the time cannot be before this (progression, for survival); NaN where unknown
    ceiling: FloatArray

    def members(self, group: str) -> BoolArray:
        """Return who belongs to a group: "all", an arm, or "column=value"."""
        if group not in self.groups:
            known = [g for g in self.groups if "=" not in g]
            raise OptionError(
                f'group {group!r} is unknown. Known: {", ".join(known)}, and "column=value" for the columns of the table.'
            )
        return self.groups[group]


def gather_facts(
    patients: Patients, published: Mapping[str, Published], contrasts: Sequence[Contrast], rounding: str
) -> tuple[Fact, ...]:
    """Turn everything that depends on the events into facts."""
    facts: list[Fact] = []

    def add(group: str, words: str, kind: str, value: Any, **more: Any) -> None:
        if value is None:
            return
        label = f"{group}: {words}"
        w = window(value, label, least_decimals=2 if kind == "rate" else 0, rounding=rounding)
        facts.append(Fact(label, kind, (w,), patients.members(group), **more))

    for group, p in published.items():
        add(group, "events", "events", p.events)
        add(group, "median", "median", p.median)
        add(group, "lower limit of the median", "median low", p.median_low)
        add(group, "upper limit of the median", "median high", p.median_high)
        for at, rate in p.rates.items():
            add(group, f"rate at {at:g}", "rate", rate, at=float(at))
    for c in contrasts:
        one, other = patients.members(c.arm), patients.members(c.versus)
        if np.any(one & other):
            raise DataError(f"contrast {c.arm!r} versus {c.versus!r}: a patient belongs to both groups.")
        label = f"{c.arm} versus {c.versus}"
        printed = [(n, getattr(c, n)) for n in ("hr", "low", "high") if getattr(c, n) is not None]
        if c.hr is not None:
            values = tuple(window(v, f"{label}: {n}", rounding=rounding) for n, v in printed)
            facts.append(Fact(f"{label}: hazard ratio", "hazard ratio", values, one | other, one, level=c.level))
        elif printed:
            raise DataError(f"contrast {label}: limits without a hazard ratio. Give hr, or their geometric mean.")
        if c.p is not None:
            w = window(c.p, f"{label}: p", rounding=rounding)
            facts.append(Fact(f"{label}: p", "p", (w,), one | other, one))
    return tuple(facts)


@dataclass(frozen=True, slots=True)
class LogLimits:
    """What a printed hazard ratio with interval allows: log hazard ratio and information, each from low to high."""

    beta_low: float
    beta_high: float
    info_low: float
    info_high: float


def log_limits(fact: Fact) -> LogLimits:
    """Translate hazard ratio and interval into limits of the log hazard ratio and its information."""
    w = fact.windows

    def log(x: float) -> float:
        return float(np.log(x)) if x > 0 else -np.inf

    b_low, b_high = log(w[0].low), log(max(w[0].rounded, w[0].cut))
    if not np.isfinite(b_low):
        b_low = -12.0  # a ratio printed as 0.0
    if len(w) < 3:
        return LogLimits(b_low, b_high, 0.0, np.inf)
    z = float(ndtri(0.5 + fact.level / 2))
    l_low, l_high = log(w[1].low), log(max(w[1].rounded, w[1].cut))
    h_low, h_high = log(w[2].low), log(max(w[2].rounded, w[2].cut))
    se_low = max((b_low - l_high) / z, (h_low - b_high) / z, 1e-6)
    se_high = min((b_high - l_low) / z, (h_high - b_low) / z)
    return LogLimits(b_low, b_high, se_high**-2 if se_high > 0 else np.inf, se_low**-2)


# --- facts about the times alone ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class TimeFact:
    """A printed number that needs no events: a mean, a count, the order of two times."""

    label: str
    kind: str
    window: Window | None
    members: BoolArray
    at: float = 0.0

    def value(self, time: FloatArray) -> float:
        """Return what the times give."""
        t = time[self.members]
        match self.kind:
            case "mean":
                return float(t.mean())
            case "median of times":
                return float(np.median(t))
            case "at risk":
                return float(np.sum(t >= self.at))
            case "last time":
                return float(t.max())
            case "first time":
                return float(t.min())
            case _:
                return float(len(t))


def gather_time_facts(
    patients: Patients,
    published: Mapping[str, Published],
    means: Mapping[str, Any],
    time_medians: Mapping[str, Any],
    rounding: str,
) -> tuple[TimeFact, ...]:
    """Turn everything that depends on the times alone into facts."""
    facts = []

    def add(group: str, words: str, kind: str, value: Any, at: float = 0.0) -> None:
        if value is not None:
            w = window(value, f"{group}: {words}", rounding=rounding)
            facts.append(TimeFact(f"{group}: {words}", kind, w, patients.members(group), at))

    for group, p in published.items():
        add(group, "patients", "n", p.n)
        add(group, "longest time", "last time", p.last_time)
        add(group, "shortest time", "first time", p.first_time)
        if p.follow_up is not None:
            raise OptionError(
                f"{group}: follow_up is defined in several ways. Give the median of all times in a table as "
                f"time_medians={{{group!r}: {p.follow_up}}}."
            )
        for at, n in p.at_risk.items():
            add(group, f"at risk at {at:g}", "at risk", n, at)
    for group, value in means.items():
        add(group, "mean of the times", "mean", value)
    for group, value in time_medians.items():
        add(group, "median of the times", "median of times", value)
    return tuple(facts)


def misses(patients: Patients, facts: Sequence[TimeFact], time: FloatArray) -> tuple[str, ...]:
    """Name what the times themselves contradict: printed means and counts, and times in the wrong order."""
    found = []
    for f in facts:
        value = f.value(time)
        if f.window is not None and f.window.verdict(value) == "no":
            found.append(f"{f.label} {f.window.printed} (the times give {value:.4g})")
    for i in np.flatnonzero(time < patients.floor - SLACK):
        found.append(f"patient {patients.name[i]}: {time[i]:g} is before {patients.floor[i]:g}")
    for i in np.flatnonzero(time > patients.ceiling + SLACK):
        found.append(f"patient {patients.name[i]}: {time[i]:g} is after {patients.ceiling[i]:g}")
    return tuple(found)
