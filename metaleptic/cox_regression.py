"""Cox regression with any number of covariates, strata, Breslow's or Efron's ties and cluster-robust errors.

Cox 1972 (JRSS B 34:187); Breslow 1974; Efron 1977; the robust variance of Lin & Wei 1989 (JASA 84:1074) summed within
clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.survival_tests import TIES
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class CoxFit:
    """Log hazard ratios with their covariance, and the three tests that all are zero.

    Attributes
    ----------
    beta, se : ndarray of shape (p,)
        Log hazard ratios; standard errors, robust ones if clusters were given.
    cov, naive_cov : ndarray of shape (p, p)
        Covariance, robust if clusters were given; inverse information.
    loglik0, loglik1 : float
        Log partial likelihood at zero and at the estimate.
    wald, score, likelihood : float
        Chi-square statistics on p degrees of freedom; Wald from ``cov``.
    """

    beta: FloatArray
    se: FloatArray
    cov: FloatArray
    naive_cov: FloatArray
    loglik0: float
    loglik1: float
    wald: float
    score: float
    likelihood: float

    def p(self, test: str = "wald") -> float:
        """Return the p-value of "wald", "score" or "likelihood"."""
        if test not in {"wald", "score", "likelihood"}:
            raise OptionError(f"test {test!r} is unknown. Choose one of: wald, score, likelihood.")
        return float(stats.chi2.sf(getattr(self, test), len(self.beta)))

    def interval(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Return the limits of the hazard ratios."""
        z = stats.norm.isf((1 - level) / 2)
        return np.exp(self.beta - z * self.se), np.exp(self.beta + z * self.se)


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Patients sorted by stratum and time; one entry per event (or its rank among Efron's ties)."""

    x: FloatArray
    event: FloatArray
    first: Any  # first patient of the risk set of each entry
    stop: Any  # one past the last patient of its stratum
    moment: Any  # number of the (stratum, time) each entry belongs to
    gone: FloatArray  # share of the tied events already gone (Efron)
    of: Any  # (stratum, time) of each patient
    stratum: Any


def cox(time: Any, event: Any, x: Any, *, ties: str = "efron", strata: Any = None, cluster: Any = None) -> CoxFit:
    """Fit Cox's model to covariates x of shape (n,) or (n, p).

    Raises
    ------
    DataError
        If lengths differ or there are no events.
    NotEstimableError
        If a hazard ratio is infinite or covariates cannot be told apart.
    """
    if ties not in TIES:
        raise OptionError(f"ties {ties!r} is unknown. Choose one of: {', '.join(TIES)}.")
    t, e = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=np.float64)
    matrix = np.asarray(x, dtype=np.float64).reshape(len(t), -1)
    if len(e) != len(t):
        raise DataError(f"{len(t)} times but {len(e)} event indicators. Each patient needs both.")
    if not e.any():
        raise DataError("there are no events; Cox's model needs some.")
    stratum = np.zeros(len(t), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    order = np.lexsort((t, stratum))
    matrix = matrix - matrix.mean(axis=0)
    a = _lay_out(t[order], e[order], matrix[order], stratum[order], ties)
    loglik0, score0, info0, _ = _terms(a, np.zeros(matrix.shape[1]))
    if np.linalg.matrix_rank(info0) < matrix.shape[1]:
        raise NotEstimableError("the covariates cannot be told apart: one is constant or follows from the others.")
    beta, loglik = _newton(a, matrix.shape[1], loglik0)
    _, _, info, _ = _terms(a, beta)
    naive = np.asarray(np.linalg.inv(info), dtype=np.float64)
    cov: FloatArray = naive
    if cluster is not None:
        ids = np.unique(np.asarray(cluster)[order], return_inverse=True)[1]
        influence = _score_residuals(a, beta) @ naive
        summed = np.zeros((int(ids.max()) + 1, matrix.shape[1]))
        np.add.at(summed, ids, influence)
        cov = summed.T @ summed
    return CoxFit(
        beta,
        np.sqrt(np.diag(cov)),
        cov,
        naive,
        loglik0,
        loglik,
        float(beta @ np.linalg.solve(cov, beta)),
        float(score0 @ np.linalg.solve(info0, score0)),
        2 * (loglik - loglik0),
    )


def _newton(a: _Layout, p: int, start: float) -> tuple[FloatArray, float]:
    beta, loglik = np.zeros(p), start
    for _ in range(60):
        _, u, info, _ = _terms(a, beta)
        try:
            step = np.linalg.solve(info, u)
        except np.linalg.LinAlgError:
            break
        for _ in range(30):  # halve until the likelihood rises
            new = _terms(a, beta + step)[0]
            if new >= loglik - 1e-10:
                break
            step = step / 2
        beta, loglik = beta + step, new
        if np.abs(a.x @ step).max(initial=0) < 1e-10:
            return beta, loglik
    raise NotEstimableError("a hazard ratio is infinite: one group has no events, or a covariate separates them.")


def _lay_out(t: FloatArray, e: FloatArray, x: FloatArray, stratum: Any, ties: str) -> _Layout:
    new = np.r_[True, (t[1:] != t[:-1]) | (stratum[1:] != stratum[:-1])]
    of = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    stops = np.searchsorted(stratum, stratum[starts], side="right")
    entry_of = of[e > 0]  # sorted, since patients are
    deaths = np.bincount(entry_of, minlength=len(starts))
    rank = np.arange(len(entry_of)) - (np.cumsum(deaths) - deaths)[entry_of]
    gone = rank / deaths[entry_of] if ties == "efron" else np.zeros(len(entry_of))
    return _Layout(x, e, starts[entry_of], stops[entry_of], entry_of, gone, of, stratum)


def _sums(a: _Layout, r: FloatArray, values: FloatArray) -> FloatArray:
    """Sum r * values over each entry's risk set, less the share of its tied events that has gone."""
    weighted = r.reshape(-1, *[1] * (values.ndim - 1)) * values
    running = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(weighted, axis=0)])
    tied = np.zeros((int(a.of[-1]) + 1, *values.shape[1:]))
    np.add.at(tied, a.of, a.event.reshape(-1, *[1] * (values.ndim - 1)) * weighted)
    gone = a.gone.reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(running[a.stop] - running[a.first] - gone * tied[a.moment])


def _terms(a: _Layout, beta: FloatArray) -> tuple[float, FloatArray, FloatArray, tuple[FloatArray, FloatArray]]:
    eta = a.x @ beta
    shift = eta.max(initial=0.0)
    r = np.exp(eta - shift)
    s0 = _sums(a, r, np.ones(len(r)))
    s1 = _sums(a, r, a.x)
    s2 = _sums(a, r, a.x[:, :, None] * a.x[:, None, :])
    mean = s1 / s0[:, None]
    dead = a.event > 0
    loglik = float(eta[dead].sum() - (np.log(s0) + shift).sum())
    score = a.x[dead].sum(axis=0) - mean.sum(axis=0)
    information = (s2 / s0[:, None, None]).sum(axis=0) - mean.T @ mean
    return loglik, score, information, (s0 * np.exp(shift), mean)


def _score_residuals(a: _Layout, beta: FloatArray) -> FloatArray:
    """Return each patient's part of the score, shape (n, p)."""
    _, _, _, (s0, mean) = _terms(a, beta)
    moments = int(a.of[-1]) + 1
    hazard, drift = np.zeros(moments), np.zeros((moments, a.x.shape[1]))
    own_hazard, own_drift, own_mean = np.zeros(moments), drift.copy(), drift.copy()
    deaths = np.bincount(a.moment, minlength=moments)
    np.add.at(hazard, a.moment, 1 / s0)
    np.add.at(drift, a.moment, mean / s0[:, None])
    np.add.at(own_hazard, a.moment, a.gone / s0)  # the tied events are at risk only in part
    np.add.at(own_drift, a.moment, (a.gone / s0)[:, None] * mean)
    np.add.at(own_mean, a.moment, mean / deaths[a.moment][:, None])
    first = np.r_[True, a.stratum[1:] != a.stratum[:-1]]
    begin = a.of[np.flatnonzero(first)[a.stratum]]
    total_h = np.concatenate([[0.0], np.cumsum(hazard)])
    total_d = np.concatenate([np.zeros((1, a.x.shape[1])), np.cumsum(drift, axis=0)])
    h = total_h[a.of + 1] - total_h[begin] - a.event * own_hazard[a.of]
    d = total_d[a.of + 1] - total_d[begin] - a.event[:, None] * own_drift[a.of]
    r = np.exp(a.x @ beta)
    return np.asarray(a.event[:, None] * (a.x - own_mean[a.of]) - r[:, None] * (a.x * h[:, None] - d))
