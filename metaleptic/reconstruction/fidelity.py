"""How faithful a reconstruction is: distance to the curve, and every printed number beside its reconstructed value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from metaleptic.patients import Contrast, to_number
from metaleptic.reconstruction.agree import Levers
from metaleptic.reconstruction.arm import Arm
from metaleptic.reconstruction.conflicts import arm_claims, contradictions
from metaleptic.reconstruction.contrast_conflicts import contrast_contradictions
from metaleptic.reconstruction.pin_limits import nearest_limits
from metaleptic.reconstruction.printed import half_unit
from metaleptic.reconstruction.steps import Steps, follow_up_near, steps
from metaleptic.reconstruction.two_groups import compare, risk_sets


@dataclass(frozen=True, slots=True)
class Agreement:
    """One printed number and what the reconstructed patients give.

    Attributes
    ----------
    arm : str
        Arm, or "B vs A" for a contrast.
    number : str
        What it is ("at risk at 12", "median", "HR").
    printed : float or str
        As printed.
    reconstructed : float
        From the reconstructed patients.
    agrees : bool
        Whether the two agree within the rounding of the printed one.
    """

    arm: str
    number: str
    printed: float | str
    reconstructed: float
    agrees: bool


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How faithful a reconstruction is.

    Attributes
    ----------
    max_distance, rms_distance : float
        Largest and root-mean-square distance in survival between the points and the reconstructed curve, over all arms;
        a point is compared with every height the curve takes within the error of its time.
    distances : mapping of arm to (max, rms)
        The same for each arm.
    numbers : tuple of Agreement
        Every printed number beside its reconstructed value.
    contradictions : tuple of str
        Printed numbers that cannot hold together, the smallest sets, in words.
    """

    max_distance: float
    rms_distance: float
    distances: Mapping[str, tuple[float, float]]
    numbers: tuple[Agreement, ...]
    contradictions: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether every printed number is reproduced."""
        return all(n.agrees for n in self.numbers)

    def to_frame(self, kind: str = "pandas") -> Any:
        """Return the table of printed and reconstructed numbers as a dataframe."""
        from metaleptic.frames import to_frame

        return to_frame(
            {
                "arm": [n.arm for n in self.numbers],
                "number": [n.number for n in self.numbers],
                "printed": [str(n.printed) for n in self.numbers],
                "reconstructed": [n.reconstructed for n in self.numbers],
                "agrees": [n.agrees for n in self.numbers],
            },
            kind,
        )

    def __repr__(self) -> str:
        good = sum(n.agrees for n in self.numbers)
        lines = [
            f"distance to the points: at most {self.max_distance:.2g}, root mean square {self.rms_distance:.2g}",
            f"{good} of {len(self.numbers)} printed numbers reproduced",
        ]
        lines += [f"  {_name(n)}: printed {n.printed}, got {n.reconstructed:.4g}" for n in self.numbers if not n.agrees]
        lines += [f"  contradiction: {text}" for text in self.contradictions]
        return "\n".join(lines)


def _name(n: Agreement) -> str:
    return f"{n.arm}, {n.number}" if n.arm else n.number


def judge(
    arms: Sequence[Arm], contrasts: Sequence[Contrast], seen: Mapping[str, float | None], levers: Levers | None
) -> Fidelity:
    """Compare the solved arms with everything printed.

    ``seen`` holds the time of the last point of each printed curve, None where a model stands in; ``levers`` what may move
    the contrasts.
    """
    distances = {a.name: _distance(a) for a in arms}
    count = np.array([len(a.target.time) for a in arms], dtype=np.float64)
    rms = float(np.sqrt(np.sum(count * np.array([d[1] ** 2 for d in distances.values()])) / count.sum()))
    numbers = [n for a in arms for n in _arm_numbers(a)]
    by_name = {a.name: a for a in arms}
    for c in contrasts:
        numbers += _contrast_numbers(c, by_name[c.arm], by_name[c.versus])
    claims = {a.name: arm_claims(a, seen[a.name]) for a in arms}
    clashes = [f"{a.name}: {text}" if a.name else text for a in arms for text in contradictions(a, claims[a.name])]
    for c in contrasts:
        drawn = seen[c.arm] is not None and seen[c.versus] is not None
        clashes += contrast_contradictions(c, by_name, claims, levers if drawn else None)
    return Fidelity(max(d[0] for d in distances.values()), rms, distances, tuple(numbers), tuple(clashes))


def _distance(arm: Arm) -> tuple[float, float]:
    found = steps(arm.events, arm.censored)
    t, s = arm.target.time, arm.target.survival
    blur = max(arm.target.error, 1e-6) * max(arm.target.end, 1e-12)
    high, low = found.at(t - blur - 1e-12), found.at(t + blur)
    off = np.maximum(np.maximum(s - high, low - s), 0.0)
    return float(off.max()), float(np.sqrt(np.mean(off**2)))


def _arm_numbers(arm: Arm) -> list[Agreement]:
    p, name = arm.published, arm.name
    found = steps(arm.events, arm.censored)
    time = np.concatenate([arm.events, arm.censored])
    out: list[Agreement] = []

    def add(number: str, printed: Any, got: float, half: float) -> None:
        read = to_number(printed, number)
        if read is not None:
            out.append(Agreement(name, number, _shown(printed), got, _within(got, read, half)))

    add("n", p.n, float(len(time)), 0.0)
    add("events", p.events, float(len(arm.events)), 0.0)
    for t, k in p.at_risk.items():
        add(f"at risk at {t:g}", k, float((time >= t - 1e-9).sum()), 0.0)
    half = half_unit((p.median, p.median_low, p.median_high))
    printed_median = to_number(p.median, "median")
    add("median", p.median, found.median() if printed_median is None else found.median_near(printed_median), half)
    _add_interval(out, name, p.median_low, p.median_high, found, half)
    rates = half_unit(p.rates.values())
    for t, s in p.rates.items():
        add(f"rate at {t:g}", s, float(found.at(float(t))), rates)
    if p.last_time is not None:
        add("last time", p.last_time, float(time.max()), half_unit([p.last_time]))
    add("first time", p.first_time, float(time.min()), half_unit([p.first_time]))
    if p.follow_up is not None:
        wanted = float(p.follow_up)
        add("follow-up", p.follow_up, follow_up_near(arm.events, arm.censored, wanted), half_unit([p.follow_up]))
    return out


def _within(got: float, printed: float, half: float) -> bool:
    """Compare within rounding; two medians that are not reached agree."""
    return got == printed or bool(abs(got - printed) <= half * (1 + 1e-6) + 1e-9)


def _shown(printed: Any) -> Any:
    return "not reached" if isinstance(printed, float) and np.isinf(printed) else printed


def _add_interval(out: list[Agreement], name: str, low: Any, high: Any, found: Steps, half: float) -> None:
    """Compare the interval of the median under the log, log-log and plain conventions; the nearest one counts."""
    read = (to_number(low, "median_low"), to_number(high, "median_high"))
    nearest = nearest_limits(found, read)
    for i, (label, printed) in enumerate((("median low", low), ("median high", high))):
        value = read[i]
        if value is None:
            continue
        out.append(Agreement(name, label, _shown(printed), nearest[i], _within(nearest[i], value, half)))


def _contrast_numbers(c: Contrast, one: Arm, zero: Arm) -> list[Agreement]:
    got = compare(risk_sets(one.events, one.censored, zero.events, zero.censored))
    z = float(ndtri(0.5 + c.level / 2))
    half = half_unit((c.hr, c.low, c.high))
    name, out = f"{c.arm} vs {c.versus}", []
    for label, printed, value in (
        ("HR", c.hr, np.exp(got.beta)),
        ("HR low", c.low, np.exp(got.beta - z * got.se)),
        ("HR high", c.high, np.exp(got.beta + z * got.se)),
    ):
        read = to_number(printed, label)
        if read is not None:
            out.append(Agreement(name, label, printed, float(value), bool(abs(value - read) <= half * (1 + 1e-6))))
    if c.p is not None:
        p = float(2 * ndtr(-abs(got.z)))
        text = str(c.p).strip()
        read = to_number(text.lstrip("<=≤ "), "p")
        if read is not None:
            bound = text.startswith(("<", "≤"))
            half_p = half_unit([c.p if isinstance(c.p, float) else text.lstrip("= ")]) if not bound else 0.0
            agrees = p <= read if bound else abs(p - read) <= half_p * (1 + 1e-6)
            out.append(Agreement(name, "log-rank p", c.p, p, bool(agrees)))
    return out
