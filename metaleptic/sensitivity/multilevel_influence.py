"""Deletion diagnostics of multilevel fits: one effect, or one cluster of effects, left out at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import DataError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.multilevel.blocks import IntArray
from metaleptic.pooling.multilevel.build import Built, make_problem
from metaleptic.pooling.multilevel.likelihood import Problem, Solved, row_of_blocks, solve, spread
from metaleptic.pooling.multilevel.maximise import climb, polish
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.multilevel.terms import column_of, number
from metaleptic.sensitivity.flags import because, flagged_of, influence_words, limits_of, rules_of
from metaleptic.sensitivity.words import few_words
from metaleptic.types import BoolArray, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class MultilevelInfluence:
    """What would change without each effect or cluster; analysis scale.

    NaN marks what cannot be computed: without the effect a coefficient could not be estimated.

    Attributes
    ----------
    fit : Multilevel
        The result with all effects.
    left_out : tuple of str
        What was left out in turn: effects, or clusters.
    residual, residual_se, rstudent : ndarray of shape (k,)
        Per effect: its distance from what the fit without it (or its cluster) predicts, the standard error of that, and
        their ratio.
    mahalanobis, mahalanobis_p : ndarray of shape (m,)
        Per unit: the squared distance of all its effects together from what the fit without it predicts, and its p value
        (chi-squared, as many degrees of freedom as it has effects); of a single effect the squared ``rstudent``.
    dffits : ndarray of shape (m,)
        Change of the fitted value of the unit without it, in standard errors; of its effects the largest change.
    covariance_ratio : ndarray of shape (m,)
        Determinant of the coefficients' covariance without the unit over that with it; above 1, it adds precision.
    hat, weight : ndarray of shape (m,)
        Hat values and weights (percent) of its effects, summed.
    q : ndarray of shape (m,)
        Q of the heterogeneity without the unit.
    cook : ndarray of shape (m,)
        Per unit left out: Cook's distance, the change of all coefficients together.
    beta, dfbetas : ndarray of shape (m, p)
        Coefficients without the unit, and their change in standard errors.
    components : ndarray of shape (m, q)
        Variances and correlations without the unit, in the order of ``fit.variance_components``.
    because : tuple of str
        Which limits the unit crosses; "" for none.
    flagged : ndarray of bool, shape (m,)
        Whether the unit counts as influential by at least one rule (see ``ml.influence``).
    """

    fit: Multilevel
    left_out: tuple[str, ...]
    residual: FloatArray
    residual_se: FloatArray
    rstudent: FloatArray
    cook: FloatArray
    beta: FloatArray
    dfbetas: FloatArray
    components: FloatArray
    mahalanobis: FloatArray
    mahalanobis_p: FloatArray
    dffits: FloatArray
    covariance_ratio: FloatArray
    hat: FloatArray
    weight: FloatArray
    q: FloatArray
    because: tuple[str, ...]
    flagged: BoolArray

    @property
    def limits(self) -> dict[str, float]:
        """Values beyond which a diagnostic flags a unit (of Cook's distance: the chi-squared median)."""
        return limits_of(len(self.left_out), len(self.fit.names))

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        if not np.isfinite(self.cook).any():
            return "No unit can be left out without losing a coefficient."
        unit = "effect" if len(self.left_out) == self.fit.k else "cluster"
        far = int(np.sum(np.abs(self.rstudent) > 1.96))
        return (
            f"{influence_words(self.left_out, self.because, self.cook, unit)} {far} of {self.fit.k} effects lie further from "
            f"the others than 1.96 standard errors; about {0.05 * self.fit.k:.1f} would do so by "
            f"chance.{few_words(len(self.left_out), unit)}"
        )

    def to_frame(self) -> Any:
        """Return a row per unit left out."""
        columns: dict[str, Any] = {"left_out": self.left_out}
        if len(self.left_out) == self.fit.k:
            columns["rstudent"] = self.rstudent
        else:
            columns |= {"mahalanobis": self.mahalanobis, "mahalanobis_p": self.mahalanobis_p}
        columns |= {"dffits": self.dffits, "cook": self.cook, "covariance_ratio": self.covariance_ratio}
        columns |= {"q_without": self.q, "hat": self.hat, "weight": self.weight}
        for j, name in enumerate(self.fit.names):
            columns |= {f"estimate_{name}": self.beta[:, j], f"dfbetas_{name}": self.dfbetas[:, j]}
        for j, name in enumerate(self.fit.variance_components):
            columns[name] = self.components[:, j]
        columns |= {"influential": [bool(f) for f in self.flagged], "because": self.because}
        lost = np.isnan(self.cook)
        if lost.any():
            columns["reason"] = ["without it a coefficient cannot be estimated" if x else "" for x in lost.tolist()]
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def multilevel_influence(fit: Multilevel, *, cluster: str | Sequence[Any] | None = None) -> MultilevelInfluence:
    """Find the effects, or the studies with all their effects, that drive a multilevel result.

    Parameters
    ----------
    fit : Multilevel
        From ``ml.pool_multilevel``.
    cluster : str or sequence, optional
        Column of the effects (or one value per effect): whole clusters are left out. Single effects by default.

    Returns
    -------
    MultilevelInfluence
        Every unit is left out in turn and the model, its variances too, fitted anew. Units that cross a limit are flagged
        by the rules of ``ml.influence``, the number of units in place of that of studies.

    Raises
    ------
    OptionError
        If ``fit`` is not a multilevel fit.
    DataError
        If ``cluster`` does not fit the effects.

    Notes
    -----
    Source: Viechtbauer W, Cheung MW-L. Res Synth Methods 2010;1:112-125.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.2, 0.3, 0.1, 0.6, 0.5, 0.1, 0.9], [0.02, 0.03, 0.02, 0.02, 0.03, 0.04, 0.02],
    ...                columns={"lab": ["A", "A", "B", "C", "C", "D", "E"]})
    >>> found = ml.multilevel_influence(ml.pool_multilevel(e, random="~ 1 | lab"), cluster="lab")
    >>> found.left_out[int(found.cook.argmax())]
    'E'
    """
    if not isinstance(fit, Multilevel):
        raise OptionError(f"multilevel_influence takes a result of ml.pool_multilevel, not {type(fit).__name__}.")
    code, names = units_of(fit, cluster)
    k, p = fit.k, len(fit.beta)
    y, x = np.asarray(fit.effects.y), np.asarray(fit.design.matrix)
    precision = np.linalg.inv(fit.cov)
    residual, error = np.full(k, np.nan), np.full(k, np.nan)
    beta, dfbetas = np.full((len(names), p), np.nan), np.full((len(names), p), np.nan)
    cook, distance, dffits, ratio, q = (np.full(len(names), np.nan) for _ in range(5))
    whole = np.linalg.det(fit.cov)
    components = np.full((len(names), len(fit.variance_components)), np.nan)
    for i in range(len(names)):
        keep, out = np.flatnonzero(code != i), np.flatnonzero(code == i)
        found = without(fit, keep)
        if found is None:
            continue
        solved, theta = found
        beta[i] = solved.beta
        change = np.asarray(fit.beta) - solved.beta
        cook[i] = change @ precision @ change
        dfbetas[i] = change / np.sqrt(np.diagonal(solved.cov))
        components[i] = _named(fit, theta)
        residual[out] = y[out] - x[out] @ solved.beta
        leverage = x[out] @ solved.cov @ x[out].T
        total = _marginal(fit, out, theta) + leverage
        error[out] = np.sqrt(np.diagonal(total))
        distance[i] = residual[out] @ np.linalg.solve(total, residual[out])
        moved = x[out] @ change / np.sqrt(np.diagonal(leverage))
        dffits[i] = moved[int(np.argmax(np.abs(moved)))]
        ratio[i] = np.linalg.det(solved.cov) / whole
        q[i] = _q_of(fit, keep)
    member = np.asarray(code)[None, :] == np.arange(len(names))[:, None]
    hat, weight = member @ np.asarray(fit.leverage), member @ np.asarray(fit.weights)
    why = because(rules_of(len(names), fit.names, dffits=dffits, cook=cook, dfbetas=dfbetas, hat=hat))
    return MultilevelInfluence(
        fit=fit,
        left_out=names,
        residual=frozen_array(residual),
        residual_se=frozen_array(error),
        rstudent=frozen_array(residual / error),
        cook=frozen_array(cook),
        beta=frozen_array(beta),
        dfbetas=frozen_array(dfbetas),
        components=frozen_array(components),
        mahalanobis=frozen_array(distance),
        mahalanobis_p=frozen_array(special.chdtrc(member.sum(axis=-1), distance)),
        dffits=frozen_array(dffits),
        covariance_ratio=frozen_array(ratio),
        hat=frozen_array(hat),
        weight=frozen_array(weight),
        q=frozen_array(q),
        because=why,
        flagged=flagged_of(why),
    )


def _marginal(fit: Multilevel, out: IntArray, theta: FloatArray) -> FloatArray:
    """Return the covariance matrix of some of the effects at these parameters: sampling errors plus every random term."""
    state, x = fit.state, np.asarray(fit.design.matrix)
    v = state.v[out] if state.v.ndim == 1 else state.v[np.ix_(out, out)]
    problem = make_problem(
        np.asarray(fit.effects.y)[out], x[out], v, [built_without(b, out) for b in state.built], False
    )
    matrices = [c.matrix(t) for c, t in zip(problem.covariances, problem.split(theta), strict=True)]
    whole = np.zeros((len(out), len(out)))
    for batch in problem.batches:
        for rows, real, block in zip(batch.rows, batch.real, spread(problem, batch, matrices), strict=True):
            whole[np.ix_(rows[real], rows[real])] = block[np.ix_(real, real)]
    return whole


def _q_of(fit: Multilevel, keep: IntArray) -> float:
    """Return the weighted residual sum of squares without random effects of some of the effects."""
    state, x = fit.state, np.asarray(fit.design.matrix)
    v = state.v[keep] if state.v.ndim == 1 else state.v[np.ix_(keep, keep)]
    alone = solve(make_problem(np.asarray(fit.effects.y)[keep], x[keep], v, (), False), np.empty(0))
    return float("nan") if alone is None else float(alone.rss)


def units_of(fit: Multilevel, cluster: Any) -> tuple[IntArray, tuple[str, ...]]:
    """Return the unit of each effect, from 0, and the names of the units: effects, or clusters by column or values."""
    study = fit.effects.study
    if cluster is None:
        twice = len(set(study)) < len(study)
        return np.arange(fit.k), tuple(f"{s} (row {i + 1})" if twice else s for i, s in enumerate(study))
    if isinstance(cluster, str):
        return number(column_of(fit.effects, fit.state.columns, "the clusters")(cluster))
    values = list(cluster)
    if len(values) != fit.k:
        raise DataError(f"cluster has {len(values)} values for {fit.k} effects: they must match.")
    return number(values)


def without(fit: Multilevel, keep: IntArray) -> tuple[Solved, FloatArray] | None:
    """Fit again to some of the effects: the solution and its parameters; None if a coefficient cannot be estimated."""
    y, x, state = np.asarray(fit.effects.y), np.asarray(fit.design.matrix), fit.state
    p = x.shape[1]
    if len(keep) <= p or np.linalg.matrix_rank(x[keep]) < p:
        return None
    v = state.v[keep] if state.v.ndim == 1 else state.v[np.ix_(keep, keep)]
    built = [built_without(b, keep) for b in state.built]
    problem = make_problem(y[keep], x[keep], v, built, fit.method_key == "REML")
    theta = _refit(problem, fit)
    solved = solve(problem, theta)
    return None if solved is None else (solved, theta)


def between_variance(fit: Multilevel, rows: IntArray, theta: FloatArray) -> float:
    """Return the variance of true effects at these parameters, all random terms together, averaged over effects."""
    return float(np.mean((_total_variance(fit.state.problem, theta) - fit.effects.v)[rows]))


def built_without(b: Built, keep: IntArray) -> Built:
    """Return a random term for some of the effects."""
    loading = b.term.loading
    return replace(
        b,
        term=replace(
            b.term,
            inner=b.term.inner[keep],
            outer=b.term.outer[keep],
            loading=None if loading is None else loading[keep],
        ),
    )


def _refit(problem: Problem, fit: Multilevel) -> FloatArray:
    """Climb from the estimates of the whole and from equal shares of the variance, and keep the higher peak."""
    scaled = fit.state.scaled
    if not scaled.free.any():
        return scaled.theta
    objective, space = scaled.objective(problem), scaled.space
    own = scaled.theta[scaled.free]
    starts = [np.where(np.abs(own) < 0.05 * space.scale, 0.05 * space.scale, own), 0.6 * space.scale]
    peaks = [polish(objective, climb(objective, start, space)[0], space) for start in starts]
    best = max(peaks, key=lambda peak: peak.value)
    return scaled.whole(best.theta)


def _total_variance(problem: Problem, theta: FloatArray) -> FloatArray:
    matrices = [c.matrix(t) for c, t in zip(problem.covariances, problem.split(theta), strict=True)]
    return row_of_blocks(
        problem, [np.diagonal(spread(problem, batch, matrices), axis1=-2, axis2=-1) for batch in problem.batches]
    )


def _named(fit: Multilevel, theta: FloatArray) -> list[float]:
    from metaleptic.pooling.multilevel.assemble import named_components

    state = replace(fit.state, scaled=replace(fit.state.scaled, theta=theta))
    return [value for part in named_components(state) for value in part.values()]
