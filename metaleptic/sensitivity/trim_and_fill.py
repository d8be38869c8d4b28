"""Trim and fill: how many studies a symmetric funnel would have more, and what they would change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.models import fit_model
from metaleptic.pooling.normal import fit_normal
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.asymmetry import mixed_regression
from metaleptic.sensitivity.subset_fits import BROADCAST, refuse_others
from metaleptic.sensitivity.words import few_words, studies, value_words, with_small_letter
from metaleptic.types import Effects, FloatArray, frozen_array

ESTIMATORS = ("L0", "R0", "Q0")
MOST_ROUNDS = 100


@dataclass(frozen=True, slots=True, eq=False)
class TrimAndFill:
    """The result with the studies that a symmetric funnel would have more.

    Attributes
    ----------
    fit : Pooled
        The result as it was.
    filled : Pooled
        The result with the filled studies, which come last in ``filled.effects``.
    missing : int
        Estimated number of missing studies.
    se, p : float
        Its standard error (NaN where the formula has none) and, for R0, the p value of no missing studies.
    side : {"left", "right"}
        Side of the funnel on which studies seem to be missing, analysis scale.
    estimator : {"L0", "R0", "Q0"}
        How their number was estimated.
    y, v : ndarray of shape (missing,)
        The filled effects and variances, analysis scale.
    """

    fit: Pooled
    filled: Pooled
    missing: int
    se: float
    p: float
    side: str
    estimator: str
    y: FloatArray
    v: FloatArray

    @property
    def sentence(self) -> str:
        """What the method shows, in plain words."""
        m, was, now = self.fit.effects.measure, self.fit.estimate, self.filled.estimate
        if self.missing == 0:
            return f"Trim and fill ({self.estimator}) finds no studies missing on the {self.side} of the funnel.{few_words(self.fit.k)}"
        return (
            f"A symmetric funnel would have {studies(self.missing)} more on the {self.side} ({self.estimator}); with {'it' if self.missing == 1 else 'them'}, "
            f"{with_small_letter(m.label)} would be {value_words(m, now.value, now.low, now.high, now.level)} instead of "
            f"{m.format(was.value)}. This is a what-if, not a correction.{few_words(self.fit.k)}"
        )

    def to_frame(self) -> Any:
        """Return both results, one below the other."""
        both = (("as published", self.fit), ("filled", self.filled))
        return to_frame(
            {
                "analysis": [name for name, _ in both],
                "k": [f.k for _, f in both],
                "value": [f.estimate.value for _, f in both],
                "low": [f.estimate.low for _, f in both],
                "high": [f.estimate.high for _, f in both],
                "tau": [f.tau.value for _, f in both],
                "i2": [f.i2 for _, f in both],
            },
            self.fit.effects.frame_kind,
        )

    def __repr__(self) -> str:
        return self.sentence


def trim_and_fill(
    fit: Pooled, *, estimator: str = "L0", side: str | None = None, trim_by: str = "model"
) -> TrimAndFill:
    """Estimate how many studies are missing from one side of the funnel, fill them in, and pool again.

    Parameters
    ----------
    fit : Pooled
        From ``ml.pool`` with ``model="random"`` or ``"common"``.
    estimator : {"L0", "R0", "Q0"}, default "L0"
        How the number is estimated; R0 also tests that none are missing, Q0 often has no solution.
    side : {"left", "right"}, optional
        Where studies are missing. By default the side opposite to the excess that a regression on the SE finds.
    trim_by : {"model", "common"}, default "model"
        Whether the centre of the trimmed funnel comes from the model of the fit or from the common-effect model.

    Returns
    -------
    TrimAndFill

    Raises
    ------
    NotEstimableError
        If there are fewer than three studies, the estimator has no solution, or the rounds do not settle.
    OptionError
        If an option is unknown.

    Notes
    -----
    The method is a way of seeing how sensitive the result is to one kind of missingness; it fills studies also where
    asymmetry has other causes. Sources: Duval S, Tweedie R. J Am Stat Assoc 2000;95:89-98; Biometrics 2000;56:455-463.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.3, -0.35, -0.5, -0.9, -1.2], [0.01, 0.02, 0.1, 0.2, 0.3], measure="HR"), test="z")
    >>> ml.trim_and_fill(fit).missing
    2
    """
    fit = refuse_others(fit, "trim_and_fill")
    if fit.model not in ("random", "common"):
        raise OptionError(f'trim and fill is defined for model="random" and "common", not "{fit.model}".')
    if estimator not in ESTIMATORS:
        raise OptionError(f"estimator {estimator!r} is unknown. Choose one of: {', '.join(ESTIMATORS)}.")
    if side not in (None, "left", "right"):
        raise OptionError(f'side {side!r} is unknown. Choose "left" or "right".')
    if trim_by not in ("model", "common"):
        raise OptionError(f'trim_by {trim_by!r} is unknown. Choose "model" or "common".')
    if fit.k < 3:
        raise NotEstimableError(f"trim and fill needs at least 3 studies; there are {fit.k}.")
    tau2 = fit.tau2_method or None
    where = _side(fit, None if trim_by == "common" else tau2) if side is None else side
    sign = 1.0 if where == "left" else -1.0
    order = np.argsort(sign * fit.effects.y, kind="stable")
    y, v = sign * fit.effects.y[order], fit.effects.v[order]
    missing, raw, centre = _settle(y, v, None if trim_by == "common" else tau2, estimator)
    k = len(y)
    se, p = _error(raw, missing, k, estimator)
    filled_y, filled_v = sign * (2 * centre - y[k - missing :]), v[k - missing :]
    filled = fit
    if missing:
        more = _with_filled(fit.effects, filled_y, filled_v, [fit.effects.study[i] for i in order[k - missing :]])
        filled = fit_model(more, fit.model, fit.tau2_method, fit.test, fit.level)
    return TrimAndFill(fit, filled, missing, se, p, where, estimator, frozen_array(filled_y), frozen_array(filled_v))


def _side(fit: Pooled, tau2: str | None) -> str:
    """Return the side opposite to where small studies lie."""
    test = fit.test if fit.test in BROADCAST else "z"
    slope = mixed_regression(fit.effects.y, fit.effects.v, np.sqrt(fit.effects.v), tau2=tau2, test=test).bias
    return "right" if slope < 0 else "left"


def _settle(y: FloatArray, v: FloatArray, tau2: str | None, estimator: str) -> tuple[int, float, float]:
    """Trim the largest effects, estimate the centre, count again, until the number stays the same.

    Return the number, the same before rounding, and the last centre.
    """
    k, missing, seen = len(y), 0, []
    for _ in range(MOST_ROUNDS):
        centre = _mean(y[: k - missing], v[: k - missing], tau2)
        away = y - centre
        ranks = np.empty(k)
        ranks[np.argsort(np.abs(away), kind="stable")] = np.arange(1, k + 1)
        signed = np.sign(away) * ranks
        seen.append(missing)
        raw = _estimate(signed, k, estimator)
        missing_now = min(max(0, round(raw)), k - 1)
        if missing_now == missing:
            return missing, raw, centre
        missing = missing_now
    raise NotEstimableError(
        f"trim and fill does not settle: it goes round {sorted(set(seen[-10:]))} missing studies. Try another estimator."
    )


def _mean(y: FloatArray, v: FloatArray, tau2: str | None) -> float:
    if len(y) == 1:
        return float(y[0])
    return float(fit_normal(y, v, tau2=tau2, test="z").mu)


def _estimate(signed: FloatArray, k: int, estimator: str) -> float:
    total = float(signed[signed > 0].sum())
    if estimator == "R0":
        return k - float(np.max(-signed[signed < 0], initial=0.0)) - 1
    if estimator == "L0":
        return (4 * total - k * (k + 1)) / (2 * k - 1)
    inside = 2 * k**2 - 4 * total + 0.25
    if inside < 0:
        raise NotEstimableError('estimator Q0 has no solution here (root of a negative number). Use "L0" or "R0".')
    return k - 0.5 - float(np.sqrt(inside))


def _error(raw: float, missing: int, k: int, estimator: str) -> tuple[float, float]:
    """Return the standard error of the number and, for R0, the p value of none missing."""
    if estimator == "R0":
        return float(np.sqrt(2 * missing + 2)), 0.5 ** (missing + 1)
    m = np.float64(raw)
    variance = (
        k * (k + 1) * (2 * k + 1) + 10 * m**3 + 27 * m**2 + 17 * m - 18 * k * m**2 - 18 * k * m + 6 * k**2 * m
    ) / 24
    with np.errstate(invalid="ignore", divide="ignore"):
        if estimator == "L0":
            return float(4 * np.sqrt(variance) / (2 * k - 1)), float("nan")
        return float(2 * np.sqrt(variance) / np.sqrt((k - 0.5) ** 2 - m * (2 * k - m - 1))), float("nan")


def _with_filled(e: Effects, y: FloatArray, v: FloatArray, names: list[str]) -> Effects:
    """Return the effects with the filled studies behind them."""
    m, unknown = len(y), np.full(len(y), np.nan)
    z = float(special.ndtri(0.5 + e.level / 2))
    return replace(
        e,
        y=frozen_array(np.r_[e.y, y]),
        v=frozen_array(np.r_[e.v, v]),
        study=(*e.study, *(f"Filled: {n}" for n in names)),
        n=frozen_array(np.r_[e.n, unknown]),
        events=frozen_array(np.r_[e.events, unknown]),
        columns={name: (*values, *([None] * m)) for name, values in e.columns.items()},
        how=(*e.how, *(["filled by trim and fill"] * m)),
        low=frozen_array(np.r_[e.low, y - z * np.sqrt(v)]),
        high=frozen_array(np.r_[e.high, y + z * np.sqrt(v)]),
        row=(*e.row, *([0] * m)),
        cells=frozen_array(np.empty((0, 4))),
    )
