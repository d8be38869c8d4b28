"""Tables of points as digitisers export them: which columns, which rows and which names belong to which curve."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from metaleptic.errors import DataError

Rows = dict[str, list[tuple[float, float]]]
_Line = tuple[int, list[str]]

_TIMES = re.compile(r"^[xt]\d*\b|\b(times?|months?|days?|weeks?|years?)\d*\b", re.IGNORECASE)
_ARMS = ("arm", "group", "curve", "treatment", "dataset", "data set", "series", "strata", "regimen")
_HEIGHTS = ("survival", "surv", "s", "y", "os", "pfs", "probability", "prob", "value", "estimate")


def click_table(text: str, path: Path) -> Rows:
    """Read the points of a text table."""
    blocks = _blocks(text)
    out: Rows = {}
    for k, (header, body) in enumerate(blocks):
        found = _one_block(header, body, path)
        for name, rows in found.items():
            named = f"curve {k + 1}" if len(blocks) > 1 and name == path.stem else name
            out[unused(named, out)] = rows
    return out


def unused(name: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: that of a second curve of one name gets a number."""
    out, k = name, 2
    while out in taken:
        out, k = f"{name} ({k})", k + 1
    return out


# --- lines and cells ----------------------------------------------------------------------------


def _blocks(text: str) -> list[tuple[list[list[str]], list[_Line]]]:
    """Cut a file where headings stand between points, or where times begin anew after an empty line."""
    lines = [(i + 1, line) for i, line in enumerate(text.splitlines())]
    full = [line for _, line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not full:
        return []
    separator = next((c for c in (";", "\t", ",") if c in full[-1]), None)
    points_used = any(re.search(r"\d\.\d", line) for line in full)
    blocks: list[tuple[list[list[str]], list[_Line]]] = [([], [])]
    empty = False
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            empty = not line.strip() or empty
            continue
        cells = _cells(line, separator, points_used)
        heading = not any(is_number(c) for c in cells if c)
        header, body = blocks[-1]
        anew = empty and body and not heading and _first(cells) < _first(body[-1][1])
        if body and (heading or anew):
            header, body = [], []
            blocks.append((header, body))
        if heading:
            header.append(cells)
        else:
            body.append((number, cells))
        empty = False
    return [(header, body) for header, body in blocks if body]


def _cells(line: str, separator: str | None, points_used: bool) -> list[str]:
    cells = next(csv.reader([line.strip("\r\n")], delimiter=separator)) if separator else re.split(r"\s+", line.strip())
    cells = [c.strip().removesuffix("%").strip() for c in cells]
    # A comma inside a cell is a decimal comma, unless the file writes decimal points.
    return [
        c.replace(",", ".") if re.fullmatch(r"[-+]?\d*,\d+(e[-+]?\d+)?", c, re.I) and not points_used else c
        for c in cells
    ]


def is_number(cell: str) -> bool:
    """Say whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _first(cells: Sequence[str]) -> float:
    return float(cells[0]) if cells and is_number(cells[0]) else float("inf")


# --- columns ------------------------------------------------------------------------------------


def _one_block(header: list[list[str]], body: list[_Line], path: Path) -> Rows:
    labels = header[-1] if header else []
    lower = [c.lower() for c in labels]
    arm = next((i for i, c in enumerate(lower) if c in _ARMS), None)
    time = next((i for i, c in enumerate(lower) if _TIMES.search(c)), None)
    if len(lower) >= 3 and arm is not None and time is not None:
        return _long(body, lower, arm, time, path)
    width = max(k + 1 for _, row in body for k, c in enumerate(row) if c)
    if width == 1:
        raise DataError(f"{path.name}, line {body[0][0]}: only one number. Each point needs a time and a height.")
    if _share_times(lower, width):
        names = [labels[k] if k < len(labels) and labels[k] else f"curve {k}" for k in range(1, width)]
        return _curves(body, [(0, k) for k in range(1, width)], names, path, shared=True)
    pairs = [(k, k + 1) for k in range(0, width - width % 2, 2)]
    if width % 2:
        line = next(n for n, row in body if len(row) >= width and row[width - 1])
        raise DataError(f"{path.name}, line {line}: column {width} has times or heights, but not both.")
    return _curves(body, pairs, _names(header, len(pairs), path), path, shared=False)


def _share_times(lower: list[str], width: int) -> bool:
    """Say whether one column of times serves several columns of heights."""
    if width < 3:
        return False
    if not lower:
        return width % 2 == 1
    if any(_TIMES.search(c) for c in lower[1:]):
        return False
    return bool(_TIMES.search(lower[0])) or sum(bool(c) for c in lower[:width]) == width


def _names(header: list[list[str]], pairs: int, path: Path) -> list[str]:
    """Names stand above each pair of columns, with an empty cell beside them; or before the word for time."""
    for row in header:
        named = [row[2 * k] if 2 * k < len(row) else "" for k in range(pairs)]
        beside = [row[2 * k + 1] if 2 * k + 1 < len(row) else "" for k in range(pairs)]
        if all(named) and not any(beside):
            return named
    if pairs == 1:
        return [path.stem]
    row = [*(header[-1] if header else []), *[""] * (2 * pairs)]
    words = [_TIMES.sub("", row[2 * k]).strip(" ()[]_-:.") for k in range(pairs)]
    return words if all(words) and len(set(words)) == pairs else [f"curve {k + 1}" for k in range(pairs)]


def _curves(body: list[_Line], columns: list[tuple[int, int]], names: list[str], path: Path, *, shared: bool) -> Rows:
    out: Rows = {}
    for (i, j), name in zip(columns, names, strict=True):
        rows = []
        for line, row in body:
            x, y = (row[k] if k < len(row) else "" for k in (i, j))
            if not y and (shared or not x):
                continue
            if not x or not y:
                what = "time" if not x else "height"
                raise DataError(f"{path.name}, line {line}: a point of {name!r} has no {what}. Complete or remove it.")
            rows.append((_number(x, path, line), _number(y, path, line)))
        out[unused(name, out)] = rows
    return out


def _long(body: list[_Line], lower: list[str], arm: int, time: int, path: Path) -> Rows:
    height = next((i for i, c in enumerate(lower) if c.split(" ")[0] in _HEIGHTS and i not in (arm, time)), None)
    if height is None and len(lower) == 3:
        height = 3 - arm - time
    if height is None:
        raise DataError(f"{path.name}: no column 'survival' beside '{lower[time]}'. Columns: {', '.join(lower)}.")
    out: Rows = {}
    for line, row in body:
        cells = [row[k] if k < len(row) else "" for k in (arm, time, height)]
        out.setdefault(cells[0], []).append((_number(cells[1], path, line), _number(cells[2], path, line)))
    return out


def _number(cell: str, path: Path, line: int) -> float:
    if not is_number(cell):
        raise DataError(f"{path.name}, line {line}: {cell!r} is not a number.")
    return float(cell)
