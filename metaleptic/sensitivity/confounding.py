"""E-values: how strong unmeasured confounding would have to be to explain a ratio away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.subset_fits import refuse_others
from metaleptic.sensitivity.words import with_small_letter


@dataclass(frozen=True, slots=True, eq=False)
class EValue:
    """Strength of confounding that would explain the pooled ratio away.

    Attributes
    ----------
    fit : Pooled, PooledBayes or Multilevel
        The fit.
    value : float
        E-value of the estimate: risk ratio of an unmeasured confounder with both treatment and outcome.
    bound : float
        E-value of the bound of the interval nearer to 1; 1 if the interval holds 1.
    risk_ratio : float
        Risk ratio that the estimate was taken as.
    rare : bool
        Whether the outcome was taken to be rare.
    """

    fit: Pooled | PooledBayes | Multilevel
    value: float
    bound: float
    risk_ratio: float
    rare: bool

    @property
    def sentence(self) -> str:
        """What the E-value means, in plain words."""
        m = self.fit.effects.measure
        text = (
            f"An unmeasured confounder would have to be associated with both treatment and outcome by risk ratios of at least "
            f"{self.value:.2f} each to explain the {with_small_letter(m.label)} of {m.format(self.fit.estimate.value)} away"
        )
        if self.bound == 1:
            return text + "; its interval holds 1 without any confounding."
        return text + f", and of {self.bound:.2f} to move its interval to 1."

    def to_frame(self) -> Any:
        """Return one row."""
        names = ("value", "bound", "risk_ratio", "rare")
        return to_frame({n: [getattr(self, n)] for n in names}, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def e_value(fit: Pooled | PooledBayes | Multilevel, *, rare: bool = False) -> EValue:
    """Say how strong unmeasured confounding would have to be to explain a pooled ratio away.

    Parameters
    ----------
    fit : Pooled, PooledBayes or Multilevel
        Hazard, risk or odds ratio from ``ml.pool``, ``ml.pool_bayes`` or, without moderators, ``ml.pool_multilevel``.
    rare : bool, default False
        Whether the outcome is rare (below about 15%) at the end of follow-up: odds and hazard ratios are then taken as
        risk ratios; otherwise the square root of the odds ratio, and an approximation for the hazard ratio, are.

    Returns
    -------
    EValue

    Raises
    ------
    OptionError
        If the measure is not a hazard, risk or odds ratio.

    Notes
    -----
    Source: VanderWeele TJ, Ding P. Ann Intern Med 2017;167:268-274; hazard ratios: VanderWeele TJ. Eur J Epidemiol
    2017;32:377-378.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.9, -0.5, -0.7, -0.4], [0.02, 0.03, 0.02, 0.04], measure="RR")
    >>> round(ml.e_value(ml.pool(e)).value, 2)
    3.25
    """
    if isinstance(fit, Multilevel) and np.isnan(fit.estimate.value):
        raise OptionError("with moderators there is no one ratio to explain away. Fit without them.")
    if not isinstance(fit, PooledBayes | Multilevel):
        fit = refuse_others(fit, "e_value")
    key = fit.effects.measure.key
    if key not in ("HR", "RR", "OR"):
        raise OptionError(f"E-values are defined for hazard, risk and odds ratios, not {fit.effects.measure.label}.")
    e = fit.estimate
    near = e.high if e.value < 1 else e.low
    crosses = e.low <= 1 <= e.high
    ratio = _risk_ratio(e.value, key, rare)
    return EValue(fit, _e(ratio), 1.0 if crosses else _e(_risk_ratio(near, key, rare)), ratio, rare)


def _risk_ratio(ratio: float, key: str, rare: bool) -> float:
    if key == "RR" or rare:
        return ratio
    if key == "OR":
        return float(np.sqrt(ratio))
    return float((1 - 0.5 ** np.sqrt(ratio)) / (1 - 0.5 ** np.sqrt(1 / ratio)))


def _e(ratio: float) -> float:
    r = 1 / ratio if ratio < 1 else ratio
    return float(r + np.sqrt(r * (r - 1)))
