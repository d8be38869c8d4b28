"""Where the columns of a forest plot stand: widths are measured, long names wrapped, the page widened if it must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metaleptic.plots.forest_layout import ForestLayout, Row
from metaleptic.plots.wrap import TextWidth, widest, wrap

MARGIN = 6.0
GAP = 11.0
INDENT = 8.0
INSET = 5.0  # points between the edges of the plot's column and the axis, for arrow heads
NARROW = 300.0  # points: below this page width the axis makes do with less room
WORDS_AT_MOST = 88.0  # points: width of a column of the caller's words before it is wrapped


@dataclass(frozen=True, slots=True)
class Column:
    """A column on the page: its edges in points, which side its text is aligned to, and its heading's lines."""

    left: float
    right: float
    align: str
    heading: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """All columns: ``study``, ``plot``, ``effect``, ``weight`` and the caller's as ``extra 0``, ``extra 1`` ..."""

    width: float
    place: Mapping[str, Column]
    labels: tuple[tuple[str, ...], ...]
    cells: tuple[tuple[tuple[str, ...], ...], ...]


def least_plot(width: float) -> float:
    """Return the least width of the plot itself on a page of this width, in points."""
    return 94.0 if width < NARROW else 124.0


def tick_room(layout: ForestLayout, page: float, width: TextWidth) -> float:
    """Return how many digits of a tick's label fit along the axis, once the other columns have their widths."""
    plot = place_columns(layout, page, width).place["plot"]
    return (plot.right - plot.left - 2 * INSET) / width("0", layout.style.small, False)


def is_bold(kind: str) -> bool:
    """Whether rows of this kind are set in bold."""
    return kind in ("group", "subtotal", "total")


def indent(row: Row, grouped: bool) -> float:
    """Return how far a row's label is set in: studies below the name of their subgroup."""
    return INDENT if grouped and row.kind in ("study", "subtotal") else 0.0


def place_columns(layout: ForestLayout, page: float, width: TextWidth) -> Columns:
    """Place the columns side by side on a page at least this wide (in points).

    Every column is as wide as its widest text. The names of the studies give way first: they are wrapped to what
    the others leave; if that is too little, the page becomes wider.
    """
    style = layout.style
    size = style.size
    grouped = any(row.kind == "group" for row in layout.rows)
    cells: list[list[tuple[str, ...]]] = [[] for _ in layout.rows]
    need: dict[str, float] = {}
    heads: dict[str, list[str]] = {}
    for j, column in enumerate(layout.columns):
        for i, row in enumerate(layout.rows):
            if row.cells:
                cells[i].append(tuple(wrap(row.cells[j], WORDS_AT_MOST, size, is_bold(row.kind), width)))
        body = max(
            (
                widest(list(c[j]), size, is_bold(r.kind), width)
                for c, r in zip(cells, layout.rows, strict=True)
                if len(c) > j
            ),
            default=0.0,
        )
        heads[f"extra {j}"], need[f"extra {j}"] = _headed(column.heading, body, 52.0, size, width)
    for key, heading, spare in (
        ("effect", layout.effect_heading, 80.0 if page < NARROW else 135.0),
        ("weight", layout.weight_heading, 45.0),
    ):
        if heading:
            body = max((width(getattr(r, key), size, is_bold(r.kind)) for r in layout.rows), default=0.0)
            heads[key], need[key] = _headed(heading, body, spare, size, width)
    names = [
        width(r.label, size, is_bold(r.kind))
        + indent(r, grouped)
        + (width(r.note, style.small, False) + 6.0 if r.note else 0.0)
        for r in layout.rows
        if r.kind != "group"
    ]
    natural = max([*names, width("Study", size, True)])
    keys = [k for name in style.order for k in _keys(name, len(layout.columns)) if k in need or k in ("study", "plot")]
    least = least_plot(page)
    free = page - 2 * MARGIN - GAP * (len(keys) - 1) - sum(need.values())
    study = natural if natural <= free - least else max(free - 1.15 * least, 70.0 if page < NARROW else 120.0)
    study = min(study, natural)
    plot = max(free - study, least)
    need |= {"study": study, "plot": plot}
    labels = tuple(
        tuple(
            wrap(r.label, _label_room(r, keys, need, study, grouped, width, style.small), size, is_bold(r.kind), width)
        )
        for r in layout.rows
    )
    place, x = {}, MARGIN
    for key in keys:
        align = {"study": "left", "plot": "middle"}.get(key, "right")
        if key.startswith("extra"):
            align = layout.columns[int(key.split()[1])].align
        place[key] = Column(x, x + need[key], align, tuple(heads.get(key, ["Study"] if key == "study" else [])))
        x += need[key] + GAP
    return Columns(x - GAP + MARGIN, place, labels, tuple(tuple(c) for c in cells))


def _keys(name: str, extras: int) -> list[str]:
    return [f"extra {j}" for j in range(extras)] if name == "columns" else [name]


def _headed(heading: str, body: float, spare: float, size: float, width: TextWidth) -> tuple[list[str], float]:
    """Wrap a heading to the width of its column's body or to ``spare`` points, and never inside a word."""
    lines = wrap(heading, max(body, spare, widest(heading.split(), size, True, width)), size, True, width)
    return lines, max(body, widest(lines, size, True, width))


def _label_room(
    row: Row, keys: list[str], need: Mapping[str, float], study: float, grouped: bool, width: TextWidth, small: float
) -> float:
    """Return the width a row's label may take: the name of a subgroup may run on over the caller's columns."""
    if row.kind == "group":
        room = study
        for key in keys[1:]:
            if not key.startswith("extra"):
                break
            room += GAP + need[key]
        return room
    note = width(row.note, small, False) + 6.0 if row.note else 0.0
    return max(study - indent(row, grouped) - note, 0.4 * study)
