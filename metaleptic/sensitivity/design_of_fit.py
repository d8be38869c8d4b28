"""What the diagnostics need of a fit: effects, design, and the settings with which to fit again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.subset_fits import BROADCAST, why_not
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """Effects, design matrix, names of its columns, estimator of tau2 (None: common effect) and test of a fit."""

    y: FloatArray
    v: FloatArray
    x: FloatArray
    names: tuple[str, ...]
    tau2: str | None
    test: str


def settings_of(fit: object, verb: str) -> Settings:
    """Return the settings of a normal-normal fit with or without moderators.

    Tests that have no standard error of their own (profile likelihood and its kin) are diagnosed as z.
    """
    if not isinstance(fit, Pooled | Regression):
        raise OptionError(why_not(fit, verb, "a result of ml.pool"))
    if fit.model not in ("random", "common"):
        raise OptionError(
            f'{verb} is defined for model="random" and "common", not "{fit.model}". '
            "ml.leave_one_out(fit) serves every model."
        )
    x = fit.design.matrix if isinstance(fit, Regression) else np.ones((fit.k, 1))
    names = fit.names if isinstance(fit, Regression) else ("mean",)
    test = fit.test if fit.test in BROADCAST else "z"
    return Settings(fit.effects.y, fit.effects.v, np.asarray(x), names, fit.tau2_method or None, test)
