"""What a reconstruction returns."""

from __future__ import annotations

from dataclasses import dataclass

from metaleptic.patients import IPD
from metaleptic.reconstruction.fidelity import Fidelity


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """Patients that agree with a curve and everything printed about it.

    Attributes
    ----------
    ipd : IPD
        One row per patient: ``time``, ``event``, ``arm``.
    fidelity : Fidelity
        Distance to the curve, and every printed number beside its reconstructed value.
    corrections : tuple of str
        What was changed in the points before they were used.
    draws : tuple of IPD
        Further data sets that agree with what is printed; their spread is the error of the reconstruction.
    """

    ipd: IPD
    fidelity: Fidelity
    corrections: tuple[str, ...] = ()
    draws: tuple[IPD, ...] = ()

    def __repr__(self) -> str:
        good = sum(n.agrees for n in self.fidelity.numbers)
        lines = [
            repr(self.ipd),
            f"{good} of {len(self.fidelity.numbers)} printed numbers reproduced, points within {self.fidelity.max_distance:.2g}",
        ]
        if self.fidelity.contradictions:
            lines.append(f"{len(self.fidelity.contradictions)} contradictions: see .fidelity")
        if self.corrections:
            lines.append(f"{len(self.corrections)} corrections of the points: see .corrections")
        return "\n".join(lines)
