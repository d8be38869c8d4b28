"""Words and numbers of a plot: estimates, intervals, p values and model names in the style's own typography."""

from __future__ import annotations

import numpy as np

from metaleptic.plots.styles import Style
from metaleptic.pooling.result import Pooled, format_p
from metaleptic.types import Interval, Measure, Result

_MODELS = {
    "random": "Random effects",
    "common": "Common effect",
    "binomial-normal": "Random effects",
    "pooled-counts": "Common proportion",
}
_TESTS = {"knapp-hartung": "HKSJ", "adhoc": "HKSJ, not narrower than z", "t": "t", "exact": "exact", "z": ""}
INTERVALS = {"confidence": "CI", "credible": "CrI", "prediction": "PI"}
MISSING = "–"


def number(value: float, measure: Measure) -> str:
    """Write one number as a column shows it: no percent sign (the heading has it), "NR" for not reached.

    Ratios and times too small for their decimals keep two digits, those in the thousands have no decimals.
    """
    if measure.axis == "log" and np.isfinite(value):
        if 0 < value < 0.5 * 10.0**-measure.digits:
            return short(value)
        if value >= 1000:
            return f"{value:.0f}"
    return "NR" if np.isposinf(value) else measure.format(value).removesuffix("%")


def interval(low: float, high: float, measure: Measure, style: Style) -> str:
    """Write an interval in brackets, "(0.50 to 1.01)"."""
    dash = style.separator == "–"
    ambiguous = dash and (min(low, high) < 0 or np.isinf(low))
    left, right = style.brackets
    return f"{left}{number(low, measure)}{' to ' if ambiguous else style.separator}{number(high, measure)}{right}"


def with_interval(value: float, low: float, high: float, measure: Measure, style: Style) -> str:
    """Write an estimate with its interval, "0.71 (0.50 to 1.01)"."""
    if np.isnan(low) and np.isnan(high):
        return number(value, measure)
    return f"{number(value, measure)} {interval(low, high, measure, style)}"


def p_value(p: float, style: Style) -> str:
    """Write a p value with its symbol, "P = 0.031"."""
    words = format_p(p)
    return f"{style.p} {words if style.leading_zero else words.replace(' 0.', ' .')}"


def short(value: float) -> str:
    """Write a number with two significant digits and no exponent ("0.014", "0" for nothing, "120")."""
    if abs(value) < 5e-5:
        return "0" if value == 0 else "< 0.0001"
    return np.format_float_positional(float(f"{value:.2g}"), trim="-")


def level(estimate: Interval) -> str:
    """Write a level without its percent sign ("95")."""
    return f"{100 * estimate.level:g}"


def model_name(result: Result) -> str:
    """Name the model as a row label, "Random effects (REML, HKSJ)"."""
    fit = getattr(result, "overall", result)
    if not isinstance(fit, Pooled):
        name = result.method.split(":")[0].strip()
        return name[:1].upper() + name[1:]
    how = ", ".join(x for x in (fit.tau2_method, _TESTS.get(fit.test, fit.test)) if x)
    name = _MODELS.get(fit.model, fit.model)
    return f"{name} ({how})" if how else name


def plural(k: int) -> str:
    """Write a number of studies."""
    return "1 study" if k == 1 else f"{k} studies"
