"""Tests of tables stratified by study: of no effect (Cochran, Mantel and Haenszel) and of one odds ratio (Breslow and Day, Tarone)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.errors import DataError, NotEstimableError
from metaleptic.pooling.result import format_p
from metaleptic.pooling.two_arm import mantel_haenszel, person_time_parts
from metaleptic.types import Effects, FloatArray


@dataclass(frozen=True, slots=True)
class ChiSquared:
    """A chi-squared statistic with its degrees of freedom and p value."""

    statistic: float
    df: int
    p: float

    def __repr__(self) -> str:
        return f"{self.statistic:.2f}, df = {self.df}, p {format_p(self.p)}"


@dataclass(frozen=True, slots=True)
class StratifiedTests:
    """Tests without a model, from the counts of both arms of every study.

    Attributes
    ----------
    mantel_haenszel : ChiSquared
        No effect in any study, hypergeometric variance (Cochran-Mantel-Haenszel; of rates: binomial).
    cochran : ChiSquared or None
        The same with the binomial variance; None for rates.
    breslow_day, tarone : ChiSquared or None
        One odds ratio in all studies, by Breslow and Day and with Tarone's correction; None for rates.
    correct : bool
        Whether 1/2 was taken off the difference for continuity.
    """

    mantel_haenszel: ChiSquared
    cochran: ChiSquared | None
    breslow_day: ChiSquared | None
    tarone: ChiSquared | None
    correct: bool

    def __repr__(self) -> str:
        lines = [f"no effect, Mantel-Haenszel: {self.mantel_haenszel}"]
        if self.cochran is not None:
            lines.append(f"no effect, Cochran: {self.cochran}")
        if self.breslow_day is not None:
            lines.append(f"one odds ratio, Breslow-Day: {self.breslow_day}")
        if self.tarone is not None:
            lines.append(f"one odds ratio, Tarone: {self.tarone}")
        return "\n".join(lines)


def stratified_tests(effects: Effects, *, correct: bool = True) -> StratifiedTests:
    """Test two-by-two tables, or rates of two arms, for an effect in any study, and for one odds ratio in all of them.

    Parameters
    ----------
    effects : Effects
        From ``ml.two_by_two`` (any measure) or ``ml.two_rates``: the counts are what is used.
    correct : bool, default True
        Whether the tests of no effect take 1/2 off for continuity.

    Returns
    -------
    StratifiedTests
        Chi-squared statistics with df and p values. Studies without events, or with events only, say nothing and count in no df.

    Raises
    ------
    DataError
        If the effects carry no counts of two arms.
    NotEstimableError
        If no study has both events and non-events.

    Notes
    -----
    Sources: Cochran WG. Biometrics 1954;10:417-451; Mantel N, Haenszel W. J Natl Cancer Inst 1959;22:719-748; Breslow NE, Day
    NE. Statistical Methods in Cancer Research I. IARC 1980, 142-146; Tarone RE. Biometrika 1985;72:91-95; Rothman KJ, Greenland
    S, Lash TL. Modern Epidemiology. 3rd ed. 2008, chapter 15 (rates).

    Examples
    --------
    >>> import metaleptic as ml
    >>> trials = {"study": ["a", "b", "c"], "x1": [4, 6, 3], "n1": [123, 306, 231], "x2": [11, 29, 11], "n2": [139, 303, 220]}
    >>> ml.stratified_tests(ml.two_by_two(trials, events1="x1", n1="n1", events2="x2", n2="n2"))
    no effect, Mantel-Haenszel: 22.04, df = 1, p < 0.001
    no effect, Cochran: 22.09, df = 1, p < 0.001
    one odds ratio, Breslow-Day: 0.95, df = 2, p = 0.62
    one odds ratio, Tarone: 0.95, df = 2, p = 0.62
    """
    if len(effects.cells) != len(effects) or effects.measure.key in ("IRLN", "IR", "IRS"):
        raise DataError("these effects carry no counts of two arms. Make them with ml.two_by_two or ml.two_rates.")
    if effects.measure.key.startswith("IR"):
        gap, variance = person_time_parts(effects.cells)
        return StratifiedTests(_no_effect(gap, variance, correct), None, None, None, correct)
    a, b, c, d = effects.cells.T
    says = (a + c > 0) & (b + d > 0) & (a + b > 0) & (c + d > 0)
    if not says.any():
        raise NotEstimableError("no study has both events and non-events: there is nothing to test.")
    cells = effects.cells[says]
    a, b, c, d = cells.T
    n1, n2, m, n = a + b, c + d, a + c, a + b + c + d
    gap = a - n1 * m / n
    spread = n1 * n2 * m * (n - m) / n**2
    k = len(cells)
    odds_ratio = float(np.exp(mantel_haenszel(cells, "OR")[0])) if _finite(cells) else np.nan
    off, variance = _expected(cells, odds_ratio)
    bd = float((off**2 / variance).sum())
    ta = bd - float(off.sum() ** 2 / variance.sum())
    return StratifiedTests(
        _no_effect(gap, spread / (n - 1), correct),
        _no_effect(gap, spread / n, correct),
        _chi_squared(bd, k - 1),
        _chi_squared(ta, k - 1),
        correct,
    )


def _finite(cells: FloatArray) -> bool:
    a, b, c, d = cells.T
    return bool((a * d).sum() > 0 and (b * c).sum() > 0)


def _expected(cells: FloatArray, odds_ratio: float) -> tuple[FloatArray, FloatArray]:
    """Return observed minus expected events of the first arm at this odds ratio and given margins, and their variance."""
    a, b, c, d = cells.T
    n1, n2, m = a + b, c + d, a + c
    if abs(odds_ratio - 1) < 1e-12:
        expected = n1 * m / (n1 + n2)
    else:  # the root of the quadratic that lies within the margins
        p, q = 1 - odds_ratio, n2 - m + odds_ratio * (n1 + m)
        expected = 2 * odds_ratio * n1 * m / (q + np.sqrt(q**2 + 4 * p * odds_ratio * n1 * m))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = 1 / (1 / expected + 1 / (n1 - expected) + 1 / (m - expected) + 1 / (n2 - m + expected))
    return a - expected, variance


def _no_effect(gap: FloatArray, variance: FloatArray, correct: bool) -> ChiSquared:
    if not variance.sum() > 0:
        raise NotEstimableError("no study has both events and non-events: there is nothing to test.")
    off = abs(float(gap.sum())) - (0.5 if correct else 0.0)
    return _chi_squared(off**2 / float(variance.sum()), 1)


def _chi_squared(statistic: float, df: int) -> ChiSquared:
    return ChiSquared(statistic, df, float(special.chdtrc(df, statistic)) if df > 0 else float("nan"))
