"""Random terms as they are written: ``"~ 1 | study/outcome"``, ``"~ outcome | study"``, ``"~ 1 + dose | study"``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.errors import DataError, OptionError
from metaleptic.frames import is_missing, where
from metaleptic.pooling.multilevel.blocks import IntArray
from metaleptic.pooling.multilevel.structures import STRUCTURES
from metaleptic.types import Effects, FloatArray

_WRAPPED = re.compile(r"^(?:factor|C|I)\((.*)\)$")


@dataclass(frozen=True, slots=True)
class Written:
    """One random term after parsing: inner names ("1" alone is an intercept), grouping names, structure key."""

    text: str
    inner: tuple[str, ...]
    outer: tuple[str, ...]
    struct: str

    @property
    def intercept(self) -> bool:
        """Whether the term is a random intercept."""
        return self.inner == ("1",)

    @property
    def label(self) -> str:
        """Name of the term in results: the grouping for an intercept, else the formula."""
        return "/".join(self.outer) if self.intercept else self.text


def parse(random: str | Sequence[str] | None, struct: str | Sequence[str]) -> tuple[Written, ...]:
    """Parse the random terms; a nested grouping becomes one intercept per level.

    Raises
    ------
    OptionError
        If a term cannot be read or a structure is unknown.
    """
    given = [] if random is None else [random] if isinstance(random, str) else list(random)
    keys = [struct] if isinstance(struct, str) else list(struct)
    known = {*STRUCTURES, "GEN"}
    for key in keys:
        if key not in known:
            raise OptionError(f"struct {key!r} is unknown. Choose one of: {', '.join(sorted(known))}.")
    found: list[Written] = []
    structured = 0
    for text in given:
        parts = str(text).strip().removeprefix("~").split("|")
        if len(parts) != 2 or not parts[0].strip() or not parts[1].strip():
            raise OptionError(
                f"random term {text!r} cannot be read. Write '~ 1 | study', '~ 1 | study/outcome' or '~ outcome | study'."
            )
        if "+" in parts[1]:
            groups = [g.strip() for g in parts[1].split("+")]
            several = ", ".join(f"'~ {parts[0].strip()} | {g}'" for g in groups)
            raise OptionError(
                f"random term {text!r} has several groupings. Give each its own term: random=[{several}]; "
                f"'~ {parts[0].strip()} | {'/'.join(groups)}' if one is nested in the other."
            )
        inner = tuple(_plain(name) for name in re.split(r"\+", parts[0]))
        outer = tuple(_plain(name) for name in parts[1].split("/"))
        if inner == ("1",):
            found += [Written(text, inner, outer[: i + 1], "ID") for i in range(len(outer))]
            continue
        key = keys[min(structured, len(keys) - 1)]
        structured += 1
        if len(inner) > 1 and key not in ("GEN", "SPEXP", "SPGAU", "SPLIN", "SPRAT", "SPSPH"):
            raise OptionError(
                f"random term {text!r} has several inner names: that needs struct='GEN' (random slopes) "
                "or a spatial structure (coordinates)."
            )
        found.append(Written("~ " + " + ".join(inner) + " | " + "/".join(outer), inner, outer, key))
    if len(keys) > max(structured, 1):
        raise OptionError(f"there are {len(keys)} structures for {structured} terms of the form '~ inner | outer'.")
    return tuple(found)


def _plain(name: str) -> str:
    name = name.strip()
    wrapped = _WRAPPED.match(name)
    return wrapped.group(1).strip() if wrapped else name


def column_of(
    effects: Effects, extra: Mapping[str, Sequence[Any]], purpose: str = "the random effects"
) -> Callable[[str], tuple[Any, ...]]:
    """Return the look-up of columns: those handed in, those of the effects, ``study``."""

    def look(name: str) -> tuple[Any, ...]:
        if name in extra:
            values = tuple(extra[name])
        elif name in effects.columns:
            values = tuple(effects.columns[name])
        elif name == "study":
            values = effects.study
        else:
            there = ", ".join(dict.fromkeys([*extra, *effects.columns, "study"]))
            raise DataError(f"there is no column '{name}' for {purpose}. There are: {there}.")
        for i, value in enumerate(values):
            if is_missing(value):
                raise DataError(
                    f"{where(effects.study[i], effects.row[i] if effects.row else i + 1)}: column '{name}' is empty, which {purpose} need. "
                    "Fill it in or leave the row out."
                )
        return values

    return look


def number(values: Sequence[Any]) -> tuple[IntArray, tuple[str, ...]]:
    """Give each distinct value a number: in numeric order where all are numbers, else by the alphabet."""
    texts = [_text(v) for v in values]
    distinct = sorted(set(texts), key=_order(set(texts)))
    position = {name: i for i, name in enumerate(distinct)}
    return np.array([position[t] for t in texts], dtype=np.intp), tuple(distinct)


def group(look: Callable[[str], tuple[Any, ...]], names: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Give each combination of several groupings a number, first name slowest."""
    at, labels = number(look(names[0]))
    for name in names[1:]:
        deeper, names_there = number(look(name))
        combined = at * len(names_there) + deeper
        kept, at = np.unique(combined, return_inverse=True)
        labels = tuple(f"{labels[c // len(names_there)]}/{names_there[c % len(names_there)]}" for c in kept)
    return at.astype(np.intp), labels


def numeric(look: Callable[[str], tuple[Any, ...]], name: str, purpose: str) -> FloatArray:
    """Return a column as numbers."""
    try:
        return np.array([float(x) for x in look(name)], dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"column '{name}' holds something that is not a number: {purpose} needs numbers.") from None


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _order(texts: set[str]) -> Callable[[str], Any]:
    try:
        for t in texts:
            float(t)
    except ValueError:
        return lambda t: (t.casefold(), t)
    return float
