"""Printed numbers of one arm that cannot hold together: the smallest sets, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from metaleptic.errors import DataError
from metaleptic.reconstruction.arm import Arm
from metaleptic.reconstruction.claims import Claims, claims_of, height
from metaleptic.reconstruction.relations import Claim, System, extreme, solvable, system
from metaleptic.reconstruction.smallest import contradictory_sets
from metaleptic.types import FloatArray

# Reading errors a height may be off before it contradicts a printed number.
_ERRORS = 5.0
_CURVE = "curve"


def contradictions(arm: Arm, claims: Claims) -> list[str]:
    """Return one sentence for each set of numbers that no patients can satisfy; the sets are as small as possible."""
    everything = names(claims)
    if write(claims, everything).met_by(claims.relations.counts(arm.events, arm.censored)):
        return []  # the patients themselves are the proof
    weights = {name: claims.single[name].weight if name != _CURVE else 1.0005 for name in everything}
    order = sorted(weights, key=weights.__getitem__)
    found, _ = contradictory_sets({name: weights[name] for name in order}, lambda some: holds(claims, some))
    return [in_words(claims, one) for one in found]


def arm_claims(arm: Arm, seen: float | None) -> Claims:
    """Return everything printed about an arm as claims.

    ``seen`` is the last point of the printed curve, None where a model stands in for it.
    """
    p = arm.published
    n = p.n if p.n is not None else p.at_risk.get(0.0)
    return claims_of(p, n, None if seen is None else arm.target, seen or 0.0)


def names(claims: Claims) -> list[str]:
    """Return the names of all claims, the curve being one."""
    return [*claims.single, *([_CURVE] if claims.curve else [])]


def chosen(claims: Claims, some: Collection[str], curve: Sequence[Claim] | None = None) -> list[Claim]:
    """Return the claims of these names, with what follows from several of them."""
    out = [claim for name, claim in claims.single.items() if name in some]
    out += [claim for needs, claim in claims.joint if needs <= set(some)]
    if _CURVE in some:
        out += claims.curve if curve is None else curve
    return out


def write(claims: Claims, some: Collection[str], curve: Sequence[Claim] | None = None) -> System:
    """Write the claims of these names as rows."""
    return system(claims.relations, chosen(claims, some, curve))


def holds(claims: Claims, some: Collection[str]) -> bool:
    """Say whether some patients satisfy the claims of these names."""
    return solvable(write(claims, some))


def refuse_impossible(arm: Arm) -> None:
    """Raise where numbers at risk lie far above what the curve leaves alive: a slip, not reading error."""
    where = f"arm {arm.name!r}: " if arm.name else ""
    for t, k in arm.published.at_risk.items():
        alive = height(arm.target, t, highest=True)
        if k > arm.n * (alive + _ERRORS * arm.target.error + 0.05) + 2:
            raise DataError(
                f"{where}at_risk {k} at time {t:g}, but the curve is at {alive:.3g} there: of n {arm.n} at most "
                f"{arm.n * alive:.0f} can be at risk. Check the table, n and the calibration of the axes."
            )


# --- words --------------------------------------------------------------------------------------

_LATER = frozenset({"rate", "median", "median_low", "median_high", "follow-up", "first time"})
_SPOKEN = ("events", "at risk", "ticks", "n", "first time", "follow-up", "median", "median_low", "median_high", "rate")


def in_words(claims: Claims, some: Collection[str]) -> str:
    """Say which numbers contradict each other, and why."""
    own = [claim for name, claim in claims.single.items() if name in some]
    own.sort(key=lambda c: _SPOKEN.index(c.key) if c.key in _SPOKEN else len(_SPOKEN))
    parts = [c.words for c in own]
    if _CURVE in some:
        parts.append(_curve_in_words(claims, some))
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    why = _why(claims, some)
    return f"{text}: {why}" if why else text


def _curve_in_words(claims: Claims, some: Collection[str]) -> str:
    """Name the heights of the curve that take part, those nearest in time to the other numbers if there is a choice."""
    own = [at for name in some if name != _CURVE for at in _positions(claims.single[name])]
    far = sorted(
        claims.curve, key=lambda c: min((abs(p - at) for p in _positions(c) for at in own), default=0), reverse=True
    )
    needed = list(claims.curve)
    for claim in far:
        rest = [c for c in needed if c is not claim]
        if rest and not solvable(write(claims, some, rest)):
            needed = rest
    if len(needed) > 2:
        return "the curve"
    return "the curve, which is at " + " and ".join(c.words for c in needed)


def _positions(claim: Claim) -> list[int]:
    return [row[0] for row in (*claim.heights, *claim.left)]


def _why(claims: Claims, some: Collection[str]) -> str:
    kinds = {claims.single[name].key if name != _CURVE else _CURVE for name in some}
    r = claims.relations
    if "events" in kinds:
        return _limit(claims, some, "events", r.deaths[r.end], "these {} events")
    if kinds & {"median_low", "median_high"}:
        why = _interval(claims, some)
        if why:
            return why
    if "at risk" in kinds:
        name = max((k for k in some if k.startswith("at risk at")), key=lambda k: claims.single[k].left[0][0])
        row = r.at_risk[claims.single[name].left[0][0]]
        return _limit(claims, some, name, row, "the others {} at risk at " + name.removeprefix("at risk at "))
    if "last time" in kinds and kinds & _LATER:
        return "nobody is followed so long"
    if "n" in kinds:
        return _limit(claims, some, "n", r.at_risk[0], "the others {} patients")
    if "rate" in kinds and kinds & {"median", "median_low", "median_high"}:
        return _rate_and_median(claims, some)
    return "survival cannot rise" if kinds == {"rate"} else ""


def _interval(claims: Claims, some: Collection[str]) -> str:
    """Say whether an interval of the median is too narrow or too wide, if it is its width that cannot be."""
    plain = [replace(c, wide=()) for c in chosen(claims, some)]
    if solvable(system(claims.relations, plain)):
        return "with so many patients an interval cannot be so wide"
    narrow = [c for c in chosen(claims, some) if not any(c is one for _, one in claims.joint)]
    if solvable(system(claims.relations, narrow)):
        return "with so few patients an interval cannot be so narrow"
    return ""


def _limit(claims: Claims, some: Collection[str], name: str, goal: FloatArray, words: str) -> str:
    """Return the least or greatest value that the other claims allow, whichever the printed one is beyond."""
    claim = claims.single[name]
    bounds = claim.whole or (claim.left or ((0, *claim.leave[0][3:]),))[0][1:]
    printed = float(bounds[0])
    found = write(claims, set(some) - {name})
    low, high = extreme(found, goal), extreme(found, -goal)
    if low is not None and np.isfinite(low) and printed < round(low):
        return words.format(f"need at least {round(low)}")
    if high is not None and np.isfinite(high) and printed > round(-high):
        return words.format(f"allow at most {abs(round(high))}")
    return ""


def _rate_and_median(claims: Claims, some: Collection[str]) -> str:
    rate = next(claims.single[name] for name in sorted(some) if name.startswith("rate at"))
    (_, low, _), *_ = rate.heights
    if low >= 0.5:
        return "after the median at most 0.5 survive"
    return "before the median at least 0.5 survive"
