"""The analyses of a multiverse, grouped so that each way of pooling is one call of a kernel for all sets of studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metaleptic.bayes import mixture
from metaleptic.bayes.exact import Exact, exact, tau_density
from metaleptic.bayes.prior import Prior
from metaleptic.errors import NotEstimableError
from metaleptic.pooling.models import fit_model
from metaleptic.sensitivity.multiverse_choices import Maker
from metaleptic.sensitivity.subset_fits import BROADCAST, fit_subsets, normal_subsets
from metaleptic.types import BoolArray, Effects, FloatArray

IntArray = np.ndarray[Any, np.dtype[np.intp]]

WANTED = ("beta", "se", "p", "tau2", "low", "high")
ROWS_OF_BAYES = 64


def aligned(versions: Sequence[Effects], study: tuple[str, ...]) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return effects, variances and presence of the main version's studies in every version: arrays (versions, k)."""
    k = len(study)
    y, v, present = np.zeros((len(versions), k)), np.ones((len(versions), k)), np.zeros((len(versions), k), bool)
    for i, version in enumerate(versions):
        at = range(k) if version.study == study else [study.index(s) for s in version.study]
        y[i, list(at)], v[i, list(at)], present[i, list(at)] = version.y, version.v, True
    return y, v, present


def fit_all(
    maker: Maker, versions: Sequence[Effects], which: IntArray, keep: BoolArray, study: tuple[str, ...], level: float
) -> tuple[FloatArray, list[str]]:
    """Pool every row of ``keep`` (m, k), of the version that ``which`` (m,) names, in one way.

    Returns
    -------
    columns : ndarray of shape (6, m)
        In the order of WANTED, analysis scale; NaN where an analysis cannot be made.
    reasons : list of str
        Why not; "" where it can.
    """
    y, v, _ = aligned(versions, study)
    at = which
    if maker.prior is not None:
        return _bayes(y[at], v[at], keep, maker.prior, level)
    if maker.model in ("random", "common") and maker.test in BROADCAST:
        found = normal_subsets(y[at], v[at], keep, maker.tau2, maker.test, level)
        return np.stack([getattr(found, name) for name in WANTED]), [""] * len(keep)
    out, reasons = np.full((len(WANTED), len(keep)), np.nan), [""] * len(keep)
    for i, version in enumerate(versions):
        rows = np.flatnonzero(at == i)
        if len(rows) == 0:
            continue
        place = list(range(len(study))) if version.study == study else [study.index(s) for s in version.study]
        found = fit_subsets(fit_model(version, maker.model, maker.tau2, maker.test, level), keep[rows][:, place])
        out[:, rows] = np.stack([getattr(found, name) for name in WANTED])
        for row, reason in zip(rows.tolist(), found.reason, strict=False):
            reasons[row] = reason
    return out, reasons


def _bayes(y: FloatArray, v: FloatArray, keep: BoolArray, prior: Prior, level: float) -> tuple[FloatArray, list[str]]:
    """Return posterior medians and credible intervals, chunk by chunk; an improper posterior is named."""
    out, reasons = np.full((len(WANTED), len(keep)), np.nan), [""] * len(keep)
    for start in range(0, len(keep), ROWS_OF_BAYES):
        rows = np.arange(start, min(start + ROWS_OF_BAYES, len(keep)))
        try:
            out[:, rows] = _posteriors(y[rows], v[rows], keep[rows], prior, level)
        except NotEstimableError:
            for i in rows.tolist():
                try:
                    out[:, [i]] = _posteriors(y[[i]], v[[i]], keep[[i]], prior, level)
                except NotEstimableError as error:
                    reasons[i] = str(error)
    return out, reasons


def _posteriors(y: FloatArray, v: FloatArray, keep: BoolArray, prior: Prior, level: float) -> FloatArray:
    fit: Exact = exact(y, v, [prior], None, keep)
    p = np.array([[0.5, (1 - level) / 2, (1 + level) / 2]])
    middle, low, high = mixture.quantile(fit.weight, fit.mean, fit.sd, p).T
    below = mixture.cdf(fit.weight, fit.mean, fit.sd, np.zeros((len(keep), 1)))[:, 0]
    half = np.array([0.5])
    tau = [
        float(tau_density(fit, i, y[i][keep[i]], v[i][keep[i]], prior, None).quantile(half)[0])
        for i in range(len(keep))
    ]
    return np.stack([middle, fit.mu_sd, 2 * np.minimum(below, 1 - below), np.square(tau), low, high])
