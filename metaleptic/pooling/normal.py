"""The normal-normal model: from effects and a tau2 to the pooled mean, its interval and the prediction interval.

Arrays only; the last axis is the studies, leading axes are data sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import unknown_option
from metaleptic.pooling.heterogeneity import cochran_q, log_likelihood, tau2_estimator, typical_variance
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class Test:
    """How the interval for the pooled effect is made: key, name and source."""

    key: str
    name: str
    source: str


TESTS = MappingProxyType(
    {
        t.key: t
        for t in (
            Test(
                "knapp-hartung",
                "Hartung-Knapp",
                "Hartung J, Knapp G. Stat Med 2001;20:3875-3889; Sidik K, Jonkman JN. Stat Med 2002;21:3153-3159",
            ),
            Test("t", "t", "Follmann DA, Proschan MA. Biometrics 1999;55:732-737"),
            Test("z", "z", "DerSimonian R, Laird N. Control Clin Trials 1986;7:177-188"),
            Test("adhoc", "Hartung-Knapp, never narrower than z", "Knapp G, Hartung J. Stat Med 2003;22:2693-2710"),
            Test(
                "adhoc-ci",
                "wider of the Hartung-Knapp and the z interval",
                "Wiksten A, Rücker G, Schwarzer G. Stat Med 2016;35:2503-2515",
            ),
            Test(
                "iqwig",
                "Hartung-Knapp, with the larger SE where narrower than DerSimonian-Laird",
                "IQWiG. General Methods 6.1, 2022",
            ),
            Test("kenward-roger", "Kenward-Roger", "Kenward MG, Roger JH. Biometrics 1997;53:983-997"),
            Test("profile-likelihood", "profile likelihood", "Hardy RJ, Thompson SG. Stat Med 1996;15:619-629"),
            Test("bartlett", "Bartlett-corrected likelihood ratio", "Noma H. Stat Med 2011;30:3304-3312"),
            Test("skovgaard", "Skovgaard's second-order likelihood", "Guolo A. Stat Med 2012;31:313-327"),
        )
    }
)
SYNONYMS = MappingProxyType(
    {
        "knha": "knapp-hartung",
        "hk": "knapp-hartung",
        "hartung-knapp": "knapp-hartung",
        "hksj": "knapp-hartung",
        "normal": "z",
        "kr": "kenward-roger",
        "pl": "profile-likelihood",
    }
)


def test_named(key: str) -> Test:
    """Look a test up by its key or a synonym."""
    name = SYNONYMS.get(str(key).lower(), str(key).lower())
    if name not in TESTS:
        raise unknown_option("test", key, TESTS)
    return TESTS[name]


@dataclass(frozen=True, slots=True, eq=False)
class NormalFit:
    """Arrays of one fit or of many: every field has the shape of the leading axes (weights: and the studies)."""

    mu: FloatArray
    se: FloatArray
    df: FloatArray
    statistic: FloatArray
    p: FloatArray
    low: FloatArray
    high: FloatArray
    predict_low: FloatArray
    predict_high: FloatArray
    tau2: FloatArray
    q: FloatArray
    i2: FloatArray
    h2: FloatArray
    weights: FloatArray
    loglik: FloatArray


def quantile(df: Any, level: float) -> Any:
    """Two-sided quantile of t with ``df`` degrees of freedom, of the normal where ``df`` is infinite."""
    return -special.stdtrit(df, (1 - level) / 2) if np.isfinite(df).all() else special.ndtri(0.5 + level / 2)


def test_probability(statistic: float, df: float) -> float:
    """Two-sided p of a t statistic, of a normal one where ``df`` is infinite."""
    tail = special.ndtr(-abs(statistic)) if np.isinf(df) else special.stdtr(df, -abs(statistic))
    return float(2 * tail)


def fit_normal(y: Any, v: Any, *, tau2: str | None, test: str, level: float = 0.95, keep: Any = 1.0) -> NormalFit:
    """Fit the common-effect (``tau2=None``) or random-effects model to one data set or to many.

    Sources: Hartung J, Knapp G. Stat Med 2001;20:3875-3889 (adjusted SE, t with k-1 degrees of freedom);
    Higgins JPT, Thompson SG, Spiegelhalter DJ. J R Stat Soc A 2009;172:137-159 (prediction interval; k - 1 as in
    Veroniki AA et al. Res Synth Methods 2019;10:23-43);
    Higgins JPT, Thompson SG. Stat Med 2002;21:1539-1558 (I2, H2).
    """
    k = np.add.reduce(keep + 0 * (y + v), axis=-1)
    q = cochran_q(y, v, keep)
    if tau2 is None:
        t2 = np.zeros_like(q)
        with np.errstate(divide="ignore", invalid="ignore"):
            h2 = q / (k - 1)
            i2 = 100 * np.maximum(0, (q - (k - 1)) / q)
    else:
        t2 = np.maximum(0.0, tau2_estimator(tau2).function(y, v, keep))
        typical = typical_variance(v, keep)
        h2, i2 = t2 / typical + 1, 100 * t2 / (t2 + typical)
    w = keep / (v + t2[..., None])
    total = np.add.reduce(w, axis=-1)
    mu = np.add.reduce(w * y, axis=-1) / total
    se = 1 / np.sqrt(total)
    if test in ("knapp-hartung", "adhoc"):
        scale = np.add.reduce(w * (y - mu[..., None]) ** 2, axis=-1) / (k - 1)
        se = se * np.sqrt(np.maximum(scale, 1.0) if test == "adhoc" else scale)
    df = np.full_like(q, np.inf) if test == "z" else k - 1 + 0 * q
    crit = quantile(df, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = mu / se
        p = 2 * (special.ndtr(-np.abs(statistic)) if test == "z" else special.stdtr(df, -np.abs(statistic)))
    half = crit * np.sqrt(t2 + se**2) if tau2 is not None else np.full_like(mu, np.nan)
    return NormalFit(
        mu,
        se,
        df,
        statistic,
        p,
        mu - crit * se,
        mu + crit * se,
        mu - half,
        mu + half,
        t2,
        q,
        i2,
        h2,
        100 * w / total[..., None],
        log_likelihood(y, v, keep, t2, restricted=tau2 == "REML"),
    )
