"""Tetrachoric correlation: of two normal traits, each seen only as above or below a threshold.

Sources: Pearson K. Philos Trans R Soc A 1900;195:1-47; Kirk DB. Psychometrika 1973;38:259-268 (by quadrature); Hamdan MA. Biometrika
1970;57:212-215 and Brown MB. Appl Stat 1977;26:343-351 (variance); Owen DB. Ann Math Stat 1956;27:1075-1090 (bivariate normal).
"""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

STEPS = 60  # halvings of the interval from -1 to 1: the last digit


def bivariate_normal(h: FloatArray, k: FloatArray, r: FloatArray) -> FloatArray:
    """Return P(X < h, Y < k) of standard normals with correlation r, by Owen's T function."""
    h, k = (np.where(x == 0, 1e-300, x) for x in (h, k))
    root = np.sqrt((1 - r) * (1 + r))
    below = (special.ndtr(h) + special.ndtr(k)) / 2 - np.where(h * k < 0, 0.5, 0.0)
    return np.asarray(below - special.owens_t(h, (k / h - r) / root) - special.owens_t(k, (h / k - r) / root))


def tetrachoric(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the tetrachoric correlation of a two-by-two table and its variance; NaN where a cell is empty.

    The thresholds are those of the margins, the correlation that which gives the share of the first cell; the variance follows from
    the four shares by the delta method.
    """
    n = a + b + c + d
    h, k = special.ndtri((a + b) / n), special.ndtri((a + c) / n)
    low, high = np.full_like(h, -1.0), np.full_like(h, 1.0)
    for _ in range(STEPS):
        middle = (low + high) / 2
        less = bivariate_normal(h, k, middle) < a / n
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    r = np.where((a > 0) & (b > 0) & (c > 0) & (d > 0), (low + high) / 2, np.nan)
    left = (1 - r) * (1 + r)
    density = np.exp(-(h**2 - 2 * r * h * k + k**2) / (2 * left)) / (2 * np.pi * np.sqrt(left))
    by_row, by_column = special.ndtr((k - r * h) / np.sqrt(left)), special.ndtr((h - r * k) / np.sqrt(left))
    slopes = (1 - by_row - by_column, -by_row, -by_column)  # of the shares a, b, c; d has none
    mean = sum((s * x for s, x in zip(slopes, (a, b, c), strict=True)), np.zeros_like(h)) / n
    square = sum((s**2 * x for s, x in zip(slopes, (a, b, c), strict=True)), np.zeros_like(h)) / n
    return r, np.asarray((square - mean**2) / (n * density**2))


def fisher_z_of_tetrachoric(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return Fisher's z of the tetrachoric correlation (delta method)."""
    r, v = tetrachoric(a, b, c, d)
    return np.arctanh(r), v / ((1 - r) * (1 + r)) ** 2
