"""The verb ``adjust_for_bias``: allow for what flaws of a study may have done to its result.

Source: Turner RM, Spiegelhalter DJ, Smith GCS, Thompson SG. J R Stat Soc A 2009;172:21-47 (additive biases).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from metaleptic.errors import DataError, OptionError
from metaleptic.frames import where
from metaleptic.types import Effects, frozen_array


def adjust_for_bias(
    effects: Effects,
    allowances: Mapping[str, tuple[float, float]] | Sequence[tuple[float, float]],
    *,
    by: str | None = None,
) -> Effects:
    """Shift each study by the bias that its flaws are thought to cause, and widen it by how uncertain that is.

    Parameters
    ----------
    effects : Effects
        From ``ml.hazard_ratios`` and its kin.
    allowances : mapping of str to (mean, sd), or one (mean, sd) per study
        Bias on the analysis scale (log hazard ratio ...): what it adds to the study's effect on average, and its standard
        deviation. With ``by`` a mapping from the values of that column; without it from study names. (0, 0) is no bias.
    by : str, optional
        Column of the effects that says which allowance applies: "design", "risk of bias".

    Returns
    -------
    Effects
        The same studies with ``y - mean`` and ``v + sd**2``, to be pooled by any model of effects with standard errors.

    Raises
    ------
    DataError
        If a study has no allowance, or an allowance is not two numbers with sd >= 0.

    Notes
    -----
    A study with a large sd loses weight and keeps its say: a quality weight with a meaning. The judgement is yours (or an
    elicitation's); pool with and without it. Source: Turner RM et al. J R Stat Soc A 2009;172:21-47.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.5, -0.2], [0.04, 0.02], columns={"design": ["registry", "trial"]}, measure="HR")
    >>> adjusted = ml.adjust_for_bias(e, {"registry": (-0.1, 0.2), "trial": (0, 0)}, by="design")
    >>> adjusted.y.round(2), adjusted.v.round(2)
    (array([-0.4, -0.2]), array([0.08, 0.02]))
    """
    if not isinstance(effects, Effects):
        raise OptionError(f"adjust_for_bias takes effects, not {type(effects).__name__}.")
    pairs = _per_study(effects, allowances, by)
    for i, pair in enumerate(pairs):
        values = np.asarray(pair, dtype=np.float64)
        if values.shape != (2,) or not np.isfinite(values).all() or values[1] < 0:
            raise DataError(
                f"{where(effects.study[i], i + 1)}: the allowance {pair!r} must be (mean, sd) of the bias, with sd not below 0."
            )
    mean, sd = np.array(pairs, dtype=np.float64).T
    some = (mean != 0) | (sd != 0)
    how = [
        f"{text}; minus a bias of {m:g} (sd {s:g})" if changed else text
        for text, m, s, changed in zip(effects.how, mean, sd, some, strict=True)
    ]
    low, high = effects.low, effects.high
    if len(low) == len(effects):  # published intervals of adjusted studies no longer apply
        low, high = (frozen_array(np.where(some, np.nan, x)) for x in (low, high))
    return replace(
        effects,
        y=frozen_array(effects.y - mean),
        v=frozen_array(effects.v + sd**2),
        how=tuple(how),
        low=low,
        high=high,
        cells=frozen_array(np.empty((0, 4))),
        events=frozen_array(np.where(some, np.nan, effects.events)) if len(effects.events) else effects.events,
    )


def _per_study(effects: Effects, allowances: Any, by: str | None) -> list[Any]:
    """Return one allowance per study."""
    if not isinstance(allowances, Mapping):
        if by is not None:
            raise OptionError("with by= the allowances are a mapping from the values of that column.")
        found = list(allowances)
        if len(found) != len(effects):
            raise DataError(f"there are {len(effects)} studies and {len(found)} allowances. Give one (mean, sd) each.")
        return found
    if by is not None and by not in effects.columns:
        raise OptionError(f"the effects have no column {by!r}. They have: {', '.join(effects.columns) or 'none'}.")
    keys = effects.study if by is None else effects.columns[by]
    for i, key in enumerate(keys):
        if key not in allowances:
            raise DataError(
                f"{where(effects.study[i], i + 1)}: there is no allowance for {key!r}. Write (0, 0) if there is no bias."
            )
    return [allowances[key] for key in keys]
