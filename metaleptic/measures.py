"""MEASURES: one line per effect measure. A new measure is one line here and one converter."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import OptionError
from metaleptic.types import Measure


def same(x: Any) -> Any:
    """Return the value unchanged: measures analysed on the scale on which they are printed."""
    return np.asarray(x, dtype=np.float64)


def log(x: Any) -> Any:
    """Return the natural logarithm; 0 maps to minus infinity without a warning."""
    with np.errstate(divide="ignore"):
        return np.log(x)


def cloglog(s: Any) -> Any:
    """Return log(-log(s)): decreasing in s, so that printed bounds must be sorted again."""
    with np.errstate(divide="ignore"):
        return np.log(-np.log(s))


def inverse_cloglog(y: Any) -> Any:
    """Return the survival probability whose ``cloglog`` is y."""
    return np.exp(-np.exp(np.asarray(y, dtype=np.float64)))


def root_fisher_z(r2: Any) -> Any:
    """Return Fisher's z of the root of a squared correlation."""
    return fisher_z(np.sqrt(np.asarray(r2, dtype=np.float64)))


def squared_tanh(y: Any) -> Any:
    """Return the squared correlation of a Fisher's z; 0 below 0."""
    return np.square(np.tanh(np.maximum(np.asarray(y, dtype=np.float64), 0.0)))


def hakstian_whalen(alpha: Any) -> Any:
    """Return 1 minus the cube root of 1 - alpha."""
    return 1 - np.cbrt(1 - np.asarray(alpha, dtype=np.float64))


def inverse_hakstian_whalen(y: Any) -> Any:
    """Return the reliability of which y is the transform."""
    return 1 - (1 - np.asarray(y, dtype=np.float64)) ** 3


def bonett(alpha: Any) -> Any:
    """Return -log(1 - alpha); 1 maps to infinity without a warning."""
    with np.errstate(divide="ignore"):
        return -np.log1p(-np.asarray(alpha, dtype=np.float64))


def inverse_bonett(y: Any) -> Any:
    """Return the reliability of which y is the transform."""
    return -np.expm1(-np.asarray(y, dtype=np.float64))


def square(y: Any) -> Any:
    """Return y squared, 0 for negative y: an interval of root rates may reach below 0, a rate may not."""
    return np.square(np.maximum(np.asarray(y, dtype=np.float64), 0.0))


def fisher_z(r: Any) -> Any:
    """Return the inverse hyperbolic tangent; +-1 maps to infinity without a warning."""
    with np.errstate(divide="ignore"):
        return np.arctanh(r)


def arcsine(p: Any) -> Any:
    """Return arcsin(sqrt(p))."""
    return np.arcsin(np.sqrt(p))


def inverse_arcsine(y: Any) -> Any:
    """Return sin(y)^2 with y kept between 0 and pi/2, beyond which the map turns back."""
    return np.sin(np.clip(np.asarray(y, dtype=np.float64), 0.0, np.pi / 2)) ** 2


_NAN = float("nan")

MEASURES = MappingProxyType(
    {
        m.key: m
        for m in (
            Measure("HR", "Hazard ratio", 1.0, log, np.exp, "log", 2, "", "log hazard ratio"),
            Measure("OR", "Odds ratio", 1.0, log, np.exp, "log", 2, "", "log odds ratio"),
            Measure("RR", "Risk ratio", 1.0, log, np.exp, "log", 2, "", "log risk ratio"),
            Measure("RD", "Risk difference", 0.0, same, same, "linear", 3, "", "risk difference"),
            Measure("RATIO", "Ratio", 1.0, log, np.exp, "log", 2, "", "log ratio"),
            Measure("DIFF", "Difference", 0.0, same, same, "linear", 2, "", "difference"),
            Measure("GEN", "Effect", 0.0, same, same, "linear", 2, "", "effect"),
            Measure("MED", "Median", _NAN, same, same, "linear", 1, "", "median"),
            Measure("MEDD", "Difference of medians", 0.0, same, same, "linear", 1, "", "difference of medians"),
            Measure("MEDIAN", "Median survival", _NAN, log, np.exp, "log", 1, "months", "log median"),
            Measure("PLO", "Proportion", _NAN, special.logit, special.expit, "percent", 1, "", "logit"),
            Measure("SURV", "Survival", _NAN, cloglog, inverse_cloglog, "percent", 1, "", "complementary log-log"),
            Measure("AS", "Arcsine difference", 0.0, same, same, "linear", 3, "", "arcsine difference"),
            Measure("PETO", "Peto odds ratio", 1.0, log, np.exp, "log", 2, "", "log odds ratio (Peto)"),
            Measure("PHI", "Phi coefficient", 0.0, same, same, "linear", 2, "", "phi coefficient"),
            Measure("YUQ", "Yule's Q", 0.0, same, same, "linear", 2, "", "Yule's Q"),
            Measure("YUY", "Yule's Y", 0.0, same, same, "linear", 2, "", "Yule's Y"),
            Measure("PBIT", "Probit difference", 0.0, same, same, "linear", 2, "", "probit difference"),
            Measure("OR2D", "SMD from odds ratio", 0.0, same, same, "linear", 2, "", "standardised mean difference"),
            Measure("IRR", "Rate ratio", 1.0, log, np.exp, "log", 2, "", "log rate ratio"),
            Measure("IRD", "Rate difference", 0.0, same, same, "linear", 3, "", "rate difference"),
            Measure(
                "IRSD", "Square-root rate difference", 0.0, same, same, "linear", 3, "", "difference of root rates"
            ),
            Measure("IR", "Rate", _NAN, same, same, "linear", 3, "", "rate"),
            Measure("IRLN", "Rate", _NAN, log, np.exp, "log", 3, "", "log rate"),
            Measure("IRS", "Rate", _NAN, np.sqrt, square, "linear", 3, "", "root rate"),
            Measure("IRFT", "Freeman-Tukey rate", _NAN, same, same, "linear", 3, "", "Freeman-Tukey root rate"),
            Measure("MD", "Mean difference", 0.0, same, same, "linear", 2, "", "mean difference"),
            Measure("SMD", "Standardised mean difference", 0.0, same, same, "linear", 2, "", "Hedges' g"),
            Measure(
                "SMDH", "Standardised mean difference", 0.0, same, same, "linear", 2, "", "standardised difference"
            ),
            Measure("SMD1", "Glass' delta", 0.0, same, same, "linear", 2, "", "Glass' delta"),
            Measure("SMD1H", "Glass' delta", 0.0, same, same, "linear", 2, "", "Glass' delta"),
            Measure("ROM", "Ratio of means", 1.0, log, np.exp, "log", 2, "", "log ratio of means"),
            Measure("CVR", "Ratio of coefficients of variation", 1.0, log, np.exp, "log", 2, "", "log CV ratio"),
            Measure("VR", "Ratio of SDs", 1.0, log, np.exp, "log", 2, "", "log ratio of SDs"),
            Measure("MC", "Mean change", 0.0, same, same, "linear", 2, "", "mean change"),
            Measure("SMCC", "Standardised mean change", 0.0, same, same, "linear", 2, "", "change over its SD"),
            Measure("SMCR", "Standardised mean change", 0.0, same, same, "linear", 2, "", "change over the first SD"),
            Measure("SMCRH", "Standardised mean change", 0.0, same, same, "linear", 2, "", "change over the first SD"),
            Measure("ROMC", "Ratio of means", 1.0, log, np.exp, "log", 2, "", "log ratio of paired means"),
            Measure("CVRC", "Ratio of coefficients of variation", 1.0, log, np.exp, "log", 2, "", "log CV ratio"),
            Measure("VRC", "Ratio of SDs", 1.0, log, np.exp, "log", 2, "", "log ratio of SDs"),
            Measure("MN", "Mean", _NAN, same, same, "linear", 2, "", "mean"),
            Measure("MNLN", "Mean", _NAN, log, np.exp, "log", 2, "", "log mean"),
            Measure("SMN", "Standardised mean", _NAN, same, same, "linear", 2, "", "mean over SD"),
            Measure(
                "CVLN", "Coefficient of variation", _NAN, log, np.exp, "log", 2, "", "log coefficient of variation"
            ),
            Measure("SDLN", "Standard deviation", _NAN, log, np.exp, "log", 2, "", "log SD"),
            Measure("COR", "Correlation", 0.0, same, same, "linear", 2, "", "correlation"),
            Measure("UCOR", "Correlation", 0.0, same, same, "linear", 2, "", "bias-corrected correlation"),
            Measure("ZCOR", "Correlation", 0.0, fisher_z, np.tanh, "linear", 2, "", "Fisher's z"),
            Measure("PR", "Proportion", _NAN, same, same, "percent", 1, "", "proportion"),
            Measure("PLN", "Proportion", _NAN, log, np.exp, "percent", 1, "", "log proportion"),
            Measure(
                "PAS", "Proportion", _NAN, arcsine, inverse_arcsine, "percent", 1, "", "arcsine of root proportion"
            ),
            Measure(
                "PFT", "Proportion", _NAN, arcsine, inverse_arcsine, "percent", 1, "", "Freeman-Tukey double arcsine"
            ),
            Measure("PRZ", "Proportion", _NAN, special.ndtri, special.ndtr, "percent", 1, "", "probit"),
            Measure("D2OR", "Odds ratio", 1.0, log, np.exp, "log", 2, "", "log odds ratio from means"),
            Measure("D2ORL", "Odds ratio", 1.0, log, np.exp, "log", 2, "", "log odds ratio from means"),
            Measure("D2ORN", "Odds ratio", 1.0, log, np.exp, "log", 2, "", "log odds ratio from means"),
            Measure("RPB", "Correlation", 0.0, same, same, "linear", 2, "", "point-biserial correlation"),
            Measure("ZPB", "Correlation", 0.0, fisher_z, np.tanh, "linear", 2, "", "Fisher's z, point-biserial"),
            Measure("RBIS", "Correlation", 0.0, same, same, "linear", 2, "", "biserial correlation"),
            Measure("ZBIS", "Correlation", 0.0, fisher_z, np.tanh, "linear", 2, "", "Fisher's z, biserial"),
            Measure(
                "CLESN", "Probability of superiority", 0.5, same, same, "linear", 2, "", "probability of superiority"
            ),
            Measure("AUCN", "Area under the curve", 0.5, same, same, "linear", 2, "", "area under the curve"),
            Measure("SMCRP", "Standardised mean change", 0.0, same, same, "linear", 2, "", "change over the mean SD"),
            Measure("SMCRPH", "Standardised mean change", 0.0, same, same, "linear", 2, "", "change over the mean SD"),
            Measure("OR2DL", "SMD from odds ratio", 0.0, same, same, "linear", 2, "", "standardised mean difference"),
            Measure("OR2DN", "SMD from odds ratio", 0.0, same, same, "linear", 2, "", "standardised mean difference"),
            Measure("RTET", "Tetrachoric correlation", 0.0, same, same, "linear", 2, "", "tetrachoric correlation"),
            Measure(
                "ZTET", "Tetrachoric correlation", 0.0, fisher_z, np.tanh, "linear", 2, "", "Fisher's z, tetrachoric"
            ),
            Measure("ZPHI", "Phi coefficient", 0.0, fisher_z, np.tanh, "linear", 2, "", "Fisher's z of phi"),
            Measure("MPRR", "Risk ratio", 1.0, log, np.exp, "log", 2, "", "log risk ratio, matched pairs"),
            Measure("MPOR", "Odds ratio", 1.0, log, np.exp, "log", 2, "", "log odds ratio, matched pairs"),
            Measure("MPORC", "Odds ratio", 1.0, log, np.exp, "log", 2, "", "conditional log odds ratio, matched pairs"),
            Measure("MPPETO", "Odds ratio", 1.0, log, np.exp, "log", 2, "", "log odds ratio (Peto), matched pairs"),
            Measure("MPRD", "Risk difference", 0.0, same, same, "linear", 3, "", "risk difference, matched pairs"),
            Measure("PCOR", "Partial correlation", 0.0, same, same, "linear", 2, "", "partial correlation"),
            Measure("ZPCOR", "Partial correlation", 0.0, fisher_z, np.tanh, "linear", 2, "", "Fisher's z, partial"),
            Measure("SPCOR", "Semi-partial correlation", 0.0, same, same, "linear", 2, "", "semi-partial correlation"),
            Measure(
                "ZSPCOR",
                "Semi-partial correlation",
                0.0,
                fisher_z,
                np.tanh,
                "linear",
                2,
                "",
                "Fisher's z, semi-partial",
            ),
            Measure("R2", "R squared", _NAN, same, same, "linear", 2, "", "R squared"),
            Measure("ZR2", "R squared", _NAN, root_fisher_z, squared_tanh, "linear", 2, "", "Fisher's z of R"),
            Measure("ARAW", "Reliability", _NAN, same, same, "linear", 2, "", "coefficient alpha"),
            Measure(
                "AHW",
                "Reliability",
                _NAN,
                hakstian_whalen,
                inverse_hakstian_whalen,
                "linear",
                2,
                "",
                "alpha, cube root",
            ),
            Measure("ABT", "Reliability", _NAN, bonett, inverse_bonett, "linear", 2, "", "alpha, logarithm"),
            Measure("RMST", "Restricted mean survival", _NAN, same, same, "linear", 1, "months", "restricted mean"),
            Measure(
                "RMSTD",
                "Difference in restricted mean survival",
                0.0,
                same,
                same,
                "linear",
                1,
                "months",
                "RMST difference",
            ),
            Measure("SURVLN", "Survival", _NAN, log, np.exp, "percent", 1, "", "log survival"),
            Measure("SURVAS", "Survival", _NAN, arcsine, inverse_arcsine, "percent", 1, "", "arcsine of root survival"),
            Measure("SURVRAW", "Survival", _NAN, same, same, "percent", 1, "", "survival probability"),
            Measure("SURVLO", "Survival", _NAN, special.logit, special.expit, "percent", 1, "", "logit"),
        )
    }
)


def labelled(measure: Measure, label: str | None) -> Measure:
    """Return the measure under another heading; unchanged if there is none."""
    return replace(measure, label=label) if label else measure


def measure_named(key: str | Measure | None) -> Measure:
    """Look a measure up by its key; a ``Measure`` passes through and None is a plain effect.

    Raises
    ------
    OptionError
        If there is no such measure; the message lists those there are.
    """
    if isinstance(key, Measure):
        return key
    if key is None:
        return MEASURES["GEN"]
    found = MEASURES.get(key) or MEASURES.get(str(key).upper())
    if found is None:
        raise OptionError(f"measure {key!r} is unknown. Choose one of: {', '.join(MEASURES)}.")
    return found
