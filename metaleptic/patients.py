"""Nouns for patients and what papers print about them: curves, published numbers, individual patient data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaleptic.errors import DataError, OptionError
from metaleptic.types import FloatArray, frozen_array

CURVE_KINDS = {
    "clicks": "corners clicked by hand, where the curve drops: both coordinates carry error",
    "readings": "heights read at times of your choosing (every month): the drops lie anywhere between",
    "trace": "one height per pixel column of an image",
    "drops": "the exact corners of a vector figure, or the exact drops of a known step function",
}


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A Kaplan-Meier curve as it was read from a figure.

    Attributes
    ----------
    time, survival : ndarray
        The points; survival as a proportion (percentages and cumulative incidence are recognised and corrected when
        the curve is used, and the correction is reported).
    censor_times : ndarray or None
        Times of the censoring ticks on the curve; None where they were not read.
    kind : {"clicks", "readings", "trace", "drops"}
        How the points were read.
    error : float or None
        Standard deviation of the reading error of survival (a proportion; the same fraction of the time axis is
        assumed for time). None: estimated from the points.
    label, source : str
        Name of the arm; file or figure it came from.

    Raises
    ------
    DataError
        If times and heights differ in length, are not numbers, or times are negative.
    OptionError
        If ``kind`` is not one of the four.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.Curve([0, 3, 3, 8], [1, 1, 0.75, 0.75], kind="drops")
    Curve of 4 points (drops), time 0 to 8, survival 1 to 0.75
    """

    time: FloatArray
    survival: FloatArray
    censor_times: FloatArray | None = None
    kind: str = "clicks"
    error: float | None = None
    label: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        name = f"curve {self.label!r}" if self.label else "curve"
        for attribute in ("time", "survival", "censor_times"):
            given = getattr(self, attribute)
            if given is not None:
                object.__setattr__(self, attribute, _numbers(given, f"{name}: {attribute}"))
        if len(self.time) != len(self.survival):
            raise DataError(f"{name}: {len(self.time)} times but {len(self.survival)} heights. Each point needs both.")
        if len(self.time) == 0:
            raise DataError(f"{name}: there are no points.")
        for attribute in ("time", "censor_times"):
            values = getattr(self, attribute)
            # Clicks at the origin may fall a little to the left of it.
            if values is not None and len(values) and values.min() < min(0.0, -0.05 * values.max()):
                raise DataError(
                    f"{name}: {attribute} {values.min():g} is before time 0. Is the axis calibrated wrongly?"
                )
        if self.kind not in CURVE_KINDS:
            raise OptionError(f"{name}: kind {self.kind!r} is unknown. Known: {', '.join(CURVE_KINDS)}.")
        if self.error is not None and not (np.isfinite(self.error) and 0 <= self.error < 0.5):
            raise OptionError(f"{name}: error {self.error!r} should be a proportion, e.g. 0.005.")

    def __repr__(self) -> str:
        label = f" {self.label!r}" if self.label else ""
        ticks = "" if self.censor_times is None else f", {len(self.censor_times)} censor ticks"
        t, s = self.time, self.survival
        return (
            f"Curve{label} of {len(t)} points ({self.kind}), time {t.min():g} to {t.max():g}, "
            f"survival {s.max():g} to {s.min():g}{ticks}"
        )


@dataclass(frozen=True, slots=True)
class Published:
    """Everything a paper prints about one arm; leave out what it does not print.

    Attributes
    ----------
    n : int or None
        Patients in the arm.
    events : int or None
        Total events.
    at_risk : mapping of time to number
        The number-at-risk table: patients whose time is at or beyond each time.
    median, median_low, median_high : float or None
        Median survival and its interval; None where not printed, infinity or ``"not reached"`` where not reached.
    rates : mapping of time to proportion
        Landmark survival, e.g. ``{12: 0.83, 24: 0.61}``. A text such as ``"0.60"`` keeps its last zero, so that the
        printed precision is known.
    last_time : float or None
        Longest follow-up: where the curve ends.
    first_time : float or None
        Shortest time of any patient.
    follow_up : float or None
        Median follow-up.

    Raises
    ------
    DataError
        If a number cannot be right by itself (more events than patients, numbers at risk that rise, a rate above 1).

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.Published(n=82, events=61, median=8.3, rates={12: 0.42})
    Published(n=82, events=61, median=8.3, rates={12: 0.42})
    """

    n: int | None = None
    events: int | None = None
    at_risk: Mapping[float, int] = field(default_factory=lambda: MappingProxyType({}))
    median: Any = None
    median_low: Any = None
    median_high: Any = None
    rates: Mapping[float, Any] = field(default_factory=lambda: MappingProxyType({}))
    last_time: float | None = None
    first_time: float | None = None
    follow_up: Any = None

    def __post_init__(self) -> None:
        for name in ("n", "events"):
            object.__setattr__(self, name, _count(getattr(self, name), name))
        table = {t: _count(k, f"at_risk at time {t:g}") for t, k in _by_time(self.at_risk, "at_risk", "43").items()}
        table = dict(sorted((t, k) for t, k in table.items() if k is not None))
        object.__setattr__(self, "at_risk", MappingProxyType(table))
        object.__setattr__(self, "rates", MappingProxyType(_by_time(self.rates, "rates", "0.83")))
        for name in ("median", "median_low", "median_high"):
            object.__setattr__(self, name, _reached(getattr(self, name)))
        for name in ("last_time", "first_time", "follow_up"):
            object.__setattr__(self, name, _moment(getattr(self, name), name))
        _check_arm(self)

    def __repr__(self) -> str:
        shown = []
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is None or (isinstance(value, Mapping) and not value):
                continue
            shown.append(f"{name}={dict(value) if isinstance(value, Mapping) else value!r}")
        return f"Published({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class Contrast:
    """What a paper prints about the comparison of two arms.

    Attributes
    ----------
    arm, versus : str
        The hazard ratio is that of ``arm`` against ``versus``.
    hr, low, high : float or None
        Hazard ratio and its interval.
    p : float or str or None
        Two-sided log-rank p; ``"<0.001"`` is understood.
    level : float
        Level of the interval.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.Contrast("B", "A", hr=1.7, low=1.23, high=2.36, p=0.001)
    Contrast(arm='B', versus='A', hr=1.7, low=1.23, high=2.36, p=0.001, level=0.95)
    """

    arm: str
    versus: str
    hr: Any = None
    low: Any = None
    high: Any = None
    p: Any = None
    level: float = 0.95

    def __post_init__(self) -> None:
        where = f"contrast {self.arm!r} versus {self.versus!r}"
        if self.arm == self.versus:
            raise DataError(f"{where}: an arm is compared with itself.")
        values = {name: to_number(getattr(self, name), f"{where}: {name}") for name in ("hr", "low", "high")}
        for name, value in values.items():
            if value is not None and not value > 0:
                raise DataError(f"{where}: {name} is {value:g}; hazard ratios are above 0.")
        low, hr, high = values["low"], values["hr"], values["high"]
        if low is not None and high is not None and low > high:
            raise DataError(f"{where}: low {low:g} > high {high:g}. Are they swapped?")
        if hr is not None and ((low is not None and hr < low) or (high is not None and hr > high)):
            raise DataError(f"{where}: hr {hr:g} lies outside its interval {low} to {high}.")
        for name in ("low", "high", "hr"):
            value = values[name]
            if value is not None and np.isinf(value) and name != "high":
                raise DataError(f"{where}: {name} is infinite; leave it out if it was not estimable.")
        if self.p is not None:
            text = str(self.p).strip().lower().removeprefix("p").strip()
            if text.startswith(">") or text in {"ns", "n.s.", "not significant"}:
                raise DataError(f"{where}: p {self.p!r} names no value. Leave p out, or give the number.")
            if isinstance(self.p, str):
                object.__setattr__(self, "p", text.removeprefix("=").strip())
            p = to_number(str(self.p).lstrip("<=≤ "), f"{where}: p")
            if p is None or not 0 <= p <= 1:
                raise DataError(f"{where}: p is {self.p}; a p-value lies between 0 and 1.")
        if not 0.5 < self.level < 1:
            raise OptionError(f"{where}: level {self.level!r} should be a proportion such as 0.95.")


@dataclass(frozen=True, slots=True, eq=False)
class IPD:
    """Individual patient data: one time, one event flag and one arm per patient.

    Attributes
    ----------
    time : ndarray of float
        Time to event or censoring.
    event : ndarray of int
        1 for an event, 0 for censored.
    arm : ndarray of str
        Arm of each patient.
    """

    time: FloatArray
    event: NDArray[np.int64]
    arm: NDArray[np.str_]

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", frozen_array(self.time))
        event = np.array(self.event, dtype=np.int64)
        event.flags.writeable = False
        object.__setattr__(self, "event", event)
        arm = np.array(self.arm, dtype=np.str_)
        arm.flags.writeable = False
        object.__setattr__(self, "arm", arm)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms, in order of appearance."""
        return tuple(dict.fromkeys(self.arm.tolist()))

    def of(self, arm: str) -> IPD:
        """Return the patients of one arm."""
        at = self.arm == arm
        if not at.any():
            raise OptionError(f"arm {arm!r} is unknown. Arms: {', '.join(self.arms)}.")
        return IPD(self.time[at], self.event[at], self.arm[at])

    def to_frame(self, kind: str = "pandas") -> Any:
        """Return a dataframe with one row per patient: time, event, arm."""
        from metaleptic.frames import to_frame

        return to_frame({"time": self.time, "event": self.event, "arm": self.arm.tolist()}, kind)

    def __repr__(self) -> str:
        parts = []
        for name in self.arms:
            at = self.arm == name
            parts.append(f"{name + ': ' if name else ''}{int(at.sum())} patients, {int(self.event[at].sum())} events")
        return f"IPD of {len(self)} patients\n" + "\n".join(parts)


def to_number(value: Any, name: str) -> float | None:
    """Read a printed number ("0.60", 0.6); None stays None."""
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DataError(f"{name}: {value!r} is not a number.") from None
    if np.isnan(number):
        return None
    return number


def _numbers(values: Any, name: str) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise DataError(f"{name}: not all of these are numbers.") from None
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise DataError(f"{name}: point {bad[0] + 1} is missing or not finite. Remove it or read it again.")
    return frozen_array(array)


_NOT_REACHED = frozenset({"nr", "not reached", "ne", "not estimable", "na (not reached)", "-"})


def _reached(value: Any) -> Any:
    """Read "NR" and "not reached" as infinity."""
    return float("inf") if isinstance(value, str) and value.strip().lower() in _NOT_REACHED else value


def _by_time(values: Any, name: str, like: str) -> dict[float, Any]:
    """Read a mapping of time to number, sorted by time."""
    example = f"Give a mapping of time to number, such as {{12: {like}}}."
    try:
        items = dict(values or {}).items()
    except (TypeError, ValueError):
        raise DataError(f"{name} {values!r} has no times. {example}") from None
    out: dict[float, Any] = {}
    for t, value in items:
        try:
            at = float(t)
        except (TypeError, ValueError):
            raise DataError(f"{name}: {t!r} is not a time. {example}") from None
        if not np.isfinite(at):
            raise DataError(f"{name}: time {at:g} is not a time. {example}")
        if at in out:
            raise DataError(f"{name}: time {at:g} is given twice.")
        out[int(at) if isinstance(t, int) else at] = value
    return dict(sorted(out.items()))


def _moment(value: Any, name: str) -> Any:
    """Read a time that may be missing; it stays as it was printed."""
    number = to_number(value, name)
    if number is None:
        return None
    if not np.isfinite(number):
        raise DataError(f"{name} is {value}; it should be a time. Leave it out if it is not printed.")
    return number if name == "last_time" or not isinstance(value, str) else value


def _count(value: Any, name: str) -> int | None:
    number = to_number(value, name)
    if number is None:
        return None
    if not np.isfinite(number) or number < 0 or number != round(number):
        raise DataError(f"{name} is {value}; it should be a whole number, 0 or more.")
    return round(number)


def _check_arm(p: Published) -> None:
    if p.n == 0:
        raise DataError("n is 0; there is nobody to reconstruct.")
    if p.n is not None and p.events is not None and p.events > p.n:
        raise DataError(f"events {p.events} > n {p.n}: more events than patients. Are they swapped?")
    before: tuple[float, int] | None = None
    for t, k in p.at_risk.items():
        if t < 0:
            raise DataError(f"at_risk at time {t:g}: the time is negative.")
        if p.n is not None and k > p.n:
            raise DataError(f"at_risk {k} at time {t:g} > n {p.n}: more at risk than patients.")
        if before is not None and k > before[1]:
            raise DataError(
                f"at_risk rises from {before[1]} at time {before[0]:g} to {k} at time {t:g}; nobody can return."
            )
        before = (t, k)
    first = p.at_risk.get(0.0)
    if first is not None and p.n is not None and first != p.n:
        raise DataError(f"at_risk at time 0 is {first} but n is {p.n}. One of them is wrong.")
    for t, s in p.rates.items():
        rate = to_number(s, f"rate at time {t:g}")
        if rate is None or not 0 <= rate <= 1:
            raise DataError(f"rate at time {t:g} is {s}; rates are proportions (0.83 for 83%).")
        if t < 0:
            raise DataError(f"rate at time {t:g}: the time is negative.")
    values = [to_number(v, "median") for v in (p.median_low, p.median, p.median_high)]
    known = [v for v in values if v is not None]
    if any(v < 0 for v in known):
        raise DataError(f"median {p.median} ({p.median_low} to {p.median_high}): times are 0 or more.")
    if known != sorted(known):
        raise DataError(
            f"median {p.median} ({p.median_low} to {p.median_high}) does not lie inside its interval. Are they swapped?"
        )
    if p.n is None and p.events is not None and first is not None and p.events > first:
        raise DataError(f"events {p.events} > at_risk {first} at time 0: more events than patients. Are they swapped?")
    start, follow_up = to_number(p.first_time, "first_time"), to_number(p.follow_up, "follow_up")
    for name, value in (("first_time", start), ("follow_up", follow_up)):
        if value is not None and value < 0:
            raise DataError(f"{name} is {value:g}; times are 0 or more.")
    last = to_number(p.last_time, "last_time")
    if last is not None and start is not None and start > last:
        raise DataError(f"first_time {start:g} > last_time {last:g}. Are they swapped?")
    if last is not None:
        if last < 0:
            raise DataError(f"last_time is {last:g}; times are 0 or more.")
        late = [(t, k) for t, k in p.at_risk.items() if k > 0 and t > last + 1e-9]
        if late:
            raise DataError(f"at_risk {late[0][1]} at time {late[0][0]:g}, but last_time is {last:g}.")
