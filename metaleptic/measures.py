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
            Measure("MEDIAN", "Median survival", _NAN, log, np.exp, "log", 1, "months", "log median"),
            Measure("PLO", "Proportion", _NAN, special.logit, special.expit, "percent", 1, "", "logit"),
            Measure("SURV", "Survival", _NAN, cloglog, inverse_cloglog, "percent", 1, "", "complementary log-log"),
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
    if key not in MEASURES:
        raise OptionError(f"measure {key!r} is unknown. Choose one of: {', '.join(MEASURES)}.")
    return MEASURES[key]
