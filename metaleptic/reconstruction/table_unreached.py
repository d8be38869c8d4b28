"""Why the best assignments miss what they miss."""

from __future__ import annotations

from metaleptic.reconstruction.table_best import Case, Found, possible
from metaleptic.reconstruction.table_result import Repair, Unreached
from metaleptic.reconstruction.table_search import Budget
from metaleptic.types import FloatArray


def unreached(
    case: Case, time: FloatArray, best: tuple[Found, ...], repairs: tuple[Repair, ...], budget: Budget
) -> tuple[Unreached, ...]:
    """Explain the statements that every best assignment misses: alone, against one other, or against several."""
    if repairs:
        time, peers = repairs[0].assignments[0].ipd.time, [a.checks for a in repairs[0].assignments]
    else:
        peers = [f.checks for f in best]
    if not peers:
        return ()
    own = Budget(max(budget.seconds - budget.spent(), min(budget.seconds, 1.0)), budget.most)
    failed = [k for k in range(len(case.facts)) if all(c[k].agrees == "no" for c in peers)]
    out = []
    for k in failed:
        alone = possible(case, time, (case.facts[k],), own, 5.0)
        against: tuple[str, ...] = ()
        if alone:
            others = [f for j, f in enumerate(case.facts) if j not in failed]
            against = tuple(
                f"{f.label} {f.printed}" for f in others if possible(case, time, (case.facts[k], f), own, 5.0) is False
            )
        c = peers[0][k]
        out.append(Unreached(c.fact, c.printed, c.value, alone, against))
    budget.branches += own.branches
    return tuple(out)
