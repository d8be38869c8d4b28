"""Mean and standard deviation of skewed data from printed quantiles: distributions fitted to them, one study at a time.

Sources: McGrath S et al. Stat Methods Med Res 2020;29:2520-2537 (quantile estimation, Box-Cox);
Cai S, Zhou J, Pan J. Stat Methods Med Res 2021;30:2701-2719 (unknown non-normal).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from metaleptic.conversions.quantile_formulas import luo_wan
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class QuantileFit:
    """The distribution that fits the printed quantiles best, and how the others fared.

    Attributes
    ----------
    name : str
        "normal", "log-normal", "gamma", "Weibull" or "beta".
    mean, sd : float
        Of that distribution.
    density, quantile : callable
        Its density and its quantile function.
    squares : dict of str to float
        Sum of squared distances of the printed quantiles, per distribution tried.
    """

    name: str
    mean: float
    sd: float
    density: Callable[[float], float]
    quantile: Callable[[float], float]
    squares: dict[str, float]


def printed_quantiles(summary: FloatArray, n: float) -> tuple[FloatArray, FloatArray]:
    """Return probabilities and values of what is printed of (min, q1, median, q3, max)."""
    p = np.array([1 / n, 0.25, 0.5, 0.75, 1 - 1 / n])
    there = np.isfinite(summary)
    return p[there], summary[there]


def quantile_estimation(summary: FloatArray, n: float) -> QuantileFit:
    """Fit normal, log-normal, gamma, Weibull (and beta within 0 to 1) by least squares of quantiles; keep the best.

    Source: McGrath S, Sohn H, Steele R, Benedetti A. Biom J 2020;62:69-98.
    """
    p, x = printed_quantiles(summary, n)
    z = special.ndtri(p)
    design = np.column_stack([np.ones_like(z), z])
    mu, sigma = np.linalg.lstsq(design, x, rcond=None)[0]
    fits = {"normal": (float(((mu + sigma * z - x) ** 2).sum()), (float(mu), float(sigma)))}
    if x[0] > 0:
        log_mu, log_sigma = np.linalg.lstsq(design, np.log(x), rcond=None)[0]
        shape = max((mu / sigma) ** 2, 0.05)
        weibull = max(1.2 / max(log_sigma, 0.05), 0.2)
        fits["log-normal"] = _least_squares(_log_normal, p, x, [[log_mu, np.log(log_sigma)]])
        fits["gamma"] = _least_squares(
            _gamma, p, x, [[np.log(shape), np.log(x.mean() / shape)], [0.0, np.log(x.mean())]]
        )
        fits["Weibull"] = _least_squares(_weibull, p, x, [[np.log(weibull), log_mu + 0.4], [0.0, log_mu + 0.4]])
        if x[-1] < 1:
            total = max(mu * (1 - mu) / sigma**2 - 1, 0.5) if 0 < mu < 1 else 2.0
            start = [np.log(max(mu, 0.02) * total), np.log(max(1 - mu, 0.02) * total)]
            fits["beta"] = _least_squares(_beta, p, x, [start, [0.0, 0.0]])
    name = min(fits, key=lambda key: fits[key][0])
    mean, sd, density = _moments(name, fits[name][1])
    a, b = fits[name][1]

    def quantile(at: float) -> float:
        return float(_QUANTILES[name](np.asarray(at), a, b))

    return QuantileFit(name, mean, sd, density, quantile, {key: fit[0] for key, fit in fits.items()})


def _normal(p: FloatArray, a: float, b: float) -> FloatArray:
    return np.asarray(a + b * special.ndtri(p))


def _log_normal(p: FloatArray, a: float, b: float) -> FloatArray:
    return np.asarray(np.exp(a + np.exp(b) * special.ndtri(p)))


def _gamma(p: FloatArray, a: float, b: float) -> FloatArray:
    return np.asarray(special.gammaincinv(np.exp(a), p) * np.exp(b))


def _weibull(p: FloatArray, a: float, b: float) -> FloatArray:
    return np.asarray(np.exp(b) * (-np.log1p(-p)) ** np.exp(-a))


def _beta(p: FloatArray, a: float, b: float) -> FloatArray:
    return np.asarray(special.betaincinv(np.exp(a), np.exp(b), p))


_QUANTILES = {"normal": _normal, "log-normal": _log_normal, "gamma": _gamma, "Weibull": _weibull, "beta": _beta}


def _least_squares(
    quantile: Callable[..., FloatArray], p: FloatArray, x: FloatArray, starts: list[list[float]]
) -> tuple[float, tuple[float, float]]:
    """Return the least sum of squares over the starts, and its parameters; parameters are logarithms, so unbounded."""

    def distance(theta: FloatArray) -> FloatArray:
        return np.asarray((quantile(p, theta[0], theta[1]) - x) / x[-1])

    best = (float("inf"), (float("nan"), float("nan")))
    bounds = ([-12.0, -30.0], [12.0, 30.0])
    for start in starts:
        found: Any = optimize.least_squares(
            distance,
            np.clip(np.array(start), -11.0, 11.0),
            bounds=bounds,
            xtol=1e-14,
            ftol=1e-14,
            gtol=1e-14,
            max_nfev=2000,
        )
        squares = float(2 * found.cost * x[-1] ** 2)
        if squares < best[0]:
            best = (squares, (float(found.x[0]), float(found.x[1])))
    return best


def _moments(name: str, theta: tuple[float, float]) -> tuple[float, float, Callable[[float], float]]:
    """Return mean, SD and density."""
    a, b = theta
    if name == "normal":
        return a, b, lambda x: float(np.exp(-(((x - a) / b) ** 2) / 2) / (b * np.sqrt(2 * np.pi)))
    if name == "log-normal":
        s = np.exp(b)
        mean = float(np.exp(a + s**2 / 2))
        return (
            mean,
            float(mean * np.sqrt(np.expm1(s**2))),
            lambda x: float(np.exp(-(((np.log(x) - a) / s) ** 2) / 2) / (x * s * np.sqrt(2 * np.pi))),
        )
    k, c = float(np.exp(a)), float(np.exp(b))
    if name == "gamma":
        return (
            k * c,
            float(np.sqrt(k) * c),
            lambda x: float(np.exp((k - 1) * np.log(x) - x / c - special.gammaln(k) - k * np.log(c))),
        )
    if name == "Weibull":
        first, second = special.gamma(1 + 1 / k), special.gamma(1 + 2 / k)
        return (
            float(c * first),
            float(c * np.sqrt(second - first**2)),
            lambda x: float(k / c * (x / c) ** (k - 1) * np.exp(-((x / c) ** k))),
        )
    return (
        k / (k + c),
        float(np.sqrt(k * c / ((k + c) ** 2 * (k + c + 1)))),
        lambda x: float(np.exp((k - 1) * np.log(x) + (c - 1) * np.log1p(-x) - special.betaln(k, c))),
    )


# --- power transformations to normality --------------------------------------------------------


def _power(x: FloatArray, exponent: float) -> FloatArray:
    """Box-Cox transform, stable at exponent 0."""
    return np.asarray(np.log(x) if exponent < 1e-8 else np.expm1(exponent * np.log(x)) / exponent)


def _back(mu: float, sd: float, exponent: float) -> tuple[float, float]:
    """Return mean and SD of the untransformed numbers, by quadrature over the normal they were transformed to."""
    if exponent < 1e-6:
        mean = float(np.exp(mu + sd**2 / 2))
        return mean, float(mean * np.sqrt(np.expm1(sd**2)))
    low, high = max(mu - 10 * sd, -1 / exponent), mu + 10 * sd
    nodes, weights = np.polynomial.legendre.leggauss(400)
    y = low + (high - low) * (nodes + 1) / 2
    w = weights * np.exp(-(((y - mu) / sd) ** 2) / 2)
    x = np.maximum(exponent * y + 1, 0.0) ** (1 / exponent)
    mean = float((w * x).sum() / w.sum())
    return mean, float(np.sqrt((w * (x - mean) ** 2).sum() / w.sum()))


def box_cox(summary: FloatArray, n: float) -> tuple[float, float]:
    """Return mean and SD through the power that makes the printed quantiles symmetric about their median.

    Source: McGrath S et al. Stat Methods Med Res 2020;29:2520-2537.
    """

    def lopsided(exponent: float) -> float:
        low, q1, mid, q3, high = _transformed(summary, exponent)
        sides = np.array([low + high - 2 * mid, q1 + q3 - 2 * mid])
        return float(np.nansum(sides**2))

    best = optimize.minimize_scalar(lopsided, bounds=(0.0, 2.0), method="bounded", options={"xatol": 1e-10})
    exponent = 0.0 if lopsided(0.0) <= best.fun * (1 + 1e-6) else float(best.x)
    low, q1, mid, q3, high = _transformed(summary, exponent)
    mu, sd = luo_wan(low, q1, mid, q3, high, np.asarray(n))
    return _back(float(mu), float(sd), exponent)


def _transformed(summary: FloatArray, exponent: float) -> list[FloatArray]:
    return [np.asarray(_power(x, exponent)) if np.isfinite(x) else np.asarray(np.nan) for x in summary]


def unknown_non_normal(summary: FloatArray, n: float) -> tuple[float, float]:
    """Return mean and SD by maximum likelihood of the printed order statistics after a power transformation.

    Source: Cai S, Zhou J, Pan J. Stat Methods Med Res 2021;30:2701-2719.
    """
    there = np.isfinite(summary)
    x = summary[there]
    rank = np.array([1, np.floor(n / 4) + 1, np.floor(n / 2) + 1, np.floor(3 * n / 4) + 1, n])[there]

    def minus_log_likelihood(theta: FloatArray, exponent: float) -> float:
        mu, sd = theta[0], np.exp(theta[1])
        z = (_power(x, exponent) - mu) / sd
        below, above = special.log_ndtr(z), special.log_ndtr(-z)
        between = below[1:] + np.log(-np.expm1(np.minimum(below[:-1] - below[1:], -1e-300)))
        return float(
            -(
                (rank[0] - 1) * below[0]
                + (n - rank[-1]) * above[-1]
                + ((np.diff(rank) - 1) * between).sum()
                + (-(z**2) / 2 - np.log(sd) + (exponent - 1) * np.log(x)).sum()
            )
        )

    def fitted(exponent: float) -> Any:
        t = _power(x, exponent)
        start = np.array([np.median(t), np.log(np.std(t) + 1e-3)])
        options: Any = {"xatol": 1e-10, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000}

        def target(theta: Any) -> float:
            return minus_log_likelihood(theta, exponent)

        return optimize.minimize(target, start, method="Nelder-Mead", options=options)

    best = optimize.minimize_scalar(
        lambda e: fitted(e).fun, bounds=(0.0, 2.0), method="bounded", options={"xatol": 1e-7}
    )
    exponent = 0.0 if fitted(0.0).fun <= best.fun + 1e-9 else float(best.x)
    mu, log_sd = fitted(exponent).x
    return _back(float(mu), float(np.exp(log_sd)), exponent)
