"""Curves from the files that WebPlotDigitizer and DigitizeIt write."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metaleptic.errors import DataError
from metaleptic.patients import Curve


def read_clicks(path: str | Path, *, kind: str = "clicks") -> dict[str, Curve]:
    r"""Read clicked points of one or more Kaplan-Meier curves from a file.

    Understood are WebPlotDigitizer's project (JSON) and its CSV exports (one curve as two columns, or several with their
    names above each pair of columns), DigitizeIt's CSV, and tables with the columns arm, time, survival. Comma, semicolon
    or tab separate; with semicolons a comma is a decimal comma.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : {"clicks", "trace", "drops"}
        How the points were read, see ``Curve``.

    Returns
    -------
    dict of str to Curve
        Name of each curve (the file's name where there is only one without a name) and its points; ``source`` holds the
        file name and its sha256.

    Raises
    ------
    DataError
        If the file holds no points, or a cell is not a number; the message names the line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import metaleptic as ml
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "fig2.csv"
    >>> _ = file.write_text("IT,,control,\nX,Y,X,Y\n0,1,0,1\n3.1,0.82,2.2,0.7\n")
    >>> ml.read_clicks(file)["IT"]
    Curve 'IT' of 2 points (clicks), time 0 to 3.1, survival 1 to 0.82
    """
    path = Path(path)
    content = path.read_bytes()
    source = f"{path.name} sha256:{hashlib.sha256(content).hexdigest()}"
    text = content.decode("utf-8-sig", errors="replace")
    points = _project(text, path) if text.lstrip()[:1] in "{[" else _table(text, path)
    points = {name: rows for name, rows in points.items() if rows}
    if not points:
        raise DataError(f"{path.name}: there are no points in this file.")
    return {
        name: Curve(
            np.array([x for x, _ in rows]), np.array([y for _, y in rows]), kind=kind, label=name, source=source
        )
        for name, rows in points.items()
    }


def _project(text: str, path: Path) -> dict[str, list[tuple[float, float]]]:
    """WebPlotDigitizer 3 and 4: ``dataSeries`` or ``datasetColl``, each point with its ``value``."""
    try:
        data: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path.name}: not a readable JSON file ({error}).") from None
    if isinstance(data, Mapping) and "wpd" in data:
        data = data["wpd"]
    series = data.get("datasetColl", data.get("dataSeries")) if isinstance(data, Mapping) else None
    if not isinstance(series, list):
        raise DataError(f"{path.name}: no 'datasetColl' in it. Save the project of WebPlotDigitizer as JSON.")
    out = {}
    for i, one in enumerate(series):
        rows = [p["value"][:2] for p in one.get("data", []) if p.get("value") is not None and len(p["value"]) >= 2]
        out[str(one.get("name") or f"curve {i + 1}")] = [(float(x), float(y)) for x, y in rows]
    return out


def _table(text: str, path: Path) -> dict[str, list[tuple[float, float]]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return {}
    separator = next((c for c in (";", "\t", ",") if c in lines[-1]), None)
    decimal_comma = separator in (";", "\t") and "." not in text and "," in text
    rows = list(csv.reader(lines, delimiter=separator)) if separator else [re.split(r"\s+", x.strip()) for x in lines]
    cells = [[c.strip() for c in row] for row in rows]
    header = [row for row in cells if not any(_is_number(c, decimal_comma) for c in row if c)]
    body = [(i + 1, row) for i, row in enumerate(cells) if any(_is_number(c, decimal_comma) for c in row if c)]
    names = [c.lower() for c in header[-1]] if header else []
    if len(names) >= 3 and "time" in names and ("arm" in names or "group" in names or "curve" in names):
        return _long(body, names, decimal_comma, path)
    width = max((len(row) for _, row in body), default=0)
    pairs = max(width // 2, 1)
    labels = _labels(header, pairs, path)
    out: dict[str, list[tuple[float, float]]] = {name: [] for name in labels}
    for line, row in body:
        for k, name in enumerate(labels):
            x, y = [*row, *[""] * (2 * pairs)][2 * k : 2 * k + 2]
            if x or y:
                out[name].append((_number(x, decimal_comma, path, line), _number(y, decimal_comma, path, line)))
    return out


def _labels(header: list[list[str]], pairs: int, path: Path) -> list[str]:
    axes = {"x", "y", "time", "survival", "surv", "s", "t", ""}
    for row in header:
        named = [row[2 * k] if 2 * k < len(row) else "" for k in range(pairs)]
        if all(c.lower() not in axes for c in named):
            return named
    return [path.stem] if pairs == 1 else [f"curve {k + 1}" for k in range(pairs)]


def _long(
    body: list[tuple[int, list[str]]], names: list[str], decimal_comma: bool, path: Path
) -> dict[str, list[tuple[float, float]]]:
    arm = next(i for i, c in enumerate(names) if c in {"arm", "group", "curve"})
    time = names.index("time")
    height = next((i for i, c in enumerate(names) if c in {"surv", "survival", "s", "y"}), None)
    if height is None:
        raise DataError(f"{path.name}: no column 'survival' beside 'time'. Columns: {', '.join(names)}.")
    out: dict[str, list[tuple[float, float]]] = {}
    for line, row in body:
        point = (_number(row[time], decimal_comma, path, line), _number(row[height], decimal_comma, path, line))
        out.setdefault(row[arm], []).append(point)
    return out


def _is_number(cell: str, decimal_comma: bool) -> bool:
    try:
        float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError:
        return False
    return True


def _number(cell: str, decimal_comma: bool, path: Path, line: int) -> float:
    try:
        return float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError:
        raise DataError(f"{path.name}, line {line}: {cell!r} is not a number.") from None
