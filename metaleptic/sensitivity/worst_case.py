"""Worst-case publication bias: how much more often affirmative results would have to be published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.subset_fits import refuse_others
from metaleptic.sensitivity.words import few_words, value_words, with_small_letter
from metaleptic.types import BoolArray, Estimate, FloatArray, frozen_array

FAR = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class WorstCase:
    """The pooled effect if affirmative studies were published more often than others.

    Attributes
    ----------
    fit : Pooled
        The fit.
    affirmative : ndarray of bool, shape (k,)
        Studies that are significant in the favoured direction.
    ratio : ndarray of shape (m,)
        How many times more often affirmative studies are published.
    value, low, high : ndarray of shape (m,)
        Corrected effect and interval at each, printed scale.
    worst : Estimate
        The effect in the studies that are not affirmative: what remains however strong the selection is.
    to_null, interval_to_null : float
        Ratio at which the effect, and the near bound of its interval, would be at the null; infinite if none is enough,
        1 if the interval holds the null as it is.
    """

    fit: Pooled
    affirmative: BoolArray
    ratio: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    worst: Estimate
    to_null: float
    interval_to_null: float

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        m, w = self.fit.effects.measure, self.worst
        text = f"Without the {int(self.affirmative.sum())} affirmative studies (the worst case), {with_small_letter(m.label)} is {value_words(m, w.value, w.low, w.high, w.level)}. "
        if np.isinf(self.to_null):
            text += "However much more often affirmative studies were published, the effect would not be explained away"
        else:
            text += f"To explain the effect away, they would have to be published {self.to_null:.1f} times as often"
        return text + self._of_interval + few_words(self.fit.k)

    @property
    def _of_interval(self) -> str:
        if self.interval_to_null == 1:
            return "; the interval holds the null as it is."
        if np.isinf(self.interval_to_null):
            return ", nor would its interval reach the null."
        if np.isinf(self.to_null):
            return f"; for its interval to reach the null, {self.interval_to_null:.1f} times as often would do."
        return f", for its interval to reach the null {self.interval_to_null:.1f} times."

    def to_frame(self) -> Any:
        """Return a row per selection ratio."""
        columns = {"ratio": self.ratio, "value": self.value, "low": self.low, "high": self.high}
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def worst_case(fit: Pooled, *, favoured: str | None = None, alpha: float = 0.05) -> WorstCase:
    """Ask how much more often affirmative studies would have to be published to explain the result away.

    Parameters
    ----------
    fit : Pooled
        From ``ml.pool`` with ``model="random"`` (robust intervals) or ``"common"``.
    favoured : {"greater", "less"}, optional
        Direction of affirmative results, analysis scale; that of the pooled effect by default.
    alpha : float, default 0.05
        Two-sided level at which a study is affirmative.

    Returns
    -------
    WorstCase

    Raises
    ------
    NotEstimableError
        If fewer than two studies are not affirmative, or none is.
    OptionError
        If an option is unknown.

    Notes
    -----
    No selection model is fitted: the intervals of the random-effects model are robust ones, t with one degree of freedom
    fewer than there are studies that are not affirmative; those are weighted up by an assumed ratio. Source: Mathur MB,
    VanderWeele TJ. J R Stat Soc C 2020;69:1091-1119.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.9, -0.5, -0.1, -0.4, -0.05, -0.6], [0.02, 0.03, 0.02, 0.06, 0.03, 0.02], measure="HR")
    >>> round(ml.worst_case(ml.pool(e, model="common")).worst.value, 2)
    0.88
    """
    fit = refuse_others(fit, "worst_case")
    if fit.model not in ("random", "common"):
        raise OptionError(f'worst_case is defined for model="random" and "common", not "{fit.model}".')
    m = fit.effects.measure
    if not m.has_null:
        raise OptionError(f"{m.label} has no null: no study is affirmative.")
    if favoured not in (None, "greater", "less"):
        raise OptionError(f'favoured {favoured!r} is unknown. Choose "greater" or "less".')
    null = float(m.to_analysis(m.null))
    side = favoured or ("less" if fit.beta[0] < null else "greater")
    sign = -1.0 if side == "less" else 1.0
    y, v = sign * (fit.effects.y - null), fit.effects.v
    yes = y / np.sqrt(v) > special.ndtri(1 - alpha / 2)
    if not yes.any() or (~yes).sum() < 2:
        raise NotEstimableError(
            f"{int(yes.sum())} of {fit.k} studies are affirmative: at least one, and two others, are needed."
        )
    random = fit.model == "random"
    base = 1 / (v + (fit.tau2 if random else 0.0))

    def corrected(ratio: Any) -> tuple[Any, Any]:
        return weighted_up(y, v, base, yes, ratio, random=random)

    tail = 0.5 + fit.level / 2
    crit = float(special.stdtrit((~yes).sum() - 1, tail) if random else special.ndtri(tail))
    ratios = np.geomspace(1, 200, 41)
    mean, se = corrected(ratios)
    ends = m.printed_bounds(*(null + sign * (mean + s * crit * se) for s in (-1, 1)))
    last, last_se = (float(x) for x in corrected(np.array(np.inf)))
    a, b = sorted(null + sign * (last + s * crit * last_se) for s in (-1, 1))
    yes = yes.copy()
    yes.flags.writeable = False
    return WorstCase(
        fit=fit,
        affirmative=yes,
        ratio=frozen_array(ratios),
        value=frozen_array(m.to_printed(null + sign * mean)),
        low=frozen_array(ends[0]),
        high=frozen_array(ends[1]),
        worst=printed_estimate(fit.effects, null + sign * last, a, b, fit.level, "confidence"),
        to_null=_ratio_at(lambda r: float(corrected(np.array(r))[0])),
        interval_to_null=_ratio_at(lambda r: float(corrected(np.array(r))[0] - crit * corrected(np.array(r))[1])),
    )


def weighted_up(y: Any, v: Any, base: Any, yes: BoolArray, ratio: Any, *, random: bool) -> tuple[Any, Any]:
    """Return mean and SE with the studies that are not affirmative weighted up by ``ratio`` (infinite: they alone)."""
    r = np.asarray(ratio, dtype=np.float64)[..., None]
    with np.errstate(divide="ignore"):
        w = base * np.where(yes, 1 / r, 1.0)
    total = np.add.reduce(w, axis=-1)
    mean = np.add.reduce(w * y, axis=-1) / total
    if not random:
        return mean, np.sqrt(np.add.reduce(w * w * v, axis=-1)) / total
    residual = (y - mean[..., None]) ** 2  # robust, with the correction k / (k - 1) of the studies that count
    k = np.add.reduce(w > 0, axis=-1)
    return mean, np.sqrt(k / (k - 1) * np.add.reduce(w * w * residual, axis=-1)) / total


def _ratio_at(f: Any) -> float:
    """Return the ratio at which a falling quantity reaches 0: 1 if it is there already, infinite if it never is."""
    if f(1.0) <= 0:
        return 1.0
    if f(np.inf) > 0 or f(FAR) > 0:
        return float("inf")
    return float(np.exp(optimize.brentq(lambda u: f(np.exp(u)), 0.0, np.log(FAR), xtol=1e-10)))
