"""Write a scene as SVG: text stays text, the same bytes each time, no ids (any number can stand in one page)."""

from __future__ import annotations

from html import escape

from metaleptic.plots.scene import Dot, Line, Mark, Point, Scene, Shape, Text, Trace

# The layout is measured in DejaVu Sans; Verdana has nearly its widths, and any other common font is narrower.
FONTS = "'DejaVu Sans', Verdana, sans-serif"


def to_svg(scene: Scene, name: str, alt: str, *, inline: bool) -> str:
    """Return SVG text.

    Parameters
    ----------
    scene : Scene
        What to draw.
    name, alt : str
        Short title (shown by browsers under the pointer) and the plot in words, read out by screen readers.
    inline : bool
        For a page of HTML: no prolog, width 100% of its container. Otherwise a file of its own, sized in points.
    """
    w, h = _n(scene.width), _n(scene.height)
    # Inline, text keeps the same size in plots of different widths as long as the page has room.
    size = f'width="100%" style="max-width:{1.75 * scene.width:.0f}px"' if inline else f'width="{w}pt" height="{h}pt"'
    head = "" if inline else '<?xml version="1.0" encoding="UTF-8"?>\n'
    lines = [
        f'{head}<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {w} {h}" role="img" '
        f'aria-label="{escape(alt)}" font-family="{FONTS}">',
        f"<title>{escape(name)}</title>",
        f'<rect width="{w}" height="{h}" fill="#ffffff"/>',
        *(_mark(mark) for mark in scene.marks),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _n(x: float) -> str:
    text = f"{x:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _dash(dash: Point) -> str:
    return f' stroke-dasharray="{_n(dash[0])} {_n(dash[1])}"' if dash[0] else ""


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _mark(mark: Mark) -> str:
    match mark:
        case Text():
            anchor = "" if mark.anchor == "start" else f' text-anchor="{mark.anchor}"'
            bold = ' font-weight="bold"' if mark.bold else ""
            turn = f' transform="rotate(-90 {_n(mark.x)} {_n(mark.y)})"' if mark.turned else ""
            return (
                f'<text x="{_n(mark.x)}" y="{_n(mark.y)}" font-size="{_n(mark.size)}"{bold}{anchor}{turn} '
                f'fill="{mark.colour}">{escape(mark.text, quote=False)}</text>'
            )
        case Line():
            (x1, y1), (x2, y2) = mark.start, mark.end
            return (
                f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" stroke="{mark.colour}" '
                f'stroke-width="{_n(mark.width)}"{_dash(mark.dash)}/>'
            )
        case Trace():
            return (
                f'<polyline points="{_points(mark.points)}" fill="none" stroke="{mark.colour}" '
                f'stroke-width="{_n(mark.width)}"{_dash(mark.dash)}/>'
            )
        case Shape():
            kind = f' class="{mark.name}"' if mark.name else ""
            return f'<polygon{kind} points="{_points(mark.points)}" fill="{mark.fill}"/>'
        case Dot():
            (x, y), r = mark.centre, mark.radius
            return (
                f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" fill="{mark.fill}" stroke="{mark.edge}" '
                f'stroke-width="{_n(mark.width)}"/>'
            )
