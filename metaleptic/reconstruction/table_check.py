"""What an assignment of events gives for every printed number, and how well that agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from metaleptic import kaplan_meier as kernel
from metaleptic.reconstruction.table_facts import VERDICTS, Fact
from metaleptic.survival_tests import hazard_ratio, log_rank
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class Check:
    """One printed statement beside what the assignment gives.

    Attributes
    ----------
    fact, printed, value : str
        The statement, as printed, and as reconstructed.
    agrees : {"rounded", "truncated", "no"}
        Whether the value is printed so when rounded, only when cut off, or not at all.
    numbers : int
        How many printed numbers the statement holds.
    by : str
        The convention under which it agrees (an interval scale, a test), where several are tried.
    """

    fact: str
    printed: str
    value: str
    agrees: str
    numbers: int = 1
    by: str = ""


def _write(values: Sequence[float]) -> str:
    texts = ["not reached" if np.isinf(v) else "–" if np.isnan(v) else f"{v:.4g}" for v in values]
    return texts[0] if len(texts) == 1 else f"{texts[0]} ({' to '.join(texts[1:])})"


def check(
    fact: Fact, time: FloatArray, events: FloatArray, *, rule: str, ties: str
) -> tuple[list[Check], FloatArray, FloatArray]:
    """Compare a fact with assignments (k, n): checks, numbers missed (k,), distance in last digits (k,)."""
    options = _values(fact, time, events, rule, ties)
    chosen, grade, far = np.zeros(len(events), int), np.full(len(events), 3), np.full(len(events), np.inf)
    for k, (_, values) in enumerate(options):
        pairs = list(zip(fact.windows, values, strict=True))
        worst = np.max([w.grades(v) for w, v in pairs], axis=0)
        off = np.sum([w.distances(v) for w, v in pairs], axis=0)
        better = (worst < grade) | ((worst == grade) & (off < far))
        chosen, grade, far = np.where(better, k, chosen), np.where(better, worst, grade), np.where(better, off, far)
    known: dict[tuple[float, ...], Check] = {}  # few values, many assignments
    checks = []
    table = np.stack([np.stack(values) for _, values in options])  # (options, numbers, assignments)
    mine = table[chosen, :, np.arange(len(events))]
    for key in zip(chosen.tolist(), grade.tolist(), *mine.T.tolist(), strict=True):
        if key not in known:
            k, g, *printed = key
            by = options[k][0] if len(options) > 1 and g < 2 else ""
            known[key] = Check(fact.label, fact.printed, _write(printed), VERDICTS[g], fact.weight, by)
        checks.append(known[key])
    return checks, fact.weight * (grade == 2.0), far


def _values(
    fact: Fact, time: FloatArray, events: FloatArray, rule: str, ties: str
) -> list[tuple[str, list[FloatArray]]]:
    m = fact.members
    t, e = time[m], events[:, m]
    if fact.kind == "events":
        return [("", [e.sum(axis=1)])]
    if fact.kind in {"hazard ratio", "p"}:
        assert fact.versus is not None
        group = fact.versus[m]
        with np.errstate(all="ignore"):
            fit = hazard_ratio(t, e, group, ties=ties)
            if fact.kind == "p":
                rank = log_rank(t, e, group)
                tests = {"Wald": fit.wald, "log-rank": rank.chi2, "score": fit.score, "likelihood": fit.likelihood}
                return [(name, [np.asarray(stats.chi2.sf(x, 1))]) for name, x in tests.items()]
            z = stats.norm.isf((1 - fact.level) / 2)
            values = [np.exp(fit.beta), np.exp(fit.beta - z * fit.se), np.exp(fit.beta + z * fit.se)]
        return [("", values[: fact.weight])]
    curve = kernel.steps(t, e)
    if fact.kind == "rate":
        return [("", [kernel.at_time(curve, fact.at)[0][:, 0]])]
    if fact.kind == "median":
        return [("", [kernel.quantile(curve, rule=rule)])]
    side = 0 if fact.kind == "median low" else 1
    return [(name, [kernel.quantile_interval(curve, interval=name)[side]]) for name in kernel.INTERVAL_NAMES]
