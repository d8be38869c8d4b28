"""Trim and fill, fail-safe N, excess significance, Henmi-Copas and the limit agree with metafor, meta and metasens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sensitivity_golden import NAMES, cases, differing, effects_of, fit_of, load, method_of

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.sensitivity.fail_safe import with_null_results

SIDE = {"left": "left", "right": "right"}
ALTERNATIVE = {"two.sided": "two-sided", "greater": "greater", "less": "less"}
META_FILL = [c for c in cases("meta") if c.values[1]["id"].startswith("trimfill")]
LIMITS = [c for c in cases("metasens") if c.values[1]["id"] == "limitmeta"]


def test_the_grid_is_complete() -> None:
    """Every estimator, side, method, type and alternative of the reference."""
    fill = {f"{m}_{e}{s}" for m in ("REML", "DL", "EE") for e in ("L0", "R0", "Q0") for s in ("", "_left", "_right")}
    for entries in load("trimfill").values():
        assert {x["id"] for x in entries} == fill
    assert len(META_FILL) == 16
    general = {f"General_{m}{e}" for m in ("REML", "DL") for e in ("", "_exact")}
    for entries in load("fsn").values():
        assert {x["id"] for x in entries} == general | {
            "Rosenthal",
            "Orwin",
            "Rosenberg",
            "Orwin_unweighted",
            "Orwin_target",
        }
    for entries in load("tes").values():
        assert {x["id"] for x in entries} - {"exact"} == {
            "chi2_two.sided",
            "chi2_greater",
            "chi2_less",
            "binom",
            "REML_chi2",
        }
    assert sum(x["id"] == "exact" for e in load("tes").values() for x in e) == 6
    assert all({x["id"] for x in e} == {"REML", "DL", "EE"} for e in load("hc").values())
    assert len(LIMITS) == len(NAMES)


@pytest.mark.parametrize(("name", "x"), cases("trimfill"))
def test_trim_and_fill_agrees_with_metafor(name: str, x: dict[str, Any]) -> None:
    """Number with SE and p, side, filled values and the model fitted to all."""
    parts = x["id"].split("_")
    fit = fit_of(name, *method_of(x["setup"]))
    side = SIDE.get(parts[-1])
    if "error" in x:
        assert parts[1] == "Q0"
        with pytest.raises(NotEstimableError, match="Q0 has no solution"):
            ml.trim_and_fill(fit, estimator="Q0", side=side)
        return
    found, r = ml.trim_and_fill(fit, estimator=parts[1], side=side), x["result"]
    assert (found.missing, found.side, found.filled.k) == (r["k0"], r["side"], r["k"])
    f, to = found.filled, fit.effects.measure.to_analysis
    fill = np.array(r["fill"], dtype=bool) if isinstance(r["fill"], list) else np.zeros(f.k, dtype=bool)
    pairs: dict[str, tuple[Any, Any]] = {
        "se": (found.se, r["se_k0"]),
        "p": (found.p, r["p_k0"]),
        "beta": (f.beta, r["beta"]),
        "se_beta": (f.se, r["se"]),
        "z": (f.statistic, r["zval"]),
        "pval": (f.p, r["pval"]),
        "low": (to(f.estimate.low), r["ci_lb"]),
        "high": (to(f.estimate.high), r["ci_ub"]),
        "tau2": (f.tau2, r["tau2"]),
        "h2": (f.h2, r["H2"]),
        "q": (f.q, r["QE"]),
        "q_p": (f.q_p, r["QEp"]),
        "y": (np.sort(found.y), np.sort(np.array(r["yi"], dtype=float)[fill])),
        "v": (np.sort(found.v), np.sort(np.array(r["vi"], dtype=float)[fill])),
    }
    # The augmented data are fitted with R's default tolerance, which leaves REML off in the fifth digit.
    tolerance = 2e-4 if parts[0] == "REML" and found.missing else 1e-8
    assert not differing(pairs, tolerance, near_zero=0.01)
    assert not differing({"i2": (f.i2, r["I2"])}, tolerance, near_zero=1.0)


@pytest.mark.parametrize(("name", "x"), META_FILL)
def test_trimming_by_the_common_effect_agrees_with_meta(name: str, x: dict[str, Any]) -> None:
    """trimfill() of meta: trimmed by the common effect, then both models of all studies."""
    r = x["result"]
    estimator = f"{x['id'][-1]}0"
    random = ml.trim_and_fill(fit_of(name, "REML"), estimator=estimator, trim_by="common")
    common = ml.trim_and_fill(fit_of(name, "EE"), estimator=estimator, trim_by="common")
    assert (random.missing, random.filled.k) == (r["k0"], r["k"])
    pairs = {
        "common": (common.filled.beta, r["TE.common"]),
        "q": (common.filled.q, r["Q"]),
        "y": (np.sort(random.filled.effects.y), np.sort(r["TE"])),
    }
    assert not differing(pairs, 1e-8)
    assert not differing({"random": (random.filled.beta, r["TE.random"])}, 1e-4)  # meta iterates to 1e-5 only


@pytest.mark.parametrize(("name", "x"), cases("fsn"))
def test_fail_safe_n_agrees_with_metafor(name: str, x: dict[str, Any]) -> None:
    """The number, p, mean, target; for the general method also what it leads to."""
    r = {k: v[0] if isinstance(v, list) else v for k, v in x["result"].items()}
    parts = x["id"].split("_")
    options: dict[str, Any] = {"method": parts[0].lower()}
    if parts[0] == "General":
        options |= {"tau2": parts[1], "exact": parts[-1] == "exact"}
    if parts[0] == "Orwin":
        options |= {"weighted": parts[-1] != "unweighted", "target": 0.05 if parts[-1] == "target" else None}
    e = effects_of(name)
    found = ml.fail_safe_n(e, **options)
    pairs = {"p": (found.p, r["pval"]), "mean": (found.mean, r["meanes"]), "target": (found.target, r["target"])}
    if parts[0] == "General":
        # Ours is the smallest number that does it; metafor's, found by a root search on rounded numbers, can be one more.
        assert r["fsnum"] - found.n in (0, 1)
        ours = {
            n: with_null_results(e.y, e.v, n, parts[1], exact=options["exact"])
            for n in (max(0, found.n - 1), r["fsnum"])
        }
        assert found.n == 0 or ours[found.n - 1][2] <= 0.05 < found.p_then
        keys = ("est.fsn", "tau2.fsn", "pval.fsn")
        pairs |= {key: (value, r[key]) for key, value in zip(keys, ours[r["fsnum"]], strict=True)}
    else:
        assert found.n == r["fsnum"]
    # REML there is iterated with R's default tolerance, which leaves tau2 off in the fourth digit.
    assert not differing(pairs, 5e-4 if "REML" in x["id"] else 1e-8)


@pytest.mark.parametrize(("name", "x"), cases("tes"))
def test_excess_significance_agrees_with_metafor(name: str, x: dict[str, Any]) -> None:
    """Observed, expected, p, chi-squared, power of each study and the limit."""
    r = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in x["result"].items()}
    random = x["id"].startswith("REML")
    alternative = ALTERNATIVE.get(x["id"].partition("_")[2], "two-sided")
    test = {"chi2": "chi2", "binom": "binomial", "exact": "exact"}[r["test"]]
    found = ml.excess_significance(fit_of(name, "REML" if random else "EE"), test=test, alternative=alternative)
    assert found.observed == r["O"]
    assert found.significant.tolist() == r["sig"]
    pairs = {
        "E": (found.expected, r["E"]),
        "p": (found.p, r["pval"]),
        "power": (found.power, r["power"]),
    }
    if test == "chi2":
        pairs["X2"] = (found.statistic, r["X2"])
    assert not differing(pairs, 1e-4 if random else 1e-8, near_zero=0.1 if random else 1e-6)
    # R's root finder stops at 1e-4.
    assert not differing({"limit": (found.limit, r["theta.lim"])}, 1e-4, near_zero=1.0)


@pytest.mark.parametrize(("name", "x"), cases("hc"))
def test_henmi_copas_agrees_with_metafor(name: str, x: dict[str, Any]) -> None:
    """Mean, SE, tau2 and interval; R searches its quantile to 1e-10 of p, which leaves 1e-7 in the interval."""
    r = {k: v[0] if isinstance(v, list) else v for k, v in x["result"].items()}
    found = ml.henmi_copas(effects_of(name))
    to = found.effects.measure.to_analysis
    pairs = {"beta": (found.beta, r["beta"]), "se": (found.se, r["se"]), "tau2": (found.tau2, r["tau2"])}
    assert not differing(pairs, 1e-10)
    bounds = {"low": (to(found.estimate.low), r["ci.lb"]), "high": (to(found.estimate.high), r["ci.ub"])}
    assert not differing(bounds, 1e-7, near_zero=0.1)


@pytest.mark.parametrize(("name", "x"), LIMITS)
def test_limit_meta_analysis_agrees_with_metasens(name: str, x: dict[str, Any]) -> None:
    """Adjusted effect with SE and p, radial regression, limits of the studies, Q and its parts, G2.

    tau there was iterated with meta's default tolerance, so that 1e-4 is what can be asked; with that tau the closed
    forms agree to 1e-10, which the second half shows.
    """
    r = x["result"]
    found = ml.limit_meta_analysis(fit_of(name, "REML"))
    exact = ml.limit_meta_analysis(ml.pool(effects_of(name), tau2=r["tau"] ** 2, test="z"))
    for ours, tolerance in ((found, 2e-4), (exact, 1e-9)):
        to = ours.fit.effects.measure.to_analysis
        pairs = {
            "adjust": (ours.beta, r["TE.adjust"]),
            "se": (ours.se, r["seTE.adjust"]),
            "p": (ours.p, r["pval.adjust"]),
            "low": (to(ours.estimate.low), r["lower.adjust"]),
            "high": (to(ours.estimate.high), r["upper.adjust"]),
            "alpha": (ours.alpha, r["alpha.r"]["(Intercept)"]),
            "slope": (ours.slope, r["beta.r"]["x"]),
            "limits": (ours.effects, r["TE.limit"]),
            "q": (ours.q, r["Q"]),
            "q_small": (ours.q_small, r["Q.small"]),
            "q_rest": (ours.q_rest, r["Q.resid"]),
            "g2": (ours.g2, r["G.squared"]),
        }
        assert not differing(pairs, tolerance, near_zero=0.05)


def test_pet_peese_are_the_intercepts_of_the_regression_tests() -> None:
    """PET is the limit of Egger's regression, PEESE that on the variance; the rule chooses by PET's p."""
    for name in ("bcg_RR", "egger2001_OR"):
        fit = fit_of(name, "REML")
        found = ml.pet_peese(fit)
        pet = ml.regression_test(fit, model="dispersion").limit
        peese = ml.regression_test(fit, model="dispersion", predictor="v").limit
        assert pet is not None
        assert peese is not None
        assert found.pet.value == pytest.approx(pet.value, rel=1e-12)
        assert found.peese.high == pytest.approx(peese.high, rel=1e-12)
        assert found.chosen == ("PEESE" if found.pet_p < 0.10 else "PET")
        assert found.estimate == (found.peese if found.chosen == "PEESE" else found.pet)


def test_sentences_say_what_was_found() -> None:
    """Numbers in words, on the printed scale."""
    fit = fit_of("egger2001_OR", "REML")
    assert "7 studies more on the right" in ml.trim_and_fill(fit).sentence
    assert "5k + 10" in ml.fail_safe_n(fit).sentence
    assert "instead of 0.46" in ml.limit_meta_analysis(fit).sentence
    assert len(ml.excess_significance(fit).to_frame()) == fit.k
    assert ml.trim_and_fill(fit).to_frame()["k"].tolist() == [16, 23]


def test_sentences_of_few_studies_say_that_they_are_few() -> None:
    """Below ten studies nothing is corrected, nor absent, without saying so; from ten on nothing is said."""
    y = [-1.2, 0.3, -0.9, -0.7, 0.2, -0.5, -0.3, 0.1, -0.2, -0.1]
    v = [0.2, 0.4, 0.1, 0.1, 0.15, 0.1, 0.05, 0.03, 0.02, 0.01]
    for k in (6, 10):
        fit = ml.pool(ml.effects(y[:k], v[:k], measure="HR"))
        corrected = (
            ml.pet_peese,
            ml.limit_meta_analysis,
            ml.p_uniform,
            ml.trim_and_fill,
            ml.worst_case,
            ml.henmi_copas,
        )
        for verb in (*corrected, ml.fail_safe_n, lambda f: ml.fail_safe_n(f, method="general")):
            assert ("With 6 studies this is a guess." in verb(fit).sentence) == (k == 6)
        assert ("6 studies could hardly show one" in ml.excess_significance(fit).sentence) == (k == 6)


def test_the_general_fail_safe_n_brings_the_mean_to_a_target() -> None:
    """The number is the smallest that does so, with the model fitted again too; other methods refuse a target."""
    e = effects_of("bcg_RR")
    for exact in (False, True):
        found = ml.fail_safe_n(e, method="general", target=0.3, exact=exact)
        means = [abs(with_null_results(e.y, e.v, n, "REML", exact=exact)[0]) for n in (found.n - 1, found.n)]
        assert means[0] > 0.3 >= means[1]
        assert found.target == pytest.approx(-0.3)
        assert found.mean_then == pytest.approx(-means[1])
    assert "bring the mean effect to -0.3" in found.sentence
    assert ml.fail_safe_n(e, method="general", target=0.9).n == 0
    with pytest.raises(NotEstimableError, match="exactly 0"):
        ml.fail_safe_n(e, method="general", target=0)
    for method in ("rosenthal", "rosenberg"):
        with pytest.raises(OptionError, match="has no target"):
            ml.fail_safe_n(e, method=method, target=0.3)
