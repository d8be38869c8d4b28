"""Distributions tabulated on a grid: against scipy's."""

import numpy as np
import pytest
from scipy import stats

from metaleptic.bayes.real import real_density, sinh_grid


@pytest.mark.parametrize("dist", [stats.norm(2, 0.3), stats.gumbel_r(0, 1), stats.logistic(-3, 2), stats.t(5)])
def test_everything_asked_of_a_density(dist):
    grid = sinh_grid(dist.mean(), 4 * dist.std(), 0.1 * dist.std(), dist.ppf(1e-17), dist.isf(1e-17))
    d = real_density(grid, 7 * dist.pdf(grid.x))
    p = np.array([1e-6, 0.025, 0.3, 0.5, 0.9, 0.999])
    assert d.quantile(p) == pytest.approx(dist.ppf(p), abs=1e-7)
    x = dist.ppf(p)
    assert d.cdf(x) == pytest.approx(p, rel=1e-6)
    assert d.sf(x) == pytest.approx(1 - p, rel=1e-6)
    assert d.pdf(x) == pytest.approx(dist.pdf(x), rel=1e-6)
    assert d.mean == pytest.approx(dist.mean(), abs=1e-7)
    assert d.sd == pytest.approx(dist.std(), rel=1e-5)
    low, high = d.shortest(0.9)
    assert d.cdf(high) - d.cdf(low) == pytest.approx(0.9, abs=1e-9)
    assert dist.pdf(low) == pytest.approx(dist.pdf(high), rel=1e-6)
    assert dist.pdf(d.mode()) == pytest.approx(dist.pdf(d.mode() + np.linspace(-0.1, 0.1, 201)).max(), rel=1e-9)


def test_far_outside_there_is_nothing():
    grid = sinh_grid(0, 4, 0.1, -9, 9)
    d = real_density(grid, stats.norm.pdf(grid.x))
    assert d.pdf(np.array([-50.0, 50.0])).tolist() == [0, 0]
    assert d.cdf(np.array([-50.0, 50.0])) == pytest.approx([0, 1], abs=1e-15)
    assert d.quantile(np.array([0.0, 1.0])).tolist() == [-np.inf, np.inf]
