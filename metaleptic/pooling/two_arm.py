"""Pooling two-by-two tables without a variance per study: Mantel-Haenszel and Peto, for rare events.

Cells are a, b (events and others of the arm of interest), c, d (control); n1 = a + b, n2 = c + d, N = n1 + n2.
Studies with an empty cell are used as they are: nothing is added to them.
"""

from __future__ import annotations

import numpy as np

from metaleptic.errors import NotEstimableError
from metaleptic.pooling.zero_counts import advice, empty_arm
from metaleptic.types import FloatArray

Pair = tuple[float, float]


def mantel_haenszel(cells: FloatArray, measure: str) -> Pair:
    """Return the pooled effect (log OR, log RR or RD) and its standard error.

    Sources: Mantel N, Haenszel W. J Natl Cancer Inst 1959;22:719-748 (OR); Robins J, Breslow N, Greenland S.
    Biometrics 1986;42:311-323 (its variance); Greenland S, Robins JM. Biometrics 1985;41:55-68 (RR);
    Sato T. Biometrics 1989;45:1323-1324 (variance of the RD).
    """
    a, b, c, d = cells.T
    n1, n2 = a + b, c + d
    total = n1 + n2
    if measure == "RD":
        weight = (n1 * n2 / total).sum()
        difference = float(((a * n2 - c * n1) / total).sum() / weight)
        p = (n1**2 * c - n2**2 * a + n1 * n2 * (n2 - n1) / 2) / total**2
        q = (a * d + c * b) / (2 * total)
        variance = difference * p.sum() + q.sum()
        if not variance > 0:
            which = empty_arm("RD", cells) or "in every arm all patients had the event, or none"
            raise NotEstimableError(f"{which}: the risk difference has no standard error. {advice('RD', cells)}")
        return difference, float(np.sqrt(variance) / weight)
    r, s = (a * d / total, b * c / total) if measure == "OR" else (a * n2 / total, c * n1 / total)
    if r.sum() == 0 or s.sum() == 0:
        arms = ("of interest", "of the controls") if r.sum() == 0 else ("of the controls", "of interest")
        beside = f"no study has events in the arm {arms[0]} beside patients without in the arm {arms[1]}"
        raise NotEstimableError(
            f"{empty_arm(measure, cells) or beside}: the pooled ratio is 0 or infinite. {advice(measure, cells)}"
        )
    effect = float(np.log(r.sum() / s.sum()))
    if measure == "RR":
        spread = (n1 * n2 * (a + c) / total**2 - a * c / total).sum()
        return effect, float(np.sqrt(spread / (r.sum() * s.sum())))
    p, q = (a + d) / total, (b + c) / total
    variance = (
        (p * r).sum() / (2 * r.sum() ** 2)
        + (p * s + q * r).sum() / (2 * r.sum() * s.sum())
        + (q * s).sum() / (2 * s.sum() ** 2)
    )
    return effect, float(np.sqrt(variance))


def mantel_haenszel_rates(cells: FloatArray, measure: str) -> Pair:
    """Return the pooled log rate ratio, or rate difference, and its standard error; cells are events and time of both arms.

    Source: Greenland S, Robins JM. Biometrics 1985;41:55-68.
    """
    x1, t1, x2, t2 = cells.T
    total = t1 + t2
    if measure == "IRD":
        weight = (t1 * t2 / total).sum()
        spread = ((t1 * t2 / total) ** 2 * (x1 / t1**2 + x2 / t2**2)).sum()
        return float(((x1 * t2 - x2 * t1) / total).sum() / weight), float(np.sqrt(spread) / weight)
    r, s = (x1 * t2 / total).sum(), (x2 * t1 / total).sum()
    if r == 0 or s == 0:
        raise NotEstimableError(
            f"{empty_arm(measure, cells)}: the pooled ratio is 0 or infinite. {advice(measure, cells)}"
        )
    return float(np.log(r / s)), float(np.sqrt((t1 * t2 * (x1 + x2) / total**2).sum() / (r * s)))


def person_time_parts(cells: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return observed minus expected events of the first arm given all events, and their binomial variance."""
    x1, t1, x2, t2 = cells.T
    share = t1 / (t1 + t2)
    return x1 - share * (x1 + x2), share * (1 - share) * (x1 + x2)


def peto_parts(cells: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return observed minus expected events and their hypergeometric variance, study by study.

    Source: Yusuf S, Peto R, Lewis J, Collins R, Sleight P. Prog Cardiovasc Dis 1985;27:335-371.
    """
    a, b, c, d = cells.T
    n1, n2, total = a + b, c + d, a + b + c + d
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = n1 * n2 * (a + c) * (b + d) / (total**2 * (total - 1))
    return a - n1 * (a + c) / total, np.where(total > 1, variance, 0.0)


def peto(cells: FloatArray) -> Pair:
    """Return the pooled log odds ratio by Peto's one-step method and its standard error."""
    gap, variance = peto_parts(cells)
    if variance.sum() == 0:
        raise NotEstimableError(
            f"no study has both events and non-events: there is no odds ratio to pool. {advice('OR', cells)}"
        )
    return float(gap.sum() / variance.sum()), float(1 / np.sqrt(variance.sum()))
