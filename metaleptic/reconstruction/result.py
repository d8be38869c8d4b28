"""What a reconstruction returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from metaleptic.patients import IPD
from metaleptic.reconstruction.fidelity import Fidelity
from metaleptic.types import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The digitised points of one arm as they were read, survival as a proportion: what overlays show."""

    time: FloatArray
    survival: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", frozen_array(self.time))
        object.__setattr__(self, "survival", frozen_array(self.survival))


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
    points : mapping of arm to Points
        The digitised points as they were read, survival as a proportion; none for arms for which a model stands in.
    sources : mapping of arm to str
        Where each curve came from, with the sha256 of the file if it was read from one.
    model : str
        Empty, or the parametric model that stood in for a curve that was not printed.
    """

    ipd: IPD
    fidelity: Fidelity
    corrections: tuple[str, ...] = ()
    draws: tuple[IPD, ...] = ()
    points: Mapping[str, Points] = field(default_factory=lambda: MappingProxyType({}))
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    model: str = ""

    def __post_init__(self) -> None:
        for name in ("points", "sources"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def save(self, path: str | Path) -> None:
        """Write everything as readable JSON; ``metaleptic.reconstruction.store.load`` reads it back."""
        from metaleptic.reconstruction.store import to_json

        Path(path).write_text(to_json(self), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Reconstruction:
        """Read what ``save`` wrote."""
        from metaleptic.reconstruction.store import load

        return load(path)

    def __repr__(self) -> str:
        good = sum(n.agrees for n in self.fidelity.numbers)
        lines = [
            repr(self.ipd) + (f"\nno curve: drawn from a {self.model} model, not reconstructed" if self.model else ""),
            f"{good} of {len(self.fidelity.numbers)} printed numbers reproduced, points within {self.fidelity.max_distance:.2g}",
        ]
        if self.fidelity.contradictions:
            lines.append(f"{_many(len(self.fidelity.contradictions), 'contradiction')}: see .fidelity")
        if self.corrections:
            lines.append(f"{_many(len(self.corrections), 'correction')} of the points: see .corrections")
        return "\n".join(lines)


def _many(k: int, noun: str) -> str:
    return f"{k} {noun}" if k == 1 else f"{k} {noun}s"
