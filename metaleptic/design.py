"""Moderators to a design matrix: formulas (formulaic), columns, or a matrix as it is."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning
from metaleptic.frames import is_missing, to_frame, where
from metaleptic.types import Effects, FloatArray, frozen_array
from metaleptic.warn import warn

COLLINEAR = 1e-10  # smallest singular value of the standardised design, relative to the largest

IN_R = {
    "factor": "write C(x)",
    "relevel": 'write C(x, contr.treatment("reference"))',
}  # functions of R's formulas, and what to write instead


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A design matrix with the names of its columns, and the way to build it again for new studies.

    Attributes
    ----------
    matrix : ndarray of shape (k, p)
        One row per study.
    names : tuple of str
        Names of the coefficients.
    terms : tuple of (str, tuple of int)
        Each term of the formula with the columns it occupies.
    formula : str
        What the design was made of; empty for a matrix.
    intercept : bool
        Whether there is an intercept.
    spec : object
        Knows contrasts and transformations, for new data; None for a matrix.
    """

    matrix: FloatArray
    names: tuple[str, ...]
    terms: tuple[tuple[str, tuple[int, ...]], ...]
    formula: str
    intercept: bool
    spec: Any = None


def design_of(effects: Effects, moderators: Any, *, full_rank: bool = True) -> Design:
    """Build the design of a formula, of a table of columns, or of a matrix, and check that it can be estimated.

    Without ``full_rank`` there may be more columns than studies: a prior tells them apart.
    """
    if isinstance(moderators, Design):
        design = moderators
    elif isinstance(moderators, str):
        design = design_matrix(effects, moderators)
    elif isinstance(moderators, Mapping) or hasattr(moderators, "columns"):
        design = _of_columns(effects, {str(name): list(moderators[name]) for name in moderators})
    else:
        design = _of_matrix(effects, moderators)
    if full_rank:
        check_rank(effects, design)
    return design


def design_matrix(effects: Effects, formula: str) -> Design:
    """Build the design of a formula such as ``"~ dose + design"`` from the columns of the effects."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    text = formula.strip()
    if "~" in text.lstrip("~"):
        raise OptionError(
            f"the formula {formula!r} has a left side. The effects are known: write the moderators alone, '~ dose + design'."
        )
    text = text if text.startswith("~") else f"~ {text}"
    try:
        parsed = Formula(text[1:])
        needed = sorted(_variables(parsed))
    except (FormulaicError, SyntaxError) as error:
        raise OptionError(
            f"the formula {formula!r} cannot be read ({str(error).splitlines()[0].rstrip('.')}). Write it as '~ dose + design'."
        ) from None
    table = _table(effects, needed)
    try:
        made = parsed.get_model_matrix(table, output="pandas", na_action="raise")
    except (FormulaicError, ValueError, TypeError) as error:
        powers = " Powers are written x**2." if "^" in text else ""
        raise DataError(f"the formula {formula!r} cannot be applied to these studies: {error}{powers}") from None
    names = tuple("intercept" if str(c) == "Intercept" else str(c) for c in made.columns)
    spec = made.model_spec
    _check_levels(effects, spec, table)
    terms = tuple(
        ("intercept" if str(term) == "1" else str(term), tuple(indices)) for term, indices in spec.term_indices.items()
    )
    return Design(frozen_array(made.to_numpy(dtype=float)), names, terms, text, "intercept" in names, spec)


def _variables(formula: Any) -> set[str]:
    """Return the columns a formula asks for, also those inside functions such as poly(dose, 2)."""
    names = {str(v) for v in formula.required_variables}
    for term in formula:
        for factor in term.factors:
            try:
                tree = ast.walk(ast.parse(str(factor.expr), mode="eval"))
            except SyntaxError:
                continue  # a quoted name, already among the required ones
            nodes = list(tree)
            called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
            names |= {node.id for node in nodes if isinstance(node, ast.Name)} - called
    return names - {"np", "contr"}  # what formulas may name beside columns


def new_rows(design: Design, new: Any) -> FloatArray:
    """Return design rows for new values of the moderators: a mapping of columns, a table, or rows of the matrix."""
    p = design.matrix.shape[1]
    if design.spec is None or not (isinstance(new, Mapping) or hasattr(new, "columns")):
        rows = np.atleast_2d(np.asarray(new, dtype=np.float64))
        if rows.shape[1] == p - 1 and design.intercept:
            rows = np.column_stack([np.ones(len(rows)), rows])
        if rows.shape[1] != p:
            raise DataError(f"new rows have {rows.shape[1]} columns; the design has {p}: {', '.join(design.names)}.")
        return frozen_array(rows)
    columns = {str(c): list(np.atleast_1d(np.asarray(new[c]))) for c in list(new)}
    columns = _of_one_length(columns)
    found: dict[str, Any] = {}
    for name in sorted(_variables(design.spec.formula)):
        if name not in columns:
            raise DataError(f"new has no column '{name}'. It has: {', '.join(columns) or 'none'}.")
        for i, x in enumerate(columns[name]):
            if _is_missing(x):
                raise DataError(f"new: '{name}' is missing in row {i + 1}.")
        found[name] = _numbers_or_words(columns[name])
    _check_known_levels(design, found)
    made = design.spec.get_model_matrix(to_frame(found, "pandas"), output="pandas", na_action="raise")
    return frozen_array(made.to_numpy(dtype=float))


def _of_one_length(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Repeat single values beside longer columns; refuse columns of different lengths."""
    longest = max((len(c) for c in columns.values()), default=0)
    odd = [f"'{name}' {len(c)}" for name, c in columns.items() if len(c) not in (1, longest)]
    if odd:
        raise DataError(
            f"the columns of new have different lengths: {', '.join(odd)}, others {longest}. Give each row all."
        )
    return {name: c * longest if len(c) == 1 else c for name, c in columns.items()}


def _check_levels(effects: Effects, spec: Any, table: Any) -> None:
    """Refuse categories that do not vary; warn of levels that only one study has."""
    for factor, (kind, state) in spec.encoder_state.items():
        name, levels = str(factor), state.get("categories") if isinstance(state, dict) else None
        if levels is None or "categorical" not in str(kind).lower() or name not in table.columns:
            continue
        values = [str(x) for x in table[name]]
        if len(levels) == 1:
            raise DataError(f"moderator '{name}' is '{levels[0]}' in all studies: it explains nothing. Drop it.")
        for level in levels:
            if values.count(str(level)) == 1:
                only = effects.study[values.index(str(level))]
                warn(
                    SuspiciousDataWarning,
                    f"only one study ({only}) has {name} = {level}: its coefficient is that study's own result.",
                )


def _check_known_levels(design: Design, table: Mapping[str, Any]) -> None:
    for factor, (kind, state) in design.spec.encoder_state.items():
        name = str(factor)
        levels = state.get("categories") if isinstance(state, dict) else None
        if levels is None or name not in table or "categorical" not in str(kind).lower():
            continue
        for value in table[name]:
            if value not in list(levels):
                raise DataError(
                    f"new: '{name}' has no level '{value}' in this fit. It has: {', '.join(map(str, levels))}."
                )


def _table(effects: Effects, needed: Sequence[str]) -> Any:
    """Return the columns a formula needs as a dataframe, numbers as numbers; gaps are errors that name the study."""
    own: dict[str, Any] = {"n": effects.n, "events": effects.events, "v": effects.v}
    found: dict[str, Any] = {}
    for name in needed:
        if name not in effects.columns and name not in own:
            if name in IN_R:
                raise OptionError(f"formulas know no {name}(): {IN_R[name]}.")
            raise DataError(
                f"there is no column '{name}' among the moderators. There are: {', '.join(effects.columns) or 'none'}. "
                "Columns of the table that the effects were made from are carried along; ml.effects takes columns={...}."
            )
        found[name] = column_values(effects, name, effects.columns.get(name, own.get(name, ())))
    return to_frame(found or {"_": np.zeros(len(effects))}, "pandas")


def column_values(effects: Effects, name: str, values: Sequence[Any]) -> Any:
    """Return one moderator as numbers where all are, as words elsewhere."""
    if len(values) != len(effects):
        raise DataError(f"moderator '{name}' has {len(values)} values for {len(effects)} studies: they must match.")
    for i, x in enumerate(values):
        if _is_missing(x):
            row = effects.row[i] if effects.row else i + 1
            raise DataError(
                f"{where(effects.study[i], row)}: moderator '{name}' is missing. Leave the study out of this model with "
                "effects.take, or give it a value."
            )
    return _numbers_or_words(values)


def _is_missing(x: Any) -> bool:
    return is_missing(x) or str(x).strip().lower() == "<na>"


def _numbers_or_words(values: Sequence[Any]) -> Any:
    if all(isinstance(x, bool | np.bool_) for x in values):
        return np.array([str(x) for x in values], dtype=object)
    try:
        return np.array([float(str(x)) for x in values])
    except ValueError:
        return np.array([str(x).strip() for x in values], dtype=object)


def _of_columns(effects: Effects, columns: Mapping[str, Any]) -> Design:
    """Build the design of all given columns, added up, with an intercept."""
    from dataclasses import replace
    from types import MappingProxyType

    carried = replace(
        effects, columns=MappingProxyType({**effects.columns, **{c: tuple(x) for c, x in columns.items()}})
    )
    return design_matrix(carried, "~ " + " + ".join(f"`{c}`" if not c.isidentifier() else c for c in columns))


def _of_matrix(effects: Effects, matrix: Any) -> Design:
    try:
        x = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError(
            "moderators is a formula ('~ dose + design'), a mapping of columns, or a matrix of numbers with a row per study."
        ) from None
    single = x.ndim == 1
    if single:  # one column of values, not a design: it comes with an intercept, as a named one does
        x = x[:, None] if (x == 1).all() else np.column_stack([np.ones(len(x)), x])
    if x.ndim != 2 or len(x) != len(effects):
        raise DataError(
            f"the design matrix has shape {x.shape}; it needs one row for each of the {len(effects)} studies."
        )
    for i in np.flatnonzero(~np.isfinite(x).all(axis=1)).tolist():
        raise DataError(f"{where(effects.study[i], i + 1)}: the design matrix has a value that is missing or infinite.")
    constant = (x == x[0]).all(axis=0) & (x[0] == 1)
    names = tuple("intercept" if c else "x" if single else f"x{j + 1}" for j, c in enumerate(constant))
    return Design(frozen_array(x), names, tuple((n, (j,)) for j, n in enumerate(names)), "", bool(constant.any()))


def check_rank(effects: Effects, design: Design) -> None:
    """Refuse designs with more coefficients than studies, or with columns that follow from the others."""
    k, p = design.matrix.shape
    if p == 0:
        raise OptionError("the formula has no terms, not even an intercept. There is nothing to estimate.")
    if k <= p:
        raise DataError(
            f"{k} studies for {p} coefficients ({', '.join(design.names)}): at least {p + 1} studies are needed. Drop a moderator."
        )
    size = np.linalg.norm(design.matrix, axis=0)
    for j in np.flatnonzero(size == 0).tolist():
        raise DataError(f"the moderator column '{design.names[j]}' is zero in all studies. Drop it.")
    scaled = design.matrix / size
    singular = np.linalg.svd(scaled, compute_uv=False)
    if singular[-1] < COLLINEAR * singular[0]:
        raise DataError(f"the moderators cannot be told apart: {_culprit(scaled, design.names)}. Drop one of them.")


def _culprit(scaled: FloatArray, names: tuple[str, ...]) -> str:
    """Name the first column that the ones before it already contain."""
    for j in range(1, scaled.shape[1]):
        coefficients = np.linalg.lstsq(scaled[:, :j], scaled[:, j], rcond=None)[0]
        if np.linalg.norm(scaled[:, j] - scaled[:, :j] @ coefficients) < 1e-8:
            involved = [names[i] for i in np.flatnonzero(np.abs(coefficients) > 1e-8)]
            return f"'{names[j]}' follows exactly from {' and '.join(repr(n) for n in involved)}"
    return " and ".join(repr(n) for n in names)
