"""Numbers from regressions and scales: partial correlations, squared multiple correlations, reliabilities.

Sources: Aloe AM, Thompson CG. J Soc Social Work Res 2013;4:390-405; Aloe AM, Becker BJ. J Educ Behav Stat 2012;37:278-297;
Bonett DG. J Educ Behav Stat 2002;27:335-340 and Psychol Methods 2010;15:368-385; Hakstian AR, Whalen TE. Psychometrika
1976;41:219-231; Olkin I, Finn JD. Psychol Bull 1995;118:155-164.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.convert.by_kernel import Column, effects_of, measure_key, read_columns
from metaleptic.measures import MEASURES
from metaleptic.types import Effects, FloatArray

Pair = tuple[FloatArray, FloatArray]

PARTIAL = ("ZPCOR", "PCOR", "ZSPCOR", "SPCOR")
EXPLAINED = ("ZR2", "R2")
RELIABILITY = ("ABT", "ARAW", "AHW")


def partial(measure: str, t: FloatArray, n: FloatArray, m: FloatArray, r2: FloatArray) -> Pair:
    """Return a partial or semi-partial correlation from a t statistic, n, m predictors and the model's R squared."""
    df = n - m - 1
    if measure.endswith("SPCOR"):
        r = t * np.sqrt(1 - r2) / np.sqrt(df)
        v = (r2**2 - 2 * r2 + (r2 - r**2) + 1 - (r2 - r**2) ** 2) / n
        return (np.arctanh(r), v / (1 - r**2) ** 2) if measure == "ZSPCOR" else (r, v)
    r = t / np.sqrt(t**2 + df)
    return (np.arctanh(r), 1 / (df - 1)) if measure == "ZPCOR" else (r, (1 - r**2) ** 2 / (n - m))


def partial_correlations(
    data: Any,
    *,
    measure: str = "ZPCOR",
    t: str | None = None,
    n: str | None = None,
    predictors: str | None = None,
    r2: str | None = None,
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn t statistics of regression coefficients into partial or semi-partial correlations to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    measure : {"ZPCOR", "PCOR", "ZSPCOR", "SPCOR"}, default "ZPCOR"
        Partial correlation as Fisher's z or as it is; semi-partial correlation likewise.
    t, n, predictors : str, optional
        Columns with the t statistic, the number of patients, and the number of predictors in the model.
    r2 : str, optional
        Column with the R squared of the model, for the semi-partial correlation.
    study, label, level, sheet
        As in ``ml.means``.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        If a number cannot be right.

    Notes
    -----
    Only studies that adjust for the same predictors estimate the same quantity. Sources: Aloe AM, Thompson CG. J Soc Social
    Work Res 2013;4:390-405; Aloe AM, Becker BJ. J Educ Behav Stat 2012;37:278-297.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.partial_correlations({"study": ["A"], "t": [3.0], "n": [50], "predictors": [4]}).y.round(4)
    array([0.4335])
    """
    measure = measure_key(measure, dict.fromkeys(PARTIAL))
    columns = {
        "t": Column(t, "the t statistic"),
        "n": Column(n, "the number of patients", least=3, whole=True),
        "predictors": Column(predictors, "the number of predictors", least=1, whole=True),
    }
    semi = measure.endswith("SPCOR")
    if semi:
        columns["r2"] = Column(r2, "R squared", least=0, most=1)
    read = read_columns(data, columns, study, sheet)
    x = read.values
    with np.errstate(divide="ignore", invalid="ignore"):
        y, v = partial(measure, x["t"], x["n"], x["predictors"], x["r2"] if semi else np.full_like(x["t"], np.nan))
    how = f"{MEASURES[measure].scale} from t, n and the number of predictors"
    reason = "a number is not printed, or there are too few patients for so many predictors"
    return effects_of(read, measure, y, v, how, reason, n=x["n"], label=label, level=level)


def squared_correlations(
    data: Any,
    *,
    measure: str = "ZR2",
    r2: str | None = None,
    n: str | None = None,
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn the R squared of regressions into effects to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    measure : {"ZR2", "R2"}, default "ZR2"
        Fisher's z of the multiple correlation (printed as R squared again), or R squared itself.
    r2, n : str, optional
        Columns with R squared and the number of patients.
    study, label, level, sheet
        As in ``ml.means``.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        If R squared lies outside 0 to 1.

    Notes
    -----
    R squared of few patients and many predictors is too high; neither measure mends that. Source: Olkin I, Finn JD. Psychol
    Bull 1995;118:155-164.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.squared_correlations({"study": ["A"], "r2": [0.2], "n": [20]}).y.round(4)
    array([0.4812])
    """
    measure = measure_key(measure, dict.fromkeys(EXPLAINED))
    columns = {
        "r2": Column(r2, "R squared", least=0, most=1),
        "n": Column(n, "the number of patients", least=2, whole=True),
    }
    read = read_columns(data, columns, study, sheet)
    share, size = read.values["r2"], read.values["n"]
    y = MEASURES[measure].to_analysis(share)
    v = 1 / size if measure == "ZR2" else 4 * share * (1 - share) ** 2 / size
    reason = "R squared or the number of patients is not printed, or R squared is 0 or 1"
    how = f"{MEASURES[measure].scale} from R squared and n"
    return effects_of(read, measure, y, v, how, reason, n=size, label=label, level=level)


def reliabilities(
    data: Any,
    *,
    measure: str = "ABT",
    alpha: str | None = None,
    items: str | None = None,
    n: str | None = None,
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn Cronbach's alpha of questionnaires into effects to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    measure : {"ABT", "ARAW", "AHW"}, default "ABT"
        Alpha on Bonett's logarithmic scale, as it is, or on Hakstian and Whalen's cube-root scale; printed as alpha.
    alpha, items, n : str, optional
        Columns with alpha, the number of items of the questionnaire and the number of patients.
    study, label, level, sheet
        As in ``ml.means``.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        If alpha is above 1, there is but one item, or n is below 3.

    Notes
    -----
    Sources: Bonett DG. J Educ Behav Stat 2002;27:335-340; Hakstian AR, Whalen TE. Psychometrika 1976;41:219-231.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.reliabilities({"study": ["A"], "alpha": [0.8], "items": [10], "n": [35]}).y.round(4)
    array([1.6094])
    """
    measure = measure_key(measure, dict.fromkeys(RELIABILITY))
    columns = {
        "alpha": Column(alpha, "alpha", most=1),
        "items": Column(items, "the number of items", least=2, whole=True),
        "n": Column(n, "the number of patients", least=3, whole=True),
    }
    read = read_columns(data, columns, study, sheet)
    x = read.values
    a, m, n_ = x["alpha"], x["items"], x["n"]
    v = {
        "ABT": 2 * m / ((m - 1) * (n_ - 2)),
        "ARAW": 2 * m * (1 - a) ** 2 / ((m - 1) * (n_ - 2)),
        "AHW": 18 * m * (n_ - 1) * np.cbrt(1 - a) ** 2 / ((m - 1) * (9 * n_ - 11) ** 2),
    }[measure]
    how = f"{MEASURES[measure].scale} from alpha, items and n"
    reason = "alpha, the number of items or of patients is not printed, or alpha is 1"
    return effects_of(read, measure, MEASURES[measure].to_analysis(a), v, how, reason, n=n_, label=label, level=level)
