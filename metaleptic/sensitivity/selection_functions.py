"""SELECTION: one line per selection function, the relative probability that a study of a given p value is published.

A weight is a function of log p and log (1 - p) on any grid; step functions and truncation have normal probabilities in
closed form and are handled by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

LogWeight = Callable[[Any, Any, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class SelectionFunction:
    """One selection function.

    Attributes
    ----------
    key, name : str
        Key and name.
    log_weight : callable or None
        From log p, log (1 - p), parameters (last axis) and precision to the log weight; None for closed forms.
    neutral : tuple of float
        Parameters without selection.
    starts : tuple of tuple
        Where the search begins.
    least : float
        Lower bound of the parameters.
    censor : float
        p values nearer than this to 0 or 1 are taken as this near, because the weight would go to 0 or infinity.
    tails : bool
        Whether the weight still changes where p is below 1e-30.
    parameters : int
        Number of parameters; 0 where it follows from the steps.
    source : str
        Publication.
    """

    key: str
    name: str
    log_weight: LogWeight | None
    neutral: tuple[float, ...]
    starts: tuple[tuple[float, ...], ...]
    least: float
    censor: float
    tails: bool
    parameters: int
    source: str


def _beta(lp: Any, lq: Any, d: Any, precision: Any) -> Any:
    return (d[..., 0] - 1) * lp + (d[..., 1] - 1) * lq


def _half_normal(lp: Any, lq: Any, d: Any, precision: Any) -> Any:
    return -d[..., 0] * precision * np.exp(2 * lp)


def _negative_exponential(lp: Any, lq: Any, d: Any, precision: Any) -> Any:
    return -d[..., 0] * precision * np.exp(lp)


def _logistic(lp: Any, lq: Any, d: Any, precision: Any) -> Any:
    exponent = d[..., 0] * precision * np.exp(lp)
    return np.log(2) - exponent - np.log1p(np.exp(-exponent))


def _power(lp: Any, lq: Any, d: Any, precision: Any) -> Any:
    return d[..., 0] * precision * lq


def _negative_exponential_power(lp: Any, lq: Any, d: Any, precision: Any) -> Any:
    return -d[..., 0] * precision * np.exp(lp / d[..., 1])


_PRESTON = "Preston C, Ashby D, Smyth R. Commun Stat Theory Methods 2004;33:2597-2612"
_STEPS = (
    "Iyengar S, Greenhouse JB. Stat Sci 1988;3:109-117; Vevea JL, Hedges LV. Psychometrika 1995;60:419-435; fixed "
    "weights: Vevea JL, Woods CM. Psychol Methods 2005;10:428-443"
)

SELECTION = MappingProxyType(
    {
        f.key: f
        for f in (
            SelectionFunction(
                "step", "step function", None, (1.0,), ((1.0,), (0.3,), (2.0,)), 0.0, 0.0, False, 0, _STEPS
            ),
            SelectionFunction(
                "beta",
                "beta function",
                _beta,
                (1.0, 1.0),
                ((1.0, 1.0), (0.5, 1.0), (1.0, 2.0)),
                1e-5,
                1e-5,
                False,
                2,
                "Citkowicz M, Vevea JL. Psychol Methods 2017;22:28-41",
            ),
            SelectionFunction(
                "half-normal",
                "half-normal function",
                _half_normal,
                (0.0,),
                ((0.0,), (1.0,), (5.0,)),
                0.0,
                0.0,
                False,
                1,
                _PRESTON,
            ),
            SelectionFunction(
                "negative-exponential",
                "negative exponential function",
                _negative_exponential,
                (0.0,),
                ((0.0,), (1.0,), (5.0,)),
                0.0,
                0.0,
                False,
                1,
                _PRESTON,
            ),
            SelectionFunction(
                "logistic",
                "logistic function",
                _logistic,
                (0.0,),
                ((0.0,), (1.0,), (5.0,)),
                0.0,
                0.0,
                False,
                1,
                _PRESTON,
            ),
            SelectionFunction(
                "power",
                "power function",
                _power,
                (0.0,),
                ((0.0,), (0.5,), (2.0,)),
                0.0,
                1e-5,
                False,
                1,
                "as Preston et al. 2004; p censored as by Citkowicz M, Vevea JL. Psychol Methods 2017;22:28-41",
            ),
            SelectionFunction(
                "negative-exponential-power",
                "negative exponential power function",
                _negative_exponential_power,
                (0.0, 1.0),
                ((1.0, 1.0), (2.0, 0.5), (1.0, 2.0)),
                1e-5,
                0.0,
                True,
                2,
                "Begg CB, Mazumdar M. Biometrics 1994;50:1088-1101",
            ),
            SelectionFunction(
                "truncation",
                "truncation at an effect",
                None,
                (1.0,),
                ((1.0,), (0.3,), (2.0,)),
                0.0,
                0.0,
                False,
                1,
                "Rust RT, Lehmann DR, Farley JU. J Mark Res 1990;27:220-226",
            ),
        )
    }
)
