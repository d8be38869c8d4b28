"""Linear combinations of coefficients, joint tests of them, and variance inflation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metaleptic.errors import DataError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.anatomy import anatomy
from metaleptic.pooling.multilevel.assemble import critical, two_sided
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression import WaldTest, wald_test
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled, format_p
from metaleptic.pooling.robust import Robust, combination_df, combination_test
from metaleptic.types import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Linear combinations of the coefficients, each by itself and all together.

    Attributes
    ----------
    rows : ndarray of shape (m, p)
        Weights of the coefficients.
    label : tuple of str
        The combinations in words.
    estimate, se, low, high, statistic, p : ndarray of shape (m,)
        Each combination with its test, analysis scale.
    joint : WaldTest
        Test that all are zero.
    """

    rows: FloatArray
    label: tuple[str, ...]
    estimate: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    statistic: FloatArray
    p: FloatArray
    joint: WaldTest
    frame_kind: str

    def to_frame(self) -> Any:
        """Return a row per combination."""
        names = ("label", "estimate", "se", "low", "high", "statistic", "p")
        return to_frame({name: getattr(self, name) for name in names}, self.frame_kind)

    def __repr__(self) -> str:
        lines = [
            f"{self.label[i]} = 0: estimate {self.estimate[i]:.4g} ({self.low[i]:.4g} to {self.high[i]:.4g}), p {format_p(self.p[i])}"
            for i in range(len(self.label))
        ]
        j = self.joint
        name = (
            f"QM = {j.statistic:.3g}, df = {j.df1}"
            if np.isinf(j.df2)
            else f"F({j.df1}, {j.df2:.3g}) = {j.statistic:.3g}"
        )
        return "\n".join([*lines, f"together: {name}, p {format_p(j.p)}"])


def contrasts(fit: Pooled | Regression | Multilevel | Robust, rows: Any, *, level: float | None = None) -> Contrasts:
    """Test combinations of the coefficients: a difference of two groups, a term with several columns, an effect at a value.

    Parameters
    ----------
    fit : Regression, Multilevel or Robust
        From ``ml.pool(effects, moderators=...)``, ``ml.pool_multilevel`` or ``ml.robust``.
    rows : array_like of shape (m, p), str, or sequence of str
        Weights of the coefficients, one row per combination; or names of coefficients or of terms of the formula, whose
        coefficients are then tested one by one and together.
    level : float, optional
        Level of the intervals.

    Returns
    -------
    Contrasts
        With ``joint``, the Wald test of all rows (F if the fit used t).

    Raises
    ------
    DataError
        If the shape does not fit, or a name is unknown.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.9, -1.6, -1.3, -0.4, 0.0, -0.2], [0.1, 0.2, 0.1, 0.05, 0.05, 0.1],
    ...                columns={"arm": ["a", "a", "b", "b", "c", "c"]})
    >>> fit = ml.pool(e, moderators="~ arm", test="z")
    >>> ml.contrasts(fit, [[0, 1, -1]]).estimate.round(2).tolist()
    [-0.71]
    """
    a: Any = fit if isinstance(fit, Multilevel | Robust) else anatomy(fit, "contrasts")
    weights = _rows(rows, a.design.names, a.design.terms)
    if weights.shape[1] != len(a.beta):
        raise DataError(
            f"contrasts have {weights.shape[1]} weights; there are {len(a.beta)} coefficients: {', '.join(a.design.names)}."
        )
    if isinstance(fit, Multilevel | Robust):
        df, joint = combination_df(fit, weights), WaldTest(*combination_test(fit, weights))
    else:
        df, joint = np.full(len(weights), a.df), wald_test(a.beta, a.cov, a.df, weights)
    estimate = weights @ a.beta
    se = np.sqrt(np.einsum("ij,jk,ik->i", weights, a.cov, weights))
    t = critical(df, a.level if level is None else level)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / se
    p = two_sided(statistic, df)
    return Contrasts(
        rows=frozen_array(weights),
        label=tuple(_in_words(w, a.design.names) for w in weights),
        estimate=frozen_array(estimate),
        se=frozen_array(se),
        low=frozen_array(estimate - t * se),
        high=frozen_array(estimate + t * se),
        statistic=frozen_array(statistic),
        p=frozen_array(p),
        joint=joint,
        frame_kind=a.effects.frame_kind,
    )


def _rows(rows: Any, names: tuple[str, ...], terms: Sequence[tuple[str, tuple[int, ...]]]) -> FloatArray:
    wanted = [rows] if isinstance(rows, str) else rows
    if all(isinstance(x, str) for x in wanted):
        known = dict(terms) | {name: (j,) for j, name in enumerate(names)}
        for name in wanted:
            if name not in known:
                raise DataError(f"there is no coefficient or term '{name}'. There are: {', '.join(known)}.")
        return np.eye(len(names))[[j for name in wanted for j in known[name]]]
    return np.atleast_2d(np.asarray(rows, dtype=np.float64))


def _in_words(weights: FloatArray, names: tuple[str, ...]) -> str:
    parts = []
    for w, name in zip(weights, names, strict=True):
        if w != 0:
            size = "" if abs(w) == 1 else f"{abs(w):g} "
            parts.append(f"{'−' if w < 0 else '+'} {size}{name}")
    return " ".join(parts).removeprefix("+ ") or "0"


@dataclass(frozen=True, slots=True, eq=False)
class Inflation:
    """Variance inflation of coefficients, and generalised of whole terms.

    Attributes
    ----------
    coefficients : mapping of str to float
        VIF of each coefficient but the intercept.
    terms : mapping of str to float
        Generalised VIF of each term; the root of order 2 df of it is comparable between terms.
    df : mapping of str to int
        Number of columns of each term.
    frame_kind : str
        Dataframe library of ``to_frame``.
    """

    coefficients: dict[str, float]
    terms: dict[str, float]
    df: dict[str, int] = field(default_factory=dict)
    frame_kind: str = "pandas"

    def per_df(self, term: str) -> float:
        """Return GVIF^(1 / (2 df)) of a term: by how much its standard errors widen, comparable between terms."""
        return float(self.terms[term] ** (1 / (2 * self.df[term])))

    def to_frame(self) -> Any:
        """Return a row per term: its columns, generalised VIF and GVIF^(1 / (2 df))."""
        columns = {
            "term": list(self.terms),
            "df": [self.df[t] for t in self.terms],
            "gvif": list(self.terms.values()),
            "gvif_per_df": [self.per_df(t) for t in self.terms],
        }
        return to_frame(columns, self.frame_kind)

    def __repr__(self) -> str:
        lines = [f"{name}: VIF {value:.2f}" for name, value in self.coefficients.items()]
        several = [t for t in self.terms if self.df.get(t, 1) > 1]
        lines += [f"{t} ({self.df[t]} columns): generalised VIF {self.terms[t]:.2f}" for t in several]
        return "\n".join(lines)


def vif(fit: Regression | Multilevel) -> Inflation:
    """Say by how much the moderators, being related to each other, blur each other's coefficients.

    Parameters
    ----------
    fit : Regression or Multilevel
        From ``ml.pool(effects, moderators=...)`` or ``ml.pool_multilevel``.

    Returns
    -------
    Inflation
        Variance inflation factors (1: unrelated; above 5 to 10: hardly separable).

    Raises
    ------
    OptionError
        If there are fewer than two coefficients besides the intercept.

    Notes
    -----
    Source: Fox J, Monette G. J Am Stat Assoc 1992;87:178-183, from the correlations of the estimated coefficients.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.9, -1.6, -1.3, -0.4, 0.0], [0.1] * 5, columns={"a": [1, 2, 3, 4, 5], "b": [1, 0, 1, 0, 1]})
    >>> round(ml.vif(ml.pool(e, moderators="~ a + b")).coefficients["a"], 6)
    1.0
    """
    a: Any = fit if isinstance(fit, Multilevel) else anatomy(fit, "vif")
    used = [j for j, name in enumerate(a.design.names) if name != "intercept"]
    if len(used) < 2:
        raise OptionError("variance inflation needs at least two moderator columns.")
    cov = a.cov[np.ix_(used, used)]
    sd = np.sqrt(np.diag(cov))
    correlation = cov / np.outer(sd, sd)
    factors = np.diag(np.linalg.inv(correlation))
    whole = np.linalg.det(correlation)
    terms, df = {}, {}
    for name, columns in a.design.terms:
        own = [used.index(j) for j in columns if j in used]
        other = [i for i in range(len(used)) if i not in own]
        if own and other:
            inner, outer = (np.linalg.det(correlation[np.ix_(c, c)]) for c in (own, other))
            terms[name], df[name] = float(inner * outer / whole), len(own)
    by_column = {a.design.names[j]: float(f) for j, f in zip(used, factors, strict=True)}
    return Inflation(by_column, terms, df, a.effects.frame_kind)
