"""Patients whom nothing printed tells apart: all the ways to say who of them had the events, or a fair sample of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from metaleptic.reconstruction.table_facts import Fact
from metaleptic.types import FloatArray

_ROUND = 500  # drawn at once


def alike(facts: Sequence[Fact], n: int) -> list[bytes]:
    """Return for each patient which facts are about her, and on which side of them she is."""
    none = np.zeros(n, dtype=bool)
    sides = [side for f in facts for side in (f.members, none if f.versus is None else f.versus)]
    table = np.stack(sides, axis=1) if sides else np.zeros((n, 0), dtype=bool)
    return [row.tobytes() for row in table]


def classes(time: FloatArray, event: NDArray[np.int64], facts: Sequence[Fact]) -> list[list[int]]:
    """Return the patients of unknown event who share a time and everything printed about them."""
    found: dict[tuple[float, bytes], list[int]] = {}
    marks = alike(facts, len(time))
    for i in np.flatnonzero(event < 0):
        found.setdefault((float(time[i]), marks[i]), []).append(int(i))
    return [g for g in found.values() if len(g) > 1]


def ways(events: FloatArray, groups: Sequence[Sequence[int]]) -> int:
    """Count the assignments that differ from one only in who of the patients alike had the events."""
    return math.prod(math.comb(len(g), int(events[list(g)].sum())) for g in groups)


def spread_out(events: FloatArray, groups: Sequence[Sequence[int]], most: int, seed: int = 0) -> Iterator[FloatArray]:
    """Write out an assignment for patients alike: every choice of who had the events, or ``most`` drawn evenly.

    Choices are made one by one, as there may be more than can be held. The draw is the same for the same ``seed``.
    """
    open_ones = [(list(g), int(events[list(g)].sum())) for g in groups]
    open_ones = [(g, k) for g, k in open_ones if 0 < k < len(g)]
    if ways(events, groups) <= most:
        for picks in itertools.product(*(itertools.combinations(g, k) for g, k in open_ones)):
            row = events.copy()
            for (g, _), pick in zip(open_ones, picks, strict=True):
                row[g] = 0
                row[list(pick)] = 1
            yield row
        return
    rng = np.random.default_rng(seed)
    seen: set[bytes] = set()
    while len(seen) < most:
        rows = np.repeat(events[None, :], _ROUND, axis=0)
        for g, _ in open_ones:
            rows[:, g] = rng.permuted(rows[:, g], axis=1)
        for row in rows:
            if row.tobytes() not in seen and len(seen) < most:
                seen.add(row.tobytes())
                yield row
