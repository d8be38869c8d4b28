"""Tetrachoric correlations: the bivariate normal, its root, its variance, and what happens at empty cells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

import metaleptic as ml
from metaleptic.convert.tetrachoric import bivariate_normal, tetrachoric
from metaleptic.errors import ExcludedRowsWarning

COLUMNS = {"events1": "x", "n1": "n", "events2": "x0", "n2": "n0"}


@pytest.mark.parametrize(("h", "k", "r"), [(0.3, -0.4, 0.5), (-1.2, -0.7, -0.8), (0.0, 1.0, 0.3), (0.0, 0.0, -0.6)])
def test_bivariate_normal(h: float, k: float, r: float) -> None:
    """As scipy integrates it; at two medians 1/4 + arcsin(r)/(2 pi)."""
    found = bivariate_normal(*(np.array([x]) for x in (h, k, r)))[0]
    assert found == pytest.approx(stats.multivariate_normal.cdf([h, k], cov=[[1, r], [r, 1]]), abs=1e-6)
    if h == k == 0:
        assert found == pytest.approx(0.25 + np.arcsin(r) / (2 * np.pi), abs=1e-14)


def test_the_root_is_exact() -> None:
    """Tables made from a correlation give it back, and every table its first cell, to the last digits."""
    rng = np.random.default_rng(4)
    a, b, c, d = rng.integers(1, 400, (4, 50)).astype(float)
    n = a + b + c + d
    r, _ = tetrachoric(a, b, c, d)
    h, k = special.ndtri((a + b) / n), special.ndtri((a + c) / n)
    assert bivariate_normal(h, k, r) == pytest.approx(a / n, abs=1e-14)
    even = np.array([1 / 4 + np.arcsin(0.6) / (2 * np.pi)])
    assert tetrachoric(even, 0.5 - even, 0.5 - even, even)[0] == pytest.approx([0.6])


def test_the_variance_is_that_of_drawn_tables() -> None:
    """4,000 tables of 400 patients with a correlation of 0.5."""
    rng = np.random.default_rng(5)
    shares = np.array([0.2830348, 0.0, 0.0, 0.0])
    h, k = 0.3, -0.4
    shares[1], shares[2] = special.ndtr(h) - shares[0], special.ndtr(k) - shares[0]
    shares[3] = 1 - shares.sum()
    a, b, c, d = rng.multinomial(400, shares, 4000).T.astype(float)
    r, v = tetrachoric(a, b, c, d)
    assert r.mean() == pytest.approx(0.5, abs=0.01)
    assert v.mean() == pytest.approx(r.var(), rel=0.08)


def test_an_empty_cell_has_none_unless_something_is_added() -> None:
    """The row is left out with its reason; a correction that is asked for is named."""
    t = {"study": ["A", "B"], "x": [4, 0], "n": [60, 20], "x0": [11, 2], "n0": [70, 20]}
    with pytest.warns(ExcludedRowsWarning, match=r"B \(row 2\): .* left uncorrected"):
        found = ml.two_by_two(t, **COLUMNS, measure="RTET")
    assert len(found) == 1
    z = ml.two_by_two(t, **COLUMNS, measure="ZTET", correct="empty")
    assert z.y[0] == pytest.approx(np.arctanh(found.y[0]))
    assert "added" in z.how[1]
