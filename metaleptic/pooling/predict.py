"""Predicted effects of new studies from their characteristics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.convert.units import check_level
from metaleptic.design import new_rows
from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.anatomy import anatomy
from metaleptic.pooling.location_scale_result import LocationScale
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.normal import quantile
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.robust import Robust
from metaleptic.types import FloatArray, Measure, frozen_array

BY_OWN_INTERVAL = ("pooled-counts", "beta-binomial")  # exact, and quantiles of a beta distribution


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predicted effects with intervals, analysis scale inside and printed scale in ``to_frame``.

    Attributes
    ----------
    label : tuple of str
        What each row is.
    y, se, low, high : ndarray of shape (m,)
        Predicted mean effect, its standard error and confidence interval, analysis scale.
    new_low, new_high : ndarray of shape (m,)
        Interval for the true effect of a single study; NaN for models without tau2.
    measure : Measure
        How effects are printed.
    level : float
        Level of the intervals.
    frame_kind : str
        Dataframe library of ``to_frame``.
    """

    label: tuple[str, ...]
    y: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    new_low: FloatArray
    new_high: FloatArray
    measure: Measure
    level: float
    frame_kind: str

    def to_frame(self) -> Any:
        """Return a row per prediction on the printed scale, with y and SE on the analysis scale."""
        low, high = self.measure.printed_bounds(self.low, self.high)
        new_low, new_high = self.measure.printed_bounds(self.new_low, self.new_high)
        columns = {
            "label": self.label,
            "value": np.asarray(self.measure.to_printed(self.y)),
            "low": low,
            "high": high,
            "prediction_low": new_low,
            "prediction_high": new_high,
            "y": self.y,
            "se": self.se,
        }
        return to_frame(columns, self.frame_kind)

    def __repr__(self) -> str:
        m, lines = self.measure, []
        low, high = m.printed_bounds(self.low, self.high)
        for i, label in enumerate(self.label[:12]):
            value = m.format(float(np.asarray(m.to_printed(self.y[i]))))
            lines.append(f"{label}: {value} ({100 * self.level:g}% CI {m.format_interval(low[i], high[i])})")
        if len(self.label) > 12:
            lines.append(f"... {len(self.label) - 12} more")
        return "\n".join([m.heading, *lines])


def predict(
    fit: Pooled | Regression | LocationScale | Multilevel | Robust,
    new: Any = None,
    *,
    inner: Any = None,
    level: float | None = None,
) -> Predictions:
    """Predict the mean effect at given characteristics of the studies, and the range for a single new study there.

    Parameters
    ----------
    fit : Pooled, Regression, LocationScale, Multilevel or Robust
        From ``ml.pool``, ``ml.location_scale``, ``ml.pool_multilevel`` or ``ml.robust``.
    new : mapping, dataframe or array_like of shape (m, p), optional
        Values of the moderators, one row per prediction: columns by name, or rows of the design matrix (with or
        without the leading 1). By default the studies themselves; without
        moderators one row, the same for all.
    inner : str or sequence of str, optional
        For multilevel fits whose inner levels have their own variance: the level of each prediction.
    level : float, optional
        Level of the intervals; that of the fit by default.

    Returns
    -------
    Predictions
        Confidence and prediction intervals use t or z as the fit did.

    Raises
    ------
    DataError
        If a moderator is missing or a category was not in the fit.

    Notes
    -----
    Source: Riley RD, Higgins JPT, Deeks JJ. BMJ 2011;342:d549; with moderators Berkey CS et al. Stat Med 1995;14:395-411.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.9, -1.6, -1.3, -0.4, 0.0], [0.1, 0.2, 0.1, 0.05, 0.05], measure="RR",
    ...                columns={"latitude": [44, 55, 42, 19, 13]})
    >>> ml.predict(ml.pool(e, moderators="~ latitude"), {"latitude": [20, 50]})
    Risk ratio
    latitude = 20: 0.72 (95% CI 0.53 to 0.98)
    latitude = 50: 0.25 (95% CI 0.15 to 0.42)
    """
    if isinstance(fit, Multilevel):
        from metaleptic.pooling.multilevel.after import predict_multilevel

        return predict_multilevel(fit, new, inner, level)
    if isinstance(fit, LocationScale):
        from metaleptic.pooling.location_scale_after import predict_location_scale

        return predict_location_scale(fit, new, level)
    if isinstance(fit, Robust):
        from metaleptic.pooling.multilevel.after import predict_robust

        return predict_robust(fit, new, level)
    a = anatomy(fit, "predict")
    level = _level(a.level, level)
    if isinstance(fit, Pooled) and fit.model in BY_OWN_INTERVAL:
        return _by_own_interval(fit, level)
    rows = a.x if new is None else new_rows(a.design, new)
    labels = a.effects.study if new is None else row_labels(rows, new, a.design.names)
    if new is None and isinstance(fit, Pooled):  # the same for all studies
        rows, labels = rows[:1], ("pooled effect",)
    y = rows @ a.beta
    se = np.sqrt(np.einsum("ij,jk,ik->i", rows, a.cov, rows))
    t = float(quantile(np.float64(a.df), level))
    wide = t * np.sqrt(se**2 + a.tau2) if a.tau2_method else np.full(len(rows), np.nan)
    return Predictions(
        label=labels,
        y=frozen_array(y),
        se=frozen_array(se),
        low=frozen_array(y - t * se),
        high=frozen_array(y + t * se),
        new_low=frozen_array(y - wide),
        new_high=frozen_array(y + wide),
        measure=a.effects.measure,
        level=level,
        frame_kind=a.effects.frame_kind,
    )


def _by_own_interval(fit: Pooled, level: float) -> Predictions:
    """Return the pooled effect with intervals that are not made of its standard error, at the level of the fit."""
    if level != fit.level:
        raise OptionError(
            f"the intervals of model {fit.model!r} are of the fit's own level: say it there, ml.pool(level={level:g})."
        )
    to, new = fit.effects.measure.to_analysis, fit.prediction
    bounds = [fit.estimate.low, fit.estimate.high, *((new.low, new.high) if new is not None else (np.nan, np.nan))]
    with np.errstate(divide="ignore"):  # a bound of 0 or 1 is infinite
        low, high, new_low, new_high = (frozen_array([float(np.asarray(to(b)))]) for b in bounds)
    numbers = fit.beta, fit.se, low, high, new_low, new_high
    return Predictions(("pooled effect",), *numbers, fit.effects.measure, level, fit.effects.frame_kind)


def _level(own: float, asked: float | None) -> float:
    if asked is None:
        return own
    check_level(asked)
    return asked


def row_labels(rows: FloatArray, new: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Name predictions by the values of their moderators."""
    if hasattr(new, "keys") or hasattr(new, "columns"):
        columns = [(str(c), np.atleast_1d(np.asarray(new[c]))) for c in list(new)]
        return tuple(
            ", ".join(f"{c} = {values[i if len(values) > 1 else 0]}" for c, values in columns) for i in range(len(rows))
        )
    shown = [(n, j) for j, n in enumerate(names) if n != "intercept"]
    return tuple(", ".join(f"{n} = {row[j]:g}" for n, j in shown) for row in rows)
