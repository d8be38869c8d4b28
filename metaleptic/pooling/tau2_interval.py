"""Confidence intervals for the between-study variance, and with it for tau, I2 and H2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import optimize, special

from metaleptic.convert.units import check_level
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.anatomy import Anatomy, anatomy
from metaleptic.pooling.given_weights import OWN_WEIGHTS, checked_weights, solve_generalised_q
from metaleptic.pooling.meta_regression import residual_q_profile
from metaleptic.pooling.names import named
from metaleptic.pooling.regression import tau2_se, well_scaled
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.residual_heterogeneity import log_likelihood, residual_q, typical_variance
from metaleptic.pooling.result import Pooled
from metaleptic.types import FloatArray

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class HeterogeneityInterval:
    """Between-study variance with an interval, and what follows from it.

    Attributes
    ----------
    tau2, tau, i2, h2 : tuple of float
        Estimate, lower and upper bound; I2 in percent.
    method : str
        How the interval was made.
    level : float
        Its level.
    """

    tau2: tuple[float, float, float]
    tau: tuple[float, float, float]
    i2: tuple[float, float, float]
    h2: tuple[float, float, float]
    method: str
    level: float

    def to_frame(self) -> Any:
        """Return a row for each of tau2, tau, I2 and H2."""
        rows = [("tau2", *self.tau2), ("tau", *self.tau), ("I2 (%)", *self.i2), ("H2", *self.h2)]
        names = ("quantity", "estimate", "low", "high")
        return to_frame(dict(zip(names, zip(*rows, strict=True), strict=True)), "pandas")

    def __repr__(self) -> str:
        shown = (("tau2", self.tau2), ("tau", self.tau), ("I2 (%)", self.i2), ("H2", self.h2))
        lines = [f"{name:<7} {a:.4g} ({100 * self.level:g}% CI {b:.4g} to {c:.4g})" for name, (a, b, c) in shown]
        return "\n".join([self.method, *lines])


def q_profile(a: Anatomy, level: float, weights: FloatArray) -> Bounds:
    """Invert the test of the generalised Q with weights 1 / (v + tau2)."""
    return residual_q_profile(a.effects.y, a.effects.v, a.x, level)


def generalised_q(a: Anatomy, level: float, weights: FloatArray) -> Bounds:
    """Invert the test of Q with fixed weights, by its exact distribution."""
    tail = (1 - level) / 2
    x = well_scaled(a.x)[0]
    low, high = (solve_generalised_q(a.effects.y, a.effects.v, x, weights, p) for p in (1 - tail, tail))
    return low, high


def profile_likelihood(a: Anatomy, level: float, weights: FloatArray) -> Bounds:
    """Keep every tau2 that the (restricted) likelihood ratio does not reject."""
    if a.tau2_method not in ("ML", "REML"):
        raise OptionError('the profile-likelihood interval needs a fit with tau2="REML" or tau2="ML".')
    y, v, x, keep = a.effects.y, a.effects.v, well_scaled(a.x)[0], np.ones(len(a.effects))
    threshold = float(special.chdtri(1, 1 - level)) / 2

    def below(t: float) -> float:
        value = log_likelihood(y, v, x, keep, np.asarray(t), restricted=a.tau2_method == "REML")
        return float(value) - top + threshold

    top = 0.0
    top = below(a.tau2) - threshold
    step = max(a.tau2, float(np.median(v)))
    high = a.tau2 + step
    while below(high) > 0:
        step *= 2
        high += step
        if step > 1e12:
            raise NotEstimableError('the profile likelihood of tau2 has no upper bound. Use method="Q-profile".')
    upper = float(optimize.brentq(below, a.tau2, high, xtol=1e-15, rtol=1e-13))
    if a.tau2 == 0 or below(0.0) >= 0:
        return 0.0, upper
    return float(optimize.brentq(below, 0.0, a.tau2, xtol=1e-15, rtol=1e-13)), upper


def test_based(a: Anatomy, level: float, weights: FloatArray) -> Bounds:
    """Turn the test-based interval of H into one of tau2."""
    typical = _typical(a)
    df = len(a.effects) - a.x.shape[1]
    h = np.sqrt(a.tau2 / typical + 1)
    q = float(residual_q(a.effects.y, a.effects.v, well_scaled(a.x)[0], np.ones(len(a.effects))))
    if q > df + 1:
        se = 0.5 * (np.log(q) - np.log(df)) / (np.sqrt(2 * q) - np.sqrt(2 * df - 1))
    elif df > 1:
        se = np.sqrt((1 - 1 / (3 * (df - 1) ** 2)) / (2 * (df - 1)))
    else:
        raise NotEstimableError("the test-based interval needs at least two residual degrees of freedom.")
    z = float(special.ndtri(0.5 + level / 2))
    low, high = (max(1.0, float(np.exp(np.log(h) + side * z * se))) for side in (-1, 1))
    return typical * (low**2 - 1), typical * (high**2 - 1)


def _wald(a: Anatomy, level: float) -> tuple[float, float]:
    return float(special.ndtri(0.5 + level / 2)), _se(a)


def wald(a: Anatomy, level: float, weights: FloatArray) -> Bounds:
    """Estimate plus and minus z standard errors, cut at zero."""
    z, se = _wald(a, level)
    return max(0.0, a.tau2 - z * se), a.tau2 + z * se


def wald_log(a: Anatomy, level: float, weights: FloatArray) -> Bounds:
    """Wald interval of log tau2."""
    z, se = _wald(a, level)
    if a.tau2 == 0:
        raise NotEstimableError('tau2 is 0: its logarithm has no interval. Use method="Q-profile".')
    return a.tau2 * float(np.exp(-z * se / a.tau2)), a.tau2 * float(np.exp(z * se / a.tau2))


def wald_sqrt(a: Anatomy, level: float, weights: FloatArray) -> Bounds:
    """Wald interval of tau."""
    z, se = _wald(a, level)
    if a.tau2 == 0:
        raise NotEstimableError('tau2 is 0: the delta method fails for its root. Use method="Q-profile".')
    tau, half = float(np.sqrt(a.tau2)), z * se / (2 * float(np.sqrt(a.tau2)))
    return max(0.0, tau - half) ** 2, (tau + half) ** 2


def _se(a: Anatomy) -> float:
    x, keep = well_scaled(a.x)[0], np.ones(len(a.effects))
    se = float(tau2_se(a.tau2_method, a.effects.y, a.effects.v, x, keep, np.asarray(a.tau2)))
    if np.isnan(se):
        raise NotEstimableError(f"no standard error is published for tau2 by {a.tau2_method}.")
    return se


def _typical(a: Anatomy) -> float:
    return float(typical_variance(a.effects.v, well_scaled(a.x)[0], np.ones(len(a.effects))))


@dataclass(frozen=True, slots=True)
class Tau2Interval:
    """One way to an interval for tau2: key, function, source; default weights of the generalised Q."""

    key: str
    function: Callable[[Anatomy, float, FloatArray], Bounds]
    source: str
    weights: str = ""


TAU2_INTERVALS = MappingProxyType(
    {
        m.key: m
        for m in (
            Tau2Interval("Q-profile", q_profile, "Viechtbauer W. Stat Med 2007;26:37-52"),
            Tau2Interval(
                "generalised-Q",
                generalised_q,
                "Jackson D, Turner R, Rhodes K, Viechtbauer W. BMC Med Res Methodol 2014;14:103",
            ),
            Tau2Interval("Jackson", generalised_q, "Jackson D. Res Synth Methods 2013;4:220-229", "1/sqrt(v)"),
            Tau2Interval(
                "Biggerstaff-Jackson", generalised_q, "Biggerstaff BJ, Jackson D. Stat Med 2008;27:6093-6110", "1/v"
            ),
            Tau2Interval("profile-likelihood", profile_likelihood, "Hardy RJ, Thompson SG. Stat Med 1996;15:619-629"),
            Tau2Interval("test-based", test_based, "Higgins JPT, Thompson SG. Stat Med 2002;21:1539-1558"),
            Tau2Interval("Wald", wald, "Biggerstaff BJ, Tweedie RL. Stat Med 1997;16:753-768"),
            Tau2Interval("Wald-log", wald_log, "Wald interval of the logarithm"),
            Tau2Interval("Wald-sqrt", wald_sqrt, "Wald interval of the root"),
        )
    }
)


ALSO = {
    "qp": "Q-profile",
    "pl": "profile-likelihood",
    **dict.fromkeys(("genq", "generalized-q", "gq"), "generalised-Q"),
    **dict.fromkeys(("ht", "higgins-thompson"), "test-based"),
    "j": "Jackson",
    "bj": "Biggerstaff-Jackson",
}


def tau2_interval(
    fit: Pooled | Regression, *, method: str = "Q-profile", level: float | None = None, weights: Any = None
) -> HeterogeneityInterval:
    """Say how large or small the spread between studies may be: an interval for tau2, tau, I2 and H2.

    Parameters
    ----------
    fit : Pooled or Regression
        A random-effects fit; with moderators the interval is of what they leave.
    method : str, default "Q-profile"
        ``"Q-profile"``; ``"Jackson"`` and ``"Biggerstaff-Jackson"`` (generalised Q with weights 1/sqrt(v) and 1/v) and
        ``"generalised-Q"`` with ``weights`` of your own, all exact; ``"profile-likelihood"`` (REML and ML fits);
        ``"test-based"``; ``"Wald"``, ``"Wald-log"``, ``"Wald-sqrt"`` (for comparison; they cover poorly).
    level : float, optional
        Level; that of the fit by default.
    weights : array_like of shape (k,) or "equal", optional
        For ``"generalised-Q"``.

    Returns
    -------
    HeterogeneityInterval
        A lower bound of 0 means that no spread at all is compatible with the data. Where even tau2 = 0 leaves more
        agreement than chance allows, both bounds are 0.

    Raises
    ------
    OptionError
        If the method is unknown or does not fit the estimator.
    NotEstimableError
        If the interval does not exist.

    Notes
    -----
    Sources: see ``metaleptic.pooling.tau2_interval.TAU2_INTERVALS``. The distribution of the generalised Q is computed to
    1e-11 by inversion of its Laplace transform.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.9, -1.6, -0.2, -0.4], [0.1, 0.2, 0.05, 0.02]))
    >>> [round(x, 2) for x in ml.tau2_interval(fit, method="Jackson").tau2]
    [0.21, 0.02, 4.24]
    """
    _refuse_own_weights(fit)
    a = anatomy(fit, "tau2_interval")
    if not a.tau2_method:
        raise OptionError('the common-effect model has no between-study variance: fit model="random".')
    method = named("method", method, TAU2_INTERVALS, ALSO)
    level = a.level if level is None else level
    check_level(level)
    chosen = TAU2_INTERVALS[method]
    low, high = chosen.function(a, level, _weights(a, chosen, weights))
    typical = _typical(a)
    tau2 = (a.tau2, low, high)
    return HeterogeneityInterval(
        tau2=tau2,
        tau=_each(np.sqrt, tau2),
        i2=_each(lambda t: 100 * t / (t + typical), tau2),
        h2=_each(lambda t: t / typical + 1, tau2),
        method=method,
        level=level,
    )


def _refuse_own_weights(fit: Pooled | Regression) -> None:
    """Point a fit with weights of its own to the interval that takes weights."""
    if getattr(fit, "model", "") == OWN_WEIGHTS:
        raise OptionError(
            "an interval for tau2 does not come from a fit with weights of your own: take that of the same effects without them, "
            'with the weights here: ml.tau2_interval(ml.pool(effects), method="generalised-Q", weights=1 / effects.v).'
        )


def _each(f: Callable[[float], Any], values: tuple[float, float, float]) -> tuple[float, float, float]:
    a, b, c = (float(f(x)) for x in values)
    return a, b, c


def _weights(a: Anatomy, method: Tau2Interval, weights: Any) -> FloatArray:
    v = a.effects.v
    if method.key == "generalised-Q":
        if weights is None:
            raise OptionError('method="generalised-Q" needs weights: for example weights=1 / effects.v.')
        return checked_weights(a.effects, weights)
    if weights is not None:
        raise OptionError(f'weights go with method="generalised-Q", not {method.key!r}.')
    return np.asarray(1 / np.sqrt(v) if method.weights == "1/sqrt(v)" else 1 / v)
