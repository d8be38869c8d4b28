"""From the maximum to the record that is returned: tests, intervals, predictions, weights, BLUPs."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from metaleptic.design import Design
from metaleptic.pooling.build import NAN, printed_estimate
from metaleptic.pooling.multilevel.blups import random_effects, rowwise
from metaleptic.pooling.multilevel.build import Built, make_problem
from metaleptic.pooling.multilevel.likelihood import Solved, row_of_blocks, solve
from metaleptic.pooling.multilevel.maximise import Peak
from metaleptic.pooling.multilevel.result import Convergence, Multilevel, State
from metaleptic.pooling.multilevel.structures import DISTANCES, STRUCTURES, lower_pairs
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, FloatArray, frozen_array


def critical(df: Any, level: float) -> Any:
    """Two-sided quantile of t, of the normal where df is infinite."""
    df = np.asarray(df, dtype=np.float64)
    return np.where(
        np.isinf(df), special.ndtri(0.5 + level / 2), special.stdtrit(np.where(np.isinf(df), 1.0, df), 0.5 + level / 2)
    )


def two_sided(statistic: Any, df: Any) -> Any:
    """Two-sided p value of t, of the normal where df is infinite."""
    df = np.asarray(df, dtype=np.float64)
    below = np.where(
        np.isinf(df),
        special.ndtr(-np.abs(statistic)),
        special.stdtr(np.where(np.isinf(df), 1.0, df), -np.abs(statistic)),
    )
    return 2 * below


def joint_test(beta: FloatArray, cov: FloatArray, at: Sequence[int], df2: float) -> tuple[float, int, float, float]:
    """Wald test that these coefficients are zero: statistic, df, denominator df, p."""
    m = len(at)
    if m == 0:
        return NAN, 0, df2, NAN
    b = beta[list(at)]
    q = float(b @ np.linalg.solve(cov[np.ix_(list(at), list(at))], b))
    if np.isinf(df2):
        return q, m, df2, float(special.chdtrc(m, q))
    return q / m, m, df2, float(special.fdtrc(m, df2, q / m))


def containment(x: FloatArray, built: Sequence[Built]) -> FloatArray:
    """Degrees of freedom by containment: a coefficient has those of the coarsest grouping within which it is constant.

    Source: Pinheiro JC, Bates DM. Mixed-effects models in S and S-PLUS. Springer 2000, section 2.4.2.
    """
    k, p = x.shape
    groupings = []
    for b in built:
        if b.covariance.levels > 1 and b.written.intercept:
            groupings.append([b.term.inner])
        else:
            groupings.append([b.term.outer, b.term.outer * b.covariance.levels + b.term.inner])
    out = np.full(p, float(k - p))
    for j in range(p):
        for finer in groupings:
            for codes in finer:
                number = np.unique(codes, return_inverse=True)[1]
                first = np.zeros(number.max() + 1)
                first[number] = x[:, j]
                if np.allclose(x[:, j], first[number], rtol=1e-12, atol=1e-12):
                    out[j] = min(out[j], len(first) - p)
                    break
    return np.maximum(out, 1.0)  # type: ignore[no-any-return]


def named_components(state: State) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Return sigma2, tau2 and rho by name."""
    sigma2: dict[str, float] = {}
    tau2: dict[str, float] = {}
    rho: dict[str, float] = {}
    structured = sum(not b.written.intercept for b in state.built)
    for b, theta in zip(state.built, state.problem.split(state.scaled.theta), strict=True):
        c = b.covariance
        variances = theta[: c.deviations] ** 2
        if b.written.intercept:
            name, again = b.written.label, 2
            while name in sigma2:
                name, again = f"{b.written.label} ({again})", again + 1
            sigma2[name] = float(variances[0])
            continue
        prefix = f"{b.written.text}: " if structured > 1 else ""
        own = c.own_variances
        for j in range(c.deviations):
            tau2[prefix + b.levels[j] if own else (b.written.text)] = float(variances[j])
        values = c.correlation.to_rho(theta[c.deviations :], c.distance)
        if len(values) == 1 and b.written.struct not in ("UN", "GEN"):
            ranged = b.written.struct in DISTANCES
            known = ranged or not (variances == 0).all()
            rho[b.written.text] = float(values[0]) if known else NAN
            continue
        for i, (row, column) in enumerate(zip(*lower_pairs(c.levels), strict=True)) if len(values) else ():
            known = i not in b.absent and variances[row] > 0 and variances[column] > 0
            sign = float(np.sign(theta[row] * theta[column]))
            rho[f"{prefix}{b.levels[column]}, {b.levels[row]}"] = sign * float(values[i]) if known else NAN
    return sigma2, tau2, rho


def count_parameters(state: State, p: int) -> int:
    """Coefficients and variance parameters that are estimated and that the effects can tell."""
    absent = sum(len(b.absent) for b in state.built)
    return p + int(state.scaled.free.sum()) - absent


def assemble(
    effects: Effects,
    design: Design,
    state: State,
    solved: Solved,
    peak: Peak,
    method: str,
    test: str,
    dfs: str,
    level: float,
    call: str,
    random: Any,
) -> Multilevel:
    """Make the record."""
    problem, built = state.problem, state.built
    k, p = problem.k, problem.p
    y, x = np.asarray(effects.y), np.asarray(design.matrix)
    beta, cov = solved.beta, solved.cov
    se = np.sqrt(np.diagonal(cov))
    if test == "z":
        df = np.full(p, np.inf)
    else:
        df = containment(x, built) if dfs == "contain" else np.full(p, float(max(k - p, 1)))
    statistic = beta / se
    crit = critical(df, level)
    tested = [j for j, name in enumerate(design.names) if not (design.intercept and name == "intercept")]
    tested = tested or list(range(p))
    qm, qm_df, qm_df2, qm_p = joint_test(beta, cov, tested, float(df[tested].min()))
    q = _residual_q(y, x, state.v)
    q_df = k - p
    sigma2, tau2, rho = named_components(state)
    weights = row_of_blocks(
        problem, [np.sum(w * b.real[:, None, :], axis=-1) for w, b in zip(solved.weights, problem.batches, strict=True)]
    )
    leverage, residual_variance = rowwise(problem, solved)
    fitted = x @ beta
    residuals = y - fitted
    with np.errstate(divide="ignore", invalid="ignore"):
        standardized = residuals / np.sqrt(residual_variance)
    blups = random_effects(state, solved, float(df[0]), test == "t" and dfs == "contain", level)
    only_mean = p == 1 and design.intercept
    typical = _typical_variance(x, state.v)
    total = sum(sigma2.values()) + (sum(tau2.values()) if len(tau2) == 1 else 0.0)
    shared = all(not b.covariance.own_variances for b in built) and not any(b.covariance.slopes for b in built)
    total_sd = float(np.sqrt(total)) if shared else NAN
    i2 = {n: 100 * s / (total + typical) for n, s in {**sigma2, **tau2}.items()} if shared else {}
    mean = Estimate(NAN, NAN, NAN, level)
    prediction = None
    if only_mean:
        half = float(crit[0]) * float(se[0])
        mean = printed_estimate(
            effects, float(beta[0]), float(beta[0]) - half, float(beta[0]) + half, level, "confidence"
        )
        if shared and built:
            half = float(crit[0]) * float(np.sqrt(se[0] ** 2 + total))
            prediction = printed_estimate(
                effects, float(beta[0]), float(beta[0]) - half, float(beta[0]) + half, level, "prediction"
            )
    return Multilevel(
        effects=effects,
        design=design,
        beta=frozen_array(beta),
        se=frozen_array(se),
        statistic=frozen_array(statistic),
        df=frozen_array(df),
        p=frozen_array(two_sided(statistic, df)),
        low=frozen_array(beta - crit * se),
        high=frozen_array(beta + crit * se),
        cov=frozen_array(cov),
        qm=qm,
        qm_df=qm_df,
        qm_df2=qm_df2,
        qm_p=qm_p,
        q=q,
        q_df=q_df,
        q_p=float(special.chdtrc(q_df, q)) if q_df > 0 else NAN,
        sigma2=MappingProxyType(sigma2),
        tau2=MappingProxyType(tau2),
        rho=MappingProxyType(rho),
        i2=MappingProxyType(i2),
        estimate=mean,
        prediction=prediction,
        tau=Estimate(total_sd, NAN, NAN, level),
        weights=frozen_array(100 * weights / weights.sum()),
        fitted=frozen_array(fitted),
        residuals=frozen_array(residuals),
        standardized_residuals=frozen_array(standardized),
        leverage=frozen_array(leverage),
        random_effects=blups,
        loglik=solved.loglik_reml if method == "REML" else solved.loglik_ml,
        loglik_ml=solved.loglik_ml,
        loglik_reml=solved.loglik_reml,
        parameters=count_parameters(state, p),
        random="; ".join([random] if isinstance(random, str) else list(random or [])),
        method_key=method,
        test=test,
        dfs=dfs,
        method=_words(built, method, test, dfs, df, state.v.ndim == 2),
        level=level,
        convergence=Convergence(peak.converged, peak.starts, peak.agreeing, peak.slope),
        notes=_notes(built, sigma2, tau2, rho, peak, k, state.v.ndim == 2),
        provenance=provenance(effects, call),
        state=state,
    )


def _residual_q(y: FloatArray, x: FloatArray, v: FloatArray) -> float:
    """Return the weighted residual sum of squares without random effects."""
    if v.ndim == 1:
        root = np.sqrt(1 / v)
        scaled = x * root[:, None]
        left = y * root - scaled @ np.linalg.lstsq(scaled, y * root, rcond=None)[0]
        return float(left @ left)
    alone = solve(make_problem(y, x, v, (), False), np.empty(0))
    assert alone is not None
    return alone.rss


def _typical_variance(x: FloatArray, v: FloatArray) -> float:
    """Return the typical sampling variance: (k - p) / tr(P). Source: Higgins JPT, Thompson SG. Stat Med 2002;21:1539-1558."""
    if v.ndim == 1:
        wx = x / v[:, None]
        trace = float((1 / v).sum()) - float(np.trace(np.linalg.solve(x.T @ wx, wx.T @ wx)))
    else:
        problem = make_problem(np.zeros(len(x)), x, v, (), False)
        alone = solve(problem, np.empty(0))
        assert alone is not None
        trace = 0.0
        for batch, w in zip(problem.batches, alone.weights, strict=True):
            wx = (w @ batch.x).reshape(-1, x.shape[1])
            own = np.diagonal(w, axis1=-2, axis2=-1)[batch.real].sum()
            trace += float(own) - float(np.vdot(alone.cov, wx.T @ wx))
    return (len(x) - x.shape[1]) / trace if len(x) > x.shape[1] else NAN


def _words(built: Sequence[Built], method: str, test: str, dfs: str, df: FloatArray, correlated: bool) -> str:
    terms = []
    for b in built:
        if b.written.intercept:
            known = " (known correlations)" if b.covariance.levels > 1 else ""
            terms.append(f"{b.written.label}{known}")
        else:
            name = "random slopes" if b.written.struct == "GEN" else STRUCTURES[b.written.struct].name
            terms.append(f"{' + '.join(b.written.inner)} within {'/'.join(b.written.outer)} ({name})")
    what = f"random effects of {'; '.join(terms)}: {method}" if terms else "common effect: weighted least squares"
    lowest, highest_ = (df.min(), df.max()) if len(df) else (np.inf, np.inf)
    named = "z" if test == "z" else f"t({lowest:g})" if lowest == highest_ else f"t({lowest:g} to {highest_:g})"
    contained = ", df by containment" if test == "t" and dfs == "contain" else ""
    return f"{what}, {named}{contained}" + (", correlated sampling errors" if correlated else "")


def _notes(
    built: Sequence[Built],
    sigma2: dict[str, float],
    tau2: dict[str, float],
    rho: dict[str, float],
    peak: Peak,
    k: int,
    correlated: bool,
) -> tuple[str, ...]:
    notes = [f"The variance of {n} is estimated as exactly 0." for n, x in {**sigma2, **tau2}.items() if x == 0]
    notes += [f"The correlation {n} is estimated as exactly {x:+.0f}." for n, x in rho.items() if abs(x) == 1]
    if peak.starts and peak.agreeing < peak.starts:
        notes.append(
            f"The likelihood has several maxima or flat stretches: {peak.agreeing} of {peak.starts} starts led to the highest."
        )
    few = [b for b in built if b.written.intercept and 1 < len(b.groups) <= 4]
    notes += [f"Only {len(b.groups)} levels of {b.written.label}: its variance is uncertain." for b in few]
    if not correlated and any(len(b.groups) < k for b in built):
        notes.append("Sampling errors are taken as independent; where effects share patients give V.")
    return tuple(notes)
