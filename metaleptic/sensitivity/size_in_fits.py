"""The size of a study as one more moderator: of a meta-regression, and in a multilevel model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.design import Design
from metaleptic.errors import OptionError
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.multilevel.verb import pool_multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.asymmetry import Asymmetry, Beside, design_beside, of_coefficients
from metaleptic.sensitivity.effects_of import effects_of
from metaleptic.types import Effects, FloatArray, frozen_array

WithSize = Effects | Pooled | PooledBayes | Regression | RegressionBayes


def beside(result: object, verb: str) -> tuple[Effects, Beside, tuple[str, ...]]:
    """Return the effects, the design of the moderators (None without) and their names.

    Raises
    ------
    OptionError
        For results of another kind, or a regression of counts.
    """
    if not isinstance(result, Regression | RegressionBayes):
        return effects_of(result, verb), None, ()
    if isinstance(result, Regression) and result.model not in ("random", "common"):
        raise OptionError(
            f'{verb} with moderators is made for model="random" and "common", not "{result.model}". Pool with one of them.'
        )
    names = tuple(n for n in result.design.names if n != "intercept")
    return result.effects, np.asarray(result.design.matrix), names


def multilevel_regression(fit: Multilevel, x: FloatArray, name: str, *, at_zero: bool = True) -> Asymmetry:
    """Fit the multilevel model again with a measure of size as one more moderator, the last."""
    old = fit.design
    matrix = design_beside(x, old.matrix)
    at = matrix.shape[1] - 1
    design = Design(frozen_array(matrix), (*old.names, name), (*old.terms, (name, (at,))), "", old.intercept)
    again = pool_multilevel(fit.effects, moderators=design, **fit.state.asked)
    found = of_coefficients(
        np.asarray(fit.effects.y),
        matrix,
        np.asarray(fit.weights),
        again.beta,
        again.cov,
        float(again.df[-1]),
        float(again.tau.value),
        at_zero=at_zero,
    )
    return replace(found, p=float(again.p[-1]), statistic=float(again.statistic[-1]))
