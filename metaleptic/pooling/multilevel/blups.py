"""Best linear unbiased predictions of the random effects, hat values and residual variances.

Source: Robinson GK. Stat Sci 1991;6:15-32.
"""

from __future__ import annotations

import numpy as np

from metaleptic.pooling.multilevel.likelihood import Problem, Solved, row_of_blocks
from metaleptic.pooling.multilevel.result import RandomEffects, State
from metaleptic.types import FloatArray, frozen_array


def rowwise(problem: Problem, solved: Solved) -> tuple[FloatArray, FloatArray]:
    """Return hat values and the variances of the residuals."""
    hats, variances = [], []
    for b, w in zip(problem.batches, solved.weights, strict=True):
        xc = b.x @ solved.cov
        hats.append(np.sum(xc * (w @ b.x), axis=-1))
        total = np.diagonal(np.linalg.inv(w) if w.shape[-1] > 1 else 1 / w, axis1=-2, axis2=-1)
        variances.append(total - np.sum(xc * b.x, axis=-1))
    return row_of_blocks(problem, hats), np.maximum(row_of_blocks(problem, variances), 0.0)


def random_effects(state: State, solved: Solved, df: float, contained: bool, level: float) -> tuple[RandomEffects, ...]:
    """Predict the deviation of every level of every random term; ``contained`` takes the df of the term itself."""
    from metaleptic.pooling.multilevel.assemble import critical

    problem = state.problem
    projections = []
    for b, w in zip(problem.batches, solved.weights, strict=True):
        wx = w @ b.x
        projections.append(w - wx @ solved.cov @ wx.swapaxes(-1, -2))
    found = []
    for i, (built, theta) in enumerate(zip(state.built, problem.split(state.scaled.theta), strict=True)):
        g = built.covariance.matrix(theta)
        columns = range(built.covariance.levels) if built.covariance.slopes else range(1)
        values, errors = [], []
        for q in columns:
            value, error = [], []
            for b, wr, projection in zip(problem.batches, solved.residuals, projections, strict=True):
                code, loading = b.codes[i], b.loadings[i]
                if loading is None:
                    shared = np.append(g.ravel(), 0.0)[code]
                    prior = np.diagonal(shared, axis1=-2, axis2=-1)
                else:
                    shared = np.where(code == 0, (loading @ g[q])[:, None, :], 0.0)
                    prior = np.full(code.shape[:2], g[q, q])
                value.append(np.sum(shared * wr[:, None, :], axis=-1))
                error.append(prior - np.sum((shared @ projection) * shared, axis=-1))
            values.append(row_of_blocks(problem, value))
            errors.append(np.sqrt(np.maximum(row_of_blocks(problem, error), 0.0)))
        term, at = built.term, built.groups
        for q in columns:
            if built.written.intercept:
                code = term.inner if built.covariance.levels > 1 else term.outer
                names = at
            elif built.covariance.slopes:
                code, names = term.outer, tuple(f"{built.levels[q]} | {name}" for name in at)
            else:
                code = term.outer * built.covariance.levels + term.inner
                names = tuple(f"{lev} | {name}" for name in at for lev in built.levels)
            there, first = np.unique(code, return_index=True)
            value_, se = values[q][first], errors[q][first]
            crit = float(critical(max(len(there) - problem.p, 1) if contained else df, level))
            found.append(
                RandomEffects(
                    built.written.label,
                    tuple(names[t] for t in there),
                    frozen_array(value_),
                    frozen_array(se),
                    frozen_array(value_ - crit * se),
                    frozen_array(value_ + crit * se),
                )
            )
    return tuple(found)
