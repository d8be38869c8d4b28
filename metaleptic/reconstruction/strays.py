"""Points that cannot belong to a falling curve: one or two are set aside by name, more are refused by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metaleptic.errors import DataError, SuspiciousDataWarning
from metaleptic.patients import Curve
from metaleptic.types import BoolArray, FloatArray
from metaleptic.warn import warn

IntArray = NDArray[np.int64]

# Heights above this are percentages.
PERCENT = 1.5

# Two points contradict each other where the later one lies so much higher, with so much of the axis between them: more
# than reading error or swapped corners of one drop explain.
_RISE, _APART = 0.1, 0.03
# A stray contradicts at least so many others; of two points that contradict each other alone, either may be wrong.
_ALONE = 3
# At most so many points, and so large a share of them, are set aside.
_FEW, _SHARE = 2, 0.1
# Where more of the points contradict others, sorting would invent a curve.
_MIXED = 0.3
# Up to this share of the points, those that are refused are called strays, not points of another curve.
_SINGLE = 0.2
_NAMED = 5


def without_strays(
    curve: Curve, t: FloatArray, s: FloatArray, order: IntArray, corrections: list[str], name: str
) -> IntArray:
    """Return the places (in points sorted by time) of all points but strays; name those set aside, refuse many.

    ``order`` holds the place of each sorted point in ``curve``, by which it is named.
    """
    everyone = np.arange(len(t))
    if not (s > np.minimum.accumulate(s) + _RISE).any():
        return everyone
    clash = _clashes(t, s)
    found = _worst(clash)
    if 0 < len(found) <= min(_FEW, int(_SHARE * len(t))):
        _set_aside(curve, order, clash, found, corrections, name)
        return np.setdiff1d(everyone, found)
    if found or float(clash.any(axis=0).mean()) > _MIXED:
        raise DataError(f"{name}{_refusal(curve, order, clash, found)}")
    return everyone


def refuse_mixed_units(curve: Curve, name: str) -> None:
    """Refuse a few percentages among proportions: read as percentages, nearly everyone would have died at once."""
    order = np.argsort(curve.time, kind="stable")
    large = curve.survival > PERCENT
    rest = curve.survival[order][~large[order]]
    few = 0 < large.sum() <= max(_FEW, _SHARE * len(large))
    if few and not large[order[0]] and 0.5 <= rest[0] >= rest[-1] and len(rest) > 1:
        places = ", ".join(_named(curve, int(i)) for i in np.flatnonzero(large))
        raise DataError(f"{name}{places}: above 1, while the others are proportions. Was it typed as a percentage?")


def _clashes(t: FloatArray, s: FloatArray) -> BoolArray:
    """Say which pairs of points contradict each other; symmetric."""
    above: BoolArray = (s[None, :] > s[:, None] + _RISE) & (t[None, :] > t[:, None] + _APART * t[-1])
    return np.logical_or(above, above.T)


def _worst(clash: BoolArray) -> list[int]:
    """Return the points to remove until none contradicts ``_ALONE`` others, the worst first.

    While a set of at most ``_FEW`` points resolves all clashes, each of its members that clashes with more than that many
    is in every such set: what is found is then the smallest set.
    """
    left, out = clash.sum(axis=0), list[int]()
    while left.max() >= _ALONE:
        i = int(left.argmax())
        out.append(i)
        left = left - clash[i]
        left[out] = 0
    return out


def _set_aside(
    curve: Curve, order: IntArray, clash: BoolArray, found: list[int], corrections: list[str], name: str
) -> None:
    for i in sorted(found, key=lambda i: int(order[i])):
        others = curve.survival[order[clash[i]]]
        where = "above" if curve.survival[order[i]] > np.median(others) else "below"
        text = f"{_named(curve, int(order[i]))} lies far {where} its neighbours and was set aside"
        corrections.append(text)
        warn(
            SuspiciousDataWarning, f"{name}{text}. If it is right, others are wrong: look at the overlay of ml.km_plot."
        )


def _refusal(curve: Curve, order: IntArray, clash: BoolArray, found: list[int]) -> str:
    total = len(order)
    if found and len(found) <= max(_FEW, _SINGLE * total):
        lies, them = ("points lies", "it") if len(found) == 1 else ("points lie", "them")
        return (
            f"{len(found)} of {total} {lies} far above or below the falling curve of the others: "
            f"{_places(curve, order, found)}. Correct or remove {them}."
        )
    worst = f" The worst: {_places(curve, order, found)}." if found else ""
    return (
        f"{int(clash.any(axis=0).sum())} of {total} points lie far above an earlier one or far below a later one; survival "
        f"falls. Are the points of two curves mixed?{worst}"
    )


def _places(curve: Curve, order: IntArray, found: list[int]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(_named(curve, int(order[i])) for i in found[:_NAMED]) + more


def _named(curve: Curve, i: int) -> str:
    return f"point {i + 1} ({curve.time[i]:.4g}, {curve.survival[i]:.4g})"
