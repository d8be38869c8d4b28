"""The p-curve: its tests worked out by hand, its error rates, its power estimate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

import metaleptic as ml
from metaleptic.errors import NotEstimableError
from metaleptic.sensitivity.p_curve import power_curve


def _effects(z: list[float]) -> ml.Effects:
    return ml.effects(z, np.ones(len(z)))


def test_right_skew_is_stouffers_sum() -> None:
    z = [2.1, 2.6, 3.2, 2.3, 0.4]
    found = ml.p_curve(_effects(z))
    p = 2 * stats.norm.sf(np.array(z[:4]))
    assert found.z_right == pytest.approx(stats.norm.ppf(p / 0.05).sum() / 2)
    half = p[p < 0.025]
    assert found.z_right_half == pytest.approx(stats.norm.ppf(half / 0.025).sum() / np.sqrt(len(half)))
    assert found.used.tolist() == [True] * 4 + [False]
    assert found.p_right_binomial == pytest.approx(stats.binom.sf(len(half) - 1, 4, 0.5))


def test_flatness_is_judged_against_a_third_of_power() -> None:
    z = np.array([2.1, 2.6, 3.2, 2.3])

    def power(shift: float) -> float:
        return float(stats.norm.sf(1.959963984540054 - shift) + stats.norm.cdf(-1.959963984540054 - shift))

    shift = float(optimize.brentq(lambda m: power(m) - 1 / 3, 0, 5, xtol=1e-14))
    beyond = stats.norm.sf(z - shift) + stats.norm.cdf(-z - shift)
    expected = stats.norm.ppf(1 - 3 * beyond).sum() / 2
    assert ml.p_curve(_effects(z.tolist())).z_flat == pytest.approx(expected, abs=1e-9)
    assert power_curve().sum() == pytest.approx(1)


def test_sign_does_not_matter_and_direction_of_power_does() -> None:
    z = [2.1, 2.6, 3.2, 2.3]
    one, two = ml.p_curve(_effects(z)), ml.p_curve(_effects([-v for v in z]))
    assert one.z_right == two.z_right
    assert one.power_low < one.power < one.power_high
    assert ml.p_curve(_effects([5.0, 6.0, 7.0])).power > 0.95
    assert ml.p_curve(_effects([1.97, 1.98, 1.99])).power == 0.05


@pytest.mark.parametrize(("mean", "share"), [(0.0, 0.05), (2.2, 0.5987)])
def test_power_and_error_rates(mean: float, share: float) -> None:
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(150):
        z = rng.normal(mean, 1, 600)
        z = z[np.abs(z) > 1.959964][:25]
        found = ml.p_curve(_effects(z.tolist()))
        rows.append((found.p_right < 0.05, found.power, found.power_low <= share <= found.power_high))
    right, power, covered = np.mean(rows, axis=0)
    if mean == 0:
        assert right < 0.10
        assert power < 0.12
    else:
        assert right > 0.95
        assert power == pytest.approx(share, abs=0.05)
        assert 0.84 <= covered <= 0.96


def test_says_what_it_found() -> None:
    assert "right-skewed" in ml.p_curve(_effects([3.5, 4.2, 3.8, 2.9])).sentence
    assert "no evidence" in ml.p_curve(_effects([1.98, 2.0, 2.02, 1.99, 2.01])).sentence
    with pytest.raises(NotEstimableError, match="none of 2 studies"):
        ml.p_curve(_effects([0.1, 0.2]))
    frame = ml.p_curve(_effects([2.5, 0.3])).to_frame()
    assert frame["in_curve"].tolist() == [True, False]
