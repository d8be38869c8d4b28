"""Leave-one-out of fits with coefficients: meta-regressions, Bayesian ones, multilevel models."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.marginal import Marginal
from metaleptic.bayes.moderators import exact_regression, marginals
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.errors import MetalepticWarning, NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.pooling.multilevel.assemble import containment
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.normal import quantile
from metaleptic.pooling.pool import pool
from metaleptic.pooling.regression import fit_regression
from metaleptic.pooling.regression_result import Regression
from metaleptic.sensitivity.multilevel_influence import built_without, without
from metaleptic.sensitivity.words import listed, one_at_a_time, side
from metaleptic.types import BoolArray, FloatArray, frozen_array

LOST = "without it a coefficient cannot be estimated"


@dataclass(frozen=True, slots=True, eq=False)
class LeaveOneOutCoefficients:
    """The coefficients of a fit without each study (or group, or set of studies) in turn; analysis scale.

    Attributes
    ----------
    fit : Regression, RegressionBayes or Multilevel
        The result with all studies.
    names : tuple of str
        Names of the coefficients.
    left_out : tuple of str
        What was left out.
    beta, se, low, high, p : ndarray of shape (m, p)
        Coefficients without it (posterior medians and standard deviations of a Bayesian fit), intervals, tests; for a
        Bayesian fit twice the smaller posterior probability to either side of 0.
    whole : ndarray of shape (3, p)
        Coefficients with all studies, and their bounds.
    reason : tuple of str
        Why there is no fit without it; "" where there is one.
    by : str
        Column whose groups were left out; "" for studies (effects of a multilevel fit).
    size : int
        How many were left out at a time.
    """

    fit: Regression | RegressionBayes | Multilevel
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    beta: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    whole: FloatArray
    reason: tuple[str, ...]
    by: str = ""
    size: int = 1

    @property
    def main(self) -> int:
        """The coefficient that is told and drawn: the first that is not the intercept, if there is one."""
        return main_coefficient(self.names)

    @property
    def changed(self) -> tuple[str, ...]:
        """What the main coefficient hangs on: without it the interval lies differently to 0."""
        j = self.main
        before = side(float(self.whole[1, j]), float(self.whole[2, j]), 0.0)
        return tuple(
            name
            for name, a, b in zip(self.left_out, self.low[:, j], self.high[:, j], strict=True)
            if np.isfinite(a) and side(a, b, 0.0) != before
        )

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        j = self.main
        if not np.isfinite(self.beta[:, j]).any():
            return f"Nothing can be left out: {LOST}."
        least, most = int(np.nanargmin(self.beta[:, j])), int(np.nanargmax(self.beta[:, j]))
        single = len(self.names) == 1
        what = "the pooled effect" if single else f"the coefficient of {self.names[j]}"
        m = self.fit.effects.measure
        a, b = (
            m.format(float(m.to_printed(self.beta[i, j]))) if single else f"{self.beta[i, j]:.3g}".replace("-", "−")
            for i in (least, most)
        )
        unit = "effect" if isinstance(self.fit, Multilevel) else "study"
        text = f"Leaving out {one_at_a_time(self.size, self.by, unit)} moves {what} between {a} (without {self.left_out[least]}) and {b} (without {self.left_out[most]})"
        lost = [name for name, why in zip(self.left_out, self.reason, strict=True) if why]
        left = f" Nothing could be fitted without {listed(lost)}: {LOST.removeprefix('without it ')}." if lost else ""
        if single and not m.has_null:
            return f"{text}.{left}"
        changed = self.changed
        hangs = f"the conclusion hangs on {listed(changed, 8)}" if changed else "the conclusion never changes"
        return f"{text}; {hangs}.{left}"

    def to_frame(self) -> Any:
        """Return a row per unit left out and coefficient."""
        m, p = self.beta.shape
        columns: dict[str, Any] = {
            "left_out": [name for name in self.left_out for _ in range(p)],
            "term": list(self.names) * m,
        }
        for name, values in (
            ("estimate", self.beta),
            ("se", self.se),
            ("low", self.low),
            ("high", self.high),
            ("p", self.p),
        ):
            columns[name] = values.ravel()
        if any(self.reason):
            columns["reason"] = [why for why in self.reason for _ in range(p)]
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def main_coefficient(names: tuple[str, ...]) -> int:
    """Return the coefficient that is told and drawn: the first that is not the intercept, if there is one."""
    return next((j for j, name in enumerate(names) if name not in ("intercept", "intrcpt")), 0)


def leave_out_coefficients(
    fit: Regression | RegressionBayes | Multilevel,
    left_out: tuple[str, ...],
    keep: BoolArray,
    by: str = "",
    size: int = 1,
) -> LeaveOneOutCoefficients:
    """Fit again to each row of ``keep`` (True where an effect stays); ``ml.leave_one_out`` calls it."""
    if isinstance(fit, Regression):
        columns, whole = _regression(fit, keep), np.stack([fit.beta, fit.low, fit.high])
    elif isinstance(fit, RegressionBayes):
        columns, whole = _bayes(fit, keep), _numbers_of(fit.beta)[[0, 2, 3]]
    else:
        columns, whole = _multilevel(fit, keep), np.stack([fit.beta, fit.low, fit.high])
    lost = ~np.isfinite(columns[0]).all(axis=-1)
    beta, se, low, high, p = (frozen_array(c) for c in columns)
    reason = tuple(LOST if x else "" for x in lost.tolist())
    names, all_of_them = fit.design.names, frozen_array(whole)
    return LeaveOneOutCoefficients(fit, names, left_out, beta, se, low, high, p, all_of_them, reason, by, size)


def _estimable(x: FloatArray, keep: BoolArray) -> BoolArray:
    """Say for which rows the design keeps its rank and a degree of freedom is left."""
    p = x.shape[1]
    return np.array([row.sum() > p and np.linalg.matrix_rank(x[row]) == p for row in keep])


def _tested(beta: Any, se: Any, df: Any, level: float) -> tuple[Any, Any, Any]:
    """Return bounds and p of coefficients: t with ``df``, z where it is infinite."""
    df = np.broadcast_to(df, np.shape(beta))
    half = np.asarray(quantile(df, level)) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = -np.where((se == 0) & (beta == 0), 0.0, np.abs(beta / se))
    p = 2 * np.where(np.isinf(df), special.ndtr(statistic), special.stdtr(np.where(np.isinf(df), 1.0, df), statistic))
    return beta - half, beta + half, p


def _regression(fit: Regression, keep: BoolArray) -> FloatArray:
    x = np.asarray(fit.design.matrix)
    out = np.full((5, len(keep), x.shape[1]), np.nan)
    rows = np.flatnonzero(_estimable(x, keep))
    if fit.model not in ("random", "common"):
        for i in rows.tolist():
            out[:, i] = _of_counts(fit, np.flatnonzero(keep[i]))
    elif len(rows):
        f = fit_regression(
            fit.effects.y,
            fit.effects.v,
            x,
            tau2=fit.tau2_method or None,
            test=fit.test,
            keep=keep[rows].astype(np.float64),
        )
        se = np.sqrt(np.diagonal(f.cov, axis1=-2, axis2=-1))
        df = np.broadcast_to(f.df, (len(rows),))[:, None]
        out[:, rows] = np.stack([f.beta, se, *_tested(f.beta, se, df, fit.level)])
    return out


def _of_counts(fit: Regression, at: Any) -> FloatArray:
    """Fit a regression of counts to some of the studies; NaN where it has no estimate."""
    design = replace(fit.design, matrix=frozen_array(np.asarray(fit.design.matrix)[at]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetalepticWarning)
        try:
            f = pool(fit.effects.take(at), model=fit.model, moderators=design, test=fit.test, level=fit.level)
        except NotEstimableError:
            return np.full((5, len(fit.beta)), np.nan)
    assert isinstance(f, Regression)
    return np.stack([f.beta, f.se, f.low, f.high, f.p])


def _numbers_of(parts: tuple[Marginal, ...]) -> FloatArray:
    below = np.array([float(m.cdf(0.0)) for m in parts])
    return np.array(
        [
            [m.median for m in parts],
            [m.sd for m in parts],
            [m.central[0] for m in parts],
            [m.central[1] for m in parts],
            2 * np.minimum(below, 1 - below),
        ]
    )


def _bayes(fit: RegressionBayes, keep: BoolArray) -> FloatArray:
    x = np.asarray(fit.design.matrix)
    mean, sd = (np.array([b[i] for b in fit.beta_prior]) for i in (0, 1))
    out = np.full((5, len(keep), x.shape[1]), np.nan)
    for i, row in enumerate(keep):
        if not np.isfinite(sd).all() and np.linalg.matrix_rank(x[row]) < x.shape[1]:
            continue
        try:
            again = exact_regression(fit.effects.y[row], fit.effects.v[row], x[row], fit.prior, mean, sd)
        except NotEstimableError:
            continue
        out[:, i] = _numbers_of(marginals(again, np.eye(x.shape[1]), fit.design.names, fit.level, linear=True))
    return out


def _multilevel(fit: Multilevel, keep: BoolArray) -> FloatArray:
    p = len(fit.beta)
    out = np.full((5, len(keep), p), np.nan)
    for i, row in enumerate(keep):
        at = np.flatnonzero(row)
        found = without(fit, at)
        if found is None:
            continue
        beta, se = found[0].beta, np.sqrt(np.diagonal(found[0].cov))
        if fit.test != "t":
            df: Any = np.inf
        elif fit.dfs == "contain":
            df = containment(np.asarray(fit.design.matrix)[at], [built_without(b, at) for b in fit.state.built])
        else:
            df = float(max(len(at) - p, 1))
        out[:, i] = np.stack([beta, se, *_tested(beta, se, df, fit.level)])
    return out
