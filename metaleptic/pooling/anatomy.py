"""What every fit of the normal-normal model is made of, with moderators or without: the common door of the verbs after a fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.design import Design
from metaleptic.errors import OptionError
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.types import Effects, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """Numbers of a fit: effects, design, coefficients with covariance and df, tau2 and how it was estimated."""

    effects: Effects
    design: Design
    beta: FloatArray
    cov: FloatArray
    df: float
    tau2: float
    tau2_method: str
    test: str
    level: float

    @property
    def x(self) -> FloatArray:
        """Design matrix."""
        return self.design.matrix

    @property
    def fitted(self) -> FloatArray:
        """Fitted effects."""
        return np.asarray(self.x @ self.beta)


def anatomy(fit: Pooled | Regression, verb: str) -> Anatomy:
    """Return the numbers of a normal-normal fit of several studies; other results are refused by name of the verb."""
    if isinstance(fit, Regression):
        design = fit.design
    elif isinstance(fit, Pooled) and fit.model in ("random", "common") and fit.k > 1:
        ones = frozen_array(np.ones((fit.k, 1)))
        design = Design(ones, ("intercept",), (("intercept", (0,)),), "~ 1", True)
    else:
        what = f'a fit of model "{fit.model}"' if isinstance(fit, Pooled) else type(fit).__name__
        raise OptionError(
            f"{verb} takes a random- or common-effect fit of several studies with weights 1 / (v + tau2), not {what}. "
            "Make one with ml.pool(effects)."
        )
    return Anatomy(
        fit.effects, design, fit.beta, fit.cov, float(fit.df), float(fit.tau2), fit.tau2_method, fit.test, fit.level
    )
