"""Influence: which studies drive the result, by the classic deletion diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.deletion import deletion_diagnostics, reasons_of, say_what_is_essential
from metaleptic.sensitivity.design_of_fit import settings_of
from metaleptic.sensitivity.flags import because, influence_sentence, limits_of, rules_of
from metaleptic.sensitivity.multilevel_influence import MultilevelInfluence, multilevel_influence
from metaleptic.sensitivity.refit_influence import RefitInfluence, refit_influence
from metaleptic.types import BoolArray, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """How much each study moves the fit; analysis scale.

    Attributes
    ----------
    fit : Pooled or Regression
        The result with all studies.
    rstudent : ndarray of shape (k,)
        Studentised deleted residual: how far the study lies from what the others predict, in standard errors.
    dffits : ndarray of shape (k,)
        Change of the study's fitted value without it, in standard errors.
    cook : ndarray of shape (k,)
        Cook's distance: change of all coefficients together.
    covariance_ratio : ndarray of shape (k,)
        Determinant of the covariance without the study over that with it; above 1, the study adds precision.
    tau2, q : ndarray of shape (k,)
        Between-study variance and Q without the study.
    hat, weight : ndarray of shape (k,)
        Hat value; weight in percent.
    dfbetas : ndarray of shape (k, p)
        Change of each coefficient without the study, in standard errors.
    beta : ndarray of shape (k, p)
        Coefficients without the study.
    names : tuple of str
        Names of the coefficients.
    flagged : ndarray of bool, shape (k,)
        Whether the study counts as influential by at least one rule (see ``ml.influence``).
    """

    fit: Pooled | Regression
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
    names: tuple[str, ...]
    flagged: BoolArray

    @property
    def limits(self) -> dict[str, float]:
        """Values beyond which a diagnostic flags a study (of Cook's distance: the chi-squared median)."""
        return limits_of(len(self.hat), len(self.names))

    @property
    def because(self) -> tuple[str, ...]:
        """Which limits each study crosses, such as "Cook's distance 0.61 > 0.45"; "" for none."""
        d = {name: getattr(self, name) for name in ("dffits", "cook", "dfbetas", "hat")}
        return because(rules_of(len(self.hat), self.names, **d))

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        return influence_sentence(self.fit.effects.study, self.because, self.cook, self.rstudent)

    def to_frame(self) -> Any:
        """Return a row per study."""
        columns: dict[str, Any] = {
            "study": self.fit.effects.study,
            "rstudent": self.rstudent,
            "dffits": self.dffits,
            "cook": self.cook,
            "covariance_ratio": self.covariance_ratio,
            "tau2_without": self.tau2,
            "q_without": self.q,
            "hat": self.hat,
            "weight": self.weight,
        }
        for j, name in enumerate(self.names):
            columns["dfbetas" if len(self.names) == 1 else f"dfbetas_{name}"] = self.dfbetas[:, j]
        columns |= {"influential": [bool(f) for f in self.flagged], "because": self.because}
        lost = np.isnan(self.cook)
        if lost.any():
            columns["reason"] = reasons_of(lost)
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


@overload
def influence(fit: Multilevel) -> MultilevelInfluence: ...
@overload
def influence(fit: PooledBayes | RegressionBayes) -> RefitInfluence: ...
@overload
def influence(fit: Regression) -> Influence: ...
@overload
def influence(fit: Pooled) -> Influence | RefitInfluence: ...
def influence(
    fit: Pooled | PooledBayes | Regression | RegressionBayes | Multilevel,
) -> Influence | RefitInfluence | MultilevelInfluence:
    r"""Find the studies that drive the result: how far each lies from the others, and what would change without it.

    Parameters
    ----------
    fit : Pooled, PooledBayes, Regression, RegressionBayes or Multilevel
        From ``ml.pool`` by any model, with moderators by ``model="random"`` or ``"common"``; from ``ml.pool_bayes``, with or
        without moderators; from ``ml.pool_multilevel`` (single effects are left out; ``ml.multilevel_influence`` leaves out clusters).

    Returns
    -------
    Influence, RefitInfluence or MultilevelInfluence
        Analysis scale. Models of counts and posteriors are fitted anew without each study; what has no meaning there
        (a posterior has no Q) is left out, and ``not_defined`` says why. The column ``because`` names the limits crossed.

    Raises
    ------
    NotEstimableError
        If there are fewer than two studies more than coefficients.
    OptionError
        If the model has no such diagnostics (counts with moderators), or the fit was sampled.

    Notes
    -----
    A study counts as influential if \|DFFITS\| > 3 sqrt(p / (k - p)), or the lower tail of chi-squared (p df) at Cook's
    distance exceeds 50%, or the hat value exceeds 3 p / k, or any \|DFBETAS\| > 1. With Hartung-Knapp the deleted
    residuals are scaled as the standard errors are. Source: Viechtbauer W, Cheung MW-L. Res Synth Methods 2010;1:112-125.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.1, 0.2, 0.15, 0.12, 2.0], [0.02] * 5, study=list("ABCDE"))
    >>> ml.influence(ml.pool(e)).flagged.tolist()
    [False, False, False, False, True]
    """
    if isinstance(fit, Multilevel):
        return multilevel_influence(fit)
    if isinstance(fit, PooledBayes | RegressionBayes) or (
        isinstance(fit, Pooled) and fit.model not in ("random", "common")
    ):
        return refit_influence(fit)
    s = settings_of(fit, "influence")
    k, p = s.x.shape
    if k < p + 2:
        raise NotEstimableError(f"influence needs at least {p + 2} studies for this model; there are {k}.")
    d = deletion_diagnostics(s.y, s.v, s.x, tau2=s.tau2, test=s.test)
    say_what_is_essential(d.essential, fit.effects.study)
    flagged = d.flagged.copy()
    flagged.flags.writeable = False
    return Influence(
        fit=fit,
        rstudent=frozen_array(d.rstudent),
        dffits=frozen_array(d.dffits),
        cook=frozen_array(d.cook),
        covariance_ratio=frozen_array(d.covariance_ratio),
        tau2=frozen_array(d.tau2),
        q=frozen_array(d.q),
        hat=frozen_array(d.hat),
        weight=frozen_array(d.weight),
        dfbetas=frozen_array(d.dfbetas),
        beta=frozen_array(d.beta),
        names=s.names,
        flagged=flagged,
    )
