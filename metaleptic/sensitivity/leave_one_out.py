"""Leave-one-out: the pooled effect without each study in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.models import fit_model
from metaleptic.pooling.normal import fit_normal
from metaleptic.pooling.result import Pooled
from metaleptic.types import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class LeaveOneOut:
    """The pooled effect without each study in turn.

    Attributes
    ----------
    fit : Pooled
        The result with all studies.
    value, low, high : ndarray of shape (k,)
        Pooled effect and interval without study i, printed scale.
    tau2, i2 : ndarray of shape (k,)
        Heterogeneity without study i.
    """

    fit: Pooled
    value: FloatArray
    low: FloatArray
    high: FloatArray
    tau2: FloatArray
    i2: FloatArray

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        m, fit = self.fit.effects.measure, self.fit
        least, most = int(np.argmin(self.value)), int(np.argmax(self.value))
        unit = f" {m.unit}" if m.unit else ""
        text = (
            f"Leaving out one study at a time moves {m.label[0].lower() + m.label[1:]} between "
            f"{m.format(self.value[least])} (without {fit.effects.study[least]}) and "
            f"{m.format(self.value[most])}{unit} (without {fit.effects.study[most]})"
        )
        if not m.has_null:
            return text + "."
        whole = _side(fit.estimate.low, fit.estimate.high, m.null)
        changed = [
            s
            for s, lo, hi in zip(fit.effects.study, self.low, self.high, strict=True)
            if _side(lo, hi, m.null) != whole
        ]
        if not changed:
            return text + "; the conclusion never changes."
        return text + f"; the conclusion hangs on {', '.join(changed)}."

    def to_frame(self) -> Any:
        """Return a row per study left out."""
        names = ("left_out", "value", "low", "high", "tau2", "i2")
        values = (self.fit.effects.study, self.value, self.low, self.high, self.tau2, self.i2)
        return to_frame(dict(zip(names, values, strict=True)), self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def _side(low: float, high: float, null: float) -> int:
    """-1 if the interval lies below the null, 1 above, 0 across."""
    return int(low > null) - int(high < null)


def leave_one_out(fit: Pooled) -> LeaveOneOut:
    """Pool again without each study in turn, to see whether the result hangs on one of them.

    Parameters
    ----------
    fit : Pooled
        From ``ml.pool``; its model and settings are used again.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    NotEstimableError
        If there are fewer than three studies.

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
    if not isinstance(fit, Pooled):
        raise OptionError(
            f"leave_one_out takes a pooled result, not {type(fit).__name__}. Make it first with ml.pool(effects)."
        )
    k = fit.k
    if k < 3:
        raise NotEstimableError(f"leave-one-out needs at least 3 studies; there are {k}.")
    if fit.model in ("random", "common"):
        e = fit.effects
        many = fit_normal(e.y, e.v, tau2=fit.tau2_method or None, test=fit.test, level=fit.level, keep=1.0 - np.eye(k))
        low, high = e.measure.printed_bounds(many.low, many.high)
        columns: list[Any] = [e.measure.to_printed(many.mu), low, high, many.tau2, many.i2]
    else:
        without = [fit.effects.take([j for j in range(k) if j != i]) for i in range(k)]
        fits = [fit_model(e, fit.model, "REML", fit.test, fit.level) for e in without]
        columns = list(
            zip(*((f.estimate.value, f.estimate.low, f.estimate.high, f.tau2, f.i2) for f in fits), strict=True)
        )
    return LeaveOneOut(fit, *(frozen_array(c) for c in columns))
