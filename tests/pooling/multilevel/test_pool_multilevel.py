"""What goes wrong is said: bad V, bad terms, levels that cannot be estimated; what must hold of every fit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from test_multilevel_golden import GOLDEN, golden_effects, golden_fit

import metaleptic as ml
from metaleptic.errors import DataError, NotEstimableError, OptionError, SuspiciousDataWarning
from metaleptic.pooling.multilevel.likelihood import loglik_and_slope
from metaleptic.pooling.multilevel.low_rank import low_rank_slope
from metaleptic.pooling.multilevel.structures import STRUCTURES

Y = [0.2, 0.3, 0.1, 0.6, 0.5, 0.1, 0.7, 0.4]
V = [0.02, 0.03, 0.02, 0.02, 0.03, 0.04, 0.02, 0.03]
COLUMNS: dict[str, list[Any]] = {
    "lab": ["A", "A", "B", "B", "C", "C", "D", "D"],
    "outcome": ["x", "y"] * 4,
    "effect": list(range(8)),
    "time": [1.0, 2.5] * 4,
    "same": ["only"] * 8,
    "dose": [1, 2, 3, 4, 5, 6, 7, 9],
    "twice": [2, 4, 6, 8, 10, 12, 14, 18],
}


def example(**columns: list[Any]) -> ml.Effects:
    """Eight effects of four labs."""
    return ml.effects(Y, V, columns=COLUMNS | columns)


def test_v_that_is_not_positive_definite_names_the_studies() -> None:
    """Correlation above 1 within lab B only: its two studies are named, no others."""
    v = np.diag(V)
    v[2, 3] = v[3, 2] = 0.021
    with pytest.raises(
        DataError, match=r"not positive definite among the 2 effects of 'Study 3', 'Study 4' \(rows 3, 4\)"
    ):
        ml.pool_multilevel(example(), V=v, random="~ 1 | lab")


@pytest.mark.parametrize(
    ("v", "message"),
    [
        (np.ones((3, 3)), r"V has shape \(3, 3\); 8 effects need"),
        (np.diag([*V[:7], np.nan]), r"V is not finite for study 'Study 8' \(row 8\)"),
        (np.diag(V) + np.eye(8, k=1) * 0.01, r"not symmetric: studies 'Study 1' \(row 1\) and 'Study 2' \(row 2\)"),
        ([*V[:7], -0.1], r"variance -0.1 of study 'Study 8' \(row 8\) must be above 0"),
    ],
)
def test_v_that_cannot_be_is_refused(v: Any, message: str) -> None:
    """Shape, gaps, symmetry, sign."""
    with pytest.raises(DataError, match=message):
        ml.pool_multilevel(example(), V=v, random="~ 1 | lab")


def test_v_in_blocks_is_the_same_as_the_whole_matrix() -> None:
    """A list of blocks, in the order of the effects."""
    blocks = [np.array([[V[i], 0.01], [0.01, V[i + 1]]]) for i in range(0, 8, 2)]
    whole = np.zeros((8, 8))
    for i, block in enumerate(blocks):
        whole[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = block
    a = ml.pool_multilevel(example(), V=blocks, random="~ 1 | lab")
    b = ml.pool_multilevel(example(), V=whole, random="~ 1 | lab")
    assert np.array_equal(a.beta, b.beta)
    assert "correlated sampling errors" in a.method


def test_v_whose_diagonal_is_another_is_suspicious() -> None:
    """Rows in another order are a likely slip."""
    with pytest.warns(SuspiciousDataWarning, match="Are its rows in the order of the effects"):
        ml.pool_multilevel(example(), V=np.diag(V[::-1]), random="~ 1 | lab")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"random": "lab"}, OptionError, "cannot be read"),
        ({"random": "~ 1 | labb"}, DataError, "no column 'labb' for the random effects. There are: lab, outcome"),
        ({"random": "~ outcome | lab", "struct": "XX"}, OptionError, "struct 'XX' is unknown"),
        ({"random": "~ 1 | lab", "method": "DL"}, OptionError, "method 'DL' is unknown. Choose one of: REML, ML"),
        ({"random": "~ 1 | lab", "test": "knha"}, OptionError, "test 'knha' is unknown"),
        ({"random": "~ 1 | lab", "dfs": "kr"}, OptionError, "dfs 'kr' is unknown"),
        ({"random": "~ 1 | lab", "sigma2": [0.1, 0.1]}, OptionError, "sigma2 has 2 values for the 1 random intercepts"),
        ({"random": "~ 1 | lab", "sigma2": -1.0}, OptionError, "must be 0 or more"),
        ({"random": "~ 1 | lab", "rho": 0.5}, OptionError, "there is none"),
        ({"random": "~ outcome | lab", "rho": 2}, OptionError, "rho 2 is not a correlation"),
        ({"random": "~ outcome + time | lab"}, OptionError, "several inner names"),
        ({"random": "~ effect | lab", "struct": "CS", "rho": -1.5}, OptionError, "not a correlation"),
        ({"random": "~ outcome | lab", "struct": "SPEXP"}, OptionError, "needs distances="),
        ({"random": "~ outcome | lab", "struct": "CAR"}, DataError, "needs times as numbers in column 'outcome'; 'x'"),
        ({"random": "~ 1 + outcome | lab", "struct": "GEN"}, DataError, "not a number: a random slope needs numbers"),
        ({"random": "~ 1 | lab", "moderators": "~ dose + twice"}, DataError, "'twice' follows exactly from 'dose'"),
        (
            {"random": "~ 1 | lab", "moderators": np.random.default_rng(1).normal(size=(8, 8))},
            DataError,
            "8 coefficients",
        ),
        ({"random": "~ 1 | lab", "data": {"a": [1, 2]}}, DataError, "data has 2 rows"),
        ({"random": "~ 1 | lab", "level": 95}, OptionError, "level"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """Each message says which and what to do."""
    with pytest.raises(error, match=message):
        ml.pool_multilevel(example(), **options)


def test_a_gap_in_a_grouping_names_the_study() -> None:
    """An empty cell is no level."""
    with pytest.raises(DataError, match=r"study 'Study 3' \(row 3\): column 'lab2' is empty"):
        ml.pool_multilevel(example(lab2=["A", "A", None, "B", "C", "C", "D", "D"]), random="~ 1 | lab2")


def test_levels_with_one_effect_or_none_in_common_are_said() -> None:
    """An outcome that one effect has, and two outcomes that never meet."""
    e = example(third=["x", "y", "x", "y", "x", "y", "x", "z"])
    with pytest.warns(SuspiciousDataWarning) as said:
        fit = ml.pool_multilevel(e, random="~ third | lab", struct="UN")
    texts = " ".join(str(w.message) for w in said)
    assert "only one effect has third 'z'" in texts
    assert "'y' and 'z' never occur together in one lab" in texts
    assert np.isnan(fit.rho["y, z"])
    assert fit.parameters == 1 + 3 + 2


def test_a_grouping_with_one_level_has_no_variance() -> None:
    """All effects from one place: its variance is not there to be estimated."""
    with pytest.warns(SuspiciousDataWarning, match="all effects have the same same"):
        fit = ml.pool_multilevel(example(), random=["~ 1 | same", "~ 1 | lab"])
    assert fit.sigma2["same"] == 0
    assert fit.parameters == 2


@pytest.mark.parametrize("key", [*sorted(STRUCTURES), "GEN"])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_slope_is_the_derivative_of_the_likelihood(key: str, method: str) -> None:
    """Every structure with every parameter, next to an intercept, with moderators, against differences."""
    random = np.random.default_rng(5)
    k, levels = 40, 4
    places = random.uniform(0, 3, (levels, 2))
    d = np.sqrt(((places[:, None] - places[None]) ** 2).sum(-1))
    columns = {
        "g": [str(i // 5) for i in range(k)],
        "w": [str(i) for i in random.integers(0, levels, k)],
        "x": random.normal(size=k).tolist(),
    }
    e = ml.effects(random.normal(size=k), random.uniform(0.1, 0.5, k), columns=columns)
    term = "~ 1 + x | g" if key == "GEN" else "~ w | g"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ml.pool_multilevel(
            e,
            random=[term, "~ 1 | g"],
            struct=key,
            method=method,
            moderators="~ x",
            distances=([str(i) for i in range(levels)], d),
        )
    problem = fit.state.problem
    theta = random.uniform(0.3, 1.1, len(fit.state.scaled.theta))
    slope = loglik_and_slope(problem, theta)[1]
    for i in range(len(theta)):
        step = np.zeros(len(theta))
        step[i] = 1e-6
        up, down = (loglik_and_slope(problem, theta + s * step)[0] for s in (1, -1))
        assert slope[i] == pytest.approx((up - down) / 2e-6, abs=2e-6)


def test_every_start_of_the_likelihood_is_dense_and_blockwise_the_same() -> None:
    """The block-by-block likelihood is that of one dense normal distribution (nested, crossed, correlated errors)."""
    from scipy import stats

    golden = next(f for f in GOLDEN["assink2016"]["fits"] if f["id"] == "V_ML")
    fit = golden_fit("assink2016", golden)
    e = golden_effects("assink2016")
    study = np.array(e.columns["study"])
    same = (study[:, None] == study[None]).astype(float)
    m = fit.state.v + fit.sigma2["study"] * same + fit.sigma2["study/esid"] * np.eye(len(e))
    assert fit.loglik_ml == pytest.approx(
        stats.multivariate_normal(np.full(len(e), fit.beta[0]), m).logpdf(e.y), rel=1e-12
    )


CROSSED: tuple[tuple[list[str], dict[str, Any], tuple[int, ...]], ...] = (
    (["~ 1 | a", "~ 1 | b"], {}, (1,)),
    (["~ 1 | a/i", "~ c | b"], {"struct": "UN"}, (2,)),
    (["~ 1 | a", "~ 1 | b", "~ c | b"], {"struct": "HCS"}, (1, 2)),
)


@pytest.mark.parametrize(("terms", "options", "taken"), CROSSED, ids=["intercepts", "UN", "HCS"])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_the_way_through_the_levels_is_the_way_through_the_whole_block(
    terms: list[str], options: dict[str, Any], taken: tuple[int, ...], method: str
) -> None:
    """Crossed groupings of many effects: likelihood and slope by low rank are those of the dense matrix."""
    random = np.random.default_rng(11)
    k = 220
    groups = {name: random.integers(0, n, k) for name, n in (("a", 40), ("b", 8), ("c", 4))}
    y = random.normal(0, 0.3, 40)[groups["a"]] + random.normal(0, 0.3, 8)[groups["b"]] + random.normal(0, 0.2, k)
    columns = {name: g.tolist() for name, g in groups.items()} | {
        "i": list(range(k)),
        "x": random.normal(size=k).tolist(),
    }
    e = ml.effects(y, random.uniform(0.02, 0.2, k), columns=columns)
    fit = ml.pool_multilevel(e, random=terms, method=method, moderators="~ x", **options)
    parts = fit.state.parts
    assert parts is not None
    assert parts.taken == taken
    theta = random.uniform(0.2, 0.9, len(fit.state.scaled.theta))
    value, slope = loglik_and_slope(fit.state.problem, theta)
    other, other_slope = low_rank_slope(fit.state.problem, parts, theta)
    assert other == pytest.approx(value, rel=1e-12)
    assert np.allclose(other_slope, slope, rtol=1e-9, atol=1e-9)
    assert np.abs(loglik_and_slope(fit.state.problem, fit.state.scaled.theta)[1] * fit.state.scaled.scale).max() < 1e-6


def test_shared_correlation_keeps_standard_deviations_on_their_side_of_zero() -> None:
    """With one correlation for all pairs no level may turn its sign: that would be another model (UN) in disguise."""
    golden = GOLDEN["craft2003"]["fits"][0]
    fit = golden_fit("craft2003", golden)
    at = fit.state.built[0].covariance.deviations
    assert (fit.state.scaled.theta[:at] >= 0).all()
    wide = golden_fit("craft2003", golden, struct="UN")
    assert wide.loglik > fit.loglik


def test_correlations_of_one_and_variances_of_zero_are_exact() -> None:
    """Perfectly parallel outcomes, and labs that do not differ."""
    y = [0.1, 1.1, 0.5, 1.5, 0.9, 1.9, 0.3, 1.3]
    e = ml.effects(y, [1e-4] * 8, columns=COLUMNS)
    fit = ml.pool_multilevel(e, random="~ outcome | lab", struct="UN", moderators="~ 0 + outcome")
    assert fit.rho["x, y"] == pytest.approx(1, abs=1e-9)
    flat = ml.pool_multilevel(
        ml.effects([0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9], [0.04] * 8, columns=COLUMNS), random="~ 1 | lab/effect"
    )
    assert flat.sigma2["lab"] == 0.0
    assert any("exactly 0" in note for note in flat.notes)


def test_order_of_the_effects_does_not_matter() -> None:
    """Rows shuffled: the same fit, and everything per effect shuffled alike."""
    e = golden_effects("konstantopoulos2011")
    order = np.random.default_rng(3).permutation(len(e))
    a, b = (ml.pool_multilevel(x, random="~ 1 | district/school") for x in (e, e.take(order)))
    assert b.beta[0] == pytest.approx(a.beta[0], rel=1e-12)
    assert b.loglik == pytest.approx(a.loglik, rel=1e-12)
    assert np.allclose(b.weights, a.weights[order], rtol=1e-8)
    assert np.allclose(b.standardized_residuals, a.standardized_residuals[order], rtol=1e-7)
    assert b.random_effects[0].level == a.random_effects[0].level
    assert np.allclose(b.random_effects[0].value, a.random_effects[0].value, atol=1e-9)


def test_shift_and_scale_carry_through() -> None:
    """Y -> 3 y + 1 with v -> 9 v: variances times 9, correlations the same."""
    e = golden_effects("kearon1998_diag")
    other = ml.effects(3 * e.y + 1, 9 * e.v, columns=e.columns)
    a, b = (ml.pool_multilevel(x, random="~ group | study", struct="UN", moderators="~ 0 + group") for x in (e, other))
    assert np.allclose(b.beta, 3 * a.beta + 1, rtol=1e-8)
    assert np.allclose(list(b.tau2.values()), 9 * np.array(list(a.tau2.values())), rtol=1e-6)
    assert b.rho["sensitivity, specificity"] == pytest.approx(a.rho["sensitivity, specificity"], rel=1e-6)


def test_nested_terms_are_compound_symmetry() -> None:
    """~ 1 | district/school is ~ school | district with one variance and one correlation."""
    e = golden_effects("konstantopoulos2011")
    a = ml.pool_multilevel(e, random="~ 1 | district/school")
    b = ml.pool_multilevel(e, random="~ school | district")
    total = sum(a.sigma2.values())
    assert b.tau2["~ school | district"] == pytest.approx(total, rel=1e-8)
    assert b.rho["~ school | district"] == pytest.approx(a.sigma2["district"] / total, rel=1e-8)
    assert b.loglik == pytest.approx(a.loglik, rel=1e-12)


def test_predict_for_new_rows_and_inner_levels() -> None:
    """Moderators by name; whose spread the prediction interval takes, where levels differ in it."""
    e = example()
    fit = ml.pool_multilevel(e, random="~ outcome | lab", struct="DIAG", moderators="~ outcome", test="z")
    own = ml.predict(fit)
    new = ml.predict(fit, {"outcome": ["x", "y"]}, inner=["x", "y"])
    assert np.allclose(new.y, own.y[:2])
    assert np.allclose(new.new_low, own.new_low[:2])
    assert np.allclose(ml.predict(fit, {"outcome": ["x", "y"]}).new_low, own.new_low[:2])
    assert np.isnan(ml.predict(fit, [[1, 0]]).new_low).all()
    with pytest.raises(OptionError, match=r"inner level 'q' is unknown\. Choose one of: x, y"):
        ml.predict(fit, {"outcome": ["x"]}, inner="q")


def test_result_can_be_plotted_and_printed() -> None:
    """A mean without moderators is a Result: forest plots and reports take it."""
    e = ml.effects(Y, V, measure="HR", columns=COLUMNS)
    fit = ml.pool_multilevel(e, random="~ 1 | lab/effect")
    assert isinstance(fit, ml.Result)
    assert fit.prediction is not None
    assert fit.prediction.low < fit.estimate.low < fit.estimate.value < fit.estimate.high < fit.prediction.high
    assert "Hazard ratio" in repr(fit)
    assert "lab/effect" in repr(fit)
    assert ml.forest(fit)
    assert fit.weights.sum() == pytest.approx(100)
    assert set(fit.to_frame().columns) >= {"term", "estimate", "ratio", "df"}
    assert sum(fit.i2.values()) < 100
    assert len(fit.random_effects[0].to_frame()) == 4


def test_robust_refuses_clusters_that_are_not_independent() -> None:
    """Random effects that reach over clusters; too few clusters; unknown options."""
    fit = ml.pool_multilevel(example(), random="~ 1 | lab")
    with pytest.raises(NotEstimableError, match="reach over several clusters"):
        ml.robust(fit, cluster="effect")
    with pytest.warns(SuspiciousDataWarning, match="not independent"):
        ml.robust(fit, cluster="effect", type="CR1", test="z")
    with pytest.raises(NotEstimableError, match="1 clusters for 1 coefficients"):
        ml.robust(fit, cluster="same")
    with pytest.raises(OptionError, match=r"type 'CR9' is unknown\. Choose one of: CR2, CR1, CR1p, CR1S, CR0"):
        ml.robust(fit, type="CR9")
    with pytest.raises(OptionError, match="test 'F' is unknown"):
        ml.robust(fit, test="F")
    with pytest.raises(DataError, match="cluster has 2 values for 8 effects"):
        ml.robust(fit, cluster=["a", "b"])


def test_contrasts_of_robust_and_multilevel_fits() -> None:
    """A contrast has the df of its own, a joint test that of Hotelling."""
    data = golden_effects("assink2016")
    fit = ml.pool_multilevel(data, random="~ 1 | study/esid", moderators="~ pubstatus", test="t", dfs="contain")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strong = ml.robust(fit, cluster="study")
    found = ml.contrasts(strong, [[0, 1]])
    assert found.se[0] == pytest.approx(strong.se[1], rel=1e-12)
    assert found.p[0] == pytest.approx(strong.p[1], rel=1e-10)
    assert found.joint.p == pytest.approx(strong.p[1], rel=1e-10)
    plain = ml.contrasts(fit, ["pubstatus"])
    assert plain.p[0] == pytest.approx(fit.p[1], rel=1e-12)


def test_groupings_that_are_the_same_are_said() -> None:
    """One effect per lab and one lab per effect: only the sum of both variances is known."""
    with pytest.warns(SuspiciousDataWarning, match="'effect' and 'lab/effect' group the effects alike"):
        ml.pool_multilevel(example(), random=["~ 1 | effect", "~ 1 | lab/effect"])


def test_degrees_of_freedom_by_containment() -> None:
    """As R gives them: constant within districts, within schools, within neither; inner factors; crossed groupings."""
    e = golden_effects("konstantopoulos2011")
    random = np.random.default_rng(4)
    district = np.array([int(float(d)) for d in e.columns["district"]])
    z = dict(zip(np.unique(district).tolist(), random.normal(size=11), strict=True))
    data = {"x": random.normal(size=56), "z": [z[d] for d in district.tolist()], "o": ["a", "b"] * 28, "i": range(56)}

    def df(terms: Any, moderators: str, **options: Any) -> list[float]:
        fit = ml.pool_multilevel(e, random=terms, moderators=moderators, dfs="contain", data=data, **options)
        return fit.df.tolist()

    assert df("~ 1 | district/school", "~ x") == [9, 54]
    assert df("~ 1 | district/school", "~ x + z") == [8, 53, 8]
    assert df("~ 1 | district", "~ x") == [9, 54]
    assert df(["~ 1 | year", "~ 1 | district", "~ 1 | i"], "~ x + z") == [3, 53, 8]
    assert df("~ school | district", "~ x + z") == [8, 53, 8]
    assert df("~ o | district", "~ 0 + C(o) + z", struct="UN") == [19, 19, 8]
    assert df("~ o | district", "~ C(o) + z") == [8, 19, 8]


def test_predictions_of_robust_fits_and_inflation() -> None:
    """Robust intervals for rows of the design; VIF of a multilevel fit."""
    e = golden_effects("konstantopoulos2011")
    fit = ml.pool_multilevel(e, random="~ 1 | district/school")
    strong = ml.robust(fit, cluster="district")
    mean = ml.predict(strong)
    assert mean.low[0] == pytest.approx(strong.low[0], rel=1e-12)
    assert strong.prediction is not None
    assert mean.new_high[0] == pytest.approx(strong.prediction.high, rel=1e-12)
    two = ml.pool_multilevel(e, random="~ 1 | district/school", moderators="~ year + school")
    assert set(ml.vif(two).coefficients) == {"year", "school"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = ml.predict(ml.robust(two, cluster="district"), {"year": [1976, 2000], "school": [1, 1]})
    assert rows.y.shape == (2,)
    assert (rows.low < rows.y).all()


def test_methods_are_said_with_sources() -> None:
    """Structures, numbers of levels, distribution, corrections: with the papers they come from."""
    e = golden_effects("konstantopoulos2011")
    fit = ml.pool_multilevel(e, random="~ 1 | district/school", dfs="contain")
    assert (
        "56 effects were pooled in a multilevel model with random effects of district (11 levels) and district/school"
        in fit.sentence
    )
    assert "t with 10 degrees of freedom (containment)" in fit.sentence
    assert "Konstantopoulos S. Res Synth Methods 2011" in fit.sentence
    assert "(11 clusters)" not in fit.sentence
    assert "within 11 clusters (CR2: bias-reduced" in ml.robust(fit, cluster="district").sentence
    free = golden_fit("berkey1998", GOLDEN["berkey1998"]["fits"][0])
    assert "unstructured covariance" in free.sentence
    assert "allowing for the covariances of sampling errors" in free.sentence
    assert "normal distribution" in free.sentence


def test_the_higher_of_two_maxima_is_found() -> None:
    """Sixteen effects of six groups where R stops at the lower maximum: at our estimates R itself finds a higher likelihood.

    metafor 3.8.1: rma.mv(y, v, mods=~x, random=~l|g, struct="HCS", method="ML") gives -15.741570 (p of the intercept
    0.47); with tau2=c(0.0210, 1.4155, 0.2141, 0.8019) and rho=0.925 held it gives -15.511788 (p below 0.001).
    """
    columns = {
        "g": [1, 1, 2, 2, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6],
        "l": [2, 3, 2, 4, 3, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 4],
        "x": [-1.34, 1.43, -0.34, -0.74, 0.69, -0.41, 0.91, -0.96, -1.07, 1.27, 0.74, -0.17, 0.5, 0.05, 0.08, -0.49],
    }
    y = [
        -0.42,
        -0.003,
        -0.712,
        -1.513,
        0.631,
        0.485,
        -0.757,
        0.112,
        0.095,
        0.884,
        -0.594,
        0.167,
        0.09,
        1.271,
        1.617,
        0.489,
    ]
    v = [0.186, 0.208, 0.141, 0.251, 0.271, 0.105, 0.023, 0.276, 0.226, 0.129, 0.094, 0.223, 0.095, 0.135, 0.149, 0.288]
    e = ml.effects(y, v, columns=columns)
    given: dict[str, Any] = {"random": "~ l | g", "struct": "HCS", "method": "ML", "moderators": "~ x", "test": "z"}
    best = ml.pool_multilevel(e, **given)
    lower = ml.pool_multilevel(
        e, **given, tau2=[0.5171239724, 0.8800430857, 5.359459522e-4, 0.3661213552], rho=0.5253242931
    )
    near = ml.pool_multilevel(e, **given, tau2=[0.0210, 1.4155, 0.2141, 0.8019], rho=0.925)
    assert lower.loglik == pytest.approx(-15.74156957, abs=1e-8)
    assert near.loglik == pytest.approx(-15.51178817, abs=1e-8)
    assert best.loglik == pytest.approx(-15.511782983, abs=1e-8)
    assert best.p[0] < 0.001 < 0.4 < lower.p[0]
    assert best.convergence.agreeing < best.convergence.starts
    assert any("several maxima" in note for note in best.notes)
