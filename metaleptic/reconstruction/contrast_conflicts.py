"""Printed hazard ratios, intervals and p-values that cannot hold together, among themselves or with the arms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from metaleptic.patients import Contrast, to_number
from metaleptic.reconstruction.agree import Levers
from metaleptic.reconstruction.arm import Arm, settle
from metaleptic.reconstruction.claims import Claims
from metaleptic.reconstruction.conflicts import names, write
from metaleptic.reconstruction.printed import half_unit
from metaleptic.reconstruction.relations import extreme
from metaleptic.reconstruction.smallest import contradictory_sets
from metaleptic.reconstruction.two_groups import compare, risk_sets

# Share of an interval's width (log scale) that its middle may be off the estimate: profile likelihood is not symmetric.
_LOPSIDED = 0.12
# How far the z of a log-rank test and of a Wald interval may differ, and by which share.
_TESTS_DIFFER, _TESTS_SHARE = 0.3, 0.12
# Standard deviations that censorings and deaths are moved to see which hazard ratios the curves allow.
_MOVED = 3.0


def contrast_contradictions(
    contrast: Contrast, arms: Mapping[str, Arm], claims: Mapping[str, Claims], levers: Levers | None
) -> list[str]:
    """Return one sentence for each set of numbers about a contrast, and about its arms, that cannot hold together."""
    out = _interval_and_ratio(contrast) + _interval_and_p(contrast)
    out += _interval_and_counts(contrast, arms, claims)
    if not out and levers is not None:
        out += _ratio_and_curves(contrast, arms, levers)
    return out


def _label(c: Contrast) -> str:
    return f"of {c.arm} versus {c.versus}"


def _limits(c: Contrast) -> tuple[float, float, float, float] | None:
    """Least and greatest values of the logs of both limits, given their rounding; None unless both are printed."""
    low, high = to_number(c.low, "low"), to_number(c.high, "high")
    if low is None or high is None or not np.isfinite(high):
        return None
    half = half_unit((c.hr, c.low, c.high))
    ends = np.log(np.maximum([low - half, low + half, high - half, high + half], 1e-3 * half))
    return float(ends[0]), float(ends[1]), float(ends[2]), float(ends[3])


def _interval_and_ratio(c: Contrast) -> list[str]:
    hr, limits = to_number(c.hr, "hr"), _limits(c)
    if hr is None or limits is None:
        return []
    half = half_unit((c.hr, c.low, c.high))
    ratio = np.log(np.maximum([hr - half, hr + half], 1e-3 * half))
    least, most = 0.5 * (limits[0] + limits[2]), 0.5 * (limits[1] + limits[3])
    slack = _LOPSIDED * (limits[3] - limits[0])
    if ratio[1] >= least - slack and ratio[0] <= most + slack:
        return []
    middle = float(np.exp(0.5 * (least + most)))
    return [f"HR {c.hr} and interval {c.low} to {c.high} {_label(c)}: the middle of the interval is {middle:.3g}"]


def _interval_and_p(c: Contrast) -> list[str]:
    limits = _limits(c)
    if limits is None or c.p is None:
        return []
    text = str(c.p).strip()
    p = to_number(text.lstrip("<=≤ "), "p")
    if p is None:
        return []
    width = 2 * float(ndtri(0.5 + c.level / 2))
    se = (limits[2] + limits[3] - limits[0] - limits[1]) / 2 / width
    least, most = (0.5 * (limits[i] + limits[i + 2]) / se for i in (0, 1))
    z = (0.0 if least < 0 < most else min(abs(least), abs(most)), max(abs(least), abs(most)))
    half = 0.0 if text.startswith(("<", "≤")) else half_unit([c.p if isinstance(c.p, str) else repr(float(c.p))])
    low = float(-ndtri(min(p + half, 1.0) / 2))
    high = np.inf if text.startswith(("<", "≤")) or p <= half else float(-ndtri((p - half) / 2))
    slack = _TESTS_DIFFER + _TESTS_SHARE * max(low, z[0])
    if z[1] >= low - slack and z[0] <= high + slack:
        return []
    implied = 2 * ndtr(-0.5 * (z[0] + z[1]))
    return [f"p {text} and interval {c.low} to {c.high} {_label(c)}: the interval gives p {implied:.2g}"]


def _interval_and_counts(c: Contrast, arms: Mapping[str, Arm], claims: Mapping[str, Claims]) -> list[str]:
    """Compare an interval with the narrowest that the arms allow: information is at most a quarter of the events."""
    limits = _limits(c)
    if limits is None:
        return []
    se = (limits[3] - limits[0]) / (2 * float(ndtri(0.5 + c.level / 2)))
    needed = int(np.floor(4 / se**2))
    if len(arms[c.arm].events) + len(arms[c.versus].events) >= needed:
        return []
    own = {(arm, name): f"{arm}\t{name}" for arm in (c.arm, c.versus) for name in names(claims[arm])}
    most: dict[tuple[str, frozenset[str]], float] = {}

    def events(arm: str, some: frozenset[str]) -> float:
        """Most events that these numbers allow; unbounded where they contradict themselves, which is told elsewhere."""
        key = (arm, some)
        if key not in most:
            relations = claims[arm].relations
            value = extreme(write(claims[arm], some), -relations.deaths[relations.end])
            most[key] = np.inf if value is None or np.isnan(value) else -value
        return most[key]

    def holds(some: frozenset[str]) -> bool:
        return bool(sum(events(a, _of(some, a)) for a in (c.arm, c.versus)) >= needed)

    if holds(frozenset(own.values())):
        return []
    weights = {text: 1.0 + 1e-4 * i for i, text in enumerate(own.values())}
    found, _ = contradictory_sets(weights, holds, seconds=1.5, most=1)
    return [
        f"{_in_words(one, claims, (c.arm, c.versus))} and interval {c.low} to {c.high} {_label(c)}: so narrow an interval "
        f"needs at least {needed} events"
        for one in found
    ]


def _of(some: frozenset[str], arm: str) -> frozenset[str]:
    return frozenset(text.split("\t")[1] for text in some if text.split("\t")[0] == arm)


def _in_words(some: frozenset[str], claims: Mapping[str, Claims], arms: Sequence[str]) -> str:
    parts = []
    for arm in arms:
        for name in sorted(_of(some, arm)):
            parts.append(f"{claims[arm].single[name].words if name != 'curve' else 'the curve'} in {arm}")
    return ", ".join(parts)


def _ratio_and_curves(c: Contrast, arms: Mapping[str, Arm], levers: Levers) -> list[str]:
    """Move censorings and deaths as far as curves and counts leave them, and see which ratios and p-values that gives."""
    hr = to_number(c.hr, "hr")
    one, zero = arms[c.arm], arms[c.versus]
    half = half_unit((c.hr, c.low, c.high))
    now = compare(risk_sets(one.events, one.censored, zero.events, zero.censored))
    if hr is not None and abs(np.exp(now.beta) - hr) <= 2 * half:
        return []
    gains = dict(zip(arms, levers.gains, strict=True))
    kept = {name: (arm.events, arm.censored) for name, arm in arms.items()}
    beta, z = [], []
    for signs in np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T * _MOVED:
        settle(one, signs[0], signs[1], gains[c.arm])
        settle(zero, signs[2], signs[3], gains[c.versus])
        got = compare(risk_sets(one.events, one.censored, zero.events, zero.censored))
        beta.append(got.beta)
        z.append(got.z)
    for name, (events, censored) in kept.items():
        arms[name].events, arms[name].censored = events, censored
    if hr is not None:
        return _outside(c, f"HR {c.hr}", np.log(np.maximum([hr - half, hr + half], 1e-3 * half)), beta, np.exp, "HR")
    if c.p is None or str(c.p).strip().startswith(("<", "≤")):
        return []
    p = to_number(str(c.p).lstrip("= "), "p") or 0.0
    half = half_unit([c.p if isinstance(c.p, str) else repr(float(c.p))])
    wanted = -ndtri(np.clip([p + half, p - half], 1e-300, 1.0) / 2)
    return _outside(c, f"p {c.p}", wanted, np.abs(z).tolist(), lambda x: 2 * ndtr(-np.abs(x)), "p")


def _outside(
    c: Contrast,
    words: str,
    wanted: np.ndarray,
    reached: list[float],
    printed: Callable[[float], float],
    name: str,
) -> list[str]:
    found = [x for x in reached if np.isfinite(x)]
    if not found:
        return []
    low, high = min(found), max(found)
    slack = 0.25 * (high - low) + 0.05 + 0.1 * max(abs(low), abs(high))  # ties are counted in more than one way
    if wanted[1] >= low - slack and wanted[0] <= high + slack:
        return []
    a, b = sorted((printed(low), printed(high)))
    given = f"{a:.3g}" if f"{a:.3g}" == f"{b:.3g}" else f"{a:.3g} to {b:.3g}"
    return [f"{words} {_label(c)}, the curve of {c.arm} and the curve of {c.versus}: these give {name} {given}"]
