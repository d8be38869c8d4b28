"""Bayesian meta-regression: effects, moderators and a prior in, the exact posterior of every coefficient out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact import NEGLIGIBLE, log_prior, refuse_improper, refuse_pile_up
from metaleptic.bayes.linear_given_tau import LinearModel, combination, linear_given_tau, linear_model
from metaleptic.bayes.marginal import Marginal, mixture_marginals, tau_marginal
from metaleptic.bayes.panels import Panels, first_edges, integrate
from metaleptic.bayes.positive import PositiveDensity
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.design import Design, design_of
from metaleptic.errors import OptionError
from metaleptic.measures import MEASURES
from metaleptic.provenance import provenance
from metaleptic.types import Effects, FloatArray

_PROBES = np.array([0.3, 1.0, 3.0])
CoefficientPriors = Sequence[EffectPrior | tuple[float, float] | None] | None


@dataclass(frozen=True, slots=True, eq=False)
class ExactRegression:
    """The quadrature over tau, and the coefficients given each node that matters."""

    panels: Panels
    model: LinearModel
    tau: FloatArray
    weight: FloatArray
    log_integral: float
    tau_mean: float
    tau_sd: float
    finite_sd: bool


def pool_moderators(
    effects: Effects, moderators: Any, prior: Prior, beta: CoefficientPriors, level: float
) -> RegressionBayes:
    """Fit the meta-regression and build its result; ``pool_bayes`` checks everything else."""
    design = design_of(effects, moderators)
    mean, sd = coefficient_priors(beta, design)
    fit = exact_regression(effects.y, effects.v, design.matrix, prior, mean, sd)
    density = tau_posterior(fit, effects, prior)
    flat = [n for n, s in zip(design.names, sd, strict=True) if not np.isfinite(s)]
    reasons = [] if prior.proper else [f"the {prior.words} prior on tau is improper"]
    reasons += [f"the flat prior on {', '.join(flat)} is improper"] if flat else []
    words = coefficient_words(mean, sd)
    x = np.eye(design.matrix.shape[1])
    coefficients = marginals(fit, x, design.names, level, linear=True)
    return RegressionBayes(
        effects=effects,
        design=design,
        beta=coefficients,
        tau=tau_marginal(density, fit.tau_mean, fit.tau_sd, level),
        theta=study_marginals(fit, effects, design.matrix, level),
        log_marginal=float("nan") if reasons else fit.log_integral,
        no_marginal=" and ".join(reasons),
        log_integral=fit.log_integral,
        prior=prior,
        beta_prior=tuple(zip(mean.tolist(), sd.tolist(), strict=True)),
        fit=fit,
        error=float(fit.panels.error[0]),
        method=f"Bayesian meta-regression: {prior.words} prior on tau, {words}",
        level=level,
        provenance=provenance(
            effects,
            f"ml.pool_bayes(effects, moderators={design.formula or 'matrix'!r}, tau={prior.call}, beta={beta!r}, level={level:g})",
        ),
    )


def coefficient_words(mean: FloatArray, sd: FloatArray) -> str:
    """Say the priors on the coefficients."""
    if not np.isfinite(sd).any():
        return "flat priors on the coefficients"
    words = ("flat" if not np.isfinite(s) else f"normal({m:g}, {s:g})" for m, s in zip(mean, sd, strict=True))
    return f"priors on the coefficients {', '.join(words)}"


def coefficient_priors(beta: CoefficientPriors, design: Design) -> tuple[FloatArray, FloatArray]:
    """Return mean and sd of each coefficient's prior; the sd of a flat one is infinite."""
    p = design.matrix.shape[1]
    given: list[Any] = [None] * p if beta is None else list(beta)
    if len(given) != p:
        raise OptionError(f"beta has {len(given)} priors for {p} coefficients: {', '.join(design.names)}.")
    mean, sd = np.zeros(p), np.full(p, np.inf)
    for j, one in enumerate(given):
        if one is None:
            continue
        if isinstance(one, EffectPrior) and (np.isfinite(one.df) or one.bounded):
            raise OptionError(f"the prior on {design.names[j]} must be normal, or None for a flat one.")
        mean[j], sd[j] = (one.location, one.scale) if isinstance(one, EffectPrior) else one
        if not (np.isfinite(mean[j]) and sd[j] > 0):
            raise OptionError(f"the prior on {design.names[j]} needs a finite mean and a standard deviation above 0.")
    return mean, sd


def exact_regression(
    y: FloatArray, v: FloatArray, x: FloatArray, prior: Prior, mean: FloatArray, sd: FloatArray
) -> ExactRegression:
    """Integrate tau out of the meta-regression.

    Raises
    ------
    NotEstimableError
        If the posterior is improper.
    """
    model = linear_model(y, v, x, mean, sd)
    flat = int((~np.isfinite(sd)).sum())
    power = np.array([prior.tail + len(y) - flat])
    refuse_improper([prior], np.array([len(y)]), power, flat)
    finite = [bool(power[0] > r + 1) for r in (1, 2)]
    rows = np.vstack([np.eye(x.shape[1]), x.mean(axis=0)])
    scale = 1 / np.sqrt(np.mean(1 / v))
    centre, width = combination(model, linear_given_tau(model, np.array([0.3 * scale])), rows)

    def evaluate(u: FloatArray) -> tuple[FloatArray, FloatArray]:
        tau = np.exp(u[0])
        given = linear_given_tau(model, tau)
        log_g = given.loglik + log_prior([prior], v[None], None, tau[None])[0] + u[0]
        m, s = combination(model, given, rows)
        tests = [np.ones_like(tau), *(np.where(ok, tau**r, 0.0) for r, ok in zip((1, 2), finite, strict=True))]
        for probe in _PROBES:
            at = centre + probe * width
            tests += list(special.ndtr((at - m) / s))
            tests.append(special.ndtr((at[-1] - m[-1]) / np.hypot(s[-1], tau)))
        return log_g[None], np.stack(tests)[:, None]

    edges = first_edges(np.array([np.log(scale)]), np.array([prior.upper]), prior.breaks)
    panels = integrate(evaluate, edges, (False, True, True) + (False,) * (len(_PROBES) * (len(rows) + 1)))
    refuse_pile_up([prior], panels)
    tau, w = np.exp(panels.u[0]), panels.weight[0]
    tau_mean = float(w @ tau)
    matters = w > NEGLIGIBLE
    return ExactRegression(
        panels=panels,
        model=model,
        tau=tau[matters],
        weight=w[matters],
        log_integral=float(panels.log_total[0]),
        tau_mean=tau_mean if finite[0] else np.inf,
        tau_sd=float(np.sqrt(w @ (tau - tau_mean) ** 2)) if finite[1] else np.inf,
        finite_sd=finite[1],
    )


def tau_posterior(fit: ExactRegression, effects: Effects, prior: Prior) -> PositiveDensity:
    """Return tau's posterior as a distribution."""

    def over_u(u: FloatArray) -> FloatArray:
        tau = np.exp(u)
        return np.asarray(
            linear_given_tau(fit.model, tau).loglik + log_prior([prior], effects.v[None], None, tau[None])[0] + u
        )

    p = fit.panels
    return PositiveDensity(over_u, fit.log_integral, p.edges[0], p.cumulative[0], p.u[0], p.weight[0])


def marginals(
    fit: ExactRegression,
    rows: FloatArray,
    names: Sequence[str],
    level: float,
    *,
    linear: bool = False,
    new_study: bool = False,
    measure: Any = None,
) -> tuple[Marginal, ...]:
    """Summarise row' beta for every row, or a new study's true effect there; ``linear`` values stay on the analysis scale."""
    m, s = combination(fit.model, linear_given_tau(fit.model, fit.tau), rows)
    s = np.hypot(s, fit.tau) if new_study else s
    kinds = ["prediction" if new_study else "credible"] * len(rows)
    unknown = {} if fit.finite_sd else dict.fromkeys(range(len(rows)), float("inf"))
    scale = MEASURES["GEN"] if linear else measure
    return mixture_marginals(names, kinds, fit.weight, m, s, level, scale, unknown)


def study_marginals(fit: ExactRegression, effects: Effects, x: FloatArray, level: float) -> tuple[Marginal, ...]:
    """Return each study's true effect, shrunken towards what its moderators predict."""
    m, s = combination(fit.model, linear_given_tau(fit.model, fit.tau), x)
    pull = effects.v[:, None] / (effects.v[:, None] + fit.tau**2)
    centre = pull * m + (1 - pull) * effects.y[:, None]
    spread = np.sqrt(pull * fit.tau**2 + (pull * s) ** 2)
    kinds = ["credible"] * len(effects)
    return mixture_marginals(effects.study, kinds, fit.weight, centre, spread, level, effects.measure, {})
