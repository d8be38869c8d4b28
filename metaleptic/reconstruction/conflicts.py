"""Printed numbers of one arm that cannot hold together, in words: pairs first, then threes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from metaleptic.errors import DataError
from metaleptic.patients import to_number
from metaleptic.reconstruction.arm import Arm
from metaleptic.reconstruction.printed import half_unit

# Reading errors a height may be off before it contradicts a printed number.
_ERRORS = 5.0


def contradictions(arm: Arm) -> list[str]:
    """Return one sentence for each set of numbers that no patients can satisfy; the sets are as small as possible."""
    out = _among_rates(arm)
    out += _curve_and_rates(arm)
    out += _curve_and_median(arm)
    out += _curve_and_risk(arm)
    out += _events(arm)
    return out


def refuse_impossible(arm: Arm) -> None:
    """Raise where numbers at risk lie far above what the curve leaves alive: a slip, not reading error."""
    where = f"arm {arm.name!r}: " if arm.name else ""
    for t, k in arm.published.at_risk.items():
        alive = _height(arm, t, highest=True)
        if k > arm.n * (alive + _ERRORS * arm.target.error + 0.05) + 2:
            raise DataError(
                f"{where}at_risk {k} at time {t:g}, but the curve is at {alive:.3g} there: of n {arm.n} at most "
                f"{arm.n * alive:.0f} can be at risk. Check the table, n and the calibration of the axes."
            )


def _height(arm: Arm, t: float, *, highest: bool) -> float:
    """Height of the points around a time: the highest or lowest within the error of times."""
    time, s = arm.target.time, arm.target.survival
    blur = (1e-4 if arm.target.exact else max(3 * arm.target.error, 4e-3)) * arm.target.end
    at = t - blur if highest else t + blur
    i = np.searchsorted(time, at, side="right") - 1
    here = float(s[max(int(i), 0)])
    return here if highest else float(min(here, np.interp(at, time, s)))


def _among_rates(arm: Arm) -> list[str]:
    p, out = arm.published, []
    rates = [(float(t), to_number(s, "rate")) for t, s in p.rates.items()]
    half = half_unit(p.rates.values())
    for (t0, s0), (t1, s1) in pairwise(rates):
        if s0 is not None and s1 is not None and s1 > s0 + 2 * half:
            out.append(f"rate {s0:g} at time {t0:g} and rate {s1:g} at time {t1:g}: survival cannot rise")
    median = to_number(p.median, "median")
    if median is not None:
        slack = half_unit((p.median, p.median_low, p.median_high))
        for t, s in rates:
            if s is None:
                continue
            if t > median + slack and s > 0.5 + half:
                out.append(f"median {median:g} and rate {s:g} at time {t:g}: after the median at most 0.5 survive")
            if t < median - slack and s < 0.5 - half:
                out.append(f"median {median:g} and rate {s:g} at time {t:g}: before the median at least 0.5 survive")
    return out


def _curve_and_rates(arm: Arm) -> list[str]:
    out = []
    half = half_unit(arm.published.rates.values())
    for t, s in arm.published.rates.items():
        rate, at = to_number(s, "rate"), float(t)
        if rate is None or at > arm.target.end:
            continue
        low, high = _height(arm, at, highest=False), _height(arm, at, highest=True)
        slack = _ERRORS * arm.target.error + half
        if rate > high + slack or rate < low - slack:
            out.append(f"rate {rate:g} at time {at:g} and the curve, which is at {0.5 * (low + high):.3f} there")
    return out


def _curve_and_median(arm: Arm) -> list[str]:
    p = arm.published
    median = to_number(p.median, "median")
    if median is None or not np.isfinite(median):
        return []
    slack = half_unit((p.median, p.median_low, p.median_high))
    error = _ERRORS * arm.target.error
    before, after = _height(arm, median - slack, highest=True), _height(arm, median + slack, highest=False)
    if after > 0.5 + error:
        return [f"median {median:g} and the curve, which is still at {after:.3f} there"]
    if before < 0.5 - error:
        return [f"median {median:g} and the curve, which is already at {before:.3f} there"]
    return []


def _curve_and_risk(arm: Arm) -> list[str]:
    """Between two counts the share still at risk cannot exceed the share still alive."""
    out = []
    table = [(0.0, arm.n), *((t, k) for t, k in arm.published.at_risk.items() if t > 0)]
    for (t0, k0), (t1, k1) in pairwise(table):
        if k0 == 0:
            break
        start, stop = _height(arm, t0, highest=False), _height(arm, t1, highest=True)
        error = _ERRORS * arm.target.error
        most = k0 * min((stop + error) / max(start - error, 1e-9), 1.0)
        if k1 > most + 1:
            out.append(
                f"{k0} at risk at time {t0:g}, {k1} at time {t1:g} and the curve, which falls from {start:.3f} to "
                f"{stop:.3f} between them: at most {most:.0f} can be left"
            )
    return out


def _events(arm: Arm) -> list[str]:
    """Total of events against what curve and numbers at risk allow, censorings as early and as late as can be."""
    events = arm.published.events
    if events is None:
        return []
    low, high = event_bounds(arm)
    if low - 1 <= events <= high + 1 + 0.02 * events:
        return []
    with_table = len([t for t in arm.published.at_risk if t > 0]) > 0
    given = f"n {arm.n}, the numbers at risk and the curve" if with_table else f"n {arm.n} and the curve"
    return [f"events {events}, {given}: these allow {max(low, 0):.0f} to {high:.0f} events"]


def event_bounds(arm: Arm) -> tuple[float, float]:
    """Fewest and most deaths that the curve (give or take its error) and the numbers at risk allow."""
    cells, error = arm.cells, 3 * arm.target.error
    high = np.array([_height(arm, float(t), highest=True) for t in cells.edge])
    low = np.array([_height(arm, float(t), highest=False) for t in cells.edge])
    least = np.clip((high[1:] + error) / np.maximum(low[:-1] - error, 1e-9), 0.0, 1.0)
    most = np.clip((low[1:] - error) / np.maximum(high[:-1] + error, 1e-9), 0.0, 1.0)
    leave = cells.n_start - cells.n_stop
    # Everyone censored before the first death of the block, or after its last.
    fewest = np.where(least > 0, cells.n_stop * (1 / np.maximum(least, 1e-9) - 1), 0.0)
    unseen = 0.0 if arm.target.exact else 2.0  # a last drop at the very end of a curve is hard to see
    return float(np.minimum(fewest, leave).sum()), float(np.minimum(cells.n_start * (1 - most), leave).sum()) + unseen
