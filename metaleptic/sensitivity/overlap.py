"""Cohorts that may share patients: who treated whom, where and when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from metaleptic.errors import DataError, OptionError
from metaleptic.frames import is_missing, to_frame, where
from metaleptic.sensitivity.columns import column_of
from metaleptic.sensitivity.words import listed
from metaleptic.types import Effects

FAR = 1e9  # a year that is not known


@dataclass(frozen=True, slots=True)
class SharedPatients:
    """Two studies that share patients, surely or possibly, and why."""

    first: str
    second: str
    certain: bool
    why: str

    def __repr__(self) -> str:
        return f"{self.first} and {self.second} {'share' if self.certain else 'may share'} patients: {self.why}"


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Pairs of studies that may share patients.

    Attributes
    ----------
    effects : Effects
        The studies.
    pairs : tuple of SharedPatients
        Certain ones first.
    """

    effects: Effects
    pairs: tuple[SharedPatients, ...]

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Studies linked by pairs, in the form that ``ml.multiverse(one_of=...)`` takes."""
        group = {s: s for s in self.effects.study}

        def root(s: str) -> str:
            while group[s] != s:
                s = group[s]
            return s

        for pair in self.pairs:
            group[root(pair.second)] = root(pair.first)
        members: dict[str, list[str]] = {}
        for s in dict.fromkeys(self.effects.study):
            members.setdefault(root(s), []).append(s)
        linked = [tuple(m) for m in members.values() if len(m) > 1]
        return {f"cohort of {m[0]}": m for m in linked}

    @property
    def sentence(self) -> str:
        """What was found, in plain words."""
        if not self.pairs:
            return "No two studies seem to share patients, as far as the columns tell."
        certain = sum(p.certain for p in self.pairs)
        possible = len(self.pairs) - certain
        parts = [f"{_pairs(certain)} of studies {'shares' if certain == 1 else 'share'} patients"] if certain else []
        parts += [f"{_pairs(possible)} of studies may share patients"] if possible else []
        text = f"{', '.join(parts)}: "
        return text + listed([f"{p.first} and {p.second} ({p.why})" for p in self.pairs], 4) + "."

    def to_frame(self) -> Any:
        """Return a row per pair."""
        names = ("first", "second", "certain", "why")
        return to_frame({n: [getattr(p, n) for p in self.pairs] for n in names}, self.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def overlaps(
    effects: Effects,
    *,
    same: str | Sequence[str] = (),
    place: str | None = None,
    start: str | None = None,
    end: str | None = None,
    treatment: str | None = None,
) -> Overlaps:
    """Find studies that share patients, so that no patient is counted twice.

    Parameters
    ----------
    effects : Effects
        The studies, with the columns of the evidence table.
    same : str or sequence of str, optional
        Columns of which an equal entry means shared patients: a trial registration, a named cohort.
    place : str, optional
        Column of centres (or countries), several separated by commas or semicolons. Studies from one place may share
        patients if their periods overlap and their treatments do not differ.
    start, end : str, optional
        Columns of the first and last year of recruitment; a study without them may overlap with any.
    treatment : str, optional
        Column of the treatment.

    Returns
    -------
    Overlaps
        ``ml.multiverse(effects, one_of=found)`` makes the analysis with each choice.

    Raises
    ------
    OptionError
        If no column is named, or one is unknown.
    DataError
        If a year is not a number.

    Examples
    --------
    >>> import metaleptic as ml
    >>> columns = {"centre": ["Paris", "Lyon", "Paris"], "from": [2005, 2004, 2010], "to": [2012, 2012, 2015]}
    >>> e = ml.effects([0.1, 0.2, 0.3], [0.1] * 3, study=list("ABC"), columns=columns)
    >>> ml.overlaps(e, place="centre", start="from", end="to").pairs
    (A and C may share patients: both from paris, 2010 to 2012,)
    """
    keys = (same,) if isinstance(same, str) else tuple(same)
    if not keys and place is None:
        raise OptionError('say which columns tell: same="registration", or place="centre" with start and end.')
    k = len(effects)
    equal = {key: [_words(x) for x in column_of(effects, key)] for key in keys}
    places = [_places(x) for x in column_of(effects, place)] if place else [frozenset[str]()] * k
    first, last = _years(effects, start, -FAR), _years(effects, end, FAR)
    drugs = [_words(x) for x in column_of(effects, treatment)] if treatment else [""] * k
    found = []
    for i, j in combinations(range(k), 2):
        pair = effects.study[i], effects.study[j]
        shared = [f"same {key} ({values[i]})" for key, values in equal.items() if values[i] and values[i] == values[j]]
        if shared:
            found.append(SharedPatients(*pair, True, "; ".join(shared)))
            continue
        common = sorted(places[i] & places[j])
        begins, ends = max(first[i], first[j]), min(last[i], last[j])
        if common and begins <= ends and (not drugs[i] or not drugs[j] or drugs[i] == drugs[j]):
            known = [x for x in (begins, ends) if abs(x) < FAR]
            period = f", {begins:.0f} to {ends:.0f}" if len(known) == 2 else ", periods not fully known"
            found.append(SharedPatients(*pair, False, f"both from {', '.join(common)}{period}"))
    return Overlaps(effects, tuple(sorted(found, key=lambda p: not p.certain)))


def _pairs(number: int) -> str:
    return "1 pair" if number == 1 else f"{number} pairs"


def _words(x: Any) -> str:
    return "" if is_missing(x) else re.sub(r"\s+", " ", str(x)).strip().lower()


def _places(x: Any) -> frozenset[str]:
    return frozenset(p.strip() for p in re.split(r"[,;/]", _words(x)) if p.strip() not in {"", "several", "unknown"})


def _years(effects: Effects, column: str | None, unknown: float) -> list[float]:
    """Return years; ``unknown`` where there is none, so that the study may overlap with any."""
    if column is None:
        return [unknown] * len(effects)
    out = []
    for i, x in enumerate(column_of(effects, column)):
        try:
            out.append(unknown if is_missing(x) else float(x))
        except (TypeError, ValueError):
            raise DataError(
                f"{where(effects.study[i], effects.row[i])}: column '{column}' holds '{x}', which is not a year."
            ) from None
    return out
