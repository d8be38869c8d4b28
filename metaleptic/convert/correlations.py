"""Correlation coefficients."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.convert.by_kernel import Column, effects_of, measure_key, read_columns
from metaleptic.measures import MEASURES
from metaleptic.types import Effects, FloatArray

Pair = tuple[FloatArray, FloatArray]


def raw(r: FloatArray, n: FloatArray) -> Pair:
    """Return r and (1 - r^2)^2 / (n - 1)."""
    return r, (1 - r**2) ** 2 / (n - 1)


def unbiased(r: FloatArray, n: FloatArray) -> Pair:
    """Return the unbiased estimate of the correlation. Olkin I, Pratt JW. Ann Math Stat 1958;29:201-211."""
    u = r * special.hyp2f1(0.5, 0.5, (n - 2) / 2, 1 - r**2)
    return u, (1 - u**2) ** 2 / (n - 1)


def fisher(r: FloatArray, n: FloatArray) -> Pair:
    """Return Fisher's z and 1 / (n - 3). Fisher RA. Metron 1921;1:3-32."""
    with np.errstate(divide="ignore"):
        return np.arctanh(r), 1 / np.where(n > 3, n - 3, np.nan)


KERNELS: MappingProxyType[str, Callable[[FloatArray, FloatArray], Pair]] = MappingProxyType(
    {"ZCOR": fisher, "COR": raw, "UCOR": unbiased}
)


def correlations(
    data: Any,
    *,
    r: str | None = None,
    n: str | None = None,
    measure: str = "ZCOR",
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
    columns = {
        "r": Column(r, "the correlation", least=-1, most=1),
        "n": Column(n, "the number of patients", least=2, whole=True),
    }
    read = read_columns(data, columns, study, sheet)
    y, v = kernel(read.values["r"], read.values["n"])
    reason = "a correlation or number of patients is not printed, or Fisher's z does not exist (r of 1, fewer than 4 patients)"
    how = f"{MEASURES[measure].scale} from r and n"
    return effects_of(read, measure, y, v, how, reason, n=read.values["n"], label=label, level=level)
