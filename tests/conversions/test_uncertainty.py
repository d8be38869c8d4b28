"""SE, SD, interval, p and t into each other."""

import numpy as np
import pytest
from scipy import stats

from metaleptic import conversions as cv
from metaleptic.errors import DataError, OptionError


def test_wald_conversions_agree_with_metafor() -> None:
    """conv.wald: variances from intervals at two levels, p values and z values."""
    out, low, high = np.log([0.8, 1.2, 2.2]), np.log([0.5, 0.9, 1.1]), np.log([1.3, 1.6, 4.4])
    assert cv.se_from_interval(low, high) ** 2 == pytest.approx(
        [0.059417669445005684, 0.021544152540257461, 0.12507045795466495], rel=1e-10
    )
    assert cv.se_from_interval(low[:2], high[:2], level=0.9) ** 2 == pytest.approx(
        [0.084364023076066025, 0.030589408824639442], rel=1e-10
    )
    assert cv.se_from_p([0.2, -0.3, 0.5], [0.04, 0.2, 0.001]) ** 2 == pytest.approx(
        [0.0094834268615472655, 0.054798710433996985, 0.023089214700656783], rel=1e-10
    )
    assert cv.se_from_t([0.2, -0.3, 0.5], [2, -1.1, 3.3]) ** 2 == pytest.approx([0.01, 0.09 / 1.21, 0.25 / 10.89])
    assert cv.p_from_interval(out, low, high) == pytest.approx(
        2 * stats.norm.sf(np.abs(out / cv.se_from_interval(low, high)))
    )


def test_delta_method_agrees_with_metafor() -> None:
    """conv.delta for exp and tanh, slope taken numerically; a slope given by hand is the same."""
    y, v = [0.2, 0.5, -0.3], [0.04, 0.02, 0.1]
    assert cv.delta_method(y, v, np.exp)[1] == pytest.approx(
        [0.059672987907428796, 0.054365636568918643, 0.054881163608629879], rel=1e-9
    )
    found, variance = cv.delta_method(y, v, np.tanh)
    assert found == pytest.approx([0.19737532022490401, 0.46211715726000974, -0.2913126124515909], rel=1e-12)
    assert variance == pytest.approx([0.036944144603376763, 0.012370000734215229, 0.083747565890799999], rel=1e-8)
    assert cv.delta_method(y, v, np.exp, np.exp)[1] == pytest.approx(cv.delta_method(y, v, np.exp)[1], rel=1e-10)


@pytest.mark.parametrize("df", [None, 9])
def test_interval_se_p_are_one(df: int | None) -> None:
    """Interval -> SE -> p -> SE -> interval returns, with the normal and the t distribution."""
    low, high = cv.interval_from_se(1.7, 0.6, df=df)
    assert cv.se_from_interval(low, high, df=df) == pytest.approx(0.6, rel=1e-12)
    p = cv.p_from_interval(1.7, low, high, df=df)
    assert cv.se_from_p(1.7, p, df=df) == pytest.approx(0.6, rel=1e-10)
    assert cv.se_from_p(1.7, p / 2, df=df, one_sided=True) == pytest.approx(0.6, rel=1e-10)
    if df is not None:
        assert 1.7 / cv.t_from_p(p, df) == pytest.approx(0.6, rel=1e-10)


def test_sd_of_patients() -> None:
    """A t interval of a mean gives back the SD; a pooled SD from the interval of a difference too."""
    x = np.array([3.0, 5.5, 4.0, 8.0, 6.5])
    low, high = stats.t.interval(0.95, 4, x.mean(), stats.sem(x))
    assert cv.sd_from_interval(low, high, 5) == pytest.approx(x.std(ddof=1), rel=1e-10)
    assert cv.sd_from_se(cv.se_from_sd(2.0, 16), 16) == 2.0
    half = stats.t.ppf(0.975, 18) * 2.5 * np.sqrt(1 / 8 + 1 / 12)
    assert cv.pooled_sd_from_difference(1 - half, 1 + half, 8, 12) == pytest.approx(2.5, rel=1e-12)
    with pytest.raises(OptionError, match='Choose "t" or "normal"'):
        cv.sd_from_interval(1, 2, 5, distribution="z")


def test_combined_groups_are_the_patients_together() -> None:
    """Mean, SD and n of two groups equal those of their patients in one group."""
    a, b = np.array([1.0, 4.0, 2.5]), np.array([7.0, 3.0, 5.0, 8.5])
    both = np.concatenate([a, b])
    found = cv.combine_groups(a.mean(), a.std(ddof=1), 3, b.mean(), b.std(ddof=1), 4)
    assert found == pytest.approx((both.mean(), both.std(ddof=1), 7), rel=1e-12)


def test_impossible_numbers_are_refused() -> None:
    """A p of 0 and a level of 95 are slips."""
    with pytest.raises(DataError, match="a p value lies between 0 and 1"):
        cv.se_from_p(1.0, 0.0)
    with pytest.raises(OptionError, match=r"Write 0\.95 for 95%"):
        cv.se_from_interval(1, 2, level=95)
