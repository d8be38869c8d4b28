"""The random-effects and the common-effect model of effects with known variances; a single study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import special

from metaleptic.errors import OptionError
from metaleptic.pooling.build import NAN, call_text, notes_on, printed_estimate
from metaleptic.pooling.given_weights import GENERALISED
from metaleptic.pooling.heterogeneity import TAU2, q_profile
from metaleptic.pooling.mean_inference import MEAN_METHODS, MeanInterval
from metaleptic.pooling.normal import TESTS, NormalFit, fit_normal, quantile
from metaleptic.pooling.regression import tau2_se
from metaleptic.pooling.result import Pooled
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, frozen_array


def single(effects: Effects, model: str, level: float) -> Pooled:
    """One study: its own figure, with its published interval where that is of the asked level."""
    y, se = float(effects.y[0]), float(np.sqrt(effects.v[0]))
    half = float(special.ndtri(0.5 + level / 2)) * se
    low, high = (y - half, y + half) if effects.level != level else (float(effects.low[0]), float(effects.high[0]))
    return Pooled(
        effects=effects,
        estimate=replace(printed_estimate(effects, y, low, high, level, "confidence"), value=float(effects.printed[0])),
        prediction=None,
        beta=frozen_array([y]),
        se=frozen_array([se]),
        cov=frozen_array([[se**2]]),
        df=float("inf"),
        statistic=y / se if effects.measure.has_null else NAN,
        p=float(2 * special.ndtr(-abs(y / se))) if effects.measure.has_null else NAN,
        tau2=NAN,
        tau=Estimate(NAN, NAN, NAN, level),
        i2=NAN,
        h2=NAN,
        q=0.0,
        q_df=0,
        q_p=NAN,
        weights=frozen_array([100.0]),
        loglik=float(-0.5 * np.log(2 * np.pi * se**2)),
        model=model,
        tau2_method="",
        test="z",
        method="one study, not pooled",
        level=level,
        notes=("Only one study: its own estimate is shown, nothing was pooled.",),
        provenance=provenance(effects, call_text(model, "", "z", level)),
    )


def _normal(effects: Effects, model: str, tau2: str, test: str, level: float) -> Pooled:
    y, v, k, random = effects.y, effects.v, len(effects), bool(tau2)
    basic = "z" if test in MEAN_METHODS else test
    fit = fit_normal(y, v, tau2=tau2 or None, test=basic, level=level)
    t2 = float(fit.tau2)
    mean = _mean_interval(fit, effects, tau2, test, level)
    notes = notes_on(k, random, mean.se, float(np.sqrt(1 / np.sum(1 / (v + t2)))), test)
    return build_normal(effects, fit, mean, model, tau2, test, level, notes)


def _mean_interval(fit: NormalFit, effects: Effects, tau2: str, test: str, level: float) -> MeanInterval:
    """Return the interval for the mean by the chosen test."""
    if test not in MEAN_METHODS:
        numbers = (fit.mu, fit.se, fit.df, fit.statistic, fit.p, fit.low, fit.high)
        return MeanInterval(*(float(x) for x in numbers))
    method = MEAN_METHODS[test]
    if method.tau2 not in ("", tau2):
        raise OptionError(
            f'test "{test}" rests on the {method.tau2} estimate of tau2. Say tau2="{method.tau2}" with it.'
        )
    return method.function(effects.y, effects.v, float(fit.tau2), level)


def build_normal(
    effects: Effects,
    fit: NormalFit,
    mean: MeanInterval,
    model: str,
    tau2: str,
    test: str,
    level: float,
    notes: tuple[str, ...],
    error_of_tau2: float | None = None,
) -> Pooled:
    """Build the result of a normal-normal fit."""
    k, random, null, t2 = len(effects), bool(tau2), effects.measure.has_null, float(fit.tau2)
    bounds = q_profile(effects.y, effects.v, 1.0, level) if random else (NAN, NAN)
    se = mean.se if np.isfinite(mean.se) else float(fit.se)
    return Pooled(
        effects=effects,
        estimate=printed_estimate(effects, mean.mu, mean.low, mean.high, level, "confidence"),
        prediction=_prediction(effects, fit, mean, se, level) if random else None,
        beta=frozen_array([mean.mu]),
        se=frozen_array([se]),
        cov=frozen_array([[se**2]]),
        df=mean.df,
        statistic=mean.statistic if null else NAN,
        p=mean.p if null else NAN,
        tau2=t2,
        tau=Estimate(float(np.sqrt(t2)), float(np.sqrt(bounds[0])), float(np.sqrt(bounds[1])), level),
        i2=float(fit.i2),
        h2=float(fit.h2),
        q=float(fit.q),
        q_df=k - 1,
        q_p=float(special.chdtrc(k - 1, fit.q)),
        weights=frozen_array(fit.weights),
        loglik=float(fit.loglik),
        model=model,
        tau2_method=tau2,
        test=test,
        method=_in_words(k, tau2, test, mean.df),
        level=level,
        notes=notes,
        provenance=provenance(effects, call_text(model, tau2, test, level)),
        tau2_se=_tau2_se(effects, tau2, t2) if error_of_tau2 is None else error_of_tau2,
    )


def _prediction(effects: Effects, fit: NormalFit, mean: MeanInterval, se: float, level: float) -> Estimate:
    """Return the interval for a new study: t or z as for the mean, with the SE of the mean.

    Where the interval for the mean is one of likelihood, t with one degree of freedom fewer than studies for the spread of
    true effects, and the reach of that interval to each side for the mean: never narrower than it.
    """
    if np.isnan(mean.se) and np.isfinite(mean.low + mean.high):
        spread = float(quantile(np.float64(len(effects) - 1), level)) ** 2 * float(fit.tau2)
        ends = (
            mean.mu - np.sqrt(spread + (mean.mu - mean.low) ** 2),
            mean.mu + np.sqrt(spread + (mean.high - mean.mu) ** 2),
        )
        return printed_estimate(effects, mean.mu, float(ends[0]), float(ends[1]), level, "prediction")
    half = float(quantile(np.float64(mean.df), level)) * float(np.sqrt(fit.tau2 + se**2))
    return printed_estimate(effects, mean.mu, mean.mu - half, mean.mu + half, level, "prediction")


def _tau2_se(effects: Effects, tau2: str, value: float) -> float:
    if not tau2:
        return NAN
    ones = np.full((len(effects), 1), 1 / np.sqrt(len(effects)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(tau2_se(tau2, effects.y, effects.v, ones, np.ones(len(effects)), value))


def _in_words(k: int, tau2: str, test: str, df: float) -> str:
    interval = {
        "z": "z",
        "t": f"t({k - 1})",
        "knapp-hartung": f"Hartung-Knapp t({k - 1})",
        "adhoc": f"Hartung-Knapp t({k - 1}) never narrower than z",
        "kenward-roger": f"Kenward-Roger t({df:.3g})",
    }.get(test, TESTS[test].name)
    estimator = tau2 if tau2 in TAU2 or tau2 in GENERALISED else f"tau2 fixed at {tau2}"
    return f"random effects: {estimator}, {interval}" if tau2 else f"common effect: inverse variance, {interval}"


def random_effects(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Take true effects to differ between studies."""
    return _normal(effects, "random", tau2, test, level)


def common_effect(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Take one true effect for all studies."""
    return _normal(effects, "common", "", test, level)
