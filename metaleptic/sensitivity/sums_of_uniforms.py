"""The distribution of the sum of independent uniform numbers (Irwin-Hall): exact up to 20 of them, normal beyond."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

EXACT = 20  # beyond, the alternating sum loses its digits and the normal distribution is near


def sum_cdf(x: float, k: int) -> float:
    """Return P(sum of k uniform numbers <= x). Source: Irwin JO; Hall P. Biometrika 1927;19:225-245."""
    if x <= 0:
        return 0.0
    if x >= k:
        return 1.0
    if k > EXACT:
        return float(special.ndtr((x - k / 2) / np.sqrt(k / 12)))
    if x > k / 2:  # the shorter sum keeps more digits
        return 1.0 - sum_cdf(k - x, k)
    terms = ((-1) ** j * math.comb(k, j) * (x - j) ** k for j in range(math.floor(x) + 1))
    return math.fsum(terms) / math.factorial(k)


def sum_quantile(q: float, k: int) -> float:
    """Return the sum below which it lies with probability q."""
    return float(optimize.brentq(lambda x: sum_cdf(x, k) - q, 0.0, float(k), xtol=1e-13))
