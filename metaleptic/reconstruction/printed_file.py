"""What a paper prints about arms and contrasts, read from a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from metaleptic.errors import DataError
from metaleptic.patients import Contrast, Published

_ARM = (
    "n",
    "events",
    "at_risk",
    "median",
    "median_low",
    "median_high",
    "rates",
    "last_time",
    "first_time",
    "follow_up",
)
_CONTRAST = ("arm", "versus", "hr", "low", "high", "p", "level")


def read_published(path: str | Path) -> tuple[dict[str, Published], list[Contrast]]:
    """Read a table ``[arms.NAME]`` for each arm and ``[[contrasts]]`` with the arguments of Published and Contrast.

    Raises
    ------
    DataError
        If the file is not TOML, or names something unknown.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path.name}: not a readable TOML file ({error}).") from None
    _known(data, ("arms", "contrasts"), path.name)
    arms = {}
    for name, given in data.get("arms", {}).items():
        _known(given, _ARM, f"{path.name}, arm {name!r}")
        numbers = dict(given)
        for key in ("at_risk", "rates"):
            if key in numbers:
                numbers[key] = {_time(t, f"{path.name}, arm {name!r}: {key}"): v for t, v in numbers[key].items()}
        arms[name] = Published(**numbers)
    contrasts = []
    for i, given in enumerate(data.get("contrasts", [])):
        _known(given, _CONTRAST, f"{path.name}, contrast {i + 1}")
        if "arm" not in given or "versus" not in given:
            raise DataError(f"{path.name}, contrast {i + 1}: 'arm' and 'versus' are needed.")
        contrasts.append(Contrast(**given))
    return arms, contrasts


def _known(given: dict[str, Any], names: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in names:
            raise DataError(f"{where}: {key!r} is unknown. Known: {', '.join(names)}.")


def _time(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{where}: {text!r} is not a time.") from None
