"""Means and SDs of two groups, of one group measured twice, and of one group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metaleptic.convert.by_kernel import Column, effects_of, measure_key, read_columns
from metaleptic.convert.change_kernels import ONE_GROUP, PAIRED
from metaleptic.convert.group_means import read_groups
from metaleptic.convert.mean_kernels import TWO_GROUPS, Kernel, Pair
from metaleptic.errors import OptionError
from metaleptic.measures import MEASURES
from metaleptic.types import Effects, FloatArray

INCOMPLETE = (
    "a mean, SD or number of patients is not printed and does not follow from an SE, an interval or quantiles, or the formula has "
    "no value for them (a ratio needs means above 0)"
)


def means(
    data: Any,
    *,
    measure: str = "MD",
    mean1: str | None = None,
    sd1: str | None = None,
    n1: str | None = None,
    mean2: str | None = None,
    sd2: str | None = None,
    n2: str | None = None,
    columns: Mapping[str, str] | None = None,
    quantiles: str = "luo-wan-shi",
    spread: str = "sd",
    variance: str | None = None,
    correct: bool = True,
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn means and SDs of two groups into mean differences, standardised differences or ratios to pool.

    Row by row a missing SD is worked out from the standard error or the interval of the mean, and a missing mean and SD from the
    median with quartiles, extremes or both; ``effects.how`` names what was done.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    measure : str, default "MD"
        ``"MD"`` mean difference; ``"SMD"`` Hedges' g (exact correction), ``"SMDH"`` standardised by the root mean square of
        both SDs, ``"SMD1"`` and ``"SMD1H"`` Glass' delta by the SD of group 2 (H: unequal SDs); ``"ROM"`` ratio of means;
        ``"CVR"`` ratio of coefficients of variation; ``"VR"`` ratio of SDs. Means as other measures: ``"D2OR"`` (logistic,
        also ``"D2ORL"``) and ``"D2ORN"`` (normal) log odds ratio; ``"RPB"``, ``"ZPB"``, ``"RBIS"``, ``"ZBIS"`` correlations of
        group and outcome; ``"CLESN"``, also ``"AUCN"``, chance that a patient of group 1 lies above one of group 2.
        ``"MD-equal-SDs"`` and ``"SMD-unbiased"`` are MD with ``variance="HO"`` and SMD with ``variance="UB"``.
    mean1, sd1, n1 : str, optional
        Columns of the group of interest; columns of these very names by default.
    mean2, sd2, n2 : str, optional
        Columns of the control group.
    columns : mapping, optional
        Names of the further columns where they differ: of "se1", "low1" and "high1" (interval of the mean at ``level``),
        "median1", "q1_1", "q3_1", "min1", "max1", and the same of group 2.
    quantiles : str, default "luo-wan-shi"
        Way from median and quantiles to mean and SD: one of ``conversions.QUANTILE_METHODS``.
    spread : {"sd", "se"}, default "sd"
        Whether ``sd1`` and ``sd2`` hold standard deviations or standard errors of the means.
    variance : str, optional
        Formula of the variance, by metafor's names: "LS" large-sample (the default), "LS2" second-order, "UB" unbiased, "HO"
        one SD in both groups, "AV" averaged over the studies, "ST" and "CS" for correlations (group sizes fixed, or left to
        chance). Which a measure knows, an error message lists.
    correct : bool, default True
        Take the small-sample bias from standardised differences and log ratios.
    study : str, optional
        Column with the study names; "study" by default.
    label : str, optional
        What is measured, for headings.
    level : float, default 0.95
        Level of the study intervals.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    Effects
        Ratios as logarithms, differences as they are.

    Raises
    ------
    DataError
        If an SD is not above 0 or a group has fewer than 2 patients.
    OptionError
        If the measure is unknown.

    Notes
    -----
    Sources: Hedges LV. J Educ Stat 1981;6:107-128; Bonett DG. Psychol Methods 2008;13:99-109; Hedges LV et al. Ecology
    1999;80:1150-1156; Senior AM et al. Res Synth Methods 2020;11:553-567. Signs: group 1 minus group 2.

    Examples
    --------
    >>> import metaleptic as ml
    >>> t = {"study": ["A"], "mean1": [10.2], "sd1": [2.1], "n1": [20], "mean2": [9.1], "sd2": [2.5], "n2": [22]}
    >>> ml.means(t, measure="SMD").y.round(4)
    array([0.4655])
    """
    asked, variance = _ALIASES.get(measure, (measure, variance))
    key = measure_key(asked, TWO_GROUPS)
    kernel = TWO_GROUPS[key]
    arms = {"1": (mean1, sd1, n1), "2": (mean2, sd2, n2)}
    read, groups, how = read_groups(data, arms, columns, quantiles, spread, study, level, sheet)
    y, v = _evaluate(kernel, (*groups["1"], *groups["2"]), variance, correct)
    both = np.stack([*groups["1"], *groups["2"]], axis=-1)
    hows = [_how(key, spread) + words for words in how]
    size = both[:, 2] + both[:, 5]
    return effects_of(read, key, y, v, hows, INCOMPLETE, n=size, groups=both, label=label, level=level)


def paired_means(
    data: Any,
    *,
    measure: str = "MC",
    mean1: str | None = None,
    sd1: str | None = None,
    mean2: str | None = None,
    sd2: str | None = None,
    n: str | None = None,
    r: str | float | None = None,
    variance: str | None = None,
    correct: bool = True,
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn means and SDs of the same patients at two times into changes to pool.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    measure : str, default "MC"
        ``"MC"`` mean change; ``"SMCC"`` standardised by the SD of the changes, ``"SMCR"`` by the first SD, ``"SMCRH"`` the same
        with unequal SDs, ``"SMCRP"`` and ``"SMCRPH"`` by the root mean square of both SDs; ``"ROMC"``, ``"CVRC"``, ``"VRC"`` ratios of means, coefficients of variation and SDs.
    mean1, sd1, mean2, sd2, n : str, optional
        Columns of the two measurements and the number of patients.
    r : str or float, optional
        Column with the correlation of the two measurements, or one value for all studies (then vary it: papers rarely
        print it, and the result depends on it).
    variance, correct, study, label, level, sheet
        As in ``ml.means``.

    Returns
    -------
    Effects
        First minus second measurement.

    Raises
    ------
    DataError
        If an SD is not above 0, n below 2 or a correlation outside -1 to 1.

    Notes
    -----
    Sources: Gibbons RD et al. J Educ Stat 1993;18:271-279; Becker BJ. Br J Math Stat Psychol 1988;41:257-278;
    Lajeunesse MJ. Ecology 2011;92:2049-2055.

    Examples
    --------
    >>> import metaleptic as ml
    >>> t = {"study": ["A"], "mean1": [10.2], "sd1": [2.1], "mean2": [9.1], "sd2": [2.5], "n": [20]}
    >>> ml.paired_means(t, r=0.5, measure="SMCC").y.round(3)
    array([0.454])
    """
    measure = measure_key(measure, PAIRED)
    kernel = PAIRED[measure]
    columns = {
        "mean1": Column(mean1, "the first mean"),
        "sd1": Column(sd1, "the first SD", above=0),
        "mean2": Column(mean2, "the second mean"),
        "sd2": Column(sd2, "the second SD", above=0),
        "n": Column(n, "the number of patients", least=2, whole=True),
    }
    fixed = isinstance(r, int | float)
    if not fixed:
        columns["r"] = Column(
            r if isinstance(r, str) else None, "the correlation of the measurements", least=-1, most=1
        )
    elif not -1 <= float(r) <= 1:  # type: ignore[arg-type]
        raise OptionError(f"a correlation of {r} is impossible: give a value from -1 to 1.")
    read = read_columns(data, columns, study, sheet)
    x = read.values
    correlation = np.full(len(read.names), float(r)) if fixed else x["r"]  # type: ignore[arg-type]
    y, v = _evaluate(kernel, (x["mean1"], x["sd1"], x["mean2"], x["sd2"], x["n"], correlation), variance, correct)
    how = f"{MEASURES[measure].scale} of paired means" + (f", correlation {r:g} assumed" if fixed else "")
    return effects_of(read, measure, y, v, how, INCOMPLETE, n=x["n"], label=label, level=level)


def single_means(
    data: Any,
    *,
    measure: str = "MN",
    mean: str | None = None,
    sd: str | None = None,
    n: str | None = None,
    columns: Mapping[str, str] | None = None,
    quantiles: str = "luo-wan-shi",
    spread: str = "sd",
    variance: str | None = None,
    correct: bool = True,
    study: str | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn the mean and SD of a single group into means, log means or measures of spread to pool.

    What is not printed is worked out row by row, as in ``ml.means``.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per study.
    measure : str, default "MN"
        ``"MN"`` mean; ``"MNLN"`` log mean; ``"SMN"`` mean over SD; ``"CVLN"`` log coefficient of variation; ``"SDLN"`` log SD.
    mean, sd, n : str, optional
        Columns.
    columns, quantiles
        As in ``ml.means``, for "se", "low", "high", "median", "q1", "q3", "min", "max".
    spread : {"sd", "se"}, default "sd"
        Whether ``sd`` holds standard deviations or standard errors of the mean.
    variance, correct, study, label, level, sheet
        As in ``ml.means``.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        If an SD is not above 0 or n below 2.

    Notes
    -----
    Source of the measures of spread: Nakagawa S et al. Methods Ecol Evol 2015;6:143-152.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.single_means({"study": ["A"], "mean": [10.2], "sd": [2.1], "n": [20]}).v.round(4)
    array([0.2205])
    """
    measure = measure_key(measure, ONE_GROUP)
    kernel = ONE_GROUP[measure]
    read, groups, how = read_groups(data, {"": (mean, sd, n)}, columns, quantiles, spread, study, level, sheet)
    y, v = _evaluate(kernel, groups[""], variance, correct)
    hows = [_how(measure, spread) + words for words in how]
    return effects_of(read, measure, y, v, hows, INCOMPLETE, n=groups[""][2], label=label, level=level)


_ALIASES = {"MD-equal-SDs": ("MD", "HO"), "SMD-unbiased": ("SMD", "UB")}


def _evaluate(kernel: Kernel, columns: tuple[FloatArray, ...], variance: str | None, correct: bool) -> Pair:
    """Compute effects and variances by the named formula; NaN where a logarithm or a small group allows none."""
    chosen = kernel.variances[0] if variance is None else variance
    if chosen not in kernel.variances:
        raise OptionError(
            f"variance {chosen!r} is unknown for measure {kernel.key!r}. Choose one of: {', '.join(kernel.variances)}."
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        y, v = kernel.function(*columns, chosen, correct)
    usable = np.isfinite(y) & np.isfinite(v)
    return np.where(usable, y, np.nan), np.where(usable, v, np.nan)


def _how(key: str, spread: str) -> str:
    return f"{MEASURES[key].scale} from means and SDs" + (" (SD = SE x root n)" if spread == "se" else "")
