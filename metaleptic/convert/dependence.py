"""Covariances of estimates that share patients: computed where the numbers allow, imputed from a stated correlation where not.

Sources: Gleser LJ, Olkin I. In: Cooper H et al. (eds) The Handbook of Research Synthesis, 2nd ed. 2009, chapter 19
(several arms against one control); Hedges LV, Tipton E, Johnson MC. Res Synth Methods 2010;1:39-65 and Pustejovsky JE,
Tipton E. Prev Sci 2022;23:425-438 (imputed correlations); Riley RD. J R Stat Soc A 2009;172:789-811.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from metaleptic.convert.control_arms import control_numbers, control_variance
from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning
from metaleptic.types import Effects, FloatArray
from metaleptic.warn import warn


def vcov_shared_control(
    effects: Effects,
    *,
    cluster: str | Sequence[Hashable] | None = None,
    control: str | Sequence[float] | None = None,
) -> FloatArray:
    """Return the covariance matrix of several arms that were compared with one and the same control arm.

    Comparisons of one trial share their control patients, so that they err together: the covariance of two of them is
    the variance that the control arm brings to each.

    Parameters
    ----------
    effects : Effects
        One comparison per row.
    cluster : str or sequence, optional
        Which trial each comparison belongs to: a column of the table or one value per effect; the study names by
        default. Comparisons of one cluster share their control.
    control : str or sequence, optional
        Variance of the control arm on the analysis scale (log odds: 1/c + 1/d; a mean: sd^2/n; log hazard ratio: about
        1/events of the control), a column or one value per effect. Left out, it is computed from the numbers of the control arm:
        of two-by-two tables, events with person-time, or means (MD, SMD, ROM).

    Returns
    -------
    ndarray of shape (k, k)
        ``effects.v`` on the diagonal, 0 between clusters.

    Raises
    ------
    DataError
        If the control's variance is neither given nor computable, is not below the variance of the effect, or differs
        within a cluster; or if the control arms of a cluster differ.

    Notes
    -----
    The control's part of the variance, with x of n patients or events in time t, mean m and SD s: OR 1/x + 1/(n - x), RR 1/x - 1/n,
    RD p(1 - p)/n, AS 1/(4n), PBIT that of its probit, IRR 1/x, IRD x/t^2, IRSD 1/(4t), MD s^2/n, ROM s^2/(n m^2). Two standardised
    mean differences also share the SD: 1/n + g1 g2/(2 N), N the patients of all arms of the trial. Source: Gleser LJ, Olkin I, in The
    Handbook of Research Synthesis, 2nd ed. 2009, chapter 19.

    Examples
    --------
    >>> import metaleptic as ml
    >>> t = {"study": ["A 10 mg", "A 20 mg"], "trial": ["A", "A"], "x": [4, 2], "m": [50, 50], "x0": [9, 9], "m0": [60, 60]}
    >>> e = ml.two_by_two(t, events1="x", n1="m", events2="x0", n2="m0", measure="OR")
    >>> ml.vcov_shared_control(e, cluster="trial").round(4)
    array([[0.4025, 0.1307],
           [0.1307, 0.6516]])
    """
    groups = _cluster(effects, cluster)
    if control is None:
        return _computed(effects, groups)
    return _shared(effects, groups, _numbers(effects, control, "control"))


def _computed(effects: Effects, groups: FloatArray) -> FloatArray:
    """Compute the control's part from its numbers, which must be the same within a cluster."""
    same = groups[:, None] == groups[None, :]
    if not (same.sum(axis=1) > 1).any():
        return np.diag(effects.v)
    numbers, words = control_numbers(effects)
    unlike = same & (~np.isclose(numbers[:, None], numbers[None, :], rtol=1e-12, equal_nan=True)).any(axis=-1)
    for i, j in np.argwhere(unlike).tolist()[:1]:
        raise DataError(
            f"studies '{effects.study[i]}' and '{effects.study[j]}' are one cluster, but their control arms differ "
            f"({words[i]} and {words[j]}). Only one and the same control is shared."
        )
    corrected = np.array(["added" in how for how in effects.how])
    for i in np.flatnonzero((same.sum(axis=1) > 1) & corrected).tolist():
        raise DataError(
            f"study '{effects.study[i]}': a constant was added to its counts, so that the control is not the same in "
            "every comparison. Give the control's variance as control=, or pool the counts themselves."
        )
    v = _shared(effects, groups, control_variance(effects.measure.key, numbers))
    if effects.measure.key != "SMD":
        return v
    everyone = (same * effects.groups[:, 2]).sum(axis=1) + effects.groups[:, 5]
    by_sd = np.where(
        same & ~np.eye(len(effects), dtype=bool), np.outer(effects.y, effects.y) / (2 * everyone[:, None]), 0.0
    )
    return np.asarray(v + by_sd)


def _shared(effects: Effects, groups: FloatArray, part: FloatArray) -> FloatArray:
    same = groups[:, None] == groups[None, :]
    several = same.sum(axis=1) > 1
    for i in np.flatnonzero(several & ~(part > 0)).tolist():
        raise DataError(f"study '{effects.study[i]}': the variance of its control arm is not known. Give control=.")
    for i in np.flatnonzero(several & (part >= effects.v)).tolist():
        raise DataError(
            f"study '{effects.study[i]}': variance {part[i]:g} of the control arm is not below the variance "
            f"{effects.v[i]:g} of the effect, of which it is a part. Is it a standard error, or on another scale?"
        )
    differs = same & ~np.isclose(part[:, None], part[None, :], rtol=1e-6)
    for i, j in np.argwhere(differs & several[:, None]).tolist()[:1]:
        raise DataError(
            f"studies '{effects.study[i]}' and '{effects.study[j]}' share a control arm, but its variance is "
            f"{part[i]:g} in one and {part[j]:g} in the other. Is it the same control?"
        )
    return np.where(np.eye(len(effects), dtype=bool), np.diag(effects.v), np.where(same, part[:, None], 0.0))


def vcov_imputed(
    effects: Effects,
    *,
    cluster: str | Sequence[Hashable] | None = None,
    rho: float | FloatArray,
    order: str | Sequence[float] | None = None,
) -> FloatArray:
    """Return the covariance matrix of several outcomes or time points of the same patients, from a stated correlation.

    Papers hardly ever print how the errors of two outcomes hang together. State what is plausible, then vary ``rho``
    from low to high: if the conclusion changes, say so.

    Parameters
    ----------
    effects : Effects
        One outcome or time point per row.
    cluster : str or sequence, optional
        Which cohort each effect belongs to: a column of the table or one value per effect; the study names by default.
    rho : float or ndarray of shape (k, k)
        Correlation of two estimates of one cluster; a matrix states one for each pair.
    order : str or sequence, optional
        Time of each effect: then the correlation of two of them is ``rho`` to the power of the time between
        (autoregressive).

    Returns
    -------
    ndarray of shape (k, k)
        ``rho * sqrt(v_i v_j)`` within clusters, 0 between them.

    Raises
    ------
    OptionError
        If a correlation is not above -1 and below 1.

    Notes
    -----
    Source: Hedges LV, Tipton E, Johnson MC. Res Synth Methods 2010;1:39-65. A matrix that no data can have (not positive
    definite) is a warning that names its smallest eigenvalue.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.1, 0.3, 0.2], [0.04, 0.09, 0.01], study=["A 1y", "A 2y", "B"])
    >>> ml.vcov_imputed(e, cluster=["A", "A", "B"], rho=0.5)
    array([[0.04, 0.03, 0.  ],
           [0.03, 0.09, 0.  ],
           [0.  , 0.  , 0.01]])
    """
    k = len(effects)
    groups = _cluster(effects, cluster)
    given = np.asarray(rho, dtype=np.float64)
    if given.shape not in {(), (k, k)}:
        raise OptionError(f"rho is one number or a {k} x {k} matrix of correlations, not of shape {given.shape}.")
    off = given if given.ndim == 0 else given[~np.eye(k, dtype=bool)]
    if not np.all(np.abs(off) < 1):
        raise OptionError(f"rho {np.max(np.abs(off)):g} is no correlation of two estimates: it lies between -1 and 1.")
    correlation = np.broadcast_to(given, (k, k))
    if order is not None:
        times = _numbers(effects, order, "order")
        apart = np.abs(times[:, None] - times[None, :])
        if np.any(given < 0):
            raise OptionError("rho must not be negative where time between effects is its exponent (order=).")
        correlation = correlation**apart
    correlation = np.where(np.eye(k, dtype=bool), 1.0, correlation)
    sd = np.sqrt(effects.v)
    v = np.where(groups[:, None] == groups[None, :], correlation * sd[:, None] * sd[None, :], 0.0)
    smallest = float(np.linalg.eigvalsh(v / sd[:, None] / sd[None, :])[0])
    if smallest <= 1e-10:
        warn(
            SuspiciousDataWarning,
            f"these correlations contradict each other (smallest eigenvalue {smallest:.2g}): no data can have them. "
            "Change rho.",
        )
    return v


def _cluster(effects: Effects, cluster: str | Sequence[Hashable] | None) -> FloatArray:
    """Return a number for each effect, the same for effects of one cluster."""
    values: Sequence[Any]
    if cluster is None:
        values = effects.study
    elif isinstance(cluster, str):
        values = _column(effects, cluster, "cluster")
    else:
        values = list(cluster)
    if len(values) != len(effects):
        raise DataError(f"cluster has {len(values)} values for {len(effects)} effects: they must match.")
    seen: dict[Any, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values], dtype=np.float64)


def _column(effects: Effects, name: str, option: str) -> Sequence[Any]:
    if name not in effects.columns:
        there = ", ".join(f"'{c}'" for c in effects.columns) or "none"
        raise DataError(f"{option} '{name}' is no column of the effects. They have: {there}.")
    return effects.columns[name]


def _numbers(effects: Effects, values: str | Sequence[float], option: str) -> FloatArray:
    found = _column(effects, values, option) if isinstance(values, str) else values
    try:
        array = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{option} holds something that is not a number.") from None
    if array.shape != (len(effects),):
        raise DataError(f"{option} has {array.size} values for {len(effects)} effects: they must match.")
    return array
