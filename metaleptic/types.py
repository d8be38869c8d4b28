"""The nouns of metaleptic: frozen records that carry numbers between the rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from metaleptic.errors import DataError
from metaleptic.frames import to_frame

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def frozen_array(values: Any) -> FloatArray:
    """Return a read-only float copy: ``frozen`` dataclasses do not freeze what is inside an array."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True)
class Measure:
    """What kind of number an effect is, and how it moves between the analysis and the printed scale.

    Attributes
    ----------
    key : str
        Short name, the one of the field (``"HR"``, ``"OR"``, ``"PLO"``).
    label : str
        Name for headings ("Hazard ratio").
    null : float
        Printed value of "no effect"; NaN where there is none (a proportion, a median).
    to_analysis, to_printed : callable
        Vectorised maps between the scales; each is the other's inverse.
    axis : {"log", "linear", "percent"}
        How a plot shows the printed scale.
    digits : int
        Decimals shown in tables and figures.
    unit : str
        Unit of the printed scale ("months"), empty if none.
    scale : str
        Words for the analysis scale ("log hazard ratio").
    """

    key: str
    label: str
    null: float
    to_analysis: Callable[[Any], Any]
    to_printed: Callable[[Any], Any]
    axis: str = "linear"
    digits: int = 2
    unit: str = ""
    scale: str = ""

    @property
    def heading(self) -> str:
        """Label with its unit, as a column heading ("Median survival, months")."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    @property
    def has_null(self) -> bool:
        """Whether a printed value means "no effect"."""
        return bool(np.isfinite(self.null))

    def printed_bounds(self, low: Any, high: Any) -> tuple[Any, Any]:
        """Bring interval bounds to the printed scale, lower one first even where the map decreases."""
        a, b = self.to_printed(low), self.to_printed(high)
        return np.fmin(a, b), np.fmax(a, b)

    def format(self, value: float) -> str:
        """Write one printed-scale number the way papers do ("0.83", "64.9%", "not reached")."""
        if np.isnan(value):
            return "–"
        if np.isinf(value):
            return "not reached" if value > 0 else "−∞"
        if self.axis == "percent":
            return f"{100 * value:z.{self.digits}f}%"
        return f"{value:z.{self.digits}f}".replace("-", "−")

    def format_interval(self, low: float, high: float) -> str:
        """Write an interval, the percent sign only once ("47.5 to 79.8%")."""
        left = self.format(low)
        if self.axis == "percent" and np.isfinite(high):
            left = left.removesuffix("%")
        return f"{left} to {self.format(high)}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its uncertainty, on the printed scale: the one way results leave the package.

    Attributes
    ----------
    value, low, high : float
        Point estimate and interval bounds; NaN where they do not exist.
    level : float
        Level of the interval (0.95).
    kind : {"confidence", "prediction", "credible"}
        What the interval means.
    """

    value: float
    low: float
    high: float
    level: float = 0.95
    kind: str = "confidence"

    def to_frame(self, kind: str = "pandas") -> Any:
        """Return one row, as a dataframe of this kind ("pandas", "polars" or "pyarrow")."""
        columns = {"value": [self.value], "low": [self.low], "high": [self.high]}
        return to_frame({**columns, "level": [self.level], "kind": [self.kind]}, kind)

    def __repr__(self) -> str:
        name = {"confidence": "CI", "prediction": "prediction interval", "credible": "CrI"}.get(self.kind, self.kind)
        return f"{self.value:.4g} ({self.level * 100:.4g}% {name} {self.low:.4g} to {self.high:.4g})"


@dataclass(frozen=True, slots=True)
class Excluded:
    """A row of the input that could not be used, and why."""

    study: str
    row: int
    reason: str

    def __repr__(self) -> str:
        return f"{self.study} (row {self.row}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a rule of the audit found in published numbers.

    Attributes
    ----------
    rule : str
        Key of the rule in ``metaleptic.auditing.RULES``.
    severity : {"impossible", "suspicious"}
        Impossible numbers cannot be right; suspicious ones need an explanation.
    where : str
        Study, row and column.
    printed, implied : str
        What stands there, and what the other numbers imply.
    message, suggestion : str
        One sentence each: what is wrong; what to do.
    """

    rule: str
    severity: str
    where: str
    printed: str
    implied: str
    message: str
    suggestion: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a result came about: enough to make it again.

    Attributes
    ----------
    call : str
        The call with its defaults resolved.
    versions : tuple of (name, version)
        metaleptic, Python and the numerical libraries.
    inputs_sha256 : str
        Fingerprint of the numbers that went in.
    seed : int or None
        Seed of the random numbers, None if none were drawn.
    """

    call: str
    versions: tuple[tuple[str, str], ...]
    inputs_sha256: str
    seed: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Effect sizes ready to pool: one per study, with where each came from.

    Attributes
    ----------
    y, v : ndarray of shape (k,)
        Effects and their variances on the analysis scale (log hazard ratios, logits ...).
    study : tuple of str
        Names of the studies.
    measure : Measure
        What the effects are, and how they are printed.
    n, events : ndarray of shape (k,)
        Patients and events per study; NaN where unknown.
    columns : mapping of str to tuple
        The caller's other columns, aligned with ``y`` (for subgroups and forest-plot columns).
    how : tuple of str
        The route by which each effect was obtained.
    low, high : ndarray of shape (k,)
        Study intervals on the analysis scale at ``level``: the published ones where there are any.
    row : tuple of int
        Row of each study in the input, counted from 1 below the header.
    excluded : tuple of Excluded
        Rows that could not be used.
    level : float
        Level of ``low`` and ``high``.
    frame_kind : str
        Dataframe library of the input ("pandas", "polars", "pyarrow"), used by ``to_frame``.
    cells : ndarray of shape (k, 4)
        Two-by-two tables as printed: events and others of the arm of interest, then of the control; empty for
        other kinds of number.
    groups : ndarray of shape (k, 6)
        Mean, SD and size of the group of interest, then of the control, where effects were made of them; empty otherwise.
    """

    y: FloatArray
    v: FloatArray
    study: tuple[str, ...]
    measure: Measure
    n: FloatArray
    events: FloatArray
    columns: Mapping[str, tuple[Any, ...]] = field(default_factory=lambda: MappingProxyType({}))
    how: tuple[str, ...] = ()
    low: FloatArray = field(default_factory=lambda: frozen_array([]))
    high: FloatArray = field(default_factory=lambda: frozen_array([]))
    row: tuple[int, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    level: float = 0.95
    frame_kind: str = "pandas"
    cells: FloatArray = field(default_factory=lambda: frozen_array(np.empty((0, 4))))
    groups: FloatArray = field(default_factory=lambda: frozen_array(np.empty((0, 6))))

    def __len__(self) -> int:
        return len(self.study)

    def __iter__(self) -> Iterator[str]:
        return iter(self.study)

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> Effects:
        """Return the studies at these positions, in this order, or those where an array of True and False is True."""
        at = _positions(index, len(self))
        changed: dict[str, Any] = {
            f.name: _take(getattr(self, f.name), at) for f in fields(self) if f.name in _PER_STUDY
        }
        known = len(self.groups) == len(self)  # not so where a copy was given other studies
        changed["groups"] = _take(self.groups, at) if known else frozen_array(np.empty((0, 6)))
        changed["columns"] = MappingProxyType({key: _take(col, at) for key, col in self.columns.items()})
        return replace(self, **changed)

    @property
    def printed(self) -> FloatArray:
        """Effects on the printed scale; proportions as events / n, without the half added to pool 0/12 as a logit."""
        value = np.asarray(self.measure.to_printed(self.y), dtype=np.float64)
        if self.measure.key not in {"PLO", "PR", "PLN", "PAS", "PFT", "PRZ"}:
            return value
        with np.errstate(invalid="ignore", divide="ignore"):
            raw = self.events / self.n
        return np.where(np.isfinite(raw), raw, value)

    def to_frame(self) -> Any:
        """Return the effects as a dataframe of the caller's kind: printed and analysis scale side by side."""
        low, high = self.measure.printed_bounds(self.low, self.high)
        return to_frame(
            {
                "study": self.study,
                "value": self.printed,
                "low": low,
                "high": high,
                "y": self.y,
                "se": np.sqrt(self.v),
                "n": self.n,
                "how": self.how,
            },
            self.frame_kind,
        )

    def __repr__(self) -> str:
        out = len(self.excluded)
        left_out = f", {out} {'row' if out == 1 else 'rows'} excluded" if out else ""
        routes = ", ".join(f"{self.how.count(h)} x {h}" for h in dict.fromkeys(self.how))
        names = ", ".join(self.study[:4]) + (" ..." if len(self) > 4 else "")
        return f"{self.measure.heading}: {count_studies(self)}{left_out}\nfrom: {routes}\n{names}"


def count_studies(effects: Effects) -> str:
    """Write "5 studies, 52 patients in 4 of them": n is summed over the studies that print it."""
    k, known = len(effects), int(np.isfinite(effects.n).sum())
    text = "1 study" if k == 1 else f"{k} studies"
    if known:
        text += f", {np.nansum(effects.n):.0f} patients" + (f" in {known} of them" if known < k else "")
    return text


_PER_STUDY = frozenset({"y", "v", "study", "n", "events", "how", "low", "high", "row", "cells"})


def _positions(index: Any, k: int) -> NDArray[np.intp]:
    """Return positions from positions, or from True and False for each study."""
    given = np.asarray(index)
    if given.dtype == np.bool_:
        if given.shape != (k,):
            raise DataError(f"take has {given.size} values of True or False for {k} studies: one for each is needed.")
        return np.flatnonzero(given)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise DataError(
            "take needs the positions of studies (0 is the first), or True or False for each: effects.take([0, 2])."
        )
    at = given.astype(np.intp).reshape(-1)
    if ((at < -k) | (at >= k)).any():
        raise DataError(
            f"take asks for position {int(at[(at < -k) | (at >= k)][0])}; there are {k} studies, 0 to {k - 1}."
        )
    return at


def _take(values: Any, at: NDArray[np.intp]) -> Any:
    if isinstance(values, np.ndarray):
        return frozen_array(values[at]) if len(values) else values
    return tuple(values[i] for i in at) if values else values


class Interval(Protocol):
    """A number with an interval: an ``Estimate``, or a posterior that also answers as one."""

    @property
    def value(self) -> float:
        """Point estimate."""
        ...

    @property
    def low(self) -> float:
        """Lower bound."""
        ...

    @property
    def high(self) -> float:
        """Upper bound."""
        ...

    @property
    def level(self) -> float:
        """Level of the interval."""
        ...

    @property
    def kind(self) -> str:
        """What the interval means."""
        ...


@runtime_checkable
class Result(Protocol):
    """What every fit offers, whichever model made it: plots and reports ask for no more."""

    @property
    def effects(self) -> Effects:
        """What was pooled."""
        ...

    @property
    def estimate(self) -> Estimate:
        """The pooled effect, printed scale."""
        ...

    @property
    def prediction(self) -> Interval | None:
        """Interval for a new study, if the model has one."""
        ...

    @property
    def tau(self) -> Interval:
        """Between-study standard deviation, analysis scale."""
        ...

    @property
    def weights(self) -> FloatArray:
        """Weights in percent."""
        ...

    @property
    def method(self) -> str:
        """The model in words."""
        ...

    @property
    def provenance(self) -> Provenance:
        """How to make it again."""
        ...
