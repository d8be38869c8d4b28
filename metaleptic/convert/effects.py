"""Effects and variances that the caller has already computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.convert.assemble import check_positive, warn_of_repeated
from metaleptic.convert.intervals import wald_interval
from metaleptic.convert.units import check_level
from metaleptic.errors import DataError
from metaleptic.frames import where
from metaleptic.measures import measure_named
from metaleptic.types import Effects, FloatArray, Measure, frozen_array


def effects(
    y: Any,
    v: Any,
    study: Sequence[str] | None = None,
    measure: str | Measure | None = None,
    *,
    n: Any = None,
    columns: Mapping[str, Sequence[Any]] | None = None,
    level: float = 0.95,
) -> Effects:
    """Take effects and their variances as they are, on the analysis scale.

    Parameters
    ----------
    y, v : array_like of shape (k,)
        Effects on the analysis scale (log hazard ratios, logits ...) and their variances (squared SEs).
    study : sequence of str, optional
        Names; "Study 1" ... by default.
    measure : str or Measure, optional
        What the effects are ("HR", "OR", "RR", "RD", "PLO", ...), so that results can be printed; a plain
        effect by default.
    n : array_like of shape (k,), optional
        Patients per study.
    columns : mapping of str to sequence, optional
        Characteristics of the studies, for subgroups, meta-regression and forest-plot columns.
    level : float, default 0.95
        Level of the study intervals.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        If lengths differ, a number is missing or infinite, a variance is not above 0, or ``v`` is a covariance matrix (which
        ``ml.pool_multilevel(V=)`` takes).

    Notes
    -----
    For effects that still have to be computed from what papers print see ``ml.hazard_ratios`` and its kin.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.effects([-0.3, 0.1], [0.04, 0.09], study=["A", "B"], measure="HR").to_frame()["value"].round(2).tolist()
    [0.74, 1.11]
    """
    check_level(level)
    values, variances = _numeric(y, "y"), _numeric(v, "v")
    k = values.size
    if variances.ndim == 2 and variances.shape == (k, k) and k > 1:
        raise DataError(
            "v is a matrix. Give its diagonal here, ml.effects(y, np.diag(V)), and the matrix to the model of dependent effects: "
            "ml.pool_multilevel(effects, V=V)."
        )
    given = [study] if isinstance(study, str) else study
    names = tuple(f"Study {i + 1}" for i in range(k)) if given is None else tuple(str(s) for s in given)
    if k == 0:
        raise DataError("there are no effects. There is nothing to pool.")
    if values.shape != (k,) or variances.shape != (k,) or len(names) != k:
        raise DataError(f"y has {k} effects, v {variances.size} variances, study {len(names)} names: they must match.")
    for i in np.flatnonzero(~(np.isfinite(values) & np.isfinite(variances))).tolist():
        raise DataError(
            f"{where(names[i], i + 1)}: y {values[i]:g} with v {variances[i]:g} is not a finite effect. Leave the study out, and say so."
        )
    for i in np.flatnonzero(variances <= 0).tolist():
        raise DataError(
            f"{where(names[i], i + 1)}: variance v {variances[i]:g} must be above 0. Is it a standard error of 0 or a sign slip?"
        )
    warn_of_repeated(names)
    low, high = wald_interval(values, variances, level)
    unknown = np.full(k, np.nan)
    size = unknown if n is None else _numeric(n, "n")
    if size.shape != (k,):
        raise DataError(f"n has {size.size} numbers for {k} effects: they must match.")
    carried = {str(name): tuple(values) for name, values in (columns or {}).items()}
    for name, column in carried.items():
        if len(column) != k:
            raise DataError(f"column '{name}' has {len(column)} values for {k} effects: they must match.")
    check_positive(names, size, "n", "a number of patients")
    return Effects(
        y=frozen_array(values),
        v=frozen_array(variances),
        study=names,
        measure=measure_named(measure),
        n=frozen_array(size),
        events=frozen_array(unknown),
        columns=MappingProxyType(carried),
        how=("effect and variance as given",) * k,
        low=frozen_array(low),
        high=frozen_array(high),
        row=tuple(range(1, k + 1)),
        level=level,
    )


def _numeric(values: Any, name: str) -> FloatArray:
    try:
        return np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise DataError(
            f"{name} holds something that is not a number. Published tables are read by ml.hazard_ratios and its kin."
        ) from None
