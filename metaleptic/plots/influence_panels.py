"""Panels of influence: a row per study, a panel per diagnostic."""

from __future__ import annotations

import numpy as np
from scipy import special

from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.plots.panels import Panel, PanelChart, panel
from metaleptic.plots.styles import Style
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.influence import Influence
from metaleptic.sensitivity.multilevel_influence import MultilevelInfluence
from metaleptic.sensitivity.refit_influence import RefitInfluence
from metaleptic.types import FloatArray


def influence_panels(record: Influence | RefitInfluence, style: Style) -> PanelChart:
    """One row per study, one panel per diagnostic; limits as lines, influential studies larger and in red."""
    legend = (
        ("main", "dot", "study"),
        ("alarm", "dot", "influential (larger)"),
        ("muted", "dash", "limit, or value with all studies"),
    )
    return PanelChart(
        "Influence plot",
        tuple(str(s) for s in record.fit.effects.study),
        tuple(bool(f) for f in record.flagged),
        _panels(record),
        legend=legend,
        alt=record.sentence,
        style=style,
    )


def _panels(record: Influence | RefitInfluence) -> tuple[Panel, ...]:
    """Lay out each diagnostic that the model has, with its limits."""
    limits, fit = record.limits, record.fit
    whole = fit.tau.median**2 if isinstance(fit, PooledBayes | RegressionBayes) else fit.tau2
    offers: list[tuple[str, FloatArray, tuple[float, ...]]] = [
        ("Residual, t", record.rstudent, (-1.96, 1.96)),
        ("DFFITS", record.dffits, (-limits["dffits"], limits["dffits"])),
        ("Cook's distance", record.cook, (limits["cook"],)),
        ("Covar. ratio", record.covariance_ratio, (1.0,)),
        ("τ² without", record.tau2, (whole,)),
    ]
    offers += [
        ("Q without", record.q, (fit.q,) if isinstance(fit, Pooled | Regression) else ()),
        ("Hat value", record.hat, (limits["hat"],)),
        ("Weight, %", record.weight, ()),
    ]
    for j, name in enumerate(record.names if isinstance(record, Influence) or len(record.names) > 1 else ()):
        title = "DFBETAS" if len(record.names) == 1 else f"DFBETAS {name}"
        offers.append((title, record.dfbetas[:, j], (-limits["dfbetas"], limits["dfbetas"])))
    return tuple(panel(title, values, lines) for title, values, lines in offers if np.isfinite(values).any())


def multilevel_panels(record: MultilevelInfluence, style: Style) -> PanelChart:
    """One row per effect or cluster left out: Cook's distance, the change of each coefficient, residuals of effects."""
    names = record.fit.design.names
    limit = float(special.chdtri(len(names), 0.5))
    offers: list[tuple[str, FloatArray, tuple[float, ...]]] = [("Cook's distance", record.cook, (limit,))]
    if len(record.rstudent) == len(record.left_out):
        offers.insert(0, ("Residual, t", record.rstudent, (-1.96, 1.96)))
    offers += [
        ("DFFITS", record.dffits, ()),
        ("Covar. ratio", record.covariance_ratio, (1.0,)),
        ("Hat value", record.hat, ()),
        ("Weight, %", record.weight, ()),
    ]
    for j, name in enumerate(names):
        title = "DFBETAS" if len(names) == 1 else f"DFBETAS {name}"
        offers.append((title, record.dfbetas[:, j], (-1.0, 1.0)))
    lost = [s for s, c in zip(record.left_out, record.cook, strict=True) if not np.isfinite(c)]
    return PanelChart(
        "Influence in a multilevel model",
        tuple(str(s) for s in record.left_out),
        tuple(bool(f) for f in record.flagged),
        tuple(panel(title, values, lines) for title, values, lines in offers if np.isfinite(values).any()),
        legend=(
            ("main", "dot", "left out"),
            ("alarm", "dot", "influential (larger)"),
            ("muted", "dash", "limit"),
        ),
        footnotes=(f"Cannot be left out without losing a coefficient: {', '.join(lost)}.",) if lost else (),
        alt=record.sentence,
        style=style,
    )
