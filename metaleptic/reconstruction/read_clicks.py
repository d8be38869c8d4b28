"""Curves from the files that WebPlotDigitizer and DigitizeIt write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metaleptic.errors import DataError
from metaleptic.patients import Curve
from metaleptic.reconstruction.click_table import Rows, click_table, unused

FORMS = (
    "Files that are read: WebPlotDigitizer's project (JSON) or CSV, DigitizeIt's CSV or text, a table with the columns arm, "
    'time, survival, and JSON such as {"arm": [[0, 1], [2.1, 0.9]]}.'
)


def read_clicks(path: str | Path, *, kind: str = "clicks") -> dict[str, Curve]:
    r"""Read clicked points of one or more Kaplan-Meier curves from a file.

    Understood are WebPlotDigitizer's project (JSON) and its CSV exports (one curve as two columns, or several with their
    names above each pair of columns), DigitizeIt's CSV (curves below each other, or beside each other with one column of
    times) or text, tables with the columns arm, time, survival, and plain JSON: a list of ``[time, survival]``, or one for
    each arm by its name. Comma, semicolon, tab or blanks separate; decimal commas and percent signs are understood.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : {"clicks", "readings", "trace", "drops"}
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
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.")
    content = path.read_bytes()
    source = f"{path.name} sha256:{hashlib.sha256(content).hexdigest()}"
    text = _decoded(content)
    points = _json(text, path) if text.lstrip()[:1] in ("{", "[") else click_table(text, path)
    points = {name: rows for name, rows in points.items() if rows}
    if not points:
        raise DataError(f"{path.name}: there are no points in this file. {FORMS}")
    return {
        name: Curve(
            np.array([x for x, _ in rows]), np.array([y for _, y in rows]), kind=kind, label=name, source=source
        )
        for name, rows in points.items()
    }


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _json(text: str, path: Path) -> Rows:
    try:
        data: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path.name}: not a readable JSON file ({error}).") from None
    if isinstance(data, Mapping) and "wpd" in data:
        data = data["wpd"]
    if isinstance(data, list):
        return _plain({path.stem: data}, path)
    series = data.get("datasetColl", data.get("dataSeries")) if isinstance(data, Mapping) else None
    return _plain(data, path) if series is None else _project(series, path)


def _plain(arms: Any, path: Path) -> Rows:
    """Read lists of [time, survival] by the name of the arm."""
    if not isinstance(arms, Mapping) or not all(
        isinstance(rows, list) and all(isinstance(row, list) for row in rows) for rows in arms.values()
    ):
        raise DataError(f"{path.name}: these are no points in a form that is known. {FORMS}")
    return {str(name): [_pair(row, str(name), path) for row in rows] for name, rows in arms.items()}


def _pair(row: list[Any], name: str, path: Path) -> tuple[float, float]:
    numbers = [x for x in row if isinstance(x, int | float) and not isinstance(x, bool)]
    if len(numbers) != 2 or len(row) != 2:
        raise DataError(f"{path.name}: {name!r} has a point {row}; a time and a height are needed.")
    return float(numbers[0]), float(numbers[1])


def _project(series: Any, path: Path) -> Rows:
    """WebPlotDigitizer 3 to 5: ``dataSeries`` or ``datasetColl``, each point with its ``value``."""
    if not isinstance(series, list) or not all(isinstance(one, Mapping) for one in series):
        raise DataError(f"{path.name}: the project of WebPlotDigitizer has no list of data sets. {FORMS}")
    out: Rows = {}
    clicked = 0
    for i, one in enumerate(series):
        name = str(one.get("name") or f"curve {i + 1}")
        rows = []
        for point in one.get("data") or []:
            clicked += 1
            value = point.get("value") if isinstance(point, Mapping) else None
            if isinstance(value, list) and len(value) >= 2:
                x, y, *_ = value
                if not isinstance(x, int | float) or not isinstance(y, int | float):
                    raise DataError(f"{path.name}: data set {name!r} has a point at {value}; two numbers are needed.")
                rows.append((float(x), float(y)))
        out[unused(name, out)] = rows
    if clicked and not any(out.values()):
        raise DataError(f"{path.name}: the points have no values. Calibrate the axes before saving the project.")
    return out
