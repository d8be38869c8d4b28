"""The nouns: frozen, read-only, said in three lines on the printed scale."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, FewStudiesWarning, MetalepticError, OptionError
from metaleptic.frames import to_frame
from metaleptic.measures import MEASURES, measure_named
from metaleptic.pooling.models import MODELS
from metaleptic.types import frozen_array

TABLES = {
    "study": list("abc"),
    "x1": [4, 6, 3],
    "n1": [123, 306, 231],
    "x2": [11, 29, 11],
    "n2": [139, 303, 220],
}


RANDOM = (
    *("random", "binomial-normal", "poisson-normal", "beta-binomial"),
    *("conditional-exact", "conditional-approximate"),
    *("unconditional-fixed", "unconditional-random", "unconditional-correlated"),
)


def effects_for(model: str) -> ml.Effects:
    """Make effects that the model takes."""
    if model in ("binomial-normal", "pooled-counts", "beta-binomial"):
        return ml.proportions({"study": list("abc"), "events": [5, 9, 2], "n": [7, 26, 30]})
    if model == "poisson-normal":
        return ml.rates({"study": list("abc"), "events": [5, 9, 2], "time": [70, 26, 30]})
    if model in ("mantel-haenszel", "peto") or model.startswith(("conditional", "unconditional")):
        return ml.two_by_two(TABLES, events1="x1", n1="n1", events2="x2", n2="n2", measure="OR")
    return ml.effects([-0.3, 0.1, -0.5], [0.04, 0.09, 0.02], measure="HR", study=list("abc"))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_prints_three_lines_the_same_each_time(model: str) -> None:
    """Estimate, model, heterogeneity: three lines on the printed scale, without object ids or NaN."""
    text = repr(ml.pool(effects_for(model), model=model))
    assert text == repr(ml.pool(effects_for(model), model=model))
    lines = text.splitlines()
    assert len(lines) == 3
    assert "(95% CI " in lines[0]
    assert "3 studies" in lines[0]
    assert lines[2].startswith("heterogeneity: ")
    assert "0x" not in text
    assert "nan" not in text


@pytest.mark.parametrize("model", MODELS)
def test_one_study_prints_three_lines_in_every_model(model: str) -> None:
    """One study: a warning, its own estimate, and no number that one study cannot give."""
    with pytest.warns(FewStudiesWarning, match=r"only one study \(b\)"):
        fit = ml.pool(effects_for(model).take([1]), model=model)
    assert len(repr(fit).splitlines()) == 3
    assert "not estimable from one study" in repr(fit)
    assert "nan" not in repr(fit)
    assert fit.estimate.low < fit.estimate.value < fit.estimate.high
    assert fit.weights.tolist() == [100]
    assert fit.prediction is None


@pytest.mark.parametrize("model", MODELS)
def test_two_studies_are_pooled_by_every_model(model: str) -> None:
    """Two studies give finite numbers; models that estimate a spread warn."""
    two = effects_for(model).take([0, 1])
    if model in RANDOM:
        with pytest.warns(FewStudiesWarning, match="only 2 studies"):
            fit = ml.pool(two, model=model)
    else:
        fit = ml.pool(two, model=model)
    assert np.isfinite([fit.estimate.value, fit.estimate.low, fit.estimate.high, fit.q, fit.beta[0], fit.se[0]]).all()
    assert fit.q_df == 1


@pytest.mark.parametrize("model", MODELS)
def test_results_are_frozen_and_their_arrays_read_only(model: str) -> None:
    """No field can be set and no array written to, whichever model made the result."""
    fit = ml.pool(effects_for(model), model=model)
    for field in dataclasses.fields(fit):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(fit, field.name, None)
        value = getattr(fit, field.name)
        assert not isinstance(value, np.ndarray) or not value.flags.writeable, field.name


def test_a_frozen_array_is_a_copy() -> None:
    """Writing to the caller's array afterwards changes nothing inside; effects keep their own numbers."""
    y, v = np.array([0.1, 0.2, 0.3]), np.array([0.01, 0.02, 0.03])
    found = ml.effects(y, v)
    y[0] = v[0] = 99
    assert (found.y[0], found.v[0]) == (0.1, 0.01)
    assert not frozen_array(y).flags.writeable


def test_read_only_arrays_are_taken() -> None:
    """Arrays that cannot be written to are pooled like any other."""
    y, v = frozen_array([0.1, 0.2, 0.6]), frozen_array([0.01, 0.02, 0.03])
    assert ml.pool(ml.effects(y, v)).beta[0] == ml.pool(ml.effects(list(y), list(v))).beta[0]


def test_estimates_say_what_their_interval_means() -> None:
    """Confidence, prediction and credible intervals are told apart."""
    assert repr(ml.Estimate(0.83, 0.7, 0.98)) == "0.83 (95% CI 0.7 to 0.98)"
    assert repr(ml.Estimate(0.83, 0.6, 1.15, 0.9, "prediction")) == "0.83 (90% prediction interval 0.6 to 1.15)"
    assert repr(ml.Estimate(0.83, 0.7, 0.98, kind="credible")) == "0.83 (95% CrI 0.7 to 0.98)"


@pytest.mark.parametrize("key", MEASURES)
def test_the_maps_of_a_measure_undo_each_other(key: str) -> None:
    """Printed to analysis scale and back is the same number, and bounds come out in order."""
    m = MEASURES[key]
    printed = np.array([0.02, 0.4, 0.9])
    assert np.allclose(m.to_printed(m.to_analysis(printed)), printed, rtol=1e-12)
    low, high = m.printed_bounds(m.to_analysis(printed), m.to_analysis(printed[::-1]))
    assert np.allclose(low, [0.02, 0.4, 0.02])
    assert np.allclose(high, [0.9, 0.4, 0.9])


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("HR", 0.834, "0.83"),
        ("HR", np.inf, "not reached"),
        ("HR", np.nan, "–"),
        ("RD", -0.1234, "−0.123"),
        ("RD", -0.0001, "0.000"),
        ("DIFF", -np.inf, "−∞"),
        ("PLO", 0.6486, "64.9%"),
        ("MEDIAN", 8.26, "8.3"),
    ],
)
def test_numbers_are_written_as_papers_write_them(key: str, value: float, text: str) -> None:
    """Decimals of the measure, a true minus sign, no minus before zero, a percent sign, words for infinity."""
    assert MEASURES[key].format(value) == text


def test_intervals_carry_the_percent_sign_once() -> None:
    """47.5 to 79.8%; an open end keeps the sign with the number."""
    assert MEASURES["PLO"].format_interval(0.475, 0.798) == "47.5 to 79.8%"
    assert MEASURES["RD"].format_interval(-0.2, 0.1) == "−0.200 to 0.100"
    assert MEASURES["MEDIAN"].format_interval(5.7, np.inf) == "5.7 to not reached"


def test_unknown_options_list_the_choices() -> None:
    """Every registry answers a slip with what there is."""
    some = effects_for("random")
    for call, parts in (
        (lambda: measure_named("hazard"), MEASURES),
        (lambda: ml.pool(some, model="bayes"), MODELS),
        (lambda: ml.pool(some, tau2="Bayes"), ("REML", "DL")),
        (lambda: ml.pool(some, test=5), ("knapp-hartung", "adhoc")),  # type: ignore[arg-type]
        (lambda: ml.pool(some, level="95"), ("0.95",)),  # type: ignore[arg-type]
        (lambda: to_frame({"a": [1]}, "R"), ("pandas", "polars", "pyarrow")),
    ):
        with pytest.raises(OptionError) as caught:
            call()
        assert all(part in str(caught.value) for part in parts)


def test_what_is_not_a_result_is_refused() -> None:
    """Effects or tables where a pooled result is asked for: what to do first."""
    some = effects_for("random")
    with pytest.raises(OptionError, match=r"leave_one_out takes a pooled result, not effects\. .*ml\.pool"):
        ml.leave_one_out(some)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"subgroups takes a pooled result, not dict\. .*ml\.pool"):
        ml.subgroups({}, ["a"])  # type: ignore[arg-type]


def test_all_errors_are_of_one_family() -> None:
    """Catching MetalepticError catches every error; those of data and options are ValueErrors too."""
    assert issubclass(DataError, MetalepticError)
    assert issubclass(DataError, ValueError)
    assert issubclass(OptionError, ValueError)
    own = [e for e in vars(ml.errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert all(issubclass(e, MetalepticError | ml.errors.MetalepticWarning) for e in own)


def test_warnings_point_at_the_callers_line() -> None:
    """A warning is attributed to the file that called the package, however deep it was issued."""
    with pytest.warns(FewStudiesWarning) as caught:
        ml.pool(effects_for("random").take([0]))
    assert caught[0].filename == __file__
