"""Where the names of the arms fit: a corner that no curve, band or point reaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metaleptic.plots.km_layout import Corner, KMArm


def free_corner(arms: Sequence[KMArm], width: float, height: float) -> Corner | None:
    """Return the upper left end of a free box of this size, or None; all are fractions of the plotting area.

    Curves that fall leave room at the upper right or the lower left, curves that stay high below them.
    """
    right, low = 1 - width, 1 - height
    for x, y in ((right, 0.0), (0.02, low), (right, low), (right / 2, 0.0)):
        if x >= 0 and y >= 0 and not any(_reaches(arm, x, y, x + width, y + height) for arm in arms):
            return x, y
    return None


def _reaches(arm: KMArm, left: float, top: float, right: float, bottom: float) -> bool:
    outline = np.array(arm.band).reshape(-1, 2)
    for corners in (np.array(arm.line), np.vstack([outline, outline[:1]])):
        a, b = corners[:-1], corners[1:]
        low, high = np.minimum(a, b), np.maximum(a, b)  # pieces run along the axes: they are boxes without width
        if ((low <= (right, bottom)) & (high >= (left, top))).all(axis=1).any():
            return True
    spots = np.array([*arm.points, *arm.marks]).reshape(-1, 2)
    if ((spots >= (left, top)) & (spots <= (right, bottom))).all(axis=1).any():
        return True
    return _inside(outline, (left + right) / 2, (top + bottom) / 2)


def _inside(outline: np.ndarray, x: float, y: float) -> bool:
    """Say whether a place lies inside: a ray to the right then crosses the outline an odd number of times."""
    if not len(outline):
        return False
    a, b = outline, np.roll(outline, -1, axis=0)
    crossed = ((a[:, 1] > y) != (b[:, 1] > y)) & (np.maximum(a[:, 0], b[:, 0]) > x)
    return bool(crossed.sum() % 2)
