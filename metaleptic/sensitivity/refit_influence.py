"""Influence in models without closed deletion formulas (counts, posteriors): every study is left out and the model fitted anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.linear_given_tau import combination, linear_given_tau
from metaleptic.bayes.moderators import ExactRegression, exact_regression, tau_posterior
from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.deletion import reasons_of
from metaleptic.sensitivity.flags import because, flagged_of, influence_sentence, limits_of, rules_of
from metaleptic.sensitivity.leave_one_out_bayes import posterior_subsets
from metaleptic.sensitivity.subset_fits import fit_subsets
from metaleptic.types import BoolArray, FloatArray, frozen_array

AnyRefit = Pooled | PooledBayes | RegressionBayes


@dataclass(frozen=True, slots=True, eq=False)
class RefitInfluence:
    """How much each study moves a fit of counts or a posterior; analysis scale.

    Attributes
    ----------
    fit : Pooled, PooledBayes or RegressionBayes
        The result with all studies.
    rstudent : ndarray of shape (k,)
        Distance of the study's own effect from what the others predict, in standard errors of that distance (of counts:
        by the normal approximation of the study's effect).
    dffits : ndarray of shape (k,)
        Change of the study's fitted value without it, in standard errors (posterior: standard deviations) without it.
    cook : ndarray of shape (k,)
        Cook's distance: the squared change of all coefficients over their variance with all studies.
    covariance_ratio : ndarray of shape (k,)
        Determinant of the coefficients' covariance without the study over that with it; above 1, the study adds precision.
    tau2, q : ndarray of shape (k,)
        Between-study variance (posterior: of the median tau) and Q without the study; NaN in models without them.
    hat, weight : ndarray of shape (k,)
        Hat value and weight in percent; NaN in models without them.
    dfbetas : ndarray of shape (k, p)
        Change of each coefficient without the study, in standard errors without it; with one coefficient this is DFFITS.
    beta, se : ndarray of shape (k,), or (k, p) with moderators
        Coefficients without the study, and their standard errors or standard deviations.
    names : tuple of str
        Names of the coefficients.
    because : tuple of str
        Which limits the study crosses; "" for none.
    flagged : ndarray of bool, shape (k,)
        Whether the study counts as influential by at least one rule (see ``ml.influence``).
    reason : tuple of str
        Why a study has no numbers ("" where it has); empty if all have.
    not_defined : dict of str to str
        Which of the usual diagnostics this model does not have, and why.
    """

    fit: AnyRefit
    rstudent: FloatArray
    dffits: FloatArray
    cook: FloatArray
    covariance_ratio: FloatArray
    tau2: FloatArray
    q: FloatArray
    hat: FloatArray
    weight: FloatArray
    dfbetas: FloatArray
    beta: FloatArray
    se: FloatArray
    names: tuple[str, ...]
    because: tuple[str, ...]
    flagged: BoolArray
    reason: tuple[str, ...]
    not_defined: dict[str, str]

    @property
    def limits(self) -> dict[str, float]:
        """Values beyond which a diagnostic flags a study (of Cook's distance: the chi-squared median)."""
        return limits_of(len(self.cook), len(self.names))

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        if not np.isfinite(self.cook).any():
            return "No study can be left out: the model cannot be fitted to the others."
        return influence_sentence(self.fit.effects.study, self.because, self.cook, self.rstudent)

    def to_frame(self) -> Any:
        """Return a row per study, with what the model has."""
        columns: dict[str, Any] = {"study": self.fit.effects.study}
        for name in ("rstudent", "dffits", "cook", "covariance_ratio"):
            columns[name] = getattr(self, name)
        others = {"tau2_without": self.tau2, "q_without": self.q, "hat": self.hat, "weight": self.weight}
        columns |= {name: values for name, values in others.items() if np.isfinite(values).any()}
        for j, name in enumerate(self.names):
            columns["dfbetas" if len(self.names) == 1 else f"dfbetas_{name}"] = self.dfbetas[:, j]
        columns |= {"influential": [bool(f) for f in self.flagged], "because": self.because}
        if self.reason:
            columns["reason"] = self.reason
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True, eq=False)
class _Refits:
    """A model with all studies and without each: coefficients (k, p), covariances (k, p, p), tau2, Q; design and names."""

    x: FloatArray
    names: tuple[str, ...]
    whole: FloatArray
    cov: FloatArray
    beta: FloatArray
    covs: FloatArray
    tau2: FloatArray
    q: FloatArray
    weight: FloatArray
    reason: tuple[str, ...]
    between: bool


def refit_influence(fit: AnyRefit) -> RefitInfluence:
    """Leave every study out, fit the same model to the others, and compare; ``ml.influence`` calls it.

    Raises
    ------
    NotEstimableError
        If there are fewer than two studies more than coefficients.
    """
    e, k = fit.effects, fit.k
    p = len(fit.beta) if isinstance(fit, RegressionBayes) else 1
    if k < p + 2:
        raise NotEstimableError(f"influence needs at least {p + 2} studies for this model; there are {k}.")
    r = _of_regression(fit) if isinstance(fit, RegressionBayes) else _of_mean(fit)
    change = r.whole - r.beta
    se = np.sqrt(np.diagonal(r.covs, axis1=-2, axis2=-1))
    leverage = np.einsum("ij,ijk,ik->i", r.x, r.covs, r.x)
    moved = np.einsum("ij,ij->i", r.x, change)
    cook = np.einsum("ij,jk,ik->i", change, np.linalg.inv(r.cov), change)
    dffits, dfbetas = moved / np.sqrt(leverage), change / se
    with np.errstate(invalid="ignore"):
        ratio = np.linalg.det(r.covs) / np.linalg.det(r.cov)
        spread = np.sqrt(e.v + r.tau2 + leverage)
    rstudent = (e.y - np.einsum("ij,ij->i", r.x, r.beta)) / spread
    own = np.isfinite(r.beta).all(axis=-1) & ~np.isfinite(rstudent)
    reason = np.array(r.reason or ("",) * k, dtype=object)
    reason[own] = "no deleted residual: the study has no effect of its own, or the model no tau2"
    hat = r.weight / 100 if p == 1 else np.full(k, np.nan)
    known = hat if np.isfinite(hat).any() else None
    why = because(rules_of(k, r.names, dffits=dffits, cook=cook, dfbetas=dfbetas, hat=known))
    single = p == 1
    return RefitInfluence(
        fit=fit,
        rstudent=frozen_array(rstudent),
        dffits=frozen_array(dffits),
        cook=frozen_array(cook),
        covariance_ratio=frozen_array(ratio),
        tau2=frozen_array(r.tau2 if r.between else r.tau2 * np.nan),
        q=frozen_array(r.q),
        hat=frozen_array(hat),
        weight=frozen_array(r.weight),
        dfbetas=frozen_array(dfbetas),
        beta=frozen_array(r.beta[:, 0] if single else r.beta),
        se=frozen_array(se[:, 0] if single else se),
        names=r.names,
        because=why,
        flagged=flagged_of(why),
        reason=tuple(reason.tolist()) if reason.any() else (),
        not_defined=_not_defined(fit, r, hat),
    )


def _not_defined(fit: AnyRefit, r: _Refits, hat: FloatArray) -> dict[str, str]:
    found = {}
    if not np.isfinite(r.q).any():
        posterior = isinstance(fit, PooledBayes | RegressionBayes)
        found["q"] = "a posterior has no Q" if posterior else "the model has no Q"
    if not np.isfinite(hat).any():
        found["hat"] = "fitted values are averages over tau, not one linear function of the effects"
    if not np.isfinite(r.weight).any():
        found["weight"] = "coefficients are averages over tau: no study has one weight"
    if not r.between:
        found["tau2"] = "the model has no between-study variance"
    return found


def _of_mean(fit: Pooled | PooledBayes) -> _Refits:
    """Fit the pooled mean without each study."""
    keep = ~np.eye(fit.k, dtype=bool)
    if isinstance(fit, PooledBayes):
        without, beta, variance = posterior_subsets(fit, keep), fit.mu.median, fit.mu.sd**2
    else:
        without, beta, variance = fit_subsets(fit, keep), float(fit.beta[0]), float(fit.se[0]) ** 2
    return _Refits(
        x=np.ones((fit.k, 1)),
        names=("mean",),
        whole=np.array([beta]),
        cov=np.array([[variance]]),
        beta=np.asarray(without.beta)[:, None],
        covs=np.asarray(without.se**2)[:, None, None],
        tau2=without.tau2,
        q=without.q,
        weight=np.asarray(fit.weights, dtype=np.float64),
        reason=without.reason,
        between=isinstance(fit, PooledBayes) or bool(fit.tau2_method),
    )


def _of_regression(fit: RegressionBayes) -> _Refits:
    """Make the posterior of the coefficients without each study; NaN where one of them alone determines a coefficient."""
    x, e, k = np.asarray(fit.design.matrix), fit.effects, fit.k
    p = x.shape[1]
    mean, sd = (np.array([b[i] for b in fit.beta_prior]) for i in (0, 1))
    beta, covs, tau2 = np.full((k, p), np.nan), np.full((k, p, p), np.nan), np.full(k, np.nan)
    lost = np.zeros(k, bool)
    for i in range(k):
        row = np.arange(k) != i
        if not np.isfinite(sd).all() and np.linalg.matrix_rank(x[row]) < p:
            lost[i] = True
            continue
        at = np.flatnonzero(row)
        again = exact_regression(e.y[row], e.v[row], x[row], fit.prior, mean, sd)
        beta[i], covs[i] = posterior_moments(again, p)
        tau2[i] = float(tau_posterior(again, e.take(at), fit.prior).quantile(np.array([0.5]))[0]) ** 2
    whole, cov = posterior_moments(fit.fit, p)
    nothing = np.full(k, np.nan)
    reason = tuple(reasons_of(lost)) if lost.any() else ()
    return _Refits(x, fit.design.names, whole, cov, beta, covs, tau2, nothing, nothing, reason, True)


def posterior_moments(fit: ExactRegression, p: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance matrix of the coefficients, tau integrated out."""
    pairs = [(i, j) for i in range(p) for j in range(i, p)]
    rows = np.array([np.eye(p)[i] + (i != j) * np.eye(p)[j] for i, j in pairs])
    m, s = combination(fit.model, linear_given_tau(fit.model, fit.tau), rows)
    w = fit.weight / fit.weight.sum()
    centre = m @ w
    variance = (s**2 + (m - centre[:, None]) ** 2) @ w
    place = {pair: n for n, pair in enumerate(pairs)}
    cov = np.empty((p, p))
    for (i, j), n in place.items():
        own = variance[place[i, i]], variance[place[j, j]]
        cov[i, j] = cov[j, i] = variance[n] if i == j else (variance[n] - sum(own)) / 2
    return np.array([centre[place[i, i]] for i in range(p)]), cov
