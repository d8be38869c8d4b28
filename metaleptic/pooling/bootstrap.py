"""Bootstrap intervals of the pooled effect or the coefficients of moderators, and of heterogeneity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from metaleptic.convert.units import check_level
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.anatomy import Anatomy, anatomy
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.names import named
from metaleptic.pooling.normal import fit_normal
from metaleptic.pooling.regression import fit_regression, well_scaled
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.types import Estimate, FloatArray, frozen_array

KINDS = ("parametric", "nonparametric")
CHUNK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Percentile intervals from resampled meta-analyses.

    Attributes
    ----------
    estimate : Estimate
        The pooled effect of the fit with its bootstrap interval, printed scale.
    tau2, i2 : tuple of float
        Estimate, lower and upper bound.
    mu_draws, tau2_draws, i2_draws : ndarray of shape (draws,)
        Pooled effect (analysis scale), between-study variance and I2 of each resampled meta-analysis.
    kind : str
        "parametric" or "nonparametric".
    skipped : int
        Resamples that could not be fitted (all studies the same one).
    seed : int or None
        Seed of the random numbers.
    """

    estimate: Estimate
    tau2: tuple[float, float, float]
    i2: tuple[float, float, float]
    mu_draws: FloatArray
    tau2_draws: FloatArray
    i2_draws: FloatArray
    kind: str
    skipped: int
    seed: int | None

    def to_frame(self) -> Any:
        """Return a row for the pooled effect (printed scale), tau2 and I2."""
        e = self.estimate
        rows = [("pooled effect", e.value, e.low, e.high), ("tau2", *self.tau2), ("I2 (%)", *self.i2)]
        names = ("quantity", "estimate", "low", "high")
        return to_frame(dict(zip(names, zip(*rows, strict=True), strict=True)), "pandas")

    def __repr__(self) -> str:
        lines = [f"{self.kind} bootstrap, {len(self.mu_draws)} resamples", f"pooled effect {self.estimate}"]
        for name, (a, b, c) in (("tau2", self.tau2), ("I2 (%)", self.i2)):
            lines.append(f"{name} {a:.3g} ({b:.3g} to {c:.3g})")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, eq=False)
class RegressionBootstrap:
    """Percentile intervals of coefficients from resampled meta-regressions.

    Attributes
    ----------
    names : tuple of str
        Names of the coefficients.
    beta, low, high : ndarray of shape (p,)
        Coefficients of the fit with their bootstrap intervals, analysis scale.
    tau2, i2 : tuple of float
        Residual between-study variance and I2: estimate, lower and upper bound.
    beta_draws : ndarray of shape (draws, p)
        Coefficients of each resampled meta-regression.
    tau2_draws, i2_draws : ndarray of shape (draws,)
        What is left between studies in each.
    kind : str
        "parametric" or "nonparametric".
    skipped : int
        Resamples that could not be fitted (too few different studies, or a moderator that no longer varies).
    seed : int or None
        Seed of the random numbers.
    level : float
        Level of the intervals.
    frame_kind : str
        Dataframe library of ``to_frame``.
    """

    names: tuple[str, ...]
    beta: FloatArray
    low: FloatArray
    high: FloatArray
    tau2: tuple[float, float, float]
    i2: tuple[float, float, float]
    beta_draws: FloatArray
    tau2_draws: FloatArray
    i2_draws: FloatArray
    kind: str
    skipped: int
    seed: int | None
    level: float
    frame_kind: str

    def to_frame(self) -> Any:
        """Return a row per coefficient (analysis scale), then residual tau2 and I2."""
        rows = list(zip(self.names, self.beta, self.low, self.high, strict=True))
        rows += [("tau2", *self.tau2), ("I2 (%)", *self.i2)]
        names = ("quantity", "estimate", "low", "high")
        return to_frame(dict(zip(names, zip(*rows, strict=True), strict=True)), self.frame_kind)

    def __repr__(self) -> str:
        shown = [*zip(self.names, self.beta, self.low, self.high, strict=True), ("tau2", *self.tau2)]
        lines = [f"{n} {b:.4g} ({100 * self.level:g}% CI {x:.4g} to {y:.4g})" for n, b, x, y in shown]
        return "\n".join([f"{self.kind} bootstrap, {len(self.tau2_draws)} resamples", *lines])


@overload
def bootstrap(
    fit: Pooled, *, kind: str = "parametric", draws: int = 2000, level: float | None = None, seed: int | None = None
) -> Bootstrap: ...


@overload
def bootstrap(
    fit: Regression, *, kind: str = "parametric", draws: int = 2000, level: float | None = None, seed: int | None = None
) -> RegressionBootstrap: ...


def bootstrap(
    fit: Pooled | Regression,
    *,
    kind: str = "parametric",
    draws: int = 2000,
    level: float | None = None,
    seed: int | None = None,
) -> Bootstrap | RegressionBootstrap:
    """Resample the meta-analysis to see how far its result would wander.

    Parameters
    ----------
    fit : Pooled or Regression
        A random- or common-effect fit, with moderators or without.
    kind : {"parametric", "nonparametric"}, default "parametric"
        New effects drawn from the fitted model, or studies (with their moderators) drawn with replacement. With fewer than ten
        studies the nonparametric bootstrap is too narrow.
    draws : int, default 2000
        Number of resamples.
    level : float, optional
        Level of the percentile intervals.
    seed : int, optional
        Seed of the random numbers.

    Returns
    -------
    Bootstrap or RegressionBootstrap
        tau2 is estimated anew in each resample by the estimator of the fit; with moderators every coefficient has its interval.

    Raises
    ------
    OptionError
        If the kind is unknown or the number of draws below 100.
    NotEstimableError
        If (nearly) no resample of the studies can be fitted.

    Notes
    -----
    Sources: Turner RM et al. Stat Med 2000;19:3417-3432; Viechtbauer W. Stat Med 2007;26:37-52; van den Noortgate W,
    Onghena P. Methodology 2005;1:35-41.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.9, -1.6, -0.2, -0.4, -0.3], [0.1, 0.2, 0.05, 0.02, 0.05]))
    >>> b = ml.bootstrap(fit, draws=500, seed=1)
    >>> b.tau2[1] == 0, b.estimate.low < b.estimate.value < b.estimate.high
    (True, True)
    """
    a = anatomy(fit, "bootstrap")
    kind = named("kind", kind, KINDS, {"non-parametric": "nonparametric", "np": "nonparametric", "p": "parametric"})
    if draws < 100:
        raise OptionError(f"{draws} draws are too few for an interval: take at least 100.")
    level = a.level if level is None else level
    check_level(level)
    of_mean = isinstance(fit, Pooled)
    beta_draws, tau2_draws, i2_draws = _resampled(a, kind, draws, np.random.default_rng(seed), of_mean)
    if len(tau2_draws) < draws / 10:
        raise NotEstimableError(
            f"only {len(tau2_draws)} of {draws} resamples of the studies can be fitted: too few studies differ in "
            f'{", ".join(a.design.names)}. Use kind="parametric".'
        )
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(beta_draws, tails, axis=0)
    skipped = draws - len(tau2_draws)
    tau2, i2 = _with_bounds(a.tau2, tau2_draws, tails), _with_bounds(fit.i2, i2_draws, tails)
    frozen = frozen_array(beta_draws), frozen_array(tau2_draws), frozen_array(i2_draws)
    if not of_mean:
        bounds = frozen_array(low), frozen_array(high)
        return RegressionBootstrap(
            a.design.names, a.beta, *bounds, tau2, i2, *frozen, kind, skipped, seed, level, a.effects.frame_kind
        )
    ends = float(low[0]), float(high[0])
    return Bootstrap(
        estimate=printed_estimate(a.effects, float(a.beta[0]), *ends, level, "confidence"),
        tau2=tau2,
        i2=i2,
        mu_draws=frozen_array(beta_draws[:, 0]),
        tau2_draws=frozen[1],
        i2_draws=frozen[2],
        kind=kind,
        skipped=skipped,
        seed=seed,
    )


def _resampled(
    a: Anatomy, kind: str, draws: int, rng: np.random.Generator, of_mean: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return coefficients, tau2 and I2 of the resamples that can be fitted."""
    y, v, k = a.effects.y, a.effects.v, len(a.effects)
    found: list[tuple[FloatArray, ...]] = []
    chunk = CHUNK if of_mean else CHUNK // 4
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        drawn = np.broadcast_to(np.arange(k), (size, k))
        new_y = a.fitted + rng.standard_normal((size, k)) * np.sqrt(v + a.tau2) if kind == "parametric" else y
        if kind == "nonparametric":
            drawn = rng.integers(0, k, size=(size, k))
            drawn = drawn[_fittable(a.x, drawn)]
            new_y = y[drawn]
        if of_mean:
            mean = fit_normal(new_y, v[drawn], tau2=a.tau2_method or None, test="z")
            found.append((mean.mu[:, None], mean.tau2, mean.i2))
        else:
            fit = fit_regression(new_y, v[drawn], a.x[drawn], tau2=a.tau2_method or None, test="z")
            found.append((fit.beta, fit.tau2, fit.i2))
    beta, tau2, i2 = (np.concatenate([f[j] for f in found]) for j in range(3))
    return beta, tau2, i2


def _fittable(x: FloatArray, drawn: Any) -> Any:
    """Ask of each resample for more different studies than coefficients, and for moderators that can be told apart."""
    different = 1 + (np.diff(np.sort(drawn, axis=1), axis=1) > 0).sum(axis=1)
    return (different > x.shape[1]) & (np.linalg.matrix_rank(well_scaled(x)[0][drawn]) == x.shape[1])


def _with_bounds(value: float, draws: FloatArray, tails: list[float]) -> tuple[float, float, float]:
    low, high = np.quantile(draws, tails)
    return float(value), float(low), float(high)
