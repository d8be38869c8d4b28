"""Subgroups: each pooled by itself, and the test of whether they differ.

Source: Borenstein M, Higgins JPT. Prev Sci 2013;14:134-143.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import DataError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.models import fit_model
from metaleptic.pooling.regression import fit_regression
from metaleptic.pooling.result import Pooled, format_p, headline
from metaleptic.types import Effects, Estimate, FloatArray, Provenance


@dataclass(frozen=True, slots=True, eq=False)
class Subgroups:
    """A pooled result and the same for each subgroup: fits the ``Result`` protocol through its overall fit.

    Attributes
    ----------
    overall : Pooled
        All studies.
    groups : mapping of str to Pooled
        Each subgroup by itself, in order of appearance.
    by : str
        What the groups are by, for headings.
    q, q_df, q_p : float
        Test for subgroup differences; NaN if fewer than two groups could be compared.
    """

    overall: Pooled
    groups: Mapping[str, Pooled]
    by: str
    q: float
    q_df: int
    q_p: float

    @property
    def effects(self) -> Effects:
        """All studies."""
        return self.overall.effects

    @property
    def estimate(self) -> Estimate:
        """The overall pooled effect."""
        return self.overall.estimate

    @property
    def prediction(self) -> Estimate | None:
        """The overall prediction interval."""
        return self.overall.prediction

    @property
    def tau(self) -> Estimate:
        """The overall between-study standard deviation."""
        return self.overall.tau

    @property
    def weights(self) -> FloatArray:
        """Weights in the overall analysis, percent."""
        return self.overall.weights

    @property
    def method(self) -> str:
        """The model in words."""
        return self.overall.method

    @property
    def provenance(self) -> Provenance:
        """How the overall result was made."""
        return self.overall.provenance

    def to_frame(self) -> Any:
        """Return a row per subgroup and one for all studies."""
        rows = [(name, *_row(fit)) for name, fit in self.groups.items()] + [("all", *_row(self.overall))]
        names = ("group", "studies", "value", "low", "high", "tau2", "i2")
        return to_frame(dict(zip(names, zip(*rows, strict=True), strict=True)), self.effects.frame_kind)

    def __repr__(self) -> str:
        lines = [f"{name}: {headline(fit)}" for name, fit in self.groups.items()]
        return "\n".join([headline(self.overall), *lines, f"subgroup differences: {interaction_line(self)}"])


def _row(fit: Pooled) -> tuple[Any, ...]:
    e = fit.estimate
    return fit.k, e.value, e.low, e.high, fit.tau2, fit.i2


def interaction_line(result: Subgroups) -> str:
    """Say the test for subgroup differences in one line."""
    if np.isnan(result.q):
        return "not tested"
    return f"Q = {result.q:.1f}, df = {result.q_df}, p {format_p(result.q_p)}"


def subgroups(fit: Pooled, by: str | Sequence[str], *, tau2: str = "separate") -> Subgroups:
    """Pool each subgroup by itself, with the settings of ``fit``, and test whether the subgroups differ.

    Parameters
    ----------
    fit : Pooled
        The overall result.
    by : str or sequence of str
        Column of the input (``fit.effects.columns``), or one name per study.
    tau2 : {"separate", "common"}, default "separate"
        Whether each subgroup has a tau2 of its own, or all share the one that the subgroups leave (the better choice
        when subgroups have fewer than about five studies).

    Returns
    -------
    Subgroups

    Raises
    ------
    DataError
        If there is no such column, or a study has no group.

    Notes
    -----
    The test compares the subgroups' pooled effects, weighted by 1/SE^2, with a chi-squared distribution. The SEs are
    those without the Hartung-Knapp factor: with two studies in a group that factor rests on one degree of freedom.
    Source: Borenstein M, Higgins JPT. Prev Sci 2013;14:134-143.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([0.1, 0.3, 0.9, 1.1], [0.04] * 4))
    >>> ml.subgroups(fit, by=["old", "old", "new", "new"]).q_df
    1
    """
    if not isinstance(fit, Pooled):
        raise OptionError(
            f"subgroups takes a pooled result, not {type(fit).__name__}. Make it first with ml.pool(effects)."
        )
    e = fit.effects
    if isinstance(by, str):
        if by not in e.columns:
            raise DataError(f"there is no column '{by}' to group by. There are: {', '.join(e.columns) or 'none'}.")
        labels, title = [str(x).strip() for x in e.columns[by]], by.replace("_", " ")
    else:
        labels, title = [str(x).strip() for x in by], "group"
    if len(labels) != len(e):
        raise DataError(f"{len(labels)} group names for {len(e)} studies: they must match.")
    for name, label in zip(e.study, labels, strict=True):
        if not label or label.lower() in {"nan", "none"}:
            raise DataError(f"study '{name}' has no {title}. Give it one ('not stated' will do).")
    if tau2 not in ("separate", "common"):
        raise OptionError(f'tau2 {tau2!r} is unknown. Choose "separate" or "common".')
    estimator = _common_tau2(fit, labels) if tau2 == "common" else fit.tau2_method
    groups = {
        label: fit_model(
            e.take([i for i, x in enumerate(labels) if x == label]),
            fit.model,
            estimator,
            fit.test,
            fit.level,
        )
        for label in dict.fromkeys(labels)
    }
    q, df = _between([float(g.beta[0]) for g in groups.values()], [_classic_se(g) for g in groups.values()])
    p = float(special.chdtrc(df, q)) if np.isfinite(q) else float("nan")
    return Subgroups(fit, MappingProxyType(groups), title, q, df, p)


def _common_tau2(fit: Pooled, labels: list[str]) -> str:
    """Return the between-study variance that the subgroups leave, as a known value for each of them."""
    if fit.model != "random":
        raise OptionError('a common tau2 needs a fit with model="random".')
    names = list(dict.fromkeys(labels))
    x = np.array([[float(label == name) for name in names] for label in labels])
    if len(names) >= len(labels):
        raise DataError("every study is a subgroup of its own: there is no common tau2 to estimate.")
    e = fit.effects
    return repr(float(fit_regression(e.y, e.v, x, tau2=fit.tau2_method, test="z").tau2))


def _classic_se(fit: Pooled) -> float:
    """Return the SE without the Hartung-Knapp factor, which in a group of two studies can be near zero by chance."""
    if fit.model in ("random", "common"):
        return float(1 / np.sqrt(np.sum(1 / (fit.effects.v + np.nan_to_num(fit.tau2)))))
    return float(fit.se[0])


def _between(mu: list[float], se: list[float]) -> tuple[float, int]:
    """Return Q between the groups; NaN with one group, or one whose SE is zero or unknown."""
    m, w = np.array(mu), 1 / np.square(se)
    if len(mu) < 2 or not (np.isfinite(m).all() and np.isfinite(w).all()):
        return float("nan"), 0
    centre = (w * m).sum() / w.sum()
    return float((w * (m - centre) ** 2).sum()), len(mu) - 1
