"""The Kaplan-Meier estimate of each arm, with the numbers that papers print about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import stats

from metaleptic import kaplan_meier as kernel
from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.patients import IPD
from metaleptic.types import Estimate, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class KaplanMeier:
    """Kaplan-Meier curves of one or several arms.

    Attributes
    ----------
    ipd : IPD
        The patients.
    curves : mapping of arm to Steps
        Times, numbers at risk, events, survival and Greenwood's sum of each arm.
    interval : {"log-log", "log", "plain", "logit", "arcsine", "beta-product"}
        Scale on which intervals are made.
    rule : {"midpoint", "first", "strict"}
        What a median is when survival is exactly one half for a while.
    level : float
        Level of the intervals.
    """

    ipd: IPD
    curves: Mapping[str, kernel.Steps]
    interval: str
    rule: str
    level: float

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms; one empty name if there is a single group."""
        return tuple(self.curves)

    @property
    def median(self) -> Any:
        """Median survival with its interval; a dict by arm if there are several. Infinity means not reached."""
        return self.quantile(0.5)

    def quantile(self, dead: float) -> Any:
        """Return the time by which a proportion has had the event, with its interval; a dict if several arms."""
        return self._each(lambda curve: self._quantile(curve, dead))

    def at(self, time: float) -> Any:
        """Return survival at a time as a proportion with its interval; a dict by arm if there are several.

        NaN beyond the last patient, unless survival has come to 0 by then.
        """
        if not (np.isfinite(time) and time >= 0):
            raise OptionError(f"time {time!r} should be a number, 0 or more.")
        return self._each(lambda curve: self._at(curve, time))

    def at_risk(self, times: Any) -> Any:
        """Return the number of patients whose time is at or beyond each time; a dict by arm if there are several."""
        found = {arm: kernel.at_risk(self.ipd.of(arm).time, np.atleast_1d(times)).astype(np.int64) for arm in self.arms}
        return found if len(found) > 1 else next(iter(found.values()))

    def restricted_mean(self, until: float) -> Any:
        """Return the mean time lived up to ``until`` with a Wald interval; a dict by arm if there are several.

        Raises
        ------
        NotEstimableError
            If a curve ends before that time with patients still alive.
        """
        return self._each(lambda curve: self._mean(curve, until))

    def to_frame(self, kind: str = "pandas") -> Any:
        """Return one row per arm and distinct time: at risk, events, censored, survival, low, high."""
        columns: dict[str, list[Any]] = {
            name: [] for name in ("arm", "time", "at_risk", "events", "censored", "survival", "low", "high")
        }
        for arm, curve in self.curves.items():
            low, high = kernel.limits(curve, self.interval, self.level)
            leaving = curve.at_risk - np.append(curve.at_risk[1:], 0.0)
            values = {
                "arm": [arm] * len(curve.time),
                "time": curve.time.tolist(),
                "at_risk": curve.at_risk.astype(int).tolist(),
                "events": curve.events.astype(int).tolist(),
                "censored": (leaving - curve.events).astype(int).tolist(),
                "survival": curve.survival.tolist(),
                "low": low.tolist(),
                "high": high.tolist(),
            }
            for name, cells in values.items():
                columns[name].extend(cells)
        return to_frame(columns, kind)

    def _each(self, ask: Any) -> Any:
        found = {arm: ask(curve) for arm, curve in self.curves.items()}
        return found if len(found) > 1 else next(iter(found.values()))

    def _quantile(self, curve: kernel.Steps, dead: float) -> Estimate:
        value = float(kernel.quantile(curve, dead, rule=self.rule))
        low, high = kernel.quantile_interval(curve, dead, interval=self.interval, level=self.level)
        return Estimate(value, float(low), float(high), self.level)

    def _at(self, curve: kernel.Steps, time: float) -> Estimate:
        low, high = kernel.limits_at(curve, time, self.interval, self.level)
        return Estimate(float(kernel.at_time(curve, time)[0][0]), float(low), float(high), self.level)

    def _mean(self, curve: kernel.Steps, until: float) -> Estimate:
        mean, variance = kernel.restricted_mean(curve, until)
        if np.isnan(mean):
            raise NotEstimableError(
                f"the curve ends at {curve.time[-1]:g}, before {until:g}, with patients still alive. Choose a time "
                f"up to {curve.time[-1]:g}."
            )
        half = float(stats.norm.isf((1 - self.level) / 2) * np.sqrt(variance))
        return Estimate(float(mean), float(mean) - half, float(mean) + half, self.level)

    def __repr__(self) -> str:
        lines = [f"Kaplan-Meier: {len(self.ipd)} patients, {int(self.ipd.event.sum())} events"]
        for arm, curve in self.curves.items():
            name = f"{arm}: " if arm else ""
            median = self._quantile(curve, 0.5)
            words = ", ".join("not reached" if np.isinf(v) else f"{v:.4g}" for v in (median.low, median.high))
            value = "not reached" if np.isinf(median.value) else f"{median.value:.4g}"
            lines.append(f"{name}median {value} ({100 * self.level:g}% CI {words})")
        return "\n".join(lines)


def km(
    times: Any,
    events: Any = None,
    arm: Any = None,
    *,
    interval: str = "log-log",
    rule: str = "midpoint",
    level: float = 0.95,
) -> KaplanMeier:
    """Estimate survival over time from patients of whom some were alive when last seen (Kaplan and Meier 1958).

    Parameters
    ----------
    times : array-like, IPD or reconstruction
        Time of each patient, 0 or more, in any unit; or patients as ``IPD``, or anything with an ``ipd``.
    events : array-like
        1 (or True) for an event at that time, 0 for a patient who was still without one.
    arm : array-like, optional
        Arm of each patient; one curve each.
    interval : {"log-log", "log", "plain", "logit", "arcsine", "beta-product"}
        Scale of the intervals, all but the last with Greenwood's variance; those of medians are Brookmeyer and
        Crowley's. Programs differ: R takes "log" unless told otherwise, SAS and Stata "log-log"; "plain" is Brookmeyer
        and Crowley's own. "beta-product" keeps its level in tiny series (Fay 2013).
    rule : {"midpoint", "first", "strict"}
        The median when survival is exactly 1/2 for a while: the middle of that while (R, SAS), its beginning (SPSS,
        Stata), or its end.
    level : float
        Level of the intervals.

    Returns
    -------
    KaplanMeier
        With ``.median``, ``.at(t)``, ``.quantile(q)``, ``.restricted_mean(t)``, ``.at_risk(t)``, ``.to_frame()``.

    Raises
    ------
    DataError
        If lengths differ, a time is missing or negative, or an event is neither 0 nor 1; the message names the patient.
    OptionError
        If an option is unknown.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.km([6, 6, 9, 10, 19, 22, 24], [0, 1, 0, 1, 0, 1, 0])
    >>> fit
    Kaplan-Meier: 7 patients, 3 events
    median 22 (95% CI 6, not reached)
    >>> fit.at(12)
    0.6429 (95% CI 0.1515 to 0.9017)
    """
    ipd = _patients(times, events, arm)
    if interval not in kernel.INTERVAL_NAMES:
        raise OptionError(f"interval {interval!r} is unknown. Choose one of: {', '.join(kernel.INTERVAL_NAMES)}.")
    if rule not in kernel.QUANTILE_RULES:
        raise OptionError(f"rule {rule!r} is unknown. Choose one of: {', '.join(kernel.QUANTILE_RULES)}.")
    if not 0 < level < 1:
        raise OptionError(f"level {level!r} should be a proportion such as 0.95.")
    curves = {name: kernel.steps(one.time, one.event) for name in ipd.arms for one in [ipd.of(name)]}
    return KaplanMeier(ipd, MappingProxyType(curves), interval, rule, level)


def _patients(times: Any, events: Any, arm: Any) -> IPD:
    given = getattr(times, "ipd", times)
    if isinstance(given, IPD):
        if events is not None or arm is not None:
            raise OptionError("patients already know their events and arms. Leave events and arm out.")
        t, e, a = given.time, np.asarray(given.event, dtype=np.float64), given.arm
    else:
        if events is None:
            raise OptionError("events are missing: 1 for each patient with an event, 0 for each censored one.")
        t, e = _column(times, "time"), _column(events, "event")
        a = np.full(len(t), "") if arm is None else np.asarray(arm).astype(np.str_).ravel()
    if not len(t):
        raise DataError("there are no patients.")
    if not len(t) == len(e) == len(a):
        raise DataError(f"{len(t)} times, {len(e)} events and {len(a)} arms. Each patient needs one of each.")
    for bad, words in [
        (~np.isfinite(t), "the time is missing or not finite"),
        (t < 0, "the time is negative"),
        (~np.isin(e, (0.0, 1.0)), "the event is neither 0 nor 1"),
    ]:
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise DataError(f"patient {i + 1}: {words} (time {t[i]:g}, event {e[i]:g}). Correct or remove the row.")
    return IPD(t, e.astype(np.int64), a)


def _column(values: Any, name: str) -> FloatArray:
    try:
        return frozen_array(np.asarray(values).ravel())
    except (TypeError, ValueError):
        raise DataError(f"column '{name}': not all of these are numbers.") from None
