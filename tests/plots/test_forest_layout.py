"""The forest plot as data: rows, places, clipping, footnotes, words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import OptionError, SuspiciousDataWarning
from metaleptic.plots.forest_layout import ForestLayout, Row, forest_layout
from metaleptic.plots.styles import STYLES
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups
from metaleptic.types import Effects, Estimate, FloatArray, Provenance

Make = Callable[..., Pooled]


def kinds(layout: ForestLayout) -> list[str]:
    return [row.kind for row in layout.rows]


def studies(layout: ForestLayout) -> list[Row]:
    return [row for row in layout.rows if row.kind == "study"]


@pytest.mark.parametrize("k", [1, 2, 6, 13, 40, 100])
def test_every_study_once_in_order_with_its_numbers(k: int, random_fit: Make) -> None:
    fit = random_fit(k)
    layout = forest_layout(fit)
    assert [row.label for row in studies(layout)] == list(fit.effects.study)
    assert [row.value for row in studies(layout)] == pytest.approx(np.exp(fit.effects.y))
    assert kinds(layout)[k:] == ([] if k == 1 else ["total", "prediction"])


def test_one_study_has_no_diamond_no_weight_and_no_dashed_line(random_fit: Make) -> None:
    layout = forest_layout(random_fit(1))
    assert kinds(layout) == ["study"]
    assert layout.weight_heading == ""
    assert np.isnan(layout.pooled)
    assert layout.footnotes[0].startswith("Heterogeneity: not estimable from one study.")


def test_the_example_reads_as_printed(eight: Pooled) -> None:
    layout = forest_layout(eight, columns=["n_drug", "n_control"], favours=("drug", "control"))
    first, total, new = layout.rows[0], layout.rows[8], layout.rows[9]
    assert (first.label, first.cells, first.effect, first.weight) == (
        "Alba 2016",
        ("210", "208"),
        "0.71 (0.50 to 1.01)",
        "10.0",
    )
    assert (total.label, total.cells, total.effect) == (
        "Random effects (REML, HKSJ)",
        ("2393", "2386"),
        "0.83 (0.70 to 0.98)",
    )
    assert (new.label, new.effect, new.weight) == ("95% prediction interval", "(0.60 to 1.15)", "")
    assert layout.favours == ("Favours drug", "Favours control")
    assert [c.heading for c in layout.columns] == ["Drug\nn", "Control\nn"]
    assert layout.footnotes == (
        "Heterogeneity: τ² = 0.014, I² = 42% (Q = 12.1, df = 7, P = 0.097). Test of effect: t = −2.68, df = 7, P = 0.031.",
    )


@pytest.mark.parametrize("k", [2, 13, 100])
def test_areas_are_proportional_to_weights(k: int, random_fit: Make) -> None:
    fit = random_fit(k)
    areas = np.array([row.area for row in studies(forest_layout(fit))])
    assert areas == pytest.approx(fit.weights / fit.weights.max())


def test_places_agree_with_the_axis(eight: Pooled) -> None:
    layout = forest_layout(eight)
    for row in studies(layout):
        assert row.x == pytest.approx(layout.axis.position(row.value))
        assert 0 <= row.x_low <= row.x <= row.x_high <= 1
    assert layout.pooled == pytest.approx(layout.axis.position(eight.estimate.value))


def test_ticks_are_inside_the_axis(random_fit: Make, grouped: Subgroups, medians: Pooled, responses: Pooled) -> None:
    for result in (random_fit(1), random_fit(6), random_fit(13, wide=True), grouped, medians, responses):
        axis = forest_layout(result).axis
        assert len(axis.ticks) >= 2
        assert all(-1e-9 <= axis.position(t) <= 1 + 1e-9 for t in axis.ticks)


def test_what_leaves_the_axis_is_cut_and_said(eight: Pooled) -> None:
    layout = forest_layout(eight, xlim=(0.6, 1.2))
    alba, bessen, *_ = studies(layout)
    assert (alba.clipped_low, alba.clipped_high, alba.x_low) == (True, False, 0.0)
    assert (bessen.clipped_low, bessen.clipped_high) == (False, False)
    farouk = studies(layout)[5]
    assert np.isnan(farouk.x), "an estimate off the axis has no square, only an arrow"
    assert farouk.clipped_low
    assert "Arrow" in layout.footnotes[-1]
    assert "Arrow" not in " ".join(forest_layout(eight).footnotes)


def test_not_reached_is_an_arrow_and_nr(medians: Pooled) -> None:
    layout = forest_layout(medians)
    first = layout.rows[0]
    assert first.effect == "13.2 (5.7 to NR)"
    assert first.clipped_high
    assert first.x_high == 1.0
    assert "NR: not reached." in layout.footnotes[-1]
    assert np.isnan(layout.axis.null)
    assert layout.axis.title == "Median survival, months"


def test_proportions_show_the_counts_as_observed(responses: Pooled) -> None:
    layout = forest_layout(responses)
    none = layout.rows[4]
    assert none.cells == ("0", "9")
    assert none.effect.startswith("0.0 (0.0 to ")
    assert not none.clipped_low
    assert none.x == 0.0
    assert layout.effect_heading == "Response rate, %\n(95% CI)"


def test_subgroups_stand_in_order_each_with_its_subtotal(grouped: Subgroups) -> None:
    layout = forest_layout(grouped)
    assert kinds(layout) == [
        *("group", "study", "study", "study", "subtotal", "blank"),
        *("group", "study", "study", "study", "subtotal", "blank"),
        *("group", "study", "study", "subtotal", "blank"),
        "total", "prediction",
    ]  # fmt: skip
    assert sorted(row.label for row in studies(layout)) == sorted(grouped.effects.study)
    shares = [float(row.weight) for row in layout.rows if row.kind == "subtotal"]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    assert layout.rows[4].note.startswith("k = 3, I² = ")
    assert any(note.startswith("Test for subgroup differences: Q = ") for note in layout.footnotes)


def test_a_subgroup_of_one_study_has_no_subtotal(eight: Pooled) -> None:
    layout = forest_layout(ml.subgroups(eight, by=["a"] * 7 + ["b"]))
    assert kinds(layout).count("subtotal") == 1


def test_studies_of_the_same_name_find_their_own_group() -> None:
    with pytest.warns(ml.errors.SuspiciousDataWarning, match="stands in rows 1, 2, 3, 4"):
        fit = ml.pool(ml.effects([0.1, 0.2, 0.3, 0.4], [0.1] * 4, study=["Same"] * 4))
    layout = forest_layout(ml.subgroups(fit, by=["x", "y", "x", "y"]))
    assert [row.value for row in studies(layout)] == pytest.approx([0.1, 0.3, 0.2, 0.4])


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [
        ("effect", "Farouk 2021", "Eriksen 2020"),
        ("-effect", "Eriksen 2020", "Farouk 2021"),
        ("-weight", "Bessen 2017", "Farouk 2021"),
        ("precision", "Bessen 2017", "Farouk 2021"),
        ("-study", "Hoang 2023", "Alba 2016"),
        ("n_drug", "Farouk 2021", "Bessen 2017"),
    ],
)
def test_sorting(eight: Pooled, sort: str, first: str, last: str) -> None:
    rows = studies(forest_layout(eight, sort=sort))
    assert (rows[0].label, rows[-1].label) == (first, last)


def test_words_are_columns_too_and_are_not_summed(eight: Pooled) -> None:
    layout = forest_layout(eight, columns={"design": "Design", "n_drug": "Treated"})
    assert [c.align for c in layout.columns] == ["left", "right"]
    assert layout.rows[8].cells == ("", "2393")


def test_numbers_that_are_no_counts_are_not_summed() -> None:
    table = {"study": ["A 1", "B 2"], "hr": [0.8, 0.9], "low": [0.6, 0.7], "high": [1.1, 1.2], "year": [2001, 2002]}
    with pytest.warns(ml.errors.FewStudiesWarning):
        fit = ml.pool(ml.hazard_ratios(table))
    assert forest_layout(fit, columns=["year"]).rows[2].cells == ("",)


@pytest.mark.parametrize("style", list(STYLES))
def test_no_style_prints_nan_or_an_unfilled_word(
    style: str, eight: Pooled, grouped: Subgroups, medians: Pooled, responses: Pooled, random_fit: Make
) -> None:
    for result in (eight, grouped, medians, responses, random_fit(1), random_fit(2)):
        layout = forest_layout(result, style=style)
        printed = [layout.effect_heading, layout.weight_heading, *layout.footnotes, layout.alt, layout.title]
        for row in layout.rows:
            printed += [row.label, row.note, row.effect, row.weight, *row.cells]
        assert not any(bad in text for text in printed for bad in ("nan", "inf", "{", "}", "None")), printed


def test_styles_differ_in_words_only_where_they_say_so(eight: Pooled) -> None:
    assert forest_layout(eight, style="jama").rows[0].effect == "0.71 (0.50–1.01)"
    assert forest_layout(eight, style="revman").rows[0].effect == "0.71 [0.50, 1.01]"
    assert forest_layout(eight, style="revman").rows[0].weight == "10.0%"
    assert "P = .031" in forest_layout(eight, style="jama").footnotes[0]
    assert {f.name for f in fields(STYLES["bmj"])} == {f.name for f in fields(STYLES["plain"])}


def test_a_dash_never_meets_a_minus(random_fit: Make) -> None:
    for row in forest_layout(random_fit(6, measure="DIFF"), style="jama").rows:
        assert "–−" not in row.effect
        assert "−" not in row.effect or " to " in row.effect or "(−" not in row.effect


def test_alt_text_has_the_numbers(eight: Pooled, grouped: Subgroups, random_fit: Make) -> None:
    assert forest_layout(eight).alt == (
        "Forest plot of 8 studies: hazard ratio from 0.55 (Farouk 2021) to 1.10 (Eriksen 2020). Pooled estimate 0.83 "
        "(95% CI 0.70 to 0.98); 95% prediction interval 0.60 to 1.15."
    )
    assert "Subgroups by dose: low 0.84" in forest_layout(grouped).alt
    assert "one study" in forest_layout(random_fit(1)).alt


def test_the_common_effect_model_has_no_prediction_row(eight: Pooled) -> None:
    layout = forest_layout(ml.pool(eight.effects, model="common"))
    assert kinds(layout)[-1] == "total"
    assert layout.rows[-1].label == "Common effect"


@dataclass(frozen=True)
class Posterior:
    """Another fit that answers the protocol: the plots must not ask for more."""

    effects: Effects
    estimate: Estimate
    prediction: Estimate | None
    tau: Estimate
    weights: FloatArray
    method: str
    provenance: Provenance


def test_any_fit_of_the_protocol_is_drawn(eight: Pooled) -> None:
    post = Posterior(
        eight.effects,
        Estimate(0.83, 0.7, 0.97, 0.95, "credible"),
        None,
        Estimate(0.1, 0.01, 0.3, 0.95, "credible"),
        np.full(8, np.nan),
        "Bayesian random effects: half-normal(0.5)",
        eight.provenance,
    )
    layout = forest_layout(post)
    assert layout.rows[-1].label == "Bayesian random effects"
    assert layout.rows[-1].weight == ""
    assert layout.effect_heading == "Hazard ratio\n(95% CrI)"
    assert layout.weight_heading == ""
    assert layout.footnotes[0] == "Heterogeneity: τ = 0.1 (95% CrI 0.01 to 0.3)."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": ["nowhere"]}, "no column 'nowhere'"),
        ({"columns": 3}, "columns takes a list"),
        ({"sort": "nowhere"}, "sort 'nowhere' is unknown"),
        ({"style": "nature"}, "style 'nature' is unknown"),
        ({"favours": ("one",)}, "favours takes two texts"),
        ({"favours": "drug"}, "favours takes two texts"),
    ],
)
def test_unknown_options_are_named_with_what_there_is(eight: Pooled, options: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        forest_layout(eight, **options)  # type: ignore[arg-type]


def test_favours_without_a_null_is_refused(medians: Pooled) -> None:
    with pytest.raises(OptionError, match="no value means"):
        forest_layout(medians, favours=("a", "b"))


def test_layouts_need_no_matplotlib() -> None:
    code = (
        "import sys, metaleptic.plots.forest_scene, metaleptic.plots.funnel_scene, metaleptic.plots.forest, "
        "metaleptic.plots.funnel; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_effects_of_one_study_are_told_apart() -> None:
    """Rows of a multilevel forest carry the row of the input where a study stands in several."""
    with pytest.warns(SuspiciousDataWarning, match="stands in rows 1, 2"):
        e = ml.effects([0.1, 0.4, 0.2, 0.3], [0.02] * 4, study=["A", "A", "B", "C"])
    layout = forest_layout(ml.pool_multilevel(e, random="~ 1 | study"))
    assert [r.label for r in layout.rows if r.kind == "study"] == ["A (row 1)", "A (row 2)", "B", "C"]


def test_very_wide_intervals_are_written_with_digits_that_mean_something() -> None:
    """No bound of a ratio is printed as 0.00, none in the thousands with decimals."""
    layout = forest_layout(ml.pool(ml.effects([1.0, 2.0, 5.0], [9.0, 25.0, 16.0], measure="OR")))
    assert layout.rows[0].effect == "2.72 (0.01 to 972.52)"
    assert layout.rows[1].effect == "7.39 (0.00041 to 133228)"
