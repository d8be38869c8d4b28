"""The verb ``fragility``: how few patients decide whether the pooled effect is significant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from metaleptic.convert.count_kernels import TWO_BY_TWO, continuity, policy_named
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.normal import fit_normal
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.subset_fits import BROADCAST, refuse_others
from metaleptic.types import FloatArray, frozen_array

MEASURES = ("OR", "RR", "RD", "AS", "PETO")
MOST = 1000  # changes, after which the search ends
MOVES = np.array([[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]], dtype=np.float64)
WORDS = ("an event more in arm 1", "an event fewer in arm 1", "an event more in arm 2", "an event fewer in arm 2")


@dataclass(frozen=True, slots=True, eq=False)
class Fragility:
    """The fewest patients whose other outcome would turn the significance of the pooled effect.

    Attributes
    ----------
    fit : Pooled
        The result as it was.
    significant : bool
        Whether its interval excludes the null.
    index : float
        Number of patients; infinite if no number up to 1000 turns it.
    quotient : float
        The same as a share of all patients, 0 to 1.
    study, change : tuple of str
        Each changed patient: the study, and what was changed.
    value, low, high : ndarray of shape (index + 1,)
        Pooled effect and interval before and after each change, printed scale.
    studies_index : ndarray of shape (k,)
        The same for each study by itself (Fisher's exact test); infinite if no change in its arm with fewer events turns it.
    studies_p : ndarray of shape (k,)
        Fisher's exact p of each study.
    """

    fit: Pooled
    significant: bool
    index: float
    quotient: float
    study: tuple[str, ...]
    change: tuple[str, ...]
    value: FloatArray
    low: FloatArray
    high: FloatArray
    studies_index: FloatArray
    studies_p: FloatArray

    @property
    def sentence(self) -> str:
        """What the search found, in plain words."""
        to = "no longer be significant" if self.significant else "be significant"
        total = f"{self.fit.effects.cells.sum():,.0f} patients"
        if np.isinf(self.index):
            return f"No change of up to {MOST} outcomes would make the pooled effect {to.replace('be ', '')}."
        counts: dict[str, int] = {}
        for s, c in zip(self.study, self.change, strict=True):
            counts[f"{s}: {c}"] = counts.get(f"{s}: {c}", 0) + 1
        shown = [what if n == 1 else f"{what} ({n} times)" for what, n in counts.items()]
        where = "; ".join(shown[:3]) + (f"; and {len(shown) - 3} more" if len(shown) > 3 else "")
        return f"With another outcome of {self.index:.0f} of {total} the pooled effect would {to} ({where})."

    def to_frame(self) -> Any:
        """Return a row per study: its own p and fragility index, and how many of its patients the search changed."""
        changed = [sum(s == name for s in self.study) for name in self.fit.effects.study]
        columns = {
            "study": self.fit.effects.study,
            "fisher_p": self.studies_p,
            "fragility_index": self.studies_index,
            "changed": changed,
        }
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def fragility(fit: Pooled, *, alpha: float = 0.05) -> Fragility:
    """Count the patients whose other outcome would make a significant pooled effect not significant, or the reverse.

    Parameters
    ----------
    fit : Pooled
        From ``ml.pool`` with effects of ``ml.two_by_two`` (measure OR, RR, RD, AS or PETO), ``model="random"`` or
        ``"common"``.
    alpha : float, default 0.05
        Level of Fisher's exact test of each study; that of the pooled effect is 1 - ``fit.level``.

    Returns
    -------
    Fragility

    Raises
    ------
    OptionError
        If the effects are not two-by-two tables, or the model or its test is another.
    NotEstimableError
        If there is only one study.

    Notes
    -----
    Pooled effect: one patient is changed at a time, the one that brings the interval nearest to turning (a greedy search:
    fewer changes together might do). Single studies: events are added to the arm with fewer (significant) or taken from
    it (not significant). Empty cells get one half. Sources: Atal I et al. J Clin Epidemiol 2019;111:32-40; Walsh M et al.
    J Clin Epidemiol 2014;67:622-628; Khan MS et al. JAMA Netw Open 2020;3:e2012469 (reverse).

    Examples
    --------
    >>> import metaleptic as ml
    >>> t = {"study": ["A", "B", "C"], "x": [10, 14, 8], "n": [100, 120, 90], "x0": [22, 25, 17], "n0": [100, 118, 92]}
    >>> e = ml.two_by_two(t, events1="x", n1="n", events2="x0", n2="n0", study="study")
    >>> ml.fragility(ml.pool(e, model="common")).index
    12.0
    """
    fit = refuse_others(fit, "fragility")
    e = fit.effects
    key = e.measure.key
    if len(e.cells) != len(e) or key not in MEASURES:
        raise OptionError(
            f"fragility counts patients of two-by-two tables ({', '.join(MEASURES)}). Make the effects with ml.two_by_two."
        )
    if fit.model not in ("random", "common") or fit.test not in BROADCAST:
        raise OptionError(
            f'fragility has no rule for model "{fit.model}" with test "{fit.test}". '
            f'Pool with model="random" or "common" and test {", ".join(sorted(BROADCAST))}.'
        )
    if fit.k < 2:
        raise NotEstimableError("there is one study: see its own table with Fisher's exact test.")
    path, bounds, turned = _search(fit, np.array(e.cells))
    m = e.measure
    low, high = m.printed_bounds(bounds[:, 1], bounds[:, 2])
    p, own = _single_studies(np.array(e.cells), alpha)
    return Fragility(
        fit=fit,
        significant=bool(bounds[0, 1] > 0 or bounds[0, 2] < 0),
        index=float(len(path)) if turned else float("inf"),
        quotient=len(path) / float(e.cells.sum()) if turned else float("inf"),
        study=tuple(e.study[i] for i, _ in path),
        change=tuple(WORDS[j] for _, j in path),
        value=frozen_array(m.to_printed(bounds[:, 0])),
        low=frozen_array(low),
        high=frozen_array(high),
        studies_index=frozen_array(own),
        studies_p=frozen_array(p),
    )


def _search(fit: Pooled, cells: FloatArray) -> tuple[list[tuple[int, int]], FloatArray, bool]:
    """Change one patient at a time; return the changes, the effect with its bounds after each, and whether it turned."""
    now = _pooled(fit, cells[None])[0]
    significant = now[1] > 0 or now[2] < 0
    side = float(np.sign(now[0])) or 1.0
    k = len(cells)
    path: list[tuple[int, int]] = []
    rows = [now]
    seen = set()
    for _ in range(min(MOST, int(cells.sum()))):
        candidates = np.repeat(cells[None], 4 * k, axis=0)
        study, move = np.repeat(np.arange(k), 4), np.tile(np.arange(4), k)
        candidates[np.arange(4 * k), study] += MOVES[move]
        possible = (candidates >= 0).all(axis=(1, 2))
        back = [(i, j ^ 1) in seen for i, j in zip(study.tolist(), move.tolist(), strict=True)]
        possible &= ~np.array(back)
        if not possible.any():
            break
        found = _pooled(fit, candidates)
        near = side * np.where(
            side > 0, found[:, 1], found[:, 2]
        )  # the bound that is, or should get, on the other side
        score = np.where(possible & np.isfinite(near), -near if significant else near, -np.inf)
        best = int(np.argmax(score))
        if not np.isfinite(score[best]):
            break
        path.append((int(study[best]), int(move[best])))
        seen.add(path[-1])
        cells, now = candidates[best], found[best]
        rows.append(now)
        if (now[1] > 0 or now[2] < 0) != significant:
            return path, np.array(rows), True
    return path, np.array(rows), False


def _pooled(fit: Pooled, cells: FloatArray) -> FloatArray:
    """Return effect and bounds (analysis scale) of tables of shape (m, k, 4)."""
    key = fit.effects.measure.key
    empty = (cells == 0).any(axis=-1)
    silent = ((cells[..., 0] == 0) & (cells[..., 2] == 0)) | ((cells[..., 1] == 0) & (cells[..., 3] == 0))
    keep = np.where(silent & (key not in ("RD", "AS")), 0.0, 1.0)
    add = continuity(policy_named(key, None), 0.5, empty.ravel()).reshape(empty.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        y, v = TWO_BY_TWO[key](*np.moveaxis(cells + add[..., None], -1, 0))
    usable = np.isfinite(y) & (v > 0) & (keep > 0)
    y, v = np.where(usable, y, 0.0), np.where(usable, v, 1.0)
    f = fit_normal(y, v, tau2=fit.tau2_method or None, test=fit.test, level=fit.level, keep=usable.astype(np.float64))
    return np.stack([f.mu, f.low, f.high], axis=-1)


def _single_studies(cells: FloatArray, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Return Fisher's p and the fragility index of each study."""
    p, index = np.empty(len(cells)), np.full(len(cells), np.inf)
    for i, (a, b, c, d) in enumerate(cells):
        few, others, size = (a, c, a + b) if a <= c else (c, a, c + d)
        rest = c + d if a <= c else a + b
        p[i] = _fisher(few, size, others, rest)
        was = p[i] < alpha
        step = 1.0 if was else -1.0
        x = few + step
        while 0 <= x <= size:
            if (_fisher(x, size, others, rest) < alpha) != was:
                index[i] = abs(x - few)
                break
            x += step
    return p, index


def _fisher(x1: float, n1: float, x2: float, n2: float) -> float:
    """Return the two-sided p of Fisher's exact test."""
    return float(stats.fisher_exact(np.array([[x1, n1 - x1], [x2, n2 - x2]], dtype=np.int64)).pvalue)
