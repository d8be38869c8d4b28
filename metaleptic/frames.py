"""The only door for tables: any dataframe, CSV or Excel sheet in, the caller's kind of dataframe out."""

from __future__ import annotations

import codecs
import csv
import difflib
import hashlib
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning
from metaleptic.warn import warn

FloatArray = NDArray[np.float64]

FRAME_KINDS: dict[str, Literal["pandas", "polars", "pyarrow"]] = {
    "pandas": "pandas",
    "polars": "polars",
    "pyarrow": "pyarrow",
}
SIZE_LIMIT_MB = 20
MISSING = frozenset({"", "na", "n/a", "nan", "none", "null", "-", "–", "."})
NOT_REACHED = frozenset({"nr", "ne", "inf", "+inf", "infinity", "∞", "not reached", "not estimable", "not evaluable"})


@dataclass(frozen=True, slots=True)
class Table:
    """Columns as the caller wrote them, and where they came from."""

    columns: Mapping[str, Sequence[Any]]
    kind: str
    source: str
    sha256: str

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def keep(self, rows: Sequence[int]) -> Table:
        """Return the table with only these rows (positions from 0)."""
        kept = {name: [col[i] for i in rows] for name, col in self.columns.items()}
        return Table(kept, self.kind, self.source, self.sha256)


def read_table(data: Any, *, sheet: str | int | None = None) -> Table:
    """Read any table of published numbers: a dataframe, a CSV or Excel file, or a dict of columns.

    Parameters
    ----------
    data : DataFrame, mapping, sequence of mappings, str or Path
        pandas, polars or pyarrow frame; ``{"column": values}``; a list of dicts; or the path of a
        ``.csv``, ``.tsv``, ``.xlsx``, ``.xls`` or ``.ods`` file.
    sheet : str or int, optional
        Sheet of an Excel file: its name, or its number from 1. The first by default.

    Raises
    ------
    DataError
        If the file is missing, empty, not UTF-8 or larger than 20 MB, or the table has no rows.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, str | Path):
        return _read_file(Path(data), sheet)
    if isinstance(data, Mapping):
        return _checked({str(k): _cells(str(k), v) for k, v in data.items()}, "pandas", "the table")
    if isinstance(data, Sequence) and data and all(isinstance(r, Mapping) for r in data):
        names = list(dict.fromkeys(str(k) for r in data for k in r))
        return _checked({name: [r.get(name) for r in data] for name in names}, "pandas", "the table")
    return _read_frame(data)


def _cells(name: str, values: Any) -> list[Any]:
    """Return a column of a dict as a list; one text is a slip, not a column of letters."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise DataError(f"column '{name}' of the table is {values!r}, not a list. Write [{values!r}] for a single row.")
    return list(values)


def to_frame(columns: Mapping[str, Any], kind: str = "pandas") -> Any:
    """Build a dataframe of the asked kind ("pandas", "polars" or "pyarrow") from columns."""
    import narwhals as nw

    if kind not in FRAME_KINDS:
        raise OptionError(f"frame {kind!r} is unknown. Choose one of: {', '.join(FRAME_KINDS)}.")
    return nw.from_dict({k: _plain(v) for k, v in columns.items()}, backend=FRAME_KINDS[kind]).to_native()


def _plain(values: Any) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _read_frame(data: Any) -> Table:
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    try:
        frame = nw.from_native(data, eager_only=True)
    except TypeError:
        raise DataError(
            f"cannot read a table from {type(data).__name__}. Pass a pandas, polars or pyarrow frame, "
            "a dict of columns, or the path of a CSV or Excel file."
        ) from None
    except DuplicateError:
        raise DataError("the table: two columns have the same name. Give every column its own name.") from None
    columns = {str(name): frame.get_column(name).to_list() for name in frame.columns}
    kind = str(frame.implementation.value)
    return _checked(columns, kind if kind in FRAME_KINDS else "pandas", "the table")


def _read_file(path: Path, sheet: str | int | None) -> Table:
    try:
        there = path.is_file()
    except OSError:  # a name that no file can have: the text of a table, say
        there = False
    if not there:
        shown = str(path) if len(str(path)) <= 200 else f"{str(path)[:60]!r}..."
        raise DataError(f"file '{shown}' does not exist. Check the path.")
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"file '{path}' is empty. Save the table again and retry.")
    if size > SIZE_LIMIT_MB * 1_000_000:
        raise DataError(
            f"file '{path}' has {size / 1e6:.0f} MB; a table of published numbers is far below {SIZE_LIMIT_MB} MB. "
            "Is it the right file? If so, load it with pandas and pass the dataframe."
        )
    suffix = path.suffix.lower()
    if suffix in {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}:
        rows = _excel_rows(path, sheet)
    elif suffix in {".csv", ".tsv", ".txt"}:
        rows = _csv_rows(path)
    else:
        raise DataError(f"file '{path}' is of a kind that cannot be read. Save it as .csv or .xlsx.")
    return _from_rows(rows, path.name)


def _csv_rows(path: Path) -> list[list[Any]]:
    raw = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as err:
        line = raw[: err.start].count(b"\n") + 1
        raise DataError(
            f"file '{path}', line {line}: byte {raw[err.start]:#04x} is not UTF-8. "
            "Save the file as 'CSV UTF-8' and retry."
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise DataError(f"file '{path}' holds binary data, not text. Save it as 'CSV UTF-8' and retry.")
    head = text[: text.find("\n")] if "\n" in text else text
    separator = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)  # else an open quote swallows rows
    try:
        return [row for row in reader if any(c.strip() for c in row)]
    except csv.Error:
        raise DataError(
            f"file '{path}', line {reader.line_num}: a cell that opens with a double quote does not end with one, "
            "or is far too long. Correct the quotes, or save the table again."
        ) from None


def _excel_rows(path: Path, sheet: str | int | None) -> list[list[Any]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
    except (CalamineError, OSError) as err:
        raise DataError(f"file '{path}' is not a readable Excel file ({err}). Save it again as .xlsx.") from None
    names = book.sheet_names
    if not names:
        raise DataError(f"file '{path}' has no sheets.")
    wanted = (
        names[0] if sheet is None else names[sheet - 1] if isinstance(sheet, int) and 0 < sheet <= len(names) else sheet
    )
    if wanted not in names:
        raise DataError(f"file '{path}' has no sheet {sheet!r}. It has: {', '.join(names)}.")
    rows = book.get_sheet_by_name(str(wanted)).to_python(skip_empty_area=True)
    return [row for row in rows if any(str(c).strip() for c in row)]


def _from_rows(rows: list[list[Any]], source: str) -> Table:
    if not rows:
        raise DataError(f"file '{source}' is empty. Save the table again and retry.")
    header = [str(c).strip() for c in rows[0]]
    while header and not header[-1]:
        header.pop()
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice or "" in header:
        what = f"column '{twice[0]}' stands twice" if twice and twice[0] else "a column has no name"
        raise DataError(f"file '{source}': {what} in the header line. Give every column its own name.")
    for number, row in enumerate(rows[1:], start=1):
        if any(str(c).strip() for c in row[len(header) :]):
            raise DataError(
                f"file '{source}', row {number} ('{row[0]}'): {len(row)} cells but {len(header)} columns. "
                "Write decimals with a point, and put cells that contain the separator in double quotes."
            )
        if len(row) < len(header):
            raise DataError(
                f"file '{source}', row {number} ('{row[0]}'): {len(row)} cells but {len(header)} columns. "
                "Write the separators of empty cells too."
            )
    columns = {name: [row[j] for row in rows[1:]] for j, name in enumerate(header)}
    return _checked(columns, "pandas", f"file '{source}'")


def _checked(columns: dict[str, list[Any]], kind: str, source: str) -> Table:
    lengths = {len(col) for col in columns.values()}
    if len(lengths) > 1:
        raise DataError(
            f"{source}: columns differ in length ({', '.join(f'{k}: {len(v)}' for k, v in columns.items())})."
        )
    if not columns or lengths == {0}:
        raise DataError(f"{source} has no rows below the header. There is nothing to pool.")
    digest = hashlib.sha256(repr([(k, [str(c) for c in v]) for k, v in columns.items()]).encode()).hexdigest()
    return Table(columns, kind, source, digest)


# --- columns ----------------------------------------------------------------------------------


def find_column(table: Table, given: str | None, default: str, *, needed_for: str | None = None) -> str | None:
    """Settle which column is meant: the one named, else the default name if the table has it.

    Raises
    ------
    DataError
        If a named column is missing, or the default one is missing and ``needed_for`` says what needs it.
    """
    given = None if given is None else str(given)  # pandas numbers columns that have no names
    if given is not None and given not in table.columns:
        raise DataError(f"{table.source} has no column '{given}'.{_meant(table, given)} It has: {_names(table)}.")
    name = default if given is None else given
    if name in table.columns:
        return name
    if given is None and needed_for is None:
        _doubt_unused(table, default)
    if needed_for is not None:
        raise DataError(
            f"{table.source} has no column '{name}', needed for {needed_for}.{_meant(table, name)} "
            f'Say which column it is ({default}="..."). It has: {_names(table)}.'
        )
    return None


# What tables call the bounds of an interval and a standard error; such a column left unused is more likely an oversight.
_OTHER_NAMES = MappingProxyType(
    {
        "low": (
            "lower",
            "lo",
            "lcl",
            "ll",
            "ci_low",
            "ci_lower",
            "lower_ci",
            "low_ci",
            "ci_lb",
            "lci",
            "l95",
            "lower95",
        ),
        "high": (
            "upper",
            "hi",
            "ucl",
            "ul",
            "ci_high",
            "ci_upper",
            "upper_ci",
            "high_ci",
            "ci_ub",
            "uci",
            "u95",
            "upper95",
        ),
        "se": ("sei", "stderr", "std_err", "standard_error", "std_error"),
    }
)


def _doubt_unused(table: Table, default: str) -> None:
    """Warn of a column that by its name holds what nothing was said of."""
    for column in table.columns:
        if re.sub(r"[\W_]+", "_", str(column).lower()).strip("_") in _OTHER_NAMES.get(default, ()):
            warn(
                SuspiciousDataWarning,
                f"{table.source}: column '{column}' is not used, though it looks like the column '{default}'. "
                f'Say {default}="{column}", or drop it.',
            )


def doubt_ignored(table: Table, column: str, used: str, differs: Callable[[Any], bool]) -> None:
    """Warn of a column named as an option is, whose cells say something else than the option.

    ``used`` names what is taken for every row; ``differs`` tells a cell that disagrees with it.
    """
    cells = table.columns.get(column, ())
    odd = [cell for cell in cells if not is_missing(cell) and differs(cell)]
    if odd:
        warn(
            SuspiciousDataWarning,
            f"{table.source}: column '{column}' holds {odd[0]!r}, but {used} is taken for every row. "
            f'Say {column}="{column}" to take each row\'s own, or drop the column.',
        )


def texts(table: Table, column: str) -> tuple[str, ...]:
    """Return a column as stripped text; missing cells become ''."""
    return tuple("" if is_missing(cell) else _as_text(cell) for cell in table.columns[column])


def numbers(table: Table, column: str | None, study: Sequence[str], *, open_ended: bool = False) -> FloatArray:
    """Return a column as numbers: NaN where empty, infinity for "not reached" where that is allowed.

    Raises
    ------
    DataError
        If a cell holds something else; the message names study, row and column.
    """
    if column is None:
        return np.full(len(table), np.nan)
    cells = table.columns[column]
    return np.array([_number(cell, column, study[i], i + 1, open_ended) for i, cell in enumerate(cells)])


def rounding(table: Table, *columns: str | None) -> FloatArray:
    """Return half a unit of the last decimal printed in each row (0.005 for 0.83), the finest of the columns.

    Text shows its own decimals. A number has lost its trailing zeros, so that the longest of its column counts.
    """
    places = np.zeros(len(table), dtype=int)
    for column in columns:
        if column is None:
            continue
        cells = table.columns[column]
        own = [_decimals(c) for c in cells]
        longest = max((d for c, d in zip(cells, own, strict=True) if not isinstance(c, str)), default=0)
        places = np.maximum(places, [d if isinstance(c, str) else longest for c, d in zip(cells, own, strict=True)])
    return np.asarray(0.5 * 10.0**-places)


def _decimals(cell: Any) -> int:
    text = "" if is_missing(cell) else _as_text(cell).replace("·", ".").rstrip("%")
    digits, _, power = text.lower().partition("e")  # 5e-05 has five decimals
    places = len(digits.partition(".")[2])
    return max(0, places - int(power)) if power.lstrip("+-").isdigit() else places


def is_missing(cell: Any) -> bool:
    """Whether a cell is empty: None, NaN, or one of the usual words for it."""
    if cell is None:
        return True
    if isinstance(cell, float):
        return math.isnan(cell)
    return str(cell).strip().lower() in MISSING or str(cell) in {"<NA>", "NaT"}


def where(study: str, row: int) -> str:
    """Name a row in a message."""
    return f"study '{study}' (row {row})" if study else f"row {row}"


def _number(cell: Any, column: str, study: str, row: int, open_ended: bool) -> float:
    if is_missing(cell):
        return math.nan
    text = _as_text(cell)
    clean = text.replace("−", "-").replace("·", ".").replace("\u00a0", "").strip()
    if clean.lower() in NOT_REACHED:
        value = math.inf
    else:
        try:
            value = float(clean.replace("_", "?"))  # Python would read 0_83 as 83
        except ValueError:
            raise DataError(f"{where(study, row)}: column '{column}' holds '{text}', {_advice(clean)}") from None
    if math.isinf(value) and not open_ended:
        raise DataError(
            f"{where(study, row)}: column '{column}' holds '{text}', which is not a finite number. "
            "Leave the cell empty if the paper does not print it."
        )
    return value


def _advice(text: str) -> str:
    if text.endswith("%"):
        return 'which carries a percent sign. Write the number alone and say unit="percent".'
    if "," in text:
        return "which is not a number. Write decimals with a point (0.83) and no thousands separator."
    if text[:1] in "<>≤≥":
        return "which is a bound, not a number. Leave the cell empty or give the exact value."
    return "which is not a number. Correct the cell, or leave it empty if the paper does not print it."


def _as_text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).strip()


def _meant(table: Table, name: str) -> str:
    """Guess the column that a slip of case or of a letter may mean."""
    lower = {n.lower().strip(): n for n in table.columns}
    close = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.75)
    return f" Did you mean '{lower[close[0]]}'?" if close else ""


def _names(table: Table) -> str:
    names: Iterable[str] = list(table.columns)
    shown = list(names)[:20]
    return ", ".join(f"'{n}'" for n in shown) + (" ..." if len(table.columns) > 20 else "")
