"""A scene: the marks of a finished plot in points, y downwards, ready for any drawing program."""

from __future__ import annotations

from dataclasses import dataclass, replace

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; ``x`` is its left end, middle or right end by ``anchor``, ``y`` its baseline.

    A ``turned`` one reads upwards, with that point on its baseline.
    """

    x: float
    y: float
    text: str
    size: float
    colour: str
    anchor: str = "start"
    bold: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line; ``dash`` is the length of dash and gap, (0, 0) for a solid one."""

    start: Point
    end: Point
    colour: str
    width: float = 0.8
    dash: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Trace:
    """A line through points; ``dash`` as of a ``Line``, running on around its corners."""

    points: tuple[Point, ...]
    colour: str
    width: float = 0.8
    dash: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Shape:
    """A filled polygon; ``name`` says what it is ("square", "diamond", "bar", "arrow", "stripe", "shade")."""

    points: tuple[Point, ...]
    fill: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle with an outline."""

    centre: Point
    radius: float
    fill: str
    edge: str
    width: float = 0.7


Mark = Text | Line | Trace | Shape | Dot


@dataclass(frozen=True, slots=True)
class Scene:
    """Marks in the order in which they are painted, on a page of this size in points."""

    width: float
    height: float
    marks: tuple[Mark, ...]


def rectangle(left: float, top: float, right: float, bottom: float, fill: str, name: str) -> Shape:
    """Return a filled rectangle."""
    return Shape(((left, top), (right, top), (right, bottom), (left, bottom)), fill, name)


def middle(y: float, size: float) -> float:
    """Return the baseline that centres capitals of this size on ``y``."""
    return y + 0.365 * size


def scaled(scene: Scene, factor: float) -> Scene:
    """Return the scene enlarged or shrunk as a whole: places, text sizes and line widths."""
    if factor == 1.0:
        return scene
    return Scene(scene.width * factor, scene.height * factor, tuple(_scaled(mark, factor) for mark in scene.marks))


def _scaled(mark: Mark, f: float) -> Mark:
    match mark:
        case Text():
            return replace(mark, x=mark.x * f, y=mark.y * f, size=mark.size * f)
        case Line():
            (a, b), (c, d) = mark.start, mark.end
            dash = (mark.dash[0] * f, mark.dash[1] * f)
            return replace(mark, start=(a * f, b * f), end=(c * f, d * f), width=mark.width * f, dash=dash)
        case Trace():
            dash = (mark.dash[0] * f, mark.dash[1] * f)
            points = tuple((x * f, y * f) for x, y in mark.points)
            return replace(mark, points=points, width=mark.width * f, dash=dash)
        case Shape():
            return replace(mark, points=tuple((x * f, y * f) for x, y in mark.points))
        case Dot():
            centre = (mark.centre[0] * f, mark.centre[1] * f)
            return replace(mark, centre=centre, radius=mark.radius * f, width=mark.width * f)
