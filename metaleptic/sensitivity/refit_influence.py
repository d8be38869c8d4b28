"""Influence in models without closed deletion formulas (counts, posteriors): every study is left out and the model fitted anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.leave_one_out_bayes import posterior_subsets
from metaleptic.sensitivity.subset_fits import fit_subsets
from metaleptic.sensitivity.words import listed, signed
from metaleptic.types import BoolArray, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class RefitInfluence:
    """How much each study moves a fit of counts or a posterior; analysis scale.

    Such models have neither hat values nor weights of their own, so there are none here.

    Attributes
    ----------
    fit : Pooled or PooledBayes
        The result with all studies.
    rstudent : ndarray of shape (k,)
        Distance of the study's own effect from what the others predict, in standard errors of that distance (of counts:
        by the normal approximation of the study's effect).
    dffits : ndarray of shape (k,)
        Change of the pooled effect without the study, in standard errors (posterior: standard deviations) without it.
    cook : ndarray of shape (k,)
        Cook's distance: the squared change over the variance with all studies.
    covariance_ratio : ndarray of shape (k,)
        Variance of the pooled effect without the study over that with it; above 1, the study adds precision.
    tau2 : ndarray of shape (k,)
        Between-study variance without the study (posterior: of the median tau); NaN in models without one.
    beta, se : ndarray of shape (k,)
        Pooled effect without the study, and its standard error or standard deviation.
    flagged : ndarray of bool, shape (k,)
        Whether the study counts as influential by at least one rule (see ``ml.influence``).
    reason : tuple of str
        Why a study has no numbers ("" where it has); empty if all have.
    """

    fit: Pooled | PooledBayes
    rstudent: FloatArray
    dffits: FloatArray
    cook: FloatArray
    covariance_ratio: FloatArray
    tau2: FloatArray
    beta: FloatArray
    se: FloatArray
    flagged: BoolArray
    reason: tuple[str, ...]

    @property
    def limits(self) -> dict[str, float]:
        """Values beyond which a diagnostic flags a study (of Cook's distance: the chi-squared median)."""
        k = len(self.beta)
        return {"dffits": float(3 * np.sqrt(1 / (k - 1))), "cook": float(special.chdtri(1, 0.5))}

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        study = self.fit.effects.study
        if not np.isfinite(self.cook).any():
            return "No study can be left out: the model cannot be fitted to the others."
        names = [s for s, flag in zip(study, self.flagged, strict=True) if flag]
        most = int(np.nanargmax(self.cook))
        text = f"No study is influential by the usual limits (largest Cook's distance {self.cook[most]:.2f}: {study[most]})."
        if names:
            text = f"{listed(names)} {'is' if len(names) == 1 else 'are'} influential: without "
            text += "it the result is another." if len(names) == 1 else "any of them the result is another."
        away = [f"{s} ({signed(r)})" for s, r in zip(study, self.rstudent, strict=True) if abs(r) > 1.96]
        if away:
            expected = 0.05 * len(study)
            text += f" Further from the others than chance would have it (|t| > 1.96): {listed(away)}; about {expected:.1f} of {len(study)} would be so by chance."
        return text

    def to_frame(self) -> Any:
        """Return a row per study."""
        columns: dict[str, Any] = {"study": self.fit.effects.study}
        for name in ("rstudent", "dffits", "cook", "covariance_ratio"):
            columns[name] = getattr(self, name)
        if np.isfinite(self.tau2).any():
            columns["tau2_without"] = self.tau2
        columns["influential"] = [bool(f) for f in self.flagged]
        if self.reason:
            columns["reason"] = self.reason
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def refit_influence(fit: Pooled | PooledBayes) -> RefitInfluence:
    """Leave every study out, fit the same model to the others, and compare; ``ml.influence`` calls it.

    Raises
    ------
    NotEstimableError
        If there are fewer than three studies.
    """
    e, k = fit.effects, fit.k
    if k < 3:
        raise NotEstimableError(f"influence needs at least 3 studies for this model; there are {k}.")
    keep = ~np.eye(k, dtype=bool)
    if isinstance(fit, PooledBayes):
        without, beta, variance = posterior_subsets(fit, keep), fit.mu.median, fit.mu.sd**2
    else:
        without, beta, variance = fit_subsets(fit, keep), float(fit.beta[0]), float(fit.se[0]) ** 2
    between = isinstance(fit, PooledBayes) or bool(fit.tau2_method)
    change = beta - without.beta
    cook, dffits = change**2 / variance, change / without.se
    with np.errstate(invalid="ignore"):
        spread = np.sqrt(e.v + without.tau2 + without.se**2)
        flagged = (np.abs(dffits) > min(1.0, 3 / np.sqrt(k - 1))) | (cook > special.chdtri(1, 0.5))
    rstudent = (e.y - without.beta) / spread
    own = np.isfinite(without.beta) & ~np.isfinite(rstudent)
    reason = np.array(without.reason or ("",) * k, dtype=object)
    reason[own] = "no deleted residual: the study has no effect of its own, or the model no tau2"
    flagged.flags.writeable = False
    return RefitInfluence(
        fit=fit,
        rstudent=frozen_array(rstudent),
        dffits=frozen_array(dffits),
        cook=frozen_array(cook),
        covariance_ratio=frozen_array(without.se**2 / variance),
        tau2=frozen_array(without.tau2 if between else without.tau2 * np.nan),
        beta=frozen_array(without.beta),
        se=frozen_array(without.se),
        flagged=flagged,
        reason=tuple(reason.tolist()) if reason.any() else (),
    )
