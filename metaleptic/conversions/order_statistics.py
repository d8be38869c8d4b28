"""Best linear unbiased mean and standard deviation of normal data from the order statistics that a summary prints.

Generalised least squares of the printed numbers on 1 and the expected normal order statistics, which are taken with
their covariance from the expansions of David FN, Johnson NL. Biometrika 1954;41:228-240.
Source: Yang X, Hutson AD, Wang D. J Appl Stat 2022;49:3846-3867.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

SUMMARIES = ((0, 1, 2, 3, 4), (1, 2, 3), (0, 2, 4))


def blue(
    low: FloatArray, q1: FloatArray, mid: FloatArray, q3: FloatArray, high: FloatArray, n: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean and SD from all five numbers, quartiles or extremes, whichever are there; NaN with under 5 patients."""
    printed = np.stack([low, q1, mid, q3, high], axis=-1)
    out = np.full((*n.shape, 2), np.nan)
    for summary in SUMMARIES:
        x = printed[..., summary]
        here = np.isfinite(x).all(axis=-1) & np.isnan(out[..., 0]) & (n >= 5)
        if here.any():
            out[here] = _least_squares(x[here], *_order_statistics(_ranks(n[here])[:, summary], n[here]))
    return out[..., 0], out[..., 1]


def _ranks(n: FloatArray) -> FloatArray:
    """Return which patients in order of size the five numbers are: shape (rows, 5)."""
    inner = np.floor(n[:, None] * np.array([0.25, 0.5, 0.75])) + 1
    return np.column_stack([np.ones_like(n), inner, n])


def _order_statistics(rank: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return expectations (rows, m) and covariances (rows, m, m) of normal order statistics, to the order 1/(n + 2)^2."""
    p, size = rank / (n[:, None] + 1), n[:, None] + 2
    q, z = 1 - p, special.ndtri(p)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    first, second = 1 / density, z / density**2
    third, fourth = (1 + 2 * z**2) / density**3, z * (7 + 6 * z**2) / density**4
    mean = z + p * q / (2 * size) * second + p * q / size**2 * ((q - p) * third / 3 + p * q * fourth / 8)
    lean, bend = (q - p) * second, p * q * third / 2
    lower, upper = np.minimum(p[:, :, None], p[:, None]), np.minimum(q[:, :, None], q[:, None])
    size = size[..., None]

    def crossed(a: FloatArray, b: FloatArray) -> FloatArray:
        return a[:, :, None] * b[:, None]

    curved = crossed(lean + bend, first) + crossed(first, lean + bend) + lower * upper * crossed(second, second) / 2
    return mean, lower * upper / size * (crossed(first, first) + curved / size)


def _least_squares(x: FloatArray, mean: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the intercept (mean) and slope (SD) of generalised least squares, row by row."""
    design = np.stack([np.ones_like(mean), mean], axis=-1)
    across = np.swapaxes(design, -1, -2)
    weighted = np.linalg.solve(covariance, np.concatenate([design, x[..., None]], axis=-1))
    return np.linalg.solve(across @ weighted[..., :2], across @ weighted[..., 2:])[..., 0]
