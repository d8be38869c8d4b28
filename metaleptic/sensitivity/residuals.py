"""Residuals of a fit, raw, standardised and studentised, and their quantiles against the normal distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import FewStudiesWarning, NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.beta_binomial import beta_parameters
from metaleptic.pooling.count_data import COUNT_MODELS
from metaleptic.pooling.count_moments import beta_binomial_moments, check_has_moments, count_moments
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.deletion import deletion_diagnostics, reasons_of, say_what_is_essential
from metaleptic.sensitivity.design_of_fit import settings_of
from metaleptic.sensitivity.subset_fits import SubsetFits, fit_subsets
from metaleptic.sensitivity.words import listed, signed
from metaleptic.types import BoolArray, FloatArray, frozen_array
from metaleptic.warn import warn

TABLES = ("mantel-haenszel", "peto")
COUNTS = (*COUNT_MODELS, "beta-binomial", "pooled-counts")


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
        Raw residual over the square root of the total variance v + tau2. Of models of counts: the count minus what the
        model expects, over the square root of the variance that it gives the count.
    standard_se, standardized : ndarray of shape (k,)
        Standard error of the raw residual, and their ratio. Of Mantel-Haenszel and Peto the standard error is that of the
        study; of models of counts ``standardized`` is ``pearson``, and ``standard_se`` and ``deleted_se`` are NaN.
    deleted, deleted_se, studentized : ndarray of shape (k,)
        Residual from the fit without the study, its standard error, and their ratio (of models of counts: ``pearson`` from
        that fit, its uncertainty allowed for).
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
            columns["reason"] = self._reasons(lost)
        return to_frame(columns, self.fit.effects.frame_kind)

    def _reasons(self, lost: BoolArray) -> list[str]:
        if self.fit.model in ("random", "common"):
            return reasons_of(lost)
        words = np.where(
            np.isnan(self.pearson), "it says nothing in this model", "without it the model has no estimate"
        )
        return [str(w) if a else "" for w, a in zip(words, lost, strict=True)]

    def __repr__(self) -> str:
        return self.sentence


def residuals(fit: Pooled | Regression) -> Residuals:
    """Say how far each study lies from what the model, and from what the other studies, would have it.

    Parameters
    ----------
    fit : Pooled or Regression
        From ``ml.pool``. With moderators from ``model="random"`` or ``"common"``.

    Returns
    -------
    Residuals
        Analysis scale; ``ml.plot`` draws them against normal quantiles.

    Raises
    ------
    NotEstimableError
        If there are fewer than two studies more than coefficients.
    OptionError
        If residuals are not defined for the model; the message says why, and what serves instead.

    Notes
    -----
    Source: Viechtbauer W, Cheung MW-L. Res Synth Methods 2010;1:112-125; for the plot Wang MC, Bushman BJ. Psychol
    Methods 1998;3:46-54. Of counts: McCullagh P, Nelder JA. Generalized Linear Models. 2nd edition 1989, 2.4.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.residuals(ml.pool(ml.effects([0.1, 0.3, 0.9], [0.04] * 3))).raw.round(2)
    array([-0.33, -0.13,  0.47])
    """
    if isinstance(fit, Pooled) and fit.model in TABLES:
        return _of_tables(fit)
    if isinstance(fit, Pooled) and fit.model in COUNTS:
        check_has_moments(fit.model)
        return _of_counts(fit)
    if isinstance(fit, Multilevel):
        raise OptionError(
            "residuals of a multilevel fit are fit.residuals and fit.standardized_residuals; for those from the fit without a "
            "study see ml.multilevel_influence(fit, cluster=...)."
        )
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


def _without_each(fit: Pooled) -> SubsetFits:
    """Fit the same model without each study in turn; say which studies it cannot do without."""
    if fit.k < 3:
        raise NotEstimableError(f"residuals need at least 3 studies for this model; there are {fit.k}.")
    without = fit_subsets(fit, ~np.eye(fit.k, dtype=bool))
    lost = [s for s, beta in zip(fit.effects.study, without.beta, strict=True) if np.isnan(beta)]
    if lost:
        warn(FewStudiesWarning, f"{listed(lost)}: without it the model has no estimate; what needs that fit is NaN.")
    return without


def _of_tables(fit: Pooled) -> Residuals:
    """Residuals of Mantel-Haenszel and Peto: against the common effect, in the standard errors of the studies."""
    without, e = _without_each(fit), fit.effects
    error = np.sqrt(e.v)
    z = fit.residuals / error
    deleted, deleted_se = e.y - without.beta, np.sqrt(e.v + without.se**2)
    arrays = (fit.fitted, fit.residuals, z, error, z, deleted, deleted_se, deleted / deleted_se)
    return Residuals(fit, *(frozen_array(a) for a in arrays))


def _of_counts(fit: Pooled) -> Residuals:
    """Residuals of counts: from what the model has each study count, with all studies and without this one."""
    without, e = _without_each(fit), fit.effects
    k, nothing = fit.k, np.full(fit.k, np.nan)
    center, deleted = np.full(k, float(fit.beta[0])), e.y - without.beta
    if fit.model == "beta-binomial":
        off, variance = beta_binomial_moments(e, center, np.full(k, _correlation(e.events, e.n)))
        alike = [_correlation(np.delete(e.events, i), np.delete(e.n, i)) for i in range(k)]
        off_deleted, spread = beta_binomial_moments(e, without.beta, np.array(alike))
        p = special.expit(without.beta)
        variance_deleted = spread + (e.n * p * (1 - p) * without.se) ** 2
        deleted = e.y - e.measure.to_analysis(p)
    else:
        off, variance = count_moments(e, fit.model, center, np.full(k, np.sqrt(fit.tau2)))
        off_deleted, variance_deleted = count_moments(e, fit.model, without.beta, np.sqrt(without.tau2 + without.se**2))
    with np.errstate(divide="ignore", invalid="ignore"):  # counts that are 0 in all studies are as expected
        pearson, studentized = off / np.sqrt(variance), off_deleted / np.sqrt(variance_deleted)
    arrays = (
        fit.fitted,
        fit.residuals,
        pearson,
        nothing,
        pearson,
        deleted,
        nothing,
        studentized,
    )
    return Residuals(fit, *(frozen_array(a) for a in arrays))


def _correlation(x: FloatArray, n: FloatArray) -> float:
    """Return the correlation of patients within studies of the beta-binomial model; 0 where all or none had the event."""
    return 0.0 if x.sum() in (0, n.sum()) else float(special.expit(-beta_parameters(x, n)[1]))
