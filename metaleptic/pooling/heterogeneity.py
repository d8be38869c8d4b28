"""Between-study variance: TAU2, one function per estimator; Cochran's Q, I2, H2; the Q-profile interval.

All functions work on the last axis and broadcast over the leading ones: y and v of shape (..., k), and ``keep``
(1 where a study is present, 0 where it is absent) of a shape that broadcasts with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import unknown_option
from metaleptic.pooling.likelihood_peaks import highest_peak
from metaleptic.pooling.roots import falling_root
from metaleptic.types import FloatArray

CHUNK = 1024  # data sets whose likelihoods are searched at once: their grids stay in the cache


def _sum(x: Any) -> Any:
    return np.add.reduce(x, axis=-1)


def weighted_mean(y: Any, w: Any) -> Any:
    """Return sum(w y) / sum(w)."""
    return _sum(w * y) / _sum(w)


def cochran_q(y: Any, v: Any, keep: Any, tau2: Any = 0.0) -> Any:
    """Return the generalised Q: sum of squared deviations weighted by 1/(v + tau2). Cochran WG. Biometrics 1954;10:101-129."""
    w = keep / (v + np.asarray(tau2)[..., None])
    return _sum(w * (y - weighted_mean(y, w)[..., None]) ** 2)


def typical_variance(v: Any, keep: Any) -> Any:
    """Return Higgins and Thompson's typical within-study variance. Stat Med 2002;21:1539-1558, equation 9."""
    w = keep / v
    total = _sum(w)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (_sum(keep + 0 * w) - 1) * total / _cross(w)


def _cross(w: Any) -> Any:
    """Return sum(w)^2 - sum(w^2) as a sum of products: the difference loses its digits where one weight dominates."""
    return 2 * _sum(w[..., 1:] * np.cumsum(w, axis=-1)[..., :-1])


# --- estimators in closed form ----------------------------------------------------------------


def dersimonian_laird(y: Any, v: Any, keep: Any) -> Any:
    """Solve the moment equation with inverse-variance weights."""
    w = keep / v
    total = _sum(w)
    return (cochran_q(y, v, keep) - (_count(keep, w) - 1)) * total / _cross(w)


def two_step_dersimonian_laird(y: Any, v: Any, keep: Any) -> Any:
    """Moment equation with the random-effects weights of a first DerSimonian-Laird step."""
    first = np.maximum(0.0, dersimonian_laird(y, v, keep))
    w = keep / (v + np.asarray(first)[..., None])
    total = _sum(w)
    expected = _sum(w * v) - _sum(w * w * v) / total
    return (_sum(w * (y - weighted_mean(y, w)[..., None]) ** 2) - expected) * total / _cross(w)


def hedges_olkin(y: Any, v: Any, keep: Any) -> Any:
    """Unweighted method of moments."""
    k = _count(keep, v)
    return _sum(keep * (y - weighted_mean(y, keep + 0 * y)[..., None]) ** 2) / (k - 1) - _sum(keep * v) / k


def hunter_schmidt(y: Any, v: Any, keep: Any) -> Any:
    """Q against the number of studies instead of its expectation: simple, biased downwards."""
    w = keep / v
    return (cochran_q(y, v, keep) - _count(keep, w)) / _sum(w)


def hunter_schmidt_k(y: Any, v: Any, keep: Any) -> Any:
    """Hunter-Schmidt with Brannick's correction k/(k-1) of the observed variance."""
    w = keep / v
    k = _count(keep, w)
    return (k / (k - 1) * cochran_q(y, v, keep) - k) / _sum(w)


def sidik_jonkman(y: Any, v: Any, keep: Any) -> Any:
    """Moment estimator that starts from a crude, always positive value."""
    k = _count(keep, v)
    crude = _sum(keep * (y - weighted_mean(y, keep + 0 * y)[..., None]) ** 2) / k
    with np.errstate(divide="ignore", invalid="ignore"):
        w = keep / (v / crude[..., None] + 1)
        found = _sum(w * (y - weighted_mean(y, w)[..., None]) ** 2) / (k - 1)
    return np.where(crude > 0, found, 0.0)


# --- estimators that solve an equation in Q ---------------------------------------------------


def paule_mandel(y: Any, v: Any, keep: Any) -> Any:
    """Generalised Q equal to its expectation k - 1 (also the empirical Bayes estimator)."""
    return solve_q(y, v, keep, _count(keep, v) - 1)


def paule_mandel_median(y: Any, v: Any, keep: Any) -> Any:
    """Generalised Q equal to the median of its distribution (median-unbiased)."""
    df = _count(keep, v) - 1
    return solve_q(y, v, keep, special.chdtri(df, 0.5))


def solve_q(y: Any, v: Any, keep: Any, target: Any) -> Any:
    """Return tau2 >= 0 at which the generalised Q equals ``target``; 0 where Q(0) is already below it.

    Newton on 1/Q, which is linear in tau2 for equal variances.
    """
    target = np.asarray(target, dtype=np.float64)

    def f(t: FloatArray) -> tuple[FloatArray, FloatArray]:
        w = keep / (v + t[..., None])
        away = y - weighted_mean(y, w)[..., None]
        pull = w * away
        q = _sum(pull * away)
        return q * (q / target - 1), -_sum(pull * pull)

    spread = _sum(keep * (y - weighted_mean(y, keep + 0 * y)[..., None]) ** 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        high = np.where(cochran_q(y, v, keep) > target, spread / target, 0.0)
    low = np.zeros_like(high)
    return falling_root(f, low, high, low)


# --- likelihood -------------------------------------------------------------------------------


def log_likelihood(y: Any, v: Any, keep: Any, tau2: Any, *, restricted: bool) -> Any:
    """Return the (restricted) log-likelihood of tau2, mu at its best value, constants included.

    The restricted one is Harville's (Biometrika 1974;61:383-385), with the term log(k)/2 of a constant design.
    """
    total = v + np.asarray(tau2)[..., None]
    w = keep / total
    sum_w = _sum(w)
    q = _sum(w * (y - (_sum(w * y) / sum_w)[..., None]) ** 2)
    k = _count(keep, w)
    base = -0.5 * (_sum(keep * np.log(total)) + q)
    if not restricted:
        return base - 0.5 * k * np.log(2 * np.pi)
    return base - 0.5 * (np.log(sum_w) - np.log(k) + (k - 1) * np.log(2 * np.pi))


def maximum_likelihood(y: Any, v: Any, keep: Any) -> Any:
    """Maximum likelihood; biased downwards because the mean is estimated too."""
    return _maximise(y, v, keep, restricted=False)


def restricted_maximum_likelihood(y: Any, v: Any, keep: Any) -> Any:
    """Restricted maximum likelihood: the best of zero and all local maxima."""
    return _maximise(y, v, keep, restricted=True)


def likelihood_slope(y: Any, v: Any, keep: Any, t: Any, *, restricted: bool) -> tuple[Any, Any]:
    """Twice the derivative of the log-likelihood in tau2, and the slope of that."""
    w = keep / (v + t[..., None])
    s1 = _sum(w)
    r = y - (_sum(w * y) / s1)[..., None]
    w2 = w * w
    w2r = w2 * r
    s2 = _sum(w2)
    value = _sum(w2r * r) - s1
    slope = 2 * (_sum(w2r) ** 2 / s1 - _sum(w * w2r * r)) + s2
    if restricted:
        s3 = _sum(w2 * w)
        value = value + s2 / s1
        slope = slope - 2 * s3 / s1 + (s2 / s1) ** 2
    return value, slope


def _score_on_grid(y: Any, v: Any, keep: Any, grid: Any, *, restricted: bool) -> Any:
    """Return the value of ``likelihood_slope`` at many tau2 a data set, by two products of matrices; y is centred."""
    ones = np.ones_like(y)
    w = keep[..., None, :] / (v[..., None, :] + grid[..., None])
    once = w @ np.stack([ones, y], axis=-1)
    np.multiply(w, w, out=w)
    twice = w @ np.stack([ones, y, y * y], axis=-1)
    total = once[..., 0]
    mu = once[..., 1] / total
    value = twice[..., 2] - mu * (2 * twice[..., 1] - mu * twice[..., 0]) - total
    return value + twice[..., 0] / total if restricted else value


def _maximise(y: Any, v: Any, keep: Any, *, restricted: bool) -> Any:
    """Return the tau2 >= 0 of the highest likelihood, local maxima compared; many data sets a chunk at a time."""
    y, v, keep = _same_shape(y, v, keep)
    shape = y.shape[:-1]
    if int(np.prod(shape)) <= CHUNK:
        return _highest(y, v, keep, restricted=restricted)
    flat = [a.reshape(-1, a.shape[-1]) for a in (y, v, keep)]
    pieces = [_highest(*(a[i : i + CHUNK] for a in flat), restricted=restricted) for i in range(0, len(flat[0]), CHUNK)]
    return np.concatenate(pieces).reshape(shape)


def _highest(y: Any, v: Any, keep: Any, *, restricted: bool) -> Any:
    y = y - weighted_mean(y, keep)[..., None]
    return highest_peak(
        lambda grid: _score_on_grid(y, v, keep, grid, restricted=restricted),
        lambda t: likelihood_slope(y, v, keep, t, restricted=restricted),
        lambda t: log_likelihood(y, v, keep, t, restricted=restricted),
        np.minimum.reduce(v, axis=-1),
        np.maximum.reduce(v, axis=-1),
        _sum(keep * y**2),
    )


def _same_shape(y: Any, v: Any, keep: Any) -> Any:
    """Broadcast; absent studies take the first present one's variance, so that the grid fits those there are."""
    if np.ndim(keep) == 0 and np.shape(y) == np.shape(v):
        return y, v, np.ones(np.shape(y))
    y, v, keep = np.broadcast_arrays(y, v, keep)
    stand_in = np.take_along_axis(v, np.argmax(keep > 0, axis=-1)[..., None], -1)
    return y, np.where(keep > 0, v, stand_in), keep


def _count(keep: Any, like: Any) -> Any:
    return _sum(keep + 0 * like)


# --- the table --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tau2Estimator:
    """One estimator of the between-study variance: its key, name, function and source."""

    key: str
    name: str
    function: Callable[[Any, Any, Any], Any]
    source: str


TAU2 = MappingProxyType(
    {
        e.key: e
        for e in (
            Tau2Estimator(
                "REML",
                "restricted maximum likelihood",
                restricted_maximum_likelihood,
                "Viechtbauer W. J Educ Behav Stat 2005;30:261-293",
            ),
            Tau2Estimator(
                "DL",
                "DerSimonian-Laird",
                dersimonian_laird,
                "DerSimonian R, Laird N. Control Clin Trials 1986;7:177-188",
            ),
            Tau2Estimator(
                "PM", "Paule-Mandel", paule_mandel, "Paule RC, Mandel J. J Res Natl Bur Stand 1982;87:377-385"
            ),
            Tau2Estimator(
                "ML", "maximum likelihood", maximum_likelihood, "Hardy RJ, Thompson SG. Stat Med 1996;15:619-629"
            ),
            Tau2Estimator("EB", "empirical Bayes", paule_mandel, "Morris CN. J Am Stat Assoc 1983;78:47-55"),
            Tau2Estimator(
                "HE",
                "Hedges-Olkin",
                hedges_olkin,
                "Hedges LV, Olkin I. Statistical Methods for Meta-Analysis. Academic Press 1985",
            ),
            Tau2Estimator(
                "HS", "Hunter-Schmidt", hunter_schmidt, "Hunter JE, Schmidt FL. Methods of Meta-Analysis. Sage 1990"
            ),
            Tau2Estimator(
                "HSk",
                "Hunter-Schmidt with k correction",
                hunter_schmidt_k,
                "Brannick MT et al. Res Synth Methods 2019;10:515-529",
            ),
            Tau2Estimator("SJ", "Sidik-Jonkman", sidik_jonkman, "Sidik K, Jonkman JN. J R Stat Soc C 2005;54:367-384"),
            Tau2Estimator(
                "DL2",
                "two-step DerSimonian-Laird",
                two_step_dersimonian_laird,
                "DerSimonian R, Kacker R. Contemp Clin Trials 2007;28:105-114",
            ),
            Tau2Estimator(
                "DLIT",
                "iterated DerSimonian-Laird (its limit is Paule-Mandel)",
                paule_mandel,
                "DerSimonian R, Kacker R. Contemp Clin Trials 2007;28:105-114",
            ),
            Tau2Estimator(
                "SJIT",
                "iterated Sidik-Jonkman (its limit is Paule-Mandel)",
                paule_mandel,
                "Sidik K, Jonkman JN. Stat Med 2007;26:1964-1981",
            ),
            Tau2Estimator(
                "PMM",
                "median-unbiased Paule-Mandel",
                paule_mandel_median,
                "Viechtbauer W. Psychol Methods 2021; doi:10.1037/met0000406",
            ),
        )
    }
)


def tau2_estimator(key: str) -> Tau2Estimator:
    """Look an estimator up by its key; a number in its place is a tau2 that is taken as known."""
    if key in TAU2:
        return TAU2[key]
    try:
        value = float(key)
    except (TypeError, ValueError):
        value = -1.0
    if not 0 <= value < np.inf:
        raise unknown_option("tau2", key, [*TAU2, "a number from 0 up"])
    return Tau2Estimator(key, f"fixed at {value:g}", lambda y, v, keep: value + 0 * _sum(keep * (y + v)), "given")


def q_profile(y: Any, v: Any, keep: Any, level: float) -> tuple[Any, Any]:
    """Return the Q-profile interval for tau2. Source: Viechtbauer W. Stat Med 2007;26:37-52."""
    df = _count(keep, v) - 1
    tail = (1 - level) / 2
    both = np.stack([special.chdtri(df, tail), special.chdtri(df, 1 - tail)])
    bounds = solve_q(y, v, keep, both)
    return bounds[0], bounds[1]
