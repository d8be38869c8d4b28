"""Correlation coefficients."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.convert.by_kernel import Column, effects_of, measure_key, read_columns
from metaleptic.convert.change_kernels import gauss_series, unbiased_correlation
from metaleptic.convert.mean_kernels import weighted_mean
from metaleptic.errors import OptionError
from metaleptic.measures import MEASURES
from metaleptic.types import Effects, FloatArray

Pair = tuple[FloatArray, FloatArray]


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
    measure: str = "ZCOR",
    variance: str = "LS",
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn correlation coefficients and numbers of patients into effects to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    r, n : str, optional
        Columns with the correlation and the number of patients.
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
        If a correlation lies outside -1 to 1 or n is below 2.

    Notes
    -----
    Sources: Fisher RA. Metron 1921;1:3-32; Olkin I, Pratt JW. Ann Math Stat 1958;29:201-211.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.correlations({"study": ["A"], "r": [0.55], "n": [50]}).y.round(4)
    array([0.6184])
    """
    kernel = KERNELS[measure_key(measure, KERNELS)]
    if variance not in VARIANCES[measure]:
        raise OptionError(
            f"variance {variance!r} is unknown for measure {measure!r}. Choose one of: {', '.join(VARIANCES[measure])}."
        )
    columns = {
        "r": Column(r, "the correlation", least=-1, most=1),
        "n": Column(n, "the number of patients", least=2, whole=True),
    }
    read = read_columns(data, columns, study, sheet)
    y, v = kernel(read.values["r"], read.values["n"], variance)
    reason = "a correlation or number of patients is not printed, or Fisher's z does not exist (r of 1, fewer than 4 patients)"
    how = f"{MEASURES[measure].scale} from r and n"
    return effects_of(read, measure, y, v, how, reason, n=read.values["n"], label=label, level=level)
