"""How far metaleptic stands from R for every golden value of models: the differences, one by one.

Used by the tests (which set the tolerance) and by the docs (which print the largest difference of each method).
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import metaleptic as ml

MODELS: dict[str, Any] = json.loads((Path(__file__).parent / "models.json").read_text(encoding="utf-8"))
TEST_OF = {"z": "z", "t": "t", "knha": "knapp-hartung", "adhoc": "adhoc", "": "z"}
NEAR_ZERO = 1e-6  # below this size differences are taken relative to it


@dataclass(frozen=True, slots=True)
class Difference:
    """One number of ours beside R's."""

    data: str
    topic: str
    id: str
    quantity: str
    ours: float
    theirs: float

    @property
    def relative(self) -> float:
        """Relative difference; 0 where both are missing or equally infinite."""
        if self.ours == self.theirs or (np.isnan(self.ours) and np.isnan(self.theirs)):
            return 0.0
        if not (np.isfinite(self.ours) and np.isfinite(self.theirs)):
            return float("inf")
        return abs(self.ours - self.theirs) / max(abs(self.theirs), NEAR_ZERO)


@cache
def effects(data: str) -> ml.Effects:
    """Return the effects of a golden data set with its moderators."""
    d = MODELS[data]
    return ml.effects(d["y"], d["v"], columns=d["columns"])


@cache
def fitted(data: str, method: str, test: str, moderators: str = "") -> Any:
    """Fit a golden data set; EE is the common-effect model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options: dict[str, Any] = {"model": "common"} if method == "EE" else {"tau2": method}
        if moderators:
            options["moderators"] = moderators
        return ml.pool(effects(data), test=TEST_OF[test], **options)


def number(value: Any) -> float:
    """Return R's number: NA is NaN, "Inf" infinite."""
    return float("nan") if value is None else float(value)


def pairs(data: str, topic: str, entry: dict[str, Any], values: dict[str, tuple[Any, Any]]) -> Iterator[Difference]:
    """Pair our arrays with R's, number by number."""
    for quantity, (ours, theirs) in values.items():
        a, b = np.ravel(np.asarray(ours, dtype=float)), [number(x) for x in np.ravel(np.asarray(theirs, dtype=object))]
        assert len(a) == len(b), (data, topic, entry["id"], quantity)
        for x, y in zip(a.tolist(), b, strict=True):
            yield Difference(data, topic, entry["id"], quantity, x, y)


def _call(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Read estimator, test and moderators out of R's call."""
    text = entry.get("setup") or entry["call"]
    method = re.search(r'method="(\w+)"', text)
    test = re.search(r'test="(\w+)"', text)
    mods = re.search(r"mods=(.+?), data", text)
    return method[1] if method else "REML", test[1] if test else "", mods[1] if mods else ""


def _weights(entry: dict[str, Any], v: Any) -> Any:
    text = entry.get("setup") or entry["call"]
    if "weighted=FALSE" in text or "rep(1," in text:
        return np.ones_like(v)
    found = re.search(r"weights=(1/vi|1/sqrt\(vi\)|1/\(vi\+0\.05\))", text)
    return {"1/vi": 1 / v, "1/sqrt(vi)": 1 / np.sqrt(v), "1/(vi+0.05)": 1 / (v + 0.05)}[found[1]] if found else None


def _fit_values(fit: Any, entry: dict[str, Any], random: bool) -> dict[str, tuple[Any, Any]]:
    """Pair the numbers every fit has with R's."""
    found = {
        "beta": (fit.beta, entry["beta"]),
        "se": (fit.se, entry["se"]),
        "p": (fit.p if np.ndim(fit.p) or not np.isnan(fit.p) else _p(fit), entry["pval"]),
        "tau2": (fit.tau2, entry["tau2"]),
        "I2": (fit.i2, entry["I2"]),
        "H2": (fit.h2, entry["H2"]),
        "Q": (fit.q, entry["QE"]),
        "Q p": (fit.q_p, entry["QEp"]),
        "loglik": (fit.loglik, entry["ll"]),
        "AIC": (fit.criteria.aic, entry["AIC"]),
        "AICc": (fit.criteria.aicc, entry["AICc"]),
        "BIC": (fit.criteria.bic, entry["BIC"]),
    }
    if random:
        found["se of tau2"] = (fit.tau2_se, entry["se_tau2"])
    return found


def _p(fit: Any) -> float:
    from metaleptic.pooling.normal import test_probability

    return test_probability(float(fit.beta[0] / fit.se[0]), fit.df)


def rma(data: str) -> Iterator[Difference]:
    """Fits without moderators: estimators x tests, weights of one's own, another level."""
    e = effects(data)
    for entry in MODELS[data]["rma"]:
        method, test, _ = _call(entry)
        weights = _weights(entry, e.v)
        if "tau2fixed" in entry["id"]:
            fit = ml.pool(e, tau2=0.1, test="z")
            yield from pairs(data, "rma", entry, {"beta": (fit.beta, entry["beta"]), "se": (fit.se, entry["se"])})
            continue
        if weights is None:
            fit = fitted(data, method, test)
        else:
            options = {"model": "common"} if method == "EE" else {"tau2": method}
            fit = ml.pool(e, weights=weights, test=TEST_OF[test], **options)
        values = _fit_values(fit, entry, method != "EE")
        if weights is not None and method == "EE":
            values = {key: values[key] for key in ("beta", "se", "p", "Q")}
        yield from pairs(data, "rma", entry, values)


def moderators(data: str) -> Iterator[Difference]:
    """Meta-regressions."""
    for entry in MODELS[data]["moderators"]:
        method, test, mods = _call(entry)
        fit = fitted(data, method, test, mods)
        values = _fit_values(fit, entry, method != "EE") | {
            "low": (fit.low, entry["ci_lb"]),
            "high": (fit.high, entry["ci_ub"]),
            "QM": (fit.qm, entry["QM"]),
            "QM p": (fit.qm_p, entry["QMp"]),
        }
        if entry.get("R2") is not None and not np.isnan(fit.r2):  # NaN where there was nothing to account for: 0 in R
            values["R2"] = (fit.r2, entry["R2"])
        yield from pairs(data, "moderators", entry, values)


def after(data: str) -> Iterator[Difference]:
    """Predictions, contrasts, VIF, intervals and tests after a meta-regression."""
    for entry in MODELS[data]["after"]:
        method, test, mods = _call(entry)
        fit = fitted(data, method, test, mods)
        what = "_".join(entry["id"].split("_")[3:])
        p = len(fit.beta)
        values: dict[str, tuple[Any, Any]] = {}
        if what == "fitted":
            values = {"fitted": (fit.fitted, entry["values"])}
        elif what == "predict":
            found = ml.predict(fit)
            names = {"y": "pred", "se": "se", "low": "ci.lb", "high": "ci.ub", "new_low": "pi.lb", "new_high": "pi.ub"}
            values = {a: (getattr(found, a), entry[b]) for a, b in names.items() if b in entry}
        elif what == "vif":
            values = {"vif": (list(ml.vif(fit).coefficients.values()), entry["vif"])}
        elif what == "rstandard":
            found = ml.residuals(fit)
            sure = fit.leverage < 1 - 1e-9  # where a study determines its own fit R divides rounding errors
            values = {
                "se": (found.standard_se[sure], np.array(entry["se"])[sure]),
                "z": (found.standardized[sure], np.array(entry["z"])[sure]),
            }
        elif what.startswith("confint"):
            method_of = {"QP": "Q-profile", "PL": "profile-likelihood"}[what.split("_")[1]]
            values = _interval_values(ml.tau2_interval(fit, method=method_of), entry)
        elif what == "LRT":
            found = ml.compare(fit, fitted(data, method, test))
            values = {"LRT": (found.statistic, entry["LRT"]), "p": (found.p, entry["pval"])}
            if entry.get("R2") is not None and not np.isnan(found.r2):
                values["R2"] = (found.r2, entry["R2"])
        elif what.startswith("anova"):
            rows = {"anova_btt2": np.eye(p)[[1]], "anova_btt2p": np.eye(p)[1:]}.get(what)
            found = ml.contrasts(fit, np.r_[0, 1, -1, np.zeros(p - 3)] if rows is None else rows)
            values = {"QM": (found.joint.statistic, entry["QM"]), "p": (found.joint.p, entry["QMp"])}
        assert values, entry["id"]
        yield from pairs(data, "after", entry, values)


def _interval_values(found: Any, entry: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    rows = ((found.tau2, "tau2"), (found.tau, "tau"), (found.i2, "I2"), (found.h2, "H2"))
    return {name: (ours[1:], theirs[1:]) for (ours, name), theirs in zip(rows, entry["table"], strict=True)}


TAU2_INTERVAL = {
    "QP": "Q-profile",
    "PL": "profile-likelihood",
    "HT": "test-based",
    "Wald": "Wald",
    "Wald.log": "Wald-log",
    "Wald.sqrt": "Wald-sqrt",
}


def tau2_interval(data: str) -> Iterator[Difference]:
    """Intervals for tau2, tau, I2 and H2."""
    e = effects(data)
    for entry in MODELS[data]["tau2_interval"]:
        method, kind = entry["id"].split("_", 1)
        if method == "GENQ":
            found = ml.tau2_interval(fitted(data, "DL", "z"), method="generalised-Q", weights=_weights(entry, e.v))
        else:
            level = {"90": 0.9, "99": 0.99}.get(kind[-2:], 0.95)
            fit = fitted(data, method, "z")
            key = kind.removesuffix("90").removesuffix("99")
            if fit.tau2 == 0 and key in ("Wald.log", "Wald.sqrt"):
                continue  # not defined at 0: an error here, NA or 0 to Inf in R
            found = ml.tau2_interval(fit, method=TAU2_INTERVAL[key], level=level)
        topic = "tau2_interval, generalised Q" if method == "GENQ" else "tau2_interval"
        yield from pairs(data, topic, entry, _interval_values(found, entry))


def prediction(data: str) -> Iterator[Difference]:
    """Prediction intervals as metafor's predict() makes them."""
    for entry in MODELS[data]["prediction"]:
        parts = entry["id"].split("_")
        if len(parts) != 3 or parts[0] == "EE":
            continue
        fit = fitted(data, *parts[:2])
        if parts[2] == "default":
            found = fit.prediction
        elif parts[2] == "simple":
            found = ml.prediction_interval(fit, method="simple")
        else:
            adjusted = parts[1] in ("knha",)
            method = {("riley", False): "HTS", ("riley", True): "HK-PR", ("t", False): "V", ("t", True): "HK"}
            if parts[1] == "adhoc":
                continue  # covered by the default, which is t with the same SE
            found = ml.prediction_interval(fit, method=method[parts[2], adjusted])
        yield from pairs(
            data, "prediction", entry, {"low": (found.low, entry["pi.lb"]), "high": (found.high, entry["pi.ub"])}
        )


def studies(data: str) -> Iterator[Difference]:
    """Residuals, leverages, weights and BLUPs of single studies."""
    for entry in MODELS[data]["studies"]:
        method, test, _ = _call(entry)
        fit = fitted(data, method, test)
        what, found = entry["call"], ml.residuals(fit)
        values: dict[str, tuple[Any, Any]]
        if what == "blup(res)":
            b = ml.shrinkage(fit)
            values = {
                "blup": (b.effect, entry["pred"]),
                "se": (b.se, entry["se"]),
                "low": (b.low, entry["pi.lb"]),
                "high": (b.high, entry["pi.ub"]),
            }
        elif what == "ranef(res)":
            values = {"ranef": (ml.shrinkage(fit).deviation, entry["pred"])}
        elif what == "rstandard(res)":
            values = {"z": (found.standardized, entry["z"]), "se": (found.standard_se, entry["se"])}
        elif what == "hatvalues(res)":
            values = {"hat": (fit.weights / 100, entry["values"])}  # without moderators the hat values are the weights
        elif what == "weights(res)":
            values = {"weights": (fit.weights, entry["values"])}
        elif what == "fitted(res)":
            values = {"fitted": (np.full(fit.k, fit.beta[0]), entry["values"])}
        elif what == "resid(res)":
            values = {"raw": (found.raw, entry["values"])}
        else:
            values = {
                "pearson": (found.pearson, entry["values"])
            }  # Cholesky residuals are the same for independent studies
        yield from pairs(data, "studies", entry, values)


META_TESTS = {
    "ci_classic": "z",
    "ci_HK": "knapp-hartung",
    "ci_KR": "kenward-roger",
    "HK_se": "adhoc",
    "HK_ci": "adhoc-ci",
    "HK_IQWiG6": "iqwig",
}


def meta(data: str) -> Iterator[Difference]:
    """Fits of R's meta: estimators, intervals, prediction intervals, intervals for tau2, subgroups.

    Its iterations stop earlier (1e-5), so that intervals are compared at its own tau2.
    """
    e = effects(data)
    for entry in MODELS[data]["meta"]:
        name = entry["id"].removeprefix("metagen_")
        at = entry.get("tau2")
        values: dict[str, tuple[Any, Any]] = {}
        if name in META_TESTS or name == "HK_DL_se":
            fit = ml.pool(e, tau2="REML" if name == "ci_KR" else at, test=META_TESTS.get(name, "adhoc"))
            if name == "ci_KR":
                from metaleptic.pooling.mean_inference import kenward_roger

                kr = kenward_roger(e.y, e.v, at, 0.95)
                values = {
                    "df": (kr.df, entry["df.random"]),
                    "low": (kr.low, entry["lower.random"]),
                    "high": (kr.high, entry["upper.random"]),
                }
            else:
                values = {
                    "low": (fit.estimate.low, entry["lower.random"]),
                    "high": (fit.estimate.high, entry["upper.random"]),
                }
        elif name == "PI_all":
            fit = ml.pool(e, tau2=at)
            found = [ml.prediction_interval(fit, method=m) for m in entry["method.predict"]]
            values = {
                "low": ([f.low for f in found], entry["lower.predict"]),
                "high": ([f.high for f in found], entry["upper.predict"]),
            }
        elif name == "IVhet":
            fit = ml.pool(e, tau2=at, weights=1 / e.v, test="z")
            values = {"se": (fit.se, entry["seTE.common"])}
        elif name in ("DL", "HS", "HE", "SJ"):
            fit = fitted(data, name, "z")
            values = {
                "tau2": (fit.tau2, entry["tau2"]),
                "se of tau2": (fit.tau2_se, entry["se.tau2"]),
                "mu": (fit.beta, entry["TE.random"]),
            }
        if values:
            yield from pairs(data, "meta", entry, values)


def permutest(data: str) -> Iterator[Difference]:
    """Exact permutation tests."""
    for entry in MODELS[data]["permutest"]:
        found = ml.permutation_test(fitted(data, entry["id"].split("_")[0], "z"), exact=True)
        values = {"p": (found.p, entry["pval"]), "permutations": (found.permutations, entry["exact_iter"])}
        yield from pairs(data, "permutest", entry, values)


TOPICS = {f.__name__: f for f in (rma, moderators, after, tau2_interval, prediction, studies, meta, permutest)}


R_STOPS_EARLY = "R's default tolerance: the search stops at 1e-5, or at about 1e-4 for the generalised Q"
R_NEVER_ZERO = "the limit is 0; R's iteration stops just above it"
R_LOSES_DIGITS = "X'WX of uncentred years is inverted in R; ours equals exact rational arithmetic to 1e-13"


def tolerance(d: Difference) -> tuple[float, str]:
    """Return how far we may stand from R for this number, and why further than 1e-8 where it is."""
    if d.topic.endswith("generalised Q"):
        return 5e-4, R_STOPS_EARLY
    if d.topic == "rma" and d.id in ("REML_unweighted", "REML_customweights", "REML_level90"):
        return 5e-4, R_STOPS_EARLY
    if (
        d.topic in ("rma", "prediction")
        and d.id.startswith("SJIT")
        and d.data in ("nielweise2007_OR", "yusuf1985_t6_PETO")
    ):
        return 2e-3, R_NEVER_ZERO
    if d.topic == "moderators" and d.id.startswith("m8_ML"):
        return 5e-4, R_NEVER_ZERO
    if d.data == "egger2001_OR" and d.topic in ("moderators", "after"):
        return 1e-6, R_LOSES_DIGITS
    if d.topic == "moderators":
        return 1e-7, R_LOSES_DIGITS
    if d.topic in ("after", "studies") or "REML" in d.id or "ML" in d.id or "PL" in d.id:
        return 1e-7, "what is left of R's iterations (1e-10 to 1e-12), relative to numbers near zero"
    return 1e-8, ""
