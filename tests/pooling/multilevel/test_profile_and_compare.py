"""Profile-likelihood intervals and likelihood-ratio tests agree with R's confint() and anova() where these succeed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_multilevel_golden import GOLDEN, golden_effects, golden_fit, off, unpacked

import metaleptic as ml
from metaleptic.errors import DataError, OptionError

PROFILES = [(name, x) for name, data in GOLDEN.items() for x in data.get("profiles", ())]


def test_the_grid_is_complete() -> None:
    """25 calls of confint() on 7 data sets; R found 63 of their 94 bounds."""
    assert len(PROFILES) == 25
    bounds = [b for _, x in PROFILES for i in x["intervals"] for b in i[1:3]]
    assert (len(bounds), sum(b is not None for b in bounds)) == (94, 63)


@pytest.mark.parametrize(("name", "x"), PROFILES, ids=[f"{n}-{x['fit']}" for n, x in PROFILES])
def test_profile_intervals_agree(name: str, x: dict[str, Any]) -> None:
    """Bounds to 1e-6; those that R marks as not reached, or could not find, are checked to lie beyond and on the profile."""
    fit = next(f for f in GOLDEN[name]["fits"] if f["id"] == x["fit"])
    ours = golden_fit(name, fit)
    found = ml.profile_interval(ours)
    assert list(found) == list(ours.variance_components)
    for estimate, (value, low, high, low_sign, high_sign) in zip(found.values(), x["intervals"], strict=True):
        assert off(estimate.value, value, 1e-4) < 1e-4
        assert estimate.low <= estimate.value <= estimate.high
        if low is not None:
            assert estimate.low <= low if low_sign == "<" else off(estimate.low, low, 1e-4) < 1e-6
        if high is not None:
            assert estimate.high >= high if high_sign == ">" else off(estimate.high, high, 1e-4) < 1e-6


@pytest.mark.parametrize(("component", "place"), [("tau2[AL]", 0), ("tau2[PD]", 1)])
def test_bounds_that_r_does_not_find_lie_on_the_profile(component: str, place: int) -> None:
    """Held at the bound and fitted anew, the log-likelihood is lower by half the quantile of chi-squared."""
    fit = next(f for f in GOLDEN["berkey1998"]["fits"] if f["id"] == "UN_REML")
    ours = golden_fit("berkey1998", fit)
    interval = ml.profile_interval(ours, component)[component]
    for bound in (interval.low, interval.high):
        held: list[float | None] = [None, None]
        held[place] = bound
        again = golden_fit("berkey1998", fit, tau2=held)
        assert ours.loglik - again.loglik == pytest.approx(3.841458820694124 / 2, abs=1e-7)


def test_profile_of_a_held_or_unknown_component_is_refused() -> None:
    """The message lists what there is."""
    e = golden_effects("konstantopoulos2011")
    fit = ml.pool_multilevel(e, random="~ 1 | district/school", sigma2=[0.05, None])
    assert list(ml.profile_interval(fit)) == ["sigma2[district/school]"]
    with pytest.raises(OptionError, match="held"):
        ml.profile_interval(fit, "sigma2[district]")
    with pytest.raises(OptionError, match="sigma2\\[district\\], sigma2\\[district/school\\]"):
        ml.profile_interval(fit, "tau2")


def test_likelihood_ratio_of_a_variance_agrees_with_r() -> None:
    """anova() of a fit with and without the variance of districts."""
    golden = GOLDEN["konstantopoulos2011"]["tests"]["LRT_district"]
    e = golden_effects("konstantopoulos2011")
    full = ml.pool_multilevel(e, random="~ 1 | district/school")
    without = ml.pool_multilevel(e, random="~ 1 | district/school", sigma2=[0, None])
    found = ml.compare(full, without)
    assert off(found.statistic, golden["LRT"]) < 1e-8
    assert off(found.p, golden["pval"]) < 1e-7
    assert (full.parameters, without.parameters) == (golden["parms.f"], golden["parms.r"])
    assert found.p_boundary == found.p / 2
    turned = ml.compare(without, full)
    assert (turned.statistic, turned.df, turned.p) == (found.statistic, found.df, found.p)
    assert np.isnan([found.r2, turned.r2]).all()


def test_likelihood_ratio_of_structures_and_contrast_agree_with_r() -> None:
    """UN against CS, no variance on its boundary; the difference of two outcomes."""
    golden = GOLDEN["berkey1998"]["tests"]
    e = golden_effects("berkey1998")
    given: dict[str, Any] = {"V": unpacked(GOLDEN["berkey1998"]["V"], 10), "moderators": "~ 0 + outcome"}
    free = ml.pool_multilevel(e, random="~ outcome | trial", struct="UN", test="z", **given)
    found = ml.compare(free, ml.pool_multilevel(e, random="~ outcome | trial", struct="CS", **given))
    assert off(found.statistic, golden["LRT_UN_CS"]["LRT"]) < 1e-7
    assert off(found.p, golden["LRT_UN_CS"]["pval"]) < 1e-7
    assert np.isnan(found.p_boundary)
    difference = ml.contrasts(free, [[1, -1]])
    assert off(difference.se, golden["contrast"]["se"]) < 1e-6
    assert off(difference.joint.statistic, golden["contrast"]["QM"]) < 1e-6
    assert off(difference.p, golden["contrast"]["QMp"], 1e-30) < 1e-4


def test_likelihoods_that_cannot_be_compared_are_refused() -> None:
    """REML with different moderators, ML with REML, other effects, moment estimators."""
    e = golden_effects("konstantopoulos2011")
    plain = ml.pool_multilevel(e, random="~ 1 | district")
    with pytest.raises(OptionError, match="restricted likelihoods of different moderators"):
        ml.compare(ml.pool_multilevel(e, random="~ 1 | district", moderators="~ year"), plain)
    with pytest.raises(OptionError, match="by ML and REML"):
        ml.compare(ml.pool_multilevel(e, random="~ 1 | district/school", method="ML"), plain)
    with pytest.raises(DataError, match="different effects"):
        ml.compare(ml.pool_multilevel(e.take(range(50)), random="~ 1 | district/school"), plain)
    with pytest.raises(OptionError, match="DL"):
        ml.compare(plain, ml.pool(e, tau2="DL"))
    with pytest.raises(OptionError, match="Compare their AICc"):
        ml.compare(plain, ml.pool_multilevel(e, random="~ 1 | school"))


def test_a_multilevel_fit_with_one_effect_per_group_is_the_univariate_fit() -> None:
    """The same likelihood, estimate and tau2 as ml.pool; their comparison has no parameter more."""
    e = golden_effects("konstantopoulos2011")
    ours = ml.pool_multilevel(e, random="~ 1 | study", test="z") if "study" in e.columns else None
    ours = ours or ml.pool_multilevel(e, random="~ 1 | row", data={"row": range(len(e))}, test="z")
    other = ml.pool(e, test="z")
    assert ours.beta[0] == pytest.approx(other.beta[0], rel=1e-9)
    assert next(iter(ours.sigma2.values())) == pytest.approx(other.tau2, rel=1e-8)
    assert ours.loglik == pytest.approx(other.loglik, abs=1e-9)
    assert ours.prediction is not None
    nothing = ml.pool_multilevel(e, method="ML")
    found = ml.compare(ml.pool(e, tau2="ML"), nothing)
    assert found.df == 1
    assert found.p < 1e-10
