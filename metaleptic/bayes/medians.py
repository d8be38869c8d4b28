"""The verb ``pool_bayes_medians``: median survival times pooled by what they say, "not reached" included.

Each study's likelihood of its true median M, theta = log M:

- both bounds printed: the implied likelihood of the interval, one width to either side of the median;
- no upper bound (or none at all): of n patients half had died at the printed median m, each of whom survives m with
  probability S = 2^-((m / M)^shape): (1 - S)^(n/2) S^(n/2); n is the one that gives the printed lower bound, else the number
  of events, else of patients;
- median not reached: d of n patients had died by the end of follow-up f: (1 - S)^d S^(n - d) with S taken at f.

Sources: Efron B. Biometrika 1993;80:3-26 (implied likelihood of an interval); Brookmeyer R, Crowley J. Biometrics
1982;38:29-41 (the sign test behind the interval of a median).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.default_priors import default_prior
from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.exact_models import ExactModel, LatentBayes, describe_latent
from metaleptic.bayes.latent import latent
from metaleptic.bayes.likelihoods import StudyLikelihood
from metaleptic.bayes.pool_bayes import checked_mu, checked_prior
from metaleptic.bayes.prior import Prior
from metaleptic.convert.assemble import (
    check_bounds,
    check_counts,
    check_not_negative,
    check_positive,
    open_table,
)
from metaleptic.convert.units import check_level, time_factors
from metaleptic.errors import DataError, ExcludedRowsWarning, OptionError
from metaleptic.frames import find_column, numbers, rounding
from metaleptic.measures import MEASURES, labelled
from metaleptic.types import Effects, Excluded, FloatArray, frozen_array
from metaleptic.warn import warn

SHARP = 0.25  # of a standard error: how fast the width changes from the lower side's to the upper side's
LN2 = float(np.log(2))
SOURCE = "Efron B. Biometrika 1993;80:3-26; Brookmeyer R, Crowley J. Biometrics 1982;38:29-41"


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What k studies print of their medians, on the log scale.

    Attributes
    ----------
    y : ndarray
        Log median, NaN where not reached.
    below, above : ndarray
        Standard errors to the lower and the upper side; NaN where the likelihood is that of deaths and survivors.
    died, alive, at : ndarray
        Deaths and survivors at this log time; NaN where there is an interval.
    """

    y: FloatArray
    below: FloatArray
    above: FloatArray
    died: FloatArray
    alive: FloatArray
    at: FloatArray


def pool_bayes_medians(
    data: Any,
    *,
    study: str | None = None,
    median: str | None = None,
    low: str | None = None,
    high: str | None = None,
    n: str | None = None,
    events: str | None = None,
    follow_up: str | None = None,
    unit: str = "months",
    to: str = "months",
    shape: float = 1.0,
    tau: Prior | None = None,
    mu: EffectPrior | tuple[float, float] | None = None,
    label: str | None = None,
    level: float = 0.95,
    sheet: str | int | None = None,
) -> LatentBayes:
    """Pool median survival times by what each study says, also those that did not reach their median or its upper bound.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per arm.
    study, median, low, high, n, events, follow_up : str, optional
        Columns; left out, the columns of these very names are taken if they are there. ``median`` and ``high`` may hold "NR".
        A median that was not reached needs ``n``, ``events`` and ``follow_up``, the time for which patients were followed.
    unit, to : str, default "months"
        Unit of the times (days, weeks, months, years), or the column that holds it; unit of the result.
    shape : float, default 1
        Shape of the Weibull survival curve where deaths are counted: 1 is a constant hazard, above 1 a rising one. Try
        others: it is an assumption.
    tau : Prior, optional
        Prior on the heterogeneity of log medians; half-normal(0.5) by default.
    mu : (mean, sd) or EffectPrior, optional
        Prior on the mean log median; flat by default.
    label : str, optional
        What ends the time, for headings.
    level : float, default 0.95
        Level of the published intervals and of the results.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    LatentBayes
        All that ``ml.pool_bayes`` returns; ``effects.how`` says how each row was read, ``effects.columns`` hold the numbers
        read, times in the unit of the result.

    Raises
    ------
    DataError
        If a number cannot be right, or no row can be used.

    Notes
    -----
    A printed interval gives its implied likelihood, wider to the side where the interval is. Without an upper bound the
    likelihood is that of the deaths and survivors at the printed median, which leaves the upper side as open as the
    numbers do. Sources: Efron B. Biometrika 1993;80:3-26; Brookmeyer R, Crowley J. Biometrics 1982;38:29-41.

    Examples
    --------
    >>> import metaleptic as ml
    >>> series = {
    ...     "study": ["A", "B", "C"], "median": [8.3, 10.6, "NR"], "low": [5.7, 5.9, None], "high": [11.0, "NR", None],
    ...     "n": [60, 19, 10], "events": [None, None, 2], "follow_up": [None, None, 9.0],
    ... }
    >>> ml.pool_bayes_medians(series).effects.how[1]
    'deaths and survivors at the median, as many as the lower bound implies (upper bound not reached)'
    """
    check_level(level)
    if not (np.isfinite(shape) and shape > 0):
        raise OptionError(f"shape {shape!r} must be a number above 0.")
    table, names = open_table(data, study, sheet)
    columns = {"median": median, "low": low, "high": high, "n": n, "events": events, "follow_up": follow_up}
    found = {
        key: find_column(table, given, key, needed_for="the medians" if key == "median" else None)
        for key, given in columns.items()
    }
    cells = {key: numbers(table, c, names, open_ended=key in ("median", "high")) for key, c in found.items()}
    factor = time_factors(table, unit, to, names)
    med, lo, hi, size, died, follow = (cells[key] for key in columns)
    open_end = np.isposinf(med)
    check_positive(names, med, found["median"], "a median survival time")
    check_not_negative(names, lo, found["low"], "a time", "Correct the cell.")
    check_positive(names, size, found["n"], "a number of patients")
    check_positive(names, follow, found["follow_up"], "a follow-up time")
    check_counts(names, died, size, (found["events"], found["n"]))
    half = rounding(table, found["median"], found["low"], found["high"])
    shown = (found["median"] or "", found["low"] or "low", found["high"] or "high")
    check_bounds(names, np.where(open_end, np.nan, med), lo, hi, shown, half)
    with np.errstate(divide="ignore", invalid="ignore"):
        y, y_low, y_high, at = (np.log(x * factor) for x in (np.where(open_end, np.nan, med), lo, hi, follow))
    evidence, how, reasons = read(y, y_low, y_high, size, died, at, open_end, level, shape)
    excluded = tuple(Excluded(names[i], i + 1, reason) for i, reason in enumerate(reasons) if reason)
    kept = [i for i, reason in enumerate(reasons) if not reason]
    if not kept:
        raise DataError(f"no row can be used: {'; '.join(map(repr, excluded))}.")
    if excluded:
        warn(
            ExcludedRowsWarning,
            f"{len(excluded)} of {len(names)} rows cannot be used: {'; '.join(map(repr, excluded))}. "
            "They are listed in .effects.excluded; fill in what the paper prints.",
        )
    likelihood = likelihood_of(Evidence(*(getattr(evidence, f)[kept] for f in Evidence.__slots__)), shape)
    bound_low, bound_high = likelihood_bounds(likelihood, level)
    late = open_end[kept]
    shown_low = np.where(np.isnan(y_low[kept]), bound_low, y_low[kept])
    shown_high = np.where(late, np.inf, np.where(np.isnan(y_high[kept]), bound_high, y_high[kept]))
    effects = Effects(
        y=frozen_array(np.where(open_end, np.inf, y)[kept]),
        v=frozen_array(likelihood.scale**2),
        study=tuple(names[i] for i in kept),
        measure=replace(labelled(MEASURES["MEDIAN"], label), unit=to),
        n=frozen_array(size[kept]),
        events=frozen_array(died[kept]),
        how=tuple(how[i] for i in kept),
        low=frozen_array(shown_low),
        high=frozen_array(shown_high),
        row=tuple(i + 1 for i in kept),
        excluded=excluded,
        columns=MappingProxyType(
            {
                key: tuple(
                    (cells[key] * (factor if key in ("median", "low", "high", "follow_up") else 1.0))[kept].tolist()
                )
                for key in columns
            }
        ),
        level=level,
        frame_kind=table.kind,
    )
    prior, effect = checked_prior(tau, effects) if tau is not None else default_prior(effects.measure), checked_mu(mu)
    if effect is not None and effect.bounded:
        raise OptionError("a prior on the effect with bounds is for compare_models. Take one without bounds here.")
    fit = latent(likelihood, prior, effect, effects.v)
    model = ExactModel("medians", "log-median", lambda _: likelihood, SOURCE)
    named = "" if label is None else f", label={label!r}"
    call = f"ml.pool_bayes_medians(data, unit={to!r}, to={to!r}, shape={shape:g}{named}"
    return describe_latent(effects, model, likelihood, prior, effect, level, fit, call)


def read(
    y: FloatArray,
    low: FloatArray,
    high: FloatArray,
    n: FloatArray,
    events: FloatArray,
    follow_up: FloatArray,
    open_end: Any,
    level: float,
    shape: float,
) -> tuple[Evidence, list[str], list[str]]:
    """Read each row the best way it allows: evidence on the log scale, how it was read, and why not."""
    z = float(special.ndtri((1 + level) / 2))
    k = len(y)
    both = np.isfinite(y) & np.isfinite(low) & np.isfinite(high) & (low < y) & (y < high)
    lower = np.isfinite(y) & np.isfinite(low) & (low < y) & ~both
    gain = 0.5 * relative_log(shape * (y - low))  # per patient, of the lower bound against the median
    with np.errstate(divide="ignore", invalid="ignore"):
        implied = np.where(lower, -0.5 * z * z / gain, np.nan)
    counted = np.where(np.isfinite(events) & (events > 0), events, n)
    plain = np.isfinite(y) & ~both & ~lower & np.isfinite(counted)
    late = open_end & np.isfinite(n) & np.isfinite(events) & np.isfinite(follow_up)
    total = np.where(lower, implied, np.where(plain, counted, np.nan))
    died = np.where(late, events, total / 2)
    alive = np.where(late, n - events, total / 2)
    at = np.where(late, follow_up, y)
    nan = np.full(k, np.nan)
    evidence = Evidence(y, np.where(both, (y - low) / z, nan), np.where(both, (high - y) / z, nan), died, alive, at)
    how, reasons = [""] * k, [""] * k
    for i in range(k):
        if both[i]:
            how[i] = f"implied likelihood of the {100 * level:g}% CI"
        elif lower[i]:
            how[i] = "deaths and survivors at the median, as many as the lower bound implies (upper bound not reached)"
        elif plain[i]:
            what = "events" if np.isfinite(events[i]) and events[i] > 0 else "patients"
            how[i] = f"deaths and survivors at the median, half of the {what} each"
        elif late[i]:
            how[i] = f"{events[i]:g} of {n[i]:g} had died by the end of follow-up (median not reached)"
        elif open_end[i]:
            reasons[i] = "the median was not reached, and n, events and follow_up are not all given"
        else:
            reasons[i] = "neither an interval nor events nor n"
    return evidence, how, reasons


def relative_log(u: FloatArray) -> FloatArray:
    """Return log(4 S (1 - S)), S = 2^-exp(u): 0 where the true median is the printed one."""
    with np.errstate(over="ignore"):
        hazard = LN2 * np.exp(u)
        return np.asarray(2 * LN2 - hazard + np.log(-np.expm1(-hazard)))


def likelihood_bounds(study: StudyLikelihood, level: float) -> tuple[FloatArray, FloatArray]:
    """Return where each study's likelihood has fallen as far as at the ends of an interval of this level."""
    steps = np.linspace(-30, 30, 6001)
    theta = study.centre[:, None] + study.scale[:, None] * steps
    log = study.log(theta)
    inside = log - log.max(axis=1, keepdims=True) > -0.5 * special.ndtri((1 + level) / 2) ** 2
    first, last = inside.argmax(axis=1), steps.size - 1 - inside[:, ::-1].argmax(axis=1)
    row = np.arange(len(study))
    return np.where(first == 0, -np.inf, theta[row, first]), np.where(last == steps.size - 1, np.inf, theta[row, last])


def likelihood_of(evidence: Evidence, shape: float) -> StudyLikelihood:
    """Turn the evidence into log-likelihoods."""
    interval = np.isfinite(evidence.below)
    y = np.where(interval, evidence.y, 0.0)[:, None]
    below, above = (np.where(interval, x, 1.0)[:, None] for x in (evidence.below, evidence.above))
    died, alive, at = (np.where(interval, 1.0, x)[:, None] for x in (evidence.died, evidence.alive, evidence.at))
    blend = SHARP * np.minimum(below, above)

    def log(theta: FloatArray) -> FloatArray:
        sd = below + (above - below) * special.ndtr((theta - y) / blend)
        with np.errstate(over="ignore", divide="ignore"):
            hazard = LN2 * np.exp(np.clip(shape * (at - theta), -700, 700))
            counts = np.where(died > 0, died * np.log(-np.expm1(-hazard)), 0.0) - alive * hazard
        return np.asarray(np.where(interval[:, None], -0.5 * ((theta - y) / sd) ** 2, np.maximum(counts, -1e300)))

    d, a, t = died[:, 0], alive[:, 0], at[:, 0]
    share = (a + 0.5) / (d + a + 1)
    centre = np.where(interval, y[:, 0], t - np.log(-np.log(share) / LN2) / shape)
    width = 1 / (shape * LN2 * np.sqrt(np.maximum(d + a, 1)))
    scale = np.where(interval, np.minimum(below, above)[:, 0], width)
    falls_right = interval | (d > 0)
    falls_left = interval | (a > 0)
    return StudyLikelihood(log, frozen_array(centre), frozen_array(scale), falls_left, falls_right)
