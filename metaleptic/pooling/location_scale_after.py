"""What a location-scale fit is asked afterwards: predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.convert.units import check_level
from metaleptic.design import Design, new_rows
from metaleptic.errors import OptionError
from metaleptic.pooling.location_scale_result import LocationScale
from metaleptic.pooling.normal import quantile
from metaleptic.pooling.predict import Predictions, row_labels
from metaleptic.types import FloatArray, frozen_array


def predict_location_scale(fit: LocationScale, new: Any, level: float | None) -> Predictions:
    """Predict effects; the range of a new study's effect has the between-study variance that its moderators give."""
    level = fit.level if level is None else level
    check_level(level)
    own = new is None
    if not own and not (hasattr(new, "keys") or hasattr(new, "columns")):
        raise OptionError(
            "new must name its columns here, {'column': values}: effect and spread may have different moderators."
        )
    x, z = (np.asarray(d.matrix) if own else _rows(d, new) for d in fit.designs)
    y = x @ fit.location.beta
    se = np.sqrt(np.einsum("ij,jk,ik->i", x, fit.location.cov, x))
    t = float(quantile(np.float64(fit.df), level))
    wide = t * np.sqrt(se**2 + np.exp(z @ fit.scale.beta))
    return Predictions(
        label=fit.effects.study if own else row_labels(x, new, fit.designs[0].names),
        y=frozen_array(y),
        se=frozen_array(se),
        low=frozen_array(y - t * se),
        high=frozen_array(y + t * se),
        new_low=frozen_array(y - wide),
        new_high=frozen_array(y + wide),
        measure=fit.effects.measure,
        level=level,
        frame_kind=fit.effects.frame_kind,
    )


def _rows(design: Design, new: Any) -> FloatArray:
    """Return design rows; a design without moderators has as many as there are values."""
    if design.names == ("intercept",):
        return np.ones((max(np.size(new[c]) for c in list(new)), 1))
    return new_rows(design, new)
