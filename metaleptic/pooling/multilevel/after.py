"""What a fit is asked afterwards: predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.convert.units import check_level
from metaleptic.design import new_rows
from metaleptic.errors import OptionError
from metaleptic.pooling.multilevel.assemble import critical
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.predict import Predictions, row_labels
from metaleptic.pooling.robust import Robust, combination_df
from metaleptic.types import FloatArray, frozen_array


def predict_multilevel(fit: Multilevel, new: Any, inner: Any, level: float | None) -> Predictions:
    """Predict effects with confidence and prediction intervals."""
    level = fit.level if level is None else level
    check_level(level)
    own = new is None
    only_mean = len(fit.beta) == 1 and fit.design.intercept
    if own and only_mean and inner is None:
        rows = np.ones((1, 1))
    elif own and only_mean:
        rows = np.ones((len(np.atleast_1d(inner)), 1))
    else:
        rows = np.asarray(fit.design.matrix if own else new_rows(fit.design, new))
    mean = rows @ fit.beta
    se = np.sqrt(np.sum((rows @ fit.cov) * rows, axis=1))
    df = np.where(rows != 0, fit.df, np.inf).min(axis=1)
    crit = critical(df, level)
    if inner is None and not own:
        inner = _named_in(fit, new)
    wide = crit * np.sqrt(se**2 + _spread(fit, rows, own and not only_mean, inner))
    if own and only_mean:
        labels = tuple(str(x) for x in np.atleast_1d(inner)) if inner is not None else ("mean effect",)
    else:
        labels = fit.effects.study if own else row_labels(rows, new, fit.design.names)
    return Predictions(
        label=labels,
        y=frozen_array(mean),
        se=frozen_array(se),
        low=frozen_array(mean - crit * se),
        high=frozen_array(mean + crit * se),
        new_low=frozen_array(mean - wide),
        new_high=frozen_array(mean + wide),
        measure=fit.effects.measure,
        level=level,
        frame_kind=fit.effects.frame_kind,
    )


def predict_robust(fit: Robust, new: Any, level: float | None) -> Predictions:
    """Predict effects with robust confidence intervals; prediction intervals where the true effects have one spread."""
    level = fit.level if level is None else level
    check_level(level)
    own, only_mean = new is None, len(fit.beta) == 1 and fit.design.intercept
    rows = np.ones((1, 1)) if own and only_mean else np.asarray(fit.design.matrix if own else new_rows(fit.design, new))
    y = rows @ fit.beta
    se = np.sqrt(np.sum((rows @ fit.cov) * rows, axis=1))
    crit = critical(combination_df(fit, rows), level)
    wide = crit * np.sqrt(se**2 + float(fit.tau.value) ** 2)
    mean = ("mean effect",) if only_mean else fit.effects.study
    return Predictions(
        label=mean if own else row_labels(rows, new, fit.design.names),
        y=frozen_array(y),
        se=frozen_array(se),
        low=frozen_array(y - crit * se),
        high=frozen_array(y + crit * se),
        new_low=frozen_array(y - wide),
        new_high=frozen_array(y + wide),
        measure=fit.effects.measure,
        level=level,
        frame_kind=fit.effects.frame_kind,
    )


def _named_in(fit: Multilevel, new: Any) -> Any:
    """Return the inner levels where the new rows name them."""
    names = {b.written.inner[0] for b in fit.state.built if b.covariance.own_variances and not b.covariance.slopes}
    if len(names) == 1 and (hasattr(new, "keys") or hasattr(new, "columns")) and (name := names.pop()) in list(new):
        return [str(x) for x in np.atleast_1d(np.asarray(new[name]))]
    return None


def _spread(fit: Multilevel, rows: FloatArray, own: bool, inner: Any) -> FloatArray:
    """Return the variance of true effects around the prediction, row by row; NaN where it depends on a level not named."""
    total = np.full(len(rows), float(sum(fit.sigma2.values())))
    state = fit.state
    for b, theta in zip(state.built, state.problem.split(state.scaled.theta), strict=True):
        if b.written.intercept:
            continue
        c = b.covariance
        g = np.diagonal(c.matrix(theta))
        if c.slopes:
            assert b.term.loading is not None
            full = c.matrix(theta)
            total += np.einsum("ia,ab,ib->i", b.term.loading, full, b.term.loading) if own else np.nan
        elif not c.own_variances:
            total += g[0]
        elif inner is not None:
            names = [inner] * len(rows) if isinstance(inner, str) or np.ndim(inner) == 0 else list(inner)
            unknown = [n for n in names if str(n) not in b.levels]
            if unknown:
                raise OptionError(f"inner level '{unknown[0]}' is unknown. Choose one of: {', '.join(b.levels)}.")
            if len(names) != len(rows):
                raise OptionError(f"there are {len(names)} inner levels for {len(rows)} rows.")
            total += g[[b.levels.index(str(n)) for n in names]]
        elif own:
            total += g[b.term.inner]
        else:
            total += np.nan
    return np.asarray(total)
