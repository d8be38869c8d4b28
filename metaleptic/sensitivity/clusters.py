"""One effect per cluster: what analyses of independent effects can be asked after a multilevel fit."""

from __future__ import annotations

import re

import numpy as np

from metaleptic.convert.effects import effects as make_effects
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.pooling.multilevel.blocks import IntArray, components
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.sensitivity.columns import column_of
from metaleptic.types import Effects


def average_clusters(fit: Multilevel) -> Effects:
    """Average the effects that hang together, so that each cluster enters once, with the variance of its average.

    Analyses of publication bias and small studies (trim and fill, selection models, p-uniform, ...) need independent effects.

    Parameters
    ----------
    fit : Multilevel
        From ``ml.pool_multilevel`` without moderators. Effects hang together that share a level of a random term, or whose
        sampling errors are correlated (``V``).

    Returns
    -------
    Effects
        One per cluster: the mean weighted by the inverse covariance matrix of the sampling errors. Its heterogeneity within
        the cluster goes into the between-study variance of what is pooled next.

    Raises
    ------
    OptionError
        If ``fit`` is no multilevel fit, or has moderators.
    NotEstimableError
        If all effects hang together.

    Notes
    -----
    Source: Gleser LJ, Olkin I. In: Cooper H, Hedges LV, Valentine JC (eds). The Handbook of Research Synthesis and
    Meta-Analysis. 2nd ed. Russell Sage 2009, 357-376.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.2, 0.4, 0.1, 0.6], [0.02, 0.02, 0.03, 0.04], columns={"lab": ["A", "A", "B", "C"]})
    >>> ml.average_clusters(ml.pool_multilevel(e, random="~ 1 | lab")).to_frame()["value"].round(2).tolist()
    [0.3, 0.1, 0.6]
    """
    if not isinstance(fit, Multilevel):
        raise OptionError(f"average_clusters takes a result of ml.pool_multilevel, not {type(fit).__name__}.")
    if len(fit.beta) > 1:
        raise OptionError(
            "average_clusters takes a multilevel fit without moderators: effects that differ by design have no one mean."
        )
    state, e = fit.state, fit.effects
    block = components(state.v, [b.term for b in state.built])
    count = int(block.max()) + 1
    if count < 2:
        raise NotEstimableError("all effects hang together: there are no independent clusters to average.")
    y, v, names = [], [], []
    for i in range(count):
        at = np.flatnonzero(block == i)
        errors = state.v[np.ix_(at, at)] if state.v.ndim == 2 else np.diag(state.v[at])
        w = np.linalg.solve(errors, np.ones(len(at)))
        v.append(1 / w.sum())
        y.append(float(w @ e.y[at]) / w.sum())
        names.append(_name(fit, block, at))
    return make_effects(y, v, study=names, measure=e.measure, level=e.level)


def _name(fit: Multilevel, block: IntArray, at: IntArray) -> str:
    """Return the level of the grouping that is the cluster, or the studies in it."""
    for b in fit.state.built:
        level = int(b.term.outer[at[0]])
        if np.array_equal(np.flatnonzero(b.term.outer == level), at) and len(b.groups) > level:
            return b.groups[level]
    studies = list(dict.fromkeys(fit.effects.study[i] for i in at))
    return studies[0] if len(studies) == 1 else f"{studies[0]} and {len(studies) - 1} more"


def outermost(fit: Multilevel) -> str | None:
    """Name the grouping with the fewest levels, whose clusters are independent; None if each effect is a cluster."""
    e = fit.effects
    named = dict.fromkeys(re.findall(r"\|\s*([^/|;,\s]+)", str(fit.random)))
    levels = {name: len(set(column_of(e, name))) for name in named if name == "study" or name in e.columns}
    fewest = min(levels, key=levels.__getitem__, default=None)
    return fewest if fewest is not None and 1 < levels[fewest] < fit.k else None
