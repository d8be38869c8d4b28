"""Generalised linear mixed models of counts: conditional and unconditional two-arm models, Poisson-normal rates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from metaleptic.pooling.build import NAN, call_text, notes_on, printed_estimate
from metaleptic.pooling.count_data import CountData, count_data
from metaleptic.pooling.glmm import CountFit
from metaleptic.pooling.heterogeneity import typical_variance
from metaleptic.pooling.result import Pooled
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, frozen_array

FEW = 10  # studies below which an interval that takes tau as known gets a note


def count_model(model: str) -> Callable[..., Pooled]:
    """Return the function that fits one of the models of counts."""

    def fit(effects: Effects, tau2: str, test: str, level: float, nodes: int | None = None) -> Pooled:
        return _fit(effects, count_data(effects, model, nodes), model, tau2, test, level)

    return fit


def _fit(effects: Effects, data: CountData, model: str, tau2: str, test: str, level: float) -> Pooled:
    """Fit and build the result."""
    random = tau2 not in ("", "0.0")
    says = data.kept(len(effects))
    silent = int(np.sum(1 - says))
    k = len(effects) - silent
    fit = data.fit(np.ones((k, 1)), random=random)
    mu, se = float(fit.beta[0]), float(np.sqrt(fit.cov[0, 0]))
    df = float("inf") if test == "z" else float(k - 1)
    crit = float(special.ndtri(0.5 + level / 2) if test == "z" else -special.stdtrit(k - 1, (1 - level) / 2))
    wide = crit * float(np.sqrt(fit.tau2 + se**2))
    typical = float(typical_variance(effects.v, says))
    statistic = mu / se
    null = effects.measure.has_null
    p = float(2 * (special.ndtr(-abs(statistic)) if test == "z" else special.stdtr(k - 1, -abs(statistic))))
    weights = 1 / (effects.v + fit.tau2)
    words = "random effects" if random else "common effect"
    return Pooled(
        effects=effects,
        estimate=printed_estimate(effects, mu, mu - crit * se, mu + crit * se, level, "confidence"),
        prediction=printed_estimate(effects, mu, mu - wide, mu + wide, level, "prediction") if random else None,
        beta=frozen_array([mu]),
        se=frozen_array([se]),
        cov=frozen_array([[se**2]]),
        df=df,
        statistic=statistic if null else NAN,
        p=p if null else NAN,
        tau2=fit.tau2,
        tau=Estimate(float(np.sqrt(fit.tau2)), NAN, NAN, level),
        i2=100 * fit.tau2 / (fit.tau2 + typical),
        h2=fit.tau2 / typical + 1,
        q=fit.q,
        q_df=fit.q_df,
        q_p=float(special.chdtrc(fit.q_df, fit.q)) if fit.q_df > 0 else NAN,
        weights=frozen_array(100 * weights / weights.sum()),
        loglik=fit.loglik,
        model=model,
        tau2_method="ML" if random else "",
        test=test,
        method=f"{model} {words}: maximum likelihood, " + ("z" if test == "z" else f"t({k - 1})"),
        level=level,
        notes=_notes(fit, k, silent, random, se, test),
        provenance=provenance(effects, call_text(model, "" if random else "0", test, level)),
        tau2_se=fit.tau2_se,
        levels=fit.levels,
    )


def _notes(fit: CountFit, k: int, silent: int, random: bool, se: float, test: str) -> tuple[str, ...]:
    notes = list(notes_on(k, random, se, se, test))
    if random and test == "z" and k < FEW:
        notes.append('The interval takes tau as known; with so few studies test="t" is the more cautious choice.')
    if silent:
        who, verbs = (
            ("1 study", "says nothing about a ratio: it does")
            if silent == 1
            else (f"{silent} studies", "say nothing about a ratio: they do")
        )
        notes.append(f"{who} without events, or with events only, {verbs} not change it.")
    if fit.levels is not None and abs(fit.levels.correlation) > 0.999:
        notes.append(
            "The correlation of levels and effects is estimated at its edge, where standard errors are rough: the studies are too "
            'few to tell it. model="unconditional-random" takes it as 0.'
        )
    if not fit.converged:
        notes.insert(0, "The likelihood was not maximised to full precision: read the estimate with care.")
    return tuple(notes)
