"""Selection models agree with metafor's selmodel() to 1e-5 wherever that converged, and say so where they do not."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import integrate, special, stats
from sensitivity_golden import cases, differing, effects_of, fit_of, load, method_of

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.sensitivity.selection_functions import SELECTION
from metaleptic.sensitivity.selection_likelihood import log_likelihood, make_problem

FUNCTION = {
    "beta": "beta",
    "halfnorm": "half-normal",
    "negexp": "negative-exponential",
    "logistic": "logistic",
    "power": "power",
    "negexppow": "negative-exponential-power",
    "stepfun": "step",
    "trunc": "truncation",
}
ALL = [c for c in cases("selmodel") if isinstance(c.values[1].get("result"), dict)]
KNOWN = [c for c in ALL if not any(d is None for d in c.values[1]["result"]["se"] or [None])]


def asked(call: str) -> dict[str, Any]:
    """Translate a call of selmodel()."""
    options: dict[str, Any] = {"function": FUNCTION[re.search(r'type="(\w+)"', call)[1]]}  # type: ignore[index]
    side = re.search(r'alternative="([\w.]+)"', call)
    assert side
    options["favoured"] = {"two.sided": "two-sided"}.get(side[1], side[1])
    for name, key in (("steps", "steps"), ("delta", "weights")):
        found = re.search(rf"{name}=(c\([^)]*\)|[\d.]+)", call)
        if found:
            options[key] = [float(x) for x in re.findall(r"[\d.]+", found[1])]
    precision = re.search(r'prec="(\w+)"', call)
    if precision:
        options["precision"] = {"sei": "se", "vi": "v", "ninv": "1/n", "sqrtninv": "1/sqrt(n)"}[precision[1]]
    return options


def test_the_grid_is_complete() -> None:
    """Every function, side and variant of the reference; R converged in 27 of 79 calls."""
    ids = {x["id"].partition("_")[2] for e in load("selmodel").values() for x in e}
    assert ids == {
        "beta",
        "halfnorm",
        "halfnorm_sei",
        "halfnorm_step",
        "halfnorm_two.sided",
        "logistic",
        "negexp",
        "negexp_sei",
        "negexppow",
        "power",
        "step1",
        "step1_05",
        "step1_05_two.sided",
        "step1_m1",
        "step2",
        "step3",
        "stepfixed",
        "trunc",
    }
    assert sum(len(e) for e in load("selmodel").values()) == 79
    assert len(ALL) == 27
    assert len(KNOWN) == 26


@pytest.mark.parametrize(("name", "x"), KNOWN)
def test_selection_models_agree_with_metafor(name: str, x: dict[str, Any]) -> None:
    """Effect, tau2 and parameters of the function with SEs, intervals and tests; log-likelihood; LRT."""
    r = x["result"]
    method, test = method_of(x["setup"])
    moderator = re.search(r"mods=~ (\w+)", x["setup"])
    if moderator:
        fit: Any = ml.pool(effects_of(name), moderators=f"~ {moderator[1]}", tau2=method, test=test)
    else:
        fit = fit_of(name, method, test)
    found = ml.selection_model(fit, **asked(x["call"]))
    # A parameter at its bound is 1e-10 in R; there R's differences are taken over 1e-4 and are good to three digits. The
    # weights of the beta and the power function bend where p is censored, which R's adaptive integrals see to 1e-7 only.
    bends = found.function in ("beta", "power")
    at_bound = bool((np.array(r["delta"]) < 1e-6).any())
    assert found.converged
    pairs: dict[str, tuple[Any, Any]] = {
        "beta": (found.beta, r["beta"]),
        "tau2": (found.tau2, r["tau2"]),
        "delta": (found.delta, r["delta"]),
        "ll": (found.loglik, r["ll"]),
    }
    if r["LRT"] is not None and found.lrt_df:
        pairs |= {"lrt_p": (found.lrt_p, r["LRTp"])}
        assert found.lrt_df == r["LRTdf"]
    assert not differing(pairs, 1e-5, near_zero=0.1)
    errors: dict[str, tuple[Any, Any]] = {"se": (found.se, r["se"]), "p": (found.p, r["pval"])}
    if r["se_tau2"] is not None:
        errors["tau2_se"] = (found.tau2_se, r["se_tau2"])
    if found.lrt_df:
        errors |= {
            "delta_se": (found.delta_se, r["se_delta"]),
            "delta_p": (found.delta_p, r["pval_delta"]),
            "delta_low": (np.maximum(found.delta_low, 1e-5), np.maximum(np.array(r["ci_lb_delta"], float), 1e-5)),
            "delta_high": (found.delta_high, r["ci_ub_delta"]),
        }
    assert not differing(errors, 2e-3 if at_bound else 2e-4 if bends else 1e-5, near_zero=0.1)


@pytest.mark.parametrize("key", [k for k, f in SELECTION.items() if f.log_weight is not None])
@pytest.mark.parametrize("two_sided", [False, True])
def test_the_mean_weight_is_integrated_to_eight_digits(key: str, two_sided: bool) -> None:
    """Adaptive quadrature of one study's normaliser, with and without a level below which all are published."""
    function = SELECTION[key]
    delta = np.array([0.7, 1.6][: function.parameters])
    y, v, mu, tau2 = np.array([0.4]), np.array([0.09]), 0.2, 0.5
    for steps in (np.empty(0), np.array([0.05])):
        problem = make_problem(
            y,
            v,
            np.ones((1, 1)),
            random=True,
            function=function,
            two_sided=two_sided,
            steps=steps,
            fixed=np.full(function.parameters, np.nan),
            precision=np.ones(1),
        )

        def weight(u: float, steps: Any = steps) -> float:
            z = u / np.sqrt(v[0])
            p = 2 * stats.norm.sf(abs(z)) if two_sided else stats.norm.sf(z)
            p = min(max(p, function.censor), 1 - function.censor) if function.censor else p
            if len(steps) and p <= steps[0]:
                return 1.0
            lq = np.log1p(-p) if p < 1 else -np.inf
            with np.errstate(divide="ignore"):
                return float(np.exp(function.log_weight(np.log(p), lq, delta, 1.0)))  # type: ignore[misc]

        total = np.sqrt(v[0] + tau2)
        marks = np.sqrt(v[0]) * np.r_[0, special.ndtri([0.05, 0.025, 0.95, 0.975, 1e-5, 1 - 1e-5, 5e-6, 1 - 5e-6])]
        edges = np.r_[mu - 12 * total, np.sort(marks), mu + 12 * total]

        def density(u: float, weigh: Any = weight, total: float = float(total)) -> float:
            return float(weigh(u) * stats.norm.pdf(u, mu, total))

        mean = sum(integrate.quad(density, a, b, epsabs=1e-13, limit=200)[0] for a, b in pairwise(edges))
        expected = np.log(weight(y[0])) + stats.norm.logpdf(y[0], mu, total) - np.log(mean)
        ours = float(log_likelihood(problem, np.r_[mu, tau2, delta]))
        assert ours == pytest.approx(expected, abs=1e-8)


def test_a_fit_that_cannot_be_relied_on_says_so_and_shows_the_profile() -> None:
    """Two parameters for one slope: the first runs to its bound."""
    found = ml.selection_model(fit_of("bcg_RR", "ML"), function="negative-exponential-power")
    assert not found.converged
    assert "still rises" in found.trouble
    assert "cannot be relied on" in found.sentence
    values, heights, effects = found.profile
    assert len(values) == len(heights) == len(effects) == 15
    assert np.isfinite(heights).all()
    assert "hardly lower" in found.sentence
    frame = found.to_frame()
    assert all(note for note, se in zip(frame["note"], frame["se"], strict=True) if not np.isfinite(se))


def test_what_cannot_be_fitted_is_refused() -> None:
    """Empty intervals, unknown names, more parameters than studies."""
    fit = fit_of("bcg_RR", "ML")
    with pytest.raises(NotEstimableError, match="no study has a p value between"):
        ml.selection_model(fit, steps=[1e-200, 0.5])
    with pytest.raises(OptionError, match="step, beta, half-normal"):
        ml.selection_model(fit, function="weibull")
    with pytest.raises(OptionError, match="2 weights"):
        ml.selection_model(fit, weights=[1.0])
    with pytest.raises(NotEstimableError, match="3 studies cannot tell 4"):
        ml.selection_model(ml.pool(effects_of("bcg_RR").take([0, 1, 2])), function="beta")


def test_weights_are_those_of_the_function() -> None:
    """What a reader may plot."""
    found = ml.selection_model(fit_of("lee2004_OR", "EE"), steps=[0.025, 0.5], favoured="less")
    assert found.weight([0.01, 0.2, 0.9]).tolist() == found.delta.tolist()
    smooth = ml.selection_model(fit_of("yusuf1985_t6_PETO", "EE"), function="half-normal", favoured="less")
    assert smooth.weight(0.5) == pytest.approx(np.exp(-smooth.delta[0] / 4))
