"""What a reconstruction returns."""

from __future__ import annotations

from dataclasses import dataclass

from metaleptic.patients import IPD


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """Patients that agree with a curve and everything printed about it.

    Attributes
    ----------
    ipd : IPD
        One row per patient: ``time``, ``event``, ``arm``.
    corrections : tuple of str
        What was changed in the points before they were used.
    """

    ipd: IPD
    corrections: tuple[str, ...] = ()

    def __repr__(self) -> str:
        fixed = f"\n{len(self.corrections)} corrections of the points" if self.corrections else ""
        return repr(self.ipd) + fixed
