"""The evidence folders that ship with the package."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaleptic.errors import OptionError
from metaleptic.frames import read_table, to_frame

_HERE = Path(__file__).parent
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder of evidence: tables by name, where they lie, and what they are.

    Attributes
    ----------
    name : str
        Name of the folder.
    path : Path
        The folder itself.
    tables : tuple of str
        Names of its tables.
    """

    name: str
    path: Path
    tables: tuple[str, ...]

    def table(self, name: str | None = None, *, frame: str = "pandas") -> Any:
        """Return one table as a dataframe ("pandas", "polars" or "pyarrow"); the only one by default.

        Columns in which every cell is a plain number come as numbers, all others as the text printed.
        """
        chosen = self.tables[0] if name is None and len(self.tables) == 1 else name
        if chosen not in self.tables:
            raise OptionError(f"data set '{self.name}' has no table {name!r}. It has: {', '.join(self.tables)}.")
        columns = read_table(self.path / f"{chosen}.csv").columns
        return to_frame({name: _numbers_or_text(cells) for name, cells in columns.items()}, frame)

    def __getitem__(self, name: str) -> Any:
        return self.table(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    @property
    def about(self) -> str:
        """The README of the folder: origin, columns, citation."""
        return (self.path / "README.md").read_text(encoding="utf-8")

    def __repr__(self) -> str:
        return f"data set '{self.name}': {', '.join(self.tables)}\nsee .about for origin and columns"


def _numbers_or_text(cells: Sequence[str]) -> Sequence[Any]:
    if not all(_NUMBER.fullmatch(c) for c in cells):
        return cells
    return [float(c) if "." in c else int(c) for c in cells]


def folder() -> Path:
    """Return the folder of all data sets: inside an installed package, or the clone's ``data/``."""
    inside = _HERE / "_data"
    return inside if inside.is_dir() else _HERE.parent / "data"


def available() -> tuple[str, ...]:
    """Return the names of the data sets that ship with the package."""
    return tuple(sorted(p.name for p in folder().iterdir() if (p / "README.md").is_file()))


def load(name: str) -> Dataset:
    """Load a data set that ships with the package.

    Parameters
    ----------
    name : str
        One of ``ml.datasets.available()``, for example "intrathecal_trastuzumab" or "bcg".

    Returns
    -------
    Dataset

    Raises
    ------
    OptionError
        If there is no such data set.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.datasets.load("bcg").table().shape
    (13, 10)
    """
    if name not in available():
        raise OptionError(f"there is no data set {name!r}. There are: {', '.join(available())}.")
    path = folder() / name
    return Dataset(name, path, tuple(sorted(p.stem for p in path.glob("*.csv"))))
