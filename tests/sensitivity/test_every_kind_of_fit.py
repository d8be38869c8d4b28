"""Cumulative analysis and all subsets of every kind of fit: each step is the model fitted to those studies."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sensitivity_golden import effects_of

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.sensitivity.cumulative_coefficients import CumulativeCoefficients

PROPORTIONS = {"study": list("ABCDE"), "x": [0, 3, 5, 9, 2], "n": [10, 20, 22, 30, 15]}


@pytest.fixture(autouse=True)
def _few_studies_are_no_news():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ml.errors.MetalepticWarning)
        yield


def _bcg() -> ml.Effects:
    return effects_of("bcg_OR")


def _latitude(effects: ml.Effects) -> dict[str, list[float]]:
    from sensitivity_golden import load

    return {"ablat": load("data")["bcg_OR"]["ablat"]}


@pytest.mark.parametrize("kind", ["regression", "bayes", "multilevel"])
def test_a_cumulative_step_is_the_fit_to_the_studies_so_far(kind):
    effects = _bcg()
    moderators = _latitude(effects)
    make = {
        "regression": lambda e, x: ml.pool(e, moderators=x),
        "bayes": lambda e, x: ml.pool_bayes(e, moderators=x),
        "multilevel": lambda e, x: ml.pool_multilevel(e, random="~ 1 | study"),
    }[kind]
    whole = make(effects, moderators)
    found = ml.cumulative(whole)
    assert isinstance(found, CumulativeCoefficients)
    at = list(range(9))
    again = make(effects.take(at), {"ablat": moderators["ablat"][:9]})
    expected = [b.median for b in again.beta] if kind == "bayes" else again.beta
    np.testing.assert_allclose(found.beta[8], expected, rtol=1e-6)
    np.testing.assert_allclose(found.beta[-1], found.whole[0], rtol=1e-6)
    frame = found.to_frame()
    assert len(frame) == effects.y.size * len(found.names)
    lost = np.isnan(frame["estimate"])
    assert lost.any()
    assert set(frame["reason"][lost]) == {"not estimable from the studies so far"}
    assert "Adding one at a time in the order of the table" in found.sentence
    assert ml.plot(found).layout is not None


def test_a_subset_of_a_regression_is_the_regression_of_the_subset():
    effects, x = _bcg(), _latitude(_bcg())
    found = ml.all_subsets(ml.pool(effects, moderators=x))
    assert found.skipped + len(found.k) == 2**13 - 1
    assert found.term == "ablat"
    at = [0, 2, 3, 6, 9, 12]
    code = sum(1 << (12 - i) for i in at)
    again = ml.pool(effects.take(at), moderators={"ablat": [x["ablat"][i] for i in at]})
    row = int(np.flatnonzero(found.code == code)[0])
    assert found.estimate[row] == pytest.approx(float(again.beta[1]), rel=1e-7)
    assert found.tau2[row] == pytest.approx(again.tau2, rel=1e-6, abs=1e-9)
    assert "from which it can be estimated, the coefficient of ablat" in found.sentence
    assert ml.plot(found).alt == found.sentence


def test_a_category_that_a_subset_lacks_is_skipped_not_guessed():
    effects = ml.effects([0.1, 0.2, 0.5, 0.3, 0.4], [0.02] * 5, study=list("12345"))
    found = ml.all_subsets(ml.pool(effects, moderators={"group": ["a", "a", "a", "b", "b"]}))
    with_both = (found.contains("1") | found.contains("2") | found.contains("3")) & (
        found.contains("4") | found.contains("5")
    )
    assert with_both.all()
    assert found.k.min() == 3


def test_subsets_of_counts_and_posteriors_are_fitted_one_by_one():
    counts = ml.proportions(PROPORTIONS, events="x", n="n")
    for fit in (ml.pool(counts, model="binomial-normal"), ml.pool_bayes(counts)):
        found = ml.all_subsets(fit)
        assert found.skipped + len(found.k) == 31
        row = int(np.flatnonzero(found.code == 0b01110)[0])
        part = counts.take([1, 2, 3])
        again = ml.pool_bayes(part, tau=fit.prior) if hasattr(fit, "prior") else ml.pool(part, model="binomial-normal")
        expected = again.mu.median if hasattr(again, "mu") else float(again.beta[0])
        assert found.estimate[row] == pytest.approx(expected, rel=1e-6)
        assert not found.to_frame().isna().any().any()
        assert ml.plot(found).alt == found.sentence


def test_what_is_refused_says_what_to_do():
    effects = _bcg()
    multilevel = ml.pool_multilevel(effects, random="~ 1 | study")
    with pytest.raises(OptionError, match=r"ml\.cumulative"):
        ml.trim_and_fill(multilevel)
    for ask in (ml.p_curve, ml.p_uniform, ml.copas, ml.multiverse):
        with pytest.raises(OptionError, match=r"needs independent effects.*average each cluster first"):
            ask(multilevel)
        with pytest.raises(OptionError, match="asked of one pooled effect"):
            ask(ml.pool(effects, moderators=_latitude(effects)))
    for ask in (ml.small_study, ml.rank_test, ml.henmi_copas, ml.fail_safe_n, ml.pet_peese):
        assert ask(ml.pool_bayes(effects)).sentence == ask(effects).sentence
    assert ml.p_curve(ml.pool_bayes(effects)).used.tolist() == ml.p_curve(effects).used.tolist()
    with pytest.raises(NotEstimableError, match="at least 3"):
        ml.all_subsets(ml.pool_bayes(effects.take([0, 1])))


def test_small_studies_of_a_multilevel_fit_are_asked_in_its_model():
    """rma.mv(yi, vi, mods = ~ sqrt(vi), random = ~ 1 | district/school, test = "t") of metafor 5.1 on Konstantopoulos 2011."""
    schools = ml.datasets.load("school_calendars").table()
    e = ml.effects(schools["smd"], schools["v"], measure="SMD", study=schools["study"])
    fit = ml.pool_multilevel(e, random="~ 1 | district/school", data=schools)
    found = ml.small_study(fit)
    assert (found.bias, found.bias_se, found.p) == pytest.approx(
        (-0.984632761959, 0.83556183369, 0.243800792092), rel=1e-6
    )
    assert (found.limit.value, found.limit.low) == pytest.approx((0.320096119246, 0.0320411456015), rel=1e-5)
    assert found.sentence.startswith("Egger's test in the multilevel model: t(54) = −1.18, p = 0.24.")
    assert ml.plot(found).layout is not None
    with pytest.raises(OptionError, match='there is test="egger" alone'):
        ml.small_study(fit, test="begg")


def test_e_value_of_a_multilevel_ratio():
    """That of the same estimate; with moderators there is no one ratio."""
    e = _bcg()
    fit = ml.pool_multilevel(e, random="~ 1 | study")
    assert ml.e_value(fit).value == pytest.approx(ml.e_value(ml.pool(e, test="t")).value, rel=1e-4)
    with pytest.raises(OptionError, match="no one ratio"):
        ml.e_value(ml.pool_multilevel(e, random="~ 1 | study", moderators=_latitude(e)))


def test_share_of_settings_of_a_posterior():
    """The median and the interval of the share are those of draws from the posterior; its mean is the chance of a new study."""
    fit = ml.pool_bayes(_bcg())
    found = ml.proportion_beyond(fit, 0.8)
    n = fit.nodes
    rng = np.random.default_rng(5)
    at = rng.choice(n.tau.size, 200_000, p=n.weight / n.weight.sum())
    mu = rng.normal(n.mean[at], n.sd[at])
    from scipy import special

    share = special.ndtr((np.log(0.8) - mu) / n.tau[at])
    expected = np.quantile(share, [0.5, 0.025, 0.975])
    np.testing.assert_allclose([found.value, found.low, found.high], expected, atol=0.004)
    assert found.new_study == pytest.approx(share.mean(), abs=0.003)
    assert found.new_study == pytest.approx(fit.probability(below=0.8, of="prediction"), abs=1e-12)
    assert "95% CrI" in found.sentence
    assert ml.plot(found).layout is not None
    above = ml.proportion_beyond(fit, 0.8, side="above")
    assert above.value == pytest.approx(1 - found.value, abs=1e-5)
    counts = ml.pool_bayes(ml.proportions(PROPORTIONS, events="x"), model="beta-binomial")
    with pytest.raises(OptionError, match="exact posterior of normal random effects"):
        ml.proportion_beyond(counts, 0.3)


def test_subsets_of_a_multilevel_fit_are_its_model_fitted_to_them():
    """Every subset of at least two effects; the estimate and tau are those of the model fitted to the subset itself."""
    y, study = [0.1, 0.2, 0.15, 0.12, 0.18, 2.0, 0.1], list("AABBCDD")
    e = ml.effects(y, [0.02] * 7, study=study, measure="MD", columns={"x": [0, 1, 0, 1, 0, 1, 1]})
    fit = ml.pool_multilevel(e, random="~ 1 | study")
    found = ml.all_subsets(fit)
    assert len(found.k) == 2**7 - 1 - 7
    assert found.splitting == ("D (row 6)",)
    for code in (0b1101101, 0b0111011):
        rows = [i for i in range(7) if code >> (6 - i) & 1]
        again = ml.pool_multilevel(e.take(rows), random="~ 1 | study")
        at = list(found.code).index(code)
        assert found.estimate[at] == pytest.approx(again.beta[0], abs=1e-6)
        assert np.sqrt(found.tau2[at]) == pytest.approx(again.tau.value, abs=1e-5)
    assert found.contains("A (row 1)").sum() == 2**6 - 1
    assert ml.plot(found).layout is not None
    moderated = ml.all_subsets(ml.pool_multilevel(e, random="~ 1 | study", moderators="~ x"), most=40)
    assert moderated.term == "x"
    assert ml.plot(moderated).layout is not None


def test_subsets_of_a_bayesian_regression_are_its_model_fitted_to_them():
    """The median of the coefficient in a subset; subsets that cannot tell it are skipped; how many of how many is said."""
    effects, x = _bcg().take(range(8)), {"ablat": _latitude(_bcg())["ablat"][:8]}
    fit = ml.pool_bayes(effects, moderators=x)
    found = ml.all_subsets(fit, most=40)
    assert found.term == "ablat"
    for row in (3, 11):
        at = [i for i in range(8) if found.code[row] >> (7 - i) & 1]
        again = ml.pool_bayes(effects.take(at), moderators={"ablat": [x["ablat"][i] for i in at]}, tau=fit.prior)
        assert found.estimate[row] == pytest.approx(again.beta[1].median, rel=1e-7)
        assert found.tau2[row] == pytest.approx(again.tau.median**2, rel=1e-6)
    assert "random subsets" in found.sentence
    assert "(of 255)" in found.sentence
    assert ml.plot(found).alt == found.sentence


def test_slow_models_take_as_many_subsets_as_fit_in_half_a_minute(monkeypatch):
    """The number follows from the time of a fit, within bounds; fast kernels keep theirs."""
    from metaleptic.sensitivity import subset_models

    fit = ml.pool_bayes(_bcg())
    for seconds, expected in ((0.1, 250), (10.0, 50), (1e-4, 1000)):
        monkeypatch.setattr(subset_models, "_cost", lambda _, s=seconds: s)
        assert subset_models.most_by_default(fit) == expected
    assert subset_models.most_by_default(ml.pool(_bcg())) == 1 << 20
    monkeypatch.undo()
    assert 0 < subset_models._cost(fit) < 5
