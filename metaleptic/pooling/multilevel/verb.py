"""The verb ``pool_multilevel``: several dependent effects per study in one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.convert.units import check_level
from metaleptic.design import Design, design_of
from metaleptic.errors import DataError, MetalepticWarning, NotEstimableError, OptionError, SuspiciousDataWarning
from metaleptic.frames import read_table
from metaleptic.pooling.meta_regression import warn_if_nearly_collinear
from metaleptic.pooling.multilevel.assemble import assemble
from metaleptic.pooling.multilevel.build import Built, build_term, make_problem, sampling_covariance
from metaleptic.pooling.multilevel.fit import Scaled, lower_bounds, maximise, starting_points
from metaleptic.pooling.multilevel.likelihood import solve
from metaleptic.pooling.multilevel.low_rank import find_low_rank
from metaleptic.pooling.multilevel.result import Multilevel, State
from metaleptic.pooling.multilevel.structures import DISTANCES
from metaleptic.pooling.multilevel.terms import column_of, parse
from metaleptic.types import Effects, FloatArray
from metaleptic.warn import warn

METHODS = ("REML", "ML")


def pool_multilevel(
    effects: Effects,
    *,
    random: str | Sequence[str] | None = None,
    struct: str | Sequence[str] = "CS",
    V: Any = None,  # noqa: N803 - the name it has in every paper
    moderators: Any = None,
    method: str = "REML",
    test: str = "t",
    dfs: str = "residual",
    level: float = 0.95,
    data: Any = None,
    sigma2: Sequence[float | None] | float | None = None,
    tau2: Sequence[float | None] | float | None = None,
    rho: Sequence[float | None] | float | None = None,
    correlations: Mapping[str, Any] | None = None,
    distances: Any = None,
) -> Multilevel:
    """Pool effects of which several come from one study, cohort or lab, without counting them as independent.

    Parameters
    ----------
    effects : Effects
        One row per effect; ``effects.study`` may repeat.
    random : str or sequence of str, optional
        What varies at random. ``"~ 1 | study/outcome"``: studies, and outcomes within studies (nested);
        ``["~ 1 | study", "~ 1 | lab"]``: crossed; ``"~ outcome | study"``: outcomes of one study correlate as ``struct``
        says; ``"~ 1 + dose | study"`` with ``struct="GEN"``: random slopes. Names are columns of the effects, of
        ``data``, or ``study``.
    struct : str or sequence of str, default "CS"
        Structure of the terms with an inner factor: ``"CS"``, ``"HCS"``, ``"UN"``, ``"DIAG"``, ``"ID"``, ``"AR"``,
        ``"HAR"``, ``"CAR"``, ``"GEN"``, ``"SPEXP"``, ``"SPGAU"``, ``"SPLIN"``, ``"SPRAT"``, ``"SPSPH"``.
    V : array_like of shape (k, k) or (k,), or list of blocks, optional
        Covariances of the sampling errors, in the order of the effects; by default they are independent with
        variances ``effects.v``.
    moderators : str, mapping or array_like, optional
        Formula (``"~ dose + design"``, ``"~ 0 + outcome"``), columns, or a design matrix.
    method : {"REML", "ML"}, default "REML"
        Restricted or full maximum likelihood.
    test : {"t", "z"}, default "t"
        Distribution of the tests and intervals.
    dfs : {"residual", "contain"}, default "residual"
        Degrees of freedom of t: k - p, or those of the level at which a moderator varies (containment; with few
        studies the honest choice).
    level : float, default 0.95
        Level of all intervals.
    data : DataFrame, mapping, str or Path, optional
        More columns, one row per effect, in the order of the effects.
    sigma2, tau2, rho : float or sequence, optional
        Values at which variances and correlations are held (``None`` in a sequence: estimated).
    correlations : mapping of str to matrix, optional
        Known correlation among the levels of a grouping (a phylogeny): a dataframe, or a pair of names and matrix.
    distances : mapping of str to matrix, optional
        Distances between the inner levels of a spatial structure.

    Returns
    -------
    Multilevel
        Coefficients, variance components, tests, predictions; numerics on the analysis scale.

    Raises
    ------
    OptionError
        If a term, a structure or an option cannot be read.
    DataError
        If V is not positive definite (the studies are named), a column is missing, or the moderators cannot be told
        apart.

    Warns
    -----
    SuspiciousDataWarning
        If a variance or correlation rests on one effect or on none, two groupings are the same, or V does not go with the
        effects.
    MetalepticWarning
        If the likelihood has no maximum that could be found.

    Notes
    -----
    Sources: Konstantopoulos S. Res Synth Methods 2011;2:61-76 (three levels); van Houwelingen HC, Arends LR, Stijnen T.
    Stat Med 2002;21:589-624 (multivariate); Nakagawa S, Santos ESA. Evol Ecol 2012;26:1253-1274 (phylogeny, I2);
    Harville DA. J Am Stat Assoc 1977;72:320-338 (restricted likelihood). The likelihood may have several maxima: it is
    climbed from several starts and the highest is kept. Variances of 0 and correlations of 1 are exact.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.2, 0.3, 0.1, 0.6, 0.5, 0.1], [0.02, 0.03, 0.02, 0.02, 0.03, 0.04])
    >>> lab = {"lab": ["A", "A", "B", "C", "C", "D"], "effect": [1, 2, 3, 4, 5, 6]}
    >>> fit = ml.pool_multilevel(e, random="~ 1 | lab/effect", data=lab)
    >>> fit.estimate
    0.273 (95% CI -0.02073 to 0.5668)
    """
    _check(effects, method, test, dfs, level)
    extra = {} if data is None else dict(read_table(data).columns)
    for name, values in extra.items():
        if len(values) != len(effects):
            raise DataError(
                f"data has {len(values)} rows (column '{name}') for {len(effects)} effects: they must match."
            )
    design = _design(effects, moderators, extra)
    nearly = warn_if_nearly_collinear(design)
    v = sampling_covariance(effects, V)
    look = column_of(effects, extra)
    built = tuple(
        build_term(w, look, correlations or {}, distances if distances is not None else {})
        for w in parse(random, struct)
    )
    _say_alike(built)
    y, x = np.asarray(effects.y), np.asarray(design.matrix)
    _say_explained(built, x)
    if len(y) <= x.shape[1] and built:
        raise DataError(f"{len(y)} effects for {x.shape[1]} coefficients: at least {x.shape[1] + 1} are needed.")
    starts, scale = starting_points(built, y, x, v) if built else ([np.empty(0)], np.empty(0))
    scaled = _hold(built, starts, scale, sigma2, tau2, rho)
    problem = make_problem(y, x, v, built, method == "REML")
    parts = find_low_rank(y, x, v, [b.term for b in built], [b.covariance.levels for b in built]) if built else None
    theta, peak = maximise(problem, scaled, built, [np.where(scaled.free, s, scaled.theta) for s in starts], parts)
    solved = solve(problem, theta)
    if nearly and (solved is None or not peak.converged):
        raise NotEstimableError(
            "the moderator columns almost follow from each other, so that the likelihood of a multilevel model is lost in rounding. "
            "Drop one of them, or centre them."
        )
    if solved is None or not peak.converged:
        warn(
            MetalepticWarning,
            f"the likelihood was climbed from {peak.starts} starts and no maximum was reached (slope left {peak.slope:.2g}): "
            "the variances are not to be trusted. Try a simpler structure.",
        )
    if solved is None:
        raise DataError("the covariance matrix of the effects is not positive definite at the values that are held.")
    asked = {"random": random, "struct": struct, "V": V, "method": method, "test": test, "dfs": dfs, "level": level}
    asked |= {
        "data": data,
        "sigma2": sigma2,
        "tau2": tau2,
        "rho": rho,
        "correlations": correlations,
        "distances": distances,
    }
    state = State(problem, built, replace(scaled, theta=theta), v, extra, parts, asked)
    return assemble(effects, design, state, solved, peak, method, test, dfs, level, _call(asked, design), random)


def _call(asked: Mapping[str, Any], design: Design) -> str:
    """Write the call; matrices and tables that were given stand by their names."""
    parts = [f"random={asked['random']!r}", f"struct={asked['struct']!r}"]
    if design.names != ("intercept",):
        parts.append(f"moderators={design.formula!r}" if design.formula else "moderators=X")
    parts += [f"{name}={name}" for name in ("V", "data", "correlations", "distances") if asked[name] is not None]
    parts += [f"{name}={asked[name]!r}" for name in ("method", "test", "dfs")]
    parts += [f"{name}={asked[name]!r}" for name in ("sigma2", "tau2", "rho") if asked[name] is not None]
    return f"ml.pool_multilevel(effects, {', '.join(parts)}, level={asked['level']:g})"


def _check(effects: Effects, method: str, test: str, dfs: str, level: float) -> None:
    if not isinstance(effects, Effects):
        raise OptionError(
            f"pool_multilevel takes effects, not {type(effects).__name__}. Make them first with ml.effects."
        )
    for name, value, allowed in (
        ("method", method, METHODS),
        ("test", test, ("t", "z")),
        ("dfs", dfs, ("residual", "contain")),
    ):
        if value not in allowed:
            raise OptionError(f"{name} {value!r} is unknown. Choose one of: {', '.join(allowed)}.")
    check_level(level)
    if len(effects) == 0:
        raise DataError("there are no effects. There is nothing to pool.")


def _say_alike(built: Sequence[Built]) -> None:
    """Warn of random intercepts whose groupings are the same, so that only the sum of their variances is known."""
    plain = [b for b in built if b.written.intercept and b.covariance.levels == 1]
    for i, a in enumerate(plain):
        for b in plain[i + 1 :]:
            together = len(np.unique(a.term.outer * (int(b.term.outer.max()) + 1) + b.term.outer))
            if together == len(a.groups) == len(b.groups):
                warn(
                    SuspiciousDataWarning,
                    f"'{a.written.label}' and '{b.written.label}' group the effects alike: only the sum of their variances can "
                    "be estimated, how it is shared means nothing. Drop one of them.",
                )


def _say_explained(built: Sequence[Built], x: FloatArray) -> None:
    """Warn of random intercepts whose every level has a mean of its own by the moderators, so that nothing is left to vary."""
    q = np.linalg.qr(x)[0]
    for b in built:
        if not b.written.intercept or b.covariance.levels > 1 or not 1 < len(b.groups) <= x.shape[1]:
            continue
        member = b.term.outer[:, None] == np.unique(b.term.outer)
        if np.allclose(q @ (q.T @ member), member, atol=1e-9):
            warn(
                SuspiciousDataWarning,
                f"the moderators give every level of '{b.written.label}' a mean of its own: its variance cannot be estimated, and "
                "where it is not 0 it widens intervals at will. Drop it from random=.",
            )


def _design(effects: Effects, moderators: Any, extra: Mapping[str, Sequence[Any]]) -> Design:
    if moderators is None:
        ones = np.ones((len(effects), 1))
        return Design(ones, ("intercept",), (("intercept", (0,)),), "~ 1", True)
    if extra:
        columns = {**effects.columns, **{name: tuple(values) for name, values in extra.items()}}
        effects = replace(effects, columns=MappingProxyType(columns))
    return design_of(effects, moderators)


def _hold(
    built: Sequence[Built], starts: Sequence[FloatArray], scale: FloatArray, sigma2: Any, tau2: Any, rho: Any
) -> Scaled:
    """Mark which parameters are estimated and put the others at the values where they are held."""
    theta = starts[0].copy() if built else np.empty(0)
    free = np.ones(len(theta), dtype=np.bool_)
    intercepts = sum(b.written.intercept for b in built)
    sigmas = _list(sigma2, intercepts, "sigma2", "random intercepts")
    at = nth = 0
    structured = 0
    for b in built:
        c = b.covariance
        deviations = slice(at, at + c.deviations)
        angles = slice(at + c.deviations, at + c.count)
        at += c.count
        if b.written.intercept:
            held = sigmas[nth]
            nth += 1
            if held is None and len(b.groups) == 1 and c.levels == 1:
                warn(
                    SuspiciousDataWarning,
                    f"all effects have the same {b.written.label}: its variance cannot be estimated and is set to 0.",
                )
                held = 0.0
            if held is not None:
                theta[deviations], free[deviations] = np.sqrt(held), False
            continue
        structured += 1
        if structured > 1:
            continue  # values can be held in the first structured term only
        for i, value in enumerate(_list(tau2, c.deviations, "tau2", f"variances of '{b.written.text}'")):
            if value is not None:
                theta[at - c.count + i], free[at - c.count + i] = np.sqrt(value), False
        n = angles.stop - angles.start
        ranged = b.written.struct in DISTANCES
        values = _list(rho, n, "range" if ranged else "rho", f"correlations of '{b.written.text}'")
        if n and all(x is not None for x in values):
            least = (
                -np.inf
                if ranged
                else float(c.correlation.to_rho(np.full(n, -np.pi / 2), c.distance)[0])
                if n == 1
                else -1.0
            )
            if n == 1 and b.written.struct in ("CS", "HCS") and float(values[0] or 0.0) < least:
                raise OptionError(
                    f"rho {values[0]} is below {least:g}, the lowest correlation that so many levels can have."
                )
            theta[angles] = c.correlation.from_rho(np.array(values, dtype=np.float64), c.distance)
            free[angles] = False
        elif any(x is not None for x in values):
            raise OptionError("hold all correlations of the structure or none of them.")
    if (tau2 is not None or rho is not None) and structured == 0:
        raise OptionError("tau2 and rho are held for a term of the form '~ inner | outer'; there is none.")
    return Scaled(theta, free, scale, lower_bounds(built))


def _list(given: Any, n: int, name: str, of: str) -> list[float | None]:
    if given is None:
        return [None] * n
    values = [given] * n if np.ndim(given) == 0 else list(given)
    if len(values) != n:
        raise OptionError(f"{name} has {len(values)} values for the {n} {of}. Write None for those to be estimated.")
    out: list[float | None] = []
    for x in values:
        missing = x is None or (isinstance(x, float) and np.isnan(x))
        if not missing and name != "rho" and not (np.isfinite(x) and x >= 0):
            raise OptionError(f"{name} {x} cannot be held: it must be 0 or more.")
        if not missing and name == "rho" and not -1 <= x <= 1:
            raise OptionError(f"rho {x} is not a correlation.")
        out.append(None if missing else float(x))
    return out
