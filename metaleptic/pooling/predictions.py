"""PREDICTIONS: ways to the interval for the true effect of a new study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.given_weights import form_distribution, residual_form
from metaleptic.pooling.mean_inference import kenward_roger
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.names import named
from metaleptic.pooling.normal import fit_normal, quantile
from metaleptic.pooling.result import Pooled
from metaleptic.types import Estimate, FloatArray

OWN_ERROR = ("HTS", "V", "S", "simple")  # methods that need the standard error of the mean alone
DRAWS = 50_000  # bootstrap draws of Nagashima's method, their published recommendation is from 10,000


@dataclass(frozen=True, slots=True)
class Spread:
    """What a t-type prediction interval is made of: the SE of the mean and the degrees of freedom."""

    se: float
    df: float


@dataclass(frozen=True, slots=True)
class PredictionMethod:
    """One prediction interval: key, name, function of (y, v, tau2) and source."""

    key: str
    name: str
    function: Callable[[FloatArray, FloatArray, float], Spread]
    source: str


def _classic_se(y: FloatArray, v: FloatArray, tau2: float) -> float:
    return float(1 / np.sqrt(np.sum(1 / (v + tau2))))


def _hk_se(y: FloatArray, v: FloatArray, tau2: float) -> float:
    return float(fit_normal(y, v, tau2=repr(tau2), test="knapp-hartung").se)


def _kr(y: FloatArray, v: FloatArray, tau2: float, less: int) -> Spread:
    interval = kenward_roger(y, v, tau2, 0.95)
    return Spread(interval.se, interval.df - less)


PREDICTIONS = MappingProxyType(
    {
        m.key: m
        for m in (
            PredictionMethod(
                "HTS",
                "Higgins-Thompson-Spiegelhalter, t(k - 2)",
                lambda y, v, t: Spread(_classic_se(y, v, t), len(y) - 2),
                "Higgins JPT et al. J R Stat Soc A 2009;172:137-159",
            ),
            PredictionMethod(
                "V",
                "t(k - 1), classic standard error",
                lambda y, v, t: Spread(_classic_se(y, v, t), len(y) - 1),
                "Veroniki AA et al. Res Synth Methods 2019;10:23-43",
            ),
            PredictionMethod(
                "HK",
                "t(k - 1), Hartung-Knapp standard error",
                lambda y, v, t: Spread(_hk_se(y, v, t), len(y) - 1),
                "Partlett C, Riley RD. Stat Med 2017;36:301-317",
            ),
            PredictionMethod(
                "HK-PR",
                "t(k - 2), Hartung-Knapp standard error",
                lambda y, v, t: Spread(_hk_se(y, v, t), len(y) - 2),
                "Partlett C, Riley RD. Stat Med 2017;36:301-317",
            ),
            PredictionMethod(
                "KR",
                "t and standard error of Kenward-Roger",
                lambda y, v, t: _kr(y, v, t, 0),
                "Partlett C, Riley RD. Stat Med 2017;36:301-317",
            ),
            PredictionMethod(
                "KR-PR",
                "Kenward-Roger, one degree of freedom less",
                lambda y, v, t: _kr(y, v, t, 1),
                "Partlett C, Riley RD. Stat Med 2017;36:301-317",
            ),
            PredictionMethod(
                "S",
                "normal quantile, classic standard error",
                lambda y, v, t: Spread(_classic_se(y, v, t), np.inf),
                "Skipka G. Cochrane Colloquium 2006",
            ),
            PredictionMethod(
                "simple",
                "normal quantile, the mean taken as known",
                lambda y, v, t: Spread(0.0, np.inf),
                "Veroniki AA et al. Res Synth Methods 2019;10:23-43",
            ),
        )
    }
)


DRAWN = ("NNF",)  # methods that draw random numbers
ALSO = {
    **dict.fromkeys(("nagashima", "bootstrap", "nagashima-noma-furukawa"), "NNF"),
    **dict.fromkeys(("higgins", "higgins-thompson-spiegelhalter"), "HTS"),
    **dict.fromkeys(("knapp-hartung", "hartung-knapp", "knha"), "HK"),
    "kenward-roger": "KR",
    "veroniki": "V",
    "skipka": "S",
}


def prediction_named(method: str) -> str:
    """Return the key of a method that is named in any case, or as other programs name it."""
    return named("method", method, [*PREDICTIONS, *DRAWN], ALSO)


def prediction_interval(
    fit: Pooled | Multilevel, *, method: str | None = None, level: float | None = None, seed: int | None = None
) -> Estimate:
    """Return the range in which the true effect of a new, similar study is expected, by a named method.

    Parameters
    ----------
    fit : Pooled or Multilevel
        A random-effects fit; its tau2 is used. Models of counts and multilevel fits bring the standard error of their mean
        along, so that they take the methods that need no other.
    method : str, optional
        ``"HTS"`` by default, of a multilevel fit its own degrees of freedom (``fit.prediction``).
        ``"HTS"``: t with k - 2 degrees of freedom (Higgins, Thompson, Spiegelhalter). ``"V"``: k - 1. ``"HK"``,
        ``"HK-PR"``: with the Hartung-Knapp standard error, k - 1 and k - 2. ``"KR"``, ``"KR-PR"``: Kenward-Roger.
        ``"S"``: normal. ``"simple"``: normal, the mean taken as known. ``"NNF"``: the parametric bootstrap of Nagashima,
        Noma and Furukawa, which draws tau2 from its confidence distribution. The letters are those of R's meta.
    level : float, optional
        Level; that of the fit by default.
    seed : int, optional
        Seed of the bootstrap.

    Returns
    -------
    Estimate
        On the printed scale.

    Raises
    ------
    OptionError
        If the method is unknown, or not made for the fit, or the fit has no between-study variance.
    NotEstimableError
        If there are too few studies for its degrees of freedom.

    Notes
    -----
    ``ml.pool`` already gives the interval with k - 1 degrees of freedom and the standard error of the chosen test.
    Sources: see ``metaleptic.pooling.predictions.PREDICTIONS``; Nagashima K et al. Stat Methods Med Res 2019;28:1689-1702.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    >>> ml.prediction_interval(fit, method="HTS")
    0.8108 (95% prediction interval 0.4743 to 1.386)
    """
    if isinstance(fit, Multilevel):
        return _of_multilevel(fit, method, fit.level if level is None else level)
    if not isinstance(fit, Pooled) or fit.one_true_value or np.isnan(fit.tau2):
        raise OptionError("a prediction interval needs a random-effects fit of several studies: ml.pool(effects).")
    level = fit.level if level is None else level
    method = "HTS" if method is None else method
    y, v, mu = fit.effects.y, fit.effects.v, float(fit.beta[0])
    method = prediction_named(method)
    counts = fit.model != "random"
    if counts and method not in OWN_ERROR:
        raise OptionError(
            f'method "{method}" is made for effects with known variances, not for "{fit.model}". Choose one of: '
            f"{', '.join(OWN_ERROR)}."
        )
    if method == "NNF":
        low, high = nagashima(y, v, level, seed)
        return printed_estimate(fit.effects, mu, low, high, level, "prediction")
    spread = PREDICTIONS[method].function(y, v, fit.tau2)
    if counts and method != "simple":
        spread = Spread(float(fit.se[0]), spread.df)
    if spread.df <= 0:
        raise NotEstimableError(f"{len(y)} studies leave no degrees of freedom for the prediction interval {method}.")
    half = float(quantile(np.float64(spread.df), level)) * float(np.sqrt(fit.tau2 + spread.se**2))
    return printed_estimate(fit.effects, mu, mu - half, mu + half, level, "prediction")


def _of_multilevel(fit: Multilevel, method: str | None, level: float) -> Estimate:
    """Return the interval for a new true effect of a multilevel mean: t with its degrees of freedom, or normal."""
    if fit.prediction is None:
        raise OptionError(
            "in this multilevel fit a new true effect is of several kinds. Say which by ml.predict(fit, new=..., inner=...)."
        )
    if method not in (None, "S", "simple"):
        raise OptionError(f"method {method!r} is not defined for a multilevel fit. Choose one of: S, simple, or none.")
    df = float(fit.df[0]) if method is None else float("inf")
    se = 0.0 if method == "simple" else float(fit.se[0])
    mu = float(fit.beta[0])
    half = float(quantile(np.float64(df), level)) * float(np.hypot(fit.tau.value, se))
    return printed_estimate(fit.effects, mu, mu - half, mu + half, level, "prediction")


def nagashima(y: FloatArray, v: FloatArray, level: float, seed: int | None, draws: int = DRAWS) -> tuple[float, float]:
    """Return the bounds of the confidence-distribution bootstrap of Nagashima, Noma and Furukawa (2019)."""
    rng = np.random.default_rng(seed)
    tau2 = tau2_from_confidence_distribution(y, v, rng.uniform(size=draws))
    w = 1 / (v + tau2[:, None])
    total = w.sum(-1)
    mu = (w * y).sum(-1) / total
    k = len(y)
    scale = (w * (y - mu[:, None]) ** 2).sum(-1) / (k - 1)
    new = mu + rng.standard_normal(draws) * np.sqrt(tau2) - rng.standard_t(k - 1, draws) * np.sqrt(scale / total)
    low, high = np.quantile(new, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def tau2_from_confidence_distribution(y: FloatArray, v: FloatArray, u: FloatArray) -> FloatArray:
    """Return tau2 at which the observed Q of DerSimonian and Laird has the upper tail probability ``u``; 0 below that of tau2 = 0."""
    q, form = residual_form(y, np.ones((len(y), 1)), 1 / v)

    def upper(t: float) -> float:
        return 1 - form_distribution(q, form, v + t)

    at_zero, high = upper(0.0), float(np.var(y) + v.mean())
    while upper(high) < 1 - 1e-7:
        high *= 3
    grid = np.concatenate([[0.0], np.geomspace(high * 1e-7, high, 300)])
    heights = np.maximum.accumulate([upper(float(t)) for t in grid])
    return np.where(u <= at_zero, 0.0, np.interp(u, heights, grid))
