"""Leave-one-out of a Bayesian fit: the posterior without each study in turn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.pool_bayes import pool_bayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import FewStudiesWarning, NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.sensitivity.words import side
from metaleptic.types import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class LeaveOneOutBayes:
    """The posterior of the pooled effect without each study in turn.

    Attributes
    ----------
    fit : PooledBayes
        The result with all studies.
    value, low, high : ndarray of shape (k,)
        Posterior median and credible interval without the study, printed scale.
    tau : ndarray of shape (k,)
        Posterior median of the heterogeneity without it.
    p_below : ndarray of shape (k,)
        Probability, without it, that the effect lies below no effect; NaN where the measure has no null.
    left_out : tuple of str
        The studies.
    fits : tuple of PooledBayes
        The whole posteriors.
    """

    fit: PooledBayes
    value: FloatArray
    low: FloatArray
    high: FloatArray
    tau: FloatArray
    p_below: FloatArray
    left_out: tuple[str, ...]
    fits: tuple[PooledBayes, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """What the conclusion hangs on: without it the interval lies differently to the null."""
        m = self.fit.effects.measure
        if not m.has_null:
            return ()
        whole = side(self.fit.estimate.low, self.fit.estimate.high, m.null)
        return tuple(
            s for s, lo, hi in zip(self.left_out, self.low, self.high, strict=True) if side(lo, hi, m.null) != whole
        )

    def to_frame(self) -> Any:
        """Return a row per study left out."""
        names = ("left_out", "value", "low", "high", "tau", "p_below")
        return to_frame({name: getattr(self, name) for name in names}, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        m = self.fit.effects.measure
        first, last = int(np.argmin(self.value)), int(np.argmax(self.value))
        hangs = (
            f"The conclusion hangs on {', '.join(self.changed)}." if self.changed else "The conclusion stays the same."
        )
        return "\n".join(
            (
                f"{m.label} without one study: median {m.format(self.value[first])} (without {self.left_out[first]}) "
                f"to {m.format(self.value[last])} (without {self.left_out[last]})",
                hangs if m.has_null else f"median tau {self.tau.min():.2g} to {self.tau.max():.2g}",
            )
        )


def leave_one_out_bayes(fit: PooledBayes) -> LeaveOneOutBayes:
    """Fit the same model without each study in turn; ``ml.leave_one_out`` calls it for Bayesian fits.

    Raises
    ------
    NotEstimableError
        If there are fewer than three studies, or a posterior without one of them is improper.
    """
    k = fit.k
    if k < 3:
        raise NotEstimableError(f"leave-one-out needs at least 3 studies; there are {k}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewStudiesWarning)
        fits = tuple(
            pool_bayes(
                fit.effects.take([j for j in range(k) if j != i]), tau=fit.prior, mu=fit.mu_prior, level=fit.level
            )
            for i in range(k)
        )
    m = fit.effects.measure
    below = [f.probability(below=m.null) if m.has_null else np.nan for f in fits]
    return LeaveOneOutBayes(
        fit,
        value=frozen_array([f.estimate.value for f in fits]),
        low=frozen_array([f.estimate.low for f in fits]),
        high=frozen_array([f.estimate.high for f in fits]),
        tau=frozen_array([f.tau.median for f in fits]),
        p_below=frozen_array(below),
        left_out=fit.effects.study,
        fits=fits,
    )
