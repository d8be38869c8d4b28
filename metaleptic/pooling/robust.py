"""The verb ``robust``: standard errors that hold although the model of the dependence may be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.convert.units import check_level
from metaleptic.design import Design
from metaleptic.errors import DataError, FewStudiesWarning, NotEstimableError, OptionError, SuspiciousDataWarning
from metaleptic.frames import to_frame
from metaleptic.pooling.anatomy import anatomy
from metaleptic.pooling.build import NAN, printed_estimate
from metaleptic.pooling.multilevel.assemble import critical, joint_test, two_sided
from metaleptic.pooling.multilevel.likelihood import spread
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.multilevel.terms import column_of, number
from metaleptic.pooling.regression import WaldTest
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled, format_p
from metaleptic.pooling.sandwich import TYPES, Cluster, Sandwich, correction, hotelling, sandwich, satterthwaite
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, FloatArray, Provenance, frozen_array
from metaleptic.warn import warn

TESTS = ("satterthwaite", "t", "naive-t", "z")


@dataclass(frozen=True, slots=True, eq=False)
class Robust:
    """A fit with cluster-robust standard errors: what ``ml.robust`` returns.

    Attributes
    ----------
    effects, design : Effects, Design
        Those of the fit.
    beta, se, statistic, df, p, low, high : ndarray of shape (p,)
        Coefficients on the analysis scale, robust standard errors, tests and intervals.
    cov : ndarray of shape (p, p)
        Robust covariance.
    qm, qm_df, qm_df2, qm_p : float
        Joint test of all coefficients but the intercept; NaN where the clusters are too few for it.
    estimate, prediction : Estimate
        Pooled effect and interval for a new true effect on the printed scale, without moderators.
    tau, weights : Estimate, ndarray of shape (k,)
        As in the fit.
    clusters : tuple of str
        Names of the clusters.
    kind, test, method : str
        Correction, test, and both in words.
    level : float
        Level of the intervals.
    notes : tuple of str
        What a careful reader must know.
    provenance : Provenance
        How to make it again.
    """

    effects: Effects
    design: Design
    beta: FloatArray
    se: FloatArray
    statistic: FloatArray
    df: FloatArray
    p: FloatArray
    low: FloatArray
    high: FloatArray
    cov: FloatArray
    qm: float
    qm_df: int
    qm_df2: float
    qm_p: float
    estimate: Estimate
    prediction: Estimate | None
    tau: Estimate
    weights: FloatArray
    clusters: tuple[str, ...]
    kind: str
    test: str
    method: str
    level: float
    notes: tuple[str, ...]
    provenance: Provenance
    state: tuple[tuple[Cluster, ...], Sandwich, FloatArray]

    @property
    def k(self) -> int:
        """Number of effects."""
        return len(self.effects)

    @property
    def sentence(self) -> str:
        """What was done to the standard errors, as a methods section says it, with sources."""
        used = TYPES[self.kind]
        degrees = {
            "satterthwaite": "Satterthwaite degrees of freedom",
            "t": f"t with {len(self.clusters) - len(self.beta)} degrees of freedom",
            "naive-t": f"t with {len(self.clusters) - 1} degrees of freedom",
            "z": "the normal distribution",
        }[self.test]
        return (
            f"Standard errors are robust to dependence within {len(self.clusters)} clusters ({self.kind}: {used.name}); tests and "
            f"intervals use {degrees} [{used.source}]"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.design.names

    def wald(self, rows: Any) -> WaldTest:
        """Test that combinations of the coefficients are zero together (approximate Hotelling, HTZ).

        Parameters
        ----------
        rows : array_like of shape (m, p)
            Weights of the coefficients, one row per combination.
        """
        weights = np.atleast_2d(np.asarray(rows, dtype=np.float64))
        if weights.shape[1] != len(self.beta):
            raise DataError(
                f"rows have {weights.shape[1]} weights; there are {len(self.beta)} coefficients: {', '.join(self.names)}."
            )
        return WaldTest(*combination_test(self, weights))

    def to_frame(self) -> Any:
        """Return a row per coefficient, analysis scale."""
        names = ("statistic", "df", "p")
        columns = {"term": self.names, "estimate": self.beta, "se": self.se, "low": self.low, "high": self.high}
        return to_frame(columns | {name: getattr(self, name) for name in names}, self.effects.frame_kind)

    def __repr__(self) -> str:
        m = self.effects.measure
        lines = []
        count = f"{self.k} effects in {len(self.clusters)} clusters"
        if np.isfinite(self.estimate.value):
            interval = m.format_interval(self.estimate.low, self.estimate.high)
            unit = f" {m.unit}" if m.unit else ""
            lines.append(
                f"{m.label} {m.format(self.estimate.value)}{unit} ({100 * self.level:g}% CI {interval}), {count}"
            )
        else:
            lines.append(f"Coefficients of {m.scale or m.label}, {count}")
            width = max(len(n) for n in self.names)
            for j, name in enumerate(self.names):
                text = f"{self.beta[j]:.4g} ({100 * self.level:g}% CI {self.low[j]:.4g} to {self.high[j]:.4g})"
                lines.append(
                    f"  {name:<{width}}  {text.replace('-', '−')}, df {self.df[j]:.3g}, p {format_p(float(self.p[j]))}"
                )
        return "\n".join([*lines, self.method])


def combination_df(fit: Multilevel | Robust, rows: FloatArray) -> FloatArray:
    """Return the degrees of freedom of each combination of coefficients."""
    if isinstance(fit, Robust) and fit.test == "satterthwaite":
        return satterthwaite(*fit.state, rows)
    return np.asarray(np.where(rows != 0, fit.df, np.inf).min(axis=1))


def combination_test(fit: Multilevel | Robust, rows: FloatArray) -> tuple[float, int, float, float]:
    """Test several combinations together, with the denominator df of the fit."""
    kept = _independent_rows(rows)
    if isinstance(fit, Robust):
        return _joint(fit, kept)
    df2 = float(combination_df(fit, kept).min())
    return joint_test(kept @ fit.beta, kept @ fit.cov @ kept.T, range(len(kept)), df2)


def _independent_rows(rows: FloatArray) -> FloatArray:
    kept: list[int] = []
    for i in range(len(rows)):
        if np.linalg.matrix_rank(rows[[*kept, i]]) == len(kept) + 1:
            kept.append(i)
    return rows[kept]


def _joint(fit: Robust, rows: FloatArray) -> tuple[float, int, float, float]:
    clusters, found, c = fit.state
    if fit.test == "satterthwaite":
        return hotelling(clusters, found, c, fit.beta, rows)
    m = len(fit.clusters)
    df2 = {"z": np.inf, "naive-t": m - 1.0, "t": float(max(m - len(c), 1))}[fit.test]
    return joint_test(rows @ fit.beta, rows @ fit.cov @ rows.T, range(len(rows)), df2)


def robust(
    fit: Pooled | Regression | Multilevel,
    *,
    cluster: str | Sequence[Any] | None = None,
    type: str = "CR2",  # noqa: A002 - the name it has in the field
    test: str = "satterthwaite",
    level: float | None = None,
) -> Robust:
    """Give a fit standard errors that stay valid when effects of one study, lab or cohort depend on each other.

    Parameters
    ----------
    fit : Pooled, Regression or Multilevel
        A random- or common-effect fit, with or without moderators, or a multilevel fit.
    cluster : str or sequence, optional
        Column of the effects (or one value per effect) that names the clusters: effects of different clusters are
        independent. The study by default.
    type : {"CR2", "CR1", "CR1p", "CR1S", "CR0"}, default "CR2"
        Small-sample correction. ``"CR2"`` is unbiased if the fit's model is right; ``"CR1"`` multiplies by m / (m - 1),
        ``"CR1p"`` by m / (m - p), ``"CR1S"`` by m (k - 1) / ((m - 1) (k - p)), m being the number of clusters.
    test : {"satterthwaite", "t", "naive-t", "z"}, default "satterthwaite"
        Degrees of freedom: estimated for each coefficient, m - p, m - 1, or infinite.
    level : float, optional
        Level of the intervals; that of the fit by default.

    Returns
    -------
    Robust
        Coefficients with robust covariance, tests and intervals; ``wald`` tests several together.

    Raises
    ------
    DataError
        If ``cluster`` does not fit the effects.
    NotEstimableError
        If there are too few clusters, or random effects reach over several clusters (for CR2 and Satterthwaite).

    Warns
    -----
    FewStudiesWarning
        If a test rests on fewer than 4 degrees of freedom: its p value can then be too small.
    SuspiciousDataWarning
        If some clusters are fitted exactly, so that a coefficient has no robust standard error.

    Notes
    -----
    Sources: Hedges LV, Tipton E, Johnson MC. Res Synth Methods 2010;1:39-65; Tipton E. Psychol Methods
    2015;20:375-393; Pustejovsky JE, Tipton E. J Bus Econ Stat 2018;36:672-683. With ``test="satterthwaite"`` the joint test is
    their approximate Hotelling test (HTZ).

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.2, 0.3, 0.1, 0.6, 0.5, 0.1, 0.4, 0.2], [0.02, 0.03, 0.02, 0.02, 0.03, 0.04, 0.03, 0.02],
    ...                columns={"lab": ["A", "A", "B", "C", "D", "E", "F", "G"]})
    >>> ml.robust(ml.pool(e), cluster="lab").estimate
    0.3008 (95% CI 0.1264 to 0.4752)
    """
    if type not in TYPES:
        raise OptionError(f"type {type!r} is unknown. Choose one of: {', '.join(TYPES)}.")
    if test not in TESTS:
        raise OptionError(f"test {test!r} is unknown. Choose one of: {', '.join(TESTS)}.")
    level = fit.level if level is None else level
    check_level(level)
    if isinstance(fit, Multilevel):
        effects, design, beta, c = fit.effects, fit.design, fit.beta, fit.cov
    else:
        a = anatomy(fit, "robust")
        effects, design, beta = a.effects, a.design, a.beta
        w = 1 / (effects.v + a.tau2)
        c = np.asarray(np.linalg.inv((a.x * w[:, None]).T @ a.x), dtype=np.float64)
    code, names = _clusters(fit, effects, cluster)
    m, p = len(names), len(beta)
    if m <= p or m < 2:
        raise NotEstimableError(
            f"{m} clusters for {p} coefficients: robust standard errors need more clusters than coefficients."
        )
    residuals = effects.y - design.matrix @ beta
    members: tuple[Cluster, ...]
    if isinstance(fit, Multilevel):
        members, nested = _blocks(fit, code, residuals)
    else:
        members, nested = _independent(effects.v + a.tau2, np.asarray(design.matrix), residuals, code, m), True
    if not nested:
        if type == "CR2" or test == "satterthwaite":
            raise NotEstimableError(
                "random effects or sampling covariances reach over several clusters, so the clusters are not independent. "
                "Take the outermost grouping as cluster; type='CR1p' with test='t' can be computed but is not to be trusted."
            )
        warn(
            SuspiciousDataWarning,
            "random effects reach over several clusters: these are not independent and the robust standard errors may be too small.",
        )
        found = _unnested(fit, code, residuals, type, m)  # type: ignore[arg-type]
    else:
        found = sandwich(members, np.asarray(c), type)
    cov = found.cov
    se = np.sqrt(np.diagonal(cov))
    exact = se < 1e-7 * np.sqrt(np.diagonal(c))
    if exact.any():
        warn(
            SuspiciousDataWarning,
            f"the clusters on which '{design.names[int(np.argmax(exact))]}' rests are fitted exactly: no robust standard error can be "
            "computed from them. Give the model fewer coefficients.",
        )
        se = np.where(exact, np.nan, se)
    if test == "satterthwaite":
        df = satterthwaite(members, found, np.asarray(c), np.eye(p))
        if (df < 4).any():
            j = int(np.argmin(df))
            warn(
                FewStudiesWarning,
                f"the robust test of '{design.names[j]}' rests on {df[j]:.1f} degrees of freedom ({m} clusters): below 4 "
                "its p value can be too small.",
            )
    else:
        df = np.full(p, {"z": np.inf, "naive-t": m - 1.0, "t": float(max(m - p, 1))}[test])
    statistic = np.asarray(beta) / se
    crit = critical(df, level)
    low, high = beta - crit * se, beta + crit * se
    only_mean = p == 1 and design.intercept
    mean, prediction = Estimate(NAN, NAN, NAN, level), None
    spread_ = float(fit.tau.value)
    if only_mean:
        mean = printed_estimate(effects, float(beta[0]), float(low[0]), float(high[0]), level, "confidence")
        if np.isfinite(spread_) and getattr(fit, "prediction", None) is not None:
            half = float(crit[0]) * float(np.sqrt(se[0] ** 2 + spread_**2))
            prediction = printed_estimate(
                effects, float(beta[0]), float(beta[0]) - half, float(beta[0]) + half, level, "prediction"
            )
    named = {"satterthwaite": "Satterthwaite df", "t": f"t({m - p})", "naive-t": f"t({m - 1})", "z": "z"}[test]
    made = Robust(
        effects=effects,
        design=design,
        beta=frozen_array(beta),
        se=frozen_array(se),
        statistic=frozen_array(statistic),
        df=frozen_array(df),
        p=frozen_array(two_sided(statistic, df)),
        low=frozen_array(low),
        high=frozen_array(high),
        cov=frozen_array(cov),
        qm=NAN,
        qm_df=0,
        qm_df2=NAN,
        qm_p=NAN,
        estimate=mean,
        prediction=prediction,
        tau=fit.tau,
        weights=fit.weights,
        clusters=names,
        kind=type,
        test=test,
        method=f"{fit.method}; cluster-robust {type}, {named}, {m} clusters",
        level=level,
        notes=fit.notes,
        provenance=provenance(
            effects, f"ml.robust(fit, cluster={cluster!r}, type={type!r}, test={test!r}, level={level:g})"
        ),
        state=(members, found, np.asarray(c)),
    )
    tested = [j for j, name in enumerate(design.names) if not (design.intercept and name == "intercept")] or list(
        range(p)
    )
    from dataclasses import replace

    if exact[tested].any():
        return made
    qm, qm_df, qm_df2, qm_p = _joint(made, np.eye(p)[tested])
    return replace(made, qm=qm, qm_df=qm_df, qm_df2=qm_df2, qm_p=qm_p)


def _clusters(fit: Any, effects: Effects, cluster: Any) -> tuple[Any, tuple[str, ...]]:
    if cluster is None:
        return number(effects.study)
    if isinstance(cluster, str):
        extra = dict(fit.state.columns) if isinstance(fit, Multilevel) else {}
        return number(column_of(effects, extra, "the clusters")(cluster))
    values = list(cluster)
    if len(values) != len(effects):
        raise DataError(f"cluster has {len(values)} values for {len(effects)} effects: they must match.")
    return number(values)


def _independent(variance: FloatArray, x: FloatArray, e: FloatArray, code: Any, m: int) -> tuple[Cluster, ...]:
    found = []
    order = np.argsort(code, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(code[order])) + 1):
        found.append(Cluster(rows, x[rows], e[rows], np.diag(variance[rows]), np.diag(1 / variance[rows])))
    assert len(found) == m
    return tuple(found)


def _blocks(fit: Multilevel, code: Any, e: FloatArray) -> tuple[tuple[Cluster, ...], bool]:
    """Return the clusters with their covariance matrices, and whether no block reaches over two of them."""
    problem = fit.state.problem
    x = np.asarray(fit.design.matrix)
    matrices = [c.matrix(t) for c, t in zip(problem.covariances, problem.split(fit.state.scaled.theta), strict=True)]
    order = np.argsort(code, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(code[order])) + 1)
    place = np.empty(len(code), dtype=np.intp)
    for rows in members:
        place[rows] = np.arange(len(rows))
    phis = [np.zeros((len(rows), len(rows))) for rows in members]
    for batch in problem.batches:
        for rows, real, m in zip(batch.rows, batch.real, spread(problem, batch, matrices), strict=True):
            kept = rows[real]
            if (code[kept] != code[kept[0]]).any():
                return (), False
            at = place[kept]
            phis[code[kept[0]]][np.ix_(at, at)] = m[np.ix_(real, real)]
    return tuple(
        Cluster(rows, x[rows], e[rows], phi, np.asarray(np.linalg.inv(phi), dtype=np.float64))
        for rows, phi in zip(members, phis, strict=True)
    ), True


def _unnested(fit: Multilevel, code: Any, e: FloatArray, kind: str, m: int) -> Sandwich:
    """Plain sandwich where random effects reach over clusters: weights of the whole, residuals summed by cluster."""
    from metaleptic.pooling.multilevel.likelihood import solve

    solved = solve(fit.state.problem, fit.state.scaled.theta)
    assert solved is not None
    k, p = len(e), len(fit.beta)
    wx = np.zeros((k, p))
    for batch, w in zip(fit.state.problem.batches, solved.weights, strict=True):
        wx[batch.rows[batch.real]] = (w @ batch.x)[batch.real]
    scores = np.zeros((m, p))
    np.add.at(scores, code, wx @ fit.cov * e[:, None])
    return Sandwich(correction(kind, m, k, p) * scores.T @ scores, ())
