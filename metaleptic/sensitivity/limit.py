"""Limit meta-analysis: the effect that infinitely large studies would show, small-study effects taken off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.asymmetry import weighted_regression
from metaleptic.sensitivity.subset_fits import refuse_others
from metaleptic.sensitivity.words import few_words, p_words, value_words, with_small_letter
from metaleptic.types import Estimate, FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class LimitMetaAnalysis:
    """The pooled effect with small-study effects taken off.

    Attributes
    ----------
    fit : Pooled
        The random-effects result.
    estimate : Estimate
        Adjusted effect with its interval, printed scale.
    beta, se, p : float
        The same on the analysis scale with its test.
    alpha, slope : float
        Intercept (the small-study effect) and slope of the radial regression.
    effects : ndarray of shape (k,)
        Effect of each study if it were infinitely large, analysis scale.
    q, q_small, q_rest : float
        Cochran's Q, the part that small-study effects explain, and the rest.
    g2 : float
        Share of the spread of the limit effects that remains unexplained, 0 to 1.
    """

    fit: Pooled
    estimate: Estimate
    beta: float
    se: float
    p: float
    alpha: float
    slope: float
    effects: FloatArray
    q: float
    q_small: float
    q_rest: float
    g2: float

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        m, e = self.fit.effects.measure, self.estimate
        return (
            f"With small-study effects taken off, {with_small_letter(m.label)} is {value_words(m, e.value, e.low, e.high, e.level)} "
            f"instead of {m.format(self.fit.estimate.value)}; they explain Q = {self.q_small:.1f} of {self.q:.1f} "
            f"({p_words(float(special.chdtrc(1, self.q_small)))}).{few_words(self.fit.k)}"
        )

    def to_frame(self) -> Any:
        """Return a row per study: as printed, and as in the limit, printed scale."""
        m = self.fit.effects.measure
        columns = {
            "study": self.fit.effects.study,
            "value": self.fit.effects.printed,
            "limit": np.asarray(m.to_printed(self.effects)),
        }
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def limit_meta_analysis(fit: Pooled) -> LimitMetaAnalysis:
    """Take small-study effects off: let all studies grow infinitely large along their regression on the standard error.

    Parameters
    ----------
    fit : Pooled
        From ``ml.pool`` with ``model="random"``.

    Returns
    -------
    LimitMetaAnalysis

    Raises
    ------
    NotEstimableError
        If there are fewer than three studies.
    OptionError
        If the model is another.

    Notes
    -----
    Source: Rücker G, Schwarzer G, Carpenter JR, Binder H, Schumacher M. Biostatistics 2011;12:122-142.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.3, -0.35, -0.5, -0.9, -1.2], [0.01, 0.02, 0.1, 0.2, 0.3], measure="HR"))
    >>> round(ml.limit_meta_analysis(fit).estimate.value, 2)
    0.88
    """
    fit = refuse_others(fit, "limit_meta_analysis")
    if fit.model != "random":
        raise OptionError('a limit meta-analysis needs the random-effects model. Pool with model="random".')
    if fit.k < 3:
        raise NotEstimableError(f"a limit meta-analysis needs at least 3 studies; there are {fit.k}.")
    if np.ptp(fit.effects.v) <= 1e-9 * float(fit.effects.v.max()):
        raise NotEstimableError("all studies are equally precise: there are no small studies to take the effect off.")
    y, v, tau = fit.effects.y, fit.effects.v, float(np.sqrt(fit.tau2))
    se = np.sqrt(v + fit.tau2)
    design = np.column_stack([np.ones_like(y), 1 / se])
    inverse = np.linalg.inv(design.T @ design)
    alpha, slope = (float(b) for b in inverse @ (design.T @ (y / se)))
    along = np.array([tau, 1.0])
    beta, error = slope + tau * alpha, float(np.sqrt(along @ inverse @ along))
    half = float(special.ndtri(0.5 + fit.level / 2)) * error
    limits = slope + tau / se * (y - slope)
    egger = weighted_regression(y, np.sqrt(v), 1 / v)
    rest = float(((y - egger.limit - egger.bias * np.sqrt(v)) ** 2 / v).sum())
    return LimitMetaAnalysis(
        fit=fit,
        estimate=printed_estimate(fit.effects, beta, beta - half, beta + half, fit.level, "confidence"),
        beta=beta,
        se=error,
        p=float(2 * special.ndtr(-abs(beta / error))),
        alpha=alpha,
        slope=slope,
        effects=frozen_array(limits),
        q=fit.q,
        q_small=fit.q - rest,
        q_rest=rest,
        g2=_unexplained(limits, v) if tau > 0 else 0.0,
    )


def _unexplained(limits: FloatArray, v: FloatArray) -> float:
    """Return 1 - R2 of the radial regression of the limit effects."""
    correlation = np.corrcoef(1 / np.sqrt(v), limits / np.sqrt(v))[0, 1]
    return float(1 - correlation**2)
