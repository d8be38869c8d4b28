"""Correlation coefficients."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.convert.by_kernel import Column, effects_of, measure_key, read_columns
from metaleptic.convert.change_kernels import gauss_series, unbiased_correlation
from metaleptic.convert.mean_kernels import weighted_mean
from metaleptic.errors import DataError, OptionError
from metaleptic.frames import read_table, where
from metaleptic.measures import MEASURES
from metaleptic.types import Effects, FloatArray

Pair = tuple[FloatArray, FloatArray]

P_VALUE = "the p value (with a minus sign where the correlation is negative)"


def _large_sample(estimate: FloatArray, n: FloatArray, variance: str) -> FloatArray:
    """Return (1 - rho^2)^2 / (n - 1); ``AV`` takes the mean over the studies, weighted by n, for rho."""
    rho = weighted_mean(estimate, n) if variance == "AV" else estimate
    return np.asarray((1 - rho**2) ** 2 / (n - 1))


def raw(r: FloatArray, n: FloatArray, variance: str) -> Pair:
    """Return the correlation itself."""
    return r, _large_sample(r, n, variance)


def unbiased(r: FloatArray, n: FloatArray, variance: str) -> Pair:
    """Return the unbiased estimate of the correlation. Olkin I, Pratt JW. Ann Math Stat 1958;29:201-211.

    ``UB`` is the unbiased estimate of its variance, by the same authors' series.
    """
    u = unbiased_correlation(r, n)
    if variance == "UB":
        rest = 1 - r**2
        return u, u**2 - 1 + (n - 3) / (n - 2) * rest * gauss_series(1.0, 1.0, n / 2, rest)
    return u, _large_sample(u, n, variance)


def fisher(r: FloatArray, n: FloatArray, variance: str) -> Pair:
    """Return Fisher's z and 1 / (n - 3). Fisher RA. Metron 1921;1:3-32."""
    del variance
    with np.errstate(divide="ignore"):
        return np.arctanh(r), 1 / np.where(n > 3, n - 3, np.nan)


KERNELS: MappingProxyType[str, Callable[..., Pair]] = MappingProxyType({"ZCOR": fisher, "COR": raw, "UCOR": unbiased})
VARIANCES = MappingProxyType({"ZCOR": ("LS",), "COR": ("LS", "AV"), "UCOR": ("LS", "UB", "AV")})


def correlations(
    data: Any,
    *,
    r: str | None = None,
    n: str | None = None,
    t: str | None = None,
    p: str | None = None,
    measure: str = "ZCOR",
    variance: str = "LS",
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn correlation coefficients, or their tests, and numbers of patients into effects to pool.

    Per row the best route is taken and named in ``effects.how``: the correlation; its t statistic; its p value.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    r, n : str, optional
        Columns with the correlation and the number of patients.
    t : str, optional
        Column with the t statistic of the correlation (n - 2 degrees of freedom), or of the slope of a regression on one
        variable.
    p : str, optional
        Column with the two-sided p value of that test; write it with a minus sign where the correlation is negative.
    measure : {"ZCOR", "COR", "UCOR"}, default "ZCOR"
        Fisher's z (printed as a correlation again), the correlation itself, or its unbiased estimate.
    variance : str, default "LS"
        Formula of the variance: "LS" large-sample; for COR and UCOR "AV" with the correlation averaged over the studies; for
        UCOR "UB" unbiased.
    study, label, level, sheet
        As in ``ml.means``.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        If a correlation lies outside -1 to 1, n is below 2, or a p value is 0 or beyond 1.

    Notes
    -----
    From its test the correlation is t / sqrt(t^2 + n - 2). Sources: Fisher RA. Metron 1921;1:3-32; Olkin I, Pratt JW. Ann
    Math Stat 1958;29:201-211; Rosenthal R, in Cooper H, Hedges LV (eds), The Handbook of Research Synthesis, 1994, chapter 16 (t, p).

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.correlations({"study": ["A"], "r": [0.55], "n": [50]}).y.round(4)
    array([0.6184])
    """
    measure = measure_key(measure, KERNELS)
    kernel = KERNELS[measure]
    if variance not in VARIANCES[measure]:
        raise OptionError(
            f"variance {variance!r} is unknown for measure {measure!r}. Choose one of: {', '.join(VARIANCES[measure])}."
        )
    table = read_table(data, sheet=sheet)
    tested = any(name is not None or key in table.columns for key, name in (("t", t), ("p", p)))
    columns = {
        "r": Column(r, "the correlation", least=-1, most=1, needed=not tested),
        "n": Column(n, "the number of patients", least=2, whole=True),
        "t": Column(t, "the t statistic", needed=False),
        "p": Column(p, P_VALUE, least=-1, most=1, needed=False),
    }
    read = read_columns(table, columns, study, sheet)
    x = read.values
    for i in np.flatnonzero(x["p"] == 0).tolist():
        raise DataError(f"{where(read.names[i], i + 1)}: a p value is above 0. Write the statistic it came from.")
    with np.errstate(divide="ignore", invalid="ignore"):
        from_p = -np.sign(x["p"]) * special.stdtrit(x["n"] - 2, np.abs(x["p"]) / 2)
        value, how = x["r"], np.where(np.isnan(x["r"]), "", "r")
        for tested_by, words in ((x["t"], "its t statistic"), (from_p, "its p value")):
            by_test = tested_by / np.sqrt(tested_by**2 + x["n"] - 2)
            how = np.where(np.isnan(value) & np.isfinite(by_test), words, how)
            value = np.where(np.isnan(value), by_test, value)
    y, v = kernel(value, x["n"], variance)
    reason = "a correlation or number of patients is not printed, or Fisher's z does not exist (r of 1, fewer than 4 patients)"
    hows = [f"{MEASURES[measure].scale} from {words} and n" for words in how.tolist()]
    return effects_of(read, measure, y, v, hows, reason, n=x["n"], label=label, level=level)
