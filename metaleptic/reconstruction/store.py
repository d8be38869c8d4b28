"""A reconstruction as readable JSON, with the fingerprint of the figure it came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from metaleptic.errors import DataError
from metaleptic.patients import IPD
from metaleptic.reconstruction.fidelity import Agreement, Fidelity
from metaleptic.reconstruction.result import Points, Reconstruction

_FORMAT = "metaleptic reconstruction 1"


def to_json(rec: Reconstruction) -> str:
    """Write a reconstruction as JSON text; one line per list of numbers."""
    f = rec.fidelity
    data: dict[str, Any] = {
        "format": _FORMAT,
        "model": rec.model,
        "sources": dict(rec.sources),
        "corrections": list(rec.corrections),
        "arms": {name: _patients(rec.ipd.of(name)) for name in rec.ipd.arms},
        "points": {k: {"time": p.time.tolist(), "survival": p.survival.tolist()} for k, p in rec.points.items()},
        "fidelity": {
            "max_distance": f.max_distance,
            "rms_distance": f.rms_distance,
            "distances": {k: list(v) for k, v in f.distances.items()},
            "contradictions": list(f.contradictions),
            "numbers": [[n.arm, n.number, n.printed, _finite(n.reconstructed), n.agrees] for n in f.numbers],
        },
        "draws": [{name: _patients(d.of(name)) for name in d.arms} for d in rec.draws],
    }
    return _lines(data) + "\n"


def from_json(text: str, name: str = "") -> Reconstruction:
    """Read a reconstruction from JSON text."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{name}: not a readable JSON file ({error}).") from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise DataError(f"{name}: not a saved reconstruction (format {_FORMAT!r} expected).")
    f = data["fidelity"]
    fidelity = Fidelity(
        f["max_distance"],
        f["rms_distance"],
        {k: (v[0], v[1]) for k, v in f["distances"].items()},
        tuple(Agreement(a, b, c, np.inf if d is None else d, e) for a, b, c, d, e in f["numbers"]),
        tuple(f["contradictions"]),
    )
    return Reconstruction(
        _ipd(data["arms"]),
        fidelity,
        tuple(data["corrections"]),
        tuple(_ipd(d) for d in data["draws"]),
        points={k: Points(p["time"], p["survival"]) for k, p in data["points"].items()},
        sources=data["sources"],
        model=data["model"],
    )


def load(path: str | Path) -> Reconstruction:
    """Read a reconstruction that ``rec.save`` wrote.

    Raises
    ------
    DataError
        If the file is not a saved reconstruction.
    """
    return from_json(Path(path).read_text(encoding="utf-8"), Path(path).name)


def _finite(value: float) -> float | None:
    """JSON has no infinity: a median that is not reached is null."""
    return value if np.isfinite(value) else None


def _patients(ipd: IPD) -> dict[str, list[float]]:
    return {"time": ipd.time.tolist(), "event": ipd.event.tolist()}


def _ipd(arms: dict[str, dict[str, list[float]]]) -> IPD:
    time = [t for a in arms.values() for t in a["time"]]
    event = [e for a in arms.values() for e in a["event"]]
    name = [k for k, a in arms.items() for _ in a["time"]]
    return IPD(np.array(time), np.array(event, dtype=np.int64), np.array(name, dtype=np.str_))


def _lines(value: Any, indent: int = 0) -> str:
    """JSON with mappings over several lines and lists of plain values on one."""
    pad = " " * (indent + 1)
    if isinstance(value, dict) and value:
        inner = ",\n".join(
            f"{pad}{json.dumps(k, ensure_ascii=False)}: {_lines(v, indent + 1)}" for k, v in value.items()
        )
        return "{\n" + inner + "\n" + " " * indent + "}"
    if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        inner = ",\n".join(pad + _lines(v, indent + 1) for v in value)
        return "[\n" + inner + "\n" + " " * indent + "]"
    return json.dumps(value, ensure_ascii=False)
