"""The hazard ratio of two Kaplan-Meier curves read at a few times: Williamson with numbers at risk, Parmar without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.convert.hazard_kernels import actuarial, pooled_over_intervals, uniform_censoring
from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.types import Estimate, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class CurveHazardRatio:
    """A hazard ratio worked out from two curves.

    Attributes
    ----------
    y, se : float
        Log hazard ratio of arm 1 against arm 2, and its standard error.
    estimate : Estimate
        The hazard ratio with its interval.
    deaths1, deaths2, at_risk1, at_risk2 : ndarray of shape (m,)
        Deaths and effective numbers at risk between the times.
    how : str
        The route in words.
    """

    y: float
    se: float
    estimate: Estimate
    deaths1: FloatArray
    deaths2: FloatArray
    at_risk1: FloatArray
    at_risk2: FloatArray
    how: str

    def __repr__(self) -> str:
        return f"Hazard ratio {self.estimate}\n{self.how}"


def curve_hazard_ratio(
    times: Any,
    survival1: Any,
    survival2: Any,
    *,
    at_risk1: Any = None,
    at_risk2: Any = None,
    n1: float | None = None,
    n2: float | None = None,
    follow_up: tuple[float, float] | None = None,
    level: float = 0.95,
) -> CurveHazardRatio:
    """Work out a hazard ratio from two survival curves read at common times.

    Parameters
    ----------
    times, survival1, survival2 : array_like of shape (m + 1,)
        Times from 0 on, and survival of both arms at them as fractions, 1 at time 0.
    at_risk1, at_risk2 : array_like of shape (m + 1,), optional
        Printed numbers at risk at these times (method of Williamson).
    n1, n2 : float, optional
        Patients per arm, in place of the numbers at risk, with
    follow_up : (float, float), optional
        shortest and longest follow-up: censoring is then taken as uniform between them (method of Parmar).
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    CurveHazardRatio
        A weak route: attenuated and over-precise beside the patients themselves. ``ml.reconstruct`` does better.

    Raises
    ------
    DataError
        If curves rise, times do not, or numbers at risk are inconsistent.
    NotEstimableError
        If no interval has deaths in both arms.

    Notes
    -----
    Sources: Williamson PR et al. Stat Med 2002;21:3337-3351; Parmar MKB et al. Stat Med 1998;17:2815-2834.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.curve_hazard_ratio([0, 6, 12], [1, 0.7, 0.5], [1, 0.5, 0.3], at_risk1=[50, 33, 20], at_risk2=[50, 24, 12])
    Hazard ratio 0.634 (95% CI 0.4153 to 0.9677)
    log hazard ratio from curves and numbers at risk (Williamson)
    """
    check_level(level)
    t, s1, s2 = (np.asarray(x, dtype=np.float64) for x in (times, survival1, survival2))
    _check_curves(t, {"survival1": s1, "survival2": s2})
    if at_risk1 is not None and at_risk2 is not None:
        r1, r2 = (np.asarray(x, dtype=np.float64) for x in (at_risk1, at_risk2))
        _check_risk(t, {"at_risk1": r1, "at_risk2": r2})
        how = "log hazard ratio from curves and numbers at risk (Williamson)"
    elif n1 and n2 and follow_up is not None:
        shortest, longest = follow_up
        if not 0 <= shortest < longest:
            raise OptionError(f"follow_up {follow_up} must be (shortest, longest), the first below the second.")
        r1, r2 = (uniform_censoring(n, t, s, shortest, longest) for n, s in ((n1, s1), (n2, s2)))
        how = "log hazard ratio from curves, uniform censoring assumed (Parmar)"
    else:
        raise OptionError("give numbers at risk of both arms, or n1, n2 and follow_up=(shortest, longest).")
    (d1, e1), (d2, e2) = actuarial(r1, s1), actuarial(r2, s2)
    y, se = (float(x) for x in pooled_over_intervals(d1, e1, d2, e2))
    if not np.isfinite(y):
        raise NotEstimableError("no interval has deaths in both arms: read the curves at fewer, wider times.")
    half = -float(special.ndtri(0.5 + level / 2)) * se
    bounds = (float(np.exp(y + half)), float(np.exp(y - half)))
    return CurveHazardRatio(
        y=y,
        se=se,
        estimate=Estimate(float(np.exp(y)), *bounds, level),
        deaths1=frozen_array(d1),
        deaths2=frozen_array(d2),
        at_risk1=frozen_array(e1),
        at_risk2=frozen_array(e2),
        how=how,
    )


def _check_curves(t: FloatArray, curves: Mapping[str, FloatArray]) -> None:
    if t.ndim != 1 or len(t) < 2 or t[0] != 0 or (np.diff(t) <= 0).any():
        raise DataError("times must start at 0 and rise.")
    for name, s in curves.items():
        if s.shape != t.shape:
            raise DataError(f"{name} has {s.size} values for {t.size} times: they must match.")
        if s[0] != 1 or (s < 0).any() or not np.isfinite(s).all():
            raise DataError(f"{name} must be survival as a fraction, 1 at time 0 and never below 0.")
        for i in np.flatnonzero(np.diff(s) > 0).tolist():
            raise DataError(f"{name} rises from {s[i]:g} to {s[i + 1]:g} at time {t[i + 1]:g}: survival cannot.")


def _check_risk(t: FloatArray, numbers: Mapping[str, FloatArray]) -> None:
    for name, r in numbers.items():
        if r.shape != t.shape:
            raise DataError(f"{name} has {r.size} values for {t.size} times: they must match.")
        for i in np.flatnonzero(np.diff(r) > 0).tolist():
            raise DataError(f"{name} rises from {r[i]:g} to {r[i + 1]:g} at time {t[i + 1]:g}: numbers at risk cannot.")
