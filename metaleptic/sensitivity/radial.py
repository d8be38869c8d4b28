"""Radial (Galbraith) plot: every study as a slope through the origin, as steep as its effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import NotEstimableError
from metaleptic.frames import to_frame
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.subset_fits import refuse_others
from metaleptic.sensitivity.words import listed
from metaleptic.types import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Radial:
    """Standardised effects against precision.

    Attributes
    ----------
    fit : Pooled
        The fit; its effect is the slope of the line through the origin.
    precision : ndarray of shape (k,)
        1 / sqrt(v + tau2).
    z : ndarray of shape (k,)
        Effect times precision.
    distance : ndarray of shape (k,)
        Distance from the line: beyond 1.96 a study disagrees with the pooled effect.
    """

    fit: Pooled
    precision: FloatArray
    z: FloatArray
    distance: FloatArray

    @property
    def outside(self) -> tuple[str, ...]:
        """Studies outside the band of the fit's level."""
        limit = special.ndtri(0.5 + self.fit.level / 2)
        return tuple(s for s, d in zip(self.fit.effects.study, self.distance, strict=True) if abs(d) > limit)

    @property
    def sentence(self) -> str:
        """What the plot shows, in plain words."""
        band = f"{100 * self.fit.level:g}% band around the pooled effect"
        if not self.outside:
            return f"All {self.fit.k} studies lie within the {band}."
        return f"{len(self.outside)} of {self.fit.k} studies lie outside the {band}: {listed(self.outside)}."

    def to_frame(self) -> Any:
        """Return a row per study."""
        values = {
            "study": self.fit.effects.study,
            "precision": self.precision,
            "z": self.z,
            "distance": self.distance,
        }
        return to_frame(values, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def radial(fit: Pooled) -> Radial:
    """Lay the studies out as slopes, to see which of them disagree with the pooled effect whatever their precision.

    Parameters
    ----------
    fit : Pooled
        From ``ml.pool`` with ``model="random"`` or ``"common"`` (Galbraith's own).

    Returns
    -------
    Radial
        ``ml.plot`` draws it.

    Raises
    ------
    NotEstimableError
        If there is only one study.

    Notes
    -----
    Source: Galbraith RF. Technometrics 1988;30:271-281; Stat Med 1988;7:889-894.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.1, 0.2, 0.15, 0.12, 2.0], [0.02] * 5, study=list("ABCDE"))
    >>> ml.radial(ml.pool(e, model="common")).outside
    ('A', 'B', 'C', 'D', 'E')
    """
    fit = refuse_others(fit, "radial")
    if fit.k < 2:
        raise NotEstimableError("a radial plot needs at least 2 studies; there is 1.")
    se = np.sqrt(fit.effects.v + fit.tau2)
    precision = 1 / se
    return Radial(
        fit,
        frozen_array(precision),
        frozen_array(fit.effects.y / se),
        frozen_array((fit.effects.y - fit.beta[0]) / se),
    )
