"""RULES: what published numbers cannot be, or what needs an explanation; one function per rule.

Every comparison allows for rounding: a rule speaks only if no unrounded numbers behind the printed ones agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

import numpy as np
from scipy import special

from metaleptic.auditing.printed import Printed
from metaleptic.convert.intervals import lopsided_on_log_scale, normal_quantile


@dataclass(frozen=True, slots=True)
class Rule:
    """One check: its key, what it says is wrong, its function and source."""

    key: str
    severity: str
    title: str
    function: Callable[[Printed], Iterator[tuple[int, str, str, str, str]]]
    source: str


FIND = "Check the number against the paper: the sign, the decimal point, the column."


def bounds_in_order(x: Printed) -> Iterator[tuple[int, str, str, str, str]]:
    """Find lower bounds above upper bounds."""
    for i in np.flatnonzero(x.low > x.high).tolist():
        yield (
            i,
            x.interval(i),
            "lower bound <= upper bound",
            f"the lower bound {x.low[i]:g} is above the upper bound {x.high[i]:g}",
            "Look for a lost decimal point or swapped columns; do not use the interval until it is resolved.",
        )


def estimate_inside_interval(x: Printed) -> Iterator[tuple[int, str, str, str, str]]:
    """Find estimates outside their interval (where its bounds are in order)."""
    outside = (x.estimate < x.low - 2 * x.half) | (x.estimate > x.high + 2 * x.half)
    for i in np.flatnonzero(outside & (x.low <= x.high)).tolist():
        yield (
            i,
            x.interval(i),
            f"{x.low[i]:g} <= estimate <= {x.high[i]:g}",
            f"the estimate {x.estimate[i]:g} lies outside its own interval",
            "Check the three numbers against the paper; one of them is misprinted or belongs to another row.",
        )


def interval_symmetry(x: Printed) -> Iterator[tuple[int, str, str, str, str]]:
    """Find ratios whose interval is lopsided on the log scale beyond rounding."""
    ordered = x.ratio & (x.low > 0) & np.isfinite(x.high) & (x.low <= x.estimate) & (x.estimate <= x.high)
    slack = np.where(ordered, x.half, 0.0)
    odd = [
        i
        for i in np.flatnonzero(ordered).tolist()
        if bool(lopsided_on_log_scale(x.estimate[i], x.low[i], x.high[i], float(slack[i]), 0.05))
    ]
    for i in odd:
        middle = float(np.sqrt(x.low[i] * x.high[i]))
        yield (
            i,
            x.interval(i),
            f"estimate near {middle:.3g}, the middle of the interval on the log scale",
            f"the interval is not symmetric about {x.estimate[i]:g} on the log scale",
            "A profile-likelihood or bootstrap interval, coarse rounding, or a misprint: find out which before relying on the SE.",
        )


def p_against_interval(x: Printed) -> Iterator[tuple[int, str, str, str, str]]:
    """Find p values that the estimate and its interval do not give, by a Wald test with rounding allowed for."""
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in range(len(x)):
            if not (x.ratio[i] or x.difference[i]) or not np.isfinite(x.estimate[i] + x.low[i] + x.high[i]):
                continue
            if not x.low[i] < x.high[i] or (x.ratio[i] and x.low[i] - x.half[i] <= 0):
                continue
            printed = _printed_p(x.p_text[i])
            if printed is None:
                continue
            least, most = _implied_p(x, i)
            if printed[1] < least or printed[0] > most:
                middle = _wald_p(x.estimate[i], x.low[i], x.high[i], float(x.level[i]), bool(x.ratio[i]))
                yield (
                    i,
                    f"{x.interval(i)}, p {x.p_text[i]}",
                    f"p {middle:.3g} (from {least:.3g} to {most:.3g} with rounding)",
                    f"p is printed as {x.p_text[i]}, but the estimate and its interval imply {middle:.3g}",
                    "Another test (log-rank, likelihood ratio) may explain a small difference; a large one is a misprint.",
                )


def events_within_n(x: Printed) -> Iterator[tuple[int, str, str, str, str]]:
    """Find more events than patients."""
    for i in np.flatnonzero(x.events > x.n).tolist():
        yield (
            i,
            f"{x.events[i]:g} of {x.n[i]:g}",
            "events <= n",
            f"there are more events ({x.events[i]:g}) than patients ({x.n[i]:g})",
            "Check whether the columns are swapped or the counts belong to different groups.",
        )


def percentage_in_range(x: Printed) -> Iterator[tuple[int, str, str, str, str]]:
    """Find percentages below 0 or above 100."""
    for i in np.flatnonzero(x.percent & ((x.estimate < 0) | (x.estimate > 100))).tolist():
        yield (
            i,
            f"{x.estimate[i]:g}%",
            "0 to 100%",
            f"a percentage of {x.estimate[i]:g} is not possible",
            "Check the unit and the decimal point.",
        )


def values_possible(x: Printed) -> Iterator[tuple[int, str, str, str, str]]:
    """Find p values outside 0 to 1, negative counts, and ratios that are not above 0."""
    for i in range(len(x)):
        printed = _number(x.p_text[i])
        if printed is not None and not 0 <= printed <= 1:
            yield i, f"p {x.p_text[i]}", "0 <= p <= 1", f"a p value of {x.p_text[i]} is not possible", FIND
        for name, count in (("events", x.events[i]), ("n", x.n[i])):
            if count < 0:
                yield i, f"{name} {count:g}", f"{name} >= 0", f"{name} is {count:g}: a count cannot be negative", FIND
        if x.ratio[i] and (x.estimate[i] <= 0 or x.low[i] < 0):
            yield i, x.interval(i), "above 0", "a ratio, and the bounds of its interval, cannot be negative", FIND


def _number(text: str) -> float | None:
    try:
        return float(text.lower().replace(" ", "").lstrip("p").lstrip("<>=").replace("−", "-"))
    except ValueError:
        return None


def _wald_p(estimate: float, low: float, high: float, level: float, ratio: bool) -> float:
    if ratio:
        estimate, low, high = (float(np.log(v)) for v in (estimate, low, high))
    se = (high - low) / (2 * float(normal_quantile(level)))
    return float(2 * special.ndtr(-abs(estimate) / se))


def _implied_p(x: Printed, i: int) -> tuple[float, float]:
    """Smallest and largest Wald p over all numbers that round to the printed ones."""
    h = float(x.half[i])
    corners = [
        _wald_p(x.estimate[i] + a * h, x.low[i] + b * h, x.high[i] + c * h, float(x.level[i]), bool(x.ratio[i]))
        for a, b, c in product((-1, 1), repeat=3)
    ]
    null = 1.0 if x.ratio[i] else 0.0
    return min(corners), 1.0 if abs(x.estimate[i] - null) <= h else max(corners)


def _printed_p(text: str) -> tuple[float, float] | None:
    """Range of p values that a printed p stands for; None if it cannot be read."""
    clean = text.lower().replace(" ", "").replace("p", "").lstrip("=")
    if clean in {"ns", "n.s.", "notsignificant"}:
        return 0.05, 1.0
    sign = clean[:1] if clean[:1] in "<>" else ""
    digits = clean.lstrip("<>=")
    try:
        value = float(digits)
    except ValueError:
        return None
    half = 0.5 * 10.0 ** -len(digits.partition(".")[2])
    if sign == "<":
        return 0.0, value + half
    if sign == ">":
        return value - half, 1.0
    return max(0.0, value - half), min(1.0, value + half)


RULES = MappingProxyType(
    {
        r.key: r
        for r in (
            Rule("bounds-in-order", "impossible", "Interval upside down", bounds_in_order, "arithmetic"),
            Rule(
                "estimate-inside-interval",
                "impossible",
                "Estimate outside its interval",
                estimate_inside_interval,
                "arithmetic",
            ),
            Rule("values-possible", "impossible", "Value that cannot be", values_possible, "arithmetic"),
            Rule("events-within-n", "impossible", "More events than patients", events_within_n, "arithmetic"),
            Rule("percentage-in-range", "impossible", "Percentage outside 0 to 100", percentage_in_range, "arithmetic"),
            Rule(
                "interval-symmetry",
                "suspicious",
                "Lopsided ratio interval",
                interval_symmetry,
                "Tierney JF et al. Trials 2007;8:16",
            ),
            Rule(
                "p-against-interval",
                "suspicious",
                "p does not match the interval",
                p_against_interval,
                "Altman DG, Bland JM. BMJ 2011;343:d2304",
            ),
        )
    }
)
SEVERITIES = ("impossible", "suspicious")
