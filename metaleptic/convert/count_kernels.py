"""Effect sizes of counts: two-by-two tables, single proportions, events with person-time.

Arrays of one shape; every kernel returns the effect on the analysis scale and its sampling variance.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from scipy import special

from metaleptic.convert.tetrachoric import fisher_z_of_tetrachoric, tetrachoric
from metaleptic.errors import OptionError
from metaleptic.types import FloatArray

Pair = tuple[FloatArray, FloatArray]


POLICIES = ("empty", "all", "if any empty", "none")


def continuity(policy: str, amount: float, empty: FloatArray) -> FloatArray:
    """Return what is added to each cell of each study: where one of its cells is empty, everywhere, everywhere if any is, nowhere."""
    if policy == "none":
        return np.zeros(len(empty))
    if policy == "empty":
        return np.where(empty, amount, 0.0)
    return np.full(len(empty), amount if policy == "all" or np.any(empty) else 0.0)


def policy_named(measure: str, correct: str | None) -> str:
    """Return the policy asked for; left open, empty cells are corrected where the measure needs it.

    Raises
    ------
    OptionError
        If there is no such policy.
    """
    policy = ("none" if measure in NEVER_CORRECTED else "empty") if correct is None else correct
    if policy not in POLICIES:
        raise OptionError(f"correct {correct!r} is unknown. Choose one of: {', '.join(POLICIES)}.")
    return policy


# --- two-by-two tables: a events and b others of the arm of interest, c and d of the control ----------------


def log_odds_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return log(ad/bc) and its variance 1/a + 1/b + 1/c + 1/d (Woolf B. Ann Hum Genet 1955;19:251-253)."""
    return np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d


def log_risk_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return the log ratio of risks and its variance 1/a - 1/(a+b) + 1/c - 1/(c+d)."""
    return np.log(a / (a + b)) - np.log(c / (c + d)), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)


def risk_difference(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return the difference of risks and its variance, the sum of p(1-p)/n."""
    n1, n2 = a + b, c + d
    return a / n1 - c / n2, a * b / n1**3 + c * d / n2**3


def arcsine_difference(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return the difference of arcsin(sqrt(p)). Rücker G et al. Stat Med 2009;28:721-738."""
    n1, n2 = a + b, c + d
    return np.arcsin(np.sqrt(a / n1)) - np.arcsin(np.sqrt(c / n2)), 1 / (4 * n1) + 1 / (4 * n2)


def peto_log_odds_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return (O - E)/V and 1/V, V hypergeometric. Yusuf S et al. Prog Cardiovasc Dis 1985;27:335-371."""
    n1, n2, events, others = a + b, c + d, a + c, b + d
    n = n1 + n2
    v = n1 * n2 * events * others / (n**2 * (n - 1))
    return (a - n1 * events / n) / v, 1 / v


def phi_coefficient(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return the correlation of arm and event. Variance: Yule GU. J R Stat Soc 1912;75:579-652."""
    n = a + b + c + d
    p1, p2, q1, q2 = (a + b) / n, (c + d) / n, (a + c) / n, (b + d) / n
    phi = (a * d - b * c) / n**2 / np.sqrt(p1 * p2 * q1 * q2)
    skew = phi * (1 + phi**2 / 2) * (p1 - p2) * (q1 - q2) / np.sqrt(p1 * p2 * q1 * q2)
    spread = 0.75 * phi**2 * ((p1 - p2) ** 2 / (p1 * p2) + (q1 - q2) ** 2 / (q1 * q2))
    return phi, (1 - phi**2 + skew - spread) / n


def yule_q(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return (ad - bc)/(ad + bc). Yule GU 1912."""
    q = (a * d - b * c) / (a * d + b * c)
    return q, (1 - q**2) ** 2 * (1 / a + 1 / b + 1 / c + 1 / d) / 4


def yule_y(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return the coefficient of colligation. Yule GU 1912."""
    y = (np.sqrt(a * d) - np.sqrt(b * c)) / (np.sqrt(a * d) + np.sqrt(b * c))
    return y, (1 - y**2) ** 2 * (1 / a + 1 / b + 1 / c + 1 / d) / 16


def probit_difference(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return the difference of probits: an SMD if the trait behind the event is normal. Sánchez-Meca J et al. Psychol Methods 2003;8:448-467."""
    (y1, v1), (y2, v2) = probit(a, a + b), probit(c, c + d)
    return y1 - y2, v1 + v2


def smd_from_odds_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return log OR x sqrt(3)/pi. Hasselblad V, Hedges LV. Psychol Bull 1995;117:167-178; Chinn S. Stat Med 2000;19:3127-3131."""
    y, v = log_odds_ratio(a, b, c, d)
    return y * np.sqrt(3) / np.pi, v * 3 / np.pi**2


def smd_from_odds_ratio_normal(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return log OR / 1.65. Cox DR, Snell EJ. Analysis of Binary Data, 2nd ed. 1989."""
    y, v = log_odds_ratio(a, b, c, d)
    return y / 1.65, v / 1.65**2


def unbiased_risk_difference(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return the difference of risks with unbiased variances p(1-p)/(n-1)."""
    n1, n2 = a + b, c + d
    return a / n1 - c / n2, a * b / (n1**2 * (n1 - 1)) + c * d / (n2**2 * (n2 - 1))


def phi_fixed_arms(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return phi with the variance that two arms of fixed size give (delta method)."""
    phi, _ = phi_coefficient(a, b, c, d)
    n1, n2, events, others = a + b, c + d, a + c, b + d
    root = np.sqrt(events * others)
    base = np.sqrt(n1 * n2)
    p1, p2 = a / n1, c / n2
    # phi = sqrt(n1 n2) (p1 - p2) / sqrt(m (n - m)) with m = n1 p1 + n2 p2
    tilt = (p1 - p2) * (others - events) / (2 * root**2)
    slope1, slope2 = base / root * (1 - tilt * n1), base / root * (-1 - tilt * n2)
    return phi, slope1**2 * p1 * (1 - p1) / n1 + slope2**2 * p2 * (1 - p2) / n2


def fisher_z_of_phi(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return Fisher's z of the phi coefficient (delta method)."""
    phi, v = phi_coefficient(a, b, c, d)
    return np.arctanh(phi), v / (1 - phi**2) ** 2


# --- matched pairs: a both, b the first only, c the second only, d neither --------------------


def matched_log_risk_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return the log ratio of the two marginal risks. Nam JM, Blackwelder WC. Stat Med 2002;21:689-699."""
    del d
    return np.log((a + b) / (a + c)), (b + c) / ((a + b) * (a + c))


def matched_log_odds_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return the marginal log odds ratio. Zou GY. Am J Epidemiol 2007;166:1231-1232 (variance by the delta method)."""
    n = a + b + c + d
    p1, p2 = (a + b) / n, (a + c) / n
    v1, v2 = p1 * (1 - p1), p2 * (1 - p2)
    return special.logit(p1) - special.logit(p2), 1 / (n * v1) + 1 / (n * v2) - 2 * (a * d - b * c) / (n**3 * v1 * v2)


def matched_conditional_log_odds_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return log(b/c), which the discordant pairs alone decide. McNemar Q. Psychometrika 1947;12:153-157."""
    del a, d
    return np.log(b / c), 1 / b + 1 / c


def matched_peto(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return Peto's log odds ratio of the discordant pairs. Curtin F et al. Stat Med 2002;21:2145-2159."""
    del a, d
    return 2 * (b - c) / (b + c), 4 / (b + c)


def matched_risk_difference(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """Return the difference of the marginal risks. May WL, Johnson WD. Stat Med 1997;16:2127-2136."""
    n = a + b + c + d
    return (b - c) / n, (b + c) / n**2 - (b - c) ** 2 / n**3


MATCHED_PAIRS: MappingProxyType[str, Callable[..., Pair]] = MappingProxyType(
    {
        "MPOR": matched_log_odds_ratio,
        "MPORC": matched_conditional_log_odds_ratio,
        "MPPETO": matched_peto,
        "MPRR": matched_log_risk_ratio,
        "MPRD": matched_risk_difference,
    }
)

TWO_BY_TWO: MappingProxyType[str, Callable[..., Pair]] = MappingProxyType(
    {
        "RR": log_risk_ratio,
        "OR": log_odds_ratio,
        "RD": risk_difference,
        "AS": arcsine_difference,
        "PETO": peto_log_odds_ratio,
        "PHI": phi_coefficient,
        "YUQ": yule_q,
        "YUY": yule_y,
        "PBIT": probit_difference,
        "OR2D": smd_from_odds_ratio,
        "OR2DL": smd_from_odds_ratio,
        "OR2DN": smd_from_odds_ratio_normal,
        "ZPHI": fisher_z_of_phi,
        "RTET": tetrachoric,
        "ZTET": fisher_z_of_tetrachoric,
    }
)
VARIANCES: MappingProxyType[tuple[str, str], Callable[..., Pair]] = MappingProxyType(
    {("RD", "UB"): unbiased_risk_difference, ("PHI", "ST"): phi_fixed_arms, ("PHI", "CS"): phi_coefficient}
)
"""Other formulas of the variance than the default, by measure and metafor's name."""
NEVER_CORRECTED = frozenset(
    {"AS", "PETO", "PHI", "ZPHI", "RTET", "ZTET", "IRSD", "IRS", "IRFT", "PAS", "PFT"}
)  # defined for empty cells, or (tetrachoric) decided by what is added


# --- single proportions -----------------------------------------------------------------------


def raw(x: FloatArray, n: FloatArray) -> Pair:
    """Return x/n."""
    p = x / n
    return p, p * (1 - p) / n


def log_proportion(x: FloatArray, n: FloatArray) -> Pair:
    """Return log(x/n)."""
    return np.log(x / n), 1 / x - 1 / n


def logit(x: FloatArray, n: FloatArray) -> Pair:
    """Return log(x/(n - x))."""
    return special.logit(x / n), 1 / x + 1 / (n - x)


def arcsine(x: FloatArray, n: FloatArray) -> Pair:
    """Return arcsin(sqrt(x/n)), whose variance does not depend on the proportion."""
    return np.arcsin(np.sqrt(x / n)), 1 / (4 * n)


def freeman_tukey(x: FloatArray, n: FloatArray) -> Pair:
    """Return the double arcsine. Freeman MF, Tukey JW. Ann Math Stat 1950;21:607-611."""
    return (np.arcsin(np.sqrt(x / (n + 1))) + np.arcsin(np.sqrt((x + 1) / (n + 1)))) / 2, 1 / (4 * n + 2)


def probit(x: FloatArray, n: FloatArray) -> Pair:
    """Return the normal quantile of x/n."""
    p = x / n
    z = special.ndtri(p)
    return z, 2 * np.pi * p * (1 - p) * np.exp(z**2) / n


PROPORTIONS: MappingProxyType[str, Callable[..., Pair]] = MappingProxyType(
    {"PLO": logit, "PR": raw, "PLN": log_proportion, "PAS": arcsine, "PFT": freeman_tukey, "PRZ": probit}
)


def inverse_freeman_tukey(y: FloatArray, n: FloatArray | float) -> FloatArray:
    """Return the proportion whose double arcsine is y in n patients. Miller JJ. Am Stat 1978;32:138.

    A pooled y belongs to no n: with the harmonic mean of very different n the result can lie outside the studies
    (Schwarzer G et al. Res Synth Methods 2019;10:476-483).
    """
    low = np.arcsin(np.sqrt(1 / (n + 1))) / 2
    inside = np.clip(y, low, np.pi / 2 - low)
    s = np.sin(2 * inside)
    p = 0.5 * (1 - np.sign(np.cos(2 * inside)) * np.sqrt(np.maximum(0, 1 - (s + (s - 1 / s) / n) ** 2)))
    return np.where(y < low, 0.0, np.where(y > np.pi / 2 - low, 1.0, p))


# --- events with person-time ------------------------------------------------------------------


def log_rate_ratio(x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray) -> Pair:
    """Return the log ratio of rates. Rothman KJ et al. Modern Epidemiology 2008, chapter 14."""
    return np.log(x1 / t1) - np.log(x2 / t2), 1 / x1 + 1 / x2


def rate_difference(x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray) -> Pair:
    """Return the difference of rates."""
    return x1 / t1 - x2 / t2, x1 / t1**2 + x2 / t2**2


def root_rate_difference(x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray) -> Pair:
    """Return the difference of square roots of rates."""
    return np.sqrt(x1 / t1) - np.sqrt(x2 / t2), 1 / (4 * t1) + 1 / (4 * t2)


TWO_RATES: MappingProxyType[str, Callable[..., Pair]] = MappingProxyType(
    {"IRR": log_rate_ratio, "IRD": rate_difference, "IRSD": root_rate_difference}
)


def rate(x: FloatArray, t: FloatArray) -> Pair:
    """Return x/t."""
    return x / t, x / t**2


def log_rate(x: FloatArray, t: FloatArray) -> Pair:
    """Return log(x/t)."""
    return np.log(x / t), 1 / x


def root_rate(x: FloatArray, t: FloatArray) -> Pair:
    """Return the square root of the rate, whose variance does not depend on it."""
    return np.sqrt(x / t), 1 / (4 * t)


def freeman_tukey_rate(x: FloatArray, t: FloatArray) -> Pair:
    """Return the Freeman-Tukey root rate. Freeman MF, Tukey JW. Ann Math Stat 1950;21:607-611."""
    return (np.sqrt(x / t) + np.sqrt((x + 1) / t)) / 2, 1 / (4 * t)


RATES: MappingProxyType[str, Callable[..., Pair]] = MappingProxyType(
    {"IRLN": log_rate, "IR": rate, "IRS": root_rate, "IRFT": freeman_tukey_rate}
)
