"""How the coefficients of a Bayesian meta-regression are shown: a table, and a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metaleptic.bayes.marginal import Marginal
from metaleptic.design import Design
from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.types import Effects, FloatArray, count_studies


def coefficient_frame(effects: Effects, names: Sequence[str], beta: Sequence[Marginal]) -> Any:
    """Return a row per coefficient, analysis scale; for ratios also the exponentiated values."""
    columns: dict[str, Any] = {
        "term": names,
        "median": [b.median for b in beta],
        "mean": [b.mean for b in beta],
        "sd": [b.sd for b in beta],
        "low": [b.central[0] for b in beta],
        "high": [b.central[1] for b in beta],
        "p_above_0": [b.sf(0.0) for b in beta],
    }
    if effects.measure.axis == "log":
        columns |= {
            f"ratio{end}": np.exp(columns[name]) for end, name in (("", "median"), ("_low", "low"), ("_high", "high"))
        }
    return to_frame(columns, effects.frame_kind)


def coefficient_lines(
    effects: Effects,
    design: Design,
    names: Sequence[str],
    beta: Sequence[Marginal],
    tau: Marginal,
    method: str,
    level: float,
) -> str:
    """Say every coefficient, the model and the heterogeneity that is left."""
    scale = effects.measure.scale or effects.measure.label
    on = f" on {design.formula[1:].strip()}" if design.formula else ""
    lines = [f"Meta-regression of {scale}{on}, {count_studies(effects)}"]
    width = max(len(n) for n in names)
    for name, b in zip(names, beta, strict=True):
        text = f"{b.median:.4g} ({100 * level:g}% CrI {b.central[0]:.4g} to {b.central[1]:.4g}), P(> 0) {100 * b.sf(0.0):.1f}%"
        lines.append(f"  {name:<{width}}  {text.replace('-', '−')}")
    left = f"tau {tau.median:.2g} ({100 * level:g}% CrI {tau.low:.2g} to {tau.high:.2g})"
    return "\n".join([*lines, method, f"residual heterogeneity: {left}"])


def contrast_row(weights: Sequence[float] | Mapping[str, float], names: Sequence[str]) -> tuple[FloatArray, str]:
    """Return one weight for each coefficient, and the contrast in words.

    Raises
    ------
    OptionError
        If a name is unknown, or there is not one weight for each.
    """
    if isinstance(weights, Mapping):
        unknown = [name for name in weights if name not in names]
        if unknown or not weights:
            raise OptionError(f"a contrast names coefficients, not {unknown}. There are: {', '.join(names)}.")
        weights = [float(weights.get(name, 0.0)) for name in names]
    row: FloatArray = np.asarray(weights, dtype=np.float64)
    if row.shape != (len(names),) or not np.isfinite(row).all():
        raise OptionError(f"a contrast needs one weight for each of: {', '.join(names)}.")
    return row, " + ".join(f"{w:g} {n}" for w, n in zip(row, names, strict=True) if w).replace("+ -", "- ")
