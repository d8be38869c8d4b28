"""Proportions: x of n patients responded.

Sources: Clopper CJ, Pearson ES. Biometrika 1934;26:404-413 (study intervals);
Haldane JBS. Ann Hum Genet 1956;20:309-311 and Anscombe FJ. Biometrika 1956;43:461-464 (the half added at 0 or n).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.convert.assemble import Routes, assemble, check_counts, check_positive, fill_in, open_table
from metaleptic.convert.count_kernels import PROPORTIONS, inverse_freeman_tukey, policy_named
from metaleptic.convert.count_kernels import continuity as continuity_of
from metaleptic.convert.intervals import clopper_pearson, wilson
from metaleptic.convert.printed_effects import SLOPES, WITHOUT_COUNTS, columns_found, offer_printed, read_printed
from metaleptic.convert.units import check_level, doubt_mixed, fractions
from metaleptic.errors import OptionError, SuspiciousDataWarning
from metaleptic.frames import find_column, numbers, rounding, where
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects, FloatArray, Measure
from metaleptic.warn import warn


def proportions(
    data: Any,
    *,
    study: str | None = None,
    events: str | None = None,
    n: str | None = None,
    proportion: str | None = None,
    low: str | None = None,
    high: str | None = None,
    se: str | None = None,
    unit: str = "fraction",
    scale: str = "logit",
    measure: str | None = None,
    continuity: float = 0.5,
    correct: str | None = None,
    interval: str = "clopper-pearson",
    back_transform: str = "sine",
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> Effects:
    """Turn "x of n patients" (or a percentage of n) into proportions to pool.

    The counts are kept, so that ``ml.pool(..., model="binomial-normal")`` can use their exact likelihood;
    for the other models ``y`` is on the chosen scale. Where none or all had the event, half an event and half a
    non-event are added on the scales that need it (not arcsine and Freeman-Tukey), and ``effects.how`` says so.
    Per row the best route is taken and named there: the count; the count that the proportion and n allow; the interval or the
    standard error of the proportion; the proportion and n alone. Rows without a count cannot enter models of counts.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per arm.
    study, events, n : str, optional
        Columns; left out, the columns of these very names are taken if they are there.
    proportion : str, optional
        Column with the proportion where the count is not printed; the count is recovered where exactly
        one whole number of n patients rounds to what is printed.
    low, high, se : str, optional
        Columns with the interval (at ``level``) and standard error of that proportion, for rows without a count.
    unit : {"fraction", "percent"}, default "fraction"
        How ``proportion``, its bounds and its standard error are printed.
    scale : {"logit", "raw", "log", "arcsine", "freeman-tukey", "probit"}, default "logit"
        Scale on which proportions are pooled; metafor's names of them ("PLO", "PR", "PLN", "PAS", "PFT", "PRZ") do as well.
    measure : str, optional
        The same by the name that the other converters give it.
    continuity : float, default 0.5
        Added to events and non-events of studies where none or all had the event; 0 leaves those studies out.
    correct : {"empty", "all", "if any empty", "none"}, optional
        Which studies ``continuity`` is added to, as in ``ml.two_by_two``; by default those in which none or all had the event,
        on the scales that need it.
    interval : {"clopper-pearson", "wilson"}, default "clopper-pearson"
        Interval shown for each study.
    back_transform : {"sine", "harmonic"}, default "sine"
        For Freeman-Tukey: sin(y)^2, or Miller's inverse at the harmonic mean of n. The second can give a pooled
        proportion outside all studies when n differs much: prefer ``model="binomial-normal"``.
    label : str, optional
        What is counted, for headings ("Response rate").
    level : float, default 0.95
        Level of the study intervals.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    Effects
        ``y`` is the proportion on its scale (the logit by default, ``v`` = 1/x + 1/(n - x)).

    Raises
    ------
    DataError
        If a count is negative, not whole or larger than n, or n is 0.

    Notes
    -----
    Study intervals: Clopper CJ, Pearson ES. Biometrika 1934;26:404-413; Wilson EB. J Am Stat Assoc 1927;22:209-212. The
    trouble of the Freeman-Tukey back-transformation: Schwarzer G et al. Res Synth Methods 2019;10:476-483.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.proportions({"study": ["Trifanescu", "Kumthekar"], "events": [5, 5], "n": [7, 26]})
    >>> e.y.round(3)
    array([ 0.916, -1.435])
    """
    check_level(level)
    key = _key(scale, measure)
    shown = _one_of("interval", interval, INTERVALS)
    kind = _measure(key, back_transform)
    table, names = open_table(data, study, sheet)
    proportion = find_column(table, proportion, "proportion")
    low, high, se = columns_found(table, (None, low, high, se))[1:]
    events = find_column(table, events, "events", needed_for=None if proportion else "the number of events")
    unsized = proportion is not None and (se is not None or (low is not None and high is not None))
    n = find_column(table, n, "n", needed_for=None if unsized else "the number of patients")
    x, size = numbers(table, events, names), numbers(table, n, names)
    check_positive(names, size, n, "a number of patients")
    check_counts(names, x, size, (events, n))
    reasons = [f"no number of events or patients: {fill_in(events, proportion, n)}"] * len(table)
    words_of = f"{kind.scale} of the counts"
    how = [words_of] * len(table)
    share, fits = np.full(len(table), np.nan), [""] * len(table)
    if proportion is not None:
        printed = fractions(table, proportion, unit, names)
        doubt_mixed(printed, proportion, unit, names)
        share = printed
        half = rounding(table, proportion) / (100.0 if unit == "percent" else 1.0)
        for i in np.flatnonzero(np.abs(x / size - printed) > half + 1e-9).tolist():
            warn(
                SuspiciousDataWarning,
                f"{where(names[i], i + 1)}: {events} {x[i]:g} of {n} {size[i]:g} is {100 * x[i] / size[i]:.1f}%, "
                f"but '{proportion}' prints {100 * printed[i]:g}%. The counts are used; check them against the paper.",
            )
        for i in np.flatnonzero(np.isnan(x) & np.isfinite(printed * size)).tolist():
            first = np.ceil((printed[i] - half[i]) * size[i] - 1e-9)
            last = np.floor((printed[i] + half[i]) * size[i] + 1e-9)
            if first == last:
                x[i], how[i] = (
                    first,
                    f"{words_of}, recovered from the printed proportion ({first:g}/{size[i]:g})",
                )
            elif first > last:
                reasons[i] = f"no whole number of {size[i]:g} patients gives the printed proportion"
                fits[i] = "none"
            else:
                fits[i] = f"{first:g} to {last:g} events of {size[i]:g} give it"
    edge = (x == 0) | (x == size)
    policy = policy_named(key, correct)
    add = continuity_of(policy, continuity, edge)
    with np.errstate(divide="ignore", invalid="ignore"):
        y, v = PROPORTIONS[key](x + add, size + 2 * add)
        error = np.sqrt(v)
        bounds = [MEASURES[key].to_analysis(np.clip(b, 0, 1)) for b in shown(x, size, level)]
    if back_transform == "harmonic":
        kind = _harmonic(kind, size)
    why = "none or all had the event" if policy == "empty" else f"correct = {policy}"
    how = [h + (f" with {_half(continuity)} added ({why})" if add[i] else "") for i, h in enumerate(how)]
    reasons = [
        "none or all had the event: no value on this scale without a correction"
        if edge[i] and not (np.isfinite(v[i]) and v[i] > 0)
        else r
        for i, r in enumerate(reasons)
    ]
    routes = Routes(len(table))
    for words in dict.fromkeys(how):
        routes.offer(y, np.where([h == words for h in how], error, np.nan), words)
    if proportion is not None:
        stated = read_printed(table, names, (proportion, low, high, se), 100.0 if unit == "percent" else 1.0)
        uncounted = np.isnan(x) & np.isfinite(share)
        with np.errstate(divide="ignore", invalid="ignore"):
            given = stated.se * SLOPES[key](share)
            ends = offer_printed(routes, kind, stated, given, uncounted, level)
            rough, spread = PROPORTIONS[key](share * size, size)
        bounds = [np.where(uncounted, b, a) for a, b in zip(bounds, ends, strict=True)]
        for words in dict.fromkeys(fits):
            mine = uncounted & np.array([f == words and f not in ("", "none") for f in fits])
            told = f"{kind.scale} {WITHOUT_COUNTS}, from the proportion and n ({words})"
            routes.offer(np.where(mine, rough, np.nan), np.sqrt(spread), told)
    return assemble(
        table,
        names,
        labelled(kind, label),
        routes,
        reasons,
        n=size,
        events=x,
        low=bounds[0],
        high=bounds[1],
        level=level,
    )


SCALES = MappingProxyType(
    {"logit": "PLO", "raw": "PR", "log": "PLN", "arcsine": "PAS", "freeman-tukey": "PFT", "probit": "PRZ"}
)
INTERVALS = MappingProxyType({"clopper-pearson": clopper_pearson, "wilson": wilson})


def _one_of(option: str, value: str, choices: Mapping[str, Any]) -> Any:
    if value not in choices:
        raise OptionError(f"{option} {value!r} is unknown. Choose one of: {', '.join(choices)}.")
    return choices[value]


def _key(scale: str, measure: str | None) -> str:
    """Return metafor's name of the scale, given as ours or as that, in either option."""
    if measure is not None and scale != "logit":
        raise OptionError(f"scale {scale!r} and measure {measure!r} both say the scale. Give one of them.")
    option, asked = ("scale", scale) if measure is None else ("measure", measure)
    if asked.upper() in SCALES.values():
        return asked.upper()
    return str(_one_of(option, asked, SCALES))


def _measure(key: str, back_transform: str) -> Measure:
    if back_transform not in ("sine", "harmonic"):
        raise OptionError(f'back_transform {back_transform!r} is unknown. Choose "sine" or "harmonic".')
    if back_transform == "harmonic" and key != "PFT":
        raise OptionError('back_transform="harmonic" belongs to scale="freeman-tukey".')
    return MEASURES[key]


def _harmonic(measure: Measure, n: FloatArray) -> Measure:
    """Return the Freeman-Tukey measure whose way back uses the harmonic mean of n."""
    mean = float(1 / np.nanmean(1 / n))
    return replace(measure, to_printed=lambda y: inverse_freeman_tukey(np.asarray(y, dtype=np.float64), mean))


def _half(amount: float) -> str:
    return "1/2" if amount == 0.5 else f"{amount:g}"
