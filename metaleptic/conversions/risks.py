"""Odds ratios, risk ratios and hazard ratios at a baseline risk, and what they mean for 1000 patients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.conversions.arrays import array_of, plain
from metaleptic.errors import DataError, OptionError
from metaleptic.types import Estimate, FloatArray


def _risk(baseline: Any) -> FloatArray:
    p = array_of(baseline)
    if np.any((p <= 0) | (p >= 1)):
        raise DataError("a baseline risk is a fraction between 0 and 1. Write 0.3 for 30%.")
    return p


def risk_from_odds_ratio(odds_ratio: Any, baseline: Any) -> Any:
    """Return the risk that an odds ratio makes of a baseline risk."""
    p, odds = _risk(baseline), array_of(odds_ratio)
    return plain(odds * p / (1 - p + odds * p))


def risk_from_hazard_ratio(hazard_ratio: Any, baseline: Any) -> Any:
    """Return the risk by the same time that a hazard ratio makes of a baseline risk (proportional hazards): 1 - (1 - p)^HR."""
    return plain(-np.expm1(array_of(hazard_ratio) * np.log1p(-_risk(baseline))))


def risk_from_risk_ratio(risk_ratio: Any, baseline: Any) -> Any:
    """Return the risk that a risk ratio makes of a baseline risk; NaN where it would exceed 1."""
    risk = array_of(risk_ratio) * _risk(baseline)
    return plain(np.where(risk > 1, np.nan, risk))


def risk_from_risk_difference(difference: Any, baseline: Any) -> Any:
    """Return baseline risk plus risk difference; NaN outside 0 to 1."""
    risk = array_of(difference) + _risk(baseline)
    return plain(np.where((risk > 1) | (risk < 0), np.nan, risk))


def risk_ratio_from_odds_ratio(odds_ratio: Any, baseline: Any) -> Any:
    """Return the risk ratio of an odds ratio at a baseline risk: OR / (1 - p + p OR).

    Source: Zhang J, Yu KF. JAMA 1998;280:1690-1691. Right for an unadjusted odds ratio.

    Examples
    --------
    >>> import metaleptic as ml
    >>> round(ml.conversions.risk_ratio_from_odds_ratio(0.6, 0.3), 3)
    0.682
    """
    return plain(risk_from_odds_ratio(odds_ratio, baseline) / _risk(baseline))


def odds_ratio_from_risk_ratio(risk_ratio: Any, baseline: Any) -> Any:
    """Return the odds ratio of a risk ratio at a baseline risk."""
    p, treated = _risk(baseline), array_of(risk_from_risk_ratio(risk_ratio, baseline))
    return plain(treated / (1 - treated) / (p / (1 - p)))


def risk_ratio_from_hazard_ratio(hazard_ratio: Any, baseline: Any) -> Any:
    """Return the ratio of risks by the time to which the baseline risk belongs."""
    return plain(risk_from_hazard_ratio(hazard_ratio, baseline) / _risk(baseline))


def hazard_ratio_from_risk_ratio(risk_ratio: Any, baseline: Any) -> Any:
    """Return ln(1 - RR p) / ln(1 - p), the hazard ratio if hazards are proportional."""
    treated = array_of(risk_from_risk_ratio(risk_ratio, baseline))
    with np.errstate(divide="ignore"):
        return plain(np.log1p(-treated) / np.log1p(-_risk(baseline)))


def hazard_ratio_from_odds_ratio(odds_ratio: Any, baseline: Any) -> Any:
    """Return the hazard ratio that gives the same risk as an odds ratio, if hazards are proportional."""
    return plain(np.log1p(-array_of(risk_from_odds_ratio(odds_ratio, baseline))) / np.log1p(-_risk(baseline)))


_RISKS: MappingProxyType[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "OR": risk_from_odds_ratio,
        "PETO": risk_from_odds_ratio,
        "RR": risk_from_risk_ratio,
        "HR": risk_from_hazard_ratio,
        "RD": risk_from_risk_difference,
    }
)


@dataclass(frozen=True, slots=True)
class AbsoluteEffect:
    """What a relative effect means for patients at a stated risk.

    Attributes
    ----------
    without, with_ : float, Estimate
        Patients with the event per ``per`` without and with the treatment.
    difference : Estimate
        Events per ``per`` more (above 0) or fewer (below 0).
    needed_to_treat : float
        Patients to treat for one event more or fewer; infinity where there is no difference.
    words : str
        One sentence.
    """

    without: float
    with_: Estimate
    difference: Estimate
    needed_to_treat: float
    per: int
    words: str

    def __repr__(self) -> str:
        return self.words


def absolute_effect(estimate: Any, baseline: float, *, measure: str, per: int = 1000) -> AbsoluteEffect:
    """Say what a relative effect means for 1000 patients whose risk without treatment is known.

    Parameters
    ----------
    estimate : Estimate, float or (value, low, high)
        The relative effect on its printed scale, such as ``fit.estimate``.
    baseline : float
        Risk without the treatment, a fraction (for a hazard ratio: by a stated time).
    measure : {"OR", "PETO", "RR", "HR", "RD"}
        What the estimate is.
    per : int, default 1000
        Size of the group that the answer speaks of.

    Returns
    -------
    AbsoluteEffect

    Raises
    ------
    OptionError
        If the measure has no way to a risk.
    DataError
        If the baseline risk is not between 0 and 1, or the estimate is missing or makes a risk outside 0 to 1 of it.

    Notes
    -----
    The interval carries the uncertainty of the relative effect alone, not of the baseline risk. Source: Schünemann HJ
    et al. Cochrane Handbook, chapter 15; numbers needed to treat: Altman DG. BMJ 1998;317:1309-1312.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.conversions.absolute_effect((0.65, 0.50, 0.85), 0.30, measure="HR")
    93 fewer per 1000 (137 fewer to 38 fewer): 207 with treatment, 300 without; 11 to be treated for one fewer
    """
    if measure not in _RISKS:
        raise OptionError(f"measure {measure!r} has no way to an absolute risk. Choose one of: {', '.join(_RISKS)}.")
    if isinstance(estimate, Estimate):
        values, level = (estimate.value, estimate.low, estimate.high), estimate.level
    else:
        given = tuple(float(x) for x in np.atleast_1d(array_of(estimate)))
        values, level = given if len(given) == 3 else (given[0], float("nan"), float("nan")), 0.95
    if np.isnan(values[0]):
        raise DataError(
            "the estimate is missing (NaN): there is no relative effect to turn into a risk. Give a number."
        )
    p = float(_risk(baseline))
    risk = [_bounded(measure, x, p) for x in values]
    if np.isnan(_RISKS[measure](values[0], p)):
        raise DataError(
            f"{measure} {values[0]:g} at a baseline risk of {p:g} would be a risk outside 0 to 1. Is the baseline that of these "
            "patients?"
        )
    treated = Estimate(per * risk[0], per * risk[1], per * risk[2], level)
    more = Estimate(per * (risk[0] - p), per * (risk[1] - p), per * (risk[2] - p), level)
    needed = float("inf") if risk[0] == p else 1 / abs(risk[0] - p)
    return AbsoluteEffect(per * p, treated, more, needed, per, _sentence(per * p, treated, more, needed, per))


def _bounded(measure: str, value: float, baseline: float) -> float:
    """Return the risk; 0 or 1 where a bound lies beyond (a risk ratio of 4 at a baseline of 0.3), NaN where there is none."""
    if np.isnan(value):
        return float("nan")
    risk = float(_RISKS[measure](value, baseline)) if np.isfinite(value) else float("nan")
    beyond = 1.0 if value > 0 else 0.0
    return beyond if np.isnan(risk) else risk


def _sentence(without: float, treated: Estimate, more: Estimate, needed: float, per: int) -> str:
    def side(x: float) -> str:
        return f"{abs(x):.0f} {'fewer' if x < 0 else 'more'}"

    bounds = [side(x) if np.isfinite(x) else "not given" for x in (more.low, more.high)]
    interval = "" if bounds == ["not given"] * 2 else f" ({' to '.join(bounds)})"
    tail = f"; {np.ceil(needed * (1 - 1e-9)):.0f} to be treated for one {'fewer' if more.value < 0 else 'more'}"
    return f"{side(more.value)} per {per}{interval}: {treated.value:.0f} with treatment, {without:.0f} without" + (
        tail if np.isfinite(needed) else ""
    )


def number_needed_to_treat(difference: Any, low: Any = np.nan, high: Any = np.nan) -> tuple[Any, Any, Any]:
    """Return the number needed to treat of a risk difference with its interval (nearest, farthest).

    Where the interval of the difference holds 0, the numbers needed run through infinity: the second bound is negative,
    a number needed to *harm*. Source: Altman DG. BMJ 1998;317:1309-1312.
    """
    with np.errstate(divide="ignore"):
        d, a, b = array_of(difference), array_of(low), array_of(high)
        sign = np.where(d == 0, 1.0, np.sign(d))
        nearest, farthest = sign / np.where(sign > 0, b, a), sign / np.where(sign > 0, a, b)
        return plain(1 / np.abs(d)), plain(nearest), plain(farthest)
