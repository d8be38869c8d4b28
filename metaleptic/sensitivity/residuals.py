"""Residuals of a fit, raw, standardised and studentised, and their quantiles against the normal distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.deletion import deletion_diagnostics, reasons_of, say_what_is_essential
from metaleptic.sensitivity.design_of_fit import settings_of
from metaleptic.sensitivity.words import listed, signed
from metaleptic.types import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """How far each study lies from its fitted value; analysis scale.

    Attributes
    ----------
    fit : Pooled or Regression
        The fit.
    fitted, raw : ndarray of shape (k,)
        Fitted effect, and effect minus fitted effect.
    pearson : ndarray of shape (k,)
        Raw residual over the square root of the total variance v + tau2.
    standard_se, standardized : ndarray of shape (k,)
        Standard error of the raw residual, and their ratio.
    deleted, deleted_se, studentized : ndarray of shape (k,)
        Residual from the fit without the study, its standard error, and their ratio.
    """

    fit: Pooled | Regression
    fitted: FloatArray
    raw: FloatArray
    pearson: FloatArray
    standard_se: FloatArray
    standardized: FloatArray
    deleted: FloatArray
    deleted_se: FloatArray
    studentized: FloatArray

    @property
    def expected(self) -> FloatArray:
        """Normal quantile that each studentised residual would have by its rank (Blom's positions below 11 studies)."""
        there = ~np.isnan(self.studentized)
        k = int(there.sum())
        shift = 3 / 8 if k <= 10 else 0.5
        rank = np.full(len(there), np.nan)
        rank[np.argsort(self.studentized, kind="stable")[:k]] = np.arange(1, k + 1)
        return frozen_array(special.ndtri((rank - shift) / (k + 1 - 2 * shift)))

    @property
    def sentence(self) -> str:
        """What the residuals show, in plain words."""
        study, z = self.fit.effects.study, self.studentized
        away = [f"{s} ({signed(x)})" for s, x in zip(study, z, strict=True) if abs(x) > 1.96]
        if not away:
            return f"No study lies further from the others than chance would have it (largest |t| {np.nanmax(np.abs(z)):.1f})."
        return (
            f"{len(away)} of {len(z)} studies lie further from the others than |t| = 1.96 ({listed(away)}); "
            f"{0.05 * len(z):.1f} would by chance."
        )

    def to_frame(self) -> Any:
        """Return a row per study."""
        names = ("fitted", "raw", "pearson", "standardized", "studentized", "expected")
        columns: dict[str, Any] = {"study": self.fit.effects.study} | {n: getattr(self, n) for n in names}
        lost = np.isnan(self.studentized) | np.isnan(self.standardized)
        if lost.any():
            columns["reason"] = reasons_of(lost)
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def residuals(fit: Pooled | Regression) -> Residuals:
    """Say how far each study lies from what the model, and from what the other studies, would have it.

    Parameters
    ----------
    fit : Pooled or Regression
        From ``ml.pool`` with ``model="random"`` or ``"common"``.

    Returns
    -------
    Residuals
        Analysis scale; ``ml.plot`` draws them against normal quantiles.

    Raises
    ------
    NotEstimableError
        If there are fewer than two studies more than coefficients.

    Notes
    -----
    Source: Viechtbauer W, Cheung MW-L. Res Synth Methods 2010;1:112-125; for the plot Wang MC, Bushman BJ. Psychol
    Methods 1998;3:46-54.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.residuals(ml.pool(ml.effects([0.1, 0.3, 0.9], [0.04] * 3))).raw.round(2)
    array([-0.33, -0.13,  0.47])
    """
    s = settings_of(fit, "residuals")
    k, p = s.x.shape
    if k < p + 2:
        raise NotEstimableError(f"residuals need at least {p + 2} studies for this model; there are {k}.")
    d = deletion_diagnostics(s.y, s.v, s.x, tau2=s.tau2, test=s.test)
    say_what_is_essential(d.essential, fit.effects.study)
    total = s.v + fit.tau2
    fitted = s.x @ fit.beta
    raw = s.y - fitted
    se = np.sqrt(total * np.where(d.essential, np.nan, 1 - d.hat))
    arrays = (
        fitted,
        raw,
        raw / np.sqrt(total),
        se,
        raw / se,
        d.residual,
        d.residual_se,
        d.rstudent,
    )
    return Residuals(fit, *(frozen_array(a) for a in arrays))
