"""The smallest sets of claims that contradict each other.

A set contradicts itself as soon as it meets every way of mending the whole: the smallest such set is the smallest that
hits every maximal consistent set's complement (Ignatiev A, Previti A, Liffiton M, Marques-Silva J. Smallest MUS extraction
with minimal hitting set dualization. CP 2015:173-182). Complements are collected one at a time until the set that hits them
all is itself refused.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence

import numpy as np

Consistent = Callable[[frozenset[str]], bool]

_ROUNDS = 200


def contradictory_sets(
    weights: dict[str, float], consistent: Consistent, *, seconds: float = 4.0, most: int = 6
) -> tuple[list[frozenset[str]], frozenset[str]]:
    """Return the smallest contradictory sets until every contradiction is named, and the fewest claims to give up.

    ``weights`` holds the claims, about 1 each, the most trusted first; of equally many claims the lighter are preferred.
    """
    asked: dict[frozenset[str], bool] = {}

    def holds(claims: frozenset[str]) -> bool:
        if claims not in asked:
            asked[claims] = consistent(claims)
        return asked[claims]

    stop = clock.perf_counter() + seconds
    names = list(weights)
    found: list[frozenset[str]] = []
    give_up: frozenset[str] = frozenset()
    while len(found) < most and not holds(frozenset(names) - give_up):
        rest = [name for name in names if name not in give_up]
        found.append(_smallest(rest, weights, holds, stop))
        # What is trusted least is given up first.
        give_up = _hit(found, {name: 1 - 1e-3 * i for i, name in enumerate(names)})
        if clock.perf_counter() > stop:
            break
    return found, give_up


def _smallest(names: Sequence[str], weights: dict[str, float], holds: Consistent, stop: float) -> frozenset[str]:
    mends: list[frozenset[str]] = []
    for _ in range(_ROUNDS):
        candidate = _hit(mends, {name: weights[name] for name in names})
        if not holds(candidate):
            return candidate
        if clock.perf_counter() > stop:
            break
        kept = set(candidate)
        for name in names:
            if name not in kept and holds(frozenset(kept | {name})):
                kept.add(name)
        mends.append(frozenset(names) - kept)
    return _by_deletion(names, holds)


def _by_deletion(names: Sequence[str], holds: Consistent) -> frozenset[str]:
    """Leave out one claim after the other as long as the rest contradicts itself: minimal, not always smallest."""
    kept = frozenset(names)
    for name in reversed(names):
        if not holds(kept - {name}):
            kept = kept - {name}
    return kept


def _hit(sets: Sequence[frozenset[str]], weights: dict[str, float]) -> frozenset[str]:
    """Return the lightest set of names with a member in each set."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    if not sets:
        return frozenset()
    names = [name for name in weights if any(name in one for one in sets)]
    rows = np.array([[float(name in one) for name in names] for one in sets])
    solved = milp(
        np.array([weights[name] for name in names]),
        integrality=np.ones(len(names), dtype=np.int64),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(rows, 1, np.inf),
    )
    taken = np.zeros(len(names)) if solved.x is None else solved.x
    return frozenset(name for name, x in zip(names, taken, strict=True) if x > 0.5)
