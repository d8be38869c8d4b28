"""The test of excess significance: more significant studies than their power would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.null import need_null
from metaleptic.sensitivity.subset_fits import refuse_others
from metaleptic.sensitivity.words import FEW, p_words
from metaleptic.types import BoolArray, FloatArray, frozen_array

TESTS = ("chi2", "binomial", "exact")
SIDES = ("two-sided", "greater", "less")


@dataclass(frozen=True, slots=True, eq=False)
class ExcessSignificance:
    """Significant studies found against those expected from their power.

    Attributes
    ----------
    fit : Pooled
        The fit whose effect (and tau2) gives the power.
    observed, expected : float
        Number of significant studies found, and expected.
    p : float
        One-sided p value of so many or more.
    statistic : float
        Chi-squared of Pearson's test; NaN for the others.
    power : ndarray of shape (k,)
        Power of each study.
    significant : ndarray of bool, shape (k,)
        Whether each study is significant.
    limit : float
        True effect (analysis scale) at which the p value would just be ``limit_alpha``; NaN if there is none.
    test, alternative : str
        What was asked for.
    alpha, limit_alpha : float
        Levels of the studies and of the limit.
    """

    fit: Pooled
    observed: int
    expected: float
    p: float
    statistic: float
    power: FloatArray
    significant: BoolArray
    limit: float
    test: str
    alternative: str
    alpha: float
    limit_alpha: float

    @property
    def sentence(self) -> str:
        """What the test shows, in plain words."""
        found = f"{self.observed} of {self.fit.k} studies are significant; their power would give {self.expected:.1f}"
        if self.p < 0.10:
            return f"{found} ({p_words(self.p)}): more than expected, as when some were selected or analysed for significance."
        few = f", but {self.fit.k} studies could hardly show one" if self.fit.k < FEW else ""
        return f"{found} ({p_words(self.p)}): no excess{few}."

    def to_frame(self) -> Any:
        """Return a row per study."""
        columns = {
            "study": self.fit.effects.study,
            "significant": [bool(s) for s in self.significant],
            "power": self.power,
        }
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def excess_significance(
    fit: Pooled,
    *,
    test: str | None = None,
    alternative: str = "two-sided",
    alpha: float = 0.05,
    null: float = 0.0,
    limit_alpha: float = 0.10,
) -> ExcessSignificance:
    """Compare the number of significant studies with what their power would give.

    Parameters
    ----------
    fit : Pooled
        From ``ml.pool``; its effect is taken as true. With ``model="common"`` all studies share it (the original test),
        with ``model="random"`` power is averaged over the between-study variance.
    test : {"chi2", "binomial", "exact"}, optional
        Exact (the distribution of the number of significant studies of unequal power) by default.
    alternative : {"two-sided", "greater", "less"}, default "two-sided"
        What counts as a significant study.
    alpha : float, default 0.05
        Level at which a study is significant.
    null : float, default 0
        Effect under the null hypothesis of each study, analysis scale.
    limit_alpha : float, default 0.10
        Level of the limit estimate.

    Returns
    -------
    ExcessSignificance

    Raises
    ------
    OptionError
        If an option is unknown.

    Notes
    -----
    Sources: Ioannidis JPA, Trikalinos TA. Clin Trials 2007;4:245-253; exact: Francis G. J Math Psychol 2013;57:153-169.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.3, -0.5, -0.6, -0.9], [0.02, 0.05, 0.08, 0.2], measure="HR"), model="common")
    >>> ml.excess_significance(fit)
    4 of 4 studies are significant; their power would give 1.8 (p = 0.020): more than expected, as when some were selected or analysed for significance.
    """
    fit = refuse_others(fit, "excess_significance")
    need_null(fit.effects, "excess_significance")
    if test not in (None, *TESTS):
        raise OptionError(f"test {test!r} is unknown. Choose one of: {', '.join(TESTS)}.")
    if alternative not in SIDES:
        raise OptionError(f"alternative {alternative!r} is unknown. Choose one of: {', '.join(SIDES)}.")
    chosen = test or "exact"
    y, se = fit.effects.y, np.sqrt(fit.effects.v)
    z = (y - null) / se
    crit = float(special.ndtri(1 - alpha / 2 if alternative == "two-sided" else 1 - alpha))
    significant = {"two-sided": np.abs(z) >= crit, "greater": z >= crit, "less": z <= -crit}[alternative]
    observed = int(significant.sum())
    tau2 = 0.0 if np.isnan(fit.tau2) else fit.tau2
    theta = float(fit.beta[0])

    def p_at(true: float) -> float:
        return _p_value(observed, _power(true - null, se, tau2, crit, alternative), chosen)[0]

    power = _power(theta - null, se, tau2, crit, alternative)
    p, statistic = _p_value(observed, power, chosen)
    return ExcessSignificance(
        fit=fit,
        observed=observed,
        expected=float(power.sum()),
        p=p,
        statistic=statistic,
        power=frozen_array(power),
        significant=significant,
        limit=_limit(p_at, theta, null, limit_alpha),
        test=chosen,
        alternative=alternative,
        alpha=alpha,
        limit_alpha=limit_alpha,
    )


def _power(true: float, se: FloatArray, tau2: float, crit: float, alternative: str) -> FloatArray:
    """Return the power of each study; with tau2 the average over true effects, which is again a normal probability."""
    spread = np.sqrt(se**2 + tau2)
    upper, lower = special.ndtr((true - crit * se) / spread), special.ndtr((-true - crit * se) / spread)
    found: FloatArray = {"two-sided": upper + lower, "greater": upper, "less": lower}[alternative]
    return found


def _p_value(observed: int, power: FloatArray, test: str) -> tuple[float, float]:
    """Return the p value of ``observed`` or more significant studies, and chi-squared."""
    k, expected = len(power), float(power.sum())
    if test == "chi2":
        gap = observed - expected
        with np.errstate(divide="ignore", invalid="ignore"):
            x2 = gap**2 / np.float64(expected) + gap**2 / np.float64(k - expected)
        return float(special.ndtr(-np.copysign(np.sqrt(x2), gap))), float(x2)
    if test == "binomial":
        share = min(1.0, expected / k)
        return float(special.bdtrc(observed - 1, k, share)) if observed > 0 else 1.0, float("nan")
    counts = np.ones(1)
    for p in power:
        counts = np.convolve(counts, [1 - p, p])
    return float(min(1.0, counts[observed:].sum())), float("nan")


def _limit(p_at: Any, theta: float, null: float, level: float) -> float:
    """Return the effect, between the null and far beyond the estimate, at which p equals ``level``."""
    if not p_at(null) < level:
        return float("nan")
    step = theta - null if theta != null else 1.0
    far = null + step
    for _ in range(60):
        if p_at(far) >= level:
            return float(optimize.brentq(lambda t: p_at(t) - level, null, far, xtol=1e-13, rtol=1e-13))
        far = null + 2 * (far - null)
    return float("nan")
