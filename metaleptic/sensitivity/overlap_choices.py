"""Overlapping cohorts: the result with each choice of one cohort from every group that shares patients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import is_missing, to_frame
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.columns import column_of
from metaleptic.sensitivity.leave_one_out_bayes import posterior_subsets
from metaleptic.sensitivity.subset_fits import fit_subsets, refuse_others
from metaleptic.sensitivity.words import listed, side, with_small_letter
from metaleptic.types import BoolArray, Effects, FloatArray, frozen_array

COLUMN = "overlap_group"
MOST = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class OverlapChoices:
    """The pooled effect with every choice of one cohort per group of cohorts that share patients.

    Attributes
    ----------
    fit : Pooled or PooledBayes
        The result with all cohorts, shared patients counted more than once.
    groups : dict of str to tuple of str
        The groups and their cohorts; empty if no two cohorts share patients.
    taken : tuple of tuple of str
        The cohorts that each choice takes, one per group.
    value, low, high : ndarray of shape (m,)
        Pooled effect and interval with each choice, printed scale; NaN where the model cannot be fitted.
    k : ndarray of shape (m,)
        Number of studies.
    """

    fit: Pooled | PooledBayes
    groups: dict[str, tuple[str, ...]]
    taken: tuple[tuple[str, ...], ...]
    value: FloatArray
    low: FloatArray
    high: FloatArray
    k: FloatArray

    @property
    def sentence(self) -> str:
        """What the choices show, in plain words."""
        if not self.groups:
            return "No two of these cohorts share patients, as far as the table tells."
        m = self.fit.effects.measure
        named = "; ".join(f"{g}: {', '.join(c)}" for g, c in self.groups.items())
        known = np.flatnonzero(np.isfinite(self.value))
        if not len(known):
            return f"Cohorts share patients ({named}), and no choice of one of each leaves enough studies to pool."
        least, most = (int(known[f(self.value[known])]) for f in (np.argmin, np.argmax))
        unit = f" {m.unit}" if m.unit else ""
        low, high = m.format(self.value[least]), m.format(self.value[most])
        text = (
            f"Cohorts share patients ({named}). With one of each, in {len(known)} "
            f"{'way' if len(known) == 1 else 'ways'}, {with_small_letter(m.label)} "
        )
        if low == high:
            text += f"is {low}{unit} whichever is taken"
        else:
            text += f"lies between {low} (with {listed(self.taken[least], 3)}) and {high}{unit} (with {listed(self.taken[most], 3)})"
        if not m.has_null:
            return text + "."
        sides = [side(self.low[i], self.high[i], m.null) for i in known]
        if len(set(sides)) == 1:
            return text + "; the choice does not change the conclusion."
        other = sides.count(min(set(sides), key=sides.count))
        return text + f"; the conclusion hangs on it: {other} of {len(sides)} choices give another."

    def to_frame(self) -> Any:
        """Return a row per choice."""
        columns: dict[str, Any] = {g: [t[j] for t in self.taken] for j, g in enumerate(self.groups)}
        columns |= {"k": self.k.astype(int), "value": self.value, "low": self.low, "high": self.high}
        if np.isnan(self.value).any():
            columns["reason"] = ["the model cannot be fitted" if np.isnan(v) else "" for v in self.value]
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def overlap_choices(fit: Pooled | PooledBayes, *, by: str = COLUMN) -> OverlapChoices:
    """Pool again with each choice of one cohort from every group that shares patients, so that none is counted twice.

    Parameters
    ----------
    fit : Pooled or PooledBayes
        A fit of all cohorts.
    by : str, default "overlap_group"
        Column of the effects with the same entry for cohorts that share patients; an empty cell shares with none.

    Returns
    -------
    OverlapChoices

    Raises
    ------
    OptionError
        If the column is unknown, there are more than 20,000 choices, or the fit is of another kind.
    NotEstimableError
        If one choice alone would have no studies.

    Notes
    -----
    Source: Wood J. BMJ 2008;337:a2023 (double counting); for choices as a multiverse Steegen S et al. Perspect Psychol Sci
    2016;11:702-712.

    Examples
    --------
    >>> import metaleptic as ml
    >>> groups = {"overlap_group": ["registry", "registry", "", ""]}
    >>> e = ml.effects([-0.5, -0.2, -0.4, -0.3], [0.04] * 4, study=list("ABCD"), measure="HR", columns=groups)
    >>> found = ml.overlap_choices(ml.pool(e))
    >>> found.to_frame()["value"].round(2).tolist()
    [0.67, 0.74]
    """
    if not isinstance(fit, PooledBayes):
        fit = refuse_others(fit, "overlap_choices")
    groups = sharing(fit.effects, by)
    if not groups:
        nothing = frozen_array(np.empty(0))
        return OverlapChoices(fit, {}, (), nothing, nothing, nothing, nothing)
    if math.prod(len(rows) for rows in groups.values()) > MOST:
        raise OptionError(f"there are more than {MOST:,} choices of one cohort per group. Exclude some cohorts first.")
    names = _names(fit.effects)
    sets = list(product(*groups.values()))
    keep = np.array([_kept(len(names), groups, chosen) for chosen in sets])
    if not keep.any(axis=-1).all():
        raise NotEstimableError("a choice of one cohort per group leaves no studies.")
    fits = posterior_subsets(fit, keep) if isinstance(fit, PooledBayes) else fit_subsets(fit, keep)
    value, low, high = fits.printed(fit.effects.measure)
    taken = tuple(tuple(names[i] for i in chosen) for chosen in sets)
    cohorts = {group: tuple(names[i] for i in rows) for group, rows in groups.items()}
    return OverlapChoices(fit, cohorts, taken, frozen_array(value), frozen_array(low), frozen_array(high), fits.k)


def sharing(effects: Effects, by: str = COLUMN) -> dict[str, tuple[int, ...]]:
    """Return the groups of at least two effects with the same entry of a column, as rows."""
    found: dict[str, list[int]] = {}
    for i, value in enumerate(column_of(effects, by)):
        if not is_missing(value) and str(value).strip():
            found.setdefault(str(value).strip(), []).append(i)
    return {group: tuple(rows) for group, rows in found.items() if len(rows) > 1}


def _kept(k: int, groups: dict[str, tuple[int, ...]], chosen: tuple[int, ...]) -> BoolArray:
    keep = np.ones(k, dtype=bool)
    for rows, one in zip(groups.values(), chosen, strict=True):
        keep[list(rows)] = False
        keep[one] = True
    return keep


def _names(effects: Effects) -> tuple[str, ...]:
    twice = {s for s in effects.study if effects.study.count(s) > 1}
    return tuple(f"{s} (row {effects.row[i]})" if s in twice else s for i, s in enumerate(effects.study))
