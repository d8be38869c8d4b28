"""Moderators in models of counts: R's rma.glmm, plain logistic regression where there is no spread, and bad input."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

import metaleptic as ml
from metaleptic.errors import DataError, NotEstimableError, OptionError, SuspiciousDataWarning

GLMM: dict[str, Any] = json.loads((Path(__file__).parent.parent / "golden" / "glmm.json").read_text(encoding="utf-8"))
FITS = [(name, fit) for name, data in GLMM.items() for fit in data["fits"] if fit["id"].endswith("_m1")]
QUICK = {"lee2004_OR"}
TRIALS: dict[str, Any] = {
    "study": list("abcdefgh"),
    "x1": [2, 0, 5, 1, 9, 4, 7, 3],
    "n1": [30, 25, 60, 40, 80, 35, 50, 45],
    "x2": [6, 3, 9, 4, 20, 9, 8, 10],
    "n2": [31, 24, 58, 41, 83, 36, 52, 44],
    "dose": [1, 2, 2, 3, 4, 1, 5, 3],
    "design": ["rct", "rct", "cohort", "cohort", "rct", "cohort", "rct", "cohort"],
}
BOTH_ARMS = ("conditional-exact", "conditional-approximate", "unconditional-fixed", "unconditional-random")


def odds(table: dict[str, Any], **options: Any) -> ml.Effects:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ml.two_by_two(table, events1="x1", n1="n1", events2="x2", n2="n2", measure="OR", **options)


def test_the_grid_is_complete() -> None:
    assert sorted(name for name, _ in FITS) == sorted(GLMM.keys() & {name for name, _ in FITS})
    assert len(FITS) == 5


@pytest.mark.parametrize(
    ("name", "fit"),
    [pytest.param(n, f, id=n, marks=[] if n in QUICK else [pytest.mark.long]) for n, f in FITS],
)
def test_agrees_with_rma_glmm(name: str, fit: dict[str, Any]) -> None:
    """R's optimisers stop at 1e-4 here, with uncentred years at 2e-3; its likelihood-ratio Q is exact."""
    c = GLMM[name]["counts"]
    table = {"study": [str(i) for i in range(len(c["n1"]))], "x1": c["events1"], "n1": c["n1"], "x2": c["events2"]}
    effects = odds(table | {"n2": c["n2"], "m": fit["moderator"]})
    ours = ml.pool(effects, model="unconditional-fixed", moderators="~ m")
    assert ours.beta == pytest.approx(fit["beta"], rel=3e-3)
    assert ours.se == pytest.approx(fit["se"], rel=1e-3)
    assert ours.tau2 == pytest.approx(fit["tau2"], rel=3e-3, abs=1e-7)
    assert ours.qm == pytest.approx(fit["QM"], rel=1e-2)
    assert ours.i2 == pytest.approx(fit["I2"], rel=3e-3, abs=1e-5)
    assert ours.q == pytest.approx(fit["QE_LRT"], rel=1e-7)
    assert ours.q_df == fit["QEdf"]


def test_without_spread_it_is_logistic_regression() -> None:
    """Fixed study levels are dummies of a logistic regression, proportions its outcome, rates a Poisson outcome."""
    k, dose = 8, np.array(TRIALS["dose"], dtype=float)
    arm = np.repeat([0.5, -0.5], k)
    x = np.column_stack([arm, arm * np.tile(dose, 2), np.tile(np.eye(k), (2, 1))])
    events, n = np.r_[TRIALS["x1"], TRIALS["x2"]], np.r_[TRIALS["n1"], TRIALS["n2"]]
    plain = sm.GLM(np.column_stack([events, n - events]), x, family=sm.families.Binomial()).fit(tol=1e-12)
    ours = ml.pool(odds(TRIALS), model="unconditional-fixed", moderators="~ dose", tau2=0)
    assert ours.beta == pytest.approx(plain.params[:2], rel=1e-6)
    assert ours.se == pytest.approx(plain.bse[:2], rel=1e-4)

    one = {"study": TRIALS["study"], "events": TRIALS["x2"], "n": TRIALS["n2"], "dose": TRIALS["dose"]}
    y, size = np.array(TRIALS["x2"]), np.array(TRIALS["n2"])
    plain = sm.GLM(np.column_stack([y, size - y]), sm.add_constant(dose), family=sm.families.Binomial()).fit(tol=1e-12)
    ours = ml.pool(ml.proportions(one), model="binomial-normal", moderators="~ dose", tau2=0)
    assert ours.beta == pytest.approx(plain.params, rel=1e-6)
    assert ours.se == pytest.approx(plain.bse, rel=1e-4)

    rates = {"study": TRIALS["study"], "events": TRIALS["x2"], "time": TRIALS["n2"], "dose": TRIALS["dose"]}
    model = sm.GLM(y, sm.add_constant(dose), family=sm.families.Poisson(), offset=np.log(size))
    ours = ml.pool(ml.rates(rates), model="poisson-normal", moderators="~ dose", tau2=0)
    assert ours.beta == pytest.approx(model.fit(tol=1e-12).params, rel=1e-6)


def test_an_intercept_alone_is_the_pooled_model() -> None:
    one = {"study": TRIALS["study"], "events": [1, 3, 9, 0, 20, 2, 8, 10], "n": TRIALS["n2"]}
    for effects, model in ((ml.proportions(one), "binomial-normal"), (odds(TRIALS), "conditional-approximate")):
        a, b = ml.pool(effects, model=model), ml.pool(effects, model=model, moderators="~ 1")
        assert b.beta[0] == pytest.approx(a.beta[0], abs=1e-5)
        assert b.se[0] == pytest.approx(a.se[0], rel=1e-4)
        assert b.tau2 == pytest.approx(a.tau2, abs=1e-5)
        assert b.loglik == pytest.approx(a.loglik, abs=1e-7)


@pytest.mark.parametrize("model", BOTH_ARMS)
def test_the_unit_of_a_moderator_does_not_matter(model: str) -> None:
    tens = TRIALS | {"dose": [1900 + 10 * x for x in TRIALS["dose"]]}
    a, b = (ml.pool(odds(table), model=model, moderators="~ dose", nodes=5) for table in (TRIALS, tens))
    assert a.beta[1] == pytest.approx(10 * b.beta[1], rel=1e-4)
    assert a.loglik == pytest.approx(b.loglik, abs=1e-7)


def test_what_follows_a_fit() -> None:
    """Categories, predictions, contrasts, comparison with the smaller model; verbs that would refit refuse."""
    effects = odds(TRIALS)
    larger = ml.pool(effects, model="unconditional-fixed", moderators="~ design")
    smaller = ml.pool(effects, model="unconditional-fixed")
    assert larger.names == ("intercept", "design[T.rct]")
    tested = ml.compare(larger, smaller)
    assert tested.df == 1
    assert tested.statistic == pytest.approx(2 * (larger.loglik - smaller.loglik), abs=1e-9)
    predicted = ml.predict(larger, {"design": ["rct", "cohort"]})
    assert predicted.y == pytest.approx([larger.beta.sum(), larger.beta[0]])
    assert ml.predict(smaller).y[0] == pytest.approx(smaller.beta[0])
    assert "unconditional model of two-arm counts" in ml.methods_sentence(larger).text
    assert ml.contrasts(larger, [[1, 1]]).estimate[0] == pytest.approx(larger.beta.sum())
    with pytest.raises(OptionError, match="different likelihoods"):
        ml.compare(larger, ml.pool(effects, model="conditional-approximate"))
    for verb in (ml.permutation_test, ml.tau2_interval, ml.influence):
        with pytest.raises(OptionError, match="unconditional-fixed"):
            verb(larger)


def test_a_study_without_events_is_named() -> None:
    more = {
        key: [*values, extra]
        for (key, values), extra in zip(TRIALS.items(), ("z", 0, 50, 0, 50, 3, "rct"), strict=True)
    }
    a = ml.pool(odds(TRIALS), model="conditional-approximate", moderators="~ dose")
    b = ml.pool(odds(more, double_zero="correct"), model="conditional-approximate", moderators="~ dose")
    assert a.beta == pytest.approx(b.beta, abs=1e-7)
    assert any("change nothing: z." in note for note in b.notes)


def test_bad_designs() -> None:
    """Coefficients that are infinite, that studies without events alone identify, that follow from others."""
    lone = TRIALS | {"x1": [2, 0, 5, 1, 0, 4, 7, 3], "site": ["p", "q", "p", "p", "q", "p", "p", "p"]}
    with pytest.raises(NotEstimableError, match=r"'site\[T.q\]' has no finite estimate"):
        ml.pool(odds(lone), model="unconditional-fixed", moderators="~ site")
    none = TRIALS | {"x1": [0, *TRIALS["x1"][1:]], "x2": [0, *TRIALS["x2"][1:]], "site": ["q", *"ppppppp"]}
    with (
        pytest.warns(SuspiciousDataWarning, match="only one study"),
        pytest.raises(DataError, match=r"cannot be told|zero"),
    ):
        ml.pool(odds(none, double_zero="correct"), model="conditional-approximate", moderators="~ site")
    with pytest.raises(DataError, match="follows exactly"):
        ml.pool(odds(TRIALS), model="unconditional-random", moderators={"a": TRIALS["dose"], "b": TRIALS["dose"]})
    with pytest.raises(DataError, match="at least"):
        ml.pool(odds(TRIALS).take([0, 1]), model="conditional-exact", moderators="~ dose")
    with pytest.raises(OptionError, match="moderators go with the models"):
        ml.pool(odds(TRIALS), model="peto", moderators="~ dose")


def test_the_higher_of_two_maxima() -> None:
    """Trials of magnesium on their year, conditional on events: maxima at tau = 0.42 and, 0.016 higher, at tau = 0."""
    c, fit = GLMM["egger2001_OR"]["counts"], next(f for n, f in FITS if n == "egger2001_OR")
    table = {"study": [str(i) for i in range(16)], "x1": c["events1"], "n1": c["n1"], "x2": c["events2"]}
    ours = ml.pool(
        odds(table | {"n2": c["n2"], "year": fit["moderator"]}), model="conditional-approximate", moderators="~ year"
    )
    assert ours.tau2 == 0
    assert ours.beta[1] == pytest.approx(0.12346, abs=1e-4)
    assert ours.loglik == pytest.approx(-36.929396, abs=1e-5)
