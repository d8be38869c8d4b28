"""The verb pool: options, few studies, results that are complete, frozen and say what they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, FewStudiesWarning, NotEstimableError, OptionError, SuspiciousDataWarning
from metaleptic.pooling.models import MODELS
from metaleptic.types import Result

Y, V = [-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01]


def hazard_ratios() -> ml.Effects:
    """Four log hazard ratios."""
    return ml.effects(Y, V, study=["Alba", "Bessen", "Chow", "Duarte"], measure="HR")


def test_defaults_are_cochranes() -> None:
    """REML, Hartung-Knapp with k - 1 degrees of freedom, prediction interval, Q-profile interval for tau."""
    fit = ml.pool(hazard_ratios())
    assert (fit.model, fit.tau2_method, fit.test, fit.df) == ("random", "REML", "knapp-hartung", 3)
    assert fit.method == "random effects: REML, Hartung-Knapp t(3)"
    assert fit.prediction is not None
    assert fit.tau.low <= fit.tau.value <= fit.tau.high


def test_result_is_whole_frozen_and_fits_the_protocol() -> None:
    """Arrays are read-only, fields cannot be set, the protocol of all results is kept."""
    fit = ml.pool(hazard_ratios())
    assert isinstance(fit, Result)
    assert fit.beta.shape == fit.se.shape == (1,)
    assert fit.cov.shape == (1, 1)
    assert fit.weights.sum() == pytest.approx(100)
    with pytest.raises(ValueError, match="read-only"):
        fit.beta[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.tau2 = 1.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        fit.effects.y[0] = 1


def test_printed_scale_outside_analysis_scale_inside() -> None:
    """The estimate is the hazard ratio, beta its logarithm."""
    fit = ml.pool(hazard_ratios())
    assert fit.estimate.value == pytest.approx(np.exp(fit.beta[0]))


def test_repr_is_three_lines_and_deterministic() -> None:
    """Three lines on the printed scale, the same every time, no object ids."""
    text = repr(ml.pool(hazard_ratios()))
    assert text == repr(ml.pool(hazard_ratios()))
    assert text.splitlines() == [
        "Hazard ratio 0.81 (95% CI 0.62 to 1.05), 4 studies",
        "random effects: REML, Hartung-Knapp t(3); 95% prediction interval 0.54 to 1.21",
        "heterogeneity: tau 0.094, I2 33%, Q = 4.5, df = 3, p = 0.21",
    ]


def test_one_study_is_returned_as_it_is() -> None:
    """One study: a warning, its own interval, no heterogeneity, no prediction."""
    one = hazard_ratios().take([2])
    with pytest.warns(FewStudiesWarning, match=r"only one study \(Chow\)"):
        fit = ml.pool(one)
    assert fit.estimate.value == pytest.approx(np.exp(-0.48))
    assert fit.estimate.low == pytest.approx(np.exp(-0.48 - 1.959963984540054 * np.sqrt(0.05)))
    assert np.isnan(fit.tau2)
    assert fit.prediction is None
    assert "not estimable" in repr(fit)


def test_one_study_keeps_its_published_interval() -> None:
    """A lopsided published interval is not replaced by a symmetric one."""
    one = ml.survival_medians({"study": ["A"], "median": [8.3], "low": [5.7], "high": [19.6]})
    with pytest.warns(FewStudiesWarning):
        fit = ml.pool(one)
    assert (fit.estimate.low, fit.estimate.high) == (pytest.approx(5.7), pytest.approx(19.6))


def test_two_studies_are_pooled_with_a_warning() -> None:
    """Two studies: pooled, one degree of freedom, and a warning in words."""
    with pytest.warns(FewStudiesWarning, match="only 2 studies"):
        fit = ml.pool(hazard_ratios().take([0, 3]))
    assert fit.df == 1
    assert fit.notes


def test_common_effect_has_no_prediction_and_the_smaller_interval() -> None:
    """The common-effect model takes tau2 as 0."""
    common, random = ml.pool(hazard_ratios(), model="common"), ml.pool(hazard_ratios(), test="z")
    assert common.prediction is None
    assert common.tau2 == 0
    assert common.se[0] <= random.se[0]


def test_adhoc_is_never_narrower_than_z() -> None:
    """Where studies agree by chance the ad-hoc variant keeps at least the z interval's standard error."""
    alike = ml.effects([0.1, 0.11, 0.1], [0.04, 0.05, 0.06])
    assert ml.pool(alike, test="adhoc").se[0] == pytest.approx(ml.pool(alike, test="z").se[0])
    assert ml.pool(alike).se[0] < ml.pool(alike, test="z").se[0]
    assert any("adhoc" in note for note in ml.pool(alike).notes)


def test_levels_nest() -> None:
    """A 99% interval holds the 95% one, prediction interval and tau included."""
    wide, narrow = ml.pool(hazard_ratios(), level=0.99), ml.pool(hazard_ratios(), level=0.95)
    assert wide.estimate.low < narrow.estimate.low < narrow.estimate.high < wide.estimate.high
    assert wide.tau.high > narrow.tau.high
    assert "99% CI" in repr(wide)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"model": "fixd"}, "random, common"),
        ({"tau2": "remls"}, "REML, DL"),
        ({"test": "hk2"}, "knapp-hartung"),
        ({"level": 95}, "0.95 for 95%"),
        ({"model": "binomial-normal", "test": "knapp-hartung"}, "not defined"),
    ],
)
def test_options_that_are_not_understood_list_the_choices(options: dict[str, object], part: str) -> None:
    """Every slip is an OptionError with the way out."""
    with pytest.raises(OptionError, match=part):
        ml.pool(hazard_ratios(), **options)  # type: ignore[arg-type]


def test_a_table_is_no_effects() -> None:
    """Handing over the table itself says what to do."""
    with pytest.raises(OptionError, match=r"ml\.hazard_ratios"):
        ml.pool({"study": ["A"]})  # type: ignore[arg-type]


def test_models_of_counts_need_counts() -> None:
    """The binomial models refuse effects without counts; none or all events has no finite estimate."""
    with pytest.raises(DataError, match=r"ml\.proportions"):
        ml.pool(hazard_ratios(), model="binomial-normal")
    none = ml.proportions({"study": list("abc"), "events": [0, 0, 0], "n": [5, 6, 7]})
    with pytest.raises(NotEstimableError, match="pooled-counts"):
        ml.pool(none, model="binomial-normal")
    exact = ml.pool(none, model="pooled-counts").estimate
    assert exact.value == exact.low == 0
    assert exact.high == pytest.approx(1 - 0.025 ** (1 / 18))


def test_provenance_tells_how_to_make_it_again() -> None:
    """The call with its defaults, versions, and a fingerprint that changes with the data."""
    fit = ml.pool(hazard_ratios())
    assert fit.provenance.call == 'ml.pool(effects, model="random", tau2="REML", test="knapp-hartung", level=0.95)'
    assert {name for name, _ in fit.provenance.versions} == {"metaleptic", "python", "numpy", "scipy"}
    other = ml.pool(ml.effects([*Y[:3], -0.23], V, study=["Alba", "Bessen", "Chow", "Duarte"], measure="HR"))
    assert other.provenance.inputs_sha256 != fit.provenance.inputs_sha256


def test_to_frame_is_the_table_behind_the_plot() -> None:
    """A row per study, the pooled one and the prediction interval."""
    table = ml.pool(hazard_ratios()).to_frame()
    assert list(table["role"]) == ["study"] * 4 + ["pooled", "prediction"]
    assert table["value"][0] == pytest.approx(np.exp(Y[0]))


def test_every_model_has_a_source() -> None:
    """The registry is complete."""
    assert all(m.source and m.name and m.tests for m in MODELS.values())


def test_effects_that_rest_on_corrections_alone_are_said() -> None:
    """No one had the event anywhere: 0 of 24 is not 5.6% (4.2 to 7.3%)."""
    none = ml.proportions({"study": list("abc"), "events": [0, 0, 0], "n": [9, 8, 7]})
    with pytest.warns(SuspiciousDataWarning, match=r'every study has a count of zero.*model="pooled-counts"'):
        ml.pool(none)
    rates = {"study": list("abc"), "events1": [0, 0, 0], "time1": [9, 8, 7], "events2": [3, 2, 4], "time2": [9, 8, 7]}
    with pytest.warns(SuspiciousDataWarning, match="arm of interest .*IRD"):
        ml.pool(ml.two_rates(rates))


@pytest.mark.parametrize(
    ("option", "meant"),
    [({"tau2": "remls"}, "REML"), ({"model": "comon"}, "common"), ({"test": "skovgard"}, "skovgaard")],
)
def test_a_slip_in_an_option_is_told_what_was_meant(option, meant):
    with pytest.raises(ml.errors.OptionError, match=f'Did you mean "{meant}"'):
        ml.pool(ml.effects([0.1, 0.2], [0.1, 0.1]), **option)
