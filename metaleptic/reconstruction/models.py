"""No curve at all: a parametric one through the printed median and rates stands in, and is flagged as such."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.patients import Curve, Published, to_number
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class Model:
    """A survival model that a few printed points determine: ``fit(t, s)`` returns S as a function of time."""

    fit: Callable[[FloatArray, FloatArray], Callable[[FloatArray], FloatArray]]
    label: str
    single: str


def _weibull(t: FloatArray, s: FloatArray) -> Callable[[FloatArray], FloatArray]:
    y = np.log(-np.log(s))
    shape, level = _line(np.log(t), y, 1.0)
    return lambda x: np.exp(-np.exp(level + shape * np.log(np.maximum(x, 1e-300))))


def _log_normal(t: FloatArray, s: FloatArray) -> Callable[[FloatArray], FloatArray]:
    y = ndtri(1 - s)
    slope, level = _line(np.log(t), y, 1.0)
    return lambda x: np.asarray(ndtr(-(level + slope * np.log(np.maximum(x, 1e-300)))), dtype=np.float64)


def _piecewise(t: FloatArray, s: FloatArray) -> Callable[[FloatArray], FloatArray]:
    times, heights = np.append(0.0, t), np.append(0.0, np.minimum.accumulate(np.log(s)))
    last = (heights[-1] - heights[-2]) / (times[-1] - times[-2])

    def survival(x: FloatArray) -> FloatArray:
        inside = np.interp(x, times, heights)
        return np.asarray(np.exp(np.where(x > times[-1], heights[-1] + last * (x - times[-1]), inside)))

    return survival


MODELS = {
    "weibull": Model(_weibull, "Weibull", "exponential, as one point cannot tell the shape"),
    "log-normal": Model(_log_normal, "log-normal", "standard deviation 1 of log time, as one point cannot tell it"),
    "piecewise": Model(_piecewise, "piecewise exponential", "exponential"),
}


def stand_in(published: Published, model: str, name: str, corrections: list[str]) -> Curve:
    """Return the model's curve through what is printed.

    Raises
    ------
    OptionError
        If the model is unknown.
    NotEstimableError
        If n, or both median and rates, are missing.
    """
    if model not in MODELS:
        raise OptionError(f"model {model!r} is unknown. Known: {', '.join(MODELS)}.")
    where = f"arm {name!r}: " if name else ""
    if published.n is None and 0.0 not in published.at_risk:
        raise NotEstimableError(f"{where}without a curve, n is needed.")
    points = {float(t): to_number(s, "rate") for t, s in published.rates.items()}
    median = to_number(published.median, "median")
    if median is not None and np.isfinite(median):
        points[median] = 0.5
    known = sorted((t, s) for t, s in points.items() if s is not None and t > 0 and 0 < s < 1)
    if not known:
        raise NotEstimableError(f"{where}without a curve, a median or a rate between 0 and 1 is needed.")
    t, s = (np.array(column) for column in zip(*known, strict=True))
    chosen = MODELS[model]
    survival = chosen.fit(t, s)
    end = _end(published, survival, float(t[-1]))
    note = f" ({chosen.single})" if len(t) == 1 else ""
    corrections.append(
        f"no curve was given: a {chosen.label} model through {len(t)} printed {'point' if len(t) == 1 else 'points'}"
        f"{note} stands in for it"
    )
    grid = np.unique(np.concatenate([np.linspace(0, end, 400), t[t <= end]]))
    return Curve(
        grid, np.append(1.0, survival(grid[1:])), kind="trace", error=0.01, label=name, source=f"model {model}"
    )


def _line(x: FloatArray, y: FloatArray, slope: float) -> tuple[float, float]:
    """Slope (above 0) and intercept by least squares; the given slope where one point cannot tell."""
    if len(x) > 1:
        slope = max(float(np.cov(x, y, bias=True)[0, 1] / np.var(x)), 0.05)
    return slope, float(y.mean() - slope * x.mean())


def _end(published: Published, survival: Callable[[FloatArray], FloatArray], latest: float) -> float:
    """Longest follow-up if printed; else where 2% are left by the model, within three times the last printed time."""
    if published.last_time is not None:
        return float(published.last_time)
    times = np.linspace(latest, 3 * latest, 200)
    alive = times[survival(times) > 0.02]
    end = float(alive[-1]) if len(alive) else latest
    return max([end, *(t for t, k in published.at_risk.items() if k > 0)])
