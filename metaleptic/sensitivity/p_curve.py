"""The verb ``p_curve``: whether the significant results of a literature contain evidence at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from metaleptic.errors import DataError, NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.sensitivity.effects_of import Studies, effects_of
from metaleptic.sensitivity.words import few_words, p_words, studies
from metaleptic.types import BoolArray, Effects, FloatArray, frozen_array

ALPHA = 0.05
HALF = 0.025
FLAT_POWER = 1 / 3
BINS = np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05])
LEAST, MOST = 0.05, 0.99  # powers between which the estimate is sought


@dataclass(frozen=True, slots=True, eq=False)
class PCurve:
    """Distribution of the significant p values.

    Attributes
    ----------
    effects : Effects
        All studies.
    p : ndarray of shape (k,)
        Two-sided p of each study.
    used : ndarray of bool, shape (k,)
        Whether the study is significant and so part of the curve.
    shares : ndarray of shape (5,)
        Share of the significant p values in (0, 0.01], ... (0.04, 0.05].
    z_right, p_right : float
        Test of right skew: small p, evidential value.
    z_right_half, p_right_half : float
        The same with the p values below 0.025 alone; NaN if there are none.
    z_flat, p_flat, z_flat_half, p_flat_half : float
        Test that the curve is flatter than 33% power would give: small p, no evidence.
    p_right_binomial, p_flat_binomial : float
        Binomial tests of the share of p values below 0.025.
    power, power_low, power_high : float
        Average power of the significant studies, corrected for their selection, and its 90% interval.
    evidential, inadequate : bool
        What the combined rules of the source conclude.
    """

    effects: Effects
    p: FloatArray
    used: BoolArray
    shares: FloatArray
    z_right: float
    p_right: float
    z_right_half: float
    p_right_half: float
    z_flat: float
    p_flat: float
    z_flat_half: float
    p_flat_half: float
    p_right_binomial: float
    p_flat_binomial: float
    power: float
    power_low: float
    power_high: float
    evidential: bool
    inadequate: bool

    @property
    def sentence(self) -> str:
        """What the curve shows, in plain words."""
        k = int(self.used.sum())
        text = f"{k} of {studies(len(self.p))} {'is' if k == 1 else 'are'} significant; "
        if self.evidential:
            text += "their p values are right-skewed"
            text += f" ({p_words(self.p_right)}), as true effects make them"
        elif self.inadequate:
            text += f"their p values are flatter than 33% power would make them ({p_words(self.p_flat)}): no evidence in them"
        else:
            text += f"their p values neither show evidence ({p_words(self.p_right)}) nor rule it out ({p_words(self.p_flat)})"
        text += f". Average power {100 * self.power:.0f}% (90% CI {100 * self.power_low:.0f} to {100 * self.power_high:.0f})."
        return text + few_words(k, "p value")

    def to_frame(self) -> Any:
        """Return a row per study."""
        columns = {"study": self.effects.study, "p": self.p, "in_curve": [bool(u) for u in self.used]}
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def p_curve(data: Studies) -> PCurve:
    """Ask whether the significant studies contain evidence: true effects give more p values near 0.01 than near 0.05.

    Parameters
    ----------
    data : Effects or Pooled
        The studies; the two-sided p of each is that of its effect over its standard error.

    Returns
    -------
    PCurve
        ``ml.plot`` draws it beside the curve of no effect and that of 33% power.

    Raises
    ------
    DataError
        If the measure has no null.
    NotEstimableError
        If no study is significant.

    Notes
    -----
    Evidential value: the half curve is right-skewed (p < 0.05), or both curves are (p < 0.1). Inadequate: flatter than 33%
    power (p < 0.05 full, or p < 0.1 half and binomial). The p values of one study should answer its main question; with
    heterogeneity the power is that of the significant studies. Sources: Simonsohn U, Nelson LD, Simmons JP. J Exp Psychol
    Gen 2014;143:534-547 and 2015;144:1146-1152 (Stouffer's method, half curve); Perspect Psychol Sci 2014;9:666-681 (power).

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.p_curve(ml.effects([0.5, 0.6, 0.4, 0.7, 0.1], [0.02, 0.03, 0.02, 0.05, 0.04]))
    4 of 5 studies are significant; their p values are right-skewed (p < 0.001), as true effects make them. Average power 86% (90% CI 50 to 98). With 4 p values this is a guess.
    """
    effects = effects_of(data, "p_curve")
    m = effects.measure
    if not m.has_null:
        raise DataError(f"{m.label} has no null: there is no p value of no effect.")
    z = np.abs(effects.y - float(m.to_analysis(m.null))) / np.sqrt(effects.v)
    p = 2 * special.ndtr(-z)
    used = p < ALPHA
    if not used.any():
        raise NotEstimableError(f"none of {studies(len(effects))} is significant: there is no p curve.")
    used.flags.writeable = False
    own, chosen = z[used], p[used]
    small = chosen < HALF
    shift = float(_shift_of_power(np.array(FLAT_POWER), ALPHA))
    right, flat = _stouffer(chosen / ALPHA), _stouffer(_conditional(own, shift, ALPHA))
    right_half = _stouffer(chosen[small] / HALF)
    flat_half = _stouffer(_conditional(own[small], shift, HALF))
    k, low = len(own), int(small.sum())
    share = _power(np.array(shift), HALF) / FLAT_POWER
    binomial_right = float(special.bdtrc(low - 1, k, 0.5)) if low else 1.0
    binomial_flat = float(special.bdtr(low, k, float(share)))
    p_right, p_right_half, p_flat, p_flat_half = (float(special.ndtr(v)) for v in (right, right_half, flat, flat_half))
    power = [_power_at(own, target) for target in (0.5, 0.95, 0.05)]
    return PCurve(
        effects=effects,
        p=frozen_array(p),
        used=used,
        shares=frozen_array(np.histogram(chosen, BINS)[0] / k),
        z_right=right,
        p_right=p_right,
        z_right_half=right_half,
        p_right_half=p_right_half,
        z_flat=flat,
        p_flat=p_flat,
        z_flat_half=flat_half,
        p_flat_half=p_flat_half,
        p_right_binomial=binomial_right,
        p_flat_binomial=binomial_flat,
        power=power[0],
        power_low=power[1],
        power_high=power[2],
        evidential=p_right_half < 0.05 or (p_right < 0.1 and p_right_half < 0.1),
        inadequate=p_flat < 0.05 or (p_flat_half < 0.1 and binomial_flat < 0.1),
    )


def _stouffer(pp: Any) -> float:
    """Combine p values of p values; NaN without any."""
    if len(pp) == 0:
        return float("nan")
    return float(special.ndtri(np.clip(pp, 1e-300, 1 - 1e-16)).sum() / np.sqrt(len(pp)))


def _power(shift: Any, alpha: float) -> Any:
    """Return the power of a two-sided test at ``alpha`` when the statistic has mean ``shift``."""
    crit = float(special.ndtri(1 - alpha / 2))
    return special.ndtr(shift - crit) + special.ndtr(-shift - crit)


def _shift_of_power(power: Any, alpha: float) -> Any:
    """Return the mean of the statistic that gives this power, 0 for the power of no effect."""
    low, high = np.zeros_like(power), np.full_like(power, 12.0)
    for _ in range(60):
        middle = 0.5 * (low + high)
        less = _power(middle, alpha) < power
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return 0.5 * (low + high)


def _conditional(z: Any, shift: Any, alpha: float) -> Any:
    """Return P(a smaller statistic) among the significant ones, when the statistic has mean ``shift``."""
    beyond = special.ndtr(shift - z) + special.ndtr(-shift - z)
    return np.clip(1 - beyond / _power(shift, alpha), 0.0, 1.0)


def power_curve(power: float = FLAT_POWER) -> FloatArray:
    """Return the shares of significant p values in the five bins that this power gives."""
    shift = _shift_of_power(np.array(power), ALPHA)
    reached = np.r_[0.0, [float(_power(shift, float(edge))) for edge in BINS[1:]]]
    return np.asarray(np.diff(reached) / reached[-1])


def _power_at(z: FloatArray, target: float) -> float:
    """Return the power at which such p values are as extreme as ``target`` (0.5: the estimate), within LEAST and MOST."""

    def gap(power: float) -> float:
        shift = _shift_of_power(np.array(power), ALPHA)
        return _stouffer(_conditional(z, shift, ALPHA)) - float(special.ndtri(target))

    if gap(LEAST + 1e-9) <= 0:
        return LEAST
    if gap(MOST) >= 0:
        return MOST
    return float(optimize.brentq(gap, LEAST + 1e-9, MOST, xtol=1e-10))
