"""What the control arm brings to the variance of a comparison, by measure.

Source: Gleser LJ, Olkin I. In: Cooper H et al. (eds) The Handbook of Research Synthesis, 2nd ed. 2009, chapter 19.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from metaleptic.convert.count_kernels import probit
from metaleptic.errors import DataError
from metaleptic.types import Effects, FloatArray

Part = Callable[[FloatArray, FloatArray], FloatArray]


def _log_odds(x: FloatArray, others: FloatArray) -> FloatArray:
    return 1 / x + 1 / others


TABLES: MappingProxyType[str, Part] = MappingProxyType(
    {
        "OR": _log_odds,
        "RR": lambda x, others: 1 / x - 1 / (x + others),
        "RD": lambda x, others: x * others / (x + others) ** 3,
        "AS": lambda x, others: 1 / (4 * (x + others)),
        "PBIT": lambda x, others: probit(x, x + others)[1],
        "OR2D": lambda x, others: 3 / np.pi**2 * _log_odds(x, others),
        "OR2DL": lambda x, others: 3 / np.pi**2 * _log_odds(x, others),
        "OR2DN": lambda x, others: _log_odds(x, others) / 1.65**2,
    }
)
RATES: MappingProxyType[str, Part] = MappingProxyType(
    {"IRR": lambda x, time: 1 / x, "IRD": lambda x, time: x / time**2, "IRSD": lambda x, time: 1 / (4 * time)}
)
MEANS: MappingProxyType[str, Callable[[FloatArray, FloatArray, FloatArray], FloatArray]] = MappingProxyType(
    {
        "MD": lambda mean, sd, n: sd**2 / n,
        "SMD": lambda mean, sd, n: 1 / n,
        "ROM": lambda mean, sd, n: (sd / mean) ** 2 / n,
    }
)


def control_numbers(effects: Effects) -> tuple[FloatArray, list[str]]:
    """Return the numbers of each control arm, and the same in words.

    Raises
    ------
    DataError
        If the effects carry none, or the measure has no such part.
    """
    key, k = effects.measure.key, len(effects)
    if key in MEANS and len(effects.groups) == k:
        arms = effects.groups[:, 3:]
        means = "n {2:g}" if np.isnan(arms[:, :2]).all() else "mean {0:g}, SD {1:g}, n {2:g}"
        return arms, [means.format(*row) for row in arms.tolist()]
    arms = effects.cells[:, 2:]
    if key in RATES and len(arms) == k:
        return arms, [f"{x:g} events in {time:g}" for x, time in arms.tolist()]
    if key in TABLES and len(arms) == k:
        return arms, [f"{x:g}/{x + others:g}" for x, others in arms.tolist()]
    label = effects.measure.label
    plural = (
        label.lower().replace("ratio of ", "ratios of ", 1) if label.startswith("Ratio of") else f"{label.lower()}s"
    )
    raise DataError(
        f"the variance of the control arm cannot be computed for {plural} of this kind. Give it as control=."
    )


def control_variance(key: str, numbers: FloatArray) -> FloatArray:
    """Return what a control arm brings to the variance of the measure."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if key in MEANS:
            return np.asarray(MEANS[key](numbers[:, 0], numbers[:, 1], numbers[:, 2]))
        kernel = RATES[key] if key in RATES else TABLES[key]
        return np.asarray(kernel(numbers[:, 0], numbers[:, 1]))
