"""What ``km_plot`` is given: patients, what they were made from, and what the caption must say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from metaleptic import kaplan_meier as kernel
from metaleptic.errors import OptionError
from metaleptic.patients import IPD
from metaleptic.reconstruction.models import MODELS
from metaleptic.reconstruction.result import Points, Reconstruction
from metaleptic.reconstruction.steps import steps
from metaleptic.reconstruction.table_result import TableReconstruction
from metaleptic.survival.km import KaplanMeier

LEVEL = 0.95
Patients = IPD | KaplanMeier | Reconstruction | TableReconstruction


@dataclass(frozen=True, slots=True, eq=False)
class KMSource:
    """Patients and how their curves are to be read.

    Attributes
    ----------
    ipd : IPD
        The patients.
    points : mapping of arm to Points
        Digitised points to lay over the curves.
    notes : tuple of str
        Sentences for the caption.
    curves : mapping of arm to Steps
        Curves that were estimated already.
    interval, rule, level : str, str, float
        Kind and level of the bands, and what a median is, as in ``ml.km``.
    """

    ipd: IPD
    points: Mapping[str, Points] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()
    curves: Mapping[str, kernel.Steps] = field(default_factory=lambda: MappingProxyType({}))
    interval: str = "log-log"
    rule: str = "midpoint"
    level: float = LEVEL

    def curve(self, arm: str) -> kernel.Steps:
        """Return the curve of one arm; unless it was estimated already, with its deaths as the only times."""
        if arm in self.curves:
            return self.curves[arm]
        patients = self.ipd.of(arm)
        found = steps(patients.time[patients.event == 1], patients.time[patients.event == 0])
        with np.errstate(divide="ignore"):
            greenwood = np.cumsum(found.deaths / (found.at_risk * (found.at_risk - found.deaths)))
        return kernel.Steps(found.time, found.at_risk, found.deaths, found.survival, greenwood)


def km_source(patients: Patients) -> KMSource:
    """Read what was given.

    Raises
    ------
    OptionError
        If these are no patients.
    NotEstimableError
        If a patient table has no assignment of events.
    """
    match patients:
        case IPD():
            return KMSource(patients)
        case KaplanMeier():
            p = patients
            return KMSource(p.ipd, curves=p.curves, interval=p.interval, rule=p.rule, level=p.level)
        case Reconstruction():
            return KMSource(patients.ipd, patients.points, _model(patients))
        case TableReconstruction():
            return KMSource(patients.ipd, notes=(_inferred(patients),), rule=patients.best.rule)
    raise OptionError(
        f"km_plot takes patients (IPD, a reconstruction or what ml.km returns), not {type(patients).__name__}."
    )


def _model(rec: Reconstruction) -> tuple[str, ...]:
    if not rec.model:
        return ()
    label = MODELS[rec.model].label if rec.model in MODELS else rec.model
    drawn = [name for name in rec.ipd.arms if name not in rec.points]
    arms = f" for {', '.join(drawn)}" if len(drawn) < len(rec.ipd.arms) else ""
    return (f"No curve was published{arms}: patients follow a {label} model.",)


def _inferred(rec: TableReconstruction) -> str:
    best = rec.best
    equal = rec.repairs[0].assignments if rec.repairs else rec.assignments
    reached = f"{best.reproduced} of {best.printed} printed numbers"
    which = (
        f"one of {len(equal)} assignments that reproduce {reached}"
        if len(equal) > 1
        else f"the only assignment found that reproduces {reached}"
    )
    text = f"Events are inferred, not published: {which}"
    if not rec.repairs:
        return f"{text}."
    cell = rec.repairs[0]
    return f"{text} if the {cell.column} of patient {cell.patient} is {cell.value:g}, not {cell.printed:g} as printed."
