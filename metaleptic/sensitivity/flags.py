"""Rules that call a study influential: which limit each crosses, and the sentence about them.

Source: Viechtbauer W, Cheung MW-L. Res Synth Methods 2010;1:112-125.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.sensitivity.words import few_words, listed, signed
from metaleptic.types import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A diagnostic, its values and the limit that flags a study (of either sign)."""

    name: str
    values: FloatArray
    limit: float


def rules_of(
    units: int,
    names: Sequence[str],
    *,
    dffits: FloatArray,
    cook: FloatArray,
    dfbetas: FloatArray,
    hat: FloatArray | None = None,
) -> tuple[Rule, ...]:
    """Return the usual rules for so many units left out; ``dfbetas`` has a column for each of the names."""
    p = len(names)
    limits = limits_of(units, p)
    of = ("",) if p == 1 else tuple(f" of {name}" for name in names)
    rules = [Rule("DFFITS", dffits, limits["dffits"]), Rule("Cook's distance", cook, limits["cook"])]
    rules += [Rule("hat", hat, limits["hat"])] if hat is not None else []
    return (*rules, *(Rule(f"DFBETAS{of[j]}", dfbetas[:, j], limits["dfbetas"]) for j in range(p)))


def limits_of(units: int, p: int) -> dict[str, float]:
    """Return the values beyond which a diagnostic flags a unit (of Cook's distance: the chi-squared median)."""
    return {
        "dffits": float(3 * np.sqrt(p / (units - p))),
        "cook": float(special.chdtri(p, 0.5)),
        "hat": 3 * p / units,
        "dfbetas": 1.0,
    }


def because(rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return for each unit the limits it crosses, such as "Cook's distance 0.61 > 0.45; hat 0.40 > 0.30"; "" for none."""
    crossed: list[list[str]] = [[] for _ in rules[0].values]
    for rule in rules:
        for i, value in enumerate(rule.values.tolist()):
            if abs(value) > rule.limit:
                size = f"|{rule.name}|" if rule.name.startswith("DF") else rule.name
                crossed[i].append(f"{size} {_apart(abs(value), rule.limit)}")
    return tuple("; ".join(parts) for parts in crossed)


def _apart(value: float, limit: float) -> str:
    """Write value > limit with the digits that tell them apart."""
    digits = next((d for d in range(2, 7) if f"{value:.{d}f}" != f"{limit:.{d}f}"), 7)
    return f"{value:.{digits}f} > {limit:.{digits}f}"


def flagged_of(reasons: Sequence[str]) -> BoolArray:
    """Return which units cross a limit, read-only."""
    flags = np.array([bool(r) for r in reasons])
    flags.flags.writeable = False
    return flags


def influence_words(units: Sequence[str], reasons: Sequence[str], cook: FloatArray, unit: str = "study") -> str:
    """Say which units are influential and by which rule, or how near the nearest comes."""
    named = [f"{u} ({why})" for u, why in zip(units, reasons, strict=True) if why]
    if not named:
        most = int(np.nanargmax(cook))
        return (
            f"No {unit} is influential by the usual limits (largest Cook's distance {cook[most]:.2f}: {units[most]})."
        )
    if all(not why or why.startswith("hat ") for why in reasons):
        weighs = "weighs much" if len(named) == 1 else "weigh much"
        return f"{listed(named)} {weighs}, but no {unit} moves the result by itself."
    if len(named) == 1:
        at = next(i for i, why in enumerate(reasons) if why)
        return f"{units[at]} is influential ({reasons[at]}): without it the result is another."
    which = "either of them" if len(named) == 2 else "any one of them"
    return f"{listed(named)} are influential: leaving out {which} by itself makes the result another."


def far_words(units: Sequence[str], rstudent: FloatArray) -> str:
    """Say which studies lie further from the others than chance would have it; "" if none do."""
    away = [f"{u} ({signed(r)})" for u, r in zip(units, rstudent, strict=True) if abs(r) > 1.96]
    if not away:
        return ""
    return (
        f" Further from the others than chance would have it (|t| > 1.96): {listed(away)}; about {0.05 * len(units):.1f} of "
        f"{len(units)} would be so by chance."
    )


def influence_sentence(
    units: Sequence[str], reasons: Sequence[str], cook: FloatArray, rstudent: FloatArray, unit: str = "study"
) -> str:
    """Say which units are influential, which lie far off, and when there are few of them."""
    few = few_words(len(units), unit)
    return influence_words(units, reasons, cook, unit) + far_words(units, rstudent) + few
