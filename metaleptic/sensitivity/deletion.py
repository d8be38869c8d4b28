"""Deletion diagnostics as arrays: what the fit would be without each study, and how far the study lies from it.

Source: Viechtbauer W, Cheung MW-L. Res Synth Methods 2010;1:112-125, with the definitions of Belsley DA, Kuh E, Welsch RE.
Regression Diagnostics. Wiley 1980, chapter 2, and Cook RD, Weisberg S. Residuals and Influence in Regression. 1982.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import FewStudiesWarning, NotEstimableError
from metaleptic.pooling.normal import fit_normal
from metaleptic.pooling.regression import RegressionFit, fit_regression
from metaleptic.sensitivity.words import listed
from metaleptic.types import BoolArray, FloatArray
from metaleptic.warn import warn


@dataclass(frozen=True, slots=True, eq=False)
class Deletion:
    """One number per study; ``dfbetas`` and ``beta`` have shape (k, p).

    ``flagged`` is the rule of the source: a large DFFITS, Cook's distance, hat value or DFBETAS. ``essential`` are studies
    without which the model cannot be fitted (the only one of a category); what needs a fit without them is NaN.
    """

    rstudent: FloatArray
    residual: FloatArray
    residual_se: FloatArray
    dffits: FloatArray
    cook: FloatArray
    covariance_ratio: FloatArray
    tau2: FloatArray
    q: FloatArray
    hat: FloatArray
    weight: FloatArray
    dfbetas: FloatArray
    beta: FloatArray
    cov: FloatArray
    flagged: BoolArray
    essential: BoolArray


def deletion_diagnostics(y: Any, v: Any, x: Any, *, tau2: str | None, test: str) -> Deletion:
    """Return the diagnostics of a fit with design ``x`` of shape (k, p); a column of ones for a pooled mean."""
    k, p = x.shape
    if test == "knapp-hartung":
        refuse_exact_fit(y, x)
    essential = (np.linalg.qr(x)[0] ** 2).sum(axis=-1) > 1 - 1e-9
    keep = np.where(essential[:, None], 1.0, 1.0 - np.eye(k))
    full = _fit(y, v, x, tau2, test, 1.0)
    without = _fit(y, v, x, tau2, test, keep).emptied(essential)
    total, total_del = v + full.tau2, v + without.tau2[:, None]
    w = 1 / total
    inverse = np.linalg.inv(x.T @ (w[:, None] * x))
    hat = w * np.einsum("ij,jk,ik->i", x, inverse, x)
    scaled = test in ("knapp-hartung", "adhoc")
    scale = without.scale if scaled else np.ones(k)
    if test == "adhoc":
        scale = np.maximum(scale, 1.0)
    step = full.beta - without.beta
    moved = np.einsum("ij,ij->i", x, step)
    own = np.diagonal(total_del)
    residual = y - np.einsum("ij,ij->i", x, without.beta)
    leverage = np.einsum("ij,ijk,ik->i", x, without.cov, x)
    residual_se = np.sqrt(scale * own + leverage)
    dffits = moved / np.sqrt(scale * hat * own)
    cook = np.einsum("ij,jk,ik->i", step, np.linalg.inv(full.cov), step)
    information = np.einsum("jp,ij,jq->ipq", x, 1 / total_del, x)
    spread = np.diagonal(np.linalg.inv(information), axis1=-2, axis2=-1)
    dfbetas = step / np.sqrt(scale[:, None] * spread)
    flagged = (
        (np.abs(dffits) > 3 * np.sqrt(p / (k - p)))
        | (special.chdtr(p, cook) > 0.5)
        | (hat > 3 * p / k)
        | (np.abs(dfbetas) > 1).any(axis=-1)
    )
    with np.errstate(invalid="ignore"):
        covariance_ratio = np.linalg.det(without.cov) / np.linalg.det(full.cov)
    return Deletion(
        rstudent=residual / residual_se,
        residual=residual,
        residual_se=residual_se,
        dffits=dffits,
        cook=cook,
        covariance_ratio=covariance_ratio,
        tau2=without.tau2,
        q=without.q,
        hat=hat,
        weight=100 * w / w.sum(),
        dfbetas=dfbetas,
        beta=without.beta,
        cov=without.cov,
        flagged=flagged,
        essential=essential,
    )


def refuse_exact_fit(y: Any, x: Any) -> None:
    """Refuse effects that the model fits exactly: Hartung-Knapp standard errors are 0 then, and nothing can be told in them."""
    off = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    if np.abs(off).max() <= 1e-12 * max(1.0, float(np.abs(y).max())):
        raise NotEstimableError(
            "the model fits all effects exactly, so that their Hartung-Knapp standard errors are 0 and no change can be told in "
            'them. Pool with test="z" (or "adhoc") first.'
        )


def reasons_of(essential: BoolArray) -> list[str]:
    """Say why a study has no deletion diagnostics; "" for the others."""
    return ["it alone determines a coefficient" if e else "" for e in essential.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    beta: FloatArray
    cov: FloatArray
    tau2: FloatArray
    q: FloatArray
    scale: FloatArray

    def emptied(self, rows: BoolArray) -> _Fit:
        """Return the fits with NaN in those rows."""
        arrays = (self.beta, self.cov, self.tau2, self.q, self.scale)
        return _Fit(*(np.where(rows.reshape(-1, *[1] * (a.ndim - 1)), np.nan, a) for a in arrays))


def say_what_is_essential(essential: BoolArray, study: tuple[str, ...]) -> None:
    """Warn which studies have no deletion diagnostics, and why."""
    if essential.any():
        names = listed([s for s, e in zip(study, essential, strict=True) if e])
        warn(
            FewStudiesWarning,
            f"{names}: each alone determines a coefficient, so that the model cannot be fitted without it; "
            "what needs that fit is NaN.",
        )


def _fit(y: Any, v: Any, x: Any, tau2: str | None, test: str, keep: Any) -> _Fit:
    """Fit by the faster kernel where the design is a column of ones."""
    if x.shape[1] > 1 or not (x == 1).all():
        f: RegressionFit = fit_regression(y, v, x, tau2=tau2, test=test, keep=keep)
        return _Fit(f.beta, f.cov, f.tau2, f.q, f.scale)
    m = fit_normal(y, v, tau2=tau2, test=test, keep=keep)
    w = keep / (v + m.tau2[..., None])
    count = np.add.reduce(keep + 0 * w, axis=-1)
    scale = np.add.reduce(w * (y - m.mu[..., None]) ** 2, axis=-1) / (count - 1)
    return _Fit(m.mu[..., None], (m.se**2)[..., None, None], m.tau2, m.q, scale)
