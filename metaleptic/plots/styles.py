"""STYLES: how a journal wants its forest plot, one record each. A new house style is one record here."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from metaleptic.errors import OptionError


@dataclass(frozen=True, slots=True)
class Style:
    """Words, colours and sizes of a plot; every plot is drawn by the same code whatever its style.

    Attributes
    ----------
    key : str
        Name of the style.
    order : tuple of str
        Columns from left to right: "study", "columns" (the caller's), "plot", "effect", "weight".
    effect_heading : str
        Heading of the effect column; ``{label}``, ``{level}`` and ``{interval}`` are filled in.
    weight_heading, weight_sign : str
        Heading of the weight column, and what follows each weight.
    separator : str
        Between the bounds of an interval. A dash is replaced by " to " where a bound is negative.
    brackets : tuple of str
        Opening and closing bracket of an interval.
    total, subtotal : str
        Labels of the pooled rows; ``{model}``, ``{level}`` and ``{interval}`` are filled in.
    p : str
        Symbol of the p value.
    leading_zero : bool
        Whether p values are written 0.03 or .03.
    ink, muted, square, diamond, bar, line : str
        Colours of text, secondary text, squares, diamonds, prediction bars and the line at the pooled effect.
    stripe : str
        Colour of every other row; empty for none.
    size, small, row : float
        Size of text and secondary text, and height of a row, in points.
    """

    key: str
    order: tuple[str, ...] = ("study", "columns", "plot", "effect", "weight")
    effect_heading: str = "{label}\n({level}% {interval})"
    weight_heading: str = "Weight\n%"
    weight_sign: str = ""
    separator: str = " to "
    brackets: tuple[str, str] = ("(", ")")
    total: str = "{model}"
    subtotal: str = "Subtotal"
    p: str = "P"
    leading_zero: bool = True
    ink: str = "#1b1f24"
    muted: str = "#5f6875"
    square: str = "#1f4e79"
    diamond: str = "#1f4e79"
    bar: str = "#a9bccd"
    line: str = "#1f4e79"
    stripe: str = "#f2f4f6"
    size: float = 8.5
    small: float = 7.5
    row: float = 16.0


STYLES = MappingProxyType(
    {
        s.key: s
        for s in (
            Style("plain"),
            Style(
                "jama",
                order=("study", "columns", "effect", "plot", "weight"),
                weight_heading="Weight,\n%",
                separator="–",
                total="Overall",
                leading_zero=False,
                ink="#000000",
                muted="#4d4d4d",
                square="#0072b2",
                diamond="#0072b2",
                bar="#9cc9e3",
                line="#4d4d4d",
                stripe="",
            ),
            Style(
                "bmj",
                order=("study", "columns", "plot", "weight", "effect"),
                weight_heading="Weight\n(%)",
                ink="#111111",
                muted="#555555",
                square="#00664d",
                diamond="#111111",
                bar="#9db8b0",
                line="#555555",
                stripe="#eef4f2",
            ),
            Style(
                "revman",
                order=("study", "columns", "weight", "effect", "plot"),
                weight_heading="Weight",
                weight_sign="%",
                separator=", ",
                brackets=("[", "]"),
                total="Total ({level}% {interval})",
                subtotal="Subtotal ({level}% {interval})",
                ink="#000000",
                muted="#555555",
                square="#0072b2",
                diamond="#000000",
                bar="#8c8c8c",
                line="#555555",
                stripe="",
            ),
        )
    }
)


def style_named(style: str | Style) -> Style:
    """Look a style up by its key; a ``Style`` of the caller's own passes through."""
    if isinstance(style, Style):
        return style
    if style not in STYLES:
        raise OptionError(f"style {style!r} is unknown. Choose one of: {', '.join(STYLES)}.")
    return STYLES[style]
