"""From written terms and a covariance matrix V to the problem whose likelihood is maximised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning
from metaleptic.pooling.multilevel.blocks import Term, batches, components
from metaleptic.pooling.multilevel.likelihood import Covariance, Problem
from metaleptic.pooling.multilevel.structures import DISTANCES, STRUCTURES, Correlation, common_correlation
from metaleptic.pooling.multilevel.terms import Written, group, number, numeric
from metaleptic.types import Effects, FloatArray
from metaleptic.warn import warn

Look = Callable[[str], tuple[Any, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """A random term with its data, its parameters and the names of what it estimates."""

    written: Written
    term: Term
    covariance: Covariance
    levels: tuple[str, ...]
    groups: tuple[str, ...]
    absent: frozenset[int]
    lonely: frozenset[int]


def known_correlation(matrix: FloatArray) -> Correlation:
    """Return a correlation matrix without parameters (a phylogeny, a kinship)."""
    return Correlation(
        lambda j: 0,
        lambda phi, d: matrix,
        lambda phi, d, grad: np.empty(0),
        lambda phi, d: np.empty(0),
        lambda rho, d: np.empty(0),
    )


def named_matrix(given: Any, name: str, levels: Sequence[str], what: str) -> FloatArray:
    """Bring a matrix with names to the order of the levels: a dataframe, or a pair (names, matrix)."""
    if isinstance(given, tuple) and len(given) == 2:
        names, matrix = [str(n) for n in given[0]], np.asarray(given[1], dtype=np.float64)
    elif hasattr(given, "columns"):
        names, matrix = [str(n) for n in given.columns], np.asarray(given, dtype=np.float64)
    else:
        names, matrix = list(levels), np.asarray(given, dtype=np.float64)
    if matrix.shape != (len(names), len(names)):
        raise DataError(f"the {what} for '{name}' must be square with {len(names)} rows; it is {matrix.shape}.")
    missing = [x for x in levels if x not in names]
    if missing:
        raise DataError(f"the {what} for '{name}' has no row named '{missing[0]}' ({len(missing)} missing in all).")
    at = [names.index(x) for x in levels]
    matrix = matrix[np.ix_(at, at)]
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12):
        raise DataError(f"the {what} for '{name}' is not symmetric.")
    return matrix


def build_term(written: Written, look: Look, known: Mapping[str, Any], distance: Mapping[str, Any] | Any) -> Built:
    """Prepare one random term."""
    outer, groups = group(look, written.outer)
    k = len(outer)
    nothing: frozenset[int] = frozenset()
    if written.intercept:
        name = written.label
        matrix = known.get(name, known.get(written.outer[-1]) if len(written.outer) == 1 else None)
        if matrix is None:
            simple = Covariance(1, False, STRUCTURES["ID"].correlation, np.zeros((1, 1)))
            return Built(written, Term(np.zeros(k, dtype=np.intp), outer), simple, (), groups, nothing, nothing)
        r = named_matrix(matrix, name, groups, "correlation matrix")
        sd = np.sqrt(np.diagonal(r))
        r = r / np.outer(sd, sd)
        if np.linalg.eigvalsh(r)[0] < -1e-10:
            raise DataError(f"the correlation matrix for '{name}' is not positive semidefinite.")
        covariance = Covariance(len(groups), False, known_correlation(r), np.zeros_like(r))
        return Built(written, Term(outer, np.zeros(k, dtype=np.intp)), covariance, (), groups, nothing, nothing)
    if written.struct == "GEN":
        names = [n for n in written.inner if n not in ("0", "1")]
        columns = [numeric(look, n, "a random slope") for n in names]
        intercept = "0" not in written.inner
        loading = np.column_stack([np.ones(k), *columns] if intercept else columns)
        levels = ("intercept", *names) if intercept else tuple(names)
        q = loading.shape[1]
        slopes = Covariance(q, True, STRUCTURES["UN"].correlation, np.zeros((q, q)), slopes=True)
        return Built(
            written, Term(np.zeros(k, dtype=np.intp), outer, loading), slopes, levels, groups, nothing, nothing
        )
    structure = STRUCTURES[written.struct]
    if len(written.inner) > 1:
        places = np.column_stack([numeric(look, n, "a coordinate") for n in written.inner])
        distinct, inner = np.unique(places, axis=0, return_inverse=True)
        levels = tuple(", ".join(f"{x:g}" for x in row) for row in distinct)
        d = np.sqrt(((distinct[:, None] - distinct[None]) ** 2).sum(-1))
        inner = inner.ravel()
    else:
        inner, levels = number(look(written.inner[0]))
        d = np.zeros((len(levels), len(levels)))
        if written.struct == "CAR":
            times = np.array([_time(x, written.inner[0]) for x in levels])
            d = np.abs(times[:, None] - times[None])
        elif written.struct in DISTANCES:
            given = distance.get(written.inner[0]) if isinstance(distance, Mapping) else distance
            if given is None:
                raise OptionError(
                    f"struct='{written.struct}' needs distances=, the matrix of distances between the levels of "
                    f"'{written.inner[0]}' (a dataframe, or a pair of names and matrix)."
                )
            d = named_matrix(given, written.inner[0], levels, "matrix of distances")
    absent, lonely = nothing, nothing
    if structure.own_variances:
        counts = np.bincount(inner, minlength=len(levels))
        lonely = frozenset(np.flatnonzero(counts == 1).tolist())
        if lonely:
            which = ", ".join(f"'{levels[i]}'" for i in sorted(lonely))
            warn(
                SuspiciousDataWarning,
                f"only one effect has {written.inner[0]} {which}: its own variance can hardly be estimated. "
                "A structure with one variance for all levels (CS, AR) can be.",
            )
    seen = np.zeros((len(groups), len(levels)))
    seen[outer, inner] = 1
    correlation = structure.correlation
    if written.struct in ("CS", "HCS"):
        correlation = common_correlation(int(seen.sum(axis=1).max()))
    if written.struct == "UN":
        together = seen.T @ seen
        columns_, rows_ = np.triu_indices(len(levels), 1)
        absent = frozenset(np.flatnonzero(together[rows_, columns_] == 0).tolist())
        if absent:
            first = min(absent)
            warn(
                SuspiciousDataWarning,
                f"{written.inner[0]} '{levels[columns_[first]]}' and '{levels[rows_[first]]}' never occur together in one "
                f"{'/'.join(written.outer)}: their correlation cannot be estimated"
                + (f", nor can {len(absent) - 1} others." if len(absent) > 1 else "."),
            )
    covariance = Covariance(len(levels), structure.own_variances, correlation, d)
    return Built(written, Term(inner.astype(np.intp), outer), covariance, levels, groups, absent, lonely)


def _time(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"struct='CAR' needs times as numbers in column '{name}'; '{text}' is none.") from None


def sampling_covariance(effects: Effects, given: Any) -> FloatArray:
    """Return V as variances (k,) or a checked matrix (k, k).

    Raises
    ------
    DataError
        If V does not fit the effects, is not symmetric or not positive definite; the studies are named.
    """
    k = len(effects)
    if given is None:
        return np.asarray(effects.v)
    if isinstance(given, list | tuple) and any(np.ndim(b) == 2 for b in given):
        blocks = [np.atleast_2d(np.asarray(b, dtype=np.float64)) for b in given]
        v = np.zeros((sum(len(b) for b in blocks),) * 2)
        at = 0
        for b in blocks:
            v[at : at + len(b), at : at + len(b)] = b
            at += len(b)
    else:
        v = np.asarray(given, dtype=np.float64)
    if v.shape not in {(k,), (k, k)}:
        raise DataError(f"V has shape {v.shape}; {k} effects need {k} variances or a {k} x {k} matrix.")
    if not np.isfinite(v).all():
        i = int(np.flatnonzero(~np.isfinite(v.reshape(k, -1)).all(axis=1))[0])
        raise DataError(f"V is not finite for study '{effects.study[i]}' (row {i + 1}).")
    if v.ndim == 1:
        if (v <= 0).any():
            i = int(np.argmax(v <= 0))
            raise DataError(f"variance {v[i]:g} of study '{effects.study[i]}' (row {i + 1}) must be above 0.")
        return v
    off = np.abs(v - v.T) > 1e-8 * np.sqrt(np.outer(np.abs(np.diagonal(v)), np.abs(np.diagonal(v))))
    if off.any():
        i, j = (int(x[0]) for x in np.nonzero(off))
        raise DataError(
            f"V is not symmetric: studies '{effects.study[i]}' (row {i + 1}) and '{effects.study[j]}' (row {j + 1}) have "
            f"covariance {v[i, j]:g} one way and {v[j, i]:g} the other."
        )
    v = (v + v.T) / 2
    _check_positive_definite(effects, v)
    if not np.allclose(np.diagonal(v), effects.v, rtol=1e-6):
        i = int(np.argmax(np.abs(np.diagonal(v) / effects.v - 1)))
        warn(
            SuspiciousDataWarning,
            f"V has variance {v[i, i]:g} for study '{effects.study[i]}' (row {i + 1}), the effects have {effects.v[i]:g}: "
            "V is used. Are its rows in the order of the effects?",
        )
    return v


def _check_positive_definite(effects: Effects, v: FloatArray) -> None:
    block = components(v, ())
    for b in np.unique(block):
        rows = np.flatnonzero(block == b)
        part = v[np.ix_(rows, rows)]
        sd = np.sqrt(np.abs(np.diagonal(part)))
        if (np.diagonal(part) <= 0).any() or np.linalg.eigvalsh(part / np.outer(sd, sd))[0] < 1e-10:
            names = list(dict.fromkeys(effects.study[i] for i in rows))
            shown = ", ".join(f"'{n}'" for n in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise DataError(
                f"V is not positive definite among the {len(rows)} effects of {shown} (rows {', '.join(str(i + 1) for i in rows[:8])}"
                f"{' ...' if len(rows) > 8 else ''}): no sampling errors can have these covariances. Is a correlation of "
                "1 implied, or does an effect stand there twice?"
            )


def make_problem(y: FloatArray, x: FloatArray, v: FloatArray, built: Sequence[Built], restricted: bool) -> Problem:
    """Stack the blocks."""
    sizes = [b.covariance.levels for b in built]
    stacked = batches(y, x, v, [b.term for b in built], sizes)
    logdet = np.linalg.slogdet(x.T @ x)[1]
    ends = np.cumsum([0, *(b.covariance.count for b in built)]).tolist()
    slices = tuple(slice(a, b) for a, b in pairwise(ends))
    return Problem(stacked, tuple(b.covariance for b in built), len(y), x.shape[1], restricted, float(logdet), slices)
