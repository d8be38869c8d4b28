"""Panels of influence: a row per study, a panel per diagnostic."""

from __future__ import annotations

import numpy as np

from metaleptic.bayes.result import PooledBayes
from metaleptic.plots.panels import Panel, PanelChart, panel
from metaleptic.plots.styles import Style
from metaleptic.sensitivity.influence import Influence
from metaleptic.sensitivity.refit_influence import RefitInfluence


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
    whole = fit.tau.median**2 if isinstance(fit, PooledBayes) else fit.tau2
    offers = [
        ("Residual, t", record.rstudent, (-1.96, 1.96)),
        ("DFFITS", record.dffits, (-limits["dffits"], limits["dffits"])),
        ("Cook's distance", record.cook, (limits["cook"],)),
        ("Covar. ratio", record.covariance_ratio, (1.0,)),
        ("τ² without", record.tau2, (whole,)),
    ]
    if isinstance(record, Influence):
        offers += [
            ("Q without", record.q, (record.fit.q,)),
            ("Hat value", record.hat, (limits["hat"],)),
            ("Weight, %", record.weight, ()),
        ]
        one = len(record.names) == 1
        for j, name in enumerate(record.names):
            title = "DFBETAS" if one else f"DFBETAS {name}"
            offers.append((title, record.dfbetas[:, j], (-limits["dfbetas"], limits["dfbetas"])))
    return tuple(panel(title, values, lines) for title, values, lines in offers if np.isfinite(values).any())
