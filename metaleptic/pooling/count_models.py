"""Models of counts: proportions (binomial-normal), summed counts of proportions or rates, two-by-two tables (Mantel-Haenszel, Peto)."""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.convert.intervals import clopper_pearson
from metaleptic.errors import NotEstimableError
from metaleptic.pooling.binomial import fit_binomial_normal, homogeneity
from metaleptic.pooling.build import NAN, call_text, notes_on, printed_estimate
from metaleptic.pooling.count_data import counts_of
from metaleptic.pooling.count_glmm import count_model
from metaleptic.pooling.heterogeneity import typical_variance
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.two_arm import mantel_haenszel, mantel_haenszel_rates, peto, peto_parts
from metaleptic.pooling.zero_counts import advice, empty_arm, two_arm_cells
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, FloatArray, frozen_array

FEW = 10  # studies below which an interval that takes tau as known gets a note


def binomial_normal(effects: Effects, tau2: str, test: str, level: float, nodes: int | None = None) -> Pooled:
    """Fit random effects to proportions by the exact likelihood of the counts, or by ``nodes`` quadrature nodes."""
    if nodes is not None:
        return count_model("binomial-normal")(effects, tau2, test, level, nodes)
    x, n = counts_of(effects, "binomial-normal")
    k = len(effects)
    fit = fit_binomial_normal(x, n)
    df = float("inf") if test == "z" else float(k - 1)
    crit = float(special.ndtri(0.5 + level / 2) if test == "z" else -special.stdtrit(k - 1, (1 - level) / 2))
    half, wide = crit * fit.se, crit * float(np.sqrt(fit.tau2 + fit.se**2))
    typical = float(typical_variance(effects.v, 1.0))
    g2 = homogeneity(x, n)
    share = special.expit(fit.mu)
    weights = 1 / (1 / (n * share * (1 - share)) + fit.tau2)
    notes = notes_on(k, True, fit.se, fit.se, test)
    if test == "z" and k < FEW:
        notes = (*notes, 'The interval takes tau as known; with so few studies test="t" is the more cautious choice.')
    if not fit.converged:
        notes = ("The likelihood was not maximised to full precision: read the estimate with care.", *notes)
    return Pooled(
        effects=effects,
        estimate=printed_estimate(effects, fit.mu, fit.mu - half, fit.mu + half, level, "confidence"),
        prediction=printed_estimate(effects, fit.mu, fit.mu - wide, fit.mu + wide, level, "prediction"),
        beta=frozen_array([fit.mu]),
        se=frozen_array([fit.se]),
        cov=frozen_array([[fit.se**2]]),
        df=df,
        statistic=NAN,
        p=NAN,
        tau2=fit.tau2,
        tau=Estimate(float(np.sqrt(fit.tau2)), NAN, NAN, level),
        i2=100 * fit.tau2 / (fit.tau2 + typical),
        h2=fit.tau2 / typical + 1,
        q=g2,
        q_df=k - 1,
        q_p=float(special.chdtrc(k - 1, g2)),
        weights=frozen_array(100 * weights / weights.sum()),
        loglik=fit.loglik,
        model="binomial-normal",
        tau2_method="ML",
        test=test,
        method="binomial-normal random effects: maximum likelihood, " + ("z" if test == "z" else f"t({k - 1})"),
        level=level,
        notes=notes,
        provenance=provenance(effects, call_text("binomial-normal", "", test, level)),
        tau2_se=fit.tau2_se,
    )


def pooled_counts(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Add the counts of all studies up and take the exact interval of the sum."""
    k = len(effects)
    if effects.measure.key == "IRLN" and len(effects.cells) == k:
        x, n = effects.cells[:, 0], effects.cells[:, 1]
        total, size = x.sum(), n.sum()
        low, high = garwood(total, level)[0] / size, garwood(total, level)[1] / size
        words, g2 = "common rate: events and time summed, exact (Garwood) interval", homogeneity_of_rates(x, n)
        with np.errstate(divide="ignore"):
            mu, se = float(np.log(total / size)), float(np.sqrt(1 / total))
    else:
        x, n = counts_of(effects, "pooled-counts")
        total, size = x.sum(), n.sum()
        low, high = (float(b) for b in clopper_pearson(total, size, level))
        words, g2 = "common proportion: counts summed, exact (Clopper-Pearson) interval", homogeneity(x, n)
        with np.errstate(divide="ignore"):
            mu, se = float(special.logit(total / size)), float(np.sqrt(1 / total + 1 / (size - total)))
    return Pooled(
        effects=effects,
        estimate=Estimate(float(total / size), low, high, level),
        prediction=None,
        beta=frozen_array([mu]),
        se=frozen_array([se]),
        cov=frozen_array([[se**2]]),
        df=float("inf"),
        statistic=NAN,
        p=NAN,
        tau2=0.0,
        tau=Estimate(0.0, NAN, NAN, level),
        i2=NAN,
        h2=NAN,
        q=g2,
        q_df=k - 1,
        q_p=float(special.chdtrc(k - 1, g2)) if k > 1 else NAN,
        weights=frozen_array(100 * n / size),
        loglik=NAN,
        model="pooled-counts",
        tau2_method="",
        test="exact",
        method=words,
        level=level,
        notes=(),
        provenance=provenance(effects, call_text("pooled-counts", "", "exact", level)),
    )


def garwood(events: float, level: float) -> tuple[float, float]:
    """Return the exact interval of the mean of a Poisson count. Garwood F. Biometrika 1936;28:437-442."""
    tail = (1 - level) / 2
    return float(special.gammaincinv(events, tail)) if events > 0 else 0.0, float(
        special.gammainccinv(events + 1, tail)
    )


def homogeneity_of_rates(events: FloatArray, time: FloatArray) -> float:
    """Return the likelihood-ratio statistic (G2, k - 1 degrees of freedom) of equal rates."""
    expected = time * events.sum() / time.sum()
    return float(2 * special.xlogy(events, events / np.where(expected > 0, expected, 1.0)).sum())


def mantel_haenszel_model(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Pool two-by-two tables, or rates of two arms, by the Mantel-Haenszel method."""
    cells = two_arm_cells(effects, "mantel-haenszel", ("OR", "RR", "RD", "IRR", "IRD"))
    kernel = mantel_haenszel_rates if effects.measure.key in ("IRR", "IRD") else mantel_haenszel
    mu, se = kernel(cells, effects.measure.key)
    weights = _mantel_haenszel_weights(cells, effects.measure.key)
    # Studies without events, or with events only, tell no difference: invented halves alone would bring them into Q.
    first, second = cells[:, 0] + cells[:, 2], cells[:, 1] + cells[:, 3]
    says = {"IRR": first > 0, "IRD": second > 0}.get(effects.measure.key, (first > 0) & (second > 0))
    q = float((((effects.y - mu) ** 2 / effects.v)[says]).sum())
    silent = ", ".join(s for s, yes in zip(effects.study, says, strict=True) if not yes)
    notes = (f"No one, or everyone, had the event in both arms, so that Q leaves out: {silent}.",) if silent else ()
    method = "common effect: Mantel-Haenszel, z"
    return _of_tables(effects, "mantel-haenszel", method, mu, se, (q, int(says.sum()) - 1), weights, level, notes)


def _mantel_haenszel_weights(cells: FloatArray, measure: str) -> FloatArray:
    """Return the weights of the Mantel-Haenszel average: bc/N, c n1/N or n1 n2/N; of rates c t1/T or t1 t2/T."""
    a, b, c, d = cells.T
    if measure in ("IRR", "IRD"):
        rates: FloatArray = (c * b if measure == "IRR" else b * d) / (b + d)
        return rates
    n1, n2 = a + b, c + d
    weight: FloatArray = {"OR": b * c, "RR": c * n1, "RD": n1 * n2}[measure] / (n1 + n2)
    return weight


def peto_model(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    """Pool two-by-two tables by Peto's one-step odds ratio."""
    cells = two_arm_cells(effects, "peto", ("OR", "PETO"))
    mu, se = peto(cells)
    gap, variance = peto_parts(cells)
    q = float((gap[variance > 0] ** 2 / variance[variance > 0]).sum() - gap.sum() ** 2 / variance.sum())
    return _of_tables(effects, "peto", "common effect: Peto, z", mu, se, (q, len(effects) - 1), variance, level)


def _of_tables(
    effects: Effects,
    model: str,
    method: str,
    mu: float,
    se: float,
    heterogeneity: tuple[float, int],
    weights: FloatArray,
    level: float,
    notes: tuple[str, ...] = (),
) -> Pooled:
    """Build the result of a common-effect model of two-by-two tables; ``heterogeneity`` is Q with its degrees of freedom."""
    q, df = heterogeneity
    if not se > 0:
        raise NotEstimableError(
            f'model "{model}" has no standard error here: {empty_arm(effects.measure.key, effects.cells) or "no arm has patients with and without the event"}. '
            + advice(effects.measure.key, effects.cells)
        )
    half = float(special.ndtri(0.5 + level / 2)) * se
    return Pooled(
        effects=effects,
        estimate=printed_estimate(effects, mu, mu - half, mu + half, level, "confidence"),
        prediction=None,
        beta=frozen_array([mu]),
        se=frozen_array([se]),
        cov=frozen_array([[se**2]]),
        df=float("inf"),
        statistic=mu / se,
        p=float(2 * special.ndtr(-abs(mu / se))),
        tau2=0.0,
        tau=Estimate(0.0, NAN, NAN, level),
        i2=100 * max(0.0, (q - df) / q) if q > 0 else 0.0,
        h2=q / df if df > 0 else NAN,
        q=q,
        q_df=df,
        q_p=float(special.chdtrc(df, q)) if df > 0 else NAN,
        weights=frozen_array(100 * weights / weights.sum()),
        loglik=NAN,
        model=model,
        tau2_method="",
        test="z",
        method=method,
        level=level,
        notes=notes,
        provenance=provenance(effects, call_text(model, "", "z", level)),
    )
