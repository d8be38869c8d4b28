"""Meta-regression by sampling: regularising priors on the coefficients, and normal or flat ones to check the exact route.

True effects are integrated out, y ~ N(X beta, v + tau^2), and drawn afterwards given the rest.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.bayes.coefficients import coefficient_frame, coefficient_lines, contrast_row
from metaleptic.bayes.diagnostics import Diagnostics, diagnose
from metaleptic.bayes.draws import marginal_of_draws
from metaleptic.bayes.exact import refuse_improper
from metaleptic.bayes.marginal import Marginal
from metaleptic.bayes.moderators import coefficient_words
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.regularising import Regularising, global_scale, standardise
from metaleptic.bayes.sampled import chain_notes, check_chains, distrust
from metaleptic.bayes.sampled_priors import mu_variable, tau_variable
from metaleptic.design import Design
from metaleptic.provenance import provenance
from metaleptic.types import Effects, FloatArray, Provenance, frozen_array

NormalPriors = tuple[FloatArray, FloatArray]  # mean and sd of each coefficient; an infinite sd is flat


@dataclass(frozen=True, slots=True, eq=False)
class SampledRegression:
    """The posterior of a meta-regression, known by draws: ``ml.pool_bayes(..., moderators=..., method="nuts")``.

    Attributes
    ----------
    effects : Effects
        What was pooled.
    design : Design
        Design matrix with the names of its columns.
    beta : tuple of Marginal
        Posterior of each coefficient, analysis scale.
    tau : Marginal
        Posterior of the heterogeneity that the moderators leave.
    theta : tuple of Marginal
        Posterior of each study's true effect.
    prior : Prior
        Prior on tau.
    beta_prior : Regularising or tuple of (mean, sd)
        Prior on the coefficients.
    method : str
        The model in words.
    level : float
        Level of the intervals.
    notes : tuple of str
        What a careful reader must know of this result.
    provenance : Provenance
        How to make it again.
    draws : mapping of str to ndarray of shape (chains, draws, ...)
        "beta" (last axis: coefficients), "tau", "theta" (last axis: studies), and "scale", the common scale of the
        coefficients under a regularising prior (of standardised moderators).
    diagnostics : Diagnostics
        R-hat, effective sample sizes, Monte-Carlo errors, divergences, E-BFMI.
    energy, diverging : ndarray of shape (chains, draws)
        Of the sampler's steps.
    """

    effects: Effects
    design: Design
    beta: tuple[Marginal, ...]
    tau: Marginal
    theta: tuple[Marginal, ...]
    prior: Prior
    beta_prior: Regularising | tuple[tuple[float, float], ...]
    method: str
    level: float
    notes: tuple[str, ...]
    provenance: Provenance
    draws: Mapping[str, FloatArray]
    diagnostics: Diagnostics
    energy: FloatArray
    diverging: FloatArray

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.effects)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.design.names

    def predict(self, new: Any, *, study: bool = False, seed: int = 1) -> tuple[Marginal, ...]:
        """Return the posterior at new values of the moderators: of the mean, or of the true effect of a new study there.

        Parameters
        ----------
        new : mapping of columns, table, or rows of the design matrix
            Where to predict.
        study : bool, default False
            Whether to predict the true effect of a new study instead of the mean of all such studies.
        seed : int, default 1
            Seed of the draws of a new study.
        """
        from metaleptic.design import new_rows

        rows, rng, measure = new_rows(self.design, new), np.random.default_rng(seed), self.effects.measure
        found = []
        for i, row in enumerate(rows):
            x = self.draws["beta"] @ row
            x = x + self.draws["tau"] * rng.standard_normal(x.shape) if study else x
            kind = "prediction" if study else "credible"
            found.append(marginal_of_draws(f"at row {i + 1}", kind, x, self.level, measure))
        return tuple(found)

    def contrast(self, weights: Sequence[float] | Mapping[str, float]) -> Marginal:
        """Return the posterior of a weighted sum of the coefficients, analysis scale: ``{"dose": 2}``, or a weight for each."""
        row, label = contrast_row(weights, self.names)
        return marginal_of_draws(label, "credible", self.draws["beta"] @ row, self.level, None)

    def to_frame(self) -> Any:
        """Return a row per coefficient, analysis scale; for ratios also the exponentiated values."""
        return coefficient_frame(self.effects, self.names, self.beta)

    def to_arviz(self) -> Any:
        """Hand the draws to ArviZ: an ``InferenceData`` (ArviZ 0.x) or a ``DataTree`` (1.x), coefficients by name.

        Beside the posterior it holds ``log_likelihood``, ``observed_data`` and ``posterior_predictive`` of each study.
        """
        from metaleptic.bayes.arviz_groups import arviz_groups
        from metaleptic.bayes.sampler import to_arviz

        coords = {"study": list(self.effects.study), "coefficient": list(self.names)}
        dims = {"theta": ["study"], "beta": ["coefficient"], "y": ["study"]}
        return to_arviz(self.draws, self.diverging, self.energy, dims, coords, arviz_groups(self))

    def __repr__(self) -> str:
        text = coefficient_lines(self.effects, self.design, self.names, self.beta, self.tau, self.method, self.level)
        return distrust(self.diagnostics, text)


def regression(
    pm: Any,
    pt: Any,
    effects: Effects,
    design: Design,
    prior: Prior,
    beta: Regularising | NormalPriors,
) -> None:
    """Define y ~ N(X beta, v + tau^2) with "beta", "tau" and, for regularising priors, the common "scale"."""
    tau = tau_variable(pm, pt, prior, effects.v)
    if isinstance(beta, Regularising):
        coefficients = _regularised(pm, pt, effects, design, beta)
    else:
        coefficients = _normal_or_flat(pm, pt, effects, design, *beta)
    mean = pt.dot(design.matrix, pm.Deterministic("beta", coefficients))
    pm.Normal("y", mean, pt.sqrt(effects.v + tau**2), observed=effects.y)


def _regularised(pm: Any, pt: Any, effects: Effects, design: Design, prior: Regularising) -> Any:
    """Return coefficients under a ridge or horseshoe prior, as standard normal variables times their scales."""
    basis, p = standardise(design), dict(prior.parameters)
    q = basis.z.shape[1]
    z = pm.Normal("z", 0.0, 1.0, shape=q)
    if prior.key == "ridge":
        b = z * pm.HalfNormal("scale", p["scale"])
    else:
        common = pm.HalfCauchy("scale", global_scale(prior, q, effects.v))
        local = pm.HalfCauchy("local", 1.0, shape=q)
        c2 = pm.InverseGamma("slab2", p["slab_df"] / 2, p["slab_df"] / 2 * p["slab"] ** 2)
        b = z * common * local / pt.sqrt(1 + (common * local) ** 2 / c2)
    coefficients = pt.dot(basis.back, b)
    if basis.intercept is None:
        return coefficients
    centre = float(np.average(effects.y, weights=1 / effects.v))
    mean = mu_variable(pm, prior.mean, centre, float(np.sqrt(np.mean(effects.v) / len(effects))))
    return coefficients + mean * np.eye(len(design.names))[basis.intercept]


def _normal_or_flat(pm: Any, pt: Any, effects: Effects, design: Design, mean: FloatArray, sd: FloatArray) -> Any:
    """Return coefficients measured from their least-squares estimate in units of its covariance; normal priors as potentials."""
    total = effects.v + 1 / np.mean(1 / effects.v)
    proper = np.isfinite(sd)
    precision = (design.matrix / total[:, None]).T @ design.matrix + np.diag(np.where(proper, 1 / sd**2, 0.0))
    right = design.matrix.T @ (effects.y / total) + np.where(proper, mean / sd**2, 0.0)
    centre = np.linalg.solve(precision, right)
    half = np.linalg.inv(np.linalg.cholesky(precision)).T
    coefficients = centre + pt.dot(half, pm.Flat("u", shape=len(centre)))
    if proper.any():
        away = (coefficients - mean)[np.flatnonzero(proper)] / sd[proper]
        pm.Potential("prior_of_beta", -0.5 * pt.sum(away**2))
    return coefficients


def pool_sampled_moderators(
    effects: Effects,
    design: Design,
    prior: Prior,
    beta: Regularising | NormalPriors,
    level: float,
    *,
    draws: int,
    chains: int,
    seed: int | None,
) -> SampledRegression:
    """Draw from the meta-regression and summarise; ``pool_bayes`` checks everything else."""
    from metaleptic.bayes import sampler

    check_chains(draws, chains)
    regularised = isinstance(beta, Regularising)
    if isinstance(beta, Regularising):
        flat = int(beta.mean is None and standardise(design).intercept is not None)
        words = beta.words
    else:
        flat = int((~np.isfinite(beta[1])).sum())
        words = coefficient_words(*beta)
    k = np.array([float(len(effects))])
    refuse_improper([prior], k, prior.tail + k - flat, flat)
    seed = secrets.randbelow(2**31) if seed is None else int(seed)
    found = sampler.sample(
        lambda pm, pt: regression(pm, pt, effects, design, prior, beta),
        ("beta", "tau", "scale") if regularised else ("beta", "tau"),
        draws=draws,
        chains=chains,
        seed=seed,
    )
    report = diagnose(dict(found.draws), found.diverging, found.energy, found.sampler)
    kept = {**found.draws, "theta": study_effects(np.random.default_rng(seed), found.draws, effects, design)}
    given = beta.call if isinstance(beta, Regularising) else tuple(zip(*(b.tolist() for b in beta), strict=True))
    call = (
        f"ml.pool_bayes(effects, moderators={design.formula or 'matrix'!r}, tau={prior.call}, beta={given}, "
        f'method="nuts", draws={draws}, chains={chains}, seed={seed}, level={level:g})'
    )
    origin = provenance(effects, call, seed)
    return SampledRegression(
        effects=effects,
        design=design,
        beta=tuple(
            marginal_of_draws(name, "credible", kept["beta"][..., j], level, None)
            for j, name in enumerate(design.names)
        ),
        tau=marginal_of_draws("tau", "credible", kept["tau"], level, None, positive=True),
        theta=tuple(
            marginal_of_draws(name, "credible", kept["theta"][..., i], level, effects.measure)
            for i, name in enumerate(effects.study)
        ),
        prior=prior,
        beta_prior=beta if isinstance(beta, Regularising) else tuple(zip(*(b.tolist() for b in beta), strict=True)),
        method=f"Bayesian meta-regression: {prior.words} prior on tau, {words}; {chains} x {draws} draws",
        level=level,
        notes=chain_notes(report),
        provenance=replace(origin, versions=(*origin.versions, *found.versions)),
        draws=MappingProxyType({name: frozen_array(x) for name, x in kept.items()}),
        diagnostics=report,
        energy=frozen_array(found.energy),
        diverging=frozen_array(found.diverging),
    )


def study_effects(
    rng: np.random.Generator, draws: Mapping[str, FloatArray], effects: Effects, design: Design
) -> FloatArray:
    """Draw the studies' true effects given coefficients and tau."""
    mean, tau2 = draws["beta"] @ design.matrix.T, draws["tau"][..., None] ** 2
    pull = effects.v / (effects.v + tau2)
    return np.asarray(pull * mean + (1 - pull) * effects.y + np.sqrt(pull * tau2) * rng.standard_normal(mean.shape))
