"""Distribution of a sum of squared standard normals with positive weights, exact to about 1e-11.

The Laplace transform of the distribution function is inverted along a cotangent contour around its cut on the negative
axis. Source: Trefethen LN, Weideman JAC, Schmelzer T. BIT Numer Math 2006;46:653-670, equation 3.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def distribution(q: Any, eigenvalues: Any) -> Any:
    """Return P(sum of eigenvalue * chi2(1) <= q); q of shape (...), eigenvalues >= 0 of shape (..., m)."""
    q, lam = np.asarray(q, dtype=np.float64), np.asarray(eigenvalues, dtype=np.float64)
    z, weight = _contour(lam.shape[-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = 2 * lam / q[..., None]
        inside = np.log1p(z[:, None] * scaled[..., None, :]).sum(axis=-1)
        value = np.imag(weight * np.exp(z - 0.5 * inside)).sum(axis=-1)
    return np.where(q > 0, np.clip(value, 0, 1), 0.0)


def _contour(m: int) -> tuple[Any, Any]:
    """Return nodes (the upper half; the lower one mirrors it) and weights: a larger contour for more terms.

    Size and number of nodes were chosen by comparison with the chi-squared distribution for m from 1 to 1000.
    """
    size = 32 * max(1.0, m / 24) ** 0.55
    nodes = 2 * int(max(24, size * (1 + m / 600)))
    theta = np.pi * np.arange(1, nodes, 2) / nodes
    cot = 1 / np.tan(0.6407 * theta)
    z = size * (0.5017 * theta * cot - 0.6122 + 0.2645j * theta)
    slope = size * (0.5017 * cot - 0.5017 * 0.6407 * theta / np.sin(0.6407 * theta) ** 2 + 0.2645j)
    return z, 2 / nodes * slope / z
