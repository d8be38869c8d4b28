"""Bootstrap intervals of the pooled effect and its heterogeneity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.convert.units import check_level
from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.anatomy import anatomy
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.normal import fit_normal
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


def bootstrap(
    fit: Pooled, *, kind: str = "parametric", draws: int = 2000, level: float | None = None, seed: int | None = None
) -> Bootstrap:
    """Resample the meta-analysis to see how far its result would wander.

    Parameters
    ----------
    fit : Pooled
        A random- or common-effect fit.
    kind : {"parametric", "nonparametric"}, default "parametric"
        New effects drawn from the fitted model, or studies drawn with replacement. With fewer than ten studies the
        nonparametric bootstrap is too narrow.
    draws : int, default 2000
        Number of resamples.
    level : float, optional
        Level of the percentile intervals.
    seed : int, optional
        Seed of the random numbers.

    Returns
    -------
    Bootstrap
        tau2 is estimated anew in each resample by the estimator of the fit.

    Raises
    ------
    OptionError
        If the kind is unknown or the number of draws below 100.

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
    if kind not in KINDS:
        raise OptionError(f"kind {kind!r} is unknown. Choose one of: {', '.join(KINDS)}.")
    if draws < 100:
        raise OptionError(f"{draws} draws are too few for an interval: take at least 100.")
    level = a.level if level is None else level
    check_level(level)
    rng = np.random.default_rng(seed)
    y, v, mu, k = a.effects.y, a.effects.v, float(a.beta[0]), len(a.effects)
    found: list[FloatArray] = []
    skipped = 0
    for start in range(0, draws, CHUNK):
        size = min(CHUNK, draws - start)
        if kind == "parametric":
            new_y, new_v = mu + rng.standard_normal((size, k)) * np.sqrt(v + a.tau2), np.broadcast_to(v, (size, k))
        else:
            drawn = rng.integers(0, k, size=(size, k))
            usable = (drawn != drawn[:, :1]).any(axis=1)
            skipped += int((~usable).sum())
            new_y, new_v = y[drawn[usable]], v[drawn[usable]]
        one = fit_normal(new_y, new_v, tau2=a.tau2_method or None, test="z")
        found.append(np.stack([one.mu, one.tau2, one.i2]))
    mu_draws, tau2_draws, i2_draws = np.concatenate(found, axis=1)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(mu_draws, tails)
    return Bootstrap(
        estimate=printed_estimate(a.effects, mu, float(low), float(high), level, "confidence"),
        tau2=_with_bounds(a.tau2, tau2_draws, tails),
        i2=_with_bounds(fit.i2, i2_draws, tails),
        mu_draws=frozen_array(mu_draws),
        tau2_draws=frozen_array(tau2_draws),
        i2_draws=frozen_array(i2_draws),
        kind=kind,
        skipped=skipped,
        seed=seed,
    )


def _with_bounds(value: float, draws: FloatArray, tails: list[float]) -> tuple[float, float, float]:
    low, high = np.quantile(draws, tails)
    return float(value), float(low), float(high)
