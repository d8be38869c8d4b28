"""What a paper prints about arms and contrasts, read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metaleptic.errors import DataError
from metaleptic.patients import Contrast, Published

_ARM = tuple(Published.__dataclass_fields__)
_CONTRAST = tuple(Contrast.__dataclass_fields__)
_TABLE_OPTIONS: tuple[str, ...] = (
    "means",
    "time_medians",
    "time",
    "event",
    "arm",
    "patient",
    "at_least",
    "at_most",
    "rules",
    "ties",
)
_TABLE_OPTIONS += ("rounding", "repair", "most")


def read_published(path: str | Path) -> tuple[dict[str, Published], list[Contrast]]:
    """Read a table ``[arms.NAME]`` for each arm and ``[[contrasts]]`` with the arguments of Published and Contrast.

    Raises
    ------
    DataError
        If the file is not TOML, or names something unknown.
    """
    data, name = _toml(path)
    _known(data, ("arms", "contrasts"), name)
    return _arms(data, "arms", name), _contrasts(data, name)


def read_patient_text(path: str | Path) -> tuple[dict[str, Published], list[Contrast], dict[str, Any]]:
    """Read tables ``[published.GROUP]``, ``[[contrasts]]`` and the options of reconstruct_table.

    Raises
    ------
    DataError
        If the file is not TOML, or names something unknown.
    """
    data, name = _toml(path)
    _known(data, ("published", "contrasts", *_TABLE_OPTIONS), name)
    options = {key: value for key, value in data.items() if key in _TABLE_OPTIONS}
    for key in ("means", "time_medians"):
        if key in options:
            options[key] = _table(options[key], f"{name}: {key}", f"{key} = {{GROUP = 9.3}}")
    return _arms(data, "published", name), _contrasts(data, name), options


def _toml(path: str | Path) -> tuple[dict[str, Any], str]:
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), path.name
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name}: not a readable TOML file ({error}).") from None


def _arms(data: dict[str, Any], key: str, name: str) -> dict[str, Published]:
    arms = {}
    for arm, given in _table(data.get(key, {}), f"{name}: {key}", f"[{key}.NAME]").items():
        where = f"{name}, {'arm' if key == 'arms' else 'group'} {arm!r}"
        numbers = dict(_table(given, where, f"[{key}.{arm}] with n, events, ..."))
        _known(numbers, _ARM, where)
        for by_time, like in (("at_risk", 43), ("rates", 0.83)):
            if by_time in numbers:
                table = _table(numbers[by_time], f"{where}: {by_time}", f"{by_time} = {{12 = {like}}}")
                numbers[by_time] = {_time(t, f"{where}: {by_time}"): v for t, v in table.items()}
        arms[arm] = Published(**numbers)
    return arms


def _contrasts(data: dict[str, Any], name: str) -> list[Contrast]:
    given = data.get("contrasts", [])
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise DataError(f"{name}: contrasts is {given!r}. Write [[contrasts]] with arm, versus, hr, ...")
    contrasts = []
    for i, one in enumerate(given):
        where = f"{name}, contrast {i + 1}"
        _known(_table(one, where, "[[contrasts]] with arm, versus, hr, ..."), _CONTRAST, where)
        if "arm" not in one or "versus" not in one:
            raise DataError(f"{where}: 'arm' and 'versus' are needed.")
        contrasts.append(Contrast(**one))
    return contrasts


def _table(value: Any, where: str, like: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{where} is {value!r}. Write {like}.")
    return value


def _known(given: dict[str, Any], names: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in names:
            raise DataError(f"{where}: {key!r} is unknown. Known: {', '.join(names)}.")


def _time(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{where}: {text!r} is not a time.") from None
