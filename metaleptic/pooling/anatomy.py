"""What every fit of the normal-normal model is made of, with moderators or without: the common door of the verbs after a fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.design import Design
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.pooling.count_data import COUNT_MODELS
from metaleptic.pooling.given_weights import OWN_WEIGHTS
from metaleptic.pooling.location_scale_result import LocationScale
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.types import Effects, FloatArray, frozen_array

BY_COEFFICIENTS = frozenset(
    {"predict", "contrasts", "vif", "compare"}
)  # verbs that need no refit: any likelihood will do
CLOSED = (
    "mantel-haenszel",
    "peto",
    "pooled-counts",
    "beta-binomial",
)  # no moderators: what is predicted is the pooled effect
REFUSED = (
    "{verb} takes a random- or common-effect fit of several studies with weights 1 / (v + tau2), not {what}. "
    "Make one with ml.pool(effects)."
)

INSTEAD = {
    ("tau2_interval", "Multilevel"): " For the variances of a multilevel fit see ml.profile_interval(fit).",
    (
        "permutation_test",
        "Multilevel",
    ): " For tests of a multilevel fit that lean on less see ml.robust(fit, cluster=...).",
}


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """Numbers of a fit: effects, design, coefficients with covariance and df, tau2 and how it was estimated.

    ``spread`` is the design of log tau2; None where there is one tau2.
    """

    effects: Effects
    design: Design
    beta: FloatArray
    cov: FloatArray
    df: float
    tau2: float
    tau2_method: str
    test: str
    level: float
    model: str = "random"
    spread: FloatArray | None = None

    @property
    def x(self) -> FloatArray:
        """Design matrix."""
        return self.design.matrix

    @property
    def fitted(self) -> FloatArray:
        """Fitted effects."""
        return np.asarray(self.x @ self.beta)


def anatomy(fit: Pooled | Regression | LocationScale, verb: str) -> Anatomy:
    """Return the numbers of a normal-normal fit of several studies; other results are refused by name of the verb."""
    if isinstance(fit, LocationScale) and verb in BY_COEFFICIENTS:
        return _of_location(fit)
    if not isinstance(fit, Pooled | Regression):
        raise OptionError(
            REFUSED.format(verb=verb, what=type(fit).__name__) + INSTEAD.get((verb, type(fit).__name__), "")
        )
    ready = fit.model in ("random", "common")
    ready = ready or (fit.model in (*COUNT_MODELS, OWN_WEIGHTS) and verb in BY_COEFFICIENTS)
    ready = ready or (fit.model in CLOSED and verb == "predict")
    if ready and isinstance(fit, Regression):
        design = fit.design
    elif ready and fit.k > 1:
        ones = frozen_array(np.ones((fit.k, 1)))
        design = Design(ones, ("intercept",), (("intercept", (0,)),), "~ 1", True)
    elif ready:
        raise NotEstimableError(f"{verb} needs at least 2 studies; there is 1.")
    else:
        raise OptionError(REFUSED.format(verb=verb, what=f'a fit of model "{fit.model}"'))
    return Anatomy(
        effects=fit.effects,
        design=design,
        beta=fit.beta,
        cov=fit.cov,
        df=float(fit.df),
        tau2=float(fit.tau2),
        tau2_method=fit.tau2_method,
        test=fit.test,
        level=fit.level,
        model=fit.model,
    )


def _of_location(fit: LocationScale) -> Anatomy:
    """Return the numbers of the part of a location-scale model that tells of the effect."""
    x, z = fit.designs
    c = fit.location
    numbers = (c.beta, c.cov, fit.df, float("nan"), fit.tau2_method, fit.test, fit.level)
    return Anatomy(fit.effects, x, *numbers, spread=z.matrix)
