"""The random-effects and the common-effect model of effects with known variances; a single study."""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.pooling.build import NAN, call_text, notes_on, printed_estimate
from metaleptic.pooling.heterogeneity import q_profile
from metaleptic.pooling.normal import fit_normal
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
        estimate=printed_estimate(effects, y, low, high, level, "confidence"),
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
    k = len(effects)
    fit = fit_normal(effects.y, effects.v, tau2=tau2 or None, test=test, level=level)
    random = bool(tau2)
    t2 = float(fit.tau2)
    bounds = q_profile(effects.y, effects.v, 1.0, level) if random else (NAN, NAN)
    interval = {
        "z": "z",
        "t": f"t({k - 1})",
        "knapp-hartung": f"Hartung-Knapp t({k - 1})",
        "adhoc": f"Hartung-Knapp t({k - 1}) never narrower than z",
    }[test]
    notes = notes_on(k, random, float(fit.se), float(np.sqrt(1 / np.sum(1 / (effects.v + t2)))), test)
    null = effects.measure.has_null
    return Pooled(
        effects=effects,
        estimate=printed_estimate(effects, float(fit.mu), float(fit.low), float(fit.high), level, "confidence"),
        prediction=printed_estimate(
            effects, float(fit.mu), float(fit.predict_low), float(fit.predict_high), level, "prediction"
        )
        if random
        else None,
        beta=frozen_array([fit.mu]),
        se=frozen_array([fit.se]),
        cov=frozen_array([[fit.se**2]]),
        df=float(fit.df),
        statistic=float(fit.statistic) if null else NAN,
        p=float(fit.p) if null else NAN,
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
        method=f"random effects: {tau2}, {interval}" if random else f"common effect: inverse variance, {interval}",
        level=level,
        notes=notes,
        provenance=provenance(effects, call_text(model, tau2, test, level)),
    )


def random_effects(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Take true effects to differ between studies."""
    return _normal(effects, "random", tau2, test, level)


def common_effect(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Take one true effect for all studies."""
    return _normal(effects, "common", "", test, level)
