"""Baujat plot: which studies make the heterogeneity, and which of them the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.errors import NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.deletion import deletion_diagnostics, reasons_of, say_what_is_essential
from metaleptic.sensitivity.design_of_fit import settings_of
from metaleptic.types import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Baujat:
    """Contribution to heterogeneity against influence on the result.

    Attributes
    ----------
    fit : Pooled or Regression
        The fit.
    heterogeneity : ndarray of shape (k,)
        Squared residual over the total variance: the study's part of the Q of the fitted model.
    influence : ndarray of shape (k,)
        Squared change of the study's fitted value without it, over its variance without it.
    """

    fit: Pooled | Regression
    heterogeneity: FloatArray
    influence: FloatArray

    @property
    def sentence(self) -> str:
        """What the plot shows, in plain words."""
        study = self.fit.effects.study
        if not self.heterogeneity.sum() > 1e-12:
            return "The studies agree exactly: there is no heterogeneity to which one could add."
        i, j = int(np.nanargmax(self.heterogeneity)), int(np.nanargmax(self.influence))
        share = 100 * self.heterogeneity[i] / self.heterogeneity.sum()
        if i == j:
            return f"{study[i]} adds most to the heterogeneity ({share:.0f}% of it) and moves the result most."
        return f"{study[i]} adds most to the heterogeneity ({share:.0f}% of it); {study[j]} moves the result most."

    def to_frame(self) -> Any:
        """Return a row per study."""
        columns: dict[str, Any] = {
            "study": self.fit.effects.study,
            "heterogeneity": self.heterogeneity,
            "influence": self.influence,
        }
        if np.isnan(self.influence).any():
            columns["reason"] = reasons_of(np.isnan(self.influence))
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def baujat(fit: Pooled | Regression) -> Baujat:
    """Find the studies that make the heterogeneity, and see whether they also make the result.

    Parameters
    ----------
    fit : Pooled or Regression
        From ``ml.pool`` with ``model="random"`` or ``"common"``.

    Returns
    -------
    Baujat
        ``ml.plot`` draws one against the other.

    Raises
    ------
    NotEstimableError
        If there are fewer than two studies more than coefficients.

    Notes
    -----
    Source: Baujat B, Mahé C, Pignon JP, Hill C. Stat Med 2002;21:2641-2652.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.1, 0.2, 0.15, 0.12, 2.0], [0.02] * 5, study=list("ABCDE"))
    >>> ml.baujat(ml.pool(e, model="common"))
    E adds most to the heterogeneity (80% of it) and moves the result most.
    """
    s = settings_of(fit, "baujat")
    k, p = s.x.shape
    if k < p + 2:
        raise NotEstimableError(f"a Baujat plot needs at least {p + 2} studies for this model; there are {k}.")
    d = deletion_diagnostics(s.y, s.v, s.x, tau2=s.tau2, test=s.test)
    say_what_is_essential(d.essential, fit.effects.study)
    step = np.einsum("ij,ij->i", s.x, fit.beta - d.beta)
    spread = np.einsum("ij,ijk,ik->i", s.x, d.cov, s.x)
    own = (s.y - s.x @ fit.beta) ** 2 / (s.v + fit.tau2)
    return Baujat(fit, frozen_array(own), frozen_array(step**2 / spread))
