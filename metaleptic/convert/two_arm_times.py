"""Differences of two arms' restricted means, where a paper prints each arm and not the difference.

The arms are independent, so that their variances add. Source: Royston P, Parmar MKB. BMC Med Res Methodol 2013;13:152.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metaleptic.convert.assemble import Routes, check_bounds, check_positive
from metaleptic.convert.intervals import se_from_bound, se_from_interval
from metaleptic.errors import DataError, OptionError
from metaleptic.frames import Table, find_column, numbers, rounding, where
from metaleptic.types import FloatArray

COLUMNS = tuple(f"{key}{arm}" for arm in "12" for key in ("rmst", "low", "high", "se"))


def arm_columns(table: Table, given: Mapping[str, str] | None) -> dict[str, str | None]:
    """Return the columns of both arms that the table has.

    Raises
    ------
    OptionError
        If ``given`` names a key that there is not.
    """
    for key in given or {}:
        if key not in COLUMNS:
            raise OptionError(f"columns names '{key}', which is none of: {', '.join(COLUMNS)}.")
    named = {key: (given or {}).get(key) for key in COLUMNS}
    return {
        key: find_column(table, name, key) if name is not None or key in table.columns else None
        for key, name in named.items()
    }


def offer_arms(
    routes: Routes,
    table: Table,
    study: Sequence[str],
    columns: Mapping[str, str | None],
    horizon: float,
    level: FloatArray,
) -> None:
    """Offer the difference of the two arms, first minus second, each SE from its interval, one bound of it, or as given.

    Raises
    ------
    DataError
        If a restricted mean lies outside 0 to the horizon, or an interval does not hold it.
    """
    means, errors = [], []
    for arm in "12":
        names = [columns[f"{key}{arm}"] for key in ("rmst", "low", "high", "se")]
        mean, low, high, se = (numbers(table, name, study) for name in names)
        for i in np.flatnonzero((mean < 0) | (mean > horizon)).tolist():
            raise DataError(
                f"{where(study[i], i + 1)}: column '{names[0]}' holds {mean[i]:g}, but a restricted mean to {horizon:g} lies "
                f"between 0 and {horizon:g}. Is it in another unit?"
            )
        check_positive(study, se, names[3], "a standard error")
        bounds = (names[0] or "rmst", names[1] or "low", names[2] or "high")
        check_bounds(study, mean, low, high, bounds, rounding(table, *names[:3]))
        best = np.full(len(table), np.nan)
        for way in (
            se_from_interval(low, high, level),
            se_from_bound(mean, low, level),
            se_from_bound(mean, high, level),
        ):
            best = np.where(np.isnan(best) & (way > 0), way, best)
        means.append(mean)
        errors.append(np.where(np.isnan(best), se, best))
    routes.offer(means[0] - means[1], np.hypot(*errors), "RMST difference of the two arms, each with its own SE")
