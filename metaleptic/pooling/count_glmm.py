"""Generalised linear mixed models of counts: conditional and unconditional two-arm models, Poisson-normal rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.errors import DataError
from metaleptic.pooling.build import NAN, call_text, notes_on, printed_estimate
from metaleptic.pooling.glmm import NODES, Conditional, CountFit, Unconditional, fit_counts
from metaleptic.pooling.heterogeneity import typical_variance
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.study_likelihoods import Binomial, Hypergeometric, Poisson, TwoBinomials, TwoPoissons
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, FloatArray, frozen_array

FEW = 10  # studies below which an interval that takes tau as known gets a note
NODES_OF_WIDE_SUPPORT = 15  # the exact conditional likelihood is nearly normal: few nodes suffice, and each is dear


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """What a model is fitted to: the likelihood, a first value, quadrature nodes and starts, notes on studies left out."""

    studies: Conditional | Unconditional
    start: float
    nodes: int = NODES
    tau_starts: tuple[float, ...] = (0.3, 1.0, 2.5)
    says: FloatArray | float = 1.0

    @property
    def silent(self) -> int:
        """Number of studies that say nothing about a ratio."""
        return int(np.sum(1 - np.asarray(self.says)))


def conditional_approximate(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Condition on the events of both arms; binomial, good for rare events (exact for rates)."""
    return _fit(effects, _conditional(effects, "conditional-approximate"), "conditional-approximate", tau2, test, level)


def conditional_exact(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Condition on all margins of each table; the exact non-central hypergeometric likelihood."""
    cells, says = _informative(effects, "conditional-exact", ("OR", "PETO"))
    first = fit_counts(
        _binomial_of(cells, person_time=False),
        np.ones((len(cells), 1)),
        random=tau2 not in ("", "0.0"),
        nodes=15,
        start=np.zeros(1),
    )
    data = _Data(
        Hypergeometric.of(cells),
        float(first.beta[0]),
        NODES_OF_WIDE_SUPPORT,
        (max(0.1, float(np.sqrt(first.tau2))),),
        says,
    )
    return _fit(effects, data, "conditional-exact", tau2, test, level)


def unconditional_fixed(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Model both arms with a level of its own for each study."""
    cells, says = _informative(effects, "unconditional-fixed", ("OR", "PETO", "IRR"))
    studies = TwoPoissons(cells) if effects.measure.key == "IRR" else TwoBinomials(cells)
    return _fit(effects, _Data(studies, 0.0, says=says), "unconditional-fixed", tau2, test, level)


def poisson_normal(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Fit random effects to events per person-time: of single arms, or of two (conditional on their sum)."""
    if effects.measure.key == "IRR":
        return _fit(effects, _conditional(effects, "poisson-normal"), "poisson-normal", tau2, test, level)
    if effects.measure.key != "IRLN" or len(effects.cells) != len(effects):
        raise DataError(
            'model "poisson-normal" needs events and person-time. Make the effects with ml.rates or ml.two_rates.'
        )
    x, time = effects.cells[:, 0], effects.cells[:, 1]
    if x.sum() == 0:
        raise DataError("no one had the event in any study: the rate is 0 with no upper bound from this model.")
    data = _Data(Poisson(x, time), float(np.log(x.sum() / time.sum())))
    return _fit(effects, data, "poisson-normal", tau2, test, level)


def _conditional(effects: Effects, model: str) -> _Data:
    cells, says = _informative(effects, model, ("OR", "PETO", "IRR"))
    return _Data(_binomial_of(cells, person_time=effects.measure.key == "IRR"), 0.0, says=says)


def _binomial_of(cells: FloatArray, *, person_time: bool) -> Binomial:
    a, b, c, d = cells.T
    offset = np.log(b / d) if person_time else np.log((a + b) / (c + d))
    return Binomial(a, a + c, offset)


def _informative(effects: Effects, model: str, measures: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Return the tables that say something about a ratio, and which ones do (not those without events, or with events only)."""
    if effects.measure.key not in measures or len(effects.cells) != len(effects):
        needed = 'ml.two_by_two(measure="OR") or ml.two_rates' if "IRR" in measures else 'ml.two_by_two(measure="OR")'
        raise DataError(f'model "{model}" needs the counts of both arms. Make the effects with {needed}.')
    a, b, c, d = effects.cells.T
    says = a + c > 0 if effects.measure.key == "IRR" else (a + c > 0) & (b + d > 0)
    if a.sum() == 0 or c.sum() == 0:
        arm = "of interest" if a.sum() == 0 else "of the controls"
        raise DataError(
            f"no one in the arm {arm} had the event in any study: the ratio has no finite estimate. "
            'Pool risk differences (measure="RD"), or use ml.pool_bayes.'
        )
    return effects.cells[says], says.astype(np.float64)


def _fit(effects: Effects, data: _Data, model: str, tau2: str, test: str, level: float) -> Pooled:
    """Fit and build the result."""
    random = tau2 not in ("", "0.0")
    k = len(effects) - data.silent
    fit = fit_counts(
        data.studies,
        np.ones((k, 1)),
        random=random,
        nodes=data.nodes,
        start=np.array([data.start]),
        tau_starts=data.tau_starts,
    )
    mu, se = float(fit.beta[0]), float(np.sqrt(fit.cov[0, 0]))
    df = float("inf") if test == "z" else float(k - 1)
    crit = float(special.ndtri(0.5 + level / 2) if test == "z" else -special.stdtrit(k - 1, (1 - level) / 2))
    wide = crit * float(np.sqrt(fit.tau2 + se**2))
    typical = float(typical_variance(effects.v, data.says))
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
        notes=_notes(fit, k, data.silent, random, se, test),
        provenance=provenance(effects, call_text(model, "" if random else "0", test, level)),
        tau2_se=fit.tau2_se,
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
    if not fit.converged:
        notes.insert(0, "The likelihood was not maximised to full precision: read the estimate with care.")
    return tuple(notes)
