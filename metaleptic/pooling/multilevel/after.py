"""What a fit is asked afterwards: predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.convert.units import check_level
from metaleptic.errors import OptionError
from metaleptic.pooling.design import new_rows
from metaleptic.pooling.multilevel.assemble import critical
from metaleptic.pooling.multilevel.result import Multilevel, Predicted
from metaleptic.types import FloatArray, frozen_array


def predict(fit: Multilevel, new: Any, inner: Any, level: float | None) -> Predicted:
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
    new_se = np.sqrt(se**2 + _spread(fit, rows, own and not only_mean, inner))
    return Predicted(
        *(frozen_array(a) for a in (mean, se, mean - crit * se, mean + crit * se)),
        *(frozen_array(a) for a in (new_se, mean - crit * new_se, mean + crit * new_se)),
    )


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
