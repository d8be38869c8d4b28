"""Every kind of Bayesian result through the methods sentence, the report and the forest plot."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.bayes import sampler

E = ml.effects(
    [-0.42, 0.11, -0.77, -0.05, 0.31, -1.2],
    [0.09, 0.21, 0.05, 0.4, 0.13, 0.3],
    study=list("ABCDEF"),
    measure="HR",
    columns={"dose": [1, 2, 4, 1, 2, 6]},
)
SERIES = ml.proportions({"study": list("abc"), "events": [0, 3, 2], "n": [7, 30, 14]}, label="Response rate")
RATES = ml.rates({"study": list("abc"), "events": [2, 5, 0], "time": [20, 41, 9]})
MEDIANS = {
    "study": ["A", "B", "C"],
    "median": [8.3, 10.6, "NR"],
    "low": [5.7, 5.9, None],
    "high": [11.0, "NR", None],
    "n": [60, 19, 10],
    "events": [None, None, 2],
    "follow_up": [None, None, 9.0],
}
FAST = {"draws": 100, "chains": 2, "seed": 1}


def by_draws(run: Callable[[], Any], shapes: dict[str, tuple[int, ...]]) -> Any:
    """Fit by draws that were not sampled, of two chains that do not agree."""
    rng = np.random.default_rng(1)
    apart = {name: 0.2 * rng.standard_normal((2, 100, *shape)) for name, shape in shapes.items()}
    for name, x in apart.items():
        x[1] += 0.5
        apart[name] = np.abs(x) if name in ("tau", "partial") else x
    found = sampler.Chains(apart, np.zeros((2, 100)), rng.standard_normal((2, 100)), "none", (("pymc", "0"),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampler, "sample", lambda *_, **__: found)
        return run()


def outcomes() -> Any:
    with pytest.warns(ml.errors.SuspiciousDataWarning, match="stands in rows"):
        e = _two_outcomes()
    v = ml.vcov_imputed(e, rho=0.5)
    return by_draws(
        lambda: ml.pool_bayes_outcomes(e, outcome="outcome", V=v, **FAST), {"mu": (2,), "tau": (2,), "partial": (1,)}
    )


def _two_outcomes() -> ml.Effects:
    return ml.effects(
        [-0.3, -0.2, -0.5, -0.1, -0.4],
        [0.05, 0.06, 0.1, 0.08, 0.07],
        study=list("AABBC"),
        measure="HR",
        columns={"outcome": ["OS", "PFS", "OS", "PFS", "OS"]},
    )


MAKE: dict[str, Callable[[], Any]] = {
    "exact": lambda: ml.pool_bayes(E),
    "prior on the mean": lambda: ml.pool_bayes(E, mu=(0, 0.3)),
    "own density": lambda: ml.pool_bayes(E, tau=lambda tau: 2.0 if tau < 0.5 else 0.0),
    "binomial-normal": lambda: ml.pool_bayes(SERIES, model="binomial-normal"),
    "beta-binomial": lambda: ml.pool_bayes(SERIES, model="beta-binomial"),
    "poisson-normal": lambda: ml.pool_bayes(RATES, model="poisson-normal", tau=ml.priors.half_normal(1)),
    "medians": lambda: ml.pool_bayes_medians(MEDIANS),
    "moderators": lambda: ml.pool_bayes(E, moderators="~ dose"),
    "compare_models": lambda: ml.compare_models(E, mu=(0, 0.5)),
    "robust_average": lambda: ml.robust_average(E, mu=(0, 0.5), expected="below"),
    "map_prior": lambda: ml.map_prior(SERIES, components=1),
    "sampled": lambda: by_draws(lambda: ml.pool_bayes(E, method="nuts", **FAST), {"mu": (), "tau": (), "theta": (6,)}),
    "sampled moderators": lambda: by_draws(
        lambda: ml.pool_bayes(E, moderators="~ dose", method="nuts", **FAST), {"beta": (2,), "tau": ()}
    ),
    "outcomes": outcomes,
}


@cache
def made(kind: str) -> Any:
    """Fit each kind once."""
    return MAKE[kind]()


NO_PAGE = ("compare_models", "robust_average", "map_prior")
NO_FOREST = (*NO_PAGE, "outcomes")


@pytest.mark.parametrize("kind", MAKE)
def test_every_kind_is_served(kind: str, tmp_path: Path) -> None:
    """What was done in a sentence, a page and a forest plot; what has none says what to take instead."""
    fit = made(kind)
    text = ml.methods_sentence(fit)
    assert text.text.endswith(".")
    assert text.sources
    assert "as given" not in str(text)
    if kind in NO_FOREST:
        with pytest.raises(ml.errors.OptionError, match=r"forest (draws one|takes a)"):
            ml.forest(fit)
    else:
        shown = ml.forest(fit)
        assert any("Prior on τ" in note for note in shown.layout.footnotes)
    if kind in NO_PAGE:
        with pytest.raises(ml.errors.OptionError, match="of its own"):
            ml.report(fit, tmp_path / "page.html")
        return
    written = ml.report(fit, tmp_path / "page.html", figure_formats=("svg",))
    record = json.loads((tmp_path / "results.json").read_text())
    assert written.sentences
    assert record.get("answer") or record["questions"]


def test_medians_are_made_again_from_the_report(tmp_path: Path) -> None:
    """The code on the page gives the same posterior, from nothing but the numbers in it."""
    fit = ml.pool_bayes_medians(MEDIANS, shape=1.2, label="Overall survival")
    ml.report(fit, tmp_path / "page.html", figure_formats=())
    page = (tmp_path / "page.html").read_text()
    start = page.index("import metaleptic as ml")
    code = page[start : page.index("</pre>", start)].replace("&#39;", "'").replace("&#34;", '"')
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == repr(fit)
    assert "median was not reached" not in ml.methods_sentence(fit).text
    assert "log-median" in ml.methods_sentence(fit).text


def test_leave_one_out_of_medians() -> None:
    """Each refit is that of the table without the row."""
    fit = ml.pool_bayes_medians(MEDIANS)
    without = ml.leave_one_out(fit)
    for i in range(3):
        rest = {name: [x for j, x in enumerate(values) if j != i] for name, values in MEDIANS.items()}
        again = ml.pool_bayes_medians(rest)
        assert without.value[i] == pytest.approx(again.estimate.value, rel=1e-9)
        assert without.tau[i] == pytest.approx(again.tau.median, rel=1e-9)


def test_weights_add_up_as_printed() -> None:
    """With a prior on the mean the rows do not reach 100%, and the pooled row prints their sum."""
    post = ml.pool_bayes(E, mu=(0, 0.3))
    layout = ml.forest(post).layout
    rows = [float(r.weight.rstrip("%")) for r in layout.rows if r.kind == "study"]
    total = next(float(r.weight.rstrip("%")) for r in layout.rows if r.kind == "total")
    assert total == pytest.approx(sum(rows), abs=0.05 * len(rows))
    assert total < 99
    counted = next(n for n in layout.footnotes if "counts" in n)
    assert f"the prior on the mean counts {100 - float(post.weights.sum()):.1f}%" in counted
    assert "prior on the mean: normal(0, 0.3)" in counted


def test_prior_is_stated() -> None:
    """The forest plot says what was taken for granted."""
    assert "Prior on τ: half-normal(0.5); prior on the mean: flat." in ml.forest(ml.pool_bayes(E)).layout.footnotes
    assert "NOT TO BE TRUSTED" not in ml.forest(ml.pool_bayes(E)).alt


@pytest.mark.parametrize("kind", ["sampled", "sampled moderators", "outcomes"])
def test_bad_chains_are_told_everywhere(kind: str) -> None:
    """Chains that do not agree fail their diagnostics: forest plot, its words, and the methods sentence say so."""
    fit = made(kind)
    assert fit.diagnostics.problems
    assert ml.methods_sentence(fit).text.startswith("NOT TO BE TRUSTED (")
    shown = ml.forest(fit["OS"] if kind == "outcomes" else fit)
    assert shown.layout.footnotes[0].startswith("NOT TO BE TRUSTED: ")
    assert "NOT TO BE TRUSTED: " in shown.alt


def test_own_distribution_is_written_out() -> None:
    """The call of a scipy distribution can be run again, and no source is claimed for it."""
    stats = pytest.importorskip("scipy.stats")
    post = ml.pool_bayes(E, tau=stats.gamma(2, scale=0.2))
    assert "priors.from_density(scipy.stats.gamma(a=2.0, scale=0.2))" in post.provenance.call
    import scipy.stats

    again = eval(post.provenance.call, {"ml": ml, "priors": ml.priors, "scipy": scipy, "effects": E})
    assert again.mu.median == post.mu.median
    assert "gamma(a=2, scale=0.2) prior" in ml.methods_sentence(post).text
    assert len(ml.methods_sentence(post).sources) == 2
