"""What the reconstruction of a patient table returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metaleptic.errors import NotEstimableError
from metaleptic.patients import IPD
from metaleptic.reconstruction.table_check import Check


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Who had the event and who was censored: inferred from what the paper prints, not published.

    Attributes
    ----------
    ipd : IPD
        The patients with the inferred events, in the order of the table.
    checks : tuple of Check
        Every printed statement beside its value.
    rule : {"first", "midpoint", "strict"}
        What a median is when survival is exactly one half for a while.
    ties : {"breslow", "efron"}
        How tied times enter Cox's model.
    reproduced, printed : int
        Printed numbers that depend on events: reproduced ones, all.
    """

    ipd: IPD
    checks: tuple[Check, ...]
    rule: str
    ties: str
    reproduced: int
    printed: int

    @property
    def event(self) -> tuple[int, ...]:
        """1 for an event, 0 for censored, in the order of the table."""
        return tuple(int(e) for e in self.ipd.event)

    def to_frame(self, kind: str = "pandas") -> Any:
        """Return the checks as a dataframe: fact, printed, value, agrees, by."""
        from metaleptic.frames import to_frame

        return to_frame(
            {name: [getattr(c, name) for c in self.checks] for name in ("fact", "printed", "value", "agrees", "by")},
            kind,
        )

    def __repr__(self) -> str:
        return (
            f"{int(self.ipd.event.sum())} events in {len(self.ipd)} patients, "
            f"{self.reproduced} of {self.printed} printed numbers reproduced "
            f"(median: {self.rule}, ties: {self.ties})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Repair:
    """One cell that, printed otherwise, makes more of the paper agree: a suspicion, not a correction.

    Attributes
    ----------
    patient : str
        The patient.
    column : str
        The column of the table.
    printed, value : float
        What stands there; what would agree.
    restores : tuple of str
        What the times themselves contradict as printed, and no longer do.
    assignments : tuple of Assignment
        Best assignments with the cell changed, ranked.
    reproduced : int
        Printed numbers reproduced, those about the times included.
    """

    patient: str
    column: str
    printed: float
    value: float
    restores: tuple[str, ...]
    assignments: tuple[Assignment, ...]
    reproduced: int

    def __repr__(self) -> str:
        k = len(self.assignments)
        best = self.assignments[0]
        return (
            f"patient {self.patient}, {self.column}: {self.printed:g} printed, {self.value:g} would agree; "
            f"{k} {'assignment' if k == 1 else 'assignments'} with {best.reproduced} of {best.printed} printed numbers"
            + (f"; restores {len(self.restores)} of the times' own contradictions" if self.restores else "")
        )


@dataclass(frozen=True, slots=True)
class Unreached:
    """A printed statement that the best assignments miss, and why.

    Attributes
    ----------
    fact, printed, value : str
        The statement, as printed, and the value of the best assignment.
    alone : bool or None
        Whether some assignment reaches it if nothing else need hold; None if the search was cut short.
    against : tuple of str
        Other printed statements with which it cannot hold, one at a time.
    """

    fact: str
    printed: str
    value: str
    alone: bool | None
    against: tuple[str, ...] = ()

    def __repr__(self) -> str:
        if self.alone is False:
            why = "no assignment reaches it"
        elif self.against:
            why = f"not together with {'; '.join(self.against)}"
        elif self.alone is None:
            why = "the search was cut short"
        else:
            why = "not together with all the others"
        return f"{self.fact} {self.printed} (here {self.value}): {why}"


@dataclass(frozen=True, slots=True, eq=False)
class TableReconstruction:
    """All assignments of events to a table of patients that agree best with what the text prints.

    Attributes
    ----------
    assignments : tuple of Assignment
        Table as printed: those that reproduce most, best first. Equal ones differ in ``checks``.
    repairs : tuple of Repair
        Single cells which, printed otherwise, make more agree; best first. Empty if nothing is missed or nothing helps.
    unreachable : tuple of Unreached
        Printed statements that none of the best assignments reaches (those of the best repair, if there is one).
    contradictions : tuple of str
        What the printed times contradict by themselves: means, counts, times in the wrong order.
    complete : bool
        Whether the search was exhaustive; if not, there may be more and better ones.
    branches : int
        Partial assignments looked at.
    seconds : float
        Time spent.
    notes : tuple of str
        What limited the search, in words.
    patients : tuple of str
        Names of the patients, in the order of the table.
    """

    assignments: tuple[Assignment, ...]
    repairs: tuple[Repair, ...]
    unreachable: tuple[Unreached, ...]
    contradictions: tuple[str, ...]
    complete: bool
    branches: int
    seconds: float
    notes: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()

    @property
    def best(self) -> Assignment:
        """The best assignment: of the best repair if there is one, else of the table as printed.

        Raises
        ------
        NotEstimableError
            If the search was cut short before it found any.
        """
        if not self.repairs and not self.assignments:
            raise NotEstimableError("no assignment was found: " + ("; ".join(self.notes) or "see .unreachable") + ".")
        return self.repairs[0].assignments[0] if self.repairs else self.assignments[0]

    @property
    def ipd(self) -> IPD:
        """The patients of the best assignment: inferred, not published."""
        return self.best.ipd

    @property
    def consistent(self) -> bool:
        """Whether the table as printed reproduces everything printed."""
        return bool(
            self.assignments
            and self.assignments[0].reproduced == self.assignments[0].printed
            and not self.contradictions
        )

    def to_frame(self, kind: str = "pandas") -> Any:
        """Return one row per patient: time and inferred event of the best assignment, and how often it is the same.

        ``agreement`` is the share of the equally good assignments that give the patient the same event.
        """
        from metaleptic.frames import to_frame

        best = self.best
        peers = self.repairs[0].assignments if self.repairs else self.assignments
        same = [sum(p.event[i] == best.event[i] for p in peers) / len(peers) for i in range(len(best.ipd))]
        return to_frame(
            {
                "patient": list(self.patients),
                "arm": best.ipd.arm.tolist(),
                "time": best.ipd.time,
                "event_inferred": list(best.event),
                "agreement": same,
            },
            kind,
        )

    def __repr__(self) -> str:
        lines = [_count(self.assignments, "as printed")]
        lines += [repr(r) for r in self.repairs[:3]]
        if len(self.repairs) > 3:
            lines.append(f"and {len(self.repairs) - 3} more repairs that reproduce as much")
        if self.unreachable:
            n = len(self.unreachable)
            lines.append(f"{n} printed {'statement' if n == 1 else 'statements'} not reached: see .unreachable")
        if not self.complete:
            lines.append("search cut short: " + "; ".join(self.notes))
        return "\n".join(lines)


def _count(found: tuple[Assignment, ...], how: str) -> str:
    if not found:
        return f"{how}: no assignment was found"
    k = len(found)
    return (
        f"{how}: {k} {'assignment' if k == 1 else 'assignments'} with {found[0].reproduced} of {found[0].printed} "
        "printed numbers"
    )
