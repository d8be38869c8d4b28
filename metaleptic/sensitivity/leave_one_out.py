"""Leave-one-out: the pooled effect without each study, each group of studies or each set of studies in turn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any, overload

import numpy as np

from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.columns import groups_of
from metaleptic.sensitivity.leave_one_out_bayes import LeaveOneOutBayes, leave_one_out_bayes
from metaleptic.sensitivity.leave_out_coefficients import LeaveOneOutCoefficients, leave_out_coefficients
from metaleptic.sensitivity.multilevel_influence import units_of
from metaleptic.sensitivity.subset_fits import SubsetFits, fit_subsets, refuse_others
from metaleptic.sensitivity.words import one_at_a_time, side, with_small_letter
from metaleptic.types import BoolArray, FloatArray, frozen_array

MOST_SETS = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class LeaveOneOut:
    """The pooled effect without each study (or group, or set of studies) in turn.

    Attributes
    ----------
    fit : Pooled
        The result with all studies.
    value, low, high : ndarray of shape (m,)
        Pooled effect and interval without it, printed scale.
    tau2, i2 : ndarray of shape (m,)
        Heterogeneity without it.
    left_out : tuple of str
        What was left out.
    fits : SubsetFits
        The same fits on the analysis scale, with tests and Q.
    by : str
        Column whose groups were left out; "" for studies.
    size : int
        How many were left out at a time.
    """

    fit: Pooled
    value: FloatArray
    low: FloatArray
    high: FloatArray
    tau2: FloatArray
    i2: FloatArray
    left_out: tuple[str, ...]
    fits: SubsetFits
    by: str = ""
    size: int = 1

    @property
    def changed(self) -> tuple[str, ...]:
        """What the conclusion hangs on: without it the interval lies differently to the null."""
        m = self.fit.effects.measure
        if not m.has_null:
            return ()
        whole = side(self.fit.estimate.low, self.fit.estimate.high, m.null)
        return tuple(
            s for s, lo, hi in zip(self.left_out, self.low, self.high, strict=True) if side(lo, hi, m.null) != whole
        )

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        m = self.fit.effects.measure
        if not np.isfinite(self.value).any():
            return f"Nothing can be left out: {self.fits.reason[0]}"
        least, most = int(np.nanargmin(self.value)), int(np.nanargmax(self.value))
        unit = f" {m.unit}" if m.unit else ""
        text = (
            f"Leaving out {one_at_a_time(self.size, self.by)} moves {with_small_letter(m.label)} between "
            f"{m.format(self.value[least])} (without {self.left_out[least]}) and "
            f"{m.format(self.value[most])}{unit} (without {self.left_out[most]})"
        )
        if not m.has_null:
            return text + "."
        changed = self.changed
        if not changed:
            return text + "; the conclusion never changes."
        more = f" and {len(changed) - 8} more" if len(changed) > 8 else ""
        return text + f"; the conclusion hangs on {', '.join(changed[:8])}{more}."

    def to_frame(self) -> Any:
        """Return a row per study (group, set) left out."""
        names = ("left_out", "value", "low", "high", "p", "q", "q_p", "tau2", "i2")
        f = self.fits
        values = (self.left_out, self.value, self.low, self.high, f.p, f.q, f.q_p, self.tau2, self.i2)
        columns: dict[str, Any] = dict(zip(names, values, strict=True))
        for name in ("p", "q", "q_p"):  # a measure without a null has no test, some models no Q
            if np.isnan(columns[name]).all() or (name == "p" and not self.fit.effects.measure.has_null):
                del columns[name]
        if self.fits.reason:
            columns["reason"] = self.fits.reason
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


@overload
def leave_one_out(fit: Pooled, *, by: str | None = None, size: int = 1) -> LeaveOneOut: ...
@overload
def leave_one_out(fit: PooledBayes, *, by: str | None = None, size: int = 1) -> LeaveOneOutBayes: ...
@overload
def leave_one_out(
    fit: Regression | RegressionBayes | Multilevel, *, by: str | None = None, size: int = 1
) -> LeaveOneOutCoefficients: ...
def leave_one_out(
    fit: Pooled | PooledBayes | Regression | RegressionBayes | Multilevel, *, by: str | None = None, size: int = 1
) -> LeaveOneOut | LeaveOneOutBayes | LeaveOneOutCoefficients:
    """Pool again without each study in turn, to see whether the result hangs on one of them.

    Parameters
    ----------
    fit : Pooled, PooledBayes, Regression, RegressionBayes or Multilevel
        From ``ml.pool``, ``ml.pool_bayes`` (both with or without moderators) or ``ml.pool_multilevel``; its model and
        settings are used again.
    by : str, optional
        Column of the effects: leave out all studies of a group (a centre, a country, a drug) at a time.
    size : int, default 1
        How many studies (or groups) to leave out at a time: 2 for every pair.

    Returns
    -------
    LeaveOneOut, LeaveOneOutBayes or LeaveOneOutCoefficients
        The last for fits with moderators and multilevel ones: every coefficient without each study.

    Raises
    ------
    NotEstimableError
        If fewer than two studies would be left.
    OptionError
        If the column is unknown, or there are more than 200,000 sets to leave out.

    Notes
    -----
    Source: Viechtbauer W, Cheung MW-L. Res Synth Methods 2010;1:112-125.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([0.1, 0.3, 0.9], [0.04] * 3, study=["A", "B", "C"]))
    >>> ml.leave_one_out(fit).value.round(2)
    array([0.6, 0.5, 0.2])
    """
    if not isinstance(fit, PooledBayes | Regression | RegressionBayes | Multilevel):
        fit = refuse_others(fit, "leave_one_out")
    if by is None and fit.k < 3:
        raise NotEstimableError(f"leave-one-out needs at least 3 studies; there are {fit.k}.")
    if isinstance(fit, Multilevel):
        code, names = units_of(fit, by)
        member = np.asarray(code)[None, :] == np.arange(len(names))[:, None]
    elif by is None:
        names, member = fit.effects.study, np.eye(fit.k, dtype=bool)
    else:
        names, member = groups_of(fit.effects, by)
    left_out, keep = _sets(names, member, size)
    least = int(keep.sum(axis=-1).min())
    if least < 2 and not (least == 1 and by is not None):
        raise NotEstimableError(
            f"without '{left_out[int(keep.sum(axis=-1).argmin())]}' no two studies are left to pool."
        )
    if isinstance(fit, PooledBayes):
        return leave_one_out_bayes(fit, left_out, keep, by or "", size)
    if isinstance(fit, Regression | RegressionBayes | Multilevel):
        return leave_out_coefficients(fit, left_out, keep, by or "", size)
    fits = fit_subsets(fit, keep)
    value, low, high = fits.printed(fit.effects.measure)
    return LeaveOneOut(
        fit,
        frozen_array(value),
        frozen_array(low),
        frozen_array(high),
        fits.tau2,
        fits.i2,
        left_out,
        fits,
        by or "",
        size,
    )


def _sets(names: tuple[str, ...], member: BoolArray, size: int) -> tuple[tuple[str, ...], BoolArray]:
    """Return the names of what is left out and, for each, which studies stay."""
    if not 1 <= size < len(names):
        raise OptionError(f"size {size} should be from 1 to {len(names) - 1}: something must stay.")
    if math.comb(len(names), size) > MOST_SETS:
        raise OptionError(
            f"there are {math.comb(len(names), size):,} sets of {size}, more than {MOST_SETS:,}. "
            "Leave out fewer at a time, or look at ml.all_subsets(fit)."
        )
    sets = list(combinations(range(len(names)), size))
    keep = np.stack([~member[list(s)].any(axis=0) for s in sets])
    if not keep.any(axis=-1).all():
        raise NotEstimableError("a group that holds all studies cannot be left out.")
    return tuple(" + ".join(names[i] for i in s) for s in sets), keep
