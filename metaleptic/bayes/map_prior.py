"""The verb ``map_prior``: historical controls in, a prior for the controls of the next study out.

Sources: Neuenschwander B, Capkun-Niggli G, Branson M, Spiegelhalter DJ. Clin Trials 2010;7:5-18 (meta-analytic-predictive
prior); Schmidli H et al. Biometrics 2014;70:1023-1032 (robust mixture); Neuenschwander B et al. Biometrics 2020;76:578-587.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.mixture_prior import (
    ESS,
    FAMILIES,
    fit_mixture,
    log_mixture,
    moments,
    update_beta,
    update_normal,
)
from metaleptic.bayes.pool_bayes import pool_bayes
from metaleptic.bayes.prior import Prior
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.types import Estimate, FloatArray, frozen_array

MOST = 4  # components
CLOSE = 1e-3  # nats: a mixture this close to the exact density is not improved


@dataclass(frozen=True, slots=True, eq=False)
class MapPrior:
    """What historical controls say of the next study's control group: a mixture of conjugate densities.

    Attributes
    ----------
    posterior : PooledBayes
        The meta-analysis behind it; its ``prediction`` is what the mixture approximates.
    family : {"beta", "normal"}
        Beta components (a, b) of a proportion, or normal ones (mean, sd) on the analysis scale.
    weight, first, second : ndarray of shape (c,)
        Weights and parameters of the components.
    sigma : float
        Standard deviation of one patient's outcome, for the effective sample size of a normal prior; NaN for beta.
    divergence : float
        Kullback-Leibler divergence of the mixture from the exact predictive density, in nats; NaN once data or a vague
        component were added.
    vague : float
        Weight of the vague component; 0 without one.
    data : tuple of str
        What it was updated with.
    level : float
        Level of the interval.
    """

    posterior: PooledBayes
    family: str
    weight: FloatArray
    first: FloatArray
    second: FloatArray
    sigma: float
    divergence: float
    vague: float
    data: tuple[str, ...]
    level: float

    @property
    def mean(self) -> float:
        """Mean: of the proportion (beta), of the analysis scale (normal)."""
        return moments(self.family, self.weight, self.first, self.second)[0]

    @property
    def sd(self) -> float:
        """Standard deviation on the same scale."""
        return moments(self.family, self.weight, self.first, self.second)[1]

    def pdf(self, x: Any) -> FloatArray:
        """Return the density: at proportions (beta) or analysis-scale values (normal)."""
        return np.asarray(np.exp(log_mixture(self.family, self.weight, self.first, self.second, x)))

    def cdf(self, x: Any) -> FloatArray:
        """Return the probability of a value up to x."""
        parts = FAMILIES[self.family].cdf(np.asarray(x, dtype=np.float64)[..., None], self.first, self.second)
        return np.asarray(parts @ self.weight)

    def quantile(self, p: Any) -> FloatArray:
        """Return the value below which the probability p lies (bisection: a mixture's cdf has no inverse)."""
        p = np.asarray(p, dtype=np.float64)
        parts = FAMILIES[self.family].quantile(p[..., None], self.first, self.second)
        low, high = parts.min(axis=-1), parts.max(axis=-1)
        for _ in range(80):
            middle = (low + high) / 2
            below = self.cdf(middle) < p
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray((low + high) / 2)

    def to_frame(self) -> Any:
        """Return a row per component: its weight and parameters (beta: a and b; normal: mean and sd, analysis scale)."""
        names = ("a", "b") if self.family == "beta" else ("mean", "sd")
        columns = {"weight": self.weight, names[0]: self.first, names[1]: self.second}
        return to_frame(columns, self.posterior.effects.frame_kind)

    def draw(self, size: int, *, seed: int) -> FloatArray:
        """Draw from the prior: proportions (beta) or analysis-scale values (normal)."""
        return self.quantile(np.random.default_rng(seed).random(size))

    @property
    def estimate(self) -> Estimate:
        """Median with its central interval, printed scale."""
        low, middle, high = self.quantile(np.array([(1 - self.level) / 2, 0.5, (1 + self.level) / 2]))
        if self.family == "beta":
            return Estimate(float(middle), float(low), float(high), self.level, "credible")
        measure = self.posterior.effects.measure
        a, b = measure.printed_bounds(low, high)
        return Estimate(float(measure.to_printed(middle)), float(a), float(b), self.level, "credible")

    def ess(self, method: str = "elir") -> float:
        """Return how many patients the prior is worth.

        Parameters
        ----------
        method : {"elir", "moment", "morita"}
            Expected local-information-ratio (the only one of the three for which the effective sample size after N
            patients is on average N larger than before); by mean and standard deviation; by the curvature at the mean.

        Raises
        ------
        NotEstimableError
            If it does not exist or is negative: ELIR where a beta parameter is below 1 or the prior is steepest at 0
            or 1, Morita's where the prior is not concave.
        """
        if method not in ESS:
            raise OptionError(f"method {method!r} is unknown. Choose one of: {', '.join(ESS)}.")
        if self.family == "normal" and not np.isfinite(self.sigma):
            raise OptionError(
                "how many patients a normal prior is worth depends on the standard deviation of one patient's outcome: "
                "say it, map_prior(effects, sigma=...)."
            )
        return float(ESS[method](self.family, self.weight, self.first, self.second, self.sigma))

    def _worth(self) -> str:
        try:
            return f"{self.ess():.0f} patients (ELIR)"
        except NotEstimableError:
            return f"{self.ess('moment'):.0f} patients (by mean and SD)"

    def robust(self, weight: float = 0.2, *, vague: tuple[float, float] | None = None) -> MapPrior:
        """Add a vague component, so that data in conflict with history can overrule it.

        Parameters
        ----------
        weight : float, default 0.2
            How probable it is thought that history does not apply.
        vague : (first, second), optional
            Its parameters: Beta(1, 1) by default; for normal priors the mean of the prior and one patient's standard
            deviation (which needs ``sigma``).
        """
        if not 0 < weight < 1:
            raise OptionError(f"weight {weight:g} is not between 0 and 1. Write 0.2 for 20%.")
        if vague is None and self.family == "normal" and not np.isfinite(self.sigma):
            raise OptionError("say how vague: robust(vague=(mean, sd)), or map_prior(effects, sigma=...).")
        first, second = vague or ((1.0, 1.0) if self.family == "beta" else (self.mean, self.sigma))
        if not (np.isfinite(first) and second > 0 and (first > 0 or self.family == "normal")):
            raise OptionError(f"vague={vague}: not parameters of a {self.family} density.")
        return replace(
            self,
            weight=frozen_array(np.append(self.weight * (1 - weight), weight)),
            first=frozen_array(np.append(self.first, first)),
            second=frozen_array(np.append(self.second, second)),
            divergence=float("nan"),
            vague=float(weight),
        )

    def update(
        self, *, events: float | None = None, n: float | None = None, y: float | None = None, se: float | None = None
    ) -> MapPrior:
        """Add the new study's own controls: ``events`` of ``n`` (beta), or ``y`` with ``se`` on the analysis scale (normal)."""
        if self.family == "beta":
            if events is None or n is None or not (0 <= events <= n and n > 0):
                raise DataError(f"events={events}, n={n}: say how many of how many patients had the event.")
            found, text = update_beta(self.weight, self.first, self.second, events, n), f"{events:g} of {n:g}"
        else:
            if y is None or se is None or not (np.isfinite(y) and se > 0):
                raise DataError(f"y={y}, se={se}: say the estimate and its standard error, analysis scale.")
            found, text = update_normal(self.weight, self.first, self.second, y, se), f"{y:g} (se {se:g})"
        w, first, second = (frozen_array(x) for x in found)
        vague = float(w[-1]) if self.vague else 0.0
        return replace(
            self, weight=w, first=first, second=second, divergence=float("nan"), vague=vague, data=(*self.data, text)
        )

    def __repr__(self) -> str:
        m = self.posterior.effects.measure
        e = self.estimate
        names = ("Beta", "Normal")[self.family == "normal"]
        parts = " + ".join(
            f"{w:.3g} {names}({a:.3g}, {b:.3g})" for w, a, b in zip(self.weight, self.first, self.second, strict=True)
        )
        worth = f"; worth {self._worth()}" if self.family == "beta" or np.isfinite(self.sigma) else ""
        kind = "Robust MAP prior" if self.vague else "MAP prior"
        if self.data:
            kind = f"{kind} updated by {', '.join(self.data)}"
        return "\n".join(
            (
                f"{kind}: {m.label.lower()} {m.format(e.value)} ({100 * e.level:g}% CrI {m.format_interval(e.low, e.high)}){worth}",
                parts,
                f"from {len(self.posterior.effects)} studies; {self.posterior.method}",
            )
        )


def map_prior(
    effects: Any,
    *,
    tau: Prior | None = None,
    mu: EffectPrior | tuple[float, float] | None = None,
    components: int | None = None,
    sigma: float = float("nan"),
    level: float = 0.95,
) -> MapPrior:
    """Turn historical controls into a prior for the control group of the next study, with what it is worth in patients.

    Parameters
    ----------
    effects : Effects
        Historical control groups: proportions (their counts are used, by the exact binomial-normal model), or anything
        else with standard errors.
    tau : Prior, optional
        Prior on the heterogeneity between studies; the default of ``pool_bayes`` otherwise. It decides how much is
        borrowed: with few studies choose it with care.
    mu : (mean, sd) or EffectPrior, optional
        Prior on the mean, analysis scale; flat by default.
    components : int, optional
        Number of mixture components; by default as few as come within 0.001 nats of the exact density, 4 at most.
    sigma : float, optional
        Standard deviation of one patient's outcome on the analysis scale, for the effective sample size of priors other
        than for proportions.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    MapPrior
        ``.ess()``, ``.robust()``, ``.update(events=, n=)``, ``.pdf``, ``.cdf``, ``.quantile``.

    Notes
    -----
    Sources: Neuenschwander B et al. Clin Trials 2010;7:5-18; Schmidli H et al. Biometrics 2014;70:1023-1032.

    Examples
    --------
    >>> import metaleptic as ml
    >>> controls = ml.proportions({"study": ["a", "b", "c", "d"], "events": [6, 9, 18, 7], "n": [56, 63, 121, 123]})
    >>> prior = ml.map_prior(controls, tau=ml.priors.half_normal(1))
    >>> round(prior.ess())
    37
    """
    counts = getattr(getattr(effects, "measure", None), "key", "") == "PLO"
    fit = pool_bayes(effects, model="binomial-normal" if counts else "normal-normal", tau=tau, mu=mu, level=level)
    if components is not None and not 1 <= components <= 8:
        raise OptionError(f"components {components} must be between 1 and 8.")
    family = "beta" if counts else "normal"
    x, probability = _nodes(fit, beta=counts)
    exact = _entropy(fit, x, probability, beta=counts)
    best = None
    for c in range(1, MOST + 1) if components is None else (components,):
        w, first, second, closeness = fit_mixture(family, x, probability, c)
        best = (w, first, second, exact - closeness)
        if best[3] < CLOSE:
            break
    assert best is not None
    return MapPrior(
        fit, family, frozen_array(best[0]), frozen_array(best[1]), frozen_array(best[2]), sigma, best[3], 0.0, (), level
    )


def _nodes(fit: PooledBayes, *, beta: bool) -> tuple[FloatArray, FloatArray]:
    """Return nodes of the predictive distribution, proportions for beta, with their probabilities."""
    g, w = np.polynomial.legendre.leggauss(6)
    edges = fit.prediction.quantile(special.ndtr(np.linspace(-5.2, 5.2, 31)))
    width = np.diff(edges)[:, None]
    theta = (edges[:-1, None] + width * (g + 1) / 2).reshape(-1)
    mass = (width * w / 2).reshape(-1) * fit.prediction.pdf(theta)
    return special.expit(theta) if beta else theta, mass / mass.sum()


def _entropy(fit: PooledBayes, x: FloatArray, probability: FloatArray, *, beta: bool) -> float:
    """Return the mean log density of the exact distribution, on the scale of the mixture."""
    log = np.log(fit.prediction.pdf(special.logit(x) if beta else x))
    return float(probability @ (log - np.log(x * (1 - x)) if beta else log))
